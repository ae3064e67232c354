/*
 * Sessions between honest ends on loopback, in the real environment: requests,
 * bulk, many streams, backpressure, reuse, endings of every kind. What silence and the clock
 * do is in test_session_time.c, what liars do in test_session_hostile.c.
 */
#include <stdlib.h>

#include "overlay/base/env_real.h"
#include "test/unit/overlay/session_end.h"
#include "test/unit/suite.h"

static struct env *env;
static struct end a, b; /* b listens, a as well */

static const struct addr ip_a = { .family = ADDR_IPV4, .ip = { 127, 0, 1, 1 } };
static const struct addr ip_b = { .family = ADDR_IPV4, .ip = { 127, 0, 1, 2 } };
static const struct bytes nothing = { NULL, 0 };

static int
pair_run(void *arg)
{
	void (*body)(void) = *(void (**)(void))arg;

	end_start(&a, env, 1, &ip_a);
	end_start(&b, env, 2, &ip_b);
	body();
	end_stop(&a);
	end_stop(&b);
	return ERR_OK;
}

static void
with_pair(void (*body)(void))
{
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &env), ERR_OK);
	ck_assert_int_eq(env_real_run(env, pair_run, &body), ERR_OK);
	env_real_free(env);
}

/* Each test is a body that runs in the main task, with a and b there. */
#define PAIR_TEST(name)                                                                            \
	static void name##_body(void);                                                             \
	START_TEST(name)                                                                           \
	{                                                                                          \
		with_pair(name##_body);                                                            \
	}                                                                                          \
	END_TEST                                                                                   \
	static void name##_body(void)

/* ---- requests ---- */

PAIR_TEST(answers_at_once)
{
	struct buf tail;

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	ck_assert_int_eq(
	    end_ask(&a, &b.contact, METHOD_ANSWER, bytes_of("hello", 5), &tail), ERR_OK);
	ck_assert_uint_eq(tail.len, 5);
	ck_assert_mem_eq(tail.data, "hello", 5);
	ck_assert_int_eq(end_ask(&a, &b.contact, METHOD_REFUSE, nothing, &tail), ERR_FULL);
	ck_assert_mem_eq(tail.data, "no", 2);
	ck_assert_int_eq(end_ask(&a, &b.contact, METHOD_NOBODY, nothing, &tail), ERR_UNSUPPORTED);
	ck_assert_int_eq(end_ask(&a, &b.contact, METHOD_FAIL, nothing, &tail), ERR_NO_SPACE);
	ck_assert_uint_eq(a.counters.sessions_opened, 1);
	ck_assert_uint_eq(b.counters.sessions_accepted, 1);
	ck_assert_uint_eq(b.counters.streams_refused, 1);
	ck_assert_uint_eq(b.requests, 4);
	ck_assert_uint_eq(a.heard, 1);
	ck_assert_uint_gt(a.last_rtt, 0);
	ck_assert(contact_equal(&a.last_heard, &b.contact));
	/* The accepted side knows a by the address that it listens on. */
	ck_assert(contact_equal(&b.last_heard, &a.contact));
	ck_assert_uint_eq(b.last_rtt, 0);
	ck_assert_uint_eq(a.counters.frames_bad + b.counters.frames_bad, 0);
	buf_fini(&tail);
}

PAIR_TEST(limits_of_head_and_tail)
{
	uint8_t *big = calloc(1, RPC_HEAD_BYTES_MAX + 1);
	struct contact self = a.contact, nowhere = b.contact;
	struct stream *s;
	struct buf tail;

	ck_assert_ptr_nonnull(big);
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	ck_assert_int_eq(
	    end_ask(&a, &b.contact, METHOD_ANSWER, bytes_of(big, RPC_HEAD_BYTES_MAX), &tail),
	    ERR_OK);
	ck_assert_uint_eq(tail.len, RPC_HEAD_BYTES_MAX);
	ck_assert_int_eq(
	    end_ask(&a, &b.contact, METHOD_ANSWER, bytes_of(big, RPC_HEAD_BYTES_MAX + 1), &tail),
	    ERR_TOO_BIG);
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_HANG, nothing, &s), ERR_OK);
	ck_assert_int_eq(
	    stream_finish(s, ERR_OK, bytes_of(big, RPC_HEAD_BYTES_MAX + 1)), ERR_TOO_BIG);
	stream_close(s);
	/* A reader with less room than the tail gets an error, not a piece. */
	buf_fini(&tail);
	buf_init(&tail, 10);
	ck_assert_int_eq(
	    end_ask(&a, &b.contact, METHOD_ANSWER, bytes_of(big, 11), &tail), ERR_TOO_BIG);
	ck_assert_int_eq(sessions_open(a.ss, &self, METHOD_ANSWER, nothing, &s), ERR_INVALID);
	nowhere.addr.port = 0;
	ck_assert_int_eq(sessions_open(a.ss, &nowhere, METHOD_ANSWER, nothing, &s), ERR_INVALID);
	stream_close(NULL);
	buf_fini(&tail);
	free(big);
}

