/* What was good is known again; nothing else is. */
#include "storage/signatures.h"
#include "test/unit/suite.h"

struct signer {
	struct sign_key key;
	struct pubkey pub;
};

static struct signer
signer_of(uint8_t n)
{
	struct key seed = { { n } };
	struct signer s;

	crypto_sign_key_from_seed(&seed, &s.key, &s.pub);
	return s;
}

static struct sig
sign(const struct signer *s, const char *text)
{
	struct sig sig;

	crypto_sign_data(&sig, &s->key, text, strlen(text));
	return sig;
}

static bool
good(struct signatures *s, const struct sig *sig, const struct signer *by, const char *text)
{
	return signatures_good(s, sig, &by->pub, bytes_of(text, strlen(text)));
}

START_TEST(what_was_good_is_not_checked_again)
{
	struct signatures s = { .count = 0 };
	struct signer a = signer_of(1);
	struct sig sig = sign(&a, "head");

	for (int i = 0; i < 5; i++)
		ck_assert(good(&s, &sig, &a, "head"));
	ck_assert_uint_eq(s.checked, 1);
	ck_assert(good(NULL, &sig, &a, "head"));
	ck_assert(!good(NULL, &sig, &a, "tail"));
}
END_TEST

START_TEST(what_differs_in_anything_is_checked)
{
	struct signatures s = { .count = 0 };
	struct signer a = signer_of(1), b = signer_of(2);
	struct sig sig = sign(&a, "head");

	ck_assert(good(&s, &sig, &a, "head"));
	ck_assert(!good(&s, &sig, &b, "head"));
	ck_assert(!good(&s, &sig, &a, "heads"));
	ck_assert(!good(&s, &sig, &a, "hea"));
	for (size_t i = 0; i < 8 * sizeof(sig.b); i++) {
		sig.b[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert(!good(&s, &sig, &a, "head"));
		ck_assert(!good(&s, &sig, &a, "head")); /* not remembered either */
		sig.b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_uint_eq(s.count, 1);
	ck_assert(good(&s, &sig, &a, "head"));
}
END_TEST

START_TEST(the_oldest_are_given_up)
{
	struct signatures s = { .count = 0 }, worker;
	struct signer a = signer_of(1);
	struct sig sig[SIGNATURES_KNOWN + 2];
	char text[] = "a";

	for (size_t i = 0; i < ARRAY_LEN(sig); i++) {
		text[0] = (char)('a' + i);
		sig[i] = sign(&a, text);
		/* As a worker does it. */
		worker = s;
		worker.checked = 0;
		ck_assert(good(&worker, &sig[i], &a, text));
		signatures_join(&s, &worker);
		ck_assert_uint_eq(s.checked, i + 1);
	}
	ck_assert_uint_eq(s.count, SIGNATURES_KNOWN);
	for (size_t i = 2; i < ARRAY_LEN(sig); i++) {
		text[0] = (char)('a' + i);
		ck_assert(good(&s, &sig[i], &a, text));
	}
	ck_assert_uint_eq(s.checked, ARRAY_LEN(sig));
	ck_assert(good(&s, &sig[0], &a, "a"));
	ck_assert_uint_eq(s.checked, ARRAY_LEN(sig) + 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/signatures");

	suite_add(s, "signatures", 0, what_was_good_is_not_checked_again,
	    what_differs_in_anything_is_checked, the_oldest_are_given_up, NULL);
	return suite_main(s);
}
