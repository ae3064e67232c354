/*
 * Contacts flow in through table_offer (verified by the caller), change with table_answered,
 * table_heard and table_failed, and leave only by failing. Bucket i < count - 1 holds ids
 * that share exactly i bits with our own; the last holds all that share more, and is the one
 * that splits. Nothing here can fail but an allocation, which reads as "no room".
 */
#include "dht/table.h"

#include <stdlib.h>

#include "dht/table_private.h"

#define RTT_ASSUMED    3000 /* of a spare never measured: 300 ms, a far continent */
#define SUBPREFIX_BITS 3    /* spread wanted inside a bucket: eight slots */
#define SPARE_STALE_S  3600 /* a spare unheard for an hour is promoted last */
#define GROW           4    /* contacts per allocation step: most buckets stay small */

static void
entry_set_addr(struct entry *e, const struct addr *a)
{
	e->family = a->family;
	e->port = a->port;
	memcpy(e->ip, a->ip, sizeof(e->ip));
}

static void
state_set_rtt(struct state *s, uint64_t rtt)
{
	uint64_t units = rtt / RTT_UNIT;

	if (rtt == 0)
		return;
	units = MIN(MAX(units, 1), UINT16_MAX);
	/* The smoothing of RFC 6298 (1/8), in whole units. */
	s->rtt = s->rtt == 0 ? (uint16_t)units : (uint16_t)((s->rtt * 7u + units) / 8);
}

struct table *
table_new(const struct table_opts *opts)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->self = opts->self;
	t->self_top = id_top(&opts->self);
	t->ip_limits = opts->ip_limits;
	t->pace = MAX(opts->pace, (uint32_t)1);
	t->buckets_cap = GROW;
	t->buckets = calloc(t->buckets_cap, sizeof(*t->buckets));
	if (t->buckets == NULL) {
		free(t);
		return NULL;
	}
	t->buckets_count = 1;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->buckets_count; i++) {
		free(t->buckets[i].live.tops);
		free(t->buckets[i].spare.tops);
	}
	free(t->buckets);
	free(t);
}

/* ---- lists ---- */

/* One by itself: on its way into a list, or from one to another. */
struct loose {
	uint64_t top;
	struct state state;
	struct entry entry;
};

static bool
list_grow(struct list *l, uint8_t cap)
{
	struct list grown = { .count = l->count, .cap = cap };

	grown.tops = malloc(cap * (sizeof(*l->tops) + sizeof(struct state) + sizeof(struct entry)));
	if (grown.tops == NULL)
		return false;
	if (l->count > 0) {
		memcpy(grown.tops, l->tops, l->count * sizeof(*l->tops));
		memcpy(list_states(&grown), list_states(l), l->count * sizeof(struct state));
		memcpy(list_entries(&grown), list_entries(l), l->count * sizeof(struct entry));
	}
	free(l->tops);
	*l = grown;
	return true;
}

static struct loose
list_get(const struct list *l, size_t i)
{
	return (struct loose){ l->tops[i], list_states(l)[i], list_entries(l)[i] };
}

static void
list_set(struct list *l, size_t i, const struct loose *c)
{
	l->tops[i] = c->top;
	list_states(l)[i] = c->state;
	list_entries(l)[i] = c->entry;
}

static bool
list_add(struct list *l, const struct loose *c, uint8_t max)
{
	if (l->count >= max)
		return false;
	if (l->count == l->cap && !list_grow(l, (uint8_t)MIN(l->cap + GROW, max)))
		return false;
	list_set(l, l->count++, c);
	return true;
}

static void
list_remove(struct list *l, size_t i)
{
	struct state *states = list_states(l);
	struct entry *entries = list_entries(l);

	must(i < l->count);
	l->count--;
	/* Order is age: what stays keeps its place. */
	memmove(&l->tops[i], &l->tops[i + 1], (l->count - i) * sizeof(*l->tops));
	memmove(&states[i], &states[i + 1], (l->count - i) * sizeof(*states));
	memmove(&entries[i], &entries[i + 1], (l->count - i) * sizeof(*entries));
}

