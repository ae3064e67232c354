/* What a node remembers of its chunks and of those who hold the rest; what siblings ask. */
#include <stdlib.h>

#include "overlay/base/msg.h"
#include "storage/holds.h"
#include "storage/lease.h"
#include "storage/ledger.h"
#include "storage/neighbours.h"
#include "storage/patience.h"
#include "test/unit/suite.h"

static const struct seeded seed = { { 0xf2a74de452e6b439, 0x6513270e269e0d37, 0x0c5c7fd0a6a3a451,
    0xd23f0824128b2f33, 0x1818e811892f902b, 0x9531985d5d9dc9f9, 0xe8e25d940ed90475,
    0x36f675cc81e74ef5, 0x1600a35a099950d9 } };

static struct hash
name(unsigned i)
{
	struct hash h;

	crypto_sha256(&h, &i, sizeof(i));
	return h;
}

START_TEST(a_ledger_finds_what_was_added_and_not_removed)
{
	enum { CHUNKS = 3000 };
	struct ledger *l = ledger_new(&seed);
	size_t cursor = 0, seen = 0;

	ck_assert_ptr_null(ledger_any(l, name(1).b));
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct hash h = name(i);

		ck_assert_ptr_nonnull(ledger_add(l, &h, (uint8_t)(i % 7)));
		if (i % 5 == 0)
			ledger_add(l, &h, 200);
		ledger_add(l, &h, (uint8_t)(i % 7))->n = 9;
	}
	for (unsigned i = 0; i < CHUNKS; i += 2) {
		struct hash h = name(i);

		ledger_remove(l, ledger_find(l, &h, (uint8_t)(i % 7)));
	}
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct hash h = name(i);
		struct held *first = ledger_find(l, &h, (uint8_t)(i % 7));

		ck_assert_int_eq(first != NULL, i % 2 == 1);
		if (first != NULL)
			ck_assert_uint_eq(first->n, 9);
		ck_assert_int_eq(ledger_find(l, &h, 200) != NULL, i % 5 == 0);
		ck_assert_int_eq(ledger_any(l, h.b) != NULL, i % 2 == 1 || i % 5 == 0);
	}
	while (ledger_next(l, &cursor) != NULL)
		seen++;
	ck_assert_uint_eq(seen, ledger_count(l));
	ck_assert_uint_eq(seen, CHUNKS / 2 + CHUNKS / 5);
	ledger_free(l);
}
END_TEST

START_TEST(a_shard_is_found_before_bare_leases)
{
	struct ledger *l = ledger_new(&seed);
	struct hash h = name(1);

	ledger_add(l, &h, INDEX_NONE);
	ck_assert_uint_eq(ledger_any(l, h.b)->index, INDEX_NONE);
	ledger_add(l, &h, 4);
	ck_assert_uint_eq(ledger_any(l, h.b)->index, 4);
	ledger_free(l);
}
END_TEST

static struct neighbour *
neighbour(struct neighbours *n, uint8_t i, uint64_t now)
{
	return neighbours_get(
	    n, &(struct newcomer){ .pub = &(struct pubkey){ { i, 1 } }, .now = now });
}

START_TEST(an_outage_is_told_from_single_losses)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	uint64_t grace = MINUTES(10), window = HOURS(1), now = HOURS(10);

	for (uint8_t i = 0; i < 20; i++)
		neighbour(n, i, HOURS(1));
	for (uint8_t i = 0; i < 2; i++)
		neighbour(n, i, 0)->silent_at = now - MINUTES(11);
	ck_assert(!neighbours_vanished(n, now, grace, window, window));
	/* Silent, but within the grace. */
	neighbour(n, 2, 0)->silent_at = now - MINUTES(9);
	ck_assert(!neighbours_vanished(n, now, grace, window, window));
	neighbour(n, 2, 0)->silent_at = now - MINUTES(12);
	ck_assert(neighbours_vanished(n, now, grace, window, window));
	/* Long gone ones are no outage of now. */
	neighbour(n, 2, 0)->silent_at = now - HOURS(3);
	ck_assert(!neighbours_vanished(n, now, grace, window, window));
	neighbours_free(n);
}
END_TEST

