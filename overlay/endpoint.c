/*
 * Puts the parts together and takes them apart: book, datagrams, calls, sessions. UDP and TCP
 * share one port number; with port 0 the system names one for UDP and TCP must have it too, so
 * a few tries may be needed. Construction fails as a whole; shutdown waits for the sessions.
 */
#include "overlay/endpoint_private.h"

#include <stdlib.h>

#include "overlay/base/err.h"

#define METHODS_OFTEN        32 /* and after: those of the DHT */
#define PORT_TRIES           16 /* with half of all ports taken, one in 65,000 starts still fails */
#define SESSION_CALL_TIMEOUT SECONDS(15)

static void
on_response(void *arg, const struct dgram_in *in)
{
	struct endpoint *ep = arg;

	calls_response(ep->calls, in);
}

static void
on_challenge(void *arg, const struct pubkey *from, const uint8_t nonce[CRYPTO_XNONCE_BYTES],
    const uint8_t cookie[SEALED_COOKIE_BYTES])
{
	struct endpoint *ep = arg;

	calls_challenge(ep->calls, from, nonce, cookie);
}

static void
on_expect(void *arg, uint64_t id_top, unsigned step)
{
	const struct endpoint_observer *o = &((struct endpoint *)arg)->observer;

	if (o->expect != NULL)
		o->expect(o->arg, id_top, step);
}

/* ---- birth ---- */

static int
make_datagrams(struct endpoint *ep, const struct seeded *seed, size_t peers_max)
{
	ep->peers = peers_new(peers_max, seed);
	if (ep->peers == NULL)
		return ERR_NOMEM;
	ep->dgram = dgram_new(&(struct dgram_opts){ .env = ep->env,
	    .identity = &ep->identity,
	    .net = ep->net,
	    .peers = ep->peers,
	    .counters = &ep->counters,
	    .seed = *seed,
	    .pow_bits = ep->pow_bits,
	    .loopback_net = ep->loopback_net,
	    .events = { .request = endpoint_datagram_request,
		.response = on_response,
		.challenge = on_challenge,
		.expect = on_expect,
		.arg = ep } });
	if (ep->dgram == NULL)
		return ERR_NOMEM;
	ep->calls = calls_new(&(struct calls_opts){ .env = ep->env,
	    .dgram = ep->dgram,
	    .peers = ep->peers,
	    .counters = &ep->counters,
	    .observer = &ep->observer,
	    .server = &ep->server,
	    .loopback_net = ep->loopback_net });
	return ep->calls == NULL ? ERR_NOMEM : ERR_OK;
}

static int
make_sessions(struct endpoint *ep)
{
	struct sessions_events events = { .heard = endpoint_session_heard,
		.failed = endpoint_session_failed,
		.closed = endpoint_session_closed,
		.blame = endpoint_session_blame,
		.request = endpoint_session_request,
		.arg = ep };

	return sessions_new(&(struct sessions_opts){ .env = ep->env,
				.identity = &ep->identity,
				.loopback_net = ep->loopback_net,
				.net = ep->net,
				.counters = &ep->counters,
				.events = &events },
	    &ep->sessions);
}

static int
open_sockets(struct endpoint *ep, const struct addr *bind)
{
	int err = ERR_OK;

	for (int i = 0; i < PORT_TRIES; i++) {
		struct addr tcp;

		err = dgram_open(ep->dgram, bind, &ep->local);
		if (err != ERR_OK || ep->client_only)
			return err;
		tcp = ep->local;
		err = sessions_listen(ep->sessions, &ep->local, &tcp);
		if (err == ERR_OK)
			return ERR_OK;
		dgram_close(ep->dgram);
		if (bind->port != 0)
			return err;
	}
	return err;
}

/* What every datagram reads, in or out. */
static void
endpoint_hot(const struct endpoint *ep)
{
	const uint64_t *counters = &ep->counters.sent_by_method[METHODS_OFTEN];

	env_hot(ep->env, ep, offsetof(struct endpoint, counters));
	env_hot(ep->env, counters,
	    (size_t)((const char *)&ep->counters.drop_malformed - (const char *)counters));
	env_hot(ep->env, &ep->identity.pub, sizeof(ep->identity) - offsetof(struct identity, pub));
	peers_hot(ep->peers, ep->env);
	dgram_hot(ep->dgram);
	calls_hot(ep->calls);
}

int
endpoint_new(const struct endpoint_opts *opts, struct endpoint **out)
{
	struct rate per_network = { .interval = SECONDS(1) / REQUESTS_PER_S_NETWORK,
		.burst = 2 * REQUESTS_PER_S_NETWORK };
	struct endpoint *ep = calloc(1, sizeof(*ep));
	struct seeded seed;
	int err;

	if (ep == NULL)
		return ERR_NOMEM;
	ep->env = opts->env;
	ep->identity = *opts->identity;
	ep->net = opts->net;
	ep->pow_bits = opts->pow_bits;
	ep->loopback_net = opts->loopback_net;
	ep->first_node = opts->first_node;
	ep->client_only = opts->client_only;
	env_random(ep->env, &seed, sizeof(seed));
	limits_init(&ep->requests, &per_network, &seed, ep->loopback_net);
	timer_init(&ep->closed, ep->env, NULL, ep);
	err = make_datagrams(ep, &seed, opts->peers_max);
	if (err == ERR_OK)
		err = make_sessions(ep);
	if (err == ERR_OK)
		endpoint_hot(ep);
	if (err == ERR_OK)
		err = open_sockets(ep, &opts->bind);
	if (err != ERR_OK) {
		endpoint_free(ep);
		return err;
	}
	*out = ep;
	return ERR_OK;
}

