/*
 * A call has a slot; its id is 48 random bits and the slot, so an answer finds it at once and
 * nobody guesses it. One timer serves both moments, slow and timeout. A call ends exactly once:
 * it leaves its slot before done() is called, so done() may do anything.
 */
#include "overlay/calls.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_MIN 8
#define SLOT_BITS 16

static_assert(CALLS_MAX <= 1 << SLOT_BITS, "a slot fits the id");

struct rpc_call_state {
	struct calls *calls;
	struct rpc_call *owner;
	struct contact to;
	struct timer timer;
	uint64_t id;
	uint64_t sent_at, deadline;
	uint16_t method;
	bool slow_told, cookie_used, retry_used;
	uint8_t nonce[CRYPTO_XNONCE_BYTES]; /* of the last datagram */
	size_t body_len;
	uint8_t body[];
};

struct calls {
	struct calls_opts opts;
	struct rpc_call_state **slots; /* the first few are here */
	size_t slots_count, count;
	bool closed;
	struct rpc_call_state *first[SLOTS_MIN];
};

struct calls *
calls_new(const struct calls_opts *opts)
{
	struct calls *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->opts = *opts;
	cs->slots = cs->first;
	cs->slots_count = SLOTS_MIN;
	return cs;
}

void
calls_free(struct calls *cs)
{
	if (cs == NULL)
		return;
	must(cs->count == 0);
	if (cs->slots != cs->first)
		free(cs->slots);
	free(cs);
}

void
calls_hot(const struct calls *cs)
{
	env_hot(cs->opts.env, cs, sizeof(*cs));
}

size_t
calls_count(const struct calls *cs)
{
	return cs->count;
}

size_t
calls_bytes(const struct calls *cs)
{
	size_t n = sizeof(*cs) + (cs->slots_count - SLOTS_MIN) * sizeof(*cs->slots);

	for (size_t i = 0; i < cs->slots_count; i++)
		if (cs->slots[i] != NULL)
			n += sizeof(**cs->slots) + cs->slots[i]->body_len;
	return n;
}

/* ---- slots ---- */

static int
slots_grow(struct calls *cs)
{
	size_t count = 2 * cs->slots_count;
	struct rpc_call_state **slots;

	if (count > CALLS_MAX)
		return ERR_BUSY;
	slots = calloc(count, sizeof(*slots));
	if (slots == NULL)
		return ERR_NOMEM;
	memcpy(slots, cs->slots, cs->slots_count * sizeof(*slots));
	if (cs->slots != cs->first)
		free(cs->slots);
	cs->slots = slots;
	cs->slots_count = count;
	return ERR_OK;
}

static int
slot_take(struct calls *cs, struct rpc_call_state *s)
{
	size_t i = 0;

	if (cs->count == cs->slots_count) {
		int err = slots_grow(cs);

		if (err != ERR_OK)
			return err;
		i = cs->count;
	}
	while (cs->slots[i] != NULL)
		i++;
	env_random(cs->opts.env, &s->id, sizeof(s->id));
	s->id = s->id << SLOT_BITS | i;
	cs->slots[i] = s;
	cs->count++;
	return ERR_OK;
}

static struct rpc_call_state *
slot_find(const struct calls *cs, uint64_t id)
{
	size_t i = id & ((UINT64_C(1) << SLOT_BITS) - 1);

	if (i >= cs->slots_count || cs->slots[i] == NULL || cs->slots[i]->id != id)
		return NULL;
	return cs->slots[i];
}

/* Out of its slot and freed; the owner's struct is its own again. */
static void
forget(struct rpc_call_state *s)
{
	struct calls *cs = s->calls;

	timer_stop(&s->timer);
	cs->slots[s->id & ((UINT64_C(1) << SLOT_BITS) - 1)] = NULL;
	cs->count--;
	s->owner->state = NULL;
	free(s);
}

static void
end(struct rpc_call_state *s, int err, struct bytes reply)
{
	struct rpc_call *c = s->owner;

	forget(s);
	c->done(c, err, reply);
}

/* ---- sending ---- */

