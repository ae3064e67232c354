/*
 * skerry gateway: the buckets of one account, or of several, at an S3 address, until it is told to
 * stop. It is a client of the network like put and get, which stays. Everything is up before the
 * address is told; at the end requests under way may come to theirs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "cmd/delegate.h"
#include "cmd/gateway_keys.h"
#include "cmd/gateway_tls.h"
#include "cmd/json.h"
#include "cmd/say.h"
#include "gateway/gateway.h"
#include "object/duties.h"

#define PORT_DEFAULT  7780       /* not assigned by IANA, beside the node's 7730 */
#define PEM_BYTES_MAX KIB(64)    /* a certificate and its chain */
#define STOP_PATIENCE SECONDS(3) /* less than CLIENT_STOP_PATIENCE: then it is cut off */
#define DESCRIPTORS   (WEB_CONNECTIONS_MAX + 1024) /* and sessions with nodes, files, pipes */
#define ACCOUNTS_MAX  REALM_ACCOUNTS_MAX
#define REGION_MAX    63 /* as long as a label in the DNS, and what signatures have room for */

struct text_list {
	size_t count;
	const char *text[ACCOUNTS_MAX + 1]; /* "" behind the last, once all are there */
};

struct serving { /* one account */
	struct account account;
	bool opened;
	struct cloud *cloud;
	struct duties *duties;
};

struct gateway_command {
	struct client_options client;
	struct addr listen;
	struct text_list accounts, names, domains;
	const char *region, *certificate, *key, *delegate;
	bool buckets_closed, make_keys, no_stale;
	uint64_t lifecycle_day_s;
	/* at work */
	struct client *c;
	struct serving served[ACCOUNTS_MAX];
	size_t served_count;
	struct buf certificate_text, key_text;
	struct ground_net *ground;
	struct realm_net *realm;
	struct gateway *gateway;
	struct gateway_tls tls;
	struct wait stop, ended;
};

static bool
set_text_list(void *field, const char *text)
{
	struct text_list *l = field;

	if (text == NULL) {
		l->count = 0;
		return true;
	}
	if (l->count == ACCOUNTS_MAX || *text == '\0')
		return false;
	l->text[l->count++] = text;
	l->text[l->count] = "";
	return true;
}

static bool
set_names(void *field, const char *text)
{
	return (text == NULL || strlen(text) <= CLOUD_NAME_MAX) && set_text_list(field, text);
}

static bool
set_domains(void *field, const char *text)
{
	return (text == NULL || value_host_name(text)) && set_text_list(field, text);
}

/* What clients sign with, between slashes; other clouds have such as RegionOne. */
static bool
set_s3_region(void *field, const char *text)
{
	return strlen(text) <= REGION_MAX && value_label(text, strlen(text)) &&
	       set_text(field, text);
}

#define FIELD(member) .offset = offsetof(struct gateway_command, member)

static const struct option gateway_options[] = {
	{ "listen", 0, "ADDRESS", "Where S3 is spoken (default 127.0.0.1:7780).",
	    "an address and port such as 127.0.0.1:7780", set_addr, NULL, FIELD(listen) },
	{ "account", 0, "DIR", "Another account that is served here, too.", RIGHT_DIR,
	    set_text_list, NULL, FIELD(accounts), .list = true },
	{ "delegate", 0, "FILE",
	    "Serve what this file opens (skerry key delegate), with no account here.", RIGHT_FILE,
	    set_text, NULL, FIELD(delegate) },
	{ "name", 0, "NAME", "What the account is called, for people; again for each further one.",
	    "a name of at most 64 bytes", set_names, NULL, FIELD(names), .list = true },
	{ "domain", 0, "NAME", "Whose subdomains are buckets (BUCKET.NAME).",
	    "the name of a host such as s3.example.com, without a port", set_domains, NULL,
	    FIELD(domains), .list = true },
	{ "region", 0, "NAME", "What the place is called to clients (default us-east-1).",
	    "a name such as us-east-1: letters, digits and hyphens, at most 63", set_s3_region,
	    NULL, FIELD(region) },
	{ "tls-certificate", 0, "FILE", "Speak HTTPS with this certificate (PEM).", RIGHT_FILE,
	    set_text, NULL, FIELD(certificate) },
	{ "tls-key", 0, "FILE", "The certificate's key (PEM).", RIGHT_FILE, set_text, NULL,
	    FIELD(key) },
	{ "buckets-closed", 0, NULL,
	    "New buckets have no ACLs and no public access, unless they say otherwise.",
	    RIGHT_SWITCH, set_switch, NULL, FIELD(buckets_closed) },
	{ "lifecycle-day", 0, "TIME",
	    "How long a day of lifecycle rules is, for tests (default 1d).", RIGHT_DAY,
	    set_short_day, NULL, FIELD(lifecycle_day_s) },
	{ "no-stale-reads", 0, NULL,
	    "Refuse reads while no quorum of anchors answers, instead of marking them.",
	    RIGHT_SWITCH, set_switch, NULL, FIELD(no_stale) },
	{ "make-keys", 0, NULL, "Make an access key for each account, if it has none, and show it.",
	    RIGHT_SWITCH, set_switch, NULL, FIELD(make_keys) },
	{ NULL },
};

