/*
 * What is in the directory is known from a look at the start. Each call changes the list first and
 * then, in a worker, the files; nothing is synced, since a torn file is only a miss.
 */
#include "object/cache_dir.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"

#define NAME_LETTERS 64
/* Removed at once to make room for one. */
#define VICTIMS_MAX  64

static char *
path_of(const struct cache_dir *c, const struct hash *id)
{
	size_t len = strlen(c->path);
	char *path = malloc(len + 1 + NAME_LETTERS + 1);

	if (path == NULL)
		return NULL;
	memcpy(path, c->path, len);
	path[len] = '/';
	hex_encode(path + len + 1, id->b, sizeof(id->b));
	return path;
}

/* ---- the list ---- */

static struct cache_file *
find(struct cache_dir *c, const struct hash *id)
{
	for (size_t i = 0; i < c->count; i++) {
		if (hash_equal(&c->files[i].id, id))
			return &c->files[i];
	}
	return NULL;
}

static void
forget(struct cache_dir *c, struct cache_file *f)
{
	c->bytes -= f->bytes;
	*f = c->files[--c->count];
}

static int
add(struct cache_dir *c, const struct hash *id, uint64_t bytes)
{
	if (c->count == c->cap) {
		size_t cap = c->cap == 0 ? 64 : c->cap * 2;
		struct cache_file *more = realloc(c->files, cap * sizeof(*more));

		if (more == NULL)
			return ERR_NOMEM;
		c->files = more;
		c->cap = cap;
	}
	c->files[c->count++] = (struct cache_file){ *id, bytes, c->tick };
	c->bytes += bytes;
	return ERR_OK;
}

static struct cache_file *
oldest(struct cache_dir *c)
{
	struct cache_file *f = &c->files[0];

	for (size_t i = 1; i < c->count; i++) {
		if (c->files[i].used < f->used)
			f = &c->files[i];
	}
	return f;
}

/* ---- a look at what is there ---- */

struct looking {
	struct cache_dir *c;
	struct disk *disk;
};

