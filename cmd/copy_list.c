/*
 * What cp, mv and sync are to do, listed: files by a walk, objects by their bucket. Each gets the
 * name below the place that was named. What cannot be listed is told and counts as failed, and the
 * rest goes on: one odd name must not stand between people and all their other files.
 */
#include "cmd/copy_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/objects.h"
#include "cmd/say.h"

/* Directories below one another: a tree that is deeper is a loop, or a mistake. */
#define DEPTH_MAX    64
#define ERR_TEXT_MAX 128

/* Sync deletes nothing then: what is missing in the list may be there. */
static void
leave_out(struct copy_list *a, const char *name, const char *why, int err)
{
	char clean[KEY_CLEAN_MAX];

	say_error(a->command, "%s %s: left out", say_clean(name, clean, sizeof(clean)), why);
	a->transfer.failed++;
	if (a->transfer.err == ERR_OK)
		a->transfer.err = err;
}

static void
leave_unread(struct copy_list *a, const char *path, int err)
{
	char why[ERR_TEXT_MAX];

	(void)snprintf(why, sizeof(why), "cannot be read (%s)", err_text(err));
	leave_out(a, path, why, err);
}

/* ---- names ---- */

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* "dir" and "name" with one slash between them. False: longer than cap. */
static bool
join(const char *dir, const char *name, char *out, size_t cap)
{
	size_t len = strlen(dir);
	const char *slash = len == 0 || dir[len - 1] == '/' ? "" : "/";

	return (size_t)snprintf(out, cap, "%s%s%s", dir, slash, name) < cap;
}

