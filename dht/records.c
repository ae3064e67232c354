/*
 * One list of all records by distance, where a key is found and whose end is dropped when memory is
 * short, and beside it the lists of those that brought them (shares.h), whose ends go when one of
 * them has too much. Every byte kept is counted in one place, stored_cost(). A put first finds out
 * what has to go, then gets all memory that it needs, then drops and inserts.
 */
#include "dht/records.h"

#include <stdlib.h>

#include "dht/shares.h"
#include "overlay/base/err.h"

struct records {
	struct id self;
	uint64_t bytes_max, bytes;
	struct stored_list all;
	struct shares shares;
	bool full;
};

/* A record on its way in. */
struct arrival {
	const struct record *r;
	const struct records_how *how;
	uint64_t expires;
	struct stored *old; /* in whose place it comes; NULL: a further one */
	bool renews;        /* old is an earlier one of its publisher, and still valid */
	struct share *by;   /* who is to be charged; NULL: nobody */
};

struct records *
records_new(const struct records_opts *opts)
{
	struct records *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->self = opts->self;
	s->bytes_max = opts->bytes_max;
	s->all.self = &s->self;
	shares_init(&s->shares, &s->self, opts->bytes_max);
	return s;
}

void
records_free(struct records *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->all.count; i++)
		free(s->all.at[i]);
	free(s->all.at);
	shares_fini(&s->shares);
	free(s);
}

