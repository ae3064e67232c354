/*
 * A store on real files with LMDB in a directory of its own, whose stories run as tasks of an
 * environment each; what was logged is kept. Included once by a test program.
 */
#ifndef TEST_UNIT_STORAGE_STORE_CASE_H
#define TEST_UNIT_STORAGE_STORE_CASE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/env_real.h"
#include "storage/catalog.h"
#include "storage/store.h"
#include "storage/store_check.h"
#include "test/unit/storage/store_fixture.h"

struct ctx {
	struct env *env;
	struct log *log;
	struct store_opts opts;
	struct store *store;
	int (*story)(struct ctx *c);
	char dir[64];
	char logged[4096];
};

static void
keep_line(void *arg, enum log_level level, const char *line)
{
	struct ctx *c = arg;
	size_t len = strlen(c->logged);

	(void)level;
	snprintf(c->logged + len, sizeof(c->logged) - len, "%s\n", line);
}

static void
ctx_init(struct ctx *c)
{
	struct log_opts log = { .level = LOG_INFO, .write = keep_line, .arg = c };

	memset(c, 0, sizeof(*c));
	strcpy(c->dir, "/tmp/skerry-recover-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c->dir));
	c->log = log_new(&log);
	c->opts = (struct store_opts){ .dir = c->dir,
		.net = fx_net,
		.capacity_bytes = GIB(1),
		.segment_bytes = MIB(2),
		.reserve_bytes = MIB(1) };
}

static void
ctx_fini(struct ctx *c)
{
	ck_assert_int_eq(fx_remove_store(c->dir), 0);
	log_free(c->log);
}

static int
run_story(void *arg)
{
	struct ctx *c = arg;

	return c->story(c);
}

/* Runs a story as a task of an environment of its own. */
static int
tell(struct ctx *c, int (*story)(struct ctx *c))
{
	struct env_real_opts opts = { .log = c->log };
	int err;

	c->story = story;
	ck_assert_int_eq(env_real_new(&opts, &c->env), ERR_OK);
	c->opts.env = c->env;
	err = env_real_run(c->env, run_story, c);
	env_real_free(c->env);
	return err;
}

struct dump {
	struct hash entries;
	struct catalog_meta meta;
	size_t count;
};

static int
dump_txn(void *arg, struct index_txn *txn)
{
	struct dump *d = arg;
	struct sha256 *h = sha256_new();
	struct bytes key, value;
	uint8_t from[INDEX_KEY_MAX] = { 0 };
	size_t len = 1;

	while (index_seek(txn, bytes_of(from, len), &key, &value) == ERR_OK) {
		if (key.data[0] != 'M') {
			sha256_update(h, key.data, key.len);
			sha256_update(h, value.data, value.len);
			d->count++;
		}
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
	}
	sha256_final(h, &d->entries);
	sha256_free(h);
	return catalog_meta(txn, &d->meta);
}

static struct dump
dump_index(const struct ctx *c)
{
	char path[100];
	struct index_lmdb_opts opts = { .disk = disk_real(), .dir = path, .read_only = true };
	struct dump d = { .count = 0 };
	struct index *ix;

	snprintf(path, sizeof(path), "%s/index", c->dir);
	ck_assert_int_eq(index_lmdb_open(&opts, &ix), ERR_OK);
	ck_assert_int_eq(index_read(ix, dump_txn, &d), ERR_OK);
	index_close(ix);
	return d;
}

/* What the offline check says. */
static struct store_check_result checked;
static size_t findings;

static void
count_finding(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	findings++;
}

static int
check_story(struct ctx *c)
{
	findings = 0;
	return store_check(&c->opts, count_finding, NULL, NULL, &checked);
}

#endif
