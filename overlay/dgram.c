/*
 * In: peek at the header; find or agree on keys (or challenge); open; unpack; enter the peer in
 * the book; hand up. Out: pack, seal, send. A datagram that fails a step is counted and gone:
 * UDP promises nothing, and answering errors would serve an attacker.
 */
#include "overlay/dgram.h"

#include <assert.h>
#include <stdlib.h>

static_assert(SEALED_DATAGRAM_MAX == DATAGRAM_BYTES_MAX, "one limit");
static_assert(RPC_DATAGRAM_BODY_MAX + ENVELOPE_OVERHEAD_MAX <= SEALED_BODY_MAX, "a body fits");
static_assert(ENVELOPE_TOKEN_BYTES == SEALED_COOKIE_BYTES, "tokens are cookies with a longer life");
static_assert(TOKEN_EPOCH % SEALED_COOKIE_EPOCH == 0, "see token_now()");

static const struct rate agreements_any = {
	.interval = SECONDS(1) / AGREEMENTS_PER_S,
	.burst = AGREEMENTS_PER_S / 2,
};
static const struct rate agreements_network = {
	.interval = SECONDS(1) / AGREEMENTS_PER_S_NETWORK,
	.burst = AGREEMENTS_PER_S_NETWORK / 2,
};

struct dgram { /* the seed and what follows is seldom read */
	struct udp *udp;
	struct key cookie_secret, token_secret;
	uint64_t agreements_full_at;
	struct dgram_opts opts;
	struct limits agreements;
};

static void receive(void *arg, const struct addr *from, struct bytes data);
static void expect(void *arg, struct bytes data, unsigned step, uint64_t *memo);

struct dgram *
dgram_new(const struct dgram_opts *opts)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->opts = *opts;
	env_random(opts->env, &d->cookie_secret, sizeof(d->cookie_secret));
	env_random(opts->env, &d->token_secret, sizeof(d->token_secret));
	limits_init(&d->agreements, &agreements_network, &opts->seed, opts->loopback_net);
	return d;
}

int
dgram_open(struct dgram *d, const struct addr *bind, struct addr *bound)
{
	int err = env_udp_open(d->opts.env,
	    &(struct udp_opts){ .bind = *bind, .receive = receive, .expect = expect, .arg = d },
	    &d->udp);

	if (err != ERR_OK)
		return err;
	udp_local(d->udp, bound);
	return ERR_OK;
}

void
dgram_close(struct dgram *d)
{
	if (d->udp != NULL)
		udp_close(d->udp);
	d->udp = NULL;
}

void
dgram_free(struct dgram *d)
{
	if (d == NULL)
		return;
	dgram_close(d);
	limits_fini(&d->agreements);
	crypto_wipe(d, sizeof(*d));
	free(d);
}

void
dgram_hot(const struct dgram *d)
{
	env_hot(d->opts.env, d, offsetof(struct dgram, opts.seed));
}

size_t
dgram_bytes(const struct dgram *d)
{
	return sizeof(*d) + limits_bytes(&d->agreements);
}

/* ---- tokens: cookies on a slower clock, under a secret of their own ---- */

static uint64_t
token_now(const struct dgram *d)
{
	return env_now(d->opts.env) / (TOKEN_EPOCH / SEALED_COOKIE_EPOCH);
}

void
dgram_token(const struct dgram *d, const struct addr *addr, const struct pubkey *pub,
    uint8_t out[ENVELOPE_TOKEN_BYTES])
{
	sealed_cookie_make(&d->token_secret, token_now(d), addr, pub, out);
}

/* ---- out ---- */

int
dgram_peer(struct dgram *d, const struct contact *to, struct peer **out)
{
	struct sealed_keys keys;
	struct peer *peer = peers_find(d->opts.peers, &to->pub);
	int err;

	if (d->udp != NULL)
		udp_expect_send(d->udp, &to->addr, 0);
	if (peer == NULL || !peer->has_keys) {
		peers_expect(d->opts.peers, &to->pub);
		err = sealed_keys_derive(d->opts.identity, &to->pub, &d->opts.net, &keys);
		if (err != ERR_OK)
			return err;
		peer = peers_get(d->opts.peers, to);
		if (peer != NULL) {
			peer->keys = keys;
			peer->has_keys = true;
		}
		crypto_wipe(&keys, sizeof(keys));
	} else {
		peers_used(d->opts.peers, peer);
	}
	if (peer == NULL)
		return ERR_NOMEM;
	if (d->udp != NULL)
		udp_expect_send(d->udp, &to->addr, 1);
	*out = peer;
	return ERR_OK;
}

