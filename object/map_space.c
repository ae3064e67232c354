#include "object/map_space.h"

/* Half of a tail. */
#define ROLL_SEGMENTS    (TAIL_SEGMENTS_MAX / 2)
#define ROLL_BYTES       (TAIL_BYTES_MAX / 2)
/*
 * While others write, too, who goes on in its turn leaves so much of the tail to who comes next.
 * Two that make room at the same time are in each other's way, and the one behind would find the
 * tail full each time that its turn comes.
 */
#define RESERVE_BYTES    KIB(64)
#define RESERVE_SEGMENTS (TAIL_SEGMENTS_MAX / 4)
#define OTHERS_FOR       SECONDS(5)
/* What sealing adds to records that cannot be compressed is less. */
#define SEALED_MORE      KIB(1)

bool
map_beside_others(const struct map *m)
{
	return m->others_at != 0 && env_now(m->env) - m->others_at < OTHERS_FOR;
}

bool
map_tail_due(const struct map_head *h)
{
	return h->segments >= ROLL_SEGMENTS || h->tail_bytes >= ROLL_BYTES;
}

struct map_space
map_space_of(const struct map *m)
{
	struct map_register *reg = m->opts.reg;
	const struct map_head *h = reg->head(reg);
	const struct map_pending *p = m->pending;
	struct map_space s = { .segments = h->segments,
		.segments_max = TAIL_SEGMENTS_MAX,
		.bytes = h->tail_bytes,
		.bytes_max = TAIL_BYTES_MAX };

	s.rooted = p != NULL && hash_equal(&p->base, &h->root);
	while (s.rooted && s.covered < h->segments) {
		struct bytes segment = reg->segment(reg, s.covered);
		uint64_t seq;

		if (map_segment_seq(segment, &seq) != ERR_OK || seq > p->covers)
			break;
		s.bytes -= (uint32_t)segment.len;
		s.segments--;
		s.covered++;
	}
	if (h->present && hash_equal(&h->id, &m->own_head_id) && map_beside_others(m)) {
		s.segments_max -= RESERVE_SEGMENTS;
		s.bytes_max -= RESERVE_BYTES;
	}
	return s;
}

size_t
map_space_records(const struct map_space *s)
{
	uint32_t left = s->bytes_max > s->bytes ? s->bytes_max - s->bytes : 0;

	return left > SEALED_MORE ? MIN((size_t)left - SEALED_MORE, (size_t)MAP_BATCH_BYTES) : 0;
}
