/*
 * A storing node at work. A shard comes in over a stream: there is room and a place for it, then a
 * byte says so, then leaves flow socket → aligned buffer → disk worker (hash, write); the commit is
 * checked against what was hashed, made durable, and answered by a signed receipt. Leaves go out
 * disk → aligned buffer → stream. Nothing here trusts a length that a peer sent: all
 * follow from k, n and chunk length. What fails is answered with its error and counted; the store
 * gives back what was reserved. Who neither sends nor fetches loses its stream after a while
 * (transfers.h), so that slow clients hold neither writers nor buffers for ever.
 */
#include "storage/service.h"

#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/announce.h"
#include "storage/keeper.h"
#include "storage/store_facts.h"
#include "storage/siblings.h"
#include "storage/transfers.h"

/* Leaves moved per step: 1 MiB keeps the disk busy and a stream's share of memory small. */
#define STEP_LEAVES   16
#define STEP_BYTES    (STEP_LEAVES * LEAF_BYTES)
/* 64 MiB of buffers at most: what a node may use for bulk in flight; beyond, streams wait. */
#define TRANSFERS_MAX 64
/* What must come or go within a stall's time (transfers.h): the slowest honest peer shares a poor
 * line with the lanes of a dozen other nodes, at a few KB/s. */
#define PIECE_BYTES   LEAF_BYTES

struct service {
	struct service_opts opts;
	struct env *env;
	struct network_id net;
	struct transfers *transfers;
	struct announce *announce;
	struct service_counters counters;
};

/* ---- moving bytes: never longer than the other side shows life ---- */

static SUSPENDS int
take_bytes(struct service *s, struct stream *st, uint8_t *dst, size_t len)
{
	int err = ERR_OK;

	for (size_t done = 0; err == ERR_OK && done < len;) {
		size_t n = MIN(len - done, PIECE_BYTES);
		uint64_t until = env_now(s->env) + transfers_patience(s->transfers);
		uint64_t old = task_deadline(s->env, until);

		err = stream_read(st, dst + done, n);
		task_deadline_restore(s->env, old);
		done += n;
	}
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
}

static SUSPENDS int
give_bytes(struct service *s, struct stream *st, struct bytes data)
{
	int err = ERR_OK;

	for (size_t done = 0; err == ERR_OK && done < data.len;) {
		size_t n = MIN(data.len - done, PIECE_BYTES);
		uint64_t until = env_now(s->env) + transfers_patience(s->transfers);
		uint64_t old = task_deadline(s->env, until);

		err = stream_write(st, bytes_of(data.data + done, n));
		task_deadline_restore(s->env, old);
		done += n;
	}
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
}

static SUSPENDS int
finish(struct service *s, struct stream *st, struct bytes tail)
{
	uint64_t until = env_now(s->env) + transfers_patience(s->transfers);
	uint64_t old = task_deadline(s->env, until);
	int err = stream_finish(st, ERR_OK, tail);

	task_deadline_restore(s->env, old);
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
}

/* ---- leases ---- */

static uint64_t
now_unix_s(const struct service *s)
{
	struct agreed_time t;

	endpoint_agreed_time(s->opts.endpoint, &t);
	return t.unix_ms / 1000;
}

static int
answer_receipt(struct service *s, struct stream *st, const struct lease *l, uint8_t index)
{
	uint8_t packed[RECEIPT_BYTES];
	struct receipt r = {
		.chunk = l->chunk,
		.index = index,
		.lease_key = l->key,
		.generation = l->generation,
		.until = l->until,
		.issued = now_unix_s(s),
	};

	receipt_sign(&r, s->net, endpoint_identity(s->opts.endpoint));
	return finish(s, st, bytes_of(packed, receipt_pack(&r, s->net, packed)));
}

/* ---- taking a shard ---- */

/* A put under way. */
struct commit {
	struct descriptor descriptor;
	struct lease lease;
	uint8_t packed[SHARD_COMMIT_BYTES_MAX];
};
struct taking {
	struct transfer transfer;
	struct shard_put head;
	struct layout layout;
	struct shard_writer *writer; /* NULL: nothing has come yet */
	struct commit commit;
};

/* Before anything is sent; what others reserve meanwhile shows at shard_begin(). */
static int
room_for(const struct service *s, const struct layout *l)
{
	struct store_status now;

	if (s->opts.keeper != NULL && keeper_leaves(s->opts.keeper))
		return ERR_FULL;
	store_status(s->opts.store, &now);
	if (now.refusing || now.bytes_used > now.capacity ||
	    now.capacity - now.bytes_used < l->shard_bytes)
		return ERR_FULL;
	return ERR_OK;
}

