/*
 * skerry cp, mv, sync and cat: files into buckets and back, and from bucket to bucket. What is to
 * be done is listed first: files before the network is joined, objects before the first one is
 * touched. A tree that was broken off goes on by sync, which leaves alone what is there already.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/copy_list.h"
#include "cmd/json.h"
#include "cmd/objects.h"
#include "cmd/say.h"
#include "cmd/stream_io.h"

enum copy_what { COPY_CP, COPY_MV, COPY_SYNC, COPY_CAT };

struct copy_command {
	const struct command *self;
	enum copy_what what;
	struct client_options client;
	bool deletes;
	struct copy_list list;
	struct buckets buckets;
	uint64_t deleted;
};

#define FIELD(member) .offset = offsetof(struct copy_command, member)
#define TYPE_OPTION                                                                                \
	{                                                                                          \
		"type", 0, "TYPE", "What is stored is of this content type.", RIGHT_TYPE,          \
		    set_media_type, NULL, FIELD(list.transfer.type)                                \
	}

static const struct option cp_options[] = {
	{ "recursive", 'r', NULL, "Everything below a directory, or a prefix.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(list.tree) },
	TYPE_OPTION,
	{ NULL },
};
static const struct option sync_options[] = {
	{ "delete", 0, NULL, "Delete what is only there.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(deletes) },
	TYPE_OPTION,
	{ NULL },
};

/* ---- sync: what is only there ---- */

static int
remove_file(void *arg)
{
	const char *path = arg;

	return unlink(path) == 0 ? ERR_OK : ERR_IO;
}

static SUSPENDS int
delete_rest(struct copy_command *a)
{
	struct env *env = a->buckets.c->env;
	const struct version_ref latest = { .which = VERSION_LATEST };
	const struct transfer *there = &a->list.there;

	for (size_t i = 0; i < there->count; i++) {
		char *name = there->jobs[i].to;
		int err;

		if (there->jobs[i].wanted)
			continue;
		if (a->list.to_bucket)
			err = object_delete(env, a->list.transfer.target,
			    bytes_of(name, strlen(name)), &latest, NULL);
		else
			err = env_offload(env, WORK_DISK, remove_file, name, WORK_INLINE_MAX);
		if (err != ERR_OK)
			return buckets_fail(a->buckets.c, err, "delete what is only there");
		a->deleted++;
	}
	return EXIT_OK;
}

/* ---- doing ---- */

