/*
 * Time and nodes. Everything that happens is a struct timer on one heap: what
 * nodes armed and the world's own events (datagrams, segments, work, turns of the
 * task schedulers), which carry no env. step() takes the first, moves time to
 * it and fires it; nothing else calls into nodes. Fails only for want of memory, which aborts.
 */
#include "sim/line.h"

#include "overlay/base/task_stack.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define BUCKETS_FIRST   64    /* doubles whenever the nodes outnumber it */
#define EPHEMERAL_FIRST 32768 /* Linux's default range of ports */
#define EPHEMERAL_COUNT 28232

static const struct env_ops sim_ops;

struct sim_node *
node_of(const struct env *env)
{
	must(env->ops == &sim_ops);
	return container_of((struct env *)(uintptr_t)env, struct sim_node, env);
}

/* ---- events ---- */

void
event_init(struct timer *t, void (*fire)(void *arg), void *arg)
{
	timer_init(t, NULL, fire, arg);
}

void
world_at(struct sim_world *w, struct timer *t, uint64_t due)
{
	must(due >= w->now);
	fetch_some(&w->fetches);
	agenda_add(&w->events, t, due);
}

void
world_cancel(struct sim_world *w, struct timer *t)
{
	agenda_remove(&w->events, t);
}

void
world_note(struct sim_world *w, uint64_t v)
{
	w->hash = sim_mix(w->hash, v);
}

/* Fires the first event if it is due by `end`; false when there is none. */
static bool
step(struct sim_world *w, uint64_t end)
{
	struct timer *t = agenda_pop(&w->events, end);

	if (t == NULL)
		return false;
	world_look_ahead(w);
	fetch_some(&w->fetches);
	must(t->due >= w->now);
	if (t->due > w->now)
		w->at_instant = 0;
	must(++w->at_instant < SIM_INSTANT_MAX); /* somebody loops without letting time pass */
	w->now = t->due;
	w->events_count++;
	world_note(w, t->due);
	if (t->env != NULL) {
		struct sim_node *n = node_of(t->env);

		n->timers_armed--;
		w->events_of[SIM_EVENT_TIMER]++;
		world_note(w, n->number);
	}
	t->fire(t->arg);
	world_expect(w);
	return true;
}

static uint64_t
later(uint64_t now, uint64_t delay)
{
	return delay > UINT64_MAX - now ? UINT64_MAX : now + delay;
}

uint64_t
sim_now(const struct sim_world *w)
{
	return w->now;
}

void
sim_run_for(struct sim_world *w, uint64_t ns)
{
	uint64_t end = later(w->now, ns);

	while (step(w, end))
		;
	w->now = end;
}

bool
sim_run_until(struct sim_world *w, bool (*cond)(void *arg), void *arg, uint64_t max_ns)
{
	uint64_t end = later(w->now, max_ns);

	while (!cond(arg)) {
		if (!step(w, end)) {
			w->now = end;
			return cond(arg);
		}
	}
	return true;
}

struct run_task {
	int (*fn)(void *arg);
	void *arg;
	int result;
	struct task_group group;
};

static int
run_task_main(void *arg)
{
	struct run_task *r = arg;

	r->result = r->fn(r->arg);
	return r->result;
}

static bool
run_task_over(void *arg)
{
	struct run_task *r = arg;

	return task_group_live(&r->group) == 0;
}

static void
run_task_empty(void *arg)
{
	(void)arg;
}

int
sim_run_task(struct sim_world *w, struct env *env, int (*fn)(void *arg), void *arg)
{
	struct run_task r = { .fn = fn, .arg = arg, .result = ERR_CANCELED };
	bool in_time;
	int err;

	task_group_init(&r.group, env);
	err = task_spawn(&r.group, "sim_run_task", run_task_main, &r);
	if (err == ERR_OK) {
		in_time = sim_run_until(w, run_task_over, &r, SIM_TASK_TIMEOUT);
		err = in_time ? r.result : ERR_TIMEOUT;
	}
	task_group_shutdown(&r.group, run_task_empty, NULL);
	/* A cancelled task unwinds within another such span, or it never will. */
	must(sim_run_until(w, run_task_over, &r, SIM_TASK_TIMEOUT));
	return err;
}

/* ---- the world ---- */

struct sim_world *
sim_new(const struct sim_opts *opts)
{
	struct sim_world *w = calloc(1, sizeof(*w));

	must(w != NULL);
	agenda_init(&w->events);
	w->seed = opts->seed;
	w->uptime = opts->uptime;
	sim_random_init(&w->random, opts->seed, 0);
	w->hash = opts->seed;
	w->regions = opts->regions;
	w->faults = opts->faults;
	w->stacks = task_stacks_new(opts->guard_pages);
	must(w->stacks != NULL);
	w->tasks_max = opts->tasks_max == 0 ? TASKS_MAX : opts->tasks_max;
	w->log = opts->log;
	w->buckets_count = BUCKETS_FIRST;
	w->buckets = calloc(w->buckets_count, sizeof(struct sim_node *));
	must(w->buckets != NULL);
	return w;
}

