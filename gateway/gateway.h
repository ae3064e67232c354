/*
 * The S3 gateway: an HTTP address at which the buckets of a realm answer as S3 does. Any number of
 * them may run on one realm.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway/realm.h"
#include "gateway/web.h"

#define GATEWAY_REGION        "us-east-1" /* what clients sign with when nobody tells them another */
#define GATEWAY_STOP_PATIENCE SECONDS(10) /* for requests under way */

struct gateway;

struct gateway_opts {
	struct env *env;     /* a real one */
	struct realm *realm; /* lent */
	struct addr addr;
	const char *const
	    *domains;       /* whose subdomains are buckets; "" at the end; lent; NULL: none */
	const char *region; /* lent; NULL: GATEWAY_REGION */
	const char *tls_certificate, *tls_key; /* PEM, lent; NULL: plain HTTP */
	/*
	 * What a new bucket has that says nothing of it. false: ACLs count and nothing is blocked,
	 * as S3 was until April 2023 and as most tools and tests expect; true: as it is since.
	 */
	bool buckets_closed;
	/* Reads are refused, too, while no quorum answers; else they are told what was last known,
	 * marked x-skerry-stale. */
	bool current_only;
	uint64_t lifecycle_day_ms; /* 0: LIFECYCLE_DAY_MS; shorter for tests */
};
/* ERR_EXISTS: the port is taken, ERR_PERMISSION. gives */
int gateway_open(const struct gateway_opts *opts, struct gateway **out);
void gateway_local(const struct gateway *g, struct addr *out);
/* Requests under way may end within the patience. NULL is accepted. */
SUSPENDS void gateway_close(struct gateway *g, uint64_t patience);

struct gateway_sight {
	uint64_t requests, errors_client, errors_server;
	size_t under_way;
	uint64_t expired, aborted; /* versions and uploads, by lifecycle rules */
};
void gateway_sight(const struct gateway *g, struct gateway_sight *out);

#endif
