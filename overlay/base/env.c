/*
 * From the seam's functions to the implementation behind env->ops or, for
 * handles, behind the env that opened them. Nothing else happens here.
 */
#include "overlay/base/env_ops.h"

/* ---- time ---- */

uint64_t
env_now(const struct env *env)
{
	return env->ops->now(env);
}

uint64_t
env_wall_ms(const struct env *env)
{
	return env->ops->wall_ms(env);
}

/* ---- entropy ---- */

void
env_random(struct env *env, void *out, size_t len)
{
	env->ops->random(env, out, len);
}

uint64_t
env_random_below(struct env *env, uint64_t bound)
{
	uint64_t skip, draw;

	must(bound > 0);
	skip = -bound % bound; /* 2^64 mod bound: below it residues would come once too often */
	do
		env_random(env, &draw, sizeof(draw));
	while (draw < skip);
	return draw % bound;
}

uint64_t
env_draw(void *env, uint64_t bound)
{
	return env_random_below(env, bound);
}

/* ---- trying again ---- */

uint64_t
backoff(uint64_t first, uint64_t most, unsigned failed)
{
	uint64_t pause = first;

	for (unsigned i = 0; i < failed && pause < most; i++)
		pause *= 2;
	return MIN(pause, most);
}

uint64_t
env_backoff(struct env *env, uint64_t first, uint64_t most, unsigned failed)
{
	uint64_t pause = backoff(first, most, failed);

	return pause - pause / 4 + env_random_below(env, pause / 4 + 1);
}

void
env_hot(struct env *env, const void *at, size_t len)
{
	if (env->ops->hot != NULL)
		env->ops->hot(env, at, len);
}

/* ---- timers ---- */

void
timer_init(struct timer *t, struct env *env, void (*fire)(void *arg), void *arg)
{
	*t = (struct timer){ .fire = fire, .arg = arg, .env = env };
}

void
timer_start(struct timer *t, uint64_t delay)
{
	t->env->ops->timer_start(t, delay);
}

void
timer_expect(struct timer *t, void (*expect)(void *arg, unsigned step))
{
	if (t->env->ops->timer_expect != NULL)
		t->env->ops->timer_expect(t, expect);
}

void
timer_stop(struct timer *t)
{
	if (timer_armed(t))
		t->env->ops->timer_stop(t);
}

bool
timer_armed(const struct timer *t)
{
	return t->slot_plus1 != 0;
}

/* ---- datagrams ---- */

static const struct env_ops *
ops_of(const void *handle)
{
	const struct env_handle *h = handle;

	return h->env->ops;
}

int
env_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out)
{
	return env->ops->udp_open(env, opts, out);
}

void
udp_local(const struct udp *u, struct addr *out)
{
	ops_of(u)->udp_local(u, out);
}

int
udp_send(struct udp *u, const struct addr *to, struct bytes data)
{
	return ops_of(u)->udp_send(u, to, data);
}

void
udp_expect_send(struct udp *u, const struct addr *to, unsigned step)
{
	if (ops_of(u)->udp_expect_send != NULL)
		ops_of(u)->udp_expect_send(u, to, step);
}

void
udp_close(struct udp *u)
{
	if (u != NULL)
		ops_of(u)->udp_close(u);
}

/* ---- byte streams ---- */

int
env_listen(struct env *env, const struct listen_opts *opts, struct listener **out)
{
	return env->ops->listen(env, opts, out);
}

void
listener_local(const struct listener *l, struct addr *out)
{
	ops_of(l)->listener_local(l, out);
}

void
listener_close(struct listener *l)
{
	if (l != NULL)
		ops_of(l)->listener_close(l);
}

int
env_connect(struct env *env, const struct addr *to, const char *path, struct conn **out)
{
	return env->ops->connect(env, to, path, out);
}

int
env_connect_from(struct env *env, const struct addr *from, const struct addr *to, struct conn **out)
{
	if (env->ops->connect_from == NULL)
		return env->ops->connect(env, to, NULL, out);
	return env->ops->connect_from(env, from, to, out);
}

void
conn_set_handler(struct conn *c, const struct conn_handler *h)
{
	ops_of(c)->conn_set_handler(c, h);
}

void
conn_want(struct conn *c, bool read, bool write)
{
	ops_of(c)->conn_want(c, read, write);
}

int64_t
conn_read(struct conn *c, void *dst, size_t len)
{
	return ops_of(c)->conn_read(c, dst, len);
}

int64_t
conn_write(struct conn *c, const struct bytes *parts, size_t count)
{
	return ops_of(c)->conn_write(c, parts, count);
}

void
conn_local(const struct conn *c, struct addr *out)
{
	ops_of(c)->conn_local(c, out);
}

void
conn_close(struct conn *c)
{
	if (c != NULL)
		ops_of(c)->conn_close(c);
}

/* ---- work and the rest ---- */

int
env_work_submit(struct env *env, enum work_pool pool, struct work *w)
{
	w->env = env;
	return env->ops->work_submit(env, pool, w);
}

int
env_resolve(
    struct env *env, const char *host, uint16_t port, struct addr *out, size_t cap, size_t *count)
{
	return env->ops->resolve(env, host, port, out, cap, count);
}

int
env_local_addrs(struct env *env, struct addr *out, size_t cap, size_t *count)
{
	return env->ops->local_addrs(env, out, cap, count);
}