void
sim_free(struct sim_world *w)
{
	if (w == NULL)
		return;
	must(w->nodes_count == 0);
	/* What is on the wire frees itself when it arrives nowhere. */
	w->closing = true;
	outages_clear(w);
	sim_unclog_all(w);
	while (step(w, UINT64_MAX))
		;
	agenda_fini(&w->events);
	world_packets_free(w);
	task_stacks_free(w->stacks);
	free(w->buckets);
	free(w->clogs);
	free(w);
}

void
sim_set_faults(struct sim_world *w, const struct sim_faults *faults)
{
	w->faults = *faults;
}

uint64_t
sim_events(const struct sim_world *w)
{
	return w->events_count;
}

uint64_t
sim_event_hash(const struct sim_world *w)
{
	return w->hash;
}

void
sim_events_by_kind(const struct sim_world *w, uint64_t out[SIM_EVENT_KINDS])
{
	memcpy(out, w->events_of, sizeof(w->events_of));
	out[SIM_EVENT_STREAM] = w->events_count;
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		out[SIM_EVENT_STREAM] -= i == SIM_EVENT_STREAM ? 0 : w->events_of[i];
}

void
sim_traffic(const struct sim_world *w, struct sim_traffic *out)
{
	*out = w->traffic;
}

/* ---- nodes by address ---- */

static struct sim_node **
bucket_of(const struct sim_world *w, const struct addr *ip)
{
	uint64_t hash = sim_mix_bytes(ip->family, bytes_of(ip->ip, sizeof(ip->ip)));

	return &w->buckets[hash % w->buckets_count];
}

struct sim_node *
world_node(const struct sim_world *w, const struct addr *ip)
{
	struct sim_node *n = *bucket_of(w, ip);

	while (n != NULL &&
	       (n->ip.family != ip->family || memcmp(n->ip.ip, ip->ip, sizeof(ip->ip)) != 0))
		n = n->bucket_next;
	return n;
}

void
world_node_expect(struct sim_world *w, const struct addr *ip, unsigned step)
{
	struct sim_node **at = bucket_of(w, ip);

	if (step == 0)
		prefetch(at);
	else if (*at != NULL)
		prefetch_all(*at, offsetof(struct sim_node, random));
}

static void
bucket_put(struct sim_world *w, struct sim_node *n)
{
	struct sim_node **at = bucket_of(w, &n->ip);

	n->bucket_next = *at;
	*at = n;
}

static void
buckets_grow(struct sim_world *w)
{
	struct sim_node **old = w->buckets;
	size_t old_count = w->buckets_count;

	w->buckets_count *= 2;
	w->buckets = calloc(w->buckets_count, sizeof(struct sim_node *));
	must(w->buckets != NULL);
	for (size_t i = 0; i < old_count; i++) {
		for (struct sim_node *n = old[i], *next; n != NULL; n = next) {
			next = n->bucket_next;
			bucket_put(w, n);
		}
	}
	free(old);
}

void
world_each_node(struct sim_world *w, void (*fn)(void *arg, struct sim_node *n), void *arg)
{
	for (size_t i = 0; i < w->buckets_count; i++) {
		for (struct sim_node *n = w->buckets[i]; n != NULL; n = n->bucket_next)
			fn(arg, n);
	}
}

/* ---- life of a node ---- */

static void
kick_fire(void *arg)
{
	struct sim_node *n = arg;

	world_note(n->world, n->number);
	n->world->events_of[SIM_EVENT_TURN]++;
	tasks_run(n->env.tasks);
}

/* A crash armed at a point of the disk takes the whole machine with it, at that very point. */
static void
disk_crashed(void *arg)
{
	struct sim_node *n = arg;

	if (!n->dead)
		sim_node_kill(&n->env, SIM_SILENT);
}

static void
node_place(struct sim_node *n, const struct sim_node_opts *opts)
{
	n->place = (struct sim_place){ .access_ns = opts->access_ns,
		.as_number = opts->as_number,
		.region = (uint8_t)MAX(opts->region, 0) };
	memcpy(n->place.country, opts->country, sizeof(n->place.country));
	sim_place_draw(&n->place, opts->region < 0, n->world->seed, &n->ip);
	if (opts->access_ns == 0 && n->world->regions) {
		struct sim_random r;
		uint64_t hash = sim_mix_bytes(n->ip.family, bytes_of(n->ip.ip, sizeof(n->ip.ip)));

		/* By its address: a node that comes back has the line it had. */
		sim_random_init(&r, n->world->seed, hash);
		n->place.access_ns = sim_draw_access(&r);
	}
}

