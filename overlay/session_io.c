/*
 * Bytes of a session. Out: frames are sealed straight into the output queue,
 * control frames at once, streams' data in turns of one frame for each stream while
 * the queue is short; one large write at the end of the loop's turn, or as soon as much is there.
 * How much may wait depends on what waits for the peer's network (out_max()). In: large reads into
 * one buffer of all sessions, frames opened in place; only a frame's beginning is kept between
 * reads.
 *
 * Fails by: the connection, a length out of range, a frame that does not open or parse (the
 * session ends), more provoked answers than the peer fetches: than its session may hold, or than
 * its network may where the session holds more than a few of them. Streams' bytes are none: they
 * were queued while there was room, and wait.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/limits.h"
#include "overlay/session_calls.h"

#define WRITE_PARTS_MAX 16 /* more than SESSION_OUT_MAX in large blocks */

/* ---- out ---- */

static void
length_put(uint8_t *out, size_t len)
{
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
}

void
session_flush_soon(struct session *s)
{
	struct sessions *ss = s->ss;

	if (s->flushing || s->state == SESSION_DEAD)
		return;
	s->flushing = true;
	TAILQ_INSERT_TAIL(&ss->flush, s, flush_link);
	sessions_turn_soon(ss);
}

/* How much may be queued; parts: one of so many parts of its group's share is what counts. */
static size_t
out_max(const struct session *s, size_t parts)
{
	const struct sessions *ss = s->ss;
	size_t own = parts * ss->unsent_of[s->group];

	return limits_share(own, ss->unsent, SESSIONS_UNSENT_MAX) ? SESSION_OUT_MAX
								  : SESSION_OUT_FEW;
}

bool
session_out_busy(const struct session *s)
{
	return s->out.len > out_max(s, 2) / 2;
}

/* Whether streams may add to it. */
static bool
out_short(const struct session *s)
{
	return s->out.len < out_max(s, 2) / 4;
}

/* The memory of the queue was held before. */
static void
out_recount(struct session *s, size_t held)
{
	s->ss->unsent += s->out.held - held;
	s->ss->unsent_of[s->group] += (uint32_t)(s->out.held - held);
}

void
session_out_drop(struct session *s, size_t len)
{
	size_t held = s->out.held, was = s->out.len;

	if (was > 0) /* mixed evenly, as far as anybody knows */
		s->provoked -= (size_t)((uint64_t)s->provoked * len / was);
	chunk_queue_drop(&s->out, &s->ss->store, len);
	out_recount(s, held);
}

/* It provokes answers, and what may wait for it is full. */
static void
out_deaf(struct session *s, bool network)
{
	char text[ADDR_TEXT_MAX];

	s->ss->counters->sessions_deaf_closed++;
	log_warn(s->ss->env, "session with %s closed: it does not fetch its answers%s",
	    addr_format(&s->seen, text),
	    network ? ", and its network has its share of what may wait" : "");
	session_fail(s, ERR_CLOSED);
}

/* Room for a message with its length in front, of a stream or not; NULL: the session has failed. */
static uint8_t *
out_room(struct session *s, size_t message_len, bool of_stream)
{
	size_t len = FRAME_LENGTH_BYTES + message_len, held = s->out.held;
	size_t max = out_max(s, 1), provoked = s->provoked + (of_stream ? 0 : len);
	bool few = max < SESSION_OUT_MAX;
	uint8_t *out;

	if (s->out.len + len > max && (!few || provoked > SESSION_OUT_FEW / 2)) {
		out_deaf(s, few);
		return NULL;
	}
	s->out.thrifty = few;
	out = chunk_queue_room(&s->out, &s->ss->store, len);
	if (out == NULL) {
		session_fail(s, ERR_NOMEM);
		return NULL;
	}
	s->provoked = provoked;
	out_recount(s, held);
	sessions_memory_used(s->ss);
	length_put(out, message_len);
	return out + FRAME_LENGTH_BYTES;
}

static void
frame_seal(struct session *s, const struct frame *f)
{
	size_t len = frame_bytes(f);
	uint8_t *out = out_room(s, len + CRYPTO_TAG_BYTES, f->type == FRAME_DATA);

	if (out == NULL)
		return;
	frame_pack(f, out);
	if (noise_seal(&s->send, s->ss->aead, out, out, len) != ERR_OK)
		session_fail(s, ERR_CLOSED); /* the last nonce is used up */
}

void
session_send(struct session *s, const struct frame *f)
{
	if (s->state != SESSION_LIVE)
		return;
	frame_seal(s, f);
	session_flush_soon(s);
}

void
session_send_plain(struct session *s, struct bytes message)
{
	uint8_t *out = out_room(s, message.len, false);

	if (out == NULL)
		return;
	memcpy(out, message.data, message.len);
	session_flush_soon(s);
}

/* One frame of a stream that is first in line. */
static void
stream_seal(struct session *s, struct stream *st)
{
	struct frame f = {
		.type = FRAME_DATA,
		.stream = st->id,
		.bytes = { st->out, MIN(MIN(st->out_left, st->credit), FRAME_PAYLOAD_MAX) },
	};

	if (f.bytes.len > 0) {
		st->out += f.bytes.len;
		st->out_left -= f.bytes.len;
		st->credit -= (uint32_t)f.bytes.len;
		frame_seal(s, &f);
	} else {
		frame_seal(s, st->out_end);
		st->out_end = NULL;
		st->out_ended = true;
	}
	if (s->state == SESSION_DEAD)
		return; /* which told the stream */
	if (st->out_left == 0 && st->out_end == NULL)
		stream_out_done(st, ERR_OK);
	else
		stream_ready(st); /* behind the others */
}

