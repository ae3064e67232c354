/*
 * Handlers of the DHT and of the store are swapped for ours, which lie or call through. Streams are
 * served by tasks that may outlive the liar, so those copy what they need before they wait.
 */
#include "sim/liar.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/messages.h"
#include "overlay/base/err.h"
#include "sim/spoil.h"
#include "storage/holds.h"
#include "storage/messages.h"
#include "storage/store_walk.h"

#define STALE_MAX     20
#define INVENTED_FROM 3000000 /* addresses that nobody has */
#define INVENTED      100000
#define DELAY_LEAST   MILLISECONDS(200)
#define DELAY_SPREAD  MILLISECONDS(2300)
#define FLIGHT        8
#define LIAR_AUDITS   (LIAR_FORGE | LIAR_LATE | LIAR_MUTE)

static const char *const names[LIAR_KINDS] = { "drop", "delay", "stale", "contacts", "eclipse",
	"wrong", "receipts", "records", "withhold", "flood", "equivocate", "forge", "late",
	"mute" };

static const uint16_t dht_methods[] = { DHT_PING, DHT_FIND_NODE, DHT_FIND_REGION, DHT_GET,
	DHT_PUT };
static const uint16_t store_methods[] = { METHOD_CHUNK_HAVE, METHOD_SHARD_GET, METHOD_SHARD_PUT,
	METHOD_AUDIT };

struct liar {
	struct liar_opts opts;
	struct endpoint *ep;
	struct sim_random random;
	uint64_t lies;
	struct rpc_method honest[ARRAY_LEN(dht_methods)];
	struct rpc_method honest_holds;
	struct stream_method honest_streams[ARRAY_LEN(store_methods)];
	struct contact stale[STALE_MAX];
	size_t stale_count;
	struct timer flood;
	struct rpc_call calls[FLIGHT];
	struct contact asked[FLIGHT];
};

static bool
does(const struct liar *l, unsigned kind)
{
	return (l->opts.kinds & kind) != 0;
}

/* ---- answers of the DHT ---- */

static const struct rpc_method *
honest(const struct liar *l, uint16_t number)
{
	size_t i = 0;

	while (l->honest[i].number != number)
		i++;
	return &l->honest[i];
}

static void
invent(struct liar *l, struct contacts *out)
{
	out->count = STALE_MAX;
	for (size_t i = 0; i < out->count; i++) {
		struct addr addr = sim_addr(
		    INVENTED_FROM + (uint32_t)sim_random_below(&l->random, INVENTED), 4000);
		struct pubkey pub;

		/* Whoever gets it derives the id; near or not is chance, as for a real forger. */
		sim_random_bytes(&l->random, pub.b, sizeof(pub.b));
		contact_init(&out->at[i], &pub, &addr);
	}
}

/* Which contacts it names instead; false: the truth. */
static bool
false_contacts(struct liar *l, const struct rpc_request *req, struct contacts *out)
{
	bool odd = (req->from.id.b[31] & 1) != 0;

	if (does(l, LIAR_ECLIPSE) && l->opts.others != NULL) {
		out->count = l->opts.others(l->opts.arg, out->at, STALE_MAX);
		if (out->count > 0)
			return true;
	}
	if (does(l, LIAR_STALE) && l->stale_count > 0 && sim_random_chance(&l->random, 500000)) {
		memcpy(out->at, l->stale, l->stale_count * sizeof(*l->stale));
		out->count = l->stale_count;
		return true;
	}
	if (does(l, LIAR_CONTACTS) || (does(l, LIAR_EQUIVOCATE) && odd)) {
		invent(l, out);
		return true;
	}
	return false;
}

static int
lie_nodes(struct liar *l, const struct rpc_request *req, struct buf *reply)
{
	struct nodes_reply *out = calloc(1, sizeof(*out));
	int err = ERR_NOT_FOUND;

	must(out != NULL);
	if (false_contacts(l, req, &out->contacts)) {
		l->lies++;
		err = nodes_reply_pack(out, reply);
	}
	free(out);
	return err;
}

/* A record with a bit flipped: who takes it has not looked at the signature. */
static int
alter_records(struct liar *l, const struct rpc_request *req, struct buf *reply)
{
	const struct rpc_method *m = honest(l, DHT_GET);
	int err = m->answer(m->arg, req, reply);

	if (err == ERR_OK && reply->len > 0) {
		reply->data[sim_random_below(&l->random, reply->len)] ^= 0x10;
		l->lies++;
	}
	return err;
}

