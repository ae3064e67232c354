/*
 * skerry repair: what a running node rebuilds and what waits for it, once or again and again. On a
 * terminal the picture is redrawn in place, elsewhere each look is one line, and with --json one
 * object. A look is one request over the node's local socket. Ctrl-C ends the watching, not more.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/console.h"
#include "cmd/say.h"
#include "overlay/base/env_real.h"

/* Lines of the picture beside the queue; and of the queue where nobody knows the screen. */
#define LINES_BESIDE     12
#define LINES_USUAL      24
#define INTERVAL_DEFAULT 2 /* seconds */
#define INTERVAL_MAX     3600
#define TEXT_MAX         96

struct repair {
	struct console console;
	bool json, watch;
	uint64_t interval_s;
	struct task_group group;
	struct wait over;
	bool terminal, stopped;
	bool shown; /* something was */
};

static bool
set_interval(void *field, const char *text)
{
	return value_count(text, 1, INTERVAL_MAX, field);
}

static const struct option repair_options[] = {
	{ "watch", 0, NULL, "Look again and again, until Ctrl-C.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct repair, watch) },
	{ "interval", 0, "SECONDS", "Between two looks; default 2.", "a number from 1 to 3600",
	    set_interval, NULL, offsetof(struct repair, interval_s) },
	{ "json", 0, NULL, "Print what the node says, one object a line.", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct repair, json) },
	{ NULL },
};

/* ---- one look ---- */

static const char *
rate_text(const struct json_value *r, char out[SAY_SIZE_MAX])
{
	return say_size(json_number(r, "bytes_per_second"), out);
}

/* 37 s, 12 min, 5 h. */
static const char *
span_text(uint64_t seconds, char out[TEXT_MAX])
{
	if (seconds < 120)
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 " min", seconds / 60);
	else
		(void)snprintf(out, TEXT_MAX, "%" PRIu64 " h", seconds / 3600);
	return out;
}

/* alive − k of the worst chunk there is; false: none is known. */
static bool
least_spare(const struct json_value *repair, uint64_t *out)
{
	const struct json_value *list = json_child(repair, "by_spare");

	if (json_count(list) == 0)
		return false;
	*out = json_number(json_at(list, 0), "spare");
	return true;
}

static void
print_line(const struct repair *p, const struct json_value *o)
{
	const struct json_value *r = json_child(o, "repair");
	char when[SAY_TIME_MAX], rate[SAY_SIZE_MAX], least[32] = "-";
	uint64_t spare;

	if (least_spare(r, &spare))
		(void)snprintf(least, sizeof(least), "%" PRIu64, spare);
	printf("%s parts %" PRIu64 " due %" PRIu64 " running %zu waiting %" PRIu64
	       " least-spare %s rebuilt %" PRIu64 " failed %" PRIu64 " rate %s/s%s\n",
	    say_time(env_wall_ms(p->console.env) / 1000, SAY_STAMP, when), json_number(r, "chunks"),
	    json_number(r, "due"), json_count(json_child(o, "running")), json_number(r, "waiting"),
	    least, json_number(r, "shards_rebuilt"), json_number(r, "repairs_failed"),
	    rate_text(r, rate), json_flag(r, "paused") ? " PAUSED" : "");
}

static void
print_running(const struct json_value *o)
{
	const struct json_value *list = json_child(o, "running");

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *j = json_at(list, i);
		char fetched[SAY_SIZE_MAX], sent[SAY_SIZE_MAX], span[TEXT_MAX];

		printf("%s  %s  %2" PRIu64 " of %" PRIu64 " live  read %s, sent %s, for %s\n",
		    json_flag(j, "moving") ? "giving   " : "repairing", json_text(j, "chunk"),
		    json_number(j, "alive"), json_number(j, "n"),
		    say_size(json_number(j, "bytes_fetched"), fetched),
		    say_size(json_number(j, "bytes_sent"), sent),
		    span_text(json_number(j, "runs_ms") / 1000, span));
	}
}

static void
print_queue(const struct json_value *o, size_t most)
{
	const struct json_value *list = json_child(o, "queue");
	uint64_t due = json_number(json_child(o, "repair"), "due");
	size_t count = MIN(json_count(list), most);

	if (count == 0)
		return;
	printf("\nPART              SPARE  LIVE  CODE         WAITS    STATE\n");
	for (size_t i = 0; i < count; i++) {
		const struct json_value *d = json_at(list, i);
		char span[TEXT_MAX], code[TEXT_MAX];

		(void)snprintf(code, sizeof(code), "%" PRIu64 "/%" PRIu64 "/%" PRIu64,
		    json_number(d, "k"), json_number(d, "r"), json_number(d, "n"));
		printf("%s  %5" PRId64 "  %4" PRIu64 "  %-11s  %-7s  %s\n", json_text(d, "chunk"),
		    json_signed(d, "spare"), json_number(d, "alive"), code,
		    span_text(json_number(d, "waits_s"), span), json_text(d, "state"));
	}
	if (due > count)
		printf("and %" PRIu64 " more\n", due - count);
}

