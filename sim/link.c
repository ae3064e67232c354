/*
 * What travels between two ends of a simulated byte stream. Each side has a
 * pipe: segments through the sender's line, on the wire in order, through the receiver's
 * line, then unread at the receiver, and the way back of their acknowledgement, which
 * frees the sender's window. Small segments that wait for a line pass it together. Those that meet
 * a partition or a dead machine are tried again, as TCP does, until SIM_STREAM_TIMEOUT;
 * then the sender's end breaks with ERR_TIMEOUT. Bytes for an end that is gone are
 * answered with a reset.
 */
#include "sim/stream.h"

#include <stdlib.h>

/* TCP's retransmission: starts at Linux's minimum, doubles. */
#define RETRY_FIRST   MILLISECONDS(200)
#define RETRY_MAX     SECONDS(5)
/* The first connect attempt is repeated after a second (RFC 6298). */
#define CONNECT_RETRY SECONDS(1)
/* Acknowledgements are gathered: a burst of small reads costs one event per millisecond. */
#define ACK_GRAIN     MILLISECONDS(1)
/* For the share of lost packets: payload of an Ethernet frame. */
#define PACKET_BYTES  1448

static void arrive(void *arg);
static void ack_arrive(void *arg);
static void up_done(void *arg);
static void down_done(void *arg);
static void handshake(void *arg);

/* ---- queues ---- */

struct segment *
segment_new(enum segment_kind kind, size_t len)
{
	struct segment *s = malloc(sizeof(*s) + len);

	must(s != NULL);
	s->next = NULL;
	s->kind = kind;
	s->due = 0;
	s->len = len;
	s->pos = 0;
	return s;
}

static void
queue_put(struct segment_queue *q, struct segment *s)
{
	if (q->last != NULL)
		q->last->next = s;
	else
		q->first = s;
	q->last = s;
}

static struct segment *
queue_take(struct segment_queue *q)
{
	struct segment *s = q->first;

	q->first = s->next;
	if (q->first == NULL)
		q->last = NULL;
	s->next = NULL;
	return s;
}

static void
queue_clear(struct segment_queue *q)
{
	while (q->first != NULL)
		free(queue_take(q));
}

/* ---- life ---- */

struct sim_link *
link_new(struct sim_node *from, const struct addr *local, const struct addr *to)
{
	struct sim_world *w = from->world;
	const struct sim_node *peer = world_node(w, to);
	struct sim_link *l = calloc(1, sizeof(*l));

	must(l != NULL);
	l->world = w;
	l->addr[0] = *local;
	l->addr[1] = *to;
	l->place[0] = from->place;
	l->place[1] = peer == NULL ? from->place : peer->place;
	for (int side = 0; side < SIDES; side++) {
		struct pipe *p = &l->pipe[side];

		p->link = l;
		p->side = side;
		event_init(&p->arrive, arrive, p);
		event_init(&p->ack_arrive, ack_arrive, p);
		p->up = (struct flow){ .done = up_done, .arg = p };
		p->down = (struct flow){ .done = down_done, .arg = p };
	}
	event_init(&l->handshake, handshake, l);
	l->opening = true;
	l->started = w->now;
	l->retry = CONNECT_RETRY;
	return l;
}

static void
out_drop(struct pipe *p)
{
	line_leave(&p->up);
	p->leaving = 0;
	queue_clear(&p->out);
}

static void
wire_drop(struct pipe *p)
{
	if (p->side == 0)
		p->link->opening = false;
	out_drop(p);
	line_leave(&p->down);
	p->passing = p->passed = 0;
	clog_forget_pipe(p);
	queue_clear(&p->wire);
	world_cancel(p->link->world, &p->arrive);
}

static void
link_settle(struct sim_link *l)
{
	if (l->busy || l->end[0] != NULL || l->end[1] != NULL || l->opening)
		return;
	for (int side = 0; side < SIDES; side++) {
		struct pipe *p = &l->pipe[side];

		wire_drop(p);
		queue_clear(&p->unread);
		world_cancel(l->world, &p->ack_arrive);
		while (p->acks != NULL) {
			struct ack *a = p->acks;

			p->acks = a->next;
			free(a);
		}
	}
	world_cancel(l->world, &l->handshake);
	free(l);
}

