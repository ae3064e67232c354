/* skerry rm and skerry stat for an object of a bucket; for links they are in cmd_lease.c and
 * cmd_stat.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/json.h"
#include "cmd/objects_rm.h"
#include "cmd/say.h"

struct object_work {
	const struct client_options *client;
	struct bucket_url url;
	struct version_ref which;
	bool recursive, versions;
	struct buckets buckets;
};

static bool
read_version(const char *command, const char *text, struct version_ref *out, int *code)
{
	struct bytes b = { NULL, 0 };

	if (text != NULL)
		b = bytes_of(text, strlen(text));
	if (version_parse(b, out) == ERR_OK)
		return true;
	say_error(command, "%s is no version; right would be one that ls --versions shows", text);
	*code = EXIT_USAGE;
	return false;
}

/* ---- rm ---- */

static SUSPENDS int
remove_from(struct object_work *w, struct realm_bucket *b)
{
	struct client *c = w->buckets.c;
	struct bytes key = bytes_of(w->url.key, strlen(w->url.key));
	uint64_t deleted = 0;
	int err;

	if (w->recursive || w->versions) {
		err = objects_remove(c, b,
		    &(struct objects_remove){
			.prefix = w->url.key,
			.exact = !w->recursive,
			.versions = w->versions,
		    },
		    &deleted);
		if (err == ERR_OK && deleted == 0 && !w->recursive)
			err = REFUSAL_NO_SUCH_KEY;
	} else {
		bool existed = false;

		err = object_delete(c->env, b, key, &w->which, &existed);
		if (err == ERR_OK && !existed)
			err = REFUSAL_NO_SUCH_KEY;
		deleted = existed;
	}
	if (err != ERR_OK)
		return buckets_fail(
		    c, err, "delete " URL_SCHEME "%s/%s", w->url.bucket, w->url.key);
	if (w->client->json) {
		struct json_value *o = json_make_object();

		json_put_number(o, "deleted", deleted);
		return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	if (!w->client->quiet)
		say_note("deleted %" PRIu64, deleted);
	return EXIT_OK;
}

static SUSPENDS int
rm_work(void *arg)
{
	struct object_work *w = arg;
	struct realm_bucket *b;
	int err = buckets_find(&w->buckets, w->url.bucket, &b), code;

	if (err != ERR_OK)
		return client_exit_code(err);
	code = remove_from(w, b);
	b->ops->release(b);
	return code;
}

int
objects_rm_run(const struct objects_rm *r)
{
	struct object_work *w = calloc(1, sizeof(*w));
	int code = EXIT_FAILED;

	if (w == NULL)
		return EXIT_FAILED;
	w->client = r->client;
	w->recursive = r->recursive;
	w->versions = r->versions;
	if (r->version != NULL && (r->recursive || r->versions)) {
		say_error(r->command, "--version names one version; leave out %s",
		    r->recursive ? "-r" : "--versions");
		code = EXIT_USAGE;
	} else if (url_read(r->command, r->address, r->recursive ? URL_BUCKET : URL_KEY, &w->url,
		       &code) &&
		   read_version(r->command, r->version, &w->which, &code))
		code = buckets_run(&(struct buckets_work){
		    .command = r->command,
		    .options = r->client,
		    .how = CLOUD_FIND,
		    .buckets = &w->buckets,
		    .run = rm_work,
		    .arg = w,
		});
	free(w);
	return code;
}

/* ---- stat ---- */

static int
tell_facts(struct object_work *w, const struct object_facts *f, uint64_t stale_ms)
{
	char when[SAY_TIME_MAX], size[SAY_SIZE_MAX], etag[ETAG_TEXT_MAX], id[VERSION_TEXT_MAX],
	    clean[KEY_CLEAN_MAX];

	buckets_say_stale(&w->buckets, stale_ms);
	if (w->client->json) {
		struct json_value *o = json_make_object();

		buckets_json_stale(&w->buckets, o, stale_ms);
		json_put_text(o, "bucket", w->url.bucket);
		json_put_text(o, "key", w->url.key);
		json_put_number(o, "bytes", f->bytes);
		json_put_number(o, "modified_ms", f->modified_ms);
		json_put_text(o, "etag", etag_text(&f->etag, etag));
		json_put_text(o, "version", version_text(f->null, &f->version, id));
		json_put_text(o, "type", f->type);
		return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	printf("key        %s\n", say_clean(w->url.key, clean, sizeof(clean)));
	printf("size       %s (%" PRIu64 " bytes)\n", say_size(f->bytes, size), f->bytes);
	printf("modified   %s\n", say_time(f->modified_ms / 1000, SAY_SECOND, when));
	printf("etag       %s\n", etag_text(&f->etag, etag));
	printf("version    %s\n", version_text(f->null, &f->version, id));
	if (f->type[0] != '\0')
		printf("type       %s\n", say_clean(f->type, clean, sizeof(clean)));
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static SUSPENDS int
stat_work(void *arg)
{
	struct object_work *w = arg;
	struct object_facts f;
	struct realm_bucket *b;
	uint64_t stale_ms;
	int err = buckets_find_to_read(&w->buckets, w->url.bucket, &b);

	if (err != ERR_OK)
		return client_exit_code(err);
	err = object_facts(b, bytes_of(w->url.key, strlen(w->url.key)), &w->which, &f);
	stale_ms = b->stale_ms;
	b->ops->release(b);
	return err == ERR_OK ? tell_facts(w, &f, stale_ms)
			     : buckets_fail(w->buckets.c, err, "see " URL_SCHEME "%s/%s",
				   w->url.bucket, w->url.key);
}

int
objects_stat_run(const char *command, const struct client_options *client, const char *address,
    const char *version)
{
	struct object_work *w = calloc(1, sizeof(*w));
	int code = EXIT_FAILED;

	if (w == NULL)
		return EXIT_FAILED;
	w->client = client;
	if (url_read(command, address, URL_KEY, &w->url, &code) &&
	    read_version(command, version, &w->which, &code))
		code = buckets_run(&(struct buckets_work){
		    .command = command,
		    .options = client,
		    .how = CLOUD_FIND,
		    .buckets = &w->buckets,
		    .run = stat_work,
		    .arg = w,
		});
	free(w);
	return code;
}
