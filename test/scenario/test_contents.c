/*
 * Contents written without a file and read back, on a simulated network: all sizes, known and
 * unknown lengths, packs, joined parts, ranges; holders that die in the middle, liars, more uploads
 * than the memory holds, aborted ones.
 */
#include <stdlib.h>

#include "storage/messages.h"
#include "test/scenario/contents.h"
#include "test/unit/suite.h"

static struct content_client *
small_client(uint64_t seed)
{
	return content_client_new(
	    &(struct world_opts){ .seed = seed, .nodes = 8, .code = { 4, 6, 8 } });
}

static const uint64_t sizes[] = { 0, 1, 4096, 4097, 65519, 65520, 65521, 262079, 262080, 262081,
	524160, 1000000, 1048576, 1100000, 3000000 };

START_TEST(all_sizes_come_back)
{
	struct content_client *c = small_client(1);
	size_t packed = 0, inlined = 0, chunks = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		bool small = i % 2 == 0;

		for (size_t known = 0; known < 2; known++) {
			size_t o = 2 * i + known;

			ck_assert_int_eq(content_put(c, (struct content_writing){ .object = o,
							    .bytes = sizes[i],
							    .unknown = !known,
							    .may_inline = small,
							    .packed = !small }),
			    ERR_OK);
			inlined += c->objects[o].kind == CONTENT_INLINE;
			packed += c->objects[o].kind == CONTENT_PACKED;
			chunks += c->objects[o].kind == CONTENT_CHUNKS;
			ck_assert_int_eq(content_get(c, o), ERR_OK);
		}
	}
	ck_assert_uint_eq(inlined, 2);
	ck_assert_uint_eq(packed, 0); /* who comes alone has a chunk of its own */
	ck_assert_uint_eq(chunks, 2 * ARRAY_LEN(sizes) - 4);
	content_client_free(c);
}
END_TEST

START_TEST(another_length_than_declared_is_refused)
{
	struct content_client *c = small_client(2);

	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 100000, .declared = 99999 }),
	    ERR_TOO_BIG);
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 100000, .declared = 100001 }),
	    ERR_INVALID);
	content_client_free(c);
}
END_TEST

START_TEST(small_ones_at_the_same_time_share_chunks)
{
	struct content_client *c = small_client(3);
	struct content_writing each[40] = { { .bytes = 0 } };
	size_t packed = 0, packs = 0;

	for (size_t i = 0; i < 40; i++)
		each[i] = (struct content_writing){
			.object = i, .bytes = 5000 + 1500 * i, .packed = true, .unknown = i % 3 == 0
		};
	content_put_together(c, each, 40);
	for (size_t i = 0; i < 40; i++) {
		const struct content *o = &c->objects[i];

		packed += o->kind == CONTENT_PACKED;
		packs += i == 0 ||
			 !hash_equal(&o->list.chunks[0].id, &c->objects[i - 1].list.chunks[0].id);
		ck_assert_int_eq(content_get(c, i), ERR_OK);
		ck_assert_int_eq(content_get_range(c, i, 1234, 2000), ERR_OK);
		ck_assert_int_eq(content_get_range(c, i, c->bytes[i] - 1, 1), ERR_OK);
	}
	ck_assert_uint_gt(packed, 36);
	ck_assert_uint_lt(packs, 6);
	content_client_free(c);
}
END_TEST

START_TEST(ranges)
{
	struct content_client *c = small_client(4);

	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 3000000 }), ERR_OK);
	for (uint64_t from = 0; from < 3000000; from += 262079 + from % 7)
		for (uint64_t len = 1; from + len < 3000000; len = len * 17 + 3)
			ck_assert_int_eq(content_get_range(c, 0, from, len), ERR_OK);
	ck_assert_int_eq(content_get_range(c, 0, 0, 0), ERR_OK);
	ck_assert_int_eq(content_get_range(c, 0, 3000000, 0), ERR_OK);
	ck_assert_int_eq(content_get_range(c, 0, 2999999, 2), ERR_INVALID);
	ck_assert_int_eq(content_get_range(c, 0, 3000001, 0), ERR_INVALID);
	content_client_free(c);
}
END_TEST

