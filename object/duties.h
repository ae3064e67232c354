/*
 * What an account needs now and then, by whoever runs a gateway for it and moved its head last: the
 * leases of its own bucket are prolonged and its trash carried out (content_keep.h); a day after a
 * bucket was deleted, what it had is let go of: parts of uploads, its trash, the chunks of its
 * state; then its record goes. What each living bucket needs is its user's to start.
 */
#ifndef OBJECT_DUTIES_H
#define OBJECT_DUTIES_H

#include "object/cloud.h"
#include "object/files.h"

/* Looked at so often. */
#define DUTIES_TURN      HOURS(1)
/* What cannot be reached so long after the deletion is forgotten: its leases end by themselves. */
#define DUTIES_GIVE_UP_S (30 * 24 * 3600)

struct duties;

struct duties_opts {
	struct files *files; /* lent; the cloud was given the same */
	struct cloud *cloud; /* lent, started */
	uint64_t wait_s;     /* after a deletion; 0: CONTENT_TRASH_WAIT_S; shorter in tests */
};
int duties_new(const struct duties_opts *opts, struct duties **out); /* gives; starts */
SUSPENDS void duties_free(struct duties *d);                         /* NULL accepted */

struct duties_sight {
	size_t waiting; /* deleted buckets whose day is not over, or that could not be let go of */
	size_t let_go, forgotten; /* this time */
	uint64_t chunks;          /* un-leased */
};
/* Without waiting: all deleted buckets whose time has come. */
SUSPENDS int duties_now(struct duties *d, struct duties_sight *out);

#endif
