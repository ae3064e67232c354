/*
 * skerry sim fuzz: story after story, each in a child, so that a broken promise of our own, a crash
 * or a loop without end is a finding like any other. The first finding is made small: faults and
 * weather are left out one by one as long as the story still fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/json.h"
#include "cmd/program.h"
#include "cmd/say.h"
#include "cmd/sim_command.h"
#include "sim/story.h"

/* Of the host's time for one story: many times what it takes, under sanitizers too. */
#define STORY_SECONDS     300
#define STDERR_TAIL       400
/* Heap that libraries keep for later; growth from story to story would be a leak. */
#define LEAK_BYTES_MAX    KIB(256)
#define SHRINK_RUNS_MAX   60
/* What is hunted is seldom in the cryptography, which takes most of a story's time. */
#define REAL_CRYPTO_EVERY 8

struct hunt {
	struct sim_command *c;
	uint64_t seed, stories, found, looked, events, simulated_s;
	uint64_t objects, gets, gets_failed, puts_refused, began_ms;
	struct coverage coverage;
	struct story_edit edit; /* of every story */
	struct json_value *findings;
};

/* ---- one story in a child ---- */

static void
child(const struct story *s, const struct sim_command *c, int to)
{
	struct story_outcome *out = calloc(1, sizeof(*out));
	struct log *log = NULL;
	const uint8_t *at = (const uint8_t *)out;
	size_t left = sizeof(*out);

	if (out == NULL)
		_exit(1);
	if (c->log_level != LOG_ERROR)
		log = log_new(&(struct log_opts){ .level = c->log_level });
	(void)alarm(STORY_SECONDS);
	if (!sim_crypto(
		c->name, c->crypto == SIM_CRYPTO_STAND_IN ||
			     (c->crypto == SIM_CRYPTO_AUTO && s->seed % REAL_CRYPTO_EVERY != 0)))
		_exit(1);
	story_run(s, log, out);
	if (!out->failed && out->leaked_bytes > LEAK_BYTES_MAX) {
		out->failed = true;
		(void)snprintf(out->checker, sizeof(out->checker), "leak");
		(void)snprintf(out->text, sizeof(out->text),
		    "%" PRIu64 " bytes of heap are left behind", out->leaked_bytes);
	}
	while (left > 0) {
		ssize_t n = write(to, at, left);

		if (n <= 0)
			_exit(1);
		at += n;
		left -= (size_t)n;
	}
	_exit(0);
}

static void
read_all(int from, void *to, size_t len, size_t *got)
{
	*got = 0;
	while (*got < len) {
		ssize_t n = read(from, (uint8_t *)to + *got, len - *got);

		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		*got += n > 0 ? (size_t)n : 0;
	}
}

/* What a child that died said last: the broken promise. */
static void
tell_death(int status, int err_pipe, struct story_outcome *out)
{
	char text[4096];
	size_t got;

	read_all(err_pipe, text, sizeof(text) - 1, &got);
	text[got] = '\0';
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = '\0';
	out->failed = true;
	(void)snprintf(out->checker, sizeof(out->checker), "%s",
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "endless" : "crash");
	(void)snprintf(out->text, sizeof(out->text), "%s %d: %.150s",
	    WIFSIGNALED(status) ? "signal" : "exit code",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
	    got > 150 ? text + got - 150 : text);
}

/* False: it could not be run at all; told. */
static bool
run_story(struct hunt *h, const struct story *s, struct story_outcome *out)
{
	int result[2], complaints[2], status = 0;
	size_t got;
	pid_t pid;

	memset(out, 0, sizeof(*out));
	if (pipe(result) != 0 || pipe(complaints) != 0) {
		say_error(h->c->name, "no pipe: %s", strerror(errno));
		return false;
	}
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(result[0]);
		(void)close(complaints[0]);
		if (h->c->log_level == LOG_ERROR)
			(void)dup2(complaints[1], STDERR_FILENO);
		child(s, h->c, result[1]);
	}
	(void)close(result[1]);
	(void)close(complaints[1]);
	if (pid > 0) {
		read_all(result[0], out, sizeof(*out), &got);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (got < sizeof(*out) || status != 0)
			tell_death(status, complaints[0], out);
	} else {
		say_error(h->c->name, "no child: %s", strerror(errno));
	}
	(void)close(result[0]);
	(void)close(complaints[0]);
	return pid > 0;
}

/* ---- making it small ---- */

static bool
still_fails(
    struct hunt *h, uint64_t seed, const struct story_edit *edit, const struct story_outcome *first)
{
	struct story *s = calloc(1, sizeof(*s));
	struct story_outcome *out = calloc(1, sizeof(*out));
	bool fails = false;

	if (s != NULL && out != NULL) {
		story_plan(seed, s);
		story_edit(s, edit);
		/* Another finding would be another story. */
		fails = run_story(h, s, out) && out->failed &&
			strcmp(out->checker, first->checker) == 0;
	}
	free(s);
	free(out);
	return fails;
}