/*
 * The extent is taken when the first step has come, because one that is given up again stays dead
 * space: who wants to waste a node's disk has to send something for it.
 */
static int
receive_leaves(struct service *s, struct stream *st, struct taking *t)
{
	const struct layout *l = &t->layout;
	int err = ERR_OK;

	for (uint32_t row = 0; err == ERR_OK && row < l->rows;) {
		/* Full leaves by steps; the last row's leaf, of another length, alone. */
		uint32_t left = l->rows - row;
		uint32_t count = left > 1 ? MIN(left - 1, STEP_LEAVES) : 1;
		size_t bytes = (size_t)(count - 1) * LEAF_BYTES + layout_leaf_bytes(l, row);

		err = take_bytes(s, st, t->transfer.buffer, bytes);
		if (err == ERR_OK && t->writer == NULL)
			err = shard_begin(s->opts.store, l, t->head.index, &t->writer);
		if (err == ERR_OK)
			err = shard_append(t->writer, t->transfer.buffer, count);
		if (err == ERR_OK)
			s->counters.put_bytes += bytes;
		row += count;
	}
	return err;
}

/* The commit's two parts; the stream must end behind it. */
static int
receive_commit(struct service *s, struct stream *st, struct commit *c)
{
	uint8_t length[4];
	int err = take_bytes(s, st, length, sizeof(length));

	if (err != ERR_OK)
		return err;

	struct unpacker u = unpacker_on(bytes_of(length, sizeof(length)));
	uint32_t len = unpack_u32(&u);

	if (len > sizeof(c->packed))
		return ERR_TOO_BIG;
	err = take_bytes(s, st, c->packed, len);
	if (err != ERR_OK)
		return err;
	return shard_commit_unpack(bytes_of(c->packed, len), s->net, &c->descriptor, &c->lease);
}

static int
commit_fits(const struct service *s, const struct shard_put *m, const struct commit *c)
{
	struct hash id;

	if (c->descriptor.k != m->k || c->descriptor.n != m->n ||
	    c->descriptor.chunk_bytes != m->chunk_bytes)
		return ERR_INVALID;
	descriptor_id(&c->descriptor, &id);
	if (!hash_equal(&id, &c->lease.chunk) || c->lease.constraints.repair_at < m->k ||
	    c->lease.constraints.repair_at > m->n)
		return ERR_INVALID;
	/* A shard that nobody wants kept is no shard to take. */
	if (c->lease.until == 0)
		return ERR_REFUSED;
	return lease_acceptable(&c->lease, now_unix_s(s));
}

/* From the first leaf to the durable shard; nothing stays of one that fails. */
static int
take_shard(struct service *s, struct stream *st, struct taking *t)
{
	static const uint8_t go = 1;
	struct commit *c = &t->commit;
	int err = give_bytes(s, st, bytes_of(&go, 1));

	if (err == ERR_OK)
		err = receive_leaves(s, st, t);
	if (err == ERR_OK)
		err = receive_commit(s, st, c);
	if (err == ERR_OK)
		err = commit_fits(s, &t->head, c);
	if (err == ERR_OK) {
		err = store_lease_room(s->opts.store, &c->lease);
		if (err == ERR_NOT_FOUND)
			err = ERR_OK; /* the first of its chunk */
	}
	if (err != ERR_OK) {
		shard_abort(t->writer);
		return err;
	}
	return shard_commit(t->writer, &c->descriptor, &c->lease);
}

static void
changed(struct service *s, const struct hash *chunk)
{
	if (s->opts.keeper != NULL)
		keeper_changed(s->opts.keeper, chunk);
}

/* With a place held: bytes, receipt. */
static int
take(struct service *s, struct stream *st, struct taking *t)
{
	int err = take_shard(s, st, t);

	if (err == ERR_OK) {
		s->counters.puts++;
		changed(s, &t->commit.lease.chunk);
		return answer_receipt(s, st, &t->commit.lease, t->head.index);
	}
	s->counters.puts_failed++;
	log_info(s->env, "put of shard %u failed: %s", t->head.index, err_text(err));
	return err;
}

static int
serve_put(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct taking *t = malloc(sizeof(*t));
	int err = t == NULL ? ERR_NOMEM : shard_put_unpack(req->body, &t->head);

	if (err == ERR_OK)
		err = layout_make(t->head.k, t->head.n, t->head.chunk_bytes, &t->layout);
	if (err == ERR_OK)
		err = room_for(s, &t->layout);
	if (err == ERR_OK)
		err = transfer_begin(s->transfers, st, &t->transfer);
	if (err == ERR_OK) {
		t->writer = NULL;
		err = take(s, st, t);
		transfer_end(s->transfers, &t->transfer);
	} else {
		s->counters.puts_refused++;
	}
	free(t);
	return err;
}

