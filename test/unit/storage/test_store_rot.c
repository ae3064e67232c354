/*
 * A store whose files are not as it left them: flipped bits, missing and foreign segments, what was
 * never finished. On real files with LMDB.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/storage/store_case.h"
#include "test/unit/suite.h"

static int
open_only(struct ctx *c)
{
	int err = store_open(&c->opts, &c->store);

	if (err == ERR_OK)
		store_close(c->store);
	return err;
}

static void
flip(const char *dir, const char *name, uint64_t offset, unsigned bit)
{
	char path[200];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= (uint8_t)(1u << bit);
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

/* ---- rot ---- */

#define FIRST_SEGMENT "segment-0000000000000001"

static struct fx_chunk three[3];
/* Of a shard of 70,000 bytes: header, leaves, trailer. */
static const uint64_t extent_bytes = 4096 + 73728 + 4096;

static int
put_three(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(fx_put(c->store, &three[i], 0, 1, 1), ERR_OK);
	store_close(c->store);
	return ERR_OK;
}

/* Which of the three are whole when everything is read. */
static unsigned whole;

static int
verify_three(struct ctx *c)
{
	whole = 0;
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++) {
		int err = store_verify(c->store, &three[i].id, 0);

		if (err == ERR_OK)
			whole |= 1u << i;
		else
			ck_assert(err == ERR_CORRUPT || err == ERR_NOT_FOUND);
	}
	store_close(c->store);
	return ERR_OK;
}

static void
three_init(struct ctx *c)
{
	ctx_init(c);
	for (size_t i = 0; i < 3; i++)
		fx_chunk_init(&three[i], i, 1, 1, 70000);
	ck_assert_int_eq(tell(c, put_three), ERR_OK);
}

static void
three_fini(struct ctx *c)
{
	for (size_t i = 0; i < 3; i++)
		fx_chunk_fini(&three[i]);
	ctx_fini(c);
}

START_TEST(flipped_bits_are_found)
{
	/* in the second shard: header, leaves of both rows, trailer (magic, leaf hash, CRC) */
	static const uint64_t offsets[] = { 0, 40, 75, 4096, 4096 + 65535, 4096 + 65536,
		4096 + 69999, 4096 + 73728, 4096 + 73728 + 200 };

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		uint64_t at = 8192 + extent_bytes + offsets[i];
		struct ctx c;

		three_init(&c);
		flip(c.dir, FIRST_SEGMENT, at, (unsigned)i % 8);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 5);
		ck_assert_int_eq(tell(&c, check_story), ERR_OK);
		ck_assert_uint_gt(findings, 0);
		ck_assert_uint_gt(checked.bad_shards + checked.index_stray, 0);
		ck_assert_uint_eq(checked.shards, 2);
		/* without the index the others are found all the same */
		fx_remove_index(c.dir);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 5);
		/* back again: whole */
		flip(c.dir, FIRST_SEGMENT, at, (unsigned)i % 8);
		fx_remove_index(c.dir);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 7);
		three_fini(&c);
	}
}
END_TEST

