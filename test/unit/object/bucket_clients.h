/*
 * Clients of a bucket that several gateways serve at once: each puts, puts on condition, deletes,
 * gets and lists, and notes what it was told, for history_explained(). Bodies are not stored.
 */
#ifndef TEST_UNIT_OBJECT_BUCKET_CLIENTS_H
#define TEST_UNIT_OBJECT_BUCKET_CLIENTS_H

#include "object/map.h"
#include "test/unit/object/bucket_history.h"

struct bucket_story {
	uint32_t (*draw)(void *arg, uint32_t bound);
	void *arg;
	enum map_fresh fresh; /* of reads */
	unsigned calls_each;  /* of each client */
	struct history_call calls[HISTORY_CALLS_MAX];
	uint32_t count;
	uint64_t clock; /* every beginning and end has its own time */
	uint16_t values;
	uint16_t last[HISTORY_KEYS]; /* the last that somebody saw: what to expect */
};

struct bucket_client {
	struct bucket_story *s;
	struct env *env;
	struct map *map;
	bool over;
	struct history_call *call; /* the one under way */
	uint8_t random[8];
};

/* As a task of the client's env; arg: the client. */
int bucket_client_task(void *arg);
/* Versioning on: a transaction. */
int bucket_client_begin(void *arg, struct kv *txn);

#endif
