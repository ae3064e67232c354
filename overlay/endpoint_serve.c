/*
 * What others ask: the table of methods, limits, tokens, answers. A request over a limit from a
 * proven address hears BUSY; from an address not proven it hears nothing. What is answered at once
 * by session counts with what came as datagrams; tasks that serve streams have limits of their own.
 * Handlers' errors travel as the status of the answer.
 */
#include "overlay/endpoint_private.h"

#include <stdlib.h>

#include "overlay/base/err.h"

static const struct rate unproven_rate = {
	.interval = SECONDS(1) / REQUESTS_PER_S_UNPROVEN,
	.burst = 2 * REQUESTS_PER_S_UNPROVEN,
};

/* ---- methods ---- */

/* NULL: none. */
static struct method *
method_find(const struct endpoint *ep, uint16_t number)
{
	uint8_t at = number < METHODS_MAX ? ep->method_at[number] : 0;

	return at == 0 ? NULL : &ep->methods[at - 1];
}

static void
method_add(struct endpoint *ep, const struct method *m)
{
	struct method *grown;

	must(m->number < METHODS_MAX && method_find(ep, m->number) == NULL);
	grown = realloc(ep->methods, (ep->methods_count + 1) * sizeof(*grown));
	must(grown != NULL); /* a few hundred bytes, once, while the node is put together */
	grown[ep->methods_count] = *m;
	ep->methods = grown;
	ep->method_at[m->number] = (uint8_t)++ep->methods_count;
}

void
endpoint_add_method(struct endpoint *ep, const struct rpc_method *m)
{
	must(m->answer != NULL);
	method_add(ep, &(struct method){ .number = m->number,
			   .session_only = m->session_only,
			   .answer = m->answer,
			   .arg = m->arg });
}

void
endpoint_add_stream_method(struct endpoint *ep, const struct stream_method *m)
{
	must(m->serve != NULL);
	method_add(
	    ep, &(struct method){
		    .number = m->number, .session_only = true, .serve = m->serve, .arg = m->arg });
}

void
endpoint_swap_method(struct endpoint *ep, struct rpc_method *m)
{
	struct method *there = method_find(ep, m->number), old;

	must(there != NULL && there->answer != NULL);
	old = *there;
	there->answer = m->answer;
	there->arg = m->arg;
	m->answer = old.answer;
	m->arg = old.arg;
}

void
endpoint_swap_stream_method(struct endpoint *ep, struct stream_method *m)
{
	struct method *there = method_find(ep, m->number), old;

	must(there != NULL && there->serve != NULL);
	old = *there;
	there->serve = m->serve;
	there->arg = m->arg;
	m->serve = old.serve;
	m->arg = old.arg;
}

/* ---- datagrams ---- */

/*
 * Sends an answer. One to an unproven address is never longer than what was asked: handlers were
 * given the room, so only a request made to be tiny gets none.
 */
static void
reply_send(struct endpoint *ep, const struct dgram_in *in, struct envelope *e)
{
	int err;

	e->id = in->envelope.id;
	e->method = in->envelope.method; /* not sent: for the counters */
	e->sent_ms = env_wall_ms(ep->env);
	e->version = PROTOCOL_VERSION;
	e->server = ep->server;
	e->has_token = true;
	dgram_token(ep->dgram, &in->from.addr, &in->from.pub, e->token);
	err = dgram_send(ep->dgram, &(struct dgram_out){ .to = &in->from.addr,
					.peer = in->peer,
					.envelope = e,
					.wire_bytes_max = in->proven ? 0 : in->wire_bytes });
	if (err != ERR_OK)
		log_debug(ep->env, "answer not sent: %s", err_text(err));
}

static void
reply_status(struct endpoint *ep, const struct dgram_in *in, int status)
{
	struct envelope e = { .kind = ENVELOPE_RESPONSE, .status = status };

	reply_send(ep, in, &e);
}

/* False: over the limit, and dealt with. */
static bool
admit(struct endpoint *ep, const struct dgram_in *in)
{
	uint64_t now = env_now(ep->env);

	if (!in->proven) {
		if (rate_take(&in->peer->requests_full_at, &unproven_rate, now))
			return true;
		ep->counters.drop_rate++;
		return false;
	}
	if (limits_take(&ep->requests, &in->from.addr, now))
		return true;
	ep->counters.drop_rate++;
	reply_status(ep, in, ERR_BUSY);
	return false;
}

