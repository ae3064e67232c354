/* The only file that sees commit.h, which the build makes: a new commit recompiles no other. */
#include "cmd/program.h"

#include <stddef.h>

#include "cmd/command.h"
#include "commit.h"
#include "config.h"

const char *
program_version(void)
{
	return sizeof(COMMIT) > 1 ? PROGRAM_NAME " " PACKAGE_VERSION ", commit " COMMIT
				  : PROGRAM_NAME " " PACKAGE_VERSION;
}

const char *
program_commit(void)
{
	return sizeof(COMMIT) > 1 ? COMMIT : NULL;
}
