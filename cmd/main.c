/*
 * The program: gives up what it does not need, finds the command, runs it. Everything else is in
 * the command's own file. What fails before a command runs is told on stderr.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/config_ini.h"
#include "cmd/json.h"
#include "cmd/privileges.h"
#include "cmd/program.h"
#include "cmd/say.h"
#include "object/compress.h"
#include "overlay/base/crypto.h"
#include "overlay/base/env_real.h"
#include "storage/code.h"
#include "storage/index.h"

static const struct command *const commands[] = {
	&command_init,
	&command_node,
	&command_testnet,
	&command_gateway,
	&command_put,
	&command_get,
	&command_keep,
	&command_rm,
	&command_verify,
	&command_stat,
	&command_mb,
	&command_rb,
	&command_ls,
	&command_du,
	&command_cp,
	&command_mv,
	&command_sync,
	&command_cat,
	&command_key,
	&command_share,
	&command_bucket,
	&command_recover,
	&command_peers,
	&command_status,
	&command_repair,
	&command_audit,
	&command_check,
	&command_operator,
	&command_owner,
	&command_bench,
	&command_sim,
};

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int
unknown(const char *name)
{
	say_error(NULL, "there is no command \"%.60s\"; the commands are listed by: %s help", name,
	    PROGRAM_NAME);
	return EXIT_USAGE;
}

/* Of a pipe: who had enough of a long list knows it. */
static bool
reader_gone(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR) != 0;
}

/* Output that cannot be written is an error like any other. */
static int
flushed(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (!reader_gone())
		say_error(NULL, "cannot write all to standard output");
	return EXIT_FAILED;
}

static int
help(int argc, char **argv)
{
	const struct command *c;

	if (argc > 1) {
		c = find(argv[1]);
		if (c == NULL)
			return unknown(argv[1]);
		command_help(c);
		return flushed(EXIT_OK);
	}
	printf("usage: %s COMMAND [ARGUMENT ...]\n\n", PROGRAM_NAME);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->brief);
	printf("\n%s help COMMAND, %s COMMAND --help and man %s tell more.\n", PROGRAM_NAME,
	    PROGRAM_NAME, PROGRAM_NAME);
	return flushed(EXIT_OK);
}

static int
version(void)
{
	char crypto[256];

	printf("%s\n", program_version());
	printf("%s\n%s\n%s\n%s\n%s\n%s\n%s\n", env_real_version(),
	    crypto_versions(crypto, sizeof(crypto)), code_library_version(), index_lmdb_version(),
	    compress_version(), json_library(), ini_library());
	return flushed(EXIT_OK);
}

int
main(int argc, char **argv)
{
	const struct command *c;

	if (!privileges_harden()) {
		say_error(
		    NULL, "the kernel does not let privileges be given up: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (argc < 2) {
		(void)help(1, argv);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
		return version();
	c = find(argv[1]);
	if (c == NULL)
		return unknown(argv[1]);
	if (!c->own_crypto && crypto_init() != ERR_OK) {
		say_error(NULL, "the cryptographic libraries do not start");
		return EXIT_FAILED;
	}
	return flushed(c->run(c, argc - 1, argv + 1));
}