/* ---- giving ---- */

static int
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
			err = give_bytes(s, st, bytes_of(t.buffer, len));
		if (err == ERR_OK)
			s->counters.get_bytes += len;
		at += count;
	}
	transfer_end(s->transfers, &t);
	s->counters.gets++;
	return err;
}

static int
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
		err = give_bytes(s, st, bytes_of(&hashes[r.first], r.count * sizeof(*hashes)));
	free(hashes);
	s->counters.proofs++;
	return err;
}

/* The newest lease's word on r and the latest date that any lease gives. */
static int
read_leases(struct service *s, const struct hash *chunk, struct chunk_have *have)
{
	enum { LEASES_SEEN = 8 }; /* a chunk of two owners is rare, of eight unheard of */
	struct lease *leases = calloc(LEASES_SEEN, sizeof(*leases));
	size_t count;
	int err;

	if (leases == NULL)
		return ERR_NOMEM;
	err = store_leases(s->opts.store, chunk, leases, LEASES_SEEN, &count);
	if (err == ERR_OK) {
		have->r = have->k;
		for (size_t i = 0; i < MIN(count, LEASES_SEEN); i++) {
			have->lease_until = MAX(have->lease_until, leases[i].until);
			have->r = MAX(have->r, leases[i].constraints.repair_at);
		}
		have->r = MIN(have->r, have->n);
	}
	free(leases);
	return err;
}

static int
serve_have(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct chunk_query q;
	struct chunk_have have = { 0 };
	struct descriptor *d = NULL;
	struct buf tail;
	size_t count;
	int err = chunk_query_unpack(req->body, &q);

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK)
		err = store_find(s->opts.store, &q.chunk, have.indices, SHARDS_MAX, &count);
	if (err == ERR_OK && (d = malloc(sizeof(*d))) == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		err = store_descriptor(s->opts.store, &q.chunk, d);
	if (err == ERR_OK) {
		have.k = d->k;
		have.n = d->n;
		have.chunk_bytes = d->chunk_bytes;
		have.count = (uint8_t)count;
		err = read_leases(s, &q.chunk, &have);
	}
	if (err == ERR_OK)
		err = chunk_have_pack(&have, &tail);
	if (err == ERR_OK)
		err = finish(s, st, buf_bytes(&tail));
	free(d);
	buf_fini(&tail);
	return err;
}

