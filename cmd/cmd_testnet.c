/*
 * skerry testnet: a whole network of real peers on this machine, for as long as it runs. Prepared
 * on disk, started, waited for until all know each other, told (table or one line of JSON), kept
 * until SIGTERM or SIGINT. The peers end with it in any case.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/gateway_keys.h"
#include "cmd/json.h"
#include "cmd/say.h"
#include "cmd/spawn.h"
#include "cmd/testnet.h"
#include "overlay/base/env_real.h"
#include "storage/anchors.h"

#define PEERS_DEFAULT 8

struct testnet_command {
	struct testnet net;
	const char *dir;
	uint64_t peers;
	bool json;
	struct wait stop;
	struct file *lock;
};

static bool
set_peers(void *field, const char *text)
{
	return value_count(text, 1, TESTNET_PEERS_MAX, field);
}

static bool
set_peer_capacity(void *field, const char *text)
{
	struct testnet *t = field;

	t->capacity_given = set_capacity(&t->capacity, text);
	return t->capacity_given;
}

static bool
set_repair_rate(void *field, const char *text)
{
	struct testnet *t = field;

	t->repair_rate_given = set_rate(&t->repair_rate, text);
	return t->repair_rate_given;
}

static bool
set_s3(void *field, const char *text)
{
	struct testnet *t = field;
	uint64_t port;

	t->s3 = value_count(text, 0, UINT16_MAX, &port);
	t->s3_port = (uint16_t)port;
	return t->s3;
}

/* Checked here, said to the gateway as it was said. */
static bool
set_text_day(void *field, const char *text)
{
	struct testnet *t = field;
	uint64_t seconds;

	if (!set_short_day(&seconds, text))
		return false;
	t->lifecycle_day = text;
	return true;
}

#define FIELD(member) .offset = offsetof(struct testnet_command, member)

