/*
 * What the endpoint knows: of peers (from the book and from session events), of time, of itself.
 * Asking changes nothing but the agreed clock.
 */
#include "overlay/endpoint_private.h"

#include <stdlib.h>

#include "overlay/base/err.h"

/* ---- session events ---- */

void
endpoint_session_heard(
    void *arg, const struct contact *who, const struct session_hello *hello, uint64_t rtt)
{
	struct endpoint *ep = arg;
	struct peer *peer = peers_get(ep->peers, who);
	bool server = hello->server && identity_pow_ok(&who->id, ep->pow_bits);
	uint64_t now = env_now(ep->env);

	if (peer != NULL) {
		if (rtt > 0) {
			peers_set_met(ep->peers, peer);
			peer_answered(peer, rtt);
			peer->contact.addr = who->addr;
			peer->addr_proven = true;
		} else if (!peer->addr_proven) {
			peer->contact.addr = who->addr;
		}
		peer_clock(
		    peer, hello->wall_ms, env_wall_ms(ep->env) - rtt / 2 / MILLISECONDS(1), now);
		peer->last_heard = now;
		peer->version = hello->version;
		peer->server = server;
		peer->sessions++;
	}
	if (server && ep->observer.heard != NULL)
		ep->observer.heard(ep->observer.arg, who, true);
	if (rtt > 0 && ep->observer.answered != NULL)
		ep->observer.answered(ep->observer.arg, who, rtt);
}

void
endpoint_session_failed(void *arg, const struct contact *to, int err)
{
	struct endpoint *ep = arg;
	struct peer *peer = peers_find(ep->peers, &to->pub);

	if (peer != NULL && peer->strikes < CALL_STRIKES_MAX)
		peer->strikes++;
	if (ep->observer.failed != NULL)
		ep->observer.failed(ep->observer.arg, to, err);
}

void
endpoint_session_closed(void *arg, const struct contact *who, uint64_t bytes_in, uint64_t bytes_out)
{
	struct endpoint *ep = arg;
	struct peer *peer = peers_find(ep->peers, &who->pub);

	/* Not there when memory was short at the start of the session. */
	if (peer == NULL || peer->sessions == 0)
		return;
	peer->sessions--;
	peer->bytes_in += bytes_in;
	peer->bytes_out += bytes_out;
}

void
endpoint_session_blame(void *arg, const struct contact *who, const char *reason)
{
	endpoint_blame(arg, who, reason);
}

/* ---- peers ---- */

static void
describe(const struct endpoint *ep, const struct peer *peer, struct peer_info *out)
{
	uint64_t in = 0, sent = 0;

	*out = (struct peer_info){ .contact = peer->contact,
		.srtt = peer->srtt,
		.strikes = peer->strikes,
		.last_heard = peer->last_heard,
		.clock_offset_ms = peer->clock_offset_ms,
		.blames = peer->blames,
		.version = peer->version,
		.server = peer->server };
	out->session = sessions_live(ep->sessions, &peer->contact.pub, &in, &sent);
	out->bytes_in = peer->bytes_in + in;
	out->bytes_out = peer->bytes_out + sent;
}

bool
endpoint_peer(const struct endpoint *ep, const struct pubkey *pub, struct peer_info *out)
{
	const struct peer *peer = peers_find(ep->peers, pub);

	if (peer == NULL)
		return false;
	describe(ep, peer, out);
	return true;
}

bool
endpoint_standing(const struct endpoint *ep, const struct pubkey *pub, struct peer_standing *out)
{
	const struct peer *peer = peers_find(ep->peers, pub);

	if (peer == NULL)
		return false;
	*out = (struct peer_standing){ .strikes = peer->strikes, .server = peer->server };
	return true;
}

static int
newest_first(const void *a, const void *b)
{
	const struct peer *x = *(struct peer *const *)a, *y = *(struct peer *const *)b;

	if (x->last_heard != y->last_heard)
		return x->last_heard > y->last_heard ? -1 : 1;
	return memcmp(&x->contact.id, &y->contact.id, sizeof(x->contact.id));
}

size_t
endpoint_peers(const struct endpoint *ep, struct peer_info *out, size_t cap)
{
	size_t count = peers_count(ep->peers), n = 0;
	struct peer **all = calloc(MAX(count, 1), sizeof(*all));

	if (all == NULL)
		return 0;
	for (struct peer *p = peers_next(ep->peers, NULL); p != NULL; p = peers_next(ep->peers, p))
		all[n++] = p;
	must(n == count);
	qsort(all, n, sizeof(*all), newest_first);
	n = MIN(n, cap);
	for (size_t i = 0; i < n; i++)
		describe(ep, all[i], &out[i]);
	free(all);
	return n;
}