/* The siblings that we were told of; none is no error. */
static int
read_siblings(struct service *s, const struct hash *chunk, uint8_t n, struct siblings_note *note)
{
	struct buf packed;
	int err;

	buf_init(&packed, SHARDS_MAX * SIBLING_BYTES);
	err = store_siblings(s->opts.store, chunk, &note->sequence, &packed);
	if (err == ERR_OK)
		err = siblings_unpack(buf_bytes(&packed), n, &note->siblings);
	buf_fini(&packed);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

struct info {
	struct descriptor descriptor;
	struct siblings_note note;
	uint8_t packed[2 + DESCRIPTOR_BYTES_MAX];
};

static int
serve_info(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct chunk_query q;
	struct info *info = calloc(1, sizeof(*info));
	struct buf tail;
	int err = info == NULL ? ERR_NOMEM : chunk_query_unpack(req->body, &q);

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	if (err == ERR_OK)
		err = store_descriptor(s->opts.store, &q.chunk, &info->descriptor);
	if (err == ERR_OK)
		err = read_siblings(s, &q.chunk, info->descriptor.n, &info->note);
	if (err == ERR_OK)
		err = siblings_note_pack(&info->note, &tail);
	if (err == ERR_OK) {
		size_t len = descriptor_pack(&info->descriptor, info->packed + 2);
		struct packer p = packer_on(info->packed, 2);

		pack_u16(&p, (uint16_t)len);
		err = give_bytes(s, st, bytes_of(info->packed, 2 + len));
	}
	if (err == ERR_OK)
		err = finish(s, st, buf_bytes(&tail));
	buf_fini(&tail);
	free(info);
	return err;
}

/* ---- leases ---- */

/*
 * Whether a note fits its chunk and could be of now. An index that the chunk has not would spoil
 * every answer about it; a sequence of tomorrow would shut out all true notes until then.
 */
static int
note_acceptable(struct service *s, const struct lease_update *m)
{
	const struct siblings *siblings = &m->note.siblings;

	if (m->note.sequence / 1000 > now_unix_s(s) + LEASE_CLOCK_SLACK_S)
		return ERR_REFUSED;

	struct descriptor *d = malloc(sizeof(*d));
	int err = d == NULL ? ERR_NOMEM : store_descriptor(s->opts.store, &m->lease.chunk, d);

	for (size_t i = 0; err == ERR_OK && i < siblings->count; i++) {
		if (siblings->at[i].index >= d->n)
			err = ERR_INVALID;
	}
	free(d);
	return err;
}

static int
keep_siblings(struct service *s, const struct lease_update *m)
{
	if (m->note.sequence == 0)
		return ERR_OK;

	int err = note_acceptable(s, m);

	if (err != ERR_OK)
		return err;

	struct siblings_note *ours = calloc(1, sizeof(*ours));
	uint8_t *packed = malloc(SHARDS_MAX * SIBLING_BYTES);

	if (ours == NULL || packed == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		err = read_siblings(s, &m->lease.chunk, SHARDS_MAX, ours);
	if (err == ERR_OK) {
		uint64_t sequence = MAX(m->note.sequence, ours->sequence + 1);

		/* What holders have told each other is not forgotten for what an owner knew, and
		 * what is known already is not written again. */
		if (siblings_join(&ours->siblings, &m->note.siblings))
			err = store_set_siblings(s->opts.store, &m->lease.chunk, sequence,
			    bytes_of(packed, siblings_pack(&ours->siblings, packed)));
	}
	free(ours);
	free(packed);
	return err;
}

static int
serve_lease(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct lease_update *m = malloc(sizeof(*m));
	uint8_t index;
	size_t count;
	int err = m == NULL ? ERR_NOMEM : lease_update_unpack(req->body, s->net, m);

	if (err == ERR_OK)
		err = lease_acceptable(&m->lease, now_unix_s(s));
	if (err == ERR_OK)
		err = store_find(s->opts.store, &m->lease.chunk, &index, 1, &count);
	if (err == ERR_OK)
		err = store_lease_room(s->opts.store, &m->lease);
	/* Siblings first: the lease's sync carries them along. */
	if (err == ERR_OK)
		err = keep_siblings(s, m);
	if (err == ERR_OK)
		err = store_lease(s->opts.store, &m->lease);
	if (err == ERR_OK) {
		s->counters.leases++;
		announce_chunk(s->announce, &m->lease.chunk);
		changed(s, &m->lease.chunk);
		err = answer_receipt(s, st, &m->lease, index);
	} else {
		s->counters.leases_refused++;
	}
	free(m);
	return err;
}

/* ---- assembly ---- */

static void
siblings_changed(void *arg, const struct hash *chunk)
{
	struct service *s = arg;

	announce_chunk(s->announce, chunk);
}

int
service_new(const struct service_opts *opts, struct service **out)
{
	static const struct {
		uint16_t number;
		int (*serve)(void *arg, struct stream *s, const struct rpc_request *req);
	} methods[] = {
		{ METHOD_CHUNK_HAVE, serve_have },
		{ METHOD_CHUNK_INFO, serve_info },
		{ METHOD_SHARD_PUT, serve_put },
		{ METHOD_SHARD_GET, serve_get },
		{ METHOD_SHARD_HASHES, serve_hashes },
		{ METHOD_LEASE, serve_lease },
	};
	struct service *s = calloc(1, sizeof(*s));
	int err = ERR_NOMEM;

	if (s == NULL)
		return ERR_NOMEM;
	s->opts = *opts;
	s->env = endpoint_env(opts->endpoint);
	s->net = endpoint_net(opts->endpoint);
	s->transfers = transfers_new(s->env, STEP_BYTES, TRANSFERS_MAX);
	if (s->transfers == NULL)
		goto fail;
	err = announce_new(
	    &(struct announce_opts){
		.endpoint = opts->endpoint,
		.dht = opts->dht,
		.store = opts->store,
		.pace = opts->pace,
	    },
	    &s->announce);
	if (err != ERR_OK)
		goto fail;
	if (opts->keeper != NULL)
		keeper_on_siblings(opts->keeper, siblings_changed, s);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		endpoint_add_stream_method(opts->endpoint,
		    &(struct stream_method){ methods[i].number, methods[i].serve, s });
	*out = s;
	return ERR_OK;

fail:
	service_free(s);
	return err;
}

void
service_shutdown(struct service *s, void (*done)(void *arg), void *arg)
{
	announce_shutdown(s->announce, done, arg);
}

void
service_free(struct service *s)
{
	if (s == NULL)
		return;
	if (s->opts.keeper != NULL)
		keeper_on_siblings(s->opts.keeper, NULL, NULL);
	announce_free(s->announce);
	transfers_free(s->transfers);
	free(s);
}

const struct service_counters *
service_counters(const struct service *s)
{
	return &s->counters;
}
