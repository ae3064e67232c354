/*
 * The records one node keeps for others: pure, in memory, bounded, expiring. The caller
 * has validated them (record.h). Over the limit the keys farthest from the own id go
 * first, because others are nearer to those; but no network can fill more than a share with
 * what it brings while others are in want of room (shares.h has the rules).
 */
#ifndef DHT_RECORDS_H
#define DHT_RECORDS_H

#include "dht/record.h"

/* Sequences of peer and location records are Unix ms: from further ahead they are refused. */
#define RECORDS_AHEAD_MS (60 * 60 * 1000)

struct records;

struct records_opts {
	struct id self;
	uint64_t bytes_max; /* of records, their keys and the index */
};
struct records *records_new(const struct records_opts *opts); /* gives; NULL: out of memory */
void records_free(struct records *s);

struct records_how {
	uint64_t network; /* addr_group() of the sender; 0: ourselves, or one machine's network */
	uint64_t now;
	uint64_t wall_ms; /* 0: the time is not known, no date is checked */
};
/*
 * Keeps r, or a longer life of the same. ERR_STALE: a newer one of this publisher is here
 * (or four newer publishers); ERR_FULL: all that is kept, or all of a sender that has more than
 * its share, is nearer; ERR_INVALID: dated ahead of wall_ms or expired by its own date.
 * What is refused leaves the others as they were.
 */
int records_put(struct records *s, const struct record *r, const struct records_how *how);

/* Whether r has neither ended by its own date nor is dated ahead; readers ask that, too. */
bool records_date_ok(const struct record *r, uint64_t wall_ms);

/* Calls each with every record of the key (lent); false stops. Returns how many were given. */
size_t records_get(const struct records *s, const struct id *key, enum record_kind kind,
    uint64_t now, bool (*each)(void *arg, const struct record *r), void *arg);

/* Forgets what has expired; cheap enough for once a minute. Returns how many. */
size_t records_expire(struct records *s, uint64_t now);

size_t records_count(const struct records *s);
uint64_t records_bytes(const struct records *s);
/* Whether something had to go, or was refused, for lack of room. */
bool records_full(const struct records *s);

#endif