static bool
live_add(struct table *t, struct bucket *b, const struct loose *c, uint8_t max)
{
	if (!list_add(&b->live, c, max))
		return false;
	table_due_add(t, c->top, table_due_s(t, &c->state));
	return true;
}

static void
live_remove(struct table *t, struct bucket *b, size_t i)
{
	table_due_forget(t, b->live.tops[i], table_due_s(t, &list_states(&b->live)[i]));
	list_remove(&b->live, i);
}

static bool
list_find(const struct list *l, uint64_t top, const struct pubkey *pub, size_t *at)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->tops[i] == top &&
		    memcmp(list_entries(l)[i].pub, pub->b, sizeof(pub->b)) == 0) {
			*at = i;
			return true;
		}
	return false;
}

/* Where somebody is. */
struct found {
	struct bucket *bucket;
	struct list *list; /* NULL: nowhere, but would be in that bucket */
	size_t at;
};

static struct found
find(const struct table *t, const struct contact *c)
{
	uint64_t top = id_top(&c->id);
	struct found f = { .bucket = table_bucket_of(t, top) };

	if (list_find(&f.bucket->live, top, &c->pub, &f.at))
		f.list = &f.bucket->live;
	else if (list_find(&f.bucket->spare, top, &c->pub, &f.at))
		f.list = &f.bucket->spare;
	return f;
}

static struct state *
state_of(const struct found *f)
{
	return &list_states(f->list)[f->at];
}

static struct entry *
entry_of(const struct found *f)
{
	return &list_entries(f->list)[f->at];
}

/* ---- limits ---- */

/* A /24 or /64 as entries keep it: what addr_group() tells apart, without a look at each byte. */
struct network {
	uint64_t bits, mask;
	uint8_t family;
};

static struct network
network_of(const struct addr *a)
{
	static const uint8_t of_24[8] = { 0xff, 0xff, 0xff };
	struct network n = { .mask = UINT64_MAX, .family = a->family };

	if (a->family == ADDR_IPV4)
		memcpy(&n.mask, of_24, sizeof(n.mask));
	memcpy(&n.bits, a->ip, sizeof(n.bits));
	n.bits &= n.mask;
	return n;
}

static bool
entry_in_network(const struct entry *e, struct network n)
{
	uint64_t bits;

	memcpy(&bits, e->ip, sizeof(bits));
	return (bits & n.mask) == n.bits && e->family == n.family;
}

/* Multiplied by the golden ratio: neighbouring networks fall apart. */
static uint8_t *
cell_of(struct table *t, const struct addr *a)
{
	return &t->cells[network_of(a).bits * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}

static void
cell_add(struct table *t, const struct addr *a)
{
	uint8_t *cell = cell_of(t, a);

	*cell = (uint8_t)MIN(*cell + 1, UINT8_MAX);
}

/* One that is full does not know how many more there were, and stays full. */
static void
cell_remove(struct table *t, const struct entry *e)
{
	struct addr a = entry_addr(e);
	uint8_t *cell = cell_of(t, &a);

	if (*cell > 0 && *cell < UINT8_MAX)
		--*cell;
}

static size_t
list_of_network(const struct list *l, struct network network)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += entry_in_network(&list_entries(l)[i], network);
	return n;
}

static bool
network_allows(const struct table *t, const struct bucket *b, const struct addr *a)
{
	struct network network = network_of(a);
	size_t all = 0;

	/* Where hardly anybody is of any network that falls there, nobody need be counted. */
	if (!t->ip_limits || *cell_of((struct table *)t, a) < TABLE_PER_NETWORK_BUCKET)
		return true;
	if (list_of_network(&b->live, network) + list_of_network(&b->spare, network) >=
	    TABLE_PER_NETWORK_BUCKET)
		return false;
	for (size_t i = 0; i < t->buckets_count; i++)
		all += list_of_network(&t->buckets[i].live, network) +
		       list_of_network(&t->buckets[i].spare, network);
	return all < TABLE_PER_NETWORK;
}

