/* The client's context, and manifests on their way to and from the network. */
#include "object/files.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/files_private.h"
#include "object/placing.h"

static_assert(CHUNK_BYTES_MAX % BLOCK_SEALED == 0, "full chunks are whole blocks");
static_assert(SINK_PIECES * BLOCK_PLAIN <= SCRATCH_BYTES, "what a sink is given fits");

int
files_new(const struct files_opts *opts, struct files **out)
{
	struct files *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ERR_NOMEM;
	f->opts = *opts;
	f->env = opts->env;
	f->chunk_bytes = opts->chunk_bytes == 0 ? CHUNK_BYTES_MAX : opts->chunk_bytes;
	must(f->chunk_bytes <= CHUNK_BYTES_MAX && f->chunk_bytes % BLOCK_SEALED == 0);
	aead_pool_init(&f->aeads);
	scratch_pool_init(&f->scratch);
	list_cache_init(&f->lists);
	*out = f;
	return ERR_OK;
}

void
files_free(struct files *f)
{
	if (f == NULL)
		return;
	aead_pool_fini(&f->aeads);
	scratch_pool_fini(&f->scratch);
	list_cache_fini(&f->lists);
	free(f);
}

void
ref_of_chunk(const struct manifest_chunk *c, struct chunk_ref *out)
{
	memset(out, 0, sizeof(*out));
	out->id = c->id;
	out->code = c->code;
	out->bytes = c->bytes;
	memcpy(out->hints, c->hints, (size_t)c->code.n * sizeof(out->hints[0]));
}

/* ---- writing ---- */

struct seal_job {
	const struct manifest *manifest;
	struct network_id net;
	const struct manifest_keys *keys;
	uint8_t nonces[2][CRYPTO_XNONCE_BYTES];
	struct buf *out;
};

static int
seal_work(void *arg)
{
	struct seal_job *j = arg;

	return manifest_seal(
	    j->manifest, j->net, j->keys, (const uint8_t(*)[CRYPTO_XNONCE_BYTES])j->nonces, j->out);
}

static int
seal(struct files *f, const struct manifest *m, const struct manifest_keys *keys, struct buf *out)
{
	struct seal_job job = { .manifest = m, .net = f->opts.net, .keys = keys, .out = out };

	env_random(f->env, job.nonces, sizeof(job.nonces));
	return env_offload(f->env, WORK_CPU, seal_work, &job, WORK_INLINE_MAX);
}

/* Stores a sealed manifest in chunks; what they are goes into next. */
static SUSPENDS int
store_blob(struct placing *p, struct bytes blob, struct manifest *next)
{
	int err = ERR_OK;

	for (size_t at = 0; err == ERR_OK && at < blob.len;) {
		size_t len = MIN(blob.len - at, (size_t)p->f->chunk_bytes), slot;

		err = placing_put_bytes(p, bytes_of(blob.data + at, len), &slot);
		if (err == ERR_OK)
			err = manifest_add_placed(next, &p->placed[slot]);
		at += len;
	}
	return err;
}

void
manifest_keys_of(const struct key *read, struct manifest_keys *out)
{
	out->read = *read;
	crypto_derive(&out->verify, read, "verify", NULL);
	out->can_read = true;
}

static void
new_keys(struct files *f, struct manifest_keys *keys)
{
	struct key read;

	env_random(f->env, read.b, sizeof(read.b));
	manifest_keys_of(&read, keys);
	crypto_wipe(&read, sizeof(read));
}

int
manifest_store(struct placing *p, const struct manifest *m, struct manifest_keys *keys)
{
	struct files *f = p->f;
	struct manifest lists[2]; /* the level above, and the one above that */
	struct buf blob;
	size_t first = p->placed_count;
	uint8_t level = m->level;
	int err;

	new_keys(f, keys);
	buf_init(&blob, MANIFEST_SEALED_MAX);
	manifest_init(&lists[0]);
	manifest_init(&lists[1]);
	err = seal(f, m, keys, &blob);
	while (err == ERR_OK) {
		struct manifest *list = &lists[level % 2];

		manifest_fini(list);
		manifest_init(list);
		list->level = ++level;
		err = store_blob(p, buf_bytes(&blob), list);
		if (err != ERR_OK || list->chunks_count == 1)
			break;
		if (level > MANIFEST_LEVEL_MAX) {
			err = ERR_TOO_BIG;
			break;
		}
		buf_reset(&blob);
		err = seal(f, list, keys, &blob);
	}
	if (err == ERR_OK)
		err = placing_raise(p, first);
	manifest_fini(&lists[0]);
	manifest_fini(&lists[1]);
	buf_wipe(&blob);
	return err;
}

