/* Inside of the workload: workload.c (rates, the DHT) and workload_objects.c. */
#ifndef SIM_WORKLOAD_PRIVATE_H
#define SIM_WORKLOAD_PRIVATE_H

#include "sim/workload.h"

struct pace { /* a timer for each kind of operation */
	struct workload *workload;
	struct timer timer;
	enum op_kind kind;
};

struct probe { /* of the key that one fault's Sybils surround */
	struct key owner;
	bool stored; /* a put of it succeeded */
};

struct workload {
	struct fleet *fleet;
	struct result *result;
	struct sim_random random;
	struct pace paces[OP_KINDS];
	const struct timeline *timeline; /* NULL: nothing is attacked */
	struct timer probe;
	struct probe probes[SCENARIO_FAULTS_MAX];
	bool measured;
	size_t running, asked; /* operations; of them those of workload_lookups */
	uint64_t made;         /* operations so far: numbers them */
	struct interval interval;
	const struct fault_clock *clock; /* NULL: nobody watches */
	struct coverage *coverage;
	struct id *records; /* keys of records that were stored: a ring */
	uint64_t records_count;
	struct user **users;
	size_t users_count;
	struct object **objects;
	size_t objects_count, objects_cap, objects_wanted;
};

/* At the beginning of an operation: *began; at its end: what it met. */
void workload_op_begins(const struct workload *w, struct fault_clock *began);
void workload_op_ends(
    struct workload *w, enum op_kind kind, const struct fault_clock *began, int err);

/* One put or get of an object by a random user. */
void workload_object_put(struct workload *w);
void workload_object_get(struct workload *w);
void workload_objects_free(struct workload *w);

#endif
