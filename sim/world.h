/*
 * Inside of the simulated world, shared by world.c (time, nodes), line.c (bandwidth),
 * cut.c and clog.c (what does not pass), udp.c (datagrams), link.c and conn.c (byte
 * streams) and work.c. Nobody else includes it.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "overlay/base/env_ops.h"
#include "overlay/base/task.h"
#include "sim/agenda.h"
#include "sim/ahead.h"
#include "sim/random.h"
#include "sim/sim.h"

#define SIM_WORK_POOLS 2

struct sim_world {
	uint64_t now;
	uint64_t uptime;
	struct agenda events;     /* nodes' timers and the world's own, which have no env */
	struct sim_random random; /* trips and faults */
	bool regions;
	struct task_stacks *stacks; /* of all nodes' tasks: they take turns on one thread */
	size_t tasks_max;
	struct log *log;
	struct sim_faults faults;
	bool (*blocked)(void *arg, const struct addr *from, const struct addr *to);
	void *blocked_arg;
	uint64_t cuts[SIM_ISLANDS]; /* bit t of cuts[f]: nothing from island f to t */
	struct outage *outages;
	uint64_t outages_begun;
	struct clog **clogs; /* NULL until the first */
	size_t clogs_count;
	size_t poor_lines;
	struct packet *packets;    /* unused ones, udp.c */
	struct sim_node **buckets; /* nodes by IP */
	size_t buckets_count;
	size_t nodes_count;
	uint64_t nodes_removed;
	uint64_t nodes_added; /* numbers them: a restarted node draws a stream of its own */
	uint64_t events_count;
	uint64_t events_of[SIM_EVENT_KINDS]; /* streams are what is left */
	uint64_t hash;
	uint64_t seed;
	struct fetches fetches;
	bool closing;        /* sim_free lets what is under way run out */
	uint64_t at_instant; /* events since time last moved */
	struct sim_traffic traffic;
};

struct line_loss {
	struct sim_line_loss is;
	bool bad; /* in a burst */
};

/* Up to random what others who send to it read, up to kick what each event does. */
struct sim_node {
	struct env env;
	struct sim_node *bucket_next;
	struct addr ip; /* port 0 */
	bool dead;
	bool nat_refuses;
	uint8_t island;
	struct sim_place place;
	struct line *up, *down; /* NULL: unlimited from the beginning */
	struct nat *nat;        /* NULL: public */
	struct line_loss *loss; /* NULL: a good line */
	uint16_t outages;       /* that it is in */
	uint16_t next_port;
	int32_t clock_drift_ppm;
	struct sim_random random;
	int64_t clock_offset_ms;
	struct sim_world *world;
	uint64_t number;
	struct udp *udps;
	size_t timers_armed;
	const struct timer *expected;
	void (*expect)(void *arg, unsigned step); /* before it fires */
	line_run hot[HOT_RUNS];                   /* what its events read, see env_hot() */
	struct timer kick;
	enum sim_death death;
	void (*died)(void *arg);
	void *died_arg;
	size_t works[SIM_WORK_POOLS];
	uint64_t work_ns[SIM_WORK_POOLS];
	uint64_t work_start[SIM_WORK_POOLS]; /* when the pool's next work may start */
	struct listener *listeners;
	struct conn *conns;
	struct sim_disk *disk;
	bool own_disk;
};

struct sim_node *node_of(const struct env *env);
struct sim_node *world_node(const struct sim_world *w, const struct addr *ip); /* or NULL */
void world_each_node(
    struct sim_world *w, void (*fn)(void *arg, struct sim_node *n), void *arg); /* in no order */
/* The world's own events: t has no env. */
void event_init(struct timer *t, void (*fire)(void *arg), void *arg);
void world_at(struct sim_world *w, struct timer *t, uint64_t due);
void world_cancel(struct sim_world *w, struct timer *t);
void world_note(struct sim_world *w, uint64_t v); /* mixes v into the hash */

/* Whether a kernel would let the node bind to this address: its own, or none in particular. */
int node_bind_check(const struct sim_node *n, const struct addr *bind);
uint16_t node_port_next(struct sim_node *n); /* ephemeral, not checked for use */

/* ---- cut.c ---- */
bool world_blocked(
    const struct sim_world *w, const struct sim_node *from, const struct sim_node *to);
/* Draws whether a datagram is lost; the mean of that, for streams. */
bool world_loses(struct sim_world *w, struct sim_node *from, struct sim_node *to);
uint32_t world_loss_ppm(
    const struct sim_world *w, const struct addr *from_ip, const struct addr *to_ip);
void outages_meet(struct sim_node *n); /* a new node in the outages that there are */
void outages_clear(struct sim_world *w);

/* udp.c */
void world_packets_free(struct sim_world *w);

/* ---- clog.c ---- */
struct clog *world_clog(
    const struct sim_world *w, const struct addr *from, const struct addr *to); /* or NULL */
/* The event fires when the clog is over; false: no room, the datagram is lost. */
bool clog_hold(struct clog *c, struct timer *datagram);

/* ---- what env_ops point to ---- */
int sim_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out);
void sim_udp_local(const struct udp *u, struct addr *out);
int sim_udp_send(struct udp *u, const struct addr *to, struct bytes data);
void sim_udp_close(struct udp *u);

int sim_listen(struct env *env, const struct listen_opts *opts, struct listener **out);
void sim_listener_local(const struct listener *l, struct addr *out);
void sim_listener_close(struct listener *l);
int sim_connect(struct env *env, const struct addr *to, const char *path, struct conn **out);
void sim_conn_set_handler(struct conn *c, const struct conn_handler *h);
void sim_conn_want(struct conn *c, bool read, bool write);
int64_t sim_conn_read(struct conn *c, void *dst, size_t len);
int64_t sim_conn_write(struct conn *c, const struct bytes *parts, size_t count);
void sim_conn_local(const struct conn *c, struct addr *out);
void sim_conn_close(struct conn *c);
/* At the death of a node: breaks its connections; peers get resets or silence. */
void streams_die(struct sim_node *n, enum sim_death how);

int sim_work_submit(struct env *env, enum work_pool pool, struct work *w);

#endif
