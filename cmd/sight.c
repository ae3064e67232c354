/* Numbers of each part of a node, put into one object. Runs on the loop between two tasks. */
#include "cmd/sight.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/command.h"
#include "config.h"
#include "overlay/peers.h"

static void
put_contact(struct json_value *o, const struct contact *c)
{
	char addr[ADDR_TEXT_MAX];

	json_put_hex(o, "id", c->id.b, sizeof(c->id.b));
	json_put_text(o, "address", addr_format(&c->addr, addr));
}

static struct json_value *
store_answer(const struct store *store)
{
	struct json_value *o = json_make_object();
	struct store_status s;

	store_status(store, &s);
	json_put_number(o, "shards", s.shards);
	json_put_number(o, "chunks", s.chunks);
	json_put_number(o, "used_bytes", s.bytes_used);
	json_put_number(o, "dead_bytes", s.bytes_dead);
	json_put_number(o, "live_bytes", s.bytes_used - MIN(s.bytes_used, s.bytes_dead));
	json_put_number(o, "capacity_bytes", s.capacity);
	json_put_number(o, "reserve_bytes", s.reserve);
	json_put_number(o, "disk_free_bytes", s.disk_free);
	json_put_number(o, "segments", s.segments);
	json_put_number(o, "writers", s.writers);
	json_put_number(o, "commits", s.commits);
	json_put_number(o, "syncs", s.syncs);
	json_put_number(o, "sync_failures", s.sync_failures);
	json_put_number(o, "rot", s.rot);
	json_put_number(o, "compactions", s.compactions);
	json_put_number(o, "compacted_bytes", s.compacted_bytes);
	json_put_number(o, "recovered_records", s.recovered_records);
	json_put_flag(o, "refusing", s.refusing);
	return o;
}

static struct json_value *
dht_answer(const struct dht *dht)
{
	struct json_value *o = json_make_object();
	struct dht_status s;

	dht_status(dht, &s);
	json_put_number(o, "contacts", s.contacts);
	json_put_number(o, "replacements", s.replacements);
	json_put_number(o, "buckets", s.buckets);
	json_put_number(o, "records", s.records);
	json_put_number(o, "records_bytes", s.records_bytes);
	json_put_number(o, "network_size", s.size_estimate);
	json_put_number(o, "lookups", s.lookups);
	json_put_number(o, "lookups_failed", s.lookups_failed);
	json_put_number(o, "puts", s.puts);
	json_put_number(o, "gets", s.gets);
	json_put_number(o, "sweeps", s.sweeps);
	return o;
}

static struct json_value *
service_answer(const struct service *service)
{
	const struct service_counters *c = service_counters(service);
	struct json_value *o = json_make_object();

	json_put_number(o, "puts", c->puts);
	json_put_number(o, "puts_refused", c->puts_refused);
	json_put_number(o, "puts_failed", c->puts_failed);
	json_put_number(o, "put_bytes", c->put_bytes);
	json_put_number(o, "gets", c->gets);
	json_put_number(o, "get_bytes", c->get_bytes);
	json_put_number(o, "proofs", c->proofs);
	json_put_number(o, "leases", c->leases);
	json_put_number(o, "leases_refused", c->leases_refused);
	json_put_number(o, "gets_refused", c->gets_refused);
	json_put_number(o, "stalled", c->stalled);
	return o;
}

static struct json_value *
counters_answer(const struct endpoint *ep)
{
	const struct endpoint_counters *c = endpoint_counters(ep);
	struct json_value *o = json_make_object();

#define X(name) json_put_number(o, #name, c->name);
	ENDPOINT_COUNTERS(X)
#undef X
	return o;
}

static struct json_value *
load_answer(const struct endpoint *ep)
{
	struct json_value *o = json_make_object();
	struct endpoint_load l;

	endpoint_load(ep, &l);
	json_put_number(o, "sessions", l.sessions);
	json_put_number(o, "handshakes", l.handshakes);
	json_put_number(o, "streams", l.streams);
	json_put_number(o, "calls", l.calls);
	json_put_number(o, "peers", l.peers);
	json_put_number(o, "tasks", l.tasks);
	json_put_number(o, "bytes", l.bytes);
	return o;
}

static struct json_value *
time_answer(struct endpoint *ep)
{
	struct json_value *o = json_make_object();
	struct agreed_time t;

	endpoint_agreed_time(ep, &t);
	json_put_number(o, "unix_ms", t.unix_ms);
	json_put_number(o, "peers", t.peers);
	json_put_flag(o, "trusted", t.trusted);
	return o;
}

static void
put_reach(struct json_value *o, const struct node *node)
{
	struct reach_status *r = calloc(1, sizeof(*r));
	char text[REACH_TEXT_MAX];

	if (r == NULL)
		return;
	node_reach(node, r);
	json_put_flag(o, "reachable", r->reachable);
	json_put_text(o, "reachability", reach_text(r, text));
	free(r);
}

static struct json_value *
registers_json(const struct registers *r)
{
	struct json_value *o = json_make_object();
	struct registers_status s;

	registers_status(r, &s);
	json_put_flag(o, "loaded", s.loaded);
	json_put_number(o, "anchored", s.anchored);
	json_put_number(o, "moved", s.moved);
	json_put_number(o, "silent", s.silent);
	json_put_number(o, "tail_bytes", s.tail_bytes);
	json_put_number(o, "answered", s.answered);
	json_put_number(o, "refused", s.refused);
	json_put_number(o, "changed", s.changed);
	json_put_number(o, "founded", s.founded);
	json_put_number(o, "joined", s.joined);
	json_put_number(o, "replaced", s.replaced);
	json_put_number(o, "swept", s.swept);
	json_put_number(o, "damaged", s.damaged);
	return o;
}

