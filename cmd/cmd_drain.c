/*
 * skerry node drain: tells the node that runs in a directory that it may be away until a time, and
 * waits until its siblings know, so that it can be stopped. The node does it by itself: this
 * command may be ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/console.h"
#include "cmd/drain.h"
#include "cmd/say.h"

#define LOOK       MILLISECONDS(200)
/* By then those who live have answered; the others hear it when they are back. */
#define WAIT_MAX   SECONDS(20)
/* Live pieces beyond those needed, this node's among them, up to which nobody waits for it: k + 1
 * are left without it. */
#define SPARE_NEAR 2

struct drain_command {
	struct console console;
	struct drain_time until;
	bool cancel, no_wait;
	char refused[128]; /* what the node says against it */
	bool stores;
	uint64_t siblings, untold, silent, near, until_s;
};

/* ---- times ---- */

static bool
parse_moment(const char *text, uint64_t *unix_s)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);
		time_t t;

		if (end == NULL || (end[0] != '\0' && strcmp(end, "Z") != 0))
			continue;
		t = end[0] == 'Z' ? timegm(&tm) : mktime(&tm);
		if (t <= 0)
			return false;
		*unix_s = (uint64_t)t;
		return true;
	}
	return false;
}

bool
drain_time_parse(const char *text, struct drain_time *out)
{
	struct drain_time t = { .given = true };

	t.relative = set_duration(&t.value, text) && t.value > 0;
	if (!t.relative && !parse_moment(text, &t.value))
		return false;
	*out = t;
	return true;
}

static bool
set_until(void *field, const char *text)
{
	return drain_time_parse(text, field);
}

static const struct option drain_options[] = {
	{ "until", 0, "TIME", "Until when it may be away, or for how long; a day at most.",
	    "a duration such as 90m or 4h, or a time such as 2026-11-27T06:30Z", set_until, NULL,
	    offsetof(struct drain_command, until) },
	{ "cancel", 0, NULL, "It is not away any more, or will not be.", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct drain_command, cancel) },
	{ "no-wait", 0, NULL, "Do not wait until its siblings know.", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct drain_command, no_wait) },
	{ NULL },
};

/* ---- asking ---- */

static uint64_t
near_their_end(const struct json_value *repair)
{
	const struct json_value *list = json_child(repair, "by_spare");
	uint64_t near = 0;

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *o = json_at(list, i);

		if (json_number(o, "spare") <= SPARE_NEAR)
			near += json_number(o, "chunks");
	}
	return near;
}

static SUSPENDS int
ask(struct drain_command *d, const char *command, struct json_value *with)
{
	struct json_value *reply = NULL;
	const struct json_value *repair;
	const char *refused;
	int err = console_call(&d->console, command, with, &reply);

	if (err != ERR_OK)
		return err;
	refused = json_text(reply, "refused");
	if (refused != NULL)
		(void)say_clean(refused, d->refused, sizeof(d->refused));
	repair = json_child(reply, "repair");
	d->stores = repair != NULL;
	d->siblings = json_number(repair, "siblings");
	d->silent = json_number(repair, "siblings_silent");
	d->untold = json_number(repair, "drain_untold");
	d->until_s = json_number(repair, "drain_until");
	d->near = near_their_end(repair);
	json_free(reply);
	return ERR_OK;
}

static SUSPENDS int
drain_task(void *arg)
{
	struct drain_command *d = arg;
	struct json_value *with = json_make_object();
	uint64_t end = env_now(d->console.env) + WAIT_MAX;
	int err;

	if (d->cancel)
		json_put_flag(with, "cancel", true);
	else
		json_put_number(with, d->until.relative ? "seconds" : "until", d->until.value);
	err = ask(d, "drain", with);
	while (err == ERR_OK && d->stores && d->refused[0] == '\0' && !d->no_wait &&
	       d->untold > d->silent && env_now(d->console.env) < end) {
		err = task_sleep(d->console.env, LOOK);
		if (err == ERR_OK)
			err = ask(d, "status", NULL);
	}
	return err;
}

static void
tell_drains(const struct drain_command *d)
{
	char day[SAY_TIME_MAX];

	say_note("the node in %s takes no new pieces and may be away until %s; %" PRIu64
		 " of %" PRIu64 " siblings know%s",
	    d->console.dir, say_time(d->until_s, SAY_MINUTE, day), d->siblings - d->untold,
	    d->siblings, d->untold == 0 ? ": it can be stopped" : "");
	if (d->near > 0)
		say_note("%" PRIu64
			 " parts would have at most one piece more than needed without it: "
			 "those are repaired all the same",
		    d->near);
}

static int
tell(const struct drain_command *d, int err)
{
	if (err != ERR_OK)
		console_tell(&d->console, err, false);
	else if (!d->stores)
		say_error("node drain",
		    "the node in %s stores nothing, or has only just started; stop it",
		    d->console.dir);
	else if (d->refused[0] != '\0')
		say_error("node drain", "%s", d->refused);
	else if (d->cancel)
		say_note("the node in %s takes pieces as before; %" PRIu64 " of %" PRIu64
			 " siblings know",
		    d->console.dir, d->siblings - d->untold, d->siblings);
	else
		tell_drains(d);
	return err == ERR_OK && d->stores && d->refused[0] == '\0' ? EXIT_OK : EXIT_FAILED;
}

static int
drain_run(const struct command *self, int argc, char **argv)
{
	struct drain_command *d = calloc(1, sizeof(*d));
	struct operands operands;
	int code = EXIT_FAILED, err;

	if (d == NULL)
		return EXIT_FAILED;
	d->console.command = self->name;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { console_options, &d->console }, { drain_options, d } },
		2, &operands, &code)) {
		if (d->cancel == d->until.given) {
			say_error("node drain", "right would be either --until TIME or --cancel");
			free(d);
			return EXIT_USAGE;
		}
		code = EXIT_FAILED;
		if (console_run(&d->console, drain_task, d, &err))
			code = tell(d, err);
	}
	free(d);
	return code;
}

const struct command command_node_drain = {
	.name = "node drain",
	.synopsis = "[--dir DIR] --until TIME | --cancel [--no-wait]",
	.brief = "prepare a running node for maintenance",
	.about =
	    "Tells the node that runs in the directory that it may be away until a time, a day\n"
	    "from now at most. It takes no new pieces, serves those that it has, and its siblings\n"
	    "count them as alive until then, so that nothing is rebuilt meanwhile but what is "
	    "near\n"
	    "its end. Waits until they know; then the node can be stopped. It drains also after a\n"
	    "restart, until the time is over or --cancel.\n"
	    "\n"
	    "  skerry node drain --dir /srv/skerry --until 2h && systemctl stop skerry",
	.options = (const struct option *const[]){ console_options, drain_options, NULL },
	.run = drain_run,
};
