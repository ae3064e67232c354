/*
 * The store of records against a naive one: a plain list, searched from end to end.
 */
#include "dht/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/dht/records_store.h"
#include "test/unit/suite.h"

#define KEYS  40
#define STEPS 20000
#define WALL  UINT64_C(1800000000000)

static struct record
make(
    enum record_kind kind, const struct id *key, uint8_t publisher, uint64_t sequence, uint16_t len)
{
	struct record r = { .kind = kind, .key = *key, .sequence = sequence, .len = len };

	memset(r.publisher.b, publisher, sizeof(r.publisher.b));
	memset(r.bytes, (int)(sequence ^ publisher), len);
	return r;
}

struct seen {
	struct record got[8];
	size_t count;
};

static bool
collect(void *arg, const struct record *r)
{
	struct seen *seen = arg;

	ck_assert_uint_lt(seen->count, ARRAY_LEN(seen->got));
	seen->got[seen->count++] = *r;
	return true;
}

static int
put(struct records *s, const struct record *r, uint64_t now, uint64_t wall_ms)
{
	return records_put(s, r, &(struct records_how){ .now = now, .wall_ms = wall_ms });
}

/* ---- the naive store: signed records only differ by key, so one list does for all ---- */
struct naive {
	struct record r;
	uint64_t expires;
	bool used;
};

static struct naive naive[KEYS * 8];

static int
naive_put(const struct record *r, uint64_t now)
{
	size_t limit = r->kind == RECORD_LOCATION ? RECORD_PUBLISHERS_MAX : 1, n = 0;
	uint64_t ttl = r->kind == RECORD_PEER ? RECORD_PEER_TTL : RECORD_LOCATION_TTL;
	struct naive *same = NULL, *lowest = NULL, *room = NULL;

	for (size_t i = 0; i < ARRAY_LEN(naive); i++) {
		struct naive *e = &naive[i];

		if (e->used && e->expires <= now)
			e->used = false;
		if (!e->used) {
			room = e;
			continue;
		}
		if (e->r.kind != r->kind || !id_equal(&e->r.key, &r->key))
			continue;
		if (pubkey_equal(&e->r.publisher, &r->publisher))
			same = e;
		n++;
		if (lowest == NULL || e->r.sequence < lowest->r.sequence)
			lowest = e;
	}
	if (same != NULL) {
		if (same->r.sequence > r->sequence)
			return ERR_STALE;
		room = same;
	} else if (n >= limit) {
		if (lowest->r.sequence >= r->sequence)
			return ERR_STALE;
		room = lowest;
	}
	ck_assert_ptr_nonnull(room);
	*room = (struct naive){ .r = *r, .expires = now + ttl, .used = true };
	return ERR_OK;
}

static size_t
naive_count(const struct id *key, enum record_kind kind, uint64_t now, const struct seen *seen)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(naive); i++) {
		bool hit = false;

		if (!naive[i].used || naive[i].expires <= now || naive[i].r.kind != kind ||
		    !id_equal(&naive[i].r.key, key))
			continue;
		n++;
		for (size_t j = 0; j < seen->count; j++)
			hit =
			    hit || (pubkey_equal(&seen->got[j].publisher, &naive[i].r.publisher) &&
				       seen->got[j].sequence == naive[i].r.sequence);
		ck_assert(hit);
	}
	return n;
}

START_TEST(random_operations_agree)
{
	struct dice d = { 61 + (uint64_t)_i };
	struct records *s = store(MIB(64));
	uint64_t now = SECONDS(1), expected = 0;
	struct id key[KEYS];

	printf("seed %llu\n", (unsigned long long)(61 + _i));
	memset(naive, 0, sizeof(naive));
	for (size_t i = 0; i < KEYS; i++)
		dice_bytes(&d, key[i].b, sizeof(key[i].b));
	for (size_t step = 0; step < STEPS; step++) {
		const struct id *k = &key[dice_below(&d, KEYS)];
		enum record_kind kind = (enum record_kind)(1 + dice_below(&d, 3));
		uint8_t who = (uint8_t)(1 + dice_below(&d, 6));
		/* Distinct between publishers: ties may be settled either way. */
		struct record r = make(kind, k, who, 8 * dice_below(&d, 1000) + who, 0);
		struct seen seen = { .count = 0 };

		now += SECONDS(dice_below(&d, 60));
		/* One sequence has one content here; the other case has a test of its own. */
		r.len = (uint16_t)(r.sequence % RECORD_BYTES_MAX);
		memset(r.bytes, (int)r.sequence, r.len);
		ck_assert_int_eq(put(s, &r, now, 0), naive_put(&r, now));
		records_get(s, k, kind, now, collect, &seen);
		ck_assert_uint_eq(naive_count(k, kind, now, &seen), seen.count);
		if (step % 100 == 0)
			records_expire(s, now);
	}
	records_expire(s, now);
	for (size_t i = 0; i < ARRAY_LEN(naive); i++)
		expected += naive[i].used && naive[i].expires > now;
	ck_assert_uint_eq(records_count(s), expected);
	records_expire(s, now + DAYS(3));
	ck_assert_uint_eq(records_count(s), 0);
	ck_assert_uint_eq(records_bytes(s), 0);
	records_free(s);
}
END_TEST

