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
entry_set_rtt(struct entry *e, uint64_t rtt)
{
	uint64_t units = rtt / RTT_UNIT;

	if (rtt == 0)
		return;
	units = MIN(MAX(units, 1), UINT16_MAX);
	/* The smoothing of RFC 6298 (1/8), in whole units. */
	e->rtt = e->rtt == 0 ? (uint16_t)units : (uint16_t)((e->rtt * 7u + units) / 8);
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
	t->buckets[0].doubted_s = t->buckets[0].quiet_s = UINT32_MAX;
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

static bool
list_grow(struct list *l, uint8_t cap)
{
	uint64_t *tops = malloc(cap * (sizeof(*l->tops) + sizeof(*l->at)));
	struct entry *at = (struct entry *)(tops + cap);

	if (tops == NULL)
		return false;
	if (l->count > 0) {
		memcpy(tops, l->tops, l->count * sizeof(*tops));
		memcpy(at, l->at, l->count * sizeof(*at));
	}
	free(l->tops);
	l->tops = tops;
	l->at = at;
	l->cap = cap;
	return true;
}

static bool
list_add(struct list *l, uint64_t top, const struct entry *e, uint8_t max)
{
	if (l->count >= max)
		return false;
	if (l->count == l->cap && !list_grow(l, (uint8_t)MIN(l->cap + GROW, max)))
		return false;
	l->tops[l->count] = top;
	l->at[l->count++] = *e;
	return true;
}

static void
list_remove(struct list *l, size_t i)
{
	must(i < l->count);
	l->count--;
	/* Order is age: what stays keeps its place. */
	memmove(&l->tops[i], &l->tops[i + 1], (l->count - i) * sizeof(*l->tops));
	memmove(&l->at[i], &l->at[i + 1], (l->count - i) * sizeof(*l->at));
}

static bool
live_add(struct bucket *b, uint64_t top, const struct entry *e, uint8_t max)
{
	if (!list_add(&b->live, top, e, max))
		return false;
	table_bound(b, e);
	return true;
}

static struct entry *
list_find(const struct list *l, uint64_t top, const struct pubkey *pub)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->tops[i] == top && memcmp(l->at[i].pub, pub->b, sizeof(pub->b)) == 0)
			return &l->at[i];
	return NULL;
}

