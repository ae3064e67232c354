/*
 * skerry key: access keys of S3, made, listed and revoked. The secret is shown when the key is
 * made, and by `list --secrets`; it is kept sealed in the account's own bucket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/delegate.h"
#include "cmd/json.h"
#include "cmd/say.h"

/* A delegate ends by itself, also where nobody says when. */
#define DELEGATE_DAYS_DEFAULT 90

struct key_command {
	struct client_options client;
	const struct verb *verb;
	const char *operand; /* behind the verb: a key's id, a delegate's file */
	const char *label;
	const char *rights_text;
	uint64_t days;
	struct key_places {
		size_t count;
		const char *at[ACCESS_GRANTS_MAX];
	} places;
	bool secrets;
	struct access_key key;
	struct buckets buckets;
};

static bool
set_places(void *field, const char *text)
{
	struct key_places *p = field;

	if (text == NULL) {
		p->count = 0;
		return true;
	}
	if (p->count == ACCESS_GRANTS_MAX)
		return false;
	p->at[p->count++] = text;
	return true;
}

#define FIELD(member) .offset = offsetof(struct key_command, member)

static const struct option key_options[] = {
	{ "for", 0, "BUCKET[/PREFIX]", "opens only this (new: default all buckets); give several.",
	    "a bucket, or a bucket and how keys begin, such as photos/2026/", set_places, NULL,
	    FIELD(places), .list = true, .with = "new or delegate" },
	{ "rights", 0, "WORDS", "read, write, admin, or all (default all; delegate: read,write).",
	    "words with commas between them, such as read,write", set_text, NULL,
	    FIELD(rights_text), .with = "new or delegate" },
	{ "days", 0, "DAYS", "it ends by itself after so many days (delegate: default 90).",
	    "a number of days from 1 to 800, such as 90d", set_days, NULL, FIELD(days),
	    .with = "new or delegate" },
	{ "label", 0, "TEXT", "what it is for.", "a text of at most 64 bytes", set_text, NULL,
	    FIELD(label), .with = "new or delegate" },
	{ "secrets", 0, NULL, "also show the secrets.", RIGHT_SWITCH, set_switch, NULL,
	    FIELD(secrets), .with = "list" },
	{ NULL },
};

/* ---- telling ---- */

static struct json_value *
key_json(const struct access_key *k, bool secret)
{
	struct json_value *o = json_make_object(), *grants = json_make_array();

	json_put_text(o, "access_key", k->id);
	if (secret)
		json_put_text(o, "secret_key", k->secret);
	json_put_text(o, "label", k->label);
	json_put_number(o, "created_ms", k->created_ms);
	json_put_number(o, "expires_ms", k->expires_ms);
	for (size_t i = 0; i < k->grants_count; i++) {
		struct json_value *g = json_make_object();

		json_put_text(g, "bucket", k->grants[i].bucket);
		json_put_text(g, "prefix", k->grants[i].prefix);
		json_put_text(g, "rights", access_rights_text(k->grants[i].rights));
		json_add_value(grants, g);
	}
	json_put_value(o, "grants", grants);
	return o;
}

static int
each_key(void *arg, const struct access_key *k)
{
	const struct key_command *a = arg;
	char clean[4 * ACCESS_LABEL_MAX + 1], when[SAY_TIME_MAX] = "never";

	if (a->client.json)
		return json_say(key_json(k, a->secrets));
	if (k->expires_ms != 0)
		(void)say_time(k->expires_ms / 1000, SAY_MINUTE, when);
	printf("%s  ends %-20s  %s\n", k->id, when, say_clean(k->label, clean, sizeof(clean)));
	if (a->secrets)
		printf("  secret %s\n", k->secret);
	for (size_t i = 0; i < k->grants_count; i++) {
		const struct access_grant *g = &k->grants[i];
		char prefix[4 * ACCESS_PREFIX_MAX + 1];

		printf("  %-16s %s%s%s\n", access_rights_text(g->rights),
		    g->bucket[0] != '\0' ? g->bucket : "every bucket",
		    g->prefix[0] != '\0' ? "/" : "", say_clean(g->prefix, prefix, sizeof(prefix)));
	}
	return ferror(stdout) ? ERR_IO : ERR_OK;
}

