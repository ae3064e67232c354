/* Telling what was measured through S3: for people, for machines. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/bench_s3.h"
#include "cmd/json.h"

static const char *const way_names[S3_WAYS] = { "PUT, payload unsigned", "PUT, payload signed",
	"GET" };
static const char *const way_keys[S3_WAYS] = { "put", "put_signed", "get" };
static const enum bench_floor floors[S3_WAYS] = { FLOOR_S3_PUT, FLOOR_S3_PUT_SIGNED, FLOOR_S3_GET };
static const char *const shape_keys[S3_SHAPES] = { "one", "many" };
static const char *const kind_names[S3_KINDS] = { "PUT", "GET", "LIST" };
static const char *const kind_keys[S3_KINDS] = { "put", "get", "list" };
static const unsigned in_flight[2] = { 1, S3_CROWD_MAX };

static double
speed(const struct s3_bench *s, enum s3_shape shape, const struct s3_run *r)
{
	return (double)s->bytes[shape] / 1e6 / r->wall;
}

/* ---- for people ---- */

static void
print_runs(const struct s3_bench *s, enum s3_shape shape, enum s3_way way)
{
	const struct s3_run *runs = s->runs[shape][way];
	size_t best = s3_run_best(s, shape, way);
	double floor_cost = bench_floor(floors[way], &s->parts);

	if (shape == S3_ONE)
		printf("\n%s of one object of %.6g MiB", way_names[way],
		    (double)s->bytes[shape] / MIB(1));
	else
		printf("\n%s of %d objects of %.6g MiB at once", way_names[way], S3_MANY_COUNT,
		    (double)s->bytes[shape] / S3_MANY_COUNT / MIB(1));
	printf(", six peers, code " S3_CODE ", all processes\n");
	printf("  run   wall s     MB/s   CPU s/GiB   of the floor   client   gateway    peers   "
	       "foreign CPU\n");
	for (size_t i = 0; i < s->b->runs; i++) {
		const struct s3_run *r = &runs[i];
		double cost = s3_run_cost(s, shape, r);

		printf("  %3zu  %7.2f  %7.1f  %10.2f  %12.2fx  %7.2f  %8.2f  %7.2f  %12.2f%s\n",
		    i + 1, r->wall, speed(s, shape, r), cost, cost / floor_cost, r->client,
		    r->gateway, r->nodes, r->foreign / r->counted, i == best ? "  best" : "");
	}
}

static void
print_rates(const struct s3_bench *s)
{
	printf("\nsmall requests: objects of 4 KiB; lists of %d keys\n", S3_LIST_KEYS);
	printf("         in flight   requests/s    p50 ms    p99 ms   answered   refused (503)\n");
	for (enum s3_kind kind = 0; kind < S3_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_LEN(in_flight); i++) {
			const struct s3_rate *r = &s->rates[kind][i];

			printf("  %-4s  %10u  %11.1f  %8.2f  %8.2f  %9" PRIu64 "  %14" PRIu64 "\n",
			    kind_names[kind], in_flight[i], r->per_s, r->p50_ms, r->p99_ms, r->done,
			    r->refused);
		}
	}
	printf("\na single small put, p50                  %8.2f ms\n", s->rates[S3_PUT][0].p50_ms);
	printf("  a round trip of 4 KiB over loopback    %8.2f ms\n", s->round_trip_ms);
	printf("  4 KiB written and synced by one        %8.2f ms\n", s->sync_ms);
}

void
s3_print(const struct s3_bench *s)
{
	bench_print_parts(&s->parts);
	printf("\nthe floor of a PUT at 4+2 with a signed payload, per GiB of object\n");
	bench_print_floor(FLOOR_S3_PUT_SIGNED, &s->parts);
	printf("  %-44s %6.3f\n", "with an unsigned payload", bench_floor(FLOOR_S3_PUT, &s->parts));
	printf("\nthe floor of a GET at 4+2, per GiB of object\n");
	bench_print_floor(FLOOR_S3_GET, &s->parts);
	for (enum s3_shape shape = 0; shape < S3_SHAPES; shape++) {
		for (enum s3_way way = 0; way < S3_WAYS; way++)
			print_runs(s, shape, way);
	}
	print_rates(s);
	(void)fflush(stdout);
}

/* ---- for machines ---- */

static struct json_value *
runs_json(const struct s3_bench *s, enum s3_shape shape, enum s3_way way)
{
	struct json_value *o = json_make_object(), *list = json_make_array();
	double floor_cost = bench_floor(floors[way], &s->parts);
	double best = s3_run_cost(s, shape, &s->runs[shape][way][s3_run_best(s, shape, way)]);

	for (size_t i = 0; i < s->b->runs; i++) {
		const struct s3_run *r = &s->runs[shape][way][i];
		struct json_value *v = json_make_object();

		json_put_real(v, "wall_s", r->wall);
		json_put_real(v, "client_cpu_s", r->client);
		json_put_real(v, "gateway_cpu_s", r->gateway);
		json_put_real(v, "peers_cpu_s", r->nodes);
		json_put_real(v, "foreign_cpu_s", r->foreign);
		json_put_real(v, "mb_per_s", speed(s, shape, r));
		json_put_real(v, "cpu_s_per_gib", s3_run_cost(s, shape, r));
		json_add_value(list, v);
	}
	json_put_real(o, "floor_cpu_s_per_gib", floor_cost);
	json_put_real(o, "best_cpu_s_per_gib", best);
	json_put_real(o, "best_of_floor", best / floor_cost);
	json_put_value(o, "runs", list);
	return o;
}

static struct json_value *
rates_json(const struct s3_bench *s, enum s3_kind kind)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < ARRAY_LEN(in_flight); i++) {
		const struct s3_rate *r = &s->rates[kind][i];
		struct json_value *v = json_make_object();

		json_put_number(v, "in_flight", in_flight[i]);
		json_put_real(v, "per_s", r->per_s);
		json_put_real(v, "p50_ms", r->p50_ms);
		json_put_real(v, "p99_ms", r->p99_ms);
		json_put_number(v, "answered", r->done);
		json_put_number(v, "refused", r->refused);
		json_add_value(list, v);
	}
	return list;
}

int
s3_say_json(const struct s3_bench *s)
{
	struct json_value *o = json_make_object(), *rates = json_make_object();

	for (enum s3_shape shape = 0; shape < S3_SHAPES; shape++) {
		struct json_value *v = json_make_object();

		json_put_number(v, "bytes", s->bytes[shape]);
		json_put_number(v, "objects", shape == S3_ONE ? 1 : S3_MANY_COUNT);
		for (enum s3_way way = 0; way < S3_WAYS; way++)
			json_put_value(v, way_keys[way], runs_json(s, shape, way));
		json_put_value(o, shape_keys[shape], v);
	}
	for (enum s3_kind kind = 0; kind < S3_KINDS; kind++)
		json_put_value(rates, kind_keys[kind], rates_json(s, kind));
	json_put_value(o, "small", rates);
	json_put_value(o, "parts_cpu_s_per_gib", bench_parts_json(&s->parts));
	json_put_real(o, "round_trip_ms", s->round_trip_ms);
	json_put_real(o, "sync_ms", s->sync_ms);
	return json_say(o);
}
