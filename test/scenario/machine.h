/*
 * A machine of an account on a simulated network: a client's chunks, files, ground and cloud, for
 * the length of one story; and small words for what is in its buckets.
 */
#ifndef TEST_SCENARIO_MACHINE_H
#define TEST_SCENARIO_MACHINE_H

#include "object/cloud_private.h"
#include "object/ground_net.h"
#include "test/scenario/world.h"

extern const struct account machine_account;

/* A machine that has nothing but the seed, or what was given to a delegate: its own chunks, files,
 * ground, cloud. */
struct machine {
	struct world *w;
	struct chunks *chunks;
	struct files *files;
	struct ground_net *ground;
	struct cloud *cloud;
	int (*story)(struct machine *m);
	enum cloud_start how;
	const struct delegation *given; /* NULL: it has the seed */
};

/* A fresh process with the seed does that; its result. */
int machine(struct world *w, enum cloud_start how, int (*story)(struct machine *m));
/* One with this alone. */
int machine_given(struct world *w, const struct delegation *given, int (*story)(struct machine *m));

/* For a story that has two: on the world's client, in a task; as cloud_start(). */
int machine_up(struct machine *m);
void machine_down(struct machine *m);

/* Of a transaction: key "v" gets the text. */
int put_v(void *arg, struct kv *txn);
int write_in(struct machine *m, const char *name, map_fn *fn, const char *text, bool checkpoint);
bool holds(struct machine *m, const char *name, const char *text);

/* A new bucket, open; losing so many of its first anchors leaves the account a quorum. */
struct cloud_bucket *bucket_to_lose(struct machine *m, uint8_t lost, char name[16]);
/* So many of its five. */
void lose_anchors(struct machine *m, struct ground_bucket *g, uint8_t count);

#endif
