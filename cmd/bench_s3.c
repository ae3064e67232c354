/*
 * The whole through S3: six peers and a gateway as processes, this one is the client. Parts first,
 * then one large object and many at once, written and read, then small requests. What was written
 * is read back and compared once more besides, so that comparing costs no measured read anything;
 * hashes that are signed are made before, as a client has them that signs what it knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/bench_s3.h"
#include "cmd/json.h"
#include "storage/keeper.h"

#define PEERS    6
/* A put goes on behind its answer: peers tell where its shards lie. That is its cost, and must be
 * none of the read that comes next. */
#define SETTLE_S 1

struct process {
	struct s3_bench *s;
	struct bench_net *net;
	pid_t gateway;
	uint8_t *pool;
};

/* ---- what it took ---- */

static double
own_cpu(void)
{
	struct rusage use;

	must(getrusage(RUSAGE_SELF, &use) == 0);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

struct moment {
	double wall, client, gateway, nodes, machine;
};

static struct moment
moment(const struct process *p)
{
	return (struct moment){ bench_wall_now(), own_cpu(), bench_process_cpu(p->gateway),
		bench_net_cpu(p->net), bench_machine_cpu() };
}

static void
run_between(const struct moment *began, const struct moment *ended, struct s3_run *r)
{
	r->counted = ended->wall - began->wall;
	r->client = ended->client - began->client;
	r->gateway = ended->gateway - began->gateway;
	r->nodes = ended->nodes - began->nodes;
	r->foreign = MAX(ended->machine - began->machine - r->client - r->gateway - r->nodes, 0);
}

double
s3_run_cost(const struct s3_bench *s, enum s3_shape shape, const struct s3_run *r)
{
	return (r->client + r->gateway + r->nodes) / ((double)s->bytes[shape] / GIB(1));
}

size_t
s3_run_best(const struct s3_bench *s, enum s3_shape shape, enum s3_way way)
{
	const struct s3_run *runs = s->runs[shape][way];
	size_t best = 0;

	for (size_t i = 1; i < s->b->runs; i++) {
		if (s3_run_cost(s, shape, &runs[i]) < s3_run_cost(s, shape, &runs[best]))
			best = i;
	}
	return best;
}

/* ---- doing ---- */

static int
failed(struct process *p, const char *what, int err, unsigned status)
{
	char text[160];

	if (err == ERR_OK)
		return ERR_OK;
	(void)snprintf(text, sizeof(text), "%s: %s (last answer: %u)", what, err_text(err), status);
	return bench_failed(p->net, text);
}

static int
large_once(struct process *p, struct s3_large *l, struct s3_run *r)
{
	struct moment began = moment(p), ended;
	unsigned status = 0;
	int err = s3_large_run(&p->s->account, l, &status);
	double wall = bench_wall_now() - began.wall;

	if (!l->get && err == ERR_OK)
		(void)sleep(SETTLE_S);
	ended = moment(p);
	if (r != NULL) {
		run_between(&began, &ended, r);
		r->wall = wall;
	}
	return failed(p, l->get ? "objects are not read" : "objects are not written", err, status);
}

static int
large_shape(struct process *p, enum s3_shape shape, struct s3_large *l)
{
	int err = s3_large_hash(l);

	for (size_t i = 0; i < p->s->b->runs && err == ERR_OK; i++) {
		for (enum s3_way way = 0; way < S3_WAYS && err == ERR_OK; way++) {
			l->get = way == S3_WAY_GET;
			l->sign = way == S3_WAY_PUT_SIGNED;
			l->compare = false;
			err = large_once(p, l, &p->s->runs[shape][way][i]);
		}
		l->compare = true;
		if (err == ERR_OK)
			err = large_once(p, l, NULL);
	}
	return err;
}

static int
large(struct process *p)
{
	struct s3_large *l = calloc(1, sizeof(*l));
	int err = l == NULL ? ERR_NOMEM : ERR_OK;

	for (enum s3_shape shape = 0; shape < S3_SHAPES && err == ERR_OK; shape++) {
		l->pool = p->pool;
		l->count = shape == S3_ONE ? 1 : S3_MANY_COUNT;
		l->bytes = p->s->bytes[shape] / l->count;
		err = large_shape(p, shape, l);
	}
	free(l);
	return err;
}

static int
rates(struct process *p)
{
	static const size_t in_flight[] = { 1, S3_CROWD_MAX };
	int err = ERR_OK;

	for (enum s3_kind kind = 0; kind < S3_KINDS && err == ERR_OK; kind++) {
		for (size_t i = 0; i < ARRAY_LEN(in_flight) && err == ERR_OK; i++) {
			unsigned status = 0;

			err = failed(p, "small requests fail",
			    s3_rate_run(&p->s->account, p->pool, kind, in_flight[i],
				p->s->b->seconds, &p->s->rates[kind][i], &status),
			    status);
		}
	}
	return err;
}

static int
measure(struct process *p)
{
	unsigned status = 0;
	int err = bench_make_input(p->net);

	if (err == ERR_OK)
		err = bench_read_input(p->net, p->pool, S3_POOL_BYTES);
	if (err == ERR_OK)
		err = bench_net_start(p->net);
	if (err == ERR_OK)
		err = s3_account_read(&p->s->account, p->net->told);
	if (err == ERR_OK) {
		p->gateway = (pid_t)json_number(json_child(p->net->told, "s3"), "gateway_pid");
		err = failed(p, "a bucket is not made",
		    s3_rate_prepare(&p->s->account, p->pool, &status), status);
	}
	if (err == ERR_OK)
		err = large(p);
	if (err == ERR_OK)
		err = rates(p);
	bench_net_stop(p->net);
	return err;
}

static int
network(struct s3_bench *s)
{
	struct bench_net *w = calloc(1, sizeof(*w));
	struct process p = { .s = s, .net = w, .pool = malloc(S3_POOL_BYTES) };
	int err = w == NULL || p.pool == NULL ? ERR_NOMEM : bench_net_init(w, s->b);

	if (err == ERR_OK) {
		w->peers_count = PEERS;
		w->code = S3_CODE;
		w->repair_rate = REPAIR_BYTES_S;
		w->input_bytes = S3_POOL_BYTES;
		w->s3 = true;
		w->real_pace = true;
		err = measure(&p);
	}
	free(p.pool);
	free(w);
	return err;
}

static bool
make_runs(struct s3_bench *s)
{
	bool made = true;

	for (enum s3_shape shape = 0; shape < S3_SHAPES; shape++) {
		for (enum s3_way way = 0; way < S3_WAYS; way++) {
			s->runs[shape][way] = calloc(s->b->runs, sizeof(struct s3_run));
			made &= s->runs[shape][way] != NULL;
		}
	}
	return made;
}

int
bench_s3_run(struct bench *b)
{
	struct s3_bench *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	s->b = b;
	s->bytes[S3_ONE] = b->bytes;
	s->bytes[S3_MANY] = MIN(S3_MANY_BYTES, b->bytes / S3_MANY_COUNT) * S3_MANY_COUNT;
	err = make_runs(s) ? bench_parts_run(b->dir, &s->parts) : ERR_NOMEM;
	if (err == ERR_OK)
		err = s3_moments(b->dir, &s->round_trip_ms, &s->sync_ms);
	if (err == ERR_OK)
		err = network(s);
	if (err == ERR_OK && b->json)
		err = s3_say_json(s);
	else if (err == ERR_OK)
		s3_print(s);
	for (enum s3_shape shape = 0; shape < S3_SHAPES; shape++) {
		for (enum s3_way way = 0; way < S3_WAYS; way++)
			free(s->runs[shape][way]);
	}
	crypto_wipe(&s->account, sizeof(s->account));
	free(s);
	return err;
}
