/*
 * skerry node leave: asks the node that runs in a directory to give all that it keeps to others,
 * and shows how far that is. The node does it by itself: this command may be ended and run again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/console.h"
#include "cmd/leave.h"
#include "cmd/say.h"

#define LOOK SECONDS(1)

struct leave {
	struct console console;
	bool no_wait;
	bool stores, done;
	uint64_t left, total;
};

static const struct option leave_options[] = {
	{ "no-wait", 0, NULL, "Ask it to leave, and do not wait until it has.", RIGHT_SWITCH,
	    set_switch, NULL, offsetof(struct leave, no_wait) },
	{ NULL },
};

static SUSPENDS int
ask(struct leave *l, const char *command)
{
	struct json_value *reply = NULL;
	const struct json_value *repair;
	int err = console_call(&l->console, command, NULL, &reply);

	if (err != ERR_OK)
		return err;
	repair = json_child(reply, "repair");
	l->stores = repair != NULL;
	l->left = json_number(repair, "leave_left");
	l->total = json_number(repair, "leave_total");
	l->done = json_flag(repair, "leaving") && l->left == 0;
	json_free(reply);
	return ERR_OK;
}

static SUSPENDS int
leave_task(void *arg)
{
	struct leave *l = arg;
	uint64_t told = UINT64_MAX;
	int err = ask(l, "leave");

	while (err == ERR_OK && l->stores && !l->done && !l->no_wait) {
		if (l->left != told)
			say_note(
			    "%" PRIu64 " of %" PRIu64 " pieces are still here", l->left, l->total);
		told = l->left;
		err = task_sleep(l->console.env, LOOK);
		if (err == ERR_OK)
			err = ask(l, "status");
	}
	return err;
}

static int
tell(const struct leave *l, int err)
{
	if (err != ERR_OK)
		console_tell(&l->console, err, false);
	else if (!l->stores)
		say_error("node leave",
		    "the node in %s stores nothing, or has only just started; stop it",
		    l->console.dir);
	else if (l->done)
		say_note("nothing is left in %s: the node can be stopped", l->console.dir);
	else
		say_note("the node in %s leaves; \"%s status\" shows how far it is", l->console.dir,
		    PROGRAM_NAME);
	return err == ERR_OK && l->stores ? EXIT_OK : EXIT_FAILED;
}

static int
leave_run(const struct command *self, int argc, char **argv)
{
	struct leave *l = calloc(1, sizeof(*l));
	struct operands operands;
	int code = EXIT_FAILED, err;

	if (l == NULL)
		return EXIT_FAILED;
	l->console.command = self->name;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { console_options, &l->console }, { leave_options, l } },
		2, &operands, &code)) {
		code = EXIT_FAILED;
		if (console_run(&l->console, leave_task, l, &err))
			code = tell(l, err);
	}
	free(l);
	return code;
}

const struct command command_node_leave = {
	.name = "node leave",
	.synopsis = "[--dir DIR] [--no-wait]",
	.brief = "have a running node give all that it keeps to others",
	.about =
	    "Asks the node that runs in the directory to leave the network in order: it takes no\n"
	    "new pieces, gives each of its own to another peer before its copy goes, and tells "
	    "when\n"
	    "nothing is left. It goes on by itself, also after a restart; this command only looks\n"
	    "on and may be ended.\n"
	    "\n"
	    "  skerry node leave --dir /srv/skerry && systemctl stop skerry",
	.options = (const struct option *const[]){ console_options, leave_options, NULL },
	.run = leave_run,
};
