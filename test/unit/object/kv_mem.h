/*
 * An ordered map in memory for tests of what stands on object/kv.h, with all or nothing for a
 * transaction.
 */
#ifndef TEST_UNIT_OBJECT_KV_MEM_H
#define TEST_UNIT_OBJECT_KV_MEM_H

#include <check.h>
#include <stdlib.h>

#include "test/unit/object/content_counts.h"
#include "test/unit/object/kv_pairs.h"

struct kv_mem {
	struct kv kv;
	struct kv_pairs pairs;
	struct kv_pairs before;       /* what a transaction that fails goes back to */
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
