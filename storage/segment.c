/*
 * Packs and unpacks what segment files are made of. All of it ends with a CRC-32C over what
 * precedes; nothing is believed before that fits, and nothing after it without a range check:
 * a CRC proves that we wrote it, not that the field is sane for this reader.
 */
#include "storage/segment.h"

#include "overlay/base/pack.h"
#include "storage/crc.h"

static const char segment_magic[] = "SKRYSEGM";
static const char extent_magic_text[] = "SKRYEXTN";
static const char trailer_magic[] = "SKRYTRLR";

#define MAGIC_BYTES          8
#define SEGMENT_HEADER_BYTES (MAGIC_BYTES + 2 + 2 + 4 + 16 + 8 + 8 + 8 + 8 + 4)

static_assert(SEGMENT_HEADER_BYTES <= 512, "one sector, so that it is there or not");
static_assert(EXTENT_HEADER_BYTES <= 512, "one sector, so that it is there or not");
static_assert(sizeof(segment_magic) == MAGIC_BYTES + 1, "magic");

/* ---- segment header ---- */

void
segment_header_pack(const struct segment_header *h, uint8_t block[SEGMENT_BLOCK])
{
	struct packer p = packer_on(block, SEGMENT_BLOCK);

	pack_str(&p, segment_magic);
	pack_u16(&p, SEGMENT_VERSION);
	pack_u16(&p, 0);
	pack_raw(&p, h->net.b, sizeof(h->net.b));
	pack_raw(&p, h->store.b, sizeof(h->store.b));
	pack_u64(&p, h->segment);
	pack_u64(&p, h->generation);
	pack_u64(&p, h->bytes);
	pack_u64(&p, h->created_unix_s);
	pack_u32(&p, crc32c(block, p.len));
	must(p.len == SEGMENT_HEADER_BYTES);
	pack_zero(&p, SEGMENT_BLOCK - p.len);
	must(pack_ok(&p));
}

int
segment_header_unpack(
    const uint8_t block[SEGMENT_BLOCK], struct segment_header *out, uint16_t *version)
{
	struct unpacker u = unpacker_on(bytes_of(block, SEGMENT_HEADER_BYTES));
	struct segment_header h;

	unpack_expect(&u, segment_magic);

	uint16_t v = unpack_u16(&u);

	if (u.failed)
		return ERR_CORRUPT;
	*version = v;
	if (v > SEGMENT_VERSION)
		return ERR_VERSION; /* its CRC may lie elsewhere */
	unpack_u16(&u);
	unpack_raw(&u, h.net.b, sizeof(h.net.b));
	unpack_raw(&u, h.store.b, sizeof(h.store.b));
	h.segment = unpack_u64(&u);
	h.generation = unpack_u64(&u);
	h.bytes = unpack_u64(&u);
	h.created_unix_s = unpack_u64(&u);

	uint32_t crc = crc32c(block, u.pos);

	if (unpack_u32(&u) != crc || !unpack_done(&u) || v < SEGMENT_VERSION_MIN)
		return ERR_CORRUPT;
	if (h.segment == 0 || h.bytes < SEGMENT_BYTES_MIN || h.bytes > SEGMENT_BYTES_MAX)
		return ERR_CORRUPT;
	*out = h;
	return ERR_OK;
}

/* ---- extent header ---- */

static size_t
trailer_room(const struct layout *l)
{
	return block_ceil(TRAILER_FIXED_BYTES + DESCRIPTOR_BYTES(l->n) + LEASE_BYTES_MAX +
			  32 * (size_t)l->rows + 4);
}

uint64_t
extent_trailer_offset(const struct layout *l)
{
	return SEGMENT_BLOCK + block_ceil(l->shard_bytes);
}

uint64_t
extent_shard_bytes(const struct layout *l)
{
	return extent_trailer_offset(l) + trailer_room(l);
}

void
extent_header_pack(const struct extent_header *h, uint8_t out[EXTENT_HEADER_BYTES])
{
	struct packer p = packer_on(out, EXTENT_HEADER_BYTES);

	pack_str(&p, extent_magic_text);
	pack_u16(&p, SEGMENT_VERSION);
	pack_u8(&p, (uint8_t)h->kind);
	pack_u8(&p, h->index);
	pack_u8(&p, h->k);
	pack_u8(&p, h->n);
	pack_u16(&p, 0);
	pack_u64(&p, h->place.segment);
	pack_u64(&p, h->generation);
	pack_u64(&p, h->place.offset);
	pack_u32(&p, h->number);
	pack_u64(&p, h->bytes);
	pack_u64(&p, h->payload_bytes);
	pack_u64(&p, h->chunk_bytes);
	pack_u32(&p, h->payload_crc);
	pack_u32(&p, crc32c(out, p.len));
	must(pack_ok(&p) && p.len == EXTENT_HEADER_BYTES);
}

