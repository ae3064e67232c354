/*
 * What the files of the real environment know of each other: env_real.c has the
 * loop and, beside env_real_http.c, is the only one that sees libevent; env_real_udp.c and
 * env_real_stream.c the sockets; env_real_addr.c addresses. Nobody else includes
 * this.
 */
#ifndef OVERLAY_BASE_ENV_REAL_PRIVATE_H
#define OVERLAY_BASE_ENV_REAL_PRIVATE_H

#include <sys/socket.h>

#include "overlay/base/env_ops.h"
#include "overlay/base/env_real.h"
#include "overlay/base/timer_heap.h"
#include "overlay/base/workers.h"

#define SIGNALS_MAX 8 /* TERM, INT, HUP, USR1 and as many again */

struct event;
struct event_base;
struct udp_batch;

struct real_signal {
	struct real_env *real;
	struct event *event;
	int signo;
	void (*cb)(void *arg, int signo);
	void *arg;
};

struct real_env {
	struct env env; /* first */
	struct event_base *base;
	struct timer_heap timers;
	struct event *alarm; /* wakes the loop for the first timer */
	uint64_t alarm_due;  /* 0: not armed */
	uint64_t now;
	uint64_t wall_ms;
	bool stale; /* now is of an earlier turn */
	bool kicked;
	struct work_inbox *inbox;
	struct event *inbox_event;
	struct workers *pools[WORK_DISK + 1];
	size_t works_out;        /* submitted, done not called yet */
	size_t handles;          /* open sockets of the owner */
	struct udp_batch *batch; /* receive buffers, shared: datagrams are lent for a call */
	struct real_signal signals[SIGNALS_MAX];
	size_t signals_count;
};

static inline struct real_env *
real_of(const struct env *env)
{
	return container_of((struct env *)(uintptr_t)env, struct real_env, env);
}

/* ---- env_real.c: time, and one descriptor in the loop ---- */
/* First thing in every callback of the loop's library. */
void real_refresh_time(struct real_env *r);

struct watch {
	struct real_env *real;
	struct event *read, *write;
	bool reading, writing;
	void (*ready)(void *arg, bool readable, bool writable);
	void *arg;
};

/* ready may close the watch. Wants nothing at first. The descriptor stays the caller's. */
int watch_open(struct watch *w, struct real_env *r, int fd,
    void (*ready)(void *arg, bool readable, bool writable), void *arg);
void watch_want(struct watch *w, bool read, bool write);
void watch_close(struct watch *w); /* before the descriptor is closed */

/* ---- env_real_addr.c ---- */
/* ERR_INVALID for an unknown family. */
int addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out, socklen_t *len);
/* ADDR_NONE for what is no IP address. */
void addr_from_sockaddr(struct addr *out, const struct sockaddr_storage *sa);
void addr_of_socket(int fd, struct addr *out); /* our side; ADDR_NONE when unknown */
/* A non-blocking socket bound as told; gives *fd. type: SOCK_DGRAM or SOCK_STREAM. */
int addr_bind(const struct addr *bind_to, int type, int *fd);
int addr_resolve(
    struct env *env, const char *host, uint16_t port, struct addr *out, size_t cap, size_t *count);
int addr_local(struct env *env, struct addr *out, size_t cap, size_t *count);

/* ---- env_real_udp.c ---- */
int udp_batch_new(struct udp_batch **out);
void udp_batch_free(struct udp_batch *b);
int real_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out);
void real_udp_local(const struct udp *u, struct addr *out);
int real_udp_send(struct udp *u, const struct addr *to, struct bytes data);
void real_udp_close(struct udp *u);

/* ---- env_real_stream.c ---- */
int real_listen(struct env *env, const struct listen_opts *opts, struct listener **out);
void real_listener_local(const struct listener *l, struct addr *out);
void real_listener_close(struct listener *l);
int real_connect(struct env *env, const struct addr *to, const char *path, struct conn **out);
int real_connect_from(
    struct env *env, const struct addr *from, const struct addr *to, struct conn **out);
void real_conn_set_handler(struct conn *c, const struct conn_handler *h);
void real_conn_want(struct conn *c, bool read, bool write);
int64_t real_conn_read(struct conn *c, void *dst, size_t len);
int64_t real_conn_write(struct conn *c, const struct bytes *parts, size_t count);
void real_conn_local(const struct conn *c, struct addr *out);
void real_conn_close(struct conn *c);

/* ---- env_real_local.c: the file that a local socket is ---- */
struct local_path { /* of a listener; all zero for TCP */
	char *path;
	struct file *lock;
	uint64_t device, inode;
};
/* A non-blocking socket bound to path, mode 0600; ERR_BUSY when a live one is there. gives both. */
int local_bind(const char *path, struct local_path *out, int *fd);
void local_unbind(struct local_path *l); /* removes the file if it is still ours */
int local_sockaddr(const char *path, struct sockaddr_storage *out, socklen_t *len);

#endif
