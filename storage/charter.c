/* Counting and comparing of members, and the layout of what the owner signs. */
#include "storage/charter.h"

static const char charter_domain[] = "skerry/charter/1";
static const char bucket_domain[] = "skerry/bucket/1";

uint8_t
quorum_of(uint8_t anchors_count)
{
	switch (anchors_count) {
	case 3:
		return 2;
	case 5:
		return 3;
	case 7:
		return 5;
	default:
		return 0;
	}
}

uint8_t
liars_of(uint8_t anchors_count)
{
	return anchors_count == 7 ? 2 : 0;
}

static_assert(2 * 2 > 3 + 0 && 2 * 3 > 5 + 0 && 2 * 5 > 7 + 2, "quorums share an honest anchor");
static_assert(7 - 2 >= 5, "two liars that are silent stop nobody");

/* ---- members ---- */

int
configuration_anchor(const struct configuration *c, const struct pubkey *key)
{
	for (uint8_t i = 0; i < c->anchors_count; i++)
		if (pubkey_equal(&c->anchors[i].key, key))
			return i;
	return -1;
}

uint8_t
configuration_bit(const struct configuration *c, const struct pubkey *key)
{
	int at = configuration_anchor(c, key);

	return at < 0 ? 0 : (uint8_t)(1 << at);
}

bool
configuration_member(const struct configuration *c, const struct anchor *a)
{
	int at = configuration_anchor(c, &a->key);

	return at >= 0 && c->anchors[at].incarnation == a->incarnation;
}

bool
configuration_writer(const struct configuration *c, const struct pubkey *key)
{
	for (uint8_t i = 0; i < c->writers_count; i++)
		if (pubkey_equal(&c->writers[i], key))
			return true;
	return false;
}

bool
configuration_valid(const struct configuration *c)
{
	if (c->quorum == 0 || c->quorum != quorum_of(c->anchors_count) || c->writers_count == 0 ||
	    c->writers_count > WRITERS_MAX)
		return false;
	/* The first with a key is found first, so a second with it is not itself. */
	for (uint8_t i = 0; i < c->anchors_count; i++)
		if (configuration_anchor(c, &c->anchors[i].key) != i ||
		    configuration_writer(c, &c->anchors[i].key))
			return false;
	for (uint8_t i = 0; i < c->writers_count; i++)
		for (uint8_t j = 0; j < i; j++)
			if (pubkey_equal(&c->writers[i], &c->writers[j]))
				return false;
	return true;
}

static bool
anchor_equal(const struct anchor *a, const struct anchor *b)
{
	return a->incarnation == b->incarnation && pubkey_equal(&a->key, &b->key);
}

bool
configuration_equal(const struct configuration *a, const struct configuration *b)
{
	if (a->number != b->number || a->anchors_count != b->anchors_count ||
	    a->quorum != b->quorum || a->writers_count != b->writers_count)
		return false;
	for (uint8_t i = 0; i < a->anchors_count; i++)
		if (!anchor_equal(&a->anchors[i], &b->anchors[i]))
			return false;
	for (uint8_t i = 0; i < a->writers_count; i++)
		if (!pubkey_equal(&a->writers[i], &b->writers[i]))
			return false;
	return true;
}

bool
configuration_same_writers(const struct configuration *a, const struct configuration *b)
{
	if (a->writers_count != b->writers_count)
		return false;
	for (uint8_t i = 0; i < a->writers_count; i++)
		if (!configuration_writer(b, &a->writers[i]))
			return false;
	return true;
}

bool
configuration_replaces_one(const struct configuration *c, const struct configuration *next)
{
	uint8_t kept = 0;

	if (!configuration_valid(next) || next->number != c->number + 1 ||
	    next->anchors_count != c->anchors_count || !configuration_same_writers(c, next))
		return false;
	for (uint8_t i = 0; i < next->anchors_count; i++)
		if (configuration_member(c, &next->anchors[i]))
			kept++;
	return kept == c->anchors_count - 1;
}

void
configuration_pack(struct packer *p, const struct configuration *c)
{
	pack_u32(p, c->number);
	pack_u8(p, c->anchors_count);
	pack_u8(p, c->quorum);
	pack_u8(p, c->writers_count);
	for (uint8_t i = 0; i < c->anchors_count; i++) {
		pack_raw(p, c->anchors[i].key.b, sizeof(c->anchors[i].key.b));
		pack_u64(p, c->anchors[i].incarnation);
	}
	for (uint8_t i = 0; i < c->writers_count; i++)
		pack_raw(p, c->writers[i].b, sizeof(c->writers[i].b));
}