START_TEST(the_first_byte_does_not_wait_for_a_chunk)
{
	struct content_client *c = content_client_new(&(struct world_opts){
	    .seed = 5, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = MIB(16) });
	struct content_reading x = { .c = c, .len = 12000000 };

	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 12000000 }), ERR_OK);
	sim_node_bandwidth(world_client_env(c->w), MIB(1), MIB(1));
	ck_assert_int_eq(world_run(c->w, content_read_task, &x), ERR_OK);
	ck_assert_uint_lt(x.first_after, SECONDS(2)); /* all of it takes twelve */
	content_client_free(c);
}
END_TEST

/* With a key of the customer's what the entry says is not enough. */
START_TEST(a_key_of_the_customer_is_needed)
{
	static const struct key mine = { { 1 } }, other = { { 2 } };
	struct content_client *c = small_client(14);
	struct content_reading x = { .c = c, .len = 3000, .customer = &mine };

	ck_assert_int_eq(
	    content_put(c,
		(struct content_writing){
		    .bytes = 3000, .may_inline = true, .packed = true, .customer = &mine }),
	    ERR_OK);
	ck_assert_int_eq(c->objects[0].kind, CONTENT_CHUNKS);
	ck_assert_int_eq(world_run(c->w, content_read_task, &x), ERR_OK);
	x.customer = &other;
	ck_assert_int_eq(world_run(c->w, content_read_task, &x), ERR_CORRUPT);
	x.customer = NULL;
	ck_assert_int_eq(world_run(c->w, content_read_task, &x), ERR_CORRUPT);
	content_client_free(c);
}
END_TEST

struct killer {
	struct content_client *c;
	uint64_t at;
};

static void
kill_at(void *arg, uint64_t done)
{
	struct killer *k = arg;

	if (done >= k->at && world_alive(k->c->w, 3))
		sim_node_kill(world_env(k->c->w, 3), SIM_KILLED);
}

/* Ten nodes for eight shards: one dies in the middle, its shard goes to another. */
START_TEST(a_holder_that_dies_in_the_middle_is_replaced)
{
	for (uint64_t at = 100000; at < 900000; at += 250000) {
		struct content_client *c = content_client_new(
		    &(struct world_opts){ .seed = 60 + at, .nodes = 10, .code = { 4, 6, 8 } });
		struct killer k = { c, at };

		ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 900000,
						    .during = kill_at,
						    .arg = &k,
						    .pause = MILLISECONDS(20) }),
		    ERR_OK);
		ck_assert_uint_ge(c->told.placed_min, 6);
		ck_assert_uint_eq(c->told.chunks, 4);
		ck_assert_int_eq(content_get(c, 0), ERR_OK);
		content_client_free(c);
	}
}
END_TEST

START_TEST(fewer_than_n_are_told)
{
	struct content_client *c =
	    content_client_new(&(struct world_opts){ .seed = 7, .nodes = 6, .code = { 4, 6, 8 } });

	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 400000 }), ERR_OK);
	ck_assert_uint_eq(c->told.placed_min, 6);
	ck_assert_uint_eq(c->told.code.n, 8);
	content_client_free(c);
	c = content_client_new(&(struct world_opts){ .seed = 7, .nodes = 5, .code = { 4, 6, 8 } });
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 400000 }), ERR_PLACEMENT);
	content_client_free(c);
}
END_TEST

START_TEST(dead_holders_and_too_many)
{
	struct content_client *c = small_client(8);
	struct content_reading x = { .c = c, .len = 900000 };

	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 900000 }), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		world_kill(c->w, i * 2);
	ck_assert_int_eq(content_get(c, 0), ERR_OK);
	world_kill(c->w, 1);
	ck_assert_int_eq(world_run(c->w, content_read_task, &x), ERR_UNREACHABLE);
	ck_assert_uint_eq(x.missing.holders.needed, 4);
	ck_assert_uint_eq(x.missing.holders.answered, 3);
	world_restart(c->w, 1);
	ck_assert_int_eq(content_get(c, 0), ERR_OK);
	content_client_free(c);
}
END_TEST

