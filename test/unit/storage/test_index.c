/*
 * Both indexes against a naive model with random operations, alike; growth of the map, failing
 * transactions, readers beside a writer, damaged files. Then the catalog's rules: told in any
 * sequence, any number of times, they give the same.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "storage/catalog.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

static char dir[64];

static void
dir_make(void)
{
	strcpy(dir, "/tmp/skerry-index-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
dir_remove(void)
{
	ck_assert_int_eq(index_lmdb_remove(disk_real(), dir), ERR_OK);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct index *
open_index(bool lmdb, uint64_t map_bytes)
{
	struct index_lmdb_opts opts = { .disk = disk_real(), .dir = dir, .map_bytes = map_bytes };
	struct index *ix;

	ck_assert_int_eq(lmdb ? index_lmdb_open(&opts, &ix) : index_mem_new(&ix), ERR_OK);
	return ix;
}

/* ---- random operations ---- */

#define MODEL_KEYS 300

struct model {
	bool there[MODEL_KEYS];
	uint64_t value[MODEL_KEYS];
};

struct changes {
	struct model *model; /* a copy */
	uint64_t *state;
	bool fail;
};

static struct bytes
model_key(size_t i, uint8_t text[8])
{
	/* of several lengths, one often the beginning of another */
	snprintf((char *)text, 8, "%zu", i);
	return bytes_of(text, strlen((char *)text));
}

static int
change(void *arg, struct index_txn *txn)
{
	struct changes *c = arg;
	size_t n = fx_random(c->state) % 40;

	for (size_t i = 0; i < n; i++) {
		size_t k = fx_random(c->state) % MODEL_KEYS;
		uint64_t v = fx_random(c->state);
		uint8_t text[8], long_value[300];
		struct bytes key = model_key(k, text), got;

		if (v % 3 == 0) {
			ck_assert_int_eq(index_del(txn, key), ERR_OK);
			c->model->there[k] = false;
			ck_assert_int_eq(index_get(txn, key, &got), ERR_NOT_FOUND);
			continue;
		}
		fx_fill(v, long_value, sizeof(long_value));
		memcpy(long_value, &v, sizeof(v));
		ck_assert_int_eq(index_put(txn, key, bytes_of(long_value, 8 + v % 290)), ERR_OK);
		c->model->there[k] = true;
		c->model->value[k] = v;
		ck_assert_int_eq(index_get(txn, key, &got), ERR_OK);
		ck_assert_uint_eq(got.len, 8 + v % 290);
	}
	return c->fail ? ERR_REFUSED : ERR_OK;
}

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The whole index in order is what the model has. */
static int
compare(void *arg, struct index_txn *txn)
{
	const struct model *m = arg;
	char texts[MODEL_KEYS][8], *order[MODEL_KEYS];
	struct bytes key, value;
	uint8_t from[9] = { '!' };
	size_t from_len = 1;

	for (size_t i = 0; i < MODEL_KEYS; i++) {
		snprintf(texts[i], 8, "%zu", i);
		order[i] = texts[i];
	}
	qsort(order, MODEL_KEYS, sizeof(order[0]), text_compare);
	for (size_t i = 0; i < MODEL_KEYS; i++) {
		size_t k = strtoul(order[i], NULL, 10);
		int err = index_get(txn, bytes_of(order[i], strlen(order[i])), &value);

		ck_assert_int_eq(err, m->there[k] ? ERR_OK : ERR_NOT_FOUND);
		if (!m->there[k])
			continue;
		ck_assert_int_eq(index_seek(txn, bytes_of(from, from_len), &key, &value), ERR_OK);
		ck_assert_uint_eq(key.len, strlen(order[i]));
		ck_assert_mem_eq(key.data, order[i], key.len);
		ck_assert_mem_eq(value.data, &m->value[k], 8);
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		from_len = key.len + 1;
	}
	ck_assert_int_eq(index_seek(txn, bytes_of(from, from_len), &key, &value), ERR_NOT_FOUND);
	return ERR_OK;
}

