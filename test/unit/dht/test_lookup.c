/*
 * The lookup's decisions on a made-up network without transport: nodes answer at once, late or
 * never, in the order of a naive event list. What it finds is compared with a plain sort.
 */
#include "dht/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/suite.h"

#define NODES    400
#define K        20
#define ALPHA    5
#define SLOW_AT  MILLISECONDS(400)
#define FAIL_AT  SECONDS(3)
#define INFLIGHT LOOKUP_CANDIDATES_MAX

enum kind { HONEST, DEAD, LATE, LIAR };

struct net {
	struct contact node[NODES];
	enum kind kind[NODES];
	struct dice dice;
	unsigned depth_alive; /* most requests under way that take a place */
};

struct flight {
	size_t slot;
	uint64_t at; /* next thing that happens to it */
	uint64_t sent;
	bool slow_told, used;
};

static struct net net;
static struct lookup_state state;

static size_t
index_of(const struct contact *c)
{
	for (size_t i = 0; i < NODES; i++)
		if (id_equal(&net.node[i].id, &c->id))
			return i;
	return NODES;
}

static int
by_distance(const void *a, const void *b, void *target)
{
	return id_compare_distance(
	    target, &net.node[*(const size_t *)a].id, &net.node[*(const size_t *)b].id);
}

static void
net_init(uint64_t seed, unsigned dead_percent, unsigned late_percent, unsigned liar_percent)
{
	printf("seed %llu\n", (unsigned long long)seed);
	memset(&net, 0, sizeof(net));
	net.dice.state = seed;
	for (size_t i = 0; i < NODES; i++) {
		uint64_t roll = dice_below(&net.dice, 100);

		net.node[i] = node_random(&net.dice);
		net.kind[i] = roll < dead_percent                                 ? DEAD
			      : roll < dead_percent + late_percent                ? LATE
			      : roll < dead_percent + late_percent + liar_percent ? LIAR
										  : HONEST;
	}
}

/* What an honest node says: the 20 nearest of a random half of everybody. */
static void
tell(size_t slot, size_t from)
{
	size_t sorted[NODES], told = 0;

	for (size_t i = 0; i < NODES; i++)
		sorted[i] = i;
	qsort_r(sorted, NODES, sizeof(*sorted), by_distance, &state.target);
	for (size_t i = 0; i < NODES && told < K; i++)
		if (sorted[i] != from && dice_below(&net.dice, 2) == 0) {
			lookup_learn(&state, slot, &net.node[sorted[i]], false);
			told++;
		}
}

/* A liar invents nodes right beside the target. */
static void
lie(size_t slot)
{
	for (size_t i = 0; i < K; i++) {
		struct contact c = node_random(&net.dice);

		id_with_prefix(&c.id, &state.target, 32, &c.id);
		lookup_learn(&state, slot, &c, false);
	}
}

static void
arrive(struct flight *f, uint64_t now)
{
	size_t node = index_of(lookup_contact(&state, f->slot));
	bool dead = node == NODES || net.kind[node] == DEAD;

	if (!f->slow_told && (dead || net.kind[node] == LATE)) {
		f->slow_told = true;
		f->at = f->sent + (dead ? FAIL_AT : MILLISECONDS(800));
		lookup_slow(&state, f->slot);
		return;
	}
	f->used = false;
	if (dead) {
		lookup_failed(&state, f->slot);
		return;
	}
	lookup_answered(&state, f->slot, now);
	if (net.kind[node] == LIAR)
		lie(f->slot);
	else
		tell(f->slot, node);
}

static void
check_places(void)
{
	unsigned asked[LOOKUP_PATHS_MAX] = { 0 };

	for (size_t i = 0; i < state.count; i++)
		if (state.at[i].state == CANDIDATE_ASKED)
			asked[state.at[i].path]++;
	for (unsigned p = 0; p < state.paths; p++)
		net.depth_alive = MAX(net.depth_alive, asked[p]);
	for (size_t i = 1; i < state.count; i++)
		ck_assert(
		    id_compare_distance(&state.target, &state.at[state.order[i - 1]].contact.id,
			&state.at[state.order[i]].contact.id) < 0);
}

