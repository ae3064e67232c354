/*
 * Each look goes over the ledgers (a keeper's memory of what it stores) and marks bits; then over
 * the chunks, to count them. Who is down keeps what his ledger had last, as long as his disk
 * exists. Short of memory it aborts.
 */
#include "sim/risk.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "sim/chain.h"
#include "sim/net.h"
#include "storage/keeper_sight.h"

/* Between two looks, at the scenario's repair-pace: half an eager grace. */
#define LOOK_EVERY    MINUTES(5)
#define LOOK_LEAST    SECONDS(5)
/* A chunk that is not whole after so many looks is watched all the same. */
#define LOOKS_FRESH   30
/* Cycles until repairs of chunks that began whole together are spread evenly: the waves that are
 * left are below a hundredth (doc/simulation.md). */
#define STEADY_CYCLES 2.0
#define SPANS         24 /* of a run, to see how losses scatter */
#define WORDS         4  /* of 64 bits: SHARDS_MAX indices */

struct chunk {
	struct hash id;
	uint8_t k, r, n;
	uint64_t bytes;
	uint64_t alive[WORDS], kept[WORDS];
	unsigned alive_count, kept_count, looks;
	uint64_t since;     /* watched; 0: not yet */
	uint64_t lost_at;   /* 0: it is not */
	uint64_t low_since; /* alive ≤ r; 0: it is not */
	bool begun;         /* its repair has */
	uint64_t at_risk[RESULT_RISKS];
};

struct stored {
	uint32_t chunk;
	uint8_t index;
};

struct storer {
	struct risk *risk;
	struct member *member;
	uint32_t generation;
	struct stored *holdings;
	size_t count, cap;
};

struct risk {
	struct fleet *fleet;
	struct workload *workload;
	struct result *result;
	struct storer *storers;
	size_t storers_count;
	struct chunk *chunks;
	size_t chunks_count, chunks_cap;
	uint32_t *slots; /* of a hash table over ids: number of a chunk + 1 */
	size_t slots_cap;
	uint64_t *times; /* that repairs took */
	size_t times_count, times_cap;
	uint64_t looked_at, sampled_at;
	struct timer timer;
};

static uint64_t
now_of(const struct risk *r)
{
	return sim_now(fleet_world(r->fleet));
}

static void *
grown(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap == 0 ? 64 : 2 * *cap;
	array = realloc(array, *cap * size);
	must(array != NULL);
	return array;
}

/* ---- chunks ---- */

static size_t
slot_of(const struct risk *r, const struct hash *id)
{
	uint64_t key;
	size_t i;

	memcpy(&key, id->b, sizeof(key));
	i = (size_t)(key & (r->slots_cap - 1));
	while (r->slots[i] != 0 && !hash_equal(&r->chunks[r->slots[i] - 1].id, id))
		i = (i + 1) & (r->slots_cap - 1);
	return i;
}

static struct chunk *
find(const struct risk *r, const struct hash *id)
{
	size_t i = r->slots_cap == 0 ? 0 : slot_of(r, id);

	return r->slots_cap == 0 || r->slots[i] == 0 ? NULL : &r->chunks[r->slots[i] - 1];
}

static void
grow_slots(struct risk *r)
{
	r->slots_cap = r->slots_cap == 0 ? 1024 : 2 * r->slots_cap;
	free(r->slots);
	r->slots = calloc(r->slots_cap, sizeof(*r->slots));
	must(r->slots != NULL);
	for (size_t i = 0; i < r->chunks_count; i++)
		r->slots[slot_of(r, &r->chunks[i].id)] = (uint32_t)i + 1;
}

static void
adopt(struct risk *r, const struct object_chunk *c)
{
	if (find(r, &c->id) != NULL)
		return;
	if (2 * (r->chunks_count + 1) > r->slots_cap)
		grow_slots(r);
	r->chunks = grown(r->chunks, r->chunks_count, &r->chunks_cap, sizeof(*r->chunks));
	r->chunks[r->chunks_count] =
	    (struct chunk){ .id = c->id, .k = c->k, .r = c->r, .n = c->n, .bytes = c->bytes };
	r->slots[slot_of(r, &c->id)] = (uint32_t)++r->chunks_count;
}

static void
adopt_new(struct risk *r)
{
	for (size_t i = 0; i < workload_objects(r->workload); i++) {
		struct object *o = workload_object(r->workload, i);

		for (size_t j = 0; !o->watched && j < o->chunks_count; j++)
			adopt(r, &o->chunks[j]);
		o->watched = o->chunks_count > 0;
	}
}

