/* The real file system in a temporary directory: files, locks, names, whole small files. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "overlay/base/buf.h"
#include "overlay/base/disk.h"
#include "test/unit/suite.h"

static struct disk *d;
static char dir[64];
static char name[2][128];

static const char *
path(const char *leaf)
{
	snprintf(name[0], sizeof(name[0]), "%s/%s", dir, leaf);
	return name[0];
}

static const char *
path2(const char *leaf)
{
	snprintf(name[1], sizeof(name[1]), "%s/%s", dir, leaf);
	return name[1];
}

static void
setup(void)
{
	d = disk_real();
	snprintf(dir, sizeof(dir), "/tmp/skerry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int
remove_one(void *arg, const char *leaf)
{
	(void)arg;
	return remove(path(leaf)) == 0 ? ERR_OK : ERR_IO;
}

static void
teardown(void)
{
	ck_assert_int_eq(disk_list(d, dir, remove_one, NULL), ERR_OK);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct file *
opened(const char *leaf, unsigned flags)
{
	struct file *f;

	ck_assert_int_eq(disk_open(d, path(leaf), flags, &f), ERR_OK);
	return f;
}

#define NEW (FILE_READ | FILE_WRITE | FILE_CREATE)

START_TEST(bytes_come_back)
{
	struct file *f = opened("a", NEW);
	struct stat st;
	uint64_t size;
	char out[16];
	size_t got;

	ck_assert(!file_is_direct(f));
	ck_assert_int_eq(file_write(f, 3, "hello", 5), ERR_OK);
	ck_assert_int_eq(file_sync(f), ERR_OK);
	ck_assert_int_eq(file_size(f, &size), ERR_OK);
	ck_assert_uint_eq(size, 8);
	ck_assert_int_eq(file_read(f, 0, out, sizeof(out), &got), ERR_OK);
	ck_assert_uint_eq(got, 8);
	ck_assert_mem_eq(out, "\0\0\0hello", 8);
	ck_assert_int_eq(file_read(f, 100, out, sizeof(out), &got), ERR_OK);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(file_truncate(f, 4), ERR_OK);
	ck_assert_int_eq(file_read(f, 0, out, sizeof(out), &got), ERR_OK);
	ck_assert_uint_eq(got, 4);
	ck_assert_int_eq(file_read(f, UINT64_MAX, out, 1, &got), ERR_INVALID);
	ck_assert_int_eq(file_write(f, INT64_MAX, out, 1), ERR_TOO_BIG);
	ck_assert_int_eq(stat(path("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	file_close(f);
}
END_TEST

START_TEST(flags_are_kept)
{
	struct file *f;
	uint64_t size;

	ck_assert_int_eq(disk_open(d, path("a"), FILE_READ, &f), ERR_NOT_FOUND);
	f = opened("a", NEW | FILE_EXCLUSIVE);
	ck_assert_int_eq(file_write(f, 0, "x", 1), ERR_OK);
	file_close(f);
	ck_assert_int_eq(disk_open(d, path("a"), NEW | FILE_EXCLUSIVE, &f), ERR_EXISTS);
	f = opened("a", FILE_READ);
	ck_assert_int_lt(file_write(f, 0, "y", 1), 0);
	file_close(f);
	f = opened("a", FILE_WRITE | FILE_TRUNCATE);
	ck_assert_int_eq(file_size(f, &size), ERR_OK);
	ck_assert_uint_eq(size, 0);
	file_close(f);
	file_close(NULL);
}
END_TEST

/* Wished for in a new exclusive file, which must work whatever the file system can. */
START_TEST(direct_access)
{
	struct file *f = opened("direct", NEW | FILE_EXCLUSIVE | FILE_DIRECT);
	uint8_t *out = aligned_alloc(DISK_ALIGN, 4 * DISK_ALIGN);
	uint8_t *in = aligned_alloc(DISK_ALIGN, 4 * DISK_ALIGN);
	size_t got;

	ck_assert(out != NULL && in != NULL);
	memset(out, 7, 4 * DISK_ALIGN);
	ck_assert_int_eq(file_allocate(f, 16 * DISK_ALIGN), ERR_OK);
	ck_assert_int_eq(file_write(f, 8 * DISK_ALIGN, out, 4 * DISK_ALIGN), ERR_OK);
	ck_assert_int_eq(file_sync(f), ERR_OK);
	ck_assert_int_eq(file_read(f, 8 * DISK_ALIGN, in, 4 * DISK_ALIGN, &got), ERR_OK);
	ck_assert_uint_eq(got, 4 * DISK_ALIGN);
	ck_assert_mem_eq(in, out, 4 * DISK_ALIGN);
	/* an end that is not aligned */
	ck_assert_int_eq(file_truncate(f, 10 * DISK_ALIGN + 100), ERR_OK);
	ck_assert_int_eq(file_read(f, 8 * DISK_ALIGN, in, 4 * DISK_ALIGN, &got), ERR_OK);
	ck_assert_uint_eq(got, 2 * DISK_ALIGN + 100);
	free(in);
	free(out);
	file_close(f);
}
END_TEST

