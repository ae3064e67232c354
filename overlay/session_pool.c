/*
 * All sessions of one end: who may connect, which session a request takes, when
 * memory goes back, how everything ends. In the order of a life: made, listening,
 * accepting, dialling, opening streams, shut down.
 *
 * Refusals: too many sessions from one address, too many handshakes from one network, too many
 * incoming sessions, too many in all. Of half-open handshakes the oldest goes first: a flood must
 * be renewed faster than honest peers answer. Everything else that can fail belongs to one session
 * (session.c).
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/limits.h"
#include "overlay/session_calls.h"

static const struct rate handshakes_network = {
	.interval = SECONDS(1) / HANDSHAKES_PER_S_NETWORK,
	.burst = HANDSHAKES_MAX,
};

/* ---- memory and the turn of the loop ---- */

void
sessions_turn_soon(struct sessions *ss)
{
	if (!timer_armed(&ss->turn))
		timer_start(&ss->turn, 0);
}

void
sessions_memory_used(struct sessions *ss)
{
	if (!timer_armed(&ss->trim))
		timer_start(&ss->trim, SESSION_TRIM_AFTER);
}

uint8_t *
sessions_in(struct sessions *ss)
{
	if (ss->in == NULL)
		ss->in = malloc(SESSION_IN_BYTES);
	ss->in_used = true;
	sessions_memory_used(ss);
	return ss->in;
}

static void
trim(void *arg)
{
	struct sessions *ss = arg;
	bool empty = queue_store_trim(&ss->store);

	if (!ss->in_used) {
		free(ss->in);
		ss->in = NULL;
	}
	ss->in_used = false;
	if (!empty || ss->in != NULL)
		sessions_memory_used(ss);
}

static void
turn(void *arg)
{
	struct sessions *ss = arg;
	struct session *s;

	while ((s = TAILQ_FIRST(&ss->flush)) != NULL) {
		TAILQ_REMOVE(&ss->flush, s, flush_link);
		s->flushing = false;
		s->spent = 0;
		session_pump(s);
	}
	while ((s = TAILQ_FIRST(&ss->dead)) != NULL)
		session_free_dead(s);
	if (ss->done != NULL && ss->serving_done && ss->streams == 0 && ss->inside == 0) {
		void (*done)(void *arg) = ss->done;

		ss->done = NULL;
		done(ss->done_arg);
	}
}

/* ---- made ---- */

int
sessions_new(const struct sessions_opts *opts, struct sessions **out)
{
	struct sessions *ss = calloc(1, sizeof(*ss));

	if (ss == NULL)
		return ERR_NOMEM;
	ss->env = opts->env;
	ss->net = opts->net;
	ss->counters = opts->counters;
	ss->events = *opts->events;
	ss->aead = aead_new();
	if (ss->aead == NULL || session_table_init(&ss->keys) != ERR_OK ||
	    session_table_init(&ss->ips) != ERR_OK) {
		free(ss->keys.slots);
		aead_free(ss->aead);
		free(ss);
		return ERR_NOMEM;
	}
	ss->identity = *opts->identity;
	env_random(ss->env, &ss->seed, sizeof(ss->seed));
	limits_init(&ss->handshakes, &handshakes_network, &ss->seed, opts->loopback_net);
	TAILQ_INIT(&ss->all);
	TAILQ_INIT(&ss->flush);
	TAILQ_INIT(&ss->dead);
	timer_init(&ss->turn, ss->env, turn, ss);
	timer_init(&ss->trim, ss->env, trim, ss);
	task_group_init(&ss->serving, ss->env);
	*out = ss;
	return ERR_OK;
}