static void
shrink(struct hunt *h, const struct story *s, const struct story_outcome *first,
    struct story_edit *edit)
{
	bool *const flags[] = { &edit->weather, &edit->churn, &edit->records };
	int runs = 0;

	for (size_t i = 0; i < ARRAY_LEN(flags) && !sim_interrupted(NULL); i++) {
		if (*flags[i])
			continue;
		*flags[i] = true;
		*flags[i] = still_fails(h, s->seed, edit, first);
	}
	for (size_t i = 0; i < s->scenario.faults_count && runs++ < SHRINK_RUNS_MAX; i++) {
		uint32_t bit = 1u << i;

		if ((edit->faults & bit) != 0 || sim_interrupted(NULL))
			continue;
		edit->faults |= bit;
		if (!still_fails(h, s->seed, edit, first))
			edit->faults &= ~bit;
	}
}

/* ---- telling it ---- */

#define REPLAY_MAX 256

/* The command that plays it again. */
static const char *
replay(const struct hunt *h, uint64_t seed, const struct story_edit *edit, char out[REPLAY_MAX])
{
	char without[32] = "";
	const char *crypto = "";

	if (edit->faults != 0)
		(void)snprintf(without, sizeof(without), " --without %" PRIu32, edit->faults);
	if (h->c->crypto != SIM_CRYPTO_AUTO)
		crypto = h->c->crypto == SIM_CRYPTO_REAL ? " --crypto real" : " --crypto stand-in";
	(void)snprintf(out, REPLAY_MAX, "%s sim fuzz --seed %" PRIu64 " --stories 1%s%s%s%s%s",
	    PROGRAM_NAME, seed, without, edit->weather ? " --no-weather" : "",
	    edit->churn ? " --no-churn" : "", edit->records ? " --no-records" : "", crypto);
	return out;
}

/* What people read goes out of the way of what machines do. */
static FILE *
told_to(const struct hunt *h)
{
	return h->c->json ? stderr : stdout;
}

static struct json_value *
tell(const struct hunt *h, const struct story *s, const struct story_outcome *out)
{
	struct json_value *v = json_make_object();
	char text[REPLAY_MAX];

	fprintf(told_to(h), "FOUND by %s, seed %" PRIu64 ", %s: %s\n  replay: %s\n", out->checker,
	    s->seed, program_version(), out->text, replay(h, s->seed, &h->edit, text));
	(void)fflush(told_to(h));
	json_put_number(v, "seed", s->seed);
	json_put_text(v, "checker", out->checker);
	json_put_text(v, "what", out->text);
	json_put_text(v, "replay", text);
	return v;
}

/* As small as it still fails. NULL: no memory. */
static struct json_value *
tell_small(struct hunt *h, const struct story *s, const struct story_outcome *out)
{
	struct story *small = calloc(1, sizeof(*small));
	char *text = malloc(STORY_TEXT_MAX), again[REPLAY_MAX];
	struct story_edit edit = h->edit;
	struct json_value *v = NULL;

	if (small == NULL || text == NULL)
		goto out;
	shrink(h, s, out, &edit);
	story_plan(s->seed, small);
	story_edit(small, &edit);
	fprintf(told_to(h), "  as small as it still fails:\n  replay: %s\n%s\n",
	    replay(h, s->seed, &edit, again), story_text(small, text));
	(void)fflush(told_to(h));
	v = json_make_object();
	json_put_text(v, "replay", again);
	json_put_text(v, "scenario", text);
out:
	free(small);
	free(text);
	return v;
}

static void
found_one(struct hunt *h, const struct story *s, const struct story_outcome *out)
{
	struct json_value *v, *small = NULL;

	h->found++;
	sim_line_clear(h->c);
	v = tell(h, s, out);
	if (h->c->shrink)
		small = tell_small(h, s, out);
	if (small != NULL)
		json_put_value(v, "small", small);
	else
		json_put_null(v, "small");
	json_add_value(h->findings, v);
}

/* ---- the hunt ---- */

static void
add_up(struct hunt *h, const struct story_outcome *out)
{
	h->looked += out->looked;
	h->events += out->events;
	h->simulated_s += out->simulated / SECONDS(1);
	h->objects += out->objects;
	h->gets += out->gets;
	h->gets_failed += out->gets_failed;
	h->puts_refused += out->puts_refused;
	for (size_t i = 0; i < OP_KINDS; i++) {
		h->coverage.quiet[i] += out->coverage.quiet[i];
		h->coverage.refused[i] += out->coverage.refused[i];
		for (size_t j = 0; j < FAULT_KINDS; j++)
			h->coverage.during[i][j] += out->coverage.during[i][j];
	}
}

static void
progress(struct hunt *h)
{
	if (h->c->quiet)
		return;
	fprintf(stderr,
	    "\r\033[K%" PRIu64 " stories, %" PRIu64 " found, %.0f M events, seed %" PRIu64,
	    h->stories, h->found, (double)h->events / 1e6, h->seed);
	(void)fflush(stderr);
	h->c->line_shown = true;
}

static bool
go_on(const struct hunt *h)
{
	if (sim_interrupted(NULL))
		return false;
	if (h->c->stories > 0)
		return h->stories < h->c->stories;
	return sim_wall_ms(NULL) - h->began_ms < h->c->minutes * 60000;
}

