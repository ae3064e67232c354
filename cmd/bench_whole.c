/*
 * The whole: `skerry testnet` with six peers as a child, `skerry put` and `skerry get` as children,
 * N times. The client's CPU comes from its own accounting when it has ended, the peers' from
 * /proc/PID/stat before and after. What the machine did besides is told, because it lengthens
 * the wall time and, through shared caches, everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"
#include "cmd/spawn.h"
#include "object/link.h"

#define PEERS          6
#define PEERS_TEXT     "6"
#define CODE_TEXT      "4/5/6"
#define LINE_BYTES_MAX KIB(64) /* of testnet --json */
#define INPUT_PIECE    MIB(1)

struct whole {
	struct bench *b;
	char program[PATH_BYTES_MAX];
	char net[PATH_BYTES_MAX], input[PATH_BYTES_MAX], output[PATH_BYTES_MAX],
	    link[PATH_BYTES_MAX];
	pid_t testnet;
	pid_t peers[PEERS];
};

static int
failed(struct whole *w, const char *what)
{
	say_error(w->b->command, "%s", what);
	w->b->told = true;
	return ERR_STATE;
}

/* ---- clocks ---- */

static double
wall_now(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
ticks(uint64_t n)
{
	return (double)n / (double)sysconf(_SC_CLK_TCK);
}

/* User and system time of a process so far, all threads; 0 when it is gone. */
static double
process_cpu(pid_t pid)
{
	char path[64], text[1024];
	const char *end;
	uint64_t user, sys;
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	/* proc(5): the name may hold anything, so count from the last parenthesis. */
	end = strrchr(text, ')');
	if (end == NULL ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		&user, &sys) != 2)
		return 0;
	return ticks(user + sys);
}

static double
peers_cpu(const struct whole *w)
{
	double sum = process_cpu(w->testnet);

	for (size_t i = 0; i < PEERS; i++)
		sum += process_cpu(w->peers[i]);
	return sum;
}

/* CPU of the whole machine so far: all but idle and waiting. */
static double
machine_cpu(void)
{
	uint64_t user, nice, sys, idle, wait, irq, soft, steal;
	FILE *f = fopen("/proc/stat", "re");
	double sum = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f,
		"cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64 " %" SCNu64,
		&user, &nice, &sys, &idle, &wait, &irq, &soft, &steal) == 8)
		sum = ticks(user + nice + sys + irq + soft + steal);
	(void)fclose(f);
	return sum;
}

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* ---- children ---- */

static int
read_peers(struct whole *w, const struct json_value *o)
{
	const struct json_value *list = json_child(o, "peers");

	if (json_count(list) != PEERS)
		return ERR_INVALID;
	for (size_t i = 0; i < PEERS; i++)
		w->peers[i] = (pid_t)json_number(json_at(list, i), "pid");
	return ERR_OK;
}

/* The one line that testnet prints when all have joined. */
static int
read_line(int fd, struct buf *out)
{
	char c;
	ssize_t n;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
		int err = buf_append(out, &c, 1);

		if (err != ERR_OK)
			return err;
	}
	return n == 1 ? ERR_OK : ERR_CLOSED;
}

static int
network_start(struct whole *w)
{
	const char *argv[] = { w->program, "testnet", "--dir", w->net, "--peers", PEERS_TEXT,
		"--code", CODE_TEXT, "--json", NULL };
	struct spawn_opts opts = {
		.program = w->program, .argv = argv, .in = -1, .err = STDERR_FILENO
	};
	struct json_value *o = NULL;
	struct buf line;
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_from_errno(errno);
	opts.out = fds[1];
	w->testnet = spawn(&opts);
	(void)close(fds[1]);
	buf_init(&line, LINE_BYTES_MAX);
	err = w->testnet < 0 ? ERR_NOMEM : read_line(fds[0], &line);
	(void)close(fds[0]);
	if (err == ERR_OK)
		err = json_parse((const char *)line.data, line.len, &o);
	if (err == ERR_OK)
		err = read_peers(w, o);
	json_free(o);
	buf_fini(&line);
	return err == ERR_OK ? ERR_OK : failed(w, "the test network did not start");
}

static void
network_stop(struct whole *w)
{
	if (w->testnet <= 0)
		return;
	(void)kill(w->testnet, SIGTERM);
	while (waitpid(w->testnet, NULL, 0) < 0 && errno == EINTR)
		;
	w->testnet = 0;
}

