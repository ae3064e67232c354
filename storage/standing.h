/*
 * How nodes have stood up to audits, as this node has seen it: Beta reputations with forgetting,
 * for integrity, availability and latency apart ([10]). Kept locally and never told: what is shared
 * are signed facts (evidence.h). Nobody starts with less trust than full; a doubt has to be earned.
 * All in thousandths, no floating point. Pure.
 */
#ifndef STORAGE_STANDING_H
#define STORAGE_STANDING_H

#include "overlay/base/types.h"
#include "overlay/base/err.h"

#define STANDING_UNIT   1000u
/* Each observation makes the older ones count 0.999: a year of doubt fades in a few of grace. */
#define STANDING_FORGET 1000u
/* More nodes than anybody shares chunks with; who has the least said of him makes room. */
#define STANDINGS_MAX   4096
#define STANDING_BYTES  24

enum standing_trait {
	STANDING_INTEGRITY,
	STANDING_AVAILABILITY,
	STANDING_LATENCY,
	STANDING_TRAITS
};

struct standing {
	struct pubkey node;
	struct {
		uint32_t good, bad;
	} of[STANDING_TRAITS]; /* observations · STANDING_UNIT */
	/* Not kept over restarts. */
	uint64_t audited_at; /* by us, last; env_now scale; 0: never */
	uint8_t busy;        /* times in a row that it had no time for us */
	uint8_t excused;     /* … and that what it had not was elsewhere */
	bool poor;           /* the last audit was late or had no answer */
	bool known_out;      /* was said in the log */
};

struct standings;

struct standings *standings_new(void);    /* gives; NULL: no memory */
void standings_free(struct standings *s); /* NULL accepted */
size_t standings_count(const struct standings *s);
/* Lent until the next standings_get(). NULL: nothing is known of it. */
struct standing *standings_find(const struct standings *s, const struct pubkey *node);
/* Finds or adds. NULL: no memory. */
struct standing *standings_get(struct standings *s, const struct pubkey *node);
/* All, in the order of their keys; NULL at the end. */
struct standing *standings_at(const struct standings *s, size_t i);

void standing_note(struct standing *one, enum standing_trait trait, bool good);
/* (good + 1) / (good + bad + 1) in thousandths. */
uint32_t standing_score(const struct standing *one, enum standing_trait trait);
/* Whether anything speaks against it. */
bool standing_doubted(const struct standing *one);
/*
 * Whether its shards count as lost and it is given no more: two lies in forty, which no honest disk
 * comes near, or mostly no answer, or mostly late ones.
 */
bool standing_out(const struct standing *one);

void standing_pack(const struct standing *one, uint8_t out[STANDING_BYTES]);
/* Of those that came out of the store. ERR_INVALID. */
int standing_unpack(struct bytes in, struct standing *out);

#endif