START_TEST(segment_header_is_there_twice)
{
	struct ctx c;

	three_init(&c);
	/* The version is judged before the CRC: one that has rotted is no reason to refuse all. */
	flip(c.dir, FIRST_SEGMENT, 9, 2);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	flip(c.dir, FIRST_SEGMENT, 4096 + 9, 2);
	ck_assert_int_eq(tell(&c, open_only), ERR_VERSION);
	flip(c.dir, FIRST_SEGMENT, 9, 2);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	flip(c.dir, FIRST_SEGMENT, 4096 + 9, 2);

	flip(c.dir, FIRST_SEGMENT, 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	flip(c.dir, FIRST_SEGMENT, 4096 + 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 0);
	ck_assert_ptr_nonnull(strstr(c.logged, "1 segments without a header"));
	/* nothing was removed, so a repaired header brings all back */
	flip(c.dir, FIRST_SEGMENT, 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	three_fini(&c);
}
END_TEST

START_TEST(missing_segment_is_told)
{
	char path[200];
	struct ctx c;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/%s", c.dir, FIRST_SEGMENT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 0);
	ck_assert_ptr_nonnull(strstr(c.logged, "3 in missing segments"));
	ck_assert_int_eq(tell(&c, put_three), ERR_OK);
	three_fini(&c);
}
END_TEST

/* A writer stays open, so the index's position lies before the shard that rots. */
static int
rot_behind_a_writer(struct ctx *c)
{
	struct shard_writer *w;

	if (store_open(&c->opts, &c->store) != ERR_OK ||
	    shard_begin(c->store, &three[2].layout, 0, &w) != ERR_OK ||
	    fx_put(c->store, &three[0], 0, 1, 1) != ERR_OK ||
	    fx_put(c->store, &three[1], 0, 1, 1) != ERR_OK)
		return ERR_IO;
	kill(getpid(), SIGKILL);
	return ERR_IO;
}

static int
rot_is_counted(struct ctx *c)
{
	struct store_status st;

	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	store_status(c->store, &st);
	ck_assert_uint_eq(st.rot, 1);
	ck_assert_int_eq(fx_check(c->store, &three[1], 0), ERR_OK);
	ck_assert_int_eq(store_verify(c->store, &three[0].id, 0), ERR_CORRUPT);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(dead_extent_of_the_index_is_rot)
{
	struct ctx c;
	int status;
	pid_t child;

	ctx_init(&c);
	for (size_t i = 0; i < 3; i++)
		fx_chunk_init(&three[i], i, 1, 1, 70000);
	child = fork();
	if (child == 0)
		_exit(tell(&c, rot_behind_a_writer) == ERR_OK ? 1 : 2);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	flip(c.dir, FIRST_SEGMENT, 8192 + extent_bytes + 4096 + 73728 + 50, 3);
	ck_assert_int_eq(tell(&c, rot_is_counted), ERR_OK);
	three_fini(&c);
}
END_TEST

/* ---- foreign and unfinished files ---- */

START_TEST(newer_store_is_refused)
{
	struct ctx c;

	three_init(&c);
	flip(c.dir, FIRST_SEGMENT, 9, 3); /* its version, 2, becomes 10 */
	flip(c.dir, FIRST_SEGMENT, 4096 + 9, 3);
	ck_assert_int_eq(tell(&c, open_only), ERR_VERSION);
	ck_assert_ptr_nonnull(strstr(c.logged, "version 10"));
	ck_assert_ptr_nonnull(strstr(c.logged, "knows 2"));
	three_fini(&c);
}
END_TEST

START_TEST(other_network_is_refused)
{
	struct ctx c;

	three_init(&c);
	c.opts.net.b[0] ^= 1;
	ck_assert_int_eq(tell(&c, open_only), ERR_WRONG_NETWORK);
	c.opts.net.b[0] ^= 1;
	ck_assert_int_eq(tell(&c, open_only), ERR_OK);
	three_fini(&c);
}
END_TEST

START_TEST(unfinished_segment_goes)
{
	char path[200];
	struct ctx c;
	FILE *f;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/segment-0000000000000002", c.dir);
	f = fopen(path, "w");
	fclose(f);
	ck_assert_int_eq(truncate(path, 100000), 0);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	ck_assert_int_ne(access(path, F_OK), 0);
	three_fini(&c);
}
END_TEST

static int
read_only_story(struct ctx *c)
{
	struct store_opts opts = c->opts;

	opts.read_only = true;
	ck_assert_int_eq(store_open(&opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(store_verify(c->store, &three[i].id, 0), ERR_OK);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(read_only_changes_nothing)
{
	struct dump before, after;
	char path[200];
	struct stat a, b;
	struct ctx c;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/%s", c.dir, FIRST_SEGMENT);
	before = dump_index(&c);
	ck_assert_int_eq(stat(path, &a), 0);
	ck_assert_int_eq(tell(&c, read_only_story), ERR_OK);
	ck_assert_int_eq(stat(path, &b), 0);
	after = dump_index(&c);
	ck_assert_mem_eq(&before.entries, &after.entries, sizeof(before.entries));
	ck_assert_int_eq(a.st_size, b.st_size);
	ck_assert_int_eq(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	three_fini(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/store_rot");

	must(crypto_init() == ERR_OK);
	suite_add(s, "rot", 60, flipped_bits_are_found, segment_header_is_there_twice,
	    missing_segment_is_told, dead_extent_of_the_index_is_rot, NULL);
	suite_add(s, "files", 30, newer_store_is_refused, other_network_is_refused,
	    unfinished_segment_goes, read_only_changes_nothing, NULL);
	return suite_main(s);
}