static const struct option testnet_options[] = {
	{ "dir", 0, "DIR", "Where the peers live, and the account that uses them.", RIGHT_DIR,
	    set_text, NULL, FIELD(dir) },
	{ "peers", 0, "COUNT", "How many peers (default 8, or as many as there are).",
	    "a number from 1 to 200", set_peers, NULL, FIELD(peers) },
	{ "code", 0, "K/R/N", "Code of files put into this network; buckets name theirs.",
	    RIGHT_CODE, set_code, NULL, FIELD(net.code) },
	{ "capacity", 0, "SIZE", "Disk space that each peer gives (default 10G).", RIGHT_CAPACITY,
	    set_peer_capacity, NULL, FIELD(net) },
	{ "repair-rate", 0, "SIZE",
	    "Bytes a second that repair may move at each peer; 0: no limit.", RIGHT_RATE,
	    set_repair_rate, NULL, FIELD(net) },
	{ "real-pace", 0, NULL, "Upkeep is no quicker than on other networks: for measuring.",
	    RIGHT_SWITCH, set_switch, NULL, FIELD(net.real_pace) },
	{ "s3", 0, "PORT", "Serve two accounts by S3 on this port of 127.0.0.1; 0: a free one.",
	    "a port from 0 to 65535", set_s3, NULL, FIELD(net) },
	{ "lifecycle-day", 0, "TIME", "How long a day of lifecycle rules is (default 1d).",
	    RIGHT_DAY, set_text_day, NULL, FIELD(net) },
	{ "json", 0, NULL, "Print one line for machines when all have joined.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(json) },
	{ NULL },
};

/* ---- telling ---- */

static int
tell_json(const struct testnet *t)
{
	struct json_value *o = json_make_object(), *list = json_make_array();
	struct json_value *contacts = json_make_array();
	char text[CONTACT_TEXT_MAX];

	for (size_t i = 0; i < t->peers_count; i++) {
		const struct testnet_peer *p = &t->peers[i];
		struct json_value *v = json_make_object();

		json_put_signed(v, "pid", p->pid);
		json_put_hex(v, "id", p->contact.id.b, sizeof(p->contact.id.b));
		json_put_text(v, "address", addr_format(&p->listen, text));
		json_put_text(v, "dir", p->dir);
		json_put_text(v, "country", p->country);
		json_put_text(v, "region", p->region);
		json_add_value(list, v);
		json_add_text(contacts, contact_format(&p->contact, text));
	}
	json_put_text(o, "dir", t->dir);
	json_put_value(o, "bootstrap", contacts);
	json_put_value(o, "peers", list);
	if (t->s3) {
		struct json_value *s3;

		if (json_parse((const char *)t->s3_line.data, t->s3_line.len, &s3) == ERR_OK) {
			json_put_signed(s3, "gateway_pid", t->s3_pid);
			json_put_value(o, "s3", s3);
		}
	}
	return json_say(o);
}

static int
tell_table(const struct testnet *t)
{
	char text[ADDR_TEXT_MAX], id[17];

	printf("PEER  PROCESS  ID                ADDRESS                COUNTRY  REGION\n");
	for (size_t i = 0; i < t->peers_count; i++) {
		const struct testnet_peer *p = &t->peers[i];

		hex_encode(id, p->contact.id.b, 8);
		printf("%4u  %7d  %s  %-21s  %-7s  %s\n", p->number, (int)p->pid, id,
		    addr_format(&p->listen, text), p->country, p->region);
	}
	printf("\nThe network runs until Ctrl-C. Use it with, for example:\n"
	       "  %s put FILE --dir %s\n",
	    PROGRAM_NAME, t->dir);
	if (t->s3) {
		struct json_value *s3;

		printf("\n");
		if (json_parse((const char *)t->s3_line.data, t->s3_line.len, &s3) == ERR_OK) {
			gateway_keys_say(s3);
			json_free(s3);
		}
	}
	return fflush(stdout) == 0 ? ERR_OK : ERR_IO;
}

/* ---- the loop ---- */

static void
on_stop(void *arg, int signo)
{
	struct testnet_command *c = arg;

	(void)signo;
	c->net.stopping = true;
	wait_wake(&c->stop, ERR_OK);
}

static void
on_child(void *arg, int signo)
{
	struct testnet_command *c = arg;

	(void)signo;
	testnet_reap(&c->net);
}

static SUSPENDS int
run_peers(struct testnet_command *c)
{
	struct testnet *t = &c->net;
	int err = testnet_start(t);

	if (err == ERR_OK)
		err = testnet_wait_joined(t);
	if (t->stopping)
		return ERR_OK;
	if (err == ERR_CLOSED)
		say_error(t->command, "a peer ended before it had joined");
	if (err == ERR_OK && t->s3)
		err = testnet_s3_start(t);
	if (t->stopping)
		return ERR_OK;
	if (err == ERR_OK)
		err = c->json ? tell_json(t) : tell_table(t);
	if (err == ERR_OK)
		err = wait_always(t->env, &c->stop);
	return err;
}

static SUSPENDS int
main_task(void *arg)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct testnet_command *c = arg;
	int err = ERR_OK;

	wait_init(&c->stop);
	for (size_t i = 0; i < ARRAY_LEN(signals) && err == ERR_OK; i++)
		err = env_real_on_signal(c->net.env, signals[i], on_stop, c);
	if (err == ERR_OK)
		err = env_real_on_signal(c->net.env, SIGCHLD, on_child, c);
	if (err == ERR_OK)
		err = run_peers(c);
	testnet_stop(&c->net);
	return err == ERR_OK && c->net.bad_end ? ERR_STATE : err;
}

/* ---- before the loop ---- */

