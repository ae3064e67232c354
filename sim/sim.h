/*
 * A simulated world: many nodes in one process and one thread, each with an
 * env of its own, on virtual time. One heap of events ordered by (time, number)
 * drives everything, all chance comes from the seed, and a rolling hash of the
 * events proves that two runs were the same. The code under test is the real one,
 * from struct env upwards.
 *
 * Life of a node: sim_node_add, then the owner builds its objects on the env;
 * to stop, the owner frees them (running the world while tasks unwind) and calls
 * sim_node_remove. To die without farewell: sim_node_kill, then the same; nothing
 * that the node does after the kill has an effect: nothing leaves or reaches it, its disk
 * answers ERR_IO, its connections are broken, its log is off. Timers, tasks and
 * offloaded work go on, because cancelled tasks need them to unwind.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "overlay/base/env.h"
#include "sim/disk.h"
#include "sim/model.h"
#include "sim/net.h"

/* 2026-01-01T00:00:00Z: when every world begins. */
#define SIM_EPOCH_MS       UINT64_C(1767225600000)
/* A task that a test waits for; far above any deadline in the product. */
#define SIM_TASK_TIMEOUT   HOURS(1)
/* Unread and unacknowledged bytes per direction of a stream: Linux's usual send buffer. */
#define SIM_STREAM_WINDOW  KIB(256)
/* After so long without an answer a stream breaks and a connect gives up (TCP_USER_TIMEOUT). */
#define SIM_STREAM_TIMEOUT SECONDS(30)
/* What a node's uplink queues before datagrams are refused: a home router's buffer. */
#define SIM_UPLINK_QUEUE   MILLISECONDS(500)
/* Of a line, in bytes a second: more would overflow the arithmetic, and is as good as unlimited. */
#define SIM_RATE_MAX       GIB(1024)
/* Time of offloaded work whose cost nobody stated. */
#define SIM_WORK_CPU       MICROSECONDS(50)
#define SIM_WORK_DISK      MICROSECONDS(200)
/* Events at one instant that can only be a loop without progress. */
#define SIM_INSTANT_MAX    10000000

struct sim_world;

struct sim_opts {
	uint64_t seed;
	bool regions;             /* false: one machine room, see model.h */
	struct sim_faults faults; /* can be changed later */
	bool guard_pages;         /* a guard page per task stack; off: canaries, any number */
	size_t tasks_max;         /* per node; 0: TASKS_MAX */
	uint64_t uptime;          /* what env_now() shows at the beginning: room for a past */
	struct log *log;          /* lent, of all nodes; may be NULL */
};

struct sim_world *sim_new(const struct sim_opts *opts); /* gives */
void sim_free(struct sim_world *w);                     /* all nodes are removed */

/* ---- nodes ---- */
struct sim_node_opts {
	struct addr ip;     /* port ignored; unique among the nodes there are */
	int region;         /* -1: drawn, see place.h */
	char country[3];    /* "": drawn within the region */
	uint32_t as_number; /* 0: drawn within the country */
	uint64_t access_ns; /* 0: drawn where regions are on, else none */
	enum sim_nat nat;   /* its router; connections from outside are dropped */
	bool nat_refuses;   /* … or refused */
	uint8_t island;     /* see net.h */
	struct sim_line_loss loss;
	int64_t clock_offset_ms;
	int32_t clock_drift_ppm; /* of its wall clock; the monotonic one is true */
	uint64_t up_bytes_s;     /* bandwidth; 0: unlimited */
	uint64_t down_bytes_s;
	struct sim_disk *disk; /* lent, outlives the node; NULL: an own one that goes with it */
	/* Called when the node dies, by whatever; at that very point, on any stack. May be NULL. */
	void (*died)(void *arg);
	void *died_arg;
};

struct env *sim_node_add(struct sim_world *w, const struct sim_node_opts *opts); /* gives */
/* The owner has closed all handles, stopped its timers, ended its tasks and work. */
void sim_node_remove(struct env *env);

enum sim_death {
	SIM_KILLED, /* the process: its kernel resets connections and refuses new ones */
	SIM_SILENT, /* the machine or its line: peers find out by timeouts */
};
/*
 * Allowed at any moment, also inside a callback of the node. A crash of its disk, armed
 * or not, does the same silently at that very point. The disk then waits for
 * sim_disk_power_loss or sim_disk_restart. After sim_node_remove the address is silent.
 */
void sim_node_kill(struct env *env, enum sim_death how);
bool sim_node_dead(const struct env *env);
struct addr sim_node_ip(const struct env *env); /* port 0 */
const struct sim_place *sim_node_place(const struct env *env);
struct sim_disk *sim_node_disk(struct env *env);
void sim_node_bandwidth(struct env *env, uint64_t up_bytes_s, uint64_t down_bytes_s);
void sim_node_clock(struct env *env, int64_t offset_ms); /* its wall clock jumps */
/* Slow machines and disks: how long a work of this pool takes. */
void sim_node_work_time(struct env *env, enum work_pool pool, uint64_t ns);

/* ---- the network: more in net.h ---- */
void sim_set_faults(struct sim_world *w, const struct sim_faults *faults);

/* ---- running ---- */
uint64_t sim_now(const struct sim_world *w); /* ns since the beginning */
void sim_run_for(struct sim_world *w, uint64_t ns);
/* Until cond (asked after every event) or for max_ns; whether cond came true. */
bool sim_run_until(struct sim_world *w, bool (*cond)(void *arg), void *arg, uint64_t max_ns);
/*
 * Runs fn as a task of env to its end and gives its result. After SIM_TASK_TIMEOUT it
 * is cancelled: ERR_TIMEOUT. ERR_BUSY when the env has no room for a task.
 */
int sim_run_task(struct sim_world *w, struct env *env, int (*fn)(void *arg), void *arg);

/* ---- what happened ---- */
uint64_t sim_events(const struct sim_world *w);     /* how many so far */
uint64_t sim_event_hash(const struct sim_world *w); /* equal runs, equal hashes */
/* What an event was. */
enum sim_event_kind {
	SIM_EVENT_TIMER,    /* a node's timer */
	SIM_EVENT_DATAGRAM, /* one arrived */
	SIM_EVENT_STREAM,   /* bytes, acknowledgements, connects, lines */
	SIM_EVENT_WORK,     /* offloaded work ended */
	SIM_EVENT_TURN,     /* a node's tasks ran */
	SIM_EVENT_KINDS,
};

void sim_events_by_kind(const struct sim_world *w, uint64_t out[SIM_EVENT_KINDS]);
struct sim_traffic {
	uint64_t datagrams_sent;
	uint64_t datagrams_received; /* delivered to a socket; duplicates count twice */
	uint64_t datagram_bytes_sent;
	uint64_t stream_bytes_sent;
};
void sim_traffic(const struct sim_world *w, struct sim_traffic *out);

#endif
