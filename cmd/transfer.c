/*
 * Jobs are taken one after the other by a few tasks. A file is opened, made, synced and named in
 * workers; one that is written appears under its name when it is whole.
 */
#include "cmd/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/objects.h"
#include "cmd/say.h"
#include "cmd/stream_io.h"

/* ---- the list ---- */

int
transfer_add(
    struct transfer *t, const char *from, const char *to, uint64_t bytes, uint64_t modified_ms)
{
	struct transfer_job *j;

	if (t->count == t->cap) {
		size_t cap = t->cap == 0 ? 64 : 2 * t->cap;

		j = realloc(t->jobs, cap * sizeof(*j));
		if (j == NULL)
			return ERR_NOMEM;
		t->jobs = j;
		t->cap = cap;
	}
	j = &t->jobs[t->count];
	*j = (struct transfer_job){ strdup(from), strdup(to), bytes, modified_ms, false };
	if (j->from == NULL || j->to == NULL) {
		free(j->from);
		free(j->to);
		return ERR_NOMEM;
	}
	t->count++;
	t->total += bytes;
	return ERR_OK;
}

void
transfer_fini(struct transfer *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->jobs[i].from);
		free(t->jobs[i].to);
	}
	free(t->jobs);
	t->jobs = NULL;
	t->count = t->cap = 0;
}

static void
on_bytes(void *arg, uint64_t bytes)
{
	struct transfer *t = arg;

	t->bytes += bytes;
	progress_update(&t->progress, t->bytes, MAX(t->total, t->bytes));
}

static struct bytes
key_of(const char *text)
{
	return bytes_of(text, strlen(text));
}

/* ---- up ---- */

struct upload_file {
	struct input input;
	const char *path;
};

static int
open_input(void *arg)
{
	struct upload_file *u = arg;

	return input_open(&u->input, u->path) ? ERR_OK : err_from_errno(errno);
}

static SUSPENDS int
put_opened(struct transfer *t, const struct transfer_job *j, struct upload_file *u)
{
	struct object_put put = { .type = t->type, .progress = on_bytes, .arg = t };
	int err;

	input_source(&u->input, &put.source);
	if (!u->input.regular)
		t->waits = &u->input;
	err = object_put(t->c->env, t->target, key_of(j->to), &put);
	t->waits = NULL;
	/* A file that changed meanwhile is stored as it was read; who reads it shall know. */
	if (err == ERR_OK && !t->moves && !input_unchanged(&u->input)) {
		say_note("warning: %s changed while it was read", j->from);
		t->err = t->err == ERR_OK ? ERR_INVALID : t->err;
	}
	return err;
}

/* Only what was read whole: what changed since is nowhere else. */
static int
remove_read(void *arg)
{
	const struct upload_file *u = arg;

	if (!input_is_at(&u->input, u->path))
		return REFUSAL_PRECONDITION;
	return unlink(u->path) == 0 ? ERR_OK : err_from_errno(errno);
}

static SUSPENDS int
put_one(struct transfer *t, const struct transfer_job *j)
{
	struct upload_file u = { .path = j->from };
	int err = env_offload(t->c->env, WORK_DISK, open_input, &u, WORK_INLINE_MAX);

	if (err != ERR_OK)
		return err;
	err = put_opened(t, j, &u);
	if (err == ERR_OK && t->moves)
		err = env_offload(t->c->env, WORK_DISK, remove_read, &u, WORK_INLINE_MAX);
	input_close(&u.input);
	return err;
}

/* ---- down ---- */

struct download {
	struct transfer *t;
	const struct transfer_job *job;
	struct output out;
	bool opened;
	uint32_t random;
	struct object_facts facts;
};