static uint64_t
slow_after(const struct peer *peer)
{
	if (peer->srtt == 0)
		return CALL_SLOW_UNKNOWN;
	return MIN(CALL_SLOW_MAX, peer->srtt / 5 * 8 + CALL_SLOW_SLACK);
}

/* How long the envelope must be, so that the answer is no longer; a full body needs all there is.
 */
static size_t
padding(const struct rpc_call_state *s)
{
	size_t body = s->owner->answer_max;

	if (body == 0)
		return SEALED_BODY_MAX;
	return MIN(ENVELOPE_OVERHEAD_MAX + body + ENVELOPE_PAD_SHORT, (size_t)SEALED_BODY_MAX);
}

static int
transmit(struct rpc_call_state *s, struct peer *peer, const uint8_t *cookie)
{
	struct calls *cs = s->calls;
	uint64_t now = env_now(cs->opts.env);
	struct envelope e = { .kind = ENVELOPE_REQUEST,
		.id = s->id,
		.method = s->method,
		.sent_ms = env_wall_ms(cs->opts.env),
		.version = PROTOCOL_VERSION,
		.server = *cs->opts.server,
		.body = bytes_of(s->body, s->body_len) };
	int err;

	e.has_token = peer->has_token && now - peer->token_at < TOKEN_AGE_MAX;
	if (e.has_token)
		memcpy(e.token, peer->token, sizeof(e.token));
	err =
	    dgram_send(cs->opts.dgram, &(struct dgram_out){ .to = &s->to.addr,
					   .peer = peer,
					   .envelope = &e,
					   .cookie = cookie,
					   .pad_to = e.has_token || cookie != NULL ? 0 : padding(s),
					   .nonce = s->nonce });
	s->sent_at = now;
	return err == ERR_BUSY ? ERR_OK : err; /* lost here as it might be on its way */
}

static void
arm(struct rpc_call_state *s, uint64_t slow)
{
	uint64_t now = env_now(s->calls->opts.env);
	uint64_t left = s->deadline > now ? s->deadline - now : 0;

	if (s->owner->slow == NULL || slow >= left)
		s->slow_told = true;
	timer_start(&s->timer, s->slow_told ? left : slow);
}

static void
timed_out(struct rpc_call_state *s)
{
	struct calls *cs = s->calls;
	struct peer *peer = peers_find(cs->opts.peers, &s->to.pub);
	struct contact to = s->to;

	cs->opts.counters->calls_timeout++;
	if (peer != NULL && peer->strikes < CALL_STRIKES_MAX)
		peer->strikes++;
	/* The owner first: it may need its candidate before the table drops it. */
	end(s, ERR_TIMEOUT, bytes_of(NULL, 0));
	if (cs->opts.observer->failed != NULL)
		cs->opts.observer->failed(cs->opts.observer->arg, &to, ERR_TIMEOUT);
}

static void
due(void *arg)
{
	struct rpc_call_state *s = arg;

	if (s->slow_told) {
		timed_out(s);
		return;
	}
	s->slow_told = true;
	arm(s, 0);
	s->owner->slow(s->owner);
}

int
calls_start(struct calls *cs, struct rpc_call *c, const struct contact *to, uint16_t method,
    struct bytes body, uint64_t timeout)
{
	struct rpc_call_state *s;
	struct peer *peer;
	int err;

	must(c->done != NULL);
	if (cs->closed)
		return ERR_CANCELED;
	if (body.len > RPC_DATAGRAM_BODY_MAX)
		return ERR_TOO_BIG;
	if (!addr_usable(&to->addr, cs->opts.loopback_net))
		return ERR_INVALID;
	if (cs->count >= CALLS_MAX)
		return ERR_BUSY;
	err = dgram_peer(cs->opts.dgram, to, &peer);
	if (err != ERR_OK)
		return err;
	s = calloc(1, sizeof(*s) + body.len);
	if (s == NULL)
		return ERR_NOMEM;
	s->calls = cs;
	s->owner = c;
	s->to = *to;
	s->method = method;
	s->deadline = env_now(cs->opts.env) + (timeout == 0 ? RPC_TIMEOUT : timeout);
	s->body_len = body.len;
	if (body.len > 0)
		memcpy(s->body, body.data, body.len);
	timer_init(&s->timer, cs->opts.env, due, s);
	err = slot_take(cs, s);
	if (err != ERR_OK) {
		free(s);
		return err;
	}
	c->state = s;
	err = transmit(s, peer, NULL);
	if (err != ERR_OK) {
		forget(s);
		return err;
	}
	cs->opts.counters->calls++;
	arm(s, slow_after(peer));
	return ERR_OK;
}

