/*
 * What others ask of this node. Requests are unpacked, answered from table and records at
 * once, and counted nowhere else; a malformed one gets its error. Only verified contacts
 * are told, and only addresses that make sense to the asker. Records are kept only for
 * askers whose address is proven, so that a flood has a sender whose network is limited.
 */
#include "dht/dht_private.h"

/* Key and address, which is what travels: the asker derives the id itself. */
static void
tell(const struct rpc_request *req, const struct table_view *views, size_t n, struct contacts *out)
{
	for (size_t i = 0; i < n && out->count < CONTACTS_MAX; i++) {
		if (pubkey_equal(views[i].pub, &req->from.pub) ||
		    !addr_tellable(&views[i].addr, &req->from.addr))
			continue;
		out->at[out->count].pub = *views[i].pub;
		out->at[out->count++].addr = views[i].addr;
	}
}

static void
tell_near(const struct dht *d, const struct rpc_request *req, const struct id *target,
    struct contacts *out)
{
	struct table_view views[CONTACTS_MAX + 1]; /* the asker itself is not told */
	/* More than k as far as they fit: some of the k will turn out dead. */
	size_t n = table_near(d->table, target, TABLE_STRIKES_SILENT, views, ARRAY_LEN(views));

	out->count = 0;
	tell(req, views, n, out);
}

static int
serve_ping(void *arg, const struct rpc_request *req, struct buf *reply)
{
	(void)arg;
	(void)req;
	return ping_pack(reply);
}

static int
serve_find_node(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct dht *d = arg;
	struct nodes_reply out = { .more = false };
	struct find_node in;
	int err = find_node_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	tell_near(d, req, &in.target, &out.contacts);
	return nodes_reply_pack(&out, reply);
}

static int
serve_find_region(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct dht *d = arg;
	struct nodes_reply out = { .contacts.count = 0 };
	struct table_view views[CONTACTS_MAX];
	struct find_region in;
	size_t n;
	int err = find_region_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	n = table_range(
	    d->table, &in.prefix, in.bits, in.has_after ? &in.after : NULL, views, CONTACTS_MAX);
	tell(req, views, MIN(n, CONTACTS_MAX), &out.contacts);
	out.more = n > CONTACTS_MAX;
	return nodes_reply_pack(&out, reply);
}

/* Peer records must be of nodes that have done the network's proof of work. */
static int
keep(struct dht *d, const struct rpc_request *req, struct bytes raw)
{
	struct records_how how = { .network = d->ip_limits ? addr_group(&req->from.addr) : 0,
		.now = env_now(d->env) };
	struct agreed_time time;
	struct record r;
	int err = record_read(raw, d->net, &r);

	if (err != ERR_OK)
		return err;
	if (r.kind == RECORD_PEER && !identity_pow_ok(&r.key, endpoint_pow_bits(d->ep)))
		return ERR_AUTH;
	endpoint_agreed_time(d->ep, &time);
	how.wall_ms = time.trusted ? time.unix_ms : 0;
	return records_put(d->records, &r, &how);
}

static int
serve_put(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct dht *d = arg;
	struct put_reply out = { .count = 0 };
	struct raw_records in;
	int err = put_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	/* The answer brings the token that proves the address; the asker comes again with it. */
	if (!req->proven && !req->session)
		return ERR_AUTH;
	for (; out.count < in.count; out.count++)
		out.err[out.count] = keep(d, req, in.at[out.count]);
	return put_reply_pack(&out, reply);
}

struct gather {
	uint8_t skip;
	size_t seen;
	size_t used;
	struct raw_records raw;
	uint8_t bytes[RPC_DATAGRAM_BODY_MAX];
};

static bool
gather_one(void *arg, const struct record *r)
{
	struct gather *g = arg;

	if (g->seen++ < g->skip || g->raw.count == RECORDS_MAX ||
	    g->used + r->len > sizeof(g->bytes))
		return true;
	memcpy(g->bytes + g->used, r->bytes, r->len);
	g->raw.at[g->raw.count++] = bytes_of(g->bytes + g->used, r->len);
	g->used += r->len;
	return true;
}

static int
serve_get(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct dht *d = arg;
	struct gather g = { .seen = 0 };
	struct get_reply out;
	struct get in;
	int err = get_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	g.skip = in.skip;
	records_get(d->records, &in.key, in.kind, env_now(d->env), gather_one, &g);
	out.records = g.raw;
	out.total = (uint8_t)MIN(g.seen, UINT8_MAX);
	tell_near(d, req, &in.key, &out.contacts);
	return get_reply_pack(&out, reply);
}

static int
serve_self(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct dht *d = arg;

	(void)req;
	if (d->self_record_len == 0)
		return ERR_NOT_FOUND;
	return self_reply_pack(bytes_of(d->self_record, d->self_record_len), reply);
}

void
dht_serve_init(struct dht *d)
{
	static const struct {
		uint16_t number;
		int (*answer)(void *arg, const struct rpc_request *req, struct buf *reply);
	} methods[] = {
		{ DHT_PING, serve_ping },
		{ DHT_FIND_NODE, serve_find_node },
		{ DHT_FIND_REGION, serve_find_region },
		{ DHT_PUT, serve_put },
		{ DHT_GET, serve_get },
		{ DHT_SELF, serve_self },
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		endpoint_add_method(d->ep,
		    &(struct rpc_method){
			.number = methods[i].number, .answer = methods[i].answer, .arg = d });
}