PAIR_TEST(echo)
{
	struct stream *s;
	struct buf tail;
	uint8_t back[6];

	buf_init(&tail, 16);
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_ECHO, bytes_of("bye", 3), &s), ERR_OK);
	ck_assert(contact_equal(stream_peer(s), &b.contact));
	ck_assert_int_eq(stream_write(s, bytes_of("abc", 3)), ERR_OK);
	ck_assert_int_eq(stream_read(s, back, 2), ERR_OK);
	ck_assert_int_eq(stream_write(s, nothing), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of("def", 3)), ERR_OK);
	ck_assert_int_eq(stream_read(s, back + 2, 4), ERR_OK);
	ck_assert_mem_eq(back, "abcdef", 6);
	ck_assert_int_eq(stream_finish(s, ERR_OK, nothing), ERR_OK);
	ck_assert_int_eq(stream_read(s, back, 1), ERR_END);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_OK);
	ck_assert_mem_eq(tail.data, "bye", 3);
	stream_close(s);
	buf_fini(&tail);
}

/* Bytes where the end should be. */
PAIR_TEST(tail_must_come_next)
{
	struct stream *s;
	struct buf tail;
	uint8_t head[8] = { [7] = 9 };

	buf_init(&tail, 64);
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_SOURCE, bytes_of(head, 8), &s), ERR_OK);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_INVALID);
	stream_close(s);
	buf_fini(&tail);
}

/* ---- bulk ---- */

struct transfer {
	struct end *from;
	const struct contact *to;
	uint16_t method; /* METHOD_SOURCE fetches, others send */
	uint64_t len;
	int err;
	uint64_t done;
};

static uint64_t transfers_done;

static int
transfer_run(void *arg)
{
	struct transfer *t = arg;

	if (t->method == METHOD_SOURCE)
		t->err = end_fetch(t->from, t->to, t->len);
	else
		t->err = end_send(t->from, t->to, t->method, t->len);
	transfers_done++;
	return t->err;
}

static void
transfers(struct transfer *list, size_t count)
{
	struct task_group group;

	transfers_done = 0;
	task_group_init(&group, env);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(task_spawn(&group, "transfer", transfer_run, &list[i]), ERR_OK);
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(list[i].err == ERR_OK, "transfer %zu: %s", i, err_name(list[i].err));
}

PAIR_TEST(bulk_both_ways)
{
	struct transfer list[] = {
		{ &a, &b.contact, METHOD_SINK, MIB(64), 0, 0 },
		{ &a, &b.contact, METHOD_SOURCE, MIB(64), 0, 0 },
		{ &b, &a.contact, METHOD_SINK, MIB(16) + 1, 0, 0 },
	};

	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, 0), ERR_OK);
	transfers(list, ARRAY_LEN(list));
	/* All on one connection: b used the one that a had opened. */
	ck_assert_uint_eq(a.counters.sessions_opened + b.counters.sessions_opened, 1);
	until_u64(env, &b.counters.session_bytes_in, a.counters.session_bytes_out);
	ck_assert_uint_eq(b.counters.session_bytes_in, a.counters.session_bytes_out);
	ck_assert_uint_gt(a.counters.session_bytes_out, MIB(64));
}

