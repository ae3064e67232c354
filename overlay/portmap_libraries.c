/*
 * The only file that knows miniupnpc and libnatpmp. Runs in a worker: plain buffers, no
 * objects, no log. Every failure ends as a sentence in result->why.
 */
#include "overlay/portmap.h"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <natpmp.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "overlay/addr.h"

#define UPNP_CONFLICT       718  /* ConflictInMappingEntry */
#define UPNP_ONLY_PERMANENT 725  /* OnlyPermanentLeasesSupported */
#define PORT_STEP           7919 /* to the next outside port to try; a prime, so all are reached */
#define OUTSIDE_PORT_MIN    1024
#define DESCRIPTION         "skerry"

struct igd {
	struct UPNPUrls urls;
	struct IGDdatas data;
	char lan[46]; /* INET6_ADDRSTRLEN */
};

static void
say(struct portmap_result *out, const char *what, int code)
{
	size_t used = strlen(out->why);

	/* Both protocols fail one after the other: their reasons stand side by side. */
	snprintf(out->why + used, sizeof(out->why) - used, "%s%s (%d)", used > 0 ? "; " : "", what,
	    code);
}

static int
igd_valid(struct UPNPDev *devices, struct igd *igd)
{
#if MINIUPNPC_API_VERSION >= 18
	char wan[46];
	int rc = UPNP_GetValidIGD(
	    devices, &igd->urls, &igd->data, igd->lan, sizeof(igd->lan), wan, sizeof(wan));

	return rc == 2 ? 1 : rc; /* 2: connected, behind another router; dial-backs will tell */
#else
	return UPNP_GetValidIGD(devices, &igd->urls, &igd->data, igd->lan, sizeof(igd->lan));
#endif
}

/* True when a router was found; the caller frees igd->urls. */
static bool
igd_find(struct igd *igd, struct portmap_result *out)
{
	int err = 0, rc;
	struct UPNPDev *devices =
	    upnpDiscover(PORTMAP_DISCOVER_MS, NULL, NULL, UPNP_LOCAL_PORT_ANY, 0, 2, &err);

	if (devices == NULL) {
		say(out, "no UPnP router answers", err);
		return false;
	}
	memset(igd, 0, sizeof(*igd));
	rc = igd_valid(devices, igd);
	freeUPNPDevlist(devices);
	if (rc == 1)
		return true;
	if (rc != 0)
		FreeUPNPUrls(&igd->urls);
	say(out, "the UPnP router is not connected", rc);
	return false;
}

static int
igd_add(struct igd *igd, const char *outside, const char *inside, const char *proto)
{
	char lease[12];
	int rc;

	snprintf(lease, sizeof(lease), "%u", (unsigned)(PORTMAP_LEASE / SECONDS(1)));
	rc = UPNP_AddPortMapping(igd->urls.controlURL, igd->data.first.servicetype, outside, inside,
	    igd->lan, DESCRIPTION, proto, NULL, lease);
	if (rc == UPNP_ONLY_PERMANENT)
		rc = UPNP_AddPortMapping(igd->urls.controlURL, igd->data.first.servicetype, outside,
		    inside, igd->lan, DESCRIPTION, proto, NULL, "0");
	return rc;
}

static void
igd_delete(struct igd *igd, const char *outside, const char *proto)
{
	/* A router that refuses lets the lease run out; nobody is there to be told. */
	(void)UPNP_DeletePortMapping(
	    igd->urls.controlURL, igd->data.first.servicetype, outside, proto, NULL);
}

/* Both protocols on one outside port. */
static int
igd_add_both(struct igd *igd, uint16_t outside_port, uint16_t port)
{
	char outside[6], inside[6];
	int rc;

	snprintf(outside, sizeof(outside), "%u", (unsigned)outside_port);
	snprintf(inside, sizeof(inside), "%u", (unsigned)port);
	rc = igd_add(igd, outside, inside, "TCP");
	if (rc != UPNPCOMMAND_SUCCESS)
		return rc;
	rc = igd_add(igd, outside, inside, "UDP");
	if (rc != UPNPCOMMAND_SUCCESS)
		igd_delete(igd, outside, "TCP");
	return rc;
}

static bool
upnp_external(struct igd *igd, struct portmap_result *out)
{
	char text[64] = "";
	int rc = UPNP_GetExternalIPAddress(igd->urls.controlURL, igd->data.first.servicetype, text);

	if (rc == UPNPCOMMAND_SUCCESS &&
	    addr_from_host(text, out->external.port, &out->external) == ERR_OK)
		return true;
	say(out, "the UPnP router names no outside address", rc);
	return false;
}

