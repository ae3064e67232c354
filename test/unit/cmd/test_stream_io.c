/* A file that is read while others write: whether it is still the one, and still there. */
#include "cmd/stream_io.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "test/unit/suite.h"

static void
write_file(const char *path, const char *bytes)
{
	FILE *f = fopen(path, "w");

	must(f != NULL && fputs(bytes, f) >= 0 && fclose(f) == 0);
}

START_TEST(file_appended_to)
{
	char dir[] = "stream-io-XXXXXX", path[64];
	struct input in;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, "old");
	ck_assert(input_open(&in, path));
	ck_assert(input_unchanged(&in) && input_is_at(&in, path));
	write_file(path, "old and more");
	ck_assert(!input_unchanged(&in) && !input_is_at(&in, path));
	input_close(&in);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* As editors save: what was opened is as it was, and the name means another one. */
START_TEST(file_replaced)
{
	char dir[] = "stream-io-XXXXXX", path[64], other[64];
	struct input in;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	write_file(path, "old");
	write_file(other, "new");
	ck_assert(input_open(&in, path));
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert(input_unchanged(&in) && !input_is_at(&in, path));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!input_is_at(&in, path));
	input_close(&in);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* What a file system takes as a name can be read back: beside it stands a shorter one meanwhile. */
START_TEST(longest_name)
{
	char dir[] = "stream-io-XXXXXX", path[PATH_BYTES_MAX];
	struct output out;
	size_t n;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	n = (size_t)snprintf(path, sizeof(path), "%s/", dir);
	memset(path + n, 'x', NAME_MAX);
	path[n + NAME_MAX] = '\0';
	ck_assert(output_open(&out, path, 0xffffffff));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(output_write(&out, 0, (const uint8_t *)"new", 3), ERR_OK);
	ck_assert_int_eq(output_commit(&out, 3, true), ERR_OK);
	output_close(&out);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/stream_io");

	suite_add(s, "input", 0, file_appended_to, file_replaced, NULL);
	suite_add(s, "output", 0, longest_name, NULL);
	return suite_main(s);
}
