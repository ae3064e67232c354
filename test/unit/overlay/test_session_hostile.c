/*
 * Sessions against those who break the rules: a man in the middle who changes, drops, doubles,
 * swaps and cuts messages; a peer with a proper key that sends what it must not. In every case: the
 * session in question ends, is counted for what it was, the peer is blamed only for what it has
 * sealed, and an honest peer is served meanwhile.
 */
#include <stdlib.h>
#include <unistd.h>

#include "overlay/base/err.h"
#include "overlay/frame.h"
#include "overlay/handshake.h"
#include "test/unit/overlay/session_pair.h"
#include "test/unit/suite.h"

/* ---- a man in the middle ---- */

enum tamper { NONE, FLIP, DROP, REPLAY, SWAP, CUT, INSERT, OVERSIZE, UNDERSIZE };

struct middle {
	struct listener *listener;
	struct contact contact; /* b's key at the middle's address */
	struct task_group group;
	struct raw in, out;
	enum tamper tamper;
	unsigned at; /* which message from the client, from 0; the handshake's are 0 and 1 */
	size_t byte; /* FLIP: of that message */
	bool to_server;
	unsigned accepted;
};

struct way {
	struct middle *m;
	struct raw *from, *to;
	bool to_server;
};

/* Passes one message on; false: the connection is to be cut. */
static bool
pass(struct way *w, unsigned index, uint8_t *message, size_t *len, uint8_t *held, size_t *held_len)
{
	struct middle *m = w->m;
	static const uint8_t junk[64];
	bool it = w->to_server == m->to_server && index == m->at;
	int err = ERR_OK;

	switch (it ? m->tamper : NONE) {
	case NONE:
		break;
	case FLIP:
		message[m->byte < *len ? m->byte : *len - 1] ^= 0x10;
		break;
	case DROP:
		return true;
	case REPLAY:
		err = raw_write_message(w->to, message, *len);
		break;
	case SWAP:
		memcpy(held, message, *len);
		*held_len = *len;
		return true;
	case CUT:
		(void)raw_write(w->to, (uint8_t[]){ (uint8_t)(*len >> 8), (uint8_t)*len }, 2);
		(void)raw_write(w->to, message, *len / 2);
		return false;
	case INSERT:
		err = raw_write_message(w->to, junk, sizeof(junk));
		break;
	case OVERSIZE:
		(void)raw_write(w->to, "\xff\xff", 2);
		return true;
	case UNDERSIZE:
		(void)raw_write(w->to, "\0\x15", 2);
		return true;
	}
	if (err == ERR_OK)
		err = raw_write_message(w->to, message, *len);
	if (err == ERR_OK && *held_len > 0) {
		err = raw_write_message(w->to, held, *held_len);
		*held_len = 0;
	}
	return err == ERR_OK;
}

static int
pass_run(void *arg)
{
	struct way w = *(struct way *)arg;
	uint8_t *message = malloc(65536), *held = malloc(65536);
	size_t len = 0, held_len = 0;
	unsigned index = 0;

	free(arg);
	ck_assert(message != NULL && held != NULL);
	while (raw_read_message(w.from, message, 65536, &len) == ERR_OK &&
	       pass(&w, index++, message, &len, held, &held_len))
		;
	raw_hang_up(w.to);
	raw_hang_up(w.from);
	free(message);
	free(held);
	return ERR_OK;
}

static void
way_start(struct middle *m, struct raw *from, struct raw *to, bool to_server)
{
	struct way *w = malloc(sizeof(*w));

	ck_assert_ptr_nonnull(w);
	*w = (struct way){ m, from, to, to_server };
	ck_assert_int_eq(task_spawn(&m->group, "pass", pass_run, w), ERR_OK);
}

static int
middle_run(void *arg)
{
	struct middle *m = arg;

	ck_assert_int_eq(raw_connect(&m->out, env, &b.contact.addr), ERR_OK);
	way_start(m, &m->in, &m->out, true);
	way_start(m, &m->out, &m->in, false);
	return ERR_OK;
}

static void
middle_accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct middle *m = arg;

	(void)from;
	if (m->accepted++ > 0) {
		conn_close(conn);
		return;
	}
	raw_take(&m->in, env, conn);
	ck_assert_int_eq(task_spawn(&m->group, "middle", middle_run, m), ERR_OK);
}

