/*
 * A connection's life: made for a dial or an accepted peer, through the
 * handshake, live, ended. session_fail() is the one way out: it gives back
 * everything, wakes who waits, and leaves the bare struct for the next turn of the
 * loop, because the caller may be deep inside that session's frames.
 *
 * Fails by: no memory; the handshake (another key, another network, no common version, too
 * slow); silence while streams are open; idleness; the connection; a frame that is not allowed.
 */
#include "overlay/session.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/session_calls.h"

/* ---- the end ---- */

static void
waiters_wake(struct session *s, int result)
{
	struct dial_waiter *w;

	while ((w = LIST_FIRST(&s->waiters)) != NULL) {
		LIST_REMOVE(w, link);
		w->session = NULL;
		wait_wake(&w->wait, result);
	}
}

static void
streams_lose(struct session *s, int why)
{
	for (size_t i = 0; i < SESSION_STREAM_SLOTS; i++) {
		struct stream *st;

		while ((st = LIST_FIRST(&s->streams[i])) != NULL)
			stream_lost(st, why);
	}
}

/* Leaves the sets that it was counted in, by what it was. */
static void
uncount(struct session *s, enum session_state was)
{
	struct sessions *ss = s->ss;

	session_tables_remove(ss, s);
	if (was == SESSION_LIVE) {
		ss->live--;
		if (!s->initiator) {
			ss->live_incoming--;
			ss->incoming_of[s->group]--;
		}
	} else if (was == SESSION_ACCEPTED) {
		ss->accepted--;
	} else {
		ss->dialing--;
	}
}

static void
resources_free(struct session *s)
{
	timer_stop(&s->timer);
	conn_close(s->conn);
	s->conn = NULL;
	if (s->handshake != NULL)
		handshake_wipe(s->handshake);
	free(s->handshake);
	s->handshake = NULL;
	noise_cipher_wipe(&s->send);
	noise_cipher_wipe(&s->receive);
	free(s->partial);
	s->partial = NULL;
	s->partial_len = 0;
	session_out_drop(s, s->out.len);
}

void
session_fail(struct session *s, int why)
{
	struct sessions *ss = s->ss;
	enum session_state was = s->state;

	if (was == SESSION_DEAD)
		return;
	s->state = SESSION_DEAD;
	uncount(s, was);
	if (s->flushing)
		TAILQ_REMOVE(&ss->flush, s, flush_link);
	TAILQ_REMOVE(&ss->all, s, link);
	TAILQ_INSERT_TAIL(&ss->dead, s, link);
	streams_lose(s, why);
	waiters_wake(s, why);
	resources_free(s);
	sessions_turn_soon(ss);
	if (was == SESSION_LIVE && !s->probe)
		ss->events.closed(ss->events.arg, &s->peer, s->bytes_in, s->bytes_out);
	else if (was == SESSION_DIALING && !s->probe && !ss->stopping)
		ss->events.failed(ss->events.arg, &s->peer, why);
}

void
session_free_dead(struct session *s)
{
	must(s->state == SESSION_DEAD);
	TAILQ_REMOVE(&s->ss->dead, s, link);
	free(s);
}

void
session_bad(struct session *s, bool by_peer, const char *reason)
{
	struct sessions *ss = s->ss;
	char text[ADDR_TEXT_MAX];

	ss->counters->frames_bad++;
	log_warn(ss->env, "session with %s closed: %s", addr_format(&s->seen, text), reason);
	if (by_peer)
		ss->events.blame(ss->events.arg, &s->peer, reason);
	session_fail(s, ERR_CLOSED);
}

void
session_goodbye(struct session *s)
{
	if (s->state == SESSION_LIVE) {
		session_send(s, &(struct frame){ .type = FRAME_GOAWAY });
		session_pump(s); /* what the socket takes; nobody waits for the rest */
	}
	session_fail(s, s->ss->stopping ? ERR_CANCELED : ERR_CLOSED);
}

/* ---- time ---- */

