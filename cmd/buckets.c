/*
 * A command opens the account's bucket first; it is founded only by those that make something. The
 * address of an object is what it is called in S3, with our scheme; nothing in it is escaped, so a
 * key that is no line of text has to be named by S3.
 */
#include "cmd/buckets.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"

/* ---- addresses ---- */

bool
url_is(const char *text)
{
	return strncmp(text, URL_SCHEME, strlen(URL_SCHEME)) == 0;
}

static const char *
url_wrong(enum url_want want, const struct bucket_url *u)
{
	if (want != URL_ANY && u->bucket[0] == '\0')
		return "it names no bucket";
	if (u->bucket[0] != '\0' && !bucket_name_valid(u->bucket, strlen(u->bucket)))
		return "names of buckets have 3 to 63 of a-z, 0-9, dots and hyphens";
	if (want == URL_KEY && u->key[0] == '\0')
		return "it names no object";
	if (want == URL_BUCKET_ONLY && u->key[0] != '\0')
		return "only a bucket is named here";
	if (u->key[0] != '\0' && object_key_check(bytes_of(u->key, strlen(u->key))) != ERR_OK)
		return "a key is UTF-8";
	return NULL;
}

bool
url_read(
    const char *command, const char *text, enum url_want want, struct bucket_url *out, int *code)
{
	const char *rest = text + strlen(URL_SCHEME), *wrong = "it does not begin with " URL_SCHEME;
	struct bucket_url u = { .bucket = "" };
	size_t bucket, key;

	*code = EXIT_USAGE;
	if (url_is(text)) {
		bucket = strcspn(rest, "/");
		key = rest[bucket] == '/' ? strlen(rest + bucket + 1) : 0;
		if (bucket >= sizeof(u.bucket)) {
			wrong = "names of buckets have at most 63 letters";
		} else if (key >= sizeof(u.key)) {
			wrong = "a key has at most 1,024 bytes";
		} else {
			memcpy(u.bucket, rest, bucket);
			memcpy(u.key, rest + bucket + (key > 0 ? 1 : 0), key);
			wrong = url_wrong(want, &u);
		}
	}
	if (wrong != NULL) {
		char clean[KEY_CLEAN_MAX];

		say_error(command, "%s: %s; right would be %sBUCKET%s",
		    say_clean(text, clean, sizeof(clean)), wrong, URL_SCHEME,
		    want == URL_KEY ? "/KEY" : "");
		return false;
	}
	*out = u;
	return true;
}

/* ---- failures ---- */

static const char *
why(int err)
{
	const char *code = refusal_code(err);

	switch (err) {
	case ERR_UNREACHABLE:
		return "too few of its anchors, or of the holders of a part, answer: try again; "
		       "skerry bucket show tells who is there";
	case ERR_UNKNOWN:
		return "the anchors were lost on the way: it may have happened or not; look again";
	case ERR_PLACEMENT:
		return "too few peers fit: they must be enough, have room, and be where they are "
		       "wanted";
	case REFUSAL_NO_SUCH_KEY:
		return "there is no such object";
	case REFUSAL_NO_SUCH_VERSION:
		return "there is no such version";
	case REFUSAL_MARKER:
		return "that version is a deletion";
	case REFUSAL_LOCKED:
		return "it is locked";
	case REFUSAL_PRECONDITION:
		return "it has changed meanwhile; what is there now stays";
	case REFUSAL_KEY:
		return "its name is no UTF-8 text, as keys of objects are";
	case REFUSAL_KEY_LONG:
		return "its name is longer than keys of objects may be";
	case REFUSAL_NOT_EMPTY:
		return "the bucket is not empty";
	case REFUSAL_SSE_MISSING:
		return "it is sealed under a customer's key, which S3 (SSE-C) has to bring";
	default:
		return code != NULL ? code : err_text(err);
	}
}

int
buckets_fail(const struct client *c, int err, const char *fmt, ...)
{
	char what[KEY_CLEAN_MAX + 128];
	va_list ap;

	if (client_stopping(c))
		return EXIT_FAILED;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	say_error(c->command, "cannot %s: %s", what, why(err));
	return client_exit_code(err);
}

/* ---- the account's buckets ---- */

static uint64_t
seconds_since(const struct buckets *b, uint64_t stale_ms)
{
	return realm_stale_seconds(stale_ms, env_wall_ms(b->c->env));
}

void
buckets_json_stale(const struct buckets *b, struct json_value *o, uint64_t stale_ms)
{
	if (stale_ms != 0)
		json_put_number(o, "stale_s", seconds_since(b, stale_ms));
}

void
buckets_say_stale(struct buckets *b, uint64_t stale_ms)
{
	if (stale_ms == 0 || b->said_stale)
		return;
	b->said_stale = true;
	say_note(
	    "%s: no quorum of anchors answers: this is what was known %llu seconds ago, and may "
	    "be old",
	    b->c->command, (unsigned long long)seconds_since(b, stale_ms));
}

int
buckets_say_json(const struct buckets *b, const struct cloud_facts *f, uint64_t stale_ms)
{
	struct json_value *o = json_make_object();

	json_put_text(o, "bucket", f->name);
	json_put_hex(o, "id", f->id.b, sizeof(f->id.b));
	json_put_text(o, "location", f->location.text);
	json_put_number(o, "created_ms", f->created_ms);
	buckets_json_stale(b, o, stale_ms);
	return json_say(o);
}

