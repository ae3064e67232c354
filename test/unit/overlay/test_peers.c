/* The peer book against a naive one: who is kept, in which order, what it costs. */
#include "test/unit/suite.h"

#include "overlay/base/err.h"
#include "overlay/peers.h"

#define MODEL_MAX 64
#define NAMES     200

static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct seeded
seed_of(uint64_t n)
{
	struct seeded s;

	for (size_t i = 0; i < ARRAY_LEN(s.k); i++)
		s.k[i] = next(&n);
	return s;
}

static struct contact
named(uint32_t n)
{
	struct contact c = { .addr = { .family = ADDR_IPV4, .ip = { 10, 0, 0, 1 }, .port = 1 } };

	memcpy(c.pub.b, &n, sizeof(n));
	return c;
}

/* Names in order of use, newest first. */
struct naive {
	uint32_t names[MODEL_MAX];
	size_t count;
};

static bool
naive_remove(struct naive *l, uint32_t name)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->names[i] != name)
			continue;
		memmove(l->names + i, l->names + i + 1, (l->count - i - 1) * sizeof(name));
		l->count--;
		return true;
	}
	return false;
}

static void
naive_add(struct naive *l, uint32_t name)
{
	for (size_t i = l->count++; i > 0; i--)
		l->names[i] = l->names[i - 1];
	l->names[0] = name;
}

static void
naive_get(struct naive *met, struct naive *seen, size_t max, uint32_t name)
{
	if (naive_remove(met, name)) {
		naive_add(met, name);
		return;
	}
	if (naive_remove(seen, name)) {
		naive_add(seen, name);
		return;
	}
	if (seen->count == max / 4)
		seen->count--;
	if (met->count + seen->count == max && seen->count > 0)
		seen->count--;
	if (met->count + seen->count == max)
		met->count--;
	naive_add(seen, name);
}

static void
check_same(const struct peers *p, const struct naive *met, const struct naive *seen)
{
	struct peer *peer = NULL;

	ck_assert_uint_eq(peers_count(p), met->count + seen->count);
	ck_assert_uint_eq(peers_met(p), met->count);
	for (size_t i = 0; i < met->count + seen->count; i++) {
		bool of_met = i < met->count;
		struct contact c = named(of_met ? met->names[i] : seen->names[i - met->count]);

		peer = peers_next(p, peer);
		ck_assert_ptr_nonnull(peer);
		ck_assert(pubkey_equal(&peer->contact.pub, &c.pub));
		ck_assert_int_eq(peer->met, of_met);
		ck_assert_ptr_eq(peers_find(p, &c.pub), peer);
	}
	ck_assert(peer == NULL || peers_next(p, peer) == NULL);
}

START_TEST(book_is_the_naive_one)
{
	uint64_t rnd = 5;

	for (size_t max = 4; max <= MODEL_MAX; max += 12) {
		struct seeded seed = seed_of(max);
		struct peers *p = peers_new(max, &seed);
		struct naive met = { 0 }, seen = { 0 };

		ck_assert_ptr_nonnull(p);
		for (int i = 0; i < 5000; i++) {
			uint32_t name = (uint32_t)(next(&rnd) % NAMES);
			struct contact c = named(name);
			struct peer *peer = peers_get(p, &c);

			ck_assert_ptr_nonnull(peer);
			naive_get(&met, &seen, max, name);
			if (next(&rnd) % 4 == 0) {
				peers_set_met(p, peer);
				if (naive_remove(&seen, name))
					naive_add(&met, name);
			}
			if (i % 16 == 0)
				check_same(p, &met, &seen);
		}
		peers_free(p);
	}
}
END_TEST

START_TEST(strangers_never_push_out_the_met)
{
	struct seeded seed = seed_of(1);
	struct peers *p = peers_new(100, &seed);
	struct contact c;

	for (uint32_t i = 0; i < 80; i++) {
		c = named(i);
		peers_set_met(p, peers_get(p, &c));
	}
	for (uint32_t i = 1000; i < 100000; i++) {
		c = named(i);
		ck_assert_ptr_nonnull(peers_get(p, &c));
	}
	ck_assert_uint_eq(peers_count(p), 100);
	for (uint32_t i = 0; i < 80; i++) {
		c = named(i);
		ck_assert_ptr_nonnull(peers_find(p, &c.pub));
	}
	peers_free(p);
}
END_TEST

START_TEST(open_sessions_pin)
{
	struct seeded seed = seed_of(2);
	struct peers *p = peers_new(8, &seed);
	struct contact c = named(7), other;

	peers_get(p, &c)->sessions = 1;
	for (uint32_t i = 100; i < 200; i++) {
		other = named(i);
		ck_assert_ptr_nonnull(peers_get(p, &other));
	}
	ck_assert_ptr_nonnull(peers_find(p, &c.pub));
	peers_free(p);
}
END_TEST