/* A request from a proven address tells something of its sender; any other may be a replay. */
static void
learn(struct endpoint *ep, const struct dgram_in *in)
{
	struct peer *peer = in->peer;

	if (in->proven) {
		if (!peer->addr_proven)
			peer->contact.addr = in->from.addr;
		peer->last_heard = env_now(ep->env);
		peer->server = in->server;
	} else if (!peer->met && peer->last_heard == 0) {
		peer->server = in->server;
	}
	if (in->server && ep->observer.heard != NULL)
		ep->observer.heard(ep->observer.arg, &in->from, in->proven);
}

static size_t
room_for_body(const struct dgram_in *in)
{
	size_t overhead = SEALED_OVERHEAD + ENVELOPE_OVERHEAD_MAX;

	if (in->proven)
		return RPC_DATAGRAM_BODY_MAX;
	if (in->wire_bytes <= overhead)
		return 0;
	return MIN(in->wire_bytes - overhead, RPC_DATAGRAM_BODY_MAX);
}

/* Whether the book still has whom it had when so many had gone. */
static bool
still_there(const struct endpoint *ep, const struct dgram_in *in, size_t gone)
{
	return peers_gone(ep->peers) == gone || peers_find(ep->peers, &in->from.pub) == in->peer;
}

static void
answer(struct endpoint *ep, const struct dgram_in *in, const struct method *m)
{
	struct rpc_request req = { .from = in->from,
		.from_server = in->server,
		.proven = in->proven,
		.method = in->envelope.method,
		.body = in->envelope.body };
	struct envelope e = { .kind = ENVELOPE_RESPONSE };
	uint8_t memory[RPC_DATAGRAM_BODY_MAX + 1];
	size_t gone = peers_gone(ep->peers);
	struct buf reply;

	buf_init_on(&reply, memory, room_for_body(in) + 1);
	e.status = m->answer(m->arg, &req, &reply);
	ep->counters.requests_invalid += e.status == ERR_INVALID;
	if (e.status == ERR_OK)
		e.body = buf_bytes(&reply);
	/* The handler may have ended us, or asked others until its asker left the book. */
	if (e.status != ERR_CANCELED && !ep->closing && still_there(ep, in, gone))
		reply_send(ep, in, &e);
	buf_fini(&reply);
}

void
endpoint_datagram_request(void *arg, const struct dgram_in *in)
{
	struct endpoint *ep = arg;
	const struct method *m;
	size_t gone;

	ep->counters.requests_in++;
	if (!admit(ep, in))
		return;
	if (in->envelope.has_token && !in->proven) {
		struct envelope e = { .kind = ENVELOPE_RETRY };

		ep->counters.tokens_stale++;
		reply_send(ep, in, &e);
		return;
	}
	gone = peers_gone(ep->peers);
	learn(ep, in);
	if (ep->closing || !still_there(ep, in, gone))
		return; /* the observer did it */
	m = method_find(ep, in->envelope.method);
	if (m == NULL || m->session_only) {
		ep->counters.requests_unknown++;
		reply_status(ep, in, ERR_UNSUPPORTED);
		return;
	}
	answer(ep, in, m);
}

/* ---- sessions ---- */

static void
answer_stream(
    struct endpoint *ep, struct stream *s, const struct rpc_request *req, const struct method *m)
{
	struct buf reply;
	int status;

	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	status = m->answer(m->arg, req, &reply);
	ep->counters.requests_invalid += status == ERR_INVALID;
	session_answer(s, status, status == ERR_OK ? buf_bytes(&reply) : bytes_of(NULL, 0));
	buf_fini(&reply);
}

void
endpoint_session_request(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct endpoint *ep = arg;
	const struct method *m = method_find(ep, req->method);

	ep->counters.requests_in++;
	if ((m == NULL || m->answer != NULL) &&
	    !limits_take(&ep->requests, &req->from.addr, env_now(ep->env))) {
		ep->counters.drop_rate++;
		session_answer(s, ERR_BUSY, bytes_of(NULL, 0));
	} else if (m == NULL) {
		ep->counters.requests_unknown++;
		session_answer(s, ERR_UNSUPPORTED, bytes_of(NULL, 0));
	} else if (m->answer != NULL) {
		answer_stream(ep, s, req, m);
	} else if (session_serve(s, m->serve, m->arg) != ERR_OK) {
		ep->counters.requests_busy++;
	}
}