static void
random_operations(bool lmdb)
{
	struct model *model = calloc(1, sizeof(*model)), *next = malloc(sizeof(*next));
	uint64_t state = 11;
	struct index *ix;

	dir_make();
	ix = open_index(lmdb, 0);
	for (size_t round = 0; round < 150; round++) {
		struct changes c = { .model = next, .state = &state, .fail = round % 7 == 3 };

		*next = *model;
		ck_assert_int_eq(index_update(ix, change, &c), c.fail ? ERR_REFUSED : ERR_OK);
		if (!c.fail)
			*model = *next;
		ck_assert_int_eq(index_read(ix, compare, model), ERR_OK);
		if (round % 50 == 20)
			ck_assert_int_eq(index_reopen(ix), ERR_OK);
	}
	if (lmdb) {
		index_close(ix);
		ix = open_index(lmdb, 0);
		ck_assert_int_eq(index_read(ix, compare, model), ERR_OK);
	}
	index_close(ix);
	dir_remove();
	free(model);
	free(next);
}

START_TEST(lmdb_is_the_model)
{
	random_operations(true);
}
END_TEST

START_TEST(memory_is_the_model)
{
	random_operations(false);
}
END_TEST

/* ---- growth ---- */

static int
put_many(void *arg, struct index_txn *txn)
{
	const uint32_t *round = arg;
	uint8_t value[1000];

	memset(value, (int)*round, sizeof(value));
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t key[2] = { *round, i };
		int err =
		    index_put(txn, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));

		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static int
count_all(void *arg, struct index_txn *txn)
{
	size_t *count = arg;
	struct bytes key, value;
	uint8_t from[16] = { 0 };
	size_t len = 1;

	*count = 0;
	while (index_seek(txn, bytes_of(from, len), &key, &value) == ERR_OK) {
		(*count)++;
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
	}
	return ERR_OK;
}

struct reader {
	struct index *ix;
	_Atomic bool stop;
	size_t rounds, torn;
};

static void *
read_along(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		size_t count;

		must(index_read(r->ix, count_all, &count) == ERR_OK);
		r->torn += count % 200 != 0;
		r->rounds++;
	}
	return NULL;
}

static void
grows_beside_readers(bool lmdb)
{
	struct reader readers[2];
	pthread_t threads[2];
	struct index *ix;
	size_t count;

	dir_make();
	ix = open_index(lmdb, KIB(128)); /* must double several times */
	for (size_t i = 0; i < 2; i++) {
		readers[i] = (struct reader){ .ix = ix };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_along, &readers[i]), 0);
	}
	for (uint32_t round = 0; round < 30; round++)
		ck_assert_int_eq(index_update(ix, put_many, &round), ERR_OK);
	for (size_t i = 0; i < 2; i++) {
		readers[i].stop = true;
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(readers[i].torn, 0);
	}
	ck_assert_int_eq(index_read(ix, count_all, &count), ERR_OK);
	ck_assert_uint_eq(count, 30 * 200);
	index_close(ix);
	dir_remove();
}

START_TEST(lmdb_grows)
{
	grows_beside_readers(true);
}
END_TEST

START_TEST(memory_grows)
{
	grows_beside_readers(false);
}
END_TEST

START_TEST(damaged_files_are_noticed)
{
	struct index_lmdb_opts opts = { .disk = disk_real(), .dir = dir };
	struct index *ix;
	uint32_t round = 1;
	char path[100];
	FILE *f;

	dir_make();
	ix = open_index(true, 0);
	ck_assert_int_eq(index_update(ix, put_many, &round), ERR_OK);
	index_close(ix);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	ck_assert_int_eq(truncate(path, 3 * 4096), 0);
	ck_assert_int_eq(index_lmdb_open(&opts, &ix), ERR_CORRUPT);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < 20000; i++)
		fputc((int)(i * 7), f);
	fclose(f);
	ck_assert_int_eq(index_lmdb_open(&opts, &ix), ERR_CORRUPT);
	ck_assert_int_eq(index_lmdb_remove(disk_real(), dir), ERR_OK);
	ix = open_index(true, 0);
	index_close(ix);
	opts.read_only = true;
	ck_assert_int_eq(index_lmdb_open(&opts, &ix), ERR_OK);
	ck_assert_int_ne(index_update(ix, put_many, &round), ERR_OK);
	index_close(ix);
	dir_remove();
}
END_TEST