/* ---- before the network ---- */

static int
read_pem(const char *command, const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char piece[1024];
	size_t n;
	int err = f == NULL ? err_from_errno(errno) : ERR_OK;

	while (err == ERR_OK && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		err = buf_append(out, piece, n);
	if (f != NULL)
		(void)fclose(f);
	if (err != ERR_OK)
		say_error(command, "cannot read %s: %s", path, err_text(err));
	return err;
}

/* The further accounts; the first is the client's own. */
static int
open_accounts(const char *command, struct gateway_command *g)
{
	for (size_t i = 0; i < g->accounts.count; i++) {
		struct serving *s = &g->served[i + 1];

		if (i + 1 == ACCOUNTS_MAX) {
			say_error(command, "at most %d accounts can be served at one address",
			    ACCOUNTS_MAX);
			return ERR_FULL;
		}
		if (client_account(command, g->accounts.text[i], g->client.passphrase_file,
			&s->account) != ERR_OK)
			return ERR_NOT_FOUND;
		s->opened = true;
	}
	g->served_count = 1 + g->accounts.count;
	return ERR_OK;
}

/* A connection is a descriptor; what a shell gives by default is less than we serve. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, DESCRIPTORS);
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer we serve fewer */
}

/* Options that do not go together. */
static bool
usable(const char *command, const struct gateway_command *g)
{
	if ((g->certificate == NULL) != (g->key == NULL)) {
		say_error(command, "--tls-certificate and --tls-key belong together");
		return false;
	}
	if (g->delegate != NULL && (g->accounts.count > 0 || g->names.count > 0 || g->make_keys)) {
		say_error(command, "with --delegate there is no account, no --name, and no "
				   "--make-keys: the file has its key");
		return false;
	}
	if (g->names.count > g->accounts.count + 1) {
		say_error(command,
		    "--name is given %zu times, and served %s %zu account%s: name each "
		    "once, the first of --dir, the others as --account has them",
		    g->names.count, g->accounts.count == 0 ? "is" : "are", g->accounts.count + 1,
		    g->accounts.count == 0 ? "" : "s");
		return false;
	}
	return true;
}

static bool
prepare(const char *command, struct gateway_command *g)
{
	buf_init(&g->certificate_text, PEM_BYTES_MAX);
	buf_init_secret(&g->key_text, PEM_BYTES_MAX);
	if (g->certificate != NULL &&
	    (read_pem(command, g->certificate, &g->certificate_text) != ERR_OK ||
		read_pem(command, g->key, &g->key_text) != ERR_OK))
		return false;
	raise_descriptors();
	return open_accounts(command, g) == ERR_OK;
}

/* ---- in the network ---- */

static const char *
directory_of(const struct gateway_command *g, size_t i)
{
	return i == 0 ? g->c->dir : g->accounts.text[i - 1];
}

/* Two of one account would race for its duties, and lists show it twice. */
static bool
all_different(struct gateway_command *g)
{
	struct pubkey owner[ACCOUNTS_MAX];

	for (size_t i = 0; i < g->served_count && g->delegate == NULL; i++) {
		account_owner(i == 0 ? client_own_account(g->c) : &g->served[i].account, &owner[i]);
		for (size_t j = 0; j < i; j++) {
			if (!pubkey_equal(&owner[i], &owner[j]))
				continue;
			say_error(g->c->command,
			    "--account %s: it is the account of %s, which is served already; right "
			    "would be another one",
			    directory_of(g, i), directory_of(g, j));
			return false;
		}
	}
	return true;
}