static int
send_bytes(struct dgram *d, const struct addr *to, const uint8_t *data, size_t len)
{
	int err = udp_send(d->udp, to, bytes_of(data, len));

	if (err != ERR_OK)
		return err;
	d->opts.counters->datagrams_out++;
	d->opts.counters->datagram_bytes_out += len;
	return ERR_OK;
}

static size_t
counted(uint16_t method)
{
	return method < ENDPOINT_METHODS_COUNTED ? method : 0;
}

static int
seal_envelope(const struct dgram_out *o, const struct sealed_header *h,
    uint8_t wire[SEALED_DATAGRAM_MAX], size_t *len)
{
	uint8_t memory[SEALED_BODY_MAX + 1];
	struct buf plain;
	int err;

	buf_init_on(&plain, memory, sizeof(memory));
	err = envelope_pack(o->envelope, o->pad_to, &plain);
	if (err == ERR_OK)
		err = sealed_pack(h, &o->peer->keys.tx, buf_bytes(&plain), wire, len);
	buf_wipe(&plain);
	return err;
}

int
dgram_send(struct dgram *d, const struct dgram_out *o)
{
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len, max = o->wire_bytes_max > 0 ? o->wire_bytes_max : SEALED_DATAGRAM_MAX;
	struct sealed_header h = { .type = SEALED_PLAIN, .net = d->opts.net };
	int err;

	must(o->peer->has_keys);
	if (d->udp == NULL)
		return ERR_CLOSED;
	h.sender = d->opts.identity->pub;
	env_random(d->opts.env, h.nonce, sizeof(h.nonce));
	if (o->cookie != NULL) {
		h.type = SEALED_COOKIE;
		memcpy(h.cookie, o->cookie, sizeof(h.cookie));
	}
	err = seal_envelope(o, &h, wire, &len);
	if (err != ERR_OK)
		return err;
	if (len > max)
		return ERR_TOO_BIG;
	if (o->nonce != NULL)
		memcpy(o->nonce, h.nonce, sizeof(h.nonce));
	o->peer->bytes_out += len;
	err = send_bytes(d, o->to, wire, len);
	if (err == ERR_OK)
		d->opts.counters->sent_by_method[counted(o->envelope->method)] += len;
	return err;
}

/* ---- in ---- */

static void
challenge(
    struct dgram *d, const struct addr *from, const struct sealed_header *h, size_t wire_bytes)
{
	uint8_t cookie[SEALED_COOKIE_BYTES], wire[SEALED_CHALLENGE_BYTES];

	if (sizeof(wire) > wire_bytes)
		return;
	sealed_cookie_make(&d->cookie_secret, env_now(d->opts.env), from, &h->sender, cookie);
	sealed_challenge(h, &d->opts.identity->pub, cookie, wire);
	/* A full queue loses it as the network might: the sender asks again. */
	if (send_bytes(d, from, wire, sizeof(wire)) == ERR_OK)
		d->opts.counters->cookies_sent++;
}

static bool
cookie_shown(struct dgram *d, const struct addr *from, const struct sealed_header *h)
{
	struct endpoint_counters *n = d->opts.counters;
	bool good;

	if (h->type != SEALED_COOKIE)
		return false;
	good = sealed_cookie_check(
	    &d->cookie_secret, env_now(d->opts.env), from, &h->sender, h->cookie);
	good ? n->cookies_good++ : n->cookies_bad++;
	return good;
}

/* Keys to a sender that is not in the book; false: dropped, or challenged. */
static bool
agree(struct dgram *d, const struct addr *from, const struct sealed_header *h, bool cookie,
    size_t wire_bytes, struct sealed_keys *keys)
{
	uint64_t now = env_now(d->opts.env);

	if (cookie ? !limits_take(&d->agreements, from, now)
		   : !rate_take(&d->agreements_full_at, &agreements_any, now)) {
		d->opts.counters->drop_agreement++;
		if (!cookie)
			challenge(d, from, h, wire_bytes);
		return false;
	}
	if (sealed_keys_derive(d->opts.identity, &h->sender, &d->opts.net, keys) == ERR_OK)
		return true;
	d->opts.counters->drop_auth++;
	return false;
}

