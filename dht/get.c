/*
 * A get is a lookup whose every question also asks for the record, so the first holder met
 * on the way answers it. Unless the caller is content with that, the rest of the region is asked:
 * liars nearest to the key can be silent, they cannot speak for the others. Every record is
 * checked here again; the same bytes from many holders are checked once.
 */
#include <stdlib.h>

#include "dht/place.h"

/* Two of the farthest round trips, as the first may only bring a token. */
#define SELF_TIMEOUT MILLISECONDS(900)

/* Distinct records given to the caller: four publishers in a few versions each. */
#define GET_DISTINCT 16
/* Further pages asked of one holder: at least one record each, four publishers. */
#define GET_PAGES    4
#define GET_TIMEOUT  MILLISECONDS(1500)

struct getting {
	struct dht *dht;
	struct id key;
	enum record_kind kind;
	bool (*found)(void *arg, const struct record *r);
	void *arg;
	bool stopped;
	size_t given;
	struct record seen[GET_DISTINCT];
	struct record fresh;

	/* Whom to ask next, and from which record on. */
	size_t count, next_count;
	struct contact to[FAN_MAX], next[FAN_MAX];
	uint8_t skip[FAN_MAX], next_skip[FAN_MAX];
	struct buf body[FAN_MAX];

	struct place place;
	struct get_reply reply;
};

static bool
seen_before(const struct getting *g, struct bytes raw)
{
	for (size_t i = 0; i < g->given; i++)
		if (g->seen[i].len == raw.len && memcmp(g->seen[i].bytes, raw.data, raw.len) == 0)
			return true;
	return false;
}

static void
take(struct getting *g, const struct record *r)
{
	if (g->stopped || g->given == GET_DISTINCT)
		return;
	g->seen[g->given++] = *r;
	g->stopped = g->found(g->arg, r);
}

/* Blames for what no holder could believe; one whose time is over may be there by our clock only.
 */
static void
take_raw(struct getting *g, const struct contact *from, const struct raw_records *raw)
{
	struct agreed_time time;

	endpoint_agreed_time(g->dht->ep, &time);
	for (size_t i = 0; i < raw->count && !g->stopped; i++) {
		if (seen_before(g, raw->at[i]))
			continue;
		if (record_read(raw->at[i], g->dht->net, &g->fresh) != ERR_OK ||
		    g->fresh.kind != g->kind || !id_equal(&g->fresh.key, &g->key)) {
			endpoint_blame(g->dht->ep, from, "a record that is none");
			continue;
		}
		if (records_date_ok(&g->fresh, time.trusted ? time.unix_ms : 0))
			take(g, &g->fresh);
	}
}

static void
ask_later(struct getting *g, const struct contact *who, size_t skip)
{
	if (g->next_count == FAN_MAX || skip > UINT8_MAX)
		return;
	g->next[g->next_count] = *who;
	g->next_skip[g->next_count++] = (uint8_t)skip;
}

/* From the lookup: records on the way. */
static bool
walk_got(void *arg, const struct contact *from, const struct get_reply *reply)
{
	struct getting *g = arg;

	take_raw(g, from, &reply->records);
	if (reply->total > reply->records.count)
		ask_later(g, from, reply->records.count);
	return g->stopped;
}

static bool
own_got(void *arg, const struct record *r)
{
	struct getting *g = arg;

	take(g, r);
	return !g->stopped;
}

static struct bytes
get_body(void *arg, size_t i)
{
	struct getting *g = arg;

	return buf_bytes(&g->body[i]);
}

static bool
get_answer(void *arg, size_t i, int err, struct bytes reply)
{
	struct getting *g = arg;

	if (err != ERR_OK || get_reply_unpack(reply, &g->reply) != ERR_OK)
		return false; /* others have it, too */
	take_raw(g, &g->to[i], &g->reply.records);
	if (g->reply.records.count > 0 && g->reply.total > g->skip[i] + g->reply.records.count)
		ask_later(g, &g->to[i], g->skip[i] + g->reply.records.count);
	return g->stopped;
}

static int
ask_round(struct getting *g)
{
	struct fan fan = { .dht = g->dht,
		.to = g->to,
		.method = DHT_GET,
		.body_of = get_body,
		.timeout = GET_TIMEOUT,
		.answer = get_answer,
		.arg = g };

	g->count = fan.count = g->next_count;
	g->next_count = 0;
	memcpy(g->to, g->next, g->count * sizeof(*g->to));
	memcpy(g->skip, g->next_skip, g->count * sizeof(*g->skip));
	for (size_t i = 0; i < g->count; i++) {
		int err;

		buf_reset(&g->body[i]);
		err = get_pack(&(struct get){ .key = g->key, .kind = g->kind, .skip = g->skip[i] },
		    &g->body[i]);
		if (err != ERR_OK)
			return err;
	}
	return fan_run(&fan);
}