void
session_fill(struct session *s)
{
	struct stream *st;

	while (s->state == SESSION_LIVE && out_short(s) && (st = TAILQ_FIRST(&s->ready)) != NULL) {
		TAILQ_REMOVE(&s->ready, st, ready_link);
		st->in_ready = false;
		stream_seal(s, st);
	}
}

static void
want_write(struct session *s, bool write)
{
	if (write == s->wants_write)
		return;
	s->wants_write = write;
	conn_want(s->conn, true, write);
}

/* Hands the queue to the connection; false: it takes no more now, or the session has failed. */
static bool
out_write(struct session *s)
{
	struct bytes parts[WRITE_PARTS_MAX];
	size_t count = chunk_queue_parts(&s->out, parts, ARRAY_LEN(parts));
	int64_t n = conn_write(s->conn, parts, count);
	bool all;

	if (n < 0) {
		if (s->state == SESSION_LIVE && !s->ss->in_busy)
			session_input(s); /* it may have said all that we need before it went */
		session_fail(s, s->state == SESSION_DIALING ? (int)n : ERR_CLOSED);
		return false;
	}
	all = (size_t)n == s->out.len;
	session_out_drop(s, (size_t)n);
	s->spent += (size_t)n;
	s->bytes_out += (uint64_t)n;
	s->ss->counters->session_bytes_out += (uint64_t)n;
	return all;
}

void
session_pump(struct session *s)
{
	do {
		session_fill(s);
		if (s->state == SESSION_DEAD)
			return;
	} while (s->connected && s->out.len > 0 && s->spent < SESSION_TURN_BYTES && out_write(s));
	if (s->state == SESSION_DEAD)
		return;
	want_write(s, s->out.len > 0);
	if (s->closing && s->streams_count == 0 && s->out.len == 0)
		session_fail(s, ERR_CLOSED);
}

/* ---- in ---- */

static void
message_take(struct session *s, uint8_t *message, size_t len)
{
	int err;

	if (s->state != SESSION_LIVE) {
		session_handshake_input(s, bytes_of(message, len));
		return;
	}
	err = noise_open(&s->receive, s->ss->aead, message, message, len);
	if (err != ERR_OK)
		session_bad(s, false, "a frame that does not open");
	else
		session_frame(s, bytes_of(message, len - CRYPTO_TAG_BYTES));
}

static bool
length_allowed(const struct session *s, size_t len)
{
	if (s->state != SESSION_LIVE)
		return len > 0 && len <= HANDSHAKE_MESSAGE_MAX;
	return len >= FRAME_SEALED_MIN && len <= FRAME_SEALED_MAX;
}

/* All whole messages in the input; returns how many bytes they were. */
static size_t
messages_take(struct session *s, uint8_t *in, size_t have)
{
	size_t pos = 0;

	while (s->state != SESSION_DEAD && have - pos >= FRAME_LENGTH_BYTES) {
		size_t len = (size_t)in[pos] << 8 | in[pos + 1];

		if (!length_allowed(s, len)) {
			if (s->state == SESSION_LIVE) {
				session_bad(s, false, "a frame of forbidden length");
			} else {
				s->ss->counters->handshakes_failed++;
				session_fail(s, ERR_INVALID);
			}
			break;
		}
		if (have - pos - FRAME_LENGTH_BYTES < len)
			break;
		message_take(s, in + pos + FRAME_LENGTH_BYTES, len);
		pos += FRAME_LENGTH_BYTES + len;
	}
	return pos;
}

/* Keeps the beginning of a frame for the next read. */
static void
partial_keep(struct session *s, const uint8_t *rest, size_t len)
{
	must(len < FRAME_WIRE_MAX);
	if (len == 0)
		return;
	s->partial = malloc(len);
	if (s->partial == NULL) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	memcpy(s->partial, rest, len);
	s->partial_len = len;
}

/* One read and its messages; false: no more now, or the session is over. */
static bool
input_once(struct session *s, uint8_t *in, size_t in_bytes)
{
	struct sessions *ss = s->ss;
	size_t have = s->partial_len, room, done;
	int64_t n;

	if (have > 0)
		memcpy(in, s->partial, have);
	room = in_bytes - have;
	n = conn_read(s->conn, in + have, room);
	if (n == 0)
		return false;
	if (n < 0) {
		if (s->state != SESSION_LIVE && s->connected)
			ss->counters->handshakes_failed++;
		session_fail(s, s->state == SESSION_DIALING ? (int)n : ERR_CLOSED);
		return false;
	}
	free(s->partial);
	s->partial = NULL;
	s->partial_len = 0;
	s->bytes_in += (uint64_t)n;
	ss->counters->session_bytes_in += (uint64_t)n;
	if (s->state == SESSION_LIVE)
		session_was_heard(s);
	s->plenty = (size_t)n >= SESSION_IN_FEW / 2;
	have += (size_t)n;
	done = messages_take(s, in, have);
	if (s->state == SESSION_DEAD)
		return false;
	partial_keep(s, in + done, have - done);
	return s->state != SESSION_DEAD && (size_t)n == room;
}

void
session_input(struct session *s)
{
	struct sessions *ss = s->ss;
	uint8_t few[SESSION_IN_FEW], *in;
	size_t turn = 0;

	/* A hand-shake, a question, an answer: most sessions never need more. */
	if (!s->plenty && s->partial_len <= sizeof(few) / 2 && !input_once(s, few, sizeof(few)))
		return;
	in = sessions_in(ss);
	if (in == NULL) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	must(!ss->in_busy); /* one buffer for all */
	ss->in_busy = true;
	while (turn < SESSION_TURN_BYTES && input_once(s, in, SESSION_IN_BYTES))
		turn += KIB(256);
	ss->in_busy = false;
}
