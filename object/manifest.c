/*
 * Packing, sealing and strict reading of manifests. What is read must add up: chunk lengths to
 * the sealed length of their segment, segments to the object, so that later arithmetic cannot
 * go astray on what a stranger wrote.
 */
#include "object/manifest.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/compress.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char outer_domain[] = "skerry/manifest/outer/1";
static const char inner_domain[] = "skerry/manifest/inner/1";
static const char sealed_domain[] = "skerry/manifest/1";

#define CHUNK_FIXED_BYTES    (32 + 3 + 4)
#define SEGMENT_BYTES_PACKED (32 + 8 + 4 + 4)
#define INNER_FIXED_BYTES    256 /* all of the inner part but name, inline data and segments */
#define PART_OVERHEAD        (CRYPTO_XNONCE_BYTES + CRYPTO_TAG_BYTES)

/* ---- the struct ---- */

void
manifest_init(struct manifest *m)
{
	memset(m, 0, sizeof(*m));
	buf_init(&m->inline_data, MANIFEST_INLINE_MAX);
}

void
manifest_fini(struct manifest *m)
{
	for (size_t i = 0; i < m->chunks_count; i++)
		free(m->chunks[i].hints);
	free(m->chunks);
	if (m->segments != NULL)
		crypto_wipe(m->segments, m->segments_cap * sizeof(*m->segments));
	free(m->segments);
	buf_wipe(&m->inline_data);
	crypto_wipe(m, sizeof(*m));
}

static int
grow(void **array, size_t *cap, size_t count, size_t item)
{
	if (count < *cap)
		return ERR_OK;

	size_t cap_new = *cap == 0 ? 16 : *cap * 2;
	void *bigger = calloc(cap_new, item);

	if (bigger == NULL)
		return ERR_NOMEM;
	/* Not realloc: segments hold keys, which must not stay behind. */
	if (*array != NULL) {
		memcpy(bigger, *array, count * item);
		crypto_wipe(*array, count * item);
		free(*array);
	}
	*array = bigger;
	*cap = cap_new;
	return ERR_OK;
}

int
manifest_add_chunk(struct manifest *m, const struct hash *id, const struct code_params *code,
    uint32_t bytes, const uint8_t (*hints)[8])
{
	void *chunks = m->chunks;
	int err;

	if (m->chunks_count == MANIFEST_CHUNKS_MAX)
		return ERR_TOO_BIG;
	err = grow(&chunks, &m->chunks_cap, m->chunks_count, sizeof(*m->chunks));
	m->chunks = chunks;
	if (err != ERR_OK)
		return err;

	uint8_t(*copy)[8] = malloc((size_t)code->n * sizeof(*copy));

	if (copy == NULL)
		return ERR_NOMEM;
	memcpy(copy, hints, (size_t)code->n * sizeof(*copy));
	m->chunks[m->chunks_count++] = (struct manifest_chunk){ *id, *code, bytes, copy };
	return ERR_OK;
}

int
manifest_add_segment(struct manifest *m, const struct manifest_segment *s)
{
	void *segments = m->segments;
	int err;

	if (m->segments_count == MANIFEST_SEGMENTS_MAX)
		return ERR_TOO_BIG;
	err = grow(&segments, &m->segments_cap, m->segments_count, sizeof(*m->segments));
	m->segments = segments;
	if (err == ERR_OK)
		m->segments[m->segments_count++] = *s;
	return err;
}

/* ---- packing ---- */

/* A packer over fresh room in out; pack_end takes over what was written. */
static int
pack_begin(struct buf *out, size_t room, struct packer *p)
{
	int err = buf_reserve(out, room);

	if (err == ERR_OK)
		*p = packer_on(out->data + out->len, room);
	return err;
}

static void
pack_end(struct buf *out, const struct packer *p)
{
	must(pack_ok(p));
	out->len += p->len;
}