/* ---- reading ---- */

static int
copy_out(void *arg, uint64_t offset, const struct bytes *pieces, size_t count)
{
	uint8_t *to = (uint8_t *)arg + offset;

	for (size_t i = 0; i < count; i++) {
		memcpy(to, pieces[i].data, pieces[i].len);
		to += pieces[i].len;
	}
	return ERR_OK;
}

int
files_fetch_chunk(
    struct files *f, const struct chunk_ref *ref, struct buf *out, struct file_missing *missing)
{
	struct chunk_sink sink = { .take = copy_out, .verify = true };
	int err = buf_reserve(out, (size_t)ref->bytes);

	if (err != ERR_OK)
		return err;
	sink.arg = out->data + out->len;
	err = chunk_get(
	    f->opts.chunks, ref, 0, ref->bytes, &sink, missing == NULL ? NULL : &missing->holders);
	if (err == ERR_OK)
		out->len += (size_t)ref->bytes;
	return err;
}

struct open_job {
	struct bytes sealed;
	struct network_id net;
	const struct manifest_keys *keys;
	struct manifest *m;
};

static int
open_work(void *arg)
{
	struct open_job *j = arg;

	return manifest_open(j->sealed, j->net, j->keys, j->m);
}

static void
keys_of_link(const struct link *link, struct manifest_keys *keys)
{
	struct link verify;

	memset(keys, 0, sizeof(*keys));
	link_to_verify(link, &verify);
	keys->verify = verify.key;
	keys->can_read = link->kind == LINK_READ;
	if (keys->can_read)
		keys->read = link->key;
	link_wipe(&verify);
}

/* All chunks of a list, one after the other: the sealed manifest of the level below. */
static int
fetch_below(
    struct files *f, const struct manifest *list, struct buf *blob, struct file_missing *missing)
{
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	buf_reset(blob);
	for (size_t i = 0; err == ERR_OK && i < list->chunks_count; i++) {
		ref_of_chunk(&list->chunks[i], ref);
		err = files_fetch_chunk(f, ref, blob, missing);
	}
	free(ref);
	return err;
}

static int
open_levels(struct files *f, const struct manifest_keys *keys, struct buf *blob, struct manifest *m,
    struct manifest *above, struct file_missing *missing)
{
	unsigned level_max = MANIFEST_LEVEL_MAX + 1;

	for (;;) {
		struct open_job job = { buf_bytes(blob), f->opts.net, keys, m };
		int err = env_offload(f->env, WORK_CPU, open_work, &job, WORK_INLINE_MAX);

		if (err != ERR_OK || m->level == 0)
			return err;
		/* Levels go down, so that a crafted ring of manifests ends. */
		if (m->level >= level_max)
			return ERR_INVALID;
		level_max = m->level;
		if (above != NULL)
			err = manifest_add_copies(above, m);
		if (err == ERR_OK)
			err = fetch_below(f, m, blob, missing);
		manifest_fini(m);
		manifest_init(m);
		if (err != ERR_OK)
			return err;
	}
}

int
manifest_fetch_at(struct files *f, const struct manifest_keys *keys, const struct chunk_ref *top,
    struct manifest *m, struct manifest *above, struct file_missing *missing)
{
	struct buf blob;
	int err;

	buf_init(&blob, MANIFEST_SEALED_MAX);
	err = files_fetch_chunk(f, top, &blob, missing);
	if (err == ERR_OK)
		err = open_levels(f, keys, &blob, m, above, missing);
	buf_wipe(&blob);
	return err;
}

int
manifest_fetch(struct files *f, const struct link *link, struct manifest *m, struct chunk_ref *top,
    struct manifest *above, struct file_missing *missing)
{
	struct manifest_keys keys;
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	if (missing != NULL)
		memset(missing, 0, sizeof(*missing));
	keys_of_link(link, &keys);
	if (err == ERR_OK && memcmp(link->net.b, f->opts.net.b, sizeof(link->net.b)) != 0)
		err = ERR_WRONG_NETWORK;
	if (err == ERR_OK)
		err = chunk_discover(f->opts.chunks, &link->manifest, ref,
		    missing == NULL ? NULL : &missing->holders);
	if (err == ERR_OK)
		err = manifest_fetch_at(f, &keys, ref, m, above, missing);
	if (err == ERR_OK && top != NULL)
		*top = *ref;
	crypto_wipe(&keys, sizeof(keys));
	free(ref);
	return err;
}
