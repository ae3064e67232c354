/*
 * Explores every state of a small head register: the real acceptors and proposers, all sequences of
 * delivery, loss and repetition (what was ever sent may arrive at any time, any number of times, or
 * never), crashes of anchors before what was not synced, restarts of writers. What it does not
 * check: signatures (left out), more than these bounds.
 */
#ifndef TEST_UNIT_STORAGE_REGISTER_MODEL_H
#define TEST_UNIT_STORAGE_REGISTER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_WRITERS 2

struct model_bounds {
	/*
	 * What each writer does, one letter after the other: W writes, R reads, D writes if the
	 * register is empty, E is asked what to write and ends instead, C puts anchor 3 in the
	 * place of anchor 2.
	 */
	const char *ops[MODEL_WRITERS];
	uint8_t counters[MODEL_WRITERS]; /* ballots up to this counter */
	uint8_t reads;                   /* read rounds for each life of a writer */
	uint8_t restarts;                /* of writers, together */
	bool give_up;                    /* operations may also end at their deadline */
	bool watches; /* writers look on before each ballot but the first; turns come at any time */
	uint32_t states_max;
};
struct model_result {
	uint32_t states, transitions;
	uint32_t anchors, writers, messages;                 /* different ones that were met */
	uint32_t heads_chosen;                               /* most in one state */
	uint32_t committed, read, declined, failed, unknown; /* ends of operations */
	bool all;          /* the whole space within the bounds; else only: */
	uint32_t depth;    /* every sequence of so many events */
	const char *wrong; /* NULL: every invariant held; the way there has been printed */
};
void model_explore(const struct model_bounds *b, struct model_result *out);

#endif
