/*
 * What repair can do, and what it takes from users. Two networks of real peers, one after another:
 *
 *	speed      no limit: a file is put, one peer is killed, and the time is taken from the first
 *	           rebuilt byte to the last; once for each run, each with one peer less
 *	courtesy   a small file is put and got again and again, in turn while a killed peer's shards
 *	           are rebuilt and when they are: a peer that is gone costs clients something, too,
 *	           until all have noticed, so it is gone in both, and for long enough. All peers
 *	           share this machine: together they may move what one node may
 *
 * How far they are is asked over the peers' own sockets: a line out, a line in.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/control.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "storage/keeper.h"

#define PEERS      10
#define CODE       "4/5/6" /* repairs at the first loss */
/* So many peers can go and still leave one that takes what is missing. */
#define RUNS_MAX   3
#define LOAD_BYTES MIB(64)
/* Seldom: each question costs every peer a millisecond, which is not to be what is measured. */
#define ASK_MS     200
/* Silence becomes a loss after some seconds on a test network; then work begins at once. */
#define BEGIN_S    90
/* The rate is low on purpose, and the machine may be busy. */
#define END_S      900
/* No byte for so long, and nothing due: it is done. What is due and waits for nodes that fit does
 * not count for ever. */
#define QUIET_S    2.0
#define STUCK_S    30.0
/* Puts and gets of each kind in a run. */
#define PAIRS      6
/* Until the tables of all have let go of the dead one. On other networks repair begins hours after
 * that; here it would cost each of the first puts three seconds. */
#define SETTLE_S   25.0
/* So much is put before: its repair lasts until the pairs are made. */
#define STOCK      GIB(3)

struct progress {
	uint64_t fetched, sent, due;
};

struct speed {
	double seconds;
	uint64_t rebuilt, moved;
	double cpu, foreign; /* of the peers, of everybody else meanwhile */
};

/* ---- how far they are ---- */

static int
ask(const char *dir, const char *question, struct buf *answer)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char path[PATH_BYTES_MAX], piece[4096];
	int fd = -1, err = dirs_path(dir, DIRS_SOCKET, path);
	ssize_t n;

	if (err == ERR_OK && strlen(path) >= sizeof(to.sun_path))
		err = ERR_TOO_BIG;
	if (err != ERR_OK)
		return err;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    write(fd, question, strlen(question)) != (ssize_t)strlen(question))
		err = err_from_errno(errno);
	while (err == ERR_OK && (n = read(fd, piece, sizeof(piece))) > 0)
		err = buf_append(answer, piece, (size_t)n);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* Who does not answer is dead: it moves nothing any more, and what it moved is not ours. */
static void
add_progress(const struct bench_net *w, size_t peer, struct progress *sum)
{
	char name[32], dir[PATH_BYTES_MAX];
	struct json_value *o = NULL;
	const struct json_value *repair;
	struct buf answer;

	buf_init(&answer, CONTROL_REPLY_MAX);
	(void)snprintf(name, sizeof(name), "peer-%zu", peer + 1);
	if (dirs_path(w->net, name, dir) == ERR_OK &&
	    ask(dir, "{\"command\":\"repair\"}\n", &answer) == ERR_OK &&
	    json_parse((const char *)answer.data, answer.len, &o) == ERR_OK) {
		repair = json_child(o, "repair");
		sum->fetched += json_number(repair, "bytes_fetched");
		sum->sent += json_number(repair, "bytes_sent");
		sum->due += json_number(repair, "due");
	}
	json_free(o);
	buf_fini(&answer);
}

static struct progress
progress(const struct bench_net *w)
{
	struct progress sum = { 0 };

	for (size_t i = 0; i < w->peers_count; i++) {
		if (w->peers[i] > 0)
			add_progress(w, i, &sum);
	}
	return sum;
}

/* For good; its shards count as lost when its grace is over. */
static void
kill_last(struct bench_net *w)
{
	size_t i = w->peers_count;

	while (w->peers[i - 1] == 0)
		i--;
	(void)kill(w->peers[i - 1], SIGKILL);
	w->peers[i - 1] = 0;
}

static void
nap(void)
{
	(void)poll(NULL, 0, ASK_MS);
}

struct moment {
	double wall, peers, machine; /* the latter: CPU so far */
};

static struct moment
moment(const struct bench_net *w)
{
	return (struct moment){ bench_wall_now(), bench_net_cpu(w), bench_machine_cpu() };
}

/* Until something has moved. */
static int
wait_begin(struct bench_net *w, const struct progress *before)
{
	double end = bench_wall_now() + BEGIN_S;

	while (progress(w).fetched <= before->fetched) {
		if (bench_wall_now() > end)
			return bench_failed(w, "nothing is being repaired");
		nap();
	}
	return ERR_OK;
}

