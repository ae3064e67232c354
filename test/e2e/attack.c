/*
 * What a stranger with a socket may do to a node: one kind of bad input after the other, bounded in
 * time and count. Uses the program's own packers, so that what is wrong is exactly what is meant.
 *
 *	attack MODE PUBKEY@ADDRESS:PORT NETWORK SECONDS
 *
 * Speaks to loopback addresses only. Prints how much it sent; exit status 1 when the node could not
 * even be reached, or answered what it must not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "overlay/frame.h"
#include "overlay/reach.h"
#include "storage/messages.h"
#include "test/e2e/attack.h"

#define SECONDS_MAX     30    /* of one run */
#define DATAGRAMS_MAX   20000 /* of one run: some seconds of a flood, not a test of the machine */
#define CONNECTIONS_MAX 1000  /* held open without a word */
#define NODE_PATIENCE_S 3     /* for one read or write */
#define SOURCES         40    /* addresses that we come from, below what one may hold each */

/* ---- means ---- */

static uint64_t
now_ns(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return SECONDS((uint64_t)t.tv_sec) + (uint64_t)t.tv_nsec;
}

bool
time_left(const struct attack *a)
{
	return now_ns() < a->until;
}

void
random_fill(void *out, size_t len)
{
	must(getrandom(out, len, 0) == (ssize_t)len);
}

static uint8_t
random_byte(void)
{
	uint8_t b;

	random_fill(&b, 1);
	return b;
}

void
random_identity(struct identity *out)
{
	struct key seed;

	random_fill(seed.b, sizeof(seed.b));
	identity_from_seed(&seed, out);
}

