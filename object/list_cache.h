/*
 * Lists of contents that lie elsewhere (CONTENT_LISTED), kept for a while: clients read a long
 * object in many ranges, and each would fetch its list anew. One of these in a client's context.
 * What is lent stays; very long lists are fetched each time. Loop thread.
 */
#ifndef OBJECT_LIST_CACHE_H
#define OBJECT_LIST_CACHE_H

#include "object/manifest.h"

#define LIST_CACHE_LISTS  4
/* Some 2 MB at n = 12: an object of 128 GiB in chunks of 16 MiB. */
#define LIST_CACHE_CHUNKS 8192

struct cached_list {
	struct hash top;
	struct key key;        /* that opened it: who has another one does not get it */
	struct manifest *list; /* NULL: free */
	size_t users;
	uint64_t used; /* counts up with each use */
};

struct list_cache {
	struct cached_list at[LIST_CACHE_LISTS];
	uint64_t uses;
};

void list_cache_init(struct list_cache *c);
void list_cache_fini(struct list_cache *c); /* nothing is lent */

/* What was lent; starts zeroed. */
struct list_loan {
	const struct manifest *list;
	struct cached_list *from; /* NULL: the list is the loan's own */
};
bool list_cache_find(
    struct list_cache *c, const struct hash *top, const struct key *key, struct list_loan *out);
/* Takes list, and lends it, kept or not. */
void list_cache_add(struct list_cache *c, const struct hash *top, const struct key *key,
    struct manifest *list, struct list_loan *out);
void list_cache_return(struct list_loan *loan); /* and zeroes it */

#endif