static void
middle_start(struct middle *m, enum tamper tamper, bool to_server, unsigned at, size_t byte)
{
	struct listen_opts opts = { .bind = ip_b, .accepted = middle_accepted, .arg = m };
	struct addr local;

	*m = (struct middle){ .tamper = tamper, .to_server = to_server, .at = at, .byte = byte };
	task_group_init(&m->group, env);
	ck_assert_int_eq(env_listen(env, &opts, &m->listener), ERR_OK);
	listener_local(m->listener, &local);
	contact_init(&m->contact, &b.contact.pub, &local);
}

static void
middle_stop(struct middle *m)
{
	task_group_fini(&m->group);
	listener_close(m->listener);
	raw_close(&m->in);
	raw_close(&m->out);
}

/* One transfer through the middle; what came of it. */
static int
through(enum tamper tamper, bool to_server, unsigned at, size_t byte)
{
	struct middle m;
	int err;

	middle_start(&m, tamper, to_server, at, byte);
	err = end_send(&a, &m.contact, METHOD_SINK, KIB(200));
	if (tamper != NONE)
		while (end_load(&b).sessions + end_load(&b).handshakes + end_load(&a).sessions > 0)
			ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	middle_stop(&m);
	while (end_load(&b).sessions + end_load(&a).sessions > 0)
		ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	return err;
}

PAIR_TEST(honest_middle)
{
	ck_assert_int_eq(through(NONE, true, 0, 0), ERR_OK);
	ck_assert_uint_eq(a.counters.frames_bad + b.counters.frames_bad, 0);
}

PAIR_TEST(frames_changed_on_the_way)
{
	static const enum tamper ways[] = { FLIP, FLIP, FLIP, DROP, REPLAY, SWAP, CUT, INSERT,
		OVERSIZE, UNDERSIZE };
	static const size_t bytes[] = { 0, 7, 100000, 0, 0, 0, 0, 0, 0, 0 };
	uint64_t bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		int err = through(ways[i], true, 4, bytes[i]);

		ck_assert_msg(err == ERR_CLOSED, "%zu: %s", i, err_name(err));
		bad += ways[i] != CUT;
		ck_assert_msg(b.counters.frames_bad == bad, "%zu: not counted", i);
	}
	ck_assert_uint_eq(b.blamed, 0); /* a has not done it */
	ck_assert_uint_eq(b.served, ARRAY_LEN(ways));
	ck_assert_int_eq(b.last_served, ERR_CLOSED);
	/* The other way: the first frame from b is credit or the end. */
	ck_assert_int_eq(through(FLIP, false, 1, 3), ERR_CLOSED);
	ck_assert_uint_eq(a.counters.frames_bad, 1);
	ck_assert_uint_eq(a.blamed, 0);
}

PAIR_TEST(handshakes_changed_on_the_way)
{
	static const struct {
		bool to_server;
		unsigned at;
		size_t bytes;
	} messages[] = { { true, 0, NOISE_OVERHEAD_1 },
		{ false, 0, NOISE_OVERHEAD_2 + HANDSHAKE_HELLO_BYTES },
		{ true, 1, NOISE_OVERHEAD_3 + HANDSHAKE_HELLO_BYTES } };

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		for (size_t byte = 0; byte < messages[i].bytes; byte += 11) {
			int err = through(FLIP, messages[i].to_server, messages[i].at, byte);

			ck_assert_msg(err == ERR_AUTH || err == ERR_CLOSED, "message %zu: %s", i,
			    err_name(err));
		}
		ck_assert_int_ne(through(CUT, messages[i].to_server, messages[i].at, 0), ERR_OK);
		ck_assert_int_ne(
		    through(OVERSIZE, messages[i].to_server, messages[i].at, 0), ERR_OK);
	}
	ck_assert_uint_eq(b.heard, 0);
	ck_assert_uint_eq(b.requests, 0);
	ck_assert_uint_gt(b.counters.handshakes_failed, 0);
}

/* ---- a peer that breaks the rules ---- */

struct rogue {
	struct raw raw;
	struct identity identity;
	struct aead *aead;
	struct noise_cipher send, receive;
};

