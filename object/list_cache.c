/* A handful of lists: whoever was used longest ago, and is lent to nobody, gives way. */
#include "object/list_cache.h"

#include <stdlib.h>

#include "overlay/base/err.h"

static void
drop(struct manifest *list)
{
	if (list != NULL)
		manifest_fini(list);
	free(list);
}

void
list_cache_init(struct list_cache *c)
{
	memset(c, 0, sizeof(*c));
}

void
list_cache_fini(struct list_cache *c)
{
	for (size_t i = 0; i < LIST_CACHE_LISTS; i++) {
		must(c->at[i].users == 0);
		drop(c->at[i].list);
	}
	crypto_wipe(c, sizeof(*c));
}

static void
lend(struct list_cache *c, struct cached_list *l, struct list_loan *out)
{
	l->users++;
	l->used = ++c->uses;
	*out = (struct list_loan){ l->list, l };
}

bool
list_cache_find(
    struct list_cache *c, const struct hash *top, const struct key *key, struct list_loan *out)
{
	for (size_t i = 0; i < LIST_CACHE_LISTS; i++) {
		struct cached_list *l = &c->at[i];

		if (l->list == NULL || !hash_equal(&l->top, top) ||
		    !crypto_equal(l->key.b, key->b, sizeof(key->b)))
			continue;
		lend(c, l, out);
		return true;
	}
	return false;
}

void
list_cache_add(struct list_cache *c, const struct hash *top, const struct key *key,
    struct manifest *list, struct list_loan *out)
{
	struct cached_list *oldest = NULL;

	for (size_t i = 0; i < LIST_CACHE_LISTS; i++) {
		struct cached_list *l = &c->at[i];

		if (l->users == 0 && (oldest == NULL || l->used < oldest->used))
			oldest = l;
	}
	if (oldest == NULL || list->chunks_count > LIST_CACHE_CHUNKS) {
		*out = (struct list_loan){ .list = list };
		return;
	}
	drop(oldest->list);
	*oldest = (struct cached_list){ .top = *top, .key = *key, .list = list };
	lend(c, oldest, out);
}

void
list_cache_return(struct list_loan *loan)
{
	if (loan->from != NULL)
		loan->from->users--;
	else
		drop((struct manifest *)(uintptr_t)loan->list);
	*loan = (struct list_loan){ .list = NULL };
}
