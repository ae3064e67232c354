/* A list: it is looked through only when a bucket is opened. */
#include "storage/publications.h"

#include <stdlib.h>

#include "overlay/base/err.h"

static bool
is_due(uint64_t put_at, uint64_t now)
{
	return put_at == 0 || now - put_at >= PUBLISH_EVERY;
}

bool
publication_anchors_due(
    const struct publication *p, uint64_t epoch, uint32_t configuration, uint64_t now)
{
	if (epoch != p->epoch)
		return epoch > p->epoch;
	if (configuration != p->configuration)
		return configuration > p->configuration;
	return is_due(p->anchors_at, now);
}

void
publication_anchors_put(struct publication *p, uint64_t epoch, uint32_t configuration, uint64_t now)
{
	if (epoch < p->epoch || (epoch == p->epoch && configuration < p->configuration))
		return; /* a newer one was put meanwhile */
	p->anchors_at = now;
	p->epoch = epoch;
	p->configuration = configuration;
}

static bool
is_older(const struct publication *p, const struct head *h)
{
	return h->epoch != p->head_epoch ? h->epoch < p->head_epoch : h->seq < p->head_seq;
}

bool
publication_head_due(const struct publication *p, const struct head *h, uint64_t now)
{
	return !is_older(p, h) && (is_due(p->head_at, now) || !hash_equal(&p->root, &h->root));
}

void
publication_head_put(struct publication *p, const struct head *h, uint64_t now)
{
	if (is_older(p, h))
		return;
	p->head_at = now;
	p->head_epoch = h->epoch;
	p->head_seq = h->seq;
	p->root = h->root;
}

/* ---- of all buckets ---- */

static struct publication *
find(const struct publications *t, const struct pubkey *finder)
{
	for (struct publication *p = t->first; p != NULL; p = p->next) {
		if (pubkey_equal(&p->finder, finder))
			return p;
	}
	return NULL;
}

static uint64_t
newest_of(const struct publication *p)
{
	return MAX(p->anchors_at, p->head_at);
}

/* The one that is due first; none of those in use. */
static void
forget_one(struct publications *t)
{
	struct publication **oldest = NULL, *gone;

	for (struct publication **at = &t->first; *at != NULL; at = &(*at)->next) {
		if ((*at)->users == 0 && (oldest == NULL || newest_of(*at) < newest_of(*oldest)))
			oldest = at;
	}
	if (oldest == NULL)
		return;
	gone = *oldest;
	*oldest = gone->next;
	free(gone);
	t->count--;
}

struct publication *
publications_use(struct publications *t, const struct pubkey *finder)
{
	struct publication *p = find(t, finder);

	if (p == NULL) {
		if (t->count >= PUBLICATIONS_MAX)
			forget_one(t);
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return NULL;
		p->finder = *finder;
		p->next = t->first;
		t->first = p;
		t->count++;
	}
	p->users++;
	return p;
}

void
publications_leave(struct publications *t, struct publication *p)
{
	if (p == NULL)
		return;
	must(p->users > 0);
	p->users--;
	if (t->count > PUBLICATIONS_MAX)
		forget_one(t);
}

void
publications_fini(struct publications *t)
{
	while (t->first != NULL) {
		struct publication *p = t->first;

		must(p->users == 0);
		t->first = p->next;
		free(p);
	}
	t->count = 0;
}