/* Whether those who called us have their share of a list of so many. */
static bool
inbound_full(const struct list *l, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += list_states(l)[i].inbound;
	return n >= max / TABLE_INBOUND_SHARE;
}

/* ---- choosing ---- */

static unsigned
slot_of(const struct table *t, const struct bucket *b, uint64_t top)
{
	unsigned depth = (unsigned)(b - t->buckets) + 1;

	return (unsigned)(top << depth >> (64 - SUBPREFIX_BITS));
}

static size_t
slot_crowd(const struct table *t, const struct bucket *b, const struct list *l, unsigned slot)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += slot_of(t, b, l->tops[i]) == slot;
	return n;
}

/* What makes a spare a bad choice, worst first: failing, stale, crowded slot, slow. */
static uint64_t
spare_badness(const struct table *t, const struct bucket *b, uint64_t top, const struct state *s,
    uint32_t now_s)
{
	uint64_t crowd = slot_crowd(t, b, &b->live, slot_of(t, b, top));
	uint64_t stale = now_s - MIN(s->checked_s, now_s) > SPARE_STALE_S;
	uint64_t rtt = s->rtt == 0 ? RTT_ASSUMED : s->rtt;

	return (uint64_t)s->strikes << 32 | stale << 31 | crowd << 16 | rtt;
}

static size_t
spare_pick(const struct table *t, const struct bucket *b, bool worst, uint32_t now_s)
{
	const struct state *states = list_states(&b->spare);
	size_t pick = 0;
	uint64_t pick_badness = spare_badness(t, b, b->spare.tops[0], &states[0], now_s);

	for (size_t i = 1; i < b->spare.count; i++) {
		uint64_t badness = spare_badness(t, b, b->spare.tops[i], &states[i], now_s);

		if (worst ? badness > pick_badness : badness < pick_badness) {
			pick = i;
			pick_badness = badness;
		}
	}
	return pick;
}

static bool
bucket_drop_dead(struct table *t, struct bucket *b)
{
	for (size_t i = 0; i < b->live.count; i++)
		if (list_states(&b->live)[i].strikes >= TABLE_STRIKES_DEAD) {
			cell_remove(t, &list_entries(&b->live)[i]);
			live_remove(t, b, i);
			return true;
		}
	return false;
}

/* Fills the places that are free, or held by the dead, from the spares. */
static void
bucket_promote(struct table *t, struct bucket *b, uint32_t now_s)
{
	uint8_t max = table_bucket_max(t, b);

	while (b->spare.count > 0) {
		size_t best = spare_pick(t, b, false, now_s);
		struct loose c = list_get(&b->spare, best);

		if (b->live.count >= max && !bucket_drop_dead(t, b))
			return;
		if (!live_add(t, b, &c, max))
			return;
		list_remove(&b->spare, best);
	}
}

/* ---- splitting ---- */

static void
bucket_move(struct table *t, struct bucket *from, size_t i, bool spare)
{
	struct list *l = spare ? &from->spare : &from->live;
	struct loose c = list_get(l, i);
	struct bucket *to = table_bucket_of(t, c.top);

	/* The new bucket is empty and the old one had room for all: only memory can lack. */
	if (spare) {
		list_remove(l, i);
		(void)list_add(&to->spare, &c, TABLE_SPARES);
	} else {
		live_remove(t, from, i);
		(void)live_add(t, to, &c, TABLE_BUCKET_WIDE);
	}
}

/* Room for one more. */
static bool
buckets_grow(struct table *t)
{
	uint8_t cap = (uint8_t)MIN(t->buckets_cap + GROW, TABLE_BUCKETS_MAX);
	struct bucket *grown;

	if (t->buckets_count < t->buckets_cap)
		return true;
	grown = realloc(t->buckets, cap * sizeof(*grown));
	if (grown == NULL)
		return false;
	t->buckets = grown;
	t->buckets_cap = cap;
	return true;
}

