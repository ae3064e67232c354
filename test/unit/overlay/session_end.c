#include "test/unit/overlay/session_end.h"

#include <check.h>
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"
#include "overlay/noise.h"

#define PATIENCE       SECONDS(20) /* for what takes milliseconds, on a machine under valgrind */
#define PIECE_BYTES    KIB(64)
#define PATTERN_PERIOD 65521 /* a prime: no piece looks like the next */

const struct network_id test_net = { { 1, 2, 3, 4 } };

/* ---- events ---- */

static void
on_heard(void *arg, const struct contact *peer, const struct session_hello *hello, uint64_t rtt)
{
	struct end *e = arg;

	e->heard++;
	e->last_heard = *peer;
	e->last_server = hello->server;
	e->last_rtt = rtt;
	ck_assert_uint_eq(hello->version, 1);
}

static void
on_failed(void *arg, const struct contact *to, int err)
{
	struct end *e = arg;

	(void)to;
	e->failed++;
	e->last_failed = err;
}

static void
on_closed(void *arg, const struct contact *peer, uint64_t bytes_in, uint64_t bytes_out)
{
	struct end *e = arg;

	(void)peer;
	ck_assert_uint_gt(bytes_in + bytes_out, 0);
	e->closed++;
}

static void
on_blame(void *arg, const struct contact *peer, const char *reason)
{
	struct end *e = arg;

	(void)peer;
	e->blamed++;
	e->last_blame = reason;
}

/* ---- the service ---- */

static int
serve_echo(void *arg, struct stream *s, const struct rpc_request *req)
{
	uint8_t byte;
	int err;

	(void)arg;
	while ((err = stream_read(s, &byte, 1)) == ERR_OK) {
		err = stream_write(s, bytes_of(&byte, 1));
		if (err != ERR_OK)
			return err;
	}
	if (err != ERR_END)
		return err;
	return stream_finish(s, ERR_OK, req->body);
}

/* Everything up to the peer's end. */
static int
sink(struct stream *s, uint64_t len, struct hash *out)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	struct sha256 *sha = sha256_new();
	int err = ERR_OK;

	ck_assert(piece != NULL && sha != NULL);
	while (len > 0 && err == ERR_OK) {
		size_t n = MIN(len, PIECE_BYTES);

		err = stream_read(s, piece, n);
		if (err == ERR_OK)
			sha256_update(sha, piece, n);
		len -= n;
	}
	sha256_final(sha, out);
	sha256_free(sha);
	free(piece);
	return err;
}

static uint64_t
head_u64(const struct rpc_request *req)
{
	struct unpacker u = unpacker_on(req->body);
	uint64_t v = unpack_u64(&u);

	ck_assert(unpack_done(&u));
	return v;
}

static int
serve_sink(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct end *e = arg;
	struct hash hash;
	int err = ERR_OK;

	while (req->method == METHOD_WAIT && !e->gate_open && err == ERR_OK)
		err = task_sleep(e->env, MILLISECONDS(1));
	if (err == ERR_OK)
		err = sink(s, head_u64(req), &hash);
	if (err == ERR_OK)
		err = stream_read(s, &(uint8_t){ 0 }, 1) == ERR_END ? ERR_OK : ERR_INVALID;
	if (err == ERR_OK)
		err = stream_finish(s, ERR_OK, bytes_of(hash.b, sizeof(hash.b)));
	e->last_served = err;
	e->served++;
	return err;
}

static int
source(struct stream *s, uint64_t len)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int err = ERR_OK;

	ck_assert(piece != NULL);
	for (uint64_t at = 0; at < len && err == ERR_OK; at += PIECE_BYTES) {
		size_t n = MIN(len - at, PIECE_BYTES);

		pattern_fill(piece, n, at);
		err = stream_write(s, bytes_of(piece, n));
	}
	free(piece);
	return err;
}