/* Runs a lookup; returns the virtual time it took. */
static uint64_t
run(const struct lookup_plan *plan)
{
	static struct flight flights[INFLIGHT];
	uint64_t start = SECONDS(10), now = start;

	memset(flights, 0, sizeof(flights));
	lookup_init(&state, plan, now);
	for (size_t i = 0; i < K; i++)
		lookup_seed(&state, &net.node[dice_below(&net.dice, NODES)], false);
	while (!lookup_done(&state, now)) {
		struct flight *next = NULL;
		uint64_t wakeup = lookup_wakeup(&state, now);
		size_t slot;

		while (lookup_next(&state, now, &slot)) {
			struct flight *f = flights;

			while (f->used)
				f++;
			ck_assert(f < flights + INFLIGHT);
			*f = (struct flight){ .slot = slot, .used = true, .sent = now };
			f->at = now + MILLISECONDS(20 + dice_below(&net.dice, 290));
			if (index_of(lookup_contact(&state, slot)) == NODES)
				f->at = now + SLOW_AT;
		}
		check_places();
		for (size_t i = 0; i < INFLIGHT; i++)
			if (flights[i].used && (next == NULL || flights[i].at < next->at))
				next = &flights[i];
		if (wakeup != 0 && (next == NULL || wakeup < next->at)) {
			now = wakeup;
			continue;
		}
		if (next == NULL)
			break;
		now = next->at;
		arrive(next, now);
	}
	return now - start;
}

static struct lookup_plan
plan_random(unsigned paths)
{
	struct lookup_plan p = { .want = K, .paths = paths, .alpha = ALPHA };

	dice_bytes(&net.dice, p.target.b, sizeof(p.target.b));
	dice_bytes(&net.dice, p.self.b, sizeof(p.self.b));
	return p;
}

/* How many of the k nearest that answer at all were found, and whether the nearest was. */
static size_t
recall(bool *nearest)
{
	struct contact got[K];
	size_t sorted[NODES], n = lookup_closest(&state, got, K), live = 0, hit = 0;

	for (size_t i = 0; i < NODES; i++)
		sorted[i] = i;
	qsort_r(sorted, NODES, sizeof(*sorted), by_distance, &state.target);
	*nearest = false;
	for (size_t i = 0; i < NODES && live < K; i++) {
		if (net.kind[sorted[i]] == DEAD)
			continue;
		live++;
		for (size_t j = 0; j < n; j++)
			if (id_equal(&got[j].id, &net.node[sorted[i]].id)) {
				hit++;
				*nearest = *nearest || live == 1;
			}
	}
	return hit;
}

START_TEST(finds_the_closest)
{
	net_init(31 + (uint64_t)_i, 10, 10, 0);
	for (size_t round = 0; round < 40; round++) {
		struct lookup_plan p = plan_random(2);
		bool nearest;
		uint64_t took = run(&p);

		ck_assert_uint_ge(recall(&nearest), 19);
		ck_assert(nearest);
		ck_assert_uint_lt(took, SECONDS(4));
		ck_assert_uint_le(state.asked, 70);
		ck_assert_uint_gt(lookup_first_after(&state), 0);
		ck_assert_uint_le(lookup_first_after(&state), took);
	}
	/* All that are wanted at once, and those asked before a nearer one was known. */
	ck_assert_uint_le(net.depth_alive, K + ALPHA);
}
END_TEST

START_TEST(liars_do_not_stop_it)
{
	size_t good = 0;

	net_init(41, 0, 0, 15);
	for (size_t round = 0; round < 40; round++) {
		struct lookup_plan p = plan_random(4);
		bool nearest;

		run(&p);
		good += recall(&nearest) >= 16;
	}
	printf("%zu of 40 lookups good with 15 %% liars\n", good);
	ck_assert_uint_ge(good, 38);
}
END_TEST

START_TEST(all_dead_ends)
{
	struct lookup_plan p;

	net_init(51, 100, 0, 0);
	p = plan_random(2);
	ck_assert_uint_le(run(&p), SECONDS(20));
	ck_assert(lookup_done(&state, HOURS(1)));
	ck_assert_uint_eq(lookup_first_after(&state), 0);
	ck_assert_uint_eq(state.failed, state.asked);
}
END_TEST

START_TEST(nobody_to_ask_ends_at_once)
{
	struct lookup_plan p;
	size_t slot;

	net_init(52, 0, 0, 0);
	p = plan_random(2);
	lookup_init(&state, &p, 1);
	ck_assert(lookup_done(&state, 1));
	ck_assert(!lookup_next(&state, 1, &slot));
	/* Ourselves, and the same one twice, are no candidates. */
	memcpy(state.self.b, net.node[0].id.b, sizeof(state.self.b));
	lookup_seed(&state, &net.node[0], false);
	lookup_seed(&state, &net.node[1], false);
	lookup_seed(&state, &net.node[1], false);
	ck_assert_uint_eq(state.count, 1);
}
END_TEST

START_TEST(suspects_take_no_place)
{
	struct lookup_plan p;
	size_t slot, asked = 0;

	net_init(53, 0, 0, 0);
	p = plan_random(1);
	lookup_init(&state, &p, 1);
	for (size_t i = 0; i < 12; i++)
		lookup_seed(&state, &net.node[i], i < 4);
	while (lookup_next(&state, 1, &slot))
		asked++;
	ck_assert_uint_ge(asked, ALPHA);
	ck_assert_uint_le(asked, ALPHA + 4);
}
END_TEST

