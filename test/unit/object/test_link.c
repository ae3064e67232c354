/* Links: round trips, one spelling each, and the way from read to verify. */
#include "object/link.h"

#include <stdio.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

static struct link
make_link(enum link_kind kind, uint8_t seed)
{
	struct link l = { .kind = kind, .net = { { 1, 2, 3, seed } } };
	struct hash h;

	crypto_sha256(&h, &seed, 1);
	l.manifest = h;
	crypto_sha256(&h, h.b, sizeof(h.b));
	memcpy(l.key.b, h.b, sizeof(l.key.b));
	return l;
}

static bool
same(const struct link *a, const struct link *b)
{
	return a->kind == b->kind && memcmp(a->net.b, b->net.b, sizeof(a->net.b)) == 0 &&
	       hash_equal(&a->manifest, &b->manifest) &&
	       memcmp(a->key.b, b->key.b, sizeof(a->key.b)) == 0;
}

/* The error, with out untouched. */
static int
refusal(const char *text)
{
	struct link out, before;
	int err;

	memset(&out, 0x5a, sizeof(out));
	memcpy(&before, &out, sizeof(out));
	err = link_parse(text, &out);
	if (err != ERR_OK)
		ck_assert_mem_eq(&out, &before, sizeof(out));
	return err;
}

START_TEST(round_trip)
{
	for (unsigned i = 0; i < 256; i++) {
		struct link l = make_link(i % 2 ? LINK_READ : LINK_VERIFY, (uint8_t)i), back;
		char text[LINK_TEXT_MAX];

		link_print(&l, text);
		ck_assert_uint_eq(strlen(text), 7 + 3 + 96);
		ck_assert_int_eq(strncmp(text, i % 2 ? "skerry:r1-" : "skerry:v1-", 10), 0);
		ck_assert_int_eq(link_parse(text, &back), ERR_OK);
		ck_assert(same(&l, &back));
	}
}
END_TEST

/* Every letter changed to every other byte, for one link of each kind. */
START_TEST(each_changed_letter_is_seen)
{
	for (int kind = 0; kind < 2; kind++) {
		struct link l = make_link(kind == 0 ? LINK_READ : LINK_VERIFY, 7);
		char text[LINK_TEXT_MAX];

		link_print(&l, text);
		for (size_t i = 0; text[i] != '\0'; i++) {
			char was = text[i];

			for (int c = 0; c < 256; c++) {
				int err;

				text[i] = (char)c;
				if (text[i] == was)
					continue;
				err = refusal(text);
				if (i == 8 && c >= '0' && c <= '9')
					ck_assert_int_eq(err, ERR_VERSION);
				else
					ck_assert_int_eq(err, ERR_INVALID);
			}
			text[i] = was;
		}
		ck_assert_int_eq(refusal(text), ERR_OK);
	}
}
END_TEST

START_TEST(cut_and_longer_links_are_refused)
{
	struct link l = make_link(LINK_READ, 9);
	char text[LINK_TEXT_MAX], longer[2 * LINK_TEXT_MAX];

	link_print(&l, text);
	for (size_t len = 0; len < strlen(text); len++) {
		memcpy(longer, text, len);
		longer[len] = '\0';
		ck_assert_int_eq(refusal(longer), ERR_INVALID);
	}
	for (const char *more = "A=-_.r"; *more != '\0'; more++) {
		snprintf(longer, sizeof(longer), "%s%c", text, *more);
		ck_assert_int_eq(refusal(longer), ERR_INVALID);
		snprintf(longer, sizeof(longer), "%c%s", *more, text);
		ck_assert_int_eq(refusal(longer), ERR_INVALID);
	}
	memset(longer, 'A', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, text, 10);
	ck_assert_int_eq(refusal(longer), ERR_INVALID);
	/* Two halves on two lines, as a mail program may break it. */
	snprintf(longer, sizeof(longer), "%.50s\n%s", text, text + 50);
	ck_assert_int_eq(refusal(longer), ERR_INVALID);
}
END_TEST

START_TEST(white_space_around_is_allowed)
{
	struct link l = make_link(LINK_VERIFY, 3), back;
	char text[LINK_TEXT_MAX], spaced[2 * LINK_TEXT_MAX];

	link_print(&l, text);
	snprintf(spaced, sizeof(spaced), " \t\r\n%s\r\n \t", text);
	ck_assert_int_eq(link_parse(spaced, &back), ERR_OK);
	ck_assert(same(&l, &back));
	ck_assert_int_eq(refusal(""), ERR_INVALID);
	ck_assert_int_eq(refusal(" \n"), ERR_INVALID);
	ck_assert_int_eq(refusal("skerry:"), ERR_INVALID);
}
END_TEST

START_TEST(later_versions_are_told_from_nonsense)
{
	ck_assert_int_eq(refusal("skerry:r2-whatever comes then"), ERR_VERSION);
	ck_assert_int_eq(refusal("skerry:v9-"), ERR_VERSION);
	ck_assert_int_eq(refusal("skerry:r2"), ERR_INVALID);
	ck_assert_int_eq(refusal("skerry:x1-AAAA"), ERR_INVALID);
	ck_assert_int_eq(refusal("SKERRY:r1-AAAA"), ERR_INVALID);
	ck_assert_int_eq(refusal("http://skerry/"), ERR_INVALID);
}
END_TEST

START_TEST(verify_links_read_nothing)
{
	struct link l = make_link(LINK_READ, 1), v, again;
	struct key derived;
	char text[LINK_TEXT_MAX];

	link_to_verify(&l, &v);
	ck_assert_int_eq(v.kind, LINK_VERIFY);
	ck_assert(hash_equal(&v.manifest, &l.manifest));
	ck_assert_mem_eq(v.net.b, l.net.b, sizeof(l.net.b));
	/* One way: HMAC of the read key; the read key itself is nowhere in it. */
	crypto_derive(&derived, &l.key, "verify", NULL);
	ck_assert_mem_eq(v.key.b, derived.b, 32);
	ck_assert_mem_ne(v.key.b, l.key.b, 32);
	/* A verify link gives itself, so a chain of them never gets further. */
	link_to_verify(&v, &again);
	ck_assert(same(&v, &again));
	/* The letter is under the check: a verify link is not retyped as a read link. */
	link_print(&v, text);
	text[7] = 'r';
	ck_assert_int_eq(refusal(text), ERR_INVALID);
	/* In place. */
	link_to_verify(&l, &l);
	ck_assert(same(&l, &v));
	link_wipe(&l);
	ck_assert_mem_eq(&l, &(struct link){ 0 }, sizeof(l));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/link");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "text", 30, round_trip, each_changed_letter_is_seen,
	    cut_and_longer_links_are_refused, white_space_around_is_allowed,
	    later_versions_are_told_from_nonsense, NULL);
	suite_add(s, "verify", 0, verify_links_read_nothing, NULL);
	return suite_main(s);
}
