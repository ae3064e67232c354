/*
 * Simulated connections and listeners, as their owners see them. Readiness is
 * level-triggered: conn_poll arms an event when something wanted is there; after
 * the owner was told, another follows while the condition persists: at once when the
 * owner moved something, after RETELL when it did not, so that time always passes.
 */
#include "sim/stream.h"

#include <stdlib.h>

/* A real loop would spin on an owner that is told and does nothing. */
#define RETELL        MICROSECONDS(100)
/* Like Linux: writable is told when a good part of the window is free, not for every byte. */
#define WRITABLE_ROOM (SIM_STREAM_WINDOW / 4)

static void tell(void *arg);

/* ---- listeners ---- */

struct listener *
listener_find(const struct sim_node *n, uint16_t port)
{
	struct listener *l = n->listeners;

	while (l != NULL && l->bound.port != port)
		l = l->next;
	return l;
}

int
sim_listen(struct env *env, const struct listen_opts *opts, struct listener **out)
{
	struct sim_node *n = node_of(env);
	struct addr bound = opts->bind;
	struct listener *l;
	int err;

	if (opts->path != NULL)
		return ERR_UNSUPPORTED;
	err = node_bind_check(n, &bound);
	if (err != ERR_OK)
		return err;
	if (bound.port == 0) {
		do
			bound.port = node_port_next(n);
		while (listener_find(n, bound.port) != NULL);
	} else if (listener_find(n, bound.port) != NULL) {
		return ERR_EXISTS;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ERR_NOMEM;
	*l = (struct listener){ .handle = { .env = env },
		.next = n->listeners,
		.bound = bound,
		.accepted = opts->accepted,
		.arg = opts->arg };
	n->listeners = l;
	*out = l;
	return ERR_OK;
}

void
sim_listener_local(const struct listener *l, struct addr *out)
{
	*out = l->bound;
}

void
sim_listener_close(struct listener *l)
{
	struct listener **at = &node_of(l->handle.env)->listeners;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	free(l);
}

/* ---- life of a connection ---- */

struct conn *
conn_new(struct sim_node *n, struct sim_link *l, int side)
{
	struct conn *c = calloc(1, sizeof(*c));

	must(c != NULL);
	c->handle.env = &n->env;
	c->link = l;
	c->side = side;
	c->local = l->addr[side];
	event_init(&c->ready, tell, c);
	c->next = n->conns;
	if (c->next != NULL)
		c->next->prev = c;
	n->conns = c;
	l->end[side] = c;
	return c;
}

int
sim_connect(struct env *env, const struct addr *to, const char *path, struct conn **out)
{
	struct sim_node *n = node_of(env);
	struct addr local = n->ip, seen;
	struct sim_link *l;

	if (path != NULL)
		return ERR_UNSUPPORTED;
	if (n->dead || to->family != n->ip.family)
		return ERR_UNREACHABLE;
	if (to->port == 0)
		return ERR_INVALID;
	local.port = node_port_next(n);
	seen = local;
	if (n->nat != NULL)
		seen.port = nat_stream_port(n->nat, local.port, to);
	l = link_new(n, &seen, to);
	*out = conn_new(n, l, 0);
	(*out)->local = local;
	(*out)->connecting = true;
	world_at(n->world, &l->handshake,
	    n->world->now + sim_one_way(n->world->regions, &l->place[0], &l->place[1]));
	return ERR_OK;
}

static void
conn_free(struct conn *c)
{
	struct sim_node *n = node_of(c->handle.env);

	world_cancel(n->world, &c->ready);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		n->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
}

void
sim_conn_close(struct conn *c)
{
	struct sim_link *l = c->link;

	must(!c->closed);
	c->closed = true;
	c->handler.ready = NULL;
	if (l != NULL) {
		/* A kernel that throws received bytes away says so with a reset. */
		bool unread = l->pipe[!c->side].unread.first != NULL;

		if (!c->connecting && c->err == ERR_OK)
			link_push(l, c->side, unread ? SEGMENT_RESET : SEGMENT_FIN, NULL);
		c->link = NULL;
		link_detach(l, c->side);
	}
	if (!c->in_ready)
		conn_free(c);
}

void
streams_die(struct sim_node *n, enum sim_death how)
{
	for (struct conn *c = n->conns; c != NULL; c = c->next) {
		struct sim_link *l = c->link;

		if (l == NULL)
			continue;
		if (how == SIM_SILENT)
			link_silence(l, c->side);
		else if (!c->connecting && c->err == ERR_OK)
			link_push(l, c->side, SEGMENT_RESET, NULL);
		conn_break(c, ERR_CLOSED);
		c->link = NULL;
		link_detach(l, c->side);
	}
}

/* ---- readiness ---- */

static bool
readable(const struct conn *c)
{
	const struct pipe *in;

	if (c->connecting)
		return false;
	if (c->err != ERR_OK)
		return true;
	in = &c->link->pipe[!c->side];
	return in->unread.first != NULL || in->eof;
}

static bool
writable(const struct conn *c)
{
	if (c->connecting)
		return false;
	return c->err != ERR_OK ||
	       c->link->pipe[c->side].window_used + WRITABLE_ROOM <= SIM_STREAM_WINDOW;
}

static void
poll_after(struct conn *c, uint64_t delay)
{
	struct sim_world *w = node_of(c->handle.env)->world;

	if (c->in_ready || c->handler.ready == NULL || timer_armed(&c->ready))
		return;
	if (c->report || (c->want_read && readable(c)) || (c->want_write && writable(c)))
		world_at(w, &c->ready, w->now + delay);
}

void
conn_poll(struct conn *c)
{
	poll_after(c, 0);
}

static void
tell(void *arg)
{
	struct conn *c = arg;
	uint64_t moves = c->moves;
	/* The end of connecting is told alone, as by a poll for writing. */
	bool read = !c->report && c->want_read && readable(c);
	bool write = c->report || (c->want_write && writable(c));

	if (!read && !write)
		return;
	world_note(node_of(c->handle.env)->world, c->local.port);
	c->report = false;
	c->in_ready = true;
	c->handler.ready(c->handler.arg, read, write);
	c->in_ready = false;
	if (c->closed)
		conn_free(c);
	else
		poll_after(c, c->moves != moves ? 0 : RETELL);
}

void
conn_connected(struct conn *c)
{
	c->connecting = false;
	c->report = true;
	conn_poll(c);
}

void
conn_break(struct conn *c, int err)
{
	if (c->err != ERR_OK)
		return;
	c->err = err;
	c->report |= c->connecting;
	c->connecting = false;
	conn_poll(c);
}

void
sim_conn_set_handler(struct conn *c, const struct conn_handler *h)
{
	c->handler = *h;
	conn_poll(c);
}

void
sim_conn_want(struct conn *c, bool read, bool write)
{
	c->moves += read != c->want_read || write != c->want_write;
	c->want_read = read;
	c->want_write = write;
	conn_poll(c);
}

/* ---- bytes ---- */

int64_t
sim_conn_read(struct conn *c, void *dst, size_t len)
{
	uint8_t *to = dst;
	struct pipe *in;
	size_t got = 0;

	must(len > 0);
	if (c->connecting)
		return 0;
	if (c->link == NULL)
		return c->err;
	in = &c->link->pipe[!c->side];
	while (got < len && in->unread.first != NULL) {
		struct segment *s = in->unread.first;
		size_t part = MIN(len - got, s->len - s->pos);

		memcpy(to + got, s->data + s->pos, part);
		got += part;
		s->pos += part;
		if (s->pos == s->len) {
			in->unread.first = s->next;
			if (s->next == NULL)
				in->unread.last = NULL;
			free(s);
		}
	}
	if (got > 0) {
		c->moves++;
		link_consumed(c->link, !c->side, got);
		return (int64_t)got;
	}
	if (in->eof)
		return ERR_CLOSED;
	return c->err;
}

int64_t
sim_conn_write(struct conn *c, const struct bytes *parts, size_t count)
{
	struct sim_world *w = node_of(c->handle.env)->world;
	size_t room, total = 0, left, part = 0, pos = 0;
	struct pipe *pipe;

	if (c->err != ERR_OK)
		return c->err;
	if (c->connecting)
		return 0;
	pipe = &c->link->pipe[c->side];
	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	must(total > 0); /* nothing to write would look like a full window */
	room = SIM_STREAM_WINDOW - pipe->window_used;
	total = MIN(total, room);
	for (left = total; left > 0;) {
		struct segment *s = segment_new(SEGMENT_DATA, (size_t)MIN(left, SEGMENT_MAX));

		for (size_t fill = 0; fill < s->len;) {
			size_t n = MIN(s->len - fill, parts[part].len - pos);

			if (n > 0)
				memcpy(s->data + fill, parts[part].data + pos, n);
			fill += n;
			pos += n;
			if (pos == parts[part].len) {
				part++;
				pos = 0;
			}
		}
		left -= s->len;
		link_push(c->link, c->side, SEGMENT_DATA, s);
	}
	pipe->window_used += total;
	w->traffic.stream_bytes_sent += total;
	c->moves += total > 0;
	return (int64_t)total;
}

void
sim_conn_local(const struct conn *c, struct addr *out)
{
	*out = c->local;
}