static void
print_whole(const struct json_value *o, size_t lines)
{
	const struct json_value *r = json_child(o, "repair"), *list = json_child(r, "by_spare");
	char rate[SAY_SIZE_MAX], fetched[SAY_SIZE_MAX], sent[SAY_SIZE_MAX];

	printf("parts      %" PRIu64 " kept here; %" PRIu64 " to be repaired, of those %" PRIu64
	       " wait for peers%s\n",
	    json_number(r, "chunks"), json_number(r, "due"), json_number(r, "waiting"),
	    json_flag(r, "paused") ? "; PAUSED: many peers vanished at once" : "");
	printf("spare     ");
	for (size_t i = 0; i < json_count(list); i++)
		printf("%s %" PRIu64 " with %" PRIu64, i == 0 ? "" : ",",
		    json_number(json_at(list, i), "chunks"),
		    json_number(json_at(list, i), "spare"));
	printf("%s\n", json_count(list) == 0 ? " no parts" : " live pieces more than needed");
	printf("rate       %s/s over the last minute\n", rate_text(r, rate));
	printf("done       %" PRIu64 " repairs, %" PRIu64 " failed tries; %" PRIu64
	       " pieces rebuilt, read %s, sent %s\n",
	    json_number(r, "repairs"), json_number(r, "repairs_failed"),
	    json_number(r, "shards_rebuilt"), say_size(json_number(r, "bytes_fetched"), fetched),
	    say_size(json_number(r, "bytes_sent"), sent));
	print_running(o);
	print_queue(o, lines > LINES_BESIDE ? lines - LINES_BESIDE : 1);
}

static size_t
screen_lines(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
		return LINES_USUAL;
	return size.ws_row;
}

/* takes o */
static int
print(struct repair *p, struct json_value *o)
{
	int err = ERR_OK;

	p->shown = true;
	if (p->json)
		return json_say(o);
	if (json_child(o, "repair") == NULL) {
		printf("this node stores nothing, or has only just started\n");
	} else if (p->watch && p->terminal) {
		printf("\033[H\033[J");
		print_whole(o, screen_lines());
	} else if (p->watch) {
		print_line(p, o);
	} else {
		print_whole(o, SIZE_MAX);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		err = ERR_IO;
	json_free(o);
	return err;
}

/* ---- the loop ---- */

static SUSPENDS int
look_task(void *arg)
{
	struct repair *p = arg;
	int err;

	do {
		struct json_value *reply = NULL;

		err = console_call(&p->console, "repair", NULL, &reply);
		if (err == ERR_OK)
			err = print(p, reply);
		if (err == ERR_OK && p->watch)
			err = task_sleep(p->console.env,
			    SECONDS(p->interval_s != 0 ? p->interval_s : INTERVAL_DEFAULT));
	} while (err == ERR_OK && p->watch);
	wait_wake(&p->over, err);
	return err;
}

static void
on_signal(void *arg, int signo)
{
	struct repair *p = arg;

	(void)signo;
	p->stopped = true;
	task_group_cancel(&p->group);
}

static SUSPENDS int
main_task(void *arg)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct repair *p = arg;
	int err = ERR_OK;

	task_group_init(&p->group, p->console.env);
	wait_init(&p->over);
	for (size_t i = 0; i < ARRAY_LEN(signals) && err == ERR_OK; i++)
		err = env_real_on_signal(p->console.env, signals[i], on_signal, p);
	if (err == ERR_OK)
		err = task_spawn(&p->group, "look", look_task, p);
	if (err == ERR_OK)
		err = wait_always(p->console.env, &p->over);
	task_group_fini(&p->group);
	return err;
}

/* Watching ends with Ctrl-C: that is how it went well. */
static int
tell(const struct repair *p, int err)
{
	if (err == ERR_OK || (p->stopped && p->watch && err == ERR_CANCELED))
		return EXIT_OK;
	if (err == ERR_NOT_FOUND && p->shown)
		say_error("repair", "the node in %s has stopped", p->console.dir);
	else if (err == ERR_IO && p->shown)
		say_error("repair", "cannot write what the node says");
	else
		console_tell(&p->console, err, true);
	return EXIT_FAILED;
}

static int
repair_run(const struct command *self, int argc, char **argv)
{
	struct repair *p = calloc(1, sizeof(*p));
	struct operands operands;
	int code = EXIT_FAILED, err;

	if (p == NULL)
		return EXIT_FAILED;
	p->console.command = self->name;
	p->terminal = isatty(STDOUT_FILENO) == 1;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { console_options, &p->console }, { repair_options, p } },
		2, &operands, &code)) {
		code = EXIT_FAILED;
		if (p->interval_s != 0 && !p->watch) {
			say_error(self->name, "--interval goes with --watch");
			code = EXIT_USAGE;
		} else if (console_run(&p->console, main_task, p, &err))
			code = tell(p, err);
	}
	free(p);
	return code;
}

const struct command command_repair = {
	.name = "repair",
	.synopsis = "[--dir DIR] [--watch] [--interval SECONDS] [--json]",
	.brief = "show what a running node repairs",
	.about =
	    "Asks the node that runs in the directory what it rebuilds and what waits, the most\n"
	    "endangered part first, and how fast it goes. With --watch it looks again and again:\n"
	    "redrawn in place on a terminal, one line for each look elsewhere.\n"
	    "\n"
	    "  skerry repair --dir /srv/skerry --watch",
	.options = (const struct option *const[]){ console_options, repair_options, NULL },
	.run = repair_run,
};
