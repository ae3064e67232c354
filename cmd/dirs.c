/* Names and existence of directories; whatever fails makes nothing. */
#include "cmd/dirs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/say.h"

static int
fits(int n)
{
	return n < 0 || n >= PATH_BYTES_MAX ? ERR_TOO_BIG : ERR_OK;
}

static int
choose(const char *given, char out[PATH_BYTES_MAX])
{
	const char *env = getenv("SKERRY_DIR"), *home = getenv("HOME");

	if (given != NULL)
		return fits(snprintf(out, PATH_BYTES_MAX, "%s", given));
	if (env != NULL && env[0] != '\0')
		return fits(snprintf(out, PATH_BYTES_MAX, "%s", env));
	if (home == NULL || home[0] == '\0')
		return ERR_NOT_FOUND;
	return fits(snprintf(out, PATH_BYTES_MAX, "%s/.skerry", home));
}

int
dirs_find(const char *command, const char *given, char out[PATH_BYTES_MAX])
{
	int err = choose(given, out);

	if (err != ERR_OK)
		say_error(command, "no directory: give --dir, or set SKERRY_DIR or HOME");
	return err;
}

int
dirs_path(const char *dir, const char *name, char out[PATH_BYTES_MAX])
{
	return fits(snprintf(out, PATH_BYTES_MAX, "%s/%s", dir, name));
}

int
dirs_make(const char *dir, bool *made)
{
	struct stat st;

	if (mkdir(dir, 0700) == 0) {
		*made = true;
		return ERR_OK;
	}
	if (errno == ENOTDIR)
		return ERR_EXISTS;
	if (errno != EEXIST)
		return err_from_errno(errno);
	if (stat(dir, &st) != 0)
		return err_from_errno(errno);
	if (!S_ISDIR(st.st_mode))
		return ERR_EXISTS;
	*made = false;
	return ERR_OK;
}

const char *
dirs_why(int err)
{
	switch (err) {
	case ERR_EXISTS:
		return "it, or something on the way to it, is no directory";
	case ERR_NOT_FOUND:
		return "the directory above it is not there, and only the last one is made";
	default:
		return err_text(err);
	}
}

bool
dirs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}
