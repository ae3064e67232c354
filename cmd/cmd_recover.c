/*
 * skerry recover: everything back from the 24 words and one peer. Sets up the directory, if it has
 * no account yet; then the account's own bucket is looked for, never founded, and each bucket that
 * it names is opened. May be called again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/buckets.h"
#include "cmd/dirs.h"
#include "cmd/init.h"
#include "cmd/json.h"
#include "cmd/objects.h"
#include "cmd/recovered.h"
#include "cmd/say.h"

struct recover {
	struct init init;
	struct client_options client;
	struct buckets buckets;
	bool new_anchors, yes;
	struct json_value *list;
	uint64_t began;
	size_t found, opened, keys;
	char names[CLOUD_BUCKETS_MAX][BUCKET_NAME_MAX + 1];
};

#define FIELD(member) .offset = offsetof(struct recover, member)

static const struct option recover_options[] = {
	{ "new-anchors", 0, NULL,
	    "The account's own anchors are gone for good: begin with new ones.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(new_anchors) },
	{ "yes", 0, NULL, "--new-anchors: without asking on the terminal.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(yes) },
	{ "json", 0, NULL, "Print for machines.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(client.json) },
	{ "quiet", 'q', NULL, "Only warnings and errors are told.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(client.quiet) },
	{ "log-level", 0, "LEVEL", "How much is told of the work: error, warn, info, debug.",
	    RIGHT_LEVEL, set_level, NULL, FIELD(client.log_level) },
	{ NULL },
};

static int
note_bucket(void *arg, const struct cloud_facts *f)
{
	struct recover *r = arg;

	if (r->found == CLOUD_BUCKETS_MAX)
		return ERR_FULL;
	memcpy(r->names[r->found++], f->name, sizeof(f->name));
	return ERR_OK;
}

static int
count_key(void *arg, const struct access_key *k)
{
	struct recover *r = arg;

	(void)k;
	r->keys++;
	return ERR_OK;
}

/* The first page: that it can be read is what counts, not how much there is. */
static int
stop_listing(void *arg, const struct list_item *item)
{
	bool *any = arg;

	(void)item;
	*any = true;
	return ERR_END;
}

static SUSPENDS int
look_into(struct recover *r, const char *name, bool *any)
{
	struct list_query q = { .what = LIST_VERSIONS };
	struct realm_bucket *b;
	int err = r->buckets.realm->ops->bucket(r->buckets.realm, name, &b);

	if (err != ERR_OK)
		return err;
	err = objects_list(b, &q, stop_listing, any);
	b->ops->release(b);
	return err == ERR_END ? ERR_OK : err;
}

static SUSPENDS void
open_one(struct recover *r, const char *name)
{
	struct client *c = r->buckets.c;
	bool any = false;
	int err = look_into(r, name, &any);
	uint64_t ms = (env_now(c->env) - r->began) / MILLISECONDS(1);

	r->opened += err == ERR_OK;
	if (err != ERR_OK)
		(void)buckets_fail(c, err, "open the bucket %s", name);
	if (r->client.json) {
		struct json_value *o = json_make_object();

		json_put_text(o, "bucket", name);
		json_put_flag(o, "readable", err == ERR_OK);
		json_put_flag(o, "empty", err == ERR_OK && !any);
		json_put_number(o, "after_ms", ms);
		json_add_value(r->list, o);
	} else if (err == ERR_OK && !r->client.quiet) {
		say_note(URL_SCHEME "%s is there%s, after %" PRIu64 ".%" PRIu64 " s", name,
		    any ? "" : ", and empty", ms / 1000, ms % 1000 / 100);
	}
}

static SUSPENDS int
recover_all(struct recover *r)
{
	struct client *c = r->buckets.c;
	int err = cloud_buckets(r->buckets.cloud, NULL, note_bucket, r);

	if (err == ERR_OK)
		err = cloud_keys(r->buckets.cloud, NULL, count_key, r);
	if (err != ERR_OK)
		return buckets_fail(c, err, "read the account's buckets");
	for (size_t i = 0; i < r->found && !client_stopping(c); i++)
		open_one(r, r->names[i]);
	if (r->client.json) {
		struct json_value *o = json_make_object();

		json_put_value(o, "buckets", r->list);
		r->list = NULL;
		json_put_number(o, "access_keys", r->keys);
		if (json_say(o) != ERR_OK)
			return EXIT_FAILED;
	} else if (!r->client.quiet) {
		say_note("%zu of %zu buckets and %zu access keys are back", r->opened, r->found,
		    r->keys);
	}
	return r->opened < r->found ? EXIT_UNREACHABLE : EXIT_OK;
}