void
endpoint_blame(struct endpoint *ep, const struct contact *who, const char *reason)
{
	struct peer *peer = peers_get(ep->peers, who);
	char text[CONTACT_TEXT_MAX];

	ep->counters.blames++;
	if (peer != NULL && peer->blames < UINT16_MAX)
		peer->blames++;
	log_warn(ep->env, "peer %s: %s", contact_format(who, text), reason);
}

/* ---- time ---- */

/* Sixty-four clocks are gathered and sorted for a reading, and each record that comes in asks. */
#define AGREED_FRESH_MS      900000 /* medians of peers' clocks move with quartz: 25 ms */
/* One more clock does not move the median of so many. */
#define AGREED_CLOCKS_ENOUGH 16

struct clocks {
	int64_t offsets[AGREED_CLOCKS_MAX];
	uint64_t groups[AGREED_CLOCKS_MAX];
	size_t count;
};

/* Clocks of peers that answered us, at most one of a network where one_per_group. */
static void
clocks_gather(const struct endpoint *ep, bool one_per_group, struct clocks *c)
{
	uint64_t now = env_now(ep->env);

	c->count = 0;
	for (struct peer *p = peers_next(ep->peers, NULL);
	     p != NULL && p->met && c->count < AGREED_CLOCKS_MAX; p = peers_next(ep->peers, p)) {
		uint64_t group = addr_group(&p->contact.addr);
		bool taken = false;

		if (!p->has_clock || now - p->clock_at > CLOCK_AGE_MAX)
			continue;
		for (size_t i = 0; i < c->count && one_per_group && !taken; i++)
			taken = c->groups[i] == group;
		if (taken)
			continue;
		c->groups[c->count] = group;
		c->offsets[c->count++] = p->clock_offset_ms;
	}
}

/*
 * What was read lately still holds, unless our clock jumped or, while few are known, somebody was
 * met.
 */
static bool
time_fresh(const struct endpoint *ep, uint64_t now, uint64_t own_ms, size_t met)
{
	uint64_t passed_ms = (now - ep->time_at) / MILLISECONDS(1);

	return ep->time_at != 0 && passed_ms < AGREED_FRESH_MS &&
	       (met == ep->time_met || ep->time_met >= AGREED_CLOCKS_ENOUGH) &&
	       own_ms - ep->time_own_ms - passed_ms + 1 <= 2;
}

void
endpoint_agreed_time(struct endpoint *ep, struct agreed_time *out)
{
	size_t met = peers_met(ep->peers);
	uint64_t now = env_now(ep->env), own_ms = env_wall_ms(ep->env);
	struct clocks c;

	if (time_fresh(ep, now, own_ms, met)) {
		*out = ep->time;
		out->unix_ms += (now - ep->time_at) / MILLISECONDS(1);
		return;
	}

	/* Many nodes in one network are one voice, unless there is no other. */
	clocks_gather(ep, !ep->loopback_net, &c);
	if (c.count < AGREED_CLOCKS_MIN)
		clocks_gather(ep, false, &c);
	agreed_clock_read(&ep->clock,
	    &(struct agreed_input){ .now = now,
		.own_ms = own_ms,
		.offsets = c.offsets,
		.offsets_count = c.count,
		.all = met == 0 ? ep->first_node : met < AGREED_CLOCKS_MIN && c.count > 0 },
	    out);
	ep->time = *out;
	ep->time_at = now;
	ep->time_own_ms = own_ms;
	ep->time_met = met;
}

void
endpoint_agreed_time_restore(struct endpoint *ep, uint64_t unix_ms)
{
	ep->time_at = 0;
	agreed_clock_restore(&ep->clock, unix_ms, env_now(ep->env));
}

/* ---- itself ---- */

const struct endpoint_counters *
endpoint_counters(const struct endpoint *ep)
{
	return &ep->counters;
}

void
endpoint_load(const struct endpoint *ep, struct endpoint_load *out)
{
	struct sessions_load s;

	sessions_load(ep->sessions, &s);
	*out = (struct endpoint_load){ .sessions = s.sessions,
		.handshakes = s.handshakes,
		.streams = s.streams,
		.calls = calls_count(ep->calls),
		.peers = peers_count(ep->peers),
		.tasks = s.tasks,
		.bytes = sizeof(*ep) + ep->methods_count * sizeof(*ep->methods) +
			 peers_bytes(ep->peers) + dgram_bytes(ep->dgram) + calls_bytes(ep->calls) +
			 limits_bytes(&ep->requests) + s.bytes_held };
}