static struct json_value *
status_answer(struct node *node, const struct settings *settings)
{
	struct json_value *o = json_make_object();
	struct endpoint *ep = NULL;
	char text[CONTACT_TEXT_MAX];
	struct contact self;

	json_put_text(o, "version", PACKAGE_VERSION);
	json_put_signed(o, "pid", getpid());
	json_put_text(o, "network", settings->network);
	json_put_text(o, "state",
	    node == NULL        ? "starting"
	    : node_joined(node) ? "joined"
				: "alone");
	if (node == NULL)
		return o;
	ep = node_endpoint(node);
	node_contact(node, &self);
	put_contact(o, &self);
	json_put_text(o, "contact", contact_format(&self, text));
	json_put_flag(o, "server", endpoint_is_server(ep));
	put_reach(o, node);
	json_put_value(o, "time", time_answer(ep));
	if (node_store(node) != NULL)
		json_put_value(o, "store", store_answer(node_store(node)));
	if (node_service(node) != NULL)
		json_put_value(o, "service", service_answer(node_service(node)));
	if (node_keeper(node) != NULL)
		json_put_value(o, "repair", sight_keeper(node_keeper(node)));
	if (node_registers(node) != NULL)
		json_put_value(o, "registers", registers_json(node_registers(node)));
	json_put_value(o, "dht", dht_answer(node_dht(node)));
	json_put_value(o, "load", load_answer(ep));
	json_put_value(o, "counters", counters_answer(ep));
	return o;
}

static struct json_value *
peer_answer(const struct peer_info *p, uint64_t now)
{
	struct json_value *o = json_make_object();

	put_contact(o, &p->contact);
	json_put_flag(o, "server", p->server);
	json_put_flag(o, "session", p->session);
	json_put_number(o, "version", p->version);
	json_put_number(o, "rtt_us", p->srtt / MICROSECONDS(1));
	if (p->last_heard != 0)
		json_put_number(o, "heard_ms_ago", (now - p->last_heard) / MILLISECONDS(1));
	json_put_number(o, "strikes", p->strikes);
	json_put_number(o, "blames", p->blames);
	json_put_signed(o, "clock_offset_ms", p->clock_offset_ms);
	json_put_number(o, "bytes_in", p->bytes_in);
	json_put_number(o, "bytes_out", p->bytes_out);
	return o;
}

static struct json_value *
peers_answer(struct node *node, struct env *env)
{
	struct json_value *o = json_make_object(), *list = json_make_array();
	struct peer_info *all = NULL;
	struct endpoint_load load;
	size_t count = 0;

	if (node != NULL) {
		endpoint_load(node_endpoint(node), &load);
		all = calloc(MAX(load.peers, 1), sizeof(*all));
		if (all != NULL)
			count = endpoint_peers(node_endpoint(node), all, load.peers);
	}
	for (size_t i = 0; i < count; i++)
		json_add_value(list, peer_answer(&all[i], env_now(env)));
	free(all);
	json_put_value(o, "peers", list);
	return o;
}

/* A number of seconds, or a time; or the end of it. What it is refused for is told in words. */
static struct json_value *
drain_answer(struct node *node, const struct settings *settings, const struct json_value *request)
{
	struct keeper *k = node == NULL ? NULL : node_keeper(node);
	uint64_t until = json_number(request, "until");
	struct json_value *o;
	struct agreed_time now;
	int err = ERR_OK;

	if (k != NULL && json_flag(request, "cancel")) {
		err = keeper_drain_cancel(k);
	} else if (k != NULL) {
		endpoint_agreed_time(node_endpoint(node), &now);
		if (until == 0)
			until =
			    now.unix_ms / 1000 + MIN(json_number(request, "seconds"), UINT32_MAX);
		err = keeper_drain(k, until);
	}
	o = status_answer(node, settings);
	if (err == ERR_INVALID)
		json_put_text(o, "refused",
		    "a node may be away until a time that is to come, and for a day at most; right "
		    "would be for example --until 8h, or skerry node leave for good");
	else if (err != ERR_OK)
		json_put_text(o, "refused", err_text(err));
	return o;
}

struct json_value *
sight_answer(struct node *node, struct env *env, const struct settings *settings,
    const char *command, const struct json_value *request)
{
	struct keeper *keeper = node == NULL ? NULL : node_keeper(node);

	if (strcmp(command, "status") == 0)
		return status_answer(node, settings);
	if (strcmp(command, "leave") == 0) {
		/* A node that stores nothing, or is not up yet, cannot; what it says shows it. */
		if (keeper != NULL)
			(void)keeper_leave(keeper);
		return status_answer(node, settings);
	}
	if (strcmp(command, "drain") == 0)
		return drain_answer(node, settings, request);
	if (strcmp(command, "repair") == 0)
		return sight_repair(keeper);
	if (keeper != NULL && strcmp(command, "audits") == 0)
		return sight_audits(keeper);
	if (keeper != NULL && strcmp(command, "audit") == 0)
		return sight_audit(keeper, request);
	if (strcmp(command, "peers") == 0)
		return peers_answer(node, env);
	return NULL;
}