static SUSPENDS int
start_account(struct gateway_command *g, size_t i)
{
	struct client *c = g->c;
	struct serving *s = &g->served[i];
	const struct account *account = i == 0 ? client_own_account(c) : &s->account;
	int err = buckets_cloud(c, g->ground, account, CLOUD_FOUND, &s->cloud);

	if (err == ERR_OK)
		err = duties_new(
		    &(struct duties_opts){ .files = c->files, .cloud = s->cloud }, &s->duties);
	if (err == ERR_OK && i < g->names.count)
		err = cloud_set_name(s->cloud, g->names.text[i]);
	if (err == ERR_OK)
		err = realm_net_add(g->realm, s->cloud);
	if (err != ERR_OK)
		(void)buckets_fail(
		    c, err, "open the buckets of the account in %s", directory_of(g, i));
	return err;
}

static SUSPENDS int
start_delegated(struct gateway_command *g)
{
	struct client *c = g->c;
	struct delegation *d = calloc(1, sizeof(*d));
	int err = d == NULL ? ERR_NOMEM : delegate_read(c, g->delegate, d);

	if (err == ERR_OK) {
		err = buckets_delegated(c, g->ground, d, &g->served[0].cloud);
		delegation_wipe(d);
		if (err == ERR_OK)
			err = realm_net_add(g->realm, g->served[0].cloud);
		if (err != ERR_OK)
			say_error(c->command, "cannot open what %s is for: %s", g->delegate,
			    err_text(err));
	}
	free(d);
	return err;
}

static SUSPENDS int
start_buckets(struct gateway_command *g)
{
	struct client *c = g->c;
	struct realm_net_opts realm = { .env = c->env, .files = c->files };
	int err = all_different(g) ? buckets_ground(c, &g->ground) : ERR_INVALID;

	if (err == ERR_OK)
		err = realm_net_new(&realm, &g->realm);
	for (size_t i = 0; i < g->served_count && err == ERR_OK; i++)
		err = g->delegate != NULL ? start_delegated(g) : start_account(g, i);
	return err;
}

static void
tell_deaf(const struct gateway_command *g, int err)
{
	char text[ADDR_TEXT_MAX];

	if (err == ERR_INVALID && g->certificate != NULL)
		say_error(g->c->command,
		    "the certificate in %s and the key in %s do not belong together, or one is "
		    "none",
		    g->certificate, g->key);
	else
		say_error(g->c->command, "cannot listen on %s: %s", addr_format(&g->listen, text),
		    err == ERR_EXISTS        ? "the port is taken"
		    : err == ERR_UNSUPPORTED ? SAY_NO_ADDRESS
					     : err_text(err));
}

static int
listen_there(struct gateway_command *g)
{
	struct client *c = g->c;
	struct gateway_opts opts = { .env = c->env,
		.realm = realm_net_realm(g->realm),
		.addr = g->listen,
		.domains = g->domains.count > 0 ? g->domains.text : NULL,
		.region = g->region,
		.buckets_closed = g->buckets_closed,
		.current_only = g->no_stale,
		.lifecycle_day_ms = g->lifecycle_day_s * 1000 };
	int err;

	if (g->certificate != NULL) {
		opts.tls_certificate = buf_str(&g->certificate_text);
		opts.tls_key = buf_str(&g->key_text);
	}
	err = gateway_open(&opts, &g->gateway);
	if (err != ERR_OK)
		tell_deaf(g, err);
	else if (g->certificate != NULL)
		gateway_tls_start(&g->tls, c->env, g->certificate, buf_bytes(&g->certificate_text));
	return err;
}

/* ---- telling ---- */

static const char *
endpoint_text(const struct gateway_command *g, char out[ADDR_TEXT_MAX + 16])
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	gateway_local(g->gateway, &a);
	(void)snprintf(out, ADDR_TEXT_MAX + 16, "%s://%s",
	    g->certificate != NULL ? "https" : "http", addr_format(&a, text));
	return out;
}

