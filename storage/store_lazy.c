/*
 * Records that nobody waits for (siblings): they ride with the next batch that has to sync, or
 * with one of their own after LAZY_DELAY. Until then they are found here. A crash may
 * lose them; whoever stores such a record can tell it again.
 */
#include <stdlib.h>

#include "storage/store_impl.h"

static int
flush_task(void *arg)
{
	struct store *s = arg;
	struct commit c = { .kind = COMMIT_FLUSH };

	return store_commit(s, &c);
}

static void
on_lazy_timer(void *arg)
{
	struct store *s = arg;

	if (s->lazy != NULL && task_spawn(&s->tasks, "store flush", flush_task, s) != ERR_OK)
		timer_start(&s->lazy_timer, LAZY_DELAY); /* too many tasks: later */
}

/* The waiting record of the same kind and chunk. */
static struct commit *
lazy_find(const struct store *s, enum record_kind kind, const struct hash *chunk)
{
	for (struct commit *c = s->lazy; c != NULL; c = c->next) {
		if (c->record.kind == kind && hash_equal(&c->record.chunk, chunk))
			return c;
	}
	return NULL;
}

const struct record *
store_lazy(const struct store *s, enum record_kind kind, const struct hash *chunk)
{
	const struct commit *c = lazy_find(s, kind, chunk);

	/* Not in the index yet either: one that rides right now. */
	for (const struct commit *b = s->batch; c == NULL && b != NULL; b = b->next) {
		if (b->lazy && b->record.kind == kind && hash_equal(&b->record.chunk, chunk))
			c = b;
	}
	return c != NULL ? &c->record : NULL;
}

static void
lazy_remove(struct store *s, struct commit *gone)
{
	struct commit **at = &s->lazy, *before = NULL;

	while (*at != gone) {
		before = *at;
		at = &(*at)->next;
	}
	*at = gone->next;
	if (s->lazy_tail == gone)
		s->lazy_tail = before;
	s->lazy_count--;
	free(gone);
}

int
store_commit_lazy(struct store *s, const struct record *r)
{
	struct commit *c = calloc(1, sizeof(*c) + r->value.len), *old;
	uint8_t *value = (uint8_t *)(c + 1);

	if (c == NULL)
		return ERR_NOMEM;
	old = lazy_find(s, r->kind, &r->chunk);
	if (old != NULL)
		lazy_remove(s, old);
	c->kind = COMMIT_RECORD;
	c->lazy = true;
	c->needs_chunk = true;
	c->record = *r;
	if (r->value.len > 0)
		memcpy(value, r->value.data, r->value.len);
	c->record.value = bytes_of(value, r->value.len);
	wait_init(&c->wait);
	if (s->lazy_tail != NULL)
		s->lazy_tail->next = c;
	else
		s->lazy = c;
	s->lazy_tail = c;
	s->lazy_count++;
	if (!timer_armed(&s->lazy_timer))
		timer_start(&s->lazy_timer, LAZY_DELAY);
	return ERR_OK;
}

void
store_lazy_init(struct store *s)
{
	timer_init(&s->lazy_timer, s->env, on_lazy_timer, s);
}

int
store_lazy_flush(struct store *s)
{
	struct commit c = { .kind = COMMIT_FLUSH };
	int err = ERR_OK;

	while (s->lazy != NULL && err == ERR_OK)
		err = store_commit(s, &c);
	return err;
}

void
store_lazy_fini(struct store *s)
{
	timer_stop(&s->lazy_timer);
	while (s->lazy != NULL)
		lazy_remove(s, s->lazy);
}
