/* Datagrams: both directions, every byte and every key that is not right, sizes, cookies. */
#include "test/unit/suite.h"

#include <string.h>

#include "overlay/base/err.h"
#include "overlay/sealed.h"

static const struct network_id net = { { 1, 2, 3, 4 } };

static void
identity_of(uint8_t number, struct identity *out)
{
	struct key seed = { { number } };

	identity_from_seed(&seed, out);
}

struct pair {
	struct identity a, b;
	struct sealed_keys ab, ba; /* a's keys with b, b's with a */
	struct sealed_header h;    /* from a */
};

static void
pair_init(struct pair *p)
{
	identity_of(1, &p->a);
	identity_of(2, &p->b);
	ck_assert_int_eq(sealed_keys_derive(&p->a, &p->b.pub, &net, &p->ab), ERR_OK);
	ck_assert_int_eq(sealed_keys_derive(&p->b, &p->a.pub, &net, &p->ba), ERR_OK);
	p->h = (struct sealed_header){ .type = SEALED_PLAIN, .net = net, .sender = p->a.pub };
	memset(p->h.nonce, 9, sizeof(p->h.nonce));
	memset(p->h.cookie, 7, sizeof(p->h.cookie));
}

START_TEST(keys_by_direction_peer_and_network)
{
	const struct network_id other = { { 1, 2, 3, 5 } };
	struct pair p;
	struct identity c;
	struct sealed_keys keys;
	struct pubkey neutral = { { 1 } };
	uint8_t text[14 + 4 + 64];
	struct key shared;
	struct hash expected;

	pair_init(&p);
	ck_assert_mem_eq(p.ab.tx.b, p.ba.rx.b, 32);
	ck_assert_mem_eq(p.ab.rx.b, p.ba.tx.b, 32);
	ck_assert_mem_ne(p.ab.tx.b, p.ab.rx.b, 32);

	/* By the letter of the rule. */
	ck_assert_int_eq(crypto_x25519(&shared, &p.a.x25519_secret, p.b.x25519_public), ERR_OK);
	memcpy(text, "skerry/dgram/1\1\2\3\4", 18);
	memcpy(text + 18, p.a.pub.b, 32);
	memcpy(text + 50, p.b.pub.b, 32);
	crypto_hmac(&expected, shared.b, 32, text, sizeof(text));
	ck_assert_mem_eq(p.ab.tx.b, expected.b, 32);

	identity_of(3, &c);
	ck_assert_int_eq(sealed_keys_derive(&p.a, &c.pub, &net, &keys), ERR_OK);
	ck_assert_mem_ne(keys.tx.b, p.ab.tx.b, 32);
	ck_assert_int_eq(sealed_keys_derive(&p.a, &p.b.pub, &other, &keys), ERR_OK);
	ck_assert_mem_ne(keys.tx.b, p.ab.tx.b, 32);
	ck_assert_int_eq(sealed_keys_derive(&p.a, &neutral, &net, &keys), ERR_AUTH);
}
END_TEST

static void
round_trip(struct pair *p, enum sealed_type type, size_t body_len)
{
	uint8_t body[SEALED_BODY_MAX], out[SEALED_DATAGRAM_MAX], back[SEALED_DATAGRAM_MAX];
	struct sealed_header h;
	size_t len, back_len;

	memset(body, 0x33, sizeof(body));
	p->h.type = type;
	ck_assert_int_eq(
	    sealed_pack(&p->h, &p->ab.tx, bytes_of(body, body_len), out, &len), ERR_OK);
	ck_assert_uint_eq(
	    len, SEALED_OVERHEAD + body_len + (type == SEALED_COOKIE ? SEALED_COOKIE_BYTES : 0));
	ck_assert_int_eq(sealed_peek(bytes_of(out, len), &net, &h), ERR_OK);
	ck_assert_int_eq(h.type, type);
	ck_assert(pubkey_equal(&h.sender, &p->a.pub));
	ck_assert_mem_eq(h.nonce, p->h.nonce, sizeof(h.nonce));
	ck_assert_int_eq(h.cookie[0], type == SEALED_COOKIE ? 7 : 0);
	ck_assert_int_eq(sealed_open(bytes_of(out, len), &h, &p->ba.rx, back, &back_len), ERR_OK);
	ck_assert_uint_eq(back_len, body_len);
	ck_assert_mem_eq(back, body, body_len);
	/* The key of the other direction does not open it. */
	ck_assert_int_eq(sealed_open(bytes_of(out, len), &h, &p->ba.tx, back, &back_len), ERR_AUTH);
}

