/*
 * Manifests. Sealed, nearly no input opens; so the input is also taken for the unsealed parts
 * (u16 length of the outer one, then both, without domain, network and tie, which are put in), and
 * for a compressed part. What is read packs to the same bytes, and its segments add up.
 */
#include <stdlib.h>

#include "object/block.h"
#include "object/compress.h"
#include "object/manifest_private.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNFOLDED_MAX MIB(1)

static const struct network_id net = { { 1, 2, 3, 4 } };

static void
begin(struct buf *b, const char *domain, const void *data, size_t len)
{
	buf_init(b, MIB(16));
	must(buf_append(b, domain, strlen(domain)) == ERR_OK);
	must(buf_append(b, net.b, sizeof(net.b)) == ERR_OK);
	must(buf_append(b, data, len) == ERR_OK);
}

static void
check_same(const struct buf *a, struct buf *b)
{
	must(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
	buf_fini(b);
}

/* What readers of the object count on. */
static void
check_sums(const struct manifest *m)
{
	uint64_t plain = m->inline_data.len;
	size_t chunk = 0;

	for (size_t i = 0; i < m->segments_count; i++) {
		const struct manifest_segment *s = &m->segments[i];
		uint64_t sealed = 0;

		must(s->first_chunk == chunk && s->chunks <= m->chunks_count - chunk);
		for (uint32_t c = 0; c < s->chunks; c++)
			sealed += m->chunks[chunk++].bytes;
		must(sealed == block_sealed_bytes(s->plain_bytes));
		plain += s->plain_bytes;
	}
	must(plain == m->plain_bytes && (m->level > 0 || chunk == m->chunks_count));
	must(m->inline_data.len == 0 || m->segments_count == 0);
	must(manifest_name_valid(m->name));
}

static void
as_parts(struct bytes in)
{
	size_t cut = in.len < 2 ? 0 : (size_t)in.data[0] << 8 | in.data[1];
	struct buf outer, inner, again;
	struct manifest m;
	struct hash tie;

	if (in.len < 2 || cut > in.len - 2)
		return;
	manifest_init(&m);
	begin(&outer, "skerry/manifest/outer/1", in.data + 2, cut);
	crypto_sha256(&tie, outer.data, outer.len);
	begin(&inner, "skerry/manifest/inner/1", tie.b, sizeof(tie.b));
	must(buf_append(&inner, in.data + 2 + cut, in.len - 2 - cut) == ERR_OK);
	if (manifest_read_outer(buf_bytes(&outer), net, &m) == ERR_OK) {
		buf_init(&again, MIB(16));
		must(manifest_pack_outer(&m, net, &again) == ERR_OK);
		check_same(&outer, &again);
		if (manifest_read_inner(buf_bytes(&inner), net, buf_bytes(&outer), &m) == ERR_OK) {
			buf_init(&again, MIB(16));
			must(manifest_pack_inner(&m, net, buf_bytes(&outer), &again) == ERR_OK);
			check_same(&inner, &again);
			check_sums(&m);
		}
	}
	manifest_fini(&m);
	buf_fini(&outer);
	buf_fini(&inner);
}

static void
as_sealed(struct bytes in)
{
	const struct manifest_keys keys = { .can_read = true };
	struct manifest m;

	manifest_init(&m);
	must(manifest_open(in, net, &keys, &m) != ERR_OK);
	manifest_fini(&m);
}

static void
as_compressed(struct bytes in)
{
	struct buf plain, packed, again;

	buf_init(&plain, UNFOLDED_MAX);
	buf_init(&packed, 2 * UNFOLDED_MAX);
	buf_init(&again, UNFOLDED_MAX);
	if (compress_unpack(in, &plain) == ERR_OK) {
		must(compress_pack(buf_bytes(&plain), &packed) == ERR_OK);
		must(compress_unpack(buf_bytes(&packed), &again) == ERR_OK);
		must(again.len == plain.len);
		must(plain.len == 0 || memcmp(again.data, plain.data, plain.len) == 0);
	} else {
		must(plain.len == 0);
	}
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(crypto_init() == ERR_OK);
	as_parts(bytes_of(data, size));
	as_sealed(bytes_of(data, size));
	as_compressed(bytes_of(data, size));
	return 0;
}
