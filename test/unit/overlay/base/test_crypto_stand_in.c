/*
 * The stand-in keeps the promises that the product's checks rest on: sizes, agreement, failure
 * on a wrong key and on changed bytes. And real mode: untouched until the choice is made, which
 * crypto_init ends. What is not checked: that it is hard to forge, for it is not.
 */
#include "test/unit/suite.h"

#include <signal.h>

#include "overlay/base/crypto.h"
#include "overlay/base/crypto_stand_in.h"
#include "overlay/base/err.h"

#define SPLIT_MAX 200 /* some blocks of 32 bytes and every place in one */

static struct key
key_of(uint8_t n)
{
	struct key k;

	memset(k.b, n, sizeof(k.b));
	return k;
}

static void
choose(void)
{
	crypto_use_stand_in();
	ck_assert_int_eq(crypto_init(), ERR_OK);
	ck_assert(crypto_is_stand_in());
}

START_TEST(real_until_chosen)
{
	struct hash h;
	char text[65];

	ck_assert(!crypto_is_stand_in());
	crypto_sha256(&h, "abc", 3);
	hex_encode(text, h.b, sizeof(h.b));
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(cannot_be_chosen_after_crypto_init)
{
	ck_assert_int_eq(crypto_init(), ERR_OK);
	crypto_use_stand_in();
}
END_TEST

START_TEST(hash_is_one_in_any_pieces)
{
	uint8_t data[SPLIT_MAX];
	struct sha256 *s;
	struct hash whole, parts, streamed;

	choose();
	s = sha256_new();
	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof(data); len += 11)
		for (size_t cut = 0; cut <= len; cut++) {
			struct bytes two[] = { bytes_of(data, cut),
				bytes_of(data + cut, len - cut) };

			crypto_sha256(&whole, data, len);
			crypto_sha256_parts(&parts, two, 2);
			sha256_update(s, data, cut);
			sha256_update(s, data + cut, len - cut);
			sha256_final(s, &streamed);
			ck_assert(hash_equal(&whole, &parts));
			ck_assert(hash_equal(&whole, &streamed));
		}
	sha256_free(s);
}
END_TEST

START_TEST(hash_bits_are_even)
{
	int ones[256] = { 0 };
	struct hash h, before = { { 0 } };

	choose();
	for (uint32_t i = 0; i < 4096; i++) {
		int changed = 0;

		crypto_sha256(&h, &i, sizeof(i));
		for (size_t b = 0; b < 256; b++) {
			ones[b] += h.b[b / 8] >> b % 8 & 1;
			changed += (h.b[b / 8] ^ before.b[b / 8]) >> b % 8 & 1;
		}
		ck_assert_int_gt(changed, 80); /* of 256; expected 128, deviation 8 */
		before = h;
	}
	/* Expected 2048, deviation 32. */
	for (size_t b = 0; b < 256; b++) {
		ck_assert_int_gt(ones[b], 2048 - 200);
		ck_assert_int_lt(ones[b], 2048 + 200);
	}
}
END_TEST

START_TEST(hash_depends_on_length_and_zeros)
{
	static const uint8_t zeros[100];
	struct hash seen[sizeof(zeros)];

	choose();
	for (size_t i = 0; i < sizeof(zeros); i++) {
		crypto_sha256(&seen[i], zeros, i);
		for (size_t j = 0; j < i; j++)
			ck_assert(!hash_equal(&seen[i], &seen[j]));
	}
}
END_TEST

START_TEST(hmac_is_keyed_and_derivation_is_one)
{
	static const uint8_t id[32] = { 9 };
	struct key parent = key_of(1), child;
	uint8_t text[4 + 1 + 32] = "name";
	struct hash a, b;

	choose();
	crypto_hmac(&a, "k1", 2, "text", 4);
	crypto_hmac(&b, "k2", 2, "text", 4);
	ck_assert(!hash_equal(&a, &b));
	crypto_hmac(&b, "k1", 2, "texu", 4);
	ck_assert(!hash_equal(&a, &b));
	crypto_sha256(&b, "text", 4);
	ck_assert(!hash_equal(&a, &b));
	memcpy(text + 5, id, sizeof(id));
	crypto_hmac(&a, parent.b, sizeof(parent.b), text, sizeof(text));
	crypto_derive(&child, &parent, "name", id);
	ck_assert_mem_eq(a.b, child.b, sizeof(child.b));
}
END_TEST

