/*
 * IP addresses with port: text, bytes, and what kind of place they name. Pure;
 * host names are split off here but looked up elsewhere (env_resolve).
 *
 * One address has one form: an IPv4 address mapped into IPv6 becomes IPv4 when
 * it is parsed, and is refused when it comes packed from a peer.
 */
#ifndef OVERLAY_ADDR_H
#define OVERLAY_ADDR_H

#include "overlay/base/pack.h"
#include "overlay/base/types.h"

/* "[", the longest IPv6 address (45 with an embedded IPv4), "]:65535" and a NUL. */
#define ADDR_TEXT_MAX     56
/* A DNS name has at most 253 letters (RFC 1035), then a NUL. */
#define ADDR_HOST_MAX     254
/* family u8, ip 16 bytes, port u16 */
#define ADDR_PACKED_BYTES 19

/* "1.2.3.4:5", "[::1]:5", "none". Gives back out. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* Text as above but "none"; a port of 0 is accepted, to listen on. ERR_INVALID for all else. */
int addr_parse(const char *text, struct addr *out);

/*
 * "host:port" or "[ipv6]:port" into its halves; host may be a name. ERR_INVALID: no port, an
 * empty or too long host, characters that no host has, or an IPv6 address without brackets.
 */
int addr_split(const char *text, char host[ADDR_HOST_MAX], uint16_t *port);

/* An address without port, as text: "1.2.3.4" or "::1". ERR_INVALID when it is a name. */
int addr_from_host(const char *host, uint16_t port, struct addr *out);

/* Whether a is in its one form: family known, unused bytes zero, no IPv4 mapped into IPv6. */
bool addr_valid(const struct addr *a);

void addr_pack(struct packer *p, const struct addr *a);
/* Fails the cursor on what is not addr_valid; ADDR_NONE is all zeros. */
void addr_unpack(struct unpacker *u, struct addr *out);

/* What an address can be used for (RFC 6890 and its IANA registries). */
enum addr_scope {
	ADDR_MARTIAN,  /* nobody can be there: unspecified, multicast, reserved, examples … */
	ADDR_LOOPBACK, /* this machine */
	ADDR_LINK,     /* one wire, not routed */
	ADDR_PRIVATE,  /* RFC 1918, RFC 4193, RFC 6598 (carrier NAT) */
	ADDR_GLOBAL,
};
enum addr_scope addr_scope(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_private(const struct addr *a);
bool addr_is_global(const struct addr *a);

/*
 * Whether a peer may be contacted there: it has a port, and is private or global; loopback counts
 * on a network of one machine only.
 */
bool addr_usable(const struct addr *a, bool loopback_net);

/*
 * Whether it makes sense to tell somebody at `to` about a: global addresses to all, private ones
 * to private and loopback, loopback to loopback. Keeps the inside of a network inside.
 */
bool addr_tellable(const struct addr *a, const struct addr *to);

/*
 * The block that is taken for one owner when diversity is asked: /24 of IPv4, /64 of IPv6, as a
 * number unique over both families. 0 only for ADDR_NONE.
 */
uint64_t addr_group(const struct addr *a);
/* "1.2.3.0/24", "2001:db8::/64", "none". Gives back out. */
const char *addr_group_format(uint64_t group, char out[ADDR_TEXT_MAX]);

#endif