/* The lengths of a header must follow from its other fields: they steer the walk. */
static bool
extent_lengths_fit(const struct extent_header *h)
{
	struct layout l;

	switch (h->kind) {
	case EXTENT_SHARD:
		return layout_make(h->k, h->n, h->chunk_bytes, &l) == ERR_OK && h->index < h->n &&
		       h->payload_bytes == l.shard_bytes && h->bytes == extent_shard_bytes(&l);
	case EXTENT_RECORDS:
		return h->payload_bytes > 0 && h->payload_bytes <= RECORDS_EXTENT_MAX &&
		       h->bytes == block_ceil(EXTENT_HEADER_BYTES + h->payload_bytes);
	}
	return false;
}

int
extent_header_unpack(const uint8_t in[EXTENT_HEADER_BYTES], struct place at, uint64_t generation,
    uint64_t segment_bytes, struct extent_header *out)
{
	struct unpacker u = unpacker_on(bytes_of(in, EXTENT_HEADER_BYTES));
	struct extent_header h;

	unpack_expect(&u, extent_magic_text);

	uint16_t version = unpack_u16(&u);

	h.kind = (enum extent_kind)unpack_u8(&u);
	h.index = unpack_u8(&u);
	h.k = unpack_u8(&u);
	h.n = unpack_u8(&u);
	unpack_u16(&u);
	h.place.segment = unpack_u64(&u);
	h.generation = unpack_u64(&u);
	h.place.offset = unpack_u64(&u);
	h.number = unpack_u32(&u);
	h.bytes = unpack_u64(&u);
	h.payload_bytes = unpack_u64(&u);
	h.chunk_bytes = unpack_u64(&u);
	h.payload_crc = unpack_u32(&u);

	uint32_t crc = crc32c(in, u.pos);

	if (unpack_u32(&u) != crc || !unpack_done(&u))
		return ERR_CORRUPT;
	if (version < SEGMENT_VERSION_MIN || version > SEGMENT_VERSION)
		return ERR_VERSION;
	if (place_compare(h.place, at) != 0 || h.generation != generation ||
	    !extent_lengths_fit(&h))
		return ERR_CORRUPT;
	if (at.offset > segment_bytes || h.bytes > segment_bytes - at.offset)
		return ERR_CORRUPT;
	*out = h;
	return ERR_OK;
}

bool
extent_magic(const uint8_t *block)
{
	return memcmp(block, extent_magic_text, MAGIC_BYTES) == 0;
}

/* ---- trailer ---- */

size_t
trailer_pack(const struct trailer *t, uint8_t *out, size_t cap)
{
	struct packer p = packer_on(out, cap);

	must(t->descriptor.len <= DESCRIPTOR_BYTES_MAX && t->lease.len <= LEASE_BYTES_MAX);
	pack_str(&p, trailer_magic);
	pack_u16(&p, SEGMENT_VERSION);
	pack_u8(&p, t->index);
	pack_u8(&p, 0);
	pack_u64(&p, t->place.segment);
	pack_u64(&p, t->generation);
	pack_u64(&p, t->place.offset);
	pack_u64(&p, t->order);
	pack_u64(&p, t->stored_unix_s);
	pack_raw(&p, t->lease_key.b, sizeof(t->lease_key.b));
	pack_u64(&p, t->lease_generation);
	pack_u16(&p, (uint16_t)t->descriptor.len);
	pack_u16(&p, (uint16_t)t->lease.len);
	must(pack_ok(&p) && p.len == TRAILER_FIXED_BYTES);
	pack_raw(&p, t->descriptor.data, t->descriptor.len);
	pack_raw(&p, t->lease.data, t->lease.len);
	pack_raw(&p, t->leaves, t->leaves_count * sizeof(t->leaves[0]));
	must(pack_ok(&p));
	pack_u32(&p, crc32c(out, p.len));
	pack_zero(&p, block_ceil(p.len) - p.len);
	must(pack_ok(&p));
	return p.len;
}