void
sessions_free(struct sessions *ss)
{
	struct session *s;

	if (ss == NULL)
		return;
	must(TAILQ_EMPTY(&ss->all) && ss->streams == 0 && ss->inside == 0);
	must(task_group_live(&ss->serving) == 0);
	while ((s = TAILQ_FIRST(&ss->dead)) != NULL)
		session_free_dead(s);
	if (ss->listener != NULL)
		listener_close(ss->listener);
	timer_stop(&ss->turn);
	timer_stop(&ss->trim);
	queue_store_fini(&ss->store);
	session_table_fini(&ss->keys);
	session_table_fini(&ss->ips);
	limits_fini(&ss->handshakes);
	free(ss->in);
	aead_free(ss->aead);
	identity_wipe(&ss->identity);
	free(ss);
}

void
sessions_set_server(struct sessions *ss, bool server)
{
	ss->server = server;
}

void
sessions_load(const struct sessions *ss, struct sessions_load *out)
{
	const struct session *s;

	*out = (struct sessions_load){
		.sessions = ss->live,
		.handshakes = ss->accepted,
		.dials = ss->dialing,
		.streams = ss->streams,
		.tasks = task_group_live(&ss->serving),
		.bytes_held = ss->store.bytes_held,
	};
	TAILQ_FOREACH(s, &ss->all, link)
	out->bytes_held += s->partial_len;
}

bool
sessions_live(
    const struct sessions *ss, const struct pubkey *pub, uint64_t *bytes_in, uint64_t *bytes_out)
{
	const struct session *s = session_keys_find(ss, pub, false);

	if (s == NULL)
		return false;
	if (bytes_in != NULL)
		*bytes_in = s->bytes_in;
	if (bytes_out != NULL)
		*bytes_out = s->bytes_out;
	return true;
}

/* ---- accepting ---- */

static struct session *
oldest_half_open(struct sessions *ss)
{
	struct session *s;

	TAILQ_FOREACH(s, &ss->all, link)
	{
		if (s->state == SESSION_ACCEPTED)
			return s;
	}
	return NULL;
}

/* Whether the group of from may have another session, by what is left. */
static bool
may_come(const struct sessions *ss, const struct addr *from)
{
	return limits_share(ss->incoming_of[session_group_slot(ss, from)], ss->live_incoming,
	    SESSIONS_INCOMING_MAX);
}

/* What counts it if one from there is refused; NULL: it is not, and has taken a handshake. */
static uint64_t *
refusal(struct sessions *ss, const struct addr *from)
{
	if (session_ips_count(ss, from) >= SESSIONS_PER_IP)
		return &ss->counters->sessions_refused_ip;
	if (!may_come(ss, from))
		return &ss->counters->sessions_refused_full;
	if (!limits_take(&ss->handshakes, from, env_now(ss->env)))
		return &ss->counters->sessions_refused_ip;
	return NULL;
}

static void
accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct sessions *ss = arg;
	uint64_t *refused = refusal(ss, from);
	struct session *s;

	if (refused != NULL) {
		++*refused;
		conn_close(conn);
		return;
	}
	if (ss->accepted >= HANDSHAKES_MAX) {
		ss->counters->sessions_refused_full++;
		session_fail(oldest_half_open(ss), ERR_FULL);
	}
	if (session_new(ss, &(struct session_new_opts){ .conn = conn, .seen = from }, &s) != ERR_OK)
		log_error(ss->env, "no memory for an incoming session");
}

int
sessions_listen(struct sessions *ss, const struct addr *bind, struct addr *bound)
{
	struct listen_opts opts = { .bind = *bind, .accepted = accepted, .arg = ss };
	int err;

	must(ss->listener == NULL && !ss->stopping);
	err = env_listen(ss->env, &opts, &ss->listener);
	if (err != ERR_OK)
		return err;
	listener_local(ss->listener, bound);
	ss->bound = *bound;
	return ERR_OK;
}

/* ---- dialling ---- */

/* Room for one more of ours; the pooled session that is idle for longest makes way. */
static int
dial_room(struct sessions *ss)
{
	struct session *s, *idle = NULL;

	if (ss->live + ss->dialing < SESSIONS_MAX)
		return ERR_OK;
	TAILQ_FOREACH(s, &ss->all, link)
	{
		if (s->state == SESSION_LIVE && s->streams_count == 0 &&
		    (idle == NULL || s->used < idle->used))
			idle = s;
	}
	if (idle == NULL) {
		ss->counters->sessions_refused_full++;
		return ERR_FULL;
	}
	session_goodbye(idle);
	return ERR_OK;
}

