/* Tables of countries and draws from them. Nothing here can fail. */
#include "sim/place.h"

#include "overlay/base/err.h"

/* Share of the nodes that live in a region, in parts per million: where public peers are seen. */
static const uint32_t region_share_ppm[SIM_REGIONS] = {
	380000,
	220000,
	110000,
	50000,
	190000,
	50000,
};

/* Shares within the region; the time zone is of its middle. */
static const struct country {
	uint8_t region;
	char name[3];
	int16_t zone_minutes;
	uint32_t share_ppm;
} countries[] = {
	{ 0, "DE", 60, 250000 },
	{ 0, "FR", 60, 170000 },
	{ 0, "NL", 60, 130000 },
	{ 0, "GB", 0, 130000 },
	{ 0, "FI", 120, 90000 },
	{ 0, "PL", 60, 80000 },
	{ 0, "SE", 60, 50000 },
	{ 0, "ES", 60, 50000 },
	{ 0, "UA", 120, 50000 },
	{ 1, "US", -300, 820000 },
	{ 1, "CA", -300, 150000 },
	{ 1, "DO", -240, 30000 },
	{ 2, "US", -480, 850000 },
	{ 2, "CA", -480, 90000 },
	{ 2, "MX", -480, 60000 },
	{ 3, "BR", -180, 600000 },
	{ 3, "AR", -180, 180000 },
	{ 3, "CL", -240, 120000 },
	{ 3, "CO", -300, 100000 },
	{ 4, "CN", 480, 380000 },
	{ 4, "JP", 540, 180000 },
	{ 4, "SG", 480, 180000 },
	{ 4, "KR", 540, 160000 },
	{ 4, "HK", 480, 100000 },
	{ 5, "AU", 600, 750000 },
	{ 5, "NZ", 720, 250000 },
};

static const uint32_t as_share_ppm[SIM_AS_PER_COUNTRY] = {
	330000,
	160000,
	105000,
	80000,
	65000,
	55000,
	47000,
	42000,
	36000,
	32000,
	26000,
	22000,
};

/* ---- addresses ---- */

struct addr
sim_addr_in(uint32_t net, uint8_t host, uint16_t port)
{
	/* From 16.0.0.1 on, counting /24s; ends below 80.0.0.0. */
	uint32_t ip = (UINT32_C(16) << 24) + (net << 8) + host;

	must(net < (1u << 22) && host > 0 && host < 255);
	return (struct addr){ .family = ADDR_IPV4,
		.ip = { (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip },
		.port = port };
}

struct addr
sim_addr(uint32_t net, uint16_t port)
{
	return sim_addr_in(net, 1, port);
}

static size_t
net_bytes(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? 3 : 6;
}

bool
sim_addr_same_net(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, net_bytes(a)) == 0;
}

/* ---- draws ---- */

unsigned
sim_draw_region(struct sim_random *r)
{
	uint64_t u = sim_random_below(r, SIM_PPM);
	unsigned region = 0;

	while (region < SIM_REGIONS - 1 && u >= region_share_ppm[region])
		u -= region_share_ppm[region++];
	return region;
}

static const struct country *
draw_country(struct sim_random *r, unsigned region)
{
	uint64_t u = sim_random_below(r, SIM_PPM);
	const struct country *last = NULL;

	for (size_t i = 0; i < ARRAY_LEN(countries); i++) {
		if (countries[i].region != region)
			continue;
		last = &countries[i];
		if (u < last->share_ppm)
			break;
		u -= last->share_ppm;
	}
	must(last != NULL);
	return last;
}

static unsigned
draw_as(struct sim_random *r)
{
	uint64_t u = sim_random_below(r, SIM_PPM);
	unsigned rank = 0;

	while (rank < SIM_AS_PER_COUNTRY - 1 && u >= as_share_ppm[rank])
		u -= as_share_ppm[rank++];
	return rank;
}

uint32_t
sim_as_number(const char country[2], unsigned rank)
{
	must(rank < SIM_AS_PER_COUNTRY);
	return 100000 + (uint32_t)((country[0] - 'A') * 26 + (country[1] - 'A')) * 100 + rank;
}

void
sim_place_draw(struct sim_place *place, bool draw_region, uint64_t seed, const struct addr *ip)
{
	struct sim_random r;
	unsigned region, rank;
	const struct country *country;

	sim_random_init(&r, seed, sim_mix_bytes(ip->family, bytes_of(ip->ip, net_bytes(ip))));
	/* All are drawn whatever is given, so that giving one leaves the others alone. */
	region = sim_draw_region(&r);
	rank = draw_as(&r);
	if (draw_region)
		place->region = (uint8_t)region;
	country = draw_country(&r, place->region);
	if (place->country[0] == '\0')
		memcpy(place->country, country->name, sizeof(place->country));
	if (place->as_number == 0)
		place->as_number = sim_as_number(place->country, rank);
}

const char *
sim_country(size_t i)
{
	for (size_t c = 0; c < ARRAY_LEN(countries); c++) {
		size_t first = 0; /* some are in two regions */

		while (memcmp(countries[first].name, countries[c].name, 2) != 0)
			first++;
		if (first == c && i-- == 0)
			return countries[c].name;
	}
	return NULL;
}

int
sim_place_zone(const struct sim_place *place)
{
	int zone = 0;

	/* A country in several regions has several zones; one that the table lacks has its
	 * region's. */
	for (size_t i = ARRAY_LEN(countries); i-- > 0;) {
		const struct country *c = &countries[i];

		if (c->region != place->region)
			continue;
		zone = c->zone_minutes;
		if (memcmp(c->name, place->country, sizeof(c->name)) == 0)
			return zone;
	}
	return zone;
}

/* ---- selections ---- */

bool
sim_scope_holds(const struct sim_scope *s, const struct addr *ip, const struct sim_place *place)
{
	switch (s->kind) {
	case SIM_SCOPE_NET:
		return sim_addr_same_net(&s->net, ip);
	case SIM_SCOPE_AS:
		return s->as_number == place->as_number;
	case SIM_SCOPE_COUNTRY:
		return memcmp(s->country, place->country, sizeof(s->country)) == 0;
	case SIM_SCOPE_REGION:
		return s->region == place->region;
	}
	return false;
}
