/*
 * What a running node tells a Prometheus that asks `GET /metrics` on its own address (setting
 * `metrics`). The same numbers as sight.h, in another form. Nothing in it is secret, but it says
 * how much there is and what happens: so it is for this machine, unless `metrics-public` says
 * otherwise.
 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include "cmd/settings.h"
#include "overlay/base/buf.h"
#include "storage/node.h"

struct metrics;

struct metrics_opts {
	struct env *env;                 /* a real one */
	const struct settings *settings; /* lent, as the others */
	const struct log *log;           /* its counts are told; may be NULL */
	/* Where the node is found; NULL there: it is starting or stopping. */
	struct node *const *node;
};
/* Listens; before root is given up, so that any port may be used. Errors as http_open(). gives */
int metrics_open(const struct metrics_opts *opts, struct metrics **out);
/* To be told before the first answer that is to be of use. */
void metrics_local(const struct metrics *m, struct addr *out);
void metrics_close(struct metrics *m); /* NULL is accepted */

/* Whether a browser on this machine that was sent here under somebody's name is turned away. */
bool metrics_host_known(const char *host);

/* metrics_text.c: all that is told. ERR_NOMEM, ERR_TOO_BIG. */
struct metrics_about {
	const struct env *env;
	const struct settings *settings;
	const struct log *log;
	uint64_t started_ms; /* unix */
	uint64_t uptime_ms;
};
int metrics_text(const struct metrics_about *about, struct node *node, struct buf *out);

#endif