START_TEST(signatures_fit_one_key_and_one_message)
{
	struct key seed = key_of(3), other_seed = key_of(4);
	struct sign_key sign, other;
	struct pubkey pub, other_pub, again;
	struct sig sig;

	choose();
	crypto_sign_key_from_seed(&seed, &sign, &pub);
	crypto_sign_key_from_seed(&seed, &sign, &again);
	crypto_sign_key_from_seed(&other_seed, &other, &other_pub);
	ck_assert(pubkey_equal(&pub, &again));
	ck_assert(!pubkey_equal(&pub, &other_pub));
	crypto_sign_data(&sig, &sign, "message", 7);
	ck_assert(crypto_verify(&sig, &pub, "message", 7));
	ck_assert(!crypto_verify(&sig, &other_pub, "message", 7));
	ck_assert(!crypto_verify(&sig, &pub, "massage", 7));
	ck_assert(!crypto_verify(&sig, &pub, "message", 6));
	for (size_t i = 0; i < sizeof(sig.b); i++) {
		sig.b[i] ^= 1;
		ck_assert(!crypto_verify(&sig, &pub, "message", 7));
		sig.b[i] ^= 1;
	}
	crypto_sign_data(&sig, &other, "message", 7);
	ck_assert(!crypto_verify(&sig, &pub, "message", 7));
}
END_TEST

START_TEST(two_agree_and_a_third_does_not)
{
	struct key a = key_of(5), b = key_of(6), c = key_of(7), ab, ba, cb;
	uint8_t pub_a[32], pub_b[32], zero[32] = { 0 };

	choose();
	crypto_x25519_base(pub_a, &a);
	crypto_x25519_base(pub_b, &b);
	ck_assert_int_eq(crypto_x25519(&ab, &a, pub_b), ERR_OK);
	ck_assert_int_eq(crypto_x25519(&ba, &b, pub_a), ERR_OK);
	ck_assert_int_eq(crypto_x25519(&cb, &c, pub_b), ERR_OK);
	ck_assert_mem_eq(ab.b, ba.b, sizeof(ab.b));
	ck_assert_mem_ne(ab.b, cb.b, sizeof(ab.b));
	ck_assert_int_eq(crypto_x25519(&ab, &a, zero), ERR_AUTH);
}
END_TEST

START_TEST(identity_keys_agree)
{
	struct key seed = key_of(8), secret;
	struct pubkey pub, zero = { { 0 } };
	uint8_t from_secret[32], from_public[32];
	struct sign_key sign;

	choose();
	crypto_sign_key_from_seed(&seed, &sign, &pub);
	crypto_sign_key_to_x25519(&secret, &sign);
	crypto_x25519_base(from_secret, &secret);
	ck_assert_int_eq(crypto_pubkey_to_x25519(from_public, &pub), ERR_OK);
	ck_assert_mem_eq(from_secret, from_public, sizeof(from_public));
	ck_assert_int_eq(crypto_pubkey_to_x25519(from_public, &zero), ERR_AUTH);
}
END_TEST

static const uint8_t nonce[CRYPTO_XNONCE_BYTES] = { 1, 2, 3 };

/* Either kind of sealing, behind one shape. */
static int
seal(struct aead *a, uint8_t *out, const struct key *k, const uint8_t *in, size_t len)
{
	struct bytes ad = bytes_of("ad", 2);

	if (a != NULL)
		return aead_seal(a, out, k, nonce, ad, in, len);
	crypto_xseal(out, k, nonce, ad, in, len);
	return ERR_OK;
}

static int
open_as(struct aead *a, const struct key *k, const char *ad, const uint8_t *nonce_used,
    struct bytes in, uint8_t *out)
{
	struct bytes with = bytes_of(ad, strlen(ad));

	return a != NULL ? aead_open(a, out, k, nonce_used, with, in.data, in.len)
			 : crypto_xopen(out, k, nonce_used, with, in.data, in.len);
}

static void
check_sealing(struct aead *a)
{
	uint8_t text[77], sealed[77 + CRYPTO_TAG_BYTES], out[sizeof(sealed)];
	uint8_t other_nonce[sizeof(nonce)] = { 1, 2, 4 };
	struct key k = key_of(10), wrong = key_of(11);
	struct bytes in = bytes_of(sealed, sizeof(sealed));

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(seal(a, sealed, &k, text, sizeof(text)), ERR_OK);
	/* No 4 bytes of the text in clear, and the stream does not repeat. */
	for (size_t i = 0; i + 4 <= sizeof(text); i++)
		ck_assert_mem_ne(sealed + i, "xxxx", 4);
	ck_assert_mem_ne(sealed, sealed + 8, 8);
	ck_assert_int_eq(open_as(a, &k, "ad", nonce, in, out), ERR_OK);
	ck_assert_mem_eq(out, text, sizeof(text));
	ck_assert_int_eq(open_as(a, &wrong, "ad", nonce, in, out), ERR_AUTH);
	ck_assert_int_eq(open_as(a, &k, "da", nonce, in, out), ERR_AUTH);
	ck_assert_int_eq(open_as(a, &k, "a", nonce, in, out), ERR_AUTH);
	ck_assert_int_eq(open_as(a, &k, "ad", other_nonce, in, out), ERR_AUTH);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x80;
		ck_assert_int_eq(open_as(a, &k, "ad", nonce, in, out), ERR_AUTH);
		sealed[i] ^= 0x80;
		in.len = i;
		ck_assert_int_eq(open_as(a, &k, "ad", nonce, in, out), ERR_AUTH);
		in.len = sizeof(sealed);
	}
	memcpy(out, text, sizeof(text));
	ck_assert_int_eq(seal(a, out, &k, out, sizeof(text)), ERR_OK);
	ck_assert_mem_eq(out, sealed, sizeof(sealed));
	ck_assert_int_eq(open_as(a, &k, "ad", nonce, bytes_of(out, sizeof(out)), out), ERR_OK);
	ck_assert_mem_eq(out, text, sizeof(text));
}

