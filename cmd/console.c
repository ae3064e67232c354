/* The one task of such a command, and two sentences for when it gave nothing. */
#include "cmd/console.h"

#include "cmd/command.h"
#include "cmd/control.h"
#include "cmd/dirs.h"
#include "cmd/say.h"
#include "overlay/base/env_real.h"

const struct option console_options[] = {
	{ "dir", 0, "DIR", "Where the node lives; else $SKERRY_DIR, else ~/.skerry.", RIGHT_DIR,
	    set_text, NULL, offsetof(struct console, dir_option) },
	{ NULL },
};

bool
console_run(struct console *c, int (*talk)(void *arg), void *arg, int *err)
{
	*err = dirs_find(c->command, c->dir_option, c->dir);
	if (*err != ERR_OK)
		return false;
	*err = env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &c->env);
	if (*err != ERR_OK) {
		say_error(c->command, "cannot start: %s", err_text(*err));
		return false;
	}
	*err = env_real_run(c->env, talk, arg);
	env_real_free(c->env);
	c->env = NULL;
	return true;
}

int
console_call(
    struct console *c, const char *command, struct json_value *with, struct json_value **reply)
{
	return control_call(c->env, c->dir, command, with, reply);
}

void
console_tell(const struct console *c, int err, bool hint)
{
	if (err == ERR_NOT_FOUND && hint)
		say_error(c->command, "no node runs in %s; start one: %s node --dir %s", c->dir,
		    PROGRAM_NAME, c->dir);
	else if (err == ERR_NOT_FOUND)
		say_error(c->command, "no node runs in %s", c->dir);
	else
		say_error(c->command, "the node in %s does not answer: %s", c->dir, err_text(err));
}
