/*
 * skerry get: what a link stands for, into a file or to standard output. The file appears under its
 * name when it is whole and on disk; until then, and after any failure or signal, only a part file
 * is or was there. When too few holders answer it says how many, and ends with code 4.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/json.h"
#include "cmd/links.h"
#include "cmd/progress.h"
#include "cmd/say.h"
#include "cmd/stream_io.h"

struct range_option {
	bool given;
	struct file_range range;
};

struct get {
	struct client_options client;
	const char *output;
	struct range_option range;
	bool force;
	struct link link;
	struct output out;
	bool opened;
	bool own_name; /* of the manifest: nothing is replaced */
	bool told;     /* why has been said */
	uint64_t bytes;
	struct progress progress;
	struct client *c;
};

static bool
set_range(void *field, const char *text)
{
	struct range_option *r = field;

	r->given = value_range(text, &r->range.from, &r->range.to);
	return r->given;
}

#define FIELD(member) .offset = offsetof(struct get, member)

static const struct option get_options[] = {
	{ "output", 'o', "FILE", "Where to write; - is standard output. Else the file's own name.",
	    RIGHT_FILE, set_text, NULL, FIELD(output) },
	{ "range", 0, "A-B", "Only bytes A to B, both included, counted from 0; A- to the end.",
	    "two numbers such as 0-499, or 500-", set_range, NULL, FIELD(range) },
	{ "force", 0, NULL, "Replace a file that has the file's own name.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(force) },
	{ NULL },
};

/* A name from a manifest may come from anybody: it must stay in this directory, and be seen. */
static bool
name_safe(const char *name)
{
	char clean[NAME_CLEAN_MAX];

	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
	       strcmp(say_clean(name, clean, sizeof(clean)), name) == 0;
}

static bool
open_output(struct get *g, const char *path)
{
	uint32_t random;

	env_random(g->c->env, &random, sizeof(random));
	g->opened = output_open(&g->out, path, random);
	if (!g->opened && !g->told) {
		say_error(g->c->command, "cannot write %s: %s", path, strerror(errno));
		g->told = true;
	}
	return g->opened;
}

/* Without -o the file has its own name, if that is fit to be written and nobody has it. */
static void
open_named(struct get *g, const char *name)
{
	char clean[NAME_CLEAN_MAX];

	g->own_name = !g->force;
	if (name == NULL || !name_safe(name)) {
		say_error(g->c->command,
		    "the file's own name \"%s\" is not fit to be written; give one with -o",
		    name == NULL ? "" : say_clean(name, clean, sizeof(clean)));
		g->told = true;
	} else if (g->own_name && access(name, F_OK) == 0) {
		say_error(g->c->command,
		    "%s exists already; give another name with -o, or --force to replace it", name);
		g->told = true;
	} else {
		(void)open_output(g, name);
	}
}

/* Length and name are known: without -o the file is made now. */
static void
on_started(void *arg, uint64_t bytes, const char *name)
{
	struct get *g = arg;

	g->bytes = bytes;
	if (g->output == NULL)
		open_named(g, name);
	if (g->opened)
		output_expect(&g->out, bytes);
}

static void
on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct get *g = arg;

	progress_update(&g->progress, done, total);
}

/* In a worker. Nothing was opened: the reason has been told. */
static int
write_piece(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	struct get *g = arg;

	return g->opened ? output_write(&g->out, offset, src, len) : ERR_STATE;
}

static int
commit_output(void *arg)
{
	struct get *g = arg;

	return output_commit(&g->out, g->bytes, g->own_name);
}

static void
tell_failure(struct get *g, int err, const struct file_missing *missing)
{
	const char *to = g->output != NULL ? g->output : "the file";

	if (g->told || client_stopping(g->c))
		return;
	if (err == ERR_UNREACHABLE)
		links_tell_missing(g->c->command, missing);
	else if (err == ERR_INVALID && g->range.given)
		say_error(g->c->command, "the range begins behind the end of the file");
	else if (err == ERR_NO_SPACE)
		say_error(g->c->command, "cannot write %s: no space left", to);
	else if (err == ERR_CLOSED && !g->out.random && g->opened)
		say_error(g->c->command, "nobody reads standard output any more");
	else
		say_error(g->c->command, "cannot read the file: %s", err_text(err));
}

static int
tell_json(const struct get *g)
{
	struct json_value *o = json_make_object();

	json_put_number(o, "bytes", g->bytes);
	json_put_text(o, "file", g->out.path);
	return json_say(o);
}

static SUSPENDS int
get_work(struct client *c, void *arg)
{
	struct get *g = arg;
	struct file_missing missing = { 0 };
	struct file_get_opts opts = {
		.link = &g->link,
		.range = g->range.given ? &g->range.range : NULL,
		.target = { write_piece, g, .ordered = false },
		.started = on_started,
		.progress = on_progress,
		.arg = g,
	};
	int err = links_check_network(c, &g->link);

	g->c = c;
	if (err != ERR_OK)
		return EXIT_FAILED;
	if (g->output != NULL && !open_output(g, g->output))
		return EXIT_FAILED;
	opts.target.ordered = g->output != NULL && !g->out.random;
	progress_start(
	    &g->progress, c->env, "get", g->client.quiet || (g->opened && isatty(g->out.fd) == 1));
	err = file_get(c->files, &opts, &missing);
	if (err == ERR_OK && !g->told)
		err = env_offload(c->env, WORK_DISK, commit_output, g, WORK_INLINE_MAX);
	progress_stop(&g->progress);
	if (err != ERR_OK)
		tell_failure(g, err, &missing);
	output_close(&g->out);
	if (g->told)
		return EXIT_FAILED;
	if (err == ERR_OK && g->client.json && g->out.random)
		err = tell_json(g);
	return client_exit_code(err);
}

static void
get_abandon(void *arg)
{
	struct get *g = arg;

	output_abandon(&g->out);
}

static int
get_run(const struct command *self, int argc, char **argv)
{
	struct get *g = calloc(1, sizeof(*g));
	struct operands operands;
	int code = EXIT_FAILED;

	if (g == NULL)
		return EXIT_FAILED;
	g->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	g->out.fd = -1;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { get_options, g }, { client_options, &g->client } }, 2,
		&operands, &code) &&
	    links_read(self->name, operands.text[0], true, &g->link, &code)) {
		code = client_run(&(struct client_work){
		    .command = self->name,
		    .options = &g->client,
		    .run = get_work,
		    .abandon = get_abandon,
		    .arg = g,
		});
	}
	link_wipe(&g->link);
	free(g);
	return code;
}

const struct command command_get = {
	.name = "get",
	.synopsis = "LINK|- [-o FILE|-] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "read a file back",
	.about =
	    "Finds the holders of what the link stands for, fetches enough pieces, checks and\n"
	    "decrypts them and writes the file. A link of - is read from standard input, so that\n"
	    "it does not show among the machine's processes.\n"
	    "\n"
	    "  skerry get skerry:r1-... -o photo.jpg\n"
	    "  skerry get - -o - --range 0-499 < photo.link | file -\n"
	    "\n"
	    "Exit code 4: fewer than k holders of a part of it answer; no file is left behind.",
	.options = (const struct option *const[]){ get_options, client_options, NULL },
	.run = get_run,
};