static bool
hunt(struct hunt *h)
{
	struct story *s = calloc(1, sizeof(*s));
	struct story_outcome *out = calloc(1, sizeof(*out));
	bool ran = s != NULL && out != NULL;

	for (; ran && go_on(h); h->seed++) {
		story_plan(h->seed, s);
		story_edit(s, &h->edit);
		ran = run_story(h, s, out); /* to its end, whoever presses Ctrl-C: it may find */
		if (!ran)
			break;
		h->stories++;
		add_up(h, out);
		if (out->failed)
			found_one(h, s, out);
		else if (h->c->stories == 1 && !h->c->json)
			printf("seed %" PRIu64 ": event hash %016" PRIx64 "\n", s->seed,
			    out->event_hash);
		progress(h);
	}
	free(s);
	free(out);
	return ran;
}

static void
print_coverage(const struct hunt *h)
{
	printf(
	    "what operations met (ended under a fault of the kind, or after it began)\n%-11s", "");
	for (size_t i = 0; i < OP_KINDS; i++)
		printf(" %11s", workload_op_name((enum op_kind)i));
	printf("\n%-11s", "nothing");
	for (size_t i = 0; i < OP_KINDS; i++)
		printf(" %11" PRIu32, h->coverage.quiet[i]);
	for (size_t j = 0; j < FAULT_KINDS; j++) {
		printf("\n%-11s", scenario_fault_name((enum fault_kind)j));
		for (size_t i = 0; i < OP_KINDS; i++)
			printf(" %11" PRIu32, h->coverage.during[i][j]);
	}
	printf("\n%-11s", "(refused)");
	for (size_t i = 0; i < OP_KINDS; i++)
		printf(" %11" PRIu32, h->coverage.refused[i]);
	printf("\n");
}

static void
print_sum(const struct hunt *h, uint64_t first)
{
	printf("%" PRIu64 " stories from seed %" PRIu64 ", %" PRIu64 " simulated hours, %" PRIu64
	       " events, %" PRIu64 " facts looked at\n",
	    h->stories, first, h->simulated_s / 3600, h->events, h->looked);
	printf("%" PRIu64 " objects acknowledged, %" PRIu64 " puts refused, %" PRIu64
	       " gets, %" PRIu64 " of them refused while faults struck\n",
	    h->objects, h->puts_refused, h->gets, h->gets_failed);
	print_coverage(h);
	printf("%" PRIu64 " found\n", h->found);
}

static int
say_json(struct hunt *h, uint64_t first, bool interrupted)
{
	struct json_value *o = json_make_object(), *coverage = json_make_object();

	json_put_text(o, "version", program_version());
	json_put_number(o, "first_seed", first);
	json_put_number(o, "stories", h->stories);
	json_put_flag(o, "interrupted", interrupted);
	json_put_number(o, "found", h->found);
	json_put_value(o, "findings", h->findings);
	h->findings = NULL; /* taken */
	json_put_number(o, "events", h->events);
	json_put_number(o, "looked", h->looked);
	json_put_number(o, "simulated_s", h->simulated_s);
	json_put_number(o, "objects", h->objects);
	json_put_number(o, "puts_refused", h->puts_refused);
	json_put_number(o, "gets", h->gets);
	json_put_number(o, "gets_failed", h->gets_failed);
	for (size_t i = 0; i < OP_KINDS; i++) {
		struct json_value *v = json_make_object();

		json_put_number(v, "nothing", h->coverage.quiet[i]);
		for (size_t j = 0; j < FAULT_KINDS; j++)
			json_put_number(
			    v, scenario_fault_name((enum fault_kind)j), h->coverage.during[i][j]);
		json_put_number(v, "refused", h->coverage.refused[i]);
		json_put_value(coverage, workload_op_name((enum op_kind)i), v);
	}
	json_put_value(o, "coverage", coverage);
	return json_say(o) == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

int
sim_fuzz(struct sim_command *c)
{
	struct hunt h = { .c = c, .began_ms = sim_wall_ms(NULL) };
	uint64_t first = c->seed.value;
	bool interrupted;
	int code = EXIT_OK;

	/* A fresh seed: short enough to be typed. */
	if (!c->seed.given)
		first = sim_mix((uint64_t)getpid(), h.began_ms) & UINT32_MAX;
	h.edit = (struct story_edit){ .faults = c->without,
		.weather = !c->weather,
		.churn = !c->churn,
		.records = !c->records };
	h.seed = first;
	h.findings = json_make_array();
	if (!hunt(&h)) {
		json_free(h.findings);
		return EXIT_FAILED;
	}
	sim_line_clear(c);
	interrupted = sim_interrupted(NULL);
	if (interrupted)
		say_error(c->name, "interrupted; what follows is of the stories that were run");
	if (c->json)
		code = say_json(&h, first, interrupted);
	else
		print_sum(&h, first);
	json_free(h.findings);
	return h.found > 0 || interrupted ? EXIT_FAILED : code;
}
