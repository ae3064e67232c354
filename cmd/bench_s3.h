/*
 * Measuring through S3: a small client over plain blocking sockets, one thread for each connection
 * (bench_s3_client.c), large objects and rates of small requests (bench_s3_load.c), the network
 * and what it took (bench_s3.c), told (bench_s3_say.c). Good for measuring only: it knows what the
 * gateway of ours answers, and no redirect, no chunked answer, no TLS.
 */
#ifndef CMD_BENCH_S3_H
#define CMD_BENCH_S3_H

#include "cmd/bench.h"
#include "gateway/sigv4.h"

#define S3_CODE      "4/5/6" /* of the network's files and of the bucket: what the floor is for */
#define S3_CROWD_MAX 64
#define S3_SOCKET_IO KIB(256)
#define S3_HEAD_MAX  KIB(16)

struct s3_account {
	uint16_t port;
	char host[64]; /* "127.0.0.1:8080" */
	char region[64], access[SIGV4_ACCESS_MAX + 1], secret[SIGV4_SECRET_MAX + 1];
};

/* From what a network told. ERR_INVALID. */
int s3_account_read(struct s3_account *a, const struct json_value *told);

/* Bytes of objects: those of a pool from a start on, again and again. */
struct s3_body {
	const uint8_t *pool;
	uint64_t start, bytes;
};
/* Large, and so odd that a piece of any power of two at a wrong place is found out. */
#define S3_POOL_BYTES ((size_t)MIB(8) + 4099)
int s3_body_hash(const struct s3_body *body, char hex[65]); /* SHA-256, ERR_NOMEM */

struct s3_conn {
	const struct s3_account *account; /* lent */
	int fd;
	uint8_t *io; /* S3_SOCKET_IO: first an answer's head, then its body */
	unsigned status;
};
int s3_conn_open(struct s3_conn *c, const struct s3_account *a);
void s3_conn_close(struct s3_conn *c);

struct s3_request {
	const char *method, *target;  /* the latter encoded */
	const char *payload;          /* its hash in hexadecimal; NULL: not signed */
	const struct s3_body *send;   /* NULL: none */
	const struct s3_body *expect; /* NULL: the answer's body is not looked at */
};
/*
 * Sends, and takes the answer to its end; c->status says which. ERR_OK with 200 only; ERR_REFUSED:
 * another status; ERR_CORRUPT: not what is expected; the connection goes on after these. *got:
 * bytes of the answer's body, may be NULL.
 */
int s3_ask(struct s3_conn *c, const struct s3_request *r, uint64_t *got);

/* ---- bench_s3_load.c ---- */

/* Workers, each with a thread and a connection; returns when all have ended. The first error. */
struct s3_crowd {
	const struct s3_account *account;
	size_t count;
	int (*work)(struct s3_conn *c, size_t worker, void *arg);
	void *arg;
	unsigned status; /* of what failed */
};
int s3_crowd_run(struct s3_crowd *crowd);

struct s3_large { /* objects of the same size, one for each worker */
	const uint8_t *pool;
	size_t count;
	uint64_t bytes;
	bool sign; /* puts; with hashes that are known before */
	bool get, compare;
	char hashes[S3_CROWD_MAX][65];
};
int s3_large_hash(struct s3_large *l);
int s3_large_run(const struct s3_account *a, struct s3_large *l, unsigned *status);

#define S3_SMALL_BYTES 4096
#define S3_LIST_KEYS   100 /* there are so many to be listed and read */
enum s3_kind { S3_PUT, S3_GET, S3_LIST, S3_KINDS };

struct s3_rate {
	double per_s, p50_ms, p99_ms;
	uint64_t done, refused; /* refused: 503, as it answers when there is too much */
};
/* The bucket, with S3_CODE, and the small objects. */
int s3_rate_prepare(const struct s3_account *a, const uint8_t *pool, unsigned *status);
int s3_rate_run(const struct s3_account *a, const uint8_t *pool, enum s3_kind kind,
    size_t in_flight, uint64_t seconds, struct s3_rate *out, unsigned *status);

/* ---- bench_s3.c ---- */
enum s3_way { S3_WAY_PUT, S3_WAY_PUT_SIGNED, S3_WAY_GET, S3_WAYS };
enum s3_shape { S3_ONE, S3_MANY, S3_SHAPES };
#define S3_MANY_COUNT 32
#define S3_MANY_BYTES MIB(8)

struct s3_run {
	double wall, counted;                   /* until the answer; as long as CPU was counted */
	double client, gateway, nodes, foreign; /* CPU */
};

struct s3_bench {
	struct bench *b;
	struct bench_parts parts;
	double round_trip_ms, sync_ms; /* 4 KiB over TCP and back; 4 KiB written and synced */
	struct s3_account account;
	uint64_t bytes[S3_SHAPES]; /* of all objects together */
	struct s3_run *runs[S3_SHAPES][S3_WAYS];
	struct s3_rate rates[S3_KINDS][2]; /* 1 in flight, S3_CROWD_MAX */
};
int bench_s3_run(struct bench *b); /* and tells */
double s3_run_cost(const struct s3_bench *s, enum s3_shape shape, const struct s3_run *r);
size_t s3_run_best(const struct s3_bench *s, enum s3_shape shape, enum s3_way way);

/* ---- bench_s3_moments.c: p50 of what a small put waits for ---- */
int s3_moments(const char *dir, double *round_trip_ms, double *sync_ms);

/* ---- bench_s3_say.c ---- */
void s3_print(const struct s3_bench *s);
int s3_say_json(const struct s3_bench *s);

#endif
