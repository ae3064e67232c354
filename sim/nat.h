/*
 * A home router's address translation, for one machine behind it. Pure: takes
 * the time, keeps a bounded table of whom the machine has sent to, and says which
 * source port a peer sees and which datagrams may come in (RFC 4787 terms):
 *
 *	SIM_NAT_CONE       endpoint-independent mapping, address-dependent filtering
 *	SIM_NAT_CONE_PORT  endpoint-independent mapping, address- and port-dependent filtering
 *	SIM_NAT_SYMMETRIC  a port per destination, address- and port-dependent filtering
 *
 * The router's public address is the node's address in the world; cone classes keep
 * the source port. Only what goes out keeps a mapping alive (RFC 4787, REQ-6).
 */
#ifndef SIM_NAT_H
#define SIM_NAT_H

#include "overlay/base/env.h"

/* Without outgoing traffic a UDP mapping lives so long: RFC 4787's minimum (REQ-5). */
#define SIM_NAT_LIFE    MINUTES(2)
/* Mappings of a machine, then new ones are refused: a home router's usual table. */
#define SIM_NAT_ENTRIES 4096

enum sim_nat {
	SIM_NAT_NONE,
	SIM_NAT_CONE,
	SIM_NAT_CONE_PORT,
	SIM_NAT_SYMMETRIC,
};

struct nat;

struct nat *nat_new(enum sim_nat kind, uint64_t seed); /* gives; not for SIM_NAT_NONE */
void nat_free(struct nat *n);
/* The source port that `to` sees of a datagram from local port; 0: the table is full, it is lost.
 */
uint16_t nat_out(struct nat *n, uint64_t now, uint16_t port, const struct addr *to);
/* Whether a datagram from `from` to the router's port `seen` reaches the local port. */
bool nat_in(
    const struct nat *n, uint64_t now, uint16_t port, const struct addr *from, uint16_t seen);
/* The source port that the peer of a stream sees. */
uint16_t nat_stream_port(const struct nat *n, uint16_t port, const struct addr *to);

#endif
