/*
 * Memory that many share: who needs some waits until there is enough, first come, first served.
 * Small needs have a part for themselves and wait among each other only, so that a short object is
 * not held up by the chunks of long ones. Loop thread.
 *
 * Nobody ends up waiting for ever as long as who has taken something gives it back without taking
 * more of the same kind (or of the small kind while it holds of the large).
 */
#ifndef OBJECT_BUDGET_H
#define OBJECT_BUDGET_H

#include "overlay/base/task.h"

#define BUDGET_BYTES_DEFAULT MIB(128) /* of all uploads of a process; the same of all downloads */
/* What counts as small, with what its put needs beside it, and the part that is kept for it. */
#define BUDGET_SMALL_BYTES   MIB(4)
#define BUDGET_SMALL_PART    8

struct budget_pot {
	uint64_t bytes, free;
	struct budget_waiter *head, *tail;
	size_t waiting;
};

struct memory_budget {
	struct env *env;
	struct budget_pot small, large;
};

/* bytes 0: the default. It must outlast all that is taken. */
void budget_init(struct memory_budget *b, struct env *env, uint64_t bytes);

/* What was taken; zero: nothing. */
struct budget_share {
	struct budget_pot *pot;
	uint64_t bytes;
};
/* More than there is at all is taken for all. ERR_CANCELED, ERR_TIMEOUT: nothing taken. */
SUSPENDS int budget_take(struct memory_budget *b, uint64_t bytes, struct budget_share *out);
/* Only what is there at once and nobody waits for; false: nothing taken. */
bool budget_try(struct memory_budget *b, uint64_t bytes, struct budget_share *out);
void budget_give(struct budget_share *share); /* and zeroes it */

#endif
