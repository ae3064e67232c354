/*
 * A timer spawns one check at a time. A check asks servers one after another to dial back and
 * counts: yes, could not connect, no answer. Only the second speaks against us: a peer that is
 * gone or busy says nothing, so a node that was reachable stays a server until somebody tried
 * and failed.
 */
#include "overlay/reach.h"

#include <stdlib.h>

#include "overlay/base/msg.h"
#include "overlay/endpoint_private.h"
#include "overlay/reach_vote.h"

#define KNOWN_MAX        64 /* peers looked at in a check; the newest heard */
#define DIAL_BYTES_MAX   64 /* of head and tail: a number and an address */
#define KEY_PORT         1
#define KEY_RESULT       1
#define KEY_SEEN_BY_PING 1
#define KEY_SEEN         2

struct reach {
	struct reach_opts opts;
	struct env *env;
	struct endpoint *ep;
	struct timer timer;
	struct task_group group;
	struct portmap *portmap;
	struct reach_status status;
	struct reach_votes votes;
	unsigned retries; /* since the last check that was confirmed, or was asked for */
	unsigned looks;   /* that knew no server, since then */
	bool checking, again, closing;
	struct limits dials;
	size_t dialling;
	unsigned parts_left; /* of a shutdown */
	void (*done)(void *arg);
	void *done_arg;
};

/* ---- addresses on the wire ---- */

static void
put_addr(struct msg_writer *w, uint32_t key, const struct addr *a)
{
	uint8_t packed[ADDR_PACKED_BYTES];
	struct packer p = packer_on(packed, sizeof(packed));

	addr_pack(&p, a);
	must(pack_ok(&p));
	msg_pair_bin(w, key, bytes_of(packed, sizeof(packed)));
}

static int
get_addr(const struct msg_node *map, uint32_t key, struct addr *out)
{
	uint8_t packed[ADDR_PACKED_BYTES];
	struct unpacker u;
	struct addr a;
	int err = msg_get_fixed(map, key, packed, sizeof(packed));

	if (err != ERR_OK)
		return ERR_INVALID;
	u = unpacker_on(bytes_of(packed, sizeof(packed)));
	addr_unpack(&u, &a);
	if (!unpack_done(&u) || a.family == ADDR_NONE)
		return ERR_INVALID;
	*out = a;
	return ERR_OK;
}

/* ---- what we do for others ---- */

static int
answer_ping(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct msg_writer w = msg_writer_on(reply);

	(void)arg;
	msg_put_map(&w, 1);
	put_addr(&w, KEY_SEEN_BY_PING, &req->from.addr);
	return msg_done(&w);
}

static int
port_of_head(struct bytes head, uint16_t *out)
{
	struct msg *m;
	uint64_t port = 0;
	int err = msg_parse(head, &m);

	if (err != ERR_OK)
		return err;
	err = msg_get_u64(msg_root(m), KEY_PORT, UINT16_MAX, &port);
	msg_free(m);
	if (err != ERR_OK || port == 0)
		return ERR_INVALID;
	*out = (uint16_t)port;
	return ERR_OK;
}

SUSPENDS static int
dial(struct reach *r, const struct contact *asker, struct stream *s)
{
	struct msg_writer w;
	struct buf tail;
	int err;

	r->dialling++;
	err = sessions_probe(endpoint_sessions(r->ep), asker, REACH_DIAL_TIMEOUT);
	r->dialling--;
	if (err == ERR_CANCELED)
		return err;
	buf_init(&tail, DIAL_BYTES_MAX);
	w = msg_writer_on(&tail);
	msg_put_map(&w, 2);
	msg_pair_i64(&w, KEY_RESULT, err);
	put_addr(&w, KEY_SEEN, &asker->addr);
	err = msg_done(&w);
	if (err == ERR_OK)
		err = stream_finish(s, ERR_OK, buf_bytes(&tail));
	buf_fini(&tail);
	return err;
}

/* Dials only the address that the asker's own connection comes from. */
static int
serve_dialback(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct reach *r = arg;
	struct contact asker = req->from;
	int err = port_of_head(req->body, &asker.addr.port);

	if (err != ERR_OK)
		return err;
	if (!addr_usable(&asker.addr, endpoint_loopback_net(r->ep)))
		return ERR_INVALID;
	if (r->closing || r->dialling >= REACH_DIALS_MAX ||
	    !limits_take(&r->dials, &asker.addr, env_now(r->env)))
		return ERR_BUSY;
	return dial(r, &asker, s);
}

