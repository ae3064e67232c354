/*
 * Checkers look at members that are up through the same calls as `skerry status`, at disks through
 * the file system, at objects as a user would.
 */
#include "sim/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dht/records.h"
#include "dht/table.h"
#include "overlay/calls.h"
#include "overlay/peers.h"

#define READ_TRIES      3 /* one may meet a datagram too many that was lost */
#define READ_PAUSE      SECONDS(30)
#define LOOKUPS         8
#define TABLE_SHARE_PPM 800000 /* of those that a full table would have */
/* Each session keeps a reader and a writer task; beside them, upkeep and what serves. */
#define TASKS_AT_REST   64
#define REST_LOOKS      40
#define REST_PAUSE      MILLISECONDS(1700)

void
checks_fail(struct checks *c, const char *checker, const char *fmt, ...)
{
	va_list ap;

	if (c->failed)
		return;
	c->failed = true;
	(void)snprintf(c->checker, sizeof(c->checker), "%s", checker);
	va_start(ap, fmt);
	(void)vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
}

/* ---- limits ---- */

static void
within(struct checks *c, const struct member *m, const char *what, uint64_t is, uint64_t most)
{
	c->looked++;
	if (is > most)
		checks_fail(c, "limits", "member %u has %llu %s, at most %llu are allowed",
		    m->index, (unsigned long long)is, what, (unsigned long long)most);
}

static void
limits_of(struct checks *c, struct member *m)
{
	struct endpoint_load load;
	struct dht_status dht;

	endpoint_load(node_endpoint(m->node), &load);
	within(c, m, "sessions", load.sessions, SESSIONS_MAX);
	within(c, m, "half-open handshakes", load.handshakes, HANDSHAKES_MAX);
	/* Of sessions being dialled, too, and of those just lost. */
	within(c, m, "streams", load.streams, (uint64_t)SESSIONS_MAX * STREAMS_PER_SESSION);
	within(c, m, "calls in flight", load.calls, CALLS_MAX);
	within(c, m, "entries in the peer book", load.peers, PEERS_MAX + load.sessions);
	within(c, m, "tasks", tasks_live(m->env->tasks), TASKS_MAX);
	dht_status(node_dht(m->node), &dht);
	within(c, m, "contacts", dht.contacts, (uint64_t)TABLE_BUCKETS_MAX * TABLE_BUCKET_WIDE);
	within(
	    c, m, "spare contacts", dht.replacements, (uint64_t)TABLE_BUCKETS_MAX * TABLE_SPARES);
	within(c, m, "bytes of records", dht.records_bytes, MIB(DHT_RECORDS_MB));
	if (node_store(m->node) != NULL) {
		struct store_status s;

		store_status(node_store(m->node), &s);
		within(c, m, "shards being written", s.writers, STORE_WRITERS_MAX);
		within(c, m, "bytes in its store", s.bytes_used, s.capacity);
	}
}

void
checks_limits(struct checks *c)
{
	for (size_t i = 0; i < fleet_count(c->fleet); i++) {
		struct member *m = fleet_member(c->fleet, i);

		if (m->state == MEMBER_UP && !sim_node_dead(m->env))
			limits_of(c, m);
	}
}

/* ---- objects ---- */

struct reading {
	struct user *user;
	const struct object *object;
	bool wrong;
};

static int
read_run(void *arg)
{
	struct reading *r = arg;

	return user_get(r->user, r->object, &r->wrong);
}

static void
shards_there(struct checks *c, const struct object *o, const struct census *census)
{
	for (size_t i = 0; i < o->chunks_count; i++) {
		unsigned up, kept;

		census_chunk(census, &o->chunks[i].id, &up, &kept);
		c->looked++;
		if (kept < o->chunks[i].k)
			checks_fail(c, "shards",
			    "chunk %zu of an acknowledged object of %llu bytes has %u shards on "
			    "all "
			    "disks, %u are needed",
			    i, (unsigned long long)o->bytes, kept, o->chunks[i].k);
	}
}

static void
read_object(struct checks *c, struct user *u, struct object *o)
{
	struct sim_world *world = fleet_world(c->fleet);
	struct reading r = { .user = u, .object = o };
	int err = ERR_BUSY;

	for (int i = 0; i < READ_TRIES && err != ERR_OK; i++) {
		if (i > 0)
			sim_run_for(world, READ_PAUSE);
		err = sim_run_task(world, user_env(u), read_run, &r);
		c->looked++;
		if (r.wrong) {
			checks_fail(c, "bytes",
			    "an object of %llu bytes came back with other bytes",
			    (unsigned long long)o->bytes);
			return;
		}
	}
	if (err != ERR_OK)
		checks_fail(c, "objects",
		    "an acknowledged object of %llu bytes, %zu chunks, cannot be "
		    "read after healing: %s",
		    (unsigned long long)o->bytes, o->chunks_count, err_text(err));
}

void
checks_objects(struct checks *c, struct workload *w, struct census *census)
{
	struct user *fresh = user_new(c->fleet, 1000);

	census_take(census);
	for (size_t i = 0; i < workload_objects(w) && !c->failed; i++) {
		shards_there(c, workload_object(w, i), census);
		if (!c->failed)
			read_object(c, fresh, workload_object(w, i));
	}
	user_free(fresh);
}

