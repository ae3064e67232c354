/*
 * Simulated datagrams: send draws loss, duplication and the trip, and makes an
 * event per copy; the event finds the socket by address when it comes, so nothing
 * points at a node that may be gone. A router on the way translates the source and asks
 * whom its machine has sent to. Fails towards the caller only as a kernel
 * would: malformed, too big, no such network, uplink queue full.
 */
#include "sim/line.h"

#include <stdlib.h>

#define UDP_PAYLOAD_MAX  65507 /* RFC 768 over IPv4 */
#define UDP_HEADER_BYTES 28    /* IPv4 and UDP, as the line counts them */

struct udp {
	struct env_handle handle;
	struct udp *next;
	struct addr bound; /* its IP may be unspecified */
	void (*receive)(void *arg, const struct addr *from, struct bytes data);
	void (*expect)(void *arg, struct bytes data, unsigned step, uint64_t *memo);
	void *arg;
};

struct packet {
	struct timer event;
	struct packet *next; /* while it is unused */
	struct sim_world *world;
	struct sim_node *receiver; /* as of the launch; see receiver_of() */
	uint64_t removals, memo;
	struct addr from, to;
	bool queued; /* waits for the downlink already */
	size_t len;
	uint8_t data[];
};

static struct udp *
socket_find(struct sim_node *n, uint16_t port)
{
	struct udp *u = n->udps;

	while (u != NULL && u->bound.port != port)
		u = u->next;
	return u;
}

int
sim_udp_open(struct env *env, const struct udp_opts *opts, struct udp **out)
{
	struct sim_node *n = node_of(env);
	struct addr bound = opts->bind;
	struct udp *u;
	int err = node_bind_check(n, &bound);

	if (err != ERR_OK)
		return err;
	if (bound.port == 0) {
		do
			bound.port = node_port_next(n);
		while (socket_find(n, bound.port) != NULL);
	} else if (socket_find(n, bound.port) != NULL) {
		return ERR_EXISTS;
	}
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return ERR_NOMEM;
	*u = (struct udp){ .handle = { .env = env },
		.next = n->udps,
		.bound = bound,
		.receive = opts->receive,
		.expect = opts->expect,
		.arg = opts->arg };
	n->udps = u;
	env_hot(env, u, sizeof(*u));
	*out = u;
	return ERR_OK;
}

void
sim_udp_local(const struct udp *u, struct addr *out)
{
	*out = u->bound;
}

