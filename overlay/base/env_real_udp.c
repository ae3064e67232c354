/*
 * Datagrams. Readable: batches are taken with recvmmsg into buffers that all
 * sockets of the env share, and lent to receive one by one, at most
 * UDP_TURN_MAX per wake-up so that a flood does not starve the rest. A
 * datagram over UDP_BYTES_MAX is none of ours and is dropped.
 */
#include "overlay/base/env_real_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define UDP_BATCH     16        /* per system call: saves most of their cost under load */
#define UDP_TURN_MAX  64        /* per wake-up: some 100 µs of handlers */
#define UDP_BYTES_MAX 2048      /* ours are at most 1200 */
#define UDP_QUEUE     (1 << 20) /* bytes wished for in the kernel: a burst of ~500 datagrams */

struct udp_batch {
	struct mmsghdr messages[UDP_BATCH];
	struct iovec parts[UDP_BATCH];
	struct sockaddr_storage from[UDP_BATCH];
	uint8_t data[UDP_BATCH][UDP_BYTES_MAX];
};

struct udp {
	struct env_handle handle; /* first */
	int fd;
	struct watch watch;
	void (*receive)(void *arg, const struct addr *from, struct bytes data);
	void *arg;
	uint8_t family;
	bool *closed; /* set while a turn runs: tells it that the socket has gone */
};

int
udp_batch_new(struct udp_batch **out)
{
	struct udp_batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < UDP_BATCH; i++) {
		b->parts[i].iov_base = b->data[i];
		b->parts[i].iov_len = UDP_BYTES_MAX;
		b->messages[i].msg_hdr.msg_iov = &b->parts[i];
		b->messages[i].msg_hdr.msg_iovlen = 1;
		b->messages[i].msg_hdr.msg_name = &b->from[i];
	}
	*out = b;
	return ERR_OK;
}

void
udp_batch_free(struct udp_batch *b)
{
	free(b);
}

/* How many datagrams lie in the batch; 0 when there is none, or the socket has a complaint. */
static size_t
fill(struct udp *u, struct udp_batch *b)
{
	int n;

	for (size_t i = 0; i < UDP_BATCH; i++) {
		b->messages[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
		b->messages[i].msg_hdr.msg_flags = 0;
	}
	do
		n = recvmmsg(u->fd, b->messages, UDP_BATCH, 0, NULL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN)
		log_warn(u->handle.env, "receiving datagrams: %s", strerror(errno));
	return 0;
}

static void
deliver(struct udp *u, struct udp_batch *b, size_t i)
{
	const struct mmsghdr *m = &b->messages[i];
	struct addr from;

	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0)
		return;
	addr_from_sockaddr(&from, &b->from[i]);
	if (from.family != u->family)
		return;
	u->receive(u->arg, &from, bytes_of(b->data[i], m->msg_len));
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct udp *u = arg;
	struct udp_batch *b = real_of(u->handle.env)->batch;
	bool closed = false;
	size_t n = UDP_BATCH;

	(void)readable;
	(void)writable;
	u->closed = &closed;
	/* A batch that was not full has emptied the queue. */
	for (size_t taken = 0; taken < UDP_TURN_MAX && n == UDP_BATCH; taken += n) {
		n = fill(u, b);
		for (size_t i = 0; i < n; i++) {
			deliver(u, b, i);
			if (closed)
				return;
		}
	}
	u->closed = NULL;
}

int
real_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out)
{
	struct real_env *r = real_of(env);
	struct udp *u = calloc(1, sizeof(*u));
	int queue = UDP_QUEUE, err;

	if (u == NULL)
		return ERR_NOMEM;
	u->handle.env = env;
	u->receive = opts->receive;
	u->arg = opts->arg;
	u->family = opts->bind.family;
	err = addr_bind(&opts->bind, SOCK_DGRAM, &u->fd);
	if (err != ERR_OK)
		goto fail_memory;
	/* The system's own limit may be lower, and the default works too. */
	(void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
	err = watch_open(&u->watch, r, u->fd, on_ready, u);
	if (err != ERR_OK)
		goto fail_socket;
	watch_want(&u->watch, true, false);
	r->handles++;
	*out = u;
	return ERR_OK;
fail_socket:
	(void)close(u->fd);
fail_memory:
	free(u);
	return err;
}

void
real_udp_local(const struct udp *u, struct addr *out)
{
	addr_of_socket(u->fd, out);
}

int
real_udp_send(struct udp *u, const struct addr *to, struct bytes data)
{
	struct sockaddr_storage sa;
	socklen_t len;
	ssize_t n;
	int err;

	if (to->family != u->family)
		return ERR_INVALID;
	err = addr_to_sockaddr(to, &sa, &len);
	if (err != ERR_OK)
		return err;
	do
		n = sendto(u->fd, data.data, data.len, MSG_NOSIGNAL, (struct sockaddr *)&sa, len);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? ERR_OK : err_from_errno(errno);
}

void
real_udp_close(struct udp *u)
{
	if (u->closed != NULL)
		*u->closed = true;
	real_of(u->handle.env)->handles--;
	watch_close(&u->watch);
	(void)close(u->fd);
	free(u);
}
