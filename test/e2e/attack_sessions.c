/* Behind a handshake that is right: garbage, forbidden frames, streams without end. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "overlay/frame.h"
#include "overlay/reach.h"
#include "storage/messages.h"
#include "test/e2e/attack.h"

#define DEEP_BYTES 1000 /* levels of msgpack: far beyond any limit, within one datagram */

struct link {
	struct attack *a;
	int fd;
	struct noise_cipher send, receive;
};

static bool
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_message(int fd, const uint8_t *data, size_t len)
{
	uint8_t lead[FRAME_LENGTH_BYTES] = { (uint8_t)(len >> 8), (uint8_t)len };

	return write_all(fd, lead, sizeof(lead)) && write_all(fd, data, len);
}

static bool
read_message(int fd, uint8_t *out, size_t cap, size_t *len)
{
	uint8_t lead[FRAME_LENGTH_BYTES];

	if (recv(fd, lead, sizeof(lead), MSG_WAITALL) != sizeof(lead))
		return false;
	*len = (size_t)lead[0] << 8 | lead[1];
	return *len <= cap && recv(fd, out, *len, MSG_WAITALL) == (ssize_t)*len;
}

/* The three messages; forge: the last one is not what it should be. */
static bool
shake(struct link *l, unsigned source, bool forge)
{
	struct attack *a = l->a;
	static const struct session_hello self = { .version = SESSION_VERSION_MAX };
	uint8_t message[HANDSHAKE_MESSAGE_MAX];
	struct handshake h;
	size_t len;
	bool ok = false;

	l->fd = socket_from(a, SOCK_STREAM, source);
	if (l->fd < 0)
		return false;
	len = first_message(a, &h, message);
	if (write_message(l->fd, message, len) &&
	    read_message(l->fd, message, sizeof(message), &len) &&
	    handshake_read(&h, bytes_of(message, len)) == ERR_OK &&
	    handshake_write(&h, &self, NULL, message, &len) == ERR_OK) {
		message[len / 2] ^= forge;
		ok = write_message(l->fd, message, len);
	}
	if (ok)
		handshake_finish(&h, &l->send, &l->receive);
	handshake_wipe(&h);
	a->sessions += ok;
	if (!ok)
		(void)close(l->fd);
	return ok;
}

/* Seals plain bytes, which need be no frame; out has len + a tag. */
static void
seal(struct link *l, const uint8_t *plain, size_t len, uint8_t *out)
{
	must(noise_seal(&l->send, l->a->aead, out, plain, len) == ERR_OK);
}

static bool
say(struct link *l, const struct frame *f)
{
	uint8_t wire[FRAME_WIRE_MAX];
	size_t len = frame_bytes(f);

	frame_pack(f, wire);
	seal(l, wire, len, wire);
	l->a->sent++;
	return write_message(l->fd, wire, len + CRYPTO_TAG_BYTES);
}

