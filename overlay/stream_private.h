/*
 * Inside of a stream, for the files of the sessions only (session_private.h). A
 * stream belongs to the task that opened or serves it; its session may end before it.
 */
#ifndef OVERLAY_STREAM_PRIVATE_H
#define OVERLAY_STREAM_PRIVATE_H

#include <sys/queue.h>

#include "overlay/base/buf.h"
#include "overlay/base/task.h"
#include "overlay/chunk_queue.h"
#include "overlay/frame.h"
#include "overlay/session.h"

struct session;

LIST_HEAD(stream_list, stream);
TAILQ_HEAD(stream_queue, stream);

struct stream {
	struct sessions *ss;
	struct session *session; /* NULL once it is gone or both have ended */
	struct contact peer;
	uint32_t id;
	bool incoming;
	LIST_ENTRY(stream) link;
	TAILQ_ENTRY(stream) ready_link;
	bool in_ready;

	/* Sending: at most one task at a time. */
	const uint8_t *out; /* lent by the task that waits in out_wait */
	size_t out_left;
	const struct frame *out_end; /* to be sent behind it, lent likewise */
	bool out_busy;
	struct wait out_wait;
	uint32_t credit; /* what the peer still takes */
	bool out_ended;  /* END is queued */
	int out_err;     /* nothing more can be sent: why */

	/* Receiving: at most one task at a time. */
	struct chunk_queue in;
	uint32_t window; /* what the peer may still send */
	uint32_t owed;   /* consumed, not yet granted again */
	uint8_t *in_dst; /* lent by the task that waits in in_wait */
	size_t in_left;
	bool in_busy;
	struct wait in_wait;
	bool in_ended; /* in_status and tail hold */
	bool end_came; /* by END, not by RESET or the session's end */
	int in_status;
	struct buf tail;

	/* Opening on a quiet session. */
	bool proving;
	struct wait proof;

	/* Serving. */
	bool handled;
	int (*serve)(void *arg, struct stream *s, const struct rpc_request *req);
	void *serve_arg;
	struct rpc_request req;
	uint8_t *head;
	uint16_t group; /* slot of serving_of */
};

/* NULL: no memory. Linked into s. */
struct stream *stream_new(struct session *s, uint32_t id, bool incoming);
struct stream *stream_find(const struct session *s, uint32_t id);
void stream_ready(struct stream *st); /* puts it in line when it has something it may send */
/* The other side's doing. */
void stream_deliver(struct stream *st, struct bytes data);
void stream_deliver_end(struct stream *st, int status, struct bytes tail);
void stream_deliver_reset(struct stream *st, int status);
void stream_deliver_credit(struct stream *st, uint32_t credit);
/* The session is gone. */
void stream_lost(struct stream *st, int why);
/* What was asked of it is queued, or failed. */
void stream_out_done(struct stream *st, int result);
/* Frees it; the peer is told this status if it may still be doing something, ERR_OK: nothing. */
void stream_drop(struct stream *st, int status);

#endif