static int
lie_get(struct liar *l, const struct rpc_request *req, struct buf *reply)
{
	struct get_reply *out = calloc(1, sizeof(*out));
	bool none = does(l, LIAR_WITHHOLD) || does(l, LIAR_EQUIVOCATE), told;
	int err = ERR_NOT_FOUND;

	must(out != NULL);
	told = false_contacts(l, req, &out->contacts);
	if (!told && !none && does(l, LIAR_RECORDS)) {
		free(out);
		return alter_records(l, req, reply);
	}
	if (told || none) {
		l->lies++;
		err = get_reply_pack(out, reply);
	}
	free(out);
	return err;
}

/* Says that it keeps what it throws away. */
static int
lie_put(struct liar *l, const struct rpc_request *req, struct buf *reply)
{
	struct put_reply out = { .count = 0 };
	struct raw_records in;

	if (!does(l, LIAR_WITHHOLD) || !req->proven || put_unpack(req->body, &in) != ERR_OK)
		return ERR_NOT_FOUND;
	l->lies++;
	out.count = in.count;
	return put_reply_pack(&out, reply);
}

static int
answer(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct liar *l = arg;
	const struct rpc_method *m = honest(l, req->method);
	int err = ERR_NOT_FOUND; /* no lie fits */

	if (!sim_random_chance(&l->random, l->opts.rate_ppm))
		return m->answer(m->arg, req, reply);
	if (does(l, LIAR_DROP) && sim_random_chance(&l->random, 500000)) {
		l->lies++;
		return ERR_CANCELED;
	}
	if (does(l, LIAR_DELAY)) {
		struct addr own = sim_node_ip(endpoint_env(l->ep)), to = req->from.addr;

		to.port = 0;
		l->lies++;
		sim_clog(l->opts.world, &own, &to,
		    DELAY_LEAST + sim_random_below(&l->random, DELAY_SPREAD));
	}
	if (req->method == DHT_FIND_NODE || req->method == DHT_FIND_REGION)
		err = lie_nodes(l, req, reply);
	else if (req->method == DHT_GET)
		err = lie_get(l, req, reply);
	else if (req->method == DHT_PUT)
		err = lie_put(l, req, reply);
	if (err == ERR_OK)
		return ERR_OK;
	buf_reset(reply);
	return m->answer(m->arg, req, reply);
}

/* ---- the store ---- */

/* Whatever a sibling asks for is here. */
static int
answer_holds(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct liar *l = arg;
	struct holds_reply r = { 0 };
	struct holds asked;
	int err = l->honest_holds.answer(l->honest_holds.arg, req, reply);

	if (err != ERR_OK || !does(l, LIAR_RECEIPTS) || holds_unpack(req->body, &asked) != ERR_OK)
		return err;
	l->lies++;
	buf_reset(reply);
	r.count = asked.count;
	memset(r.at, HOLD_YES, asked.count);
	return holds_reply_pack(&r, reply);
}

/* What was just signed for, and all else that is there. */
static SUSPENDS void
drop_all(struct store *store)
{
	struct shard_name shards[SHARDS_MAX];
	struct shard_walk walk = { .ended = false };
	size_t count;

	while (store_list(store, &walk, shards, ARRAY_LEN(shards), &count) == ERR_OK && count > 0) {
		for (size_t i = 0; i < count; i++)
			(void)store_drop(store, &shards[i].chunk, shards[i].index);
	}
}

static int
serve(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct liar *l = arg;
	struct store *store = node_store(l->opts.node);
	bool lie = sim_random_chance(&l->random, l->opts.rate_ppm);
	bool drop = lie && does(l, LIAR_RECEIPTS) && req->method == METHOD_SHARD_PUT;
	size_t i = 0;
	int err;

	while (l->honest_streams[i].number != req->method)
		i++;
	if (lie && does(l, LIAR_WITHHOLD) && req->method != METHOD_SHARD_PUT) {
		l->lies++;
		return ERR_NOT_FOUND;
	}
	if (lie && does(l, LIAR_WRONG) && req->method == METHOD_SHARD_GET) {
		struct sim_disk *d = sim_node_disk(endpoint_env(l->ep));

		l->lies += spoil_shards(d, l->opts.store_dir) > 0;
	}
	l->lies += drop;
	if (lie && (l->opts.kinds & LIAR_AUDITS) != 0 && req->method == METHOD_AUDIT) {
		l->lies++;
		return liar_audit(l->opts.node, l->opts.kinds, &l->honest_streams[i], s, req);
	}
	err = l->honest_streams[i].serve(l->honest_streams[i].arg, s, req);
	/* From here on there may be no liar any more; the store outlives what it serves. */
	if (err == ERR_OK && drop)
		drop_all(store);
	return err;
}

