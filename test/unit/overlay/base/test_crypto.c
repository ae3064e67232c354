/*
 * Published vectors (FIPS 180-4, RFC 1321, 4231, 4648, 7748, 8032, 8439), both
 * libraries against each other, and bad input. What is not checked: timing.
 */
#include "test/unit/suite.h"

#include <sodium.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"

#define BORDER_MAX 390 /* past where SHA-256 changes hands, and some blocks */

static size_t
from_hex(uint8_t *out, size_t cap, const char *hex)
{
	size_t len = strlen(hex) / 2;

	ck_assert_uint_le(len, cap);
	ck_assert_int_eq(hex_decode(out, len, hex, strlen(hex)), ERR_OK);
	return len;
}

static void
expect_hex(const void *data, size_t len, const char *hex)
{
	char text[1024];

	ck_assert_uint_lt(2 * len, sizeof(text));
	hex_encode(text, data, len);
	ck_assert_str_eq(text, hex);
}

/* Bytes that follow no pattern of blocks. */
static void
fill(uint8_t *out, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		out[i] = (uint8_t)(seed >> 24);
	}
}

START_TEST(sha256_vectors)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	struct sha256 *s = sha256_new();
	struct hash h;

	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		crypto_sha256(&h, cases[i].text, strlen(cases[i].text));
		expect_hex(h.b, sizeof(h.b), cases[i].hex);
		sha256_update(s, cases[i].text, strlen(cases[i].text));
		sha256_final(s, &h);
		expect_hex(h.b, sizeof(h.b), cases[i].hex);
	}

	/* A million times "a", through all three ways. */
	char *a = malloc(1000000);

	ck_assert_ptr_nonnull(a);
	memset(a, 'a', 1000000);
	crypto_sha256(&h, a, 1000000);
	expect_hex(
	    h.b, sizeof(h.b), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	for (size_t at = 0; at < 1000000; at += 999)
		sha256_update(s, a + at, MIN((size_t)999, 1000000 - at));
	sha256_final(s, &h);
	expect_hex(
	    h.b, sizeof(h.b), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(a);
	sha256_free(s);
	sha256_free(NULL);
}
END_TEST

static void
both_hash(const uint8_t *data, size_t len, struct sha256 *stream)
{
	uint8_t expected[32];
	struct hash h;
	struct bytes parts[3] = { bytes_of(data, len / 3), bytes_of(data + len / 3, 0),
		bytes_of(data + len / 3, len - len / 3) };

	crypto_hash_sha256(expected, data, len);
	crypto_sha256(&h, data, len);
	ck_assert_mem_eq(h.b, expected, sizeof(expected));
	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	ck_assert_mem_eq(h.b, expected, sizeof(expected));
	sha256_update(stream, data, len / 2);
	sha256_update(stream, data + len / 2, len - len / 2);
	sha256_final(stream, &h);
	ck_assert_mem_eq(h.b, expected, sizeof(expected));
}

START_TEST(both_libraries_hash_alike)
{
	static const size_t sizes[] = { 1000, 1023, 1024, 1025, 4096, 65535, 65536, 65537 };
	struct sha256 *s = sha256_new();
	uint8_t *data = malloc(65537);

	ck_assert(s != NULL && data != NULL);
	fill(data, 65537, 1);
	for (size_t len = 0; len <= BORDER_MAX; len++)
		both_hash(data, len, s);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		both_hash(data, sizes[i], s);
	free(data);
	sha256_free(s);
}
END_TEST

START_TEST(md5_vectors)
{
	struct md5 *m = md5_new();
	uint8_t out[16];

	ck_assert_ptr_nonnull(m);
	md5_final(m, out);
	expect_hex(out, sizeof(out), "d41d8cd98f00b204e9800998ecf8427e");
	md5_update(m, "message", 7);
	md5_update(m, " digest", 7);
	md5_final(m, out);
	expect_hex(out, sizeof(out), "f96b697d7cb7938d525a2f31aaf161d0");
	md5_free(m);
	md5_free(NULL);
}
END_TEST

START_TEST(hmac_vectors)
{
	uint8_t key[131], data[152];
	struct hash h;

	/* RFC 4231, cases 1, 2, 3, 6 and 7 */
	memset(key, 0x0b, 20);
	crypto_hmac(&h, key, 20, "Hi There", 8);
	expect_hex(h.b, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	crypto_hmac(&h, "Jefe", 4, "what do ya want for nothing?", 28);
	expect_hex(h.b, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, 50);
	crypto_hmac(&h, key, 20, data, 50);
	expect_hex(h.b, 32, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	crypto_hmac(&h, key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54);
	expect_hex(h.b, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

	const char *text = "This is a test using a larger than block-size key and a larger than "
			   "block-size data. The key needs to be hashed before being used by the "
			   "HMAC algorithm.";

	crypto_hmac(&h, key, 131, text, strlen(text));
	expect_hex(h.b, 32, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}
END_TEST

START_TEST(derivation_is_hmac_of_label_zero_id)
{
	struct key parent, child;
	struct hash expected;
	uint8_t id[32], data[3 + 1 + 32];

	fill(parent.b, sizeof(parent.b), 2);
	fill(id, sizeof(id), 3);
	memcpy(data, "abc", 4);
	memcpy(data + 4, id, sizeof(id));
	crypto_hmac(&expected, parent.b, sizeof(parent.b), data, sizeof(data));
	crypto_derive(&child, &parent, "abc", id);
	ck_assert_mem_eq(child.b, expected.b, 32);
	memset(data + 4, 0, 32);
	crypto_hmac(&expected, parent.b, sizeof(parent.b), data, sizeof(data));
	crypto_derive(&child, &parent, "abc", NULL);
	ck_assert_mem_eq(child.b, expected.b, 32);
}
END_TEST

START_TEST(ed25519_vectors)
{
	/* RFC 8032 §7.1, tests 1 to 3: secret, public, message, signature */
	static const char *const cases[][4] = {
		{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
		{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
		{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct key seed;
		struct sign_key k;
		struct pubkey pub;
		struct sig sig;
		uint8_t msg[8] = { 0 };

		from_hex(seed.b, sizeof(seed.b), cases[i][0]);

		size_t len = from_hex(msg, sizeof(msg), cases[i][2]);

		crypto_sign_key_from_seed(&seed, &k, &pub);
		expect_hex(pub.b, sizeof(pub.b), cases[i][1]);
		crypto_sign_data(&sig, &k, msg, len);
		expect_hex(sig.b, sizeof(sig.b), cases[i][3]);
		ck_assert(crypto_verify(&sig, &pub, msg, len));
		ck_assert(!crypto_verify(&sig, &pub, msg, len + 1));
		for (size_t bit = 0; bit < 8 * sizeof(sig.b); bit += 37) {
			sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ck_assert(!crypto_verify(&sig, &pub, msg, len));
			sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}
END_TEST

START_TEST(x25519_vectors)
{
	struct key secret, shared;
	uint8_t point[32];

	/* RFC 7748 §5.2 and §6.1 */
	from_hex(secret.b, 32, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	from_hex(point, 32, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
	ck_assert_int_eq(crypto_x25519(&shared, &secret, point), ERR_OK);
	expect_hex(
	    shared.b, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");

	from_hex(secret.b, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	crypto_x25519_base(point, &secret);
	expect_hex(point, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	from_hex(point, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	ck_assert_int_eq(crypto_x25519(&shared, &secret, point), ERR_OK);
	expect_hex(
	    shared.b, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}
END_TEST

START_TEST(low_order_points_are_refused)
{
	static const char *const low[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct key secret, shared;
	uint8_t point[32], out[32];
	struct pubkey pub;

	fill(secret.b, sizeof(secret.b), 4);
	memset(shared.b, 7, sizeof(shared.b));
	for (size_t i = 0; i < ARRAY_LEN(low); i++) {
		from_hex(point, sizeof(point), low[i]);
		ck_assert_int_eq(crypto_x25519(&shared, &secret, point), ERR_AUTH);
		ck_assert_uint_eq(shared.b[0], 7);
	}
	/* The neutral element and a text that is no point, as Ed25519 keys. */
	from_hex(pub.b, 32, "0100000000000000000000000000000000000000000000000000000000000000");
	ck_assert_int_eq(crypto_pubkey_to_x25519(out, &pub), ERR_AUTH);
	from_hex(pub.b, 32, "0200000000000000000000000000000000000000000000000000000000000000");
	ck_assert_int_eq(crypto_pubkey_to_x25519(out, &pub), ERR_AUTH);
}
END_TEST

START_TEST(identity_keys_agree)
{
	struct key seed[2], secret[2], shared[2];
	struct sign_key k[2];
	struct pubkey pub[2];
	uint8_t point[2][32], base[32];

	for (size_t i = 0; i < 2; i++) {
		fill(seed[i].b, sizeof(seed[i].b), (uint32_t)(5 + i));
		crypto_sign_key_from_seed(&seed[i], &k[i], &pub[i]);
		crypto_sign_key_to_x25519(&secret[i], &k[i]);
		ck_assert_int_eq(crypto_pubkey_to_x25519(point[i], &pub[i]), ERR_OK);
		crypto_x25519_base(base, &secret[i]);
		ck_assert_mem_eq(base, point[i], sizeof(base));
	}
	ck_assert_int_eq(crypto_x25519(&shared[0], &secret[0], point[1]), ERR_OK);
	ck_assert_int_eq(crypto_x25519(&shared[1], &secret[1], point[0]), ERR_OK);
	ck_assert(crypto_equal(&shared[0], &shared[1], sizeof(shared[0])));
	ck_assert(!crypto_equal(&secret[0], &secret[1], sizeof(secret[0])));
}
END_TEST

START_TEST(aead_vector)
{
	/* RFC 8439 §2.8.2 */
	const char *text = "Ladies and Gentlemen of the class of '99: If I could offer you only "
			   "one tip for the future, sunscreen would be it.";
	uint8_t ad[12], nonce[12], out[114 + 16];
	struct key k;
	struct aead *a = aead_new();

	ck_assert_ptr_nonnull(a);
	from_hex(k.b, 32, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
	from_hex(ad, sizeof(ad), "50515253c0c1c2c3c4c5c6c7");
	from_hex(nonce, sizeof(nonce), "070000004041424344454647");
	ck_assert_int_eq(
	    aead_seal(a, out, &k, nonce, bytes_of(ad, sizeof(ad)), (const uint8_t *)text, 114),
	    ERR_OK);
	expect_hex(out, sizeof(out),
	    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	    "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
	ck_assert_int_eq(
	    aead_open(a, out, &k, nonce, bytes_of(ad, sizeof(ad)), out, sizeof(out)), ERR_OK);
	ck_assert_mem_eq(out, text, 114);
	aead_free(a);
	aead_free(NULL);
}
END_TEST

static void
both_seal(struct aead *a, const uint8_t *data, size_t len, size_t ad_len)
{
	uint8_t *ours = malloc(len + 16), *theirs = malloc(len + 16), *back = malloc(len + 1);
	uint8_t nonce[12];
	struct key k;
	struct bytes ad = bytes_of(data, ad_len);

	ck_assert(ours != NULL && theirs != NULL && back != NULL);
	fill(nonce, sizeof(nonce), (uint32_t)len);
	fill(k.b, sizeof(k.b), (uint32_t)ad_len);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    theirs, NULL, data, len, ad.data, ad.len, NULL, nonce, k.b);
	ck_assert_int_eq(aead_seal(a, ours, &k, nonce, ad, data, len), ERR_OK);
	ck_assert_mem_eq(ours, theirs, len + 16);
	ck_assert_int_eq(aead_open(a, back, &k, nonce, ad, theirs, len + 16), ERR_OK);
	ck_assert_mem_eq(back, data, len);

	/* In place, and damaged at one bit: nothing of the text may be left. */
	memcpy(ours, data, len);
	ck_assert_int_eq(aead_seal(a, ours, &k, nonce, ad, ours, len), ERR_OK);
	ck_assert_mem_eq(ours, theirs, len + 16);
	ours[(len * 7) % (len + 16)] ^= 0x10;
	ck_assert_int_eq(aead_open(a, ours, &k, nonce, ad, ours, len + 16), ERR_AUTH);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(ours[i], 0);
	if (len + 16 > 16)
		ck_assert_int_eq(aead_open(a, back, &k, nonce, ad, theirs, len + 15), ERR_AUTH);
	free(ours);
	free(theirs);
	free(back);
}

START_TEST(both_libraries_seal_alike)
{
	static const size_t sizes[] = { 1024, 4095, 32768, 65519, 65535, 65536 };
	struct aead *a = aead_new();
	uint8_t *data = malloc(65536);

	ck_assert(a != NULL && data != NULL);
	fill(data, 65536, 9);
	for (size_t len = 0; len <= BORDER_MAX; len++)
		both_seal(a, data, len, len % 50);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		both_seal(a, data, sizes[i], 32);
	ck_assert_int_eq(
	    aead_open(a, data, &(struct key){ { 0 } }, data, bytes_of(NULL, 0), data, 15),
	    ERR_AUTH);
	free(data);
	aead_free(a);
}
END_TEST

START_TEST(xchacha_vector)
{
	/* draft-irtf-cfrg-xchacha-03, A.3.1 */
	const char *text = "Ladies and Gentlemen of the class of '99: If I could offer you only "
			   "one tip for the future, sunscreen would be it.";
	uint8_t ad[12], nonce[24], out[114 + 16];
	struct key k;

	from_hex(k.b, 32, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
	from_hex(ad, sizeof(ad), "50515253c0c1c2c3c4c5c6c7");
	from_hex(nonce, sizeof(nonce), "404142434445464748494a4b4c4d4e4f5051525354555657");
	crypto_xseal(out, &k, nonce, bytes_of(ad, sizeof(ad)), (const uint8_t *)text, 114);
	expect_hex(out, sizeof(out),
	    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
	    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
	    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
	    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
	ck_assert_int_eq(
	    crypto_xopen(out, &k, nonce, bytes_of(ad, sizeof(ad)), out, sizeof(out)), ERR_OK);
	ck_assert_mem_eq(out, text, 114);
	ck_assert_int_eq(
	    crypto_xopen(out, &k, nonce, bytes_of(ad, 11), out, sizeof(out)), ERR_AUTH);
	ck_assert_int_eq(crypto_xopen(out, &k, nonce, bytes_of(ad, 12), out, 15), ERR_AUTH);
}
END_TEST

START_TEST(password_key_is_a_function_of_both)
{
	struct key a, b;
	uint8_t salt[16] = { 1 };

	ck_assert_int_eq(crypto_password_key(&a, "correct horse", salt), ERR_OK);
	salt[15] = 1;
	ck_assert_int_eq(crypto_password_key(&b, "correct horse", salt), ERR_OK);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
}
END_TEST

START_TEST(hex_refuses_bad_text)
{
	uint8_t out[2] = { 7, 7 };

	ck_assert_int_eq(hex_decode(out, 2, "0aFf", 4), ERR_OK);
	ck_assert_mem_eq(out, "\x0a\xff", 2);
	ck_assert_int_eq(hex_decode(out, 2, "0aF", 3), ERR_INVALID);
	ck_assert_int_eq(hex_decode(out, 2, "0aFf0", 5), ERR_INVALID);
	ck_assert_int_eq(hex_decode(out, 2, "0aFf00", 6), ERR_INVALID);
	ck_assert_int_eq(hex_decode(out, 2, "11g1", 4), ERR_INVALID);
	ck_assert_int_eq(hex_decode(out, 2, "11 1", 4), ERR_INVALID);
	ck_assert_int_eq(hex_decode(out, 2, "11:1", 4), ERR_INVALID);
	ck_assert_mem_eq(out, "\x0a\xff", 2);
	ck_assert_int_eq(hex_decode(out, 0, "", 0), ERR_OK);
}
END_TEST

START_TEST(base64url_round_trip_and_bad_text)
{
	/* RFC 4648 §10, without padding */
	static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE",
		"Zm9vYmFy" };
	static const char *const bad[] = { "Z", "Zh", "Zm9", "Zg==", "Zm+v", "Zm/v", "Zm9\n",
		"Zm9 ", "Zm9vY", "Zm\xc3\xb6" };
	char text[32];
	uint8_t out[6];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert_int_eq(base64url_encode(text, strlen(texts[i]) + 1, "foobar", i), ERR_OK);
		ck_assert_str_eq(text, texts[i]);
		ck_assert_int_eq(
		    base64url_encode(text, strlen(texts[i]), "foobar", i), ERR_TOO_BIG);
		ck_assert_int_eq(
		    base64url_decode(out, sizeof(out), &len, texts[i], strlen(texts[i])), ERR_OK);
		ck_assert_uint_eq(len, i);
		ck_assert_mem_eq(out, "foobar", i);
	}
	ck_assert_int_eq(base64url_decode(out, 6, &len, "-_-_", 4), ERR_OK);
	ck_assert_mem_eq(out, "\xfb\xff\xbf", 3);
	len = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(
		    base64url_decode(out, 6, &len, bad[i], strlen(bad[i])), ERR_INVALID);
	ck_assert_int_eq(base64url_decode(out, 2, &len, "Zm9v", 4), ERR_TOO_BIG);
	ck_assert_mem_eq(out, "\xfb\xff\xbf", 3);
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(versions_name_both_libraries)
{
	char text[128];

	ck_assert_ptr_nonnull(strstr(crypto_versions(text, sizeof(text)), "libsodium "));
	ck_assert_ptr_nonnull(strstr(text, "OpenSSL "));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/crypto");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "crypto", 60, sha256_vectors, both_libraries_hash_alike, md5_vectors,
	    hmac_vectors, derivation_is_hmac_of_label_zero_id, ed25519_vectors, x25519_vectors,
	    low_order_points_are_refused, identity_keys_agree, aead_vector,
	    both_libraries_seal_alike, xchacha_vector, password_key_is_a_function_of_both,
	    hex_refuses_bad_text, base64url_round_trip_and_bad_text, versions_name_both_libraries,
	    NULL);
	return suite_main(s);
}