void
calls_abandon(struct rpc_call *c)
{
	if (c->state != NULL)
		forget(c->state);
}

void
calls_close(struct calls *cs, int err)
{
	cs->closed = true;
	for (size_t i = 0; i < cs->slots_count; i++)
		if (cs->slots[i] != NULL)
			end(cs->slots[i], err, bytes_of(NULL, 0));
	must(cs->count == 0);
}

/* ---- answers ---- */

/* An answer to a request of ours is fresh and proves that the address works. */
static void
learn(struct calls *cs, struct peer *peer, const struct rpc_call_state *s,
    const struct dgram_in *in, uint64_t rtt)
{
	uint64_t now = env_now(cs->opts.env);
	uint64_t middle_ms = env_wall_ms(cs->opts.env) - rtt / 2 / MILLISECONDS(1);

	peers_set_met(cs->opts.peers, peer);
	peer_answered(peer, rtt);
	peer->contact.addr = s->to.addr;
	peer->addr_proven = true;
	peer->server = in->server;
	peer->last_heard = now;
	peer_clock(peer, in->envelope.sent_ms, middle_ms, now);
}

static void
keep_token(struct calls *cs, const struct dgram_in *in)
{
	if (!in->envelope.has_token)
		return;
	memcpy(in->peer->token, in->envelope.token, sizeof(in->peer->token));
	in->peer->has_token = true;
	in->peer->token_at = env_now(cs->opts.env);
}

/* The peer says that the token shown proves nothing: once more with the one it gave. */
static void
again(struct rpc_call_state *s, struct peer *peer)
{
	if (s->retry_used)
		return;
	s->retry_used = true;
	/* A failure to send is a loss, and the timer is running. */
	(void)transmit(s, peer, NULL);
}

void
calls_response(struct calls *cs, const struct dgram_in *in)
{
	const struct endpoint_observer *o = cs->opts.observer;
	struct rpc_call_state *s = slot_find(cs, in->envelope.id);
	struct contact to;
	uint64_t rtt;

	if (s == NULL || !pubkey_equal(&s->to.pub, &in->from.pub)) {
		cs->opts.counters->drop_replay++;
		return;
	}
	keep_token(cs, in);
	if (in->envelope.kind == ENVELOPE_RETRY) {
		again(s, in->peer);
		return;
	}
	rtt = MAX(env_now(cs->opts.env) - s->sent_at, 1);
	to = s->to;
	learn(cs, in->peer, s, in, rtt);
	cs->opts.counters->calls_answered++;
	/* The table hears of it before the owner, who may look there. */
	if (in->server && o->heard != NULL)
		o->heard(o->arg, &to, true);
	if (o->answered != NULL)
		o->answered(o->arg, &to, rtt);
	/* An observer may have abandoned the call. */
	if (slot_find(cs, in->envelope.id) == s)
		end(s, err_foreign(in->envelope.status), in->envelope.body);
}

void
calls_challenge(struct calls *cs, const struct pubkey *from,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], const uint8_t cookie[SEALED_COOKIE_BYTES])
{
	for (size_t i = 0; i < cs->slots_count; i++) {
		struct rpc_call_state *s = cs->slots[i];
		struct peer *peer;

		if (s == NULL || memcmp(s->nonce, nonce, sizeof(s->nonce)) != 0 ||
		    !pubkey_equal(&s->to.pub, from) || s->cookie_used)
			continue;
		s->cookie_used = true;
		if (dgram_peer(cs->opts.dgram, &s->to, &peer) == ERR_OK)
			(void)transmit(s, peer, cookie); /* the timer covers a loss */
		return;
	}
	cs->opts.counters->cookies_bad++;
}
