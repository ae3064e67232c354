/*
 * Each part runs alone in this thread on buffers that are warm and reused, for at least MEASURE_S,
 * and its CPU time (user and system) is divided by what went through. Sizes are those that the
 * program uses. A connection has a thread at either end: one that sends to itself wakes nobody and
 * reads what lies in its own cache, for a third of what two processes cannot do without. What the
 * kernel does in its own threads for the disk is counted to nobody, here as in the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/dirs.h"
#include "object/block.h"
#include "overlay/base/crypto.h"
#include "overlay/base/disk.h"
#include "overlay/endpoint.h"
#include "storage/code.h"
#include "storage/merkle.h"

#define MEASURE_S    0.4      /* of CPU for each part: the clock's grain is a thousandth of it */
#define MEASURE_MAX  4096     /* rounds: a disk that costs no CPU must end, too */
#define ROUND_BYTES  MIB(8)   /* of each buffer, larger than the second-level cache */
#define SOCKET_IO    KIB(256) /* as sessions read and write */
#define SOCKET_BYTES MIB(512) /* sent and received, each by a thread of its own */
#define SUM_IO       KIB(256) /* as a gateway has a body at once: WEB_BODY_BUFFER */
#define DISK_IO      MIB(1)
#define CODE_K       4
#define CODE_N       6

struct bench_state {
	uint8_t *a, *b; /* ROUND_BYTES and room for tags */
	struct aead *aead;
	struct key key;
	struct coder *coder;
	struct md5 *md5;
	struct sha256 *sha256;
	int socket[2];
	int direct, plain;
};

