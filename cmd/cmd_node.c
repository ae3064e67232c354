/*
 * skerry node: one peer until it is told to stop. Up: directory, settings, environment, local
 * socket (which also makes sure that the directory has one process), identity, privileges, node.
 * Whatever fails on the way ends the process with a sentence; a network that does not answer does
 * not: the node goes on trying.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/control.h"
#include "cmd/dirs.h"
#include "cmd/drain.h"
#include "cmd/leave.h"
#include "cmd/metrics.h"
#include "cmd/operator.h"
#include "cmd/privileges.h"
#include "cmd/say.h"
#include "cmd/setup.h"
#include "cmd/sight.h"
#include "overlay/base/env_real.h"

#define ROOM_MIN         MIB(4) /* the smallest segment: with less nothing would be kept */
#define PORTS_PRIVILEGED 1024   /* below, only root or who has the capability may bind */

struct node_command {
	const char *name;
	const char *dir_option;
	char dir[PATH_BYTES_MAX];
	struct settings settings;
	bool first_start; /* there are no settings to be found yet */
	struct env *env;
	struct log *log;
	struct control *control;
	struct metrics *metrics; /* NULL: not told */
	struct identity identity;
	struct node_opts opts;
	struct node *node; /* NULL: starting or stopping */
	struct wait stop;
	struct task_group group;
	bool stopping;
};

static const struct option node_options[] = {
	{ "dir", 0, "DIR", "Where the node lives; else $SKERRY_DIR, else ~/.skerry.", RIGHT_DIR,
	    set_text, NULL, offsetof(struct node_command, dir_option) },
	{ NULL },
};

/* ---- before the loop ---- */

/* The file may be read again from another working directory. */
static bool
operator_absolute(struct node_command *n)
{
	char path[PATH_MAX];

	static_assert(sizeof(path) == sizeof(n->settings.operator_file), "one limit for paths");
	if (realpath(n->settings.operator_file, path) == NULL) {
		say_error(n->name, "cannot read the operator's file %s: %s",
		    n->settings.operator_file, strerror(errno));
		return false;
	}
	memcpy(n->settings.operator_file, path, sizeof(path));
	return true;
}

/* What a node tells of itself is nobody's business by accident. */
static bool
metrics_allowed(const struct node_command *n)
{
	const struct addr *a = &n->settings.metrics;
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE || addr_is_loopback(a) || n->settings.metrics_public)
		return true;
	say_error(n->name,
	    "with metrics = %s others could read what this node does; right would be an address of "
	    "this machine alone such as 127.0.0.1:9730, or metrics-public = yes",
	    addr_format(a, text));
	return false;
}

/* Options override the file: they are read once to find it, and once more over it. */
static bool
read_settings(struct node_command *n, const struct command *self, int argc, char **argv, int *code)
{
	struct option_group groups[] = { { node_options, n }, { settings_options, &n->settings } };
	struct operands operands;
	char why[SETTINGS_ERROR_MAX];
	bool made;
	int err;

	settings_default(&n->settings);
	if (!command_parse(self, argc, argv, groups, ARRAY_LEN(groups), &operands, code))
		return false;
	*code = EXIT_FAILED;
	if (dirs_find(n->name, n->dir_option, n->dir) != ERR_OK)
		return false;
	err = dirs_make(n->dir, &made);
	if (err != ERR_OK) {
		say_error(n->name, "cannot use the directory %s: %s", n->dir, dirs_why(err));
		return false;
	}
	settings_default(&n->settings);
	err = settings_load(n->dir, &n->settings, why);
	if (err != ERR_OK && err != ERR_NOT_FOUND) {
		say_error(n->name, "%s", why);
		return false;
	}
	if (!command_parse(self, argc, argv, groups, ARRAY_LEN(groups), &operands, code))
		return false;
	*code = EXIT_FAILED;
	if (!metrics_allowed(n))
		return false;
	if (n->settings.operator_file[0] != '\0' && !operator_absolute(n))
		return false;
	n->first_start = err == ERR_NOT_FOUND;
	return true;
}

static int
save_settings(struct node_command *n)
{
	int err = n->first_start ? settings_save(n->dir, &n->settings) : ERR_OK;

	if (err != ERR_OK)
		say_error(n->name, "cannot write %s/%s: %s", n->dir, SETTINGS_FILE, err_text(err));
	return err;
}