static bool
upnp_map(uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	struct igd igd;
	int rc = UPNP_CONFLICT;
	bool ok = false;

	if (!igd_find(&igd, out))
		return false;
	for (int i = 0; i < PORTMAP_PORT_TRIES && rc == UPNP_CONFLICT; i++) {
		out->external.port = outside_port;
		rc = igd_add_both(&igd, outside_port, port);
		outside_port = (uint16_t)MAX(outside_port + PORT_STEP, OUTSIDE_PORT_MIN);
		outside_port = MAX(outside_port, OUTSIDE_PORT_MIN);
	}
	if (rc != UPNPCOMMAND_SUCCESS)
		say(out, "the UPnP router refuses the mapping", rc);
	else
		ok = upnp_external(&igd, out);
	FreeUPNPUrls(&igd.urls);
	if (ok)
		out->method = PORTMAP_UPNP;
	return ok;
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	/* A worker has no env; this bounds a library's own waiting and decides nothing. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Waits for the answer of the request just sent; 0 or a library's error. */
static int
natpmp_wait(natpmp_t *n, natpmpresp_t *resp)
{
	uint64_t until = clock_ms() + PORTMAP_NATPMP_MS;
	int rc;

	do {
		struct timeval tv = { 0 };
		struct pollfd fd = { .fd = n->s, .events = POLLIN };

		(void)getnatpmprequesttimeout(n, &tv);
		(void)poll(&fd, 1, (int)MIN(tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1, 1000));
		rc = readnatpmpresponseorretry(n, resp);
	} while (rc == NATPMP_TRYAGAIN && clock_ms() < until);
	return rc;
}

/* The outside port granted, or a negative library error. */
static int
natpmp_add(natpmp_t *n, int proto, uint16_t port, uint16_t outside_port, uint32_t lifetime_s)
{
	natpmpresp_t resp;
	int rc = sendnewportmappingrequest(n, proto, port, outside_port, lifetime_s);

	if (rc < 0)
		return rc;
	rc = natpmp_wait(n, &resp);
	return rc != 0 ? rc : resp.pnu.newportmapping.mappedpublicport;
}

static void
natpmp_delete(natpmp_t *n, uint16_t port)
{
	(void)natpmp_add(n, NATPMP_PROTOCOL_TCP, port, 0, 0);
	(void)natpmp_add(n, NATPMP_PROTOCOL_UDP, port, 0, 0);
}

static int
natpmp_map_on(natpmp_t *n, uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	uint32_t lease_s = (uint32_t)(PORTMAP_LEASE / SECONDS(1));
	natpmpresp_t resp;
	int rc, tcp, udp;

	rc = sendpublicaddressrequest(n);
	if (rc < 0 || (rc = natpmp_wait(n, &resp)) != 0)
		return rc;
	out->external.family = ADDR_IPV4;
	memcpy(out->external.ip, &resp.pnu.publicaddress.addr, 4);
	tcp = natpmp_add(n, NATPMP_PROTOCOL_TCP, port, outside_port, lease_s);
	if (tcp < 0)
		return tcp;
	udp = natpmp_add(n, NATPMP_PROTOCOL_UDP, port, (uint16_t)tcp, lease_s);
	if (udp == tcp) {
		out->external.port = (uint16_t)tcp;
		return 0;
	}
	natpmp_delete(n, port);
	return udp < 0 ? udp : NATPMP_ERR_OUTOFRESOURCES;
}

static bool
natpmp_map(uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	natpmp_t n;
	int rc = initnatpmp(&n, 0, 0);

	if (rc == 0) {
		rc = natpmp_map_on(&n, port, outside_port, out);
		closenatpmp(&n);
	}
	if (rc != 0) {
		say(out, "no NAT-PMP router helps", rc);
		return false;
	}
	out->method = PORTMAP_NATPMP;
	return true;
}

static void
libraries_map(uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	if (upnp_map(port, outside_port, out) || natpmp_map(port, outside_port, out)) {
		out->why[0] = '\0';
		return;
	}
	memset(&out->external, 0, sizeof(out->external));
}

static void
libraries_unmap(uint16_t port, const struct portmap_result *mapped)
{
	struct portmap_result ignored = { 0 };
	char outside[6];
	struct igd igd;
	natpmp_t n;

	if (mapped->method == PORTMAP_NATPMP) {
		if (initnatpmp(&n, 0, 0) == 0) {
			natpmp_delete(&n, port);
			closenatpmp(&n);
		}
		return;
	}
	if (!igd_find(&igd, &ignored))
		return;
	snprintf(outside, sizeof(outside), "%u", (unsigned)mapped->external.port);
	igd_delete(&igd, outside, "TCP");
	igd_delete(&igd, outside, "UDP");
	FreeUPNPUrls(&igd.urls);
}

const struct portmap_ops portmap_libraries = {
	.map = libraries_map,
	.unmap = libraries_unmap,
};