PAIR_TEST(many_streams)
{
	struct transfer list[200];

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = (struct transfer){
			.from = i % 2 != 0 ? &a : &b,
			.to = i % 2 != 0 ? &b.contact : &a.contact,
			.method = i % 3 != 0 ? METHOD_SINK : METHOD_SOURCE,
			.len = i * 997,
		};
	transfers(list, ARRAY_LEN(list));
	ck_assert_uint_eq(end_load(&a).streams, 0);
}

/* One stream more than a session carries; the refused one says so and harms nothing. */
PAIR_TEST(streams_per_session)
{
	struct stream *s[STREAMS_PER_SESSION], *more;
	struct buf tail;

	for (size_t i = 0; i < STREAMS_PER_SESSION; i++)
		ck_assert_int_eq(
		    sessions_open(a.ss, &b.contact, METHOD_HANG, nothing, &s[i]), ERR_OK);
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_HANG, nothing, &more), ERR_BUSY);
	until_uint(env, &b.requests, STREAMS_PER_SESSION);
	/* The other direction has its own. */
	buf_init(&tail, 16);
	ck_assert_int_eq(end_ask(&b, &a.contact, METHOD_ANSWER, nothing, &tail), ERR_OK);
	buf_fini(&tail);
	ck_assert_uint_eq(end_load(&b).tasks, STREAMS_PER_SESSION);
	for (size_t i = 0; i < STREAMS_PER_SESSION; i++)
		stream_close(s[i]);
	until_uint(env, &b.served, STREAMS_PER_SESSION);
	ck_assert_int_eq(b.last_served, ERR_BUSY); /* CANCELED is not the peer's to give */
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, 1000), ERR_OK);
}

/* ---- backpressure ---- */

PAIR_TEST(slow_reader_bounds_memory)
{
	struct transfer list[4];
	struct task_group group;
	struct buf tail;

	task_group_init(&group, env);
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		list[i] = (struct transfer){ &a, &b.contact, METHOD_WAIT, MIB(8), 0, 0 };
		ck_assert_int_eq(task_spawn(&group, "slow", transfer_run, &list[i]), ERR_OK);
	}
	until_uint(env, &b.requests, ARRAY_LEN(list));
	until_u64(env, &b.counters.session_bytes_in, 4 * STREAM_CREDIT);
	/* Everything is stuck but what is small goes by. */
	buf_init(&tail, 16);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(end_ask(&a, &b.contact, METHOD_ANSWER, nothing, &tail), ERR_OK);
	buf_fini(&tail);
	ck_assert_uint_lt(b.counters.session_bytes_in, 4 * STREAM_CREDIT + KIB(16));
	ck_assert_uint_le(end_load(&b).bytes_held, 4 * (STREAM_CREDIT + KIB(132)) + KIB(264));
	ck_assert_uint_le(end_load(&a).bytes_held, KIB(512));
	b.gate_open = true;
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		ck_assert_int_eq(list[i].err, ERR_OK);
}

/* A peer that ends early: the writer learns its status, and the tail is still there. */
PAIR_TEST(refusal_reaches_the_writer)
{
	uint8_t *data = calloc(1, MIB(4));
	struct stream *s;
	struct buf tail;

	ck_assert_ptr_nonnull(data);
	buf_init(&tail, 16);
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_FAIL, nothing, &s), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of(data, MIB(4))), ERR_NO_SPACE);
	ck_assert_int_eq(stream_write(s, bytes_of(data, 1)), ERR_NO_SPACE);
	ck_assert_int_eq(stream_finish(s, ERR_OK, nothing), ERR_NO_SPACE);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_NO_SPACE);
	stream_close(s);
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_REFUSE, nothing, &s), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of(data, MIB(4))), ERR_FULL);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_FULL);
	ck_assert_mem_eq(tail.data, "no", 2);
	stream_close(s);
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, 1000), ERR_OK);
	ck_assert_uint_eq(a.counters.frames_bad + b.counters.frames_bad, 0);
	buf_fini(&tail);
	free(data);
}

