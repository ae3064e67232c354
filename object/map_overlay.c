#include "object/map_overlay.h"

#include <stdlib.h>

#include "overlay/base/err.h"

static size_t
version_bytes(const struct overlay_version *v)
{
	return sizeof(*v) + v->len;
}

static size_t
item_bytes(const struct overlay_item *i)
{
	return sizeof(*i) + i->height * sizeof(i->next[0]) + i->key_len;
}

void
overlay_init(struct overlay *o, uint64_t seed)
{
	memset(o, 0, sizeof(*o));
	o->chance = seed | 1; /* xorshift stays at 0 */
}

static void
free_item(struct overlay_item *i)
{
	while (i->newest != NULL) {
		struct overlay_version *v = i->newest;

		i->newest = v->older;
		free(v);
	}
	free(i);
}

void
overlay_fini(struct overlay *o)
{
	struct overlay_item *i = o->heads[0];

	while (i != NULL) {
		struct overlay_item *next = i->next[0];

		free_item(i);
		i = next;
	}
	memset(o, 0, sizeof(*o));
}

struct bytes
overlay_key(const struct overlay_item *i)
{
	return bytes_of((const uint8_t *)&i->next[i->height], i->key_len);
}

struct bytes
overlay_value(const struct overlay_version *v)
{
	return bytes_of(v->value, v->len);
}

/* The last link on each level before the first item ≥ key. */
static void
find_links(const struct overlay *o, struct bytes key, struct overlay_item **links[])
{
	struct overlay_item *const *level = o->heads;

	for (size_t h = OVERLAY_HEIGHT_MAX; h-- > 0;) {
		struct overlay_item *i = level[h];

		while (i != NULL && kv_compare(overlay_key(i), key) < 0) {
			level = i->next;
			i = level[h];
		}
		links[h] = (struct overlay_item **)&level[h];
	}
}

static uint8_t
draw_height(struct overlay *o)
{
	uint64_t x = o->chance;
	uint8_t height = 1;

	x ^= x << 13; /* Marsaglia, xorshift64 */
	x ^= x >> 7;
	x ^= x << 17;
	o->chance = x;
	x >>= 16;
	while (height < OVERLAY_HEIGHT_MAX && (x & 3) == 0) {
		height++;
		x >>= 2;
	}
	return height;
}

static struct overlay_item *
add_item(struct overlay *o, struct bytes key, struct overlay_item **links[])
{
	uint8_t height = draw_height(o);
	struct overlay_item *i = malloc(sizeof(*i) + height * sizeof(i->next[0]) + key.len);

	if (i == NULL)
		return NULL;
	i->newest = NULL;
	i->key_len = (uint16_t)key.len;
	i->height = height;
	memcpy(&i->next[height], key.data, key.len);
	for (size_t h = 0; h < height; h++) {
		i->next[h] = *links[h];
		*links[h] = i;
	}
	o->items++;
	o->bytes += item_bytes(i);
	return i;
}

static int
write_version(struct overlay *o, uint64_t seq, struct bytes key, struct bytes value, bool deleted)
{
	struct overlay_item **links[OVERLAY_HEIGHT_MAX], *i;
	struct overlay_version *v = malloc(sizeof(*v) + value.len);

	if (v == NULL)
		return ERR_NOMEM;
	v->seq = seq;
	v->deleted = deleted;
	v->len = (uint32_t)value.len;
	if (value.len > 0)
		memcpy(v->value, value.data, value.len);
	find_links(o, key, links);
	i = *links[0];
	if (i == NULL || kv_compare(overlay_key(i), key) != 0)
		i = add_item(o, key, links);
	if (i == NULL) {
		free(v);
		return ERR_NOMEM;
	}

	struct overlay_version *old = i->newest;

	must(old == NULL || old->seq <= seq);
	v->older = old;
	if (old != NULL && old->seq == seq) {
		v->older = old->older;
		o->bytes -= version_bytes(old);
		free(old);
	} else if (old != NULL) {
		o->old_bytes += version_bytes(old);
	}
	i->newest = v;
	o->bytes += version_bytes(v);
	return ERR_OK;
}

int
overlay_put(struct overlay *o, uint64_t seq, struct bytes key, struct bytes value)
{
	return write_version(o, seq, key, value, false);
}

int
overlay_del(struct overlay *o, uint64_t seq, struct bytes key)
{
	return write_version(o, seq, key, bytes_of(NULL, 0), true);
}

const struct overlay_item *
overlay_seek(const struct overlay *o, struct bytes from)
{
	struct overlay_item **links[OVERLAY_HEIGHT_MAX];

	find_links(o, from, links);
	return *links[0];
}

const struct overlay_item *
overlay_next(const struct overlay_item *i)
{
	return i->next[0];
}

const struct overlay_version *
overlay_at(const struct overlay_item *i, uint64_t after, uint64_t until)
{
	const struct overlay_version *v = i->newest;

	while (v != NULL && v->seq > until)
		v = v->older;
	return v != NULL && v->seq > after ? v : NULL;
}

/* ---- forgetting ---- */

/* Keeps the versions for which keep says so; unlinks items that have none left. */
static void
sweep(struct overlay *o,
    bool (*keep)(const void *arg, const struct overlay_version *newer, uint64_t seq),
    const void *arg)
{
	struct overlay_item **links[OVERLAY_HEIGHT_MAX], *i;

	for (size_t h = 0; h < OVERLAY_HEIGHT_MAX; h++)
		links[h] = &o->heads[h];
	while ((i = *links[0]) != NULL) {
		struct overlay_version **at = &i->newest, *newer = NULL;

		while (*at != NULL) {
			struct overlay_version *v = *at;

			if (keep(arg, newer, v->seq)) {
				newer = v;
				at = &v->older;
				continue;
			}
			*at = v->older;
			o->bytes -= version_bytes(v);
			/* The newest that stays is no old one any more. */
			if (newer != NULL)
				o->old_bytes -= version_bytes(v);
			else if (v->older != NULL)
				o->old_bytes -= version_bytes(v->older);
			free(v);
		}
		for (size_t h = 0; h < i->height; h++) {
			if (i->newest == NULL)
				*links[h] = i->next[h];
			else
				links[h] = &i->next[h];
		}
		if (i->newest == NULL) {
			o->bytes -= item_bytes(i);
			o->items--;
			free_item(i);
		}
	}
}

static bool
is_needed(const void *arg, const struct overlay_version *newer, uint64_t seq)
{
	const struct overlay_needs *n = arg;
	size_t low = 0, high = n->count;

	if (seq <= n->floor)
		return false;
	if (newer == NULL)
		return true;
	/* The first who reads at seq or later: does he still read before the newer one? */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (n->seqs[mid] < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n->count && n->seqs[low] < newer->seq;
}

void
overlay_prune(struct overlay *o, const struct overlay_needs *needs)
{
	sweep(o, is_needed, needs);
}

static bool
is_other(const void *arg, const struct overlay_version *newer, uint64_t seq)
{
	(void)newer;
	return seq != *(const uint64_t *)arg;
}

void
overlay_take_back(struct overlay *o, uint64_t seq)
{
	sweep(o, is_other, &seq);
}
