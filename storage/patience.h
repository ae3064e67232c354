/*
 * How long a keeper waits: between two questions to a sibling, until a silent one counts as gone,
 * until it is asked or sought again. Times as documented, before a network's pace divides them.
 * Pure.
 */
#ifndef STORAGE_PATIENCE_H
#define STORAGE_PATIENCE_H

#include "overlay/base/types.h"

/* A tour where a loss must be noticed soon (eager codes), and where it may wait (lazy ones). */
#define TOUR_EAGER          SECONDS(200)
#define TOUR_LAZY           MINUTES(40)
/* … and twice as long for each shard more that lives than repair is due at one loss from now: until
 * then nothing follows from a loss. Never longer: leases and lost shards come to light, too. */
#define TOUR_MOST           HOURS(8)
#define QUESTIONS_IN_GRACE  3 /* where a network's grace is longer, questions are rarer */
/* So long may a sibling be silent until its shards count as lost: a restart, a lost line … */
#define GRACE_EAGER         MINUTES(10)
/* … or an evening offline, where the code has shards to spare. */
#define GRACE_LAZY          HOURS(2)
/* Who came back says so himself; that it is asked for serves those who have forgotten us. */
#define AGAIN_MOST          DAYS(1)
/* A silent one's address is looked up once before the shorter grace is over, after a day, and then
 * whenever it has been silent for twice as long: a lookup costs as much as fifty questions, and who
 * has moved and remembers us asks us himself. */
#define SEEK_AFTER          MINUTES(5)
#define SEEK_EVERY          DAYS(1)
/* Segments are looked through for dead space: what is full and waits for it waits no longer. */
#define COMPACT_EVERY       MINUTES(15)
/* A repair that failed is tried again after a claim's time, twice, … at most so many times that. */
#define RETRY_DOUBLINGS_MAX 3

/* So many chunks are repaired at a time: one alone waits for its disks and lines most of the time.
 */
#define REPAIRS_AT_ONCE 3
/* What the repair of the longest chunk moves at most, by codes up to n = 2k: it is read once, and
 * as much is written. */
#define REPAIR_MOVES    (2 * MIB(64))

/*
 * How many repairs at a time, where they may move so many bytes a second (0: no limit) and others
 * wait so long for one that was claimed. Where the rate is what they wait for, each more only makes
 * all take longer: one after the other, and whoever has nothing to do takes up the next.
 */
uint8_t patience_repairs(uint64_t bytes_s, uint64_t claim);
/* A chunk's siblings are asked so often, where they may be silent for a grace. */
uint64_t patience_between(uint8_t alive, uint8_t r, uint8_t n, uint64_t grace);
/* Who has been silent so long is asked again so long after the last question. */
uint64_t patience_again(uint64_t silent_for);
/* Whether its address is to be looked up; since: it was, or not yet: since it fell silent. */
bool patience_seek(uint64_t silent_for, uint64_t since);

#endif
