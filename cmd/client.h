/*
 * A client in the network for the length of one command: directory, settings, account, environment,
 * node as a client, chunks, files; then everything down again. Signals that ask to stop cancel the
 * work, which unwinds and cleans up; then the process ends by that signal.
 */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H

#include "cmd/command.h"
#include "cmd/settings.h"
#include "object/files.h"
#include "storage/node.h"

/* After a signal: how long the work may take to unwind, before the process ends without it. */
#define CLIENT_STOP_PATIENCE SECONDS(5)

struct client {
	const char *command;
	char dir[PATH_BYTES_MAX];
	struct settings settings;
	struct network_id net;
	struct env *env;
	struct node *node;
	struct chunks *chunks;
	struct files *files;
	struct client_private *private;
};

/* Options that every client command has: a table for struct option_group. */
struct client_options {
	const char *dir;
	const char *passphrase_file;
	enum log_level log_level;
	bool json;
	bool quiet;
};
extern const struct option client_options[];
extern const struct option client_account_options[]; /* --passphrase-file; the same target */
#define CLIENT_OPTIONS_DEFAULT                                                                     \
	{                                                                                          \
		.log_level = LOG_ERROR                                                             \
	}

/* command_parse() for a command that signs: its own table, whose options may be NULL, and both. */
bool client_parse(const struct command *self, int argc, char **argv, struct option_group own,
    struct client_options *client, struct operands *operands, int *code);

struct client_work {
	const char *command;
	const struct client_options *options;
	bool account; /* the work signs: the account is opened */
	bool serves;  /* a signal is how it ends: the exit code is the work's */
	/* Runs as a task once the network is joined; returns an exit code and has said why. */
	SUSPENDS int (*run)(struct client *c, void *arg);
	/* May be NULL: on the loop, at the first signal: ends what waits for the outside. */
	void (*stopping)(void *arg);
	/* May be NULL: removes what must not be left behind, when the process cannot wait. */
	void (*abandon)(void *arg);
	void *arg;
};
/* Gives the exit code; does not return when a signal ended the work. */
int client_run(const struct client_work *work);

/* True once a signal asked to stop: then no error is told for what it broke off. */
bool client_stopping(const struct client *c);
/* Of work that asked for it; lent. */
const struct account *client_own_account(const struct client *c);
/* The exit code of an ERR_*. */
int client_exit_code(int err);
/* Opens DIR/account, asking for its passphrase if it must; what is wrong is told. Blocks. */
int client_account(
    const char *command, const char *dir, const char *passphrase_file, struct account *out);
/* The passphrase in a file's first line. ERR_INVALID: empty or too long. Blocks. */
#define PASSPHRASE_MAX 1024
int client_passphrase(const char *path, char out[PASSPHRASE_MAX]);

#endif
