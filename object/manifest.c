/*
 * Packing, sealing and strict reading of manifests. What is read must add up: chunk lengths to
 * the sealed length of their segment, segments to the object, so that later arithmetic cannot
 * go astray on what a stranger wrote.
 */
#include "object/manifest_private.h"

#include <stdlib.h>

#include "object/blob_ref.h"
#include "object/block.h"
#include "object/compress.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char outer_domain[] = "skerry/manifest/outer/1";
static const char inner_domain[] = "skerry/manifest/inner/1";
static const char sealed_domain[] = "skerry/manifest/1";

#define PART_OVERHEAD (CRYPTO_XNONCE_BYTES + CRYPTO_TAG_BYTES)

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

int
manifest_add_copies(struct manifest *to, const struct manifest *from)
{
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < from->chunks_count; i++) {
		const struct manifest_chunk *c = &from->chunks[i];

		err = manifest_add_chunk(
		    to, &c->id, &c->code, c->bytes, (const uint8_t(*)[8])c->hints);
	}
	return err;
}

int
manifest_append(struct manifest *to, const struct manifest *from)
{
	uint32_t first = (uint32_t)to->chunks_count;
	int err = manifest_add_copies(to, from);

	for (size_t i = 0; err == ERR_OK && i < from->segments_count; i++) {
		struct manifest_segment s = from->segments[i];

		s.first_chunk += first;
		err = manifest_add_segment(to, &s);
		crypto_wipe(&s, sizeof(s));
	}
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

size_t
manifest_chunk_bytes(const struct manifest_chunk *c)
{
	return MANIFEST_CHUNK_FIXED + (size_t)c->code.n * 8;
}

void
manifest_pack_chunk(struct packer *p, const struct manifest_chunk *c)
{
	blob_ref_write(p, &(struct blob_ref){ c->id, c->code, c->bytes, c->hints[0] });
}

int
manifest_pack_outer(const struct manifest *m, struct network_id net, struct buf *out)
{
	size_t room = sizeof(outer_domain) + 4 + 1 + 4;
	struct packer p;
	int err;

	for (size_t i = 0; i < m->chunks_count; i++)
		room += manifest_chunk_bytes(&m->chunks[i]);
	err = pack_begin(out, room, &p);
	if (err != ERR_OK)
		return err;
	pack_domain(&p, outer_domain, &net);
	pack_u8(&p, m->level);
	pack_u32(&p, (uint32_t)m->chunks_count);
	for (size_t i = 0; i < m->chunks_count; i++)
		manifest_pack_chunk(&p, &m->chunks[i]);
	pack_end(out, &p);
	return ERR_OK;
}

int
manifest_pack_inner(
    const struct manifest *m, struct network_id net, struct bytes outer, struct buf *out)
{
	size_t name = strlen(m->name);
	struct packer p;
	struct hash tie;
	int err = pack_begin(out,
	    MANIFEST_INNER_FIXED + name + m->inline_data.len +
		m->segments_count * MANIFEST_SEGMENT_BYTES,
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

uint64_t
manifest_outer_max(uint64_t sealed_bytes)
{
	if (sealed_bytes > MANIFEST_BYTES_MAX / MANIFEST_UNFOLD)
		return MANIFEST_BYTES_MAX;
	return MAX(sealed_bytes * MANIFEST_UNFOLD, MANIFEST_UNFOLD_FREE);
}

static uint64_t
unfolds_to(const char *domain, uint64_t sealed_bytes)
{
	return domain == outer_domain ? manifest_outer_max(sealed_bytes) : MANIFEST_INNER_MAX;
}

/* u32 length, nonce, sealed compressed bytes. What nobody would open again is not sealed. */
static int
seal_part(struct bytes plain, const char *domain, struct network_id net, const struct key *k,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out)
{
	uint8_t ad[64];
	struct buf squeezed;
	struct packer p;
	int err;

	/* What does not shrink grows by a 255th at most. */
	buf_init(&squeezed, MANIFEST_BYTES_MAX + MANIFEST_BYTES_MAX / 128 + KIB(1));
	err = compress_pack(plain, &squeezed);
	if (err == ERR_OK && plain.len > unfolds_to(domain, PART_OVERHEAD + squeezed.len))
		err = ERR_TOO_BIG;
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
	buf_init(&inner, MANIFEST_INNER_MAX);
	err = manifest_pack_outer(m, net, &outer);
	if (err == ERR_OK)
		err = manifest_pack_inner(m, net, buf_bytes(&outer), &inner);
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

int
manifest_read_chunk(struct unpacker *u, struct manifest *m)
{
	struct blob_ref r;
	struct bytes hints;
	int err = blob_ref_read(u, &r, &hints);

	if (err != ERR_OK)
		return err;
	return manifest_add_chunk(m, &r.id, &r.code, r.bytes, (const uint8_t(*)[8])hints.data);
}

int
manifest_read_outer(struct bytes plain, struct network_id net, struct manifest *m)
{
	struct unpacker u = unpacker_on(plain);
	int err = unpack_domain(&u, outer_domain, &net);

	if (err != ERR_OK)
		return err;
	m->level = unpack_u8(&u);

	uint32_t count = unpack_u32(&u);

	/* Each chunk takes more than MANIFEST_CHUNK_FIXED: a count beyond that is refused unread.
	 */
	if (u.failed || m->level > MANIFEST_LEVEL_MAX || count > MANIFEST_CHUNKS_MAX ||
	    (m->level > 0 && count == 0) || count > unpack_left(&u) / MANIFEST_CHUNK_FIXED)
		return ERR_INVALID;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++)
		err = manifest_read_chunk(&u, m);
	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	return err;
}

bool
manifest_segment_adds_up(
    const struct manifest *m, const struct manifest_segment *s, size_t at_chunk)
{
	uint64_t sealed = 0;

	if (s->chunks == 0 || s->first_chunk != at_chunk ||
	    s->chunks > m->chunks_count - at_chunk || s->plain_bytes == 0 ||
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

/* Every chunk is one segment's and none two's: so a read in their order finds every byte once. */
static int
read_segments(struct unpacker *u, struct manifest *m)
{
	uint32_t count = unpack_u32(u);
	uint64_t plain = m->inline_data.len;
	size_t at_chunk = 0;
	int err = ERR_OK;

	if (m->level > 0)
		return count == 0 && plain == 0 && m->plain_bytes == 0 && unpack_done(u)
			   ? ERR_OK
			   : ERR_INVALID;
	if (u->failed || (count > 0 && plain > 0) || count > MANIFEST_SEGMENTS_MAX ||
	    count > unpack_left(u) / MANIFEST_SEGMENT_BYTES)
		return ERR_INVALID;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
		struct manifest_segment s;

		unpack_raw(u, s.key.b, sizeof(s.key.b));
		s.plain_bytes = unpack_u64(u);
		s.first_chunk = unpack_u32(u);
		s.chunks = unpack_u32(u);
		if (u->failed || !manifest_segment_adds_up(m, &s, at_chunk) ||
		    s.plain_bytes > UINT64_MAX / 2 - plain)
			err = ERR_INVALID;
		else
			err = manifest_add_segment(m, &s);
		plain += s.plain_bytes;
		at_chunk += s.chunks;
		crypto_wipe(&s, sizeof(s));
	}
	if (err == ERR_OK &&
	    (!unpack_done(u) || plain != m->plain_bytes || at_chunk != m->chunks_count))
		err = ERR_INVALID;
	return err;
}

/* Somebody may save the object under its name: it must not lead out of a directory. */
bool
manifest_name_valid(const char *name)
{
	return strlen(name) <= MANIFEST_NAME_MAX && strchr(name, '/') == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int
manifest_read_inner(
    struct bytes plain, struct network_id net, struct bytes outer, struct manifest *m)
{
	struct unpacker u = unpacker_on(plain);
	struct hash tie, expected;
	int err = unpack_domain(&u, inner_domain, &net);

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
	if (strlen(m->name) != name || !manifest_name_valid(m->name))
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
open_part(struct bytes part, const char *domain, struct network_id net, const struct key *k,
    struct buf *out)
{
	uint8_t ad[64];
	uint8_t *squeezed = malloc(part.len);
	int err;

	buf_init(out, (size_t)unfolds_to(domain, part.len));
	if (squeezed == NULL)
		return ERR_NOMEM;
	err = crypto_xopen(squeezed, k, part.data, part_ad(ad, domain, net),
	    part.data + CRYPTO_XNONCE_BYTES, part.len - CRYPTO_XNONCE_BYTES);
	if (err == ERR_OK)
		err = compress_unpack(bytes_of(squeezed, part.len - PART_OVERHEAD), out);
	crypto_wipe(squeezed, part.len);
	free(squeezed);
	return err;
}

/* Where the two sealed parts are; that nothing follows them is seen without any key. */
static int
find_parts(struct bytes sealed, struct bytes *outer, struct bytes *inner)
{
	struct unpacker u = unpacker_on(sealed);
	int err = unpack_domain(&u, sealed_domain, NULL);

	if (err != ERR_OK)
		return err;
	*outer = unpack_lend(&u, unpack_u32(&u));
	*inner = unpack_lend(&u, unpack_u32(&u));
	if (!unpack_done(&u) || outer->len < PART_OVERHEAD || inner->len < PART_OVERHEAD)
		return ERR_INVALID;
	return ERR_OK;
}

int
manifest_open(struct bytes sealed, struct network_id net, const struct manifest_keys *keys,
    struct manifest *m)
{
	struct bytes outer_part, inner_part;
	struct buf outer, inner;
	int err = find_parts(sealed, &outer_part, &inner_part);

	if (err != ERR_OK)
		return err;
	buf_init(&inner, 0);
	err = open_part(outer_part, outer_domain, net, &keys->verify, &outer);
	if (err == ERR_OK)
		err = manifest_read_outer(buf_bytes(&outer), net, m);
	if (err == ERR_OK && keys->can_read) {
		err = open_part(inner_part, inner_domain, net, &keys->read, &inner);
		if (err == ERR_OK)
			err = manifest_read_inner(buf_bytes(&inner), net, buf_bytes(&outer), m);
	}
	buf_fini(&outer);
	buf_wipe(&inner);
	return err;
}
