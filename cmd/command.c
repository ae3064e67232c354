/* What commands do alike with their line: parse it, show help, and say how it should have been. */
#include "cmd/command.h"

#include <stdio.h>
#include <string.h>

#include "cmd/say.h"

#define HELP_COLUMN 30

void
command_help(const struct command *c)
{
	printf("usage: %s %s %s\n\n%s\n", PROGRAM_NAME, c->name, c->synopsis, c->about);
	for (size_t t = 0; c->options[t] != NULL; t++) {
		for (const struct option *o = c->options[t]; o->name != NULL; o++) {
			char head[64], letter[8] = "    ";

			if (o->hidden)
				continue;
			if (t == 0 && o == c->options[0])
				printf("\n");
			if (o->letter != 0)
				(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
			(void)snprintf(head, sizeof(head), "  %s--%s %s", letter, o->name,
			    o->value != NULL ? o->value : "");
			printf("%-*s %s%s%s\n", HELP_COLUMN, head, o->with != NULL ? o->with : "",
			    o->with != NULL ? ": " : "", o->help);
		}
	}
}

bool
command_parse(const struct command *c, int argc, char **argv, const struct option_group *groups,
    size_t groups_count, struct operands *operands, int *code)
{
	char error[OPTIONS_ERROR_MAX];
	int err = options_parse(groups, groups_count, argc - 1, argv + 1, operands, error);

	*code = EXIT_USAGE;
	if (err == ERR_END) {
		command_help(c);
		*code = EXIT_OK;
		return false;
	}
	if (err == ERR_OK && operands->count < c->operands_least)
		(void)snprintf(error, sizeof(error), "something is missing");
	else if (err == ERR_OK && operands->count > c->operands_most)
		(void)snprintf(error, sizeof(error), "\"%.60s\" is too much",
		    operands->text[c->operands_most]);
	else if (err == ERR_OK)
		return true;
	say_error(c->name, "%s\nusage: %s %s %s\n%s %s --help tells more", error, PROGRAM_NAME,
	    c->name, c->synopsis, PROGRAM_NAME, c->name);
	return false;
}