/* ---- a look ---- */

static void
read_ledger(struct risk *r, struct storer *h)
{
	const struct keeper *k = node_keeper(h->member->node);
	struct keeper_held held;
	size_t cursor = 0;

	/* After a start it does not know yet what it stores. */
	if (k == NULL || !keeper_knows_all(k))
		return;
	h->count = 0;
	while (keeper_next_held(k, &cursor, &held)) {
		const struct chunk *c = find(r, &held.chunk);

		if (c == NULL)
			continue;
		h->holdings = grown(h->holdings, h->count, &h->cap, sizeof(*h->holdings));
		h->holdings[h->count++] = (struct stored){ (uint32_t)(c - r->chunks), held.index };
	}
}

static void
mark(struct risk *r, const struct storer *h, bool up)
{
	for (size_t i = 0; i < h->count; i++) {
		struct chunk *c = &r->chunks[h->holdings[i].chunk];
		uint64_t bit = UINT64_C(1) << h->holdings[i].index % 64;
		size_t word = h->holdings[i].index / 64;

		c->kept_count += (c->kept[word] & bit) == 0;
		c->kept[word] |= bit;
		if (up) {
			c->alive_count += (c->alive[word] & bit) == 0;
			c->alive[word] |= bit;
		}
	}
}

static void
look_at_storers(struct risk *r)
{
	for (size_t i = 0; i < r->chunks_count; i++) {
		struct chunk *c = &r->chunks[i];

		memset(c->alive, 0, sizeof(c->alive));
		memset(c->kept, 0, sizeof(c->kept));
		c->alive_count = c->kept_count = 0;
	}
	for (size_t i = 0; i < r->storers_count; i++) {
		struct storer *h = &r->storers[i];
		bool up = h->member->state == MEMBER_UP && !sim_node_dead(h->member->env);

		if (h->generation != h->member->generation) { /* its disk is gone */
			h->count = 0;
			h->generation = h->member->generation;
		}
		if (up)
			read_ledger(r, h);
		mark(r, h, up && !sim_node_in_outage(h->member->env));
	}
}

static void
note_time(struct risk *r, uint64_t time)
{
	r->times = grown(r->times, r->times_count, &r->times_cap, sizeof(*r->times));
	r->times[r->times_count++] = time;
}

static void
look_at_chunk(struct risk *r, struct chunk *c, uint64_t now)
{
	const unsigned below[RESULT_RISKS] = { c->r, c->k + 1u, c->k };

	if (c->lost_at != 0)
		return;
	if (c->since == 0) {
		if (c->alive_count < c->n && ++c->looks < LOOKS_FRESH)
			return;
		c->since = now;
	}
	for (size_t i = 0; i < RESULT_RISKS; i++) {
		if (c->alive_count <= below[i])
			c->at_risk[i] += now - MAX(r->looked_at, c->since);
	}
	if (c->kept_count < c->k) {
		c->lost_at = now;
		workload_chunk_lost(r->workload, &c->id);
	} else if (c->alive_count <= c->r && c->low_since == 0) {
		c->low_since = now;
		c->begun = false;
	} else if (c->alive_count > c->r && c->low_since != 0) {
		note_time(r, now - c->low_since);
		c->low_since = 0;
	}
}

static void
look(void *arg)
{
	struct risk *r = arg;
	uint64_t now = now_of(r), pace = scenario_repair_pace(fleet_scenario(r->fleet));

	timer_start(&r->timer, MAX(LOOK_EVERY / pace, LOOK_LEAST));
	adopt_new(r);
	if (r->chunks_count == 0)
		return;
	look_at_storers(r);
	for (size_t i = 0; i < r->chunks_count; i++)
		look_at_chunk(r, &r->chunks[i], now);
	r->looked_at = now;
}

/* ---- whose turn it was ---- */

static bool
waits_here(const struct keeper_held *h)
{
	return h->due && !h->begun && !h->claimed && !h->failed && h->rank == 0 && h->alive >= h->k;
}

/* Whether a chunk that has less to spare waited for the same node, and still does. */
static bool
overtakes(const struct keeper *k, const struct hash *chunk)
{
	int ours = INT_MAX, least = INT_MAX;
	struct keeper_held h;
	size_t cursor = 0;

	while (keeper_next_held(k, &cursor, &h)) {
		int spare = (int)h.alive - h.k;

		if (hash_equal(&h.chunk, chunk))
			ours = spare;
		else if (waits_here(&h))
			least = MIN(least, spare);
	}
	return least < ours;
}