/* A new holder hears of siblings that are dead already: they have not vanished before its eyes. */
START_TEST(whom_nobody_knew_alive_has_not_vanished)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	uint64_t now = HOURS(10);

	for (uint8_t i = 0; i < 9; i++)
		neighbour(n, i, now - HOURS(2));
	for (uint8_t i = 0; i < 3; i++)
		neighbour(n, i, 0)->silent_at = now - HOURS(2) + SECONDS(1);
	ck_assert(!neighbours_vanished(n, now, MINUTES(10), HOURS(3), HOURS(1)));
	neighbours_free(n);
}
END_TEST

/* ---- a full table ---- */

static struct neighbour *
named(struct neighbours *n, unsigned i, uint64_t sponsor, uint32_t tour)
{
	struct hash h = name(i);
	struct pubkey pub;

	memcpy(pub.b, h.b, sizeof(pub.b));
	neighbours_look(n);
	return neighbours_get(
	    n, &(struct newcomer){ .pub = &pub, .now = tour, .tour = tour, .sponsor = sponsor });
}

/* Behind each tour all are asked: the real ones answer. */
static unsigned
ask_named(struct neighbours *n, unsigned invented, unsigned real)
{
	struct pubkey pub;
	unsigned heard = 0;

	for (unsigned i = 0; i < invented + real; i++) {
		struct hash h = name(i);
		struct neighbour *one;

		memcpy(pub.b, h.b, sizeof(pub.b));
		one = neighbours_find(n, &pub);
		if (one == NULL)
			continue;
		if (i < invented) {
			one->silent_at = 1;
		} else {
			neighbours_heard(n, one, i);
			heard++;
		}
	}
	return heard;
}

/* A stranger's lists name a thousand who do not exist, before and after the others. */
START_TEST(invented_siblings_make_room)
{
	enum { MOST = 256, INVENTED = 1000, REAL = 60 };
	struct neighbours *n = neighbours_new(&seed, MOST);

	for (unsigned i = 0; i < INVENTED; i++)
		named(n, i, 1, 1);
	ck_assert_uint_eq(neighbours_count(n), MOST);
	for (unsigned i = 0; i < REAL; i++)
		ck_assert_ptr_nonnull(named(n, INVENTED + i, 2 + i % 3, 1));
	/* They have not been asked yet, and keep their places. */
	for (unsigned i = 0; i < INVENTED; i++)
		named(n, i, 1, 1);
	ck_assert_uint_eq(ask_named(n, INVENTED, REAL), REAL);
	for (uint32_t tour = 2; tour < 20; tour++) {
		for (unsigned i = 0; i < INVENTED; i++)
			named(n, tour * INVENTED + i, tour, tour);
		ck_assert_uint_eq(ask_named(n, INVENTED, REAL), REAL);
	}
	ck_assert_uint_eq(neighbours_count(n), MOST);
	neighbours_free(n);
}
END_TEST

/* Where the same one brings both, nothing tells them apart but an answer; each has its turn. */
START_TEST(all_of_one_sponsor_have_their_turn)
{
	enum { MOST = 256, INVENTED = 2000, REAL = 20 };
	struct neighbours *n = neighbours_new(&seed, MOST);
	unsigned heard = 0;
	uint32_t tour = 0;

	for (; heard < REAL && tour < 200; tour++) {
		for (unsigned i = 0; i < INVENTED + REAL; i++)
			named(n, i, 1, tour);
		heard = ask_named(n, INVENTED, REAL);
	}
	ck_assert_msg(heard == REAL, "%u after %u tours", heard, tour);
	neighbours_free(n);
}
END_TEST

START_TEST(who_is_asked_or_held_keeps_his_place)
{
	enum { MOST = 64, INVENTED = 1000 };
	struct neighbours *n = neighbours_new(&seed, MOST);
	struct neighbour *asked = named(n, 0, 1, 1), *held = named(n, 1, 1, 1);
	struct pubkey pub = held->contact.pub;

	asked->asking = true;
	held->silent_at = 1;
	for (unsigned i = 2; i < MOST; i++)
		named(n, i, 1, 1);
	neighbours_look(n);
	ck_assert_ptr_eq(neighbours_hold(n, &pub), held);
	for (unsigned i = MOST; i < INVENTED; i++) {
		struct hash h = name(i);
		struct newcomer who = { .pub = &(struct pubkey){ { 0 } }, .tour = 2, .sponsor = 2 };
		struct pubkey new;

		memcpy(new.b, h.b, sizeof(new.b));
		who.pub = &new;
		neighbours_get(n, &who);
	}
	ck_assert_ptr_eq(neighbours_find(n, &pub), held);
	ck_assert_ptr_eq(neighbours_find(n, &asked->contact.pub), asked);
	/* All others have made room within the same look, who came later did not. */
	ck_assert_uint_eq(neighbours_count(n), MOST);
	asked->asking = false;
	neighbours_free(n);
}
END_TEST

