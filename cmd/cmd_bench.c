/*
 * skerry bench: where the time goes. First the parts that a put and a get cannot do without, each
 * alone on warm reused buffers, and their sum, the floor; then the whole, real processes on
 * loopback, CPU of all of them. Both in one run, because a floor measured elsewhere is none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/bench_s3.h"
#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"

#define SIZE_DEFAULT    GIB(1)
#define SECONDS_DEFAULT 10
#define RUNS_DEFAULT    5
#define RUNS_S3         3 /* each stores two and a half times as much */
#define RUNS_MAX        100
#define OBJECTS_DEFAULT 100000
#define OBJECTS_MIN     1000
#define OBJECTS_MAX     10000000
#define SECONDS_MAX     3600

static bool
set_runs(void *field, const char *text)
{
	return value_count(text, 1, RUNS_MAX, field);
}

static bool
set_bench_size(void *field, const char *text)
{
	uint64_t v;

	if (!value_size(text, &v) || v < MIB(1))
		return false;
	*(uint64_t *)field = v;
	return true;
}

static bool
set_seconds(void *field, const char *text)
{
	return value_count(text, 1, SECONDS_MAX, field);
}

static bool
set_objects(void *field, const char *text)
{
	return value_count(text, OBJECTS_MIN, OBJECTS_MAX, field);
}