/* ---- asking ---- */

SUSPENDS int
reach_ping(struct endpoint *ep, const struct contact *to, struct addr *out)
{
	struct addr seen;
	struct buf reply;
	struct msg *m;
	int err;

	buf_init(&reply, RPC_DATAGRAM_BODY_MAX);
	err = rpc_call(ep, to, METHOD_PING, bytes_of(NULL, 0), NULL, &reply);
	if (err == ERR_OK)
		err = msg_parse(buf_bytes(&reply), &m);
	if (err == ERR_OK) {
		err = get_addr(msg_root(m), KEY_SEEN_BY_PING, &seen);
		msg_free(m);
	}
	if (err == ERR_OK && out != NULL)
		*out = seen;
	buf_fini(&reply);
	return err;
}

static uint16_t
port_outside(const struct reach *r)
{
	struct addr local;

	if (r->status.mapping.method != PORTMAP_NONE)
		return r->status.mapping.external.port;
	endpoint_local(r->ep, &local);
	return local.port;
}

/* The answer of a peer: *result is what its dial came to. */
static int
tail_read(struct bytes tail, int *result, struct addr *seen)
{
	struct msg *m;
	int64_t code = 0;
	int err = msg_parse(tail, &m);

	if (err != ERR_OK)
		return err;
	err = msg_get_i64(msg_root(m), KEY_RESULT, &code);
	if (err == ERR_OK && (code > 0 || code < INT16_MIN))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = get_addr(msg_root(m), KEY_SEEN, seen);
	msg_free(m);
	if (err == ERR_OK)
		*result = (int)code;
	return err;
}

SUSPENDS static int
ask_one(struct reach *r, const struct contact *peer, int *result, struct addr *seen)
{
	struct rpc_opts opts = { .transport = RPC_SESSION, .timeout = REACH_ASK_TIMEOUT };
	struct buf head, tail;
	struct msg_writer w;
	int err;

	buf_init(&head, DIAL_BYTES_MAX);
	buf_init(&tail, DIAL_BYTES_MAX);
	w = msg_writer_on(&head);
	msg_put_map(&w, 1);
	msg_pair_u64(&w, KEY_PORT, port_outside(r));
	err = msg_done(&w);
	if (err == ERR_OK)
		err = rpc_call(r->ep, peer, METHOD_DIALBACK, buf_bytes(&head), &opts, &tail);
	if (err == ERR_OK)
		err = tail_read(buf_bytes(&tail), result, seen);
	buf_fini(&head);
	buf_fini(&tail);
	return err;
}

/* ---- a check ---- */

struct check {
	struct contact *peers; /* to ask, in this order */
	size_t count;
	uint32_t wanted;
	struct reach_status status;
	uint32_t failed;
};

static void
shuffle(struct env *env, struct contact *c, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t k = (size_t)env_random_below(env, i);
		struct contact swap = c[i - 1];

		c[i - 1] = c[k];
		c[k] = swap;
	}
}

/* Servers that answered lately, one of each network where networks count. */
static int
candidates(struct reach *r, struct check *c)
{
	struct peer_info *known = calloc(KNOWN_MAX, sizeof(*known));
	bool by_group = !endpoint_loopback_net(r->ep);
	size_t count;

	c->peers = calloc(KNOWN_MAX, sizeof(*c->peers));
	if (known == NULL || c->peers == NULL) {
		free(known);
		return ERR_NOMEM;
	}
	count = endpoint_peers(r->ep, known, KNOWN_MAX);
	for (size_t i = 0; i < count; i++) {
		uint64_t group = addr_group(&known[i].contact.addr);
		bool taken = !known[i].server || known[i].srtt == 0 || known[i].strikes > 0;

		for (size_t k = 0; k < c->count && by_group && !taken; k++)
			taken = addr_group(&c->peers[k].addr) == group;
		if (!taken)
			c->peers[c->count++] = known[i].contact;
	}
	free(known);
	shuffle(r->env, c->peers, c->count);
	c->wanted = (uint32_t)MIN(c->count, REACH_CONFIRMS);
	return ERR_OK;
}

