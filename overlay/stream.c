/*
 * Streams as a task sees them. Sending: the task lends its bytes to the stream,
 * which stands in the session's line until they are sealed; so many streams share
 * the connection frame by frame, without a switch of tasks for each. Receiving: bytes go straight
 * to the task that waits for them, else into the stream's queue, which the credit bounds.
 *
 * Fails by: the peer's status (END, RESET), which is never CANCELED or TIMEOUT (err_foreign), the
 * session's end (ERR_CLOSED, ERR_TIMEOUT when it fell silent, ERR_CANCELED in shutdown), the
 * task's own deadline or cancellation. After a write that was not finished nothing more can be
 * sent, so a torn body never looks whole.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/limits.h"
#include "overlay/session_calls.h"

/* Credit goes back in halves: a frame for each 256 KiB, and the peer never stalls for it. */
#define CREDIT_RETURN (STREAM_CREDIT / 2)

/* ---- life ---- */

static struct stream_list *
slot_of(struct session *s, uint32_t id)
{
	return &s->streams[id / 2 % SESSION_STREAM_SLOTS]; /* each side has every second number */
}

struct stream *
stream_new(struct session *s, uint32_t id, bool incoming)
{
	struct stream *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->ss = s->ss;
	st->session = s;
	st->peer = s->peer;
	st->id = id;
	st->incoming = incoming;
	st->credit = st->window = STREAM_CREDIT;
	buf_init(&st->tail, RPC_HEAD_BYTES_MAX);
	LIST_INSERT_HEAD(slot_of(s, id), st, link);
	s->streams_count++;
	s->incoming_count += incoming;
	s->ss->streams++;
	if (s->streams_count == 1)
		session_streams_changed(s);
	return st;
}

struct stream *
stream_find(const struct session *s, uint32_t id)
{
	struct stream *st;

	LIST_FOREACH(st, &s->streams[id / 2 % SESSION_STREAM_SLOTS], link)
	{
		if (st->id == id)
			return st;
	}
	return NULL;
}

static void
stream_unlink(struct stream *st)
{
	struct session *s = st->session;

	LIST_REMOVE(st, link);
	if (st->in_ready)
		TAILQ_REMOVE(&s->ready, st, ready_link);
	st->in_ready = false;
	s->proving -= st->proving;
	s->streams_count--;
	s->incoming_count -= st->incoming;
	s->unread -= st->in.held;
	st->session = NULL;
	if (s->streams_count == 0 && s->state == SESSION_LIVE)
		session_streams_changed(s);
}

/* The memory of the queue was held before. */
static void
unread_recount(struct stream *st, size_t held)
{
	st->ss->unread += st->in.held - held;
	if (st->session != NULL)
		st->session->unread += st->in.held - held;
}

/* The whole queue is given up. */
static void
unread_drop(struct stream *st)
{
	size_t held = st->in.held;

	chunk_queue_drop(&st->in, &st->ss->store, st->in.len);
	unread_recount(st, held);
}

void
stream_drop(struct stream *st, int status)
{
	struct sessions *ss = st->ss;
	struct session *s = st->session;

	must(!st->out_busy && !st->in_busy);
	if (s != NULL) {
		if (status != ERR_OK && !(st->out_ended && st->end_came))
			session_send(s, &(struct frame){
					    .type = FRAME_RESET,
					    .stream = st->id,
					    .status = status,
					});
		if (st->session != NULL) /* sending may have ended the session */
			stream_unlink(st);
	}
	unread_drop(st);
	buf_fini(&st->tail);
	free(st->head);
	free(st);
	ss->streams--;
	if (ss->stopping)
		sessions_turn_soon(ss);
}

void
stream_close(struct stream *st)
{
	if (st != NULL)
		stream_drop(st, ERR_CANCELED);
}

const struct contact *
stream_peer(const struct stream *st)
{
	return &st->peer;
}

bool
stream_lives(const struct stream *st)
{
	return st->session != NULL;
}

/* ---- what the session does to it ---- */

static void
in_wake(struct stream *st)
{
	if (st->in_busy)
		wait_wake(&st->in_wait, ERR_OK);
}

void
stream_out_done(struct stream *st, int result)
{
	st->out_left = 0;
	st->out_end = NULL;
	if (st->out_busy)
		wait_wake(&st->out_wait, result);
}

/* Nothing more can be sent. */
static void
out_break(struct stream *st, int why)
{
	if (st->out_err == ERR_OK)
		st->out_err = why;
	if (st->in_ready) {
		TAILQ_REMOVE(&st->session->ready, st, ready_link);
		st->in_ready = false;
	}
	stream_out_done(st, why);
}

static void
in_end(struct stream *st, int status)
{
	if (st->in_ended)
		return;
	st->in_ended = true;
	st->in_status = status;
	in_wake(st);
}

void
stream_lost(struct stream *st, int why)
{
	out_break(st, why);
	in_end(st, why);
	if (st->proving)
		wait_wake(&st->proof, why);
	stream_unlink(st);
	st->proving = false;
}

