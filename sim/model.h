/*
 * How long bytes travel: regions of the world with round trips between them,
 * an access line per node, jitter, and rare faults. Pure: plain numbers in,
 * plain numbers out; all draws come from the stream handed in.
 *
 *	round trip = region to region + access line of a + access line of b
 *
 * Region figures follow public cloud latency tables, rounded (20–310 ms); the
 * access line is log-normal with median 7 ms and sigma 0.7, as measurements of
 * home lines show.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "sim/place.h"
#include "sim/random.h"

/* Without regions: one machine room. */
#define SIM_FLAT_RTT     MILLISECONDS(1)
/* A node to itself: its kernel's loopback. */
#define SIM_SELF_RTT     MICROSECONDS(50)
/* Queues on the way vary a trip by up to a tenth. */
#define SIM_JITTER_SHARE 10
/* How late a reordered datagram comes: behind many later ones. */
#define SIM_REORDER_MAX  MILLISECONDS(50)

/* What travels badly, in parts per million of datagrams. */
struct sim_faults {
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;
};

const char *sim_region_name(unsigned region); /* "eu", "us-east", … */
uint64_t sim_region_rtt(unsigned a, unsigned b);

/* An access line's delay as drawn for a new node; its bandwidth, as subscriptions are spread. */
uint64_t sim_draw_access(struct sim_random *r);
void sim_draw_bandwidth(struct sim_random *r, uint64_t *up_bytes_s, uint64_t *down_bytes_s);

/* One way without jitter; regions false: the flat machine room. */
uint64_t sim_one_way(bool regions, const struct sim_place *a, const struct sim_place *b);
/* One way of one packet, jitter included. */
uint64_t sim_trip(
    struct sim_random *r, bool regions, const struct sim_place *a, const struct sim_place *b);

#endif
