/*
 * What every command of the program shares: its entry in main.c's table, and the meaning of exit
 * codes. A command is one file, cmd_<name>.c; it prints what it found on stdout, what people should
 * know on stderr, and returns an exit code. No link, phrase or key is ever logged or put into the
 * arguments of a child.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "cmd/options.h"

#define PROGRAM_NAME "skerry"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,       /* the command line was wrong: nothing was done */
	EXIT_WARNED = 3,      /* done, but less safe than wished */
	EXIT_UNREACHABLE = 4, /* fewer than k holders answer */
	EXIT_NETWORK = 5,     /* no peer of the network answers */
};

struct command {
	const char *name;
	const char *synopsis; /* operands and main options, behind "skerry NAME " */
	const char *brief;    /* one line for `skerry help` */
	const char *about;    /* some lines for --help: what it does, exit codes, example */
	size_t operands_least, operands_most;
	bool own_crypto; /* calls crypto_init() itself: it may choose the simulation's stand-in */
	/* Tables that options_help() shows, NULL at the end. */
	const struct option *const *options;
	/* argv[0] is the command's name. */
	int (*run)(const struct command *self, int argc, char **argv);
};

extern const struct command command_init, command_node, command_testnet, command_put, command_get,
    command_verify, command_stat, command_keep, command_rm, command_peers, command_status,
    command_repair, command_audit, command_check, command_operator, command_owner, command_bench,
    command_sim, command_gateway, command_mb, command_rb, command_ls, command_du, command_cp,
    command_mv, command_sync, command_cat, command_key, command_bucket, command_share,
    command_recover;

/*
 * Parses argv into the groups. False when the command is over: *code is its exit code (--help was
 * shown, or the line was wrong and said so).
 */
bool command_parse(const struct command *c, int argc, char **argv,
    const struct option_group *groups, size_t groups_count, struct operands *operands, int *code);

/* `skerry help COMMAND` and --help, on stdout. */
void command_help(const struct command *c);

#endif
