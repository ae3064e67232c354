/*
 * Countdown faults: one operation of a whole network is run again and again, and the disk of one
 * node fails at its 1st, 2nd, 3rd … write, sync, change of a name, allocation or read. Each run is
 * a child that forked when all was prepared, so the beginning costs nothing.
 *
 *	prepare → count the points → for each: fork → fault → operation → heal → check
 *
 * What is checked behind every fault: see countdown.c. Not checked: how long things take beyond
 * COUNTDOWN_HEAL, and LMDB (the index is in memory).
 *
 * SKERRY_FAULTS=all in the environment walks every point; else a seeded sample of each walk.
 * SKERRY_FAULTS=STORY:KIND:POINT runs that point alone, in this process, for a debugger.
 */
#ifndef TEST_SCENARIO_COUNTDOWN_H
#define TEST_SCENARIO_COUNTDOWN_H

#include "test/scenario/world.h"

/* Tours, grace, claims and leftovers of a network at the world's pace; most need minutes. */
#define COUNTDOWN_HEAL HOURS(3)

struct scene {
	struct world *w;
	size_t nodes;
	size_t victim;            /* whose disk fails */
	size_t dead;              /* a node that is killed on the way, for good; SIZE_MAX: none */
	const char *kept[4];      /* files that must be there in the end; NULL at the end */
	uint64_t receipts;        /* shards that the victim has confirmed to have */
	uint64_t shards_expected; /* over all nodes, in the end; 0: not known */
	bool spoilt;              /* the victim has shards that do not verify */
	bool leaves;              /* the victim keeps nothing in the end */
	char wrong[240];          /* the first broken promise; empty: none */
};

struct story {
	const char *name;
	size_t nodes;
	void (*prepare)(struct scene *s); /* the world is there */
	void (*act)(struct scene *s);     /* ends whatever the disk does */
	bool (*done)(struct scene *s);    /* beyond what is asked of every story; NULL */
	bool puts; /* nothing but puts happens, so each of the victim's receipts stays true */
	unsigned points_least[2]; /* fewer writes and syncs, reads: the story is not told */
};

__attribute__((format(printf, 2, 3))) void scene_wrong(struct scene *s, const char *fmt, ...);

bool scene_sound(struct scene *s); /* every shard of the victim verifies */

/* Walks all kinds of faults; fails the test at a broken promise, prints a line per kind. */
void countdown_walk(const struct story *story);

#endif