/* When silence has to be looked at next, for a session with open streams. */
static uint64_t
silence_since(const struct session *s)
{
	return MAX(s->heard, s->used);
}

static void
timer_at(struct session *s, uint64_t due)
{
	uint64_t now = env_now(s->ss->env);

	timer_start(&s->timer, due > now ? due - now : 0);
}

static void
watch_streams(struct session *s, uint64_t now)
{
	uint64_t since = silence_since(s);

	if (now >= since + SESSION_DEAD_AFTER) {
		session_fail(s, ERR_TIMEOUT);
		return;
	}
	if (now < since + SESSION_PING_AFTER) {
		timer_at(s, since + SESSION_PING_AFTER);
		return;
	}
	timer_at(s, since + SESSION_DEAD_AFTER);
	if (!s->pinged) {
		s->pinged = true;
		session_send(s, &(struct frame){ .type = FRAME_PING });
	}
}

static void
watch_idle(struct session *s, uint64_t now)
{
	if (now < s->used + SESSION_IDLE_TIMEOUT) {
		timer_at(s, s->used + SESSION_IDLE_TIMEOUT);
		return;
	}
	s->ss->counters->sessions_idle_closed++;
	session_goodbye(s);
}

static void
session_timer(void *arg)
{
	struct session *s = arg;
	uint64_t now = env_now(s->ss->env);

	if (s->state != SESSION_LIVE) {
		s->ss->counters->handshakes_timeout += s->connected;
		session_fail(s, ERR_TIMEOUT);
	} else if (s->streams_count > 0) {
		watch_streams(s, now);
	} else {
		watch_idle(s, now);
	}
}

void
session_was_heard(struct session *s)
{
	s->heard = env_now(s->ss->env);
	s->pinged = false;
}

void
session_streams_changed(struct session *s)
{
	s->used = env_now(s->ss->env);
	timer_start(&s->timer, s->streams_count > 0 ? SESSION_PING_AFTER : SESSION_IDLE_TIMEOUT);
	if (s->streams_count == 0 && s->closing)
		session_flush_soon(s); /* and closes when all is out */
}

/* ---- the beginning ---- */

static void
session_ready(void *arg, bool readable, bool writable)
{
	struct session *s = arg;

	s->spent = 0;
	if (writable && !s->connected) {
		s->connected = true;
		s->started = env_now(s->ss->env);
	}
	if (readable)
		session_input(s);
	if (s->state != SESSION_DEAD && writable && s->wants_write)
		session_pump(s);
}

static int
handshake_say(struct session *s)
{
	struct sessions *ss = s->ss;
	uint8_t message[HANDSHAKE_MESSAGE_MAX];
	struct session_hello self = {
		.server = ss->server,
		.wall_ms = env_wall_ms(ss->env),
		.listen_port = ss->bound.port,
	};
	struct key ephemeral;
	size_t len;
	int err;

	env_random(ss->env, ephemeral.b, sizeof(ephemeral.b));
	err = handshake_write(s->handshake, &self, &ephemeral, message, &len);
	crypto_wipe(&ephemeral, sizeof(ephemeral));
	if (err == ERR_OK)
		session_send_plain(s, bytes_of(message, len));
	return err;
}

static void
handshake_begin(struct session *s, const struct contact *expect)
{
	struct sessions *ss = s->ss;

	handshake_init(s->handshake, &(struct handshake_opts){
					 .initiator = s->initiator,
					 .identity = &ss->identity,
					 .net = ss->net,
					 .aead = ss->aead,
					 .expect = expect != NULL ? &expect->pub : NULL,
				     });
	timer_start(&s->timer, HANDSHAKE_TIMEOUT);
	if (s->initiator)
		must(handshake_say(s) == ERR_OK); /* no peer had a say in it */
}

