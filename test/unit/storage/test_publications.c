/* When a bucket's records are due again, and which are forgotten. */
#include "storage/publications.h"
#include "test/unit/suite.h"

static struct pubkey
key_of(uint32_t n)
{
	struct pubkey k = { .b = { (uint8_t)n, (uint8_t)(n >> 8) } };

	return k;
}

START_TEST(anchors_are_due_every_twelve_hours_or_when_they_are_others)
{
	struct publication p = { .users = 0 };
	uint64_t now = SECONDS(5);

	ck_assert(publication_anchors_due(&p, 1, 0, now));
	publication_anchors_put(&p, 1, 0, now);
	ck_assert(!publication_anchors_due(&p, 1, 0, now));
	ck_assert(!publication_anchors_due(&p, 1, 0, now + HOURS(12) - 1));
	ck_assert(publication_anchors_due(&p, 1, 0, now + HOURS(12)));
	ck_assert(publication_anchors_due(&p, 1, 1, now));
	ck_assert(publication_anchors_due(&p, 2, 0, now));
	/* Who is behind does not put what another client's record has left behind. */
	publication_anchors_put(&p, 2, 3, now);
	ck_assert(!publication_anchors_due(&p, 2, 2, now + HOURS(12)));
	ck_assert(!publication_anchors_due(&p, 1, 7, now + HOURS(12)));
	publication_anchors_put(&p, 2, 2, now + HOURS(12));
	ck_assert(publication_anchors_due(&p, 2, 3, now + HOURS(12)));
}
END_TEST

START_TEST(a_head_is_due_every_twelve_hours_or_when_its_root_is_another)
{
	struct publication p = { .users = 0 };
	struct head a = { .epoch = 1, .seq = 5, .root = { { 1 } } }, b = a, old = a;
	uint64_t now = SECONDS(5);

	ck_assert(publication_head_due(&p, &a, now));
	publication_head_put(&p, &a, now);
	ck_assert(!publication_head_due(&p, &a, now + HOURS(12) - 1));
	ck_assert(publication_head_due(&p, &a, now + HOURS(12)));
	b.seq++;
	ck_assert(!publication_head_due(&p, &b, now)); /* the root is the same */
	b.root = (struct hash){ { 2 } };
	ck_assert(publication_head_due(&p, &b, now));
	publication_head_put(&p, &b, now);
	old.root = (struct hash){ { 3 } };
	ck_assert(!publication_head_due(&p, &old, now + HOURS(12)));
	publication_head_put(&p, &old, now + HOURS(12));
	ck_assert(publication_head_due(&p, &b, now + HOURS(12)));
	old.epoch = 2;
	ck_assert(publication_head_due(&p, &old, now));
}
END_TEST

START_TEST(they_are_known_to_whoever_comes_next)
{
	struct publications t = { .count = 0 };
	struct pubkey k = key_of(1), other = key_of(2);
	struct publication *p = publications_use(&t, &k);

	publication_anchors_put(p, 1, 0, HOURS(1));
	ck_assert_ptr_eq(publications_use(&t, &k), p);
	publications_leave(&t, p);
	publications_leave(&t, p);
	p = publications_use(&t, &other);
	ck_assert(publication_anchors_due(p, 1, 0, HOURS(2)));
	publications_leave(&t, p);
	p = publications_use(&t, &k);
	ck_assert(!publication_anchors_due(p, 1, 0, HOURS(2)));
	publications_leave(&t, p);
	publications_fini(&t);
}
END_TEST

START_TEST(the_one_put_longest_ago_is_forgotten)
{
	struct publications t = { .count = 0 };
	struct publication *used, *p;
	struct pubkey k = key_of(0);

	used = publications_use(&t, &k); /* the oldest, but it is in use */
	for (uint32_t i = 1; i < PUBLICATIONS_MAX + 2; i++) {
		k = key_of(i);
		p = publications_use(&t, &k);
		publication_anchors_put(p, 1, 0, SECONDS(i));
		publications_leave(&t, p);
	}
	ck_assert_uint_eq(t.count, PUBLICATIONS_MAX);
	for (uint32_t i = 0; i < PUBLICATIONS_MAX + 2; i++) {
		bool known = false;

		k = key_of(i);
		for (p = t.first; p != NULL; p = p->next)
			known |= pubkey_equal(&p->finder, &k);
		ck_assert(known == (i == 0 || i > 2));
	}
	publications_leave(&t, used);
	publications_fini(&t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/publications");

	suite_add(s, "publications", 0, anchors_are_due_every_twelve_hours_or_when_they_are_others,
	    a_head_is_due_every_twelve_hours_or_when_its_root_is_another,
	    they_are_known_to_whoever_comes_next, the_one_put_longest_ago_is_forgotten, NULL);
	return suite_main(s);
}
