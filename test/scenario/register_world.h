/*
 * Stories about head registers in a network: a bucket is founded on some of the world's nodes, and
 * writers, each a process of its own, append to it and read it. What is in a bucket here is a list:
 * each commit's records are one segment of a mark (a writer and a number), each checkpoint puts the
 * whole list's hash into the root, so every view can be read as a list.
 */
#ifndef TEST_SCENARIO_REGISTER_WORLD_H
#define TEST_SCENARIO_REGISTER_WORLD_H

#include "storage/anchors.h"
#include "storage/head_client.h"
#include "test/scenario/world.h"

#define BUCKET_WRITERS_MAX 4
#define BUCKET_LIST_MAX    512

struct bucket_writer {
	struct identity who;
	struct env *env; /* NULL: it does not run */
	struct node *node;
	struct head_client *hc;
	struct task_group group; /* of tasks that use it; ended with it */
	uint32_t made;           /* marks */
};
struct bucket {
	struct world *w;
	struct identity owner, finder;
	struct charter charter;
	struct bucket_writer writers[BUCKET_WRITERS_MAX];
	size_t writers_count;
	size_t record_bytes; /* of one commit's segment; 0: 32 */
	uint16_t fold_at;    /* segments, from which on a commit is a checkpoint, too; 0: 20 */
};

/* Founds it on so many anchors and starts the writers. */
void bucket_new(struct bucket *b, struct world *w, uint8_t anchors, size_t writers);
void bucket_free(struct bucket *b); /* stops them */
/* A writer's process ends without farewell, and starts again with nothing but the finder key. */
void bucket_writer_kill(struct bucket *b, size_t writer);
void bucket_writer_start(struct bucket *b, size_t writer);

struct bucket_list {
	uint32_t at[BUCKET_LIST_MAX];
	size_t count;
};
/* In a task of the writer. An append of mark is done before where it is found already. */
SUSPENDS int bucket_append_in(struct bucket *b, size_t writer, uint32_t mark, uint64_t timeout,
    enum proposer_outcome *outcome, struct bucket_list *list);
SUSPENDS int bucket_read_in(
    struct bucket *b, size_t writer, uint64_t timeout, struct bucket_list *list);
/* The same from outside: runs the world meanwhile. */
int bucket_append(struct bucket *b, size_t writer, uint32_t mark, uint64_t timeout,
    enum proposer_outcome *outcome);
int bucket_read(struct bucket *b, size_t writer, uint64_t timeout, struct bucket_list *list);
/* Must commit within a minute; the mark. */
uint32_t bucket_append_ok(struct bucket *b, size_t writer);
bool bucket_list_has(const struct bucket_list *list, uint32_t mark);
/* The world's node that is anchor i of the configuration that writer knows; SIZE_MAX: none. */
size_t bucket_anchor(const struct bucket *b, size_t writer, uint8_t i);
const struct acceptor *bucket_state(const struct bucket *b, size_t node); /* NULL: none there */

#endif
