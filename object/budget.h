/*
 * Memory that many share: who needs some waits until there is enough, first come, first served.
 * Small needs have a part for themselves and wait among each other only, so that a short object is
 * not held up by the chunks of long ones. Memory comes with its share and is used again, because
 * the first use of fresh pages costs more than filling them. Loop thread.
 *
 * Nobody ends up waiting for ever as long as who has taken something gives it back without taking
 * more, but for this: who holds of the small kind may take of the large.
 */
#ifndef OBJECT_BUDGET_H
#define OBJECT_BUDGET_H

#include "overlay/base/task.h"

#define BUDGET_BYTES_DEFAULT MIB(128) /* of all uploads of a process; the same of all downloads */
/* What counts as small, with what is needed beside it, and the part that is kept for it. */
#define BUDGET_SMALL_BYTES   MIB(4)
#define BUDGET_SMALL_PART    8
#define BUDGET_SPARES_MAX    32 /* two for each of as many uploads as fit at once */

struct memory_budget;

struct budget_pot {
	uint64_t bytes, free;
	struct budget_waiter *head, *tail;
};

struct budget_spare {
	uint8_t *data;
	size_t bytes;
};

struct memory_budget { /* private */
	struct env *env;
	struct budget_pot small, large;
	struct budget_spare spares[BUDGET_SPARES_MAX];
	size_t spares_count;
	uint64_t spare_bytes;
};

/* bytes 0: the default. */
void budget_init(struct memory_budget *b, struct env *env, uint64_t bytes);
void budget_fini(struct memory_budget *b); /* all has been given back */

/* What was taken; starts zeroed: nothing. */
struct budget_share {
	uint8_t *data; /* what was asked for, or more; its contents are undefined */
	size_t data_bytes;
	struct memory_budget *of; /* private from here */
	struct budget_pot *pot;
	uint64_t bytes;
};
/* By size what is small is small: data and what is beside it. */
enum budget_kind { BUDGET_BY_SIZE, BUDGET_SMALL, BUDGET_LARGE };
struct budget_need {
	enum budget_kind kind;
	size_t data_bytes; /* memory that is given; 0: none */
	uint64_t beside;   /* as much is used beside it, which the caller has from elsewhere */
};
/*
 * Who asks for more than there is gets it when it has all for itself. ERR_NOMEM; ERR_CANCELED,
 * ERR_TIMEOUT: nothing taken.
 */
SUSPENDS int budget_take(
    struct memory_budget *b, const struct budget_need *need, struct budget_share *out);
/* Only what is there at once and nobody waits for; false: nothing taken. */
bool budget_try(struct memory_budget *b, const struct budget_need *need, struct budget_share *out);
void budget_lower(struct budget_share *share); /* what was beside is over */
void budget_give(struct budget_share *share);  /* and zeroes it */

#endif