/* Root's directory becomes the user's; one that is another's is refused. */
static bool
give_directory(struct node_command *n, const struct privileges_user *user)
{
	int err = privileges_give(user, n->dir, SETTINGS_FILE);

	if (err == ERR_PERMISSION)
		say_error(n->name, "%s belongs to another user; right would be: chown -R %s %s",
		    n->dir, n->settings.user, n->dir);
	else if (err == ERR_INVALID)
		say_error(n->name,
		    "%s or " SETTINGS_FILE " in it cannot be given to %s: there must be no link on "
		    "the way, and no other name for the file",
		    n->dir, n->settings.user);
	else if (err != ERR_OK)
		say_error(
		    n->name, "cannot give %s to %s: %s", n->dir, n->settings.user, err_text(err));
	return err == ERR_OK;
}

/* Nothing but the directory is made as root. */
static bool
drop_root(struct node_command *n)
{
	bool low_port = n->settings.listen.port > 0 && n->settings.listen.port < PORTS_PRIVILEGED;
	struct privileges_user user;

	if (n->settings.user[0] == '\0')
		return true;
	if (geteuid() != 0) {
		say_error(n->name, "only root can become the user %s; leave out --user",
		    n->settings.user);
		return false;
	}
	if (!privileges_find(n->settings.user, &user)) {
		say_error(n->name, "there is no user %s who is not root", n->settings.user);
		return false;
	}
	if (!give_directory(n, &user))
		return false;
	if (!privileges_drop(&user, low_port)) {
		say_error(n->name, "the kernel does not let root become %s", n->settings.user);
		return false;
	}
	return true;
}

static int
load_identity(struct node_command *n)
{
	int err = setup_identity(n->env, n->dir, n->settings.pow_bits, &n->identity);

	if (err == ERR_AUTH)
		say_error(n->name,
		    "%s/%s has less proof of work than %u bits, which this network asks; move it "
		    "away "
		    "and the node makes another",
		    n->dir, IDENTITY_FILE, n->settings.pow_bits);
	else if (err == ERR_VERSION)
		say_error(n->name, "%s/%s was made by a newer version", n->dir, IDENTITY_FILE);
	else if (err == ERR_PERMISSION && n->settings.user[0] != '\0')
		say_error(n->name,
		    "%s/%s is not %s's, as of a node that ran as another user; right would be: "
		    "chown -R %s %s",
		    n->dir, IDENTITY_FILE, n->settings.user, n->settings.user, n->dir);
	else if (err != ERR_OK)
		say_error(n->name, "cannot use %s/%s: %s", n->dir, IDENTITY_FILE, err_text(err));
	return err;
}

static int
load_operator(struct node_command *n)
{
	char why[OPERATOR_ERROR_MAX];
	int err;

	if (n->settings.operator_file[0] == '\0')
		return ERR_OK;
	err = operator_countersign(n->settings.operator_file, &n->opts.net, &n->identity.pub,
	    &n->opts.operator_key, &n->opts.operator_sig, why);
	n->opts.countersigned = err == ERR_OK;
	if (err != ERR_OK)
		say_error(n->name, "%s", why);
	return err;
}

/* ---- the loop ---- */

static struct json_value *
on_control(void *arg, const char *command, const struct json_value *request)
{
	struct node_command *n = arg;

	return sight_answer(n->node, n->env, &n->settings, command, request);
}

static void
on_signal(void *arg, int signo)
{
	struct node_command *n = arg;

	if (n->stopping) {
		(void)signal(signo, SIG_DFL);
		(void)raise(signo); /* the second one: at once; what was acknowledged is on disk */
		return;
	}
	n->stopping = true;
	log_info(n->env, "stopping");
	task_group_cancel(&n->group);
	wait_wake(&n->stop, ERR_OK);
}