void
sim_udp_close(struct udp *u)
{
	struct udp **at = &node_of(u->handle.env)->udps;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

static bool
same_machine(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* The socket that a datagram is for; a router finds it by whom its machine has sent to. */
static struct udp *
socket_of(struct sim_node *n, const struct packet *p)
{
	struct udp *u = n->udps;

	if (n->nat == NULL || same_machine(&p->from, &p->to))
		return socket_find(n, p->to.port);
	while (u != NULL && !nat_in(n->nat, n->world->now, u->bound.port, &p->from, p->to.port))
		u = u->next;
	return u;
}

/* Most datagrams fit one size, and what one leaves behind the next takes. */
#define PACKET_BYTES 1280

static struct packet *
packet_new(struct sim_world *w, size_t len)
{
	struct packet *p = len <= PACKET_BYTES ? w->packets : NULL;

	if (p != NULL)
		w->packets = p->next;
	else
		p = malloc(sizeof(*p) + MAX(len, PACKET_BYTES));
	must(p != NULL); /* see disk.h: the host's memory is no part of the simulation */
	return p;
}

static void
packet_free(struct packet *p)
{
	if (p->len > PACKET_BYTES) {
		free(p);
		return;
	}
	p->next = p->world->packets;
	p->world->packets = p;
}

void
world_packets_free(struct sim_world *w)
{
	while (w->packets != NULL) {
		struct packet *p = w->packets;

		w->packets = p->next;
		free(p);
	}
}

/* Held back, or lost on the way by now. */
static bool
packet_stopped(struct packet *p, const struct sim_node *n)
{
	struct clog *c;

	if (same_machine(&p->from, &p->to))
		return false;
	if (n != NULL && n->outages > 0) {
		packet_free(p);
		return true;
	}
	c = world_clog(p->world, &p->from, &p->to);
	if (c == NULL)
		return false;
	if (!clog_hold(c, &p->event))
		packet_free(p);
	return true;
}

/* The end of a sealed datagram is its tag, which depends on all before. */
#define MARK_BYTES 32

static uint64_t
packet_mark(const struct packet *p)
{
	size_t n = MIN(p->len, MARK_BYTES);

	return sim_mix_bytes(
	    p->from.port ^ (uint64_t)p->len << 16, bytes_of(p->data + p->len - n, n));
}

/* Who has the address now: nodes that are away for a moment come back as others. */
static struct sim_node *
receiver_of(const struct packet *p)
{
	if (p->receiver != NULL && p->removals == p->world->nodes_removed)
		return p->receiver;
	return world_node(p->world, &p->to);
}

/* A datagram reaches its node's line, and when it has passed that, its socket. */
static void
packet_arrive(void *arg)
{
	struct packet *p = arg;
	struct sim_world *w = p->world;
	struct sim_node *n = receiver_of(p);
	struct udp *u;
	uint64_t due = w->now;

	if (packet_stopped(p, n))
		return;
	u = n == NULL || n->dead ? NULL : socket_of(n, p);
	if (u == NULL || (!p->queued && line_full(n->down, SIM_DOWNLINK_WAIT))) {
		packet_free(p);
		return;
	}
	if (!p->queued)
		due = line_datagram(n->down, w->now, p->len + UDP_HEADER_BYTES);
	if (due > w->now) {
		p->queued = true;
		world_at(w, &p->event, due);
		return;
	}
	w->events_of[SIM_EVENT_DATAGRAM]++;
	world_note(w, n->number);
	world_note(w, packet_mark(p));
	w->traffic.datagrams_received++;
	u->receive(u->arg, &p->from, bytes_of(p->data, p->len));
	packet_free(p);
}

static struct packet *
packet_of(struct timer *t)
{
	return t->fire == packet_arrive ? container_of(t, struct packet, event) : NULL;
}

struct sim_node *
packet_receiver(struct timer *t)
{
	const struct packet *p = packet_of(t);

	return p != NULL && p->removals == p->world->nodes_removed ? p->receiver : NULL;
}

void
packet_expect(struct timer *t, unsigned step)
{
	struct packet *p = packet_of(t);
	const struct udp *u = packet_receiver(t) == NULL ? NULL : p->receiver->udps;

	if (u != NULL && u->expect != NULL)
		u->expect(u->arg, bytes_of(p->data, p->len), step, &p->memo);
}

const struct addr *
packet_from(struct timer *t)
{
	const struct packet *p = packet_of(t);

	return p == NULL ? NULL : &p->from;
}

static void
packet_launch(struct sim_node *receiver, const struct addr *from, const struct addr *to,
    struct bytes data, uint64_t due)
{
	struct sim_world *w = receiver->world;
	struct packet *p = packet_new(w, data.len);

	p->world = w;
	p->receiver = receiver;
	p->removals = w->nodes_removed;
	p->from = *from;
	p->to = *to;
	p->queued = false;
	p->memo = 0;
	p->len = data.len;
	if (data.len > 0)
		memcpy(p->data, data.data, data.len);
	event_init(&p->event, packet_arrive, p);
	world_at(w, &p->event, due);
}

void
sim_udp_expect_send(struct udp *u, const struct addr *to, unsigned step)
{
	world_node_expect(node_of(u->handle.env)->world, to, step);
}

int
sim_udp_send(struct udp *u, const struct addr *to, struct bytes data)
{
	struct sim_node *n = node_of(u->handle.env);
	struct sim_world *w = n->world;
	struct addr from = n->ip;
	struct sim_node *peer;
	uint64_t leaves;

	if (to->family != n->ip.family)
		return ERR_UNREACHABLE;
	if (to->port == 0)
		return ERR_INVALID;
	if (data.len > UDP_PAYLOAD_MAX)
		return ERR_TOO_BIG;
	if (n->dead)
		return ERR_OK; /* into the void, as of a machine whose cable is cut */
	if (line_full(n->up, SIM_UPLINK_QUEUE))
		return ERR_BUSY;
	leaves = line_datagram(n->up, w->now, data.len + UDP_HEADER_BYTES);
	w->traffic.datagrams_sent++;
	w->traffic.datagram_bytes_sent += data.len;

	from.port = u->bound.port;
	peer = world_node(w, to);
	if (peer == n) {
		packet_launch(n, &from, to, data, w->now + SIM_SELF_RTT / 2);
		return ERR_OK;
	}
	if (n->nat != NULL)
		from.port = nat_out(n->nat, w->now, from.port, to);
	if (peer == NULL || from.port == 0 || n->outages > 0 || world_blocked(w, n, peer) ||
	    world_loses(w, n, peer))
		return ERR_OK;
	for (int copies = 1 + sim_random_chance(&w->random, w->faults.duplicate_ppm); copies > 0;
	     copies--) {
		uint64_t trip = sim_trip(&w->random, w->regions, &n->place, &peer->place);

		if (sim_random_chance(&w->random, w->faults.reorder_ppm))
			trip += sim_random_below(&w->random, SIM_REORDER_MAX);
		packet_launch(peer, &from, to, data, leaves + trip);
	}
	return ERR_OK;
}