/* The directories above a path, as cp -r makes them. */
static int
make_parents(const char *path)
{
	char part[PATH_BYTES_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return ERR_TOO_BIG;
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

static int
open_output(void *arg)
{
	struct download *d = arg;
	int err = strcmp(d->job->to, "-") == 0 ? ERR_OK : make_parents(d->job->to);

	if (err == ERR_OK && !output_open(&d->out, d->job->to, d->random))
		err = err_from_errno(errno);
	d->opened = err == ERR_OK;
	return err;
}

static SUSPENDS int
on_started(void *arg, const struct object_facts *facts)
{
	struct download *d = arg;
	struct env *env = d->t->c->env;
	int err;

	env_random(env, &d->random, sizeof(d->random));
	err = env_offload(env, WORK_DISK, open_output, d, WORK_INLINE_MAX);
	if (err == ERR_OK)
		output_expect(&d->out, facts->bytes);
	d->facts = *facts;
	return err;
}

static int
write_piece(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	struct download *d = arg;

	return output_write(&d->out, offset, src, len);
}

static void
on_read(void *arg, uint64_t bytes)
{
	struct download *d = arg;

	on_bytes(d->t, bytes);
}

/* Keeps the object's time, so that a later sync sees that nothing changed. */
static int
commit_output(void *arg)
{
	struct download *d = arg;
	int err = output_commit(&d->out, d->facts.bytes, false);

	if (err == ERR_OK && d->out.path[0] != '\0' && d->out.random) {
		struct timespec times[2] = {
			{ .tv_nsec = UTIME_OMIT },
			{ .tv_sec = (time_t)(d->facts.modified_ms / 1000),
			    .tv_nsec = (long)(d->facts.modified_ms % 1000) * 1000000 },
		};

		if (utimensat(AT_FDCWD, d->job->to, times, 0) != 0)
			err = err_from_errno(errno);
	}
	return err;
}

static SUSPENDS int
get_one(struct transfer *t, const struct transfer_job *j)
{
	struct download *d = calloc(1, sizeof(*d));
	struct object_get get = {
		.which.which = VERSION_LATEST, .started = on_started, .progress = on_read
	};
	int err;

	if (d == NULL)
		return ERR_NOMEM;
	*d = (struct download){ .t = t, .job = j };
	d->out.fd = -1;
	get.target = (struct file_target){ write_piece, d, .ordered = true };
	get.arg = d;
	err = object_get(t->c->env, t->source, key_of(j->from), &get);
	if (err == ERR_OK)
		err = env_offload(t->c->env, WORK_DISK, commit_output, d, WORK_INLINE_MAX);
	if (d->opened)
		output_close(&d->out);
	if (err == ERR_OK && t->moves)
		err = object_delete_read(t->c->env, t->source, key_of(j->from), &d->facts);
	free(d);
	return err;
}

/* ---- from bucket to bucket ---- */

static SUSPENDS int
copy_one(struct transfer *t, const struct transfer_job *j)
{
	struct object_copy copy = { t->source, t->target, key_of(j->from), key_of(j->to) };
	struct object_facts read;
	int err = object_copy(t->c->env, &copy, &read);

	if (err == ERR_OK)
		on_bytes(t, j->bytes);
	if (err == ERR_OK && t->moves)
		err = object_delete_read(t->c->env, t->source, key_of(j->from), &read);
	return err;
}

/* ---- all ---- */

static void
tell_failed(struct transfer *t, const struct transfer_job *j, int err)
{
	char from[KEY_CLEAN_MAX], to[KEY_CLEAN_MAX];

	t->failed++;
	if (t->err == ERR_OK)
		t->err = err;
	progress_stop(&t->progress);
	(void)buckets_fail(t->c, err, "%s %s to %s", t->moves ? "move" : "copy",
	    say_clean(j->from, from, sizeof(from)), say_clean(j->to, to, sizeof(to)));
}

static SUSPENDS int
work(void *arg)
{
	static int (*const one[])(struct transfer * t, const struct transfer_job *j) = {
		[TRANSFER_UP] = put_one,
		[TRANSFER_DOWN] = get_one,
		[TRANSFER_COPY] = copy_one,
	};
	struct transfer *t = arg;

	while (t->next < t->count && !client_stopping(t->c)) {
		const struct transfer_job *j = &t->jobs[t->next++];
		int err = one[t->kind](t, j);

		if (err != ERR_OK)
			tell_failed(t, j, err);
		else
			t->done++;
	}
	return ERR_OK;
}

SUSPENDS int
transfer_run(struct transfer *t, const char *label, bool quiet)
{
	int err;

	progress_start(&t->progress, t->c->env, label, quiet);
	err = task_together(t->c->env, label, work, t, MIN(t->count, (size_t)TRANSFERS_AT_ONCE));
	progress_stop(&t->progress);
	if (t->err == ERR_OK)
		t->err = err;
	return client_exit_code(t->err);
}
