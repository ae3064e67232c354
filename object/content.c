/*
 * The form of a content in an entry, and its list when that lies elsewhere. What is read must add
 * up as a manifest must (manifest.c): an entry may have been written by another gateway.
 */
#include "object/content.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/content_private.h"
#include "object/manifest_private.h"

#define CONTENT_VERSION    1
#define FORM_FIXED         (1 + 1 + 8)
#define SEGMENT_FORM_BYTES (32 + 8 + 4)
#define CHUNK_FORM_MAX     (MANIFEST_CHUNK_FIXED + SHARDS_MAX * 8)

static_assert(FORM_FIXED + 32 + 4 + CHUNK_FORM_MAX <= CONTENT_FORM_MAX, "one chunk always fits");
static_assert(FORM_FIXED + CONTENT_INLINE_MAX <= CONTENT_FORM_MAX, "inline always fits");

void
content_init(struct content *c)
{
	memset(c, 0, sizeof(*c));
	manifest_init(&c->list);
}

void
content_fini(struct content *c)
{
	manifest_fini(&c->list);
	crypto_wipe(c, sizeof(*c));
}

uint64_t
content_sealed_bytes(const struct content *c)
{
	return block_sealed_bytes(c->bytes);
}

int
content_copy(const struct content *from, struct content *to)
{
	int err = manifest_append(&to->list, &from->list);

	if (err == ERR_OK)
		err = buf_append(
		    &to->list.inline_data, from->list.inline_data.data, from->list.inline_data.len);
	to->list.plain_bytes = from->list.plain_bytes;
	to->kind = from->kind;
	to->bytes = from->bytes;
	to->key = from->key;
	to->at = from->at;
	return err;
}

/* ---- packing ---- */

size_t
content_form_bytes(const struct content *c)
{
	size_t bytes = FORM_FIXED;

	switch (c->kind) {
	case CONTENT_EMPTY:
		break;
	case CONTENT_INLINE:
		bytes += c->list.inline_data.len;
		break;
	case CONTENT_PACKED:
		bytes += sizeof(c->key.b) + 4;
		break;
	case CONTENT_CHUNKS:
		bytes += 4 + c->list.segments_count * SEGMENT_FORM_BYTES;
		break;
	case CONTENT_LISTED:
		bytes += sizeof(c->key.b);
		break;
	}
	for (size_t i = 0; i < c->list.chunks_count; i++)
		bytes += manifest_chunk_bytes(&c->list.chunks[i]);
	return bytes;
}

static void
pack_segments(struct packer *p, const struct manifest *m)
{
	pack_u32(p, (uint32_t)m->segments_count);
	for (size_t i = 0; i < m->segments_count; i++) {
		const struct manifest_segment *s = &m->segments[i];

		pack_raw(p, s->key.b, sizeof(s->key.b));
		pack_u64(p, s->plain_bytes);
		pack_u32(p, s->chunks);
	}
}

int
content_pack(const struct content *c, struct buf *out)
{
	size_t bytes = content_form_bytes(c);
	struct packer p;
	int err = bytes > CONTENT_FORM_MAX ? ERR_TOO_BIG : buf_reserve(out, bytes);

	if (err != ERR_OK)
		return err;
	p = packer_on(out->data + out->len, bytes);
	pack_u8(&p, CONTENT_VERSION);
	pack_u8(&p, (uint8_t)c->kind);
	pack_u64(&p, c->bytes);
	if (c->kind == CONTENT_INLINE)
		pack_raw(&p, c->list.inline_data.data, c->list.inline_data.len);
	if (c->kind == CONTENT_PACKED || c->kind == CONTENT_LISTED)
		pack_raw(&p, c->key.b, sizeof(c->key.b));
	if (c->kind == CONTENT_PACKED)
		pack_u32(&p, c->at);
	if (c->kind == CONTENT_CHUNKS)
		pack_segments(&p, &c->list);
	for (size_t i = 0; i < c->list.chunks_count; i++)
		manifest_pack_chunk(&p, &c->list.chunks[i]);
	must(pack_ok(&p) && p.len == bytes);
	out->len += bytes;
	return ERR_OK;
}

/* ---- reading ---- */

static int
unpack_inline(struct unpacker *u, struct content *c)
{
	struct bytes data = unpack_lend(u, unpack_left(u));

	if (data.len == 0 || data.len > CONTENT_INLINE_MAX || data.len != c->bytes)
		return ERR_INVALID;
	return buf_append(&c->list.inline_data, data.data, data.len);
}

static int
unpack_packed(struct unpacker *u, struct content *c)
{
	int err;

	unpack_raw(u, c->key.b, sizeof(c->key.b));
	c->at = unpack_u32(u);
	if (u->failed || c->bytes == 0 || c->bytes > CONTENT_PACKED_MAX)
		return ERR_INVALID;
	err = manifest_read_chunk(u, &c->list);
	if (err != ERR_OK)
		return err;
	/* It lies in the pack as a whole. */
	return c->at + content_sealed_bytes(c) <= c->list.chunks[0].bytes ? ERR_OK : ERR_INVALID;
}

static int
unpack_listed(struct unpacker *u, struct content *c)
{
	unpack_raw(u, c->key.b, sizeof(c->key.b));
	if (u->failed || c->bytes == 0)
		return ERR_INVALID;
	return manifest_read_chunk(u, &c->list);
}

