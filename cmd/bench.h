/*
 * Measuring: the parts alone (bench_parts.c), the whole with real processes (bench_whole.c,
 * through S3 bench_s3.h). Times are CPU seconds, user and system; costs are core-seconds per GiB of
 * what goes through.
 */
#ifndef CMD_BENCH_H
#define CMD_BENCH_H

#include <sys/types.h>

#include "cmd/values.h"

struct json_value;

enum bench_part {
	PART_AEAD_SEAL,
	PART_AEAD_OPEN,
	PART_CODE,         /* 4+2: per GiB of data */
	PART_LEAF_HASH,    /* per GiB hashed */
	PART_SESSION_SEAL, /* frames of 32 KiB */
	PART_SESSION_OPEN,
	PART_SEND, /* TCP over loopback, 256 KiB at a time */
	PART_RECEIVE,
	PART_DISK_WRITE, /* O_DIRECT, 1 MiB at a time */
	PART_DISK_READ,
	PART_FILE_READ, /* through the page cache, as the program reads and writes files */
	PART_FILE_WRITE,
	PART_MD5, /* for the ETag */
	PART_SHA256,
	BENCH_PARTS
};

/* Of files; of contents, as objects of a bucket are written and read. */
enum bench_way { BENCH_PUT, BENCH_GET, BENCH_WRITE, BENCH_READ, BENCH_WAYS };

/* What has a floor. Through S3 a client sends and receives beside, and sums are taken. */
enum bench_floor {
	FLOOR_PUT,
	FLOOR_GET,
	FLOOR_S3_PUT,        /* the payload is not signed */
	FLOOR_S3_PUT_SIGNED, /* its SHA-256 is */
	FLOOR_S3_GET,
	BENCH_FLOORS
};

struct bench_parts {
	double cost[BENCH_PARTS];
};

struct bench_run {
	double wall;
	double client, nodes; /* CPU of ours */
	double foreign;       /* CPU of everybody else meanwhile */
};

struct bench {
	const char *command;
	const char *place;             /* where dir is made */
	uint64_t bytes, runs, seconds; /* seconds: of each rate */
	uint64_t objects;
	bool json;
	bool told; /* why it failed has been said */
	char dir[PATH_BYTES_MAX];
	struct bench_run *result[BENCH_WAYS];
};

/* ---- bench_parts.c ---- */
int bench_parts_run(const char *dir, struct bench_parts *out);
const char *bench_part_name(size_t part);
/* The floor, as lines of part × GiB that go through it for each GiB of file. */
size_t bench_lines(enum bench_floor of);
const char *bench_line_name(enum bench_floor of, size_t line);
double bench_line_cost(enum bench_floor of, size_t line, const struct bench_parts *p);
double bench_floor(enum bench_floor of, const struct bench_parts *p);

/* ---- bench_socket.c: blocking ones; ERR_TIMEOUT where a time-out was set ---- */
int bench_socket_pair(int out[2]); /* TCP over loopback; −1: not open; the caller closes both */
int bench_send(int fd, const void *data, size_t len, int flags); /* all of it */
/* One read: *got bytes, at least one. ERR_CLOSED. */
int bench_receive(int fd, void *out, size_t most, size_t *got);

/* ---- bench_net.c: a network of processes ---- */
#define BENCH_PEERS_MAX 16
struct bench_net {
	struct bench *b;
	/* Set by who starts it. */
	size_t peers_count;
	const char *code;     /* lends */
	uint64_t repair_rate; /* of each peer; 0: no limit */
	uint64_t input_bytes;
	bool s3;        /* with a gateway */
	bool real_pace; /* of upkeep: not to be measured, unless it is what is measured */
	/* Filled in. */
	char program[PATH_BYTES_MAX];
	char net[PATH_BYTES_MAX], input[PATH_BYTES_MAX], output[PATH_BYTES_MAX],
	    link[PATH_BYTES_MAX];
	pid_t testnet;
	pid_t peers[BENCH_PEERS_MAX];
	struct json_value *told; /* by testnet; has secrets of a network that goes */
};

int bench_dir_make(struct bench *b);
/* Everything in it goes; it stays. */
int bench_dir_empty(const struct bench *b);
/* Runs it in a child and removes the directory whatever ends it; an exit code. */
int bench_dir_guard(struct bench *b, int (*run)(struct bench *b));
int bench_failed(struct bench_net *w, const char *what); /* says it; ERR_STATE */
double bench_wall_now(void);
int bench_net_init(struct bench_net *w, struct bench *b); /* paths; input_bytes as the bench's */
int bench_make_input(struct bench_net *w);
int bench_read_input(struct bench_net *w, uint8_t *out, size_t bytes); /* so many exactly */
int bench_net_start(struct bench_net *w);
void bench_net_stop(struct bench_net *w);
double bench_machine_cpu(void);                  /* of all so far */
double bench_process_cpu(pid_t pid);             /* of one so far; 0: it is gone */
double bench_net_cpu(const struct bench_net *w); /* of all peers so far */
/* Starts a child and fills r with what it and the peers took until its end. */
int bench_timed(struct bench_net *w, pid_t (*start)(void *arg), void *arg, struct bench_run *r);
int bench_put_once(struct bench_net *w, struct bench_run *r); /* input to link */
int bench_get_once(struct bench_net *w, struct bench_run *r); /* link to output */
int bench_same_files(struct bench_net *w);

/* ---- bench_contents.c: by the product's own writer and reader, in a child of ours ---- */
int bench_write_once(struct bench_net *w, struct bench_run *r); /* input to link */
int bench_read_once(struct bench_net *w, struct bench_run *r);  /* link to output */

/* ---- bench_buckets.c ---- */
int bench_buckets_run(struct bench *b); /* and tells */

/* ---- bench_repair.c ---- */
int bench_repair_run(struct bench *b); /* and tells */

/* ---- cmd_bench.c ---- */
void bench_print_parts(const struct bench_parts *p);
void bench_print_floor(enum bench_floor of, const struct bench_parts *p);
struct json_value *bench_parts_json(const struct bench_parts *p); /* gives */

/* ---- bench_whole.c ---- */
int bench_whole_run(struct bench *b); /* fills result */
size_t bench_best(const struct bench *b, enum bench_way way);
double bench_cost(const struct bench *b, const struct bench_run *r);  /* CPU s per GiB */
double bench_speed(const struct bench *b, const struct bench_run *r); /* 10^6 bytes a second */

#endif
