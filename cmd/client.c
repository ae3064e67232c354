/*
 * Up from the bottom, work, down again. What blocks (settings, account, identity) happens before
 * the loop runs. The work is a task of a group that signals cancel; the teardown is the main
 * task's, which nothing cancels.
 *
 * Two clients of one directory run at the same time: the first has the client's own identity, the
 * others one that is kept nowhere, because one key in two places confuses those it talks to.
 */
#include "cmd/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/dirs.h"
#include "cmd/say.h"
#include "cmd/setup.h"
#include "overlay/base/env_real.h"

struct client_private {
	const struct client_work *work;
	struct log *log;
	struct account account;
	bool has_account;
	struct identity identity;
	struct file *lock; /* of the client's own identity; NULL: a fresh one is used */
	struct task_group group;
	struct timer patience;
	int signal;
	int code;
};

const struct option client_options[] = {
	{ "dir", 0, "DIR",
	    "The directory that knows the network; else $SKERRY_DIR, else ~/.skerry.", RIGHT_DIR,
	    set_text, NULL, offsetof(struct client_options, dir) },
	{ "json", 0, NULL, "Print for machines.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct client_options, json) },
	{ "quiet", 'q', NULL, "No progress bar; only warnings and errors are told.", RIGHT_SWITCH,
	    set_switch, NULL, offsetof(struct client_options, quiet) },
	{ "log-level", 0, "LEVEL", "How much is told of the work: error, warn, info, debug.",
	    RIGHT_LEVEL, set_level, NULL, offsetof(struct client_options, log_level) },
	{ NULL },
};
const struct option client_account_options[] = {
	{ "passphrase-file", 0, "FILE", "Whose first line opens the account; else it is asked for.",
	    RIGHT_FILE, set_text, NULL, offsetof(struct client_options, passphrase_file) },
	{ NULL },
};

bool
client_parse(const struct command *self, int argc, char **argv, struct option_group own,
    struct client_options *client, struct operands *operands, int *code)
{
	const struct option_group groups[] = { { client_options, client },
		{ client_account_options, client }, own };

	return command_parse(
	    self, argc, argv, groups, ARRAY_LEN(groups) - (own.options == NULL), operands, code);
}

bool
client_stopping(const struct client *c)
{
	return c->private->signal != 0;
}

const struct account *
client_own_account(const struct client *c)
{
	must(c->private->has_account);
	return &c->private->account;
}

int
client_exit_code(int err)
{
	switch (err) {
	case ERR_OK:
		return EXIT_OK;
	case ERR_UNREACHABLE:
		return EXIT_UNREACHABLE;
	case ERR_NO_NETWORK:
		return EXIT_NETWORK;
	default:
		return EXIT_FAILED;
	}
}

/* ---- account ---- */

/* Reads a line without its newline; false: none, or too long. */
static bool
read_passphrase(FILE *f, char out[PASSPHRASE_MAX])
{
	size_t len;

	if (fgets(out, PASSPHRASE_MAX, f) == NULL)
		return false;
	len = strlen(out);
	if (len == PASSPHRASE_MAX - 1 && out[len - 1] != '\n')
		return false;
	out[strcspn(out, "\r\n")] = '\0';
	return out[0] != '\0';
}

int
client_passphrase(const char *path, char out[PASSPHRASE_MAX])
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL)
		return err_from_errno(errno);
	(void)setvbuf(f, NULL, _IONBF, 0); /* no copy of it stays behind */
	ok = read_passphrase(f, out);
	(void)fclose(f);
	return ok ? ERR_OK : ERR_INVALID;
}

static void
on_interrupt(int signo)
{
	(void)signo; /* ends the read */
}

/* Asks at the terminal, without showing what is typed. Ctrl-C gives the terminal back first. */
static int
ask_passphrase(char out[PASSPHRASE_MAX])
{
	struct sigaction interrupt = { .sa_handler = on_interrupt }, usual;
	FILE *tty = fopen("/dev/tty", "r+e");
	struct termios before, hidden;
	bool ok, interrupted;

	if (tty == NULL)
		return ERR_NOT_FOUND;
	(void)setvbuf(tty, NULL, _IONBF, 0);
	if (tcgetattr(fileno(tty), &before) != 0) {
		(void)fclose(tty);
		return ERR_NOT_FOUND;
	}
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs("Passphrase of the account: ", tty);
	(void)sigaction(SIGINT, &interrupt, &usual);
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &hidden);
	ok = read_passphrase(tty, out);
	interrupted = !ok && errno == EINTR;
	(void)sigaction(SIGINT, &usual, NULL);
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &before);
	(void)fputs("\n", tty);
	(void)fclose(tty);
	if (interrupted)
		(void)raise(SIGINT);
	return ok ? ERR_OK : ERR_INVALID;
}

