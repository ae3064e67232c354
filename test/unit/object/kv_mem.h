/*
 * An ordered map in memory for tests of what stands on object/kv.h: a sorted array, with all or
 * nothing for a transaction.
 */
#ifndef TEST_UNIT_OBJECT_KV_MEM_H
#define TEST_UNIT_OBJECT_KV_MEM_H

#include <check.h>
#include <stdlib.h>

#include "test/unit/object/content_counts.h"

struct kv_mem_pair {
	struct bytes key, value; /* one piece of memory, key first */
};

struct kv_mem {
	struct kv kv;
	struct kv_mem_pair *pairs;
	size_t count, cap;
	/* What a transaction that fails goes back to. */
	struct kv_mem_pair *before;
	size_t before_count;
	size_t seeks;                 /* so far */
	int fail_after;               /* reads until one fails with ERR_UNREACHABLE; 0: never */
	struct content_counts counts; /* goes back with the pairs */
};

struct kv_mem *kv_mem_new(void); /* gives */
void kv_mem_free(struct kv_mem *m);
void kv_mem_begin(struct kv_mem *m);
/* Back to where it began unless err is ERR_OK; gives err. */
int kv_mem_end(struct kv_mem *m, int err);

static inline struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

#endif