static void
dropped(struct dgram *d, const struct addr *from, uint64_t *counter, const char *why)
{
	char text[ADDR_TEXT_MAX];

	(*counter)++;
	log_debug(d->opts.env, "datagram from %s dropped: %s", addr_format(from, text), why);
}

static bool
peek(struct dgram *d, const struct addr *from, struct bytes data, struct sealed_header *h)
{
	struct endpoint_counters *n = d->opts.counters;
	int err = sealed_peek(data, &d->opts.net, h);

	if (err == ERR_WRONG_NETWORK)
		dropped(d, from, &n->drop_network, "of another network");
	else if (err == ERR_VERSION)
		dropped(d, from, &n->drop_version, "of another version");
	else if (err != ERR_OK)
		dropped(d, from, &n->drop_malformed, "malformed");
	else if (!pubkey_equal(&h->sender, &d->opts.identity->pub))
		return true;
	else
		dropped(d, from, &n->drop_own, "says to be from ourselves");
	return false;
}

/* Enters the sender in the book and hands up what it said. */
static void
deliver(struct dgram *d, struct dgram_in *in, const struct sealed_keys *keys)
{
	struct peer *peer = in->peer;

	if (peer == NULL) {
		contact_init(&in->from, &in->from.pub, &in->from.addr);
		peer = peers_get(d->opts.peers, &in->from);
	} else {
		in->from.id = peer->contact.id;
		peers_used(d->opts.peers, peer);
	}
	if (peer == NULL)
		return; /* no memory: as if lost */
	if (!peer->has_keys) {
		peer->keys = *keys;
		peer->has_keys = true;
	}
	in->peer = peer;
	peer->bytes_in += in->wire_bytes;
	peer->version = in->envelope.version;
	in->server = in->envelope.server && identity_pow_ok(&in->from.id, d->opts.pow_bits);
	if (in->envelope.kind != ENVELOPE_REQUEST) {
		d->opts.events.response(d->opts.events.arg, in);
		return;
	}
	if (in->envelope.has_token && sealed_cookie_check(&d->token_secret, token_now(d),
					  &in->from.addr, &in->from.pub, in->envelope.token))
		in->proven = true;
	d->opts.events.request(d->opts.events.arg, in);
}

static void
open_and_deliver(
    struct dgram *d, const struct addr *from, struct bytes data, const struct sealed_header *h)
{
	struct dgram_in in = { .from = { .pub = h->sender, .addr = *from },
		.wire_bytes = data.len };
	uint8_t plain[SEALED_DATAGRAM_MAX];
	struct sealed_keys keys;
	size_t len;

	in.proven = cookie_shown(d, from, h);
	in.peer = peers_find(d->opts.peers, &h->sender);
	if (in.peer != NULL && in.peer->has_keys)
		keys = in.peer->keys;
	else if (!agree(d, from, h, in.proven, data.len, &keys))
		return;
	if (sealed_open(data, h, &keys.rx, plain, &len) != ERR_OK)
		dropped(d, from, &d->opts.counters->drop_auth, "forged");
	else if (envelope_unpack(bytes_of(plain, len), &in.envelope) != ERR_OK)
		dropped(d, from, &d->opts.counters->drop_malformed, "malformed inside");
	else
		deliver(d, &in, &keys);
	crypto_wipe(&keys, sizeof(keys));
}

static void
receive(void *arg, const struct addr *from, struct bytes data)
{
	struct dgram *d = arg;
	struct sealed_header h;

	d->opts.counters->datagrams_in++;
	d->opts.counters->datagram_bytes_in += data.len;
	if (!peek(d, from, data, &h))
		return;
	if (h.type == SEALED_CHALLENGE)
		d->opts.events.challenge(d->opts.events.arg, &h.sender, h.nonce, h.cookie);
	else
		open_and_deliver(d, from, data, &h);
}

/* The peer first, then what others know of its id, whose top is the memo. */
static void
expect(void *arg, struct bytes data, unsigned step, uint64_t *memo)
{
	const struct dgram *d = arg;
	const struct pubkey *sender = sealed_sender(data);
	const struct peer *peer;
	struct id id;

	if (sender == NULL)
		return;
	if (step == 0) {
		peers_expect(d->opts.peers, sender);
		return;
	}
	if (step == 1) {
		peer = peers_find(d->opts.peers, sender);
		if (peer == NULL)
			id_of_pubkey(sender, &id);
		else
			id = peer->contact.id;
		*memo = id_top(&id);
	}
	d->opts.events.expect(d->opts.events.arg, *memo, step - 1);
}
