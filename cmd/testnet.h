/*
 * The parts of `skerry testnet`: the peers' directories, and their processes. cmd_testnet.c
 * puts them together.
 */
#ifndef CMD_TESTNET_H
#define CMD_TESTNET_H

#include <sys/types.h>

#include "cmd/settings.h"
#include "overlay/base/buf.h"
#include "overlay/base/task.h"
#include "overlay/contact.h"

#define TESTNET_PEERS_MAX 200 /* each is a process with some 50 MiB at work */
/* A test machine's disk is small; what a real node leaves free would be most of it. */
#define TESTNET_RESERVE   MIB(64)

struct testnet_peer {
	unsigned number; /* from 1 */
	char dir[PATH_BYTES_MAX];
	struct contact contact;
	struct addr listen;
	const char *country, *region;
	pid_t pid; /* 0: not started, or ended */
	bool joined;
};

struct testnet {
	const char *command;
	const char *dir;
	struct env *env;
	size_t peers_count;
	struct testnet_peer *peers;
	struct code_params code; /* k = 0: not said */
	bool capacity_given;
	uint64_t capacity;
	bool repair_rate_given;
	uint64_t repair_rate;
	bool real_pace;
	char program[PATH_BYTES_MAX];
	char network[NETWORK_NAME_MAX];
	bool s3; /* a gateway is wanted … */
	uint16_t s3_port;
	const char *lifecycle_day; /* NULL: as usual */
	pid_t s3_pid;              /* 0: none runs */
	struct buf s3_line;        /* what it said of itself; has secrets */
	size_t live;
	bool stopping;
	bool failed;        /* a peer ended before it had joined */
	bool bad_end;       /* a peer did not end in order when it was told to */
	struct wait *ended; /* woken when live becomes 0 or a peer fails; may be NULL */
};

/* ---- testnet_dirs.c: before the loop; they block and say what is wrong ---- */
/* How many peers an existing network has; 0: none. */
size_t testnet_count(const char *dir);
/* Directories, keys, ports, settings of all peers, and of the account that uses them. */
int testnet_prepare(struct testnet *t);

/* ---- testnet_run.c ---- */
/* Starts a process for each peer. */
int testnet_start(struct testnet *t);
/* SIGCHLD came: takes note of who has ended, and tells. */
void testnet_reap(struct testnet *t);
/*
 * The same of one child, which writes to DIR/log: false: it runs, or *pid is 0, as it is when it
 * has ended. Who ended other than it was told to is told of, with its log's last line when it gave
 * up by itself. who: "peer 3".
 */
bool testnet_ended(
    struct testnet *t, pid_t *pid, const char *who, const char *dir, const char *log);
/* Until every peer knows the others. ERR_TIMEOUT; ERR_CLOSED: one has ended. */
SUSPENDS int testnet_wait_joined(struct testnet *t);
/* SIGTERM, then SIGKILL for who does not listen; returns when all have ended. */
SUSPENDS void testnet_stop(struct testnet *t);

/* ---- testnet_s3.c: a gateway beside them ---- */
int testnet_s3_prepare(struct testnet *t); /* before the loop */
/* Returns when it serves; its line of JSON is in t->s3_line. ERR_CLOSED: it ended. */
SUSPENDS int testnet_s3_start(struct testnet *t);
/* As testnet_reap(), of the gateway; testnet_reap() calls it. */
void testnet_s3_reap(struct testnet *t);

#endif
