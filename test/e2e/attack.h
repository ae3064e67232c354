/*
 * What the files of the attacker share: means of attack.c, and the ways of attack_sessions.c.
 */
#ifndef TEST_E2E_ATTACK_H
#define TEST_E2E_ATTACK_H

#include <netinet/in.h>

#include "overlay/envelope.h"
#include "overlay/handshake.h"
#include "overlay/sealed.h"

#define SESSIONS_TRIED 96 /* sessions or handshakes of one run */

struct attack {
	struct contact target;
	struct network_id net;
	struct sockaddr_in to;
	struct identity who;
	struct aead *aead;
	uint64_t until; /* ns, monotonic */
	unsigned long sent, sessions;
};

bool time_left(const struct attack *a);
void random_fill(void *out, size_t len);
void random_identity(struct identity *out);
void pause_ms(long ms);
/* A socket from one of our addresses, connected to the node; −1. */
int socket_from(const struct attack *a, int type, unsigned source);
void cast(struct attack *a, int fd, const uint8_t *data, size_t len);
/* A datagram as an honest peer would make it; e NULL: of these bytes instead. */
size_t datagram(const struct attack *a, const struct identity *who, const struct envelope *e,
    struct bytes raw, uint8_t out[SEALED_DATAGRAM_MAX]);
struct envelope request(uint16_t method, struct bytes body);
size_t first_message(struct attack *a, struct handshake *h, uint8_t out[HANDSHAKE_MESSAGE_MAX]);

/* Ways to attack within a session; false: it could not be done, or the node did what it must not.
 */
bool frames(struct attack *a);
bool streams(struct attack *a);
bool deep(struct attack *a);
bool hold_puts(struct attack *a);

#endif
