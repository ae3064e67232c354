/*
 * skerry sim: scenarios on the simulator, and the hunt for lost data (cmd_sim_fuzz.c). What is
 * simulated is the code of this very program; doc/simulation.md tells of models and scenarios.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/json.h"
#include "cmd/say.h"
#include "cmd/scenario_file.h"
#include "cmd/sim_command.h"
#include "cmd/sim_json.h"
#include "cmd/stream_io.h"
#include "overlay/base/crypto_stand_in.h"
#include "overlay/base/err.h"
#include "sim/report.h"

#define NODES_DEFAULT     1000
#define HOURS_DEFAULT     HOURS(24)
#define MINUTES_DEFAULT   10                   /* of fuzz */
#define HUNT_MOST         UINT64_C(1000000000) /* minutes or stories: as good as for ever */
/* Up to here the real cryptography is fast enough (doc/simulation.md has the figures). */
#define REAL_CRYPTO_NODES 1000
#define LOOKUPS_MAX       UINT64_C(1000000000)
#define REPORT_BYTES_MAX  MIB(16)
#define PROGRESS_PAUSE_MS 200

/* ---- options ---- */

static bool
set_nodes(void *field, const char *text)
{
	return value_count(text, RUN_NODES_MIN, RUN_NODES_MAX, field);
}

static bool
set_lookups(void *field, const char *text)
{
	return value_count(text, 0, LOOKUPS_MAX, field);
}

static bool
set_positive(void *field, const char *text)
{
	return value_count(text, 1, HUNT_MOST, field);
}

static bool
set_mask(void *field, const char *text)
{
	uint64_t v;

	if (!value_count(text, 0, UINT32_MAX, &v))
		return false;
	*(uint32_t *)field = (uint32_t)v;
	return true;
}

/* A plain number is hours. */
static bool
set_hours(void *field, const char *text)
{
	uint64_t hours;

	if (value_count(text, 1, RUN_HOURS_MAX, &hours)) {
		*(uint64_t *)field = HOURS(hours);
		return true;
	}
	return units_duration(text, field) && *(uint64_t *)field >= MINUTES(10) &&
	       *(uint64_t *)field <= HOURS(RUN_HOURS_MAX);
}

static bool
set_crypto(void *field, const char *text)
{
	enum sim_crypto *c = field;

	if (strcmp(text, "auto") == 0)
		*c = SIM_CRYPTO_AUTO;
	else if (strcmp(text, "real") == 0)
		*c = SIM_CRYPTO_REAL;
	else if (strcmp(text, "stand-in") == 0)
		*c = SIM_CRYPTO_STAND_IN;
	else
		return false;
	return true;
}

static bool
set_sets(void *field, const char *text)
{
	struct sim_sets *s = field;

	if (text == NULL) {
		s->count = 0;
		return true;
	}
	if (s->count == SIM_SETS_MAX)
		return false;
	s->text[s->count++] = text;
	return true;
}

static bool
set_seed(void *field, const char *text)
{
	struct sim_seed *s = field;

	/* What tools can read in JSON. */
	s->given = value_count(text, 0, INT64_MAX, &s->value);
	return s->given;
}