static int
serve_source(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct end *e = arg;
	uint64_t len = head_u64(req);
	struct hash hash;
	int err;

	err = source(s, len);
	if (err == ERR_OK) {
		pattern_hash(&hash, len);
		err = stream_finish(s, ERR_OK, bytes_of(hash.b, sizeof(hash.b)));
	}
	e->last_served = err;
	e->served++;
	return err;
}

static int
serve_hang(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct end *e = arg;
	int err = stream_read(s, &(uint8_t){ 0 }, 1);

	(void)req;
	e->last_served = err;
	e->served++;
	return err;
}

static int
serve_fail(void *arg, struct stream *s, const struct rpc_request *req)
{
	(void)arg;
	(void)s;
	(void)req;
	return ERR_NO_SPACE;
}

static void
on_request(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct end *e = arg;

	e->requests++;
	ck_assert(req->session);
	switch (req->method) {
	case METHOD_ANSWER:
		session_answer(s, ERR_OK, req->body);
		break;
	case METHOD_REFUSE:
		session_answer(s, ERR_FULL, bytes_of("no", 2));
		break;
	case METHOD_ECHO:
		(void)session_serve(s, serve_echo, e);
		break;
	case METHOD_SINK:
	case METHOD_WAIT:
		(void)session_serve(s, serve_sink, e);
		break;
	case METHOD_SOURCE:
		(void)session_serve(s, serve_source, e);
		break;
	case METHOD_HANG:
		(void)session_serve(s, serve_hang, e);
		break;
	case METHOD_FAIL:
		(void)session_serve(s, serve_fail, e);
		break;
	default:
		break;
	}
}

/* ---- life ---- */

void
end_start_net(
    struct end *e, struct env *env, uint32_t seed, const struct addr *ip, struct network_id net)
{
	struct sessions_events events = {
		.heard = on_heard,
		.failed = on_failed,
		.closed = on_closed,
		.blame = on_blame,
		.request = on_request,
		.arg = e,
	};
	struct key key = { { (uint8_t)seed, (uint8_t)(seed >> 8), (uint8_t)(seed >> 16), 0x5e } };
	struct addr bound = { .family = ADDR_NONE };

	memset(e, 0, sizeof(*e));
	e->env = env;
	wait_init(&e->shut_wait);
	ck_assert_int_eq(crypto_init(), ERR_OK);
	identity_from_seed(&key, &e->identity);
	ck_assert_int_eq(sessions_new(
			     &(struct sessions_opts){
				 .env = env,
				 .identity = &e->identity,
				 .net = net,
				 .loopback_net = ip != NULL && addr_is_loopback(ip),
				 .counters = &e->counters,
				 .events = &events,
			     },
			     &e->ss),
	    ERR_OK);
	if (ip != NULL)
		ck_assert_int_eq(sessions_listen(e->ss, ip, &bound), ERR_OK);
	contact_init(&e->contact, &e->identity.pub, &bound);
}

void
end_start(struct end *e, struct env *env, uint32_t seed, const struct addr *ip)
{
	end_start_net(e, env, seed, ip, test_net);
}

static void
on_shut(void *arg)
{
	struct end *e = arg;

	e->shut = true;
	wait_wake(&e->shut_wait, ERR_OK);
}

SUSPENDS void
end_stop(struct end *e)
{
	struct sessions_load load;

	sessions_shutdown(e->ss, on_shut, e);
	ck_assert_int_eq(wait_for(e->env, &e->shut_wait, PATIENCE), ERR_OK);
	load = end_load(e);
	ck_assert_uint_eq(load.sessions + load.handshakes + load.dials + load.streams, 0);
	ck_assert_uint_eq(load.tasks + load.bytes_held, 0);
	sessions_free(e->ss);
	e->ss = NULL;
	identity_wipe(&e->identity);
}

struct sessions_load
end_load(const struct end *e)
{
	struct sessions_load load;

	sessions_load(e->ss, &load);
	return load;
}

