/*
 * Ends of sessions for tests, on whatever env they are given: an identity, its
 * sessions, what the events said, and a small service. And a raw connection on which a
 * test says what no honest end would.
 */
#ifndef TEST_UNIT_OVERLAY_SESSION_END_H
#define TEST_UNIT_OVERLAY_SESSION_END_H

#include "overlay/base/env.h"
#include "overlay/session.h"

enum test_method {
	METHOD_ANSWER = 100, /* at once: ERR_OK and the head */
	METHOD_REFUSE,       /* at once: ERR_FULL, "no" */
	METHOD_ECHO,         /* sends back what comes until its end */
	METHOD_SINK,         /* hashes what comes; the tail is the hash */
	METHOD_SOURCE,       /* sends the u64 bytes that the head asks for; tail: the hash */
	METHOD_HANG,         /* waits for more than ever comes */
	METHOD_WAIT,         /* like SINK, once the gate is open */
	METHOD_FAIL,         /* ERR_NO_SPACE without a word */
	METHOD_NOBODY        /* not served */
};

struct end {
	struct env *env;
	struct identity identity;
	struct sessions *ss;
	struct contact contact; /* where it listens */
	struct endpoint_counters counters;
	unsigned heard, failed, closed, blamed, requests, served;
	int last_failed, last_served;
	bool last_server;
	uint64_t last_rtt;
	struct contact last_heard;
	const char *last_blame;
	bool gate_open; /* METHOD_WAIT may go on */
	bool shut;
	struct wait shut_wait;
};

extern const struct network_id test_net;

/* seed makes the key; listens on ip (any port) unless NULL. */
void end_start(struct end *e, struct env *env, uint32_t seed, const struct addr *ip);
/* For other networks; net is of the sessions only. */
void end_start_net(
    struct end *e, struct env *env, uint32_t seed, const struct addr *ip, struct network_id net);
SUSPENDS void end_stop(struct end *e); /* shutdown, waits, checks that all is given back */
struct sessions_load end_load(const struct end *e);

/* Waits until *count reaches at least this; fails the test after 20 s. */
SUSPENDS void until_u64(struct env *env, const uint64_t *count, uint64_t at_least);
SUSPENDS void until_uint(struct env *env, const unsigned *count, unsigned at_least);

/* Deterministic bytes, and the hash of what METHOD_SINK gets and METHOD_SOURCE gives. */
void pattern_fill(uint8_t *out, size_t len, uint64_t at);
void pattern_hash(struct hash *out, uint64_t len);

/* One request on a stream: opens, sends nothing more, reads the tail. */
SUSPENDS int end_ask(struct end *from, const struct contact *to, uint16_t method, struct bytes head,
    struct buf *tail);
/* Sends len bytes of the pattern to METHOD_SINK and checks the hash. */
SUSPENDS int end_send(struct end *from, const struct contact *to, uint16_t method, uint64_t len);
/* Fetches len bytes of METHOD_SOURCE and checks the hash. */
SUSPENDS int end_fetch(struct end *from, const struct contact *to, uint64_t len);

/* ---- raw connections ---- */
struct raw {
	struct env *env;
	struct conn *conn;
	struct wait *reading, *writing;
};

void raw_take(struct raw *r, struct env *env, struct conn *conn);
SUSPENDS int raw_connect(struct raw *r, struct env *env, const struct addr *to);
SUSPENDS int raw_write(struct raw *r, const void *data, size_t len);
SUSPENDS int raw_read(struct raw *r, void *dst, size_t len); /* ERR_CLOSED when it ended */
SUSPENDS int raw_write_message(struct raw *r, const void *data, size_t len); /* length in front */
SUSPENDS int raw_read_message(struct raw *r, uint8_t *dst, size_t cap, size_t *len);
/* True when the other side has closed within 20 s, whatever it sent before. */
SUSPENDS bool raw_ended(struct raw *r);
/* Ends the connection; who waits on it gets ERR_CLOSED. raw_close() is still due. */
void raw_hang_up(struct raw *r);
void raw_close(struct raw *r);

#endif