/* The parts of variable length, and the CRC behind them. */
static int
unpack_trailer_rest(struct unpacker *u, const struct layout *l, struct trailer *t)
{
	uint16_t descriptor_len = unpack_u16(u), lease_len = unpack_u16(u);

	if (u->failed || descriptor_len != DESCRIPTOR_BYTES(l->n) || lease_len > LEASE_BYTES_MAX)
		return ERR_CORRUPT;
	t->descriptor = unpack_lend(u, descriptor_len);
	t->lease = unpack_lend(u, lease_len);
	t->leaves_count = l->rows;

	struct bytes leaves = unpack_lend(u, l->rows * sizeof(struct hash));
	size_t covered = u->pos;
	uint32_t crc = unpack_u32(u);

	if (u->failed || crc32c(u->in, covered) != crc)
		return ERR_CORRUPT;
	t->leaves = (const struct hash *)leaves.data;
	return ERR_OK;
}

int
trailer_unpack(struct bytes in, const struct extent_header *h, struct trailer *out)
{
	struct unpacker u = unpacker_on(in);
	struct layout l;
	struct trailer t;

	if (h->kind != EXTENT_SHARD || layout_make(h->k, h->n, h->chunk_bytes, &l) != ERR_OK)
		return ERR_CORRUPT;
	unpack_expect(&u, trailer_magic);

	uint16_t version = unpack_u16(&u);

	t.index = unpack_u8(&u);
	unpack_u8(&u);
	t.place.segment = unpack_u64(&u);
	t.generation = unpack_u64(&u);
	t.place.offset = unpack_u64(&u);
	t.order = unpack_u64(&u);
	t.stored_unix_s = unpack_u64(&u);
	unpack_raw(&u, t.lease_key.b, sizeof(t.lease_key.b));
	t.lease_generation = unpack_u64(&u);

	int err = unpack_trailer_rest(&u, &l, &t);

	if (err != ERR_OK)
		return err;
	if (version < SEGMENT_VERSION_MIN || version > SEGMENT_VERSION)
		return ERR_VERSION;
	if (place_compare(t.place, h->place) != 0 || t.generation != h->generation ||
	    t.index != h->index)
		return ERR_CORRUPT;
	*out = t;
	return ERR_OK;
}

/* ---- small records: kind, length of the body, body ---- */

static void
pack_body(struct packer *p, const struct record *r)
{
	pack_u64(p, r->order);
	pack_raw(p, r->chunk.b, sizeof(r->chunk.b));
	switch (r->kind) {
	case RECORD_LEASE:
		pack_raw(p, r->lease_key.b, sizeof(r->lease_key.b));
		pack_u64(p, r->generation);
		break;
	case RECORD_SIBLINGS:
		pack_u64(p, r->generation);
		break;
	case RECORD_DROP:
	case RECORD_VALUE:
		pack_u8(p, r->index);
		break;
	}
	pack_raw(p, r->value.data, r->value.len);
}

size_t
record_pack(const struct record *r, uint8_t *out, size_t cap)
{
	struct packer p = packer_on(out, cap), head = packer_on(out, MIN(cap, 5));

	must(r->value.len <= RECORD_VALUE_MAX);
	pack_zero(&p, 5);
	pack_body(&p, r);
	if (!pack_ok(&p))
		return 0;
	pack_u8(&head, (uint8_t)r->kind);
	pack_u32(&head, (uint32_t)(p.len - 5));
	return p.len;
}

int
record_unpack(struct bytes *in, struct record *out)
{
	struct unpacker outer = unpacker_on(*in);
	struct record r = { 0 };

	if (in->len == 0)
		return ERR_END;
	r.kind = (enum record_kind)unpack_u8(&outer);

	struct bytes body = unpack_lend(&outer, unpack_u32(&outer));
	struct unpacker u = unpacker_on(body);

	if (outer.failed)
		return ERR_CORRUPT;
	r.order = unpack_u64(&u);
	unpack_raw(&u, r.chunk.b, sizeof(r.chunk.b));
	switch (r.kind) {
	case RECORD_LEASE:
		unpack_raw(&u, r.lease_key.b, sizeof(r.lease_key.b));
		r.generation = unpack_u64(&u);
		break;
	case RECORD_SIBLINGS:
		r.generation = unpack_u64(&u);
		break;
	case RECORD_DROP:
	case RECORD_VALUE:
		r.index = unpack_u8(&u);
		break;
	default:
		return ERR_VERSION;
	}
	r.value = unpack_lend(&u, unpack_left(&u));
	if (!unpack_done(&u) || r.value.len > RECORD_VALUE_MAX)
		return ERR_CORRUPT;
	if (r.value.len > 0 && r.kind == RECORD_DROP)
		return ERR_CORRUPT;
	*in = bytes_of(in->data + outer.pos, in->len - outer.pos);
	*out = r;
	return ERR_OK;
}
