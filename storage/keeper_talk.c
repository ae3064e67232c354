/*
 * What siblings ask each other. An answer proves that the node lives and says, for a sample of the
 * shared chunks, whether its shards are there; none to a question and its repetition makes it
 * silent. Both sides ask: what arrives unasked proves nothing, because it might be an old datagram
 * sent again.
 */
#include <stdlib.h>

#include "overlay/base/msg.h"
#include "storage/chunks_private.h"
#include "storage/auditor.h"

/* A question under way ends within twice RPC_TIMEOUT. */
#define ASKING_LOOK    MILLISECONDS(100)
#define ASKS_IN_FLIGHT 16
/* Most questions only leave, without waiting for anything. */
#define ASKS_A_TASK    8
/* Who says that it is back is asked sooner; but what says so may be old and sent without end. */
#define BACK_SOONER    4

/* ---- the answer to our question ---- */

static void
hear(struct keeper *k, struct neighbour *one, const struct holds_reply *r)
{
	const struct holds *asked = one->asked;
	uint64_t grace = keeper_short_grace(k);

	/* Back from where we had given up on it: its chunks are counted anew. */
	if (neighbour_silent_for(one, env_now(k->env), grace))
		keeper_tour_soon(k);
	/* What a tour under way has met before was not offered to it. */
	if (one->silent_at != 0 && one->tell_all)
		neighbour_unheard(one, k->tour);
	one->silent_at = 0;
	neighbours_heard(k->neighbours, one, keeper_network_of(k, &one->contact.addr));
	one->drain_told = MAX(one->drain_told, asked->drain.issued_ms);
	keeper_drain_hear(k, one, &r->drain);
	one->back = false;
	for (size_t i = 0; i < MIN(asked->count, r->count); i++) {
		const struct held *h = ledger_any(k->ledger, asked->at[i].chunk);
		struct intake what = { .index = asked->at[i].yours, .node = one->contact.pub };

		if (h == NULL || h->index == INDEX_NONE)
			continue;
		what.chunk = h->chunk;
		if ((r->at[i] & HOLD_YES) == 0) {
			k->status.denials++;
			what.kind = INTAKE_DENIED;
			keeper_intake(k, &what);
		}
		if ((r->at[i] & HOLD_LEASES) != 0) {
			what.kind = INTAKE_LEASES;
			keeper_intake(k, &what);
		}
	}
}

/* Several at once may be the beginning of more: nobody is asked lazily then. */
static void
fell_silent(struct keeper *k, struct neighbour *one)
{
	uint64_t now = env_now(k->env);

	one->silent_at = one->sought_at = one->asked_at;
	keeper_tick_soon(k);
	if (now - k->alarm_at < keeper_time(k, TOUR_LAZY) ||
	    !neighbours_fell_silent(k->neighbours, now, keeper_time(k, PAUSE_WINDOW)))
		return;
	k->alarm_at = now;
	k->alarm = true;
	keeper_tour_soon(k);
}

/* What was told did not arrive, or was not taken. */
static void
unheard(struct keeper *k, struct neighbour *one, int err)
{
	neighbour_unheard(one, k->tour);
	one->back = false;
	if (err == ERR_BUSY)
		one->silent_at = 0;
	else if (one->silent_at == 0)
		fell_silent(k, one);
}

/* ---- asking ---- */

bool
keeper_offer(struct keeper *k, struct neighbour *one, const struct hold *h)
{
	k->to_tell |= h->tell;
	return neighbour_offer(one, h, env_draw, k->env);
}

int
keeper_locate(struct keeper *k, struct contact *to, bool seek)
{
	struct peer_info info;
	int err;

	if (endpoint_peer(k->opts.endpoint, &to->pub, &info) && info.strikes == 0 &&
	    info.contact.addr.family != ADDR_NONE) {
		*to = info.contact;
		return ERR_OK;
	}
	struct contact found;

	if (!seek)
		return ERR_OK;
	err = dht_resolve(k->opts.dht, to->id.b, &found);
	if (err == ERR_OK && pubkey_equal(&found.pub, &to->pub))
		*to = found;
	else if (err == ERR_OK)
		err = ERR_NOT_FOUND;
	return err;
}

