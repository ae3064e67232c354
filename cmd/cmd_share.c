/*
 * skerry share: a link for an object, which opens this one as it is now and nothing else. The bytes
 * are stored anew as a file of its own, under a fresh key and lease: so a link can end without
 * the object, stays when the object is changed or deleted, and shows nothing of the bucket.
 *
 *   object → a pipe between two workers → file
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/buckets.h"
#include "cmd/json.h"
#include "cmd/objects.h"
#include "cmd/progress.h"
#include "cmd/say.h"

struct share {
	struct client_options client;
	struct bucket_url url;
	uint64_t days;
	struct buckets buckets;
	struct realm_bucket *bucket;
	int from, to; /* ends of the pipe; -1: closed */
	int read_err; /* of the object; told to who reads the pipe at its end */
	bool read_all;
	struct progress progress;
	struct file_put_result *result;
};

static const struct option share_options[] = {
	{ "term", 0, "DAYS", "The link works for so long (default 400d).",
	    "a number of days from 1 to 800, such as 30d", set_days, NULL,
	    offsetof(struct share, days) },
	{ NULL },
};

/* ---- in workers ---- */

static int
pipe_write(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	const struct share *s = arg;

	(void)offset; /* in order */
	while (len > 0) {
		ssize_t n = write(s->to, src, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_from_errno(errno);
		src += n;
		len -= (size_t)n;
	}
	return ERR_OK;
}

static int
pipe_read(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	const struct share *s = arg;
	ssize_t n;

	(void)offset;
	do
		n = read(s->from, dst, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_from_errno(errno);
	/* The end of the pipe is the end of the object only if all of it was read. */
	if (n == 0 && !s->read_all)
		return s->read_err != ERR_OK ? s->read_err : ERR_IO;
	*got = (size_t)n;
	return ERR_OK;
}

/* ---- doing ---- */

static void
shut(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static SUSPENDS int
read_object(void *arg)
{
	struct share *s = arg;
	struct object_get get = { .which = { .which = VERSION_LATEST },
		.target = { pipe_write, s, .ordered = true },
		.arg = s };

	s->read_err = object_get(
	    s->buckets.c->env, s->bucket, bytes_of(s->url.key, strlen(s->url.key)), &get);
	s->read_all = s->read_err == ERR_OK;
	shut(&s->to);
	return s->read_err;
}

static void
on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct share *s = arg;

	progress_update(&s->progress, done, total);
}

static SUSPENDS int
put_file(struct share *s)
{
	struct client *c = s->buckets.c;
	const char *slash = strrchr(s->url.key, '/');
	struct file_put_opts put = {
		.source = { .read = pipe_read, .arg = s },
		.name = slash != NULL ? slash + 1 : s->url.key,
		.code = c->settings.code,
		.term_s = s->days * 24 * 3600,
		.progress = on_progress,
		.arg = s,
	};
	struct task_group group;
	int err;

	task_group_init(&group, c->env);
	err = task_spawn(&group, "share", read_object, s);
	if (err != ERR_OK)
		shut(&s->to);
	else
		err = file_put(c->files, &put, s->result);
	shut(&s->from); /* whoever still writes is told so */
	task_group_fini(&group);
	return s->read_err != ERR_OK && s->read_err != ERR_CANCELED && err != ERR_OK ? s->read_err
										     : err;
}

static int
tell(const struct share *s)
{
	char link[LINK_TEXT_MAX];
	int err = ERR_OK;

	link_print(&s->result->link, link);
	if (s->client.json) {
		struct json_value *o = json_make_object();

		json_put_text(o, "link", link);
		json_put_number(o, "bytes", s->result->bytes);
		json_put_number(o, "days", s->days);
		err = json_say(o);
	} else if (printf("%s\n", link) < 0 || fflush(stdout) != 0) {
		err = ERR_IO;
	}
	crypto_wipe(link, sizeof(link));
	return err;
}

static SUSPENDS int
share_object(struct share *s)
{
	struct client *c = s->buckets.c;
	struct object_facts facts;
	struct version_ref latest = { .which = VERSION_LATEST };
	struct bytes key = bytes_of(s->url.key, strlen(s->url.key));
	int ends[2], err;

	/* Told before anything is stored. */
	err = object_facts(s->bucket, key, &latest, &facts);
	if (err == ERR_OK && pipe2(ends, O_CLOEXEC) != 0)
		err = err_from_errno(errno);
	if (err == ERR_OK) {
		s->from = ends[0];
		s->to = ends[1];
		progress_start(&s->progress, c->env, "share", s->client.quiet);
		err = put_file(s);
		progress_stop(&s->progress);
	}
	if (err == ERR_OK)
		err = tell(s);
	return err == ERR_OK
		   ? EXIT_OK
		   : buckets_fail(c, err, "share " URL_SCHEME "%s/%s", s->url.bucket, s->url.key);
}

static SUSPENDS int
share_work(void *arg)
{
	struct share *s = arg;
	int err = buckets_find(&s->buckets, s->url.bucket, &s->bucket), code;

	if (err != ERR_OK)
		return client_exit_code(err);
	code = share_object(s);
	s->bucket->ops->release(s->bucket);
	return code;
}

static int
share_run(const struct command *self, int argc, char **argv)
{
	struct share *s = calloc(1, sizeof(*s));
	struct operands operands;
	int code = EXIT_FAILED;

	if (s == NULL)
		return EXIT_FAILED;
	s->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	s->days = LEASE_TERM_S / (24 * 3600);
	s->from = s->to = -1;
	s->result = calloc(1, sizeof(*s->result));
	if (s->result != NULL &&
	    client_parse(self, argc, argv, (struct option_group){ share_options, s }, &s->client,
		&operands, &code) &&
	    url_read(self->name, operands.text[0], URL_KEY, &s->url, &code))
		code = buckets_run(&(struct buckets_work){
		    .command = self->name,
		    .options = &s->client,
		    .how = CLOUD_FIND,
		    .buckets = &s->buckets,
		    .run = share_work,
		    .arg = s,
		});
	if (s->result != NULL)
		link_wipe(&s->result->link);
	free(s->result);
	free(s);
	return code;
}

const struct command command_share = {
	.name = "share",
	.synopsis = "sk://BUCKET/KEY [--term DAYS] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "print a link that reads one object",
	.about =
	    "Stores the object as it is now once more, as a file of its own, and prints its link\n"
	    "(see put): whoever has that reads this one object and nothing else. The link ends by\n"
	    "itself, or by rm.\n"
	    "\n"
	    "  skerry share sk://photos/beach.jpg --term 30d",
	.options = (const struct option *const[]){ share_options, client_options,
	    client_account_options, NULL },
	.run = share_run,
};