static bool
check(struct testnet_command *c)
{
	struct testnet *t = &c->net;
	size_t there;

	if (c->dir == NULL) {
		say_error(t->command, "--dir is needed: the peers live there");
		return false;
	}
	if (t->lifecycle_day != NULL && !t->s3) {
		say_error(t->command, "--lifecycle-day is the gateway's: it needs --s3");
		return false;
	}
	if (t->s3 && t->capacity_given && t->capacity == 0) {
		say_error(t->command, "--s3 needs peers that store something, not --capacity 0");
		return false;
	}
	there = testnet_count(c->dir);
	t->dir = c->dir;
	t->peers_count = c->peers != 0 ? c->peers : there != 0 ? there : PEERS_DEFAULT;
	if (t->code.k != 0 && t->code.n > t->peers_count) {
		say_error(t->command, "a code of %u pieces needs %u peers, not %zu", t->code.n,
		    t->code.n, t->peers_count);
		return false;
	}
	if (t->s3 && t->peers_count < anchors_count_for(t->peers_count)) {
		say_error(t->command,
		    "--s3 needs %u peers, which keep the heads of buckets, not %zu",
		    anchors_count_for(t->peers_count), t->peers_count);
		return false;
	}
	return true;
}

static int
lock_directory(struct testnet_command *c)
{
	char path[PATH_BYTES_MAX];
	bool made;
	int err = dirs_make(c->dir, &made);

	if (err == ERR_OK)
		err = dirs_path(c->dir, "testnet.lock", path);
	if (err == ERR_OK)
		err = disk_lock(disk_real(), path, &c->lock);
	if (err == ERR_BUSY)
		say_error(c->net.command, "a test network runs in %s already", c->dir);
	else if (err != ERR_OK)
		say_error(c->net.command, "cannot use the directory %s: %s", c->dir, dirs_why(err));
	return err;
}

static int
run(struct testnet_command *c)
{
	struct testnet *t = &c->net;
	int err = lock_directory(c);

	if (err != ERR_OK)
		return err;
	t->peers = calloc(t->peers_count, sizeof(*t->peers));
	err = t->peers == NULL ? ERR_NOMEM
			       : env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &t->env);
	if (err == ERR_OK && !spawn_self(t->program))
		err = err_from_errno(errno);
	if (err != ERR_OK)
		say_error(t->command, "cannot start: %s", err_text(err));
	if (err == ERR_OK)
		err = testnet_prepare(t);
	if (err == ERR_OK && t->s3)
		err = testnet_s3_prepare(t);
	if (err == ERR_OK)
		err = env_real_run(t->env, main_task, c);
	if (t->env != NULL)
		env_real_free(t->env);
	free(t->peers);
	buf_wipe(&t->s3_line);
	file_close(c->lock);
	return err;
}

static int
testnet_run(const struct command *self, int argc, char **argv)
{
	struct testnet_command *c = calloc(1, sizeof(*c));
	struct operands operands;
	int code = EXIT_FAILED;

	if (c == NULL)
		return EXIT_FAILED;
	c->net.command = self->name;
	c->net.capacity = SETTINGS_CAPACITY;
	if (command_parse(self, argc, argv, (struct option_group[]){ { testnet_options, c } }, 1,
		&operands, &code)) {
		if (!check(c))
			code = EXIT_USAGE;
		else
			code = run(c) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	free(c);
	return code;
}

const struct command command_testnet = {
	.name = "testnet",
	.synopsis = "--dir DIR [--peers COUNT] [--code K/R/N] [option ...]",
	.brief = "run a network of peers on this machine",
	.about =
	    "Starts peers, each a process of its own with an address, a key and an operator of "
	    "its\n"
	    "own, in four countries, and keeps them until SIGTERM or Ctrl-C. The directory "
	    "becomes\n"
	    "an account's that knows them. The next start on it goes on with the same network.\n"
	    "\n"
	    "  skerry testnet --dir net --peers 8 --code 4/6/8\n"
	    "  skerry put photo.jpg --dir net",
	.options = (const struct option *const[]){ testnet_options, NULL },
	.run = testnet_run,
};