static const struct option sim_options[] = {
	{ "nodes", 0, "N", "how many peers (default 1000).", "a number from 50 to 200000",
	    set_nodes, NULL, offsetof(struct sim_command, nodes), .with = "run" },
	{ "hours", 0, "H", "simulated hours (default 24), or a time such as 90m.",
	    "a number from 1, or a time from 10m", set_hours, NULL,
	    offsetof(struct sim_command, span), .with = "run" },
	{ "seed", 0, "S", "What all chance follows from (run: default 1; fuzz: a fresh one).",
	    "a number to 9223372036854775807", set_seed, NULL, offsetof(struct sim_command, seed) },
	{ "set", 0, "KEY=VALUE", "overrides the file, e.g. network.loss=2%.",
	    "SECTION.KEY=VALUE, at most 32 times", set_sets, NULL,
	    offsetof(struct sim_command, sets), .list = true, .with = "run" },
	{ "lookups", 0, "COUNT", "so many lookups more, at the end of the span.",
	    "a number to 1000000000", set_lookups, NULL, offsetof(struct sim_command, lookups),
	    .with = "run" },
	{ "crypto", 0, "KIND", "auto (default), real or stand-in; see skerry-sim(1).",
	    "auto, real or stand-in", set_crypto, NULL, offsetof(struct sim_command, crypto) },
	{ "report", 0, "FILE", "writes a page with plots.", RIGHT_FILE, set_text, NULL,
	    offsetof(struct sim_command, report), .with = "run" },
	{ "minutes", 0, "M", "for how long (default 10).", "a number from 1", set_positive, NULL,
	    offsetof(struct sim_command, minutes), .with = "fuzz" },
	{ "stories", 0, "COUNT", "ends after so many networks.", "a number from 1", set_positive,
	    NULL, offsetof(struct sim_command, stories), .with = "fuzz" },
	{ "without", 0, "MASK", "leaves out faults; bit 0 is the first.", "a number", set_mask,
	    NULL, offsetof(struct sim_command, without), .with = "fuzz" },
	{ "weather", 0, NULL, "loss, doubles, reordering, dead contacts (default yes).",
	    RIGHT_SWITCH, set_switch, NULL, offsetof(struct sim_command, weather), .with = "fuzz" },
	{ "churn", 0, NULL, "peers come and go by themselves (default yes).", RIGHT_SWITCH,
	    set_switch, NULL, offsetof(struct sim_command, churn), .with = "fuzz" },
	{ "records", 0, NULL, "lookups and records, too (default yes).", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct sim_command, records), .with = "fuzz" },
	{ "shrink", 0, NULL, "a finding is made small (default yes).", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct sim_command, shrink), .with = "fuzz" },
	{ "json", 0, NULL, "Print for machines.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct sim_command, json) },
	{ "quiet", 'q', NULL, "No progress line.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct sim_command, quiet) },
	{ "log", 0, "LEVEL", "What nodes log goes to stderr, with simulated time.", RIGHT_LEVEL,
	    set_level, NULL, offsetof(struct sim_command, log_level) },
	{ NULL },
};

/* ---- what only the host knows ---- */

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

bool
sim_interrupted(void *arg)
{
	(void)arg;
	return interrupted != 0;
}

uint64_t
sim_cpu_ms(void *arg)
{
	struct rusage u;

	(void)arg;
	if (getrusage(RUSAGE_SELF, &u) != 0)
		return 0;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

uint64_t
sim_wall_ms(void *arg)
{
	struct timespec t;

	(void)arg;
	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t
resident_peak(void *arg)
{
	struct rusage u;

	(void)arg;
	return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}

#define HUGE_PAGE     MIB(2)
#define HEAP_PER_NODE KIB(64)
#define HEAP_STEP_MAX GIB(1) /* of addresses; memory is taken when it is touched */

/* A hint: a kernel without huge pages refuses, which changes nothing but the time. */
static void
heap_advise(struct sim_command *c)
{
	uintptr_t top = (uintptr_t)sbrk(0) & ~(HUGE_PAGE - 1);
	uintptr_t from = (c->heap_seen + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	if (top <= from)
		return;
	(void)madvise((void *)from, top - from, MADV_HUGEPAGE);
	c->heap_seen = top;
}

/*
 * Events touch nodes all over the heap, and with small pages the processor looks up as many
 * addresses as it reads (a tenth of a large run). So the heap grows in long steps, and each is
 * told to be of huge pages before it is touched.
 */
static void
heap_to_huge_pages(struct sim_command *c)
{
	void *volatile p; /* a compiler may leave out what it sees freed */

	c->heap_seen = (uintptr_t)sbrk(0);
	(void)mallopt(M_MMAP_THRESHOLD, (int)MIB(32));
	(void)mallopt(M_TRIM_THRESHOLD, (int)GIB(1));
	(void)mallopt(M_TOP_PAD, (int)MIN(c->nodes * HEAP_PER_NODE, HEAP_STEP_MAX));
	p = malloc(MIB(1));
	free(p);
	heap_advise(c);
}

static void
on_progress(void *arg, const struct run_progress *p)
{
	struct sim_command *c = arg;
	uint64_t now = sim_wall_ms(NULL), percent = p->span == 0 ? 0 : p->done * 100 / p->span;

	heap_advise(c);
	if (c->quiet || now < c->told_at + PROGRESS_PAUSE_MS)
		return;
	c->told_at = now;
	fprintf(stderr,
	    "\r\033[K%s  %3" PRIu64 " %%  %.1f h  up %" PRIu32 "  events %.1f M  lookups %" PRIu64
	    "  objects %" PRIu64 "  lost %" PRIu64,
	    p->phase, MIN(percent, (uint64_t)100), (double)p->done / (double)HOURS(1), p->up,
	    (double)p->events / 1e6, p->lookups, p->objects, p->objects_lost);
	(void)fflush(stderr);
	c->line_shown = true;
}

void
sim_line_clear(struct sim_command *c)
{
	if (c->line_shown)
		fprintf(stderr, "\r\033[K");
	c->line_shown = false;
}

/* ---- run ---- */

static bool
page_failed(const struct sim_command *c, const char *why)
{
	say_error(c->name, "cannot write the page %s: %s", c->report, why);
	return false;
}

/* Before the run: a day of work is not lost to a wrong path. */
static bool
open_page(const struct sim_command *c, struct output *out)
{
	if (c->report == NULL || output_open(out, c->report, (uint32_t)getpid()))
		return true;
	return page_failed(c, strerror(errno));
}

static bool
write_page(const struct sim_command *c, const struct result *r, struct output *out)
{
	struct buf page;
	int err;

	if (c->report == NULL)
		return true;
	buf_init(&page, REPORT_BYTES_MAX);
	err = report_html(r, &page);
	if (err == ERR_OK)
		err = output_write(out, 0, page.data, page.len);
	if (err == ERR_OK)
		err = output_commit(out, page.len, false);
	buf_fini(&page);
	return err == ERR_OK || page_failed(c, err_text(err));
}

static void
print_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "%s\n", line);
}

bool
sim_crypto(const char *command, bool stand_in)
{
	if (stand_in)
		crypto_use_stand_in();
	if (crypto_init() == ERR_OK)
		return true;
	say_error(command, "the cryptographic libraries do not start");
	return false;
}

static int
run_file(struct sim_command *c, const struct scenario *s)
{
	struct result *r = calloc(1, sizeof(*r));
	struct output page = { .fd = -1 };
	struct log *log = NULL;
	int err, code = EXIT_OK;

	c->stand_in = c->crypto == SIM_CRYPTO_STAND_IN ||
		      (c->crypto == SIM_CRYPTO_AUTO && c->nodes > REAL_CRYPTO_NODES);
	if (r == NULL || !sim_crypto(c->name, c->stand_in) || !open_page(c, &page)) {
		free(r);
		return EXIT_FAILED;
	}
	result_init(r);
	heap_to_huge_pages(c);
	if (c->log_level != LOG_ERROR)
		log = log_new(&(struct log_opts){ .level = c->log_level, .write = print_log });
	err = run_scenario(&(struct run_opts){ .scenario = s,
			       .nodes = c->nodes,
			       .seed = c->seed.given ? c->seed.value : 1,
			       .span = c->span,
			       .lookups = c->lookups,
			       .stand_in = c->stand_in,
			       .log = log,
			       .host = { sim_cpu_ms, sim_wall_ms, resident_peak, on_progress,
				   sim_interrupted, c } },
	    r);
	sim_line_clear(c);
	if (err == ERR_CANCELED) {
		say_error(c->name, "interrupted; what follows is of the part that was run");
		code = EXIT_FAILED;
	}
	if (c->json && json_say(sim_json(r)) != ERR_OK)
		code = EXIT_FAILED;
	if (!c->json)
		sim_text(r);
	if (!write_page(c, r, &page))
		code = EXIT_FAILED;
	output_close(&page);
	result_fini(r);
	free(r);
	log_free(log);
	return code;
}

static int
sim_run_file(struct sim_command *c, const char *path)
{
	char error[SCENARIO_ERROR_MAX];
	struct scenario s;
	int code;

	if (scenario_load(c->name, path, &s) != ERR_OK)
		return EXIT_USAGE;
	for (size_t i = 0; i < c->sets.count; i++) {
		if (scenario_set_text(&s, c->sets.text[i], error) != ERR_OK) {
			say_error(c->name, "--set %s: %s", c->sets.text[i], error);
			return EXIT_USAGE;
		}
	}
	if (scenario_ready(c->name, path, c->span, &s) != ERR_OK)
		return EXIT_USAGE;
	code = run_file(c, &s);
	scenario_unload(&s);
	return code;
}

/* ---- keys ---- */

static int
sim_keys(void)
{
	const char *section, *key, *right, *last = "";

	for (size_t i = 0; i < scenario_keys(); i++) {
		scenario_key(i, &section, &key, &right);
		if (strcmp(section, last) != 0)
			printf("%s[%s]\n", i == 0 ? "" : "\n", section);
		last = section;
		printf("  %-22s %s\n", key, right);
	}
	return EXIT_OK;
}

static int
sim_run_command(const struct command *self, int argc, char **argv)
{
	struct sim_command c = {
		.name = self->name, .weather = true, .churn = true, .records = true, .shrink = true
	};
	struct operands operands;
	int code;

	if (!command_parse(self, argc, argv, (struct option_group[]){ { sim_options, &c } }, 1,
		&operands, &code))
		return code;
	c.nodes = c.nodes == 0 ? NODES_DEFAULT : c.nodes;
	c.span = c.span == 0 ? HOURS_DEFAULT : c.span;
	c.minutes = c.minutes == 0 ? MINUTES_DEFAULT : c.minutes;
	c.quiet |= isatty(STDERR_FILENO) == 0;
	(void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	(void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	if (strcmp(operands.text[0], "run") == 0 && operands.count == 2)
		return sim_run_file(&c, operands.text[1]);
	if (strcmp(operands.text[0], "fuzz") == 0 && operands.count == 1)
		return sim_fuzz(&c);
	if (strcmp(operands.text[0], "keys") == 0 && operands.count == 1)
		return sim_keys();
	say_error(self->name, "right would be: %s sim %s", PROGRAM_NAME, self->synopsis);
	return EXIT_USAGE;
}

const struct command command_sim = {
	.name = "sim",
	.synopsis = "run FILE [--nodes N] [--hours H] [--seed S] [--json] [--report FILE]\n"
		    "       skerry sim fuzz [--minutes M] [--seed S] [--json]\n"
		    "       skerry sim keys",
	.operands_least = 1,
	.operands_most = 2,
	.own_crypto = true,
	.brief = "run this program's peers in a simulated network",
	.about =
	    "run plays a scenario (sim/scenarios/*.ini) with so many peers for so many simulated\n"
	    "hours: the peers are the code of this program, only time, network and disks are made\n"
	    "up. The same seed gives the same run, event by event.\n"
	    "\n"
	    "fuzz hunts for lost data: random small networks under random faults, then healed,\n"
	    "until the time is over. A failure prints its seed and the command that replays it.\n"
	    "\n"
	    "keys lists what a scenario file may say.\n"
	    "\n"
	    "Exit codes: 0 done (fuzz: nothing found); 1 failed (fuzz: something found); 2 wrong\n"
	    "usage or scenario.\n"
	    "\n"
	    "  skerry sim run sim/scenarios/default.ini --nodes 1000 --hours 24 --report out.html",
	.options = (const struct option *const[]){ sim_options, NULL },
	.run = sim_run_command,
};
