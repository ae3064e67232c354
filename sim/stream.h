/*
 * Inside of simulated byte streams: conn.c (what the owner holds) stands on
 * link.c (what travels between two of them). Nobody else includes it.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim/line.h"

/* A link has two ends; end 0 connected to end 1. The pipe of a side carries what that end sends. */
enum { SIDES = 2 };

enum segment_kind {
	SEGMENT_OPEN, /* the handshake's last step: end 1 comes into being */
	SEGMENT_DATA,
	SEGMENT_FIN,
	SEGMENT_RESET,
};

/* What is written, and what passes a line at once: a quarter of the window keeps it busy. */
#define SEGMENT_MAX (SIM_STREAM_WINDOW / 4)

struct segment {
	struct segment *next;
	enum segment_kind kind;
	uint64_t due;
	size_t len;
	size_t pos; /* read so far */
	uint8_t data[];
};

struct segment_queue {
	struct segment *first, *last;
};

/* Room that comes back to the sender when this has travelled. */
struct ack {
	struct ack *next;
	uint64_t due;
	size_t bytes;
};

struct pipe {
	struct sim_link *link;
	int side;
	struct segment_queue
	    out; /* waits for the sender's line, `leaving` of them are passing it */
	struct flow up;
	size_t leaving;
	struct timer
	    arrive; /* armed while something is on the wire and not in the receiver's line */
	struct segment_queue wire;
	struct flow down;
	size_t passing;              /* of wire: in the receiver's line */
	size_t passed;               /* … through it, not yet delivered */
	struct pipe *held_next;      /* of its clog, see clog.c */
	struct pipe **held_at;       /* NULL: not held */
	struct segment_queue unread; /* arrived */
	bool eof;                    /* nothing comes behind unread */
	bool sender_dead;            /* its machine: what is lost is not sent again */
	bool reset_sent;
	size_t window_used;     /* on the wire, unread or not acknowledged */
	uint64_t last_due;      /* order: nothing arrives before this */
	uint64_t stalled_since; /* 0: flows */
	uint64_t retry;
	struct ack *acks, *acks_last;
	struct timer ack_arrive;
};

struct sim_link {
	struct sim_world *world;
	struct addr addr[SIDES];
	struct sim_place place[SIDES];
	struct conn *end[SIDES]; /* NULL: not yet, or no more */
	struct pipe pipe[SIDES];
	struct timer handshake;
	enum { LINK_ASKING, LINK_ACCEPTED, LINK_REFUSED } step;
	uint64_t started;
	uint64_t retry;
	bool opening; /* end 1 may still come into being */
	bool busy;    /* an event of it runs: not to be freed */
};

struct conn {
	struct env_handle handle;
	struct conn *prev, *next; /* of its node */
	struct sim_link *link;    /* NULL after its node's death */
	int side;
	struct addr local;
	struct conn_handler handler;
	struct timer ready;
	bool connecting;
	bool report; /* connecting has ended: told once whatever is wanted */
	bool want_read, want_write;
	int err;
	bool in_ready;
	bool closed;    /* inside ready: freed after it */
	uint64_t moves; /* progress of the owner, to tell patience from spinning */
};

struct listener {
	struct env_handle handle;
	struct listener *next;
	struct addr bound;
	void (*accepted)(void *arg, struct conn *conn, const struct addr *from);
	void *arg;
};

/* ---- link.c ---- */
struct sim_link *link_new(struct sim_node *from, const struct addr *local, const struct addr *to);
void link_push(struct sim_link *l, int side, enum segment_kind kind, struct segment *data);
struct segment *segment_new(enum segment_kind kind, size_t len);
/* The reader took bytes out of the pipe: their room travels back. */
void link_consumed(struct sim_link *l, int side, size_t bytes);
/* The machine of this side is dead: what has not left it never will. */
void link_silence(struct sim_link *l, int side);
/* The end of this side is gone; frees the link when nobody needs it any more. */
void link_detach(struct sim_link *l, int side);

/* ---- clog.c: its arrival is armed for now when the clog is over ---- */
void clog_hold_pipe(struct clog *c, struct pipe *p);
void clog_forget_pipe(struct pipe *p); /* no-op when not held */

/* ---- conn.c ---- */
struct conn *conn_new(struct sim_node *n, struct sim_link *l, int side);
void conn_connected(struct conn *c);
void conn_break(struct conn *c, int err); /* unread bytes stay readable */
void conn_poll(struct conn *c);           /* something about its readiness may have changed */
struct listener *listener_find(const struct sim_node *n, uint16_t port);

#endif
