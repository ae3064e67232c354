/*
 * Row arithmetic, code parameters and the table of default codes. Nothing here
 * fails but for parameters out of range, which are refused before any of it is used.
 */
#include "storage/layout.h"

#include <stdio.h>

static_assert(LEAF_BYTES % LEAF_ALIGN == 0, "full leaves are aligned");
static_assert(LEAVES_MAX * LEAF_BYTES == CHUNK_BYTES_MAX, "a chunk at k = 1 is whole leaves");

int
layout_make(uint8_t k, uint8_t n, uint64_t chunk_bytes, struct layout *out)
{
	if (k == 0 || k > n || chunk_bytes == 0)
		return ERR_INVALID;
	if (chunk_bytes > CHUNK_BYTES_MAX)
		return ERR_TOO_BIG;

	uint64_t row_bytes = (uint64_t)k * LEAF_BYTES;
	uint32_t rows = (uint32_t)((chunk_bytes + row_bytes - 1) / row_bytes);
	uint64_t rest = chunk_bytes - (uint64_t)(rows - 1) * row_bytes;
	uint64_t leaf = (rest + k - 1) / k;

	leaf = (leaf + LEAF_ALIGN - 1) / LEAF_ALIGN * LEAF_ALIGN;
	*out = (struct layout){
		.k = k,
		.n = n,
		.chunk_bytes = chunk_bytes,
		.rows = rows,
		.last_leaf = (uint32_t)leaf,
		.shard_bytes = (uint64_t)(rows - 1) * LEAF_BYTES + leaf,
	};
	return ERR_OK;
}

uint32_t
layout_leaf_bytes(const struct layout *l, uint32_t row)
{
	must(row < l->rows);
	return row + 1 == l->rows ? l->last_leaf : (uint32_t)LEAF_BYTES;
}

uint64_t
layout_row_bytes(const struct layout *l, uint32_t row)
{
	must(row < l->rows);

	uint64_t full = (uint64_t)l->k * LEAF_BYTES;

	return row + 1 == l->rows ? l->chunk_bytes - row * full : full;
}

void
layout_rows_of(
    const struct layout *l, uint64_t from, uint64_t len, uint32_t *first, uint32_t *count)
{
	must(len > 0 && from < l->chunk_bytes && len <= l->chunk_bytes - from);

	uint64_t full = (uint64_t)l->k * LEAF_BYTES;

	*first = (uint32_t)(from / full);
	*count = (uint32_t)((from + len - 1) / full) - *first + 1;
}

uint8_t
code_success(const struct code_params *c)
{
	return (uint8_t)((c->k + c->n + 1) / 2);
}

bool
code_valid(const struct code_params *c)
{
	return c->k >= 1 && c->k <= c->r && c->r <= c->n && (c->r < c->n || c->n == c->k);
}

int
code_parse(const char *text, struct code_params *out)
{
	unsigned part[3];
	const char *p = text;

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		size_t digits = 0;

		part[i] = 0;
		for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
			part[i] = part[i] * 10 + (unsigned)(*p - '0');
		if (digits == 0 || part[i] > SHARDS_MAX || *p != (i < 2 ? '/' : '\0'))
			return ERR_INVALID;
		p++;
	}

	struct code_params c = {
		.k = (uint8_t)part[0], .r = (uint8_t)part[1], .n = (uint8_t)part[2]
	};

	if (!code_valid(&c))
		return ERR_INVALID;
	*out = c;
	return ERR_OK;
}

const char *
code_print(const struct code_params *c, char *out)
{
	snprintf(out, 12, "%u/%u/%u", c->k, c->r, c->n);
	return out;
}

/* Widest code that fits the network: many small shards only where many nodes can hold them. */
struct code_params
code_default(uint64_t servers, uint64_t chunk_bytes)
{
	static const struct {
		uint64_t servers_min;
		struct code_params code;
	} table[] = {
		{ 1000, { 20, 32, 50 } },
		{ 48, { 10, 16, 24 } },
		{ 12, { 4, 7, 12 } },
		{ 9, { 4, 6, 9 } },
		{ 8, { 4, 7, 8 } },
		{ 7, { 3, 6, 7 } },
		{ 6, { 3, 5, 6 } },
		{ 5, { 2, 4, 5 } },
		{ 4, { 2, 3, 4 } },
		{ 3, { 1, 2, 3 } },
		{ 2, { 1, 1, 2 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (servers < table[i].servers_min)
			continue;
		/* Fifty shards of a small chunk would be mostly overhead. */
		if (table[i].code.n == 50 && chunk_bytes <= MIB(1))
			return (struct code_params){ 4, 7, 12 };
		return table[i].code;
	}
	return (struct code_params){ 1, 1, 1 };
}