/* ---- floods ---- */

static void
flood_done(struct rpc_call *c, int err, struct bytes reply)
{
	(void)c;
	(void)err;
	(void)reply;
}

static void
flood_fire(void *arg)
{
	struct liar *l = arg;
	struct dht *d = node_dht(l->opts.node);
	struct find_node find;
	struct buf body;
	size_t i = 0;

	timer_start(&l->flood, SECONDS(1) / LIAR_FLOOD_PER_S);
	while (i < FLIGHT && l->calls[i].state != NULL)
		i++;
	sim_random_bytes(&l->random, find.target.b, sizeof(find.target.b));
	if (i == FLIGHT || dht_closest(d, &find.target, &l->asked[i], 1) == 0)
		return;
	buf_init(&body, RPC_DATAGRAM_BODY_MAX);
	l->calls[i] = (struct rpc_call){ .done = flood_done };
	if (find_node_pack(&find, &body) == ERR_OK &&
	    rpc_start(l->ep, &l->calls[i], &l->asked[i], DHT_FIND_NODE, buf_bytes(&body), 0) ==
		ERR_OK)
		l->lies++;
	buf_fini(&body);
}

/* ---- life ---- */

static void
swap_all(struct liar *l)
{
	for (size_t i = 0; i < ARRAY_LEN(dht_methods); i++)
		endpoint_swap_method(l->ep, &l->honest[i]);
	if (node_store(l->opts.node) == NULL)
		return;
	endpoint_swap_method(l->ep, &l->honest_holds);
	for (size_t i = 0; i < ARRAY_LEN(store_methods); i++)
		endpoint_swap_stream_method(l->ep, &l->honest_streams[i]);
}

int
liar_new(const struct liar_opts *opts, struct liar **out)
{
	struct liar *l = calloc(1, sizeof(*l));
	struct id own;

	if (l == NULL)
		return ERR_NOMEM;
	l->opts = *opts;
	l->ep = node_endpoint(opts->node);
	own = endpoint_identity(l->ep)->id;
	sim_random_init(&l->random, opts->seed, 0x11a4);
	for (size_t i = 0; i < ARRAY_LEN(dht_methods); i++)
		l->honest[i] =
		    (struct rpc_method){ .number = dht_methods[i], .answer = answer, .arg = l };
	l->honest_holds =
	    (struct rpc_method){ .number = METHOD_HOLDS, .answer = answer_holds, .arg = l };
	for (size_t i = 0; i < ARRAY_LEN(store_methods); i++)
		l->honest_streams[i] = (struct stream_method){ store_methods[i], serve, l };
	l->stale_count = dht_closest(node_dht(opts->node), &own, l->stale, STALE_MAX);
	timer_init(&l->flood, endpoint_env(l->ep), flood_fire, l);
	if (does(l, LIAR_FLOOD))
		timer_start(&l->flood, 0);
	swap_all(l);
	*out = l;
	return ERR_OK;
}

void
liar_free(struct liar *l)
{
	if (l == NULL)
		return;
	swap_all(l);
	timer_stop(&l->flood);
	for (size_t i = 0; i < FLIGHT; i++)
		rpc_abandon(&l->calls[i]);
	free(l);
}

uint64_t
liar_lies(const struct liar *l)
{
	return l->lies;
}

/* ---- names ---- */

bool
liar_kinds_parse(const char *text, unsigned *out)
{
	unsigned kinds = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, ", "), i = 0;

		while (
		    i < LIAR_KINDS && (strlen(names[i]) != len || memcmp(names[i], text, len) != 0))
			i++;
		if (i == LIAR_KINDS)
			return false;
		kinds |= 1u << i;
		text += len;
		text += strspn(text, ", ");
	}
	if (kinds == 0)
		return false;
	*out = kinds;
	return true;
}

const char *
liar_kinds_text(unsigned kinds, char *out, size_t cap)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < LIAR_KINDS && used < cap; i++) {
		if ((kinds & 1u << i) != 0)
			used += (size_t)snprintf(
			    out + used, cap - used, "%s%s", used > 0 ? ", " : "", names[i]);
	}
	return out;
}
