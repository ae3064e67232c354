/*
 * skerry mb and skerry rb: buckets made and removed. The first one that an account makes also
 * founds the bucket in which the account remembers all of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/bucket_make.h"
#include "cmd/buckets.h"
#include "cmd/json.h"
#include "cmd/objects_rm.h"
#include "cmd/say.h"

struct bucket_command {
	struct client_options client;
	struct bucket_url url;
	const char *location;
	bool versioning, lock;
	bool force;
	struct buckets buckets;
};

#define FIELD(member) .offset = offsetof(struct bucket_command, member)

static const struct option mb_options[] = {
	{ "location", 0, "WORDS",
	    "Where its objects may lie, such as eu, de,fr, not:us, spread:3, code:4/6/8.",
	    "words with commas between them, such as eu,spread:3", set_text, NULL,
	    FIELD(location) },
	{ "versioning", 0, NULL, "Keep what is overwritten or deleted as older versions.",
	    RIGHT_SWITCH, set_switch, NULL, FIELD(versioning) },
	{ "lock", 0, NULL, "Objects in it may be locked; also keeps versions.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(lock) },
	{ NULL },
};

static SUSPENDS int
mb_work(void *arg)
{
	struct bucket_command *a = arg;
	struct client *c = a->buckets.c;
	struct bucket_make first = { .location = a->location != NULL ? a->location : "",
		.now_ms = env_wall_ms(c->env),
		.versioning = a->versioning,
		.lock = a->lock };
	struct cloud_facts facts;
	int err;

	(void)snprintf(
	    first.owner.text, sizeof(first.owner.text), "%s", cloud_number(a->buckets.cloud));
	err = cloud_bucket_create(a->buckets.cloud, &(struct cloud_create){
							.name = a->url.bucket,
							.location = a->location,
							.first = bucket_make,
							.arg = &first,
						    });
	if (err == ERR_EXISTS) {
		say_error(c->command, "there is a bucket %s already", a->url.bucket);
		return EXIT_FAILED;
	}
	if (err == ERR_OK)
		err = cloud_bucket_facts(a->buckets.cloud, a->url.bucket, &facts);
	if (err != ERR_OK)
		return buckets_fail(c, err, "make the bucket %s", a->url.bucket);
	if (a->client.json)
		return buckets_say_json(&a->buckets, &facts, 0) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	if (!a->client.quiet)
		say_note("made the bucket %s", a->url.bucket);
	return EXIT_OK;
}

static int
mb_run(const struct command *self, int argc, char **argv)
{
	struct bucket_command *a = calloc(1, sizeof(*a));
	struct bucket_location where;
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	if (client_parse(self, argc, argv, (struct option_group){ mb_options, a }, &a->client,
		&operands, &code) &&
	    url_read(self->name, operands.text[0], URL_BUCKET_ONLY, &a->url, &code)) {
		if (a->location != NULL && bucket_location_parse(a->location, &where) != ERR_OK) {
			say_error(self->name,
			    "--location %s is not possible; right would be words with commas "
			    "between them, such as eu,spread:3",
			    a->location);
			code = EXIT_USAGE;
		} else {
			code = buckets_run(&(struct buckets_work){
			    .command = self->name,
			    .options = &a->client,
			    .how = CLOUD_FOUND,
			    .buckets = &a->buckets,
			    .run = mb_work,
			    .arg = a,
			});
		}
	}
	free(a);
	return code;
}

/* ---- rb ---- */

static const struct option rb_options[] = {
	{ "force", 0, NULL, "Delete all objects in it first, every version.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(force) },
	{ NULL },
};

static SUSPENDS int
empty_it(struct bucket_command *a)
{
	struct realm_bucket *b;
	uint64_t deleted;
	int err = buckets_find(&a->buckets, a->url.bucket, &b);

	if (err != ERR_OK)
		return client_exit_code(err);
	err = objects_remove(
	    a->buckets.c, b, &(struct objects_remove){ .prefix = "", .versions = true }, &deleted);
	b->ops->release(b);
	return err == ERR_OK
		   ? EXIT_OK
		   : buckets_fail(a->buckets.c, err, "empty the bucket %s", a->url.bucket);
}

static int
tell_removed(const struct bucket_command *a)
{
	struct json_value *o;

	if (!a->client.json) {
		if (!a->client.quiet)
			say_note("removed the bucket %s", a->url.bucket);
		return EXIT_OK;
	}
	o = json_make_object();
	json_put_text(o, "bucket", a->url.bucket);
	json_put_flag(o, "removed", true);
	return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

static SUSPENDS int
rb_work(void *arg)
{
	struct bucket_command *a = arg;
	struct client *c = a->buckets.c;
	int err, code = a->force ? empty_it(a) : EXIT_OK;

	if (code != EXIT_OK)
		return code;
	err = cloud_bucket_delete(a->buckets.cloud, a->url.bucket, bucket_empty);
	if (err == ERR_NOT_FOUND)
		say_error(c->command, "there is no bucket %s", a->url.bucket);
	else if (err != ERR_OK)
		(void)buckets_fail(c, err, "remove the bucket %s", a->url.bucket);
	return err == ERR_OK ? tell_removed(a) : client_exit_code(err);
}

static int
rb_run(const struct command *self, int argc, char **argv)
{
	struct bucket_command *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	if (client_parse(self, argc, argv, (struct option_group){ rb_options, a }, &a->client,
		&operands, &code) &&
	    url_read(self->name, operands.text[0], URL_BUCKET_ONLY, &a->url, &code))
		code = buckets_run(&(struct buckets_work){
		    .command = self->name,
		    .options = &a->client,
		    .how = CLOUD_FIND,
		    .buckets = &a->buckets,
		    .run = rb_work,
		    .arg = a,
		});
	free(a);
	return code;
}

const struct command command_mb = {
	.name = "mb",
	.synopsis = "sk://BUCKET [--location WORDS] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "make a bucket",
	.about =
	    "Makes a bucket of the account. The first one also makes the account known to the\n"
	    "network: from then on the 24 words and one peer bring everything back (recover).\n"
	    "\n"
	    "  skerry mb sk://photos --location eu,spread:3",
	.options = (const struct option *const[]){ mb_options, client_options,
	    client_account_options, NULL },
	.run = mb_run,
};

const struct command command_rb = {
	.name = "rb",
	.synopsis = "sk://BUCKET [--force] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "remove a bucket",
	.about = "Removes a bucket that is empty: no object, no older version, no deletion in it.\n"
		 "\n"
		 "  skerry rb sk://photos",
	.options = (const struct option *const[]){ rb_options, client_options,
	    client_account_options, NULL },
	.run = rb_run,
};