static int
tell(const struct copy_command *a)
{
	const struct transfer *t = &a->list.transfer;
	char size[SAY_SIZE_MAX];

	if (a->client.json) {
		struct json_value *o = json_make_object();

		json_put_number(o, "objects", t->done);
		json_put_number(o, "bytes", t->bytes);
		json_put_number(o, "failed", t->failed);
		if (a->what == COPY_SYNC)
			json_put_number(o, "deleted", a->deleted);
		if (t->source != NULL)
			buckets_json_stale(&a->buckets, o, t->source->stale_ms);
		return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	if (a->client.quiet || a->what == COPY_CAT)
		return EXIT_OK;
	if (a->deletes)
		say_note("copied %zu, %s; deleted %" PRIu64, t->done, say_size(t->bytes, size),
		    a->deleted);
	else
		say_note("%s %zu, %s", a->what == COPY_MV ? "moved" : "copied", t->done,
		    say_size(t->bytes, size));
	return EXIT_OK;
}

/* Copies out; what is deleted by what a listing lacks, or was moved, must not go by an old one. */
static bool
reads_only(const struct copy_command *a)
{
	return !a->list.to_bucket && (a->what == COPY_CP || a->what == COPY_CAT);
}

static SUSPENDS int
open_buckets(struct copy_command *a)
{
	struct copy_list *l = &a->list;
	int err = ERR_OK;

	if (l->from_bucket)
		err = reads_only(a)
			  ? buckets_find_to_read(&a->buckets, l->source.bucket, &l->transfer.source)
			  : buckets_find(&a->buckets, l->source.bucket, &l->transfer.source);
	if (err == ERR_OK && l->to_bucket)
		err = buckets_find(&a->buckets, l->target.bucket, &l->transfer.target);
	return err;
}

/* Before anything is touched. Sync leaves alone what is there already. */
static bool
apart(const struct copy_command *a)
{
	const struct transfer_job *j = a->list.syncs ? NULL : copy_list_overlap(&a->list);
	const char *done = a->what == COPY_MV ? "moved" : "copied";
	char to[KEY_CLEAN_MAX];

	if (j == NULL)
		return true;
	(void)say_clean(j->to, to, sizeof(to));
	if (strcmp(j->from, j->to) == 0)
		say_error(a->self->name, URL_SCHEME "%s/%s would be %s onto itself",
		    a->list.target.bucket, to, done);
	else
		say_error(a->self->name,
		    URL_SCHEME "%s/%s would be overwritten, and is to be %s itself",
		    a->list.target.bucket, to, done);
	return false;
}

/* A prefix is there when something is below it. One that is not would empty the target by a slip.
 */
static bool
source_is_there(const struct copy_command *a)
{
	const struct copy_list *l = &a->list;

	if (!a->deletes || !l->from_bucket || l->source.key[0] == '\0' ||
	    l->transfer.count + l->transfer.failed > 0)
		return true;
	say_error(a->self->name, "there is nothing in %s: --delete would delete all of %s", l->from,
	    l->to);
	return false;
}

static SUSPENDS int
run_list(struct copy_command *a)
{
	struct copy_list *l = &a->list;
	int err = ERR_OK, code;

	if (l->from_bucket)
		err = copy_list_objects(l);
	if (err == ERR_OK && !source_is_there(a))
		return EXIT_FAILED;
	if (err == ERR_OK && l->syncs) {
		err = copy_list_there(l);
		copy_list_leave_same(l);
	}
	if (err != ERR_OK)
		return buckets_fail(a->buckets.c, err, "list %s", l->from);
	if (!apart(a))
		return EXIT_USAGE;
	if (l->tree && l->transfer.count + l->transfer.failed == 0 && !l->syncs)
		say_note("there is nothing in %s", l->from);
	code = transfer_run(&l->transfer, a->self->name,
	    a->client.quiet || a->what == COPY_CAT || strcmp(l->to, "-") == 0);
	if (code == EXIT_OK && a->deletes)
		code = delete_rest(a);
	if (code == EXIT_OK || l->transfer.failed > 0)
		err = tell(a);
	return code != EXIT_OK ? code : err;
}

static SUSPENDS int
copy_work(void *arg)
{
	struct copy_command *a = arg;
	struct transfer *t = &a->list.transfer;
	int err = open_buckets(a), code;

	t->c = a->buckets.c;
	code = err == ERR_OK ? run_list(a) : client_exit_code(err);
	if (t->source != NULL)
		buckets_say_stale(&a->buckets, t->source->stale_ms);
	if (t->source != NULL)
		t->source->ops->release(t->source);
	if (t->target != NULL)
		t->target->ops->release(t->target);
	return code;
}

static void
copy_stopping(void *arg)
{
	struct copy_command *a = arg;

	if (a->list.transfer.waits != NULL)
		input_stop(a->list.transfer.waits);
}

/* ---- before the network ---- */

static bool
read_addresses(struct copy_command *a, int *code)
{
	struct copy_list *l = &a->list;
	const char *command = a->self->name;

	l->command = command;
	if (a->what == COPY_MV && strcmp(l->from, "-") == 0) {
		say_error(command, "standard input cannot be moved; right would be: skerry cp - %s",
		    l->to);
		*code = EXIT_USAGE;
		return false;
	}
	l->from_bucket = url_is(l->from);
	l->to_bucket = url_is(l->to);
	if (!l->from_bucket && !l->to_bucket) {
		say_error(command,
		    "neither %s nor %s is in a bucket; right would be " URL_SCHEME
		    "BUCKET/KEY for one of them",
		    l->from, l->to);
		*code = EXIT_USAGE;
		return false;
	}
	if (l->from_bucket &&
	    !url_read(command, l->from, l->tree ? URL_BUCKET : URL_KEY, &l->source, code))
		return false;
	if (l->to_bucket && !url_read(command, l->to,
				strcmp(l->from, "-") == 0 ? URL_KEY : URL_BUCKET, &l->target, code))
		return false;
	l->transfer.kind = !l->from_bucket ? TRANSFER_UP
			   : l->to_bucket  ? TRANSFER_COPY
					   : TRANSFER_DOWN;
	if (l->transfer.kind == TRANSFER_COPY && strcmp(l->from, l->to) == 0) {
		say_error(command, "%s would be copied onto itself", l->from);
		*code = EXIT_USAGE;
		return false;
	}
	return true;
}

static bool
list_before(struct copy_command *a, int *code)
{
	struct copy_list *l = &a->list;
	const char *what = l->from;
	int err = ERR_OK;

	*code = EXIT_FAILED;
	if (!l->from_bucket)
		err = copy_list_files(l);
	if (err == ERR_OK) {
		what = l->to;
		err = copy_list_target(l);
	}
	if (err == ERR_OK)
		return true;
	if (err == ERR_INVALID && l->tree && !l->from_bucket)
		say_error(a->self->name, "%s is a file: without %s", what,
		    l->syncs ? "sync, by cp" : "-r");
	else if (err == ERR_STATE && !l->tree)
		say_error(a->self->name, "%s is a directory: with -r", what);
	else
		say_error(a->self->name, "cannot read %s: %s", what, err_text(err));
	return false;
}

static int
copy_run(const struct command *self, int argc, char **argv, enum copy_what what,
    const struct option *options)
{
	struct copy_command *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->self = self;
	a->what = what;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	a->list.syncs = what == COPY_SYNC;
	a->list.transfer.moves = what == COPY_MV;
	if (client_parse(self, argc, argv, (struct option_group){ options, a }, &a->client,
		&operands, &code)) {
		a->list.tree |= what == COPY_SYNC;
		a->list.from = operands.text[0];
		a->list.to = what == COPY_CAT ? "-" : operands.text[1];
		if (read_addresses(a, &code) && list_before(a, &code))
			code = buckets_run(&(struct buckets_work){
			    .command = self->name,
			    .options = &a->client,
			    .how = CLOUD_FIND,
			    .buckets = &a->buckets,
			    .run = copy_work,
			    .stopping = copy_stopping,
			    .arg = a,
			});
	}
	transfer_fini(&a->list.transfer);
	transfer_fini(&a->list.there);
	free(a);
	return code;
}

static int
cp_run(const struct command *self, int argc, char **argv)
{
	return copy_run(self, argc, argv, COPY_CP, cp_options);
}

static int
mv_run(const struct command *self, int argc, char **argv)
{
	return copy_run(self, argc, argv, COPY_MV, cp_options);
}

static int
sync_run(const struct command *self, int argc, char **argv)
{
	return copy_run(self, argc, argv, COPY_SYNC, sync_options);
}

static int
cat_run(const struct command *self, int argc, char **argv)
{
	return copy_run(self, argc, argv, COPY_CAT, NULL);
}

const struct command command_cp = {
	.name = "cp",
	.synopsis = "FILE|DIR|-|sk://BUCKET/KEY sk://BUCKET/KEY|FILE|DIR|- [-r] [option ...]",
	.operands_least = 2,
	.operands_most = 2,
	.brief = "copy files into a bucket, out of it, or objects",
	.about =
	    "Copies a file to an object, an object to a file, or an object to another; with -r "
	    "all\n"
	    "below a directory, or a prefix. A target that ends with a slash, or is a directory,\n"
	    "gets the source's own name. Of - bytes come from or go to a pipe.\n"
	    "\n"
	    "  skerry cp -r holiday sk://photos/2026/\n"
	    "  skerry cp sk://photos/2026/beach.jpg .",
	.options = (const struct option *const[]){ cp_options, client_options,
	    client_account_options, NULL },
	.run = cp_run,
};

const struct command command_mv = {
	.name = "mv",
	.synopsis = "FILE|sk://BUCKET/KEY sk://BUCKET/KEY|FILE [-r] [option ...]",
	.operands_least = 2,
	.operands_most = 2,
	.brief = "move files into a bucket, out of it, or objects",
	.about = "As cp; each source goes when its copy is there.\n"
		 "\n"
		 "  skerry mv sk://photos/a.jpg sk://photos/2026/a.jpg",
	.options = (const struct option *const[]){ cp_options, client_options,
	    client_account_options, NULL },
	.run = mv_run,
};

const struct command command_sync = {
	.name = "sync",
	.synopsis = "DIR|sk://BUCKET[/PREFIX] sk://BUCKET[/PREFIX]|DIR [--delete] [option ...]",
	.operands_least = 2,
	.operands_most = 2,
	.brief = "make a bucket like a directory, or the other way round",
	.about =
	    "Copies all below the first to the second, but for what is there with the same size\n"
	    "and is not older. So it also goes on with what was broken off.\n"
	    "\n"
	    "  skerry sync holiday sk://photos/2026/ --delete",
	.options = (const struct option *const[]){ sync_options, client_options,
	    client_account_options, NULL },
	.run = sync_run,
};

const struct command command_cat = {
	.name = "cat",
	.synopsis = "sk://BUCKET/KEY [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "write an object to standard output",
	.about = "Reads an object from the peers and writes its bytes.\n"
		 "\n"
		 "  skerry cat sk://photos/list.txt",
	.options = (const struct option *const[]){ client_options, client_account_options, NULL },
	.run = cat_run,
};
