/* The pool of contexts: reuse, more borrowers than slots, and threads that never share one. */
#include "object/aead_pool.h"

#include <pthread.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

#define THREADS 4
#define ROUNDS  2000

START_TEST(what_came_back_is_lent_again)
{
	struct aead_pool p;
	struct aead *a, *b;

	aead_pool_init(&p);
	a = aead_borrow(&p);
	ck_assert_ptr_nonnull(a);
	aead_return(&p, a);
	b = aead_borrow(&p);
	ck_assert_ptr_eq(a, b);
	aead_return(&p, b);
	aead_return(&p, NULL);
	aead_pool_fini(&p);
}
END_TEST

START_TEST(more_than_slots)
{
	struct aead_pool p;
	struct aead *lent[AEAD_POOL_SLOTS + 5];

	aead_pool_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
		lent[i] = aead_borrow(&p);
		ck_assert_ptr_nonnull(lent[i]);
		for (size_t j = 0; j < i; j++)
			ck_assert_ptr_ne(lent[i], lent[j]);
	}
	for (size_t i = 0; i < ARRAY_LEN(lent); i++)
		aead_return(&p, lent[i]);
	aead_pool_fini(&p);
}
END_TEST

/* A context in two hands would mix two keys up: each result is compared with one made alone. */
static void *
seal_many(void *arg)
{
	struct aead_pool *p = arg;
	const struct key key = { { 5 } };
	uint8_t nonce[CRYPTO_NONCE_BYTES] = { 0 }, text[100] = { 1 }, box[116], back[100];

	for (int i = 0; i < ROUNDS; i++) {
		struct aead *a = aead_borrow(p);

		nonce[0] = (uint8_t)i;
		if (a == NULL ||
		    aead_seal(a, box, &key, nonce, bytes_of("", 0), text, sizeof(text)) != ERR_OK ||
		    aead_open(a, back, &key, nonce, bytes_of("", 0), box, sizeof(box)) != ERR_OK ||
		    memcmp(back, text, sizeof(text)) != 0)
			return (void *)(intptr_t)1;
		aead_return(p, a);
	}
	return NULL;
}

START_TEST(threads_do_not_share)
{
	struct aead_pool p;
	pthread_t threads[THREADS];

	aead_pool_init(&p);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, seal_many, &p), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	aead_pool_fini(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/aead_pool");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "pool", 30, what_came_back_is_lent_again, more_than_slots,
	    threads_do_not_share, NULL);
	return suite_main(s);
}