static uint64_t
voter_of(const struct reach *r, const struct contact *peer)
{
	struct unpacker u = unpacker_on(bytes_of(peer->id.b, sizeof(peer->id.b)));

	return endpoint_loopback_net(r->ep) ? unpack_u64(&u) : addr_group(&peer->addr);
}

/* Who was out of reach before is so still: three say so, where a first check asks eight. */
static bool
hopeless(const struct reach *r, const struct check *c)
{
	return r->status.why == REACH_FAILED && c->status.confirmed == 0 &&
	       c->failed >= REACH_CONFIRMS;
}

SUSPENDS static int
ask_all(struct reach *r, struct check *c)
{
	for (size_t i = 0;
	     i < MIN(c->count, REACH_TRIES) && c->status.confirmed < c->wanted && !hopeless(r, c);
	     i++) {
		const struct contact *peer = &c->peers[i];
		struct addr seen;
		int result = ERR_OK, err = ask_one(r, peer, &result, &seen);

		if (err == ERR_CANCELED)
			return err;
		if (err != ERR_OK) {
			log_debug(r->env, "dial-back not answered: %s", err_text(err));
			continue;
		}
		reach_votes_add(&r->votes, voter_of(r, peer), &seen);
		if (result == ERR_OK) {
			c->status.by[c->status.confirmed++] = *peer;
			continue;
		}
		c->failed++;
		c->status.failed_by = *peer;
		c->status.failed_err = result;
	}
	return ERR_OK;
}

/* What the answers say, pure: see the top of this file. */
static void
judge(const struct check *c, bool was, struct reach_status *s)
{
	if (s->confirmed >= c->wanted) {
		s->reachable = true;
		s->why = REACH_CONFIRMED;
	} else if (c->failed > 0) {
		s->reachable = false;
		s->why = REACH_FAILED;
	} else {
		s->reachable = was;
		s->why = was ? s->why : REACH_UNANSWERED;
	}
}

static void
external_set(const struct reach *r, struct reach_status *s)
{
	struct addr seen;

	if (reach_votes_winner(&r->votes, &seen))
		s->external = seen;
	else if (s->external.family == ADDR_NONE && s->mapping.method != PORTMAP_NONE)
		s->external = s->mapping.external;
	if (s->external.family != ADDR_NONE)
		s->external.port = port_outside(r);
}

static void
adopt(struct reach *r, const struct reach_status *next)
{
	char text[REACH_TEXT_MAX];
	bool changed = next->reachable != r->status.reachable || next->why != r->status.why ||
		       !addr_equal(&next->external, &r->status.external);

	r->status = *next;
	if (!changed)
		return;
	endpoint_set_server(r->ep, next->reachable);
	log_info(r->env, "%s", reach_text(next, text));
	if (r->opts.changed != NULL)
		r->opts.changed(r->opts.arg);
}

static void
conclude(struct reach *r, struct check *c)
{
	struct reach_status next = r->status;

	next.checked_at = env_now(r->env);
	if (c->wanted > 0) {
		next.wanted = c->wanted;
		next.confirmed = c->status.confirmed;
		memcpy(next.by, c->status.by, sizeof(next.by));
		next.failed_by = c->status.failed_by;
		next.failed_err = c->status.failed_err;
		if (next.why != REACH_ASSUMED) /* the owner's word stands */
			judge(c, r->status.reachable, &next);
	}
	external_set(r, &next);
	adopt(r, &next);
}

/* Drawn, else all that began together would for ever ask each other at the same moments. */
static uint64_t
again_after(const struct reach *r)
{
	return REACH_AGAIN - MINUTES(30) + env_random_below(r->env, MINUTES(60));
}

static void
schedule(struct reach *r)
{
	uint64_t pace = MAX(r->opts.pace, 1), delay = 0;

	if (r->status.wanted == 0 && !r->status.reachable) {
		delay = backoff(REACH_SOON, REACH_SOON_MAX, r->looks++);
	} else if (r->status.confirmed < REACH_CONFIRMS) {
		delay = backoff(REACH_RETRY, REACH_RETRY_MAX, r->retries++);
	} else {
		r->retries = 0;
		delay = again_after(r);
	}
	if (r->again)
		delay = 0;
	r->again = false;
	timer_start(&r->timer, delay / pace);
}