START_TEST(round_trips)
{
	struct pair p;
	uint8_t out[SEALED_DATAGRAM_MAX], big[SEALED_BODY_MAX + 1] = { 0 };
	size_t len;

	pair_init(&p);
	round_trip(&p, SEALED_PLAIN, 0);
	round_trip(&p, SEALED_PLAIN, 100);
	round_trip(&p, SEALED_PLAIN, SEALED_BODY_MAX);
	round_trip(&p, SEALED_COOKIE, 0);
	round_trip(&p, SEALED_COOKIE, SEALED_BODY_MAX);
	ck_assert_int_eq(
	    sealed_pack(&p.h, &p.ab.tx, bytes_of(big, sizeof(big)), out, &len), ERR_TOO_BIG);
}
END_TEST

START_TEST(no_byte_can_be_changed)
{
	static const enum sealed_type types[] = { SEALED_PLAIN, SEALED_COOKIE };
	struct pair p;

	pair_init(&p);
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		uint8_t out[SEALED_DATAGRAM_MAX], back[SEALED_DATAGRAM_MAX];
		struct sealed_header h;
		size_t len, n;

		p.h.type = types[t];
		ck_assert_int_eq(
		    sealed_pack(&p.h, &p.ab.tx, bytes_of("body", 4), out, &len), ERR_OK);
		for (size_t at = 0; at < len; at++) {
			out[at] ^= 0x02; /* turns no type into another valid one of this size */
			if (sealed_peek(bytes_of(out, len), &net, &h) == ERR_OK)
				ck_assert_int_eq(
				    sealed_open(bytes_of(out, len), &h, &p.ba.rx, back, &n),
				    ERR_AUTH);
			else
				ck_assert_uint_lt(at, 8); /* magic, version, type, network */
			out[at] ^= 0x02;
		}
		for (size_t cut = 0; cut < len; cut++) {
			if (sealed_peek(bytes_of(out, cut), &net, &h) == ERR_OK)
				ck_assert_int_eq(
				    sealed_open(bytes_of(out, cut), &h, &p.ba.rx, back, &n),
				    ERR_AUTH);
		}
	}
}
END_TEST

START_TEST(headers_are_checked)
{
	const struct network_id other = { { 9, 9, 9, 9 } };
	struct pair p;
	uint8_t out[SEALED_DATAGRAM_MAX + 1] = { 0 };
	struct sealed_header h = { .type = SEALED_COOKIE };
	size_t len;

	pair_init(&p);
	ck_assert_int_eq(sealed_pack(&p.h, &p.ab.tx, bytes_of("body", 4), out, &len), ERR_OK);
	ck_assert_int_eq(sealed_peek(bytes_of(out, len), &other, &h), ERR_WRONG_NETWORK);
	out[2] = SEALED_VERSION + 1;
	ck_assert_int_eq(sealed_peek(bytes_of(out, len), &net, &h), ERR_VERSION);
	out[2] = SEALED_VERSION;
	for (unsigned type = 0; type < 256; type++) {
		out[3] = (uint8_t)type;
		if (type != SEALED_PLAIN)
			ck_assert_int_eq(sealed_peek(bytes_of(out, len), &net, &h), ERR_INVALID);
	}
	out[3] = SEALED_PLAIN;
	out[0] = 'X';
	ck_assert_int_eq(sealed_peek(bytes_of(out, len), &net, &h), ERR_INVALID);
	out[0] = 'S';
	ck_assert_int_eq(sealed_peek(bytes_of(out, sizeof(out)), &net, &h), ERR_INVALID);
	ck_assert_int_eq(sealed_peek(bytes_of(out, SEALED_OVERHEAD - 1), &net, &h), ERR_INVALID);
	ck_assert_int_eq(sealed_peek(bytes_of(out, 0), &net, &h), ERR_INVALID);
	ck_assert_int_eq(h.type, SEALED_COOKIE);
	ck_assert_int_eq(sealed_peek(bytes_of(out, len), &net, &h), ERR_OK);
}
END_TEST

