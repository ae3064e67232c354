/*
 * Is a history of a list linearizable? Operations append a mark or read the whole list; each took
 * some time, and of some nobody knows whether they took place. Searches for one sequence that
 * explains all results (Wing and Gong, "Testing and Verifying Concurrent Objects", 1993; with the
 * memory of Lowe, 2017). What it does not check: anything that no operation returned.
 */
#ifndef TEST_UNIT_STORAGE_LINEAR_H
#define TEST_UNIT_STORAGE_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#define LINEAR_OPS_MAX 64
#define LINEAR_NEVER   UINT64_MAX

struct linear_op {
	uint64_t call, ret; /* LINEAR_NEVER: it may take place at any time since, or not at all */
	uint32_t mark;      /* appended; 0: a read */
	/* What was returned: the list, of an append with its mark at the end. ret NEVER and not 0:
	 * known from elsewhere; such knowledge makes the search short. */
	uint64_t list;
};
/* Of the empty list it is 0. */
uint64_t linear_append(uint64_t list, uint32_t mark);
bool linear_check(const struct linear_op *ops, uint32_t count);

#endif