/* The directory is its owner's alone; a copy of it may not be. */
static void
warn_open(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		say_note("warning: %s is open to others; right would be: chmod 600 %s", path, path);
}

int
client_account(
    const char *command, const char *dir, const char *passphrase_file, struct account *out)
{
	char path[PATH_BYTES_MAX], pass[PASSPHRASE_MAX] = "";
	int err = dirs_path(dir, DIRS_ACCOUNT, path);

	if (err == ERR_OK && account_needs_passphrase(disk_real(), path)) {
		err = passphrase_file != NULL ? client_passphrase(passphrase_file, pass)
					      : ask_passphrase(pass);
		if (err != ERR_OK) {
			say_error(command,
			    "%s is sealed and no passphrase was read (%s); give it in the first "
			    "line "
			    "of --passphrase-file",
			    path, err_text(err));
			return err;
		}
	} else if (err == ERR_OK) {
		warn_open(path); /* sealed it may be read: the passphrase opens it */
	}
	if (err == ERR_OK)
		err = account_load(disk_real(), path, pass, out);
	crypto_wipe(pass, sizeof(pass));
	if (err == ERR_NOT_FOUND)
		say_error(command, "there is no account in %s; make one: %s init --dir %s", dir,
		    PROGRAM_NAME, dir);
	else if (err == ERR_AUTH)
		say_error(command, "the passphrase does not open %s", path);
	else if (err != ERR_OK)
		say_error(command, "cannot open %s: %s", path, err_text(err));
	return err;
}

static int
account_open(struct client *c)
{
	int err = client_account(
	    c->command, c->dir, c->private->work->options->passphrase_file, &c->private->account);

	c->private->has_account = err == ERR_OK;
	return err;
}

/* ---- before the loop ---- */

static int
load_settings(struct client *c)
{
	char why[SETTINGS_ERROR_MAX];
	int err = dirs_find(c->command, c->private->work->options->dir, c->dir);

	if (err != ERR_OK)
		return err;
	settings_default(&c->settings);
	err = settings_load(c->dir, &c->settings, why);
	if (err == ERR_NOT_FOUND)
		say_error(c->command,
		    "%s is not set up (it has no %s); set it up: %s init --dir %s", c->dir,
		    SETTINGS_FILE, PROGRAM_NAME, c->dir);
	else if (err != ERR_OK)
		say_error(c->command, "%s", why);
	if (err != ERR_OK)
		return err;
	network_id_of_name(c->settings.network, &c->net);
	if (c->settings.bootstraps.count == 0) {
		say_error(c->command,
		    "%s/%s names no peer to ask; add a line \"bootstrap = PUBKEY@host:port\"",
		    c->dir, SETTINGS_FILE);
		return ERR_NO_NETWORK;
	}
	return ERR_OK;
}

/* The client's own identity when nobody uses it now, else a fresh one. */
static int
own_identity(struct client *c)
{
	char dir[PATH_BYTES_MAX], lock[PATH_BYTES_MAX];
	struct client_private *p = c->private;
	bool made;
	int err = dirs_path(c->dir, DIRS_CLIENT, dir);

	if (err == ERR_OK)
		err = dirs_make(dir, &made);
	if (err == ERR_OK)
		err = dirs_path(dir, "lock", lock);
	if (err == ERR_OK)
		err = disk_lock(disk_real(), lock, &p->lock);
	if (err == ERR_OK)
		return setup_identity(c->env, dir, 0, &p->identity);
	/* Also where the directory cannot be written: reading needs no identity that lasts. */
	return setup_identity_fresh(c->env, &p->identity);
}

/* ---- the loop ---- */

/* Ends the process by the signal, as its sender expects. */
static _Noreturn void
die_of(int signo)
{
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
	_exit(128 + signo);
}

static void
abandon(struct client *c)
{
	const struct client_work *w = c->private->work;

	if (w->abandon != NULL)
		w->abandon(w->arg);
	die_of(c->private->signal);
}

static void
on_patience_over(void *arg)
{
	abandon(arg);
}

static void
on_signal(void *arg, int signo)
{
	struct client *c = arg;

	if (c->private->signal != 0)
		abandon(c);
	c->private->signal = signo;
	if (c->private->work->stopping != NULL)
		c->private->work->stopping(c->private->work->arg);
	timer_start(&c->private->patience, CLIENT_STOP_PATIENCE);
	task_group_cancel(&c->private->group);
}