static const struct option bench_options[] = {
	{ "dir", 0, "DIR", "Where files and the network live meanwhile (default /var/tmp).",
	    RIGHT_DIR, set_text, NULL, offsetof(struct bench, place) },
	{ "size", 0, "SIZE", "Size of the file (default 1G).", "a size from 1M", set_bench_size,
	    NULL, offsetof(struct bench, bytes) },
	{ "runs", 0, "COUNT", "How many puts and gets (default 5, s3: 3).",
	    "a number from 1 to 100", set_runs, NULL, offsetof(struct bench, runs) },
	{ "seconds", 0, "COUNT", "how long each rate is measured (default 10).",
	    "a number from 1 to 3600", set_seconds, NULL, offsetof(struct bench, seconds),
	    .with = "s3" },
	{ "objects", 0, "COUNT", "how many objects (default 100000).",
	    "a number from 1000 to 10000000", set_objects, NULL, offsetof(struct bench, objects),
	    .with = "buckets" },
	{ "json", 0, NULL, "Print for machines.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct bench, json) },
	{ NULL },
};

/* ---- for people ---- */

void
bench_print_parts(const struct bench_parts *p)
{
	printf("the parts, core-seconds per GiB that goes through, warm buffers\n");
	for (size_t i = 0; i < BENCH_PARTS; i++)
		printf("  %-44s %6.3f\n", bench_part_name(i), p->cost[i]);
}

void
bench_print_floor(enum bench_floor of, const struct bench_parts *p)
{
	for (size_t i = 0; i < bench_lines(of); i++)
		printf("  %-44s %6.3f\n", bench_line_name(of, i), bench_line_cost(of, i, p));
	printf("  %-44s %6.3f\n", "sum", bench_floor(of, p));
}

static void
print_floor(const struct bench_parts *p)
{
	bench_print_parts(p);
	printf("\nthe floor of a put at 4+2, per GiB of file\n");
	bench_print_floor(FLOOR_PUT, p);
	printf("  %-44s %6.3f\n", "besides: the program reads the input file",
	    p->cost[PART_FILE_READ]);
	printf("\nthe floor of a get at 4+2, per GiB of file\n");
	bench_print_floor(FLOOR_GET, p);
	printf("  %-44s %6.3f\n", "besides: the program writes the output file",
	    p->cost[PART_FILE_WRITE]);
	(void)fflush(stdout);
}

static const char *const way_names[BENCH_WAYS] = { "put", "get",
	"write (of a content, as an S3 upload)", "read (of a content, as an S3 download)" };

/* Contents go the way of files. */
static enum bench_floor
floor_of(enum bench_way way)
{
	return way == BENCH_PUT || way == BENCH_WRITE ? FLOOR_PUT : FLOOR_GET;
}

static void
print_runs(const struct bench *b, enum bench_way way, const struct bench_parts *p)
{
	const struct bench_run *runs = b->result[way];
	size_t best = bench_best(b, way);
	double floor_cost = bench_floor(floor_of(way), p);

	printf("\n%s of %" PRIu64 " MiB, six peers, code 4/5/6, all processes\n", way_names[way],
	    b->bytes >> 20);
	printf("  run   wall s     MB/s   CPU s/GiB   of the floor   CPU / (2 x wall)   foreign "
	       "CPU\n");
	for (size_t i = 0; i < b->runs; i++) {
		const struct bench_run *r = &runs[i];

		printf("  %3zu  %7.2f  %7.1f  %10.2f  %12.2fx  %16.2f  %12.2f%s\n", i + 1, r->wall,
		    bench_speed(b, r), bench_cost(b, r), bench_cost(b, r) / floor_cost,
		    (r->client + r->nodes) / (2 * r->wall), r->foreign / r->wall,
		    i == best ? "  best" : "");
	}
	printf("  of the best: client %.2f s, peers %.2f s\n", runs[best].client, runs[best].nodes);
	(void)fflush(stdout);
}

/* ---- for machines ---- */

static struct json_value *
runs_json(const struct bench *b, enum bench_way way, const struct bench_parts *p)
{
	struct json_value *o = json_make_object(), *list = json_make_array();

	for (size_t i = 0; i < b->runs; i++) {
		const struct bench_run *r = &b->result[way][i];
		struct json_value *v = json_make_object();

		json_put_real(v, "wall_s", r->wall);
		json_put_real(v, "client_cpu_s", r->client);
		json_put_real(v, "peers_cpu_s", r->nodes);
		json_put_real(v, "foreign_cpu_s", r->foreign);
		json_put_real(v, "mb_per_s", bench_speed(b, r));
		json_put_real(v, "cpu_s_per_gib", bench_cost(b, r));
		json_put_real(v, "cpu_of_two_cores", (r->client + r->nodes) / (2 * r->wall));
		json_add_value(list, v);
	}
	json_put_real(o, "floor_cpu_s_per_gib", bench_floor(floor_of(way), p));
	json_put_real(o, "best_cpu_s_per_gib", bench_cost(b, &b->result[way][bench_best(b, way)]));
	json_put_real(o, "best_of_floor",
	    bench_cost(b, &b->result[way][bench_best(b, way)]) / bench_floor(floor_of(way), p));
	json_put_value(o, "runs", list);
	return o;
}

struct json_value *
bench_parts_json(const struct bench_parts *p)
{
	struct json_value *o = json_make_object();

	for (size_t i = 0; i < BENCH_PARTS; i++)
		json_put_real(o, bench_part_name(i), p->cost[i]);
	return o;
}

static int
say_json(const struct bench *b, const struct bench_parts *p)
{
	struct json_value *o = json_make_object();

	json_put_number(o, "bytes", b->bytes);
	json_put_number(o, "runs", b->runs);
	json_put_value(o, "parts_cpu_s_per_gib", bench_parts_json(p));
	json_put_value(o, "put", runs_json(b, BENCH_PUT, p));
	json_put_value(o, "get", runs_json(b, BENCH_GET, p));
	json_put_value(o, "write", runs_json(b, BENCH_WRITE, p));
	json_put_value(o, "read", runs_json(b, BENCH_READ, p));
	return json_say(o);
}

/* ---- doing ---- */

static int
parts_and_whole(struct bench *b)
{
	struct bench_parts *parts = calloc(1, sizeof(*parts));
	int err = parts == NULL ? ERR_NOMEM : bench_parts_run(b->dir, parts);

	if (err == ERR_OK && !b->json)
		print_floor(parts);
	if (err == ERR_OK)
		err = bench_whole_run(b);
	if (err == ERR_OK && b->json) {
		err = say_json(b, parts);
	} else if (err == ERR_OK) {
		for (enum bench_way way = BENCH_PUT; way < BENCH_WAYS; way++)
			print_runs(b, way, parts);
	}
	free(parts);
	return err;
}

static const struct what {
	const char *name; /* NULL: nothing is said */
	int (*run)(struct bench *b);
	uint64_t runs;
} whats[] = {
	{ NULL, parts_and_whole, RUNS_DEFAULT },
	{ "repair", bench_repair_run, RUNS_DEFAULT },
	{ "buckets", bench_buckets_run, 1 },
	{ "s3", bench_s3_run, RUNS_S3 },
};

/* NULL: there is none. */
static const struct what *
what_of(const struct operands *o)
{
	if (o->count == 0)
		return &whats[0];
	for (size_t i = 1; i < ARRAY_LEN(whats); i++) {
		if (strcmp(o->text[0], whats[i].name) == 0)
			return &whats[i];
	}
	return NULL;
}

static int
run(struct bench *b, const struct what *what)
{
	int err = bench_dir_make(b);

	if (err == ERR_OK)
		return bench_dir_guard(b, what->run);
	say_error(b->command, "cannot measure in %s: %s", b->place, err_text(err));
	return EXIT_FAILED;
}

static bool
make_results(struct bench *b)
{
	bool made = true;

	for (size_t i = 0; i < BENCH_WAYS; i++) {
		b->result[i] = calloc(b->runs, sizeof(struct bench_run));
		made &= b->result[i] != NULL;
	}
	return made;
}

static int
bench_run_command(const struct command *self, int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct operands operands;
	int code = EXIT_FAILED;

	if (b == NULL)
		return EXIT_FAILED;
	b->command = self->name;
	b->place = "/var/tmp";
	b->bytes = SIZE_DEFAULT;
	b->seconds = SECONDS_DEFAULT;
	b->objects = OBJECTS_DEFAULT;
	if (command_parse(self, argc, argv, (struct option_group[]){ { bench_options, b } }, 1,
		&operands, &code)) {
		const struct what *what = what_of(&operands);

		if (what != NULL && b->runs == 0)
			b->runs = what->runs;
		if (what == NULL)
			say_error(self->name,
			    "there is nothing called \"%s\" to measure; repair, buckets and s3 are",
			    operands.text[0]);
		else if (!make_results(b))
			say_error(self->name, "out of memory");
		else
			code = run(b, what);
	}
	for (size_t i = 0; i < BENCH_WAYS; i++)
		free(b->result[i]);
	free(b);
	return code;
}

const struct command command_bench = {
	.name = "bench",
	.synopsis =
	    "[repair | buckets | s3] [--size SIZE] [--runs COUNT] [--seconds COUNT] [--dir DIR] "
	    "[--json]",
	.brief = "measure where the time goes on this machine",
	.about =
	    "Measures what a put and a get cannot do without, part by part, and sums it up: the\n"
	    "floor. Then starts a network of six peers, puts and gets a file some times, writes\n"
	    "and reads it as objects of a bucket are, counts the CPU time of all processes, and\n"
	    "tells how far above the floor it is.\n"
	    "\n"
	    "With \"repair\" it kills peers of a network of ten instead, and measures how fast "
	    "the\n"
	    "others rebuild what is lost, and how much that takes from puts and gets beside it.\n"
	    "\n"
	    "With \"buckets\" it fills a bucket with many small objects, loses the machine, "
	    "brings\n"
	    "all back with the phrase, and lists; and tells what the index takes.\n"
	    "\n"
	    "With \"s3\" it writes and reads one large object and 32 at once through a gateway "
	    "of\n"
	    "six peers, beside the floor of that, and measures rates of small requests.\n"
	    "\n"
	    "  skerry bench --size 1G --runs 5\n"
	    "  skerry bench s3 --size 1G --seconds 10\n"
	    "  skerry bench buckets --objects 1000000\n"
	    "  skerry bench repair --size 512M --runs 3",
	.operands_most = 1,
	.options = (const struct option *const[]){ bench_options, NULL },
	.run = bench_run_command,
};
