/* Objects deleted by commands; skerry rm for addresses (for links: cmd_lease.c). */
#ifndef CMD_OBJECTS_RM_H
#define CMD_OBJECTS_RM_H

#include "cmd/buckets.h"
#include "cmd/objects.h"

struct objects_remove {
	const char *prefix;
	bool exact;    /* of keys, only the very prefix */
	bool versions; /* every version of them, for good; else as S3 deletes objects */
};
/* *deleted also after errors. */
SUSPENDS int objects_remove(
    struct client *c, struct realm_bucket *b, const struct objects_remove *what, uint64_t *deleted);

struct objects_rm {
	const char *command;
	const struct client_options *client;
	const char *address;
	bool recursive, versions;
	const char *version; /* NULL: the latest */
};
/* What `skerry rm sk://…` does; gives the exit code. */
int objects_rm_run(const struct objects_rm *r);
/* What `skerry stat sk://…` does. */
int objects_stat_run(const char *command, const struct client_options *client, const char *address,
    const char *version);

#endif
