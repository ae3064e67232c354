/*
 * Bytes into an accepted session. The first byte says how:
 *
 *	1  the rest is what a proven peer seals: u16 length and plain text of each frame
 *	   (else it is what a stranger sends from the first byte on)
 *	2  the peer never reads
 *	4  the bytes arrive in pieces of the second byte
 *	8  the connection ends behind them (else it falls silent)
 *
 * Whatever comes: memory stays bounded, everything is given back, nobody hangs.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/frame.h"
#include "overlay/handshake.h"
#include "overlay/session.h"
#include "test/unit/overlay/base/manual_env.h"

#define HELD_MAX  (MIB(1) + KIB(300) + 8 * STREAM_CREDIT)
#define TURNS_MAX 1000000

struct listener {
	struct env_handle handle; /* first */
};

struct conn {
	struct env_handle handle; /* first */
	struct conn_handler handler;
	bool want_read, want_write, open;
	const uint8_t *in;
	size_t in_left, piece;
	bool ends, deaf;
	uint8_t said[4 * HANDSHAKE_MESSAGE_MAX]; /* its first bytes: the handshake */
	size_t said_len;
};

struct fuzz { /* one run */
	struct manual_env *m;
	struct sessions *ss;
	struct endpoint_counters counters;
	struct conn conn;
	struct listener listener;
	void (*accepted)(void *arg, struct conn *conn, const struct addr *from);
	void *accepted_arg;
	struct identity here, there;
	bool shut;
};

/* The run hangs where the disk would, which sessions do not use. */
static struct fuzz *
fuzz_of(struct env *env)
{
	return (struct fuzz *)(void *)env->disk;
}

/* ---- an environment with one connection ---- */

static uint64_t
fake_wall(const struct env *env)
{
	(void)env;
	return 1;
}

static void
fake_random(struct env *env, void *out, size_t len)
{
	(void)env;
	memset(out, 0x5a, len);
}

static int
fake_listen(struct env *env, const struct listen_opts *opts, struct listener **out)
{
	struct fuzz *f = fuzz_of(env);

	f->accepted = opts->accepted;
	f->accepted_arg = opts->arg;
	f->listener.handle.env = env;
	*out = &f->listener;
	return ERR_OK;
}

static void
fake_listener_local(const struct listener *l, struct addr *out)
{
	(void)l;
	*out = (struct addr){ .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = 1 };
}

static void
fake_listener_close(struct listener *l)
{
	(void)l;
}

static void
fake_set_handler(struct conn *c, const struct conn_handler *h)
{
	c->handler = *h;
}

static void
fake_want(struct conn *c, bool read, bool write)
{
	must(c->open);
	c->want_read = read;
	c->want_write = write;
}

static int64_t
fake_read(struct conn *c, void *dst, size_t len)
{
	size_t n = MIN(MIN(len, c->in_left), c->piece);

	must(c->open && len > 0);
	if (n == 0)
		return c->ends ? ERR_CLOSED : 0;
	memcpy(dst, c->in, n);
	c->in += n;
	c->in_left -= n;
	return (int64_t)n;
}

static int64_t
fake_write(struct conn *c, const struct bytes *parts, size_t count)
{
	size_t total = 0;

	must(c->open);
	if (c->deaf)
		return 0;
	for (size_t i = 0; i < count; i++) {
		size_t n = MIN(parts[i].len, sizeof(c->said) - c->said_len);

		memcpy(c->said + c->said_len, parts[i].data, n);
		c->said_len += n;
		total += parts[i].len;
	}
	must(total > 0);
	return (int64_t)total;
}

static void
fake_close(struct conn *c)
{
	must(c->open);
	c->open = false;
}

/* ---- the sessions' owner ---- */

static void
on_heard(void *arg, const struct contact *peer, const struct session_hello *hello, uint64_t rtt)
{
	const struct fuzz *f = arg;

	must(pubkey_equal(&peer->pub, &f->there.pub) && hello->version == 1 && rtt == 0);
}

static void
on_failed(void *arg, const struct contact *to, int err)
{
	(void)arg;
	(void)to;
	(void)err;
	must(false); /* nobody dials */
}

