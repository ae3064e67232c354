/*
 * A stop is committed when a quorum has accepted it under one ballot. Each of them signs that, and
 * the signatures together are a handover, from the members of one configuration to those of the
 * next.
 */
#include "storage/head.h"

static const char cosign_domain[] = "skerry/stopped/1";

#define COSIGN_TEXT_MAX 160

static size_t
cosign_text(const struct stop *s, const struct ballot *b, struct network_id net,
    uint8_t out[COSIGN_TEXT_MAX])
{
	struct packer p = packer_on(out, COSIGN_TEXT_MAX);

	pack_domain(&p, cosign_domain, &net);
	pack_raw(&p, s->id.b, sizeof(s->id.b));
	ballot_pack(&p, b);
	must(pack_ok(&p));
	return p.len;
}

void
cosign_stop(struct cosignature *out, const struct stop *s, const struct ballot *b,
    struct network_id net, const struct identity *anchor)
{
	uint8_t text[COSIGN_TEXT_MAX];

	out->anchor = anchor->pub;
	crypto_sign_data(&out->sig, &anchor->sign, text, cosign_text(s, b, net, text));
}

bool
cosignature_good(const struct cosignature *c, const struct stop *s, const struct ballot *b,
    struct network_id net)
{
	uint8_t text[COSIGN_TEXT_MAX];
	size_t len = cosign_text(s, b, net, text);

	return crypto_verify(&c->sig, &c->anchor, text, len);
}

void
handover_pack(struct packer *p, const struct handover *l, struct network_id net)
{
	ballot_pack(p, &l->ballot);
	stop_pack(p, &l->stop, net);
	pack_u8(p, l->count);
	for (uint8_t i = 0; i < l->count; i++) {
		pack_raw(p, l->by[i].anchor.b, sizeof(l->by[i].anchor.b));
		pack_raw(p, l->by[i].sig.b, sizeof(l->by[i].sig.b));
	}
}

int
handover_unpack(struct unpacker *u, struct network_id net, struct handover *out)
{
	struct handover l = { .count = 0 };
	int err = ballot_unpack(u, &l.ballot);

	if (err == ERR_OK)
		err = stop_unpack(u, net, &l.stop);
	if (err != ERR_OK)
		return err;
	l.count = unpack_u8(u);
	if (u->failed || l.count == 0 || l.count > ANCHORS_MAX || l.ballot.counter == 0)
		return ERR_INVALID;
	for (uint8_t i = 0; i < l.count; i++) {
		unpack_raw(u, l.by[i].anchor.b, sizeof(l.by[i].anchor.b));
		unpack_raw(u, l.by[i].sig.b, sizeof(l.by[i].sig.b));
		if (u->failed)
			return ERR_INVALID;
		if (!cosignature_good(&l.by[i], &l.stop, &l.ballot, net))
			return ERR_AUTH;
	}
	*out = l;
	return ERR_OK;
}

bool
handover_ends(const struct handover *l, const struct configuration *c, const struct hash *bucket,
    uint64_t epoch, const struct pubkey *owner)
{
	uint8_t signers = 0; /* a mask */

	if (!stop_may_end(&l->stop, c, bucket, epoch, owner) || !configuration_valid(&l->stop.next))
		return false;
	for (uint8_t i = 0; i < l->count; i++)
		signers |= configuration_bit(c, &l->by[i].anchor);
	return mask_count(signers) >= c->quorum;
}