static int
tell_new(const struct key_command *a)
{
	if (a->client.json)
		return json_say(key_json(&a->key, true));
	return printf("access key  %s\nsecret      %s\n", a->key.id, a->key.secret) < 0 ||
		       fflush(stdout) != 0
		   ? ERR_IO
		   : ERR_OK;
}

static int
each_delegate(void *arg, const struct cloud_delegate *d)
{
	return delegate_tell(d, ((const struct key_command *)arg)->client.json);
}

/* ---- doing ---- */

static SUSPENDS int
do_new(struct key_command *a)
{
	struct client *c = a->buckets.c;
	int err;

	if (a->days != 0)
		a->key.expires_ms = env_wall_ms(c->env) + a->days * 24 * 3600 * 1000;
	err = cloud_key_create(a->buckets.cloud, &a->key);
	if (err != ERR_OK)
		return buckets_fail(c, err, "make the key");
	err = tell_new(a);
	return err == ERR_OK ? EXIT_OK : buckets_fail(c, err, "show the key");
}

static SUSPENDS int
do_delegate(struct key_command *a)
{
	uint64_t days = a->days != 0 ? a->days : DELEGATE_DAYS_DEFAULT;

	return delegate_make(&a->buckets, a->operand, &a->key, days, a->client.json);
}

static SUSPENDS int
do_list(struct key_command *a)
{
	int err = cloud_keys(a->buckets.cloud, NULL, each_key, a);

	if (err == ERR_OK)
		err = cloud_delegates(a->buckets.cloud, each_delegate, a);
	return err == ERR_OK ? EXIT_OK : buckets_fail(a->buckets.c, err, "list the keys");
}

