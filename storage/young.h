/*
 * Values that are durable in the segments and not in the index yet. The index is derived, and a
 * start reads again what lies behind its position; so an acknowledgement of values needs the sync
 * of the segment alone, and many transactions of the index, each with a sync of its own, become
 * one. A value that is overwritten while it is young never comes there. Pure; what is found here
 * counts before what the index says.
 */
#ifndef STORAGE_YOUNG_H
#define STORAGE_YOUNG_H

#include "storage/catalog.h"

/* Together they bound memory, what a start reads again, and how long the transaction takes that
 * brings them into the index: some milliseconds. */
#define YOUNG_VALUES_MAX 512
#define YOUNG_BYTES_MAX  MIB(1)
#define YOUNG_GROUPS_MAX 256

struct young_value;
struct young_group {
	struct place place;
	uint64_t bytes;
};
struct young {
	struct young_value **slots; /* NULL while there is none */
	struct young_group *groups;
	size_t count, bytes, groups_count;
};

void young_init(struct young *y);
void young_clear(struct young *y); /* and frees */
/* Whether one more group with so many values of so many bytes fits. */
bool young_fits(const struct young *y, size_t values, size_t bytes);

/* Before they are durable: room, and copies of the values of records. Later nothing can fail. */
int young_prepare(struct young *y);                          /* ERR_NOMEM */
struct young_value *young_value_new(const struct record *r); /* NULL: no memory */
void young_value_free(struct young_value *v);

/* Now they are. takes v, which takes the place of an older one of its key. */
void young_put(struct young *y, struct young_value *v);
void young_add_group(struct young *y, struct place place, uint64_t bytes);

/* True: it is known here; empty: gone. Lent until the next change. */
bool young_find(const struct young *y, uint8_t space, const struct hash *key, struct bytes *value);
/* All of them and their groups; may be run again. */
int young_apply(const struct young *y, struct index_txn *txn);

#endif
