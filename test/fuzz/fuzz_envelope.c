/* What unpacks packs again, and then unpacks to the same. */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
same(const struct envelope *a, const struct envelope *b)
{
	return a->kind == b->kind && a->id == b->id && a->method == b->method &&
	       a->status == b->status && a->sent_ms == b->sent_ms && a->version == b->version &&
	       a->server == b->server && a->has_token == b->has_token &&
	       memcmp(a->token, b->token, sizeof(a->token)) == 0 && a->body.len == b->body.len &&
	       (a->body.len == 0 || memcmp(a->body.data, b->body.data, a->body.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope once, twice;
	struct buf out;
	size_t pad_to = size > 0 ? data[0] * (size_t)8 : 0;

	if (envelope_unpack(bytes_of(data, size), &once) != ERR_OK)
		return 0;
	must(once.body.len <= size);
	buf_init(&out, size + ENVELOPE_OVERHEAD_MAX + ENVELOPE_PADDING_MAX);
	must(envelope_pack(&once, pad_to, &out) == ERR_OK);
	must(envelope_unpack(buf_bytes(&out), &twice) == ERR_OK);
	must(same(&once, &twice));
	buf_fini(&out);
	return 0;
}
