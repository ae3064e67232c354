/*
 * Leases of chunks that are in the network: raised when an upload is complete, and later prolonged
 * or ended by their owner. Whoever is away now learns it from its siblings when it is back.
 */
#include "storage/renew.h"

#include <stdlib.h>

#include "storage/chunks_private.h"

struct raise {
	struct asks asks;
	const struct chunk_put_result *put;
	struct lease_update update;
	struct buf head;
	uint8_t raised, unlocked; /* holders that took it; that do not grant the lock */
};

static int
raise_one(struct asks *a, uint8_t index)
{
	struct raise *r = a->arg;
	const struct contact *who = &r->put->holders[index];
	struct receipt receipt;
	struct buf reply;
	int err;

	if (!r->put->have[index])
		return ERR_OK;
	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	err = storage_ask(a->c, who, METHOD_LEASE, buf_bytes(&r->head), &reply);
	if (err == ERR_OK) {
		err = receipt_unpack(buf_bytes(&reply), a->c->net, &receipt);
		if (err != ERR_OK || !pubkey_equal(&receipt.node, &who->pub) ||
		    !hash_equal(&receipt.chunk, &r->update.lease.chunk) ||
		    receipt.generation != r->update.lease.generation ||
		    receipt.until != r->update.lease.until) {
			endpoint_blame(a->c->opts.endpoint, who, "forged receipt");
			err = ERR_AUTH;
		}
	}
	if (err == ERR_OK)
		r->raised++;
	r->unlocked += err == ERR_UNSUPPORTED;
	if (err != ERR_OK && err != ERR_CANCELED)
		log_info(a->c->env, "a holder did not take the lease: %s", err_text(err));
	buf_fini(&reply);
	return err;
}

/* Tells the holders in put their new lease and each other. */
static SUSPENDS int
tell(struct chunks *c, const struct chunk_put_result *put, const struct lease *lease,
    struct chunk_renewed *out)
{
	struct raise *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return ERR_NOMEM;
	r->put = put;
	r->asks = (struct asks){ .c = c, .ask = raise_one, .arg = r };
	r->update.lease = *lease;
	r->update.note.sequence = chunks_now_ms(c);
	for (uint8_t i = 0; i < put->ref.code.n; i++) {
		struct siblings *s = &r->update.note.siblings;

		if (put->have[i])
			s->at[s->count++] = (struct sibling){ i, put->holders[i].pub };
	}
	buf_init(&r->head, RPC_HEAD_BYTES_MAX);
	err = lease_update_pack(&r->update, c->net, &r->head);
	if (err == ERR_OK)
		err = chunks_ask_all(&r->asks, put->ref.code.n);
	out->told = r->raised;
	out->unlocked = r->unlocked;
	buf_fini(&r->head);
	free(r);
	return err;
}

int
chunk_raise(
    struct chunks *c, const struct chunk_put_result *put, const struct chunk_raise_opts *opts)
{
	struct lease lease = { .chunk = put->ref.id,
		.generation = 2,
		.until = opts->until,
		.lock_until = opts->lock_until,
		.constraints = *opts->constraints };
	struct chunk_renewed done = { 0 };
	int err;

	lease.constraints.repair_at = put->ref.code.r;
	opts->signer.sign(opts->signer.arg, &lease);
	err = tell(c, put, &lease, &done);
	return err == ERR_OK && done.told < opts->need ? ERR_UNREACHABLE : err;
}

int
chunk_withdraw(
    struct chunks *c, const struct chunk_put_result *put, const struct lease_signer *signer)
{
	struct lease lease = { .chunk = put->ref.id,
		.generation = 3, /* behind a raise */
		.constraints = { .repair_at = put->ref.code.r } };
	struct chunk_renewed done = { 0 };

	if (put->placed == 0)
		return ERR_OK;
	signer->sign(signer->arg, &lease);
	return tell(c, put, &lease, &done);
}

/* ---- later ---- */

struct renewal {
	struct asks asks;
	struct shard_state shards[SHARDS_MAX];
	struct chunk_put_result put; /* who holds it now */
	struct pubkey key;           /* of our lease */
	struct lease newest;         /* of ours that any holder knows; generation 0: none */
	uint64_t generation;         /* the highest that any of them knows */
};