/*
 * From the address that we listen on where that is a certain one: the peer takes the address it
 * sees and the port we tell for our contact.
 */
static int
connect_as_bound(struct sessions *ss, const struct addr *to, struct conn **out)
{
	const struct addr *from = &ss->bound;

	if (from->family != to->family || addr_scope(from) == ADDR_MARTIAN ||
	    addr_is_loopback(from) != addr_is_loopback(to))
		return env_connect(ss->env, to, NULL, out);
	return env_connect_from(ss->env, from, to, out);
}

static int
dial(struct sessions *ss, const struct contact *to, bool probe, struct session **out)
{
	struct session_new_opts opts = { .seen = &to->addr, .expect = to, .probe = probe };
	int err;

	if (ss->stopping)
		return ERR_CANCELED; /* nobody would end it */
	err = dial_room(ss);
	if (err == ERR_OK)
		err = connect_as_bound(ss, &to->addr, &opts.conn);
	if (err == ERR_OK)
		return session_new(ss, &opts, out);
	if (!probe)
		ss->events.failed(ss->events.arg, to, err);
	return err;
}

/* Waits until the dial has led to a live session or failed. */
static SUSPENDS int
dial_wait(struct session *s, uint64_t timeout)
{
	struct env *env = s->ss->env;
	struct dial_waiter w = { .session = s };
	int err;

	wait_init(&w.wait);
	LIST_INSERT_HEAD(&s->waiters, &w, link);
	err = wait_for(env, &w.wait, timeout);
	if (w.session == NULL) /* woken by the dial, which may be gone */
		return err;
	LIST_REMOVE(&w, link);
	if (s->probe)
		session_fail(s, err);
	return err;
}

/* Makes sure that a live session with to is pooled, at best by joining a dial under way. */
static SUSPENDS int
connect_to(struct sessions *ss, const struct contact *to)
{
	struct session *s = session_keys_find(ss, &to->pub, true);
	int err;

	if (s != NULL) {
		bool elsewhere = !addr_equal(&s->peer.addr, &to->addr);

		err = dial_wait(s, 0);
		if (err == ERR_OK || !elsewhere || task_canceled(ss->env) || ss->stopping)
			return err;
	}
	err = dial(ss, to, false, &s);
	return err == ERR_OK ? dial_wait(s, 0) : err;
}

static bool
dialable(const struct sessions *ss, const struct contact *to)
{
	return to->addr.family != ADDR_NONE && to->addr.port != 0 &&
	       !pubkey_equal(&to->pub, &ss->identity.pub);
}

SUSPENDS int
sessions_probe(struct sessions *ss, const struct contact *to, uint64_t timeout)
{
	struct session *s;
	int err;

	if (ss->stopping)
		return ERR_CANCELED;
	if (!dialable(ss, to))
		return ERR_INVALID;
	err = dial(ss, to, true, &s);
	if (err != ERR_OK)
		return err;
	ss->inside++;
	err = dial_wait(s, timeout);
	ss->inside--;
	if (ss->stopping)
		sessions_turn_soon(ss);
	return err;
}

/* ---- opening streams ---- */

/* A stream on s whose OPEN is on its way. */
static int
stream_begin(struct session *s, uint16_t method, struct bytes head, struct stream **out)
{
	uint32_t id = s->next_id;
	struct stream *st;

	if (s->streams_count - s->incoming_count >= STREAMS_PER_SESSION)
		return ERR_BUSY;
	st = stream_new(s, id, false);
	if (st == NULL)
		return ERR_NOMEM;
	s->next_id += 2;
	if (s->next_id >= UINT32_MAX - 2)
		s->closing = true; /* numbers are used up: the next stream connects anew */
	session_send(s, &(struct frame){
			    .type = FRAME_OPEN,
			    .stream = id,
			    .method = method,
			    .bytes = head,
			});
	*out = st;
	return ERR_OK;
}

