/*
 * What a storing node gives: leaves and hashes of shards, and what it knows of a chunk. Nothing is
 * checked here that the asker can check: it has the descriptor's roots.
 */
#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/service_private.h"
#include "storage/siblings.h"
#include "storage/store_facts.h"

int
serve_get(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct shard_range r;
	struct transfer t;
	int err = shard_range_unpack(req->body, &r);

	if (err != ERR_OK)
		return err;
	err = transfer_begin(s->transfers, st, &t);
	if (err != ERR_OK) {
		s->counters.gets_refused++;
		return err;
	}
	for (uint32_t at = 0; err == ERR_OK && at < r.count;) {
		uint32_t count = MIN(r.count - at, STEP_LEAVES);
		size_t len;

		err = store_read(
		    s->opts.store, &r.chunk, r.index, r.first + at, count, t.buffer, &len);
		if (err == ERR_OK)
			err = service_give_bytes(s, st, bytes_of(t.buffer, len));
		if (err == ERR_OK)
			s->counters.get_bytes += len;
		at += count;
	}
	transfer_end(s->transfers, &t);
	s->counters.gets++;
	return err;
}

int
serve_hashes(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct shard_range r;
	uint32_t count;
	int err = shard_range_unpack(req->body, &r);

	if (err != ERR_OK)
		return err;

	struct hash *hashes = malloc(LEAVES_MAX * sizeof(*hashes));

	if (hashes == NULL)
		return ERR_NOMEM;
	err = store_leaf_hashes(s->opts.store, &r.chunk, r.index, hashes, &count);
	if (err == ERR_OK && (r.first >= count || r.count > count - r.first))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = service_give_bytes(
		    s, st, bytes_of(&hashes[r.first], r.count * sizeof(*hashes)));
	free(hashes);
	s->counters.proofs++;
	return err;
}

/* From one look at the index; an r of a lease is never below k. */
static int
tell_have(const struct chunk_facts *f, struct chunk_have *have, struct buf *tail)
{
	have->k = have->r = f->k;
	have->n = f->n;
	have->chunk_bytes = f->chunk_bytes;
	have->lease_until = facts_until(f);
	for (size_t i = 0; i < f->leases_count; i++)
		have->r = MAX(have->r, f->leases[i].constraints.repair_at);
	have->r = MIN(have->r, have->n);
	have->count = f->count;
	memcpy(have->indices, f->indices, f->count);
	return chunk_have_pack(have, tail);
}

int
serve_have(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct chunk_query q;
	struct chunk_have have = { 0 };
	struct chunk_facts *f = malloc(sizeof(*f));
	struct buf tail;
	int err = f == NULL ? ERR_NOMEM : chunk_query_unpack(req->body, &q);

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK)
		err = store_held_facts(s->opts.store, &q.chunk, f);
	if (err == ERR_OK)
		err = tell_have(f, &have, &tail);
	if (err == ERR_OK)
		err = service_finish(s, st, buf_bytes(&tail));
	free(f);
	buf_fini(&tail);
	return err;
}

struct info {
	struct descriptor descriptor;
	struct siblings_note note;
	struct buf siblings;
	uint8_t packed[2 + DESCRIPTOR_BYTES_MAX];
};

/* The siblings that we were told of; none is no error. */
static SUSPENDS int
read_siblings(struct service *s, const struct hash *chunk, struct info *info)
{
	int err = store_siblings(s->opts.store, chunk, &info->note.sequence, &info->siblings);

	if (err == ERR_OK)
		err = siblings_unpack(
		    buf_bytes(&info->siblings), info->descriptor.n, &info->note.siblings);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
serve_info(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct chunk_query q;
	struct info *info = calloc(1, sizeof(*info));
	struct buf tail;
	int err;

	if (info == NULL)
		return ERR_NOMEM;
	err = chunk_query_unpack(req->body, &q);
	buf_init(&info->siblings, SHARDS_MAX * SIBLING_BYTES);
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK)
		err = store_descriptor(s->opts.store, &q.chunk, &info->descriptor);
	if (err == ERR_OK)
		err = read_siblings(s, &q.chunk, info);
	if (err == ERR_OK)
		err = siblings_note_pack(&info->note, &tail);
	if (err == ERR_OK) {
		size_t len = descriptor_pack(&info->descriptor, info->packed + 2);
		struct packer p = packer_on(info->packed, 2);

		pack_u16(&p, (uint16_t)len);
		err = service_give_bytes(s, st, bytes_of(info->packed, 2 + len));
	}
	if (err == ERR_OK)
		err = service_finish(s, st, buf_bytes(&tail));
	buf_fini(&tail);
	buf_fini(&info->siblings);
	free(info);
	return err;
}