/* Whether the node ends the connection; what it sends before is fetched. */
static bool
hangs_up(int fd)
{
	uint8_t in[4096];
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* Frames that parse but may not be said, each on a session of its own. */
static const struct frame forbidden[] = {
	{ .type = FRAME_OPEN, .stream = 2, .method = METHOD_PING },
	{ .type = FRAME_DATA, .stream = 99, .bytes = { (const uint8_t *)"x", 1 } },
	{ .type = FRAME_CREDIT, .stream = 7, .credit = 1 },
	{ .type = FRAME_END, .stream = 4242 },
	{ .type = FRAME_RESET, .stream = UINT32_MAX, .status = ERR_BUSY },
};

#define GARBAGE_KINDS 7

static void
garbage(struct link *l, unsigned kind)
{
	static const struct frame ping = { .type = FRAME_PING, .token = 5 };
	uint8_t wire[2][64], junk[300];
	size_t len = frame_bytes(&ping) + CRYPTO_TAG_BYTES;

	random_fill(junk, sizeof(junk));
	frame_pack(&ping, wire[0]);
	frame_pack(&ping, wire[1]);
	switch (kind % GARBAGE_KINDS) {
	case 0:
		(void)write_message(l->fd, junk, sizeof(junk));
		break;
	case 1:
		(void)write_all(l->fd, (const uint8_t *)"\xff\xff and more", 11);
		break;
	case 2:
		(void)write_all(l->fd, (const uint8_t *)"\0\1x", 3);
		break;
	case 3: /* swapped */
		seal(l, wire[0], frame_bytes(&ping), wire[0]);
		seal(l, wire[1], frame_bytes(&ping), wire[1]);
		(void)write_message(l->fd, wire[1], len);
		break;
	case 4: /* twice */
		seal(l, wire[0], frame_bytes(&ping), wire[0]);
		(void)write_message(l->fd, wire[0], len);
		(void)write_message(l->fd, wire[0], len);
		break;
	case 5: /* a flipped bit */
		seal(l, wire[0], frame_bytes(&ping), wire[0]);
		wire[0][3] ^= 1;
		(void)write_message(l->fd, wire[0], len);
		break;
	default: /* sealed, and no frame */
		seal(l, junk, 100, junk);
		(void)write_message(l->fd, junk, 100 + CRYPTO_TAG_BYTES);
	}
	l->a->sent++;
}

bool
frames(struct attack *a)
{
	bool ended = true;

	for (unsigned i = 0; i < SESSIONS_TRIED && time_left(a); i++) {
		struct link l = { .a = a };
		unsigned kind = i % (GARBAGE_KINDS + ARRAY_LEN(forbidden) + 2);

		random_identity(&a->who);
		if (!shake(&l, i, kind == 0))
			return false;
		if (kind == 1) { /* cut in the middle of a frame */
			(void)write_all(l.fd, (const uint8_t *)"\x10\0begin", 7);
			(void)shutdown(l.fd, SHUT_WR);
		} else if (kind >= 2 + GARBAGE_KINDS) {
			(void)say(&l, &forbidden[kind - 2 - GARBAGE_KINDS]);
		} else if (kind != 0) {
			garbage(&l, kind - 2);
		}
		ended &= hangs_up(l.fd);
		(void)close(l.fd);
	}
	if (!ended)
		fprintf(stderr, "attack: the node went on with a session after garbage\n");
	return ended && a->sessions > 0;
}

static size_t
put_head(uint8_t *out, size_t cap)
{
	struct shard_put m = { .k = 1, .n = 1, .chunk_bytes = MIB(3) };
	struct buf head;
	size_t len;

	buf_init(&head, cap);
	must(shard_put_pack(&m, &head) == ERR_OK);
	len = head.len;
	memcpy(out, head.data, len);
	buf_fini(&head);
	return len;
}

/* Opens and resets without end: each is work for nothing. And more at a time than allowed. */
bool
streams(struct attack *a)
{
	uint8_t head[64];
	size_t head_len = put_head(head, sizeof(head));
	struct link l = { .a = a };
	uint32_t id = 1;

	for (unsigned i = 0; i < SESSIONS_TRIED && time_left(a); i++) {
		if (!shake(&l, i, false))
			return false;
		id = 1;
		for (unsigned n = 0; n < 2000 && time_left(a); n++, id += 2) {
			struct frame open = { .type = FRAME_OPEN,
				.stream = id,
				.method = n % 3 == 0 ? METHOD_PING : METHOD_SHARD_PUT,
				.bytes = { head, head_len } };
			struct frame reset = {
				.type = FRAME_RESET, .stream = id, .status = ERR_BUSY
			};

			if (!say(&l, &open) || (n > 400 && !say(&l, &reset)))
				break; /* it had enough of us */
		}
		(void)close(l.fd);
	}
	return a->sessions > 0;
}

/* Deep and broken bodies for every method there may be, both ways. */
bool
deep(struct attack *a)
{
	uint8_t body[DEEP_BYTES], wire[SEALED_DATAGRAM_MAX];
	struct link l = { .a = a };
	int fd = socket_from(a, SOCK_DGRAM, 4);
	uint32_t id = 1;

	memset(body, 0x91, sizeof(body)); /* an array of one: an array of one: … */
	if (fd < 0 || !shake(&l, 4, false))
		return false;
	for (uint16_t method = 1; method < 128 && time_left(a); method++, id += 2) {
		struct envelope e = request(method, bytes_of(body, sizeof(body)));
		struct identity who;

		random_identity(&who); /* so that no limit spares it the reading */
		cast(a, fd, wire, datagram(a, &who, &e, bytes_of(NULL, 0), wire));
		cast(a, fd, wire, datagram(a, &who, NULL, bytes_of(body, sizeof(body)), wire));
		(void)say(&l, &(struct frame){ .type = FRAME_OPEN,
				  .stream = id,
				  .method = method,
				  .bytes = { body, sizeof(body) } });
		pause_ms(5);
	}
	(void)close(fd);
	(void)close(l.fd);
	return true;
}

/* Puts that get room, send something, and stop: as many as go. */
bool
hold_puts(struct attack *a)
{
	static const uint8_t payload[FRAME_PAYLOAD_MAX];
	uint8_t head[64];
	size_t head_len = put_head(head, sizeof(head));
	struct link links[4] = { 0 };
	size_t up = 0;

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		links[i].a = a;
		if (!shake(&links[i], 5, false))
			break;
		up++;
		for (uint32_t id = 1; id < 400; id += 2) {
			struct frame open = { .type = FRAME_OPEN,
				.stream = id,
				.method = METHOD_SHARD_PUT,
				.bytes = { head, head_len } };
			struct frame data = { .type = FRAME_DATA,
				.stream = id,
				.bytes = { payload, sizeof(payload) } };

			if (!say(&links[i], &open) || !say(&links[i], &data) ||
			    !say(&links[i], &data) || !say(&links[i], &data))
				break;
		}
	}
	while (time_left(a))
		pause_ms(50);
	for (size_t i = 0; i < up; i++)
		(void)close(links[i].fd);
	return up > 0;
}
