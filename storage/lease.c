/*
 * Leases and receipts: fixed layouts, signed over everything before the signature.
 * Both packed forms begin with their domain and the network id, so neither can be
 * taken for the other or carried to another network.
 */
#include "storage/lease.h"

#include "overlay/base/pack.h"

static const char lease_domain[] = "skerry/lease/1";
static const char receipt_domain[] = "skerry/receipt/1";

enum constraint_flags { CONSTRAINT_FORBIDDEN = 1 };

bool
constraints_valid(const struct constraints *c)
{
	if (c->repair_at == 0 || c->countries_count > LEASE_COUNTRIES_MAX)
		return false;
	for (size_t i = 0; i < c->countries_count; i++) {
		const char *two = c->countries[i];

		if (two[0] < 'A' || two[0] > 'Z' || two[1] < 'A' || two[1] > 'Z')
			return false;
	}
	return !c->countries_forbidden || c->countries_count > 0;
}

static void
pack_constraints(struct packer *p, const struct constraints *c)
{
	pack_u8(p, c->repair_at);
	pack_u8(p, c->regions_min);
	pack_u8(p, c->per_country_max);
	pack_u8(p, c->per_operator_max);
	pack_u8(p, c->per_network_max);
	pack_u8(p, c->countries_forbidden ? CONSTRAINT_FORBIDDEN : 0);
	pack_u8(p, c->countries_count);
	for (size_t i = 0; i < c->countries_count; i++)
		pack_raw(p, c->countries[i], 2);
}

static int
unpack_constraints(struct unpacker *u, struct constraints *out)
{
	struct constraints c = { .repair_at = unpack_u8(u) };

	c.regions_min = unpack_u8(u);
	c.per_country_max = unpack_u8(u);
	c.per_operator_max = unpack_u8(u);
	c.per_network_max = unpack_u8(u);

	uint8_t flags = unpack_u8(u);

	c.countries_count = unpack_u8(u);
	if (u->failed || (flags & ~CONSTRAINT_FORBIDDEN) != 0 ||
	    c.countries_count > LEASE_COUNTRIES_MAX)
		return ERR_INVALID;
	c.countries_forbidden = (flags & CONSTRAINT_FORBIDDEN) != 0;
	for (size_t i = 0; i < c.countries_count; i++)
		unpack_raw(u, c.countries[i], 2);
	if (u->failed || !constraints_valid(&c))
		return ERR_INVALID;
	*out = c;
	return ERR_OK;
}

/* Everything that the lease's signature covers. */
static void
pack_lease_signed(struct packer *p, const struct lease *l, struct network_id net)
{
	pack_domain(p, lease_domain, &net);
	pack_raw(p, l->key.b, sizeof(l->key.b));
	pack_raw(p, l->chunk.b, sizeof(l->chunk.b));
	pack_u64(p, l->generation);
	pack_u64(p, l->until);
	pack_u64(p, l->lock_until);
	pack_constraints(p, &l->constraints);
}

void
lease_sign(
    struct lease *l, struct network_id net, const struct sign_key *key, const struct pubkey *pub)
{
	uint8_t text[LEASE_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));

	must(constraints_valid(&l->constraints));
	l->key = *pub;
	pack_lease_signed(&p, l, net);
	must(pack_ok(&p));
	crypto_sign_data(&l->sig, key, text, p.len);
}

size_t
lease_pack(const struct lease *l, struct network_id net, uint8_t *out)
{
	struct packer p = packer_on(out, LEASE_BYTES_MAX);

	pack_lease_signed(&p, l, net);
	pack_raw(&p, l->sig.b, sizeof(l->sig.b));
	must(pack_ok(&p));
	return p.len;
}

/* Layout and ranges; *covered: how many bytes the signature is over. */
static int
parse_lease(struct bytes in, struct network_id net, struct lease *out, size_t *covered)
{
	struct unpacker u = unpacker_on(in);
	int err = unpack_domain(&u, lease_domain, &net);

	*out = (struct lease){ 0 };
	if (err != ERR_OK)
		return err;
	unpack_raw(&u, out->key.b, sizeof(out->key.b));
	unpack_raw(&u, out->chunk.b, sizeof(out->chunk.b));
	out->generation = unpack_u64(&u);
	out->until = unpack_u64(&u);
	out->lock_until = unpack_u64(&u);
	/* Else the lock would outlive what it locks. */
	if (out->until != 0 && out->lock_until > out->until)
		return ERR_INVALID;
	err = unpack_constraints(&u, &out->constraints);
	if (err != ERR_OK)
		return err;
	*covered = u.pos;
	unpack_raw(&u, out->sig.b, sizeof(out->sig.b));
	return unpack_done(&u) ? ERR_OK : ERR_INVALID;
}