/* ---- the catalog ---- */

#define TOLD 400

/* One thing that a segment may say. */
struct told {
	bool is_shard;
	struct hash chunk;
	struct shard_entry shard;
	struct record record;
};

static void
invent(struct told *t, uint64_t *state, uint64_t order)
{
	static const enum record_kind kinds[] = { RECORD_LEASE, RECORD_SIBLINGS, RECORD_DROP,
		RECORD_VALUE };
	uint64_t r = fx_random(state);

	*t = (struct told){ .is_shard = r % 2 == 0, .chunk.b[5] = (uint8_t)(r >> 8) % 4 };
	if (t->is_shard) {
		t->shard = (struct shard_entry){ .state = SHARD_LIVE,
			.order = order,
			.index = (uint8_t)(r >> 16) % 3,
			.k = 2,
			.n = 3,
			.place = { 1 + (r >> 24) % 5, 8192 + order * 65536 },
			.chunk_bytes = 1000 };
		return;
	}
	t->record = (struct record){ .kind = kinds[(r >> 32) % 4],
		.order = order,
		.chunk = t->chunk,
		.index = (uint8_t)(r >> 16) % 3,
		.lease_key.b[0] = (uint8_t)(r >> 24) % 3,
		.generation = (r >> 40) % 6,
		.value = bytes_of(order % 9 == 0 ? NULL : "text", order % 9 == 0 ? 0 : 4) };
	if (t->record.kind == RECORD_DROP)
		t->record.value = bytes_of(NULL, 0);
}

struct telling {
	struct told *told;
	size_t *sequence, count;
};

static int
tell(void *arg, struct index_txn *txn)
{
	struct telling *t = arg;
	struct catalog_meta meta = { .order = 1 };
	int err = catalog_set_meta(txn, &meta);

	for (size_t i = 0; i < t->count && err == ERR_OK; i++) {
		struct told *what = &t->told[t->sequence[i]];

		err = what->is_shard ? catalog_add_shard(txn, &what->chunk, &what->shard)
				     : catalog_add_record(txn, &what->record);
		if (err == ERR_STALE)
			err = ERR_OK;
	}
	return err;
}

/* Everything in the index as one hash; `end` of sums depends on what was ever told, so it is in. */
static int
digest(void *arg, struct index_txn *txn)
{
	struct sha256 *h = sha256_new();
	struct bytes key, value;
	uint8_t from[INDEX_KEY_MAX] = { 0 };
	size_t len = 1;

	while (index_seek(txn, bytes_of(from, len), &key, &value) == ERR_OK) {
		if (key.data[0] != 'G') {
			sha256_update(h, key.data, key.len);
			sha256_update(h, value.data, value.len);
		}
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
	}
	sha256_final(h, arg);
	sha256_free(h);
	return ERR_OK;
}

START_TEST(catalog_does_not_mind_the_sequence)
{
	struct told *told = malloc(TOLD * sizeof(*told));
	size_t sequence[2 * TOLD];
	struct hash first = { { 0 } };
	uint64_t state = 5;

	for (size_t i = 0; i < TOLD; i++)
		invent(&told[i], &state, i + 1);
	for (size_t round = 0; round < 40; round++) {
		struct telling t = { told, sequence, round % 2 == 0 ? TOLD : 2 * TOLD };
		struct index *ix = open_index(false, 0);
		struct hash got;

		for (size_t i = 0; i < 2 * TOLD; i++)
			sequence[i] = i % TOLD; /* odd rounds tell all twice */
		for (size_t i = t.count; round > 0 && i-- > 1;) {
			size_t j = fx_random(&state) % (i + 1), tmp = sequence[i];

			sequence[i] = sequence[j];
			sequence[j] = tmp;
		}
		ck_assert_int_eq(index_update(ix, tell, &t), ERR_OK);
		ck_assert_int_eq(index_read(ix, digest, &got), ERR_OK);
		if (round == 0)
			first = got;
		ck_assert_mem_eq(&got, &first, sizeof(got));
		index_close(ix);
	}
	free(told);
}
END_TEST

