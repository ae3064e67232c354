/*
 * Fixed layouts, each signed over everything before its signature. They begin with their domain and
 * the network id, so none can be taken for another or carried to another network.
 */
#include "storage/audit.h"

#include "overlay/base/pack.h"

static const char challenge_domain[] = "skerry/challenge/1";
static const char answer_domain[] = "skerry/audit-answer/1";

static_assert(AUDIT_CHALLENGE_BYTES == sizeof(challenge_domain) - 1 + 4 + 3 * 32 + 2 + 32 + 8 + 64,
    "the layout of a challenge");
static_assert(AUDIT_ANSWER_BYTES == sizeof(answer_domain) - 1 + 4 + 2 * 32 + 1 + 2 * 8 + 32 + 64,
    "the layout of an answer");

/* ---- challenges ---- */

static void
pack_challenge_signed(struct packer *p, const struct audit_challenge *c, struct network_id net)
{
	pack_domain(p, challenge_domain, &net);
	pack_raw(p, c->auditor.b, sizeof(c->auditor.b));
	pack_raw(p, c->node.b, sizeof(c->node.b));
	pack_raw(p, c->chunk.b, sizeof(c->chunk.b));
	pack_u8(p, c->index);
	pack_u8(p, c->leaves);
	pack_raw(p, c->nonce.b, sizeof(c->nonce.b));
	pack_u64(p, c->issued);
}

void
audit_challenge_sign(
    struct audit_challenge *c, struct network_id net, const struct identity *auditor)
{
	uint8_t text[AUDIT_CHALLENGE_BYTES];
	struct packer p = packer_on(text, sizeof(text));

	must(c->leaves >= 1 && c->leaves <= AUDIT_LEAVES_MAX);
	c->auditor = auditor->pub;
	pack_challenge_signed(&p, c, net);
	must(pack_ok(&p));
	crypto_sign_data(&c->sig, &auditor->sign, text, p.len);
}

size_t
audit_challenge_pack(
    const struct audit_challenge *c, struct network_id net, uint8_t out[AUDIT_CHALLENGE_BYTES])
{
	struct packer p = packer_on(out, AUDIT_CHALLENGE_BYTES);

	pack_challenge_signed(&p, c, net);
	pack_raw(&p, c->sig.b, sizeof(c->sig.b));
	must(pack_ok(&p));
	return p.len;
}

