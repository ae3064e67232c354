/* The chain of hashes over the records since a snapshot. */
#include "storage/tail.h"

static const char tail_domain[] = "skerry/tail/1";
static const char piece_domain[] = "skerry/tail-piece/1";

static uint32_t
bytes_in(const struct tail *t)
{
	uint32_t sum = 0;

	for (uint16_t i = 0; i < t->count; i++)
		sum += t->at[i].bytes;
	return sum;
}

static struct hash
empty_hash(const struct hash *root)
{
	struct bytes parts[] = { bytes_of(tail_domain, sizeof(tail_domain) - 1),
		bytes_of(root->b, sizeof(root->b)) };
	struct hash h;

	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	return h;
}

void
tail_begin(struct tail *t, const struct hash *root)
{
	memset(t, 0, sizeof(*t));
	t->empty = empty_hash(root);
}

struct hash
tail_hash(const struct tail *t)
{
	return t->count == 0 ? t->empty : t->at[t->count - 1].hash;
}

int
tail_append(struct tail *t, const struct hash *sum, uint32_t bytes)
{
	struct hash before = tail_hash(t);
	uint8_t length[4];
	struct packer p = packer_on(length, sizeof(length));
	struct bytes parts[] = { bytes_of(tail_domain, sizeof(tail_domain) - 1),
		bytes_of(before.b, sizeof(before.b)), bytes_of(length, sizeof(length)),
		bytes_of(sum->b, sizeof(sum->b)) };

	if (bytes == 0)
		return ERR_INVALID;
	if (t->count == TAIL_SEGMENTS_MAX || bytes > TAIL_BYTES_MAX - bytes_in(t))
		return ERR_FULL;
	pack_u32(&p, bytes);
	crypto_sha256_parts(&t->at[t->count].hash, parts, ARRAY_LEN(parts));
	t->at[t->count++].bytes = bytes;
	return ERR_OK;
}

int
tail_find(const struct tail *t, const struct hash *h)
{
	if (hash_equal(&t->empty, h))
		return 0;
	for (uint16_t i = 0; i < t->count; i++)
		if (hash_equal(&t->at[i].hash, h))
			return i + 1;
	return -1;
}

uint16_t
tail_shared(const struct tail *a, const struct tail *b)
{
	uint16_t n = 0;

	if (!hash_equal(&a->empty, &b->empty))
		return 0;
	while (n < a->count && n < b->count && hash_equal(&a->at[n].hash, &b->at[n].hash))
		n++;
	return n;
}

bool
tail_is_of(const struct tail *t, const struct head *h)
{
	struct hash empty = empty_hash(&h->root), end = tail_hash(t);

	return hash_equal(&empty, &t->empty) && hash_equal(&end, &h->tail) &&
	       bytes_in(t) == h->tail_bytes && t->count == h->tail_segments;
}

void
tail_piece_key(
    const struct hash *bucket, const struct hash *segment, uint16_t piece, struct hash *out)
{
	uint8_t number[2] = { (uint8_t)(piece >> 8), (uint8_t)piece };
	struct bytes parts[] = { bytes_of(piece_domain, sizeof(piece_domain) - 1),
		bytes_of(bucket->b, sizeof(bucket->b)), bytes_of(segment->b, sizeof(segment->b)),
		bytes_of(number, sizeof(number)) };

	crypto_sha256_parts(out, parts, ARRAY_LEN(parts));
}

/* Puts the part behind what it extends in t; what was there goes. */
static int
put_behind(struct tail *t, const struct tail_part *part)
{
	int kept = tail_find(t, &part->extends);

	if (kept < 0)
		return ERR_NOT_FOUND;
	/* What is behind must not stay in the bytes: states that are equal pack equal. */
	memset(&t->at[kept], 0, sizeof(t->at[0]) * (size_t)(TAIL_SEGMENTS_MAX - kept));
	t->count = (uint16_t)kept;
	for (uint16_t i = 0; i < part->count; i++)
		if (part->at[i].records.len > TAIL_BYTES_MAX ||
		    tail_append(t, &part->at[i].sum, (uint32_t)part->at[i].records.len) != ERR_OK)
			return ERR_INVALID;
	return ERR_OK;
}

int
tail_extend(
    const struct tail *t, const struct tail_part *part, const struct head *h, struct tail *out)
{
	struct tail made;
	int err = ERR_OK;

	if (tail_is_of(t, h)) {
		*out = *t;
		return ERR_OK;
	}
	tail_begin(&made, &h->root);
	if (h->tail_segments > 0) {
		if (hash_equal(&made.empty, &t->empty))
			made = *t;
		err = put_behind(&made, part);
	}
	if (err != ERR_OK)
		return err;
	if (!tail_is_of(&made, h))
		return ERR_INVALID;
	*out = made;
	return ERR_OK;
}

void
tail_part_pack(struct packer *p, const struct tail_part *part)
{
	pack_raw(p, part->extends.b, sizeof(part->extends.b));
	pack_u16(p, part->count);
	for (uint16_t i = 0; i < part->count; i++) {
		pack_u32(p, (uint32_t)part->at[i].records.len);
		pack_raw(p, part->at[i].records.data, part->at[i].records.len);
	}
}

int
tail_part_unpack(struct unpacker *u, struct tail_part *out)
{
	uint64_t bytes = 0;

	unpack_raw(u, out->extends.b, sizeof(out->extends.b));
	out->count = unpack_u16(u);
	if (u->failed || out->count > TAIL_SEGMENTS_MAX)
		return ERR_INVALID;
	for (uint16_t i = 0; i < out->count; i++) {
		uint32_t len = unpack_u32(u);

		bytes += len;
		if (len == 0 || bytes > TAIL_BYTES_MAX)
			return ERR_INVALID;
		out->at[i].records = unpack_lend(u, len);
		if (u->failed)
			return ERR_INVALID;
		crypto_sha256(&out->at[i].sum, out->at[i].records.data, len);
	}
	return ERR_OK;
}
