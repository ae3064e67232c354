/*
 * The loop, and all that touches libevent. One turn: wait for descriptors and
 * the alarm of the first timer, run their callbacks, fire the timers that are
 * due, run the tasks that all this made ready. The clock is read at most once
 * per turn, by the first callback. Finished work comes in through the inbox's
 * descriptor.
 */
#include "overlay/base/env_real.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "overlay/base/env_real_private.h"
#include "overlay/base/task.h"

/* Tasks that wake one another run on for so long before I/O has its turn again. */
#define TASK_ROUNDS 32

/* ---- time and timers ---- */

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return SECONDS(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

void
real_refresh_time(struct real_env *r)
{
	if (!r->stale)
		return;
	r->stale = false;
	r->now = clock_ns(CLOCK_MONOTONIC) + 1; /* never 0, even just after booting */
	r->wall_ms = clock_ns(CLOCK_REALTIME) / MILLISECONDS(1);
}

static uint64_t
real_now(const struct env *env)
{
	return real_of(env)->now;
}

static uint64_t
real_wall_ms(const struct env *env)
{
	return real_of(env)->wall_ms;
}

static void
real_random(struct env *env, void *out, size_t len)
{
	uint8_t *p = out;

	(void)env;
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		must(n > 0 || errno == EINTR); /* a kernel without entropy is no place for keys */
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static void
real_timer_start(struct timer *t, uint64_t delay)
{
	struct real_env *r = real_of(t->env);
	uint64_t due = delay > UINT64_MAX - r->now ? UINT64_MAX : r->now + delay;

	/* A few bytes per timer; an operation whose end never comes would be worse. */
	must(timer_heap_add(&r->timers, t, due) == ERR_OK);
}

static void
real_timer_stop(struct timer *t)
{
	timer_heap_remove(&real_of(t->env)->timers, t);
}

/* Those armed by the fired ones wait for the next turn, however short they are. */
static void
fire_timers(struct real_env *r)
{
	uint64_t end = r->timers.next_seq;

	for (;;) {
		struct timer *t = timer_heap_first(&r->timers);

		if (t == NULL || t->due > r->now || t->seq >= end)
			return;
		timer_heap_remove(&r->timers, t);
		t->fire(t->arg);
	}
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct real_env *r = arg;

	(void)fd;
	(void)what;
	r->alarm_due = 0;
	real_refresh_time(r);
}

/*
 * Sees that the loop wakes in time for the first timer. An alarm that is too early
 * stays: it costs one empty turn, where moving it would cost one for each answer that comes.
 */
static void
set_alarm(struct real_env *r)
{
	const struct timer *first = timer_heap_first(&r->timers);
	uint64_t delay;
	struct timeval tv;

	if (first == NULL || (r->alarm_due != 0 && r->alarm_due <= first->due))
		return;
	delay = first->due > r->now ? first->due - r->now : 0;
	delay = MIN(delay, HOURS(1)); /* the far end of time does not fit a timeval */
	tv.tv_sec = (time_t)(delay / SECONDS(1));
	tv.tv_usec = (suseconds_t)(delay % SECONDS(1) / MICROSECONDS(1)) + 1;
	if (tv.tv_usec >= 1000000) {
		tv.tv_sec++;
		tv.tv_usec -= 1000000;
	}
	must(event_add(r->alarm, &tv) == 0);
	r->alarm_due = r->now + delay;
}

/* ---- descriptors ---- */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	real_refresh_time(w->real);
	w->ready(w->arg, true, false); /* may close the watch */
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	real_refresh_time(w->real);
	w->ready(w->arg, false, true);
}

int
watch_open(struct watch *w, struct real_env *r, int fd,
    void (*ready)(void *arg, bool readable, bool writable), void *arg)
{
	*w = (struct watch){ .real = r, .ready = ready, .arg = arg };
	w->read = event_new(r->base, fd, EV_READ | EV_PERSIST, on_readable, w);
	w->write = event_new(r->base, fd, EV_WRITE | EV_PERSIST, on_writable, w);
	/* The first add of a descriptor makes room for it, so that later ones cannot fail. */
	if (w->read == NULL || w->write == NULL || event_add(w->read, NULL) != 0 ||
	    event_del(w->read) != 0) {
		watch_close(w);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

static void
set_event(struct event *e, bool *is, bool want)
{
	if (*is == want)
		return;
	must((want ? event_add(e, NULL) : event_del(e)) == 0);
	*is = want;
}

void
watch_want(struct watch *w, bool read, bool write)
{
	set_event(w->read, &w->reading, read);
	set_event(w->write, &w->writing, write);
}

void
watch_close(struct watch *w)
{
	if (w->read != NULL)
		event_free(w->read);
	if (w->write != NULL)
		event_free(w->write);
	w->read = w->write = NULL;
}

struct env_real_watch {
	struct watch watch;
	void (*ready)(void *arg);
	void *arg;
};

static void
on_foreign(void *arg, bool readable, bool writable)
{
	struct env_real_watch *w = arg;

	(void)readable;
	(void)writable;
	w->ready(w->arg);
}

int
env_real_watch(
    struct env *env, int fd, void (*ready)(void *arg), void *arg, struct env_real_watch **out)
{
	struct env_real_watch *w = calloc(1, sizeof(*w));
	int err;

	if (w == NULL)
		return ERR_NOMEM;
	w->ready = ready;
	w->arg = arg;
	err = watch_open(&w->watch, real_of(env), fd, on_foreign, w);
	if (err != ERR_OK) {
		free(w);
		return err;
	}
	watch_want(&w->watch, true, false);
	real_of(env)->handles++;
	*out = w;
	return ERR_OK;
}

void
env_real_unwatch(struct env_real_watch *w)
{
	if (w == NULL)
		return;
	watch_close(&w->watch);
	w->watch.real->handles--;
	free(w);
}

/* ---- workers ---- */

static int
real_work_submit(struct env *env, enum work_pool pool, struct work *w)
{
	struct real_env *r = real_of(env);
	int err = workers_submit(r->pools[pool], w);

	if (err == ERR_OK)
		r->works_out++;
	return err;
}

static void
drain_inbox(struct real_env *r)
{
	size_t n = work_inbox_drain(r->inbox);

	must(n <= r->works_out);
	r->works_out -= n;
}

static void
on_inbox(evutil_socket_t fd, short what, void *arg)
{
	struct real_env *r = arg;

	(void)fd;
	(void)what;
	real_refresh_time(r);
	drain_inbox(r);
}

/* ---- the loop ---- */

static void
real_kick(struct env *env)
{
	real_of(env)->kicked = true;
}

static void
turn(struct real_env *r)
{
	const struct timer *first = timer_heap_first(&r->timers);
	bool busy = r->kicked || (first != NULL && first->due <= r->now);

	if (!busy)
		set_alarm(r);
	r->stale = true;
	must(event_base_loop(r->base, EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0)) == 0);
	real_refresh_time(r);
	fire_timers(r);
	for (int i = 0; i < TASK_ROUNDS && r->kicked; i++) {
		r->kicked = false;
		tasks_run(r->env.tasks);
	}
}

struct main_task {
	int (*main)(void *arg);
	void *arg;
	int result;
	bool ended;
};

static int
run_main(void *arg)
{
	struct main_task *m = arg;

	m->result = m->main(m->arg);
	m->ended = true;
	return m->result;
}

int
env_real_run(struct env *env, int (*main)(void *arg), void *arg)
{
	struct main_task m = { .main = main, .arg = arg };
	struct real_env *r = real_of(env);
	struct task_group group;
	int err;

	r->stale = true;
	real_refresh_time(r);
	task_group_init(&group, env);
	err = task_spawn(&group, "main", run_main, &m);
	if (err != ERR_OK)
		return err;
	while (!m.ended || task_group_live(&group) > 0)
		turn(r);
	return m.result;
}

/* ---- signals ---- */

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct real_signal *s = arg;

	(void)what;
	real_refresh_time(s->real);
	s->cb(s->arg, (int)signo);
}

int
env_real_on_signal(struct env *env, int signo, void (*cb)(void *arg, int signo), void *arg)
{
	struct real_env *r = real_of(env);
	struct real_signal *s = &r->signals[r->signals_count];

	if (r->signals_count == SIGNALS_MAX)
		return ERR_FULL;
	*s = (struct real_signal){ .real = r, .signo = signo, .cb = cb, .arg = arg };
	s->event = evsignal_new(r->base, signo, on_signal, s);
	if (s->event == NULL)
		return ERR_INVALID;
	if (event_add(s->event, NULL) != 0) {
		event_free(s->event);
		return ERR_INVALID;
	}
	r->signals_count++;
	return ERR_OK;
}

/* ---- making and freeing ---- */

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* One thread; wants that change back and forth within a turn cost no system call. */
	if (event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* Everything of the loop; what was made before a failure is freed by the caller. */
static int
loop_open(struct real_env *r)
{
	int err;

	r->base = base_new();
	if (r->base == NULL)
		return ERR_NOMEM;
	r->alarm = evtimer_new(r->base, on_alarm, r);
	if (r->alarm == NULL)
		return ERR_NOMEM;
	err = work_inbox_new(&r->inbox);
	if (err != ERR_OK)
		return err;
	r->inbox_event =
	    event_new(r->base, work_inbox_fd(r->inbox), EV_READ | EV_PERSIST, on_inbox, r);
	if (r->inbox_event == NULL || event_add(r->inbox_event, NULL) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

static int
pools_open(struct real_env *r, unsigned cpu_threads)
{
	struct workers_opts cpu = {
		.name = "skerry-cpu",
		.threads = cpu_threads != 0 ? cpu_threads : workers_cores(),
		.queue_max = WORK_QUEUE_MAX,
		.inbox = r->inbox,
	};
	struct workers_opts disk = {
		.name = "skerry-disk",
		.threads = WORK_DISK_THREADS,
		.queue_max = WORK_QUEUE_MAX,
		.inbox = r->inbox,
	};
	int err = workers_new(&cpu, &r->pools[WORK_CPU]);

	return err != ERR_OK ? err : workers_new(&disk, &r->pools[WORK_DISK]);
}

static const struct env_ops real_ops = {
	.now = real_now,
	.wall_ms = real_wall_ms,
	.random = real_random,
	.timer_start = real_timer_start,
	.timer_stop = real_timer_stop,
	.kick = real_kick,
	.udp_open = real_udp_open,
	.udp_local = real_udp_local,
	.udp_send = real_udp_send,
	.udp_close = real_udp_close,
	.listen = real_listen,
	.listener_local = real_listener_local,
	.listener_close = real_listener_close,
	.connect = real_connect,
	.connect_from = real_connect_from,
	.conn_set_handler = real_conn_set_handler,
	.conn_want = real_conn_want,
	.conn_read = real_conn_read,
	.conn_write = real_conn_write,
	.conn_local = real_conn_local,
	.conn_close = real_conn_close,
	.work_submit = real_work_submit,
	.resolve = addr_resolve,
	.local_addrs = addr_local,
};

int
env_real_new(const struct env_real_opts *opts, struct env **out)
{
	struct real_env *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return ERR_NOMEM;
	r->env.ops = &real_ops;
	r->env.log = opts->log;
	r->env.disk = disk_real();
	r->stale = true;
	real_refresh_time(r);
	timer_heap_init(&r->timers);
	/* Our sockets ask for no signal when a peer has gone; other libraries' may not. */
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	r->env.tasks = tasks_new(&r->env, opts->tasks_max != 0 ? opts->tasks_max : TASKS_MAX, true);
	err = r->env.tasks == NULL ? ERR_NOMEM : loop_open(r);
	if (err == ERR_OK)
		err = udp_batch_new(&r->batch);
	if (err == ERR_OK)
		err = pools_open(r, opts->cpu_threads);
	if (err != ERR_OK) {
		env_real_free(&r->env);
		return err;
	}
	*out = &r->env;
	return ERR_OK;
}

void
env_real_free(struct env *env)
{
	struct real_env *r;

	if (env == NULL)
		return;
	r = real_of(env);
	/* Work cannot be taken back, and its owner's memory is in use until done. */
	while (r->works_out > 0) {
		work_inbox_wait(r->inbox);
		drain_inbox(r);
	}
	for (size_t i = 0; i < ARRAY_LEN(r->pools); i++)
		workers_free(r->pools[i]);
	tasks_free(r->env.tasks);
	must(r->handles == 0);
	must(timer_heap_count(&r->timers) == 0); /* a timer outlived its owner's env */
	timer_heap_fini(&r->timers);
	for (size_t i = 0; i < r->signals_count; i++)
		event_free(r->signals[i].event);
	if (r->inbox_event != NULL)
		event_free(r->inbox_event);
	if (r->alarm != NULL)
		event_free(r->alarm);
	work_inbox_free(r->inbox);
	udp_batch_free(r->batch);
	if (r->base != NULL)
		event_base_free(r->base);
	free(r);
}

const char *
env_real_version(void)
{
	return "libevent " LIBEVENT_VERSION;
}
