/* Access keys: what is drawn, what they allow against a table, and the form that is kept. */
#include "object/access_key.h"

#include <stdio.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

static struct access_key
drawn(uint8_t seed)
{
	struct access_key k = { .label = "a tool", .created_ms = 1000 };
	uint8_t random[ACCESS_RANDOM];

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(seed * 31 + i * 7);
	access_key_draw(&k, random);
	return k;
}

static void
grant(struct access_key *k, const char *where, uint8_t rights)
{
	ck_assert_uint_lt(k->grants_count, ACCESS_GRANTS_MAX);
	ck_assert_int_eq(access_grant_parse(where, rights, &k->grants[k->grants_count]), ERR_OK);
	k->grants_count++;
}

/* Each of the 90 bits decides one letter, each of the 240 one of the secret. */
START_TEST(every_random_bit_counts)
{
	uint8_t random[ACCESS_RANDOM] = { 0 };
	struct access_key a = { .id = "" }, b;
	size_t ids = 0, secrets = 0;

	access_key_draw(&a, random);
	ck_assert_str_eq(a.id, "SKAAAAAAAAAAAAAAAAAA");
	ck_assert_uint_eq(strlen(a.secret), ACCESS_SECRET_TEXT - 1);
	for (size_t bit = 0; bit < 8 * ACCESS_RANDOM; bit++) {
		memset(random, 0, sizeof(random));
		random[bit / 8] = (uint8_t)(0x80 >> bit % 8);
		access_key_draw(&b, random);
		ck_assert(access_id_valid(b.id, strlen(b.id)));
		ids += strcmp(a.id, b.id) != 0;
		secrets += strcmp(a.secret, b.secret) != 0;
	}
	ck_assert_uint_eq(ids, 90);
	ck_assert_uint_eq(secrets, 240);
}
END_TEST

START_TEST(rights_as_words)
{
	uint8_t r = 0;

	ck_assert_int_eq(access_rights_parse("read", &r), ERR_OK);
	ck_assert_uint_eq(r, ACCESS_READ);
	ck_assert_int_eq(access_rights_parse("Write,READ", &r), ERR_OK);
	ck_assert_str_eq(access_rights_text(r), "read,write");
	ck_assert_int_eq(access_rights_parse("all", &r), ERR_OK);
	ck_assert_uint_eq(r, ACCESS_ALL);
	for (uint8_t i = 1; i <= ACCESS_ALL; i++) {
		ck_assert_int_eq(access_rights_parse(access_rights_text(i), &r), ERR_OK);
		ck_assert_uint_eq(r, i);
	}
	ck_assert_int_eq(access_rights_parse("", &r), ERR_INVALID);
	ck_assert_int_eq(access_rights_parse("read,", &r), ERR_INVALID);
	ck_assert_int_eq(access_rights_parse("reads", &r), ERR_INVALID);
}
END_TEST

START_TEST(places_are_refused)
{
	struct access_grant g;
	char longer[400];

	ck_assert_int_eq(access_grant_parse("", ACCESS_READ, &g), ERR_INVALID);
	ck_assert_int_eq(access_grant_parse("/x", ACCESS_READ, &g), ERR_INVALID);
	ck_assert_int_eq(access_grant_parse("b/x", ACCESS_ALL, &g), ERR_INVALID);
	ck_assert_int_eq(access_grant_parse("b", 0, &g), ERR_INVALID);
	ck_assert_int_eq(access_grant_parse("b", 8, &g), ERR_INVALID);
	snprintf(longer, sizeof(longer), "%064d", 0);
	ck_assert_int_eq(access_grant_parse(longer, ACCESS_READ, &g), ERR_INVALID);
	snprintf(longer, sizeof(longer), "b/%0256d", 0);
	ck_assert_int_eq(access_grant_parse(longer, ACCESS_READ, &g), ERR_INVALID);
}
END_TEST