static void answered(struct rpc_call *call, int err, struct bytes reply);

static void
start_asking(struct keeper *k, struct neighbour *one)
{
	struct buf body;
	int err;

	buf_init(&body, RPC_DATAGRAM_BODY_MAX);
	one->owner = k;
	one->call = (struct rpc_call){ .done = answered, .arg = one };
	keeper_drain_word(k, &one->asked->drain);
	err = holds_pack(one->asked, &body);
	if (err == ERR_OK) {
		one->asking = true;
		err = rpc_start(
		    k->opts.endpoint, &one->call, &one->contact, METHOD_HOLDS, buf_bytes(&body), 0);
	}
	if (err != ERR_OK) {
		one->asking = false;
		unheard(k, one, err);
	}
	buf_fini(&body);
}

static void
answered(struct rpc_call *call, int err, struct bytes reply)
{
	struct neighbour *one = call->arg;
	struct keeper *k = one->owner;
	struct holds_reply r;

	one->asking = false;
	/* One lost datagram is no silence, behind which it would be told all that it knows. */
	if (err == ERR_TIMEOUT && one->silent_at == 0 && !one->repeated) {
		one->repeated = true;
		start_asking(k, one);
		return;
	}
	if (err == ERR_OK)
		err = holds_reply_unpack(reply, &r);
	if (err == ERR_OK)
		hear(k, one, &r);
	else
		unheard(k, one, err);
}

static uint64_t
documented(const struct keeper *k, uint64_t paced)
{
	return paced * MAX(k->opts.pace, (uint64_t)1);
}

static bool
worth_seeking(const struct keeper *k, const struct neighbour *one)
{
	uint64_t now = env_now(k->env);

	return patience_seek(
	    documented(k, now - one->silent_at), documented(k, now - one->sought_at));
}

int
keeper_ask(struct keeper *k, struct neighbour *one)
{
	struct contact to = one->contact;
	int err = ERR_OK;

	while (one != NULL && one->asking && err == ERR_OK) {
		err = task_sleep(k->env, ASKING_LOOK);
		one = neighbours_find(k->neighbours, &to.pub);
	}
	if (err != ERR_OK || one == NULL)
		return err;
	if (to.addr.family == ADDR_NONE || one->silent_at != 0) {
		bool seek = to.addr.family == ADDR_NONE || worth_seeking(k, one);

		if (seek)
			one->sought_at = env_now(k->env);
		err = keeper_locate(k, &to, seek);
		one = neighbours_find(k->neighbours, &to.pub);
		if (err == ERR_CANCELED || one == NULL || one->asking)
			return err == ERR_CANCELED ? err : ERR_OK;
		if (err == ERR_OK)
			one->contact = to;
	}
	if (one->batch != NULL && one->batch->count > 0) {
		free(one->asked);
		one->asked = one->batch;
		one->batch = NULL;
	}
	/* Nothing is asked of it, but it is to hear something. */
	if (one->asked == NULL && keeper_drain_unheard(k, one))
		one->asked = calloc(1, sizeof(*one->asked));
	if (one->asked == NULL)
		return ERR_OK;
	one->asked_at = env_now(k->env);
	one->repeated = false;
	/* Nobody knows where it is: as if it did not answer. */
	if (one->contact.addr.family == ADDR_NONE)
		unheard(k, one, ERR_UNREACHABLE);
	else
		start_asking(k, one);
	return ERR_OK;
}

/* Some of the neighbours, asked by several tasks at once. */
struct round {
	struct keeper *k;
	struct pubkey *nodes;
	size_t count, next;
};

static int
round_task(void *arg)
{
	struct round *r = arg;

	while (r->next < r->count) {
		struct neighbour *one = neighbours_find(r->k->neighbours, &r->nodes[r->next++]);
		int err = one == NULL ? ERR_OK : keeper_ask(r->k, one);

		if (err == ERR_CANCELED)
			return err;
	}
	return ERR_OK;
}