static int
check(void *arg)
{
	struct reach *r = arg;
	struct check *c = calloc(1, sizeof(*c));
	int err = c == NULL ? ERR_NOMEM : candidates(r, c);

	if (err == ERR_OK)
		err = ask_all(r, c);
	if (err == ERR_OK && !r->closing)
		conclude(r, c);
	if (c != NULL)
		free(c->peers);
	free(c);
	r->checking = false;
	if (!r->closing)
		schedule(r);
	return err;
}

static void
due(void *arg)
{
	struct reach *r = arg;

	if (r->checking) {
		r->again = true;
		return;
	}
	r->checking = true;
	if (task_spawn(&r->group, "reach", check, r) == ERR_OK)
		return;
	r->checking = false; /* too many tasks: later */
	schedule(r);
}

void
reach_check_soon(struct reach *r)
{
	if (r->closing || r->status.why == REACH_CLIENT)
		return;
	r->retries = r->looks = 0;
	timer_start(&r->timer, 0);
}

static void
mapping_changed(void *arg, const struct portmap_result *now)
{
	struct reach *r = arg;
	struct reach_status next = r->status;

	next.mapping = *now;
	r->status.mapping = *now; /* port_outside() looks here */
	external_set(r, &next);
	adopt(r, &next);
	reach_check_soon(r);
}

/* ---- life ---- */

static int
start_portmap(struct reach *r)
{
	struct addr local;

	endpoint_local(r->ep, &local);
	if (!r->opts.portmap || endpoint_loopback_net(r->ep))
		return ERR_OK;
	return portmap_new(&(struct portmap_opts){ .env = r->env,
			       .port = local.port,
			       .ops = r->opts.ops,
			       .changed = mapping_changed,
			       .arg = r },
	    &r->portmap);
}

static void
first_word(struct reach *r)
{
	struct reach_status next = { .why = REACH_UNTRIED };

	if (r->opts.assume_reachable)
		next.why = REACH_ASSUMED;
	else if (r->opts.first_node)
		next.why = REACH_FIRST;
	next.reachable = next.why != REACH_UNTRIED;
	adopt(r, &next);
}

static void
first_check(struct reach *r)
{
	if (r->opts.seeded && r->status.reachable)
		timer_start(
		    &r->timer, env_random_below(r->env, REACH_AGAIN) / MAX(r->opts.pace, 1));
	else
		schedule(r);
}

int
reach_new(const struct reach_opts *opts, struct reach **out)
{
	struct rate rate = { .interval = REACH_DIAL_INTERVAL, .burst = REACH_DIAL_BURST };
	struct reach *r = calloc(1, sizeof(*r));
	struct seeded seed;
	int err;

	if (r == NULL)
		return ERR_NOMEM;
	r->opts = *opts;
	r->ep = opts->endpoint;
	r->env = endpoint_env(r->ep);
	env_random(r->env, &seed, sizeof(seed));
	limits_init(&r->dials, &rate, &seed, endpoint_loopback_net(r->ep));
	task_group_init(&r->group, r->env);
	timer_init(&r->timer, r->env, due, r);
	if (endpoint_is_client_only(r->ep)) {
		r->status.why = REACH_CLIENT;
	} else {
		err = start_portmap(r);
		if (err != ERR_OK) {
			free(r);
			return err;
		}
		first_word(r);
		first_check(r);
	}
	endpoint_add_method(
	    r->ep, &(struct rpc_method){ .number = METHOD_PING, .answer = answer_ping, .arg = r });
	endpoint_add_stream_method(
	    r->ep, &(struct stream_method){
		       .number = METHOD_DIALBACK, .serve = serve_dialback, .arg = r });
	*out = r;
	return ERR_OK;
}

void
reach_status(const struct reach *r, struct reach_status *out)
{
	*out = r->status;
}

static void
part_down(void *arg)
{
	struct reach *r = arg;

	if (--r->parts_left == 0)
		r->done(r->done_arg);
}

void
reach_shutdown(struct reach *r, void (*done)(void *arg), void *arg)
{
	must(!r->closing);
	r->closing = true;
	r->done = done;
	r->done_arg = arg;
	r->parts_left = 1 + (r->portmap != NULL);
	timer_stop(&r->timer);
	if (r->portmap != NULL)
		portmap_shutdown(r->portmap, part_down, r);
	task_group_shutdown(&r->group, part_down, r);
}

void
reach_free(struct reach *r)
{
	if (r == NULL)
		return;
	timer_stop(&r->timer);
	portmap_free(r->portmap);
	limits_fini(&r->dials);
	free(r);
}
