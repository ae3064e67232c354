/*
 * Who may hold which shard ([9] of the design): pure. The uploader, the repairer and the
 * accepting nodes check the same functions.
 *
 * Hard always: one shard per node. Hard when the constraints name it: countries, regions, shards
 * per country, operator, network. Otherwise preferences, which placement_report tells.
 * Country, region and operator are the peers' signed claims; networks are facts.
 */
#ifndef STORAGE_PLACEMENT_H
#define STORAGE_PLACEMENT_H

#include "overlay/contact.h"
#include "overlay/peer_record.h"
#include "storage/lease.h"

#define CANDIDATES_MAX 256 /* scatter set: bounds siblings and correlated loss ([9]) */
/* They, and those who hold a shard already; the most that the functions below look at. */
#define PLACED_MAX     (CANDIDATES_MAX + SHARDS_MAX)

struct candidate {
	struct contact contact;
	struct pubkey operator_key;
	char country[2]; /* "\0\0": unknown */
	char region[PEER_REGION_MAX + 1];
	uint64_t network; /* addr_group(): /24 or /64 */
	uint64_t free_bytes;
	uint64_t srtt; /* ns; 0: unknown */
	uint32_t blames;
	bool taken; /* holds a shard of this chunk already: counts, is not chosen */
};

/* What a node says of itself; room and experience with it: nothing is known. */
void candidate_init(
    struct candidate *c, const struct contact *who, const struct peer_record *record);

/* A seeded source of choice, so that a simulation replays. */
struct placement_random {
	uint64_t (*below)(void *arg, uint64_t bound);
	void *arg;
};

/*
 * Chooses want more candidates for a chunk of k/n whose shards are shard_bytes long. chosen
 * receives indices into c, best first. Power-of-two choices on free space and latency, spread over
 * countries, operators and networks as far as it goes. Fewer than want when the rules or the
 * candidates allow no more: *count tells; ERR_PLACEMENT only when none fits.
 */
int placement_choose(const struct candidate *c, size_t candidates, const struct constraints *rules,
    uint64_t shard_bytes, size_t want, const struct placement_random *random, size_t *chosen,
    size_t *count);

/* Whether adding candidate to the taken ones keeps the rules; why gets a literal when not. */
bool placement_allows(const struct candidate *c, size_t candidates, size_t candidate,
    const struct constraints *rules, const char **why);

/* Whether there are rules by which placement_allows() could refuse anybody. */
bool placement_ruled(const struct constraints *rules);

/* Who could stop what: over the taken ones. */
struct placement_report {
	uint32_t shards, countries, regions, operators, networks;
	uint32_t most_in_country, most_in_operator, most_in_network;
	char country[2]; /* the one with most */
};
void placement_report(const struct candidate *c, size_t candidates, struct placement_report *out);
/* One sentence for people ("one country can stop this file (DE holds 5 of 8)"), "" when nothing
 * can. */
const char *placement_warning(
    const struct placement_report *r, uint8_t k, uint8_t n, char *out, size_t cap);

#endif