int
keeper_ask_those(
    struct keeper *k, bool (*wanted)(const struct keeper *k, const struct neighbour *one))
{
	struct round r = { .k = k };
	const struct neighbour *one;
	size_t cursor = 0;
	int err;

	r.nodes = malloc((neighbours_count(k->neighbours) + 1) * sizeof(*r.nodes));
	if (r.nodes == NULL)
		return ERR_NOMEM;
	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		if (wanted(k, one))
			r.nodes[r.count++] = one->contact.pub;
	}
	err = task_together(k->env, "ask siblings", round_task, &r,
	    MIN((r.count + ASKS_A_TASK - 1) / ASKS_A_TASK, (size_t)ASKS_IN_FLIGHT));
	free(r.nodes);
	return err;
}

bool
keeper_anybody(
    const struct keeper *k, bool (*wanted)(const struct keeper *k, const struct neighbour *one))
{
	const struct neighbour *one;
	size_t cursor = 0;

	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		if (wanted(k, one))
			return true;
	}
	return false;
}

uint64_t
keeper_ask_again_at(const struct keeper *k, const struct neighbour *silent)
{
	uint64_t for_now = documented(k, env_now(k->env) - silent->silent_at);

	return silent->back ? 0 : silent->asked_at + keeper_time(k, patience_again(for_now));
}

static bool
to_be_told(const struct keeper *k, const struct neighbour *one)
{
	(void)k;
	return one->batch != NULL && one->batch->count > 0 && one->batch->at[0].tell;
}

/* Tours do not come to the second. */
static bool
worth_asking(const struct keeper *k, const struct neighbour *one)
{
	uint64_t now = env_now(k->env), passed = now - one->asked_at;

	if (one->silent_at != 0)
		return now >= keeper_ask_again_at(k, one);
	return k->alarm || one->asked_at == 0 || to_be_told(k, one) ||
	       passed >= keeper_time(k, one->every) / 4 * 3;
}

static bool
silent(const struct keeper *k, const struct neighbour *one)
{
	return one->silent_at != 0 && worth_asking(k, one);
}

int
keeper_ask_all(struct keeper *k)
{
	struct neighbour *one;
	size_t cursor = 0;

	int err;

	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL)
		neighbour_toured(one, k->tour);
	err = keeper_ask_those(k, worth_asking);
	k->alarm = false;
	return err;
}

int
keeper_ask_told(struct keeper *k)
{
	int err;

	/* Comes behind each word about a chunk, most of which are passed on to nobody. */
	if (!k->to_tell)
		return ERR_OK;
	err = keeper_ask_those(k, to_be_told);
	k->to_tell = keeper_anybody(k, to_be_told);
	return err;
}

static int
silent_task(void *arg)
{
	struct keeper *k = arg;
	int err = keeper_ask_those(k, silent);

	k->asking_silent = false;
	return err;
}

void
keeper_ask_silent(struct keeper *k)
{
	if (!k->asking_silent && keeper_anybody(k, silent))
		k->asking_silent =
		    task_spawn(&k->group, "ask the silent", silent_task, k) == ERR_OK;
}

/* ---- claims ---- */

struct claim {
	struct keeper *k;
	struct contact to;
	struct hash chunk;
};

static int
claim_task(void *arg)
{
	struct claim *c = arg;
	struct buf body, reply;
	int err;

	buf_init(&body, RPC_DATAGRAM_BODY_MAX);
	buf_init(&reply, RPC_DATAGRAM_BODY_MAX);
	err = chunk_query_pack(&(struct chunk_query){ c->chunk }, &body);
	if (err == ERR_OK)
		err = rpc_call(
		    c->k->opts.endpoint, &c->to, METHOD_CLAIM, buf_bytes(&body), NULL, &reply);
	buf_fini(&body);
	buf_fini(&reply);
	free(c);
	return err;
}

void
keeper_claim(struct keeper *k, const struct contact *to, const struct hash *chunk)
{
	struct claim *c = malloc(sizeof(*c));

	if (c == NULL)
		return;
	*c = (struct claim){ k, *to, *chunk };
	if (task_spawn(&k->group, "claim", claim_task, c) != ERR_OK)
		free(c);
}

