/*
 * What can be wrong with the simulated network beyond the rare faults of model.h:
 * routers in front of nodes, poor lines, partitions, outages, clogged links. They add
 * up: something arrives only where all of them let it. All state belongs to the
 * network, not to a process, except what struct sim_node_opts sets. Part of sim.h.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim/model.h"
#include "sim/nat.h"

struct sim_world;

#define SIM_FOREVER       UINT64_MAX
/* Islands are counted in one word of bits; scenarios use a handful. */
#define SIM_ISLANDS       64
/* Datagrams that a clogged link holds, then it drops the newest: Linux's queue of a device. */
#define SIM_CLOG_QUEUE    1000
/* What waits for a downlink, then it drops: cable head ends have been seen to hold seconds. */
#define SIM_DOWNLINK_WAIT SECONDS(2)

/* ---- a poor line: in parts per million of its datagrams, on top of the world's faults ---- */
struct sim_line_loss {
	uint32_t out_ppm, in_ppm; /* one of them alone: a line that is deaf or mute in part */
	/*
	 * Bursts (Gilbert and Elliott): two states; a datagram of either direction ends the
	 * good one with chance start, the bad one with chance end; in the bad one `loss`.
	 */
	uint32_t burst_start_ppm, burst_end_ppm, burst_loss_ppm;
};

void sim_node_loss(struct env *env, const struct sim_line_loss *loss); /* all 0: a good line */

/* ---- partitions ---- */
/*
 * blocked: nothing from `from` arrives at `to` (asked one way at a time, so links may be
 * asymmetric; streams need both). Ports are 0. NULL heals. A pure function of its arguments
 * and of state that changes only between runs or in events.
 */
void sim_partition(struct sim_world *w,
    bool (*blocked)(void *arg, const struct addr *from, const struct addr *to), void *arg);
/*
 * The same by sets: every node is on an island (0 at first, or by its options; < SIM_ISLANDS),
 * and from one island to another, or to itself, the way can be cut. One way only.
 */
void sim_node_island(struct env *env, unsigned island);
void sim_cut(struct sim_world *w, unsigned from, unsigned to);
void sim_cut_off(struct sim_world *w, unsigned island); /* from and to all others */
void sim_cut_all(struct sim_world *w);                  /* each island from every other */
void sim_heal(struct sim_world *w);                     /* all cuts; not sim_partition's */

/* ---- outages of whole networks ---- */
/*
 * For ns all nodes of the scope, also those that come meanwhile, are silent: nothing
 * that they send leaves, nothing arrives, except on their own loopback. Their processes live on.
 * Gives the outage's number; several may overlap.
 */
uint64_t sim_outage(struct sim_world *w, const struct sim_scope *scope, uint64_t ns);
void sim_outage_end(struct sim_world *w, uint64_t number); /* early; no-op when it is over */
bool sim_node_in_outage(const struct env *env);

/* ---- clogged links ---- */
/*
 * For ns nothing arrives from `from` at `to` (ports ignored; to NULL: on the line of
 * `from`, both ways); then all that was held does, in order: SIM_CLOG_QUEUE datagrams, and
 * streams, unless their patience ended before (SIM_STREAM_TIMEOUT). Streams need both ways.
 * Clogging anew sets the time anew.
 */
void sim_clog(struct sim_world *w, const struct addr *from, const struct addr *to, uint64_t ns);
void sim_unclog(struct sim_world *w, const struct addr *from, const struct addr *to);
/* How long it will last; 0: there is no clog of just these two. */
uint64_t sim_clog_left(const struct sim_world *w, const struct addr *from, const struct addr *to);
void sim_unclog_all(struct sim_world *w);

#endif
