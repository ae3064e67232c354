/*
 * Networks that bring records: what one of them can do to those of others, and the rules of
 * shares.h against a naive store that looks at everything.
 */
#include "dht/shares.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "dht/records.h"
#include "overlay/base/err.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/dht/records_store.h"
#include "test/unit/suite.h"

#define STORE    KIB(640)
#define SHARE    (STORE / SHARES_PARTS)
#define LEN      500
#define HONEST   100 /* networks */
#define STRANGER 666
#define OTHER    667

/* The own id is zero, so a key's number is its distance. */
static struct record
make(uint64_t distance, uint64_t sequence)
{
	struct record r = { .kind = RECORD_SIGNED, .sequence = sequence, .len = LEN };
	uint64_t top = htobe64(distance);

	memcpy(r.key.b, &top, sizeof(top));
	memset(r.bytes, (int)sequence, LEN);
	return r;
}

static int
put(struct records *s, uint64_t network, const struct record *r)
{
	return records_put(s, r, &(struct records_how){ .network = network, .now = SECONDS(1) });
}

static bool
any(void *arg, const struct record *r)
{
	*(struct record *)arg = *r;
	return true;
}

static bool
has(struct records *s, uint64_t distance)
{
	struct record r = make(distance, 0), got;

	return records_get(s, &r.key, RECORD_SIGNED, SECONDS(2), any, &got) > 0;
}

static uint64_t
honest_distance(uint64_t i)
{
	return (1000 + i) << 32;
}

/* Each network the same number of records, until one finds no room. */
static uint64_t
fill_honestly(struct records *s, uint64_t records)
{
	for (uint64_t i = 0; i < records; i++) {
		struct record r = make(honest_distance(i), 1);

		if (put(s, 1 + i % HONEST, &r) != ERR_OK)
			return i;
	}
	return records;
}

static uint64_t
honest_left(struct records *s, uint64_t records)
{
	uint64_t left = 0;

	for (uint64_t i = 0; i < records; i++)
		left += has(s, honest_distance(i));
	return left;
}

static void
flood(struct records *s, uint64_t network, uint64_t first)
{
	for (uint64_t i = 0; i < 2 * STORE / LEN; i++) {
		/* Nearer and nearer, so that by distance each has a place. */
		struct record r = make(first + 1000000 - i, 1);

		(void)put(s, network, &r);
		ck_assert_uint_le(records_bytes(s), STORE);
	}
}

/* Records ground near the id, twice as many as fit: of the others a share goes, the farthest. */
START_TEST(one_network_flushes_no_more_than_a_share)
{
	struct records *s = store(STORE);
	uint64_t all = fill_honestly(s, 100000), gone = SHARE / stored_cost(LEN) + 1;

	ck_assert_uint_lt(all, 100000);
	flood(s, STRANGER, 1);
	ck_assert_uint_ge(honest_left(s, all), all - gone);
	for (uint64_t i = 0; i < all - gone; i++)
		ck_assert(has(s, honest_distance(i)));
	/* Two networks: two shares. */
	flood(s, OTHER, UINT64_C(1) << 30);
	ck_assert_uint_ge(honest_left(s, all), all - 2 * gone);
	records_free(s);
}
END_TEST

/* What a network took while nobody wanted it goes first, though all of it is nearer. */
START_TEST(free_room_is_given_back)
{
	struct records *s = store(STORE);
	uint64_t all = STORE / stored_cost(LEN) * 9 / 10;

	flood(s, STRANGER, 1);
	ck_assert(records_full(s));
	ck_assert_uint_eq(records_count(s), STORE / stored_cost(LEN));
	ck_assert_uint_eq(fill_honestly(s, all), all);
	ck_assert_uint_eq(honest_left(s, all), all);
	flood(s, STRANGER, UINT64_C(1) << 30);
	ck_assert_uint_eq(honest_left(s, all), all);
	records_free(s);
}
END_TEST

START_TEST(own_ones_make_room_by_distance)
{
	struct records *s = store(STORE);
	uint64_t all = fill_honestly(s, 100000), before, n = 0;
	struct record r;

	/* To the limit of the share, all nearer than what is there. */
	do {
		r = make(1000000 + ++n, 1);
		ck_assert_int_eq(put(s, STRANGER, &r), ERR_OK);
	} while ((n + 1) * stored_cost(LEN) <= SHARE);
	before = honest_left(s, all);
	r = make(1000000 + n + 1, 1); /* farther than all of its own */
	ck_assert_int_eq(put(s, STRANGER, &r), ERR_FULL);
	r = make(1000000, 1);
	ck_assert_int_eq(put(s, STRANGER, &r), ERR_OK);
	ck_assert(!has(s, 1000000 + n));
	ck_assert(has(s, 1000000 + n - 1));
	ck_assert_uint_eq(honest_left(s, all), before);
	records_free(s);
}
END_TEST

