/* Links come from people: pasted with blanks, cut off, or of another network. Each is told apart.
 */
#include "cmd/links.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cmd/say.h"

/* A pipe may have a link in it as well, a directory has none. */
static bool
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

bool
links_read(const char *command, const char *text, bool reading, struct link *out, int *code)
{
	char line[2 * LINK_TEXT_MAX]; /* room for blanks around it */
	int err;

	if (strcmp(text, "-") == 0) {
		if (fgets(line, sizeof(line), stdin) == NULL) {
			say_error(command, "there is no link on standard input");
			*code = EXIT_USAGE;
			return false;
		}
		text = line;
	}
	err = link_parse(text, out);
	crypto_wipe(line, sizeof(line));
	*code = EXIT_USAGE;
	if (err == ERR_VERSION)
		say_error(command, "the link was made by a newer version of %s", PROGRAM_NAME);
	else if (err != ERR_OK && text != line && is_file(text))
		say_error(command,
		    "this is a file, and no link; right would be, if the link is in it: %s %s - < "
		    "%s",
		    PROGRAM_NAME, command, text);
	else if (err != ERR_OK)
		say_error(command, "this is no link, or it was not copied whole; right would be a "
				   "whole line such as skerry:r1-...");
	else if (reading && out->kind == LINK_VERIFY)
		say_error(command,
		    "this is a verify link: it can count the pieces of a file (%s "
		    "verify), but not read it",
		    PROGRAM_NAME);
	else
		return true;
	return false;
}

int
links_check_network(const struct client *c, const struct link *link)
{
	if (memcmp(link->net.b, c->net.b, sizeof(c->net.b)) == 0)
		return ERR_OK;
	say_error(c->command,
	    "the link is of another network than \"%s\", which %s is set up for; use the directory "
	    "of "
	    "its network (--dir)",
	    c->settings.network, c->dir);
	return ERR_WRONG_NETWORK;
}

void
links_tell_missing(const char *command, const struct file_missing *missing)
{
	const struct chunk_missing *h = &missing->holders;
	char what[64];

	if (h->placed == 0) {
		say_error(command, "no holder of this file answers; nothing is known of it here");
		return;
	}
	if (missing->chunks == 0)
		(void)snprintf(what, sizeof(what), "the manifest");
	else
		(void)snprintf(what, sizeof(what), "part %" PRIu64 " of %" PRIu64,
		    missing->chunk + 1, missing->chunks);
	say_error(command,
	    "the file cannot be read now: of %s %u of %u holders are missing, %u answer and %u are "
	    "needed",
	    what, h->placed - h->answered, h->placed, h->answered, h->needed);
}