/* Many who answer, from one place, do not take them all; from many places they do. */
START_TEST(one_network_does_not_take_all_places)
{
	enum { MOST = 128, MANY = 128 };
	for (int spread = 0; spread < 2; spread++) {
		struct neighbours *n = neighbours_new(&seed, MOST);
		struct neighbour *one;

		for (unsigned i = 0; i < MANY; i++) {
			one = named(n, i, 1, 1);
			neighbours_heard(n, one, 1 + (spread ? i : 0));
		}
		one = named(n, MANY, 2, 1);
		ck_assert_int_eq(one == NULL, spread);
		neighbours_free(n);
	}
}
END_TEST

START_TEST(neighbours_come_and_go)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	size_t cursor = 0, seen = 0;

	for (uint8_t i = 0; i < 100; i++)
		neighbour(n, i, 1);
	for (uint8_t i = 0; i < 100; i += 2)
		neighbours_remove(n, neighbour(n, i, 1));
	ck_assert_uint_eq(neighbours_count(n), 50);
	while (neighbours_next(n, &cursor) != NULL)
		seen++;
	ck_assert_uint_eq(seen, 50);
	ck_assert_ptr_null(neighbours_find(n, &(struct pubkey){ { 2, 1 } }));
	ck_assert_ptr_nonnull(neighbours_find(n, &(struct pubkey){ { 3, 1 } }));
	neighbours_free(n);
}
END_TEST

static uint64_t
always_zero(void *arg, uint64_t bound)
{
	(void)arg;
	(void)bound;
	return 0;
}

START_TEST(what_is_to_be_told_is_not_displaced)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	struct neighbour *one = neighbour(n, 1, 1);

	for (unsigned i = 0; i < 3 * HOLDS_MAX; i++) {
		struct hold h = { .yours = 1, .mine = (uint8_t)i, .tell = i % 4 == 0 };

		ck_assert(
		    neighbour_offer(one, &h, always_zero, NULL) == (!h.tell || i / 4 < HOLDS_MAX));
	}
	ck_assert_uint_eq(one->batch->count, HOLDS_MAX);
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		ck_assert_int_eq(one->batch->at[i].tell, i < (3 * HOLDS_MAX + 3) / 4);
	neighbours_free(n);
}
END_TEST

/* One neighbour by second: what it counts as, against the words in doc/design.md. */
START_TEST(who_is_away_is_given_its_time)
{
	for (uint64_t silent = 0; silent < 40; silent += 10) {
		for (uint64_t until = 0; until < 60; until += 7) {
			struct neighbour one = { .silent_at = silent, .away_until = until };
			uint64_t grace = 5;

			for (uint64_t now = MAX(silent, (uint64_t)1); now < 80; now++) {
				bool away = silent != 0 && now < until;
				uint64_t from = until > silent ? until : silent;
				bool gone = silent != 0 && now > from + grace;

				ck_assert(neighbour_away(&one, now) == away);
				ck_assert(neighbour_gone(&one, now, grace) == gone);
				ck_assert(!away || !gone);
				ck_assert(neighbour_silent_for(&one, now, grace) ==
					  (silent != 0 && now > silent + grace));
			}
		}
	}
}
END_TEST

#define NOW_S UINT64_C(1800000000)