static int
sums_agree(void *arg, struct index_txn *txn)
{
	struct hash chunk = { { 0 } };
	struct catalog_meta meta;
	struct segment_sums sums;
	uint64_t chunks = 0, shards = 0, in_sums = 0, bytes = 0, segment = 0;

	(void)arg;
	while (catalog_next_chunk(txn, &chunk, &chunk) == ERR_OK) {
		struct shard_entry e;

		chunks++;
		for (unsigned i = 0; catalog_next_shard(txn, &chunk, i, &e) == ERR_OK;
		     i = e.index + 1u)
			shards++;
		if (!catalog_hash_next(&chunk))
			break;
	}
	while (catalog_next_sums(txn, &segment, &sums) == ERR_OK) {
		in_sums += sums.shards;
		bytes += sums.shard_bytes;
		segment++;
	}
	ck_assert_int_eq(catalog_meta(txn, &meta), ERR_OK);
	ck_assert_uint_eq(meta.chunks, chunks);
	ck_assert_uint_eq(meta.shards, shards);
	ck_assert_uint_eq(in_sums, shards);
	ck_assert_uint_eq(meta.shard_bytes, bytes);
	return ERR_OK;
}

START_TEST(catalog_sums_are_kept)
{
	struct told *told = malloc(TOLD * sizeof(*told));
	uint64_t state = 8;
	struct index *ix = open_index(false, 0);

	for (size_t i = 0; i < TOLD; i++)
		invent(&told[i], &state, i + 1);
	for (size_t i = 0; i < TOLD; i++) {
		struct telling t = { told, &i, 1 };

		ck_assert_int_eq(index_update(ix, tell, &t), ERR_OK);
		if (i % 10 == 0)
			ck_assert_int_eq(index_read(ix, sums_agree, NULL), ERR_OK);
	}
	index_close(ix);
	free(told);
}
END_TEST

static int
unread_known(void *arg, struct index_txn *txn)
{
	uint64_t from = 9;

	(void)arg;
	ck_assert_int_eq(catalog_set_meta(txn, &(struct catalog_meta){ .order = 1 }), ERR_OK);
	ck_assert_int_eq(catalog_unread(txn, 7, &from), ERR_OK);
	ck_assert_uint_eq(from, 0);
	ck_assert_int_eq(catalog_set_unread(txn, 7, 0), ERR_OK);
	ck_assert_int_eq(catalog_set_unread(txn, 7, 8192), ERR_OK);
	ck_assert_int_eq(catalog_set_unread(txn, 8, 4096), ERR_OK);
	ck_assert_int_eq(catalog_unread(txn, 7, &from), ERR_OK);
	ck_assert_uint_eq(from, 8192);
	ck_assert_int_eq(catalog_set_unread(txn, 7, 0), ERR_OK);
	ck_assert_int_eq(catalog_unread(txn, 7, &from), ERR_OK);
	ck_assert_uint_eq(from, 0);
	/* A segment that goes takes it along: ids do not come again, but nothing shall pile up. */
	ck_assert_int_eq(catalog_retire(txn, 8), ERR_OK);
	ck_assert_int_eq(catalog_unread(txn, 8, &from), ERR_OK);
	ck_assert_uint_eq(from, 0);
	return ERR_OK;
}

START_TEST(catalog_remembers_what_was_not_read)
{
	struct index *ix = open_index(false, 0);

	ck_assert_int_eq(index_update(ix, unread_known, NULL), ERR_OK);
	index_close(ix);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/index");

	must(crypto_init() == ERR_OK);
	suite_add(s, "index", 30, lmdb_is_the_model, memory_is_the_model, lmdb_grows, memory_grows,
	    damaged_files_are_noticed, NULL);
	suite_add(s, "catalog", 30, catalog_does_not_mind_the_sequence, catalog_sums_are_kept,
	    catalog_remembers_what_was_not_read, NULL);
	return suite_main(s);
}
