/*
 * Reed-Solomon through ISA-L. The Cauchy matrix [I; C] has every k×k minor
 * invertible, so any k of n leaves rebuild the rest. Long leaves are coded in slices
 * that stay in the cache: wide codes lose 1.5–4 times otherwise (measured).
 */
#include "storage/code.h"

#include <isa-l.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/isal_done.h"
#include "storage/layout.h"

/* Bytes of each leaf coded at a time: (k + m) slices of it fit a 1 MiB second-level cache. */
#define SLICE_BYTES KIB(8)

struct coder {
	uint8_t k, n;
	uint8_t *matrix; /* n × k, the first k rows are the identity */
	uint8_t *tables; /* 32 · k · (n − k), as ec_init_tables wants them */
};

struct decoder {
	uint8_t k;
	size_t want_count;
	uint8_t *tables; /* 32 · k · want_count */
};

int
coder_new(uint8_t k, uint8_t n, struct coder **out)
{
	if (k == 0 || k > n)
		return ERR_INVALID;

	struct coder *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->k = k;
	c->n = n;
	c->matrix = malloc((size_t)n * k);
	c->tables = malloc((size_t)32 * k * (size_t)(n - k) + 1);
	if (c->matrix == NULL || c->tables == NULL) {
		coder_free(c);
		return ERR_NOMEM;
	}
	gf_gen_cauchy1_matrix(c->matrix, n, k);
	if (n > k)
		ec_init_tables(k, n - k, c->matrix + (size_t)k * k, c->tables);
	*out = c;
	return ERR_OK;
}

void
coder_free(struct coder *c)
{
	if (c == NULL)
		return;
	free(c->matrix);
	free(c->tables);
	free(c);
}

/* ISA-L's interface knows no const; it does not write to its inputs. */
static void
run_sliced(size_t len, uint8_t k, size_t rows, uint8_t *tables, const uint8_t *const *in,
    uint8_t *const *out)
{
	uint8_t *src[SHARDS_MAX], *dst[SHARDS_MAX];

	for (size_t at = 0; at < len; at += SLICE_BYTES) {
		size_t part = MIN(len - at, SLICE_BYTES);

		for (size_t i = 0; i < k; i++)
			src[i] = (uint8_t *)(uintptr_t)in[i] + at;
		for (size_t i = 0; i < rows; i++)
			dst[i] = out[i] + at;
		ec_encode_data((int)part, k, (int)rows, tables, src, dst);
	}
	isal_done();
}

void
coder_encode(const struct coder *c, size_t len, const uint8_t *const *data, uint8_t *const *parity)
{
	must(len % LEAF_ALIGN == 0);
	if (c->n > c->k)
		run_sliced(len, c->k, (size_t)(c->n - c->k), c->tables, data, parity);
}

/* Rows of the wanted leaves expressed in the survivors: wanted rows × inverse(survivor rows). */
static void
decode_rows(const struct coder *c, const uint8_t *inverse, const uint8_t *want, size_t want_count,
    uint8_t *rows)
{
	size_t k = c->k;

	for (size_t w = 0; w < want_count; w++) {
		const uint8_t *original = c->matrix + (size_t)want[w] * k;

		for (size_t col = 0; col < k; col++) {
			uint8_t sum = 0;

			for (size_t i = 0; i < k; i++)
				sum ^= gf_mul(original[i], inverse[i * k + col]);
			rows[w * k + col] = sum;
		}
	}
}

static bool
indices_valid(const struct coder *c, const uint8_t *have, const uint8_t *want, size_t want_count)
{
	bool seen[SHARDS_MAX + 1] = { false };

	for (size_t i = 0; i < c->k; i++) {
		if (have[i] >= c->n || seen[have[i]])
			return false;
		seen[have[i]] = true;
	}
	for (size_t i = 0; i < want_count; i++) {
		if (want[i] >= c->n)
			return false;
	}
	return want_count <= c->n;
}

int
decoder_new(const struct coder *c, const uint8_t *have, const uint8_t *want, size_t want_count,
    struct decoder **out)
{
	if (!indices_valid(c, have, want, want_count))
		return ERR_INVALID;

	size_t k = c->k;
	struct decoder *d = calloc(1, sizeof(*d));
	uint8_t *work = malloc(2 * k * k + want_count * k + 1);
	int err = ERR_NOMEM;

	if (d == NULL || work == NULL)
		goto fail;
	d->k = c->k;
	d->want_count = want_count;
	d->tables = malloc(32 * k * want_count + 1);
	if (d->tables == NULL)
		goto fail;

	uint8_t *survivors = work, *inverse = work + k * k, *rows = work + 2 * k * k;

	for (size_t i = 0; i < k; i++)
		memcpy(survivors + i * k, c->matrix + (size_t)have[i] * k, k);
	/* Cauchy: never singular. Were it so, the data would be lost; better to stop here. */
	must(gf_invert_matrix(survivors, inverse, (int)k) == 0);
	decode_rows(c, inverse, want, want_count, rows);
	if (want_count > 0)
		ec_init_tables((int)k, (int)want_count, rows, d->tables);
	free(work);
	*out = d;
	return ERR_OK;

fail:
	free(work);
	decoder_free(d);
	return err;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	free(d->tables);
	free(d);
}

void
decoder_run(const struct decoder *d, size_t len, const uint8_t *const *in, uint8_t *const *out)
{
	must(len % LEAF_ALIGN == 0);
	if (d->want_count > 0)
		run_sliced(len, d->k, d->want_count, d->tables, in, out);
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *
code_library_version(void)
{
	return "isa-l " TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(
	    ISAL_PATCH_VERSION);
}
