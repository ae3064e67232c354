/*
 * What stories about contents are told with: a client that has a bucket's lease key and no files,
 * objects whose bytes follow from their numbers, written and read through the product's own code.
 */
#ifndef TEST_SCENARIO_CONTENTS_H
#define TEST_SCENARIO_CONTENTS_H

#include "object/content_read.h"
#include "object/content_write.h"
#include "object/lease_signing.h"
#include "object/packs.h"
#include "test/scenario/world_private.h"

#define CONTENT_OBJECTS 64

struct content_client {
	struct world *w;
	struct memory_budget up, down;
	struct lease_signing signing;
	struct packs *packs;
	struct content objects[CONTENT_OBJECTS];
	uint64_t bytes[CONTENT_OBJECTS];
	struct placing_told told;
};

struct content_client *content_client_new(const struct world_opts *opts);
void content_client_free(struct content_client *c); /* all memory has come back */
struct placing_opts content_client_placing(struct content_client *c);

uint8_t content_byte(uint64_t object, uint64_t offset);

/* ---- writing ---- */
struct content_writing {
	struct content_client *c;
	size_t object;
	uint64_t bytes, declared; /* declared 0: as many */
	bool unknown, packed, may_inline;
	uint64_t term_s, lock_s;
	const struct key *customer;
	uint64_t pause; /* between two portions */
	void (*during)(void *arg, uint64_t done);
	void *arg;
	uint64_t abort_at; /* 0: never */
	int err;
	bool ended;
};

int content_write_task(void *arg); /* struct content_writing; in a task of the client */
int content_put(struct content_client *c, struct content_writing x);
/* At the same time; all must succeed. */
void content_put_together(struct content_client *c, struct content_writing *each, size_t count);

/* ---- reading ---- */
struct content_reading {
	struct content_client *c;
	size_t object;
	uint64_t from, len;
	const struct key *customer;
	uint64_t pause;
	uint64_t first_after; /* when the first piece was there */
	struct file_missing missing;
	int err;
};

int content_read_task(void *arg); /* struct content_reading; wrong bytes end the test */
int content_get_range(struct content_client *c, size_t object, uint64_t from, uint64_t len);
int content_get(struct content_client *c, size_t object);

/* Of all nodes, seconds from now on. */
uint64_t content_longest_lease(struct content_client *c);

#endif