static SUSPENDS int
start_task(void *arg)
{
	struct node_command *n = arg;
	struct contact *contacts = calloc(VALUES_CONTACTS, sizeof(*contacts));
	size_t count = 0;
	int err = contacts == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK)
		err = setup_bootstraps(
		    n->env, &n->settings.bootstraps, contacts, VALUES_CONTACTS, &count);
	if (err == ERR_OK) {
		n->opts.bootstraps = contacts;
		n->opts.bootstraps_count = count;
		err = node_start(&n->opts, &n->node);
	}
	n->opts.bootstraps = NULL;
	free(contacts);
	wait_wake(&n->stop, err == ERR_OK ? ERR_STATE : err); /* ERR_STATE: it runs */
	return err;
}

static void
tell_start(struct node_command *n, int err)
{
	char listen[ADDR_TEXT_MAX];

	(void)addr_format(&n->settings.listen, listen);
	if (err == ERR_BUSY || err == ERR_EXISTS)
		say_error(n->name, "cannot start: %s is in use by another process, or %s/%s is",
		    listen, n->dir, DIRS_STORE);
	else if (err == ERR_PERMISSION)
		say_error(n->name, "not allowed to use %s or the files in %s", listen, n->dir);
	else if (err == ERR_UNSUPPORTED)
		say_error(n->name, "cannot listen on %s: " SAY_NO_ADDRESS, listen);
	else
		say_error(n->name, "cannot start with %s on %s: %s", n->dir, listen, err_text(err));
}

/* It runs, is in nobody's way, and keeps nothing new: nobody would see why. */
static void
tell_no_room(const struct node_command *n)
{
	char left[SAY_SIZE_MAX], reserve[SAY_SIZE_MAX];
	struct store *store = node_store(n->node);
	struct store_status s;

	if (store == NULL)
		return;
	store_status(store, &s);
	if (s.disk_free > s.reserve)
		return;
	log_warn(n->env,
	    "nothing new is kept: %s has %s free, and the reserve is %s; right would be a larger "
	    "disk, or a smaller --reserve",
	    n->dir, say_size(s.disk_free, left), say_size(s.reserve, reserve));
}

static void
tell_running(struct node_command *n)
{
	char text[CONTACT_TEXT_MAX], metrics[ADDR_TEXT_MAX];
	struct contact self;
	struct addr local;

	node_contact(n->node, &self);
	log_info(n->env, "%s %s runs as %s", PROGRAM_NAME, n->name, contact_format(&self, text));
	if (n->metrics != NULL) {
		metrics_local(n->metrics, &local);
		log_info(n->env, "metrics at http://%s/metrics", addr_format(&local, metrics));
	}
	tell_no_room(n);
	if (!node_joined(n->node))
		log_warn(n->env, "no peer of the network \"%s\" answers yet", n->settings.network);
}

static SUSPENDS int
main_task(void *arg)
{
	struct node_command *n = arg;
	int err;

	task_group_init(&n->group, n->env);
	wait_init(&n->stop);
	err = env_real_on_signal(n->env, SIGINT, on_signal, n);
	if (err == ERR_OK)
		err = env_real_on_signal(n->env, SIGTERM, on_signal, n);
	if (err == ERR_OK)
		err = task_spawn(&n->group, "start", start_task, n);
	if (err == ERR_OK) {
		err = wait_always(n->env, &n->stop);
		if (err == ERR_STATE) { /* it runs: now until a signal */
			must(n->settings.user[0] == '\0' || privileges_done());
			tell_running(n);
			wait_init(&n->stop);
			err = n->stopping ? ERR_OK : wait_always(n->env, &n->stop);
		} else if (!n->stopping) {
			tell_start(n, err);
		}
	}
	task_group_fini(&n->group);
	if (n->node != NULL) {
		struct node *node = n->node;

		n->node = NULL;
		node_stop(node);
	}
	control_close(n->control);
	return n->stopping ? ERR_OK : err;
}

/* Before root is given up: its port may be a low one. */
static bool
open_metrics(struct node_command *n)
{
	struct metrics_opts opts = {
		.env = n->env, .settings = &n->settings, .log = n->log, .node = &n->node
	};
	char text[ADDR_TEXT_MAX];
	int err;

	if (n->settings.metrics.family == ADDR_NONE)
		return true;
	err = metrics_open(&opts, &n->metrics);
	if (err == ERR_OK)
		return true;
	(void)addr_format(&n->settings.metrics, text);
	if (err == ERR_EXISTS || err == ERR_BUSY)
		say_error(n->name, "cannot tell metrics on %s: another process does", text);
	else
		say_error(n->name, "cannot tell metrics on %s: %s", text,
		    err == ERR_UNSUPPORTED ? SAY_NO_ADDRESS : err_text(err));
	return false;
}

