/*
 * One direction of a node's access line: a rate that concurrent transfers share
 * equally at any moment (processor sharing), and datagrams that pass between them.
 * A stream crosses two lines in a row, the sender's and the receiver's, so it runs
 * at the narrower share, and what it leaves of the wider one others use.
 *
 * A transfer is one event when it ends, whatever comes and goes meanwhile. Datagrams
 * cost no event: their delay is computed, and the transfers are slowed by their bytes.
 * As a router with fair queueing does, a datagram that finds k transfers waits for a frame
 * of each (at most SIM_LINE_LOAD of them), and datagrams together are one more sharer.
 */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include "sim/world.h"

/* Transfers whose frames a datagram waits for: routers let sparse flows pass many others. */
#define SIM_LINE_LOAD 16

struct flow { /* a transfer; embedded, zeroed at first; its owner calls line_leave before it goes */
	struct flow *prev, *next;
	struct line *line; /* NULL: does not run */
	uint64_t finish;
	void (*done)(void *arg); /* has left the line; may enter again */
	void *arg;
};

struct line *line_new(struct sim_world *w, uint64_t bytes_s); /* gives; a rate > 0 */
/* The owner is gone: what is under way passes at once, then the line frees itself. NULL: no-op. */
void line_orphan(struct line *l);
void line_set_rate(struct line *l, uint64_t bytes_s); /* 0: unlimited, all pass at once */
uint64_t line_rate(const struct line *l);             /* 0 also for NULL */

void line_enter(struct line *l, struct flow *f, size_t bytes); /* needs a rate */
void line_leave(struct flow *f);                               /* no-op when it does not run */
/* When a datagram that comes at `at` has passed; NULL or no rate: at once. */
uint64_t line_datagram(struct line *l, uint64_t at, size_t bytes);
/* Whether datagrams that came before need longer than `ns` from now on. */
bool line_full(const struct line *l, uint64_t ns);

#endif