/* It answers and does not care for the rest: who still writes learns that, and has the answer. */
PAIR_TEST(an_answer_before_the_question_ends)
{
	uint8_t *data = calloc(1, MIB(4)), none[8] = { 0 };
	struct stream *s;
	struct buf tail;

	ck_assert_ptr_nonnull(data);
	buf_init(&tail, 32);
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_SOURCE, bytes_of(none, 8), &s), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of(data, MIB(4))), ERR_CLOSED);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_OK);
	ck_assert_uint_eq(tail.len, 32);
	stream_close(s);
	buf_fini(&tail);
	free(data);
}

/* ---- deadlines, cancelling ---- */

PAIR_TEST(deadline_tears_nothing)
{
	uint8_t *data = calloc(1, MIB(2)), head[8] = { [5] = 0x20 }; /* 2 MiB announced */
	uint64_t old = task_deadline(env, env_now(env) + MILLISECONDS(150));
	struct stream *s;

	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_WAIT, bytes_of(head, 8), &s), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of(data, MIB(2))), ERR_TIMEOUT);
	task_deadline_restore(env, old);
	/* The body is torn: it cannot be made to look whole. */
	ck_assert_int_eq(stream_write(s, bytes_of(data, 1)), ERR_TIMEOUT);
	ck_assert_int_eq(stream_finish(s, ERR_OK, nothing), ERR_TIMEOUT);
	stream_close(s);
	b.gate_open = true;
	until_uint(env, &b.served, 1);
	ck_assert_int_eq(b.last_served, ERR_BUSY);
	/* A read may go on after its deadline. */
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_ECHO, nothing, &s), ERR_OK);
	old = task_deadline(env, env_now(env) + MILLISECONDS(50));
	ck_assert_int_eq(stream_read(s, data, 1), ERR_TIMEOUT);
	task_deadline_restore(env, old);
	ck_assert_int_eq(stream_write(s, bytes_of("x", 1)), ERR_OK);
	ck_assert_int_eq(stream_read(s, data, 1), ERR_OK);
	stream_close(s);
	free(data);
}

static int
hang_run(void *arg)
{
	struct transfer *t = arg;
	struct stream *s;

	t->err = sessions_open(t->from->ss, t->to, METHOD_HANG, nothing, &s);
	if (t->err != ERR_OK)
		return t->err;
	t->err = stream_read(s, &(uint8_t){ 0 }, 1);
	stream_close(s);
	return t->err;
}

PAIR_TEST(cancelled_everywhere)
{
	struct transfer list[] = {
		{ &a, &b.contact, METHOD_WAIT, MIB(8), 0, 0 },
		{ &a, &b.contact, METHOD_SOURCE, MIB(64), 0, 0 },
	};
	struct transfer hang = { .from = &a, .to = &b.contact };

	/* At every point: before the connection stands, in it, and in full flow. */
	for (uint64_t wait = 0; wait < 6; wait++) {
		struct task_group group;

		task_group_init(&group, env);
		for (size_t i = 0; i < ARRAY_LEN(list); i++)
			ck_assert_int_eq(task_spawn(&group, "t", transfer_run, &list[i]), ERR_OK);
		ck_assert_int_eq(task_spawn(&group, "hang", hang_run, &hang), ERR_OK);
		for (uint64_t i = 0; i < wait * wait; i++)
			ck_assert_int_eq(task_yield(env), ERR_OK);
		if (wait > 3)
			ck_assert_int_eq(task_sleep(env, MILLISECONDS(wait)), ERR_OK);
		task_group_fini(&group);
		ck_assert_uint_eq(end_load(&a).streams, 0);
	}
	b.gate_open = true;
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, 1000), ERR_OK);
	ck_assert_uint_eq(a.counters.frames_bad + b.counters.frames_bad, 0);
}

/* ---- connecting ---- */