int
audit_challenge_unpack(struct bytes in, struct network_id net, struct audit_challenge *out)
{
	struct unpacker u = unpacker_on(in);
	struct audit_challenge c = { .leaves = 0 };
	int err = unpack_domain(&u, challenge_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(&u, c.auditor.b, sizeof(c.auditor.b));
	unpack_raw(&u, c.node.b, sizeof(c.node.b));
	unpack_raw(&u, c.chunk.b, sizeof(c.chunk.b));
	c.index = unpack_u8(&u);
	c.leaves = unpack_u8(&u);
	unpack_raw(&u, c.nonce.b, sizeof(c.nonce.b));
	c.issued = unpack_u64(&u);

	size_t covered = u.pos;

	unpack_raw(&u, c.sig.b, sizeof(c.sig.b));
	if (!unpack_done(&u) || c.index >= SHARDS_MAX || c.leaves == 0 ||
	    c.leaves > AUDIT_LEAVES_MAX)
		return ERR_INVALID;
	if (!crypto_verify(&c.sig, &c.auditor, in.data, covered))
		return ERR_AUTH;
	*out = c;
	return ERR_OK;
}

bool
audit_same_shard(const struct audit_challenge *a, const struct audit_challenge *b)
{
	return pubkey_equal(&a->node, &b->node) && hash_equal(&a->chunk, &b->chunk) &&
	       a->index == b->index;
}

void
audit_challenge_id(const struct audit_challenge *c, struct network_id net, struct hash *out)
{
	uint8_t packed[AUDIT_CHALLENGE_BYTES];

	crypto_sha256(out, packed, audit_challenge_pack(c, net, packed));
}

uint32_t
audit_row(const struct audit_challenge *c, uint8_t i, uint32_t rows)
{
	uint8_t text[32 + 32 + 1 + 1];
	struct packer p = packer_on(text, sizeof(text));
	struct unpacker u;
	struct hash drawn;

	pack_raw(&p, c->node.b, sizeof(c->node.b));
	pack_raw(&p, c->chunk.b, sizeof(c->chunk.b));
	pack_u8(&p, c->index);
	pack_u8(&p, i);
	must(pack_ok(&p) && rows > 0);
	crypto_hmac(&drawn, c->nonce.b, sizeof(c->nonce.b), text, p.len);
	u = unpacker_on(bytes_of(drawn.b, 8));
	/* Of at most 1,024 rows: what 64 bits are uneven by is nothing. */
	return (uint32_t)(unpack_u64(&u) % rows);
}

/* ---- answers ---- */

static void
pack_answer_signed(struct packer *p, const struct audit_answer *a, struct network_id net)
{
	pack_domain(p, answer_domain, &net);
	pack_raw(p, a->challenge.b, sizeof(a->challenge.b));
	pack_raw(p, a->node.b, sizeof(a->node.b));
	pack_u8(p, (uint8_t)a->verdict);
	pack_u64(p, a->until);
	pack_u64(p, a->issued);
	pack_raw(p, a->proofs.b, sizeof(a->proofs.b));
}

void
audit_answer_sign(struct audit_answer *a, struct network_id net, const struct identity *node)
{
	uint8_t text[AUDIT_ANSWER_BYTES];
	struct packer p = packer_on(text, sizeof(text));

	a->node = node->pub;
	pack_answer_signed(&p, a, net);
	must(pack_ok(&p));
	crypto_sign_data(&a->sig, &node->sign, text, p.len);
}

size_t
audit_answer_pack(
    const struct audit_answer *a, struct network_id net, uint8_t out[AUDIT_ANSWER_BYTES])
{
	struct packer p = packer_on(out, AUDIT_ANSWER_BYTES);

	pack_answer_signed(&p, a, net);
	pack_raw(&p, a->sig.b, sizeof(a->sig.b));
	must(pack_ok(&p));
	return p.len;
}

int
audit_answer_unpack(struct bytes in, struct network_id net, struct audit_answer *out)
{
	struct unpacker u = unpacker_on(in);
	struct audit_answer a = { .until = 0 };
	int err = unpack_domain(&u, answer_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(&u, a.challenge.b, sizeof(a.challenge.b));
	unpack_raw(&u, a.node.b, sizeof(a.node.b));

	uint8_t verdict = unpack_u8(&u);

	a.until = unpack_u64(&u);
	a.issued = unpack_u64(&u);
	unpack_raw(&u, a.proofs.b, sizeof(a.proofs.b));

	size_t covered = u.pos;

	unpack_raw(&u, a.sig.b, sizeof(a.sig.b));
	if (!unpack_done(&u) || (verdict != AUDIT_HELD && verdict != AUDIT_LOST))
		return ERR_INVALID;
	a.verdict = (enum audit_verdict)verdict;
	if (!crypto_verify(&a.sig, &a.node, in.data, covered))
		return ERR_AUTH;
	*out = a;
	return ERR_OK;
}

bool
audit_answers(const struct audit_answer *a, const struct audit_challenge *c, struct network_id net)
{
	struct hash id;

	audit_challenge_id(c, net, &id);
	return hash_equal(&a->challenge, &id) && pubkey_equal(&a->node, &c->node);
}

/* ---- proofs ---- */

size_t
audit_path_pack(const struct merkle_proof *path, uint8_t out[AUDIT_PATH_BYTES_MAX])
{
	struct packer p = packer_on(out, AUDIT_PATH_BYTES_MAX);

	must(path->count <= MERKLE_PATH_MAX);
	pack_u8(&p, path->count);
	pack_raw(&p, path->path, path->count * sizeof(path->path[0]));
	must(pack_ok(&p));
	return p.len;
}

void
audit_proofs_sum(const struct audit_proofs *p, struct hash *out)
{
	uint8_t text[AUDIT_LEAVES_MAX * AUDIT_PROOF_BYTES_MAX];
	size_t len = 0;

	for (uint8_t i = 0; i < p->count; i++) {
		memcpy(text + len, p->at[i].leaf.b, sizeof(p->at[i].leaf.b));
		len += sizeof(p->at[i].leaf.b);
		len += audit_path_pack(&p->at[i].path, text + len);
	}
	crypto_sha256(out, text, len);
}

int
audit_proofs_check(const struct audit_proofs *p, const struct audit_challenge *c,
    const struct layout *l, const struct hash *root)
{
	if (p->count != c->leaves)
		return ERR_CORRUPT;
	for (uint8_t i = 0; i < p->count; i++) {
		struct merkle_proof path = p->at[i].path;

		path.leaf = audit_row(c, i, l->rows);
		if (merkle_verify(root, &path, &p->at[i].leaf, l->rows, l->shard_bytes) != ERR_OK)
			return ERR_CORRUPT;
	}
	return ERR_OK;
}