static void
keep_newest(struct renewal *r, const struct lease *leases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!pubkey_equal(&leases[i].key, &r->key) ||
		    !hash_equal(&leases[i].chunk, &r->put.ref.id))
			continue;
		r->generation = MAX(r->generation, leases[i].generation);
		if (r->newest.generation == 0 ||
		    lease_supersedes(lease_rank(&leases[i]), lease_rank(&r->newest)))
			r->newest = leases[i];
	}
}

static int
learn_one(struct asks *a, uint8_t index)
{
	struct renewal *r = a->arg;
	struct lease *leases;
	struct buf head, reply;
	size_t count = 0;
	int err;

	if (!r->put.have[index])
		return ERR_OK;
	leases = calloc(LEASES_KNOWN_MAX, sizeof(*leases));
	buf_init(&head, KIB(1));
	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	err = leases == NULL ? ERR_NOMEM
			     : chunk_query_pack(&(struct chunk_query){ r->put.ref.id }, &head);
	if (err == ERR_OK)
		err = storage_ask(
		    a->c, &r->put.holders[index], METHOD_LEASES, buf_bytes(&head), &reply);
	if (err == ERR_OK)
		err = leases_unpack(buf_bytes(&reply), a->c->net, leases, LEASES_KNOWN_MAX, &count);
	if (err == ERR_OK)
		keep_newest(r, leases, count);
	buf_fini(&head);
	buf_fini(&reply);
	free(leases);
	return err;
}

/* Who holds it, and what they know of our lease. */
static SUSPENDS int
learn(struct chunks *c, struct renewal *r, struct chunk_renewed *out)
{
	int err = chunk_survey(c, &r->put.ref, r->shards, &out->live);

	for (uint8_t i = 0; err == ERR_OK && i < r->put.ref.code.n; i++) {
		r->put.have[i] = r->shards[i].live;
		r->put.holders[i] = r->shards[i].holder;
	}
	r->asks = (struct asks){ .c = c, .ask = learn_one, .arg = r };
	if (err == ERR_OK)
		err = chunks_ask_all(&r->asks, r->put.ref.code.n);
	return err;
}

/* What the owner may still ask for, over what was signed before. */
static int
follow(const struct renewal *r, const struct chunk_renew_opts *opts, uint64_t now_s,
    struct lease *lease)
{
	const struct lease *known = &r->newest;

	if (known->generation == 0)
		return ERR_NOT_FOUND;
	/* A deletion is final: the tombstone's generation is never taken back. */
	if (known->until == 0 && opts->until != 0)
		return ERR_STALE;
	if (opts->until == 0 && known->lock_until > now_s)
		return ERR_LOCKED;
	*lease = *known;
	lease->generation = MAX(r->generation + 1, now_s * 1000);
	lease->until = opts->until;
	lease->lock_until = MAX(known->lock_until, opts->lock_until);
	return lease->until != 0 && lease->until < lease->lock_until ? ERR_LOCKED : ERR_OK;
}

static SUSPENDS int
renew(struct chunks *c, struct renewal *r, const struct chunk_renew_opts *opts,
    struct chunk_renewed *out)
{
	struct lease lease = { .chunk = r->put.ref.id, .constraints = { .repair_at = 1 } };
	int err;

	opts->signer.sign(opts->signer.arg, &lease); /* tells whose it is */
	r->key = lease.key;
	err = learn(c, r, out);
	if (err != ERR_OK)
		return err;
	if (out->live == 0)
		return ERR_UNREACHABLE;
	err = follow(r, opts, chunks_now_ms(c) / 1000, &lease);
	out->locked_until = r->newest.lock_until;
	if (err != ERR_OK)
		return err;
	opts->signer.sign(opts->signer.arg, &lease);
	err = tell(c, &r->put, &lease, out);
	out->locked_until = lease.lock_until;
	if (err == ERR_OK && out->told == 0)
		err = out->unlocked > 0 ? ERR_UNSUPPORTED : ERR_UNREACHABLE;
	return err;
}

int
chunk_renew(struct chunks *c, const struct chunk_ref *ref, const struct chunk_renew_opts *opts,
    struct chunk_renewed *out)
{
	struct renewal *r = calloc(1, sizeof(*r));
	int err;

	*out = (struct chunk_renewed){ 0 };
	if (r == NULL)
		return ERR_NOMEM;
	r->put.ref = *ref;
	err = renew(c, r, opts, out);
	free(r);
	return err;
}
