/*
 * Sessions against many: strangers who connect and say nothing, or nonsense; peers that ask for
 * much at a time. What they hold is bounded, and an honest peer is served meanwhile.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "overlay/base/err.h"
#include "overlay/handshake.h"
#include "overlay/session_private.h"
#include "test/unit/overlay/session_pair.h"
#include "test/unit/suite.h"

/* ---- strangers ---- */

static int
connect_from(uint8_t last_byte)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(0x7f000300u + last_byte);
	memcpy(&to.sin_addr, b.contact.addr.ip, 4);
	to.sin_port = htons(b.contact.addr.port);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	return fd;
}

static void
settle(void)
{
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(50)), ERR_OK);
}

PAIR_TEST(half_open)
{
	int fds[300];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_from((uint8_t)(1 + i / 30));
		if (i % 30 == 29)
			settle();
	}
	until_u64(env, &b.counters.sessions_refused_full, ARRAY_LEN(fds) - HANDSHAKES_MAX);
	ck_assert_uint_eq(end_load(&b).handshakes, HANDSHAKES_MAX);
	ck_assert_uint_eq(b.counters.sessions_refused_ip, 0);
	/* The newest has displaced the oldest; an honest one comes in while all that goes on. */
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, KIB(300)), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	while (end_load(&b).handshakes > 0)
		settle();
}

PAIR_TEST(too_many_from_one_address)
{
	int fds[SESSIONS_PER_IP + 5];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connect_from(200);
	until_u64(env, &b.counters.sessions_refused_ip, 5);
	ck_assert_uint_eq(end_load(&b).handshakes, SESSIONS_PER_IP);
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, KIB(300)), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	while (end_load(&b).handshakes > 0)
		settle();
}

PAIR_TEST(nonsense)
{
	static const struct bytes texts[] = {
		{ (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18 },
		{ (const uint8_t *)"\0\0", 2 },   /* nothing announced */
		{ (const uint8_t *)"\2\x81", 2 }, /* one byte more than a message has */
		{ (const uint8_t *)"\xff\xff", 2 },
		{ (const uint8_t *)"\0\1x", 3 }, /* too short for a key */
		{ (const uint8_t *)"\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "\0\0\0\0",
		    34 }, /* a low-order point */
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct raw r;

		ck_assert_int_eq(raw_connect(&r, env, &b.contact.addr), ERR_OK);
		ck_assert_int_eq(raw_write(&r, texts[i].data, texts[i].len), ERR_OK);
		ck_assert_msg(raw_ended(&r), "text %zu is listened to", i);
		ck_assert_uint_eq(b.counters.handshakes_failed, i + 1);
		raw_close(&r);
	}
	ck_assert_uint_eq(b.counters.frames_bad, 0);
	ck_assert_uint_eq(b.heard, 0);
}

/* What an honest peer once said opens no second session. */
PAIR_TEST(handshake_replayed)
{
	struct key seed = { { 77 } }, ephemeral = { { 3 } };
	struct session_hello self = { .wall_ms = 1 };
	uint8_t first[HANDSHAKE_MESSAGE_MAX], third[HANDSHAKE_MESSAGE_MAX];
	uint8_t answer[HANDSHAKE_MESSAGE_MAX];
	size_t first_len, third_len, len;
	struct aead *aead = aead_new();
	struct identity who;
	struct handshake h;
	struct raw r;

	ck_assert_ptr_nonnull(aead);
	identity_from_seed(&seed, &who);
	handshake_init(&h, &(struct handshake_opts){ .initiator = true,
			       .identity = &who,
			       .net = test_net,
			       .aead = aead,
			       .expect = &b.contact.pub });
	ck_assert_int_eq(handshake_write(&h, &self, &ephemeral, first, &first_len), ERR_OK);
	ck_assert_int_eq(raw_connect(&r, env, &b.contact.addr), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r, first, first_len), ERR_OK);
	ck_assert_int_eq(raw_read_message(&r, answer, sizeof(answer), &len), ERR_OK);
	ck_assert_int_eq(handshake_read(&h, bytes_of(answer, len)), ERR_OK);
	ck_assert_int_eq(handshake_write(&h, &self, &ephemeral, third, &third_len), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r, third, third_len), ERR_OK);
	until_uint(env, &b.heard, 1);
	raw_close(&r);
	ck_assert_int_eq(raw_connect(&r, env, &b.contact.addr), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r, first, first_len), ERR_OK);
	ck_assert_int_eq(raw_read_message(&r, answer, sizeof(answer), &len), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r, third, third_len), ERR_OK);
	ck_assert(raw_ended(&r));
	ck_assert_uint_eq(b.heard, 1);
	ck_assert_uint_eq(b.counters.handshakes_failed, 1);
	raw_close(&r);
	handshake_wipe(&h);
	identity_wipe(&who);
	aead_free(aead);
}