PAIR_TEST(opens_share_a_dial)
{
	struct transfer list[20];

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = (struct transfer){ &a, &b.contact, METHOD_SINK, 100, 0, 0 };
	transfers(list, ARRAY_LEN(list));
	ck_assert_uint_eq(a.counters.sessions_opened, 1);
	ck_assert_uint_eq(b.counters.sessions_accepted, 1);
	ck_assert(sessions_live(a.ss, &b.contact.pub, NULL, NULL));
	ck_assert(sessions_live(b.ss, &a.contact.pub, NULL, NULL));
	ck_assert(!sessions_live(a.ss, &a.contact.pub, NULL, NULL));
}

PAIR_TEST(wrong_key)
{
	struct contact wrong;
	struct stream *s;

	contact_init(&wrong, &a.contact.pub, &b.contact.addr);
	wrong.pub.b[3] ^= 1;
	contact_init(&wrong, &wrong.pub, &b.contact.addr);
	ck_assert_int_eq(sessions_open(a.ss, &wrong, METHOD_ANSWER, nothing, &s), ERR_AUTH);
	ck_assert_int_eq(sessions_probe(a.ss, &wrong, SECONDS(5)), ERR_AUTH);
	ck_assert_uint_eq(a.counters.handshakes_failed, 2);
	ck_assert_uint_eq(a.failed, 1); /* a probe is no event */
	ck_assert_int_eq(a.last_failed, ERR_AUTH);
	ck_assert_uint_eq(b.heard, 0); /* a did not say who it is */
}

PAIR_TEST(nobody_there)
{
	struct contact nobody = b.contact;
	struct stream *s;

	end_stop(&b);
	ck_assert_int_eq(sessions_open(a.ss, &nobody, METHOD_ANSWER, nothing, &s), ERR_REFUSED);
	ck_assert_uint_eq(a.failed, 1);
	ck_assert_uint_eq(a.counters.handshakes_failed, 0);
	end_start(&b, env, 2, &ip_b);
}

PAIR_TEST(wrong_network)
{
	struct network_id other = { { 9, 9, 9, 9 } };
	struct stream *s;
	struct end c;

	end_start_net(&c, env, 3, NULL, other);
	ck_assert_int_eq(sessions_open(c.ss, &b.contact, METHOD_ANSWER, nothing, &s), ERR_AUTH);
	ck_assert_uint_eq(b.heard, 0);
	ck_assert_uint_eq(b.counters.sessions_accepted, 0);
	end_stop(&c);
}

PAIR_TEST(probe)
{
	ck_assert_int_eq(sessions_probe(a.ss, &b.contact, SECONDS(5)), ERR_OK);
	ck_assert_uint_eq(a.heard, 0);
	ck_assert(!sessions_live(a.ss, &b.contact.pub, NULL, NULL));
	until_uint(env, &b.closed, 1);
	ck_assert_uint_eq(b.heard, 1);
	ck_assert_int_eq(sessions_probe(a.ss, &a.contact, SECONDS(5)), ERR_INVALID);
}

PAIR_TEST(ipv6)
{
	struct addr ip = { .family = ADDR_IPV6, .ip = { [15] = 1 } };
	struct end c, d;

	end_start(&c, env, 3, &ip);
	end_start(&d, env, 4, &ip);
	ck_assert_int_eq(end_send(&c, &d.contact, METHOD_SINK, 1000), ERR_OK);
	ck_assert(contact_equal(&d.last_heard, &c.contact));
	/* Bound to the other family: from whatever the system chooses. */
	ck_assert_int_eq(end_send(&a, &d.contact, METHOD_SINK, 1000), ERR_OK);
	ck_assert_int_eq(d.last_heard.addr.family, ADDR_IPV6);
	end_stop(&c);
	end_stop(&d);
}

PAIR_TEST(says_whether_it_serves)
{
	struct buf tail;

	buf_init(&tail, 16);
	sessions_set_server(a.ss, true);
	ck_assert_int_eq(end_ask(&a, &b.contact, METHOD_ANSWER, nothing, &tail), ERR_OK);
	ck_assert(b.last_server);
	ck_assert(!a.last_server);
	buf_fini(&tail);
}

/* ---- endings ---- */

