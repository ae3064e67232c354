/*
 * Asks the home router to let others in: UPnP IGD, else NAT-PMP, for UDP and TCP on one
 * port, renewed while it lives and taken back at the end. The router is not trusted: what it
 * says is a hint that dial-backs (reach.h) confirm.
 *
 * The libraries block, so they run in a WORK_DISK worker (a few seconds, seldom). Not for
 * networks on one machine, and off where the owner says so: then nobody makes one.
 */
#ifndef OVERLAY_PORTMAP_H
#define OVERLAY_PORTMAP_H

#include "overlay/base/env.h"

#define PORTMAP_LEASE       SECONDS(3600) /* a crashed node's hole closes within the hour */
#define PORTMAP_RENEW       SECONDS(1200) /* two renewals may fail */
#define PORTMAP_RETRY       SECONDS(600)  /* without a router that answers */
#define PORTMAP_DISCOVER_MS 2000          /* SSDP's customary wait for answers */
#define PORTMAP_NATPMP_MS   2000          /* RFC 6886 doubles from 250 ms: three tries */
#define PORTMAP_PORT_TRIES  4             /* other outside ports when another machine has ours */
#define PORTMAP_WHY_BYTES   96

enum portmap_method { PORTMAP_NONE, PORTMAP_UPNP, PORTMAP_NATPMP };

/* What one attempt brought. */
struct portmap_result {
	enum portmap_method method;  /* PORTMAP_NONE: no mapping */
	struct addr external;        /* as the router says */
	char why[PORTMAP_WHY_BYTES]; /* when there is none: for people */
};

/* The libraries behind it; tests put their own. Both block and run in a worker. */
struct portmap_ops {
	/* port inside; outside_port: wished. Fills out, all of it. */
	void (*map)(uint16_t port, uint16_t outside_port, struct portmap_result *out);
	void (*unmap)(uint16_t port, const struct portmap_result *mapped);
};
extern const struct portmap_ops portmap_libraries;

struct portmap;
struct portmap_opts {
	struct env *env;
	uint16_t port;
	const struct portmap_ops *ops; /* NULL: portmap_libraries */
	/* After each attempt that changed method or address; lent. */
	void (*changed)(void *arg, const struct portmap_result *now);
	void *arg;
};

/* Tries at once, then renews or retries. gives. */
int portmap_new(const struct portmap_opts *opts, struct portmap **out);
const struct portmap_result *portmap_now(const struct portmap *p); /* lends */
/* Takes the mapping back, then calls done on the loop; portmap_free after that. */
void portmap_shutdown(struct portmap *p, void (*done)(void *arg), void *arg);
void portmap_free(struct portmap *p);

#endif
