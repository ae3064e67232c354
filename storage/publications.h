/*
 * When a bucket's two records under its finder key (storage/anchors.h, storage/salvage.h) were put
 * last by this process. It outlives the clients of the registers: a bucket is closed when nobody
 * uses it and opened for each look at it, but its records last two days. A new process knows
 * nothing and puts them again: what the storers had in memory may have gone with the same outage.
 * Pure; loop thread.
 */
#ifndef STORAGE_PUBLICATIONS_H
#define STORAGE_PUBLICATIONS_H

#include "storage/head.h"

/* An account's buckets and its own; where there are more, the one put longest ago is forgotten. */
#define PUBLICATIONS_MAX 1024
/* Both live two days at their storers. */
#define PUBLISH_EVERY    HOURS(12)

struct publication {
	struct pubkey finder;
	uint64_t anchors_at; /* env_now; 0: not by us */
	uint64_t epoch;      /* of the anchors that it names, */
	uint32_t configuration;
	uint64_t head_at;              /* env_now; 0: not by us */
	uint64_t head_epoch, head_seq; /* of the head that it has, */
	struct hash root;
	/* Of the table: */
	unsigned users;
	struct publication *next;
};
/* A newer configuration is due at once, an older one (of who has yet to follow) never. */
bool publication_anchors_due(
    const struct publication *p, uint64_t epoch, uint32_t configuration, uint64_t now);
void publication_anchors_put(
    struct publication *p, uint64_t epoch, uint32_t configuration, uint64_t now);
/* A newer head with another root is due at once, an older one never. */
bool publication_head_due(const struct publication *p, const struct head *h, uint64_t now);
void publication_head_put(struct publication *p, const struct head *h, uint64_t now);

struct publications { /* all zero: empty */
	struct publication *first;
	size_t count;
};
/*
 * Lends what is known of that key until publications_leave(); all who use one share it. NULL: no
 * memory.
 */
struct publication *publications_use(struct publications *t, const struct pubkey *finder);
void publications_leave(struct publications *t, struct publication *p); /* NULL: nothing */
void publications_fini(struct publications *t);                         /* nobody uses any */

#endif
