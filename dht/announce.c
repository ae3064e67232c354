/*
 * Announcing: the own peer record, and what the storage layer wants published. A sweep goes
 * through the keys in order; for the first key not yet done it gathers the block of ids around
 * it, once, and serves every key of that block from the same list: since the block is a common
 * prefix, the nodes closest to a key in it are in it too. Records travel in batches that fill
 * a datagram, a round at a time with a pause. A failed block is left for the next sweep.
 */
#include <stdlib.h>

#include "dht/place.h"

/* Records made at a time: they are 1 KB each, and wait while their block is served. */
#define SWEEP_RECORDS 64
/* Between two rounds of batches, and two blocks: about 40 datagrams per half second. */
#define SWEEP_PAUSE   MILLISECONDS(500)
#define SWEEP_EVERY   (RECORD_LOCATION_TTL / 2)
#define SWEEP_JITTER  (RECORD_LOCATION_TTL / 20) /* so that nodes started together part ways */
#define SELF_EVERY    (RECORD_PEER_TTL / 4 * 3)  /* leaves time for a failure or two */
#define SELF_JITTER   (RECORD_PEER_TTL / 20)
#define SELF_RETRY    SECONDS(30) /* nobody took it */
#define JOIN_DELAY    SECONDS(5)  /* the table settles first */
#define SOON_DELAY    SECONDS(2)  /* gathers what one upload or repair brings */
#define TICK          SECONDS(1)
#define BATCH_BYTES   RPC_DATAGRAM_BODY_MAX

/* ---- the own record ---- */

static int
self_pack(struct dht *d)
{
	struct agreed_time time;

	endpoint_agreed_time(d->ep, &time);
	/* Dated anew each time, as holders count its life from there. */
	d->self_peer->sequence = MAX(d->self_peer->sequence + 1, time.unix_ms);
	d->self_peer->issued_ms = env_wall_ms(d->env);
	return peer_record_pack(d->self_peer, endpoint_identity(d->ep), &d->net, d->self_record,
	    sizeof(d->self_record), &d->self_record_len);
}

static void plan(struct dht *d);

/*
 * What others look a peer up for. Free space is asked of the peer itself; published at each
 * change of it, records would be most of a network's traffic.
 */
static bool
same_peer(const struct peer_record *a, const struct peer_record *b)
{
	bool same = a->roles == b->roles && a->addrs_count == b->addrs_count &&
		    memcmp(a->country, b->country, sizeof(a->country)) == 0 &&
		    memcmp(a->region, b->region, sizeof(a->region)) == 0 &&
		    pubkey_equal(&a->operator_key, &b->operator_key) &&
		    strcmp(a->software, b->software) == 0 && a->version_max == b->version_max;

	for (size_t i = 0; same && i < a->addrs_count; i++)
		same = addr_equal(&a->addrs[i], &b->addrs[i]);
	return same;
}

const struct peer_record *
dht_self(const struct dht *d)
{
	return d->self_peer;
}

void
dht_set_self(struct dht *d, const struct peer_record *self)
{
	bool news = d->self_peer == NULL || !same_peer(d->self_peer, self);
	int err = ERR_NOMEM;

	if (d->self_peer == NULL)
		d->self_peer = calloc(1, sizeof(*d->self_peer));
	if (d->self_peer != NULL) {
		*d->self_peer = *self;
		err = self_pack(d);
	}
	if (err != ERR_OK) {
		log_error(d->env, "the node's own record is not published: %s", err_text(err));
		d->self_record_len = 0;
		return;
	}
	if (!news || !d->joined)
		return;
	d->publish_at = env_now(d->env) + dht_paced(d, SOON_DELAY);
	if (!d->announcing)
		plan(d);
}

static int
publish_self(struct dht *d)
{
	struct record *r = malloc(sizeof(*r));
	int err = r == NULL ? ERR_NOMEM : self_pack(d);

	if (err == ERR_OK)
		err = record_read(bytes_of(d->self_record, d->self_record_len), d->net, r);
	if (err == ERR_OK)
		err = dht_put(d, r, NULL);
	/* The record of a peer lies around its own id. */
	if (err == ERR_OK)
		dht_neighbourhood_seen(d);
	free(r);
	return err;
}

/* ---- sweeps ---- */

