/*
 * skerry owner: the key by which others accept this account. It is no secret of the account's, and
 * still not for everybody: whoever has it can tell which pieces are this owner's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"

static int
print_owner(const char *command, const struct client_options *o)
{
	char dir[PATH_BYTES_MAX], text[2 * sizeof(struct pubkey) + 1];
	struct account account;
	struct pubkey owner;

	if (dirs_find(command, o->dir, dir) != ERR_OK ||
	    client_account(command, dir, o->passphrase_file, &account) != ERR_OK)
		return EXIT_FAILED;
	account_owner(&account, &owner);
	account_wipe(&account);
	hex_encode(text, owner.b, sizeof(owner.b));
	if (o->json) {
		struct json_value *v = json_make_object();

		json_put_text(v, "owner", text);
		return json_say(v) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
		return EXIT_FAILED;
	return EXIT_OK;
}

static int
owner_run(const struct command *self, int argc, char **argv)
{
	struct client_options options = CLIENT_OPTIONS_DEFAULT;
	struct operands operands;
	int code = EXIT_FAILED;

	if (client_parse(
		self, argc, argv, (struct option_group){ NULL, NULL }, &options, &operands, &code))
		code = print_owner(self->name, &options);
	return code;
}

const struct command command_owner = {
	.name = "owner",
	.synopsis = "[option ...]",
	.brief = "print the key by which peers accept this account",
	.about =
	    "Peers keep files of the owners in their settings. This key is what their operators\n"
	    "add there, as owner = KEY. Give it to them and to nobody else: it does not open any\n"
	    "file, but shows whose a piece is.\n"
	    "\n"
	    "  skerry owner --dir ~/.skerry",
	.options = (const struct option *const[]){ client_options, client_account_options, NULL },
	.run = owner_run,
};
