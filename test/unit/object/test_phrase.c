/* Recovery phrases: the published vectors of BIP-39 for 256 bits, the list, and wrong phrases. */
#include <ctype.h>

#include "object/account.h"
#include "object/phrase_words.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

/* Of trezor/python-mnemonic's vectors.json, which BIP-39 names as its test vectors. */
static const struct {
	const char *entropy, *phrase;
} vectors[] = {
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
	    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
	    "abandon abandon abandon art" },
	{ "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
	    "legal winner thank year wave sausage worth useful legal winner thank year wave "
	    "sausage worth useful legal winner thank year wave sausage worth title" },
	{ "8080808080808080808080808080808080808080808080808080808080808080",
	    "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd "
	    "amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless" },
	{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	    "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
	    "zoo zoo vote" },
	{ "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
	    "hamster diagram private dutch cause delay private meat slide toddler razor book "
	    "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length" },
	{ "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
	    "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich "
	    "alcohol speed nation flash devote level hobby quick inner drive ghost inside" },
	{ "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
	    "all hour make first leader extend hole alien behind guard gospel lava path output "
	    "census museum junior mass reopen famous sing advance salt reform" },
	{ "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
	    "void come effort suffer camp survey warrior heavy shoot primary clutch crush open "
	    "amazing screen patrol group space point ten exist slush involve unfold" },
};

START_TEST(the_list_is_the_published_one)
{
	struct sha256 *s = sha256_new();
	struct hash sum;
	uint8_t expected[32];

	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < PHRASE_LIST_WORDS; i++) {
		sha256_update(s, phrase_words[i], strlen(phrase_words[i]));
		sha256_update(s, "\n", 1);
		ck_assert(i == 0 || strcmp(phrase_words[i - 1], phrase_words[i]) < 0);
	}
	sha256_final(s, &sum);
	sha256_free(s);
	ck_assert_int_eq(hex_decode(expected, 32,
			     "2f5eed53a4727b4bf8880d8f3f199efc"
			     "90e58503646d9ff8eff3a2ed3b24dbda",
			     64),
	    ERR_OK);
	ck_assert_mem_eq(sum.b, expected, 32);
}
END_TEST

START_TEST(published_vectors)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct key seed, back;
		char text[PHRASE_TEXT_MAX];
		unsigned bad = 99;

		ck_assert_int_eq(hex_decode(seed.b, 32, vectors[i].entropy, 64), ERR_OK);
		phrase_from_seed(&seed, text);
		ck_assert_str_eq(text, vectors[i].phrase);
		ck_assert_int_eq(phrase_to_seed(text, &back, &bad), ERR_OK);
		ck_assert_mem_eq(back.b, seed.b, 32);
		ck_assert_uint_eq(bad, 0);
	}
}
END_TEST

START_TEST(case_and_white_space_do_not_matter)
{
	char text[2 * PHRASE_TEXT_MAX] = "\n\t ";
	size_t at = 3;
	struct key seed, expected;
	unsigned bad;

	for (const char *p = vectors[5].phrase; *p != '\0'; p++) {
		if (*p == ' ') {
			text[at++] = '\r';
			text[at++] = '\n';
		} else {
			text[at] = (char)(at % 2 == 0 ? toupper((unsigned char)*p) : *p);
			at++;
		}
	}
	strcpy(text + at, "  \n");
	ck_assert_int_eq(hex_decode(expected.b, 32, vectors[5].entropy, 64), ERR_OK);
	ck_assert_int_eq(phrase_to_seed(text, &seed, &bad), ERR_OK);
	ck_assert_mem_eq(seed.b, expected.b, 32);
}
END_TEST

/* ERR_INVALID, the number of the bad word as expected, and the seed untouched. */
static void
refused(const char *text, unsigned word)
{
	struct key seed, before;
	unsigned bad = 99;

	memset(&seed, 0x5a, sizeof(seed));
	before = seed;
	ck_assert_int_eq(phrase_to_seed(text, &seed, &bad), ERR_INVALID);
	ck_assert_uint_eq(bad, word);
	ck_assert_mem_eq(seed.b, before.b, 32);
}

START_TEST(wrong_words_are_named)
{
	static const char *const bad[] = { "abandom", "abandonx", "abandonabandon", "a", "zoos",
		"caf\xc3\xa9", "able,", "1", "." };
	char text[2 * PHRASE_TEXT_MAX];

	for (unsigned at = 1; at <= PHRASE_WORDS; at++) {
		const char *wrong = bad[at % ARRAY_LEN(bad)];

		text[0] = '\0';
		for (unsigned i = 1; i <= PHRASE_WORDS; i++) {
			strcat(text, i == at ? wrong : i == PHRASE_WORDS ? "art" : "abandon");
			strcat(text, " ");
		}
		refused(text, at);
	}
}
END_TEST

START_TEST(wrong_counts_are_refused)
{
	char text[2 * PHRASE_TEXT_MAX];

	refused("", 0);
	refused(" \t\r\n", 0);
	strcpy(text, vectors[4].phrase);
	for (size_t len = strlen(text); len-- > 0;) {
		/* Cut behind each word. */
		if (text[len] != ' ')
			continue;
		text[len] = '\0';
		refused(text, 0);
	}
	strcpy(text, vectors[4].phrase);
	strcat(text, " abandon");
	refused(text, 0);
	strcpy(text, vectors[4].phrase);
	strcat(text, " nonsense");
	refused(text, 25);
	/* 12 words are a valid phrase of another length: not ours. */
	refused("legal winner thank year wave sausage worth useful legal winner thank yellow", 0);
}
END_TEST

/* Every other last word but the eight that share its seed bits' checksum is refused. */
START_TEST(the_checksum_counts)
{
	char text[2 * PHRASE_TEXT_MAX];
	size_t accepted = 0, head;

	strcpy(text, vectors[6].phrase);
	head = (size_t)(strrchr(text, ' ') - text) + 1;
	for (size_t i = 0; i < PHRASE_LIST_WORDS; i++) {
		struct key seed;
		unsigned bad = 99;

		strcpy(text + head, phrase_words[i]);
		if (phrase_to_seed(text, &seed, &bad) == ERR_OK) {
			accepted++;
			phrase_from_seed(&seed, text);
		}
		ck_assert_uint_eq(bad, 0);
		ck_assert_str_eq(text + head, phrase_words[i]);
	}
	/* 11 bits of the last word: 3 of seed, 8 of checksum. */
	ck_assert_uint_eq(accepted, 8);
	refused("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
		"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
		"abandon abandon art abandon",
	    0);
}
END_TEST

START_TEST(any_seed_survives)
{
	struct hash h = { { 1 } };

	for (int i = 0; i < 500; i++) {
		struct key seed, back;
		char text[PHRASE_TEXT_MAX];
		unsigned bad;

		crypto_sha256(&h, h.b, sizeof(h.b));
		memcpy(seed.b, h.b, sizeof(seed.b));
		phrase_from_seed(&seed, text);
		ck_assert_uint_lt(strlen(text), PHRASE_TEXT_MAX);
		ck_assert_int_eq(phrase_to_seed(text, &back, &bad), ERR_OK);
		ck_assert_mem_eq(back.b, seed.b, 32);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/phrase");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "right", 0, the_list_is_the_published_one, published_vectors,
	    case_and_white_space_do_not_matter, any_seed_survives, NULL);
	suite_add(s, "wrong", 0, wrong_words_are_named, wrong_counts_are_refused,
	    the_checksum_counts, NULL);
	return suite_main(s);
}