START_TEST(what_is_allowed)
{
	struct access_key k = drawn(1);
	static const struct {
		const char *bucket, *key;
		uint8_t rights; /* that are allowed */
	} cases[] = {
		{ "photos", NULL, ACCESS_READ | ACCESS_ADMIN },
		{ "photos", "a", ACCESS_READ | ACCESS_ADMIN },
		{ "photos", "in/a", ACCESS_READ | ACCESS_WRITE | ACCESS_ADMIN },
		{ "photos", "in", ACCESS_READ | ACCESS_ADMIN },
		{ "photos", "In/a", ACCESS_READ | ACCESS_ADMIN },
		{ "photos2", NULL, 0 },
		{ "photo", "in/a", 0 },
		{ "logs", "x", ACCESS_WRITE },
		{ NULL, NULL, ACCESS_ALL },
	};

	grant(&k, "photos", ACCESS_READ | ACCESS_ADMIN);
	grant(&k, "photos/in/", ACCESS_WRITE);
	grant(&k, "logs", ACCESS_WRITE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes key = { NULL, 0 };

		if (cases[i].key != NULL)
			key = bytes_of(cases[i].key, strlen(cases[i].key));
		for (uint8_t r = 1; r < ACCESS_ALL; r = (uint8_t)(r * 2)) {
			bool want = (cases[i].rights & r) != 0;

			ck_assert_msg(access_allows(&k, 5, cases[i].bucket, key, r) == want,
			    "case %zu, right %u", i, r);
		}
	}
	ck_assert(access_sees(&k, 5, "photos") && !access_sees(&k, 5, "photos2"));
}
END_TEST

START_TEST(everywhere_and_until)
{
	struct access_key k = drawn(2);
	struct bytes key = bytes_of("k", 1);

	ck_assert(!access_allows(&k, 5, NULL, key, ACCESS_READ)); /* no grant, no right */
	grant(&k, "*", ACCESS_READ);
	ck_assert(access_allows(&k, 5, "any", key, ACCESS_READ));
	ck_assert(!access_allows(&k, 5, "any", key, ACCESS_WRITE));
	ck_assert(access_sees(&k, 5, "other"));
	k.expires_ms = 10;
	ck_assert(access_allows(&k, 9, "any", key, ACCESS_READ));
	ck_assert(!access_allows(&k, 10, "any", key, ACCESS_READ));
	ck_assert(!access_sees(&k, 10, "any"));
}
END_TEST

START_TEST(kept_form)
{
	struct access_key k = drawn(3), back = { .id = "" };
	struct buf form;

	grant(&k, "*", ACCESS_READ);
	grant(&k, "photos/in/", ACCESS_READ | ACCESS_WRITE);
	k.expires_ms = 77;
	buf_init_secret(&form, ACCESS_KEY_BYTES_MAX);
	ck_assert_int_eq(access_key_pack(&k, &form), ERR_OK);
	ck_assert_int_eq(access_key_unpack(buf_bytes(&form), &back), ERR_OK);
	ck_assert_mem_eq(&back, &k, sizeof(k));
	/* Cut anywhere, or longer: refused, and nothing is given. */
	for (size_t len = 0; len < form.len; len++)
		ck_assert_int_ne(access_key_unpack(bytes_of(form.data, len), &back), ERR_OK);
	ck_assert_int_eq(buf_append(&form, "", 1), ERR_OK);
	ck_assert_int_eq(access_key_unpack(buf_bytes(&form), &back), ERR_CORRUPT);
	form.len--;
	form.data[strlen("skerry/access/")] = '2';
	ck_assert_int_eq(access_key_unpack(buf_bytes(&form), &back), ERR_VERSION);
	ck_assert_mem_eq(&back, &k, sizeof(k));
	buf_wipe(&form);
	access_key_wipe(&k);
	ck_assert_mem_eq(&k, &(struct access_key){ .id = "" }, sizeof(k));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/access_key");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "made", 0, every_random_bit_counts, rights_as_words, places_are_refused, NULL);
	suite_add(s, "allows", 0, what_is_allowed, everywhere_and_until, NULL);
	suite_add(s, "kept", 0, kept_form, NULL);
	return suite_main(s);
}