static void
on_closed(void *arg, const struct contact *peer, uint64_t bytes_in, uint64_t bytes_out)
{
	(void)arg;
	(void)peer;
	(void)bytes_out;
	must(bytes_in > 0);
}

static void
on_blame(void *arg, const struct contact *peer, const char *reason)
{
	const struct fuzz *f = arg;

	(void)peer;
	must(f->counters.frames_bad == 1 && reason != NULL);
}

static int
serve(void *arg, struct stream *s, const struct rpc_request *req)
{
	uint8_t some[1000];
	struct buf tail;
	int err = ERR_OK;

	(void)arg;
	/* The method's bits say what it does. */
	if ((req->method & 4) != 0)
		err = stream_read(s, some, sizeof(some));
	if ((req->method & 8) != 0 && err == ERR_OK)
		err = stream_write(s, bytes_of(some, sizeof(some)));
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if ((req->method & 16) != 0)
		err = stream_read_tail(s, &tail);
	if ((req->method & 32) != 0)
		(void)stream_finish(s, ERR_OK, req->body);
	buf_fini(&tail);
	return MIN(err, ERR_OK);
}

static void
on_request(void *arg, struct stream *s, const struct rpc_request *req)
{
	(void)arg;
	if ((req->method & 3) == 1)
		session_answer(s, ERR_OK, req->body);
	else if ((req->method & 3) == 2)
		(void)session_serve(s, serve, NULL);
}

static void
on_shut(void *arg)
{
	((struct fuzz *)arg)->shut = true;
}

/* ---- one run ---- */

static void
start(struct fuzz *f)
{
	struct sessions_events events = { on_heard, on_failed, on_closed, on_blame, on_request, f };
	struct key seeds[2] = { { { 1 } }, { { 2 } } };
	struct addr any = { .family = ADDR_IPV4 }, bound;

	memset(f, 0, sizeof(*f));
	must(crypto_init() == ERR_OK);
	f->m = manual_env_new(64, false, 1);
	f->m->env.disk = (struct disk *)(void *)f;
	f->m->ops.wall_ms = fake_wall;
	f->m->ops.random = fake_random;
	f->m->ops.listen = fake_listen;
	f->m->ops.listener_local = fake_listener_local;
	f->m->ops.listener_close = fake_listener_close;
	f->m->ops.conn_set_handler = fake_set_handler;
	f->m->ops.conn_want = fake_want;
	f->m->ops.conn_read = fake_read;
	f->m->ops.conn_write = fake_write;
	f->m->ops.conn_close = fake_close;
	identity_from_seed(&seeds[0], &f->here);
	identity_from_seed(&seeds[1], &f->there);
	must(sessions_new(&(struct sessions_opts){ .env = &f->m->env,
			      .identity = &f->here,
			      .counters = &f->counters,
			      .events = &events },
		 &f->ss) == ERR_OK);
	must(sessions_listen(f->ss, &any, &bound) == ERR_OK);
	f->conn.handle.env = &f->m->env;
	f->conn.open = true;
	f->conn.piece = SIZE_MAX;
	f->accepted(f->accepted_arg, &f->conn, &bound);
}

static void
check(const struct fuzz *f)
{
	struct sessions_load load;

	sessions_load(f->ss, &load);
	must(load.bytes_held <= HELD_MAX && load.streams <= STREAMS_PER_SESSION);
	must(f->counters.frames_bad <= 1); /* and then it is closed */
}

/* All that happens before time passes. */
static void
run_now(struct fuzz *f)
{
	struct conn *c = &f->conn;
	const struct timer *t;

	for (;;) {
		bool readable = c->open && c->want_read && (c->in_left > 0 || c->ends);
		bool writable = c->open && c->want_write && !c->deaf;

		if (readable || writable) {
			c->handler.ready(c->handler.arg, readable, writable);
			check(f);
		}
		t = timer_heap_first(&f->m->timers);
		if (f->m->kicked || (t != NULL && t->due <= f->m->now))
			(void)manual_env_turn(f->m);
		else if (!readable && !writable)
			return;
	}
}

static void
feed(struct fuzz *f, const uint8_t *data, size_t len)
{
	f->conn.in = data;
	f->conn.in_left = len;
	run_now(f);
}