static void
node_network(struct sim_node *n, const struct sim_node_opts *opts)
{
	sim_node_bandwidth(&n->env, opts->up_bytes_s, opts->down_bytes_s);
	if (opts->nat != SIM_NAT_NONE)
		n->nat = nat_new(opts->nat, sim_mix(n->world->seed, n->number));
	n->nat_refuses = opts->nat_refuses;
	sim_node_island(&n->env, opts->island);
	sim_node_loss(&n->env, &opts->loss);
	outages_meet(n);
}

struct env *
sim_node_add(struct sim_world *w, const struct sim_node_opts *opts)
{
	struct sim_node *n = calloc(1, sizeof(*n));

	must(n != NULL);
	must(opts->ip.family == ADDR_IPV4 || opts->ip.family == ADDR_IPV6);
	must(world_node(w, &opts->ip) == NULL);
	must(opts->region < SIM_REGIONS);
	n->env.ops = &sim_ops;
	n->world = w;
	n->number = ++w->nodes_added;
	n->ip = opts->ip;
	n->ip.port = 0;
	sim_random_init(&n->random, w->seed, n->number);
	node_place(n, opts);
	node_network(n, opts);
	n->died = opts->died;
	n->died_arg = opts->died_arg;
	n->clock_offset_ms = opts->clock_offset_ms;
	n->clock_drift_ppm = opts->clock_drift_ppm;
	n->work_ns[WORK_CPU] = SIM_WORK_CPU;
	n->work_ns[WORK_DISK] = SIM_WORK_DISK;
	event_init(&n->kick, kick_fire, n);
	n->disk = opts->disk;
	if (opts->disk == NULL) {
		struct sim_disk_opts disk_opts = { .seed = sim_random_u64(&n->random) };

		n->disk = sim_disk_new(&disk_opts);
		n->own_disk = true;
	}
	sim_disk_on_crash(n->disk, disk_crashed, n);
	n->env.log = w->log;
	n->env.disk = sim_disk_base(n->disk);
	n->env.tasks = tasks_new_shared(&n->env, w->tasks_max, w->stacks);
	must(n->env.tasks != NULL);
	if (++w->nodes_count > w->buckets_count)
		buckets_grow(w);
	bucket_put(w, n);
	return &n->env;
}

void
sim_node_kill(struct env *env, enum sim_death how)
{
	struct sim_node *n = node_of(env);

	must(!n->dead);
	n->dead = true;
	n->death = how;
	env->log = NULL;
	sim_disk_crash(n->disk);
	streams_die(n, how);
	if (n->died != NULL)
		n->died(n->died_arg);
}

bool
sim_node_dead(const struct env *env)
{
	return node_of(env)->dead;
}

void
sim_node_remove(struct env *env)
{
	struct sim_node *n = node_of(env);
	struct sim_world *w = n->world;
	struct sim_node **at = bucket_of(w, &n->ip);

	must(n->udps == NULL && n->listeners == NULL && n->conns == NULL);
	must(n->timers_armed == 0);
	for (size_t i = 0; i < SIM_WORK_POOLS; i++)
		must(n->works[i] == 0);
	world_cancel(w, &n->kick);
	tasks_free(env->tasks);
	line_orphan(n->up);
	line_orphan(n->down);
	nat_free(n->nat);
	sim_node_loss(env, &(struct sim_line_loss){ 0 });
	while (*at != n)
		at = &(*at)->bucket_next;
	*at = n->bucket_next;
	w->nodes_count--;
	w->nodes_removed++;
	sim_disk_on_crash(n->disk, NULL, NULL);
	if (n->own_disk)
		sim_disk_free(n->disk);
	free(n);
}

struct addr
sim_node_ip(const struct env *env)
{
	return node_of(env)->ip;
}

const struct sim_place *
sim_node_place(const struct env *env)
{
	return &node_of(env)->place;
}

struct sim_disk *
sim_node_disk(struct env *env)
{
	return node_of(env)->disk;
}

static void
line_of(struct sim_world *w, struct line **line, uint64_t bytes_s)
{
	if (*line != NULL)
		line_set_rate(*line, bytes_s);
	else if (bytes_s > 0)
		*line = line_new(w, bytes_s);
}

void
sim_node_bandwidth(struct env *env, uint64_t up_bytes_s, uint64_t down_bytes_s)
{
	struct sim_node *n = node_of(env);

	line_of(n->world, &n->up, up_bytes_s);
	line_of(n->world, &n->down, down_bytes_s);
}