/* Bytes that a task has: the peer may send as many again. */
static void
consumed(struct stream *st, size_t len)
{
	uint32_t owed;

	st->owed += (uint32_t)len;
	if (st->owed < CREDIT_RETURN || st->session == NULL || st->in_ended)
		return;
	owed = st->owed;
	st->owed = 0;
	st->window += owed;
	session_send(st->session, &(struct frame){
				      .type = FRAME_CREDIT,
				      .stream = st->id,
				      .credit = owed,
				  });
}

/* What was not asked for yet: queued within what the session may hold, else the stream is over. */
static void
queue_unread(struct stream *st, struct bytes data)
{
	struct sessions *ss = st->ss;
	struct session *s = st->session;
	size_t left = SESSIONS_UNREAD_MAX - MIN(ss->unread, SESSIONS_UNREAD_MAX);
	size_t max = MAX(left / SESSION_UNREAD_SHARE, SESSION_UNREAD_MIN), held = st->in.held;

	if (s->unread + data.len > max) {
		ss->counters->streams_refused++;
		session_send(s, &(struct frame){
				    .type = FRAME_RESET,
				    .stream = st->id,
				    .status = ERR_BUSY,
				});
		if (st->session != NULL) /* sending may have ended the session */
			stream_lost(st, ERR_BUSY);
		return;
	}
	st->in.thrifty = s->unread + QUEUE_BLOCK_LARGE > max / SESSION_UNREAD_THRIFTY;
	if (chunk_queue_append(&st->in, &ss->store, data) != ERR_OK) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	unread_recount(st, held);
}

void
stream_deliver(struct stream *st, struct bytes data)
{
	size_t n = MIN(data.len, st->in_left);

	if (n > 0) { /* then nothing is queued */
		memcpy(st->in_dst, data.data, n);
		st->in_dst += n;
		st->in_left -= n;
		data = bytes_of(data.data + n, data.len - n);
	}
	if (data.len > 0)
		queue_unread(st, data);
	if (st->in_left == 0)
		in_wake(st);
	if (n > 0)
		consumed(st, n);
}

void
stream_deliver_end(struct stream *st, int status, struct bytes tail)
{
	if (buf_append(&st->tail, tail.data, tail.len) != ERR_OK) {
		session_fail(st->session, ERR_NOMEM);
		return;
	}
	st->end_came = true;
	in_end(st, status);
	if (status != ERR_OK)
		out_break(st, status); /* it does not want the rest */
}

void
stream_deliver_reset(struct stream *st, int status)
{
	/* Behind its end: it has said all, and does not want the rest. */
	if (st->end_came)
		status = st->in_status != ERR_OK ? st->in_status : ERR_CLOSED;
	out_break(st, status);
	in_end(st, status);
	if (st->incoming) /* who asked does not care any more, and it may be long until we look */
		unread_drop(st);
	if (st->proving) {
		st->proving = false;
		st->session->proving--;
		wait_wake(&st->proof, ERR_OK); /* it is there, whatever it says */
	}
	stream_unlink(st);
}

void
stream_deliver_credit(struct stream *st, uint32_t credit)
{
	st->credit += credit;
	stream_ready(st);
	session_flush_soon(st->session);
}

/* ---- sending ---- */

void
stream_ready(struct stream *st)
{
	bool something = st->out_left > 0 ? st->credit > 0 : st->out_end != NULL;

	if (!something || st->in_ready || st->session == NULL)
		return;
	st->in_ready = true;
	TAILQ_INSERT_TAIL(&st->session->ready, st, ready_link);
}

/* Sends what was lent to it; returns when that is sealed, or why it never will be. */
static SUSPENDS int
out_run(struct stream *st)
{
	struct session *s = st->session;
	int err;

	wait_init(&st->out_wait);
	st->out_busy = true;
	stream_ready(st);
	session_fill(s);
	if (s->state != SESSION_DEAD && s->out.len >= SESSION_OUT_MAX / 4 && !s->wants_write)
		session_pump(s); /* a large write is there: now, while it is warm */
	if (s->state != SESSION_DEAD && s->out.len > 0 && !s->wants_write)
		session_flush_soon(s);
	err = wait_for(st->ss->env, &st->out_wait, 0); /* at once when all is sealed */
	st->out_busy = false;
	if (st->out_left > 0 || st->out_end != NULL) {
		/* Cancelled: take the bytes back, and nothing may follow them. */
		must(err != ERR_OK);
		out_break(st, err);
	}
	return err;
}

SUSPENDS int
stream_write(struct stream *st, struct bytes data)
{
	must(!st->out_busy && !st->out_ended);
	if (st->out_err != ERR_OK)
		return st->out_err;
	if (data.len == 0)
		return ERR_OK;
	st->out = data.data;
	st->out_left = data.len;
	return out_run(st);
}

SUSPENDS int
stream_finish(struct stream *st, int status, struct bytes tail)
{
	struct frame end = { .type = FRAME_END, .stream = st->id, .status = status, .bytes = tail };

	must(!st->out_busy && !st->out_ended && status <= ERR_OK);
	if (tail.len > RPC_HEAD_BYTES_MAX)
		return ERR_TOO_BIG;
	if (st->out_err != ERR_OK)
		return st->out_err;
	st->out_end = &end;
	return out_run(st);
}

