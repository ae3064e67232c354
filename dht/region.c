/*
 * Sorted nodes in, chosen indices out. Nothing can fail.
 */
#include "dht/region.h"

#include "dht/distance.h"
#include "overlay/base/err.h"

void
region_of(const struct id *key, uint64_t size, size_t k, struct region *out)
{
	unsigned __int128 radius = (unsigned __int128)1 << 64;

	*out = (struct region){ .key = *key, .radius = UINT64_MAX, .bits = 0 };
	if (size <= k)
		return;
	radius = radius * k / size;
	out->radius = (uint64_t)radius;
	/* The shortest prefix whose block is not larger than the radius needs. */
	out->bits = out->radius == 0 ? 64 : (unsigned)__builtin_clzll(out->radius);
}

bool
region_holds(const struct region *r, const struct id *id)
{
	return id_distance_top(&r->key, id) <= r->radius;
}

void
region_widen(struct region *r)
{
	r->radius = r->bits >= 64 ? 0 : UINT64_MAX >> r->bits;
}

unsigned
region_part(const struct region *r, const struct id *id)
{
	uint64_t top = id_top(id);

	if (r->bits >= 64 - REGION_SPREAD_BITS)
		return 0;
	return (unsigned)(top << r->bits >> (64 - REGION_SPREAD_BITS));
}

/* What the choice looks at, of each node, again and again. */
struct option {
	uint64_t network;
	uint16_t crowd; /* how many of its network are chosen */
	uint8_t part;
	bool out; /* chosen already, or not inside */
};

static void
option_take(struct option *options, size_t count, size_t taken)
{
	options[taken].out = true;
	for (size_t i = 0; i < count; i++)
		options[i].crowd += options[i].network == options[taken].network;
}

/* The next of a part: fewest of its network chosen so far, then nearest. SIZE_MAX: none. */
static size_t
part_next(const struct option *options, size_t count, unsigned part)
{
	size_t best = SIZE_MAX, best_crowd = SIZE_MAX;

	for (size_t i = 0; i < count; i++)
		if (options[i].part == part && !options[i].out && options[i].crowd < best_crowd) {
			best = i;
			best_crowd = options[i].crowd;
		}
	return best;
}

/* Of those inside, part by part; out holds n already. */
static size_t
spread(const struct region *r, const struct contact *nodes, size_t count, size_t n, size_t max,
    uint16_t *out)
{
	struct option options[REGION_NODES_MAX];
	bool more = true;

	for (size_t i = 0; i < count; i++)
		options[i] = (struct option){ .network = addr_group(&nodes[i].addr),
			.part = (uint8_t)region_part(r, &nodes[i].id),
			.out = !region_holds(r, &nodes[i].id) };
	for (size_t i = 0; i < n; i++)
		option_take(options, count, out[i]);
	while (more && n < max) {
		more = false;
		for (unsigned part = 0; part < 1u << REGION_SPREAD_BITS && n < max; part++) {
			size_t i = part_next(options, count, part);

			if (i == SIZE_MAX)
				continue;
			option_take(options, count, i);
			out[n++] = (uint16_t)i;
			more = true;
		}
	}
	return n;
}

static void
sort_u16(uint16_t *at, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j > 0 && at[j - 1] > at[j]; j--) {
			uint16_t swap = at[j];

			at[j] = at[j - 1];
			at[j - 1] = swap;
		}
}

size_t
region_choose(const struct region *r, const struct contact *nodes, size_t count, size_t keep,
    size_t max, uint16_t *out)
{
	size_t n = 0, inside = 0;

	must(count <= REGION_NODES_MAX);
	for (; n < MIN(keep, MIN(count, max)); n++)
		out[n] = (uint16_t)n;
	for (size_t i = n; i < count; i++)
		inside += region_holds(r, &nodes[i].id);
	if (inside <= max - n) {
		for (size_t i = n; i < count; i++)
			if (region_holds(r, &nodes[i].id))
				out[n++] = (uint16_t)i;
		return n;
	}
	n = spread(r, nodes, count, n, max, out);
	sort_u16(out, n);
	return n;
}