struct putting {
	struct user *user;
	struct object object;
};

static int
put_run(void *arg)
{
	struct putting *p = arg;

	return user_put(p->user, &p->object, NULL);
}

void
checks_alive(struct checks *c, struct user *u)
{
	struct putting p = { .user = u, .object = { .seed = 42, .bytes = KIB(100) } };
	int err = sim_run_task(fleet_world(c->fleet), user_env(u), put_run, &p);

	c->looked++;
	if (err != ERR_OK)
		checks_fail(c, "alive", "after healing a put fails: %s", err_text(err));
	else
		read_object(c, u, &p.object);
	object_fini(&p.object);
}

/* ---- tables ---- */

static void
table_of(struct checks *c, struct member *m)
{
	struct oracle_entry near[DHT_K];
	size_t want = oracle_closest(fleet_oracle(c->fleet), &m->contact.id, m->index, near, DHT_K);
	struct contact *seen = calloc(DHT_REGION_MAX, sizeof(*seen));
	size_t count, found = 0;

	must(seen != NULL);
	count = dht_closest(node_dht(m->node), &m->contact.id, seen, DHT_REGION_MAX);
	for (size_t i = 0; i < want; i++) {
		for (size_t j = 0; j < count; j++)
			found += id_equal(&near[i].id, &seen[j].id);
	}
	c->looked++;
	if (found * SIM_PPM < want * (uint64_t)TABLE_SHARE_PPM)
		checks_fail(c, "tables", "member %u knows %zu of the %zu members nearest to itself",
		    m->index, found, want);
	free(seen);
}

struct looking {
	struct dht *dht;
	struct id target;
	struct lookup_result result;
};

static int
look_run(void *arg)
{
	struct looking *l = arg;

	return dht_lookup(l->dht, &l->target, NULL, &l->result);
}

static void
look_up(struct checks *c)
{
	struct looking *l = calloc(1, sizeof(*l));
	struct member *m = fleet_any(c->fleet);
	struct oracle_entry nearest;
	bool found = false;
	int err = ERR_OK;

	must(l != NULL);
	if (m == NULL) {
		free(l);
		checks_fail(c, "tables", "nobody is up after healing");
		return;
	}
	l->dht = node_dht(m->node);
	sim_random_bytes(fleet_dice(c->fleet), l->target.b, sizeof(l->target.b));
	if (oracle_closest(fleet_oracle(c->fleet), &l->target, m->index, &nearest, 1) == 0)
		found = true;
	for (int i = 0; i < READ_TRIES && !found; i++) {
		err = sim_run_task(fleet_world(c->fleet), m->env, look_run, l);
		c->looked++;
		found = err == ERR_OK && l->result.count > 0 &&
			id_equal(&l->result.closest[0].id, &nearest.id);
	}
	if (!found)
		checks_fail(c, "tables", "a lookup by member %u misses the closest member %u: %s",
		    m->index, nearest.member, err_text(err));
	free(l);
}

void
checks_tables(struct checks *c)
{
	for (size_t i = 0; i < fleet_count(c->fleet); i++) {
		struct member *m = fleet_member(c->fleet, i);

		c->looked++;
		if (m->state != MEMBER_UP)
			checks_fail(
			    c, "tables", "member %u does not come up after healing", m->index);
		else
			table_of(c, m);
	}
	for (int i = 0; i < LOOKUPS; i++)
		look_up(c);
}

/* ---- nothing left over ---- */

/* What it still has; NULL: it is at rest. */
static const char *
unrest(const struct member *m, uint64_t *count)
{
	struct endpoint_load load;
	struct store_status s = { 0 };

	endpoint_load(node_endpoint(m->node), &load);
	if (node_store(m->node) != NULL)
		store_status(node_store(m->node), &s);
	*count = load.handshakes;
	if (load.handshakes != 0)
		return "half-open handshakes";
	*count = s.writers;
	if (s.writers != 0)
		return "shards being written";
	*count = s.refusing;
	if (s.refusing)
		return "store that refuses";
	*count = tasks_live(m->env->tasks);
	return *count > TASKS_AT_REST ? "tasks" : NULL;
}

void
checks_pending(struct checks *c)
{
	size_t n = fleet_count(c->fleet), restless = n;
	bool *rested = calloc(n, sizeof(*rested));
	const char *what = NULL;
	uint64_t count = 0;

	must(rested != NULL);
	for (int looks = 0; looks < REST_LOOKS && restless > 0; looks++) {
		sim_run_for(fleet_world(c->fleet), REST_PAUSE);
		restless = 0;
		for (size_t i = 0; i < n; i++) {
			struct member *m = fleet_member(c->fleet, i);

			c->looked++;
			if (!rested[i] && m->state == MEMBER_UP)
				rested[i] = unrest(m, &count) == NULL;
			restless += !rested[i] && m->state == MEMBER_UP;
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct member *m = fleet_member(c->fleet, i);

		if (rested[i] || m->state != MEMBER_UP)
			continue;
		what = unrest(m, &count);
		if (what != NULL)
			checks_fail(c, "pending", "member %zu still has %llu %s", i,
			    (unsigned long long)count, what);
	}
	free(rested);
}
