/*
 * The file that a gateway is given instead of the seed (object/delegation.h): made by skerry key
 * delegate, read by skerry gateway --delegate.
 */
#ifndef CMD_DELEGATE_H
#define CMD_DELEGATE_H

#include "cmd/buckets.h"
#include "object/cloud_delegate.h"

/* Makes one with label and grants of the key; says so, or why not; gives the exit code. */
SUSPENDS int delegate_make(
    struct buckets *b, const char *path, const struct access_key *key, uint64_t days, bool json);
/* A line, or an object for machines. */
int delegate_tell(const struct cloud_delegate *d, bool json);
/* Of this network; says why not. */
SUSPENDS int delegate_read(const struct client *c, const char *path, struct delegation *out);

#endif
