/* Descriptors: what unpacks packs to the same bytes, and its id is their hash. */
#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "storage/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct descriptor *d = malloc(sizeof(*d));
	uint8_t *again = malloc(DESCRIPTOR_BYTES_MAX);
	struct hash id, expected;

	must(crypto_init() == ERR_OK && d != NULL && again != NULL);
	if (descriptor_unpack(bytes_of(data, size), d) == ERR_OK) {
		must(descriptor_pack(d, again) == size && memcmp(again, data, size) == 0);
		descriptor_id(d, &id);
		crypto_sha256(&expected, data, size);
		must(hash_equal(&id, &expected));
	}
	free(again);
	free(d);
	return 0;
}
