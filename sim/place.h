/*
 * Where a node stands: region, country and autonomous system (AS), drawn from the
 * seed and the network of its address, so that neighbours of one /24 share them and
 * a node that comes back has the place it had. Also selections of nodes by place.
 * Pure: plain data in, plain data out, nothing can fail.
 *
 * Within a country a few AS hold most addresses and a tail shares the rest, as in
 * the routing registries' tables; their numbers are inventions, unique per country.
 */
#ifndef SIM_PLACE_H
#define SIM_PLACE_H

#include "overlay/base/env.h"
#include "sim/random.h"

/* Europe, North America east and west, South America, East Asia, Oceania. */
#define SIM_REGIONS        6
/* A head of a few and a tail, so that outages differ in size. */
#define SIM_AS_PER_COUNTRY 12

struct sim_place {
	uint64_t access_ns; /* what the access line adds to a round trip */
	uint32_t as_number;
	char country[3]; /* ISO 3166: two capitals */
	uint8_t region;  /* < SIM_REGIONS */
};

/*
 * Address `host` (1…254) of /24 number net (< 2^22). sim_addr(net, port) is host 1,
 * alone in its /24, so that rules about networks do not bite.
 */
struct addr sim_addr_in(uint32_t net, uint8_t host, uint16_t port);
struct addr sim_addr(uint32_t net, uint16_t port);
/* The same /24, or /48 of IPv6: what one site or one rented block holds. */
bool sim_addr_same_net(const struct addr *a, const struct addr *b);

/*
 * Fills what *place leaves open: an empty country, AS 0; the region when it is drawn too.
 * Same seed, same network: same answer.
 */
void sim_place_draw(
    struct sim_place *place, bool draw_region, uint64_t seed, const struct addr *ip);
unsigned sim_draw_region(struct sim_random *r);
/* Number `rank` by size (0 the largest) of the country; < SIM_AS_PER_COUNTRY. */
uint32_t sim_as_number(const char country[2], unsigned rank);
/* The countries there are, each once; NULL beyond the last. */
const char *sim_country(size_t i);
/* Minutes east of UTC, without summer time. */
int sim_place_zone(const struct sim_place *place);

enum sim_scope_kind {
	SIM_SCOPE_NET, /* the /24 (/48) of `net` */
	SIM_SCOPE_AS,
	SIM_SCOPE_COUNTRY,
	SIM_SCOPE_REGION,
};

struct sim_scope {
	enum sim_scope_kind kind;
	struct addr net;
	uint32_t as_number;
	char country[3];
	unsigned region;
};

bool sim_scope_holds(
    const struct sim_scope *s, const struct addr *ip, const struct sim_place *place);

#endif