static SUSPENDS int
join(struct client *c)
{
	struct contact *contacts = calloc(VALUES_CONTACTS, sizeof(*contacts));
	struct node_opts opts;
	size_t count = 0;
	int err;

	if (contacts == NULL)
		return ERR_NOMEM;
	setup_node_opts(&c->settings, c->env, &opts);
	opts.identity = &c->private->identity;
	opts.client = true;
	opts.capacity_bytes = 0;
	opts.bind = (struct addr){ .family = ADDR_IPV4 }; /* any address, any port */
	err = setup_bootstraps(c->env, &c->settings.bootstraps, contacts, VALUES_CONTACTS, &count);
	if (err == ERR_OK && count == 0)
		err = ERR_NO_NETWORK;
	if (err == ERR_OK) {
		opts.bootstraps = contacts;
		opts.bootstraps_count = count;
		err = node_start(&opts, &c->node);
	}
	free(contacts);
	return err;
}

static SUSPENDS int
connect_up(struct client *c)
{
	int err = join(c);

	if (err == ERR_OK)
		err = chunks_new(
		    &(struct chunks_opts){ node_endpoint(c->node), node_dht(c->node) }, &c->chunks);
	if (err == ERR_OK)
		err = files_new(
		    &(struct files_opts){
			.env = c->env,
			.chunks = c->chunks,
			.dht = node_dht(c->node),
			.net = c->net,
			.account = c->private->has_account ? &c->private->account : NULL,
		    },
		    &c->files);
	return err;
}

static SUSPENDS int
work_task(void *arg)
{
	struct client *c = arg;
	const struct client_work *w = c->private->work;
	int err = connect_up(c);

	if (err == ERR_OK) {
		c->private->code = w->run(c, w->arg);
		return ERR_OK;
	}
	c->private->code = client_exit_code(err);
	if (client_stopping(c))
		return err;
	if (err == ERR_NO_NETWORK)
		say_error(c->command,
		    "no peer of the network \"%s\" answers; asked the %zu that %s/%s names",
		    c->settings.network, c->settings.bootstraps.count, c->dir, SETTINGS_FILE);
	else
		say_error(c->command, "cannot take part in the network: %s", err_text(err));
	return err;
}

static SUSPENDS int
main_task(void *arg)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct client *c = arg;
	struct client_private *p = c->private;
	int err = ERR_OK;

	task_group_init(&p->group, c->env);
	timer_init(&p->patience, c->env, on_patience_over, c);
	for (size_t i = 0; i < ARRAY_LEN(signals) && err == ERR_OK; i++)
		err = env_real_on_signal(c->env, signals[i], on_signal, c);
	if (err == ERR_OK)
		err = task_spawn(&p->group, "command", work_task, c);
	if (err == ERR_OK)
		(void)task_group_wait(&p->group, 0);
	task_group_fini(&p->group);
	files_free(c->files);
	chunks_free(c->chunks);
	node_stop(c->node);
	timer_stop(&p->patience);
	return err;
}

static int
run_loop(struct client *c)
{
	struct client_private *p = c->private;
	struct log_opts log = { .level = p->work->options->log_level, .name = c->command };
	int err;

	p->log = log_new(&log);
	err = p->log == NULL ? ERR_NOMEM
			     : env_real_new(&(struct env_real_opts){ .log = p->log }, &c->env);
	if (err == ERR_OK)
		err = own_identity(c);
	if (err == ERR_OK)
		err = env_real_run(c->env, main_task, c);
	if (err != ERR_OK)
		say_error(c->command, "cannot start: %s", err_text(err));
	return err;
}

int
client_run(const struct client_work *work)
{
	struct client *c = calloc(1, sizeof(*c));
	struct client_private *p = calloc(1, sizeof(*p));
	int err, code, signo;

	if (c == NULL || p == NULL) {
		free(p);
		free(c);
		say_error(work->command, "out of memory");
		return EXIT_FAILED;
	}
	*p = (struct client_private){ .work = work, .code = EXIT_FAILED };
	c->private = p;
	c->command = work->command;
	err = load_settings(c);
	if (err == ERR_OK && work->account)
		err = account_open(c);
	code = client_exit_code(err);
	if (err == ERR_OK)
		code = run_loop(c) == ERR_OK ? p->code : EXIT_FAILED;
	if (c->env != NULL)
		env_real_free(c->env);
	log_free(p->log);
	if (p->lock != NULL)
		file_close(p->lock);
	identity_wipe(&p->identity);
	account_wipe(&p->account);
	signo = work->serves ? 0 : p->signal;
	free(p);
	free(c);
	if (signo != 0)
		die_of(signo);
	return code;
}