static int
shut_b(void *arg)
{
	(void)arg;
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(30)), ERR_OK);
	end_stop(&b);
	return ERR_OK;
}

/* Under valgrind one turn of the loop may outlast a handshake's time: then once more. */
static int
send_patiently(struct end *from, const struct contact *to)
{
	int err = ERR_TIMEOUT;

	for (int tries = 0; tries < 5 && err == ERR_TIMEOUT; tries++)
		err = end_send(from, to, METHOD_SINK, 1000);
	return err;
}

/* The other end goes in the middle of everything; then a's own. */
PAIR_TEST(shutdown_with_live_streams)
{
	struct transfer list[] = {
		{ &a, &b.contact, METHOD_WAIT, MIB(8), 0, 0 },
		{ &a, &b.contact, METHOD_SOURCE, GIB(1), 0, 0 },
	};
	struct transfer hang = { .from = &a, .to = &b.contact };
	struct transfer own = { .from = &b, .to = &a.contact };
	struct task_group group;

	task_group_init(&group, env);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		ck_assert_int_eq(task_spawn(&group, "t", transfer_run, &list[i]), ERR_OK);
	ck_assert_int_eq(task_spawn(&group, "hang", hang_run, &hang), ERR_OK);
	ck_assert_int_eq(task_spawn(&group, "own", hang_run, &own), ERR_OK);
	ck_assert_int_eq(task_spawn(&group, "shut", shut_b, NULL), ERR_OK);
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	ck_assert_int_eq(list[0].err, ERR_CLOSED);
	ck_assert_int_eq(list[1].err, ERR_CLOSED);
	ck_assert_int_eq(own.err, ERR_CANCELED); /* its own end's shutdown */
	ck_assert_int_eq(hang.err, ERR_CLOSED);
	ck_assert_uint_eq(a.counters.frames_bad, 0);
	end_start(&b, env, 2, &ip_b);
	ck_assert_int_eq(send_patiently(&a, &b.contact), ERR_OK);
	end_stop(&a);
	end_start(&a, env, 1, &ip_a);
}

/* What was said before the end of a session is heard after it. */
PAIR_TEST(answer_survives_the_session)
{
	struct stream *s;
	struct buf tail;
	uint8_t back[3];

	buf_init(&tail, 16);
	ck_assert_int_eq(
	    sessions_open(a.ss, &b.contact, METHOD_ECHO, bytes_of("bye", 3), &s), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of("abc", 3)), ERR_OK);
	ck_assert_int_eq(stream_finish(s, ERR_OK, nothing), ERR_OK);
	ck_assert_int_eq(stream_read(s, back, 1), ERR_OK);
	while (end_load(&b).streams > 0)
		ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	end_stop(&b);
	until_uint(env, &a.closed, 1);
	ck_assert_int_eq(stream_read(s, back + 1, 2), ERR_OK);
	ck_assert_mem_eq(back, "abc", 3);
	ck_assert_int_eq(stream_read_tail(s, &tail), ERR_OK);
	ck_assert_mem_eq(tail.data, "bye", 3);
	stream_close(s);
	buf_fini(&tail);
	end_start(&b, env, 2, &ip_b);
}

int
main(void)
{
	Suite *s = suite_create("overlay/session");

	suite_add(s, "requests", 60, answers_at_once, limits_of_head_and_tail, echo,
	    tail_must_come_next, NULL);
	suite_add(s, "bulk", 120, bulk_both_ways, many_streams, streams_per_session, NULL);
	suite_add(s, "pressure", 60, slow_reader_bounds_memory, refusal_reaches_the_writer,
	    an_answer_before_the_question_ends, NULL);
	suite_add(s, "cancel", 60, deadline_tears_nothing, cancelled_everywhere, NULL);
	suite_add(s, "connect", 60, opens_share_a_dial, wrong_key, nobody_there, wrong_network,
	    probe, ipv6, says_whether_it_serves, NULL);
	suite_add(s, "endings", 60, shutdown_with_live_streams, answer_survives_the_session, NULL);
	return suite_main(s);
}