/* ---- what others ask us ---- */

/* unsure: something has come that is not in the ledger yet, so nothing is denied. */
static int
serve_hold(struct keeper *k, const struct rpc_request *req, const struct hold *ask, bool unsure,
    uint8_t *answer)
{
	const struct held *h = ledger_any(k->ledger, ask->chunk);
	struct intake what = { .kind = INTAKE_TOLD, .index = ask->mine, .node = req->from.pub };

	*answer = 0;
	if (h == NULL)
		return unsure ? ERR_BUSY : ERR_OK;
	if (ledger_find(k->ledger, &h->chunk, ask->yours) != NULL)
		*answer |= HOLD_YES;
	else if (unsure)
		return ERR_BUSY;
	if (h->lease_sum != ask->lease_sum)
		*answer |= HOLD_LEASES;
	if (!ask->tell || ask->mine == INDEX_NONE || h->index == INDEX_NONE)
		return ERR_OK;
	/* The word of one that failed its audits is not taken, but for what speaks against it. */
	if (!ask->lost && auditor_out(k->auditor, &req->from.pub))
		return ERR_OK;
	what.chunk = h->chunk;
	if (ask->lost)
		what.kind = INTAKE_DENIED;
	return keeper_intake(k, &what) ? ERR_OK : ERR_BUSY;
}

static int
answer_holds(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct keeper *k = arg;
	struct neighbour *one = neighbours_find(k->neighbours, &req->from.pub);
	struct holds_reply r = { 0 };
	/* As it was: what this question tells is taken in as well, and comes with every repetition.
	 */
	bool unsure = k->taking_in;
	struct holds asked;
	int err = holds_unpack(req->body, &asked);

	if (err != ERR_OK)
		return err;
	/* Numbered: an old one sent again says nothing new. */
	if (one != NULL)
		keeper_drain_hear(k, one, &asked.drain);
	/* Before the first tour we do not know what we have, and deny nothing. */
	if (!k->booted)
		return ERR_BUSY;
	if (one != NULL && !one->asking && req->proven)
		one->contact = req->from;
	/* Back, it says, but this may be an old datagram: it answers us first, and tells again. */
	if (one != NULL && one->silent_at != 0) {
		one->back |=
		    env_now(k->env) - one->asked_at >= keeper_time(k, TOUR_EAGER) / BACK_SOONER;
		keeper_ask_silent(k);
		return ERR_BUSY;
	}
	r.count = asked.count;
	keeper_drain_word(k, &r.drain);
	for (size_t i = 0; err == ERR_OK && i < asked.count; i++)
		err = serve_hold(k, req, &asked.at[i], unsure, &r.at[i]);
	return err == ERR_OK ? holds_reply_pack(&r, reply) : err;
}

/* Somebody has begun to repair a chunk: the others wait a claim's time longer. */
static int
answer_claim(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct keeper *k = arg;
	struct chunk_query q;
	struct held *h;
	struct hash ours;
	int err = chunk_query_unpack(req->body, &q);

	(void)reply;
	if (err != ERR_OK)
		return err;
	if (neighbours_find(k->neighbours, &req->from.pub) == NULL)
		return ERR_REFUSED;
	h = ledger_any(k->ledger, q.chunk.b);
	if (h != NULL && hash_equal(&h->chunk, &q.chunk)) {
		holder_rank(&h->chunk, &endpoint_identity(k->opts.endpoint)->pub, &ours);
		h->progress_at = env_now(k->env);
		h->outranked = holder_before(&h->chunk, &req->from.pub, &ours);
	}
	return ERR_OK;
}

/* ---- leases ---- */