START_TEST(a_drain_is_bounded_and_numbered)
{
	struct drain none = { 0 }, first, second, known = { 0 };

	ck_assert_int_eq(drain_say(&none, NOW_S, NOW_S * 1000, &first), ERR_INVALID);
	ck_assert_int_eq(
	    drain_say(&none, NOW_S + DRAIN_MAX_S + 1, NOW_S * 1000, &first), ERR_INVALID);
	ck_assert_int_eq(drain_say(&none, UINT64_MAX, NOW_S * 1000, &first), ERR_INVALID);
	ck_assert_int_eq(drain_say(&none, NOW_S + DRAIN_MAX_S, NOW_S * 1000, &first), ERR_OK);
	/* In the same millisecond, and by a clock that went back: still a higher number. */
	ck_assert_int_eq(drain_say(&first, 0, NOW_S * 1000, &second), ERR_OK);
	ck_assert_uint_gt(second.issued_ms, first.issued_ms);
	ck_assert_int_eq(drain_say(&second, NOW_S - 5, (NOW_S - 10) * 1000, &second), ERR_OK);
	ck_assert_uint_gt(second.issued_ms, first.issued_ms + 1);
	second = (struct drain){ first.issued_ms + 1, 0 };

	ck_assert(drain_runs(&first, NOW_S) && !drain_runs(&first, NOW_S + DRAIN_MAX_S));
	ck_assert(drain_tells(&first, NOW_S) && !drain_tells(&first, NOW_S + DRAIN_MAX_S));
	/* An end is told as long as the beginning could be believed. */
	ck_assert(!drain_runs(&second, NOW_S) && drain_tells(&second, NOW_S));
	ck_assert(drain_tells(&second, NOW_S + DRAIN_MAX_S - 1));
	ck_assert(!drain_tells(&second, NOW_S + DRAIN_MAX_S + 1));
	ck_assert(!drain_tells(&none, NOW_S));

	ck_assert(drain_hear(&known, &first, NOW_S));
	ck_assert_uint_eq(drain_left_s(&known, NOW_S), DRAIN_MAX_S);
	ck_assert(!drain_hear(&known, &first, NOW_S));
	ck_assert(drain_hear(&known, &second, NOW_S));
	ck_assert_uint_eq(drain_left_s(&known, NOW_S), 0);
	/* The old one, sent again. */
	ck_assert(!drain_hear(&known, &first, NOW_S));
	ck_assert_uint_eq(drain_left_s(&known, NOW_S), 0);
}
END_TEST

START_TEST(a_drain_that_cannot_be_is_not_heard)
{
	struct drain wrong[] = {
		{ NOW_S * 1000, NOW_S + DRAIN_MAX_S + LEASE_CLOCK_SLACK_S + 1 },
		{ NOW_S * 1000, UINT64_MAX },
		{ (NOW_S + LEASE_CLOCK_SLACK_S + 1) * 1000, NOW_S + 10 },
		{ UINT64_MAX, 0 },
		{ 0, NOW_S + 10 },
	};
	struct drain known = { 0 }, late = { NOW_S * 1000, NOW_S + DRAIN_MAX_S + 60 };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert(!drain_hear(&known, &wrong[i], NOW_S));
		ck_assert_uint_eq(known.issued_ms + known.until_s, 0);
	}
	/* By a clock that goes a minute before ours: no longer than the maximum all the same. */
	ck_assert(drain_hear(&known, &late, NOW_S));
	ck_assert_uint_eq(drain_left_s(&known, NOW_S), DRAIN_MAX_S);
}
END_TEST

/* The largest question fits, with all that may be said beside it. */
START_TEST(what_is_said_beside_holds)
{
	struct holds *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
	struct holds_reply reply = { .count = 2, .at = { HOLD_YES, HOLD_LEASES } }, back;
	struct buf b;

	buf_init(&b, RPC_DATAGRAM_BODY_MAX);
	in->count = HOLDS_MAX;
	in->drain = (struct drain){ UINT64_MAX, UINT64_MAX };
	ck_assert_int_eq(holds_pack(in, &b), ERR_OK);
	ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_OK);
	ck_assert_uint_eq(out->drain.issued_ms, UINT64_MAX);
	ck_assert_uint_eq(out->drain.until_s, UINT64_MAX);
	/* Without chunks, and an end. */
	in->count = 0;
	in->drain = (struct drain){ 5, 0 };
	buf_reset(&b);
	ck_assert_int_eq(holds_pack(in, &b), ERR_OK);
	ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_OK);
	ck_assert(out->count == 0 && out->drain.issued_ms == 5 && out->drain.until_s == 0);
	reply.drain = in->drain;
	buf_reset(&b);
	ck_assert_int_eq(holds_reply_pack(&reply, &b), ERR_OK);
	ck_assert_int_eq(holds_reply_unpack(buf_bytes(&b), &back), ERR_OK);
	ck_assert(back.count == 2 && back.at[1] == HOLD_LEASES && back.drain.issued_ms == 5);
	/* One half of it, no number, another type. */
	for (int i = 0; i < 4; i++) {
		struct msg_writer w;

		buf_reset(&b);
		w = msg_writer_on(&b);
		msg_put_map(&w, i < 2 ? 2 : 3);
		msg_pair_bin(&w, 1, bytes_of("", 0));
		if (i == 0)
			msg_pair_u64(&w, 2, 7);
		else if (i == 1)
			msg_pair_u64(&w, 3, 7);
		if (i >= 2)
			msg_pair_u64(&w, 2, i == 2 ? 0 : 7);
		if (i == 2)
			msg_pair_u64(&w, 3, 7);
		else if (i == 3)
			msg_pair_str(&w, 3, "7");
		ck_assert_int_eq(msg_done(&w), ERR_OK);
		ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_INVALID);
		ck_assert_int_eq(holds_reply_unpack(buf_bytes(&b), &back), ERR_INVALID);
	}
	buf_fini(&b);
	free(in);
	free(out);
}
END_TEST

