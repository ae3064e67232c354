/*
 * How to reach a peer: public key and address; the id is the key's hash and is
 * carried along because everything sorts by it. Not proven by itself: who
 * answers there must show that it has the key.
 */
#ifndef OVERLAY_CONTACT_H
#define OVERLAY_CONTACT_H

#include "overlay/addr.h"
#include "overlay/base/types.h"

struct contact {
	struct pubkey pub;
	struct id id; /* SHA-256(pub) */
	struct addr addr;
};

/* 64 hex digits, "@", the address and its NUL */
#define CONTACT_TEXT_MAX     (65 + ADDR_TEXT_MAX)
/* pubkey 32, address 19 */
#define CONTACT_PACKED_BYTES (32 + ADDR_PACKED_BYTES)

/* addr NULL: ADDR_NONE. out may hold pub or addr. */
void contact_init(struct contact *out, const struct pubkey *pub, const struct addr *addr);
bool contact_equal(const struct contact *a, const struct contact *b); /* key and address */

/* "PUBKEYHEX@1.2.3.4:5"; gives back out. */
const char *contact_format(const struct contact *c, char out[CONTACT_TEXT_MAX]);
/* Only with an IP address and a port that is not 0: ERR_INVALID otherwise. */
int contact_parse(const char *text, struct contact *out);
/* The same text, but the host may be a name, which the caller looks up. ERR_INVALID. */
int contact_split(const char *text, struct pubkey *pub, char host[ADDR_HOST_MAX], uint16_t *port);

/* The address of what is packed must be set: must(). */
void contact_pack(struct packer *p, const struct contact *c);
/* Fails the cursor when there is no address or no port; *out is undefined then. */
void contact_unpack(struct unpacker *u, struct contact *out);

#endif