/* Every bit that it gives is wrong: none of it comes out, and it is blamed; of packs, too. */
START_TEST(a_liar_is_found_and_worked_around)
{
	struct content_client *c = small_client(9);
	struct content_writing each[3] = { { .object = 1, .bytes = 30000, .packed = true },
		{ .object = 2, .bytes = 200000, .packed = true },
		{ .object = 3, .bytes = 300000, .packed = true } };
	uint64_t blames = 0;

	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 900000 }), ERR_OK);
	content_put_together(c, each, 3);
	world_spoil(c->w, 2);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(content_get(c, i), ERR_OK);
	for (size_t i = 0; i < 8; i++) {
		ck_assert(i == 2 || world_blames(c->w, i) == 0);
		blames += world_blames(c->w, i);
	}
	ck_assert_uint_gt(blames, 0);
	content_client_free(c);
}
END_TEST

/* Each wants most of the memory; all come through, and short ones do not wait for the long. */
START_TEST(fifty_uploads_share_little_memory)
{
	struct content_client *c = small_client(10);
	struct content_writing each[50] = { { .bytes = 0 } };

	budget_init(&c->up, world_client_env(c->w), MIB(24));
	for (size_t i = 0; i < 50; i++)
		each[i] = (struct content_writing){ .object = i,
			.bytes = i % 5 == 0 ? 20000 : 700000,
			.unknown = i % 2 == 0,
			.packed = i % 10 == 0,
			.pause = i % 7 == 0 ? MILLISECONDS(50) : 0 };
	content_put_together(c, each, 50);
	for (size_t i = 0; i < 50; i += 3)
		ck_assert_int_eq(content_get(c, i), ERR_OK);
	content_client_free(c);
}
END_TEST

/* Each begins small and wants ten times as much when it turns out to be long. */
START_TEST(uploads_of_unknown_length_end)
{
	struct content_client *c = content_client_new(&(struct world_opts){
	    .seed = 15, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = MIB(4) });
	struct content_writing each[20];

	budget_init(&c->up, world_client_env(c->w), MIB(24));
	for (size_t i = 0; i < 20; i++)
		each[i] = (struct content_writing){
			.object = i, .bytes = 1000000 + 40000 * i, .unknown = true, .packed = i % 2
		};
	content_put_together(c, each, 20);
	for (size_t i = 0; i < 20; i += 5)
		ck_assert_int_eq(content_get(c, i), ERR_OK);
	content_client_free(c);
}
END_TEST

struct many {
	struct content_reading each[40];
	struct content_client *c;
	uint64_t least_free;
};

static int
watch_memory(void *arg)
{
	struct many *m = arg;
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, world_client_env(m->c->w));
	for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(m->each); i++)
		err = task_spawn(&group, "download", content_read_task, &m->each[i]);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err;
}

START_TEST(forty_slow_readers_share_little_memory)
{
	struct content_client *c = content_client_new(&(struct world_opts){
	    .seed = 11, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = MIB(4) });
	struct many m = { .c = c };

	budget_init(&c->down, world_client_env(c->w), MIB(16));
	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 3000000 }), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(m.each); i++)
		m.each[i] = (struct content_reading){
			.c = c, .len = 3000000, .pause = i % 3 == 0 ? MILLISECONDS(100) : 0
		};
	ck_assert_int_eq(world_run(c->w, watch_memory, &m), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(m.each); i++)
		ck_assert_int_eq(m.each[i].err, ERR_OK);
	content_client_free(c);
}
END_TEST

