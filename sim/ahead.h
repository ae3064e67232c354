/*
 * Memory that coming events read is asked for before they come, a little at a time: processors
 * drop what is asked of them beyond two dozen lines under way. Inside of the world, see world.h.
 */
#ifndef SIM_AHEAD_H
#define SIM_AHEAD_H

#include "overlay/base/env.h"

struct sim_world;
struct sim_node;

/* Lines of memory one after the other: the address of the first, and how many follow it. */
#define RUN_LINE PREFETCH_LINE /* bytes, and lines of a run at most */
typedef uintptr_t line_run;

#define HOT_RUNS    12  /* of a node, see env_hot() */
#define FETCH_RUNS  128 /* power of two; of more the oldest are forgotten */
#define FETCH_BURST 8
struct fetches {
	line_run runs[FETCH_RUNS];
	size_t added, begun;
	uintptr_t line, end; /* of the run under way */
};

/* Called wherever the world is, some ten times an event. */
static inline void
fetch_some(struct fetches *f)
{
	for (int i = 0; i < FETCH_BURST; i++) {
		if (f->line == f->end) {
			line_run run;

			if (f->begun == f->added)
				return;
			run = f->runs[f->begun++ % FETCH_RUNS];
			f->line = run & ~(line_run)(RUN_LINE - 1);
			f->end = f->line + (run % RUN_LINE + 1) * RUN_LINE;
		}
		prefetch((const void *)f->line);
		f->line += RUN_LINE;
	}
}

void world_look_ahead(struct sim_world *w); /* before each event */
void world_expect(struct sim_world *w);     /* after each event */

/* world.c. world_node() is asked for ip soon: steps 0 and 1. */
void world_node_expect(struct sim_world *w, const struct addr *ip, unsigned step);

/* udp.c. Of a datagram under way: who gets it, if that is known, and who sent it. NULL for all
 * other timers. */
struct sim_node *packet_receiver(struct timer *t);
const struct addr *packet_from(struct timer *t);
void packet_expect(struct timer *t, unsigned step); /* see udp_opts; its receiver is in reach */

/* What env_ops point to. */
void sim_hot(struct env *env, const void *at, size_t len);
void sim_timer_expect(struct timer *t, void (*expect)(void *arg, unsigned step));
void sim_udp_expect_send(struct udp *u, const struct addr *to, unsigned step);

#endif