/* Runs one client and fills r. */
static int
timed(struct whole *w, const char *const *argv, int in, int out, struct bench_run *r)
{
	struct spawn_opts opts = {
		.program = w->program, .argv = argv, .in = in, .out = out, .err = STDERR_FILENO
	};
	double peers = peers_cpu(w), machine = machine_cpu(), began = wall_now();
	struct rusage use;
	int status;
	pid_t pid = spawn(&opts), got;

	if (pid < 0)
		return err_from_errno(errno);
	do
		got = wait4(pid, &status, 0, &use);
	while (got < 0 && errno == EINTR);
	r->wall = wall_now() - began;
	r->client = seconds(&use.ru_utime) + seconds(&use.ru_stime);
	r->nodes = peers_cpu(w) - peers;
	r->foreign = MAX(machine_cpu() - machine - r->client - r->nodes, 0);
	return got == pid && status == 0 ? ERR_OK : failed(w, "a put or get did not end well");
}

static int
put_once(struct whole *w, struct bench_run *r)
{
	const char *argv[] = { w->program, "put", w->input, "--dir", w->net, "--quiet", NULL };
	int fd = open(w->link, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return err_from_errno(errno);
	err = timed(w, argv, -1, fd, r);
	(void)close(fd);
	return err;
}

/* The link goes in by standard input, never by argv. */
static int
get_once(struct whole *w, struct bench_run *r)
{
	const char *argv[] = { w->program, "get", "-", "-o", w->output, "--dir", w->net, "--quiet",
		NULL };
	int fd = open(w->link, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return err_from_errno(errno);
	err = timed(w, argv, fd, -1, r);
	(void)close(fd);
	return err;
}

/* ---- files ---- */

/* Bytes that do not compress and do not repeat, as a stream cipher makes them: once, warm after. */
static int
make_input(struct whole *w)
{
	int in = open("/dev/urandom", O_RDONLY | O_CLOEXEC), err = ERR_OK;
	int out = open(w->input, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *piece = malloc(INPUT_PIECE);

	if (in < 0 || out < 0 || piece == NULL)
		err = err_from_errno(errno);
	for (uint64_t at = 0; at < w->b->bytes && err == ERR_OK;) {
		ssize_t n = read(in, piece, (size_t)MIN(w->b->bytes - at, INPUT_PIECE));

		if (n <= 0 || write(out, piece, (size_t)n) != n)
			err = errno != 0 ? err_from_errno(errno) : ERR_IO;
		else
			at += (uint64_t)n;
	}
	free(piece);
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return err;
}

static int
same_files(struct whole *w)
{
	FILE *a = fopen(w->input, "re"), *b = fopen(w->output, "re");
	char *x = malloc(INPUT_PIECE), *y = malloc(INPUT_PIECE);
	bool same = a != NULL && b != NULL && x != NULL && y != NULL;
	size_t n = 1;

	while (same && n > 0) {
		n = fread(x, 1, INPUT_PIECE, a);
		same = fread(y, 1, INPUT_PIECE, b) == n && memcmp(x, y, n) == 0;
	}
	free(x);
	free(y);
	if (a != NULL)
		(void)fclose(a);
	if (b != NULL)
		(void)fclose(b);
	return same ? ERR_OK : failed(w, "what was read back is not what was stored");
}

int
bench_dir_make(struct bench *b)
{
	char template[PATH_BYTES_MAX];
	int err = dirs_path(b->place, "skerry-bench.XXXXXX", template);

	if (err != ERR_OK)
		return err;
	if (mkdtemp(template) == NULL)
		return err_from_errno(errno);
	memcpy(b->dir, template, sizeof(b->dir));
	return ERR_OK;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Only below the directory that bench_dir_make made; links are not followed. */
void
bench_dir_remove(struct bench *b)
{
	if (b->dir[0] != '\0' && nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		say_error(b->command, "cannot remove %s: %s", b->dir, strerror(errno));
}

/* ---- the whole ---- */

static int
measure(struct whole *w)
{
	int err = make_input(w);

	if (err == ERR_OK)
		err = network_start(w);
	for (size_t i = 0; i < w->b->runs && err == ERR_OK; i++) {
		err = put_once(w, &w->b->result[BENCH_PUT][i]);
		if (err == ERR_OK)
			err = get_once(w, &w->b->result[BENCH_GET][i]);
		if (err == ERR_OK)
			err = same_files(w);
	}
	network_stop(w);
	return err;
}

int
bench_whole_run(struct bench *b)
{
	struct whole *w = calloc(1, sizeof(*w));
	int err = w == NULL ? ERR_NOMEM : ERR_OK;

	if (err != ERR_OK)
		return err;
	w->b = b;
	if (!spawn_self(w->program))
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = dirs_path(b->dir, "net", w->net);
	if (err == ERR_OK)
		err = dirs_path(b->dir, "input", w->input);
	if (err == ERR_OK)
		err = dirs_path(b->dir, "output", w->output);
	if (err == ERR_OK)
		err = dirs_path(b->dir, "link", w->link);
	if (err == ERR_OK)
		err = measure(w);
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