/* Until nothing moves and nothing is due; *last: when the last byte was seen to have moved, and
 * what CPU had been used by then. */
static int
wait_end(struct bench_net *w, struct progress *now, struct moment *last)
{
	double end = bench_wall_now() + END_S;
	struct progress p = progress(w);

	*last = moment(w);
	for (*now = p; bench_wall_now() < last->wall + (p.due > 0 ? STUCK_S : QUIET_S); *now = p) {
		if (bench_wall_now() > end)
			return bench_failed(w, "the repair does not end");
		nap();
		p = progress(w);
		if (p.sent != now->sent || p.fetched != now->fetched)
			*last = moment(w);
	}
	return ERR_OK;
}

/* ---- speed ---- */

static int
speed_once(struct bench_net *w, struct speed *out)
{
	struct progress before, after;
	struct moment began, ended;
	int err;

	kill_last(w);
	/* What the dead one had moved is not in any later sum. */
	before = progress(w);
	err = wait_begin(w, &before);
	began = moment(w);
	if (err == ERR_OK)
		err = wait_end(w, &after, &ended);
	if (err != ERR_OK)
		return err;
	/* It began somewhere within the last look. */
	out->seconds = ended.wall - began.wall + ASK_MS / 2e3;
	out->rebuilt = after.sent - before.sent;
	out->moved = out->rebuilt + after.fetched - before.fetched;
	out->cpu = ended.peers - began.peers;
	out->foreign = MAX(ended.machine - began.machine - out->cpu, 0);
	return out->rebuilt > 0 ? ERR_OK : bench_failed(w, "nothing was rebuilt");
}

static int
measure_speed(struct bench_net *w, struct speed *out, size_t runs)
{
	struct bench_run unused;
	int err = bench_make_input(w);

	w->repair_rate = 0;
	if (err == ERR_OK)
		err = bench_net_start(w);
	if (err == ERR_OK)
		err = bench_put_once(w, &unused);
	for (size_t i = 0; i < runs && err == ERR_OK; i++)
		err = speed_once(w, &out[i]);
	if (err == ERR_OK)
		err = bench_get_once(w, &unused);
	if (err == ERR_OK)
		err = bench_same_files(w);
	bench_net_stop(w);
	return err;
}

/* ---- courtesy ---- */

struct load {
	double seconds; /* of puts and gets */
	double foreign; /* CPU of everybody else meanwhile */
	unsigned pairs;
};

static int
load_once(struct bench_net *w, struct load *sum)
{
	struct bench_run put, get;
	int err = bench_put_once(w, &put);

	if (err == ERR_OK)
		err = bench_get_once(w, &get);
	if (err == ERR_OK) {
		sum->seconds += put.wall + get.wall;
		sum->foreign += put.foreign + get.foreign;
		sum->pairs++;
	}
	return err;
}

/* As many pairs as fit into the repair of one peer's shards, then some at rest. */
static int
courtesy_once(struct bench_net *w, struct load *rest, struct load *beside)
{
	struct progress before, now;
	unsigned pairs = rest->pairs + PAIRS, most = beside->pairs + PAIRS;
	unsigned tries = 0;
	double killed = bench_wall_now();
	struct moment last;
	int err;

	kill_last(w);
	before = progress(w);
	err = wait_begin(w, &before);
	while (err == ERR_OK && bench_wall_now() < killed + SETTLE_S)
		nap();
	for (now = progress(w);
	     err == ERR_OK && now.due > 0 && beside->pairs < most && tries < 2 * PAIRS; tries++) {
		struct load one = { 0 };

		before = now;
		err = load_once(w, &one);
		now = progress(w);
		/* The last one may have had the machine to itself. */
		if (err == ERR_OK && now.due > 0 && now.sent > before.sent) {
			beside->seconds += one.seconds;
			beside->foreign += one.foreign;
			beside->pairs++;
		}
	}
	if (err == ERR_OK)
		err = wait_end(w, &now, &last);
	while (err == ERR_OK && rest->pairs < pairs)
		err = load_once(w, rest);
	return err;
}

static int
measure_courtesy(struct bench_net *w, struct load *rest, struct load *beside, size_t runs)
{
	struct bench_run unused;
	int err = bench_make_input(w);

	w->repair_rate = REPAIR_BYTES_S / w->peers_count;
	if (err == ERR_OK)
		err = bench_net_start(w);
	/* What will be repaired; then what is put and got beside. */
	for (uint64_t put = 0; put < STOCK && err == ERR_OK; put += w->input_bytes)
		err = bench_put_once(w, &unused);
	w->input_bytes = LOAD_BYTES;
	if (err == ERR_OK)
		err = bench_make_input(w);
	for (size_t i = 0; i < runs && err == ERR_OK; i++)
		err = courtesy_once(w, rest, beside);
	if (err == ERR_OK && beside->pairs == 0)
		err = bench_failed(w, "the repair was over too soon; give a larger --size");
	bench_net_stop(w);
	return err;
}