START_TEST(full_drops_the_farthest)
{
	struct dice d = { 71 };
	struct records *s = store(KIB(100));
	struct id zero = { { 0 } }, key;
	uint64_t farthest = 0;
	size_t refused = 0;

	for (size_t i = 0; i < 3000; i++) {
		struct record r;
		int err;

		dice_bytes(&d, key.b, sizeof(key.b));
		r = make(RECORD_SIGNED, &key, 1, 1, 500);
		err = put(s, &r, SECONDS(1), WALL);
		ck_assert(err == ERR_OK || err == ERR_FULL);
		ck_assert_uint_le(records_bytes(s), KIB(100));
		refused += err == ERR_FULL;
		if (err == ERR_OK && i > 2000)
			farthest = MAX(farthest, id_distance_top(&zero, &key));
	}
	ck_assert(records_full(s));
	ck_assert_uint_gt(refused, 2000);
	ck_assert_uint_gt(records_count(s), 140);
	/* 100 KiB hold about 150 of 3000: the nearest 6 % of the space */
	ck_assert_uint_lt(farthest, UINT64_MAX / 10);
	records_free(s);
}
END_TEST

/* What finds no room takes nothing from those that are there, least of all from itself. */
START_TEST(what_is_refused_costs_nothing)
{
	struct records *s = store(KIB(4) + 512);
	struct id near = { { 1 } }, far = { { 9 } }, farther = { { 10 } };
	struct seen seen = { .count = 0 };
	struct record r = make(RECORD_LOCATION, &near, 1, WALL, 1000);
	size_t kept;

	for (uint8_t who = 1; who <= 3; who++) {
		r.publisher.b[0] = who;
		ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	}
	r = make(RECORD_SIGNED, &far, 1, 1, 500);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	/* A longer one of the farthest key. */
	r = make(RECORD_SIGNED, &far, 1, 2, 1000);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_FULL);
	ck_assert_uint_eq(records_get(s, &far, RECORD_SIGNED, SECONDS(2), collect, &seen), 1);
	ck_assert_uint_eq(seen.got[0].sequence, 1);
	/* One for which that which lies behind it would not make room either. */
	r = make(RECORD_SIGNED, &farther, 1, 1, 10);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	kept = records_count(s);
	r = make(RECORD_SIGNED, &far, 1, 2, 1000);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_FULL);
	ck_assert_uint_eq(records_count(s), kept);
	/* A shorter one has room. */
	r = make(RECORD_SIGNED, &far, 1, 3, 400);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	ck_assert_uint_eq(records_count(s), kept);
	records_free(s);
}
END_TEST

/* Of too many publishers of the farthest key the lowest stays until a better one is in. */
START_TEST(no_publisher_makes_way_for_one_refused)
{
	struct records *s = store(KIB(3) + 768);
	struct id key = { { 9 } };
	struct seen seen = { .count = 0 };
	struct record r;

	for (uint8_t who = 1; who <= RECORD_PUBLISHERS_MAX; who++) {
		r = make(RECORD_LOCATION, &key, who, WALL + who, who < 3 ? 500 : 1000);
		ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	}
	r = make(RECORD_LOCATION, &key, RECORD_PUBLISHERS_MAX + 1, WALL + 100, 1000);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_FULL);
	records_get(s, &key, RECORD_LOCATION, SECONDS(2), collect, &seen);
	ck_assert_uint_eq(seen.count, RECORD_PUBLISHERS_MAX);
	records_free(s);
}
END_TEST

START_TEST(dates_are_checked)
{
	struct records *s = store(MIB(1));
	struct id key = { { 9 } };
	struct seen seen = { .count = 0 };
	struct record r = make(RECORD_PEER, &key, 1, WALL + RECORDS_AHEAD_MS + 1, 10);

	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_INVALID);
	r.sequence = WALL - RECORD_PEER_TTL / MILLISECONDS(1);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_INVALID);
	ck_assert(!records_date_ok(&r, WALL));
	ck_assert(records_date_ok(&r, 0));
	/* Half its life is over: it goes an hour later, and a replay does not help it. */
	r.sequence = WALL - RECORD_PEER_TTL / MILLISECONDS(2);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	ck_assert_int_eq(put(s, &r, MINUTES(20), WALL + 20 * 60 * 1000 - 1000), ERR_OK);
	ck_assert_uint_eq(records_get(s, &key, RECORD_PEER, MINUTES(59), collect, &seen), 1);
	ck_assert_uint_eq(records_get(s, &key, RECORD_PEER, MINUTES(61), collect, &seen), 0);
	/* An owner's sequence is no date, and whoever re-announces prolongs it. */
	r = make(RECORD_SIGNED, &key, 1, 1, 10);
	ck_assert_int_eq(put(s, &r, SECONDS(1), WALL), ERR_OK);
	ck_assert_int_eq(put(s, &r, HOURS(40), WALL), ERR_OK);
	ck_assert_uint_eq(records_get(s, &key, RECORD_SIGNED, HOURS(80), collect, &seen), 1);
	records_free(s);
}
END_TEST

START_TEST(one_sequence_settles_on_one_content)
{
	struct records *a = store(MIB(1)), *b = store(MIB(1));
	struct id key = { { 9 } };
	struct record r = make(RECORD_SIGNED, &key, 1, 5, 10), q = r;
	struct seen seen = { .count = 0 };

	q.bytes[3] ^= 1;
	(void)put(a, &r, 1, 0);
	(void)put(a, &q, 1, 0);
	(void)put(b, &q, 1, 0);
	(void)put(b, &r, 1, 0);
	records_get(a, &key, RECORD_SIGNED, 2, collect, &seen);
	records_get(b, &key, RECORD_SIGNED, 2, collect, &seen);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_mem_eq(seen.got[0].bytes, seen.got[1].bytes, 10);
	records_free(a);
	records_free(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/records");
	TCase *tc = tcase_create("model");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_operations_agree, 0, 3);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 0, full_drops_the_farthest, what_is_refused_costs_nothing,
	    no_publisher_makes_way_for_one_refused, dates_are_checked,
	    one_sequence_settles_on_one_content, NULL);
	return suite_main(s);
}
