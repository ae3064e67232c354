/*
 * skerry check: reads everything that a stopped node keeps and checks it, changing nothing: every
 * record, every leaf against its hash, every root, the index against the segments.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/progress.h"
#include "cmd/say.h"
#include "cmd/settings.h"
#include "overlay/base/env_real.h"
#include "storage/store_check.h"

struct check {
	const char *name;
	const char *dir_option;
	bool json, quiet;
	char dir[PATH_BYTES_MAX], store_dir[PATH_BYTES_MAX];
	struct settings settings;
	struct env *env;
	struct progress progress;
	struct store_check_result result;
};

static const struct option check_options[] = {
	{ "dir", 0, "DIR", "Where the node lives; else $SKERRY_DIR, else ~/.skerry.", RIGHT_DIR,
	    set_text, NULL, offsetof(struct check, dir_option) },
	{ "json", 0, NULL, "Print for machines.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct check, json) },
	{ "quiet", 'q', NULL, "No progress bar.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct check, quiet) },
	{ NULL },
};

static void
on_finding(void *arg, const char *line)
{
	struct check *c = arg;

	progress_stop(&c->progress);
	say_note("%s", line);
}

static void
on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct check *c = arg;

	progress_update(&c->progress, done, total);
}

static SUSPENDS int
check_task(void *arg)
{
	struct check *c = arg;
	struct store_opts opts = {
		.env = c->env,
		.dir = c->store_dir,
		.capacity_bytes = c->settings.capacity,
		.reserve_bytes = UINT64_MAX,
		.read_only = true,
	};
	int err;

	network_id_of_name(c->settings.network, &opts.net);
	progress_start(&c->progress, c->env, "check", c->quiet);
	err = store_check(&opts, on_finding, on_progress, c, &c->result);
	progress_stop(&c->progress);
	return err;
}

static bool
sound(const struct store_check_result *r)
{
	return r->bad_records == 0 && r->bad_shards == 0 && r->index_missing == 0 &&
	       r->index_stray == 0;
}

static int
tell(const struct check *c)
{
	const struct store_check_result *r = &c->result;
	char size[SAY_SIZE_MAX];
	struct json_value *o;

	if (c->json) {
		o = json_make_object();
		json_put_flag(o, "sound", sound(r));
		json_put_number(o, "segments", r->segments);
		json_put_number(o, "shards", r->shards);
		json_put_number(o, "bytes", r->bytes);
		json_put_number(o, "leases", r->leases);
		json_put_number(o, "dead_extents", r->dead_extents);
		json_put_number(o, "bad_records", r->bad_records);
		json_put_number(o, "bad_shards", r->bad_shards);
		json_put_number(o, "index_missing", r->index_missing);
		json_put_number(o, "index_stray", r->index_stray);
		return json_say(o);
	}
	printf("%" PRIu64 " pieces with %s and %" PRIu64 " leases in %" PRIu64 " segments; %" PRIu64
	       " dead extents\n",
	    r->shards, say_size(r->bytes, size), r->leases, r->segments, r->dead_extents);
	if (sound(r))
		printf("everything is sound\n");
	else
		printf("BAD: %" PRIu64 " records, %" PRIu64 " pieces, %" PRIu64
		       " missing in the index, %" PRIu64 " in the index only\n",
		    r->bad_records, r->bad_shards, r->index_missing, r->index_stray);
	return fflush(stdout) == 0 ? ERR_OK : ERR_IO;
}

static int
prepare(struct check *c)
{
	char why[SETTINGS_ERROR_MAX];
	int err = dirs_find(c->name, c->dir_option, c->dir);

	if (err != ERR_OK)
		return err;
	err = dirs_path(c->dir, DIRS_STORE, c->store_dir);
	if (err != ERR_OK) {
		say_error(c->name, "cannot use the directory %s: %s", c->dir, dirs_why(err));
		return err;
	}
	settings_default(&c->settings);
	err = settings_load(c->dir, &c->settings, why);
	if (err != ERR_OK)
		say_error(c->name, "%s", why);
	else if (!dirs_exists(c->store_dir)) {
		say_error(c->name, "%s has no store; right would be a node's directory", c->dir);
		err = ERR_NOT_FOUND;
	}
	return err;
}

static int
run(struct check *c)
{
	int err = prepare(c);

	if (err != ERR_OK)
		return EXIT_FAILED;
	err = env_real_new(&(struct env_real_opts){ .log = NULL }, &c->env);
	if (err == ERR_OK) {
		err = env_real_run(c->env, check_task, c);
		env_real_free(c->env);
	}
	if (err == ERR_BUSY)
		say_error(c->name, "a node runs in %s; stop it first", c->dir);
	else if (err != ERR_OK)
		say_error(c->name, "cannot check %s: %s", c->store_dir, err_text(err));
	if (err == ERR_OK)
		err = tell(c);
	return err == ERR_OK && sound(&c->result) ? EXIT_OK : EXIT_FAILED;
}

static int
check_run(const struct command *self, int argc, char **argv)
{
	struct check *c = calloc(1, sizeof(*c));
	struct operands operands;
	int code = EXIT_FAILED;

	if (c == NULL)
		return EXIT_FAILED;
	c->name = self->name;
	if (command_parse(self, argc, argv, (struct option_group[]){ { check_options, c } }, 1,
		&operands, &code))
		code = run(c);
	free(c);
	return code;
}

const struct command command_check = {
	.name = "check",
	.synopsis = "[--dir DIR] [--json]",
	.brief = "check what a stopped node keeps, changing nothing",
	.about =
	    "Reads every piece of a stopped node and checks it against its hashes, and the index\n"
	    "against the pieces. Changes nothing.\n"
	    "\n"
	    "Exit code 1: something is bad; every finding is a line on standard error.",
	.options = (const struct option *const[]){ check_options, NULL },
	.run = check_run,
};