struct sweep {
	struct dht *dht;
	bool soon_only;
	struct place place;
	size_t records_count;
	struct record records[SWEEP_RECORDS];
	/* For each node of the block the records it shall have, as bits, and those it was sent. */
	uint64_t due[REGION_NODES_MAX];
	/* A round: some nodes, one batch each. */
	struct contact to[FAN_MAX];
	size_t node[FAN_MAX];
	struct buf body[FAN_MAX];
	size_t count;
	uint64_t stored; /* records of this group that anybody took */
	uint64_t sent[FAN_MAX];
};
_Static_assert(SWEEP_RECORDS <= 64, "a bit for each record");

static bool
soon_next(const struct dht *d, const struct id *from, struct id *key)
{
	for (size_t i = 0; i < d->soon_count; i++)
		if (id_compare(&d->soon[i], from) >= 0) {
			*key = d->soon[i];
			return true;
		}
	return false;
}

static void
soon_drop(struct dht *d, const struct id *key)
{
	for (size_t i = 0; i < d->soon_count; i++)
		if (id_equal(&d->soon[i], key)) {
			d->soon_count--;
			memmove(
			    &d->soon[i], &d->soon[i + 1], (d->soon_count - i) * sizeof(*d->soon));
			return;
		}
}

static bool
sweep_next(const struct sweep *s, const struct id *from, struct id *key)
{
	const struct announcer *a = &s->dht->announcer;

	return s->soon_only ? soon_next(s->dht, from, key) : a->next(a->arg, from, key) == ERR_OK;
}

/* False at the end of the key space. */
static bool
id_increment(struct id *id)
{
	for (size_t i = sizeof(id->b); i-- > 0;)
		if (++id->b[i] != 0)
			return true;
	return false;
}

/* The nodes for one record: the region for its own key, inside the block. */
static void
assign(struct sweep *s, size_t record)
{
	const struct record *r = &s->records[record];
	struct dht *d = s->dht;
	size_t copies = dht_copies(r->kind);
	struct region region;
	bool taken[REGION_NODES_MAX] = { false };

	region_of(&r->key, dht_size_estimate(d), copies, &region);
	for (size_t n = 0; n < MIN(s->place.count, DHT_REGION_MAX); n++) {
		size_t best = SIZE_MAX;

		for (size_t i = 0; i < s->place.count; i++)
			if (!taken[i] &&
			    (best == SIZE_MAX || id_compare_distance(&r->key, &s->place.nodes[i].id,
						     &s->place.nodes[best].id) < 0))
				best = i;
		if (n >= copies && !region_holds(&region, &s->place.nodes[best].id))
			break;
		taken[best] = true;
		s->due[best] |= UINT64_C(1) << record;
	}
	if (endpoint_is_server(d->ep) &&
	    (s->place.count < copies || region_holds(&region, &d->self)) &&
	    dht_keep_own(d, r) == ERR_OK)
		s->stored |= UINT64_C(1) << record;
}

/* As many of a node's due records as one datagram takes. */
static int
batch(struct sweep *s, size_t node)
{
	struct raw_records raw = { .count = 0 };
	size_t at = s->count;
	uint64_t sent = 0;
	int err;

	for (size_t i = 0; i < s->records_count && raw.count < RECORDS_MAX; i++) {
		if (!(s->due[node] >> i & 1))
			continue;
		raw.at[raw.count++] = bytes_of(s->records[i].bytes, s->records[i].len);
		if (put_bytes(&raw) > BATCH_BYTES) {
			raw.count--;
			break;
		}
		sent |= UINT64_C(1) << i;
	}
	buf_reset(&s->body[at]);
	err = put_pack(&raw, &s->body[at]);
	if (err != ERR_OK)
		return err;
	s->due[node] &= ~sent;
	s->sent[at] = sent;
	s->to[at] = s->place.nodes[node];
	s->node[at] = node;
	s->count++;
	return ERR_OK;
}

static struct bytes
sweep_body(void *arg, size_t i)
{
	struct sweep *s = arg;

	return buf_bytes(&s->body[i]);
}

static bool
sweep_answer(void *arg, size_t i, int err, struct bytes reply)
{
	struct sweep *s = arg;
	struct put_reply r = { .count = 0 };
	size_t k = 0;

	if (err != ERR_OK || put_reply_unpack(reply, &r) != ERR_OK) {
		s->due[s->node[i]] = 0; /* it does not answer: no further batches */
		return false;
	}
	for (size_t bit = 0; bit < SWEEP_RECORDS && k < r.count; bit++)
		if (s->sent[i] >> bit & 1) {
			if (r.err[k] == ERR_OK || r.err[k] == ERR_STALE)
				s->stored |= UINT64_C(1) << bit;
			k++;
		}
	return false;
}