/* ---- one that asks for much at a time ---- */

/* Streams full of bytes that nobody reads yet: the session may hold so much and not more. */
PAIR_TEST(unread_bytes_are_bounded)
{
	enum { MANY = 100 };
	struct stream *st[MANY];
	uint8_t *data = calloc(1, KIB(500)), much[8] = { 0 };
	struct buf tail;
	unsigned refused = 0;

	ck_assert_ptr_nonnull(data);
	memcpy(much + 5, "\x07\xd0", 2); /* 512,000 bytes, which come whole */
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(
		    sessions_open(a.ss, &b.contact, METHOD_WAIT, bytes_of(much, 8), &st[i]),
		    ERR_OK);
		(void)stream_write(st[i], bytes_of(data, KIB(500)));
	}
	until_u64(env, &b.counters.streams_refused, 20);
	ck_assert_uint_le(end_load(&b).bytes_held, MIB(40));
	ck_assert_uint_ge(end_load(&b).bytes_held, MIB(20));
	b.gate_open = true;
	for (size_t i = 0; i < MANY; i++) {
		int err = stream_finish(st[i], ERR_OK, bytes_of(NULL, 0));

		if (err == ERR_OK)
			err = stream_read_tail(st[i], &tail);
		ck_assert(err == ERR_OK || err == ERR_BUSY);
		refused += err == ERR_BUSY;
		stream_close(st[i]);
	}
	ck_assert_uint_ge(refused, 20);
	ck_assert_uint_le(refused, 60);
	ck_assert_uint_eq(b.blamed, 0); /* it kept within its credit */
	buf_fini(&tail);
	free(data);
}

/* Little on each of many streams takes little memory, as long as a large block's message may be. */
PAIR_TEST(unread_memory_is_bounded)
{
	enum { MANY = 4, EACH = STREAMS_PER_SESSION, LITTLE = 4065 };
	static const uint8_t data[LITTLE];
	struct end *e = calloc(MANY, sizeof(*e));
	struct stream **st = calloc(MANY * EACH, sizeof(struct stream *));

	ck_assert(e != NULL && st != NULL);
	for (unsigned i = 0; i < MANY; i++) {
		end_start(&e[i], env, 10 + i, NULL);
		for (unsigned n = 0; n < EACH; n++) {
			struct stream **one = &st[i * EACH + n];

			ck_assert_int_eq(sessions_open(e[i].ss, &b.contact, METHOD_WAIT,
					     bytes_of("\0\0\0\0\0\0\0\1", 8), one),
			    ERR_OK);
			ck_assert_int_eq(stream_write(*one, bytes_of(data, LITTLE)), ERR_OK);
		}
	}
	until_u64(env, &b.counters.session_bytes_in, (uint64_t)MANY * EACH * LITTLE);
	ck_assert_uint_eq(b.counters.streams_refused, 0);
	ck_assert_uint_ge(end_load(&b).bytes_held, (size_t)MANY * EACH * LITTLE);
	ck_assert_uint_le(end_load(&b).bytes_held, MIB(40));
	for (unsigned i = 0; i < MANY * EACH; i++)
		stream_close(st[i]);
	for (unsigned i = 0; i < MANY; i++)
		end_stop(&e[i]);
	b.gate_open = true;
	/* They are all that one network may have served at a time. */
	while (end_load(&b).tasks > 0)
		ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	free(st);
	free(e);
}

