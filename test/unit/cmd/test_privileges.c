/*
 * What root gives to a user, in a directory where the user may have put links. Without root only
 * what is refused, and what need not be given, is seen.
 */
#include "cmd/privileges.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay/base/err.h"
#include "overlay/base/types.h"
#include "test/unit/suite.h"

#define NOBODY   65534
#define STRANGER 54321

struct place {
	char top[32]; /* ours */
	char dir[64], file[96], other[64];
	struct privileges_user user;
};

static void
write_file(const char *path)
{
	FILE *f = fopen(path, "w");

	must(f != NULL && fputs("kept", f) >= 0 && fclose(f) == 0);
}

static void
place_init(struct place *p)
{
	bool root = geteuid() == 0;

	p->user = (struct privileges_user){ root ? NOBODY : geteuid(), root ? NOBODY : getegid() };
	strcpy(p->top, "privileges-XXXXXX");
	must(mkdtemp(p->top) != NULL);
	(void)snprintf(p->dir, sizeof(p->dir), "%s/node", p->top);
	(void)snprintf(p->file, sizeof(p->file), "%s/file", p->dir);
	(void)snprintf(p->other, sizeof(p->other), "%s/other", p->top);
	must(mkdir(p->dir, 0700) == 0);
	write_file(p->other);
}

static void
place_fini(struct place *p)
{
	(void)unlink(p->file);
	must(rmdir(p->dir) == 0 && unlink(p->other) == 0 && rmdir(p->top) == 0);
}

static uid_t
owner(const char *path)
{
	struct stat st;

	must(lstat(path, &st) == 0);
	return st.st_uid;
}

static int
give(const struct place *p)
{
	return privileges_give(&p->user, p->dir, "file");
}

START_TEST(plain_ones_are_given)
{
	struct place p;

	place_init(&p);
	ck_assert_int_eq(give(&p), ERR_OK); /* no file yet */
	ck_assert_uint_eq(owner(p.dir), p.user.uid);
	write_file(p.file);
	ck_assert_int_eq(give(&p), ERR_OK);
	ck_assert_uint_eq(owner(p.file), p.user.uid);
	ck_assert_int_eq(give(&p), ERR_OK);
	ck_assert_uint_eq(owner(p.top), geteuid());
	place_fini(&p);
}
END_TEST

START_TEST(links_to_files_are_refused)
{
	struct place p;

	place_init(&p);
	must(chown(p.dir, p.user.uid, p.user.gid) == 0);
	must(symlink("../other", p.file) == 0);
	ck_assert_int_eq(give(&p), ERR_INVALID);
	must(unlink(p.file) == 0 && link(p.other, p.file) == 0);
	ck_assert_int_eq(give(&p), ERR_INVALID);
	must(unlink(p.file) == 0 && mkfifo(p.file, 0600) == 0);
	ck_assert_int_eq(give(&p), ERR_INVALID);
	ck_assert_uint_eq(owner(p.other), geteuid());
	place_fini(&p);
}
END_TEST

/* Root's directory is given where it stands, and not where a link leads; the user's may be used. */
START_TEST(links_to_directories_are_refused)
{
	struct place p;
	char link[64], below[80];

	place_init(&p);
	(void)snprintf(link, sizeof(link), "%s/link", p.top);
	must(symlink("node", link) == 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(privileges_give(&p.user, link, "file"), ERR_INVALID);
		(void)snprintf(below, sizeof(below), "%s/", link);
		ck_assert_int_eq(privileges_give(&p.user, below, "file"), ERR_INVALID);
		must(unlink(link) == 0 && symlink(".", link) == 0);
		(void)snprintf(below, sizeof(below), "%s/node", link);
		ck_assert_int_eq(privileges_give(&p.user, below, "file"), ERR_INVALID);
		ck_assert_uint_eq(owner(p.dir), 0);
		must(unlink(link) == 0 && symlink("node", link) == 0);
		must(chown(p.dir, p.user.uid, p.user.gid) == 0);
	}
	ck_assert_int_eq(privileges_give(&p.user, link, "file"), ERR_OK);
	must(unlink(link) == 0);
	place_fini(&p);
}
END_TEST

START_TEST(what_is_a_strangers_is_refused)
{
	struct place p;

	place_init(&p);
	if (geteuid() == 0) {
		write_file(p.file);
		must(chown(p.file, STRANGER, STRANGER) == 0);
		ck_assert_int_eq(give(&p), ERR_PERMISSION);
		ck_assert_uint_eq(owner(p.file), STRANGER);
		ck_assert_uint_eq(owner(p.dir), 0);
		must(chown(p.dir, STRANGER, STRANGER) == 0);
		ck_assert_int_eq(give(&p), ERR_PERMISSION);
		ck_assert_uint_eq(owner(p.dir), STRANGER);
	}
	place_fini(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/privileges");

	suite_add(s, "give", 0, plain_ones_are_given, links_to_files_are_refused,
	    links_to_directories_are_refused, what_is_a_strangers_is_refused, NULL);
	return suite_main(s);
}