static bool
walk_asked(const struct walk *w, const struct contact *c)
{
	for (size_t i = 0; i < w->state.count; i++)
		if (id_equal(&w->state.at[i].contact.id, &c->id))
			return w->state.at[i].state == CANDIDATE_ANSWERED;
	return false;
}

static int
ask_region(struct getting *g, const struct walk *w)
{
	uint16_t chosen[DHT_REGION_MAX];
	size_t n;
	int err = place_gather(
	    &g->place, g->dht, &(struct place_opts){ .key = g->key, .k = DHT_K, .walk = w });

	if (err != ERR_OK)
		return err;
	n = place_choose(&g->place, DHT_REGION_MAX, chosen);
	for (size_t i = 0; i < n; i++)
		if (!walk_asked(w, &g->place.nodes[chosen[i]]))
			ask_later(g, &g->place.nodes[chosen[i]], 0);
	for (size_t page = 0; page < GET_PAGES && g->next_count > 0 && !g->stopped; page++) {
		err = ask_round(g);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static int
get_run(struct getting *g)
{
	struct dht *d = g->dht;
	struct walk *w = NULL;
	int err;

	records_get(d->records, &g->key, g->kind, env_now(d->env), own_got, g);
	if (g->stopped)
		return ERR_OK;
	err = walk_run(d,
	    &(struct walk_opts){ .target = g->key,
		.want = DHT_K,
		.method = DHT_GET,
		.kind = g->kind,
		.got = walk_got,
		.arg = g },
	    &w);
	if (err == ERR_OK && !g->stopped)
		err = ask_region(g, w);
	walk_free(w);
	if (err == ERR_CANCELED || err == ERR_NOMEM)
		return err;
	if (g->given > 0)
		return ERR_OK;
	/* Alone, what is not here is nowhere. */
	return err == ERR_OK || err == ERR_NO_NETWORK ? ERR_NOT_FOUND : err;
}

int
dht_get(struct dht *d, const struct id *key, enum record_kind kind,
    bool (*found)(void *arg, const struct record *r), void *arg)
{
	struct getting *g = calloc(1, sizeof(*g));
	int err;

	if (g == NULL)
		return ERR_NOMEM;
	d->status.gets++;
	g->dht = d;
	g->key = *key;
	g->kind = kind;
	g->found = found;
	g->arg = arg;
	for (size_t i = 0; i < FAN_MAX; i++)
		buf_init(&g->body[i], RPC_DATAGRAM_BODY_MAX);
	err = get_run(g);
	for (size_t i = 0; i < FAN_MAX; i++)
		buf_fini(&g->body[i]);
	free(g);
	return err;
}

/* ---- peer records ---- */

static struct peer_cached *
cache_slot(struct dht *d, const struct pubkey *pub)
{
	size_t at;

	if (d->peers == NULL)
		d->peers = calloc(DHT_PEER_CACHE, sizeof(*d->peers));
	if (d->peers == NULL)
		return NULL;
	memcpy(
	    &at, pub->b, sizeof(at)); /* keys are as good as random here: a clash costs a request */
	return &d->peers[at % DHT_PEER_CACHE];
}

int
dht_peer_record(struct dht *d, const struct contact *who, struct peer_record *out)
{
	static const struct rpc_opts opts = { .timeout = SELF_TIMEOUT };
	struct peer_cached *cached = cache_slot(d, &who->pub);
	struct peer_record record;
	struct bytes raw;
	struct buf reply;
	int err;

	if (cached != NULL && cached->at != 0 && pubkey_equal(&cached->record.pub, &who->pub) &&
	    env_now(d->env) - cached->at < DHT_PEER_CACHE_TTL) {
		*out = cached->record;
		return ERR_OK;
	}
	buf_init(&reply, RPC_DATAGRAM_BODY_MAX);
	/* Twice: one datagram may be lost on the way. */
	err = rpc_call(d->ep, who, DHT_SELF, buf_bytes(&d->empty), &opts, &reply);
	if (err == ERR_TIMEOUT && !task_canceled(d->env))
		err = rpc_call(d->ep, who, DHT_SELF, buf_bytes(&d->empty), &opts, &reply);
	if (err == ERR_OK)
		err = self_reply_unpack(buf_bytes(&reply), &raw);
	if (err == ERR_OK)
		err = peer_record_unpack(raw, &d->net, &record);
	if (err == ERR_OK && !pubkey_equal(&record.pub, &who->pub))
		err = ERR_AUTH;
	buf_fini(&reply);
	if (err != ERR_OK)
		return err;
	*out = record;
	cached = cache_slot(d, &who->pub);
	if (cached != NULL)
		*cached = (struct peer_cached){ .at = env_now(d->env), .record = record };
	return ERR_OK;
}
