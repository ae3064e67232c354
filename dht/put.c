/*
 * A record goes to the region of its key: all nodes within the distance where the k-th closest
 * is expected, and the k closest in any case. This node is one of them where it is a server inside.
 * Refusals are counted; a put fails only when nobody kept the record.
 */
#include <stdlib.h>

#include "dht/place.h"

/* Two round trips around the world, as the first may only bring a token. */
#define PUT_TIMEOUT       MILLISECONDS(900)
/* For one that was only named: if it lives it gets the record, whether we hear of it or not. */
#define PUT_TIMEOUT_NAMED MILLISECONDS(550)

struct putting {
	struct place place;
	struct contact to[DHT_REGION_MAX];
	uint16_t chosen[DHT_REGION_MAX];
	struct buf body;
	struct dht_put_result result;
	int refusal; /* the last one, when nobody stored it */
};

/* On how many nodes a kind is kept ([6]): a location is one of millions. */
size_t
dht_copies(enum record_kind kind)
{
	return kind == RECORD_LOCATION ? DHT_LOCATION_COPIES : DHT_K;
}

int
dht_keep_own(struct dht *d, const struct record *r)
{
	struct agreed_time time;

	endpoint_agreed_time(d->ep, &time);
	return records_put(d->records, r,
	    &(struct records_how){
		.now = env_now(d->env), .wall_ms = time.trusted ? time.unix_ms : 0 });
}

static void
count(struct putting *p, int err)
{
	/* Something newer, or just this, is there: the region is not behind us. */
	if (err == ERR_OK || err == ERR_STALE)
		p->result.stored++;
	else if (err == ERR_FULL)
		p->result.full++;
	if (err != ERR_OK)
		p->refusal = err;
}

static bool
put_answer(void *arg, size_t i, int err, struct bytes reply)
{
	struct putting *p = arg;
	struct put_reply r = { .count = 0 };

	(void)i;
	if (err == ERR_OK)
		err = put_reply_unpack(reply, &r);
	if (err == ERR_OK)
		err = r.count == 1 ? err_foreign(r.err[0]) : ERR_INVALID;
	count(p, err);
	return false;
}

static uint64_t
put_timeout(void *arg, size_t i)
{
	const struct putting *p = arg;

	return p->place.answered[p->chosen[i]] ? PUT_TIMEOUT : PUT_TIMEOUT_NAMED;
}

static int
put_others(struct dht *d, struct putting *p, const struct record *r)
{
	struct raw_records raw = { .count = 1, .at = { bytes_of(r->bytes, r->len) } };
	struct fan fan = { .dht = d,
		.to = p->to,
		.method = DHT_PUT,
		.timeout_of = put_timeout,
		.answer = put_answer,
		.sent = &p->result.rpcs,
		.arg = p };
	int err = place_gather(
	    &p->place, d, &(struct place_opts){ .key = r->key, .k = dht_copies(r->kind) });

	p->result.rpcs = p->place.sent;
	if (err != ERR_OK)
		return err;
	fan.count = place_choose(&p->place, DHT_REGION_MAX, p->chosen);
	for (size_t i = 0; i < fan.count; i++)
		p->to[i] = p->place.nodes[p->chosen[i]];
	p->result.region += (uint32_t)fan.count;
	err = put_pack(&raw, &p->body);
	if (err != ERR_OK)
		return err;
	fan.body = buf_bytes(&p->body);
	return fan_run(&fan);
}

/* Whether the record belongs on this node, too. */
bool
dht_holds(const struct dht *d, const struct place *p)
{
	if (!endpoint_is_server(d->ep))
		return false;
	return p->count < p->want || region_holds(&p->region, &d->self) ||
	       id_compare_distance(&p->region.key, &d->self, &p->nodes[p->want - 1].id) < 0;
}

int
dht_put(struct dht *d, const struct record *r, struct dht_put_result *out)
{
	uint64_t start = env_now(d->env);
	struct putting *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return ERR_NOMEM;
	d->status.puts++;
	buf_init(&p->body, RPC_DATAGRAM_BODY_MAX);
	p->refusal = ERR_UNREACHABLE;
	err = put_others(d, p, r);
	/* Alone in the network, or cut off from it: what we keep we can hand on later. */
	if (err == ERR_OK || err == ERR_NO_NETWORK || err == ERR_UNREACHABLE) {
		if (dht_holds(d, &p->place)) {
			p->result.region++;
			count(p, dht_keep_own(d, r));
		}
		if (p->result.stored > 0 && err != ERR_UNREACHABLE)
			err = ERR_OK;
		else if (err == ERR_OK)
			err = p->refusal;
	}
	p->result.done_after = env_now(d->env) - start;
	if (err == ERR_OK && out != NULL)
		*out = p->result;
	buf_fini(&p->body);
	free(p);
	return err;
}