static int
pack_outer(const struct manifest *m, struct network_id net, struct buf *out)
{
	size_t room = sizeof(outer_domain) + 4 + 1 + 4;
	struct packer p;
	int err;

	for (size_t i = 0; i < m->chunks_count; i++)
		room += CHUNK_FIXED_BYTES + (size_t)m->chunks[i].code.n * 8;
	err = pack_begin(out, room, &p);
	if (err != ERR_OK)
		return err;
	pack_domain(&p, outer_domain, &net);
	pack_u8(&p, m->level);
	pack_u32(&p, (uint32_t)m->chunks_count);
	for (size_t i = 0; i < m->chunks_count; i++) {
		const struct manifest_chunk *c = &m->chunks[i];

		pack_raw(&p, c->id.b, sizeof(c->id.b));
		pack_u8(&p, c->code.k);
		pack_u8(&p, c->code.r);
		pack_u8(&p, c->code.n);
		pack_u32(&p, c->bytes);
		pack_raw(&p, c->hints, (size_t)c->code.n * 8);
	}
	pack_end(out, &p);
	return ERR_OK;
}

/* outer: the packed outer part, whose hash ties the two together. */
static int
pack_inner(const struct manifest *m, struct network_id net, struct bytes outer, struct buf *out)
{
	size_t name = strlen(m->name);
	struct packer p;
	struct hash tie;
	int err = pack_begin(out,
	    INNER_FIXED_BYTES + name + m->inline_data.len +
		m->segments_count * SEGMENT_BYTES_PACKED,
	    &p);

	if (err != ERR_OK)
		return err;
	crypto_sha256(&tie, outer.data, outer.len);
	pack_domain(&p, inner_domain, &net);
	pack_raw(&p, tie.b, sizeof(tie.b));
	pack_u64(&p, m->plain_bytes);
	pack_u64(&p, m->created_ms);
	pack_raw(&p, m->file_id, sizeof(m->file_id));
	pack_u16(&p, (uint16_t)name);
	pack_raw(&p, m->name, name);
	pack_u32(&p, (uint32_t)m->inline_data.len);
	pack_raw(&p, m->inline_data.data, m->inline_data.len);
	pack_u32(&p, (uint32_t)m->segments_count);
	for (size_t i = 0; i < m->segments_count; i++) {
		const struct manifest_segment *s = &m->segments[i];

		pack_raw(&p, s->key.b, sizeof(s->key.b));
		pack_u64(&p, s->plain_bytes);
		pack_u32(&p, s->first_chunk);
		pack_u32(&p, s->chunks);
	}
	pack_end(out, &p);
	return ERR_OK;
}

static struct bytes
part_ad(uint8_t ad[64], const char *domain, struct network_id net)
{
	struct packer p = packer_on(ad, 64);

	pack_domain(&p, domain, &net);
	must(pack_ok(&p));
	return bytes_of(ad, p.len);
}

/* u32 length, nonce, sealed compressed bytes. */
static int
seal_part(struct bytes plain, const char *domain, struct network_id net, const struct key *k,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out)
{
	uint8_t ad[64];
	struct buf squeezed;
	struct packer p;
	int err;

	buf_init(&squeezed, MANIFEST_BYTES_MAX);
	err = compress_pack(plain, &squeezed);
	if (err == ERR_OK)
		err = pack_begin(out, 4 + PART_OVERHEAD + squeezed.len, &p);
	if (err == ERR_OK) {
		pack_u32(&p, (uint32_t)(PART_OVERHEAD + squeezed.len));
		pack_raw(&p, nonce, CRYPTO_XNONCE_BYTES);
		crypto_xseal(
		    p.out + p.len, k, nonce, part_ad(ad, domain, net), squeezed.data, squeezed.len);
		p.len += squeezed.len + CRYPTO_TAG_BYTES;
		pack_end(out, &p);
	}
	buf_wipe(&squeezed);
	return err;
}

