/*
 * skerry ls and skerry du: buckets, and what is in them. Lines go out as they come; a listing of a
 * million objects begins at once and needs no memory for them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/buckets.h"
#include "cmd/json.h"
#include "cmd/objects.h"
#include "cmd/say.h"

struct list_command {
	struct client_options client;
	struct bucket_url url;
	bool details, recursive, versions, sum_only;
	struct buckets buckets;
	uint64_t objects, bytes;
	struct realm_bucket *bucket; /* that is listed */
	uint64_t stale_ms;           /* of the list of buckets */
};

#define FIELD(member) .offset = offsetof(struct list_command, member)

static const struct option ls_options[] = {
	{ "long", 'l', NULL, "With size, time and ETag.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(details) },
	{ "recursive", 'r', NULL, "All objects below, not only to the next slash.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(recursive) },
	{ "versions", 0, NULL, "Also older versions, and deletions, with their ids.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(versions) },
	{ NULL },
};

static const struct option du_options[] = {
	{ "versions", 0, NULL, "Also older versions.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(versions) },
	{ NULL },
};

/* What cannot be written ends the listing. */
static int
written(int printed)
{
	return printed < 0 ? ERR_IO : ERR_OK;
}

/* ---- buckets ---- */

static int
each_bucket(void *arg, const struct cloud_facts *f)
{
	struct list_command *a = arg;
	char when[SAY_TIME_MAX];

	buckets_say_stale(&a->buckets, a->stale_ms);
	if (a->client.json)
		return buckets_say_json(&a->buckets, f, a->stale_ms);
	if (a->details)
		return written(printf("%s  %-20s  " URL_SCHEME "%s\n",
		    say_time(f->created_ms / 1000, SAY_MINUTE, when),
		    f->location.text[0] != '\0' ? f->location.text : "any", f->name));
	return written(printf(URL_SCHEME "%s\n", f->name));
}

/* ---- objects ---- */

static int
object_json(const struct list_command *a, const struct list_item *item, const char *key)
{
	struct json_value *o = json_make_object();
	char text[VERSION_TEXT_MAX], etag[ETAG_TEXT_MAX];

	buckets_json_stale(&a->buckets, o, a->bucket->stale_ms);
	if (item->kind == LIST_PREFIX) {
		json_put_text(o, "prefix", key);
		return json_say(o);
	}
	json_put_text(o, "key", key);
	json_put_number(o, "bytes", item->entry->size);
	json_put_number(o, "modified_ms", item->entry->modified_ms);
	if (!item->entry->marker)
		json_put_text(o, "etag", etag_text(&item->entry->etag, etag));
	if (a->versions) {
		json_put_text(
		    o, "version", version_text(item->entry->null, &item->entry->version, text));
		json_put_flag(o, "latest", item->latest);
		json_put_flag(o, "deleted", item->entry->marker);
	}
	return json_say(o);
}

static int
object_line(const struct list_command *a, const struct list_item *item, const char *key)
{
	char clean[KEY_CLEAN_MAX], when[SAY_TIME_MAX], etag[ETAG_TEXT_MAX], id[VERSION_TEXT_MAX];
	const struct entry *e = item->entry;

	(void)say_clean(key, clean, sizeof(clean));
	if (item->kind == LIST_PREFIX)
		return written(printf(a->details ? "%69s%s\n" : "%.0s%s\n", "", clean));
	if (a->versions && printf("%-32s  %s  ", version_text(e->null, &e->version, id),
			       e->marker      ? "deleted"
			       : item->latest ? "latest "
					      : "older  ") < 0)
		return ERR_IO;
	if (a->details)
		return written(printf("%12" PRIu64 "  %s  %-32s  %s\n", e->size,
		    say_time(e->modified_ms / 1000, SAY_MINUTE, when),
		    e->marker ? "" : etag_text(&e->etag, etag), clean));
	return written(printf("%s\n", clean));
}

static int
each_object(void *arg, const struct list_item *item)
{
	struct list_command *a = arg;
	char key[OBJECT_KEY_MAX + 1];

	buckets_say_stale(&a->buckets, a->bucket->stale_ms);
	if (item->kind == LIST_ENTRY && !item->entry->marker) {
		a->objects++;
		a->bytes += item->entry->size;
	}
	if (a->sum_only)
		return ERR_OK;
	memcpy(key, item->key.data, item->key.len);
	key[item->key.len] = '\0';
	return a->client.json ? object_json(a, item, key) : object_line(a, item, key);
}

static int
tell_sum(const struct list_command *a)
{
	char size[SAY_SIZE_MAX];

	if (a->client.json) {
		struct json_value *o = json_make_object();

		json_put_number(o, "objects", a->objects);
		json_put_number(o, "bytes", a->bytes);
		buckets_json_stale(&a->buckets, o, a->stale_ms);
		return json_say(o);
	}
	return written(printf("%" PRIu64 " objects, %s (%" PRIu64 " bytes)\n", a->objects,
	    say_size(a->bytes, size), a->bytes));
}

static SUSPENDS int
list_objects(struct list_command *a)
{
	struct list_query q = {
		.what = a->versions ? LIST_VERSIONS : LIST_OBJECTS,
		.prefix = bytes_of(a->url.key, strlen(a->url.key)),
	};
	struct realm_bucket *b;
	int err = buckets_find_to_read(&a->buckets, a->url.bucket, &b);

	if (err != ERR_OK)
		return client_exit_code(err);
	if (!a->recursive)
		q.delimiter = bytes_of("/", 1);
	a->bucket = b;
	err = objects_list(b, &q, each_object, a);
	a->stale_ms = b->stale_ms;
	b->ops->release(b);
	buckets_say_stale(&a->buckets, a->stale_ms); /* of an empty one, too */
	if (err == ERR_OK && a->sum_only)
		err = tell_sum(a);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_FAILED; /* told where all output ends */
	if (err != ERR_OK)
		return buckets_fail(
		    a->buckets.c, err, "list " URL_SCHEME "%s/%s", a->url.bucket, a->url.key);
	return EXIT_OK;
}

static SUSPENDS int
list_work(void *arg)
{
	struct list_command *a = arg;
	int err;

	if (a->url.bucket[0] != '\0')
		return list_objects(a);
	err = cloud_buckets(a->buckets.cloud, &a->stale_ms, each_bucket, a);
	return err == ERR_OK ? EXIT_OK : buckets_fail(a->buckets.c, err, "list the buckets");
}

static int
list_run_command(const struct command *self, int argc, char **argv, bool sum)
{
	struct list_command *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	a->sum_only = sum;
	if (client_parse(self, argc, argv,
		(struct option_group){ sum ? du_options : ls_options, a }, &a->client, &operands,
		&code) &&
	    (operands.count == 0 || url_read(self->name, operands.text[0],
					sum ? URL_BUCKET : URL_ANY, &a->url, &code))) {
		a->recursive |= sum;
		code = buckets_run(&(struct buckets_work){
		    .command = self->name,
		    .options = &a->client,
		    .how = CLOUD_FIND,
		    .buckets = &a->buckets,
		    .run = list_work,
		    .arg = a,
		});
	}
	free(a);
	return code;
}

static int
ls_run(const struct command *self, int argc, char **argv)
{
	return list_run_command(self, argc, argv, false);
}

static int
du_run(const struct command *self, int argc, char **argv)
{
	return list_run_command(self, argc, argv, true);
}

const struct command command_ls = {
	.name = "ls",
	.synopsis = "[sk://[BUCKET[/PREFIX]]] [-l] [-r] [--versions] [option ...]",
	.operands_most = 1,
	.brief = "list buckets, or what is in one",
	.about =
	    "Without an address lists the account's buckets; else the objects of one whose keys\n"
	    "begin with the prefix, in the order of their bytes. What is behind a slash is shown\n"
	    "as one line, unless -r is given.\n"
	    "\n"
	    "  skerry ls -l sk://photos/2026/",
	.options = (const struct option *const[]){ ls_options, client_options,
	    client_account_options, NULL },
	.run = ls_run,
};

const struct command command_du = {
	.name = "du",
	.synopsis = "sk://BUCKET[/PREFIX] [--versions] [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "count the objects of a bucket and their bytes",
	.about = "Counts what is stored below a prefix, before coding: each object's own bytes.\n"
		 "\n"
		 "  skerry du sk://photos",
	.options = (const struct option *const[]){ du_options, client_options,
	    client_account_options, NULL },
	.run = du_run,
};