START_TEST(many_pins_keep_the_book_bounded)
{
	struct seeded seed = seed_of(4);
	struct peers *p = peers_new(400, &seed);
	struct contact c;

	for (uint32_t i = 0; i < 300; i++) {
		c = named(i);
		peers_get(p, &c)->sessions = 1;
	}
	for (uint32_t i = 1000; i < 50000; i++) {
		c = named(i);
		ck_assert_ptr_nonnull(peers_get(p, &c));
		ck_assert_uint_le(peers_count(p), 300 + 100);
	}
	for (uint32_t i = 0; i < 300; i++) {
		c = named(i);
		ck_assert_ptr_nonnull(peers_find(p, &c.pub));
	}
	peers_free(p);
}
END_TEST

/* The pinned outgrow the room that a small book has from the start. */
START_TEST(a_small_book_outgrows_its_room)
{
	struct seeded seed = seed_of(6);
	struct peers *p = peers_new(8, &seed);
	struct peer *pinned[150], *peer = NULL;
	struct contact c;

	for (uint32_t i = 0; i < ARRAY_LEN(pinned); i++) {
		c = named(i);
		pinned[i] = peers_get(p, &c);
		ck_assert_uint_eq((uintptr_t)pinned[i] % PEER_ALIGN, 0);
		pinned[i]->sessions = 1;
		peers_set_met(p, pinned[i]);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(pinned); i++) {
		c = named(i);
		ck_assert_ptr_eq(peers_find(p, &c.pub), pinned[i]);
		peers_used(p, pinned[i]);
	}
	for (size_t i = ARRAY_LEN(pinned); i-- > 0;) {
		peer = peers_next(p, peer);
		ck_assert_ptr_eq(peer, pinned[i]);
		peer->sessions = 0;
	}
	ck_assert_ptr_null(peers_next(p, peer));
	for (uint32_t i = 1000; i < 1200; i++) {
		c = named(i);
		peer = peers_get(p, &c);
		ck_assert(!peer->met && !peer->has_keys && peer->sessions == 0);
	}
	ck_assert_uint_eq(peers_count(p), 8);
	peers_free(p);
}
END_TEST

START_TEST(empty_book_is_small_and_full_one_bounded)
{
	struct seeded seed = seed_of(3);
	struct peers *p = peers_new(0, &seed);
	struct contact c;

	ck_assert_uint_le(peers_bytes(p), 256);
	ck_assert_ptr_null(peers_next(p, NULL));
	for (uint32_t i = 0; i < 3 * PEERS_MAX; i++) {
		c = named(i);
		peers_set_met(p, peers_get(p, &c));
	}
	ck_assert_uint_eq(peers_count(p), PEERS_MAX);
	ck_assert_uint_le(peers_bytes(p), 6 << 20);
	peers_free(p);
}
END_TEST

START_TEST(round_trips_are_smoothed)
{
	struct peer peer = { .strikes = 3 };

	peer_answered(&peer, MILLISECONDS(80));
	ck_assert_uint_eq(peer.srtt, MILLISECONDS(80));
	ck_assert_uint_eq(peer.strikes, 0);
	peer_answered(&peer, MILLISECONDS(160));
	ck_assert_uint_eq(peer.srtt, MILLISECONDS(90));
	for (int i = 0; i < 200; i++)
		peer_answered(&peer, 1);
	ck_assert_uint_ge(peer.srtt, 1);
	ck_assert_uint_le(peer.srtt, 16);
}
END_TEST

START_TEST(clocks_are_bounded)
{
	struct peer peer = { 0 };

	peer_clock(&peer, 1500, 1000, 9);
	ck_assert(peer.has_clock && peer.clock_at == 9);
	ck_assert_int_eq(peer.clock_offset_ms, 500);
	peer_clock(&peer, 1000, 1500, 9);
	ck_assert_int_eq(peer.clock_offset_ms, -500);
	peer_clock(&peer, UINT64_MAX, 1000, 9);
	ck_assert_int_eq(peer.clock_offset_ms, PEER_CLOCK_OFF_MS_MAX);
	peer_clock(&peer, 0, UINT64_MAX, 9);
	ck_assert_int_eq(peer.clock_offset_ms, -PEER_CLOCK_OFF_MS_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/peers");

	suite_add(s, "book", 20, book_is_the_naive_one, strangers_never_push_out_the_met,
	    open_sessions_pin, many_pins_keep_the_book_bounded, a_small_book_outgrows_its_room,
	    empty_book_is_small_and_full_one_bounded, NULL);
	suite_add(s, "peer", 0, round_trips_are_smoothed, clocks_are_bounded, NULL);
	return suite_main(s);
}