int
lease_unpack(struct bytes in, struct network_id net, struct lease *out)
{
	struct lease l;
	size_t covered;
	int err = parse_lease(in, net, &l, &covered);

	if (err == ERR_OK && !crypto_verify(&l.sig, &l.key, in.data, covered))
		err = ERR_AUTH;
	if (err == ERR_OK)
		*out = l;
	return err;
}

int
lease_read(struct bytes in, struct network_id net, struct lease *out)
{
	struct lease l;
	size_t covered;
	int err = parse_lease(in, net, &l, &covered);

	if (err == ERR_OK)
		*out = l;
	return err;
}

/* A clock that differs from the owner's shall not spoil a lock of just the length. */
static uint64_t
lock_granted(const struct lease_terms *terms)
{
	return terms->lock_max_s == 0 ? 0 : terms->lock_max_s + LEASE_CLOCK_SLACK_S;
}

int
lease_acceptable(const struct lease *l, const struct lease_terms *terms)
{
	uint64_t now = terms->now_unix_s;
	uint64_t most = terms->term_max_s == 0 ? LEASE_AHEAD_MAX_S : terms->term_max_s;

	if (l->until == 0) {
		bool over = l->lock_until == 0 || (terms->trusted && l->lock_until <= now);

		return over ? ERR_OK : ERR_LOCKED;
	}
	if (l->until < now && now - l->until > LEASE_CLOCK_SLACK_S)
		return ERR_REFUSED;
	if (l->until > now && l->until - now > most + LEASE_CLOCK_SLACK_S)
		return ERR_REFUSED;
	if (l->lock_until > now && l->lock_until - now > lock_granted(terms))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

struct lease_rank
lease_rank(const struct lease *l)
{
	return (struct lease_rank){ l->lock_until, l->generation };
}

bool
lease_supersedes(struct lease_rank l, struct lease_rank than)
{
	if (l.lock_until != than.lock_until)
		return l.lock_until > than.lock_until;
	return l.generation > than.generation;
}

int
lease_follows(struct lease_rank l, struct lease_rank known)
{
	if (lease_supersedes(l, known))
		return ERR_OK;
	return l.generation > known.generation ? ERR_LOCKED : ERR_STALE;
}

uint64_t
lease_packed_lock(struct bytes packed)
{
	struct unpacker u = unpacker_on(packed);
	uint64_t lock;

	/* Domain, network, key, chunk, generation, until. */
	unpack_lend(&u, sizeof(lease_domain) - 1 + 4 + 32 + 32 + 8 + 8);
	lock = unpack_u64(&u);
	return u.failed ? 0 : lock;
}

static void
pack_receipt_signed(struct packer *p, const struct receipt *r, struct network_id net)
{
	pack_domain(p, receipt_domain, &net);
	pack_raw(p, r->chunk.b, sizeof(r->chunk.b));
	pack_u8(p, r->index);
	pack_raw(p, r->lease_key.b, sizeof(r->lease_key.b));
	pack_u64(p, r->generation);
	pack_u64(p, r->until);
	pack_u64(p, r->issued);
	pack_raw(p, r->node.b, sizeof(r->node.b));
}

void
receipt_sign(struct receipt *r, struct network_id net, const struct identity *node)
{
	uint8_t text[RECEIPT_BYTES];
	struct packer p = packer_on(text, sizeof(text));

	r->node = node->pub;
	pack_receipt_signed(&p, r, net);
	must(pack_ok(&p));
	crypto_sign_data(&r->sig, &node->sign, text, p.len);
}

size_t
receipt_pack(const struct receipt *r, struct network_id net, uint8_t out[RECEIPT_BYTES])
{
	struct packer p = packer_on(out, RECEIPT_BYTES);

	pack_receipt_signed(&p, r, net);
	pack_raw(&p, r->sig.b, sizeof(r->sig.b));
	must(pack_ok(&p));
	return p.len;
}

int
receipt_unpack(struct bytes in, struct network_id net, struct receipt *out)
{
	struct unpacker u = unpacker_on(in);
	struct receipt r = { 0 };
	int err = unpack_domain(&u, receipt_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(&u, r.chunk.b, sizeof(r.chunk.b));
	r.index = unpack_u8(&u);
	unpack_raw(&u, r.lease_key.b, sizeof(r.lease_key.b));
	r.generation = unpack_u64(&u);
	r.until = unpack_u64(&u);
	r.issued = unpack_u64(&u);
	unpack_raw(&u, r.node.b, sizeof(r.node.b));

	size_t covered = u.pos;

	unpack_raw(&u, r.sig.b, sizeof(r.sig.b));
	if (!unpack_done(&u))
		return ERR_INVALID;
	if (!crypto_verify(&r.sig, &r.node, in.data, covered))
		return ERR_AUTH;
	*out = r;
	return ERR_OK;
}
