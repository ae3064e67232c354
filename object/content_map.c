/* Views are current ones; what is discarded goes to the trash in transactions that fit a commit. */
#include "object/content_map.h"

#include "object/content_private.h"
#include "object/manifest_private.h"

/* Of one transaction: ids and hints hardly shrink, and a commit has 120 KiB for all that wait. */
#define DISCARD_BYTES_MAX KIB(48)

static int
view(void *arg, int (*fn)(void *fn_arg, struct kv *kv), void *fn_arg)
{
	const struct content_map *m = arg;
	struct map_view *v;
	int err = map_view(m->map, MAP_CURRENT, &v);

	if (err != ERR_OK)
		return err;
	err = fn(fn_arg, map_view_kv(v));
	map_view_release(v);
	return err;
}

static int
update(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg)
{
	const struct content_map *m = arg;

	return map_update(m->map, fn, fn_arg);
}

static int
own_chunks(void *arg, int (*each)(void *each_arg, const struct chunk_ref *ref), void *each_arg)
{
	const struct content_map *m = arg;

	return map_each_chunk(m->map, each, each_arg);
}

struct content_state
content_map_state(struct content_map *m)
{
	return (struct content_state){ view, update, own_chunks, m };
}

struct discarding {
	struct manifest chunks;
	uint64_t now_ms;
};

static int
to_trash(void *arg, struct kv *txn)
{
	const struct discarding *d = arg;

	return content_trash_chunks(txn, &d->chunks, d->now_ms);
}

/* One transaction's share of refs, from *at on. */
static int
discard_some(struct content_map *m, const struct chunk_ref *refs, size_t count, size_t *at)
{
	struct agreed_time now;
	struct discarding d;
	size_t bytes = 0;
	int err = ERR_OK;

	endpoint_agreed_time(chunks_endpoint(m->files->opts.chunks), &now);
	d.now_ms = now.unix_ms;
	manifest_init(&d.chunks);
	for (; err == ERR_OK && *at < count && bytes < DISCARD_BYTES_MAX; (*at)++) {
		const struct chunk_ref *ref = &refs[*at];

		err = manifest_add_chunk(
		    &d.chunks, &ref->id, &ref->code, (uint32_t)ref->bytes, ref->hints);
		bytes += MANIFEST_CHUNK_FIXED + (size_t)ref->code.n * 8;
	}
	if (err == ERR_OK)
		err = map_update(m->map, to_trash, &d);
	manifest_fini(&d.chunks);
	return err;
}

static int
discard(void *arg, const struct chunk_ref *refs, size_t count)
{
	int err = ERR_OK;

	for (size_t at = 0; err == ERR_OK && at < count;)
		err = discard_some(arg, refs, count, &at);
	return err;
}

struct map_discard
content_map_discard(struct content_map *m)
{
	return (struct map_discard){ discard, m };
}