/* ---- death ---- */

static void
tell_done(void *arg)
{
	struct endpoint *ep = arg;

	ep->done(ep->done_arg);
}

static void
sessions_down(void *arg)
{
	struct endpoint *ep = arg;

	ep->closed.fire = tell_done;
	timer_start(&ep->closed, 0);
}

void
endpoint_shutdown(struct endpoint *ep, void (*done)(void *arg), void *arg)
{
	must(!ep->closing);
	ep->closing = true;
	ep->done = done;
	ep->done_arg = arg;
	calls_close(ep->calls, ERR_CANCELED);
	dgram_close(ep->dgram);
	sessions_shutdown(ep->sessions, sessions_down, ep);
}

void
endpoint_free(struct endpoint *ep)
{
	if (ep == NULL)
		return;
	timer_stop(&ep->closed);
	sessions_free(ep->sessions);
	if (ep->calls != NULL)
		calls_close(ep->calls, ERR_CANCELED);
	calls_free(ep->calls);
	dgram_free(ep->dgram);
	peers_free(ep->peers);
	limits_fini(&ep->requests);
	free(ep->methods);
	identity_wipe(&ep->identity);
	free(ep);
}

/* ---- what it is ---- */

struct env *
endpoint_env(const struct endpoint *ep)
{
	return ep->env;
}

const struct identity *
endpoint_identity(const struct endpoint *ep)
{
	return &ep->identity;
}

struct network_id
endpoint_net(const struct endpoint *ep)
{
	return ep->net;
}

uint8_t
endpoint_pow_bits(const struct endpoint *ep)
{
	return ep->pow_bits;
}

bool
endpoint_loopback_net(const struct endpoint *ep)
{
	return ep->loopback_net;
}

void
endpoint_local(const struct endpoint *ep, struct addr *out)
{
	*out = ep->local;
}

void
endpoint_set_server(struct endpoint *ep, bool server)
{
	must(!server || !ep->client_only);
	ep->server = server;
	sessions_set_server(ep->sessions, server);
}

bool
endpoint_is_server(const struct endpoint *ep)
{
	return ep->server;
}

bool
endpoint_is_client_only(const struct endpoint *ep)
{
	return ep->client_only;
}

struct sessions *
endpoint_sessions(struct endpoint *ep)
{
	return ep->sessions;
}

void
endpoint_set_observer(struct endpoint *ep, const struct endpoint_observer *o)
{
	ep->observer = *o;
}

/* ---- calls ---- */

int
rpc_start(struct endpoint *ep, struct rpc_call *c, const struct contact *to, uint16_t method,
    struct bytes body, uint64_t timeout)
{
	c->state = NULL;
	if (pubkey_equal(&to->pub, &ep->identity.pub))
		return ERR_INVALID;
	return calls_start(ep->calls, c, to, method, body, timeout);
}

void
rpc_abandon(struct rpc_call *c)
{
	calls_abandon(c);
}

struct call_wait {
	struct wait wait;
	struct buf *reply;
};

static void
call_done(struct rpc_call *c, int err, struct bytes reply)
{
	struct call_wait *w = c->arg;

	if (err == ERR_OK)
		err = buf_append(w->reply, reply.data, reply.len);
	wait_wake(&w->wait, err);
}

SUSPENDS static int
call_datagram(struct endpoint *ep, const struct contact *to, uint16_t method, struct bytes body,
    uint64_t timeout, struct buf *reply)
{
	struct call_wait w = { .reply = reply };
	struct rpc_call c = { .done = call_done, .arg = &w };
	int err;

	wait_init(&w.wait);
	err = rpc_start(ep, &c, to, method, body, timeout);
	if (err != ERR_OK)
		return err;
	err = wait_for(ep->env, &w.wait, 0);
	rpc_abandon(&c);
	return err;
}

SUSPENDS static int
call_session(struct endpoint *ep, const struct contact *to, uint16_t method, struct bytes body,
    struct buf *reply)
{
	struct stream *s;
	int err = stream_open(ep, to, method, body, &s);

	if (err != ERR_OK)
		return err;
	err = stream_finish(s, ERR_OK, bytes_of(NULL, 0));
	/* Who needs no more than the head may have answered and gone already: the answer counts. */
	if (err == ERR_OK || err == ERR_CLOSED)
		err = stream_read_tail(s, reply);
	stream_close(s);
	return err;
}

SUSPENDS int
rpc_call(struct endpoint *ep, const struct contact *to, uint16_t method, struct bytes body,
    const struct rpc_opts *opts, struct buf *reply)
{
	uint64_t timeout = opts == NULL ? 0 : opts->timeout, old;
	int err;

	buf_reset(reply);
	if (opts == NULL || opts->transport == RPC_DATAGRAM)
		return call_datagram(ep, to, method, body, timeout, reply);
	if (timeout == 0)
		timeout = SESSION_CALL_TIMEOUT;
	old = task_deadline(ep->env, env_now(ep->env) + timeout);
	err = call_session(ep, to, method, body, reply);
	task_deadline_restore(ep->env, old);
	return err;
}

SUSPENDS int
stream_open(struct endpoint *ep, const struct contact *to, uint16_t method, struct bytes head,
    struct stream **out)
{
	if (ep->closing)
		return ERR_CANCELED;
	if (pubkey_equal(&to->pub, &ep->identity.pub) || !addr_usable(&to->addr, ep->loopback_net))
		return ERR_INVALID;
	return sessions_open(ep->sessions, to, method, head, out);
}
