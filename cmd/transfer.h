/*
 * Many objects between files and buckets, some at once: what cp, mv and sync stand on. The list of
 * what is to be done is made before; each job is one object.
 */
#ifndef CMD_TRANSFER_H
#define CMD_TRANSFER_H

#include "cmd/buckets.h"
#include "cmd/progress.h"

/* More open at once would take memory, not time: each has several chunks under way. */
#define TRANSFERS_AT_ONCE 6

enum transfer_kind { TRANSFER_UP, TRANSFER_DOWN, TRANSFER_COPY };

struct transfer_job {
	char *from, *to; /* path or key; "-": standard input or output */
	uint64_t bytes;  /* as listed */
	uint64_t modified_ms;
	bool wanted; /* of what is there, for sync */
};
struct transfer {
	struct client *c;
	enum transfer_kind kind;
	struct realm_bucket *source, *target; /* where they are buckets */
	const char *type;                     /* of contents put; NULL: not known */
	bool moves;                           /* the source goes when its copy is there */
	struct transfer_job *jobs;
	size_t count, cap;
	struct progress progress;
	/* While it runs. */
	size_t next, done, failed;
	uint64_t bytes, total;
	int err;             /* the first */
	struct input *waits; /* an input that may wait for the outside */
};

/* Copies both. ERR_NOMEM, ERR_TOO_BIG (a key). */
int transfer_add(
    struct transfer *t, const char *from, const char *to, uint64_t bytes, uint64_t modified_ms);
/* All of them; each failure is told, and the others go on. The exit code. */
SUSPENDS int transfer_run(struct transfer *t, const char *label, bool quiet);
void transfer_fini(struct transfer *t);

#endif
