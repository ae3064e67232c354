/*
 * What a small put cannot do without waits for: a round trip over loopback between two threads, and
 * a sync of what was just written. Each alone, many times, the one in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/bench_s3.h"
#include "cmd/dirs.h"
#include "overlay/base/disk.h"

#define TRIPS      2000
#define SYNCS      100 /* a disk that takes 20 ms for each is done in two seconds */
#define PIECE      S3_SMALL_BYTES
#define PATIENCE_S 10

static double
middle(double *ms, size_t count)
{
	/* Few enough for the plainest way. */
	for (size_t i = 1; i < count; i++) {
		for (size_t k = i; k > 0 && ms[k - 1] > ms[k]; k--) {
			double x = ms[k];

			ms[k] = ms[k - 1];
			ms[k - 1] = x;
		}
	}
	return ms[count / 2];
}

/* ---- round trips ---- */

static int
receive_piece(int fd, uint8_t *out)
{
	ssize_t n = recv(fd, out, PIECE, MSG_WAITALL);

	if (n < 0)
		return err_from_errno(errno);
	return n == PIECE ? ERR_OK : ERR_CLOSED;
}

/* The other end: until it is closed. */
static void *
echo(void *arg)
{
	const int *fd = arg;
	uint8_t piece[PIECE];

	while (receive_piece(*fd, piece) == ERR_OK && bench_send(*fd, piece, PIECE, 0) == ERR_OK)
		;
	return NULL;
}

static int
measure_trips(int fd, double *ms)
{
	static const uint8_t zeros[PIECE];
	uint8_t back[PIECE];
	int err = ERR_OK;

	for (size_t i = 0; i < TRIPS && err == ERR_OK; i++) {
		double began = bench_wall_now();

		err = bench_send(fd, zeros, PIECE, 0);
		if (err == ERR_OK)
			err = receive_piece(fd, back);
		ms[i] = (bench_wall_now() - began) * 1e3;
	}
	return err;
}

static bool
set_up(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0;
}

static int
round_trips(int near, int far, double *ms)
{
	pthread_t thread;
	int err;

	if (!set_up(near) || !set_up(far))
		return err_from_errno(errno);
	if (pthread_create(&thread, NULL, echo, &far) != 0)
		return ERR_NOMEM;
	err = measure_trips(near, ms);
	(void)shutdown(near, SHUT_RDWR);
	must(pthread_join(thread, NULL) == 0);
	return err;
}

/* ---- syncs ---- */

/* As a node appends: with O_DIRECT where there is such a thing, synced without what is not needed.
 */
static int
measure_syncs(int fd, const uint8_t *piece, double *ms)
{
	for (size_t i = 0; i < SYNCS; i++) {
		double began = bench_wall_now();

		if (pwrite(fd, piece, PIECE, (off_t)(i * PIECE)) != PIECE || fdatasync(fd) != 0)
			return err_from_errno(errno);
		ms[i] = (bench_wall_now() - began) * 1e3;
	}
	return ERR_OK;
}

static int
syncs(const char *dir, double *ms)
{
	char path[PATH_BYTES_MAX];
	uint8_t *piece = aligned_alloc(DISK_ALIGN, PIECE);
	int err = piece == NULL ? ERR_NOMEM : dirs_path(dir, "synced", path), fd = -1;

	if (err == ERR_OK) {
		memset(piece, 0x5a, PIECE);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
		if (fd < 0 && errno == EINVAL)
			fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		/* Room is prepared, as nodes do: a sync is one of data then. */
		err = fd < 0 ? err_from_errno(errno)
			     : err_from_errno(posix_fallocate(fd, 0, (off_t)SYNCS * PIECE));
	}
	if (err == ERR_OK)
		err = measure_syncs(fd, piece, ms);
	if (fd >= 0)
		(void)close(fd);
	free(piece);
	return err;
}

int
s3_moments(const char *dir, double *round_trip_ms, double *sync_ms)
{
	double *ms = calloc(TRIPS, sizeof(*ms));
	int pair[2] = { -1, -1 };
	int err = ms == NULL ? ERR_NOMEM : bench_socket_pair(pair);

	if (err == ERR_OK)
		err = round_trips(pair[0], pair[1], ms);
	if (err == ERR_OK) {
		*round_trip_ms = middle(ms, TRIPS);
		err = syncs(dir, ms);
	}
	if (err == ERR_OK)
		*sync_ms = middle(ms, SYNCS);
	for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
		if (pair[i] >= 0)
			(void)close(pair[i]);
	}
	free(ms);
	return err;
}
