/* Frames: whatever is taken packs to the same bytes again. */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	uint8_t *again;

	if (frame_unpack(bytes_of(data, size), &f) != ERR_OK)
		return 0;
	must(frame_bytes(&f) == size && size <= FRAME_PLAIN_MAX);
	again = malloc(size);
	must(again != NULL);
	frame_pack(&f, again);
	must(memcmp(again, data, size) == 0);
	free(again);
	return 0;
}