START_TEST(the_sender_is_told_by_whole_headers)
{
	struct pair p;
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len;

	pair_init(&p);
	ck_assert_int_eq(sealed_pack(&p.h, &p.ab.tx, bytes_of(wire, 0), wire, &len), ERR_OK);
	ck_assert(pubkey_equal(sealed_sender(bytes_of(wire, len)), &p.a.pub));
	ck_assert_ptr_nonnull(sealed_sender(bytes_of(wire, SEALED_HEADER_BYTES)));
	ck_assert_ptr_null(sealed_sender(bytes_of(wire, SEALED_HEADER_BYTES - 1)));
	ck_assert_ptr_null(sealed_sender(bytes_of(NULL, 0)));
}
END_TEST

START_TEST(a_challenge_says_the_nonce_again)
{
	struct pair p;
	uint8_t out[SEALED_CHALLENGE_BYTES], back[SEALED_DATAGRAM_MAX];
	struct sealed_header h;
	size_t n;

	pair_init(&p);
	sealed_challenge(&p.h, &p.b.pub, p.h.cookie, out);
	ck_assert_int_eq(sealed_peek(bytes_of(out, sizeof(out)), &net, &h), ERR_OK);
	ck_assert_int_eq(h.type, SEALED_CHALLENGE);
	ck_assert(pubkey_equal(&h.sender, &p.b.pub));
	ck_assert_mem_eq(h.nonce, p.h.nonce, sizeof(h.nonce));
	ck_assert_mem_eq(h.cookie, p.h.cookie, sizeof(h.cookie));
	ck_assert_int_eq(
	    sealed_open(bytes_of(out, sizeof(out)), &h, &p.ba.rx, back, &n), ERR_INVALID);
	ck_assert_int_eq(sealed_peek(bytes_of(out, sizeof(out) - 1), &net, &h), ERR_INVALID);
}
END_TEST

START_TEST(cookies_live_two_epochs)
{
	const struct key secret = { { 1 } }, other = { { 2 } };
	struct identity a, b;
	struct addr from = { .family = ADDR_IPV4, .ip = { 1, 2, 3, 4 }, .port = 5 }, moved = from;
	uint8_t cookie[SEALED_COOKIE_BYTES];
	uint64_t now = 7 * SEALED_COOKIE_EPOCH;

	identity_of(1, &a);
	identity_of(2, &b);
	sealed_cookie_make(&secret, now, &from, &a.pub, cookie);
	ck_assert(sealed_cookie_check(&secret, now, &from, &a.pub, cookie));
	ck_assert(
	    sealed_cookie_check(&secret, now + 2 * SEALED_COOKIE_EPOCH - 1, &from, &a.pub, cookie));
	ck_assert(
	    !sealed_cookie_check(&secret, now + 2 * SEALED_COOKIE_EPOCH, &from, &a.pub, cookie));
	ck_assert(!sealed_cookie_check(&secret, now - 1, &from, &a.pub, cookie));
	ck_assert(!sealed_cookie_check(&other, now, &from, &a.pub, cookie));
	ck_assert(!sealed_cookie_check(&secret, now, &from, &b.pub, cookie));
	moved.port++;
	ck_assert(!sealed_cookie_check(&secret, now, &moved, &a.pub, cookie));
	moved = from;
	moved.ip[3]++;
	ck_assert(!sealed_cookie_check(&secret, now, &moved, &a.pub, cookie));
	cookie[15] ^= 1;
	ck_assert(!sealed_cookie_check(&secret, now, &from, &a.pub, cookie));
	/* The first epoch has none before it. */
	sealed_cookie_make(&secret, 1, &from, &a.pub, cookie);
	ck_assert(sealed_cookie_check(&secret, 2, &from, &a.pub, cookie));
	cookie[0] ^= 1;
	ck_assert(!sealed_cookie_check(&secret, 2, &from, &a.pub, cookie));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/sealed");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "sealed", 0, keys_by_direction_peer_and_network, round_trips,
	    no_byte_can_be_changed, headers_are_checked, the_sender_is_told_by_whole_headers,
	    a_challenge_says_the_nonce_again, cookies_live_two_epochs, NULL);
	return suite_main(s);
}