static void
repair_begins(void *arg, const struct hash *chunk)
{
	struct storer *h = arg;
	struct risk *r = h->risk;
	struct result_keeping *out = &r->result->keeping;
	struct chunk *c = find(r, chunk);
	size_t spare;

	out->begun++;
	out->overtakes += overtakes(node_keeper(h->member->node), chunk);
	if (c == NULL || c->low_since == 0 || c->begun || c->alive_count < c->k)
		return;
	c->begun = true;
	spare = MIN(c->alive_count - c->k, RESULT_SPARE - 1u);
	out->by_spare[spare].begun++;
	out->by_spare[spare].waited_ms += (now_of(r) - c->low_since) / MILLISECONDS(1);
}

void
risk_changed(struct risk *r, struct member *m)
{
	if (!m->storing || m->index >= r->storers_count || m->state != MEMBER_UP)
		return;
	must(r->storers[m->index].member == m);
	if (node_keeper(m->node) != NULL)
		keeper_on_repair(node_keeper(m->node), repair_begins, &r->storers[m->index]);
}

/* ---- sums ---- */

static bool
chain_of(const struct risk *r, struct chain *out)
{
	const struct scenario *s = fleet_scenario(r->fleet);

	*out = (struct chain){
		.k = s->code.k, .r = s->code.r, .n = s->code.n, .life = (double)s->life.scale
	};
	return s->life.kind == LIFETIME_EXPONENTIAL && s->code.k > 0 && s->code.r < s->code.n;
}

/* Of what B counts: the coordinator reads one of the shards from its own disk. */
static double
over_network(const struct chain *c)
{
	return 1 - 1.0 / (c->k + c->n - c->r);
}

void
risk_sample(struct risk *r, uint64_t moved, uint64_t own)
{
	struct result_keeping *out = &r->result->keeping;
	uint64_t then = r->sampled_at, now = now_of(r), stored = 0;
	struct chain c;
	bool formula = chain_of(r, &c), steady = formula;

	r->sampled_at = now;
	out->moved_bytes += moved;
	out->own_bytes += own;
	for (size_t i = 0; i < r->chunks_count; i++) {
		const struct chunk *one = &r->chunks[i];

		if (one->lost_at != 0)
			continue;
		stored += one->bytes;
		steady = steady && one->since != 0 && one->since < then &&
			 (double)(then - one->since) >= STEADY_CYCLES * chain_cycle(&c);
	}
	out->stored_bytes = stored;
	if (formula)
		r->result->repair_expected_bytes +=
		    (uint64_t)(chain_rate(&c) * over_network(&c) * (double)stored *
			       (double)(now - then));
	if (!steady || stored == 0)
		return;
	out->steady_ns += now - then;
	out->steady_byte_ns += (double)stored * (double)(now - then);
	out->steady_bytes += moved + own;
	out->steady_own_bytes += own;
}