/* ---- telling ---- */

static double
pair_seconds(const struct load *l)
{
	return l->seconds / l->pairs;
}

static void
print_speed(const struct bench *b, const struct speed *speed, size_t runs)
{
	printf("repair of %" PRIu64 " MiB after the loss of one of %d peers, code " CODE
	       ", no limit\n",
	    b->bytes >> 20, PEERS);
	printf("  run   rebuilt MiB    seconds   rebuilt MB/s   moved MB/s   CPU s/GiB rebuilt   "
	       "foreign CPU\n");
	for (size_t i = 0; i < runs; i++) {
		const struct speed *s = &speed[i];

		printf("  %3zu  %12" PRIu64 "  %9.2f  %13.1f  %11.1f  %18.2f  %12.2f\n", i + 1,
		    s->rebuilt >> 20, s->seconds, (double)s->rebuilt / 1e6 / s->seconds,
		    (double)s->moved / 1e6 / s->seconds, s->cpu / ((double)s->rebuilt / GIB(1)),
		    s->foreign / s->seconds);
	}
	(void)fflush(stdout);
}

static void
print_load(const char *when, const struct load *l)
{
	printf("  %-13s  %7.3f s for both (%u of them), foreign CPU %.2f\n", when, pair_seconds(l),
	    l->pairs, l->foreign / l->seconds);
}

static void
print_courtesy(const struct load *rest, const struct load *beside)
{
	printf("\nputs and gets of %" PRIu64 " MiB, repair at most at %.1f MiB/s in all\n",
	    LOAD_BYTES >> 20, (double)REPAIR_BYTES_S / MIB(1));
	print_load("at rest", rest);
	print_load("beside repair", beside);
	printf(
	    "  repair takes    %+6.1f %%\n", (pair_seconds(beside) / pair_seconds(rest) - 1) * 100);
	(void)fflush(stdout);
}

static int
say_json(const struct bench *b, const struct speed *speed, size_t runs, const struct load *rest,
    const struct load *beside)
{
	struct json_value *o = json_make_object(), *list = json_make_array();

	for (size_t i = 0; i < runs; i++) {
		struct json_value *v = json_make_object();

		json_put_number(v, "rebuilt_bytes", speed[i].rebuilt);
		json_put_number(v, "moved_bytes", speed[i].moved);
		json_put_real(v, "seconds", speed[i].seconds);
		json_put_real(
		    v, "rebuilt_mb_per_s", (double)speed[i].rebuilt / 1e6 / speed[i].seconds);
		json_put_real(v, "peers_cpu_s", speed[i].cpu);
		json_put_real(v, "foreign_cpu_s", speed[i].foreign);
		json_add_value(list, v);
	}
	json_put_number(o, "bytes", b->bytes);
	json_put_value(o, "repairs", list);
	json_put_real(o, "load_at_rest_s", pair_seconds(rest));
	json_put_real(o, "load_beside_repair_s", pair_seconds(beside));
	json_put_real(o, "foreign_cpu_s", rest->foreign + beside->foreign);
	json_put_real(o, "repair_takes", pair_seconds(beside) / pair_seconds(rest) - 1);
	return json_say(o);
}

static int
next_dir(struct bench *b, struct bench_net *w)
{
	int err = bench_dir_empty(b);

	return err == ERR_OK ? bench_net_init(w, b) : err;
}

int
bench_repair_run(struct bench *b)
{
	struct bench_net *w = calloc(1, sizeof(*w));
	struct speed speed[RUNS_MAX] = { { 0 } };
	struct load rest = { 0 }, beside = { 0 };
	size_t runs = MIN((size_t)b->runs, (size_t)RUNS_MAX);
	int err = w == NULL ? ERR_NOMEM : bench_net_init(w, b);

	if (err == ERR_OK) {
		w->peers_count = PEERS;
		w->code = CODE;
		err = measure_speed(w, speed, runs);
	}
	if (err == ERR_OK && !b->json)
		print_speed(b, speed, runs);
	if (err == ERR_OK)
		err = next_dir(b, w);
	if (err == ERR_OK)
		err = measure_courtesy(w, &rest, &beside, runs);
	free(w);
	if (err != ERR_OK)
		return err;
	if (b->json)
		return say_json(b, speed, runs, &rest, &beside);
	print_courtesy(&rest, &beside);
	return ERR_OK;
}
