/*
 * skerry keep and skerry rm of links: how long the peers are asked to keep a file, decided again.
 * Both need the account that stored it: only its lease key is obeyed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "cmd/json.h"
#include "cmd/links.h"
#include "cmd/objects_rm.h"
#include "cmd/say.h"

#define DAY_S ((uint64_t)24 * 3600)

struct lease_command {
	struct client_options client;
	struct link link;
	bool remove;
	uint64_t days, lock_s;
	/* rm, of an object */
	bool recursive, versions;
	const char *version;
};

#define FIELD(name) offsetof(struct lease_command, name)
static const struct option keep_options[] = {
	{ "for", 0, "DAYS", "So long from now, such as 400d (default 400d).",
	    "a number of days from 1 to 800, such as 400d", set_days, NULL, FIELD(days) },
	{ "lock", 0, "TIME", "So long nobody can delete it, you included; a lock only grows.",
	    RIGHT_DURATION, set_duration, NULL, FIELD(lock_s) },
	{ NULL },
};

static const struct option rm_options[] = {
	{ "recursive", 'r', NULL, "all objects whose keys begin so.", RIGHT_SWITCH, set_switch,
	    NULL, FIELD(recursive), .with = "sk://" },
	{ "versions", 0, NULL, "every version of it, or with -r of them, for good.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(versions), .with = "sk://" },
	{ "version", 0, "ID", "only this version, for good.", "an id that ls --versions shows",
	    set_text, NULL, FIELD(version), .with = "sk://" },
	{ NULL },
};

static void
tell_locked(const struct client *c, const struct lease_command *a, uint64_t until)
{
	char date[SAY_TIME_MAX];

	(void)say_time(until, SAY_SECOND, date);
	if (a->remove)
		say_error(c->command,
		    "the file is locked until %s: until then nobody can delete it, its owner "
		    "included",
		    date);
	else
		say_error(c->command,
		    "the file is locked until %s and cannot be kept less long than that", date);
}

static void
tell_failure(const struct client *c, const struct lease_command *a, int err,
    const struct file_lease_result *r, const struct file_missing *missing)
{
	if (client_stopping(c))
		return;
	if (err == ERR_NOT_FOUND)
		say_error(c->command,
		    "the file was stored by another account than the one in %s; "
		    "only that account can do this",
		    c->dir);
	else if (err == ERR_STALE)
		say_error(c->command, "the file is deleted; store it anew");
	else if (err == ERR_STATE)
		say_error(c->command,
		    "this needs the read link (skerry:r1-...), which leads to the "
		    "file's key; a verify link does not");
	else if (err == ERR_LOCKED)
		tell_locked(c, a, r->locked_until);
	else if (err == ERR_UNSUPPORTED)
		say_error(c->command, "no holder of some part grants so long a lock");
	else if (err == ERR_UNREACHABLE && r->unreached > 0)
		say_error(c->command,
		    "no holder of %" PRIu64 " of the file's parts answers; the "
		    "same command goes on when they are back",
		    r->unreached);
	else if (err == ERR_UNREACHABLE)
		links_tell_missing(c->command, missing);
	else
		say_error(c->command, "the holders cannot be told: %s", err_text(err));
}

static int
tell_success(const struct lease_command *a, const struct file_lease_result *r, uint64_t until)
{
	struct json_value *o;
	char date[SAY_TIME_MAX];

	if (!a->client.json) {
		if (!a->client.quiet && a->remove)
			say_note("deleted: %" PRIu64 " of %" PRIu64 " pieces let go; who is away "
				 "hears it from the others when back",
			    r->told, r->live);
		else if (!a->client.quiet)
			say_note("kept for %" PRIu64 " days: %" PRIu64 " of %" PRIu64
				 " pieces promised",
			    a->days, r->told, r->live);
		if (!a->client.quiet && a->lock_s != 0)
			say_note("locked until %s", say_time(r->locked_until, SAY_SECOND, date));
		if (r->unlocked > 0)
			say_note("warning: %" PRIu64 " pieces lie with peers that do not grant so "
				 "long a lock",
			    r->unlocked);
		return r->unlocked > 0 ? EXIT_WARNED : EXIT_OK;
	}
	o = json_make_object();
	json_put_number(o, "chunks", r->chunks);
	json_put_number(o, "live", r->live);
	json_put_number(o, "told", r->told);
	json_put_number(o, "until", until);
	json_put_number(o, "locked_until", r->locked_until);
	json_put_number(o, "unlocked", r->unlocked);
	return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

static SUSPENDS int
lease_work(struct client *c, void *arg)
{
	struct lease_command *a = arg;
	struct file_missing missing = { 0 };
	struct file_lease_result r = { 0 };
	struct agreed_time now;
	struct file_lease_opts opts = { .link = &a->link };
	int err = links_check_network(c, &a->link);

	if (err != ERR_OK)
		return EXIT_FAILED;
	endpoint_agreed_time(node_endpoint(c->node), &now);
	if (!a->remove)
		opts.until = now.unix_ms / 1000 + a->days * DAY_S;
	if (a->lock_s != 0)
		opts.lock_until = now.unix_ms / 1000 + a->lock_s;
	err = file_set_lease(c->files, &opts, &r, &missing);
	if (err != ERR_OK) {
		tell_failure(c, a, err, &r, &missing);
		return client_exit_code(err);
	}
	return tell_success(a, &r, opts.until);
}

static bool
lock_fits(const struct command *self, const struct lease_command *a, int *code)
{
	if (a->lock_s <= a->days * DAY_S)
		return true;
	say_error(self->name, "--lock is longer than the file is kept (--for)");
	*code = EXIT_USAGE;
	return false;
}

static int
remove_objects(const struct command *self, const struct lease_command *a, const char *address)
{
	return objects_rm_run(&(struct objects_rm){
	    .command = self->name,
	    .client = &a->client,
	    .address = address,
	    .recursive = a->recursive,
	    .versions = a->versions,
	    .version = a->version,
	});
}

static int
lease_run(const struct command *self, int argc, char **argv, bool remove)
{
	struct lease_command *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	a->remove = remove;
	a->days = LEASE_TERM_S / DAY_S;
	if (client_parse(self, argc, argv,
		(struct option_group){ remove ? rm_options : keep_options, a }, &a->client,
		&operands, &code)) {
		if (remove && url_is(operands.text[0]))
			code = remove_objects(self, a, operands.text[0]);
		else if (lock_fits(self, a, &code) &&
			 links_read(self->name, operands.text[0], true, &a->link, &code))
			code = client_run(&(struct client_work){
			    .command = self->name,
			    .options = &a->client,
			    .account = true,
			    .run = lease_work,
			    .arg = a,
			});
	}
	link_wipe(&a->link);
	free(a);
	return code;
}

static int
keep_run(const struct command *self, int argc, char **argv)
{
	return lease_run(self, argc, argv, false);
}

static int
rm_run(const struct command *self, int argc, char **argv)
{
	return lease_run(self, argc, argv, true);
}

const struct command command_keep = {
	.name = "keep",
	.synopsis = "LINK|- [--for DAYS] [--lock TIME] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "ask the peers to keep a file longer, or less long",
	.about =
	    "Tells the holders of all pieces until when they are to keep them, counted from now.\n"
	    "Those that are away hear it from the others. Only the account that stored the file\n"
	    "can do this.\n"
	    "\n"
	    "  skerry keep - --for 400d < photo.link",
	.options = (const struct option *const[]){ keep_options, client_options,
	    client_account_options, NULL },
	.run = keep_run,
};

const struct command command_rm = {
	.name = "rm",
	.synopsis = "LINK|-|sk://BUCKET/KEY [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "delete a file from the peers, or an object of a bucket",
	.about =
	    "Of a link: tells the holders of all pieces to let them go. What is signed once cannot "
	    "be taken\n"
	    "back: the space is free at once, and who is away deletes the piece when back. Only "
	    "the\n"
	    "account that stored the file can do this.\n"
	    "\n"
	    "Of an address: deletes the object as S3 does, which in a bucket that keeps versions\n"
	    "leaves what was there as an older one.\n"
	    "\n"
	    "  skerry rm - < photo.link\n"
	    "  skerry rm -r sk://photos/2019/",
	.options = (const struct option *const[]){ rm_options, client_options,
	    client_account_options, NULL },
	.run = rm_run,
};
