/*
 * Stories about a store on the real environment and a real directory, each with both indexes.
 */
#ifndef TEST_UNIT_STORAGE_STORE_STORY_H
#define TEST_UNIT_STORAGE_STORE_STORY_H

#include <unistd.h>

#include "overlay/base/env_real.h"
#include "overlay/base/task.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

struct ctx {
	struct env *env;
	char dir[64];
	struct store_opts opts;
	struct store *store;
};

static inline void
with_store(bool in_memory, uint64_t capacity, int (*story)(void *arg))
{
	struct ctx c = { 0 };

	strcpy(c.dir, "/tmp/skerry-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c.dir));
	ck_assert_int_eq(crypto_init(), ERR_OK);
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ 0 }, &c.env), ERR_OK);
	c.opts = (struct store_opts){ .env = c.env,
		.dir = c.dir,
		.net = fx_net,
		.capacity_bytes = capacity,
		.segment_bytes = MIB(4),
		.reserve_bytes = MIB(1),
		.index_in_memory = in_memory };
	ck_assert_int_eq(env_real_run(c.env, story, &c), ERR_OK);
	env_real_free(c.env);
	ck_assert_int_eq(fx_remove_store(c.dir), 0);
}

static inline SUSPENDS void
open_store(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
}

/* story: a function that takes a struct ctx; it opens the store and closes it. */
#define STORY(name, capacity)                                                                      \
	START_TEST(name##_with_lmdb)                                                               \
	{                                                                                          \
		with_store(false, capacity, name);                                                 \
	}                                                                                          \
	END_TEST                                                                                   \
	START_TEST(name##_in_memory)                                                               \
	{                                                                                          \
		with_store(true, capacity, name);                                                  \
	}                                                                                          \
	END_TEST

#endif