/* The larger of two that are above their share gives to the smaller, until they are equal. */
START_TEST(who_has_most_gives_first)
{
	struct records *s = store(STORE);
	uint64_t half = STORE / stored_cost(LEN) / 2, small = 0;

	flood(s, STRANGER, 1);
	flood(s, OTHER, UINT64_C(1) << 30);
	for (uint64_t i = 0; i < 2 * STORE / LEN; i++)
		small += has(s, (UINT64_C(1) << 30) + 1000000 - i);
	ck_assert_uint_ge(small, half - 1);
	ck_assert_uint_le(small, half + 1);
	records_free(s);
}
END_TEST

/* A stranger sends what others publish, before or after them, and then more than its share. */
START_TEST(nobody_is_taken_down_by_who_sends_it_too)
{
	bool stranger_first = _i == 0;
	struct records *s = store(STORE);
	uint64_t count = SHARE / stored_cost(LEN) / 2;

	for (uint64_t i = 0; i < count; i++) {
		struct record r = make(honest_distance(i), 1);

		ck_assert_int_eq(put(s, stranger_first ? STRANGER : 1, &r), ERR_OK);
		ck_assert_int_eq(put(s, stranger_first ? 1 : STRANGER, &r), ERR_OK);
	}
	flood(s, STRANGER, 1);
	ck_assert(records_full(s));
	ck_assert_uint_eq(honest_left(s, count), count);
	/* And again: those for which the other pays by now stay as well. */
	flood(s, STRANGER, UINT64_C(1) << 30);
	ck_assert_uint_eq(honest_left(s, count), count);
	records_free(s);
}
END_TEST

START_TEST(renewals_find_their_place)
{
	struct records *s = store(STORE);
	struct record r = make(honest_distance(3), 1), got;
	uint64_t all, nearest = 1 + 1000000 - 2 * STORE / LEN + 1;

	flood(s, STRANGER, 1);
	all = fill_honestly(s, 2 * STORE / stored_cost(LEN));
	flood(s, STRANGER, UINT64_C(1) << 30);
	/* By others, the stranger too: the same, and what is newer. */
	ck_assert_int_eq(put(s, 2, &r), ERR_OK);
	ck_assert_int_eq(put(s, STRANGER, &r), ERR_OK);
	ck_assert_int_eq(put(s, 0, &r), ERR_OK);
	for (uint64_t i = 0; i < all; i++) {
		r = make(honest_distance(i), 2);
		if (has(s, honest_distance(i)))
			ck_assert_int_eq(put(s, i % 2 == 0 ? STRANGER : OTHER, &r), ERR_OK);
	}
	/* A longer one, of a record that the stranger has brought and no longer can pay for. */
	ck_assert(has(s, nearest));
	r = make(nearest, 2);
	r.len = RECORD_BYTES_MAX;
	ck_assert_int_eq(put(s, 5, &r), ERR_OK);
	records_get(s, &r.key, RECORD_SIGNED, SECONDS(2), any, &got);
	ck_assert_uint_eq(got.len, RECORD_BYTES_MAX);
	records_free(s);
}
END_TEST

/* Where networks cannot be told apart distance alone decides. */
START_TEST(one_machine_has_no_shares)
{
	struct records *s = store(STORE);

	for (uint64_t i = 0; i < 2000; i++) {
		struct record r = make(honest_distance(i), 1);

		(void)put(s, 0, &r);
	}
	ck_assert_uint_eq(records_count(s), STORE / stored_cost(LEN));
	flood(s, 0, 1);
	ck_assert_uint_eq(honest_left(s, 2000), 0);
	ck_assert_uint_eq(records_count(s), STORE / stored_cost(LEN));
	records_free(s);
}
END_TEST

/* ---- the naive store: all rules by looking at everything ---- */

#define KEYS  400
#define STEPS 30000
#define SMALL KIB(100) /* nine networks and a share of 10 KiB */
#define WHO   14

struct naive {
	struct record r;
	uint64_t by, also, expires;
	bool used;
};

static struct naive naive[KEYS]; /* sorted: the key's distance is the place */

static uint64_t
naive_bytes(uint64_t by, const struct naive *without)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < KEYS; i++)
		if (naive[i].used && naive[i].by == by && &naive[i] != without)
			bytes += stored_cost(naive[i].r.len);
	return bytes;
}

static uint64_t
naive_most(uint64_t *most)
{
	uint64_t bytes = 0;

	for (uint64_t who = 1; who < WHO; who++) {
		uint64_t b = naive_bytes(who, NULL);

		if (b > SHARES_BYTES_MIN && b > bytes) {
			bytes = b;
			*most = who;
		}
	}
	return bytes;
}