int
manifest_seal(const struct manifest *m, struct network_id net, const struct manifest_keys *keys,
    const uint8_t nonces[2][CRYPTO_XNONCE_BYTES], struct buf *out)
{
	struct buf outer, inner;
	struct packer p;
	int err;

	buf_init(&outer, MANIFEST_BYTES_MAX);
	buf_init(&inner, MANIFEST_BYTES_MAX);
	err = pack_outer(m, net, &outer);
	if (err == ERR_OK)
		err = pack_inner(m, net, buf_bytes(&outer), &inner);
	if (err == ERR_OK)
		err = pack_begin(out, sizeof(sealed_domain), &p);
	if (err == ERR_OK) {
		pack_str(&p, sealed_domain);
		pack_end(out, &p);
		err =
		    seal_part(buf_bytes(&outer), outer_domain, net, &keys->verify, nonces[0], out);
	}
	if (err == ERR_OK)
		err = seal_part(buf_bytes(&inner), inner_domain, net, &keys->read, nonces[1], out);
	buf_fini(&outer);
	buf_wipe(&inner);
	return err;
}

/* ---- reading ---- */

static int
read_chunk(struct unpacker *u, struct manifest *m)
{
	struct hash id;
	struct code_params code;
	struct layout layout;
	uint32_t bytes;

	unpack_raw(u, id.b, sizeof(id.b));
	code.k = unpack_u8(u);
	code.r = unpack_u8(u);
	code.n = unpack_u8(u);
	bytes = unpack_u32(u);

	struct bytes hints = unpack_lend(u, (size_t)code.n * 8);

	if (u->failed || !code_valid(&code) ||
	    layout_make(code.k, code.n, bytes, &layout) != ERR_OK)
		return ERR_INVALID;
	return manifest_add_chunk(m, &id, &code, bytes, (const uint8_t(*)[8])hints.data);
}

static int
read_domain(struct unpacker *u, const char *domain, struct network_id net)
{
	struct network_id theirs;

	unpack_expect(u, domain);
	if (u->failed)
		return ERR_VERSION;
	unpack_raw(u, theirs.b, sizeof(theirs.b));
	if (u->failed)
		return ERR_INVALID;
	return memcmp(theirs.b, net.b, sizeof(net.b)) == 0 ? ERR_OK : ERR_WRONG_NETWORK;
}

static int
read_outer(struct bytes plain, struct network_id net, struct manifest *m)
{
	struct unpacker u = unpacker_on(plain);
	int err = read_domain(&u, outer_domain, net);

	if (err != ERR_OK)
		return err;
	m->level = unpack_u8(&u);

	uint32_t count = unpack_u32(&u);

	/* Each chunk takes more than CHUNK_FIXED_BYTES: a count beyond that is refused unread. */
	if (u.failed || m->level > MANIFEST_LEVEL_MAX || count > MANIFEST_CHUNKS_MAX ||
	    count > unpack_left(&u) / CHUNK_FIXED_BYTES)
		return ERR_INVALID;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++)
		err = read_chunk(&u, m);
	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	return err;
}

/* The chunks of a segment must be there and hold its sealed bytes, all but the last whole blocks.
 */
static bool
segment_adds_up(const struct manifest *m, const struct manifest_segment *s)
{
	uint64_t sealed = 0;

	if (s->chunks == 0 || s->first_chunk > m->chunks_count ||
	    s->chunks > m->chunks_count - s->first_chunk || s->plain_bytes == 0 ||
	    s->plain_bytes > UINT64_MAX / 2)
		return false;
	for (uint32_t i = 0; i < s->chunks; i++) {
		uint32_t bytes = m->chunks[s->first_chunk + i].bytes;

		if (i + 1 < s->chunks && bytes % BLOCK_SEALED != 0)
			return false;
		sealed += bytes;
	}
	return sealed == block_sealed_bytes(s->plain_bytes);
}