START_TEST(sealed_text_opens_only_with_all_it_was_sealed_with)
{
	struct aead *a;

	choose();
	a = aead_new();
	ck_assert_ptr_nonnull(a);
	check_sealing(a);
	check_sealing(NULL);
	aead_free(a);
}
END_TEST

/* Words are sealed several at a time: each length has its own rest, and each word its place. */
START_TEST(every_length_is_sealed_whole)
{
	enum { MOST = 150 };
	uint8_t text[MOST], sealed[MOST + CRYPTO_TAG_BYTES], out[sizeof(sealed)], word[8];
	struct key k = key_of(12);

	choose();
	for (size_t i = 0; i < MOST; i++)
		text[i] = (uint8_t)(i * 37);
	for (size_t len = 0; len <= MOST; len++) {
		struct bytes in = bytes_of(sealed, len + CRYPTO_TAG_BYTES);

		ck_assert_int_eq(seal(NULL, sealed, &k, text, len), ERR_OK);
		ck_assert_int_eq(open_as(NULL, &k, "ad", nonce, in, out), ERR_OK);
		ck_assert_mem_eq(out, text, len);
		memcpy(out, text, len);
		ck_assert_int_eq(seal(NULL, out, &k, out, len), ERR_OK);
		ck_assert_mem_eq(out, sealed, in.len);
		for (size_t i = 0; i < in.len; i++) {
			sealed[i] ^= 1;
			ck_assert_int_eq(open_as(NULL, &k, "ad", nonce, in, out), ERR_AUTH);
			sealed[i] ^= 1;
		}
	}
	/* Two words that have changed places, of one lane or of two. */
	for (size_t i = 0; i + 8 <= MOST; i += 8)
		for (size_t j = i + 8; j + 8 <= MOST; j += 8) {
			ck_assert_int_eq(seal(NULL, sealed, &k, text, MOST), ERR_OK);
			memcpy(word, sealed + i, sizeof(word));
			memcpy(sealed + i, sealed + j, sizeof(word));
			memcpy(sealed + j, word, sizeof(word));
			ck_assert_int_eq(
			    open_as(NULL, &k, "ad", nonce, bytes_of(sealed, sizeof(sealed)), out),
			    ERR_AUTH);
		}
}
END_TEST

START_TEST(password_key_is_a_function_of_both)
{
	static const uint8_t salts[2][16] = { { 1 }, { 2 } };
	struct key a, b;

	choose();
	ck_assert_int_eq(crypto_password_key(&a, "secret", salts[0]), ERR_OK);
	ck_assert_int_eq(crypto_password_key(&b, "secret", salts[0]), ERR_OK);
	ck_assert_mem_eq(a.b, b.b, sizeof(a.b));
	ck_assert_int_eq(crypto_password_key(&b, "secret", salts[1]), ERR_OK);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
	ck_assert_int_eq(crypto_password_key(&b, "secres", salts[0]), ERR_OK);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/crypto_stand_in");
	TCase *real = tcase_create("real");

	/* First and forked, for the choice is the process's. */
	tcase_add_test(real, real_until_chosen);
	tcase_add_test_raise_signal(real, cannot_be_chosen_after_crypto_init, SIGABRT);
	suite_add_tcase(s, real);
	suite_add(s, "stand-in", 10, hash_is_one_in_any_pieces, hash_bits_are_even,
	    hash_depends_on_length_and_zeros, hmac_is_keyed_and_derivation_is_one,
	    signatures_fit_one_key_and_one_message, two_agree_and_a_third_does_not,
	    identity_keys_agree, sealed_text_opens_only_with_all_it_was_sealed_with,
	    every_length_is_sealed_whole, password_key_is_a_function_of_both, NULL);
	return suite_main(s);
}
