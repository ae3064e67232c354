/* Contents in entries: what is read packs to the same bytes, and its segments add up. */
#include "object/block.h"
#include "object/content.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What readers count on. */
static void
check_sums(const struct content *c)
{
	uint64_t plain = 0;
	size_t chunk = 0;

	for (size_t i = 0; i < c->list.segments_count; i++) {
		const struct manifest_segment *s = &c->list.segments[i];
		uint64_t sealed = 0;

		must(s->first_chunk == chunk && s->chunks <= c->list.chunks_count - chunk);
		for (uint32_t j = 0; j < s->chunks; j++)
			sealed += c->list.chunks[chunk++].bytes;
		must(sealed == block_sealed_bytes(s->plain_bytes));
		plain += s->plain_bytes;
	}
	must(c->kind != CONTENT_CHUNKS || (plain == c->bytes && chunk == c->list.chunks_count));
	must(c->kind != CONTENT_INLINE || c->list.inline_data.len == c->bytes);
	must(c->kind != CONTENT_PACKED ||
	     c->at + content_sealed_bytes(c) <= c->list.chunks[0].bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct content c;
	struct buf again;

	content_init(&c);
	if (content_unpack(bytes_of(data, size), &c) == ERR_OK) {
		buf_init(&again, CONTENT_FORM_MAX);
		must(content_pack(&c, &again) == ERR_OK);
		must(again.len == size && memcmp(again.data, data, size) == 0);
		check_sums(&c);
		buf_fini(&again);
	}
	content_fini(&c);
	return 0;
}
