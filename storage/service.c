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
#include "storage/placement.h"
#include "storage/service_private.h"
#include "storage/store_facts.h"

/* ---- moving bytes: never longer than the other side shows life ---- */

/* Its turn on the line; not held against the other side. */
static SUSPENDS int
pace(struct service *s, uint64_t up, uint64_t down)
{
	uint64_t wait = bandwidth_take(s->opts.bandwidth, env_now(s->env), up, down);

	return wait == 0 ? ERR_OK : task_sleep(s->env, wait);
}

static SUSPENDS int
take_bytes(struct service *s, struct stream *st, uint8_t *dst, size_t len)
{
	int err = ERR_OK;

	for (size_t done = 0; err == ERR_OK && done < len;) {
		size_t n = len - done, got;

		/* As much at once as may be: what comes without a reader is copied twice. */
		if (byte_rate_limits(&s->opts.bandwidth->down))
			n = MIN(n, PIECE_BYTES);
		err = pace(s, 0, n);
		if (err != ERR_OK)
			break;
		err = stream_read_for(st, dst + done, n, transfers_patience(s->transfers), &got);
		if (err == ERR_OK && got < MIN(n, PIECE_BYTES))
			err = ERR_TIMEOUT;
		done += got;
	}
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
}

SUSPENDS int
service_give_bytes(struct service *s, struct stream *st, struct bytes data)
{
	int err = ERR_OK;

	for (size_t done = 0; err == ERR_OK && done < data.len;) {
		size_t n = MIN(data.len - done, PIECE_BYTES);
		uint64_t old;

		err = pace(s, n, 0);
		if (err != ERR_OK)
			break;
		old = task_deadline(s->env, env_now(s->env) + transfers_patience(s->transfers));
		err = stream_write(st, bytes_of(data.data + done, n));
		task_deadline_restore(s->env, old);
		done += n;
	}
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
}

SUSPENDS int
service_finish(struct service *s, struct stream *st, struct bytes tail)
{
	uint64_t until = env_now(s->env) + transfers_patience(s->transfers);
	uint64_t old = task_deadline(s->env, until);
	int err = stream_finish(st, ERR_OK, tail);

	task_deadline_restore(s->env, old);
	s->counters.stalled += err == ERR_TIMEOUT;
	return err;
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
	struct admitted admitted;
	struct shard_writer *writer; /* NULL: nothing has come yet */
	struct commit commit;
};

/* Whose it will be, and whether he may have so much here. */
static int
admit(const struct service *s, const struct stream *st, struct taking *t)
{
	struct lease_note note = { .granted = t->head.granted, .grant = t->head.grant };

	return admission_admit(s->opts.admission,
	    &(struct admission_ask){ .lease_key = &t->head.lease_key,
		.note = &note,
		.group = addr_group(&stream_peer(st)->addr),
		.bytes = t->layout.shard_bytes },
	    &t->admitted);
}

/* Before anything is sent; what others reserve meanwhile shows at shard_begin(). */
static int
room_for(const struct service *s, const struct layout *l)
{
	struct store_status now;

	if (s->opts.keeper != NULL && !keeper_takes_shards(s->opts.keeper))
		return ERR_BUSY;
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

/* Whether the owner's rules let a shard lie here at all, by what we say of ourselves; how many lie
 * with others of our kind is for its siblings to see. */
static bool
may_be_here(const struct service *s, const struct constraints *rules)
{
	const struct peer_record *self = dht_self(s->opts.dht);
	struct candidate c = { 0 };

	if (self == NULL)
		return true;
	c.operator_key = self->operator_key;
	memcpy(c.country, self->country, sizeof(c.country));
	return placement_allows(&c, 1, 0, rules, NULL);
}

static int
commit_fits(const struct service *s, const struct taking *t)
{
	struct lease_terms terms = service_terms(s, &t->admitted);
	const struct shard_put *m = &t->head;
	const struct commit *c = &t->commit;
	struct hash id;

	if (c->descriptor.k != m->k || c->descriptor.n != m->n ||
	    c->descriptor.chunk_bytes != m->chunk_bytes)
		return ERR_INVALID;
	descriptor_id(&c->descriptor, &id);
	if (!hash_equal(&id, &c->lease.chunk) || c->lease.constraints.repair_at < m->k ||
	    c->lease.constraints.repair_at > m->n)
		return ERR_INVALID;
	/* Whose it is was asked before the first byte. */
	if (!pubkey_equal(&m->lease_key, &c->lease.key))
		return ERR_AUTH;
	if (!may_be_here(s, &c->lease.constraints))
		return ERR_PLACEMENT;
	/* A shard that nobody wants kept is no shard to take. */
	if (c->lease.until == 0)
		return ERR_REFUSED;
	return lease_acceptable(&c->lease, &terms);
}

/* From the first leaf to the durable shard; nothing stays of one that fails. */
static int
take_shard(struct service *s, struct stream *st, struct taking *t)
{
	struct commit *c = &t->commit;
	uint8_t go[SHARD_GO_BYTES];
	int err;

	shard_go_pack(&(struct shard_go){ t->admitted.term_max_s, t->admitted.lock_max_s }, go);
	err = service_give_bytes(s, st, bytes_of(go, sizeof(go)));

	if (err == ERR_OK)
		err = receive_leaves(s, st, t);
	if (err == ERR_OK)
		err = receive_commit(s, st, c);
	if (err == ERR_OK)
		err = commit_fits(s, t);
	c->lease.note = t->admitted.note;
	if (err == ERR_OK)
		err = store_lease_room(s->opts.store, &c->lease);
	if (err != ERR_OK) {
		shard_abort(t->writer);
		return err;
	}
	return shard_commit(t->writer, &c->descriptor, &c->lease);
}

void
service_publish(struct service *s, const struct hash *chunk)
{
	if (!s->opts.unannounced)
		announce_chunk(s->announce, chunk);
}

void
service_changed(struct service *s, const struct hash *chunk)
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
		admission_added(s->opts.admission, &t->admitted.note, t->layout.shard_bytes);
		service_changed(s, &t->commit.lease.chunk);
		return service_answer_receipt(s, st, &t->commit.lease, t->head.index);
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
		err = admit(s, st, t);
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

/* ---- assembly ---- */

static void
siblings_changed(void *arg, const struct hash *chunk)
{
	struct service *s = arg;

	service_publish(s, chunk);
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