/* A key comes from anybody: below the directory that was named, it must stay there. */
static bool
relative_safe(const char *name)
{
	for (;;) {
		size_t len = strcspn(name, "/");

		if (len == 0 || (len == 1 && name[0] == '.') ||
		    (len == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

/* Where an object goes that is called name below what was named. */
static int
add_job(
    struct copy_list *a, const char *from, const char *name, uint64_t bytes, uint64_t modified_ms)
{
	char to[PATH_BYTES_MAX];
	size_t cap = a->to_bucket ? OBJECT_KEY_MAX + 1 : sizeof(to);

	if (!a->to_bucket && !relative_safe(name)) {
		leave_out(a, from, "is not fit to be a file's name (cp can name one)", ERR_INVALID);
		return ERR_OK;
	}
	if (!join(a->to_bucket ? a->target.key : a->to, name, to, cap)) {
		leave_out(a, from, "would have too long a name", ERR_TOO_BIG);
		return ERR_OK;
	}
	return transfer_add(&a->transfer, from, to, bytes, modified_ms);
}

/* ---- listing files, before the loop ---- */

static uint64_t
modified_of(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000 + (uint64_t)st->st_mtim.tv_nsec / 1000000;
}

static int walk(struct copy_list *a, const char *dir, unsigned depth);

static int
walk_below(struct copy_list *a, const char *dir, unsigned depth)
{
	int err = depth < DEPTH_MAX ? walk(a, dir, depth + 1) : ERR_TOO_BIG;

	if (err == ERR_OK || err == ERR_NOMEM)
		return err;
	leave_unread(a, dir, err);
	return ERR_OK;
}

static int
walk_one(struct copy_list *a, const char *path, unsigned depth)
{
	char clean[KEY_CLEAN_MAX];
	struct stat st;

	if (lstat(path, &st) != 0) {
		leave_unread(a, path, err_from_errno(errno));
		return ERR_OK;
	}
	if (S_ISDIR(st.st_mode))
		return walk_below(a, path, depth);
	if (!S_ISREG(st.st_mode)) {
		say_note("%s is no file: left out", say_clean(path, clean, sizeof(clean)));
		return ERR_OK;
	}
	if (a->looking)
		return transfer_add(&a->there, "", path, (uint64_t)st.st_size, modified_of(&st));
	return add_job(a, path, path + a->root, (uint64_t)st.st_size, modified_of(&st));
}

static int
walk(struct copy_list *a, const char *dir, unsigned depth)
{
	struct dirent **names;
	int count = scandir(dir, &names, NULL, alphasort), err = ERR_OK;
	char path[PATH_BYTES_MAX];

	if (count < 0)
		return err_from_errno(errno);
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (err == ERR_OK && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			if (join(dir, name, path, sizeof(path)))
				err = walk_one(a, path, depth);
			else
				leave_unread(a, name, ERR_TOO_BIG);
		}
		free(names[i]);
	}
	free(names);
	return err;
}

int
copy_list_files(struct copy_list *a)
{
	struct stat st;

	if (strcmp(a->from, "-") == 0)
		return transfer_add(&a->transfer, "-", a->target.key, 0, 0);
	if (stat(a->from, &st) != 0)
		return err_from_errno(errno);
	if (S_ISDIR(st.st_mode)) {
		if (!a->tree)
			return ERR_STATE;
		a->root = strlen(a->from) + (a->from[strlen(a->from) - 1] != '/');
		return walk(a, a->from, 0);
	}
	if (a->tree)
		return ERR_INVALID;
	if (a->target.key[0] != '\0' && a->target.key[strlen(a->target.key) - 1] != '/')
		return transfer_add(
		    &a->transfer, a->from, a->target.key, (uint64_t)st.st_size, modified_of(&st));
	return add_job(a, a->from, base_of(a->from), (uint64_t)st.st_size, modified_of(&st));
}

int
copy_list_target(struct copy_list *a)
{
	struct stat st;
	int err = ERR_OK;

	if (a->to_bucket || strcmp(a->to, "-") == 0)
		return ERR_OK;
	if (stat(a->to, &st) != 0)
		return errno == ENOENT ? ERR_OK : err_from_errno(errno);
	a->to_directory = S_ISDIR(st.st_mode);
	if (a->syncs && a->to_directory) {
		a->looking = true;
		err = walk(a, a->to, 0);
		a->looking = false;
	}
	return err;
}

/* ---- listing objects ---- */

static int
each_source(void *arg, const struct list_item *item)
{
	struct copy_list *a = arg;
	char key[OBJECT_KEY_MAX + 1];

	memcpy(key, item->key.data, item->key.len);
	key[item->key.len] = '\0';
	/* "Directories" that some clients put as empty objects. */
	if (!a->to_bucket && item->key.len > 0 && key[item->key.len - 1] == '/')
		return ERR_OK;
	if (strlen(key + a->root) == 0)
		return ERR_OK;
	return add_job(a, key, key + a->root, item->entry->size, item->entry->modified_ms);
}

/* sk://b/dir means what is below dir, and not dir2. */
static struct bytes
below(const char *key, char out[OBJECT_KEY_MAX + 2])
{
	(void)join(key, "", out, OBJECT_KEY_MAX + 2);
	return bytes_of(out, strlen(out));
}

static SUSPENDS int
list_tree(struct copy_list *a)
{
	char prefix[OBJECT_KEY_MAX + 2];
	struct list_query q = { .what = LIST_OBJECTS, .prefix = below(a->source.key, prefix) };

	a->root = q.prefix.len;
	return objects_list(a->transfer.source, &q, each_source, a);
}

static SUSPENDS int
list_object(struct copy_list *a)
{
	const struct version_ref latest = { .which = VERSION_LATEST };
	const char *key = a->source.key, *to = a->to_bucket ? a->target.key : a->to;
	struct object_facts f;
	bool into;
	int err = object_facts(a->transfer.source, bytes_of(key, strlen(key)), &latest, &f);

	if (err != ERR_OK)
		return err;
	into = to[0] == '\0' || to[strlen(to) - 1] == '/' || a->to_directory;
	if (into)
		return add_job(a, key, base_of(key), f.bytes, f.modified_ms);
	return transfer_add(&a->transfer, key, to, f.bytes, f.modified_ms);
}

SUSPENDS int
copy_list_objects(struct copy_list *a)
{
	return a->tree ? list_tree(a) : list_object(a);
}

/* ---- onto itself ---- */

static int
is_from(const void *key, const void *job)
{
	return strcmp(key, ((const struct transfer_job *)job)->from);
}

/* Jobs are in the order of their sources, as the bucket lists them. */
const struct transfer_job *
copy_list_overlap(const struct copy_list *a)
{
	const struct transfer *t = &a->transfer;

	if (!a->from_bucket || !a->to_bucket || strcmp(a->source.bucket, a->target.bucket) != 0)
		return NULL;
	for (size_t i = 0; i < t->count; i++)
		if (bsearch(t->jobs[i].to, t->jobs, t->count, sizeof(*t->jobs), is_from) != NULL)
			return &t->jobs[i];
	return NULL;
}

/* ---- sync ---- */

static int
by_name(const void *x, const void *y)
{
	const struct transfer_job *a = x, *b = y;

	return strcmp(a->to, b->to);
}

static int
each_there(void *arg, const struct list_item *item)
{
	struct copy_list *a = arg;
	char key[OBJECT_KEY_MAX + 1];

	memcpy(key, item->key.data, item->key.len);
	key[item->key.len] = '\0';
	return transfer_add(&a->there, "", key, item->entry->size, item->entry->modified_ms);
}

SUSPENDS int
copy_list_there(struct copy_list *a)
{
	char prefix[OBJECT_KEY_MAX + 2];
	struct list_query q = { .what = LIST_OBJECTS, .prefix = below(a->target.key, prefix) };

	return a->to_bucket ? objects_list(a->transfer.target, &q, each_there, a) : ERR_OK;
}

/*
 * The same size, and not older than its source: it is left alone. A file that was read back has its
 * object's time.
 */
void
copy_list_leave_same(struct copy_list *a)
{
	struct transfer *t = &a->transfer, *there = &a->there;
	size_t kept = 0;

	if (there->count > 0)
		qsort(there->jobs, there->count, sizeof(*there->jobs), by_name);
	for (size_t i = 0; i < t->count; i++) {
		struct transfer_job *j = &t->jobs[i], *have = NULL;

		if (there->count > 0)
			have = bsearch(j, there->jobs, there->count, sizeof(*there->jobs), by_name);
		if (have != NULL)
			have->wanted = true;
		if (have != NULL && have->bytes == j->bytes &&
		    have->modified_ms >= j->modified_ms) {
			t->total -= j->bytes;
			free(j->from);
			free(j->to);
		} else {
			t->jobs[kept++] = *j;
		}
	}
	t->count = kept;
}