/*
 * A new store on a full disk could keep nothing; that is said with figures. One that is there is
 * opened, too: it is read.
 */
static int
look_for_room(const struct node_command *n)
{
	struct disk_space space;
	char store[PATH_BYTES_MAX], least[SAY_SIZE_MAX], left[SAY_SIZE_MAX];
	int err = dirs_path(n->dir, DIRS_STORE, store);

	if (err != ERR_OK || n->settings.capacity == 0 || dirs_exists(store) ||
	    disk_space(disk_real(), n->dir, &space) != ERR_OK || space.free_bytes >= ROOM_MIN)
		return err;
	say_error(n->name, "%s has room for %s, and a new store needs %s", n->dir,
	    say_size(space.free_bytes, left), say_size(ROOM_MIN, least));
	return ERR_NO_SPACE;
}

static int
open_all(struct node_command *n)
{
	struct control_opts control = { .dir = n->dir, .answer = on_control, .arg = n };
	int err = env_real_new(&(struct env_real_opts){ .log = n->log }, &n->env);

	if (err != ERR_OK) {
		say_error(n->name, "cannot start: %s", err_text(err));
		return err;
	}
	if (!open_metrics(n))
		return ERR_IO;
	/* After the workers have started, so that none of them keeps what this thread may keep. */
	if (!drop_root(n))
		return ERR_PERMISSION;
	setup_node_opts(&n->settings, n->env, &n->opts);
	n->opts.identity = &n->identity;
	n->opts.dir = n->dir;
	err = save_settings(n);
	if (err == ERR_OK)
		err = look_for_room(n);
	if (err == ERR_OK)
		err = load_identity(n);
	if (err == ERR_OK)
		err = load_operator(n);
	if (err != ERR_OK)
		return err;
	control.env = n->env;
	err = control_open(&control, &n->control);
	if (err == ERR_BUSY)
		say_error(
		    n->name, "another process runs in %s; one directory, one process", n->dir);
	else if (err != ERR_OK)
		say_error(n->name, "cannot serve %s/%s: %s", n->dir, DIRS_SOCKET, err_text(err));
	return err;
}

static int
node_run(const struct command *self, int argc, char **argv)
{
	struct node_command *n;
	int code = EXIT_FAILED;

	if (argc > 1 && strcmp(argv[1], "leave") == 0)
		return command_node_leave.run(&command_node_leave, argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "drain") == 0)
		return command_node_drain.run(&command_node_drain, argc - 1, argv + 1);
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return EXIT_FAILED;
	n->name = self->name;
	if (read_settings(n, self, argc, argv, &code)) {
		n->log = log_new(&(struct log_opts){ .level = n->settings.log_level });
		if (n->log == NULL)
			say_error(n->name, "out of memory");
		else if (open_all(n) == ERR_OK && env_real_run(n->env, main_task, n) == ERR_OK)
			code = EXIT_OK;
		metrics_close(n->metrics);
		if (n->env != NULL)
			env_real_free(n->env);
		log_free(n->log);
	}
	identity_wipe(&n->identity);
	free(n);
	return code;
}

const struct command command_node = {
	.name = "node",
	.synopsis = "[leave | drain] [--dir DIR] [option ...]",
	.brief = "run a peer, have it leave, or be away for a while",
	.about =
	    "Runs one peer until SIGTERM or SIGINT. Everything is kept below the directory, which\n"
	    "is made at the first start together with the peer's key and a settings file that\n"
	    "explains every key. Options override the file.\n"
	    "\n"
	    "\"skerry node leave\" has a running one give all that it keeps to others;\n"
	    "\"skerry node drain\" prepares it for maintenance, so that nobody takes it for lost.\n"
	    "\n"
	    "  skerry node --dir /srv/skerry --capacity 1T --country DE --bootstrap KEY@host:7730",
	.options = (const struct option *const[]){ node_options, settings_options, NULL },
	.run = node_run,
};
