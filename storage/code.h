/*
 * Systematic Reed-Solomon over GF(2^8) with a Cauchy matrix (ISA-L's
 * gf_gen_cauchy1_matrix; never gf_gen_rs_matrix, which has singular survivor sets at 10/24 and
 * 20/50). Any k of n leaves of a row rebuild the others. Pure; the only file that sees
 * ISA-L is code.c. Fit for workers: a coder is read-only once made.
 */
#ifndef STORAGE_CODE_H
#define STORAGE_CODE_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

struct coder;   /* k-of-n encoder */
struct decoder; /* rebuilds given leaves from given survivors */

int coder_new(uint8_t k, uint8_t n, struct coder **out); /* gives; ERR_INVALID, ERR_NOMEM */
void coder_free(struct coder *c);
/* data: k leaves of len bytes; parity: n−k leaves to be written. len a multiple of LEAF_ALIGN. */
void coder_encode(
    const struct coder *c, size_t len, const uint8_t *const *data, uint8_t *const *parity);

/*
 * have: k distinct indices < n; want: the indices to compute (any of 0 … n−1). Made once
 * per survivor set (inverting costs up to 115 µs), used for every row.
 */
int decoder_new(const struct coder *c, const uint8_t *have, const uint8_t *want, size_t want_count,
    struct decoder **out); /* gives */
void decoder_free(struct decoder *d);
/* in: k leaves in the order of have; out: leaves in the order of want. */
void decoder_run(
    const struct decoder *d, size_t len, const uint8_t *const *in, uint8_t *const *out);

const char *code_library_version(void);

#endif