static void
rogue_start(struct rogue *r)
{
	struct key seed = { { 77 } }, ephemeral = { { 0 } };
	struct session_hello self = { .wall_ms = 1 };
	uint8_t message[HANDSHAKE_MESSAGE_MAX];
	struct handshake h;
	size_t len;

	memset(r, 0, sizeof(*r));
	identity_from_seed(&seed, &r->identity);
	r->aead = aead_new();
	ck_assert_ptr_nonnull(r->aead);
	env_random(env, ephemeral.b, sizeof(ephemeral.b));
	handshake_init(&h, &(struct handshake_opts){ .initiator = true,
			       .identity = &r->identity,
			       .net = test_net,
			       .aead = r->aead,
			       .expect = &b.contact.pub });
	ck_assert_int_eq(raw_connect(&r->raw, env, &b.contact.addr), ERR_OK);
	ck_assert_int_eq(handshake_write(&h, &self, &ephemeral, message, &len), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r->raw, message, len), ERR_OK);
	ck_assert_int_eq(raw_read_message(&r->raw, message, sizeof(message), &len), ERR_OK);
	ck_assert_int_eq(handshake_read(&h, bytes_of(message, len)), ERR_OK);
	ck_assert_int_eq(handshake_write(&h, &self, &ephemeral, message, &len), ERR_OK);
	ck_assert_int_eq(raw_write_message(&r->raw, message, len), ERR_OK);
	handshake_finish(&h, &r->send, &r->receive);
}

static void
rogue_stop(struct rogue *r)
{
	raw_close(&r->raw);
	aead_free(r->aead);
	identity_wipe(&r->identity);
}

static int
rogue_say_plain(struct rogue *r, struct bytes plain)
{
	uint8_t *sealed = malloc(plain.len + CRYPTO_TAG_BYTES);
	int err;

	ck_assert_ptr_nonnull(sealed);
	ck_assert_int_eq(noise_seal(&r->send, r->aead, sealed, plain.data, plain.len), ERR_OK);
	err = raw_write_message(&r->raw, sealed, plain.len + CRYPTO_TAG_BYTES);
	free(sealed);
	return err;
}

static int
rogue_say(struct rogue *r, const struct frame *f)
{
	uint8_t *plain = malloc(frame_bytes(f));
	int err;

	ck_assert_ptr_nonnull(plain);
	frame_pack(f, plain);
	err = rogue_say_plain(r, bytes_of(plain, frame_bytes(f)));
	free(plain);
	return err;
}

/* The next frame; plain is its memory. */
static int
rogue_hear(struct rogue *r, struct frame *f, uint8_t *plain)
{
	size_t len;
	int err = raw_read_message(&r->raw, plain, FRAME_SEALED_MAX, &len);

	if (err == ERR_OK)
		err = noise_open(&r->receive, r->aead, plain, plain, len);
	return err == ERR_OK ? frame_unpack(bytes_of(plain, len - CRYPTO_TAG_BYTES), f) : err;
}

static const uint8_t zeros[FRAME_PAYLOAD_MAX];

#define OPEN(id, m)                                                                                \
	{                                                                                          \
		.type = FRAME_OPEN, .stream = (id), .method = (m)                                  \
	}
#define DATA(id, n)                                                                                \
	{                                                                                          \
		.type = FRAME_DATA, .stream = (id), .bytes = { zeros, (n) }                        \
	}
#define CREDIT(id, n)                                                                              \
	{                                                                                          \
		.type = FRAME_CREDIT, .stream = (id), .credit = (n)                                \
	}
#define END(id)                                                                                    \
	{                                                                                          \
		.type = FRAME_END, .stream = (id)                                                  \
	}
#define RESET(id)                                                                                  \
	{                                                                                          \
		.type = FRAME_RESET, .stream = (id), .status = ERR_IO                              \
	}

/* OPEN METHOD_WAIT has a head of 8 bytes. */
static const uint8_t head[8] = { [5] = 0x20 };
#define OPEN_WAIT(id)                                                                              \
	{                                                                                          \
		.type = FRAME_OPEN, .stream = (id), .method = METHOD_WAIT, .bytes = { head, 8 }    \
	}

