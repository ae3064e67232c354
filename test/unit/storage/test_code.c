/* Any k of n leaves rebuild the others, for every shipped code. */
#include "storage/code.h"
#include "storage/crc.h"
#include "storage/layout.h"

#include "test/unit/suite.h"

static const struct code_params shipped[] = {
	{ 1, 1, 1 },
	{ 1, 1, 2 },
	{ 1, 2, 3 },
	{ 2, 3, 4 },
	{ 2, 4, 5 },
	{ 3, 5, 6 },
	{ 3, 6, 7 },
	{ 4, 5, 6 },
	{ 4, 6, 8 },
	{ 4, 7, 8 },
	{ 4, 6, 9 },
	{ 4, 7, 12 },
	{ 10, 16, 24 },
	{ 20, 32, 50 },
	{ 29, 52, 80 },
};

static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A random set of k survivors; want gets the n − k others. */
static void
split(uint64_t *state, const struct code_params *c, uint8_t *have, uint8_t *want)
{
	uint8_t all[SHARDS_MAX];

	for (size_t i = 0; i < c->n; i++)
		all[i] = (uint8_t)i;
	for (size_t i = 0; i < c->n; i++) {
		size_t j = i + next(state) % (c->n - i);
		uint8_t t = all[i];

		all[i] = all[j];
		all[j] = t;
	}
	memcpy(have, all, c->k);
	memcpy(want, all + c->k, (size_t)(c->n - c->k));
}

static void
check_code(const struct code_params *c, size_t len, int rounds, uint64_t seed)
{
	struct coder *coder;
	uint8_t *leaves[SHARDS_MAX], *rebuilt[SHARDS_MAX];
	const uint8_t *in[SHARDS_MAX];

	ck_assert_int_eq(coder_new(c->k, c->n, &coder), ERR_OK);
	for (size_t i = 0; i < c->n; i++) {
		leaves[i] = malloc(len);
		rebuilt[i] = malloc(len);
		for (size_t j = 0; j < len; j++)
			leaves[i][j] = (uint8_t)next(&seed);
	}
	coder_encode(coder, len, (const uint8_t *const *)leaves, leaves + c->k);
	for (int round = 0; round < rounds; round++) {
		uint8_t have[SHARDS_MAX], want[SHARDS_MAX];
		struct decoder *d;

		split(&seed, c, have, want);
		ck_assert_int_eq(decoder_new(coder, have, want, (size_t)(c->n - c->k), &d), ERR_OK);
		for (size_t i = 0; i < c->k; i++)
			in[i] = leaves[have[i]];
		decoder_run(d, len, in, rebuilt);
		for (size_t i = 0; i < (size_t)(c->n - c->k); i++)
			ck_assert_mem_eq(rebuilt[i], leaves[want[i]], len);
		decoder_free(d);
	}
	for (size_t i = 0; i < c->n; i++) {
		free(leaves[i]);
		free(rebuilt[i]);
	}
	coder_free(coder);
}

START_TEST(random_survivors_rebuild)
{
	check_code(&shipped[_i], 128, 500, 1000 + (uint64_t)_i);
}
END_TEST

/* Slices: lengths around and over the slice length give what one piece would. */
START_TEST(long_leaves_rebuild)
{
	check_code(&(struct code_params){ 4, 6, 8 }, 8192 - 64, 3, 1);
	check_code(&(struct code_params){ 4, 6, 8 }, 8192 + 64, 3, 2);
	check_code(&(struct code_params){ 20, 32, 50 }, LEAF_BYTES, 2, 3);
}
END_TEST

START_TEST(every_survivor_set_of_4_of_8)
{
	struct coder *coder;

	ck_assert_int_eq(coder_new(4, 8, &coder), ERR_OK);
	for (unsigned set = 0; set < 256; set++) {
		uint8_t have[8], want[1] = { 7 };
		size_t count = 0;
		struct decoder *d;

		for (uint8_t i = 0; i < 8; i++) {
			if (set & (1u << i))
				have[count++] = i;
		}
		if (count != 4)
			continue;
		ck_assert_int_eq(decoder_new(coder, have, want, 1, &d), ERR_OK);
		decoder_free(d);
	}
	coder_free(coder);
}
END_TEST

START_TEST(bad_parameters_are_refused)
{
	struct coder *coder;
	struct decoder *d = NULL;

	ck_assert_int_eq(coder_new(0, 4, &coder), ERR_INVALID);
	ck_assert_int_eq(coder_new(5, 4, &coder), ERR_INVALID);
	ck_assert_int_eq(coder_new(2, 4, &coder), ERR_OK);
	ck_assert_int_eq(decoder_new(coder, (uint8_t[]){ 1, 1 }, NULL, 0, &d), ERR_INVALID);
	ck_assert_int_eq(decoder_new(coder, (uint8_t[]){ 1, 4 }, NULL, 0, &d), ERR_INVALID);
	ck_assert_int_eq(
	    decoder_new(coder, (uint8_t[]){ 1, 2 }, (uint8_t[]){ 9 }, 1, &d), ERR_INVALID);
	ck_assert_ptr_null(d);
	coder_free(coder);
}
END_TEST

#if defined(__x86_64__)
/* As vector code of others leaves it. */
static void
uppers_use(void)
{
	__asm__ volatile("vcmptrueps %%ymm1, %%ymm1, %%ymm1" ::: "xmm1");
}

static bool
uppers_used(void)
{
	uint8_t ymm[8][32];
	bool used = false;

	__asm__ volatile("vmovups %%ymm0, (%0)\n\tvmovups %%ymm1, 32(%0)\n\t"
			 "vmovups %%ymm2, 64(%0)\n\tvmovups %%ymm3, 96(%0)\n\t"
			 "vmovups %%ymm4, 128(%0)\n\tvmovups %%ymm5, 160(%0)\n\t"
			 "vmovups %%ymm6, 192(%0)\n\tvmovups %%ymm7, 224(%0)"
			 :
			 : "r"(ymm)
			 : "memory");
	for (size_t i = 0; i < ARRAY_LEN(ymm); i++)
		for (size_t at = 16; at < sizeof(ymm[i]); at++)
			used |= ymm[i][at] != 0;
	return used;
}

/* Or the hashing that follows takes half as long again. */
START_TEST(no_vector_register_stays_in_use)
{
	static uint8_t leaves[6][LEAF_BYTES];
	const uint8_t *data[4] = { leaves[0], leaves[1], leaves[2], leaves[3] };
	uint8_t *parity[2] = { leaves[4], leaves[5] };
	struct coder *coder;

	if (!__builtin_cpu_supports("avx"))
		return;
	memset(leaves, 0xa5, sizeof(leaves));
	ck_assert_int_eq(coder_new(4, 6, &coder), ERR_OK);
	uppers_use();
	ck_assert(uppers_used());
	coder_encode(coder, LEAF_BYTES, data, parity);
	ck_assert(!uppers_used());
	coder_free(coder);
	(void)crc32c(leaves, sizeof(leaves));
	ck_assert(!uppers_used());
	(void)crc32_more(0, leaves, sizeof(leaves));
	ck_assert(!uppers_used());
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("storage/code");
	TCase *tc = tcase_create("shipped");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_survivors_rebuild, 0, (int)ARRAY_LEN(shipped));
	suite_add_tcase(s, tc);
	suite_add(s, "coder", 30, long_leaves_rebuild, every_survivor_set_of_4_of_8,
	    bad_parameters_are_refused, NULL);
#if defined(__x86_64__)
	suite_add(s, "registers", 0, no_vector_register_stays_in_use, NULL);
#endif
	return suite_main(s);
}
