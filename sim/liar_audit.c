/*
 * Audits answered by who does not keep what it should: late, because the shard has to come from
 * elsewhere first; not at all; or with leaves that it made up and signs for all the same.
 */
#include <stdlib.h>

#include "sim/liar.h"
#include "storage/audit.h"
#include "storage/messages.h"

#define LATE_LEAST  SECONDS(15)
#define LATE_SPREAD SECONDS(20)

struct forgery {
	struct audit_challenge challenge;
	struct shard_info shard;
	struct hash hashes[LEAVES_MAX];
	struct audit_proofs proofs;
	uint8_t leaf[LEAF_BYTES];
};

/* True paths, and leaves with other bytes; the hash is of what will be sent. */
static int
make_up(struct forgery *f)
{
	const struct audit_challenge *c = &f->challenge;

	for (uint8_t i = 0; i < c->leaves; i++) {
		struct audit_proof *p = &f->proofs.at[i];
		uint32_t row = audit_row(c, i, f->shard.layout.rows);
		int err = merkle_prove(&p->path, f->hashes, f->shard.layout.rows, row);

		if (err != ERR_OK)
			return err;
		merkle_leaf(&p->leaf, f->leaf, layout_leaf_bytes(&f->shard.layout, row));
	}
	f->proofs.count = c->leaves;
	return ERR_OK;
}

static SUSPENDS int
send_forgery(struct forgery *f, struct endpoint *ep, struct stream *s)
{
	uint8_t packed[AUDIT_ANSWER_BYTES], path[1 + 32 * MERKLE_PATH_MAX];
	struct audit_answer a = { .verdict = AUDIT_HELD };
	int err;

	a.issued = env_wall_ms(endpoint_env(ep)) / 1000;
	a.until = a.issued + 1000000;
	audit_challenge_id(&f->challenge, endpoint_net(ep), &a.challenge);
	audit_proofs_sum(&f->proofs, &a.proofs);
	audit_answer_sign(&a, endpoint_net(ep), endpoint_identity(ep));
	err = stream_write(s, bytes_of(packed, audit_answer_pack(&a, endpoint_net(ep), packed)));
	for (uint8_t i = 0; err == ERR_OK && i < f->proofs.count; i++) {
		const struct merkle_proof *p = &f->proofs.at[i].path;

		err = stream_write(
		    s, bytes_of(f->leaf, layout_leaf_bytes(&f->shard.layout, p->leaf)));
		if (err == ERR_OK)
			err = stream_write(s, bytes_of(path, audit_path_pack(p, path)));
	}
	return err == ERR_OK ? stream_finish(s, ERR_OK, bytes_of(NULL, 0)) : err;
}

static SUSPENDS int
forge(struct node *node, struct stream *s, const struct rpc_request *req)
{
	struct endpoint *ep = node_endpoint(node);
	struct store *store = node_store(node);
	struct forgery *f = calloc(1, sizeof(*f));
	uint32_t count;
	int err = f == NULL ? ERR_NOMEM
			    : audit_challenge_unpack(req->body, endpoint_net(ep), &f->challenge);

	if (err == ERR_OK)
		err = store_shard(store, &f->challenge.chunk, f->challenge.index, &f->shard);
	if (err == ERR_OK)
		err = store_leaf_hashes(
		    store, &f->challenge.chunk, f->challenge.index, f->hashes, &count);
	if (err == ERR_OK)
		err = make_up(f);
	if (err == ERR_OK)
		err = send_forgery(f, ep, s);
	free(f);
	return err;
}

int
liar_audit(struct node *node, unsigned kinds, const struct stream_method *honest, struct stream *s,
    const struct rpc_request *req)
{
	struct stream_method m = *honest;
	struct env *env = endpoint_env(node_endpoint(node));
	int err;

	if ((kinds & LIAR_MUTE) != 0)
		return task_sleep(env, HOURS(1));
	if ((kinds & LIAR_LATE) != 0) {
		err = task_sleep(env, LATE_LEAST + env_random_below(env, LATE_SPREAD));
		return err == ERR_OK ? m.serve(m.arg, s, req) : err;
	}
	err = forge(node, s, req);
	return err == ERR_NOT_FOUND ? m.serve(m.arg, s, req) : err;
}