/* Rounds until every node of the block has what it is due. */
static int
deliver(struct sweep *s)
{
	int err = ERR_OK;

	while (err == ERR_OK) {
		struct fan fan = { .dht = s->dht,
			.to = s->to,
			.method = DHT_PUT,
			.body_of = sweep_body,
			.answer = sweep_answer,
			.arg = s };

		s->count = 0;
		for (size_t i = 0; i < s->place.count && err == ERR_OK; i++)
			if (s->due[i] != 0)
				err = batch(s, i);
		fan.count = s->count;
		if (err != ERR_OK || s->count == 0)
			return err;
		err = fan_run(&fan);
		if (err == ERR_OK)
			err = task_sleep(s->dht->env, dht_paced(s->dht, SWEEP_PAUSE));
	}
	return err;
}

/* One group of the block's keys from *key on; *key becomes the next one. False: past the block. */
static bool
collect(struct sweep *s, struct id *key, bool *end)
{
	const struct announcer *a = &s->dht->announcer;
	const struct region *block = &s->place.region;

	s->records_count = 0;
	s->stored = 0;
	memset(s->due, 0, sizeof(s->due));
	while (s->records_count < SWEEP_RECORDS && id_has_prefix(key, &block->key, block->bits)) {
		struct id next = *key;

		/* First, since what changes while the record is made is to be announced again. */
		soon_drop(s->dht, key);
		if (a->make(a->arg, key, &s->records[s->records_count]) == ERR_OK)
			assign(s, s->records_count++);
		*end = !id_increment(&next) || !sweep_next(s, &next, key);
		if (*end)
			return s->records_count > 0;
	}
	return s->records_count > 0;
}

static int
sweep_block(struct sweep *s, struct id *key, bool *end)
{
	struct id first = *key;
	int err = place_gather(
	    &s->place, s->dht, &(struct place_opts){ .key = *key, .k = DHT_K, .block = true });

	/* Nobody there: what we keep ourselves is all that can be done. */
	if (err != ERR_OK && err != ERR_NO_NETWORK && err != ERR_UNREACHABLE)
		return err;
	if (err != ERR_OK)
		s->place.region = (struct region){ .key = first, .radius = UINT64_MAX };
	while (!*end && collect(s, key, end)) {
		err = deliver(s);
		if (err != ERR_OK)
			return err;
		s->dht->status.sweep_keys += s->records_count;
	}
	return ERR_OK;
}

static int
sweep_run(struct dht *d, bool soon_only)
{
	struct sweep *s = calloc(1, sizeof(*s));
	struct id key = { { 0 } };
	bool end;
	int err = ERR_OK;

	if (s == NULL)
		return ERR_NOMEM;
	s->dht = d;
	s->soon_only = soon_only;
	for (size_t i = 0; i < FAN_MAX; i++)
		buf_init(&s->body[i], BATCH_BYTES);
	end = !sweep_next(s, &key, &key);
	while (!end && err == ERR_OK) {
		err = sweep_block(s, &key, &end);
		if (err == ERR_OK)
			err = task_sleep(d->env, dht_paced(d, SWEEP_PAUSE));
	}
	for (size_t i = 0; i < FAN_MAX; i++)
		buf_fini(&s->body[i]);
	free(s);
	d->status.sweeps += !soon_only;
	return err;
}

/* ---- when ---- */

static uint64_t
jittered(const struct dht *d, uint64_t every, uint64_t jitter)
{
	uint64_t span = dht_paced(d, every) - dht_paced(d, jitter) / 2;

	return env_now(d->env) + span + env_random_below(d->env, dht_paced(d, jitter) + 1);
}

static bool
due(const struct dht *d, uint64_t at)
{
	return at != 0 && env_now(d->env) >= at;
}

/* Who becomes a server says so by dht_set_self(); until then there is nothing to wake for. */
static SUSPENDS int
publish_when_server(struct dht *d)
{
	int err = ERR_STATE;

	d->publish_at = 0;
	if (!endpoint_is_server(d->ep))
		return err;
	if (d->self_record_len > 0)
		err = publish_self(d);
	if (d->publish_at == 0) /* else there are news meanwhile */
		d->publish_at = err == ERR_OK ? jittered(d, SELF_EVERY, SELF_JITTER)
					      : jittered(d, SELF_RETRY, SELF_RETRY / 2);
	return err;
}