PAIR_TEST(rules_broken)
{
	static const struct frame sequences[][4] = {
		{ OPEN(2, METHOD_HANG) },                       /* b's numbers */
		{ OPEN(3, METHOD_HANG), OPEN(1, METHOD_HANG) }, /* back */
		{ OPEN(1, METHOD_HANG), OPEN(1, METHOD_HANG) }, /* twice */
		{ OPEN(1, METHOD_ANSWER), OPEN(1, METHOD_ANSWER) },
		{ DATA(1, 1) }, /* never opened */
		{ DATA(2, 1) }, { OPEN(1, METHOD_HANG), DATA(3, 1) }, { CREDIT(5, 1) }, { END(7) },
		{ RESET(2) }, { OPEN_WAIT(1), END(1), DATA(1, 1) }, /* behind the end */
		{ OPEN_WAIT(1), END(1), END(1) },
		{ OPEN(1, METHOD_HANG), CREDIT(1, 1) }, /* none was used */
	};

	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		struct rogue r;

		rogue_start(&r);
		for (size_t k = 0; k < 4 && sequences[i][k].type != 0; k++)
			ck_assert_int_eq(rogue_say(&r, &sequences[i][k]), ERR_OK);
		ck_assert_msg(raw_ended(&r.raw), "sequence %zu goes on", i);
		ck_assert_msg(b.counters.frames_bad == i + 1, "sequence %zu: not counted", i);
		ck_assert_uint_eq(b.blamed, i + 1);
		rogue_stop(&r);
	}
	b.gate_open = true;
}

