/* Who takes a ballot when: single cases, and rivals that only know what they see of each other. */
#include "storage/turns.h"
#include "test/unit/suite.h"

static struct ballot
ballot_of(uint64_t counter, uint8_t writer)
{
	return (struct ballot){ counter, { { writer } }, writer };
}

static struct turns_sight
sight_of(uint64_t counter, uint8_t writer, uint64_t place)
{
	struct ballot b = ballot_of(counter, writer);

	return (struct turns_sight){ .promised = b, .accepted = b, .place = place };
}

/* Looks until it may take the ballot; each time the head has moved by one. The time. */
static uint64_t
look_until(struct turns *t, struct turns_sight s, uint64_t now, bool moves)
{
	for (int i = 0; i < 1000; i++) {
		uint64_t at = turns_look(t, &s, now, 7);

		if (at == 0)
			return now;
		ck_assert_uint_gt(at, now);
		ck_assert_uint_le(at, now + TURNS_LOOK_MAX_NS);
		now = at;
		s.place += moves;
	}
	ck_abort_msg("never its turn");
}

START_TEST(a_rival_has_its_turn)
{
	struct turns t = { .takeover = 0 };
	struct ballot by = ballot_of(5, 2);
	uint64_t now = SECONDS(100), at = turns_lost(&t, &by, now, 0), end;

	ck_assert(turns_crowded(&t, now));
	ck_assert(!turns_crowded(&t, now + TURNS_FORGET_NS));
	ck_assert_uint_eq(at, now);
	end = look_until(&t, sight_of(5, 2, 10), at, true);
	ck_assert_uint_ge(end - at, TURNS_WORTH * TURNS_TAKEOVER_NS);
	ck_assert_uint_le(end - at, TURNS_MAX_NS + 3 * TURNS_TAKEOVER_NS);
}
END_TEST

START_TEST(one_that_rests_is_not_waited_for)
{
	struct turns t = { .takeover = 0 };
	struct ballot by = ballot_of(5, 2);
	uint64_t at = turns_lost(&t, &by, SECONDS(100), 0),
		 end = look_until(&t, sight_of(5, 2, 10), at, false);

	ck_assert_uint_le(end - at, 2 * TURNS_LOOK_MAX_NS);
	ck_assert_uint_lt(end - at, TURNS_WORTH * TURNS_TAKEOVER_NS / 2);
}
END_TEST

START_TEST(a_takeover_is_given_time_but_not_for_ever)
{
	struct turns t = { .takeover = 0 };
	struct turns_sight s = sight_of(4, 1, 10);
	struct ballot by = ballot_of(5, 2);
	uint64_t at = turns_lost(&t, &by, SECONDS(100), 0), end;

	s.promised = by; /* nothing is committed under it, and nothing will be: it is dead */
	end = look_until(&t, s, at, false);
	ck_assert_uint_ge(end - at, TURNS_WORTH * TURNS_TAKEOVER_NS / 2);
	ck_assert_uint_le(end - at, TURNS_PATIENCE_MAX_NS);
}
END_TEST

START_TEST(the_own_ballot_is_nobody_elses)
{
	struct turns t = { .takeover = 0 };
	struct turns_sight s = sight_of(9, 1, 10);

	s.own = true;
	ck_assert_uint_eq(turns_look(&t, &s, SECONDS(1), 0), 0);
}
END_TEST

/* Another ballot of the same writer is no later rival; after an own turn it has one again. */
START_TEST(a_rival_cannot_make_its_turn_longer)
{
	struct turns t = { .takeover = 0 };
	struct ballot by = ballot_of(5, 2);
	uint64_t now = SECONDS(100), at = turns_lost(&t, &by, now, 0), first = 0;

	for (uint64_t counter = 5; at != 0; counter++) {
		struct turns_sight s = sight_of(counter, 2, counter);

		now = at;
		at = turns_look(&t, &s, now, 0);
		ck_assert_uint_lt(now - SECONDS(100), SECONDS(2));
	}
	first = now - SECONDS(100);
	turns_begin(&t, now);
	turns_end(&t, true, now + MILLISECONDS(50));
	by.counter = 1000;
	at = turns_lost(&t, &by, now + MILLISECONDS(60), 0);
	ck_assert_uint_ge(
	    look_until(&t, sight_of(1000, 2, 2000), at, true) - at, first - TURNS_LOOK_MAX_NS);
}
END_TEST

