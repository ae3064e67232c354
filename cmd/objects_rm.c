/*
 * Objects deleted: one, or all below a prefix, a page at a time, several at once. Each is a
 * transaction of its own; those that wait together go in one commit.
 */
#include <stdlib.h>

#include "cmd/objects_rm.h"
#include "cmd/say.h"

#define DELETES_AT_ONCE 32

struct doomed {
	char key[OBJECT_KEY_MAX + 1];
	struct version_ref which;
};
struct sweep {
	struct client *c;
	struct realm_bucket *b;
	struct doomed *at; /* LIST_MAX */
	size_t count, next;
	const struct objects_remove *what;
	int err;
	uint64_t deleted;
};

/* One page: what is behind it comes when this is deleted. */
static int
gather(void *arg, const struct list_item *item)
{
	struct sweep *s = arg;
	struct doomed *d = &s->at[s->count];

	/* Its versions come first: what is longer comes behind. */
	if (s->what->exact && item->key.len != strlen(s->what->prefix))
		return ERR_END;
	memcpy(d->key, item->key.data, item->key.len);
	d->key[item->key.len] = '\0';
	d->which = (struct version_ref){ .which = VERSION_LATEST };
	if (s->what->versions) {
		d->which.which = item->entry->null ? VERSION_NULL : VERSION_ID;
		d->which.id = item->entry->version;
	}
	return ++s->count < LIST_MAX ? ERR_OK : ERR_END;
}

static SUSPENDS int
delete_task(void *arg)
{
	struct sweep *s = arg;

	while (s->err == ERR_OK && s->next < s->count) {
		const struct doomed *d = &s->at[s->next++];
		int err = object_delete(
		    s->c->env, s->b, bytes_of(d->key, strlen(d->key)), &d->which, NULL);

		if (err == ERR_OK)
			s->deleted++;
		else if (s->err == ERR_OK)
			s->err = err;
	}
	return ERR_OK;
}

static SUSPENDS int
sweep(struct sweep *s)
{
	struct list_query q = { .what = s->what->versions ? LIST_VERSIONS : LIST_OBJECTS,
		.prefix = bytes_of(s->what->prefix, strlen(s->what->prefix)) };

	for (;;) {
		int err;

		s->count = s->next = 0;
		err = objects_list(s->b, &q, gather, s);
		if (err != ERR_OK && err != ERR_END)
			return err;
		if (s->count == 0)
			return ERR_OK;
		err = task_together(
		    s->c->env, "delete", delete_task, s, MIN(s->count, (size_t)DELETES_AT_ONCE));
		if (err != ERR_OK || s->err != ERR_OK)
			return s->err != ERR_OK ? s->err : err;
	}
}

SUSPENDS int
objects_remove(
    struct client *c, struct realm_bucket *b, const struct objects_remove *what, uint64_t *deleted)
{
	struct sweep s = { .c = c, .b = b, .what = what };
	int err = ERR_NOMEM;

	s.at = calloc(LIST_MAX, sizeof(*s.at));
	if (s.at != NULL)
		err = sweep(&s);
	free(s.at);
	*deleted = s.deleted;
	return err;
}
