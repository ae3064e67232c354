/*
 * What the files of the sessions call of each other; the structs are in session_private.h.
 * Nobody else includes it.
 */
#ifndef OVERLAY_SESSION_CALLS_H
#define OVERLAY_SESSION_CALLS_H

#include "overlay/session_private.h"

/* ---- session_pool.c ---- */
void sessions_turn_soon(struct sessions *ss);   /* runs the turn timer */
uint8_t *sessions_in(struct sessions *ss);      /* lends the input buffer; NULL: no memory */
void sessions_memory_used(struct sessions *ss); /* arms the trim timer */

/* ---- session.c ---- */
struct session_new_opts {
	struct conn *conn; /* taken */
	const struct addr *seen;
	const struct contact *expect; /* a dial's peer; NULL: incoming */
	bool probe;
};
/* gives; ERR_NOMEM (the connection is closed then). The handshake has begun. */
int session_new(struct sessions *ss, const struct session_new_opts *opts, struct session **out);
/* One message of the peer's handshake; fails the session on anything wrong. */
void session_handshake_input(struct session *s, struct bytes message);
/* Ends it now: streams get why (ERR_CLOSED unless it tells more), waiting dials the same. */
void session_fail(struct session *s, int why);
void session_free_dead(struct session *s);
/*
 * Something came that is not allowed: counted, logged, the end. by_peer: it was sealed by the peer,
 * who is blamed; else anybody on the way may have made it. reason is a literal.
 */
void session_bad(struct session *s, bool by_peer, const char *reason);
void session_goodbye(struct session *s); /* GOAWAY, what can be flushed now, the end */
/* The first stream was added or the last removed: timers and closing follow. */
void session_streams_changed(struct session *s);
void session_was_heard(struct session *s);

/* ---- session_io.c ---- */
/* Seals f behind the output; sent by the end of this turn. May fail the session. */
void session_send(struct session *s, const struct frame *f);
/* A handshake message, length in front, unsealed. */
void session_send_plain(struct session *s, struct bytes message);
void session_flush_soon(struct session *s);
void session_fill(struct session *s); /* seals from ready streams while little is queued */
/* So many answers wait that there shall be no more. */
bool session_out_busy(const struct session *s);
void session_out_drop(struct session *s, size_t len); /* sent, or given up */
void session_pump(struct session *s);                 /* fills and writes until nothing moves */
void session_input(struct session *s);

/* ---- session_frames.c ---- */
void session_frame(struct session *s, struct bytes plain);

#endif
