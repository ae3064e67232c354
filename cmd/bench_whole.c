/* The whole: one file in a network of six peers, put and got, written and read as a content. */
#include <stdlib.h>

#include "cmd/bench.h"
#include "storage/keeper.h"

#define PEERS     6
#define CODE_TEXT "4/5/6"

static int
measure(struct bench_net *w)
{
	int err = bench_make_input(w);

	if (err == ERR_OK)
		err = bench_net_start(w);
	for (size_t i = 0; i < w->b->runs && err == ERR_OK; i++) {
		err = bench_put_once(w, &w->b->result[BENCH_PUT][i]);
		if (err == ERR_OK)
			err = bench_get_once(w, &w->b->result[BENCH_GET][i]);
		if (err == ERR_OK)
			err = bench_same_files(w);
		if (err == ERR_OK)
			err = bench_write_once(w, &w->b->result[BENCH_WRITE][i]);
		if (err == ERR_OK)
			err = bench_read_once(w, &w->b->result[BENCH_READ][i]);
		if (err == ERR_OK)
			err = bench_same_files(w);
	}
	bench_net_stop(w);
	return err;
}

int
bench_whole_run(struct bench *b)
{
	struct bench_net *w = calloc(1, sizeof(*w));
	int err = w == NULL ? ERR_NOMEM : bench_net_init(w, b);

	if (err == ERR_OK) {
		w->peers_count = PEERS;
		w->code = CODE_TEXT;
		w->repair_rate = REPAIR_BYTES_S;
		err = measure(w);
	}
	free(w);
	return err;
}

size_t
bench_best(const struct bench *b, enum bench_way way)
{
	size_t best = 0;

	for (size_t i = 1; i < b->runs; i++) {
		if (bench_cost(b, &b->result[way][i]) < bench_cost(b, &b->result[way][best]))
			best = i;
	}
	return best;
}

double
bench_cost(const struct bench *b, const struct bench_run *r)
{
	return (r->client + r->nodes) / ((double)b->bytes / GIB(1));
}

double
bench_speed(const struct bench *b, const struct bench_run *r)
{
	return (double)b->bytes / 1e6 / r->wall;
}
