/*
 * Recovery phrases as in BIP-39: 256 bits of seed and 8 bits of checksum (the first of the seed's
 * SHA-256) make 24 groups of 11 bits, each a word. The seed is the entropy itself, not BIP-39's
 * PBKDF2 of it, so a phrase and a seed are the same thing in two writings.
 */
#include <stdlib.h>

#include "object/account.h"
#include "object/phrase_words.h"
#include "overlay/base/err.h"

#define WORD_BITS 11
#define SEED_BITS 256

static_assert(PHRASE_WORDS * WORD_BITS == SEED_BITS + 8, "the checksum fills the last word");

/* Seed and checksum as one string of bits. */
static void
with_checksum(const struct key *seed, uint8_t out[33])
{
	struct hash h;

	crypto_sha256(&h, seed->b, sizeof(seed->b));
	memcpy(out, seed->b, sizeof(seed->b));
	out[32] = h.b[0];
}

static unsigned
bit_at(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> (7 - i % 8) & 1;
}

void
phrase_from_seed(const struct key *seed, char out[PHRASE_TEXT_MAX])
{
	uint8_t bits[33];
	size_t at = 0;

	with_checksum(seed, bits);
	for (size_t word = 0; word < PHRASE_WORDS; word++) {
		unsigned index = 0;

		for (size_t i = 0; i < WORD_BITS; i++)
			index = index << 1 | bit_at(bits, word * WORD_BITS + i);
		if (word > 0)
			out[at++] = ' ';
		size_t len = strlen(phrase_words[index]);

		memcpy(out + at, phrase_words[index], len);
		at += len;
	}
	out[at] = '\0';
	crypto_wipe(bits, sizeof(bits));
}

static int
compare_words(const void *key, const void *entry)
{
	return strcmp(key, entry);
}

/* The next word in lower case; false at the end. A word too long to be one comes out cut. */
static bool
next_word(const char **text, char out[PHRASE_WORD_MAX + 2])
{
	size_t len = 0;
	const char *p = *text;

	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	for (; *p != '\0' && *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r'; p++) {
		if (len < PHRASE_WORD_MAX + 1)
			out[len++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	}
	out[len] = '\0';
	*text = p;
	return len > 0;
}

int
phrase_to_seed(const char *text, struct key *out, unsigned *bad_word)
{
	uint8_t bits[33] = { 0 }, check[33];
	char word[PHRASE_WORD_MAX + 2];
	struct key seed;
	unsigned count = 0;
	int err = ERR_INVALID;

	*bad_word = 0;
	while (next_word(&text, word)) {
		const char(*found)[PHRASE_WORD_MAX + 1] = bsearch(
		    word, phrase_words, PHRASE_LIST_WORDS, sizeof(phrase_words[0]), compare_words);

		if (found == NULL) {
			*bad_word = count + 1;
			goto out;
		}
		if (count == PHRASE_WORDS)
			goto out;

		size_t index = (size_t)(found - phrase_words);

		for (size_t i = 0; i < WORD_BITS; i++) {
			size_t at = count * WORD_BITS + i;

			if (index >> (WORD_BITS - 1 - i) & 1)
				bits[at / 8] |= (uint8_t)(1u << (7 - at % 8));
		}
		count++;
	}
	if (count != PHRASE_WORDS)
		goto out;
	memcpy(seed.b, bits, sizeof(seed.b));
	with_checksum(&seed, check);
	if (crypto_equal(bits, check, sizeof(bits))) {
		*out = seed;
		err = ERR_OK;
	}
out:
	crypto_wipe(bits, sizeof(bits));
	crypto_wipe(check, sizeof(check));
	crypto_wipe(&seed, sizeof(seed));
	crypto_wipe(word, sizeof(word));
	return err;
}