/* A tour's questions are not asked twice, and the most impatient chunk decides when. */
START_TEST(a_tour_begins_with_what_is_to_be_told)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	struct neighbour *one = neighbour(n, 1, 1);
	struct hold told = { .tell = true }, asked = { .yours = 1 };

	neighbour_meet(one, 1, HOURS(4));
	neighbour_offer(one, &asked, always_zero, NULL);
	neighbour_offer(one, &told, always_zero, NULL);
	neighbour_meet(one, 1, HOURS(1));
	neighbour_meet(one, 1, HOURS(2));
	ck_assert_uint_eq(one->every, HOURS(1));
	ck_assert_uint_eq(one->batch->count, 2);
	neighbour_meet(one, 2, HOURS(8));
	ck_assert_uint_eq(one->every, HOURS(8));
	ck_assert_uint_eq(one->batch->count, 1);
	ck_assert(one->batch->at[0].tell);
	neighbours_free(n);
}
END_TEST

/* What failed in the middle of a tour was noticed too late for the chunks before: the next one is
 * to tell all, too. */
START_TEST(who_did_not_hear_is_told_by_a_whole_tour)
{
	struct neighbour one = { .silent_at = 0 };

	neighbour_unheard(&one, 6); /* behind the sixth */
	neighbour_toured(&one, 7);
	ck_assert(!one.tell_all);
	neighbour_unheard(&one, 8); /* within the eighth */
	neighbour_toured(&one, 8);
	ck_assert(one.tell_all);
	neighbour_toured(&one, 9);
	ck_assert(!one.tell_all);
	one.silent_at = 1;
	neighbour_unheard(&one, 9);
	neighbour_toured(&one, 10);
	neighbour_toured(&one, 11);
	ck_assert(one.tell_all);
}
END_TEST

START_TEST(some_silent_at_once_alarm)
{
	struct neighbours *n = neighbours_new(&seed, NEIGHBOURS_MAX);
	uint64_t now = HOURS(10);

	for (uint8_t i = 0; i < 100; i++)
		neighbour(n, i, 1);
	for (uint8_t i = 0; i < 5; i++)
		neighbour(n, i, 1)->silent_at = now - MINUTES(30);
	neighbour(n, 5, 1)->silent_at = now - HOURS(2);
	ck_assert(!neighbours_fell_silent(n, now, HOURS(1)));
	neighbour(n, 6, 1)->silent_at = now;
	ck_assert(neighbours_fell_silent(n, now, HOURS(1)));
	neighbours_free(n);
}
END_TEST

/* Who has more to spare is asked no oftener; nobody waits longer than TOUR_MOST. */
START_TEST(questions_follow_what_is_to_spare)
{
	uint64_t before = 0;

	ck_assert_uint_eq(patience_between(8, 7, 8, 0), TOUR_EAGER);
	for (uint8_t alive = 0; alive <= 24; alive++) {
		uint64_t every = patience_between(alive, 16, 24, 0);

		ck_assert_uint_ge(every, before);
		ck_assert_uint_le(every, TOUR_MOST);
		if (alive <= 17)
			ck_assert_uint_eq(every, TOUR_LAZY);
		before = every;
	}
	ck_assert_uint_eq(patience_between(18, 16, 24, 0), 2 * TOUR_LAZY);
	ck_assert_uint_eq(before, TOUR_MOST);
	ck_assert_uint_eq(patience_between(4, 6, 8, HOURS(12)), HOURS(4));
}
END_TEST