static bool
table_split(struct table *t, uint32_t now_s)
{
	struct bucket *old;

	if (t->buckets_count == TABLE_BUCKETS_MAX || !buckets_grow(t))
		return false;
	old = &t->buckets[t->buckets_count - 1];
	t->buckets[t->buckets_count++] = (struct bucket){ .touched_s = old->touched_s };
	for (size_t i = old->live.count; i-- > 0;)
		if (table_bucket_of(t, old->live.tops[i]) != old)
			bucket_move(t, old, i, false);
	for (size_t i = old->spare.count; i-- > 0;)
		if (table_bucket_of(t, old->spare.tops[i]) != old)
			bucket_move(t, old, i, true);
	bucket_promote(t, old, now_s);
	bucket_promote(t, old + 1, now_s);
	return true;
}

/* ---- what happens ---- */

/* It was checked, with so many strikes since its last answer. */
static void
checked(struct table *t, const struct found *f, uint8_t strikes, uint32_t now_s)
{
	struct state *s = state_of(f);
	uint32_t was_due_s = table_due_s(t, s);

	s->checked_s = now_s;
	s->strikes = strikes;
	if (f->list == &f->bucket->live) {
		table_due_forget(t, f->list->tops[f->at], was_due_s);
		table_due_add(t, f->list->tops[f->at], table_due_s(t, s));
	}
}

static bool
bucket_has_room(const struct table *t, const struct bucket *b)
{
	if (b->live.count < table_bucket_max(t, b))
		return true;
	for (size_t i = 0; i < b->live.count; i++)
		if (list_states(&b->live)[i].strikes >= TABLE_STRIKES_DEAD)
			return true;
	return b == &t->buckets[t->buckets_count - 1] && t->buckets_count < TABLE_BUCKETS_MAX;
}

bool
table_wants(const struct table *t, const struct contact *c, enum table_source source)
{
	const struct bucket *b = table_bucket_of(t, id_top(&c->id));

	if (id_equal(&c->id, &t->self) || c->addr.family == ADDR_NONE || table_has(t, c))
		return false;
	if (source == TABLE_INBOUND && inbound_full(&b->live, table_bucket_max(t, b)))
		return false;
	if (!bucket_has_room(t, b) &&
	    (b->spare.count == TABLE_SPARES ||
		(source == TABLE_INBOUND && inbound_full(&b->spare, TABLE_SPARES))))
		return false;
	/* What looks at the whole table comes last. */
	return network_allows(t, b, &c->addr);
}

static enum table_result
known_update(struct table *t, const struct found *f, const struct contact *c, uint64_t rtt,
    enum table_source source, uint32_t now_s)
{
	struct entry *e = entry_of(f);
	struct addr old = entry_addr(e);

	if (addr_group(&old) != addr_group(&c->addr) && !network_allows(t, f->bucket, &c->addr))
		return TABLE_REFUSED;
	if (!addr_equal(&old, &c->addr)) {
		cell_remove(t, e);
		cell_add(t, &c->addr);
		entry_set_addr(e, &c->addr);
	}
	state_set_rtt(state_of(f), rtt);
	checked(t, f, 0, now_s);
	if (source == TABLE_OUTBOUND)
		state_of(f)->inbound = false;
	return TABLE_KNOWN;
}

/* The bucket is full of living contacts: the newcomer may wait, in place of a worse one. */
static enum table_result
spare_add(struct table *t, struct bucket *b, const struct loose *c, uint32_t now_s)
{
	size_t worst;

	t->turned_away = true;
	if (c->state.inbound && inbound_full(&b->spare, TABLE_SPARES))
		return TABLE_REFUSED;
	if (list_add(&b->spare, c, TABLE_SPARES))
		return TABLE_SPARED;
	if (b->spare.count == 0)
		return TABLE_REFUSED;
	worst = spare_pick(t, b, true, now_s);
	if (spare_badness(t, b, c->top, &c->state, now_s) >=
	    spare_badness(t, b, b->spare.tops[worst], &list_states(&b->spare)[worst], now_s))
		return TABLE_REFUSED;
	cell_remove(t, &list_entries(&b->spare)[worst]);
	list_set(&b->spare, worst, c);
	return TABLE_SPARED;
}

