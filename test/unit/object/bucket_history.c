#include "test/unit/object/bucket_history.h"

#include <stdlib.h>
#include <string.h>

#include "overlay/base/err.h"

struct state {
	uint16_t value[HISTORY_KEYS];
};

/* What has been tried: these calls done, in this state. */
struct tried {
	uint64_t done;
	struct state state;
	bool used;
};
struct search {
	const struct history_call *calls;
	uint32_t count;
	struct tried *tried;
	size_t tried_count, tried_cap; /* a power of two */
};

static size_t
slot_of(const struct tried *t, size_t cap, uint64_t done, const struct state *s)
{
	uint64_t h = done * UINT64_C(0x9e3779b97f4a7c15);
	size_t i;

	for (int k = 0; k < HISTORY_KEYS; k++)
		h = (h ^ s->value[k]) * UINT64_C(0xff51afd7ed558ccd);
	i = (size_t)(h >> 20) & (cap - 1);
	while (t[i].used && (t[i].done != done || memcmp(&t[i].state, s, sizeof(*s)) != 0))
		i = (i + 1) & (cap - 1);
	return i;
}

static void
grow(struct search *q)
{
	size_t cap = q->tried_cap == 0 ? 4096 : q->tried_cap * 2;
	struct tried *bigger = calloc(cap, sizeof(*bigger));

	must(bigger != NULL);
	for (size_t i = 0; i < q->tried_cap; i++)
		if (q->tried[i].used)
			bigger[slot_of(bigger, cap, q->tried[i].done, &q->tried[i].state)] =
			    q->tried[i];
	free(q->tried);
	q->tried = bigger;
	q->tried_cap = cap;
}

static bool
tried_before(struct search *q, uint64_t done, const struct state *s)
{
	size_t i;

	if (2 * q->tried_count >= q->tried_cap)
		grow(q);
	i = slot_of(q->tried, q->tried_cap, done, s);
	if (q->tried[i].used)
		return true;
	q->tried[i] = (struct tried){ .done = done, .state = *s, .used = true };
	q->tried_count++;
	return false;
}

/* What a call answers in a state, and what it makes of it. */
static enum history_answer
answer_of(const struct history_call *c, struct state *s)
{
	uint16_t *value = &s->value[c->key];

	switch (c->what) {
	case HISTORY_PUT_NEW:
		if (*value != 0)
			return HISTORY_REFUSED;
		break;
	case HISTORY_PUT_OVER:
		if (*value == 0)
			return HISTORY_ABSENT;
		if (*value != c->expected)
			return HISTORY_REFUSED;
		break;
	case HISTORY_DELETE:
		*value = 0;
		return HISTORY_OK;
	default:
		break;
	}
	*value = c->value;
	return HISTORY_OK;
}

static bool
takes_place(const struct history_call *c, struct state *s)
{
	enum history_answer answer;

	if (c->what == HISTORY_GET)
		return s->value[c->key] == c->got;
	if (c->what == HISTORY_LIST)
		return memcmp(s->value, c->list, sizeof(c->list)) == 0;
	answer = answer_of(c, s);
	/* One of unknown fate that would have been refused has not taken place. */
	return answer == (c->answer == HISTORY_UNKNOWN ? HISTORY_OK : c->answer);
}

static bool
search(struct search *q, uint64_t done, const struct state *s)
{
	uint64_t first_end = HISTORY_NEVER;
	bool open = false;

	if (tried_before(q, done, s))
		return false;
	for (uint32_t i = 0; i < q->count; i++) {
		if ((done >> i & 1) != 0 || q->calls[i].answer == HISTORY_UNKNOWN)
			continue;
		open = true;
		if (q->calls[i].to < first_end)
			first_end = q->calls[i].to;
	}
	if (!open)
		return true;
	for (uint32_t i = 0; i < q->count; i++) {
		struct state after = *s;

		if ((done >> i & 1) != 0 || q->calls[i].from > first_end)
			continue;
		if (takes_place(&q->calls[i], &after) && search(q, done | UINT64_C(1) << i, &after))
			return true;
	}
	return false;
}

bool
history_explained(const struct history_call *calls, uint32_t count)
{
	struct search q = { .calls = calls, .count = count };
	struct state none = { { 0 } };
	bool found;

	must(count <= HISTORY_CALLS_MAX);
	found = search(&q, 0, &none);
	free(q.tried);
	return found;
}