/* As many as end within a claim's time; at least one. */
START_TEST(a_slow_line_repairs_one_after_the_other)
{
	static const struct {
		uint64_t bytes_s, claim;
		uint8_t count;
	} cases[] = {
		{ 0, SECONDS(10), REPAIRS_AT_ONCE },
		{ 1, SECONDS(10), 1 },
		{ MIB(5) / 2, SECONDS(10), 1 },
		{ 2 * MIB(13), SECONDS(10), 2 },
		{ 3 * MIB(13), SECONDS(10), REPAIRS_AT_ONCE },
		{ MIB(25), MINUTES(10), REPAIRS_AT_ONCE },
		{ KIB(300), MINUTES(10), 1 },
		{ UINT64_MAX, 1, REPAIRS_AT_ONCE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_uint_eq(
		    patience_repairs(cases[i].bytes_s, cases[i].claim), cases[i].count);
}
END_TEST

/* A dozen questions in a day of silence, one lookup before the shorter grace is over. */
START_TEST(the_silent_are_asked_ever_more_rarely)
{
	uint64_t at = 0, asked = 0, sought_at = 0, sought = 0;

	while (at < DAYS(1)) {
		at += patience_again(at);
		asked++;
		if (patience_seek(at, at - sought_at)) {
			sought++;
			sought_at = at;
		}
	}
	ck_assert_uint_ge(asked, 8);
	ck_assert_uint_le(asked, 12);
	ck_assert_uint_le(sought, 2);
	ck_assert(patience_seek(SEEK_AFTER, SEEK_AFTER));
	ck_assert_uint_lt(SEEK_AFTER, GRACE_EAGER);
	ck_assert(!patience_seek(HOURS(3), HOURS(3) - SEEK_AFTER));
	ck_assert(!patience_seek(DAYS(7), DAYS(3)));
	ck_assert(patience_seek(DAYS(8), DAYS(4)));
	ck_assert_uint_eq(patience_again(DAYS(30)), AGAIN_MOST);
}
END_TEST

START_TEST(holds_come_through_and_nonsense_does_not)
{
	struct holds *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
	struct buf b;

	in->count = HOLDS_MAX;
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		in->at[i] = (struct hold){ .chunk = { (uint8_t)i },
			.mine = (uint8_t)i,
			.yours = 3,
			.tell = i % 2 == 0,
			.lost = i % 4 == 0,
			.lease_sum = i };
	buf_init(&b, RPC_DATAGRAM_BODY_MAX);
	ck_assert_int_eq(holds_pack(in, &b), ERR_OK);
	ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_OK);
	ck_assert_mem_eq(in, out, sizeof(*in));
	/* Of what a later version may mean nothing is guessed. */
	b.data[b.len - 5] = 8;
	ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_INVALID);
	b.data[b.len - 5] = 2;
	ck_assert_int_eq(holds_unpack(buf_bytes(&b), out), ERR_INVALID);
	buf_fini(&b);
	free(in);
	free(out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/keeping");

	suite_add(s, "ledger", 30, a_ledger_finds_what_was_added_and_not_removed,
	    a_shard_is_found_before_bare_leases, NULL);
	suite_add(s, "neighbours", 30, an_outage_is_told_from_single_losses,
	    whom_nobody_knew_alive_has_not_vanished, neighbours_come_and_go,
	    invented_siblings_make_room, all_of_one_sponsor_have_their_turn,
	    who_is_asked_or_held_keeps_his_place, one_network_does_not_take_all_places,
	    what_is_to_be_told_is_not_displaced, a_tour_begins_with_what_is_to_be_told,
	    who_did_not_hear_is_told_by_a_whole_tour, some_silent_at_once_alarm, NULL);
	suite_add(s, "patience", 30, questions_follow_what_is_to_spare,
	    a_slow_line_repairs_one_after_the_other, the_silent_are_asked_ever_more_rarely, NULL);
	suite_add(s, "holds", 30, holds_come_through_and_nonsense_does_not,
	    what_is_said_beside_holds, NULL);
	suite_add(s, "drain", 30, who_is_away_is_given_its_time, a_drain_is_bounded_and_numbered,
	    a_drain_that_cannot_be_is_not_heard, NULL);
	return suite_main(s);
}