static struct entry *
find(const struct table *t, const struct contact *c, struct bucket **in, bool *spare)
{
	uint64_t top = id_top(&c->id);
	struct entry *e;

	*in = table_bucket_of(t, top);
	*spare = false;
	e = list_find(&(*in)->live, top, &c->pub);
	if (e != NULL)
		return e;
	*spare = true;
	return list_find(&(*in)->spare, top, &c->pub);
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
		n += entry_in_network(&l->at[i], network);
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
		n += l->at[i].inbound;
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
spare_badness(const struct table *t, const struct bucket *b, uint64_t top, const struct entry *e,
    uint32_t now_s)
{
	uint64_t crowd = slot_crowd(t, b, &b->live, slot_of(t, b, top));
	uint64_t stale = now_s - MIN(e->checked_s, now_s) > SPARE_STALE_S;
	uint64_t rtt = e->rtt == 0 ? RTT_ASSUMED : e->rtt;

	return (uint64_t)e->strikes << 32 | stale << 31 | crowd << 16 | rtt;
}

static size_t
spare_pick(const struct table *t, const struct bucket *b, bool worst, uint32_t now_s)
{
	size_t pick = 0;
	uint64_t pick_badness = spare_badness(t, b, b->spare.tops[0], &b->spare.at[0], now_s);

	for (size_t i = 1; i < b->spare.count; i++) {
		uint64_t badness = spare_badness(t, b, b->spare.tops[i], &b->spare.at[i], now_s);

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
		if (b->live.at[i].strikes >= TABLE_STRIKES_DEAD) {
			cell_remove(t, &b->live.at[i]);
			list_remove(&b->live, i);
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
		struct entry e = b->spare.at[best];

		if (b->live.count >= max && !bucket_drop_dead(t, b))
			return;
		if (!live_add(b, b->spare.tops[best], &e, max))
			return;
		list_remove(&b->spare, best);
	}
}

/* ---- splitting ---- */

static void
bucket_move(struct table *t, struct list *from, size_t i, bool spare)
{
	uint64_t top = from->tops[i];
	struct bucket *to = table_bucket_of(t, top);
	struct entry e = from->at[i];

	list_remove(from, i);
	/* The new bucket is empty and the old one had room for all: only memory can lack. */
	if (spare)
		(void)list_add(&to->spare, top, &e, TABLE_SPARES);
	else
		(void)live_add(to, top, &e, TABLE_BUCKET_WIDE);
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
	t->buckets[t->buckets_count++] = (struct bucket){
		.touched_s = old->touched_s, .doubted_s = UINT32_MAX, .quiet_s = UINT32_MAX
	};
	for (size_t i = old->live.count; i-- > 0;)
		if (table_bucket_of(t, old->live.tops[i]) != old)
			bucket_move(t, &old->live, i, false);
	for (size_t i = old->spare.count; i-- > 0;)
		if (table_bucket_of(t, old->spare.tops[i]) != old)
			bucket_move(t, &old->spare, i, true);
	bucket_promote(t, old, now_s);
	bucket_promote(t, old + 1, now_s);
	return true;
}

/* ---- what happens ---- */

static bool
bucket_has_room(const struct table *t, const struct bucket *b)
{
	if (b->live.count < table_bucket_max(t, b))
		return true;
	for (size_t i = 0; i < b->live.count; i++)
		if (b->live.at[i].strikes >= TABLE_STRIKES_DEAD)
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
known_update(struct table *t, struct bucket *b, struct entry *e, const struct contact *c,
    uint64_t rtt, enum table_source source, uint32_t now_s)
{
	struct addr old = entry_addr(e);

	if (addr_group(&old) != addr_group(&c->addr) && !network_allows(t, b, &c->addr))
		return TABLE_REFUSED;
	cell_remove(t, e);
	cell_add(t, &c->addr);
	entry_set_addr(e, &c->addr);
	entry_set_rtt(e, rtt);
	e->checked_s = now_s;
	e->strikes = 0;
	table_bound(b, e);
	if (source == TABLE_OUTBOUND)
		e->inbound = false;
	return TABLE_KNOWN;
}

/* The bucket is full of living contacts: the newcomer may wait, in place of a worse one. */
static enum table_result
spare_add(struct table *t, struct bucket *b, uint64_t top, const struct entry *e, uint32_t now_s)
{
	size_t worst;

	t->turned_away = true;
	if (e->inbound && inbound_full(&b->spare, TABLE_SPARES))
		return TABLE_REFUSED;
	if (list_add(&b->spare, top, e, TABLE_SPARES))
		return TABLE_SPARED;
	if (b->spare.count == 0)
		return TABLE_REFUSED;
	worst = spare_pick(t, b, true, now_s);
	if (spare_badness(t, b, top, e, now_s) >=
	    spare_badness(t, b, b->spare.tops[worst], &b->spare.at[worst], now_s))
		return TABLE_REFUSED;
	cell_remove(t, &b->spare.at[worst]);
	b->spare.tops[worst] = top;
	b->spare.at[worst] = *e;
	return TABLE_SPARED;
}

static enum table_result
offer(
    struct table *t, const struct contact *c, uint64_t rtt, enum table_source source, uint64_t now)
{
	uint64_t top = id_top(&c->id);
	uint32_t now_s = table_seconds(now);
	struct entry fresh = { .checked_s = now_s, .inbound = source == TABLE_INBOUND };
	struct bucket *b;
	bool spare;
	uint8_t max;
	struct entry *e = find(t, c, &b, &spare);

	if (id_equal(&c->id, &t->self) || c->addr.family == ADDR_NONE)
		return TABLE_REFUSED;
	t->answered_s = MAX(t->answered_s, now_s);
	if (e != NULL)
		return known_update(t, b, e, c, rtt, source, now_s);
	memcpy(fresh.pub, c->pub.b, sizeof(fresh.pub));
	entry_set_addr(&fresh, &c->addr);
	entry_set_rtt(&fresh, rtt);

	for (;;) {
		b = table_bucket_of(t, top);
		if (!network_allows(t, b, &c->addr))
			return TABLE_REFUSED;
		max = table_bucket_max(t, b);
		if (source == TABLE_INBOUND && inbound_full(&b->live, max))
			return TABLE_REFUSED;
		if (b->live.count < max)
			return live_add(b, top, &fresh, max) ? TABLE_ADDED : TABLE_REFUSED;
		if (bucket_drop_dead(t, b))
			continue;
		if (b != &t->buckets[t->buckets_count - 1] || !table_split(t, now_s))
			return spare_add(t, b, top, &fresh, now_s);
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
	struct bucket *b;
	bool spare;
	struct entry *e = find(t, c, &b, &spare);

	t->answered_s = table_seconds(now);
	if (e == NULL)
		return;
	entry_set_rtt(e, rtt);
	e->checked_s = table_seconds(now);
	e->strikes = 0;
	table_bound(b, e);
}

bool
table_heard(struct table *t, const struct contact *c, uint64_t now)
{
	struct bucket *b;
	bool spare;
	struct entry *e = find(t, c, &b, &spare);

	/* Strikes stay: that it can send does not show that it can be reached. */
	if (e != NULL && e->strikes == 0)
		e->checked_s = table_seconds(now);
	return e != NULL;
}

void
table_failed(struct table *t, const struct contact *c, uint64_t now)
{
	struct bucket *b;
	bool spare;
	struct entry *e = find(t, c, &b, &spare);
	uint32_t now_s = table_seconds(now);
	bool online =
	    now_s - MIN(t->answered_s, now_s) <= TABLE_ONLINE_WITHIN / SECONDS(1) / t->pace;

	if (e == NULL)
		return;
	/* Requests that were under way together have failed together: one outage, one strike. */
	if (e->strikes > 0 && now_s - MIN(e->checked_s, now_s) < TABLE_STRIKE_GAP_S)
		return;
	e->checked_s = now_s;
	if (e->strikes < UINT8_MAX)
		e->strikes++;
	table_bound(b, e);
	if (spare && e->strikes >= TABLE_STRIKES_SILENT) {
		cell_remove(t, e);
		list_remove(&b->spare, (size_t)(e - b->spare.at));
	} else if (!spare && e->strikes >= TABLE_STRIKES_DEAD && b->spare.count > 0) {
		bucket_promote(t, b, now_s);
	} else if (!spare && e->strikes >= TABLE_STRIKES_GONE && online) {
		cell_remove(t, e);
		list_remove(&b->live, (size_t)(e - b->live.at));
	}
}

bool
table_has(const struct table *t, const struct contact *c)
{
	struct bucket *b;
	bool spare;

	return find(t, c, &b, &spare) != NULL;
}
