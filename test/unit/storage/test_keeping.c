/* What a node remembers of its chunks and of those who hold the rest; what siblings ask. */
#include <stdlib.h>

#include "storage/holds.h"
#include "storage/ledger.h"
#include "storage/neighbours.h"
#include "test/unit/suite.h"

static const struct seeded seed = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };

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
	return neighbours_get(n, &(struct pubkey){ { i, 1 } }, now);
}

START_TEST(an_outage_is_told_from_single_losses)
{
	struct neighbours *n = neighbours_new(&seed);
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
	struct neighbours *n = neighbours_new(&seed);
	uint64_t now = HOURS(10);

	for (uint8_t i = 0; i < 9; i++)
		neighbour(n, i, now - HOURS(2));
	for (uint8_t i = 0; i < 3; i++)
		neighbour(n, i, 0)->silent_at = now - HOURS(2) + SECONDS(1);
	ck_assert(!neighbours_vanished(n, now, MINUTES(10), HOURS(3), HOURS(1)));
	neighbours_free(n);
}
END_TEST

START_TEST(neighbours_come_and_go)
{
	struct neighbours *n = neighbours_new(&seed);
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
	struct neighbours *n = neighbours_new(&seed);
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
	    what_is_to_be_told_is_not_displaced, NULL);
	suite_add(s, "holds", 30, holds_come_through_and_nonsense_does_not, NULL);
	return suite_main(s);
}