/* The worker has the list for itself: nobody knows of it yet. */
static int
look_at(void *arg, const char *name)
{
	struct looking *l = arg;
	struct hash id;
	struct file *f;
	char *path;
	uint64_t bytes;
	int err = ERR_OK;

	if (l->c->count == CACHE_FILES_MAX ||
	    hex_decode(id.b, sizeof(id.b), name, strlen(name)) != ERR_OK)
		return ERR_OK;
	path = path_of(l->c, &id);
	if (path == NULL)
		return ERR_NOMEM;
	if (disk_open(l->disk, path, FILE_READ, &f) == ERR_OK) {
		if (file_size(f, &bytes) == ERR_OK)
			err = add(l->c, &id, bytes);
		file_close(f);
	}
	free(path);
	return err;
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

static int
look_work(void *arg)
{
	struct looking *l = arg;
	int err = disk_mkdir(l->disk, l->c->path);

	if (err == ERR_OK || err == ERR_EXISTS)
		err = disk_list(l->disk, l->c->path, look_at, l);
	/* In the order of the directory nothing would replay. */
	if (err == ERR_OK && l->c->count > 0)
		qsort(l->c->files, l->c->count, sizeof(l->c->files[0]), by_id);
	return err;
}

int
cache_dir_init(struct cache_dir *c, struct env *env, const char *path, uint64_t bytes_max)
{
	struct looking l = { c, env->disk };
	int err;

	static_assert(offsetof(struct cache_file, id) == 0, "by_id looks there");
	memset(c, 0, sizeof(*c));
	c->env = env;
	c->bytes_max = bytes_max;
	if (path == NULL)
		return ERR_OK;
	c->path = strdup(path);
	if (c->path == NULL)
		return ERR_NOMEM;
	err = env_offload(env, WORK_DISK, look_work, &l, WORK_INLINE_MAX);
	if (err != ERR_OK) {
		log_warn(env, "no cache of pages in %s: %s", path, err_text(err));
		cache_dir_fini(c);
		c->env = env;
	}
	return ERR_OK;
}

void
cache_dir_fini(struct cache_dir *c)
{
	free(c->path);
	free(c->files);
	memset(c, 0, sizeof(*c));
}

/* ---- files ---- */

struct file_job {
	struct disk *disk;
	char *path;
	struct bytes data;
	struct buf *out;
	char *victims[VICTIMS_MAX];
	size_t victims_count;
};

static int
read_work(void *arg)
{
	struct file_job *j = arg;

	return disk_read_file(j->disk, j->path, j->out);
}

int
cache_dir_get(struct cache_dir *c, const struct hash *id, struct buf *out)
{
	struct cache_file *f = c->path == NULL ? NULL : find(c, id);
	struct file_job job = { .disk = c->env->disk, .out = out };
	size_t before = out->len;
	int err;

	if (f == NULL)
		return ERR_NOT_FOUND;
	f->used = ++c->tick;
	job.path = path_of(c, id);
	if (job.path == NULL)
		return ERR_NOMEM;
	err = env_offload(c->env, WORK_DISK, read_work, &job, WORK_INLINE_MAX);
	free(job.path);
	if (err != ERR_OK) {
		out->len = before;
		cache_dir_drop(c, id);
	}
	return err;
}

static int
write_work(void *arg)
{
	struct file_job *j = arg;
	struct file *f;
	int err;

	for (size_t i = 0; i < j->victims_count; i++)
		disk_unlink(j->disk, j->victims[i]);
	if (j->path == NULL)
		return ERR_OK;
	err = disk_open(j->disk, j->path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &f);
	if (err != ERR_OK)
		return err;
	err = file_write(f, 0, j->data.data, j->data.len);
	file_close(f);
	if (err != ERR_OK)
		disk_unlink(j->disk, j->path);
	return err;
}

static void
make_room(struct cache_dir *c, uint64_t bytes, struct file_job *job)
{
	while (c->count > 0 && job->victims_count < VICTIMS_MAX &&
	       (c->bytes + bytes > c->bytes_max || c->count >= CACHE_FILES_MAX)) {
		struct cache_file *f = oldest(c);
		char *path = path_of(c, &f->id);

		if (path == NULL)
			return;
		job->victims[job->victims_count++] = path;
		forget(c, f);
	}
}

static int
run_writing(struct cache_dir *c, struct file_job *job)
{
	int err = env_offload(c->env, WORK_DISK, write_work, job, WORK_INLINE_MAX);

	for (size_t i = 0; i < job->victims_count; i++)
		free(job->victims[i]);
	free(job->path);
	free(job);
	return err;
}

void
cache_dir_put(struct cache_dir *c, const struct hash *id, struct bytes data)
{
	struct file_job *job;
	struct cache_file *f;
	int err;

	if (c->path == NULL || data.len > c->bytes_max || find(c, id) != NULL)
		return;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return;
	job->disk = c->env->disk;
	job->data = data;
	make_room(c, data.len, job);
	if (c->bytes + data.len <= c->bytes_max && c->count < CACHE_FILES_MAX) {
		c->tick++;
		job->path = path_of(c, id);
		if (job->path != NULL && add(c, id, data.len) != ERR_OK) {
			free(job->path);
			job->path = NULL;
		}
	}
	err = run_writing(c, job);
	if (err == ERR_OK)
		return;
	/* A full disk is nobody's concern here: what is not kept is fetched again. */
	log_debug(c->env, "a page is not cached: %s", err_text(err));
	f = find(c, id);
	if (f != NULL)
		forget(c, f);
}

void
cache_dir_drop(struct cache_dir *c, const struct hash *id)
{
	struct cache_file *f = c->path == NULL ? NULL : find(c, id);
	struct file_job *job = f == NULL ? NULL : calloc(1, sizeof(*job));

	if (f == NULL)
		return;
	forget(c, f);
	if (job == NULL)
		return;
	job->disk = c->env->disk;
	job->victims[0] = path_of(c, id);
	job->victims_count = job->victims[0] != NULL;
	run_writing(c, job);
}