void
link_silence(struct sim_link *l, int side)
{
	l->pipe[side].sender_dead = true;
	out_drop(&l->pipe[side]);
}

void
link_detach(struct sim_link *l, int side)
{
	l->end[side] = NULL;
	if (side == 0 && timer_armed(&l->handshake))
		l->opening = false; /* gave up before it was connected */
	queue_clear(&l->pipe[!side].unread);
	link_settle(l);
}

/* ---- sending ---- */

static bool
same_machine(const struct sim_link *l)
{
	return memcmp(l->addr[0].ip, l->addr[1].ip, sizeof(l->addr[0].ip)) == 0;
}

static uint64_t
trip(struct sim_link *l, int side)
{
	if (same_machine(l))
		return SIM_SELF_RTT / 2;
	return sim_trip(&l->world->random, l->world->regions, &l->place[side], &l->place[!side]);
}

/* Lost packets of a stream are sent again a round trip later. */
static uint64_t
repair_delay(struct sim_link *l, int side, size_t bytes)
{
	struct sim_world *w = l->world;
	uint64_t ppm = (bytes / PACKET_BYTES + 1) *
		       (uint64_t)world_loss_ppm(w, &l->addr[side], &l->addr[!side]);

	if (same_machine(l) || !sim_random_chance(&w->random, (uint32_t)MIN(ppm, SIM_PPM)))
		return 0;
	return 2 * sim_one_way(w->regions, &l->place[0], &l->place[1]);
}

/* The first `count` of out leave the sender's line at this moment. */
static void
launch(struct pipe *p, size_t count, size_t bytes)
{
	struct sim_link *l = p->link;
	struct sim_world *w = l->world;
	uint64_t due = w->now + trip(l, p->side) + repair_delay(l, p->side, bytes);

	p->last_due = MAX(due, p->last_due);
	if (count > 0 && p->wire.first == NULL)
		world_at(w, &p->arrive, p->last_due);
	for (; count > 0; count--) {
		struct segment *s = queue_take(&p->out);

		s->due = p->last_due;
		queue_put(&p->wire, s);
	}
}

/* How many segments pass a line at once, and their bytes: those due by `now`. */
static size_t
batch(const struct segment_queue *q, uint64_t now, size_t *bytes)
{
	size_t count = 0;

	*bytes = 0;
	for (const struct segment *s = q->first; s != NULL && s->due <= now; s = s->next) {
		if (count > 0 && *bytes + s->len > SEGMENT_MAX)
			break;
		*bytes += s->len;
		count++;
	}
	return count;
}

/* Segments without bytes weigh nothing, but keep their place. */
static void
feed_uplink(struct pipe *p)
{
	struct sim_link *l = p->link;

	while (p->out.first != NULL && p->leaving == 0) {
		const struct sim_node *n = world_node(l->world, &l->addr[p->side]);
		struct line *line = n == NULL || same_machine(l) ? NULL : n->up;
		size_t bytes;

		if (line_rate(line) == 0 || p->out.first->len == 0) {
			launch(p, 1, p->out.first->len);
			continue;
		}
		p->leaving = batch(&p->out, UINT64_MAX, &bytes);
		line_enter(line, &p->up, bytes);
	}
}

static void
up_done(void *arg)
{
	struct pipe *p = arg;
	size_t bytes = 0;
	const struct segment *s = p->out.first;

	for (size_t i = 0; i < p->leaving; i++, s = s->next)
		bytes += s->len;
	launch(p, p->leaving, bytes);
	p->leaving = 0;
	feed_uplink(p);
}

void
link_push(struct sim_link *l, int side, enum segment_kind kind, struct segment *data)
{
	struct pipe *p = &l->pipe[side];

	queue_put(&p->out, data != NULL ? data : segment_new(kind, 0));
	feed_uplink(p);
}