/* Segments first: how many chunks there are follows from them. */
static int
unpack_segments(struct unpacker *u, struct manifest *m)
{
	uint32_t count = unpack_u32(u), at_chunk = 0;
	int err = ERR_OK;

	if (u->failed || count == 0 || count > unpack_left(u) / SEGMENT_FORM_BYTES)
		return ERR_INVALID;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
		struct manifest_segment s = { .first_chunk = at_chunk };

		unpack_raw(u, s.key.b, sizeof(s.key.b));
		s.plain_bytes = unpack_u64(u);
		s.chunks = unpack_u32(u);
		if (u->failed || s.chunks > unpack_left(u) / MANIFEST_CHUNK_FIXED ||
		    s.plain_bytes > UINT64_MAX / 2 - m->plain_bytes)
			err = ERR_INVALID;
		else
			err = manifest_add_segment(m, &s);
		m->plain_bytes += s.plain_bytes;
		at_chunk += s.chunks;
		crypto_wipe(&s, sizeof(s));
	}
	for (uint32_t i = 0; err == ERR_OK && i < at_chunk; i++)
		err = manifest_read_chunk(u, m);
	return err;
}

static int
unpack_chunks(struct unpacker *u, struct content *c)
{
	size_t at_chunk = 0;
	int err = unpack_segments(u, &c->list);

	for (size_t i = 0; err == ERR_OK && i < c->list.segments_count; i++) {
		if (!manifest_segment_adds_up(&c->list, &c->list.segments[i], at_chunk))
			err = ERR_INVALID;
		at_chunk += c->list.segments[i].chunks;
	}
	return err == ERR_OK && c->list.plain_bytes != c->bytes ? ERR_INVALID : err;
}

int
content_unpack(struct bytes form, struct content *c)
{
	struct unpacker u = unpacker_on(form);
	uint8_t version = unpack_u8(&u), kind = unpack_u8(&u);
	int err = ERR_INVALID;

	c->bytes = unpack_u64(&u);
	if (u.failed || form.len > CONTENT_FORM_MAX)
		return ERR_INVALID;
	if (version != CONTENT_VERSION)
		return ERR_VERSION;
	switch (kind) {
	case CONTENT_EMPTY:
		err = c->bytes == 0 ? ERR_OK : ERR_INVALID;
		break;
	case CONTENT_INLINE:
		err = unpack_inline(&u, c);
		break;
	case CONTENT_PACKED:
		err = unpack_packed(&u, c);
		break;
	case CONTENT_CHUNKS:
		err = unpack_chunks(&u, c);
		break;
	case CONTENT_LISTED:
		err = unpack_listed(&u, c);
		break;
	default:
		break;
	}
	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	if (err == ERR_OK)
		c->kind = (enum content_kind)kind;
	return err;
}

/* ---- the list, where it lies elsewhere ---- */

static int
load_listed(struct files *f, const struct content *c, struct manifest *m, struct manifest *above,
    struct file_missing *missing)
{
	struct chunk_ref *ref = malloc(sizeof(*ref));
	struct manifest_keys keys;
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK && above != NULL)
		err = manifest_add_copies(above, &c->list);
	if (err == ERR_OK) {
		ref_of_chunk(&c->list.chunks[0], ref);
		manifest_keys_of(&c->key, &keys);
		err = manifest_fetch_at(f, &keys, ref, m, above, missing);
		crypto_wipe(&keys, sizeof(keys));
	}
	/* Whoever sealed it named the length in the entry, too. */
	if (err == ERR_OK && (m->plain_bytes != c->bytes || m->inline_data.len > 0))
		err = ERR_CORRUPT;
	free(ref);
	return err;
}

int
content_load(struct files *f, const struct content *c, struct manifest *m, struct manifest *above,
    struct file_missing *missing)
{
	int err = ERR_OK;

	if (missing != NULL)
		memset(missing, 0, sizeof(*missing));
	if (c->kind == CONTENT_LISTED)
		return load_listed(f, c, m, above, missing);
	if (c->kind != CONTENT_CHUNKS && c->kind != CONTENT_EMPTY)
		return ERR_STATE;
	err = manifest_append(m, &c->list);
	m->plain_bytes = c->bytes;
	return err;
}

static int
each_of(const struct manifest *m, bool backwards, const struct content_each *each)
{
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < m->chunks_count; i++) {
		ref_of_chunk(&m->chunks[backwards ? m->chunks_count - 1 - i : i], ref);
		err = each->chunk(each->arg, ref);
	}
	free(ref);
	return err;
}

int
content_each_chunk(struct files *f, const struct content *c, const struct content_each *each)
{
	struct manifest *m;
	int err;

	if (c->kind != CONTENT_LISTED)
		return each_of(&c->list, false, each);
	m = calloc(2, sizeof(*m));
	if (m == NULL)
		return ERR_NOMEM;
	manifest_init(&m[0]);
	manifest_init(&m[1]);
	err = content_load(f, c, &m[0], &m[1], NULL);
	if (err == ERR_OK)
		err = each_of(&m[0], false, each);
	if (err == ERR_OK)
		err = each_of(&m[1], true, each);
	manifest_fini(&m[0]);
	manifest_fini(&m[1]);
	free(m);
	return err;
}