START_TEST(takeovers_are_measured)
{
	struct turns t = { .takeover = 0 };
	struct ballot by = ballot_of(5, 2);

	turns_begin(&t, SECONDS(1));
	turns_begin(&t, SECONDS(2)); /* the same one, asked again */
	turns_end(&t, true, SECONDS(1) + MILLISECONDS(400));
	ck_assert_uint_eq(t.takeover, MILLISECONDS(400));
	turns_end(&t, true, SECONDS(9)); /* a commit in one round is none */
	ck_assert_uint_eq(t.takeover, MILLISECONDS(400));
	/* One that was cut off would have taken longer. */
	turns_begin(&t, SECONDS(10));
	(void)turns_lost(&t, &by, SECONDS(10) + MILLISECONDS(700), 0);
	ck_assert_uint_eq(t.takeover, MILLISECONDS(700));
	turns_begin(&t, SECONDS(20));
	(void)turns_lost(&t, &by, SECONDS(90), 0);
	ck_assert_uint_eq(t.takeover, TURNS_TAKEOVER_MAX_NS);
}
END_TEST

/*
 * Writers that always want to write, each with its own sight of one head: whoever takes the ballot
 * needs a while until its first commit, and is cut off by who takes one meanwhile.
 */
enum { RIVALS = 4 };

START_TEST(all_have_their_turns)
{
	struct turns t[RIVALS];
	uint64_t at[RIVALS] = { 0 }, turns[RIVALS] = { 0 }, commits = 0, place = 0, ready = 0;
	uint64_t counter = 1, cut = 0, random = 1;
	size_t holder = 0;
	struct ballot accepted = ballot_of(0, 0);

	memset(t, 0, sizeof(t));
	for (uint64_t now = SECONDS(1); now < SECONDS(61); now += MILLISECONDS(1)) {
		random = random * UINT64_C(6364136223846793005) + 1;
		if (now >= ready) { /* it commits each 5 ms */
			accepted = ballot_of(counter, (uint8_t)(holder + 1));
			if (now == ready) {
				turns[holder]++;
				turns_end(&t[holder], true, now);
			}
			place += now % MILLISECONDS(5) == 0;
			commits += now % MILLISECONDS(5) == 0;
		}
		for (size_t i = 0; i < RIVALS; i++) {
			struct turns_sight s = { ballot_of(counter, (uint8_t)(holder + 1)),
				accepted, place, false };

			if (i == holder || now < at[i])
				continue;
			at[i] = turns_look(&t[i], &s, now, random >> 16);
			if (at[i] != 0)
				continue;
			cut += now < ready;
			at[holder] = turns_lost(&t[holder],
			    &(struct ballot){ counter + 1, { { (uint8_t)(i + 1) } }, i + 1 }, now,
			    random >> 8);
			holder = i;
			counter++;
			turns_begin(&t[i], now);
			ready = now + MILLISECONDS(20 + 10 * i);
		}
	}
	ck_assert_uint_gt(commits, 12000 / 2);
	for (size_t i = 0; i < RIVALS; i++)
		ck_assert_uint_gt(turns[i], 20);
	ck_assert_uint_lt(cut, 10);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/turns");

	suite_add(s, "turns", 0, a_rival_has_its_turn, one_that_rests_is_not_waited_for,
	    a_takeover_is_given_time_but_not_for_ever, the_own_ballot_is_nobody_elses,
	    a_rival_cannot_make_its_turn_longer, takeovers_are_measured, all_have_their_turns,
	    NULL);
	return suite_main(s);
}