/* The end of this side is not there: what it is sent is answered so, once. */
static void
reset_back(struct sim_link *l, int side)
{
	if (l->end[!side] == NULL || l->pipe[side].reset_sent)
		return;
	l->pipe[side].reset_sent = true;
	link_push(l, side, SEGMENT_RESET, NULL);
}

/* ---- arriving ---- */

/* Whether the machine of the other side can be reached and can answer. */
static bool
flows(const struct sim_link *l, int side)
{
	const struct sim_world *w = l->world;
	const struct sim_node *to = world_node(w, &l->addr[!side]);
	const struct sim_node *from = world_node(w, &l->addr[side]);

	if (to == NULL || (to->dead && to->death == SIM_SILENT))
		return false;
	if (from == to)
		return true;
	if (from == NULL) /* its last words are on the way; nobody is there to answer */
		return to->outages == 0;
	return to->outages == 0 && from->outages == 0 && !world_blocked(w, from, to) &&
	       !world_blocked(w, to, from);
}

/* Streams need both ways. */
static struct clog *
clog_of(const struct sim_link *l, int side)
{
	struct clog *c;

	if (l->world->clogs_count == 0 || same_machine(l))
		return NULL;
	c = world_clog(l->world, &l->addr[side], &l->addr[!side]);
	return c != NULL ? c : world_clog(l->world, &l->addr[!side], &l->addr[side]);
}

/* What arrives cannot: tried again, or held by a clog until that or patience is over. */
static void
stall(struct pipe *p, struct clog *clog)
{
	struct sim_link *l = p->link;
	struct sim_world *w = l->world;
	bool lost = p->sender_dead && clog == NULL; /* nobody sends it again */

	if (p->stalled_since == 0) {
		p->stalled_since = w->now;
		p->retry = RETRY_FIRST;
	} else {
		p->retry = MIN(p->retry * 2, RETRY_MAX);
	}
	if (lost || w->closing || w->now - p->stalled_since >= SIM_STREAM_TIMEOUT) {
		wire_drop(p);
		if (l->end[p->side] != NULL)
			conn_break(l->end[p->side], ERR_TIMEOUT);
	} else if (clog != NULL) {
		clog_hold_pipe(clog, p);
		world_at(w, &p->arrive, p->stalled_since + SIM_STREAM_TIMEOUT);
	} else {
		world_at(w, &p->arrive, w->now + p->retry);
	}
}

static void
open_end(struct sim_link *l)
{
	struct sim_node *n = world_node(l->world, &l->addr[1]);
	struct listener *listener = n->dead ? NULL : listener_find(n, l->addr[1].port);

	l->opening = false;
	if (listener == NULL) {
		reset_back(l, 1);
		return;
	}
	listener->accepted(listener->arg, conn_new(n, l, 1), &l->addr[0]);
}

static void
take_in(struct sim_link *l, int side, struct segment *s)
{
	struct pipe *p = &l->pipe[side];
	struct conn *to = l->end[!side];

	world_note(l->world, l->addr[!side].port);
	world_note(l->world, sim_mix_bytes(s->kind, bytes_of(s->data, s->len)));
	if (s->kind == SEGMENT_OPEN) {
		open_end(l);
	} else if (to == NULL) {
		if (s->kind == SEGMENT_DATA)
			reset_back(l, !side);
	} else if (s->kind == SEGMENT_RESET) {
		conn_break(to, ERR_CLOSED);
	} else if (to->err == ERR_OK) {
		p->eof |= s->kind == SEGMENT_FIN;
		if (s->kind == SEGMENT_DATA) {
			queue_put(&p->unread, s);
			s = NULL;
		}
		conn_poll(to);
	}
	free(s);
}

/* Sends what is due into the receiver's line; false: nothing to wait for. */
static bool
enter_downlink(struct pipe *p)
{
	struct sim_link *l = p->link;
	struct line *line = world_node(l->world, &l->addr[!p->side])->down;
	size_t count, bytes;

	if (line_rate(line) == 0 || p->wire.first->len == 0 || same_machine(l))
		return false;
	count = batch(&p->wire, l->world->now, &bytes);
	p->passing = count;
	line_enter(line, &p->down, bytes);
	return true;
}

