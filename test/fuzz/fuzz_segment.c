/*
 * Formats of segment files. The first byte says which; the CRC of fixed layouts is put right, so
 * that the checks behind it are reached. Whatever is taken packs and unpacks to the same.
 */
#include <stdlib.h>

#include "storage/crc.h"
#include "storage/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT_CRC_AT 64
#define GENERATION     99 /* of every extent header that can pass here */

static void
put_crc(uint8_t *text, size_t at)
{
	uint32_t crc = crc32c(text, at);

	for (size_t i = 0; i < 4; i++)
		text[at + i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void
fuzz_segment_header(uint8_t *text)
{
	uint8_t again[SEGMENT_BLOCK];
	struct segment_header h;
	uint16_t version;

	put_crc(text, SEGMENT_CRC_AT);
	if (segment_header_unpack(text, &h, &version) != ERR_OK)
		return;
	segment_header_pack(&h, again);
	must(segment_header_unpack(again, &h, &version) == ERR_OK);
}

/* Gives the header when it passes, for the trailer behind it. */
static bool
fuzz_extent_header(uint8_t *text, struct extent_header *out)
{
	uint8_t again[EXTENT_HEADER_BYTES];
	struct place at = { 1, SEGMENT_FIRST_EXTENT };
	struct extent_header h;

	put_crc(text, EXTENT_HEADER_BYTES - 4);
	if (extent_header_unpack(text, at, GENERATION, GIB(1), out) != ERR_OK)
		return false;
	must(out->bytes % SEGMENT_BLOCK == 0 && out->bytes <= GIB(1));
	must(out->payload_bytes < out->bytes);
	extent_header_pack(out, again);
	must(extent_header_unpack(again, at, GENERATION, GIB(1), &h) == ERR_OK);
	return true;
}

static void
fuzz_trailer(const struct extent_header *h, uint8_t *text, size_t size)
{
	struct layout l;
	struct trailer t;

	if (h->kind != EXTENT_SHARD || size < TRAILER_FIXED_BYTES)
		return;
	must(layout_make(h->k, h->n, h->chunk_bytes, &l) == ERR_OK);

	size_t descriptor = (size_t)text[92] << 8 | text[93],
	       lease = (size_t)text[94] << 8 | text[95];
	size_t crc_at = TRAILER_FIXED_BYTES + descriptor + lease + 32 * (size_t)l.rows;

	if (crc_at + 4 <= size)
		put_crc(text, crc_at);
	if (trailer_unpack(bytes_of(text, size), h, &t) != ERR_OK)
		return;

	size_t cap = block_ceil(size);
	uint8_t *again = malloc(cap);

	must(again != NULL);
	must(trailer_pack(&t, again, cap) <= cap);
	must(trailer_unpack(bytes_of(again, cap), h, &t) == ERR_OK);
	free(again);
}

static void
fuzz_records(const uint8_t *text, size_t size)
{
	struct bytes left = bytes_of(text, size);
	uint8_t *again = malloc(size + 1);
	struct record r;
	size_t len = 0;

	must(again != NULL);
	while (record_unpack(&left, &r) == ERR_OK) {
		size_t took = record_pack(&r, again + len, size - len);

		must(took > 0);
		len += took;
	}
	must(memcmp(again, text, len) == 0);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *text;
	size_t len;

	if (size == 0)
		return 0;
	len = size - 1;
	text = calloc(1, len + SEGMENT_BLOCK);
	must(text != NULL);
	memcpy(text, data + 1, len);
	if (data[0] == 'S') {
		fuzz_segment_header(text);
	} else if (data[0] == 'E') {
		struct extent_header h;

		if (fuzz_extent_header(text, &h) && len > EXTENT_HEADER_BYTES)
			fuzz_trailer(&h, text + EXTENT_HEADER_BYTES, len - EXTENT_HEADER_BYTES);
	} else {
		fuzz_records(text, len);
	}
	free(text);
	return 0;
}