static int
tell_revoked(const struct key_command *a, bool delegate)
{
	if (a->client.json) {
		struct json_value *o = json_make_object();

		json_put_text(o, "access_key", a->operand);
		json_put_flag(o, "delegate", delegate);
		json_put_flag(o, "revoked", true);
		return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	if (a->client.quiet)
		return EXIT_OK;
	if (delegate)
		say_note("revoked: the anchors take nothing from it any more; what it could read "
			 "it has the secrets of");
	else
		say_note("revoked; running gateways take it for %d seconds more at most",
		    (int)(CLOUD_BELIEVED / SECONDS(1)));
	return EXIT_OK;
}

static SUSPENDS int
do_revoke(struct key_command *a)
{
	struct client *c = a->buckets.c;
	int err = cloud_key_revoke(a->buckets.cloud, a->operand);
	bool delegate = err == ERR_NOT_FOUND;

	if (delegate)
		err = cloud_delegate_revoke(a->buckets.cloud, a->operand);
	if (err == ERR_NOT_FOUND) {
		say_error(c->command, "there is no key %s", a->operand);
		return EXIT_FAILED;
	}
	if (err != ERR_OK)
		return buckets_fail(c, err, "revoke the key");
	return tell_revoked(a, delegate);
}

static const struct verb {
	const char *name;
	size_t operands; /* with the verb */
	enum cloud_start how;
	bool makes; /* a key, with grants */
	bool named; /* buckets only: a delegate's */
	SUSPENDS int (*run)(struct key_command *a);
} verbs[] = {
	{ "new", 1, CLOUD_FOUND, .makes = true, .run = do_new },
	{ "delegate", 2, CLOUD_FIND, .makes = true, .named = true, .run = do_delegate },
	{ "list", 1, CLOUD_FIND, .run = do_list },
	{ "revoke", 2, CLOUD_FIND, .run = do_revoke },
};

static SUSPENDS int
key_work(void *arg)
{
	struct key_command *a = arg;

	return a->verb->run(a);
}

/* ---- before ---- */

static bool
read_grants(const struct command *self, struct key_command *a)
{
	uint8_t rights = a->verb->named ? ACCESS_READ | ACCESS_WRITE : ACCESS_ALL;

	if (a->rights_text != NULL && access_rights_parse(a->rights_text, &rights) != ERR_OK) {
		say_error(
		    self->name, "--rights are read, write, admin, or all; not %s", a->rights_text);
		return false;
	}
	if (a->label != NULL && strlen(a->label) > ACCESS_LABEL_MAX) {
		say_error(self->name, "--label has at most %d bytes", ACCESS_LABEL_MAX);
		return false;
	}
	if (a->label != NULL)
		memcpy(a->key.label, a->label, strlen(a->label) + 1);
	if (a->places.count == 0 && a->verb->named) {
		say_error(self->name, "a delegate gets named buckets: --for BUCKET");
		return false;
	}
	if (a->places.count == 0)
		a->places.at[a->places.count++] = "*";
	for (size_t i = 0; i < a->places.count; i++) {
		uint8_t here = rights;

		/* Below a prefix nobody administrates the bucket. */
		if (a->rights_text == NULL && strchr(a->places.at[i], '/') != NULL)
			here &= (uint8_t)~ACCESS_ADMIN;
		if (access_grant_parse(a->places.at[i], here, &a->key.grants[i]) != ERR_OK) {
			say_error(self->name,
			    "--for %s is not possible; right would be BUCKET, or BUCKET/PREFIX, "
			    "which goes without admin",
			    a->places.at[i]);
			return false;
		}
	}
	a->key.grants_count = a->places.count;
	return true;
}

static bool
read_verb(const struct command *self, struct key_command *a, const struct operands *o)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		a->verb = &verbs[i];
		if (strcmp(o->text[0], a->verb->name) != 0 || o->count != a->verb->operands)
			continue;
		a->operand = o->text[1];
		return !a->verb->makes || read_grants(self, a);
	}
	say_error(self->name,
	    "right would be: %s key new, %s key delegate FILE, %s key list, or %s key revoke ID",
	    PROGRAM_NAME, PROGRAM_NAME, PROGRAM_NAME, PROGRAM_NAME);
	return false;
}

static int
key_run(const struct command *self, int argc, char **argv)
{
	struct key_command *a = calloc(1, sizeof(*a));
	struct operands operands = { 0 };
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	if (client_parse(self, argc, argv, (struct option_group){ key_options, a }, &a->client,
		&operands, &code)) {
		code = EXIT_USAGE;
		if (read_verb(self, a, &operands))
			code = buckets_run(&(struct buckets_work){
			    .command = self->name,
			    .options = &a->client,
			    .how = a->verb->how,
			    .buckets = &a->buckets,
			    .run = key_work,
			    .arg = a,
			});
	}
	access_key_wipe(&a->key);
	free(a);
	return code;
}

const struct command command_key = {
	.name = "key",
	.synopsis = "new|delegate|list|revoke [ID|FILE] [option ...]",
	.operands_least = 1,
	.operands_most = 2,
	.brief = "make, list and revoke access keys of S3",
	.about =
	    "An access key opens the account's buckets to a client of S3, at any gateway that\n"
	    "serves the account: all of them, some, or what is below a prefix.\n"
	    "\n"
	    "  skerry key new --for photos/2026/ --rights read --label album\n"
	    "  skerry key revoke SKABCDEFGHIJKLMNOPQR\n"
	    "\n"
	    "A delegate is a file for a gateway on a machine that shall not have the account: it\n"
	    "opens the named buckets for some days, by skerry gateway --delegate FILE.\n"
	    "\n"
	    "  skerry key delegate office.key --for photos --rights read,write --days 90d",
	.options = (const struct option *const[]){ key_options, client_options,
	    client_account_options, NULL },
	.run = key_run,
};
