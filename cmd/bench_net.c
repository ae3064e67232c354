/*
 * A network for measuring: `skerry testnet` as a child, `skerry put` and `skerry get` as children
 * with their CPU time. The client's comes from its own accounting when it has ended, the peers'
 * from /proc/PID/stat before and after. What the machine did besides is told, because it lengthens
 * the wall time and, through shared caches, everything.
 */
#include <errno.h>
#include <fcntl.h>
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

#define LINE_BYTES_MAX KIB(64) /* of testnet --json */
#define INPUT_PIECE    MIB(1)

int
bench_net_init(struct bench_net *w, struct bench *b)
{
	int err = ERR_OK;

	w->b = b;
	w->input_bytes = b->bytes;
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
	return err;
}

int
bench_failed(struct bench_net *w, const char *what)
{
	say_error(w->b->command, "%s", what);
	w->b->told = true;
	return ERR_STATE;
}

/* ---- clocks ---- */

double
bench_wall_now(void)
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

/* User and system time, all threads. */
double
bench_process_cpu(pid_t pid)
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

double
bench_net_cpu(const struct bench_net *w)
{
	double sum = bench_process_cpu(w->testnet);

	for (size_t i = 0; i < w->peers_count; i++)
		sum += bench_process_cpu(w->peers[i]);
	return sum;
}

/* CPU of the whole machine so far: all but idle and waiting. */
double
bench_machine_cpu(void)
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
read_peers(struct bench_net *w, const struct json_value *o)
{
	const struct json_value *list = json_child(o, "peers");

	if (json_count(list) != w->peers_count)
		return ERR_INVALID;
	for (size_t i = 0; i < w->peers_count; i++)
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

int
bench_net_start(struct bench_net *w)
{
	char peers[16], rate[32];
	const char *argv[] = { w->program, "testnet", "--dir", w->net, "--peers", peers, "--code",
		w->code, "--json", "--repair-rate", rate, NULL, NULL, NULL, NULL };
	size_t argc = ARRAY_LEN(argv) - 4;
	struct spawn_opts opts = {
		.program = w->program, .argv = argv, .in = -1, .err = STDERR_FILENO
	};
	struct buf line;
	int fds[2], err;

	if (w->real_pace)
		argv[argc++] = "--real-pace";
	if (w->s3) {
		argv[argc++] = "--s3";
		argv[argc++] = "0";
	}
	(void)snprintf(peers, sizeof(peers), "%zu", w->peers_count);
	(void)snprintf(rate, sizeof(rate), "%" PRIu64, w->repair_rate);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_from_errno(errno);
	opts.out = fds[1];
	w->testnet = spawn(&opts);
	(void)close(fds[1]);
	buf_init_secret(&line, LINE_BYTES_MAX);
	err = w->testnet < 0 ? ERR_NOMEM : read_line(fds[0], &line);
	(void)close(fds[0]);
	if (err == ERR_OK)
		err = json_parse((const char *)line.data, line.len, &w->told);
	if (err == ERR_OK)
		err = read_peers(w, w->told);
	buf_wipe(&line);
	return err == ERR_OK ? ERR_OK : bench_failed(w, "the test network did not start");
}

void
bench_net_stop(struct bench_net *w)
{
	json_free(w->told);
	w->told = NULL;
	if (w->testnet <= 0)
		return;
	(void)kill(w->testnet, SIGTERM);
	while (waitpid(w->testnet, NULL, 0) < 0 && errno == EINTR)
		;
	w->testnet = 0;
}

int
bench_timed(struct bench_net *w, pid_t (*start)(void *arg), void *arg, struct bench_run *r)
{
	double peers = bench_net_cpu(w), machine = bench_machine_cpu(), began = bench_wall_now();
	struct rusage use;
	int status;
	pid_t pid = start(arg), got;

	if (pid < 0)
		return err_from_errno(errno);
	do
		got = wait4(pid, &status, 0, &use);
	while (got < 0 && errno == EINTR);
	r->wall = bench_wall_now() - began;
	r->client = seconds(&use.ru_utime) + seconds(&use.ru_stime);
	r->nodes = bench_net_cpu(w) - peers;
	r->foreign = MAX(bench_machine_cpu() - machine - r->client - r->nodes, 0);
	return got == pid && status == 0 ? ERR_OK
					 : bench_failed(w, "a put or get did not end well");
}

static pid_t
start_client(void *arg)
{
	return spawn(arg);
}

/* Runs one client and fills r. */
static int
timed(struct bench_net *w, const char *const *argv, int in, int out, struct bench_run *r)
{
	struct spawn_opts opts = {
		.program = w->program, .argv = argv, .in = in, .out = out, .err = STDERR_FILENO
	};

	return bench_timed(w, start_client, &opts, r);
}

int
bench_put_once(struct bench_net *w, struct bench_run *r)
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
int
bench_get_once(struct bench_net *w, struct bench_run *r)
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
int
bench_make_input(struct bench_net *w)
{
	int in = open("/dev/urandom", O_RDONLY | O_CLOEXEC), err = ERR_OK;
	int out = open(w->input, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *piece = malloc(INPUT_PIECE);

	if (in < 0 || out < 0 || piece == NULL)
		err = err_from_errno(errno);
	for (uint64_t at = 0; at < w->input_bytes && err == ERR_OK;) {
		ssize_t n = read(in, piece, (size_t)MIN(w->input_bytes - at, INPUT_PIECE));

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

int
bench_read_input(struct bench_net *w, uint8_t *out, size_t bytes)
{
	FILE *f = fopen(w->input, "re");
	int err = f == NULL ? err_from_errno(errno) : ERR_OK;

	if (err == ERR_OK && fread(out, 1, bytes, f) != bytes)
		err = ERR_IO;
	if (f != NULL)
		(void)fclose(f);
	return err;
}

int
bench_same_files(struct bench_net *w)
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
	return same ? ERR_OK : bench_failed(w, "what was read back is not what was stored");
}