void
pause_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* A socket from one of our addresses, connected to the node; −1. */
int
socket_from(const struct attack *a, int type, unsigned source)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f420001u + (source % SOURCES << 8)) };
	struct timeval patience = { .tv_sec = NODE_PATIENCE_S };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(fd, (const struct sockaddr *)&a->to, sizeof(a->to)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void
cast(struct attack *a, int fd, const uint8_t *data, size_t len)
{
	/* Refused or full: as lost on the way. */
	a->sent += send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* A datagram as an honest peer would make it, of type SEALED_PLAIN. */
size_t
datagram(const struct attack *a, const struct identity *who, const struct envelope *e,
    struct bytes raw, uint8_t out[SEALED_DATAGRAM_MAX])
{
	struct sealed_header h = { .type = SEALED_PLAIN, .net = a->net, .sender = who->pub };
	struct sealed_keys keys;
	struct buf plain;
	size_t len;

	must(sealed_keys_derive(who, &a->target.pub, &a->net, &keys) == ERR_OK);
	random_fill(h.nonce, sizeof(h.nonce));
	buf_init(&plain, SEALED_BODY_MAX);
	if (e != NULL)
		must(envelope_pack(e, SEALED_BODY_MAX, &plain) == ERR_OK);
	else
		must(buf_append(&plain, raw.data, raw.len) == ERR_OK);
	must(sealed_pack(&h, &keys.tx, buf_bytes(&plain), out, &len) == ERR_OK);
	buf_fini(&plain);
	return len;
}

struct envelope
request(uint16_t method, struct bytes body)
{
	struct envelope e = { .kind = ENVELOPE_REQUEST,
		.method = method,
		.version = PROTOCOL_VERSION,
		.body = body };

	random_fill(&e.id, sizeof(e.id));
	e.sent_ms = (uint64_t)time(NULL) * 1000;
	return e;
}

/* ---- datagrams ---- */

static bool
flood_of_one(struct attack *a)
{
	uint8_t wire[SEALED_DATAGRAM_MAX];
	int fd = socket_from(a, SOCK_DGRAM, 0);

	while (fd >= 0 && time_left(a) && a->sent < DATAGRAMS_MAX) {
		struct envelope e = request(METHOD_PING, bytes_of(NULL, 0));

		cast(a, fd, wire, datagram(a, &a->who, &e, bytes_of(NULL, 0), wire));
	}
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* Each from a key never seen, with a seal that is wrong: the node learns so after an agreement. */
static bool
flood_of_keys(struct attack *a)
{
	uint8_t wire[SEALED_DATAGRAM_MAX];
	struct envelope e = request(METHOD_PING, bytes_of(NULL, 0));
	size_t len = datagram(a, &a->who, &e, bytes_of(NULL, 0), wire);
	int fd = socket_from(a, SOCK_DGRAM, 1);

	while (fd >= 0 && time_left(a) && a->sent < DATAGRAMS_MAX) {
		struct identity who;

		random_identity(&who);
		memcpy(wire + 8, who.pub.b, sizeof(who.pub.b));
		random_fill(wire + 40, CRYPTO_XNONCE_BYTES);
		cast(a, fd, wire, len);
	}
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* One spoiled datagram of each kind by turns. */
static void
spoil(struct attack *a, int fd, unsigned kind)
{
	uint8_t wire[2 * SEALED_DATAGRAM_MAX] = { 0 };
	struct envelope e = request(METHOD_PING, bytes_of(NULL, 0));
	size_t len = datagram(a, &a->who, &e, bytes_of(NULL, 0), wire);

	switch (kind % 11) {
	case 0: /* no word of ours */
		len = 1u + random_byte() * 5u;
		random_fill(wire, len);
		break;
	case 1:
		wire[0] ^= 1;
		break;
	case 2:
		wire[2] = (uint8_t)(SEALED_VERSION + 1);
		break;
	case 3:
		wire[3] = 77; /* type */
		break;
	case 4:
		wire[4] ^= 1; /* network */
		break;
	case 5:
		len = random_byte() % SEALED_OVERHEAD; /* 0: an empty datagram */
		break;
	case 6:
		len = len / 2 + random_byte();
		break;
	case 7:
		len = SEALED_DATAGRAM_MAX + 1u + random_byte() * 3u;
		break;
	case 8:
		wire[SEALED_HEADER_BYTES + random_byte()] ^= (uint8_t)(1 << random_byte() % 8);
		break;
	case 9: /* the same again and again */
		for (int i = 0; i < 20; i++)
			cast(a, fd, wire, len);
		break;
	default: /* the node's own key as the sender */
		memcpy(wire + 8, a->target.pub.b, sizeof(a->target.pub.b));
	}
	cast(a, fd, wire, len);
}

static bool
malformed(struct attack *a)
{
	int fd = socket_from(a, SOCK_DGRAM, 2);

	for (unsigned i = 0; fd >= 0 && time_left(a) && a->sent < DATAGRAMS_MAX / 4; i++)
		spoil(a, fd, i);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* ---- connections without a session ---- */

static bool
hold_open(struct attack *a)
{
	int fds[CONNECTIONS_MAX];
	struct rlimit limit;
	size_t count = 0;

	must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = MIN(limit.rlim_max, CONNECTIONS_MAX + 64);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	while (count < CONNECTIONS_MAX && time_left(a)) {
		fds[count] = socket_from(a, SOCK_STREAM, (unsigned)count);
		if (fds[count] < 0)
			break;
		count++;
	}
	a->sent = count;
	while (time_left(a))
		pause_ms(50);
	while (count > 0)
		(void)close(fds[--count]);
	return a->sent > SESSIONS_TRIED;
}

size_t
first_message(struct attack *a, struct handshake *h, uint8_t out[HANDSHAKE_MESSAGE_MAX])
{
	static const struct session_hello self = { .version = SESSION_VERSION_MAX };
	struct key ephemeral;
	size_t len;

	handshake_init(h, &(struct handshake_opts){ .initiator = true,
			      .identity = &a->who,
			      .net = a->net,
			      .aead = a->aead,
			      .expect = &a->target.pub });
	random_fill(ephemeral.b, sizeof(ephemeral.b));
	must(handshake_write(h, &self, &ephemeral, out, &len) == ERR_OK);
	return len;
}

/* Handshakes that are right, and never done: a byte each second. */
static bool
slow(struct attack *a)
{
	uint8_t wire[FRAME_LENGTH_BYTES + HANDSHAKE_MESSAGE_MAX];
	int fds[SESSIONS_TRIED];
	struct handshake h;
	size_t count = 0, len = first_message(a, &h, wire + FRAME_LENGTH_BYTES);

	wire[0] = 0;
	wire[1] = (uint8_t)len;
	handshake_wipe(&h);
	while (count < SESSIONS_TRIED &&
	       (fds[count] = socket_from(a, SOCK_STREAM, (unsigned)count)) >= 0)
		count++;
	for (size_t at = 0; at < len && time_left(a); at++) {
		for (size_t i = 0; i < count; i++)
			a->sent += send(fds[i], wire + at, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
		pause_ms(1000);
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
	return count == SESSIONS_TRIED;
}

/* Lengths that no handshake message has, messages that are none. */
static bool
handshakes(struct attack *a)
{
	static const uint16_t lengths[] = { 0, 1, 31, 641, 0x7fff, 0xffff };

	for (unsigned i = 0; i < SESSIONS_TRIED && time_left(a); i++) {
		uint8_t wire[FRAME_LENGTH_BYTES + HANDSHAKE_MESSAGE_MAX];
		uint16_t len = lengths[i % ARRAY_LEN(lengths)];
		int fd = socket_from(a, SOCK_STREAM, i);

		if (fd < 0)
			return false;
		random_fill(wire, sizeof(wire));
		wire[0] = (uint8_t)(len >> 8);
		wire[1] = (uint8_t)len;
		a->sent += send(fd, wire, sizeof(wire), MSG_NOSIGNAL) > 0;
		(void)close(fd);
	}
	return true;
}

/* ---- which ---- */

static const struct {
	const char *name;
	bool (*run)(struct attack *a);
} modes[] = {
	{ "flood-one", flood_of_one },
	{ "flood-keys", flood_of_keys },
	{ "malformed", malformed },
	{ "idle", hold_open },
	{ "slow", slow },
	{ "handshakes", handshakes },
	{ "frames", frames },
	{ "streams", streams },
	{ "deep", deep },
	{ "puts", hold_puts },
};

static bool
prepare(struct attack *a, char **argv)
{
	long seconds = strtol(argv[4], NULL, 10);

	if (crypto_init() != ERR_OK || (a->aead = aead_new()) == NULL ||
	    contact_parse(argv[2], &a->target) != ERR_OK || !addr_is_loopback(&a->target.addr) ||
	    a->target.addr.family != ADDR_IPV4 || seconds < 1 || seconds > SECONDS_MAX)
		return false;
	network_id_of_name(argv[3], &a->net);
	a->to =
	    (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->target.addr.port) };
	memcpy(&a->to.sin_addr, a->target.addr.ip, 4);
	random_identity(&a->who);
	a->until = now_ns() + SECONDS((uint64_t)seconds);
	return true;
}

int
main(int argc, char **argv)
{
	struct attack a = { 0 };
	bool ok = false;

	if (argc != 5 || !prepare(&a, argv)) {
		fprintf(stderr, "usage: attack MODE PUBKEY@127.A.B.C:PORT NETWORK SECONDS\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			ok = modes[i].run(&a);
	}
	printf("%s: %lu sent, %lu sessions%s\n", argv[1], a.sent, a.sessions,
	    ok ? "" : "; could not do what it was to do");
	identity_wipe(&a.who);
	aead_free(a.aead);
	return ok ? 0 : 1;
}