int
buckets_ground(const struct client *c, struct ground_net **out)
{
	return ground_net_new(
	    &(struct ground_net_opts){
		.env = c->env,
		.net = c->net,
		.files = c->files,
		.chunks = c->chunks,
		.dht = node_dht(c->node),
	    },
	    out);
}

static int
make_cloud(const struct client *c, struct ground_net *ground, const struct account *account,
    const struct delegation *delegation, struct cloud **out)
{
	char cache[PATH_BYTES_MAX];
	bool made;
	int err = dirs_path(c->dir, DIRS_CACHE, cache);

	if (err != ERR_OK)
		return err;
	(void)dirs_make(cache, &made); /* without a cache it is slower, and says so */
	return cloud_new(
	    &(struct cloud_opts){
		.env = c->env,
		.net = c->net,
		.account = account,
		.delegation = delegation,
		.ground = ground_net_base(ground),
		.files = c->files,
		.cache_dir = cache,
	    },
	    out);
}

int
buckets_cloud_new(const struct client *c, struct ground_net *ground, const struct account *account,
    struct cloud **out)
{
	return make_cloud(c, ground, account, NULL, out);
}

SUSPENDS int
buckets_delegated(const struct client *c, struct ground_net *ground,
    const struct delegation *delegation, struct cloud **out)
{
	int err = make_cloud(c, ground, NULL, delegation, out);

	return err == ERR_OK ? cloud_start(*out, CLOUD_FIND) : err;
}

SUSPENDS int
buckets_cloud(const struct client *c, struct ground_net *ground, const struct account *account,
    enum cloud_start how, struct cloud **out)
{
	int err = buckets_cloud_new(c, ground, account, out);

	return err == ERR_OK ? cloud_start(*out, how) : err;
}

static SUSPENDS int
start(struct buckets *b, enum cloud_start how)
{
	struct client *c = b->c;
	int err = buckets_ground(c, &b->ground);

	if (err == ERR_OK)
		err = buckets_cloud(c, b->ground, client_own_account(c), how, &b->cloud);
	if (err == ERR_OK)
		err = realm_net_new(
		    &(struct realm_net_opts){ .env = c->env, .files = c->files }, &b->realm_net);
	if (err == ERR_OK)
		err = realm_net_add(b->realm_net, b->cloud);
	if (err == ERR_OK)
		b->realm = realm_net_realm(b->realm_net);
	return err;
}

SUSPENDS int
buckets_open(struct buckets *b, struct client *c, enum cloud_start how)
{
	int err;

	*b = (struct buckets){ .c = c };
	err = start(b, how);
	if (err == ERR_OK || client_stopping(c))
		return err;
	if (err == ERR_NOT_FOUND)
		say_error(c->command,
		    "the account in %s has no bucket in the network \"%s\"; the first is made by: "
		    "%s mb " URL_SCHEME "NAME",
		    c->dir, c->settings.network, PROGRAM_NAME);
	else if (err == ERR_UNREACHABLE)
		say_error(c->command,
		    "cannot open the account's buckets: too few of its anchors answer: try again; "
		    "if they are gone for good: %s recover --new-anchors",
		    PROGRAM_NAME);
	else
		(void)buckets_fail(c, err, "open the account's buckets");
	return err;
}

SUSPENDS void
buckets_close(struct buckets *b)
{
	cloud_free(b->cloud); /* open buckets hold of the realm's memory until now */
	realm_net_free(b->realm_net);
	ground_net_free(b->ground);
	*b = (struct buckets){ .c = b->c };
}

struct running {
	const struct buckets_work *work;
};

static SUSPENDS int
run_open(struct client *c, void *arg)
{
	const struct buckets_work *w = ((const struct running *)arg)->work;
	int err = buckets_open(w->buckets, c, w->how);
	int code = err == ERR_OK ? w->run(w->arg) : client_exit_code(err);

	buckets_close(w->buckets);
	return code;
}

static void
stop_running(void *arg)
{
	const struct buckets_work *w = ((const struct running *)arg)->work;

	if (w->stopping != NULL)
		w->stopping(w->arg);
}

int
buckets_run(const struct buckets_work *work)
{
	struct running r = { work };

	return client_run(&(struct client_work){
	    .command = work->command,
	    .options = work->options,
	    .account = true,
	    .run = run_open,
	    .stopping = stop_running,
	    .arg = &r,
	});
}

SUSPENDS int
buckets_find(struct buckets *b, const char *name, struct realm_bucket **out)
{
	int err = b->realm->ops->bucket(b->realm, name, out);

	if (err == ERR_NOT_FOUND)
		say_error(b->c->command, "there is no bucket %s", name);
	else if (err != ERR_OK)
		(void)buckets_fail(b->c, err, "open the bucket %s", name);
	return err;
}

SUSPENDS int
buckets_find_to_read(struct buckets *b, const char *name, struct realm_bucket **out)
{
	int err = buckets_find(b, name, out);

	if (err == ERR_OK)
		(*out)->recalls = true;
	return err;
}
