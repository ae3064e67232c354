/*
 * The last resort when a quorum of anchors is gone for good, as `bucket recover` and `recover
 * --new-anchors` have it: asked before, and told afterwards, for a bucket or the account's own.
 */
#ifndef CMD_RECOVERED_H
#define CMD_RECOVERED_H

#include "cmd/client.h"
#include "object/cloud_recover.h"

/* Before anything is asked of the network. what: "sk://photos". False: said why. */
bool recovered_confirm(const char *command, const char *what, bool yes);
/* bucket: its name, NULL: the account's own. ERR_OK, ERR_IO. */
int recovered_tell(bool json, const char *bucket, const struct cloud_recovered *r);
/* Says why not, and gives the exit code. */
int recovered_fail(
    const struct client *c, int err, const char *what, const struct cloud_recovered *r);

#endif