SUSPENDS void
until_u64(struct env *env, const uint64_t *count, uint64_t at_least)
{
	uint64_t end = env_now(env) + PATIENCE;

	while (*count < at_least) {
		ck_assert_msg(
		    env_now(env) < end, "waited in vain for %llu", (unsigned long long)at_least);
		ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	}
}

SUSPENDS void
until_uint(struct env *env, const unsigned *count, unsigned at_least)
{
	uint64_t end = env_now(env) + PATIENCE;

	while (*count < at_least) {
		ck_assert_msg(env_now(env) < end, "waited in vain for %u", at_least);
		ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
	}
}

/* ---- using them ---- */

void
pattern_fill(uint8_t *out, size_t len, uint64_t at)
{
	static uint8_t period[PATTERN_PERIOD];

	if (period[1] == 0) {
		for (size_t i = 0; i < PATTERN_PERIOD; i++)
			period[i] = (uint8_t)(i ^ (i >> 8));
	}
	while (len > 0) {
		size_t from = at % PATTERN_PERIOD, n = MIN(len, PATTERN_PERIOD - from);

		memcpy(out, period + from, n);
		out += n;
		at += n;
		len -= n;
	}
}

void
pattern_hash(struct hash *out, uint64_t len)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	struct sha256 *sha = sha256_new();

	ck_assert(piece != NULL && sha != NULL);
	for (uint64_t at = 0; at < len; at += PIECE_BYTES) {
		size_t n = MIN(len - at, PIECE_BYTES);

		pattern_fill(piece, n, at);
		sha256_update(sha, piece, n);
	}
	sha256_final(sha, out);
	sha256_free(sha);
	free(piece);
}

SUSPENDS int
end_ask(struct end *from, const struct contact *to, uint16_t method, struct bytes head,
    struct buf *tail)
{
	struct stream *s;
	int err = sessions_open(from->ss, to, method, head, &s);

