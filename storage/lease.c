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
parse_lease(struct unpacker *from, struct network_id net, struct lease *out, size_t *covered)
{
	struct unpacker u = *from;
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
	*from = u;
	return u.failed ? ERR_INVALID : ERR_OK;
}

int
lease_unpack(struct bytes in, struct network_id net, struct lease *out)
{
	struct unpacker u = unpacker_on(in);
	struct lease l;
	size_t covered;
	int err = parse_lease(&u, net, &l, &covered);

	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	if (err == ERR_OK && !crypto_verify(&l.sig, &l.key, in.data, covered))
		err = ERR_AUTH;
	if (err == ERR_OK)
		*out = l;
	return err;
}

/* ---- as a node keeps it ---- */

enum note_flags { NOTE_GRANTED = 1 };

/* Where the fields lie that are read without looking at the rest. */
#define AT_UNTIL     (sizeof(lease_domain) - 1 + 4 + 32 + 32 + 8)
#define AT_COUNTRIES (AT_UNTIL + 8 + 8 + 6)

static bool
nobody(const struct pubkey *owner)
{
	return pubkey_equal(owner, &(struct pubkey){ { 0 } });
}

bool
lease_note_empty(const struct lease_note *n)
{
	return n->promised == 0 && n->group == 0 && !n->granted && nobody(&n->owner);
}

void
lease_note_join(struct lease_note *n, const struct lease_note *known)
{
	if (nobody(&n->owner)) {
		n->owner = known->owner;
		n->group = n->group == 0 ? known->group : n->group;
	}
	if (!n->granted && known->granted) {
		n->granted = true;
		n->grant = known->grant;
	}
}

static void
pack_note(struct packer *p, const struct lease_note *n)
{
	pack_u8(p, n->granted ? NOTE_GRANTED : 0);
	pack_u64(p, n->promised);
	pack_u64(p, n->group);
	pack_raw(p, n->owner.b, sizeof(n->owner.b));
	if (n->granted)
		pack_raw(p, n->grant.b, sizeof(n->grant.b));
}

/* Nothing behind the lease is an empty note. */
static int
unpack_note(struct unpacker *u, struct lease_note *out)
{
	struct lease_note n = { 0 };
	uint8_t flags;

	if (unpack_left(u) == 0) {
		*out = n;
		return ERR_OK;
	}
	flags = unpack_u8(u);
	n.promised = unpack_u64(u);
	n.group = unpack_u64(u);
	unpack_raw(u, n.owner.b, sizeof(n.owner.b));
	n.granted = (flags & NOTE_GRANTED) != 0;
	if (n.granted)
		unpack_raw(u, n.grant.b, sizeof(n.grant.b));
	if (!unpack_done(u) || (flags & ~NOTE_GRANTED) != 0)
		return ERR_INVALID;
	*out = n;
	return ERR_OK;
}

/* Behind the lease in out, where it says anything; how long both are. */
static size_t
put_note(uint8_t *out, size_t lease, const struct lease_note *n)
{
	struct packer p = packer_on(out + lease, LEASE_NOTE_BYTES);

	must(lease <= LEASE_BYTES_MAX);
	if (!lease_note_empty(n))
		pack_note(&p, n);
	must(pack_ok(&p));
	return lease + p.len;
}

size_t
lease_keep(const struct lease *l, struct network_id net, uint8_t *out)
{
	return put_note(out, lease_pack(l, net, out), &l->note);
}

int
lease_read(struct bytes kept, struct network_id net, struct lease *out)
{
	struct unpacker u = unpacker_on(kept);
	struct lease l;
	size_t covered;
	int err = parse_lease(&u, net, &l, &covered);

	if (err == ERR_OK)
		err = unpack_note(&u, &l.note);
	if (err == ERR_OK)
		*out = l;
	return err;
}

static uint64_t
u64_at(struct bytes kept, size_t at)
{
	struct unpacker u = unpacker_on(kept);
	uint64_t v;

	unpack_lend(&u, at);
	v = unpack_u64(&u);
	return u.failed ? 0 : v;
}

/* How much of a kept form is the lease; 0: it is none. */
static size_t
lease_part(struct bytes kept)
{
	size_t len;

	if (kept.len <= AT_COUNTRIES)
		return 0;
	len = AT_COUNTRIES + 1 + 2 * (size_t)kept.data[AT_COUNTRIES] + sizeof(struct sig);
	return len <= MIN(kept.len, (size_t)LEASE_BYTES_MAX) ? len : 0;
}

static int
note_of(struct bytes kept, struct lease_note *out)
{
	size_t lease = lease_part(kept);
	struct unpacker u = unpacker_on(bytes_of(kept.data + lease, kept.len - lease));

	return lease == 0 ? ERR_INVALID : unpack_note(&u, out);
}

uint64_t
lease_kept_until(struct bytes kept)
{
	return u64_at(kept, AT_UNTIL);
}

uint64_t
lease_kept_lock(struct bytes kept)
{
	return u64_at(kept, AT_UNTIL + 8);
}

uint64_t
lease_kept_promised(struct bytes kept)
{
	struct lease_note n = { 0 };

	(void)note_of(kept, &n); /* without one the lease's own date is what there is */
	return MAX(n.promised, lease_kept_until(kept));
}

size_t
lease_kept_join(struct bytes winner, struct bytes loser, uint8_t out[LEASE_KEPT_MAX])
{
	size_t lease = lease_part(winner);
	struct lease_note n, old;

	if (note_of(winner, &n) != ERR_OK || note_of(loser, &old) != ERR_OK)
		return 0;
	n.promised = MAX(lease_kept_promised(winner), lease_kept_promised(loser));
	if (n.promised == lease_kept_until(winner))
		n.promised = 0;
	lease_note_join(&n, &old);
	memcpy(out, winner.data, lease);
	return put_note(out, lease, &n);
}

size_t
lease_kept_promise(struct bytes kept, uint64_t promised, uint8_t out[LEASE_KEPT_MAX])
{
	size_t lease = lease_part(kept);
	struct lease_note n;

	if (note_of(kept, &n) != ERR_OK)
		return 0;
	n.promised = promised;
	memcpy(out, kept.data, lease);
	return put_note(out, lease, &n);
}

/* ---- what is promised ---- */

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