static int
by_length(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Less than a cycle of it says nothing. */
static void
settle_steady(struct risk *r)
{
	struct result_keeping *out = &r->result->keeping;

	if ((double)out->steady_ns < out->cycle_ns)
		out->steady_byte_ns = 0;
}

/* Every so-manieth of the sorted times. */
static void
put_times(struct risk *r)
{
	struct result_keeping *out = &r->result->keeping;

	out->repairs = r->times_count;
	if (r->times_count == 0)
		return;
	qsort(r->times, r->times_count, sizeof(*r->times), by_length);
	out->times_count = MIN(r->times_count, (size_t)RESULT_TIMES);
	for (size_t i = 0; i < out->times_count; i++)
		out->times[i] = r->times[(2 * i + 1) * r->times_count / (2 * out->times_count)];
}

/* Chunks on the same dead peers are lost together, so the losses of equal spans of the run scatter
 * wider than Poisson's: the interval is wider by the root of that. */
static void
widen_interval(struct risk *r, const struct chain_course *course)
{
	struct result_keeping *out = &r->result->keeping;
	uint64_t seen[SPANS] = { 0 }, span = r->looked_at / SPANS + 1;
	double expected[SPANS] = { 0 };

	for (size_t i = 0; i < r->chunks_count; i++) {
		const struct chunk *one = &r->chunks[i];
		double before = 0;

		if (one->since == 0)
			continue;
		for (size_t j = 0; j < SPANS; j++) {
			uint64_t end = (j + 1) * span;
			double age = end > one->since ? (double)(end - one->since) : 0;
			double lost = age > 0 ? chain_course_at(course, course->lost, age) : 0;

			expected[j] += lost - before;
			before = lost;
		}
		if (one->lost_at != 0)
			seen[MIN(one->lost_at / span, (uint64_t)SPANS - 1)]++;
	}
	out->lost_dispersion = chain_dispersion(seen, expected, SPANS);
	out->lost_low =
	    (double)out->lost - ((double)out->lost - out->lost_low) * sqrt(out->lost_dispersion);
	out->lost_low = MAX(out->lost_low, 0.0);
	out->lost_high =
	    (double)out->lost + (out->lost_high - (double)out->lost) * sqrt(out->lost_dispersion);
}

static void
put_expected(struct risk *r)
{
	struct result_keeping *out = &r->result->keeping;
	struct chain_course course;
	uint64_t end = r->looked_at;
	struct chain c;

	chain_interval(out->lost, &out->lost_low, &out->lost_high);
	out->lost_dispersion = 1;
	if (!chain_of(r, &c))
		return;
	c.repair = out->times;
	c.repair_count = out->times_count;
	out->rate = chain_rate(&c);
	out->rate_slow = chain_rate_slow(&c);
	out->cycle_ns = chain_cycle(&c);
	out->loss_time_ns = chain_loss_time(&c);
	must(chain_course(&c, (double)r->result->span * 2, &course));
	for (size_t i = 0; i < r->chunks_count; i++) {
		const struct chunk *one = &r->chunks[i];
		double age = (double)(end - MIN(one->since, end));

		if (one->since == 0)
			continue;
		out->lost_expected += chain_course_at(&course, course.lost, age);
		out->course_bytes +=
		    (double)one->bytes * chain_course_at(&course, course.moved, age);
	}
	widen_interval(r, &course);
	chain_course_fini(&course);
}

void
risk_sum_up(struct risk *r)
{
	struct result_keeping *out = &r->result->keeping;

	out->pace = scenario_repair_pace(fleet_scenario(r->fleet));
	for (size_t i = 0; i < r->chunks_count; i++) {
		const struct chunk *c = &r->chunks[i];
		uint64_t end = c->lost_at == 0 ? r->looked_at : c->lost_at;

		if (c->since == 0)
			continue;
		out->chunks++;
		out->lost += c->lost_at != 0;
		out->watched_ms += (end - MIN(c->since, end)) / MILLISECONDS(1);
		for (size_t j = 0; j < RESULT_RISKS; j++)
			out->at_risk[j][result_risk_bin(c->at_risk[j])]++;
	}
	put_times(r);
	put_expected(r);
	settle_steady(r);
}

/* ---- life ---- */

struct risk *
risk_new(struct fleet *f, struct workload *w, struct result *result)
{
	struct risk *r = calloc(1, sizeof(*r));

	must(r != NULL);
	*r = (struct risk){ .fleet = f, .workload = w, .result = result };
	while (r->storers_count < fleet_count(f) &&
	       fleet_member(f, r->storers_count)->storing) /* they come first */
		r->storers_count++;
	r->storers = calloc(MAX(r->storers_count, (size_t)1), sizeof(*r->storers));
	must(r->storers != NULL);
	for (size_t i = 0; i < r->storers_count; i++) {
		struct member *m = fleet_member(f, i);

		r->storers[i] =
		    (struct storer){ .risk = r, .member = m, .generation = m->generation };
		risk_changed(r, m);
	}
	r->looked_at = r->sampled_at = now_of(r);
	timer_init(&r->timer, fleet_director(f), look, r);
	look(r);
	return r;
}

void
risk_free(struct risk *r)
{
	if (r == NULL)
		return;
	timer_stop(&r->timer);
	for (size_t i = 0; i < r->storers_count; i++) {
		const struct member *m = r->storers[i].member;

		if (m->state == MEMBER_UP && m->node != NULL && node_keeper(m->node) != NULL)
			keeper_on_repair(node_keeper(m->node), NULL, NULL);
		free(r->storers[i].holdings);
	}
	free(r->storers);
	free(r->chunks);
	free(r->slots);
	free(r->times);
	free(r);
}
