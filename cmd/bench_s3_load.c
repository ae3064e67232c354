/*
 * Who asks: a crowd of threads, each with a connection of its own that it keeps. Large objects: one
 * request each. Small ones: one after another until the time is over, with the time of each.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/bench_s3.h"

#define TARGET_MAX    128
#define SAMPLES_FIRST 1024
/* Of one worker: 80 MB at most for 64. Who is faster than that has been measured long enough. */
#define SAMPLES_MAX   ((size_t)1 << 18)

/* ---- a crowd ---- */

struct worker {
	struct s3_crowd *crowd;
	size_t number;
	pthread_t thread;
	int err;
	unsigned status;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct s3_conn c;

	w->err = s3_conn_open(&c, w->crowd->account);
	if (w->err == ERR_OK)
		w->err = w->crowd->work(&c, w->number, w->crowd->arg);
	w->status = c.status;
	s3_conn_close(&c);
	return NULL;
}

int
s3_crowd_run(struct s3_crowd *crowd)
{
	struct worker *all = calloc(crowd->count, sizeof(*all));
	size_t started = 0;
	int err = all == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && started < crowd->count) {
		all[started] = (struct worker){ .crowd = crowd, .number = started };
		if (pthread_create(&all[started].thread, NULL, work, &all[started]) != 0)
			err = ERR_NOMEM;
		else
			started++;
	}
	for (size_t i = 0; i < started; i++) {
		must(pthread_join(all[i].thread, NULL) == 0);
		if (err == ERR_OK && all[i].err != ERR_OK) {
			err = all[i].err;
			crowd->status = all[i].status;
		}
	}
	free(all);
	return err;
}

static int
crowd_of(const struct s3_account *a, size_t count,
    int (*one)(struct s3_conn *c, size_t worker, void *arg), void *arg, unsigned *status)
{
	struct s3_crowd crowd = { .account = a, .count = count, .work = one, .arg = arg };
	int err = s3_crowd_run(&crowd);

	*status = crowd.status;
	return err;
}

/* ---- large objects ---- */

/* Each object begins elsewhere in the pool, so that no two are the same. */
static struct s3_body
large_body(const struct s3_large *l, size_t worker)
{
	return (struct s3_body){
		.pool = l->pool, .start = worker * (S3_POOL_BYTES / S3_CROWD_MAX), .bytes = l->bytes
	};
}

int
s3_large_hash(struct s3_large *l)
{
	int err = ERR_OK;

	for (size_t i = 0; i < l->count && err == ERR_OK; i++) {
		struct s3_body body = large_body(l, i);

		err = s3_body_hash(&body, l->hashes[i]);
	}
	return err;
}

static int
large_one(struct s3_conn *c, size_t worker, void *arg)
{
	const struct s3_large *l = arg;
	struct s3_body body = large_body(l, worker);
	char target[TARGET_MAX];
	struct s3_request r = { .method = l->get ? "GET" : "PUT",
		.target = target,
		.payload = l->sign ? l->hashes[worker] : NULL,
		.send = l->get ? NULL : &body,
		.expect = l->get && l->compare ? &body : NULL };
	uint64_t got = 0;
	int err;

	(void)snprintf(target, sizeof(target), "/bench/large/%zu/%zu", l->count, worker);
	err = s3_ask(c, &r, &got);
	if (err == ERR_OK && l->get && got != l->bytes)
		err = ERR_CORRUPT;
	return err;
}

int
s3_large_run(const struct s3_account *a, struct s3_large *l, unsigned *status)
{
	return crowd_of(a, l->count, large_one, l, status);
}

/* ---- small requests ---- */

struct samples {
	float *ms;
	size_t count, room;
	uint64_t refused;
};

struct rate_work {
	const struct s3_account *account;
	const uint8_t *pool;
	enum s3_kind kind;
	double end;
	struct samples of[S3_CROWD_MAX];
};

static struct s3_body
small_body(const uint8_t *pool, size_t number)
{
	return (struct s3_body){
		.pool = pool, .start = number * S3_SMALL_BYTES, .bytes = S3_SMALL_BYTES
	};
}

static int
put_small(struct s3_conn *c, const uint8_t *pool, const char *target, size_t number)
{
	struct s3_body body = small_body(pool, number);
	struct s3_request r = { .method = "PUT", .target = target, .send = &body };

	return s3_ask(c, &r, NULL);
}

static int
get_small(struct s3_conn *c, const uint8_t *pool, size_t number)
{
	char target[TARGET_MAX];
	struct s3_body body = small_body(pool, number);
	struct s3_request r = { .method = "GET", .target = target, .expect = &body };

	(void)snprintf(target, sizeof(target), "/bench/small/%zu", number);
	return s3_ask(c, &r, NULL);
}

