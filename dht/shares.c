/* Networks sorted by number, and a short list of those above their share; see the header. */
#include "dht/shares.h"

#include <assert.h>
#include <stdlib.h>

#include "overlay/base/err.h"

#define NETWORKS_MIN 16 /* first size of the array */

static_assert(sizeof(struct share) + sizeof(struct share *) <= STORED_SHARE_BYTES,
    "what a share costs is counted");

void
shares_init(struct shares *sh, const struct id *self, uint64_t store_bytes_max)
{
	*sh = (struct shares){ .self = self,
		.limit = MAX(store_bytes_max / SHARES_PARTS, (uint64_t)SHARES_BYTES_MIN) };
}

static void
share_free(struct share *b)
{
	free(b->records.at);
	free(b);
}

void
shares_fini(struct shares *sh)
{
	for (size_t i = 0; i < sh->count; i++)
		share_free(sh->at[i]);
	free(sh->at);
}

/* The first place whose network is not below. */
static size_t
place(const struct shares *sh, uint64_t network)
{
	size_t low = 0, high = sh->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sh->at[mid]->network < network)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct share *
at_place(const struct shares *sh, size_t i, uint64_t network)
{
	return i < sh->count && sh->at[i]->network == network ? sh->at[i] : NULL;
}

struct share *
shares_open(struct shares *sh, uint64_t network)
{
	size_t i = place(sh, network);
	struct share *b = at_place(sh, i, network);

	must(network != 0);
	if (b != NULL) {
		b->pins++;
		return b;
	}
	if (sh->count == sh->cap) {
		size_t cap = sh->cap == 0 ? NETWORKS_MIN : sh->cap + sh->cap / 2;
		struct share **at = realloc(sh->at, cap * sizeof(*at));

		if (at == NULL)
			return NULL;
		sh->at = at;
		sh->cap = cap;
	}
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->network = network;
	b->pins = 1;
	b->records.self = sh->self;
	memmove(&sh->at[i + 1], &sh->at[i], (sh->count - i) * sizeof(struct share *));
	sh->at[i] = b;
	sh->count++;
	return b;
}

static void
free_empty(struct shares *sh, struct share *b)
{
	size_t i;

	if (b->pins > 0 || b->records.count > 0)
		return;
	i = place(sh, b->network);
	sh->count--;
	memmove(&sh->at[i], &sh->at[i + 1], (sh->count - i) * sizeof(struct share *));
	share_free(b);
}

void
shares_close(struct shares *sh, struct share *b)
{
	if (b == NULL)
		return;
	b->pins--;
	free_empty(sh, b);
}

static void
set_bytes(struct shares *sh, struct share *b, uint64_t bytes)
{
	bool was = b->bytes > sh->limit, is = bytes > sh->limit;
	size_t i = 0;

	b->bytes = bytes;
	if (is && !was) {
		must(sh->over_count < SHARES_PARTS);
		sh->over[sh->over_count++] = b;
	} else if (was && !is) {
		while (sh->over[i] != b)
			i++;
		sh->over[i] = sh->over[--sh->over_count];
	}
}

void
shares_add(struct shares *sh, struct share *b, struct stored *st)
{
	st->by = b;
	if (b == NULL)
		return;
	if (st->also == b->network)
		st->also = 0;
	stored_insert(&b->records, st);
	set_bytes(sh, b, b->bytes + stored_cost(st->len));
}

void
shares_remove(struct shares *sh, struct stored *st)
{
	struct share *b = st->by;

	if (b == NULL)
		return;
	st->by = NULL;
	stored_remove(&b->records, st);
	set_bytes(sh, b, b->bytes - stored_cost(st->len));
	free_empty(sh, b);
}

void
shares_note(struct shares *sh, struct stored *st, uint64_t network)
{
	const struct share *also;

	if (network == 0)
		shares_remove(sh, st);
	if (st->by == NULL || st->by->network == network)
		return;
	also = at_place(sh, place(sh, st->also), st->also);
	if (st->also == 0 || (also != NULL && also->bytes > sh->limit))
		st->also = network;
}

bool
shares_pass_on(struct shares *sh, struct stored *st)
{
	struct share *to;
	bool fits;

	if (st->also == 0)
		return false;
	to = shares_open(sh, st->also);
	if (to == NULL)
		return false;
	fits = to->bytes + stored_cost(st->len) <= sh->limit && stored_room(&to->records) == ERR_OK;
	if (fits) {
		shares_remove(sh, st);
		shares_add(sh, to, st);
	}
	shares_close(sh, to);
	return fits;
}

struct share *
shares_most(const struct shares *sh)
{
	struct share *most = NULL;

	for (size_t i = 0; i < sh->over_count; i++) {
		struct share *b = sh->over[i];

		/* Of equals always the same one, whatever came before. */
		if (most == NULL || b->bytes > most->bytes ||
		    (b->bytes == most->bytes && b->network < most->network))
			most = b;
	}
	return most;
}

void
shares_expire(struct shares *sh, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < sh->count; i++) {
		struct share *b = sh->at[i];
		struct stored_list *l = &b->records;
		uint64_t bytes = 0;
		size_t n = 0;

		for (size_t j = 0; j < l->count; j++) {
			if (l->at[j]->expires <= now)
				continue;
			bytes += stored_cost(l->at[j]->len);
			l->at[n++] = l->at[j];
		}
		l->count = n;
		set_bytes(sh, b, bytes);
		if (n == 0)
			share_free(b);
		else
			sh->at[kept++] = b;
	}
	sh->count = kept;
}