/* The account's list of buckets goes on from what is left of it; then it can be opened. */
static SUSPENDS int
begin_anew(const struct recover *r, const struct client *c)
{
	struct cloud_recovered found = { 0 };
	struct ground_net *ground = NULL;
	struct cloud *cloud = NULL;
	int err = buckets_ground(c, &ground);

	if (err == ERR_OK)
		err = buckets_cloud_new(c, ground, client_own_account(c), &cloud);
	if (err == ERR_OK)
		err = cloud_recover(cloud, &found);
	cloud_free(cloud);
	ground_net_free(ground);
	return err == ERR_OK ? client_exit_code(recovered_tell(r->client.json, NULL, &found))
			     : recovered_fail(c, err, "the account", &found);
}

static SUSPENDS int
recover_work(struct client *c, void *arg)
{
	struct recover *r = arg;
	int err, code;

	if (r->new_anchors) {
		code = begin_anew(r, c);
		if (code != EXIT_OK)
			return code;
	}
	r->began = env_now(c->env);
	err = buckets_open(&r->buckets, c, CLOUD_FIND);
	code = err == ERR_OK ? recover_all(r) : client_exit_code(err);
	buckets_close(&r->buckets);
	return code;
}

/*
 * An account that is there is gone on with, by way of the peers that are named now: those of a
 * first try may have been wrong. Another one's phrase does not replace it.
 */
static bool
set_up(const struct command *self, struct recover *r)
{
	char dir[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
	int err = dirs_find(self->name, r->init.dir_option, dir);

	if (err != ERR_OK)
		return false;
	err = dirs_path(dir, DIRS_ACCOUNT, path);
	if (err != ERR_OK) {
		say_error(self->name, "cannot use the directory %s: %s", dir, dirs_why(err));
		return false;
	}
	if (dirs_exists(path))
		return init_go_on(&r->init, self->name, dir) == ERR_OK;
	if (r->init.phrase_file == NULL) {
		say_error(self->name,
		    "%s has no account: give its 24 words by --phrase-file (- is standard input)",
		    dir);
		return false;
	}
	return init_set_up(&r->init, self->name) == ERR_OK;
}

static int
recover_run(const struct command *self, int argc, char **argv)
{
	struct recover *r = calloc(1, sizeof(*r));
	struct operands operands;
	int code = EXIT_FAILED;

	if (r == NULL)
		return EXIT_FAILED;
	r->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	r->list = json_make_array();
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { init_options, &r->init }, { recover_options, r } }, 2,
		&operands, &code)) {
		code = EXIT_FAILED;
		r->client.dir = r->init.dir_option;
		r->client.passphrase_file = r->init.passphrase_file;
		if (r->yes && !r->new_anchors) {
			say_error(self->name, "--yes goes with --new-anchors");
			code = EXIT_USAGE;
		} else if (r->new_anchors &&
			   !recovered_confirm(self->name, "the account", r->yes)) {
			code = EXIT_USAGE;
		} else if (set_up(self, r))
			code = client_run(&(struct client_work){
			    .command = self->name,
			    .options = &r->client,
			    .account = true,
			    .run = recover_work,
			    .arg = r,
			});
	}
	json_free(r->list);
	free(r);
	return code;
}

const struct command command_recover = {
	.name = "recover",
	.synopsis = "[--phrase-file FILE|-] [--bootstrap CONTACT ...] [--new-anchors] [option ...]",
	.brief = "bring an account's buckets back from its 24 words",
	.about =
	    "On a machine that has nothing: sets up the directory with the account that the words\n"
	    "stand for, finds its buckets by way of one peer, and tries to read each. All "
	    "versions\n"
	    "and access keys are back with them.\n"
	    "\n"
	    "  skerry recover --dir new --phrase-file - --bootstrap 3f0c...@node.example:7730\n"
	    "\n"
	    "Where too few of the account's own anchors are left for good, --new-anchors goes on\n"
	    "from the newest state that is to be found, and says what may be lost.\n"
	    "\n"
	    "Exit code 4: some bucket's anchors or holders do not answer now.",
	.options = (const struct option *const[]){ init_options, recover_options, NULL },
	.run = recover_run,
};