static void
feed_message(struct fuzz *f, const uint8_t *message, size_t len)
{
	uint8_t *wire = malloc(FRAME_LENGTH_BYTES + len);

	must(wire != NULL);
	wire[0] = (uint8_t)(len >> 8);
	wire[1] = (uint8_t)len;
	memcpy(wire + FRAME_LENGTH_BYTES, message, len);
	feed(f, wire, FRAME_LENGTH_BYTES + len);
	free(wire);
}

/* The proven peer's side of the handshake; what it seals with from then on. */
static void
prove(struct fuzz *f, struct aead *aead, struct noise_cipher *send)
{
	struct session_hello self = { .wall_ms = 1 };
	uint8_t message[HANDSHAKE_MESSAGE_MAX];
	struct key ephemeral = { { 7 } };
	struct noise_cipher receive;
	struct handshake h;
	size_t len;

	handshake_init(&h,
	    &(struct handshake_opts){
		.initiator = true, .identity = &f->there, .aead = aead, .expect = &f->here.pub });
	must(handshake_write(&h, &self, &ephemeral, message, &len) == ERR_OK);
	feed_message(f, message, len);
	len = (size_t)f->conn.said[0] << 8 | f->conn.said[1];
	must(f->conn.said_len == FRAME_LENGTH_BYTES + len);
	must(handshake_read(&h, bytes_of(f->conn.said + FRAME_LENGTH_BYTES, len)) == ERR_OK);
	must(handshake_write(&h, &self, &ephemeral, message, &len) == ERR_OK);
	feed_message(f, message, len);
	handshake_finish(&h, send, &receive);
	must(f->counters.sessions_accepted == 1);
}

/* The frames that the input holds, sealed: as one run of bytes. */
static uint8_t *
sealed(
    struct noise_cipher *send, struct aead *aead, const uint8_t *data, size_t size, size_t *out_len)
{
	/* Each frame has a length already; the tags come on top. */
	uint8_t *out = malloc(size + (size / 2 + 1) * CRYPTO_TAG_BYTES), *at = out;

	must(out != NULL);
	while (size >= FRAME_LENGTH_BYTES) {
		size_t len = MIN((size_t)data[0] << 8 | data[1], size - FRAME_LENGTH_BYTES);
		size_t wire = MIN(len + CRYPTO_TAG_BYTES, UINT16_MAX);

		len = wire - CRYPTO_TAG_BYTES;
		at[0] = (uint8_t)(wire >> 8);
		at[1] = (uint8_t)wire;
		must(noise_seal(send, aead, at + 2, data + 2, len) == ERR_OK);
		at += FRAME_LENGTH_BYTES + wire;
		data += FRAME_LENGTH_BYTES + len;
		size -= FRAME_LENGTH_BYTES + len;
	}
	*out_len = (size_t)(at - out);
	return out;
}

static void
stop(struct fuzz *f)
{
	struct sessions_load load;

	/* Silence: pings, deaths, idleness, until nothing is left to happen. */
	for (size_t i = 0; manual_env_turn(f->m); i++) {
		must(i < TURNS_MAX);
		run_now(f);
	}
	must(!f->conn.open);
	sessions_load(f->ss, &load);
	must(load.sessions + load.handshakes + load.streams + load.tasks + load.bytes_held == 0);
	sessions_shutdown(f->ss, on_shut, f);
	manual_env_run(f->m);
	must(f->shut);
	sessions_free(f->ss);
	manual_env_free(f->m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aead *aead = aead_new();
	uint8_t *own = NULL;
	struct fuzz f;

	must(aead != NULL);
	start(&f);
	if (size >= 2) {
		unsigned how = data[0];
		size_t len = size - 2;
		const uint8_t *bytes = data + 2;

		if ((how & 1) != 0) {
			struct noise_cipher send;

			prove(&f, aead, &send);
			own = sealed(&send, aead, bytes, len, &len);
			bytes = own;
		}
		f.conn.deaf = (how & 2) != 0;
		if ((how & 4) != 0)
			f.conn.piece = (size_t)data[1] + 1;
		feed(&f, bytes, len);
		f.conn.ends = (how & 8) != 0;
		run_now(&f);
	}
	stop(&f);
	free(own);
	aead_free(aead);
	return 0;
}