static void
naive_note(struct naive *e, uint64_t who)
{
	if (who == 0)
		e->by = 0;
	else if (e->by != 0 && e->by != who &&
		 (e->also == 0 || naive_bytes(e->also, NULL) > SHARES_BYTES_MIN))
		e->also = who;
}

/* Marks what goes for place k, to be paid by pays. */
static int
naive_room(size_t k, uint64_t pays, uint64_t cost, bool *goes)
{
	uint64_t used = cost, most = 0, after = naive_bytes(pays, &naive[k]) + cost;
	bool nearer = naive_most(&most) > (pays == 0 ? 0 : after);
	bool own = pays != 0 && after > SHARES_BYTES_MIN;

	for (size_t i = 0; i < KEYS; i++)
		used += naive[i].used && i != k ? stored_cost(naive[i].r.len) : 0;
	memset(goes, 0, KEYS);
	for (size_t i = KEYS; used > SMALL; i--) {
		struct naive *e = &naive[i - 1];

		if (i == 0 || (!nearer && i - 1 <= k))
			return ERR_FULL;
		if (!e->used || i - 1 == k || (nearer && e->by != most) ||
		    (!nearer && own && e->by != pays))
			continue;
		if ((nearer || own) && e->also != 0 &&
		    naive_bytes(e->also, NULL) + stored_cost(e->r.len) <= SHARES_BYTES_MIN) {
			e->by = e->also;
			e->also = 0;
			return naive_room(k, pays, cost, goes);
		}
		goes[i - 1] = true;
		used -= stored_cost(e->r.len);
	}
	return ERR_OK;
}

static int
naive_put(size_t k, const struct record *r, uint64_t who, uint64_t now)
{
	struct naive *e = &naive[k];
	bool valid = e->used && e->expires > now, goes[KEYS];
	uint64_t pays = who, cost = stored_cost(r->len), also = valid ? e->also : 0;
	int err;

	if (valid && e->r.sequence > r->sequence)
		return ERR_STALE;
	if (valid && e->r.sequence == r->sequence) {
		e->expires = now + RECORD_SIGNED_TTL;
		naive_note(e, who);
		return ERR_OK;
	}
	if (valid && (e->by == 0 || (who != 0 && naive_bytes(e->by, e) + cost <= SHARES_BYTES_MIN)))
		pays = e->by;
	err = naive_room(k, pays, cost, goes);
	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < KEYS; i++)
		naive[i].used = naive[i].used && !goes[i];
	*e = (struct naive){
		.r = *r, .by = pays, .also = also, .expires = now + RECORD_SIGNED_TTL, .used = true
	};
	naive_note(e, who);
	return ERR_OK;
}

START_TEST(random_networks_agree)
{
	struct dice d = { 91 + (uint64_t)_i };
	struct records *s = store(SMALL);
	uint64_t now = SECONDS(1);
	size_t full = 0, kept;

	printf("seed %llu\n", (unsigned long long)(91 + _i));
	memset(naive, 0, sizeof(naive));
	for (size_t step = 0; step < STEPS; step++) {
		size_t k = dice_below(&d, KEYS);
		/* Some bring much, some little; 0 is ourselves. */
		uint64_t who = dice_below(&d, 1 + dice_below(&d, WHO));
		struct record r = make(k, 1 + dice_below(&d, 4) + step / 3000);
		int err;

		now += SECONDS(dice_below(&d, 120));
		r.len = (uint16_t)(100 * r.sequence % (RECORD_BYTES_MAX + 1));
		memset(r.bytes, (int)r.sequence, r.len);
		err = records_put(s, &r, &(struct records_how){ .network = who, .now = now });
		ck_assert_int_eq(err, naive_put(k, &r, who, now));
		ck_assert_uint_le(records_bytes(s), SMALL);
		full += err == ERR_FULL;
		if (step % 500 > 0)
			continue;
		records_expire(s, now);
		kept = 0;
		for (size_t i = 0; i < KEYS; i++) {
			naive[i].used = naive[i].used && naive[i].expires > now;
			kept += naive[i].used;
			r = make(i, 0);
			ck_assert_uint_eq(
			    records_get(s, &r.key, RECORD_SIGNED, now, any, &r), naive[i].used);
		}
		ck_assert_uint_eq(records_count(s), kept);
	}
	ck_assert_uint_gt(full, 100);
	records_expire(s, now + DAYS(3));
	ck_assert_uint_eq(records_bytes(s), 0);
	records_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/shares");
	TCase *tc = tcase_create("loops");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, nobody_is_taken_down_by_who_sends_it_too, 0, 2);
	tcase_add_loop_test(tc, random_networks_agree, 0, 3);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 0, one_network_flushes_no_more_than_a_share, free_room_is_given_back,
	    own_ones_make_room_by_distance, who_has_most_gives_first, renewals_find_their_place,
	    one_machine_has_no_shares, NULL);
	return suite_main(s);
}