int
configuration_unpack(struct unpacker *u, struct configuration *out)
{
	struct configuration c = { .number = unpack_u32(u) };

	c.anchors_count = unpack_u8(u);
	c.quorum = unpack_u8(u);
	c.writers_count = unpack_u8(u);
	if (u->failed || c.anchors_count > ANCHORS_MAX || c.writers_count > WRITERS_MAX)
		return ERR_INVALID;
	for (uint8_t i = 0; i < c.anchors_count; i++) {
		unpack_raw(u, c.anchors[i].key.b, sizeof(c.anchors[i].key.b));
		c.anchors[i].incarnation = unpack_u64(u);
	}
	for (uint8_t i = 0; i < c.writers_count; i++)
		unpack_raw(u, c.writers[i].b, sizeof(c.writers[i].b));
	if (u->failed || !configuration_valid(&c))
		return ERR_INVALID;
	*out = c;
	return ERR_OK;
}

/* ---- the charter ---- */

void
bucket_id(const struct pubkey *owner, const uint8_t salt[16], struct hash *out)
{
	struct bytes parts[] = { bytes_of(bucket_domain, sizeof(bucket_domain) - 1),
		bytes_of(owner->b, sizeof(owner->b)), bytes_of(salt, 16) };

	crypto_sha256_parts(out, parts, ARRAY_LEN(parts));
}

static void
pack_signed(struct packer *p, const struct charter *c, struct network_id net)
{
	pack_domain(p, charter_domain, &net);
	pack_raw(p, c->owner.b, sizeof(c->owner.b));
	pack_raw(p, c->salt, sizeof(c->salt));
	pack_u64(p, c->epoch);
	pack_u64(p, c->base_seq);
	pack_raw(p, c->base.b, sizeof(c->base.b));
	configuration_pack(p, &c->founding);
	pack_u32(p, c->rules.silent_s);
	pack_u8(p, c->rules.regions_min);
	pack_u8(p, c->rules.per_country_max);
	pack_u8(p, c->rules.per_operator_max);
	pack_u8(p, c->rules.per_network_max);
}

static bool
charter_valid(const struct charter *c)
{
	static const struct hash none;

	return c->epoch > 0 && c->founding.number == 0 &&
	       (c->base_seq > 0) == !hash_equal(&c->base, &none) && c->base_seq < UINT64_MAX / 4 &&
	       c->rules.silent_s >= SILENT_S_MIN && c->rules.silent_s <= SILENT_S_MAX &&
	       c->rules.regions_min <= ANCHORS_MAX && c->rules.per_country_max <= ANCHORS_MAX &&
	       c->rules.per_operator_max <= ANCHORS_MAX && c->rules.per_network_max <= ANCHORS_MAX;
}

void
charter_sign(
    struct charter *c, struct network_id net, const struct sign_key *key, const struct pubkey *pub)
{
	uint8_t text[CHARTER_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));

	c->owner = *pub;
	bucket_id(&c->owner, c->salt, &c->bucket);
	must(charter_valid(c) && configuration_valid(&c->founding));
	pack_signed(&p, c, net);
	must(pack_ok(&p));
	crypto_sign_data(&c->sig, key, text, p.len);
	crypto_sha256(&c->id, text, p.len);
}

size_t
charter_pack(const struct charter *c, struct network_id net, uint8_t out[CHARTER_BYTES_MAX])
{
	struct packer p = packer_on(out, CHARTER_BYTES_MAX);

	pack_signed(&p, c, net);
	pack_raw(&p, c->sig.b, sizeof(c->sig.b));
	must(pack_ok(&p));
	return p.len;
}

int
charter_unpack(struct bytes in, struct network_id net, struct charter *out)
{
	struct unpacker u = unpacker_on(in);
	struct charter c = { .epoch = 0 };
	int err = unpack_domain(&u, charter_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(&u, c.owner.b, sizeof(c.owner.b));
	unpack_raw(&u, c.salt, sizeof(c.salt));
	c.epoch = unpack_u64(&u);
	c.base_seq = unpack_u64(&u);
	unpack_raw(&u, c.base.b, sizeof(c.base.b));
	err = configuration_unpack(&u, &c.founding);
	c.rules.silent_s = unpack_u32(&u);
	c.rules.regions_min = unpack_u8(&u);
	c.rules.per_country_max = unpack_u8(&u);
	c.rules.per_operator_max = unpack_u8(&u);
	c.rules.per_network_max = unpack_u8(&u);

	size_t covered = u.pos;

	unpack_raw(&u, c.sig.b, sizeof(c.sig.b));
	if (err != ERR_OK || !unpack_done(&u) || !charter_valid(&c))
		return ERR_INVALID;
	if (!crypto_verify(&c.sig, &c.owner, in.data, covered))
		return ERR_AUTH;
	bucket_id(&c.owner, c.salt, &c.bucket);
	crypto_sha256(&c.id, in.data, covered);
	*out = c;
	return ERR_OK;
}
