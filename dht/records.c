/*
 * One array of pointers, sorted by (distance of the key from us, kind, publisher): a key is
 * found by halving, and what must go when memory is short is at the end. An insert moves
 * some hundred KB of pointers at worst (~20 µs at 50,000 records). Every byte kept
 * is counted in one place, stored_cost().
 */
#include "dht/records.h"

#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/err.h"

#define INDEX_MIN 16 /* first size of the array */

struct stored {
	struct id key;
	struct pubkey publisher;
	uint64_t sequence;
	uint64_t expires; /* env_now scale */
	uint16_t len;
	uint8_t kind;
	uint8_t bytes[];
};

struct records {
	struct id self;
	uint64_t bytes_max, bytes;
	struct stored **at;
	size_t count, cap;
	bool full;
};

struct records *
records_new(const struct records_opts *opts)
{
	struct records *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->self = opts->self;
	s->bytes_max = opts->bytes_max;
	return s;
}

void
records_free(struct records *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->at[i]);
	free(s->at);
	free(s);
}

static uint64_t
stored_cost(size_t len)
{
	return sizeof(struct stored) + len + sizeof(struct stored *);
}

/* Order against (key, kind, publisher); publisher NULL sorts before all. */
static int
compare(const struct records *s, const struct stored *a, const struct id *key, unsigned kind,
    const struct pubkey *publisher)
{
	int order = id_compare_distance(&s->self, &a->key, key);

	if (order != 0)
		return order;
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	return publisher == NULL ? 1 : memcmp(a->publisher.b, publisher->b, sizeof(publisher->b));
}

/* The first place whose record is not before (key, kind, publisher). */
static size_t
place(const struct records *s, const struct id *key, unsigned kind, const struct pubkey *publisher)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(s, s->at[mid], key, kind, publisher) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
drop(struct records *s, size_t i)
{
	s->bytes -= stored_cost(s->at[i]->len);
	free(s->at[i]);
	s->count--;
	memmove(&s->at[i], &s->at[i + 1], (s->count - i) * sizeof(*s->at));
}

static uint64_t
ttl_of(enum record_kind kind)
{
	switch (kind) {
	case RECORD_PEER:
		return RECORD_PEER_TTL;
	case RECORD_LOCATION:
		return RECORD_LOCATION_TTL;
	case RECORD_SIGNED:
		return RECORD_SIGNED_TTL;
	}
	must(!"a record kind");
	return 0;
}

/*
 * How long to keep it. What is dated lives from its date, so that a stranger who replays
 * old ones cannot keep them alive; a signed record lives from its storing.
 */
static int
lifetime(const struct record *r, uint64_t wall_ms, uint64_t *out)
{
	uint64_t ttl = ttl_of(r->kind), age;

	if (r->kind == RECORD_SIGNED || wall_ms == 0) {
		*out = ttl;
		return ERR_OK;
	}
	if (r->sequence > wall_ms && r->sequence - wall_ms > RECORDS_AHEAD_MS)
		return ERR_INVALID;
	age = r->sequence >= wall_ms ? 0 : wall_ms - r->sequence;
	if (age >= ttl / MILLISECONDS(1))
		return ERR_INVALID;
	*out = ttl - MILLISECONDS(age);
	return ERR_OK;
}

bool
records_date_ok(const struct record *r, uint64_t wall_ms)
{
	uint64_t life;

	return lifetime(r, wall_ms, &life) == ERR_OK;
}

static size_t
publishers_max(enum record_kind kind)
{
	/* The key of a peer or signed record is bound to one publisher. */
	return kind == RECORD_LOCATION ? RECORD_PUBLISHERS_MAX : 1;
}

/* A new publisher of a known key: of too many, the one with the lowest sequence is to make way. */
static int
publisher_room(struct records *s, const struct record *r, uint64_t now, struct stored **old)
{
	size_t first = place(s, &r->key, r->kind, NULL), n = 0, lowest = first;

	for (size_t i = first;
	     i < s->count && id_equal(&s->at[i]->key, &r->key) && s->at[i]->kind == r->kind;) {
		if (s->at[i]->expires <= now) {
			drop(s, i);
			continue;
		}
		n++;
		if (s->at[i]->sequence < s->at[lowest]->sequence)
			lowest = i;
		i++;
	}
	if (n < publishers_max(r->kind))
		return ERR_OK;
	if (s->at[lowest]->sequence >= r->sequence)
		return ERR_STALE;
	*old = s->at[lowest];
	return ERR_OK;
}

/*
 * How many are left when r takes the place of old (may be NULL) and those farthest away make room:
 * nearer ones do not, and old only for r itself.
 */