/* ---- receiving ---- */

/* Until something came for the reader: bytes, the end, or a reason to stop; span 0: as long as it
 * takes. ERR_TIMEOUT when that is over. */
static SUSPENDS int
in_run(struct stream *st, uint8_t *dst, size_t len, uint64_t span)
{
	int err;

	wait_init(&st->in_wait);
	st->in_busy = true;
	st->in_dst = dst;
	st->in_left = len;
	err = wait_for(st->ss->env, &st->in_wait, span);
	st->in_busy = false;
	st->in_dst = NULL;
	return err;
}

/* *got bytes came; with fewer than len the error says why. */
static SUSPENDS int
read_some(struct stream *st, uint8_t *out, size_t len, uint64_t span, size_t *got)
{
	size_t n = MIN(len, st->in.len);
	int err = ERR_OK;

	must(!st->in_busy);
	if (n > 0) {
		size_t held = st->in.held;

		chunk_queue_take(&st->in, &st->ss->store, out, n);
		unread_recount(st, held);
		consumed(st, n);
	}
	if (n < len && !st->in_ended) {
		err = in_run(st, out + n, len - n, span);
		n = len - st->in_left;
		st->in_left = 0;
	}
	*got = n;
	if (n == len)
		return ERR_OK;
	if (err == ERR_OK)
		err = st->in_status != ERR_OK ? st->in_status : ERR_END;
	return err;
}

SUSPENDS int
stream_read(struct stream *st, void *dst, size_t len)
{
	size_t got;

	return read_some(st, dst, len, 0, &got);
}

SUSPENDS int
stream_read_for(struct stream *st, void *dst, size_t len, uint64_t span, size_t *got)
{
	struct env *env = st->ss->env;
	uint64_t end = env_now(env) + span;
	int err = read_some(st, dst, len, span, got);

	return wait_time_came(env, err, end) && !st->in_ended ? ERR_OK : err;
}

SUSPENDS int
stream_read_tail(struct stream *st, struct buf *tail)
{
	int err;

	must(!st->in_busy);
	if (st->in.len == 0 && !st->in_ended) {
		err = in_run(st, NULL, 0, 0);
		if (err != ERR_OK)
			return err;
	}
	if (st->in.len > 0)
		return ERR_INVALID;
	buf_reset(tail);
	err = buf_append(tail, st->tail.data, st->tail.len);
	return err != ERR_OK ? err : st->in_status;
}

/* ---- serving ---- */

void
session_answer(struct stream *st, int status, struct bytes tail)
{
	struct session *s = st->session;

	must(st->incoming && !st->handled && status <= ERR_OK && tail.len <= RPC_HEAD_BYTES_MAX);
	st->handled = true;
	session_send(s, &(struct frame){
			    .type = FRAME_END,
			    .stream = st->id,
			    .status = status,
			    .bytes = tail,
			});
	stream_drop(st, ERR_OK); /* what the peer still says on it is dropped */
}

static int
serve_run(void *arg)
{
	struct stream *st = arg;
	int status = st->serve(st->serve_arg, st, &st->req);

	must(status <= ERR_OK);
	if (status == ERR_OK && st->out_err != ERR_OK)
		status = st->out_err;
	if (st->session != NULL && !st->out_ended && st->out_err == ERR_OK) {
		session_send(st->session, &(struct frame){
					      .type = FRAME_END,
					      .stream = st->id,
					      .status = status,
					  });
		st->out_ended = true;
	}
	st->ss->serving_of[st->group]--;
	st->ss->counters->requests_invalid += status == ERR_INVALID;
	stream_drop(st, status != ERR_OK ? status : ERR_CLOSED);
	return ERR_OK;
}

/* Whether the asker's group may have another task, by what is left. */
static bool
may_serve(const struct stream *st)
{
	const struct sessions *ss = st->ss;

	return limits_share(
	    ss->serving_of[st->group], task_group_live(&ss->serving), SESSIONS_SERVING_MAX);
}

int
session_serve(struct stream *st,
    int (*serve)(void *arg, struct stream *s, const struct rpc_request *req), void *arg)
{
	int err = ERR_OK;

	must(st->incoming && !st->handled);
	st->handled = true;
	st->serve = serve;
	st->serve_arg = arg;
	st->group = session_group_slot(st->ss, &st->peer.addr);
	if (!may_serve(st))
		err = ERR_BUSY;
	if (err == ERR_OK && st->req.body.len > 0) {
		st->head = malloc(st->req.body.len);
		if (st->head == NULL)
			err = ERR_NOMEM;
		else
			memcpy(st->head, st->req.body.data, st->req.body.len);
		st->req.body.data = st->head;
	}
	if (err == ERR_OK)
		err = task_spawn(&st->ss->serving, "serve", serve_run, st);
	if (err != ERR_OK) {
		st->ss->counters->streams_refused++;
		stream_drop(st, err);
		return err;
	}
	st->ss->serving_of[st->group]++;
	return ERR_OK;
}