static enum table_result
offer(
    struct table *t, const struct contact *c, uint64_t rtt, enum table_source source, uint64_t now)
{
	uint32_t now_s = table_seconds(now);
	struct loose fresh = { .top = id_top(&c->id),
		.state = { .checked_s = now_s, .inbound = source == TABLE_INBOUND } };
	struct found f = find(t, c);
	struct bucket *b;
	uint8_t max;

	if (id_equal(&c->id, &t->self) || c->addr.family == ADDR_NONE)
		return TABLE_REFUSED;
	t->answered_s = MAX(t->answered_s, now_s);
	if (f.list != NULL)
		return known_update(t, &f, c, rtt, source, now_s);
	memcpy(fresh.entry.pub, c->pub.b, sizeof(fresh.entry.pub));
	entry_set_addr(&fresh.entry, &c->addr);
	state_set_rtt(&fresh.state, rtt);

	for (;;) {
		b = table_bucket_of(t, fresh.top);
		if (!network_allows(t, b, &c->addr))
			return TABLE_REFUSED;
		max = table_bucket_max(t, b);
		if (source == TABLE_INBOUND && inbound_full(&b->live, max))
			return TABLE_REFUSED;
		if (b->live.count < max)
			return live_add(t, b, &fresh, max) ? TABLE_ADDED : TABLE_REFUSED;
		if (bucket_drop_dead(t, b))
			continue;
		if (b != &t->buckets[t->buckets_count - 1] || !table_split(t, now_s))
			return spare_add(t, b, &fresh, now_s);
	}
}

enum table_result
table_offer(
    struct table *t, const struct contact *c, uint64_t rtt, enum table_source source, uint64_t now)
{
	enum table_result result = offer(t, c, rtt, source, now);

	if (result == TABLE_ADDED || result == TABLE_SPARED)
		cell_add(t, &c->addr);
	return result;
}

void
table_answered(struct table *t, const struct contact *c, uint64_t rtt, uint64_t now)
{
	struct found f = find(t, c);

	t->answered_s = table_seconds(now);
	if (f.list == NULL)
		return;
	state_set_rtt(state_of(&f), rtt);
	checked(t, &f, 0, table_seconds(now));
}

bool
table_heard(struct table *t, const struct contact *c, uint64_t now)
{
	struct found f = find(t, c);

	/* Strikes stay: that it can send does not show that it can be reached. */
	if (f.list != NULL && state_of(&f)->strikes == 0)
		checked(t, &f, 0, table_seconds(now));
	return f.list != NULL;
}

void
table_failed(struct table *t, const struct contact *c, uint64_t now)
{
	struct found f = find(t, c);
	uint32_t now_s = table_seconds(now);
	bool online =
	    now_s - MIN(t->answered_s, now_s) <= TABLE_ONLINE_WITHIN / SECONDS(1) / t->pace;
	bool live = f.list == &f.bucket->live;
	uint8_t strikes;

	if (f.list == NULL)
		return;
	strikes = state_of(&f)->strikes;
	/* Requests that were under way together have failed together: one outage, one strike. */
	if (strikes > 0 && now_s - MIN(state_of(&f)->checked_s, now_s) < TABLE_STRIKE_GAP_S)
		return;
	strikes = (uint8_t)MIN(strikes + 1, UINT8_MAX);
	checked(t, &f, strikes, now_s);
	if (!live && strikes >= TABLE_STRIKES_SILENT) {
		cell_remove(t, entry_of(&f));
		list_remove(f.list, f.at);
	} else if (live && strikes >= TABLE_STRIKES_DEAD && f.bucket->spare.count > 0) {
		bucket_promote(t, f.bucket, now_s);
	} else if (live && strikes >= TABLE_STRIKES_GONE && online) {
		cell_remove(t, entry_of(&f));
		live_remove(t, f.bucket, f.at);
	}
}

bool
table_has(const struct table *t, const struct contact *c)
{
	return find(t, c).list != NULL;
}