static int
read_segments(struct unpacker *u, struct manifest *m)
{
	uint32_t count = unpack_u32(u);
	uint64_t plain = m->inline_data.len;
	int err = ERR_OK;

	if (u->failed || count > MANIFEST_SEGMENTS_MAX ||
	    count > unpack_left(u) / SEGMENT_BYTES_PACKED)
		return ERR_INVALID;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
		struct manifest_segment s;

		unpack_raw(u, s.key.b, sizeof(s.key.b));
		s.plain_bytes = unpack_u64(u);
		s.first_chunk = unpack_u32(u);
		s.chunks = unpack_u32(u);
		if (u->failed || !segment_adds_up(m, &s) || s.plain_bytes > UINT64_MAX / 2 - plain)
			err = ERR_INVALID;
		else
			err = manifest_add_segment(m, &s);
		plain += s.plain_bytes;
		crypto_wipe(&s, sizeof(s));
	}
	if (err == ERR_OK && (!unpack_done(u) || plain != m->plain_bytes))
		err = ERR_INVALID;
	return err;
}

static int
read_inner(struct bytes plain, struct network_id net, struct bytes outer, struct manifest *m)
{
	struct unpacker u = unpacker_on(plain);
	struct hash tie, expected;
	int err = read_domain(&u, inner_domain, net);

	if (err != ERR_OK)
		return err;
	unpack_raw(&u, tie.b, sizeof(tie.b));
	crypto_sha256(&expected, outer.data, outer.len);
	m->plain_bytes = unpack_u64(&u);
	m->created_ms = unpack_u64(&u);
	unpack_raw(&u, m->file_id, sizeof(m->file_id));

	uint16_t name = unpack_u16(&u);

	if (u.failed || !hash_equal(&tie, &expected) || name > MANIFEST_NAME_MAX)
		return ERR_INVALID;
	unpack_raw(&u, m->name, name);
	m->name[name] = '\0';
	if (strlen(m->name) != name)
		return ERR_INVALID;

	uint32_t inline_len = unpack_u32(&u);
	struct bytes data = unpack_lend(&u, inline_len);

	if (u.failed || inline_len > MANIFEST_INLINE_MAX)
		return ERR_INVALID;
	err = buf_append(&m->inline_data, data.data, data.len);
	if (err == ERR_OK)
		err = read_segments(&u, m);
	if (err == ERR_OK)
		m->opened = true;
	return err;
}

static int
open_part(struct unpacker *u, const char *domain, struct network_id net, const struct key *k,
    struct buf *out)
{
	uint8_t ad[64];
	uint32_t len = unpack_u32(u);
	struct bytes part = unpack_lend(u, len);
	uint8_t *squeezed;
	int err;

	if (u->failed || len < PART_OVERHEAD)
		return ERR_INVALID;
	squeezed = malloc(len);
	if (squeezed == NULL)
		return ERR_NOMEM;
	err = crypto_xopen(squeezed, k, part.data, part_ad(ad, domain, net),
	    part.data + CRYPTO_XNONCE_BYTES, len - CRYPTO_XNONCE_BYTES);
	if (err == ERR_OK)
		err = compress_unpack(bytes_of(squeezed, len - PART_OVERHEAD), out);
	crypto_wipe(squeezed, len);
	free(squeezed);
	return err;
}

int
manifest_open(struct bytes sealed, struct network_id net, const struct manifest_keys *keys,
    struct manifest *m)
{
	struct unpacker u = unpacker_on(sealed);
	struct buf outer, inner;
	int err;

	unpack_expect(&u, sealed_domain);
	if (u.failed)
		return ERR_VERSION;
	buf_init(&outer, MANIFEST_BYTES_MAX);
	buf_init(&inner, MANIFEST_BYTES_MAX);
	err = open_part(&u, outer_domain, net, &keys->verify, &outer);
	if (err == ERR_OK)
		err = read_outer(buf_bytes(&outer), net, m);
	if (err == ERR_OK && keys->can_read) {
		err = open_part(&u, inner_domain, net, &keys->read, &inner);
		if (err == ERR_OK)
			err = read_inner(buf_bytes(&inner), net, buf_bytes(&outer), m);
		if (err == ERR_OK && !unpack_done(&u))
			err = ERR_INVALID;
	}
	buf_fini(&outer);
	buf_wipe(&inner);
	return err;
}