/* When others hold all that may be held, a few messages still wait for their reader. */
PAIR_TEST(few_bytes_always_wait)
{
	struct stream *st;
	uint8_t *data = calloc(1, KIB(120));
	struct buf tail;

	ck_assert_ptr_nonnull(data);
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	b.ss->unread += SESSIONS_UNREAD_MAX;
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_WAIT, bytes_of("\0\0\0\0\0\1\xe0\0", 8), &st),
	    ERR_OK);
	ck_assert_int_eq(stream_write(st, bytes_of(data, KIB(120))), ERR_OK);
	until_u64(env, &b.counters.session_bytes_in, KIB(120));
	ck_assert_uint_eq(b.counters.streams_refused, 0);
	b.ss->unread -= SESSIONS_UNREAD_MAX;
	b.gate_open = true;
	ck_assert_int_eq(stream_finish(st, ERR_OK, bytes_of(NULL, 0)), ERR_OK);
	ck_assert_int_eq(stream_read_tail(st, &tail), ERR_OK);
	stream_close(st);
	buf_fini(&tail);
	free(data);
}

/* Bytes of a stream that was reset are given back at once, whatever its task waits for. */
PAIR_TEST(reset_streams_hold_nothing)
{
	uint8_t *data = calloc(1, KIB(500));

	ck_assert_ptr_nonnull(data);
	for (int i = 0; i < 200; i++) {
		struct stream *st;

		ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_WAIT,
				     bytes_of("\0\0\0\0\0\0\0\1", 8), &st),
		    ERR_OK);
		(void)stream_write(st, bytes_of(data, KIB(500)));
		stream_close(st);
		ck_assert_uint_le(end_load(&b).bytes_held, MIB(8));
	}
	ck_assert_uint_eq(b.counters.streams_refused, 0);
	b.gate_open = true;
	free(data);
}

/* Many sessions of one network that each ask for all they may: half of the tasks stay free. */
PAIR_TEST(tasks_are_shared)
{
	enum { MANY = 5, EACH = STREAMS_PER_SESSION };
	struct end *e = calloc(MANY, sizeof(*e));
	struct stream **st = calloc(MANY * EACH, sizeof(struct stream *));

	ck_assert(e != NULL && st != NULL);
	for (unsigned i = 0; i < MANY; i++) {
		end_start(&e[i], env, 10 + i, NULL);
		for (unsigned n = 0; n < EACH; n++)
			ck_assert_int_eq(sessions_open(e[i].ss, &b.contact, METHOD_HANG,
					     bytes_of(NULL, 0), &st[i * EACH + n]),
			    ERR_OK);
	}
	until_u64(env, &b.counters.streams_refused, MANY * EACH - 1024);
	ck_assert_uint_eq(end_load(&b).tasks, 1024);
	for (unsigned i = 0; i < MANY * EACH; i++)
		stream_close(st[i]);
	for (unsigned i = 0; i < MANY; i++)
		end_stop(&e[i]);
	free(st);
	free(e);
}

int
main(void)
{
	Suite *s = suite_create("overlay/session_crowds");

	suite_add(s, "greedy", 120, unread_bytes_are_bounded, unread_memory_is_bounded,
	    few_bytes_always_wait, reset_streams_hold_nothing, tasks_are_shared, NULL);
	suite_add(s, "strangers", 60, half_open, too_many_from_one_address, nonsense,
	    handshake_replayed, NULL);
	return suite_main(s);
}
