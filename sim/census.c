/*
 * An inventory for each storing member, then all of them sorted by chunk and index, so that a
 * chunk's shards lie side by side. A store that does not answer (its disk has just failed) keeps
 * its last inventory. Short of memory it aborts.
 */
#include "sim/census.h"

#include <stdlib.h>

#include "storage/store_walk.h"

#define CENSUS_PATIENCE MINUTES(1)
#define NAMES_AT_ONCE   1024

struct shard {
	struct hash chunk;
	uint32_t member;
	uint8_t index;
	bool up;
};

struct inventory {
	struct census *census;
	struct member *member;
	uint32_t generation;
	struct shard *shards;
	size_t count, cap;
};

struct census {
	struct fleet *fleet;
	struct inventory *members;
	size_t members_count;
	size_t running;
	struct shard *all; /* sorted */
	size_t all_count;
	uint64_t up_count;
};

static void
note(struct inventory *v, const struct hash *chunk, uint8_t index)
{
	if (v->count == v->cap) {
		v->cap = v->cap == 0 ? 64 : 2 * v->cap;
		v->shards = realloc(v->shards, v->cap * sizeof(*v->shards));
		must(v->shards != NULL);
	}
	v->shards[v->count++] =
	    (struct shard){ .chunk = *chunk, .member = v->member->index, .index = index };
}

static void
walk_store(struct inventory *v, struct store *store, struct shard_name *names)
{
	struct shard_walk walk = { .ended = false };
	size_t count;
	int err = store_list(store, &walk, names, NAMES_AT_ONCE, &count);

	if (err == ERR_OK)
		v->count = 0;
	while (err == ERR_OK && count > 0) {
		for (size_t i = 0; i < count; i++) {
			const struct shard_name *n = &names[i];

			if (!n->unproven || store_verify(store, &n->chunk, n->index) == ERR_OK)
				note(v, &n->chunk, n->index);
		}
		err = store_list(store, &walk, names, NAMES_AT_ONCE, &count);
	}
}

static int
inventory_run(void *arg)
{
	struct inventory *v = arg;
	struct store *store = node_store(v->member->node);
	struct shard_name *names = malloc(NAMES_AT_ONCE * sizeof(*names));

	must(names != NULL);
	if (store != NULL)
		walk_store(v, store, names);
	free(names);
	v->census->running--;
	return ERR_OK;
}

static bool
all_done(void *arg)
{
	return ((struct census *)arg)->running == 0;
}

static int
compare(const void *a, const void *b)
{
	const struct shard *x = a, *y = b;
	int order = memcmp(x->chunk.b, y->chunk.b, sizeof(x->chunk.b));

	if (order != 0)
		return order;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->up == y->up ? (x->member < y->member ? -1 : x->member > y->member)
			      : (int)y->up - (int)x->up;
}

static void
sort_all(struct census *c)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < c->members_count; i++)
		total += c->members[i].count;
	free(c->all);
	c->all = calloc(MAX(total, (size_t)1), sizeof(*c->all));
	must(c->all != NULL);
	c->up_count = 0;
	for (size_t i = 0; i < c->members_count; i++) {
		const struct inventory *v = &c->members[i];

		for (size_t j = 0; j < v->count; j++) {
			c->all[at] = v->shards[j];
			c->all[at].up = v->member->state == MEMBER_UP;
			c->up_count += c->all[at].up;
			at++;
		}
	}
	c->all_count = total;
	qsort(c->all, total, sizeof(*c->all), compare);
}

void
census_take(struct census *c)
{
	for (size_t i = 0; i < c->members_count; i++) {
		struct inventory *v = &c->members[i];

		if (v->generation != v->member->generation) { /* its disk is gone */
			v->count = 0;
			v->generation = v->member->generation;
		}
		if (v->member->state != MEMBER_UP || sim_node_dead(v->member->env))
			continue;
		if (task_spawn(&v->member->work, "census", inventory_run, v) == ERR_OK)
			c->running++;
	}
	must(sim_run_until(fleet_world(c->fleet), all_done, c, CENSUS_PATIENCE));
	sort_all(c);
}

void
census_chunk(const struct census *c, const struct hash *chunk, unsigned *up, unsigned *kept)
{
	size_t from = 0, to = c->all_count;
	int last = -1;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(c->all[middle].chunk.b, chunk->b, sizeof(chunk->b)) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*up = *kept = 0;
	for (; from < c->all_count && hash_equal(&c->all[from].chunk, chunk); from++) {
		if (c->all[from].index == last)
			continue; /* a copy; one on a member that is up comes first */
		last = c->all[from].index;
		++*kept;
		*up += c->all[from].up;
	}
}

uint64_t
census_shards(const struct census *c)
{
	return c->up_count;
}

struct census *
census_new(struct fleet *f)
{
	struct census *c = calloc(1, sizeof(*c));
	size_t count = 0;

	must(c != NULL);
	c->fleet = f;
	for (size_t i = 0; i < fleet_count(f); i++)
		count += fleet_member(f, i)->storing;
	c->members = calloc(MAX(count, (size_t)1), sizeof(*c->members));
	must(c->members != NULL);
	for (size_t i = 0; i < fleet_count(f); i++) {
		struct member *m = fleet_member(f, i);

		if (m->storing)
			c->members[c->members_count++] = (struct inventory){
				.census = c, .member = m, .generation = m->generation
			};
	}
	return c;
}

void
census_free(struct census *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->members_count; i++)
		free(c->members[i].shards);
	free(c->members);
	free(c->all);
	free(c);
}