static int
bytes_room(struct records *s, const struct record *r, const struct stored *old, size_t *left)
{
	uint64_t bytes = s->bytes + stored_cost(r->len) - (old == NULL ? 0 : stored_cost(old->len));
	size_t n = s->count;

	while (bytes > s->bytes_max) {
		s->full = true;
		if (n == 0 || s->at[n - 1] == old ||
		    compare(s, s->at[n - 1], &r->key, r->kind, &r->publisher) < 0)
			return ERR_FULL;
		bytes -= stored_cost(s->at[--n]->len);
	}
	*left = n;
	return ERR_OK;
}

static int
index_room(struct records *s)
{
	size_t cap = s->cap == 0 ? INDEX_MIN : s->cap + s->cap / 2;
	struct stored **at;

	if (s->count < s->cap)
		return ERR_OK;
	at = realloc(s->at, cap * sizeof(*at));
	if (at == NULL)
		return ERR_NOMEM;
	s->at = at;
	s->cap = cap;
	return ERR_OK;
}

/* In the place of old, unless that is NULL. What fails has dropped nothing. */
static int
insert(struct records *s, const struct record *r, uint64_t expires, const struct stored *old)
{
	struct stored *new;
	size_t i, left;
	int err = bytes_room(s, r, old, &left);

	if (err == ERR_OK)
		err = index_room(s);
	if (err != ERR_OK)
		return err;
	new = malloc(sizeof(*new) + r->len);
	if (new == NULL)
		return ERR_NOMEM;
	new->key = r->key;
	new->publisher = r->publisher;
	new->sequence = r->sequence;
	new->expires = expires;
	new->len = r->len;
	new->kind = (uint8_t)r->kind;
	memcpy(new->bytes, r->bytes, r->len);
	while (s->count > left)
		drop(s, s->count - 1);
	if (old != NULL)
		drop(s, place(s, &old->key, old->kind, &old->publisher));
	i = place(s, &r->key, r->kind, &r->publisher);
	memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof(*s->at));
	s->at[i] = new;
	s->count++;
	s->bytes += stored_cost(new->len);
	return ERR_OK;
}

int
records_put(struct records *s, const struct record *r, uint64_t now, uint64_t wall_ms)
{
	struct stored *old = NULL;
	uint64_t life;
	size_t i;
	int err = lifetime(r, wall_ms, &life);

	if (err != ERR_OK)
		return err;
	i = place(s, &r->key, r->kind, &r->publisher);
	if (i < s->count && compare(s, s->at[i], &r->key, r->kind, &r->publisher) == 0) {
		old = s->at[i];
		if (old->sequence > r->sequence && old->expires > now)
			return ERR_STALE;
		if (old->sequence == r->sequence && old->expires > now) {
			/* One sequence, two contents: all nodes settle on the same one. */
			int order = old->len == r->len ? memcmp(old->bytes, r->bytes, r->len)
						       : (int)old->len - (int)r->len;

			if (order > 0)
				return ERR_STALE;
			if (order == 0) {
				old->expires = MAX(old->expires, now + life);
				return ERR_OK;
			}
		}
	} else {
		err = publisher_room(s, r, now, &old);
	}
	return err != ERR_OK ? err : insert(s, r, now + life, old);
}

size_t
records_get(const struct records *s, const struct id *key, enum record_kind kind, uint64_t now,
    bool (*each)(void *arg, const struct record *r), void *arg)
{
	size_t given = 0;

	for (size_t i = place(s, key, kind, NULL);
	     i < s->count && id_equal(&s->at[i]->key, key) && s->at[i]->kind == kind; i++) {
		const struct stored *st = s->at[i];
		struct record r = { .kind = kind,
			.key = st->key,
			.publisher = st->publisher,
			.sequence = st->sequence,
			.len = st->len };

		if (st->expires <= now)
			continue;
		memcpy(r.bytes, st->bytes, st->len);
		given++;
		if (!each(arg, &r))
			break;
	}
	return given;
}

size_t
records_expire(struct records *s, uint64_t now)
{
	size_t kept = 0, before = s->count;

	for (size_t i = 0; i < before; i++) {
		if (s->at[i]->expires > now) {
			s->at[kept++] = s->at[i];
			continue;
		}
		s->bytes -= stored_cost(s->at[i]->len);
		free(s->at[i]);
	}
	s->count = kept;
	if (kept < before)
		s->full = false;
	return before - kept;
}

size_t
records_count(const struct records *s)
{
	return s->count;
}

uint64_t
records_bytes(const struct records *s)
{
	return s->bytes;
}

bool
records_full(const struct records *s)
{
	return s->full;
}
