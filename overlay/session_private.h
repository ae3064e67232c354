/*
 * What the files of the sessions share, and nobody else includes:
 *
 *	session_pool.c	struct sessions: listener, pool, dialling, shutdown
 *	session.c	a connection's life: handshake, timers, its end
 *	session_io.c	bytes in and out: sealing, opening, flushing
 *	session_frames.c  what each frame does
 *	stream.c	what a task does on a stream
 *
 * Everything runs on the loop or a task of one env. session_fail() ends a session at
 * once but frees it on a later turn of the loop: after any call that may fail it, look
 * at its state before going on.
 */
#ifndef OVERLAY_SESSION_PRIVATE_H
#define OVERLAY_SESSION_PRIVATE_H

#include <sys/queue.h>

#include "overlay/chunk_queue.h"
#include "overlay/frame.h"
#include "overlay/handshake.h"
#include "overlay/limits.h"
#include "overlay/seeded.h"
#include "overlay/session.h"
#include "overlay/session_limits.h"
#include "overlay/session_table.h"
#include "overlay/stream_private.h"

enum session_state {
	SESSION_DIALING,  /* connecting, or in the handshake that we began */
	SESSION_ACCEPTED, /* in the handshake that the peer began */
	SESSION_LIVE,
	SESSION_DEAD /* everything given back, but the struct itself */
};

TAILQ_HEAD(session_queue, session);

/* A task that waits for a dial. */
struct dial_waiter {
	LIST_ENTRY(dial_waiter) link;
	struct session *session; /* NULL once woken */
	struct wait wait;
};
LIST_HEAD(dial_waiters, dial_waiter);

struct session {
	struct sessions *ss;
	struct conn *conn;
	enum session_state state;
	bool initiator;
	bool probe;          /* sessions_probe(): not pooled, no events */
	bool closing;        /* no more streams: GOAWAY came or went */
	bool connected;      /* the dial's connection stands */
	bool wants_write;    /* what the connection was told */
	bool flushing;       /* in ss->flush */
	bool pinged;         /* since it was heard last */
	struct contact peer; /* incoming: no key before it is live */
	struct addr seen;
	uint16_t group; /* slot of seen: of incoming_of, unsent_of */
	struct session_hello hello;
	struct handshake *handshake; /* until live */
	struct noise_cipher send, receive;
	struct timer timer;
	uint64_t started; /* connection stood (dial) or was accepted */
	uint64_t heard;   /* last bytes from the peer */
	uint64_t used;    /* number of streams became or ceased to be 0 */
	uint64_t bytes_in, bytes_out;
	struct dial_waiters waiters;

	uint8_t *partial; /* a frame's beginning */
	size_t partial_len;
	bool plenty; /* came with the last read: the large buffer at once */

	struct chunk_queue out;    /* sealed */
	size_t provoked;           /* of out: other than streams' bytes, about */
	size_t spent;              /* written in this turn */
	struct stream_queue ready; /* have something to send and credit for it */

	struct stream_list streams[SESSION_STREAM_SLOTS];
	size_t streams_count, incoming_count;
	size_t unread;  /* memory queued in streams */
	size_t proving; /* streams that wait for a sign of life */
	uint32_t next_id, peer_last_id;

	TAILQ_ENTRY(session) link;       /* ss->all, by age; ss->dead */
	TAILQ_ENTRY(session) flush_link; /* ss->flush */
	LIST_ENTRY(session) key_link;    /* by peer.pub: dialing and live */
	LIST_ENTRY(session) ip_link;     /* by seen: incoming */
	bool in_keys, in_ips;
};

struct sessions {
	struct env *env;
	struct identity identity;
	struct network_id net;
	struct endpoint_counters *counters;
	struct sessions_events events;
	struct aead *aead;
	struct seeded seed;
	struct listener *listener;
	struct addr bound; /* of the listener; ADDR_NONE: none */
	bool server;

	struct session_queue all;   /* not dead; oldest first */
	struct session_queue flush; /* have output for the end of this turn */
	struct session_queue dead;  /* to be freed in the next turn */
	struct session_table keys, ips;
	size_t live, live_incoming, accepted, dialing;
	struct limits handshakes; /* that others begin */

	struct timer turn; /* delay 0: flush, free the dead, see whether shutdown is done */
	struct timer trim;
	uint8_t *in; /* SESSION_IN_BYTES while there is traffic */
	bool in_used;
	bool in_busy; /* a read is being worked through */
	struct queue_store store;

	struct task_group serving;
	/* By session_group_slot(): tasks that serve; live sessions that came; of unsent. */
	uint16_t serving_of[SESSIONS_GROUP_SLOTS], incoming_of[SESSIONS_GROUP_SLOTS];
	uint32_t unsent_of[SESSIONS_GROUP_SLOTS];
	size_t unsent; /* memory of all output */
	bool serving_done;
	size_t unread;  /* memory queued in streams, of ended sessions too */
	size_t streams; /* structs alive */
	size_t inside;  /* tasks inside sessions_open() and sessions_probe() */
	bool stopping;
	void (*done)(void *arg);
	void *done_arg;
};

#endif
