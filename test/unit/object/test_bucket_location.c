/* Words of a LocationConstraint: what each sets, and which are refused. */
#include "object/bucket_location.h"

#include "test/unit/suite.h"

static struct bucket_location
parse(const char *text)
{
	struct bucket_location l;

	ck_assert_int_eq(bucket_location_parse(text, &l), ERR_OK);
	ck_assert_str_eq(l.text, text);
	return l;
}

static bool
has(const struct bucket_location *l, const char *two)
{
	for (size_t i = 0; i < l->constraints.countries_count; i++) {
		if (memcmp(l->constraints.countries[i], two, 2) == 0)
			return true;
	}
	return false;
}

START_TEST(nothing_is_asked)
{
	struct bucket_location a = parse(""), b = parse("any");
	const struct constraints none = { 0 };

	ck_assert_mem_eq(&a.constraints, &none, sizeof(none));
	ck_assert_mem_eq(&b.constraints, &none, sizeof(none));
	ck_assert_uint_eq(a.code.k, 0);
}
END_TEST

START_TEST(countries)
{
	struct bucket_location l = parse("de,FR,De");

	ck_assert_uint_eq(l.constraints.countries_count, 2);
	ck_assert(has(&l, "DE") && has(&l, "FR") && !l.constraints.countries_forbidden);
	l = parse("not:us,not:cn");
	ck_assert_uint_eq(l.constraints.countries_count, 2);
	ck_assert(has(&l, "US") && l.constraints.countries_forbidden);
	l = parse("EU");
	ck_assert_uint_eq(l.constraints.countries_count, 27);
	ck_assert(has(&l, "DE") && has(&l, "SE") && !has(&l, "NO") && !has(&l, "GB"));
	l = parse("eea,de");
	ck_assert_uint_eq(l.constraints.countries_count, 30);
	ck_assert(has(&l, "NO") && has(&l, "IS") && has(&l, "LI"));
}
END_TEST

START_TEST(numbers_and_code)
{
	struct bucket_location l =
	    parse("spread:3,country-max:2,operator-max:1,network-max:4,code:4/6/8");

	ck_assert_uint_eq(l.constraints.regions_min, 3);
	ck_assert_uint_eq(l.constraints.per_country_max, 2);
	ck_assert_uint_eq(l.constraints.per_operator_max, 1);
	ck_assert_uint_eq(l.constraints.per_network_max, 4);
	ck_assert_uint_eq(l.code.k, 4);
	ck_assert_uint_eq(l.code.r, 6);
	ck_assert_uint_eq(l.code.n, 8);
}
END_TEST

START_TEST(a_lease_bears_whatever_is_accepted)
{
	struct bucket_location l = parse("eea,spread:3,country-max:2,operator-max:1,network-max:4");
	uint8_t form[LEASE_BYTES_MAX];
	struct key seed = { { 1 } };
	struct sign_key key;
	struct pubkey pub;
	struct lease lease = { .generation = 1, .until = 5, .constraints = l.constraints }, back;

	crypto_sign_key_from_seed(&seed, &key, &pub);
	lease.constraints.repair_at = 6;
	lease_sign(&lease, (struct network_id){ { 1 } }, &key, &pub);
	ck_assert_int_eq(
	    lease_unpack(bytes_of(form, lease_pack(&lease, (struct network_id){ { 1 } }, form)),
		(struct network_id){ { 1 } }, &back),
	    ERR_OK);
	ck_assert_mem_eq(&back.constraints, &lease.constraints, sizeof(lease.constraints));
}
END_TEST

START_TEST(refused)
{
	static const char *const wrong[] = { ",", "de,", ",de", "any,de", "mars", "d1", "de fr",
		"us-east-1", "de,not:us", "not:", "spread:0", "spread:", "spread:256", "spread:+3",
		"spread:-1", "spread:3x", "spread:3,spread:3", "code:4/6", "code:9/9/8",
		"code:1/1/2,code:1/1/2", "spread:3,code:1/1/2", "not:eu,de",
		"de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de,de" };
	struct bucket_location l = { .text = "untouched" };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_msg(bucket_location_parse(wrong[i], &l) == ERR_INVALID, "%s", wrong[i]);
		ck_assert_str_eq(l.text, "untouched");
	}
	ck_assert_int_eq(
	    bucket_location_parse("eea,us", &l), ERR_INVALID); /* more than a lease bears */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/bucket_location");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "words", 0, nothing_is_asked, countries, numbers_and_code,
	    a_lease_bears_whatever_is_accepted, refused, NULL);
	return suite_main(s);
}
