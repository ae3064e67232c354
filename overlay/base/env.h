/*
 * The seam to the world: time, timers, entropy, datagrams, byte streams,
 * worker pools and disk. Nothing above overlay/base asks the system for any
 * of these in another way, so that the same node runs on the real world
 * (env_real.h: libevent, sockets, threads, files) and on a simulated one
 * (sim/sim.h: one heap of events). One env per node; one thread per env.
 *
 * Callbacks run on the loop's stack and must not suspend; they spawn tasks
 * or wake waits (task.h). Handles belong to who opened them.
 */
#ifndef OVERLAY_BASE_ENV_H
#define OVERLAY_BASE_ENV_H

#include "overlay/base/disk.h"
#include "overlay/base/err.h"
#include "overlay/base/log.h"
#include "overlay/base/types.h"

struct env_ops;
struct tasks;

struct env {
	const struct env_ops *ops;
	struct log *log;     /* may be NULL */
	struct tasks *tasks; /* scheduler of this env, see task.h */
	struct disk *disk;   /* file system of this node, see disk.h */
};

/* ---- time: read once per loop turn ---- */
uint64_t env_now(const struct env *env);     /* monotonic ns, never 0 */
uint64_t env_wall_ms(const struct env *env); /* Unix time in ms by this node's own clock */

/* ---- entropy: seeded in simulation ---- */
void env_random(struct env *env, void *out, size_t len);
uint64_t env_random_below(struct env *env, uint64_t bound); /* uniform in [0, bound), bound > 0 */
uint64_t env_draw(void *env, uint64_t bound); /* the same, for who draws through a pointer */

/* ---- trying again ---- */
/* The pause behind a try and so many failed ones before it: first, doubled for each, up to most. */
uint64_t backoff(uint64_t first, uint64_t most, unsigned failed);
/* Less a random part of its last quarter: whom one failure has struck do not come together. */
uint64_t env_backoff(struct env *env, uint64_t first, uint64_t most, unsigned failed);

/* A hint: all that comes to this node reads these bytes. Helps where nodes share a processor. */
void env_hot(struct env *env, const void *at, size_t len);

/* ---- timers: embedded in their owner, who stops them before it goes ---- */
struct timer {
	void (*fire)(void *arg);
	void *arg;
	struct env *env;
	uint64_t due; /* private from here: kept by timer_heap.h */
	uint64_t seq;
	size_t slot_plus1; /* 0: not armed */
};

void timer_init(struct timer *t, struct env *env, void (*fire)(void *arg), void *arg);
void timer_start(struct timer *t, uint64_t delay); /* re-arms when armed */
/* A hint, as udp_opts.expect, with the timer's arg; for one timer of an env. NULL: no more. */
void timer_expect(struct timer *t, void (*expect)(void *arg, unsigned step));
void timer_stop(struct timer *t); /* no-op when not armed */
bool timer_armed(const struct timer *t);

/* ---- datagrams ---- */
struct udp; /* opaque */
/* data is lent for the call. Over 2048 bytes nothing is received: ours have at most 1200. */
struct udp_opts {
	struct addr bind; /* port 0: the system chooses */
	void (*receive)(void *arg, const struct addr *from, struct bytes data);
	void *arg;
	/*
	 * A hint, or NULL: data comes soon, unless something happens to it. Steps 0 to
	 * UDP_EXPECT_STEPS - 1, in order; each may ask for memory (prefetch()) and read what the
	 * one before asked for, and changes nothing but *memo, which is kept from one to the next.
	 */
	void (*expect)(void *arg, struct bytes data, unsigned step, uint64_t *memo);
};
#define UDP_EXPECT_STEPS 4
int env_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out);
void udp_local(const struct udp *u, struct addr *out);
/* Never blocks; ERR_BUSY when the system's queue is full (the datagram is lost). to: bind's family.
 */
int udp_send(struct udp *u, const struct addr *to, struct bytes data);
/* A hint: something is sent there soon. Steps 0 and 1, a little apart. */
void udp_expect_send(struct udp *u, const struct addr *to, unsigned step);
void udp_close(struct udp *u);

/* ---- byte streams: TCP, and local sockets in the real world ---- */
struct conn;     /* opaque */
struct listener; /* opaque */

/*
 * ready: connected, or readable, or writable, or broken: the owner then calls
 * conn_read/conn_write and learns which. Level-triggered for what conn_want
 * asked. Calling conn_close inside is allowed.
 */
struct conn_handler {
	void (*ready)(void *arg, bool readable, bool writable);
	void *arg;
};
struct listen_opts {
	struct addr bind; /* ADDR_NONE when path is used */
	const char *path; /* local socket, mode 0600; NULL for TCP */
	/* takes conn; call conn_set_handler before returning, or conn_close. */
	void (*accepted)(void *arg, struct conn *conn, const struct addr *from);
	void *arg;
};
int env_listen(struct env *env, const struct listen_opts *opts, struct listener **out);
void listener_local(const struct listener *l, struct addr *out);
void listener_close(struct listener *l);
/* Starts connecting; ready(writable) follows. path: local socket, else NULL. */
int env_connect(struct env *env, const struct addr *to, const char *path, struct conn **out);
/*
 * TCP from this address of ours (its port is not used), so that the peer sees the one that
 * we listen on, where a machine has several. An error when it is none of ours.
 */
int env_connect_from(
    struct env *env, const struct addr *from, const struct addr *to, struct conn **out);
void conn_set_handler(struct conn *c, const struct conn_handler *h);
void conn_want(struct conn *c, bool read, bool write);
/* Bytes moved (> 0), 0 when it would block, ERR_CLOSED at the end, other ERR_*; asks for some. */
int64_t conn_read(struct conn *c, void *dst, size_t len);
int64_t conn_write(struct conn *c, const struct bytes *parts, size_t count);
/* The address that the system chose for our side, as the peer could see it. */
void conn_local(const struct conn *c, struct addr *out);
void conn_close(struct conn *c);

/* ---- work off the loop: see also env_offload() in task.h ---- */
enum work_pool { WORK_CPU, WORK_DISK };

/* Below this a wake-up (~70 µs) costs more than the work: it runs inline. */
#define WORK_INLINE_MAX KIB(16)

struct work {
	void (*run)(struct work *w);  /* in a worker; touches only its own buffers */
	void (*done)(struct work *w); /* on the loop */
	struct work *next;            /* private */
	struct env *env;              /* private */
};
/* Queues; ERR_BUSY when the pool's bounded queue is full. Cannot be taken back. */
int env_work_submit(struct env *env, enum work_pool pool, struct work *w);

/* ---- seldom asked ---- */
/* Blocking look-up of a host name, for use inside WORK_DISK work only. */
int env_resolve(
    struct env *env, const char *host, uint16_t port, struct addr *out, size_t cap, size_t *count);
/* Addresses of this machine that are not loopback, at most cap. */
int env_local_addrs(struct env *env, struct addr *out, size_t cap, size_t *count);

/* Loggers: one line, printf style, through env->log with env's clock. */
#define log_error(env, ...) log_write((env)->log, LOG_ERROR, env_now(env), __VA_ARGS__)
#define log_warn(env, ...)  log_write((env)->log, LOG_WARN, env_now(env), __VA_ARGS__)
#define log_info(env, ...)  log_write((env)->log, LOG_INFO, env_now(env), __VA_ARGS__)
#define log_debug(env, ...) log_write((env)->log, LOG_DEBUG, env_now(env), __VA_ARGS__)

#endif