/* What was begun and given up, or had another length, is nobody's two days later. */
START_TEST(an_abort_leaves_nothing_leased)
{
	struct content_client *c = small_client(12);

	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 900000, .abort_at = 700000 }),
	    ERR_CANCELED);
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 900000, .declared = 900001 }),
	    ERR_INVALID);
	ck_assert_uint_gt(world_shards_of_all(c->w), 16);
	ck_assert_uint_gt(content_longest_lease(c), HOURS(47) / SECONDS(1));
	ck_assert_uint_le(content_longest_lease(c), LEASE_UPLOAD_S);
	ck_assert_int_eq(content_put(c, (struct content_writing){ .bytes = 900000 }), ERR_OK);
	ck_assert_uint_gt(content_longest_lease(c), LEASE_TERM_S - 3600);
	content_client_free(c);
}
END_TEST

/* Parts become one without their bytes; a long list lies in a chunk of its own. */
struct joining {
	struct content_client *c;
	size_t first, count, to;
	size_t spare;
};

static int
join_task(void *arg)
{
	struct joining *j = arg;
	const struct content *parts[CONTENT_OBJECTS];
	struct manifest spare;
	int err;

	for (size_t i = 0; i < j->count; i++)
		parts[i] = &j->c->objects[j->first + i];
	manifest_init(&spare);
	err = content_join(&(struct content_join_opts){ .files = j->c->w->files,
			       .placing = content_client_placing(j->c),
			       .parts = parts,
			       .count = j->count },
	    &j->c->objects[j->to], &spare);
	j->spare = spare.chunks_count;
	manifest_fini(&spare);
	return err;
}

static int
read_joined(void *arg)
{
	struct joining *j = arg;
	struct content_client *c = j->c;
	struct content_reader *r;
	struct bytes piece;
	size_t part = j->first;
	uint64_t at = 0, sum = 0, wrong = 0;
	int err = content_reader_new(&(struct content_read_opts){ .files = c->w->files,
					 .memory = &c->down,
					 .content = &c->objects[j->to],
					 .len = c->objects[j->to].bytes },
	    &r);

	must(err == ERR_OK);
	while ((err = content_read(r, &piece)) == ERR_OK) {
		for (size_t i = 0; i < piece.len; i++) {
			while (at == c->bytes[part]) {
				part++;
				at = 0;
			}
			wrong += piece.data[i] != content_byte(part, at++);
		}
		sum += piece.len;
	}
	content_reader_free(r);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(sum, c->objects[j->to].bytes);
	return err == ERR_END ? ERR_OK : err;
}

START_TEST(parts_are_joined)
{
	struct content_client *c = content_client_new(&(struct world_opts){
	    .seed = 13, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = KIB(64) });
	struct joining few = { .c = c, .first = 0, .count = 3, .to = 10 };
	struct joining lots = { .c = c, .first = 0, .count = 5, .to = 11 };

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(content_put(c, (struct content_writing){ .object = i,
						    .bytes = i == 1 ? 0 : 300001 }),
		    ERR_OK);
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .object = 3, .bytes = 1000000 }), ERR_OK);
	ck_assert_int_eq(c->objects[3].kind, CONTENT_CHUNKS);
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .object = 4, .bytes = 10500000 }), ERR_OK);
	ck_assert_int_eq(c->objects[4].kind, CONTENT_LISTED);
	ck_assert_int_eq(content_get(c, 4), ERR_OK);
	ck_assert_int_eq(content_get_range(c, 4, 9111111, 77777), ERR_OK);
	ck_assert_int_eq(world_run(c->w, join_task, &few), ERR_OK);
	ck_assert_int_eq(c->objects[10].kind, CONTENT_CHUNKS);
	ck_assert_uint_eq(few.spare, 0);
	ck_assert_int_eq(world_run(c->w, read_joined, &few), ERR_OK);
	ck_assert_int_eq(world_run(c->w, join_task, &lots), ERR_OK);
	ck_assert_int_eq(c->objects[11].kind, CONTENT_LISTED);
	ck_assert_uint_eq(lots.spare, 1);
	ck_assert_int_eq(world_run(c->w, read_joined, &lots), ERR_OK);
	/* What lies in an entry or in a pack is no part. */
	ck_assert_int_eq(
	    content_put(c, (struct content_writing){ .bytes = 100, .may_inline = true }), ERR_OK);
	few.to = 12;
	ck_assert_int_eq(world_run(c->w, join_task, &few), ERR_STATE);
	content_client_free(c);
}
END_TEST

