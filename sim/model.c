/* The latency model: two tables and a few draws. Nothing here can fail. */
#include "sim/model.h"

#include "overlay/base/err.h"

#define MBIT UINT64_C(125000) /* bytes */

static const char *const region_names[SIM_REGIONS] = {
	"eu",
	"us-east",
	"us-west",
	"south-america",
	"east-asia",
	"oceania",
};

/* Milliseconds of round trip. Symmetric (checked by the unit test). */
static const uint16_t region_rtt_ms[SIM_REGIONS][SIM_REGIONS] = {
	/* eu  us-e us-w s-am asia ocea */
	{ 20, 85, 145, 200, 230, 280 },  /* eu */
	{ 85, 20, 65, 120, 180, 210 },   /* us-east */
	{ 145, 65, 20, 175, 120, 150 },  /* us-west */
	{ 200, 120, 175, 20, 280, 310 }, /* south-america */
	{ 230, 180, 120, 280, 20, 130 }, /* east-asia */
	{ 280, 210, 150, 310, 130, 20 }, /* oceania */
};

/*
 * Quantiles 0, 1/32 … 1 of 7 ms · exp(0.7 z), in microseconds; the ends are cut at
 * 0.4 % and 99.6 %, beyond which nobody would run a node.
 */
static const uint32_t access_us[33] = {
	1094,
	1900,
	2392,
	2782,
	3129,
	3452,
	3762,
	4065,
	4366,
	4667,
	4972,
	5282,
	5601,
	5929,
	6270,
	6626,
	7000,
	7395,
	7815,
	8264,
	8749,
	9277,
	9856,
	10499,
	11224,
	12054,
	13026,
	14195,
	15661,
	17611,
	20487,
	25786,
	44807,
};

/* Equally frequent subscriptions, in Mbit/s: DSL, cable, fibre; a few lines as servers have. */
static const struct {
	uint16_t up, down;
} bandwidth_mbit[] = {
	{ 1, 10 },
	{ 3, 16 },
	{ 5, 25 },
	{ 10, 50 },
	{ 10, 50 },
	{ 20, 100 },
	{ 20, 100 },
	{ 40, 100 },
	{ 40, 250 },
	{ 50, 250 },
	{ 100, 300 },
	{ 100, 500 },
	{ 200, 500 },
	{ 500, 1000 },
	{ 1000, 1000 },
	{ 1000, 1000 },
};

const char *
sim_region_name(unsigned region)
{
	must(region < SIM_REGIONS);
	return region_names[region];
}

uint64_t
sim_region_rtt(unsigned a, unsigned b)
{
	must(a < SIM_REGIONS && b < SIM_REGIONS);
	return MILLISECONDS(region_rtt_ms[a][b]);
}

uint64_t
sim_draw_access(struct sim_random *r)
{
	/* Inverse transform: a uniform point, linear between the two quantiles around it. */
	uint64_t u = sim_random_below(r, (ARRAY_LEN(access_us) - 1) << 16);
	size_t i = u >> 16;
	uint64_t low = MICROSECONDS(access_us[i]);
	uint64_t high = MICROSECONDS(access_us[i + 1]);

	return low + (((high - low) * (u & 0xffff)) >> 16);
}

void
sim_draw_bandwidth(struct sim_random *r, uint64_t *up_bytes_s, uint64_t *down_bytes_s)
{
	size_t i = sim_random_below(r, ARRAY_LEN(bandwidth_mbit));

	*up_bytes_s = bandwidth_mbit[i].up * MBIT;
	*down_bytes_s = bandwidth_mbit[i].down * MBIT;
}

uint64_t
sim_one_way(bool regions, const struct sim_place *a, const struct sim_place *b)
{
	uint64_t rtt = regions ? sim_region_rtt(a->region, b->region) : SIM_FLAT_RTT;

	return (rtt + a->access_ns + b->access_ns) / 2;
}

uint64_t
sim_trip(struct sim_random *r, bool regions, const struct sim_place *a, const struct sim_place *b)
{
	uint64_t way = sim_one_way(regions, a, b);

	return way + sim_random_below(r, way / SIM_JITTER_SHARE + 1);
}