static void
drop(struct records *s, struct stored *st)
{
	s->bytes -= stored_cost(st->len);
	shares_remove(&s->shares, st);
	stored_remove(&s->all, st);
	free(st);
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

static bool
is_of(const struct stored_list *l, size_t i, const struct id *key, enum record_kind kind)
{
	return i < l->count && id_equal(&l->at[i]->key, key) && l->at[i]->kind == kind;
}

/* A new publisher of a known key: of too many, the one with the lowest sequence is to make way. */
static int
publisher_room(struct records *s, const struct record *r, uint64_t now, struct stored **old)
{
	const struct stored_list *l = &s->all;
	size_t first = stored_place(l, &r->key, r->kind, NULL), n = 0, lowest = first;

	for (size_t i = first; is_of(l, i, &r->key, r->kind);) {
		if (l->at[i]->expires <= now) {
			drop(s, l->at[i]);
			continue;
		}
		n++;
		if (l->at[i]->sequence < l->at[lowest]->sequence)
			lowest = i;
		i++;
	}
	if (n < publishers_max(r->kind))
		return ERR_OK;
	if (l->at[lowest]->sequence >= r->sequence)
		return ERR_STALE;
	*old = l->at[lowest];
	return ERR_OK;
}

/* What network b would have with the new record. */
static uint64_t
bytes_after(const struct share *b, const struct arrival *a)
{
	return b->bytes + stored_cost(a->r->len) -
	       (a->old != NULL && a->old->by == b ? stored_cost(a->old->len) : 0);
}

/* Who pays for it: who did, as long as the share lasts; else who sends it now. */
static int
charge(struct records *s, struct arrival *a)
{
	uint64_t network = a->how->network;
	const struct share *known = a->renews ? a->old->by : NULL;

	if (network == 0 || (a->renews && known == NULL))
		return ERR_OK;
	if (known != NULL && bytes_after(known, a) <= s->shares.limit)
		network = known->network;
	a->by = shares_open(&s->shares, network);
	return a->by == NULL ? ERR_NOMEM : ERR_OK;
}

/* Whose farthest make room, by the rules of shares.h; nearer: even what is nearer than r. */
static struct stored_list *
giver(struct records *s, const struct arrival *a, bool *nearer)
{
	struct share *most = shares_most(&s->shares);
	uint64_t after = a->by == NULL ? 0 : bytes_after(a->by, a);

	*nearer = most != NULL && most->bytes > after;
	if (*nearer)
		return &most->records;
	return after > s->shares.limit ? &a->by->records : &s->all;
}

/*
 * How many at the end of which list make room, with that of old (which may be among them). Who is
 * passed on to another network leaves that list: each of them was sent here by a put of its own,
 * so over time a put passes on one at most.
 */
static int
bytes_room(struct records *s, const struct arrival *a, struct stored_list **from, size_t *count)
{
	const struct record *r = a->r;
	uint64_t bytes =
	    s->bytes + stored_cost(r->len) - (a->old == NULL ? 0 : stored_cost(a->old->len));
	uint64_t excess = bytes > s->bytes_max ? bytes - s->bytes_max : 0, gone = 0;
	struct stored *st;
	bool nearer;

	*count = 0;
	*from = giver(s, a, &nearer);
	s->full = s->full || excess > 0;
	while (gone < excess) {
		if (*count == (*from)->count)
			return ERR_FULL;
		st = (*from)->at[(*from)->count - ++*count];
		if (!nearer && (st == a->old ||
				   stored_compare(*from, st, &r->key, r->kind, &r->publisher) < 0))
			return ERR_FULL;
		if (st == a->old)
			continue;
		if (*from != &s->all && shares_pass_on(&s->shares, st)) {
			*from = giver(s, a, &nearer);
			*count = 0;
			gone = 0;
			continue;
		}
		gone += stored_cost(st->len);
	}
	return ERR_OK;
}

/* In the place of old, unless that is NULL. What fails has dropped nothing. */
static int
insert(struct records *s, struct arrival *a)
{
	struct stored *new = NULL;
	struct stored_list *from = &s->all;
	size_t count = 0;
	int err = charge(s, a);

	if (err == ERR_OK)
		err = bytes_room(s, a, &from, &count);
	if (err == ERR_OK)
		err = stored_room(&s->all);
	if (err == ERR_OK && a->by != NULL)
		err = stored_room(&a->by->records);
	if (err == ERR_OK)
		new = stored_new(a->r);
	if (new == NULL) {
		shares_close(&s->shares, a->by);
		return err == ERR_OK ? ERR_NOMEM : err;
	}
	new->expires = a->expires;
	new->also = a->renews ? a->old->also : 0;
	while (count-- > 0) {
		struct stored *last = from->at[from->count - 1];

		if (last == a->old)
			a->old = NULL;
		drop(s, last);
	}
	if (a->old != NULL)
		drop(s, a->old);
	stored_insert(&s->all, new);
	s->bytes += stored_cost(new->len);
	shares_add(&s->shares, a->by, new);
	shares_note(&s->shares, new, a->how->network);
	shares_close(&s->shares, a->by);
	return ERR_OK;
}

int
records_put(struct records *s, const struct record *r, const struct records_how *how)
{
	struct arrival a = { .r = r, .how = how };
	uint64_t life;
	size_t i;
	int err = lifetime(r, how->wall_ms, &life);

	if (err != ERR_OK)
		return err;
	a.expires = how->now + life;
	i = stored_place(&s->all, &r->key, r->kind, &r->publisher);
	if (is_of(&s->all, i, &r->key, r->kind) &&
	    pubkey_equal(&s->all.at[i]->publisher, &r->publisher)) {
		struct stored *old = a.old = s->all.at[i];

		a.renews = old->expires > how->now;
		if (old->sequence > r->sequence && a.renews)
			return ERR_STALE;
		if (old->sequence == r->sequence && a.renews) {
			/* One sequence, two contents: all nodes settle on the same one. */
			int order = old->len == r->len ? memcmp(old->bytes, r->bytes, r->len)
						       : (int)old->len - (int)r->len;

			if (order > 0)
				return ERR_STALE;
			if (order == 0) {
				old->expires = MAX(old->expires, a.expires);
				shares_note(&s->shares, old, how->network);
				return ERR_OK;
			}
		}
	} else {
		err = publisher_room(s, r, how->now, &a.old);
	}
	return err != ERR_OK ? err : insert(s, &a);
}

size_t
records_get(const struct records *s, const struct id *key, enum record_kind kind, uint64_t now,
    bool (*each)(void *arg, const struct record *r), void *arg)
{
	size_t given = 0;

	for (size_t i = stored_place(&s->all, key, kind, NULL); is_of(&s->all, i, key, kind); i++) {
		const struct stored *st = s->all.at[i];
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
	struct stored_list *l = &s->all;
	size_t kept = 0, before = l->count;

	shares_expire(&s->shares, now);
	for (size_t i = 0; i < before; i++) {
		if (l->at[i]->expires > now) {
			l->at[kept++] = l->at[i];
			continue;
		}
		s->bytes -= stored_cost(l->at[i]->len);
		free(l->at[i]);
	}
	l->count = kept;
	if (kept < before)
		s->full = false;
	return before - kept;
}

size_t
records_count(const struct records *s)
{
	return s->all.count;
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