static int
list_small(struct s3_conn *c)
{
	struct s3_request r = { .method = "GET", .target = "/bench?list-type=2&prefix=small%2F" };
	uint64_t got = 0;
	int err = s3_ask(c, &r, &got);

	/* Each key takes more than its name: fewer bytes are not all of them. */
	return err == ERR_OK && got < S3_LIST_KEYS * strlen("<Key>small/0</Key>") ? ERR_CORRUPT
										  : err;
}

static int
ask_small(struct s3_conn *c, const struct rate_work *w, size_t worker, size_t turn)
{
	char target[TARGET_MAX];
	size_t number = (worker * 7 + turn) % S3_LIST_KEYS;

	switch (w->kind) {
	case S3_PUT:
		(void)snprintf(target, sizeof(target), "/bench/new/%zu/%zu", worker, turn);
		return put_small(c, w->pool, target, number);
	case S3_GET:
		return get_small(c, w->pool, number);
	default:
		return list_small(c);
	}
}

static int
add_sample(struct samples *s, double ms)
{
	if (s->count == s->room) {
		size_t room = s->room == 0 ? SAMPLES_FIRST : 2 * s->room;
		float *more = realloc(s->ms, room * sizeof(*more));

		if (more == NULL)
			return ERR_NOMEM;
		s->ms = more;
		s->room = room;
	}
	s->ms[s->count++] = (float)ms;
	return ERR_OK;
}

static int
rate_one(struct s3_conn *c, size_t worker, void *arg)
{
	struct rate_work *w = arg;
	struct samples *s = &w->of[worker];
	int err = ERR_OK;
	double now = bench_wall_now();

	for (size_t turn = 0; err == ERR_OK && now < w->end && s->count < SAMPLES_MAX; turn++) {
		double began = now;

		err = ask_small(c, w, worker, turn);
		now = bench_wall_now();
		if (err == ERR_OK)
			err = add_sample(s, (now - began) * 1e3);
		else if (err == ERR_REFUSED && c->status == 503) {
			s->refused++;
			/* Who refuses may close, too. */
			s3_conn_close(c);
			err = s3_conn_open(c, w->account);
		}
	}
	return err;
}

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* Of all workers together. ERR_STATE: not one was answered. */
static int
sum_up(const struct rate_work *w, double seconds, struct s3_rate *out)
{
	struct s3_rate r = { 0 };
	size_t at = 0;
	float *all;

	for (size_t i = 0; i < S3_CROWD_MAX; i++) {
		r.done += w->of[i].count;
		r.refused += w->of[i].refused;
	}
	if (r.done == 0)
		return ERR_STATE;
	all = malloc(r.done * sizeof(*all));
	if (all == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < S3_CROWD_MAX; at += w->of[i++].count) {
		if (w->of[i].count > 0)
			memcpy(all + at, w->of[i].ms, w->of[i].count * sizeof(*all));
	}
	qsort(all, r.done, sizeof(*all), by_value);
	r.per_s = (double)r.done / seconds;
	r.p50_ms = (double)all[r.done / 2];
	r.p99_ms = (double)all[MIN(r.done - 1, r.done * 99 / 100)];
	free(all);
	*out = r;
	return ERR_OK;
}

int
s3_rate_run(const struct s3_account *a, const uint8_t *pool, enum s3_kind kind, size_t in_flight,
    uint64_t seconds, struct s3_rate *out, unsigned *status)
{
	struct rate_work *w = calloc(1, sizeof(*w));
	double began = bench_wall_now();
	int err;

	if (w == NULL)
		return ERR_NOMEM;
	w->account = a;
	w->pool = pool;
	w->kind = kind;
	w->end = began + (double)seconds;
	err = crowd_of(a, in_flight, rate_one, w, status);
	if (err == ERR_OK)
		err = sum_up(w, bench_wall_now() - began, out);
	for (size_t i = 0; i < S3_CROWD_MAX; i++)
		free(w->of[i].ms);
	free(w);
	return err;
}

static int
prepare(struct s3_conn *c, size_t worker, void *arg)
{
	/* Without a code of its own a bucket's depends on how many peers there are. */
	static const char configuration[] =
	    "<CreateBucketConfiguration><LocationConstraint>code:" S3_CODE
	    "</LocationConstraint></CreateBucketConfiguration>";
	struct s3_body body = { .pool = (const uint8_t *)configuration,
		.bytes = sizeof(configuration) - 1 };
	struct s3_request make = { .method = "PUT", .target = "/bench", .send = &body };
	int err = s3_ask(c, &make, NULL);

	(void)worker;
	for (size_t i = 0; i < S3_LIST_KEYS && err == ERR_OK; i++) {
		char target[TARGET_MAX];

		(void)snprintf(target, sizeof(target), "/bench/small/%zu", i);
		err = put_small(c, arg, target, i);
	}
	return err;
}

int
s3_rate_prepare(const struct s3_account *a, const uint8_t *pool, unsigned *status)
{
	return crowd_of(a, 1, prepare, (void *)(uintptr_t)pool, status);
}
