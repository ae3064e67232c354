/*
 * What each frame does. The rules that need more than the frame itself: which
 * ids a peer may open (its own parity, rising), that data stays within credit and comes
 * before the end. A status passes err_foreign() here, and nowhere behind. Frames for a stream
 * that is over here are normal (they crossed our END or RESET) and dropped; frames for one that
 * never was end the session.
 */
#include "overlay/base/err.h"
#include "overlay/session_calls.h"

static bool
opened_by_peer(const struct session *s, uint32_t id)
{
	return (id & 1) == (s->initiator ? 0u : 1u);
}

/* Whether a stream with this id has existed. */
static bool
id_used(const struct session *s, uint32_t id)
{
	return opened_by_peer(s, id) ? id <= s->peer_last_id : id < s->next_id;
}

static void
refuse(struct session *s, uint32_t id, int status)
{
	s->ss->counters->streams_refused++;
	session_send(s, &(struct frame){ .type = FRAME_RESET, .stream = id, .status = status });
}

static void
take_open(struct session *s, const struct frame *f)
{
	struct sessions *ss = s->ss;
	struct stream *st;

	if (!opened_by_peer(s, f->stream) || f->stream <= s->peer_last_id) {
		session_bad(s, true, "opened a stream under a wrong number");
		return;
	}
	s->peer_last_id = f->stream;
	if (s->closing || s->incoming_count >= STREAMS_PER_SESSION || session_out_busy(s)) {
		refuse(s, f->stream, ERR_BUSY);
		return;
	}
	st = stream_new(s, f->stream, true);
	if (st == NULL) {
		refuse(s, f->stream, ERR_NOMEM);
		return;
	}
	st->req = (struct rpc_request){
		.from = s->peer,
		.from_server = s->hello.server,
		.session = true,
		.proven = true, /* by TCP */
		.method = f->method,
		.body = f->bytes,
	};
	ss->events.request(ss->events.arg, st, &st->req);
	/* An answered stream is gone; one that is served has its own copy of the head. */
	st = stream_find(s, f->stream);
	if (st != NULL && !st->handled) {
		st->handled = true;
		refuse(s, f->stream, ERR_UNSUPPORTED);
		stream_drop(st, ERR_OK);
	}
}

static void
take_data(struct session *s, struct stream *st, const struct frame *f)
{
	if (st->in_ended) {
		session_bad(s, true, "data behind the end of a stream");
		return;
	}
	if (f->bytes.len > st->window) {
		session_bad(s, true, "more data than it had credit for");
		return;
	}
	st->window -= (uint32_t)f->bytes.len;
	stream_deliver(st, f->bytes);
}

static void
take_credit(struct session *s, struct stream *st, const struct frame *f)
{
	if (f->credit > STREAM_CREDIT - st->credit) {
		session_bad(s, true, "granted more credit than a stream has");
		return;
	}
	stream_deliver_credit(st, f->credit);
}

static void
take_end(struct session *s, struct stream *st, const struct frame *f)
{
	if (st->in_ended)
		session_bad(s, true, "ended a stream twice");
	else
		stream_deliver_end(st, err_foreign(f->status), f->bytes);
}

static void
take_for_stream(struct session *s, const struct frame *f)
{
	struct stream *st = stream_find(s, f->stream);

	if (st == NULL) {
		if (!id_used(s, f->stream))
			session_bad(s, true, "spoke of a stream that never was");
		return;
	}
	if (f->type == FRAME_DATA)
		take_data(s, st, f);
	else if (f->type == FRAME_CREDIT)
		take_credit(s, st, f);
	else if (f->type == FRAME_END)
		take_end(s, st, f);
	else
		stream_deliver_reset(st, err_foreign(f->status));
}

static void
take_goaway(struct session *s)
{
	s->closing = true;
	if (s->streams_count == 0)
		session_flush_soon(s); /* and closes when all is out */
}

/* Who waits to know whether the peer is still there knows now. */
static void
proofs_wake(struct session *s)
{
	for (size_t i = 0; i < SESSION_STREAM_SLOTS && s->proving > 0; i++) {
		struct stream *st;

		LIST_FOREACH(st, &s->streams[i], link)
		{
			if (!st->proving)
				continue;
			st->proving = false;
			s->proving--;
			wait_wake(&st->proof, ERR_OK);
		}
	}
}

void
session_frame(struct session *s, struct bytes plain)
{
	struct frame f;

	if (frame_unpack(plain, &f) != ERR_OK) {
		session_bad(s, true, "a malformed frame");
		return;
	}
	if (s->proving > 0)
		proofs_wake(s);
	switch (f.type) {
	case FRAME_OPEN:
		take_open(s, &f);
		break;
	case FRAME_PING:
		session_send(s, &(struct frame){ .type = FRAME_PONG, .token = f.token });
		break;
	case FRAME_PONG:
		break; /* to be heard was its purpose */
	case FRAME_GOAWAY:
		take_goaway(s);
		break;
	default:
		take_for_stream(s, &f);
	}
}
