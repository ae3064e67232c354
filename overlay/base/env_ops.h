/*
 * What an environment implements: env_real.c, sim/, and small ones for tests.
 * Everybody else calls the functions of env.h, which go through this table.
 */
#ifndef OVERLAY_BASE_ENV_OPS_H
#define OVERLAY_BASE_ENV_OPS_H

#include "overlay/base/env.h"

struct env_ops {
	uint64_t (*now)(const struct env *env);
	uint64_t (*wall_ms)(const struct env *env);
	void (*random)(struct env *env, void *out, size_t len);
	void (*timer_start)(struct timer *t, uint64_t delay);
	void (*timer_stop)(struct timer *t);
	/* Hints; each may be NULL. */
	void (*hot)(struct env *env, const void *at, size_t len);
	void (*timer_expect)(struct timer *t, void (*expect)(void *arg, unsigned step));
	void (*udp_expect_send)(struct udp *u, const struct addr *to, unsigned step);
	/* Asks for one call of tasks_run(env->tasks) on the loop, soon. */
	void (*kick)(struct env *env);
	int (*udp_open)(struct env *env, const struct udp_opts *opts, struct udp **out);
	void (*udp_local)(const struct udp *u, struct addr *out);
	int (*udp_send)(struct udp *u, const struct addr *to, struct bytes data);
	void (*udp_close)(struct udp *u);
	int (*listen)(struct env *env, const struct listen_opts *opts, struct listener **out);
	void (*listener_local)(const struct listener *l, struct addr *out);
	void (*listener_close)(struct listener *l);
	int (*connect)(struct env *env, const struct addr *to, const char *path, struct conn **out);
	/* NULL: every node has one address, connect does. */
	int (*connect_from)(
	    struct env *env, const struct addr *from, const struct addr *to, struct conn **out);
	void (*conn_set_handler)(struct conn *c, const struct conn_handler *h);
	void (*conn_want)(struct conn *c, bool read, bool write);
	int64_t (*conn_read)(struct conn *c, void *dst, size_t len);
	int64_t (*conn_write)(struct conn *c, const struct bytes *parts, size_t count);
	void (*conn_local)(const struct conn *c, struct addr *out);
	void (*conn_close)(struct conn *c);
	int (*work_submit)(struct env *env, enum work_pool pool, struct work *w);
	int (*resolve)(struct env *env, const char *host, uint16_t port, struct addr *out,
	    size_t cap, size_t *count);
	int (*local_addrs)(struct env *env, struct addr *out, size_t cap, size_t *count);
};

/*
 * Every struct udp, conn and listener of an implementation starts with this,
 * so that udp_send() and its like find their way.
 */
struct env_handle {
	struct env *env;
};

#endif
