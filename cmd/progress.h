/*
 * A bar with rate and time left on a terminal's stderr; nothing at all in a pipe. Loop thread only.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "overlay/base/env.h"

struct progress {
	struct timer timer; /* private, all of it */
	const char *label;
	bool shown, running;
	uint64_t done, total;
	uint64_t drawn_at, drawn_done, rate;
};

/* label is a literal. quiet: never shown. */
void progress_start(struct progress *p, struct env *env, const char *label, bool quiet);
void progress_update(struct progress *p, uint64_t done, uint64_t total); /* total 0: unknown */
/* Takes the bar away. Before any other line goes to stderr; may be called twice. */
void progress_stop(struct progress *p);

#endif
