#include "test/unit/storage/linear.h"

#include <stdlib.h>

#include "overlay/base/err.h"

struct search {
	const struct linear_op *ops;
	uint32_t count;
	struct seen_state {
		uint64_t done, list;
		bool used;
	} * seen;
	uint32_t room, used;
};

uint64_t
linear_append(uint64_t list, uint32_t mark)
{
	uint64_t h = (list ^ mark) * UINT64_C(0x9e3779b97f4a7c15) + 1;

	h = (h ^ h >> 32) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 29;
}

/* False: seen before. */
static bool
remember(struct search *s, uint64_t done, uint64_t list)
{
	uint32_t i;

	if (2 * (s->used + 1) > s->room) {
		struct search old = *s;

		s->room = old.room == 0 ? 1024 : 2 * old.room;
		s->seen = calloc(s->room, sizeof(s->seen[0]));
		s->used = 0;
		must(s->seen != NULL);
		for (i = 0; i < old.room; i++)
			if (old.seen[i].used)
				(void)remember(s, old.seen[i].done, old.seen[i].list);
		free(old.seen);
	}
	i = (uint32_t)(linear_append(done, (uint32_t)list) >> 7) & (s->room - 1);
	while (s->seen[i].used) {
		if (s->seen[i].done == done && s->seen[i].list == list)
			return false;
		i = (i + 1) & (s->room - 1);
	}
	s->seen[i].used = true;
	s->seen[i].done = done;
	s->seen[i].list = list;
	s->used++;
	return true;
}

static bool
explained(struct search *s, uint64_t done, uint64_t list)
{
	uint64_t first = LINEAR_NEVER;

	/* Whoever returned before another was called comes before it. */
	for (uint32_t i = 0; i < s->count; i++)
		if ((done >> i & 1) == 0 && s->ops[i].ret < first)
			first = s->ops[i].ret;
	if (first == LINEAR_NEVER)
		return true;
	if (!remember(s, done, list))
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct linear_op *o = &s->ops[i];
		uint64_t then = o->mark == 0 ? list : linear_append(list, o->mark);

		if ((done >> i & 1) != 0 || o->call > first)
			continue;
		if ((o->ret != LINEAR_NEVER || o->list != 0) && o->list != then)
			continue;
		if (explained(s, done | UINT64_C(1) << i, then))
			return true;
	}
	return false;
}

bool
linear_check(const struct linear_op *ops, uint32_t count)
{
	struct search s = { .ops = ops, .count = count };
	bool good;

	must(count <= LINEAR_OPS_MAX);
	good = explained(&s, 0, 0);
	free(s.seen);
	return good;
}