static void
down_done(void *arg)
{
	struct pipe *p = arg;

	p->passed = p->passing;
	p->passing = 0;
	arrive(p);
}

static void
arrive(void *arg)
{
	struct pipe *p = arg;
	struct sim_link *l = p->link;
	struct sim_world *w = l->world;

	l->busy = true;
	clog_forget_pipe(p);
	while (p->wire.first != NULL) {
		struct segment *s = p->wire.first;
		struct clog *clog;

		if (s->due > w->now) {
			world_at(w, &p->arrive, s->due);
			break;
		}
		clog = clog_of(l, p->side);
		if (clog != NULL || !flows(l, p->side)) {
			stall(p, clog);
			break;
		}
		p->stalled_since = 0;
		if (p->passed == 0 && enter_downlink(p))
			break;
		p->passed -= p->passed > 0;
		take_in(l, p->side, queue_take(&p->wire));
	}
	l->busy = false;
	link_settle(l);
}

/* ---- acknowledgements ---- */

void
link_consumed(struct sim_link *l, int side, size_t bytes)
{
	struct sim_world *w = l->world;
	struct pipe *p = &l->pipe[side];
	uint64_t due = w->now + sim_one_way(w->regions, &l->place[0], &l->place[1]);
	struct ack *a;

	due += ACK_GRAIN - 1 - (due + ACK_GRAIN - 1) % ACK_GRAIN;
	if (p->acks != NULL && p->acks_last->due >= due) {
		p->acks_last->bytes += bytes;
		return;
	}
	a = malloc(sizeof(*a));
	must(a != NULL);
	*a = (struct ack){ .due = due, .bytes = bytes };
	if (p->acks != NULL) {
		p->acks_last->next = a;
	} else {
		p->acks = a;
		world_at(w, &p->ack_arrive, due);
	}
	p->acks_last = a;
}

static void
ack_arrive(void *arg)
{
	struct pipe *p = arg;
	struct sim_link *l = p->link;
	struct ack *a = p->acks;

	must(p->window_used >= a->bytes);
	p->window_used -= a->bytes;
	p->acks = a->next;
	free(a);
	if (p->acks != NULL)
		world_at(l->world, &p->ack_arrive, p->acks->due);
	if (l->end[p->side] != NULL)
		conn_poll(l->end[p->side]);
}

/* ---- the handshake: asked, answered; then the first segment opens end 1 ---- */

static bool
router_drops(const struct sim_link *l, const struct sim_node *n)
{
	return n->nat != NULL && !n->nat_refuses && !same_machine(l);
}

static void
handshake(void *arg)
{
	struct sim_link *l = arg;
	struct sim_world *w = l->world;
	struct conn *c = l->end[0];
	const struct sim_node *n = world_node(w, &l->addr[1]);

	must(c != NULL);
	if (l->step == LINK_ACCEPTED) {
		conn_connected(c);
		link_push(l, 0, SEGMENT_OPEN, NULL);
	} else if (l->step == LINK_REFUSED) {
		l->opening = false;
		conn_break(c, ERR_REFUSED);
	} else if (flows(l, 0) && clog_of(l, 0) == NULL && !router_drops(l, n)) {
		bool heard = !n->dead && (n->nat == NULL || same_machine(l)) &&
			     listener_find(n, l->addr[1].port) != NULL;

		l->place[1] = n->place;
		l->step = heard ? LINK_ACCEPTED : LINK_REFUSED;
		world_at(w, &l->handshake, w->now + trip(l, 1));
	} else if (w->now - l->started >= SIM_STREAM_TIMEOUT) {
		l->opening = false;
		conn_break(c, ERR_TIMEOUT);
	} else {
		world_at(w, &l->handshake, MIN(w->now + l->retry, l->started + SIM_STREAM_TIMEOUT));
		l->retry *= 2;
	}
}