START_TEST(allocation_grows_and_never_shrinks)
{
	struct file *f = opened("a", NEW);
	struct stat st;
	uint64_t size;

	ck_assert_int_eq(file_allocate(f, 0), ERR_OK);
	ck_assert_int_eq(file_allocate(f, MIB(1)), ERR_OK);
	ck_assert_int_eq(file_size(f, &size), ERR_OK);
	ck_assert_uint_eq(size, MIB(1));
	ck_assert_int_eq(stat(path("a"), &st), 0);
	ck_assert_int_eq(file_allocate(f, KIB(4)), ERR_OK);
	ck_assert_int_eq(file_size(f, &size), ERR_OK);
	ck_assert_uint_eq(size, MIB(1));
	ck_assert_int_lt(file_allocate(f, UINT64_MAX), 0);
	file_close(f);
}
END_TEST

/* Writes beyond a limit fail with its reason, and nothing reports success. */
START_TEST(failed_writes_say_why)
{
	struct file *f = opened("a", NEW);
	struct rlimit old, small;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(file_write(f, 4090, "0123456789", 10), ERR_TOO_BIG);
	ck_assert_int_eq(disk_write_file(d, path("b"), bytes_of(dir, sizeof(dir))), ERR_OK);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	file_close(f);
	ck_assert_int_eq(disk_open(d, "/dev/full", FILE_WRITE, &f), ERR_OK);
	ck_assert_int_eq(file_write(f, 0, "x", 1), ERR_NO_SPACE);
	file_close(f);
}
END_TEST

START_TEST(locks_exclude_within_a_process)
{
	struct file *a, *b;

	ck_assert_int_eq(disk_lock(d, path("lock"), &a), ERR_OK);
	ck_assert_int_eq(disk_lock(d, path("lock"), &b), ERR_BUSY);
	b = opened("lock", FILE_READ);
	file_close(b); /* closing another descriptor keeps the lock */
	ck_assert_int_eq(disk_lock(d, path("lock"), &b), ERR_BUSY);
	file_close(a);
	ck_assert_int_eq(disk_lock(d, path("lock"), &b), ERR_OK);
	file_close(b);
}
END_TEST

struct listing {
	int count;
	int stop;
	bool seen[3];
};

static int
note(void *arg, const char *leaf)
{
	struct listing *l = arg;

	ck_assert(strlen(leaf) == 1 && leaf[0] >= 'a' && leaf[0] <= 'c');
	ck_assert(!l->seen[leaf[0] - 'a']);
	l->seen[leaf[0] - 'a'] = true;
	return ++l->count == l->stop ? ERR_END : ERR_OK;
}

