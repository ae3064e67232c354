/* One word after the other; each sets one field, or adds a country. */
#include "object/bucket_location.h"

#include <stdlib.h>

/* The Union's 27, and those of the Economic Area beside them. */
static const char union_countries[] = "ATBEBGHRCYCZDKEEFIFRDEGRHUIEITLVLTLUMTNLPLPTROSKSIESSE";
static const char area_countries[] = "ISLINO";
static_assert(sizeof(union_countries) + sizeof(area_countries) - 2 <= 2 * LEASE_COUNTRIES_MAX,
    "both fit a lease");

enum { WORD_MAX = BUCKET_LOCATION_TEXT };

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int
add_country(struct constraints *c, const char *two, bool forbidden)
{
	char code[2] = { upper(two[0]), upper(two[1]) };

	if (c->countries_count > 0 && c->countries_forbidden != forbidden)
		return ERR_INVALID;
	for (size_t i = 0; i < 2; i++) {
		if (code[i] < 'A' || code[i] > 'Z')
			return ERR_INVALID;
	}
	c->countries_forbidden = forbidden;
	for (size_t i = 0; i < c->countries_count; i++) {
		if (memcmp(c->countries[i], code, sizeof(code)) == 0)
			return ERR_OK;
	}
	if (c->countries_count == LEASE_COUNTRIES_MAX)
		return ERR_INVALID;
	memcpy(c->countries[c->countries_count++], code, sizeof(code));
	return ERR_OK;
}

static int
add_countries(struct constraints *c, const char *codes, bool forbidden)
{
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && codes[i] != '\0'; i += 2)
		err = add_country(c, codes + i, forbidden);
	return err;
}

static int
add_place(struct constraints *c, const char *word, bool forbidden)
{
	int err;

	if (strcmp(word, "eu") != 0 && strcmp(word, "eea") != 0)
		return strlen(word) == 2 ? add_country(c, word, forbidden) : ERR_INVALID;
	err = add_countries(c, union_countries, forbidden);
	if (err == ERR_OK && word[1] == 'e')
		err = add_countries(c, area_countries, forbidden);
	return err;
}

/* 1 … 255, said once. */
static int
set_number(uint8_t *field, const char *digits)
{
	char *end;
	unsigned long v = strtoul(digits, &end, 10);

	if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || v == 0 || v > UINT8_MAX ||
	    *field != 0)
		return ERR_INVALID;
	*field = (uint8_t)v;
	return ERR_OK;
}

static int
take_word(struct bucket_location *l, const char *word)
{
	struct constraints *c = &l->constraints;
	const struct {
		const char *name;
		uint8_t *field;
	} numbers[] = {
		{ "spread:", &c->regions_min },
		{ "country-max:", &c->per_country_max },
		{ "operator-max:", &c->per_operator_max },
		{ "network-max:", &c->per_network_max },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		size_t len = strlen(numbers[i].name);

		if (strncmp(word, numbers[i].name, len) == 0)
			return set_number(numbers[i].field, word + len);
	}
	if (strncmp(word, "code:", 5) == 0)
		return l->code.k == 0 ? code_parse(word + 5, &l->code) : ERR_INVALID;
	if (strncmp(word, "not:", 4) == 0)
		return add_place(c, word + 4, true);
	return add_place(c, word, false);
}

static int
take_words(struct bucket_location *l)
{
	char word[WORD_MAX];
	size_t len = 0;

	for (size_t i = 0;; i++) {
		if (l->text[i] != ',' && l->text[i] != '\0') {
			word[len++] = lower(l->text[i]);
			continue;
		}
		word[len] = '\0';
		if (take_word(l, word) != ERR_OK)
			return ERR_INVALID;
		if (l->text[i] == '\0')
			return ERR_OK;
		len = 0;
	}
}

int
bucket_location_parse(const char *text, struct bucket_location *out)
{
	struct bucket_location l = { .text = "" };
	size_t len = strlen(text);

	if (len >= sizeof(l.text))
		return ERR_INVALID;
	memcpy(l.text, text, len);
	if (len > 0 && strcmp(text, "any") != 0) {
		int err = take_words(&l);

		if (err != ERR_OK)
			return err;
	}
	/* What no shard of a chunk could obey is refused when it is said, not at each put. */
	if (l.code.k != 0 && l.constraints.regions_min > l.code.n)
		return ERR_INVALID;
	*out = l;
	return ERR_OK;
}
