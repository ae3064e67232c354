/*
 * Work flows from the loop into a pool's queue, through one thread, into the
 * inbox, and by its done callback back to the loop. Threads block all signals:
 * those belong to the loop. A full queue is the only failure once the threads run.
 */
#include "overlay/base/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct work_list {
	struct work *head, *tail;
};

static void
list_push(struct work_list *l, struct work *w)
{
	w->next = NULL;
	if (l->tail != NULL)
		l->tail->next = w;
	else
		l->head = w;
	l->tail = w;
}

static struct work *
list_pop(struct work_list *l)
{
	struct work *w = l->head;

	if (w == NULL)
		return NULL;
	l->head = w->next;
	if (l->head == NULL)
		l->tail = NULL;
	return w;
}

/* ---- inbox ---- */

struct work_inbox {
	pthread_mutex_t lock;
	struct work_list finished; /* under lock */
	int fd;
};

int
work_inbox_new(struct work_inbox **out)
{
	struct work_inbox *in = calloc(1, sizeof(*in));
	int err;

	if (in == NULL)
		return ERR_NOMEM;
	in->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->fd < 0) {
		err = err_from_errno(errno);
		free(in);
		return err;
	}
	must(pthread_mutex_init(&in->lock, NULL) == 0);
	*out = in;
	return ERR_OK;
}

void
work_inbox_free(struct work_inbox *in)
{
	if (in == NULL)
		return;
	must(in->finished.head == NULL);
	must(pthread_mutex_destroy(&in->lock) == 0);
	(void)close(in->fd);
	free(in);
}

int
work_inbox_fd(const struct work_inbox *in)
{
	return in->fd;
}

/* From a worker. Only the first of a batch wakes the loop. */
static void
inbox_put(struct work_inbox *in, struct work *w)
{
	uint64_t one = 1;
	bool first;

	must(pthread_mutex_lock(&in->lock) == 0);
	first = in->finished.head == NULL;
	list_push(&in->finished, w);
	must(pthread_mutex_unlock(&in->lock) == 0);
	if (first)
		must(write(in->fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

size_t
work_inbox_drain(struct work_inbox *in)
{
	struct work_list batch;
	struct work *w;
	uint64_t count;
	size_t n = 0;

	/*
	 * Before the list is taken: a work put in between writes again, and costs an empty
	 * turn at worst. Nothing to read is no failure.
	 */
	must(read(in->fd, &count, sizeof(count)) > 0 || errno == EAGAIN);
	must(pthread_mutex_lock(&in->lock) == 0);
	batch = in->finished;
	in->finished = (struct work_list){ NULL, NULL };
	must(pthread_mutex_unlock(&in->lock) == 0);
	while ((w = list_pop(&batch)) != NULL) {
		w->done(w);
		n++;
	}
	return n;
}

void
work_inbox_wait(struct work_inbox *in)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		must(errno == EINTR);
}

/* ---- pool ---- */

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct work_list queue; /* under lock, as are the next two */
	size_t queued;
	bool stop;
	size_t queue_max;
	struct work_inbox *inbox;
	unsigned count;
	pthread_t threads[];
};

/* The next work; NULL when the pool stops and nothing is left. */
static struct work *
next_work(struct workers *p)
{
	struct work *w;

	must(pthread_mutex_lock(&p->lock) == 0);
	while (p->queue.head == NULL && !p->stop)
		must(pthread_cond_wait(&p->wake, &p->lock) == 0);
	w = list_pop(&p->queue);
	if (w != NULL)
		p->queued--;
	must(pthread_mutex_unlock(&p->lock) == 0);
	return w;
}

static void *
thread_main(void *arg)
{
	struct workers *p = arg;
	struct work *w;

	while ((w = next_work(p)) != NULL) {
		w->run(w);
		inbox_put(p->inbox, w);
	}
	return NULL;
}

/* Starts one more thread, which inherits a mask of all signals. */
static int
start_thread(struct workers *p, const char *name)
{
	sigset_t all, old;
	int n;

	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	n = pthread_create(&p->threads[p->count], NULL, thread_main, p);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	if (n != 0)
		return err_from_errno(n);
	/* For people who look at ps; without a name the thread works as well. */
	(void)pthread_setname_np(p->threads[p->count], name);
	p->count++;
	return ERR_OK;
}

int
workers_new(const struct workers_opts *opts, struct workers **out)
{
	struct workers *p;
	int err;

	must(opts->threads > 0);
	p = calloc(1, sizeof(*p) + opts->threads * sizeof(p->threads[0]));
	if (p == NULL)
		return ERR_NOMEM;
	must(pthread_mutex_init(&p->lock, NULL) == 0);
	must(pthread_cond_init(&p->wake, NULL) == 0);
	p->queue_max = opts->queue_max;
	p->inbox = opts->inbox;
	while (p->count < opts->threads) {
		err = start_thread(p, opts->name);
		if (err != ERR_OK) {
			workers_free(p);
			return err;
		}
	}
	*out = p;
	return ERR_OK;
}

void
workers_free(struct workers *p)
{
	if (p == NULL)
		return;
	must(pthread_mutex_lock(&p->lock) == 0);
	p->stop = true;
	must(pthread_cond_broadcast(&p->wake) == 0);
	must(pthread_mutex_unlock(&p->lock) == 0);
	for (unsigned i = 0; i < p->count; i++)
		must(pthread_join(p->threads[i], NULL) == 0);
	must(pthread_cond_destroy(&p->wake) == 0);
	must(pthread_mutex_destroy(&p->lock) == 0);
	free(p);
}

int
workers_submit(struct workers *p, struct work *w)
{
	bool room;

	must(pthread_mutex_lock(&p->lock) == 0);
	room = p->queued < p->queue_max;
	if (room) {
		list_push(&p->queue, w);
		p->queued++;
		must(pthread_cond_signal(&p->wake) == 0);
	}
	must(pthread_mutex_unlock(&p->lock) == 0);
	return room ? ERR_OK : ERR_BUSY;
}

unsigned
workers_cores(void)
{
	cpu_set_t set;
	long online;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);
	/* More than CPU_SETSIZE cores do not fit the set. */
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}
