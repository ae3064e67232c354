/*
 * The formats of segment files: pure packing and unpacking, no I/O. doc/disk.md has the
 * field tables. A segment is
 *
 *	block 0, block 1   segment header, twice
 *	extents            each begins on a block boundary, one behind the other
 *
 * and an extent, named by its place, is either a shard or a group of small records:
 *
 *	shard     header block │ leaves, zeros up to a block │ trailer, zeros up to a block
 *	records   header, records, zeros up to a block
 *
 * Every header and trailer repeats segment id, generation and offset, so that nothing left by
 * an earlier life of the blocks, and nothing that a user stored, can pass for one. Unpacking
 * gives ERR_CORRUPT for what is no record of ours (wrong magic, CRC, place) and
 * ERR_VERSION for a newer version.
 */
#ifndef STORAGE_SEGMENT_H
#define STORAGE_SEGMENT_H

#include "overlay/base/disk.h"
#include "storage/descriptor.h"
#include "storage/lease.h"

/* 2: leases have notes. Extents of both look alike, and version 1 is read. */
#define SEGMENT_VERSION      2
#define SEGMENT_VERSION_MIN  1
#define SEGMENT_BLOCK        DISK_ALIGN
#define SEGMENT_FIRST_EXTENT (2 * SEGMENT_BLOCK)
/* Room for some thousand leases; one write and one CRC stay short. */
#define RECORDS_EXTENT_MAX   KIB(256)
/* Two headers, and one group of records of the largest size. */
#define SEGMENT_BYTES_MIN    MIB(1)
/* Nobody needs longer ones, and offsets and sums stay far from overflow. */
#define SEGMENT_BYTES_MAX    GIB(64)
#define EXTENT_HEADER_BYTES  76
#define TRAILER_FIXED_BYTES  96
#define TRAILER_BYTES_MAX                                                                          \
	(TRAILER_FIXED_BYTES + DESCRIPTOR_BYTES_MAX + LEASE_BYTES_MAX + 32 * LEAVES_MAX + 4)

static inline uint64_t
block_ceil(uint64_t bytes)
{
	return (bytes + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK * SEGMENT_BLOCK;
}

/* Whose store it is; the same in all segments of a directory. */
struct store_id {
	uint8_t b[16];
};

struct segment_header {
	struct network_id net;
	struct store_id store;
	uint64_t segment;    /* counts from 1, never used twice */
	uint64_t generation; /* random: blocks of another file cannot be taken for ours */
	uint64_t bytes;      /* size at creation */
	uint64_t created_unix_s;
};
/* Fills a whole block. */
void segment_header_pack(const struct segment_header *h, uint8_t block[SEGMENT_BLOCK]);
/* *version is set whenever the magic fits, so that a refusal can name it. */
int segment_header_unpack(
    const uint8_t block[SEGMENT_BLOCK], struct segment_header *out, uint16_t *version);

/* Where something lies. */
struct place {
	uint64_t segment;
	uint64_t offset;
};
static inline int
place_compare(struct place a, struct place b)
{
	if (a.segment != b.segment)
		return a.segment < b.segment ? -1 : 1;
	return a.offset < b.offset ? -1 : a.offset > b.offset;
}

enum extent_kind { EXTENT_SHARD = 1, EXTENT_RECORDS = 2 };

struct extent_header {
	enum extent_kind kind;
	struct place place;
	uint64_t generation;
	uint32_t number;        /* counts the extents of the segment from 0 */
	uint64_t bytes;         /* whole extent, a multiple of SEGMENT_BLOCK */
	uint64_t payload_bytes; /* of the shard, or of all records together */
	uint8_t index, k, n;    /* shards only */
	uint64_t chunk_bytes;   /* shards only */
	uint32_t payload_crc;   /* records only */
};
/* A shard's whole extent and where its trailer begins, from the layout alone. */
uint64_t extent_shard_bytes(const struct layout *l);
uint64_t extent_trailer_offset(const struct layout *l);
void extent_header_pack(const struct extent_header *h, uint8_t out[EXTENT_HEADER_BYTES]);
/*
 * Accepts only a header for this place and generation whose extent ends inside
 * segment_bytes and whose lengths follow from its other fields.
 */
int extent_header_unpack(const uint8_t in[EXTENT_HEADER_BYTES], struct place at,
    uint64_t generation, uint64_t segment_bytes, struct extent_header *out);
/* True when the block begins like an extent header of any life (for finding what was ours). */
bool extent_magic(const uint8_t *block);

/* ---- the end of a shard's extent ---- */
struct trailer {
	struct place place; /* of the extent */
	uint64_t generation;
	uint8_t index;
	uint64_t order; /* see facts.h */
	uint64_t stored_unix_s;
	struct pubkey lease_key; /* again in lease, readable without checking it */
	uint64_t lease_generation;
	struct bytes descriptor; /* packed */
	struct bytes lease;      /* packed */
	uint32_t leaves_count;
	const struct hash *leaves;
};
/* Writes at most cap bytes, zeros up to a block included; returns how many. */
size_t trailer_pack(const struct trailer *t, uint8_t *out, size_t cap);
/*
 * Lends descriptor, lease and leaves from in. Checks magic, CRC, place against h and lengths
 * against its layout; not the descriptor's content.
 */
int trailer_unpack(struct bytes in, const struct extent_header *h, struct trailer *out);

/* ---- small records ---- */
enum record_kind {
	RECORD_LEASE = 1,    /* an empty value: forgotten, but for its generation */
	RECORD_SIBLINGS = 2, /* the same */
	RECORD_DROP = 3,     /* the shard `index` of `chunk` is gone */
	RECORD_VALUE = 4,    /* a named value of another module; empty: gone */
};
/* Longest value: siblings of the widest code. */
#define RECORD_VALUE_MAX ((size_t)40 * SHARDS_MAX)
#define RECORD_BYTES_MAX (96 + RECORD_VALUE_MAX)

struct record {
	enum record_kind kind;
	uint64_t order;
	struct hash chunk;       /* or the key of a value */
	uint8_t index;           /* of a drop; the space of a value */
	struct pubkey lease_key; /* of a lease */
	uint64_t generation;     /* of a lease; sequence of siblings */
	struct bytes value;      /* packed lease, siblings, value; lent */
};
/* Returns its length; 0 when cap is too small. */
size_t record_pack(const struct record *r, uint8_t *out, size_t cap);
/* Takes one off the front of *in, whose value it lends. ERR_END when nothing is left. */
int record_unpack(struct bytes *in, struct record *out);

#endif