PAIR_TEST(malformed_frames)
{
	static const struct bytes plains[] = {
		{ (const uint8_t *)"\0\0\0\0\0\1", 6 },
		{ (const uint8_t *)"\x63\0\0\0\0\1", 6 },
		{ (const uint8_t *)"\2\0\0\0\0\1", 6 },
		{ (const uint8_t *)"\6\0\0\0\0\0", 6 },
		{ (const uint8_t *)"\5\0\0\0\0\1\0\0\0\0", 10 },
		{ (const uint8_t *)"\1\x80\0\0\0\1\0\x64", 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(plains); i++) {
		struct rogue r;

		rogue_start(&r);
		ck_assert_int_eq(rogue_say_plain(&r, plains[i]), ERR_OK);
		ck_assert(raw_ended(&r.raw));
		ck_assert_uint_eq(b.counters.frames_bad, i + 1);
		ck_assert_uint_eq(b.blamed, i + 1);
		rogue_stop(&r);
	}
}

PAIR_TEST(more_than_credit)
{
	static const struct frame open = OPEN_WAIT(1), data = DATA(1, FRAME_PAYLOAD_MAX);
	static const struct frame one = DATA(1, 1);
	struct rogue r;

	rogue_start(&r);
	ck_assert_int_eq(rogue_say(&r, &open), ERR_OK);
	for (size_t sent = 0; sent < STREAM_CREDIT; sent += FRAME_PAYLOAD_MAX)
		ck_assert_int_eq(rogue_say(&r, &data), ERR_OK);
	until_u64(env, &b.counters.session_bytes_in, STREAM_CREDIT);
	ck_assert_uint_eq(b.counters.frames_bad, 0);
	ck_assert_int_eq(rogue_say(&r, &one), ERR_OK);
	ck_assert(raw_ended(&r.raw));
	ck_assert_uint_eq(b.counters.frames_bad, 1);
	rogue_stop(&r);
	b.gate_open = true;
}

/* What crosses an end is no offence. */
PAIR_TEST(late_frames)
{
	static const struct frame frames[] = { OPEN(1, METHOD_ANSWER), DATA(1, 9), CREDIT(1, 5),
		END(1), RESET(1), { .type = FRAME_PING, .token = 42 } };
	uint8_t *plain = malloc(FRAME_SEALED_MAX);
	struct frame f = { .type = FRAME_DATA };
	struct rogue r;

	ck_assert_ptr_nonnull(plain);
	rogue_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		ck_assert_int_eq(rogue_say(&r, &frames[i]), ERR_OK);
	ck_assert_int_eq(rogue_hear(&r, &f, plain), ERR_OK);
	ck_assert_int_eq(f.type, FRAME_END);
	ck_assert_int_eq(f.status, ERR_OK);
	ck_assert_int_eq(rogue_hear(&r, &f, plain), ERR_OK);
	ck_assert_int_eq(f.type, FRAME_PONG);
	ck_assert_uint_eq(f.token, 42);
	ck_assert_uint_eq(b.counters.frames_bad, 0);
	rogue_stop(&r);
	free(plain);
}

PAIR_TEST(too_many_streams)
{
	uint8_t *plain = malloc(FRAME_SEALED_MAX);
	struct frame f = { .type = FRAME_DATA };
	struct rogue r;

	ck_assert_ptr_nonnull(plain);
	rogue_start(&r);
	for (uint32_t i = 0; i <= STREAMS_PER_SESSION; i++) {
		struct frame open = OPEN(2 * i + 1, METHOD_HANG);

		ck_assert_int_eq(rogue_say(&r, &open), ERR_OK);
	}
	ck_assert_int_eq(rogue_hear(&r, &f, plain), ERR_OK);
	ck_assert_int_eq(f.type, FRAME_RESET);
	ck_assert_int_eq(f.status, ERR_BUSY);
	ck_assert_uint_eq(f.stream, 2 * STREAMS_PER_SESSION + 1);
	ck_assert_uint_eq(b.counters.streams_refused, 1);
	ck_assert_uint_eq(end_load(&b).streams, STREAMS_PER_SESSION);
	rogue_stop(&r);
	until_uint(env, &b.served, STREAMS_PER_SESSION);
	ck_assert_int_eq(b.last_served, ERR_CLOSED);
	free(plain);
}

/* A peer that asks and asks and never reads. */
static void
never_reads(const struct frame *first, const struct frame *again)
{
	struct rogue r;
	uint64_t old = task_deadline(env, env_now(env) + SECONDS(60));
	uint32_t id = first->stream;
	int err = ERR_OK;
	size_t most = 0;

	rogue_start(&r);
	while (err == ERR_OK) {
		struct frame f = *again;

		if (f.stream != 0) {
			f.stream = id;
			id += 2;
		}
		err = rogue_say(&r, &f);
		most = MAX(most, end_load(&b).bytes_held);
	}
	task_deadline_restore(env, old);
	ck_assert_int_ne(err, ERR_TIMEOUT);
	ck_assert_uint_le(most, MIB(1) + KIB(300));
	ck_assert_uint_eq(end_load(&b).sessions, 0);
	rogue_stop(&r);
}

PAIR_TEST(pings_without_reading)
{
	static const struct frame ping = { .type = FRAME_PING };

	never_reads(&ping, &ping);
}

PAIR_TEST(requests_without_reading)
{
	static const struct frame small = OPEN(1, METHOD_NOBODY);

	never_reads(&small, &small);
}

PAIR_TEST(answers_without_reading)
{
	struct frame ask = { .type = FRAME_OPEN,
		.stream = 1,
		.method = METHOD_ANSWER,
		.bytes = { zeros, RPC_HEAD_BYTES_MAX } };
	size_t most = 0;
	struct rogue r;

	rogue_start(&r);
	/* 32 MiB of answers: more than loopback buffers hold. */
	for (unsigned i = 0; i < 2048; i++, ask.stream += 2) {
		ck_assert_int_eq(rogue_say(&r, &ask), ERR_OK);
		most = MAX(most, end_load(&b).bytes_held);
	}
	until_u64(env, &b.counters.session_bytes_in, MIB(32));
	ck_assert_uint_gt(b.counters.streams_refused, 0);
	ck_assert_uint_le(most, MIB(1));
	rogue_stop(&r);
}

int
main(void)
{
	Suite *s = suite_create("overlay/session_hostile");

	suite_add(s, "middle", 120, honest_middle, frames_changed_on_the_way,
	    handshakes_changed_on_the_way, NULL);
	suite_add(s, "rogue", 120, rules_broken, malformed_frames, more_than_credit, late_frames,
	    too_many_streams, NULL);
	suite_add(s, "deaf", 120, pings_without_reading, requests_without_reading,
	    answers_without_reading, NULL);
	return suite_main(s);
}