static SUSPENDS int
tell(struct gateway_command *g)
{
	struct json_value *o = json_make_object(), *list = json_make_array();
	char endpoint[ADDR_TEXT_MAX + 16];
	int err = ERR_OK;

	for (size_t i = 0; i < g->served_count && err == ERR_OK; i++)
		err = gateway_keys_tell(g->served[i].cloud, g->make_keys, list);
	json_put_text(o, "endpoint", endpoint_text(g, endpoint));
	json_put_text(o, "region", g->region != NULL ? g->region : GATEWAY_REGION);
	json_put_value(o, "accounts", list);
	if (g->certificate != NULL)
		json_put_value(o, "certificate", gateway_tls_json(&g->tls));
	if (err != ERR_OK) {
		json_free(o);
		return err;
	}
	if (g->client.json)
		return json_say(o);
	gateway_keys_say(o);
	json_free(o);
	return ERR_OK;
}

/* ---- the work ---- */

static void
stopping(void *arg)
{
	wait_wake(&((struct gateway_command *)arg)->stop, ERR_OK);
}

static SUSPENDS int
serve(void *arg)
{
	struct gateway_command *g = arg;
	int err = start_buckets(g);

	if (err == ERR_OK)
		err = listen_there(g);
	if (err == ERR_OK)
		err = tell(g);
	if (err == ERR_OK)
		err = wait_always(g->c->env, &g->stop);
	gateway_tls_stop(&g->tls);
	gateway_close(g->gateway, STOP_PATIENCE);
	for (size_t i = 0; i < g->served_count; i++) {
		duties_free(g->served[i].duties);
		cloud_free(g->served[i].cloud);
	}
	realm_net_free(g->realm);
	ground_net_free(g->ground);
	wait_wake(&g->ended, err);
	return err;
}

/* In a group of its own: a signal asks it to stop, and does not break it off. */
static SUSPENDS int
run(struct client *c, void *arg)
{
	struct gateway_command *g = arg;
	struct task_group group;
	int err;

	g->c = c;
	wait_init(&g->ended);
	task_group_init(&group, c->env);
	err = task_spawn(&group, "gateway", serve, g);
	if (err == ERR_OK)
		err = wait_always(c->env, &g->ended);
	task_group_fini(&group);
	return client_exit_code(err);
}

static int
gateway_run(const struct command *self, int argc, char **argv)
{
	struct gateway_command *g = calloc(1, sizeof(*g));
	struct operands operands;
	int code = EXIT_FAILED;

	if (g == NULL)
		return EXIT_FAILED;
	g->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	g->client.log_level = LOG_WARN;
	g->listen =
	    (struct addr){ .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = PORT_DEFAULT };
	wait_init(&g->stop);
	if (client_parse(self, argc, argv, (struct option_group){ gateway_options, g }, &g->client,
		&operands, &code)) {
		code = usable(self->name, g) ? EXIT_FAILED : EXIT_USAGE;
		if (code == EXIT_FAILED && prepare(self->name, g))
			code = client_run(&(struct client_work){
			    .command = self->name,
			    .options = &g->client,
			    .account = g->delegate == NULL,
			    .serves = true,
			    .run = run,
			    .stopping = stopping,
			    .arg = g,
			});
	}
	for (size_t i = 0; i < ARRAY_LEN(g->served); i++) {
		if (g->served[i].opened)
			account_wipe(&g->served[i].account);
	}
	buf_fini(&g->certificate_text);
	buf_wipe(&g->key_text);
	free(g);
	return code;
}

const struct command command_gateway = {
	.name = "gateway",
	.synopsis = "[--dir DIR] [--listen ADDRESS] [option ...]",
	.brief = "serve the buckets of an account by S3",
	.about = "Speaks S3 for the buckets of the account in the directory, and of further ones, "
		 "until\n"
		 "SIGTERM or Ctrl-C. Any number of gateways may serve one account, anywhere. "
		 "Access keys\n"
		 "are made with --make-keys.\n"
		 "\n"
		 "  skerry gateway --dir net --listen 127.0.0.1:7780 --make-keys",
	.options = (const struct option *const[]){ gateway_options, client_options,
	    client_account_options, NULL },
	.run = gateway_run,
};