void
sim_node_clock(struct env *env, int64_t offset_ms)
{
	node_of(env)->clock_offset_ms = offset_ms;
}

void
sim_node_work_time(struct env *env, enum work_pool pool, uint64_t ns)
{
	must(pool < SIM_WORK_POOLS);
	node_of(env)->work_ns[pool] = ns;
}

/* ---- its ports ---- */

/* What its interface has: behind a router an address of the house. */
static struct addr
node_local(const struct sim_node *n)
{
	static const struct addr house = { .family = ADDR_IPV4, .ip = { 192, 168, 1, 2 } };

	return n->nat != NULL && n->ip.family == ADDR_IPV4 ? house : n->ip;
}

int
node_bind_check(const struct sim_node *n, const struct addr *bind)
{
	static const uint8_t unspecified[sizeof(bind->ip)];

	if (bind->family != n->ip.family)
		return ERR_UNSUPPORTED;
	if (memcmp(bind->ip, unspecified, sizeof(unspecified)) != 0 &&
	    memcmp(bind->ip, node_local(n).ip, sizeof(n->ip.ip)) != 0)
		return ERR_UNSUPPORTED; /* EADDRNOTAVAIL */
	return ERR_OK;
}

uint16_t
node_port_next(struct sim_node *n)
{
	return (uint16_t)(EPHEMERAL_FIRST + n->next_port++ % EPHEMERAL_COUNT);
}

/* ---- the rest of env_ops ---- */

static uint64_t
op_now(const struct env *env)
{
	struct sim_world *w = node_of(env)->world;

	fetch_some(&w->fetches);
	return w->uptime + w->now + 1;
}

static uint64_t
op_wall_ms(const struct env *env)
{
	const struct sim_node *n = node_of(env);
	uint64_t ms = n->world->now / MILLISECONDS(1);
	int64_t drift = (int64_t)ms * n->clock_drift_ppm / SIM_PPM;

	return SIM_EPOCH_MS + ms + (uint64_t)(n->clock_offset_ms + drift);
}

static void
op_random(struct env *env, void *out, size_t len)
{
	fetch_some(&node_of(env)->world->fetches);
	sim_random_bytes(&node_of(env)->random, out, len);
}

static void
op_timer_start(struct timer *t, uint64_t delay)
{
	struct sim_node *n = node_of(t->env);

	n->timers_armed += t->slot_plus1 == 0;
	world_at(n->world, t, later(n->world->now, delay));
}

static void
op_timer_stop(struct timer *t)
{
	struct sim_node *n = node_of(t->env);

	n->timers_armed -= t->slot_plus1 != 0;
	world_cancel(n->world, t);
}

static void
op_kick(struct env *env)
{
	struct sim_node *n = node_of(env);

	if (!timer_armed(&n->kick))
		world_at(n->world, &n->kick, n->world->now);
}

/* Literals only: a world without names. */
static int
op_resolve(
    struct env *env, const char *host, uint16_t port, struct addr *out, size_t cap, size_t *count)
{
	struct addr a = { .port = port };

	(void)env;
	if (inet_pton(AF_INET, host, a.ip) == 1)
		a.family = ADDR_IPV4;
	else if (inet_pton(AF_INET6, host, a.ip) == 1)
		a.family = ADDR_IPV6;
	else
		return ERR_NOT_FOUND;
	*count = MIN(cap, (size_t)1);
	if (cap > 0)
		out[0] = a;
	return ERR_OK;
}

static int
op_local_addrs(struct env *env, struct addr *out, size_t cap, size_t *count)
{
	*count = MIN(cap, (size_t)1);
	if (cap > 0)
		out[0] = node_local(node_of(env));
	return ERR_OK;
}

static const struct env_ops sim_ops = {
	.now = op_now,
	.wall_ms = op_wall_ms,
	.random = op_random,
	.timer_start = op_timer_start,
	.timer_stop = op_timer_stop,
	.hot = sim_hot,
	.timer_expect = sim_timer_expect,
	.udp_expect_send = sim_udp_expect_send,
	.kick = op_kick,
	.udp_open = sim_udp_open,
	.udp_local = sim_udp_local,
	.udp_send = sim_udp_send,
	.udp_close = sim_udp_close,
	.listen = sim_listen,
	.listener_local = sim_listener_local,
	.listener_close = sim_listener_close,
	.connect = sim_connect,
	.conn_set_handler = sim_conn_set_handler,
	.conn_want = sim_conn_want,
	.conn_read = sim_conn_read,
	.conn_write = sim_conn_write,
	.conn_local = sim_conn_local,
	.conn_close = sim_conn_close,
	.work_submit = sim_work_submit,
	.resolve = op_resolve,
	.local_addrs = op_local_addrs,
};
