/*
 * The peers of a simulated network: each member is a whole node of the product
 * (storage/node.h) on an env of its own, started, stopped, killed and brought back. A member is
 * *offline* while its process is away and its disk and identity wait for it, and *gone* when
 * both are lost; somebody new then takes its slot. Everything follows from seed and scenario.
 *
 * Starting and stopping take simulated time; both return at once and `changed` tells the end.
 * Nothing here may be called from inside a member's own task, but for what says so.
 */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "overlay/base/task.h"
#include "sim/liar.h"
#include "sim/oracle.h"
#include "sim/result.h"
#include "sim/scenario.h"
#include "sim/sim.h"
#include "storage/node.h"

#define FLEET_PORT        7000
#define FLEET_MEMBERS_MAX 1000000
/* Where a storing member keeps its things on its disk. */
#define FLEET_DIR         "/node"
/* Peer book of a node in a network of more than FLEET_SMALL members: memory, see doc/simulation.md.
 */
#define FLEET_SMALL       1000
#define FLEET_BOOK        32

enum member_state {
	MEMBER_OFFLINE,  /* and before its first start */
	MEMBER_STARTING, /* its process runs and joins */
	MEMBER_UP,
	MEMBER_STOPPING,
};

enum fleet_end {
	FLEET_FAREWELL, /* an orderly stop */
	FLEET_KILLED,   /* the process: connections are reset */
	FLEET_SILENT,   /* the machine: peers find out by timeouts */
};

struct fleet;

struct member {
	struct fleet *fleet;
	uint32_t index;
	uint32_t generation; /* how many had this slot before */
	enum member_state state;
	bool storing, server;
	bool power;        /* its disk loses what was not synced before it comes back */
	bool again;        /* wished to be started as soon as it has stopped */
	bool held;         /* not to be started, see fleet_hold */
	bool due;          /* wished to be started as soon as it is not held any more */
	bool gone;         /* wished to be somebody new by then */
	unsigned lies;     /* now */
	unsigned own_lies; /* also when no fault makes it lie */
	int64_t clock_ms;  /* how wrong its machine's wall clock is, jumps included */
	int32_t drift_ppm;
	struct sim_place place; /* the access line: from its first start on */
	enum sim_nat nat;
	struct contact contact;
	struct identity
	    *ground;       /* of a Sybil: found beside a key; else NULL, it follows from the slot */
	struct env *env;   /* NULL: offline */
	struct node *node; /* while up */
	struct liar *liar; /* while up, of a liar */
	struct sim_disk *disk;  /* of a storing member: outlives restarts; else NULL */
	uint64_t up_since;      /* sim_now */
	struct task_group life; /* its start and stop */
	struct task_group work; /* what the simulation runs on it; ends before the node does */
	struct timer reap;      /* of the director */
};

struct fleet_opts {
	uint64_t seed;
	size_t members;
	const struct scenario *scenario; /* lent */
	struct log *log;                 /* lent; of all nodes; may be NULL */
	/* When a member is up, or offline (maybe as somebody new); on the loop. May be NULL. */
	void (*changed)(void *arg, struct member *m);
	void *arg;
};

struct fleet *fleet_new(const struct fleet_opts *opts); /* gives; nobody is up yet */
void fleet_free(struct fleet *f);                       /* stops everybody */

struct sim_world *fleet_world(struct fleet *f);
struct env *fleet_director(struct fleet *f); /* a machine without a node, whose timers strike */
struct sim_random *fleet_dice(struct fleet *f);
const struct scenario *fleet_scenario(const struct fleet *f);
struct network_id fleet_net(const struct fleet *f);
size_t fleet_count(const struct fleet *f);
struct member *fleet_member(struct fleet *f, size_t i);
const struct oracle *fleet_oracle(const struct fleet *f);         /* servers that are up */
struct member *fleet_by_id(struct fleet *f, const struct id *id); /* up and a server; else NULL */
uint32_t fleet_up(const struct fleet *f);
uint32_t fleet_offline(const struct fleet *f); /* not up; who was retired is no member any more */
uint64_t fleet_gone(const struct fleet *f);
/* How often somebody came up since all had started, and went, not for good; Sybils left out. */
void fleet_moves(const struct fleet *f, uint64_t *joined, uint64_t *left);
/* Any member that is up and a server, liars left out; NULL: there is none. */
struct member *fleet_any(struct fleet *f);
/* Up to cap servers that are up, for somebody new to knock at; how many. */
size_t fleet_doors(struct fleet *f, const struct member *without, struct contact *out, size_t cap);

/*
 * Everybody at once but those whom the scenario's churn has away at such a moment, with tables as
 * in a network that is years old (fleet_seed.c), the scenario's share of their contacts dead: first
 * those of the absent. At least as many storing members as a chunk has shards are there, if there
 * are so many, and somebody who can be reached. Runs the world.
 */
void fleet_start_all(struct fleet *f);
/* Fills the tables of all that are up; used by fleet_start_all. */
void fleet_seed_tables(struct fleet *f);

/* Whoever is offline comes back. */
void fleet_wake_all(struct fleet *f);

/* ---- sight ---- */
struct fleet_tables {                      /* over at most 200 of those that are up */
	uint64_t members, contacts, stale; /* stale: contacts that are not up */
};
void fleet_tables(struct fleet *f, struct fleet_tables *out);
/* Bytes sent by all members so far, by purpose, those that have stopped included. */
void fleet_traffic(struct fleet *f, uint64_t out[TRAFFIC_CLASSES]);
/* Bytes of shards that repairs have moved so far, those of the stopped included. */
struct fleet_repaired {
	uint64_t moved, own; /* over the network; read by coordinators from their own disks */
};
void fleet_repaired(const struct fleet *f, struct fleet_repaired *out);

/* AS number of the provider with the most members (rank 0), the next … false: so many are none. */
bool fleet_provider(const struct fleet *f, unsigned rank, uint32_t *as_number);

/* ---- one member ---- */
void fleet_start(struct member *m); /* offline: joins by somebody who is up. Allowed any time */
/* Up or starting. gone: its identity and disk are lost, somebody new has the slot then. */
void fleet_stop(struct member *m, enum fleet_end how, bool gone);
/*
 * Stops it likewise and keeps it down, whoever wishes to start it. Let go, it starts if it ran when
 * it was held, or if somebody wished so since: who was away before comes back in its own time.
 */
void fleet_hold(struct member *m, enum fleet_end how, bool gone);
void fleet_let_go(struct member *m); /* no-op for who is not held */
void fleet_retire(struct member *m); /* a Sybil: holds it for ever */
/* The wall clock of its machine, which stays wrong whatever becomes of the process. */
void fleet_jump(struct member *m, int64_t by_ms);
/* Makes a running member lie from now on, or a later start of it. */
void fleet_make_liar(struct member *m, unsigned lies);
/*
 * A new liar beside the others whose id shares `bits` leading bits with target; joins, in a slot
 * behind the members. NULL: no slot is free, or no such id was found.
 */
struct member *fleet_add_sybil(
    struct fleet *f, const struct id *target, unsigned bits, unsigned lies);

#endif