int
session_new(struct sessions *ss, const struct session_new_opts *opts, struct session **out)
{
	struct session *s = calloc(1, sizeof(*s));
	bool dial = opts->expect != NULL;

	if (s != NULL)
		s->handshake = malloc(sizeof(*s->handshake));
	if (s == NULL || s->handshake == NULL) {
		free(s);
		conn_close(opts->conn);
		return ERR_NOMEM;
	}
	s->ss = ss;
	s->conn = opts->conn;
	s->state = dial ? SESSION_DIALING : SESSION_ACCEPTED;
	s->initiator = dial;
	s->probe = opts->probe;
	s->connected = !dial;
	s->seen = *opts->seen;
	s->group = session_group_slot(ss, &s->seen);
	s->started = s->heard = s->used = env_now(ss->env);
	s->next_id = dial ? 1 : 2;
	TAILQ_INIT(&s->ready);
	timer_init(&s->timer, ss->env, session_timer, s);
	TAILQ_INSERT_TAIL(&ss->all, s, link);
	if (dial) {
		s->peer = *opts->expect;
		ss->dialing++;
		if (!s->probe)
			session_keys_add(ss, s);
	} else {
		ss->accepted++;
		session_ips_add(ss, s);
	}
	s->wants_write = dial;
	conn_set_handler(s->conn, &(struct conn_handler){ .ready = session_ready, .arg = s });
	conn_want(s->conn, true, dial);
	handshake_begin(s, opts->expect);
	if (s->state == SESSION_DEAD)
		return ERR_NOMEM; /* for its first message */
	*out = s;
	return ERR_OK;
}

/* ---- the handshake ---- */

/* The contact behind an accepted connection: the port it listens on, if it does. */
static void
peer_of_accepted(struct session *s)
{
	struct addr addr = s->seen;

	if (s->handshake->hello.listen_port != 0)
		addr.port = s->handshake->hello.listen_port;
	contact_init(&s->peer, &s->handshake->peer, &addr);
}

static void
handshake_succeeded(struct session *s)
{
	struct sessions *ss = s->ss;
	uint64_t rtt = 0;

	s->hello = s->handshake->hello;
	handshake_finish(s->handshake, &s->send, &s->receive);
	if (s->state == SESSION_DIALING) {
		rtt = MAX(env_now(ss->env) - s->started, 1);
		ss->dialing--;
		ss->counters->sessions_opened++;
	} else {
		peer_of_accepted(s);
		ss->accepted--;
		ss->live_incoming++;
		ss->incoming_of[s->group]++;
		ss->counters->sessions_accepted++;
		session_keys_add(ss, s);
	}
	free(s->handshake);
	s->handshake = NULL;
	s->state = SESSION_LIVE;
	ss->live++;
	session_was_heard(s);
	session_streams_changed(s);
	if (s->probe) {
		waiters_wake(s, ERR_OK);
		session_goodbye(s);
		return;
	}
	ss->events.heard(ss->events.arg, &s->peer, &s->hello, rtt);
	waiters_wake(s, ERR_OK);
}

static void
handshake_failed(struct session *s, int err)
{
	struct sessions *ss = s->ss;
	char text[ADDR_TEXT_MAX];

	ss->counters->handshakes_failed++;
	if (err == ERR_VERSION)
		log_warn(ss->env, "%s speaks no session version from %d to %d",
		    addr_format(&s->seen, text), SESSION_VERSION_MIN, SESSION_VERSION_MAX);
	else
		log_info(ss->env, "handshake with %s failed: %s", addr_format(&s->seen, text),
		    err_text(err));
	session_fail(s, err);
}

void
session_handshake_input(struct session *s, struct bytes message)
{
	int err = handshake_read(s->handshake, message);

	if (err == ERR_OK && handshake_must_write(s->handshake)) {
		err = handshake_say(s);
		if (s->state == SESSION_DEAD)
			return;
	}
	if (err == ERR_OK && handshake_done(s->handshake)) {
		if (!pubkey_equal(&s->handshake->peer, &s->ss->identity.pub)) {
			handshake_succeeded(s);
			return;
		}
		err = ERR_REFUSED; /* ourselves, or somebody with our key */
	}
	if (err != ERR_OK)
		handshake_failed(s, err);
}