static int
serve_leases(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct keeper *k = arg;
	struct chunk_facts *f = malloc(sizeof(*f));
	struct chunk_query q;
	struct buf tail;
	int err = f == NULL ? ERR_NOMEM : chunk_query_unpack(req->body, &q);

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK)
		err = store_facts(k->opts.store, &q.chunk, f);
	if (err == ERR_OK)
		err = leases_pack(f->leases, f->leases_count, k->net, &tail);
	if (err == ERR_OK)
		err = stream_finish(st, ERR_OK, buf_bytes(&tail));
	buf_fini(&tail);
	free(f);
	return err;
}

/* What is older, or would lower a lock, says nothing of the others. */
static bool
news_or_none(int err)
{
	return err == ERR_OK || err == ERR_STALE || err == ERR_LOCKED;
}

/* Kept under the same rules as if its owner had come himself. */
static SUSPENDS int
take_lease(struct keeper *k, const struct chunk_facts *f, struct lease *l)
{
	struct agreed_time now;
	int err;

	endpoint_agreed_time(k->opts.endpoint, &now);
	/* One that may not be kept says nothing of the others. */
	if (facts_accept(f, k->opts.admission, l, 0, &now) != ERR_OK)
		return ERR_STALE;
	err = store_lease(k->opts.store, l);
	k->status.leases_exchanged += err == ERR_OK;
	return err;
}

static SUSPENDS int
take_leases(struct keeper *k, const struct hash *chunk, struct lease *leases, size_t count)
{
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; i < count && news_or_none(err); i++) {
		if (!hash_equal(&leases[i].chunk, chunk))
			continue;
		/* Anew for each: the one before may have taken the last room. */
		err = store_facts(k->opts.store, chunk, f);
		if (err == ERR_OK)
			err = take_lease(k, f, &leases[i]);
	}
	free(f);
	return news_or_none(err) ? ERR_OK : err;
}

/* Looked at again only for news: two that never agree would talk for ever. */
static SUSPENDS int
look_for_news(struct keeper *k, const struct hash *chunk)
{
	const struct held *h = ledger_any(k->ledger, chunk->b);
	uint32_t before = h == NULL ? 0 : h->lease_sum;
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : store_facts(k->opts.store, chunk, f);

	if (err == ERR_OK && facts_lease_sum(f) != before)
		keeper_changed(k, chunk);
	free(f);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
keeper_fetch_leases(struct keeper *k, const struct hash *chunk, const struct pubkey *node)
{
	struct neighbour *one = neighbours_find(k->neighbours, node);
	struct lease *leases = calloc(LEASES_KNOWN_MAX, sizeof(*leases));
	struct chunks *chunks;
	struct contact to;
	struct buf head, reply;
	size_t count = 0;
	int err = leases == NULL ? ERR_NOMEM : keeper_chunks(k, &chunks);

	buf_init(&head, KIB(1));
	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK && one == NULL)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK) {
		to = one->contact;
		err = chunk_query_pack(&(struct chunk_query){ *chunk }, &head);
	}
	if (err == ERR_OK)
		err = storage_ask(chunks, &to, METHOD_LEASES, buf_bytes(&head), &reply);
	if (err == ERR_OK)
		err = leases_unpack(buf_bytes(&reply), k->net, leases, LEASES_KNOWN_MAX, &count);
	if (err == ERR_OK)
		err = take_leases(k, chunk, leases, count);
	if (err == ERR_OK && count > 0)
		err = look_for_news(k, chunk);
	buf_fini(&head);
	buf_fini(&reply);
	free(leases);
	return err;
}

/* ---- assembly ---- */

void
keeper_talk_serve(struct keeper *k)
{
	endpoint_add_method(k->opts.endpoint,
	    &(struct rpc_method){ .number = METHOD_HOLDS, .answer = answer_holds, .arg = k });
	endpoint_add_method(k->opts.endpoint,
	    &(struct rpc_method){ .number = METHOD_CLAIM, .answer = answer_claim, .arg = k });
	endpoint_add_stream_method(
	    k->opts.endpoint, &(struct stream_method){ METHOD_LEASES, serve_leases, k });
}

void
keeper_talk_stop(struct keeper *k)
{
	struct neighbour *one;
	size_t cursor = 0;

	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		if (one->asking)
			rpc_abandon(&one->call);
		one->asking = false;
	}
}
