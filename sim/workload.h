/*
 * What the members and the users do in a scenario: lookups of random ids, records put and
 * got, objects put and got, at the scenario's rates, each as a task on a member (or user) that is
 * up. What comes of it goes into the result and, for the plots, into an interval.
 *
 * An operation whose member ends under it counts nowhere.
 */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "sim/fleet.h"
#include "sim/result.h"
#include "sim/timeline.h"
#include "sim/user.h"

/* Records that gets choose from: the newest. */
#define WORKLOAD_RECORDS 4096

enum op_kind { OP_LOOKUP, OP_RECORD_PUT, OP_RECORD_GET, OP_OBJECT_PUT, OP_OBJECT_GET, OP_KINDS };
const char *workload_op_name(enum op_kind kind);

struct interval { /* since the last sample */
	uint64_t lookups, lookups_failed, found, truth;
	struct histogram first, done;
};

/* What operations met: counted at their end, by faults that were active at any time of them. */
struct coverage {
	uint32_t during[OP_KINDS][FAULT_KINDS], quiet[OP_KINDS];
	uint32_t refused[OP_KINDS]; /* ended with an error */
};

struct workload;

struct workload *workload_new(
    struct fleet *f, struct result *r); /* gives; users join: runs the world */
void workload_free(struct workload *w); /* after workload_stop; runs the world */
/* From now on operations begin; measured: they count. */
void workload_start(struct workload *w, bool measured);
void workload_stop(struct workload *w); /* no new ones */
/* clock: of the timeline. Both lent; NULL: no more. */
void workload_watch(struct workload *w, const struct fault_clock *clock, struct coverage *out);
/*
 * From now on the records whose keys Sybils surround are put and got at a rate of their own, and
 * counted apart. t is lent until workload_stop.
 */
void workload_probe(struct workload *w, const struct timeline *t);
size_t workload_running(const struct workload *w);
struct interval *workload_interval(struct workload *w); /* the caller resets it */

/*
 * Runs so many lookups, at most `at_once` of them under way, and waits for them: runs the world.
 * What goes on besides goes on. halted is asked after each event: true ends it early.
 */
void workload_lookups(
    struct workload *w, uint64_t count, size_t at_once, bool (*halted)(void *arg), void *arg);

/* How large the next object is: from object_least to object_most, each factor as likely. */
uint64_t workload_draw_bytes(const struct scenario *s, struct sim_random *r);

/* ---- objects: acknowledged ones ---- */
size_t workload_objects(const struct workload *w);
struct object *workload_object(struct workload *w, size_t i);
/* A chunk is lost: where the scenario says so, another object will be put for the one that had it.
 */
void workload_chunk_lost(struct workload *w, const struct hash *chunk);
size_t workload_users(const struct workload *w);
struct user *workload_user(struct workload *w, size_t i); /* i < users */

#endif