/* On a session that was quiet: a sign of life before the caller builds upon it. */
static SUSPENDS int
stream_prove(struct stream *st, bool quiet)
{
	struct session *s = st->session;
	uint64_t asked = env_now(st->ss->env);
	int err;

	if (s == NULL)
		return st->out_err;
	if (!quiet)
		return ERR_OK;
	wait_init(&st->proof);
	st->proving = true;
	s->proving++;
	session_send(s, &(struct frame){ .type = FRAME_PING });
	err = wait_for(st->ss->env, &st->proof, SESSION_PROOF_TIMEOUT);
	if (!st->proving)
		return err;
	st->proving = false; /* nothing came */
	s = st->session;
	s->proving--;
	if (env_now(st->ss->env) >= asked + SESSION_PROOF_TIMEOUT)
		session_fail(s, ERR_TIMEOUT); /* not just the caller's own deadline */
	return err;
}

/* One attempt on the pooled session. *stale: it turned out dead before it said anything. */
static SUSPENDS int
open_pooled(struct session *s, uint16_t method, struct bytes head, struct stream **out, bool *stale)
{
	bool quiet = env_now(s->ss->env) >= s->heard + SESSION_PING_AFTER;
	struct stream *st;
	int err = stream_begin(s, method, head, &st);

	if (err != ERR_OK)
		return err;
	err = stream_prove(st, quiet);
	if (err == ERR_OK) {
		*out = st;
		return ERR_OK;
	}
	*stale = st->session == NULL;
	stream_close(st);
	return err;
}

static SUSPENDS int
open_or_dial(struct sessions *ss, const struct contact *to, uint16_t method, struct bytes head,
    struct stream **out)
{
	int err = ERR_CLOSED;

	/* Once on what is pooled, once more on a fresh session when that was stale. */
	for (int attempt = 0; attempt < 2; attempt++) {
		struct session *s = session_keys_find(ss, &to->pub, false);
		bool stale = false;

		if (s == NULL) {
			err = connect_to(ss, to);
			if (err != ERR_OK)
				return err;
			s = session_keys_find(ss, &to->pub, false);
		}
		if (s == NULL) {
			err = ss->stopping ? ERR_CANCELED : ERR_CLOSED; /* it died as it came up */
			continue;
		}
		err = open_pooled(s, method, head, out, &stale);
		if (err == ERR_OK || !stale || ss->stopping || task_canceled(ss->env))
			return err;
	}
	return err;
}

SUSPENDS int
sessions_open(struct sessions *ss, const struct contact *to, uint16_t method, struct bytes head,
    struct stream **out)
{
	int err;

	if (ss->stopping)
		return ERR_CANCELED;
	if (!dialable(ss, to))
		return ERR_INVALID;
	if (head.len > RPC_HEAD_BYTES_MAX)
		return ERR_TOO_BIG;
	ss->inside++;
	err = open_or_dial(ss, to, method, head, out);
	ss->inside--;
	if (ss->stopping)
		sessions_turn_soon(ss);
	return err;
}

/* ---- shutdown ---- */

static void
serving_empty(void *arg)
{
	struct sessions *ss = arg;

	ss->serving_done = true;
	sessions_turn_soon(ss);
}

void
sessions_shutdown(struct sessions *ss, void (*done)(void *arg), void *arg)
{
	struct session *s;

	must(!ss->stopping);
	ss->stopping = true;
	ss->done = done;
	ss->done_arg = arg;
	if (ss->listener != NULL)
		listener_close(ss->listener);
	ss->listener = NULL;
	while ((s = TAILQ_FIRST(&ss->all)) != NULL)
		session_goodbye(s);
	task_group_shutdown(&ss->serving, serving_empty, ss);
	sessions_turn_soon(ss);
}