START_TEST(first_only_returns_early)
{
	struct lookup_plan p;
	uint64_t all, first;

	net_init(54, 0, 0, 0);
	p = plan_random(2);
	all = run(&p);
	p.first_only = true;
	first = run(&p);
	ck_assert_uint_lt(first, all);
	ck_assert_uint_gt(lookup_closest(&state, &(struct contact){ 0 }, 1), 0);
}
END_TEST

/* Who looks for one node, by the first eight bytes of its id, asks nobody once it has answered. */
START_TEST(exact_ends_with_the_one)
{
	unsigned asked_all = 0, asked_exact = 0;

	net_init(55, 0, 0, 0);
	for (size_t i = 0; i < 20; i++) {
		struct lookup_plan p = plan_random(2);
		const struct contact *one = &net.node[dice_below(&net.dice, NODES)];
		struct contact found = { 0 };

		memset(&p.target, 0, sizeof(p.target));
		memcpy(p.target.b, one->id.b, 8);
		run(&p);
		asked_all += state.asked;
		p.exact = true;
		run(&p);
		asked_exact += state.asked;
		ck_assert_uint_eq(lookup_closest(&state, &found, 1), 1);
		ck_assert(id_equal(&found.id, &one->id));
	}
	printf("requests for one node: %u, to its answer %u\n", asked_all / 20, asked_exact / 20);
	ck_assert_uint_lt(asked_exact * 8, asked_all * 7);
	/* Where there is none, all is as ever. */
	net_init(55, 0, 0, 0);
	struct lookup_plan p = plan_random(2);
	uint64_t all = run(&p);

	net_init(55, 0, 0, 0);
	p = plan_random(2);
	p.exact = true;
	ck_assert_uint_eq(run(&p), all);
}
END_TEST

START_TEST(one_network_is_not_everywhere)
{
	struct lookup_plan p;
	size_t slot;

	net_init(55, 0, 0, 0);
	p = plan_random(1);
	p.ip_limits = true;
	lookup_init(&state, &p, 1);
	lookup_seed(&state, &net.node[0], false);
	ck_assert(lookup_next(&state, 1, &slot));
	for (size_t i = 1; i < 50; i++) {
		memset(net.node[i].addr.ip, 7, 3);
		lookup_learn(&state, slot, &net.node[i], false);
	}
	ck_assert_uint_eq(state.count, 1 + LOOKUP_PER_NETWORK);
}
END_TEST

static bool
is_candidate(const struct contact *c)
{
	for (size_t i = 0; i < state.count; i++)
		if (pubkey_equal(&state.at[state.order[i]].contact.pub, &c->pub))
			return true;
	return false;
}

/* Keys of few beginnings, so that they crowd the index; two paths that displace their own. */
START_TEST(known_are_the_candidates)
{
	struct lookup_plan p;
	size_t slot, displaced = 0;

	net_init(56 + (uint64_t)_i, 0, 0, 0);
	p = plan_random(2);
	lookup_init(&state, &p, 1);
	for (size_t i = 0; i < NODES; i++) {
		/* At the index's end, where it begins anew. */
		uint16_t home = (uint16_t)(LOOKUP_PLACES - 3 + dice_below(&net.dice, 6) * 7);

		memcpy(net.node[i].pub.b, &home, sizeof(home));
	}
	lookup_seed(&state, &net.node[0], false);
	lookup_seed(&state, &net.node[1], false);
	ck_assert(lookup_next(&state, 1, &slot));
	for (size_t i = 2; i < NODES; i++) {
		size_t before = state.count;

		if (i % 3 == 0 && lookup_next(&state, 1, &slot))
			lookup_failed(&state, slot);
		lookup_learn(&state, i % 2, &net.node[i], false);
		displaced += state.count == before && is_candidate(&net.node[i]);
		check_places();
		for (size_t j = 0; j < NODES; j++)
			ck_assert_int_eq(
			    lookup_known(&state, &net.node[j].pub), is_candidate(&net.node[j]));
	}
	ck_assert_uint_eq(state.count, LOOKUP_CANDIDATES_MAX);
	ck_assert_uint_gt(displaced, 20);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/lookup");
	TCase *tc = tcase_create("model");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, finds_the_closest, 0, 3);
	tcase_add_loop_test(tc, known_are_the_candidates, 0, 3);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 30, liars_do_not_stop_it, all_dead_ends, nobody_to_ask_ends_at_once,
	    suspects_take_no_place, first_only_returns_early, exact_ends_with_the_one,
	    one_network_is_not_everywhere, NULL);
	return suite_main(s);
}