static double
cpu_now(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one round of each part: ROUND_BYTES go through ---- */

/* From one buffer to the other, each sealed piece behind the one before. */
static int
seal_pieces(struct bench_state *s, size_t piece)
{
	static const uint8_t nonce[12];
	uint8_t *out = s->b;
	int err = ERR_OK;

	for (size_t at = 0; at + piece <= ROUND_BYTES && err == ERR_OK; at += piece) {
		err = aead_seal(s->aead, out, &s->key, nonce, bytes_of(NULL, 0), s->a + at, piece);
		out += piece + CRYPTO_TAG_BYTES;
	}
	return err;
}

/* Back again: what seal_pieces left. */
static int
open_pieces(struct bench_state *s, size_t piece)
{
	static const uint8_t nonce[12];
	const uint8_t *in = s->b;
	int err = ERR_OK;

	for (size_t at = 0; at + piece <= ROUND_BYTES && err == ERR_OK; at += piece) {
		err = aead_open(s->aead, s->a + at, &s->key, nonce, bytes_of(NULL, 0), in,
		    piece + CRYPTO_TAG_BYTES);
		in += piece + CRYPTO_TAG_BYTES;
	}
	return err;
}

static int
round_seal(struct bench_state *s)
{
	return seal_pieces(s, BLOCK_PLAIN);
}

static int
round_open(struct bench_state *s)
{
	return open_pieces(s, BLOCK_PLAIN);
}

static int
round_session_seal(struct bench_state *s)
{
	return seal_pieces(s, FRAME_PAYLOAD_MAX);
}

static int
round_session_open(struct bench_state *s)
{
	return open_pieces(s, FRAME_PAYLOAD_MAX);
}

static int
round_code(struct bench_state *s)
{
	for (size_t at = 0; at < ROUND_BYTES; at += CODE_K * LEAF_BYTES) {
		const uint8_t *data[CODE_K];
		uint8_t *parity[CODE_N - CODE_K];

		for (size_t i = 0; i < CODE_K; i++)
			data[i] = s->a + at + i * LEAF_BYTES;
		for (size_t i = 0; i < CODE_N - CODE_K; i++)
			parity[i] = s->b + i * LEAF_BYTES;
		coder_encode(s->coder, LEAF_BYTES, data, parity);
	}
	return ERR_OK;
}

static int
round_hash(struct bench_state *s)
{
	struct hash h;

	for (size_t at = 0; at < ROUND_BYTES; at += LEAF_BYTES)
		merkle_leaf(&h, s->a + at, LEAF_BYTES);
	return ERR_OK;
}

static int
round_md5(struct bench_state *s)
{
	uint8_t sum[16];

	for (size_t at = 0; at < ROUND_BYTES; at += SUM_IO)
		md5_update(s->md5, s->a + at, SUM_IO);
	md5_final(s->md5, sum);
	return ERR_OK;
}

static int
round_sha256(struct bench_state *s)
{
	struct hash h;

	for (size_t at = 0; at < ROUND_BYTES; at += SUM_IO)
		sha256_update(s->sha256, s->a + at, SUM_IO);
	sha256_final(s->sha256, &h);
	return ERR_OK;
}

static int
write_file(int fd, const uint8_t *data)
{
	for (size_t at = 0; at < ROUND_BYTES; at += DISK_IO) {
		if (pwrite(fd, data + at, DISK_IO, (off_t)at) != (ssize_t)DISK_IO)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

static int
read_file(int fd, uint8_t *data)
{
	for (size_t at = 0; at < ROUND_BYTES; at += DISK_IO) {
		if (pread(fd, data + at, DISK_IO, (off_t)at) != (ssize_t)DISK_IO)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

static int
round_disk_write(struct bench_state *s)
{
	return write_file(s->direct, s->a);
}

static int
round_disk_read(struct bench_state *s)
{
	return read_file(s->direct, s->b);
}

static int
round_file_write(struct bench_state *s)
{
	return write_file(s->plain, s->a);
}

static int
round_file_read(struct bench_state *s)
{
	return read_file(s->plain, s->b);
}

/* ---- measuring ---- */

/* Core-seconds per GiB. The first round, which warms up, does not count. */
static int
measure(struct bench_state *s, int (*round)(struct bench_state *s), double *cost)
{
	int err = round(s);
	double began = cpu_now();
	unsigned rounds = 0;

	while (err == ERR_OK && rounds < MEASURE_MAX && cpu_now() - began < MEASURE_S) {
		err = round(s);
		rounds++;
	}
	if (err == ERR_OK)
		*cost = (cpu_now() - began) / ((double)rounds * ROUND_BYTES / GIB(1));
	return err;
}

/* ---- a connection: two threads, as its ends are two processes ---- */

struct receiver {
	int fd;
	uint8_t *into; /* ROUND_BYTES */
	size_t bytes;  /* until then */
	double cpu;
	int err;
};

static void *
receive_all(void *arg)
{
	struct receiver *r = arg;
	double began = cpu_now();

	for (size_t at = 0, got = 0; at < r->bytes && r->err == ERR_OK; at += got)
		r->err = bench_receive(r->fd, r->into + at % ROUND_BYTES / SOCKET_IO * SOCKET_IO,
		    MIN(SOCKET_IO, r->bytes - at), &got);
	r->cpu = cpu_now() - began;
	(void)shutdown(r->fd, SHUT_RD); /* if it has failed the sender shall not wait */
	return NULL;
}

static int
measure_socket(struct bench_state *s, double *send_cost, double *receive_cost)
{
	struct receiver r = { .fd = s->socket[1], .into = s->b, .bytes = SOCKET_BYTES };
	pthread_t thread;
	double began;
	int err = ERR_OK;

	if (pthread_create(&thread, NULL, receive_all, &r) != 0)
		return ERR_NOMEM;
	began = cpu_now();
	for (size_t at = 0; at < SOCKET_BYTES && err == ERR_OK; at += SOCKET_IO)
		err = bench_send(s->socket[0], s->a + at % ROUND_BYTES, SOCKET_IO, 0);
	*send_cost = (cpu_now() - began) / ((double)SOCKET_BYTES / GIB(1));
	if (err != ERR_OK)
		(void)shutdown(s->socket[0], SHUT_WR);
	must(pthread_join(thread, NULL) == 0);
	*receive_cost = r.cpu / ((double)SOCKET_BYTES / GIB(1));
	return err != ERR_OK ? err : r.err;
}

static int
measure_all(struct bench_state *s, struct bench_parts *out)
{
	static const struct {
		enum bench_part part;
		int (*round)(struct bench_state *s);
	} all[] = {
		{ PART_AEAD_SEAL, round_seal },
		{ PART_AEAD_OPEN, round_open },
		{ PART_CODE, round_code },
		{ PART_LEAF_HASH, round_hash },
		{ PART_SESSION_SEAL, round_session_seal },
		{ PART_SESSION_OPEN, round_session_open },
		{ PART_DISK_WRITE, round_disk_write },
		{ PART_DISK_READ, round_disk_read },
		{ PART_FILE_WRITE, round_file_write },
		{ PART_FILE_READ, round_file_read },
		{ PART_MD5, round_md5 },
		{ PART_SHA256, round_sha256 },
	};
	int err = measure_socket(s, &out->cost[PART_SEND], &out->cost[PART_RECEIVE]);

	for (size_t i = 0; i < ARRAY_LEN(all) && err == ERR_OK; i++)
		err = measure(s, all[i].round, &out->cost[all[i].part]);
	return err;
}

/* ---- up and down ---- */

static int
open_file(const char *dir, const char *name, int flags, int *out)
{
	char path[PATH_BYTES_MAX];
	int err = dirs_path(dir, name, path);

	if (err != ERR_OK)
		return err;
	*out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	/* A file system without O_DIRECT: the program does without it there, too. */
	if (*out < 0 && errno == EINVAL)
		*out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return *out >= 0 ? ERR_OK : err_from_errno(errno);
}

static void
state_close(struct bench_state *s)
{
	const int fds[] = { s->socket[0], s->socket[1], s->direct, s->plain };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	sha256_free(s->sha256);
	md5_free(s->md5);
	coder_free(s->coder);
	aead_free(s->aead);
	free(s->b);
	free(s->a);
}

int
bench_parts_run(const char *dir, struct bench_parts *out)
{
	size_t room = ROUND_BYTES + KIB(64); /* for every piece's tag */
	struct bench_state s = { .socket = { -1, -1 }, .direct = -1, .plain = -1 };
	int err = ERR_NOMEM;

	s.a = aligned_alloc(DISK_ALIGN, room);
	s.b = aligned_alloc(DISK_ALIGN, room);
	s.aead = aead_new();
	s.md5 = md5_new();
	s.sha256 = sha256_new();
	if (s.a != NULL && s.b != NULL && s.aead != NULL && s.md5 != NULL && s.sha256 != NULL) {
		memset(s.a, 0x5a, room);
		memset(s.b, 0xa5, room);
		err = coder_new(CODE_K, CODE_N, &s.coder);
	}
	if (err == ERR_OK)
		err = bench_socket_pair(s.socket);
	if (err == ERR_OK)
		err = open_file(dir, "direct", O_DIRECT, &s.direct);
	if (err == ERR_OK)
		err = open_file(dir, "plain", 0, &s.plain);
	if (err == ERR_OK)
		err = measure_all(&s, out);
	state_close(&s);
	return err;
}

/* ---- the floor ---- */

static const char *const part_names[BENCH_PARTS] = {
	[PART_AEAD_SEAL] = "aead seal, 64 KiB",
	[PART_AEAD_OPEN] = "aead open, 64 KiB",
	[PART_CODE] = "code 4+2, 64 KiB leaves",
	[PART_LEAF_HASH] = "leaf hash, 64 KiB",
	[PART_SESSION_SEAL] = "session seal, 32 KiB",
	[PART_SESSION_OPEN] = "session open, 32 KiB",
	[PART_SEND] = "tcp send, 256 KiB",
	[PART_RECEIVE] = "tcp receive, 256 KiB",
	[PART_DISK_WRITE] = "disk write, direct, 1 MiB",
	[PART_DISK_READ] = "disk read, direct, 1 MiB",
	[PART_FILE_READ] = "file read, 1 MiB",
	[PART_FILE_WRITE] = "file write, 1 MiB",
	[PART_MD5] = "md5, 256 KiB",
	[PART_SHA256] = "sha-256, 256 KiB",
};

struct line {
	const char *name;
	struct {
		enum bench_part part;
		double gib; /* through it, for each GiB of file */
	} of[3];
	size_t count;
};

/* A put sends six shards of a quarter: 1.5 GiB; they are hashed on both sides. */
static const struct line put_lines[] = {
	{ "AEAD + code", { { PART_AEAD_SEAL, 1 }, { PART_CODE, 1 } }, 2 },
	{ "leaf hashes at sender and nodes", { { PART_LEAF_HASH, 3 } }, 1 },
	{ "session AEAD, both ends, 1.5 GiB",
	    { { PART_SESSION_SEAL, 1.5 }, { PART_SESSION_OPEN, 1.5 } }, 2 },
	{ "send, receive, write 1.5 GiB",
	    { { PART_SEND, 1.5 }, { PART_RECEIVE, 1.5 }, { PART_DISK_WRITE, 1.5 } }, 3 },
};
static const struct line get_lines[] = {
	{ "nodes read and send", { { PART_DISK_READ, 1 }, { PART_SEND, 1 } }, 2 },
	{ "client receives", { { PART_RECEIVE, 1 } }, 1 },
	{ "AEAD opens (checks everything)", { { PART_AEAD_OPEN, 1 } }, 1 },
	{ "session AEAD, both ends, 1 GiB", { { PART_SESSION_SEAL, 1 }, { PART_SESSION_OPEN, 1 } },
	    2 },
};

/* What comes on top through S3. */
static const struct line s3_put_lines[] = {
	{ "client sends, gateway receives", { { PART_SEND, 1 }, { PART_RECEIVE, 1 } }, 2 },
	{ "MD5 for the ETag", { { PART_MD5, 1 } }, 1 },
	{ "SHA-256 of the payload", { { PART_SHA256, 1 } }, 1 }, /* where it is signed */
};
static const struct line s3_get_lines[] = {
	{ "gateway sends, client receives", { { PART_SEND, 1 }, { PART_RECEIVE, 1 } }, 2 },
};

static const struct floor {
	const struct line *own, *more;
	size_t own_count, more_count;
} floors[BENCH_FLOORS] = {
	[FLOOR_PUT] = { put_lines, NULL, ARRAY_LEN(put_lines), 0 },
	[FLOOR_GET] = { get_lines, NULL, ARRAY_LEN(get_lines), 0 },
	[FLOOR_S3_PUT] = { put_lines, s3_put_lines, ARRAY_LEN(put_lines),
	    ARRAY_LEN(s3_put_lines) - 1 },
	[FLOOR_S3_PUT_SIGNED] = { put_lines, s3_put_lines, ARRAY_LEN(put_lines),
	    ARRAY_LEN(s3_put_lines) },
	[FLOOR_S3_GET] = { get_lines, s3_get_lines, ARRAY_LEN(get_lines), ARRAY_LEN(s3_get_lines) },
};

const char *
bench_part_name(size_t part)
{
	return part_names[part];
}

size_t
bench_lines(enum bench_floor of)
{
	return floors[of].own_count + floors[of].more_count;
}

static const struct line *
line_at(enum bench_floor of, size_t line)
{
	const struct floor *f = &floors[of];

	return line < f->own_count ? &f->own[line] : &f->more[line - f->own_count];
}

const char *
bench_line_name(enum bench_floor of, size_t line)
{
	return line_at(of, line)->name;
}

double
bench_line_cost(enum bench_floor of, size_t line, const struct bench_parts *p)
{
	const struct line *l = line_at(of, line);
	double sum = 0;

	for (size_t i = 0; i < l->count; i++)
		sum += p->cost[l->of[i].part] * l->of[i].gib;
	return sum;
}

double
bench_floor(enum bench_floor of, const struct bench_parts *p)
{
	double sum = 0;

	for (size_t i = 0; i < bench_lines(of); i++)
		sum += bench_line_cost(of, i, p);
	return sum;
}