START_TEST(names)
{
	struct listing all = { .stop = 0 }, one = { .stop = 1 };
	struct disk_space space;
	struct stat st;

	file_close(opened("a", NEW));
	file_close(opened("b", NEW));
	ck_assert_int_eq(disk_mkdir(d, path("c")), ERR_OK);
	ck_assert_int_eq(stat(path("c"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(disk_mkdir(d, path("c")), ERR_EXISTS);
	ck_assert_int_eq(disk_mkdir(d, path("x/y")), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_list(d, dir, note, &all), ERR_OK);
	ck_assert_int_eq(all.count, 3);
	ck_assert_int_eq(disk_list(d, dir, note, &one), ERR_END);
	ck_assert_int_eq(one.count, 1);
	ck_assert_int_eq(disk_list(d, path("x"), note, &one), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_rename(d, path("a"), path2("b")), ERR_OK);
	ck_assert_int_eq(disk_unlink(d, path("a")), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(d, path("b")), ERR_OK);
	ck_assert_int_eq(disk_sync_dir(d, dir), ERR_OK);
	ck_assert_int_eq(disk_sync_dir(d, path("x")), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_space(d, dir, &space), ERR_OK);
	ck_assert_uint_gt(space.total_bytes, 0);
	ck_assert_uint_le(space.free_bytes, space.total_bytes);
	ck_assert_int_eq(disk_space(d, path("x"), &space), ERR_NOT_FOUND);
}
END_TEST

START_TEST(whole_files)
{
	struct listing all = { .stop = 0 };
	struct buf out;

	buf_init(&out, 10);
	ck_assert_int_eq(disk_read_file(d, path("a"), &out), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_write_file(d, path("a"), bytes_of("first one", 9)), ERR_OK);
	ck_assert_int_eq(disk_write_file(d, path("a"), bytes_of("second", 6)), ERR_OK);
	ck_assert_int_eq(disk_list(d, dir, note, &all), ERR_OK); /* nothing else is left */
	ck_assert_int_eq(all.count, 1);
	ck_assert_int_eq(disk_read_file(d, path("a"), &out), ERR_OK);
	ck_assert_uint_eq(out.len, 6);
	ck_assert_mem_eq(out.data, "second", 6);
	ck_assert_int_eq(disk_read_file(d, path("a"), &out), ERR_TOO_BIG);
	ck_assert_uint_eq(out.len, 6);
	ck_assert_int_eq(disk_write_file(d, path("b"), bytes_of(NULL, 0)), ERR_OK);
	ck_assert_int_eq(disk_read_file(d, path("b"), &out), ERR_OK);
	ck_assert_uint_eq(out.len, 6);
	buf_fini(&out);
	/* a target that cannot be replaced leaves no temporary file */
	ck_assert_int_eq(disk_mkdir(d, path("c")), ERR_OK);
	ck_assert_int_lt(disk_write_file(d, path("c"), bytes_of("x", 1)), 0);
	ck_assert_int_lt(disk_replace_file(d, path("c"), bytes_of("x", 1)), 0);
	all = (struct listing){ .stop = 0 };
	ck_assert_int_eq(disk_list(d, dir, note, &all), ERR_OK);
	ck_assert_int_eq(all.count, 3);
	ck_assert_int_eq(disk_write_file(d, path("x/y"), bytes_of("x", 1)), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_replace_file(d, path("x/y"), bytes_of("x", 1)), ERR_NOT_FOUND);
	buf_init(&out, 10);
	ck_assert_int_eq(disk_replace_file(d, path("a"), bytes_of("third", 5)), ERR_OK);
	ck_assert_int_eq(disk_read_file(d, path("a"), &out), ERR_OK);
	ck_assert_str_eq(buf_str(&out), "third");
	buf_fini(&out);
}
END_TEST

START_TEST(whole_file_without_directory)
{
	char *old = getcwd(NULL, 0);
	struct buf out;

	ck_assert_ptr_nonnull(old);
	ck_assert_int_eq(chdir(dir), 0);
	buf_init(&out, 10);
	ck_assert_int_eq(disk_write_file(d, "a", bytes_of("here", 4)), ERR_OK);
	ck_assert_int_eq(chdir(old), 0);
	ck_assert_int_eq(disk_read_file(d, path("a"), &out), ERR_OK);
	ck_assert_str_eq(buf_str(&out), "here");
	buf_fini(&out);
	free(old);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/disk_real");
	TCase *tc = tcase_create("disk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bytes_come_back);
	tcase_add_test(tc, flags_are_kept);
	tcase_add_test(tc, direct_access);
	tcase_add_test(tc, allocation_grows_and_never_shrinks);
	tcase_add_test(tc, failed_writes_say_why);
	tcase_add_test(tc, locks_exclude_within_a_process);
	tcase_add_test(tc, names);
	tcase_add_test(tc, whole_files);
	tcase_add_test(tc, whole_file_without_directory);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
