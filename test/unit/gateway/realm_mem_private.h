/* What realm_mem.c, realm_mem_bucket.c and realm_mem_content.c share. Nobody else includes this. */
#ifndef TEST_UNIT_GATEWAY_REALM_MEM_PRIVATE_H
#define TEST_UNIT_GATEWAY_REALM_MEM_PRIVATE_H

#include "test/unit/gateway/realm_mem.h"
#include "test/unit/object/kv_pairs.h"

#define MEM_BUCKETS_MAX 2048
#define MEM_ACCOUNTS    2
#define MEM_KEYS        (MEM_ACCOUNTS + 1)

struct undo;

struct blob {
	uint8_t *data;
	size_t len;
	int refs;
};

struct mem_bucket {
	struct realm_bucket bucket;
	struct realm_mem *m;
	struct kv kv, known;
	struct kv_pairs pairs;
	struct undo *undo;
	size_t undo_count, undo_cap;
	bool in_txn, removed;
	unsigned held;
	struct buf *result;
	struct content_refs refs;
	char region[64];
};

struct realm_mem {
	struct realm realm;
	struct env *env;
	struct realm_key keys[MEM_KEYS];
	struct mem_bucket *buckets[MEM_BUCKETS_MAX];
	size_t buckets_count;
	struct blob *blobs;
	size_t blobs_count, blobs_cap;
};

static inline struct mem_bucket *
mem_bucket_of(struct realm_bucket *b)
{
	return container_of(b, struct mem_bucket, bucket);
}

/* ---- realm_mem_bucket.c ---- */

struct bytes mem_duplicate(struct bytes from); /* gives */
/* Empty, held by nobody. */
struct mem_bucket *mem_bucket_new(
    struct realm_mem *m, const struct realm_account *owner, const char *name, const char *region);
void mem_bucket_free(struct mem_bucket *b);

/* ---- realm_mem_content.c: of struct realm_bucket_ops, and what a bucket counts with ---- */

struct content_refs mem_refs(struct mem_bucket *b);
SUSPENDS int mem_writer_new(
    struct realm_bucket *b, const struct realm_write *w, struct realm_writer **out);
SUSPENDS int mem_write(struct realm_writer *w, struct bytes data);
SUSPENDS int mem_finish(struct realm_writer *w, struct buf *form);
SUSPENDS void mem_writer_free(struct realm_writer *w);
SUSPENDS void mem_drop(struct realm_bucket *b, struct bytes form);
SUSPENDS int mem_join(struct realm_bucket *b, const struct bytes *forms, size_t count,
    struct buf *form, struct realm_spare **spare);
SUSPENDS int mem_joined(struct realm_spare *spare, struct kv *txn, uint64_t now_ms);
void mem_spare_free(struct realm_spare *spare);
SUSPENDS int mem_reader_new(struct realm_bucket *b, struct bytes form, uint64_t from, uint64_t len,
    const struct key *customer, struct realm_reader **out);
SUSPENDS int mem_read(struct realm_reader *r, struct bytes *lent);
SUSPENDS void mem_reader_free(struct realm_reader *r);

#endif