static int
announce_run(void *arg)
{
	struct dht *d = arg;
	int err = ERR_OK;

	if (due(d, d->publish_at))
		err = publish_when_server(d);
	if (d->has_announcer && due(d, d->sweep_at)) {
		d->sweep_at = jittered(d, SWEEP_EVERY, SWEEP_JITTER);
		err = sweep_run(d, false);
	}
	if (d->has_announcer && due(d, d->soon_at)) {
		d->soon_at = 0;
		err = sweep_run(d, true);
		/* What a failure has left over. */
		if (d->soon_count > 0 && d->soon_at == 0)
			d->soon_at = jittered(d, SELF_RETRY, SELF_RETRY / 2);
	}
	if (err != ERR_OK && err != ERR_STATE && err != ERR_CANCELED)
		log_debug(d->env, "announcing: %s", err_text(err));
	d->announcing = false;
	plan(d);
	return err;
}

/* The earliest of what is due; 0: nothing is. */
static uint64_t
next_due(const struct dht *d)
{
	uint64_t at = d->publish_at;

	if (d->has_announcer && d->sweep_at != 0)
		at = at == 0 ? d->sweep_at : MIN(at, d->sweep_at);
	if (d->has_announcer && d->soon_at != 0)
		at = at == 0 ? d->soon_at : MIN(at, d->soon_at);
	return at;
}

/* Wakes for the next thing to do, not every second; TICK later at the earliest. */
static void
plan(struct dht *d)
{
	uint64_t now = env_now(d->env), at = next_due(d), tick = dht_paced(d, TICK);

	if (!d->announce_started || !d->joined || at == 0)
		timer_stop(&d->announce);
	else
		timer_start(&d->announce, at > now + tick ? at - now : tick);
}

void
dht_announce_plan(struct dht *d)
{
	if (!d->announcing)
		plan(d);
}

static void
on_tick(void *arg)
{
	struct dht *d = arg;

	if (d->announcing)
		return; /* its end plans on */
	if (due(d, next_due(d)))
		d->announcing = task_spawn(&d->group, "dht announce", announce_run, d) == ERR_OK;
	if (!d->announcing)
		plan(d);
}

void
dht_announce_init(struct dht *d)
{
	timer_init(&d->announce, d->env, on_tick, d);
}

void
dht_announce_start(struct dht *d)
{
	d->publish_at = jittered(d, JOIN_DELAY, JOIN_DELAY);
	d->sweep_at = jittered(d, JOIN_DELAY, JOIN_DELAY);
	d->announce_started = true;
	plan(d);
}

void
dht_announce_spread(struct dht *d)
{
	uint64_t now = env_now(d->env);

	d->publish_at = now + 1 + env_random_below(d->env, dht_paced(d, SELF_EVERY));
	d->sweep_at = now + 1 + env_random_below(d->env, dht_paced(d, SWEEP_EVERY));
	plan(d);
}

void
dht_announce_stop(struct dht *d)
{
	d->announce_started = false;
	timer_stop(&d->announce);
}

void
dht_set_announcer(struct dht *d, const struct announcer *a)
{
	d->announcer = *a;
	d->has_announcer = true;
	if (!d->announcing)
		plan(d);
}

/* Memory for one more key; without any, the next full sweep has it. */
static bool
soon_room(struct dht *d)
{
	size_t cap = d->soon_cap == 0 ? 16 : 2 * d->soon_cap;
	struct id *grown;

	if (d->soon_count < d->soon_cap)
		return true;
	if (d->soon_count >= DHT_SOON_MAX)
		return false;
	grown = realloc(d->soon, cap * sizeof(*grown));
	if (grown == NULL)
		return false;
	d->soon = grown;
	d->soon_cap = cap;
	return true;
}

void
dht_announce_soon(struct dht *d, const struct id *key)
{
	uint64_t at = env_now(d->env) + dht_paced(d, SOON_DELAY);
	size_t i = d->soon_count;

	if (!d->has_announcer)
		return; /* nobody could make its record */
	if (!soon_room(d)) {
		d->sweep_at = d->sweep_at == 0 ? at : MIN(d->sweep_at, at);
		if (!d->announcing)
			plan(d);
		return;
	}
	while (i > 0 && id_compare(&d->soon[i - 1], key) > 0)
		i--;
	if (i > 0 && id_equal(&d->soon[i - 1], key))
		return;
	memmove(&d->soon[i + 1], &d->soon[i], (d->soon_count - i) * sizeof(*d->soon));
	d->soon[i] = *key;
	d->soon_count++;
	if (d->soon_at != 0)
		return;
	d->soon_at = at;
	if (!d->announcing)
		plan(d);
}