/* ---- S3's limit ---- */

#define PART_BYTES 70000

struct ten_thousand {
	struct content_client *c;
	const struct content *parts[MANIFEST_SEGMENTS_MAX + 1];
	uint64_t from; /* of 20,000 bytes that are read */
};

static int
join_all(struct ten_thousand *t, size_t count, struct content *out)
{
	struct manifest spare;
	int err;

	manifest_init(&spare);
	err = content_join(&(struct content_join_opts){ .files = t->c->w->files,
			       .placing = content_client_placing(t->c),
			       .parts = t->parts,
			       .count = count },
	    out, &spare);
	manifest_fini(&spare);
	return err;
}

static int
ten_thousand_task(void *arg)
{
	struct ten_thousand *t = arg;
	struct content_client *c = t->c;
	struct content *all = &c->objects[1];
	struct content_reader *r;
	struct content more;
	struct bytes piece;
	uint64_t at = t->from, wrong = 0;
	int err;

	content_init(&more);
	ck_assert_int_eq(join_all(t, MANIFEST_SEGMENTS_MAX + 1, &more), ERR_TOO_BIG);
	content_fini(&more);
	ck_assert_int_eq(join_all(t, MANIFEST_SEGMENTS_MAX, all), ERR_OK);
	ck_assert_int_eq(all->kind, CONTENT_LISTED);
	ck_assert_uint_eq(all->bytes, UINT64_C(70000) * MANIFEST_SEGMENTS_MAX);
	ck_assert_int_eq(content_reader_new(&(struct content_read_opts){ .files = c->w->files,
						.memory = &c->down,
						.content = all,
						.from = t->from,
						.len = 20000 },
			     &r),
	    ERR_OK);
	while ((err = content_read(r, &piece)) == ERR_OK) {
		for (size_t i = 0; i < piece.len; i++, at++)
			wrong += piece.data[i] != content_byte(0, at % PART_BYTES);
	}
	content_reader_free(r);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(at, t->from + 20000);
	return err == ERR_END ? ERR_OK : err;
}

START_TEST(ten_thousand_parts_are_joined)
{
	struct ten_thousand *t = calloc(1, sizeof(*t));

	must(t != NULL);
	t->c = small_client(16);
	t->from = UINT64_C(9999) * PART_BYTES - 10000; /* into the last part */
	ck_assert_int_eq(
	    content_put(t->c, (struct content_writing){ .bytes = PART_BYTES }), ERR_OK);
	for (size_t i = 0; i <= MANIFEST_SEGMENTS_MAX; i++)
		t->parts[i] = &t->c->objects[0];
	ck_assert_int_eq(world_run(t->c->w, ten_thousand_task, t), ERR_OK);
	content_client_free(t->c);
	free(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/contents");

	suite_add(s, "write", 60, all_sizes_come_back, another_length_than_declared_is_refused,
	    small_ones_at_the_same_time_share_chunks, a_holder_that_dies_in_the_middle_is_replaced,
	    fewer_than_n_are_told, an_abort_leaves_nothing_leased, NULL);
	suite_add(s, "read", 60, ranges, the_first_byte_does_not_wait_for_a_chunk,
	    a_key_of_the_customer_is_needed, dead_holders_and_too_many,
	    a_liar_is_found_and_worked_around, NULL);
	suite_add(s, "uploads", 60, fifty_uploads_share_little_memory,
	    uploads_of_unknown_length_end, NULL);
	suite_add(s, "downloads", 60, forty_slow_readers_share_little_memory, NULL);
	suite_add(s, "parts", 60, parts_are_joined, ten_thousand_parts_are_joined, NULL);
	return suite_main(s);
}