	if (err != ERR_OK)
		return err;
	err = stream_finish(s, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = stream_read_tail(s, tail);
	stream_close(s);
	return err;
}

static void
head_of(uint8_t head[8], uint64_t len)
{
	struct packer p = packer_on(head, 8);

	pack_u64(&p, len);
	ck_assert(pack_ok(&p));
}

static int
tail_check(struct stream *s, uint64_t len)
{
	struct hash hash;
	struct buf tail;
	int err;

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	err = stream_read_tail(s, &tail);
	if (err == ERR_OK) {
		pattern_hash(&hash, len);
		if (tail.len != sizeof(hash.b) || memcmp(tail.data, hash.b, sizeof(hash.b)) != 0)
			err = ERR_CORRUPT;
	}
	buf_fini(&tail);
	return err;
}

SUSPENDS int
end_send(struct end *from, const struct contact *to, uint16_t method, uint64_t len)
{
	struct stream *s;
	uint8_t head[8];
	int err;

	head_of(head, len);
	err = sessions_open(from->ss, to, method, bytes_of(head, sizeof(head)), &s);
	if (err != ERR_OK)
		return err;
	err = source(s, len);
	if (err == ERR_OK)
		err = stream_finish(s, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = tail_check(s, len);
	stream_close(s);
	return err;
}

SUSPENDS int
end_fetch(struct end *from, const struct contact *to, uint64_t len)
{
	struct hash got, wanted;
	struct stream *s;
	uint8_t head[8];
	int err;

	head_of(head, len);
	err = sessions_open(from->ss, to, METHOD_SOURCE, bytes_of(head, sizeof(head)), &s);
	if (err != ERR_OK)
		return err;
	err = stream_finish(s, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = sink(s, len, &got);
	pattern_hash(&wanted, len);
	if (err == ERR_OK)
		err = hash_equal(&got, &wanted) ? tail_check(s, len) : ERR_CORRUPT;
	stream_close(s);
	return err;
}

/* ---- raw connections ---- */

static void
raw_want(struct raw *r)
{
	conn_want(r->conn, r->reading != NULL, r->writing != NULL);
}

/* One task may read while another writes. */
static void
raw_ready(void *arg, bool readable, bool writable)
{
	struct raw *r = arg;

	if (readable && r->reading != NULL) {
		wait_wake(r->reading, ERR_OK);
		r->reading = NULL;
	}
	if (writable && r->writing != NULL) {
		wait_wake(r->writing, ERR_OK);
		r->writing = NULL;
	}
	raw_want(r);
}

void
raw_take(struct raw *r, struct env *env, struct conn *conn)
{
	*r = (struct raw){ .env = env, .conn = conn };
	conn_set_handler(conn, &(struct conn_handler){ .ready = raw_ready, .arg = r });
	conn_want(conn, false, false);
}

static SUSPENDS int
raw_wait(struct raw *r, struct wait **which)
{
	struct wait w;
	int err;

	wait_init(&w);
	*which = &w;
	raw_want(r);
	err = wait_for(r->env, &w, PATIENCE);
	if (*which == &w)
		*which = NULL;
	return err;
}

SUSPENDS int
raw_connect(struct raw *r, struct env *env, const struct addr *to)
{
	struct conn *conn;
	int err = env_connect(env, to, NULL, &conn);

	if (err != ERR_OK)
		return err;
	raw_take(r, env, conn);
	return raw_wait(r, &r->writing);
}

SUSPENDS int
raw_write(struct raw *r, const void *data, size_t len)
{
	struct bytes left = bytes_of(data, len);

	while (left.len > 0) {
		int64_t n = r->conn != NULL ? conn_write(r->conn, &left, 1) : ERR_CLOSED;
		int err = n == 0 ? raw_wait(r, &r->writing) : n < 0 ? (int)n : ERR_OK;

		if (err != ERR_OK)
			return err;
		left = bytes_of(left.data + n, left.len - (size_t)n);
	}
	return ERR_OK;
}

SUSPENDS int
raw_read(struct raw *r, void *dst, size_t len)
{
	uint8_t *out = dst;

	while (len > 0) {
		int64_t n = r->conn != NULL ? conn_read(r->conn, out, len) : ERR_CLOSED;
		int err = n == 0 ? raw_wait(r, &r->reading) : n < 0 ? (int)n : ERR_OK;

		if (err != ERR_OK)
			return err;
		out += n;
		len -= (size_t)n;
	}
	return ERR_OK;
}

SUSPENDS int
raw_write_message(struct raw *r, const void *data, size_t len)
{
	uint8_t length[2] = { (uint8_t)(len >> 8), (uint8_t)len };
	int err = raw_write(r, length, sizeof(length));

	return err == ERR_OK ? raw_write(r, data, len) : err;
}

SUSPENDS int
raw_read_message(struct raw *r, uint8_t *dst, size_t cap, size_t *len)
{
	uint8_t length[2];
	int err = raw_read(r, length, sizeof(length));

	if (err != ERR_OK)
		return err;
	*len = (size_t)length[0] << 8 | length[1];
	return *len > cap ? ERR_TOO_BIG : raw_read(r, dst, *len);
}

SUSPENDS bool
raw_ended(struct raw *r)
{
	uint8_t drop[512];

	for (;;) {
		int64_t n = conn_read(r->conn, drop, sizeof(drop));

		if (n < 0)
			return true;
		if (n == 0 && raw_wait(r, &r->reading) != ERR_OK)
			return false;
	}
}

void
raw_hang_up(struct raw *r)
{
	raw_close(r);
	if (r->reading != NULL)
		wait_wake(r->reading, ERR_CLOSED);
	if (r->writing != NULL)
		wait_wake(r->writing, ERR_CLOSED);
}

void
raw_close(struct raw *r)
{
	if (r->conn != NULL)
		conn_close(r->conn);
	r->conn = NULL;
}
