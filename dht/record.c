/*
 * Fixed layouts, signed over the bytes as they are. What comes from outside goes through
 * record_read, which refuses every other length, order or version; *_open reads
 * what record_read has let through. Integers are big-endian.
 *
 *	location: "skerry/location/1", net 4, P 32, publisher 32, sequence u64, count u8,
 *	          count × {index u8, prefix 8}, signature by P, signature by the publisher
 *	signed:   "skerry/signed/1", net 4, owner 32, salt 16, sequence u64, length u16, value,
 *	          signature by the owner
 *	peer:     overlay/peer_record.h
 *
 * The publisher's signature covers P's, so that nobody can put another publisher's name under
 * a location that P's key has made.
 */
#include "dht/record.h"

#include "overlay/base/err.h"
#include "overlay/base/pack.h"
#include "overlay/peer_record.h"

#define LOCATION_DOMAIN     "skerry/location/1"
#define LOCATION_KEY_DOMAIN "skerry/location-key/1"
#define LOCATION_SEED_LABEL "skerry location"
#define SIGNED_DOMAIN       "skerry/signed/1"
#define SIGNED_KEY_DOMAIN   "skerry/signed-key/1"
#define DOMAIN_COMMON       "skerry/" /* before the type: tells a record from noise */

#define HOLDER_BYTES       9
#define LOCATION_BYTES_MAX (17 + 4 + 32 + 32 + 8 + 1 + HOLDER_BYTES * RECORD_HOLDERS_MAX + 2 * 64)
#define SIGNED_BYTES_MAX   (15 + 4 + 32 + 16 + 8 + 2 + RECORD_SIGNED_VALUE_MAX + 64)
_Static_assert(LOCATION_BYTES_MAX <= RECORD_BYTES_MAX, "a location fits a record");
_Static_assert(SIGNED_BYTES_MAX <= RECORD_BYTES_MAX, "a signed value fits a record");
_Static_assert(PEER_RECORD_BYTES_MAX <= RECORD_BYTES_MAX, "a peer record fits a record");

static bool
has_domain(struct bytes in, const char *domain)
{
	size_t len = strlen(domain);

	return in.len >= len && memcmp(in.data, domain, len) == 0;
}

static void
read_net(struct unpacker *u, struct network_id *out)
{
	unpack_raw(u, out->b, sizeof(out->b));
}

static void
record_set(struct record *out, enum record_kind kind, struct bytes in)
{
	out->kind = kind;
	out->len = (uint16_t)in.len;
	memcpy(out->bytes, in.data, in.len);
}

/* ---- location ---- */

static void
point_key(struct network_id net, const struct pubkey *point, struct id *out)
{
	uint8_t bytes[64];
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct hash h;

	pack_domain(&p, LOCATION_KEY_DOMAIN, &net);
	pack_raw(&p, point->b, sizeof(point->b));
	must(pack_ok(&p));
	crypto_sha256(&h, bytes, p.len);
	memcpy(out->b, h.b, sizeof(out->b));
}

/* P: who knows the chunk's id has this key, nobody else. */
static void
point_of_chunk(
    struct network_id net, const struct hash *chunk, struct sign_key *secret, struct pubkey *point)
{
	uint8_t of_net[32] = { 0 };
	struct key parent, seed;

	memcpy(parent.b, chunk->b, sizeof(parent.b));
	memcpy(of_net, net.b, sizeof(net.b));
	crypto_derive(&seed, &parent, LOCATION_SEED_LABEL, of_net);
	crypto_sign_key_from_seed(&seed, secret, point);
	crypto_wipe(&parent, sizeof(parent));
	crypto_wipe(&seed, sizeof(seed));
}

void
location_key(struct network_id net, const struct hash *chunk, struct id *out)
{
	struct sign_key secret;
	struct pubkey point;

	point_of_chunk(net, chunk, &secret, &point);
	crypto_wipe(&secret, sizeof(secret));
	point_key(net, &point, out);
}

/* Holders are ascending by (index, prefix): one set has one form, and none counts twice. */
static bool
holders_ascend(const struct location *l)
{
	for (size_t i = 1; i < l->count; i++) {
		const struct holder *a = &l->holders[i - 1], *b = &l->holders[i];

		if (a->index > b->index ||
		    (a->index == b->index && memcmp(a->prefix, b->prefix, sizeof(a->prefix)) >= 0))
			return false;
	}
	return true;
}

static void
holders_sort(struct location *l)
{
	for (size_t i = 1; i < l->count; i++) {
		struct holder h = l->holders[i];
		size_t j = i;

		for (; j > 0; j--) {
			const struct holder *before = &l->holders[j - 1];

			if (before->index < h.index ||
			    (before->index == h.index &&
				memcmp(before->prefix, h.prefix, sizeof(h.prefix)) <= 0))
				break;
			l->holders[j] = *before;
		}
		l->holders[j] = h;
	}
}

int
location_make(struct network_id net, const struct hash *chunk, const struct location *l,
    const struct identity *publisher, struct record *out)
{
	uint8_t bytes[LOCATION_BYTES_MAX];
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct location sorted = *l;
	struct sign_key secret;
	struct pubkey point;
	struct sig sig;

	if (l->count == 0 || l->count > RECORD_HOLDERS_MAX)
		return ERR_INVALID;
	holders_sort(&sorted);
	if (!holders_ascend(&sorted))
		return ERR_INVALID;
	point_of_chunk(net, chunk, &secret, &point);
	pack_domain(&p, LOCATION_DOMAIN, &net);
	pack_raw(&p, point.b, sizeof(point.b));
	pack_raw(&p, publisher->pub.b, sizeof(publisher->pub.b));
	pack_u64(&p, l->sequence);
	pack_u8(&p, l->count);
	for (size_t i = 0; i < l->count; i++) {
		pack_u8(&p, sorted.holders[i].index);
		pack_raw(&p, sorted.holders[i].prefix, sizeof(sorted.holders[i].prefix));
	}
	crypto_sign_data(&sig, &secret, bytes, p.len);
	crypto_wipe(&secret, sizeof(secret));
	pack_raw(&p, sig.b, sizeof(sig.b));
	crypto_sign_data(&sig, &publisher->sign, bytes, p.len);
	pack_raw(&p, sig.b, sizeof(sig.b));
	must(pack_ok(&p));

	record_set(out, RECORD_LOCATION, bytes_of(bytes, p.len));
	point_key(net, &point, &out->key);
	out->publisher = publisher->pub;
	out->sequence = l->sequence;
	return ERR_OK;
}

/* Layout only; *signed_len: what P's signature covers. */
static int
location_unpack(struct bytes in, struct network_id *net, struct pubkey *point,
    struct pubkey *publisher, struct location *out, size_t *signed_len)
{
	struct unpacker u = unpacker_on(in);

	unpack_expect(&u, LOCATION_DOMAIN);
	read_net(&u, net);
	unpack_raw(&u, point->b, sizeof(point->b));
	unpack_raw(&u, publisher->b, sizeof(publisher->b));
	out->sequence = unpack_u64(&u);
	out->count = unpack_u8(&u);
	if (u.failed || out->count == 0 || out->count > RECORD_HOLDERS_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < out->count; i++) {
		out->holders[i].index = unpack_u8(&u);
		unpack_raw(&u, out->holders[i].prefix, sizeof(out->holders[i].prefix));
	}
	*signed_len = u.pos;
	(void)unpack_lend(&u, 2 * sizeof(struct sig));
	if (!unpack_done(&u) || !holders_ascend(out))
		return ERR_INVALID;
	return ERR_OK;
}

static int
location_read(struct bytes in, struct network_id net, struct record *out)
{
	struct network_id of;
	struct pubkey point, publisher;
	struct location l;
	struct sig by_point, by_publisher;
	size_t len;
	int err = location_unpack(in, &of, &point, &publisher, &l, &len);

	if (err != ERR_OK)
		return err;
	if (memcmp(of.b, net.b, sizeof(of.b)) != 0)
		return ERR_WRONG_NETWORK;
	memcpy(by_point.b, in.data + len, sizeof(by_point.b));
	memcpy(by_publisher.b, in.data + len + sizeof(by_point.b), sizeof(by_publisher.b));
	if (!crypto_verify(&by_point, &point, in.data, len) ||
	    !crypto_verify(&by_publisher, &publisher, in.data, len + sizeof(by_point.b)))
		return ERR_AUTH;
	record_set(out, RECORD_LOCATION, in);
	point_key(net, &point, &out->key);
	out->publisher = publisher;
	out->sequence = l.sequence;
	return ERR_OK;
}

int
location_open(const struct record *r, struct location *out)
{
	struct network_id net;
	struct pubkey point, publisher;
	struct location l = { 0 };
	size_t len;
	int err = r->kind == RECORD_LOCATION ? location_unpack(bytes_of(r->bytes, r->len), &net,
						   &point, &publisher, &l, &len)
					     : ERR_INVALID;

	if (err == ERR_OK)
		*out = l;
	return err;
}

/* ---- signed ---- */

void
signed_key(const struct pubkey *owner, const uint8_t salt[16], struct id *out)
{
	struct bytes parts[] = { bytes_of(SIGNED_KEY_DOMAIN, strlen(SIGNED_KEY_DOMAIN)),
		bytes_of(owner->b, sizeof(owner->b)), bytes_of(salt, 16) };
	struct hash h;

	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	memcpy(out->b, h.b, sizeof(out->b));
}

int
signed_make(struct network_id net, const struct sign_key *key, const struct signed_value *v,
    struct record *out)
{
	uint8_t bytes[SIGNED_BYTES_MAX];
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct sig sig;

	if (v->len > RECORD_SIGNED_VALUE_MAX)
		return ERR_TOO_BIG;
	pack_domain(&p, SIGNED_DOMAIN, &net);
	pack_raw(&p, v->owner.b, sizeof(v->owner.b));
	pack_raw(&p, v->salt, sizeof(v->salt));
	pack_u64(&p, v->sequence);
	pack_u16(&p, v->len);
	pack_raw(&p, v->value, v->len);
	crypto_sign_data(&sig, key, bytes, p.len);
	/* A key that is not the owner's would make a record that everybody refuses. */
	if (!crypto_verify(&sig, &v->owner, bytes, p.len))
		return ERR_AUTH;
	pack_raw(&p, sig.b, sizeof(sig.b));
	must(pack_ok(&p));

	record_set(out, RECORD_SIGNED, bytes_of(bytes, p.len));
	signed_key(&v->owner, v->salt, &out->key);
	out->publisher = v->owner;
	out->sequence = v->sequence;
	return ERR_OK;
}

static int
signed_unpack(struct bytes in, struct network_id *net, struct signed_value *out, size_t *signed_len)
{
	struct unpacker u = unpacker_on(in);

	unpack_expect(&u, SIGNED_DOMAIN);
	read_net(&u, net);
	unpack_raw(&u, out->owner.b, sizeof(out->owner.b));
	unpack_raw(&u, out->salt, sizeof(out->salt));
	out->sequence = unpack_u64(&u);
	out->len = unpack_u16(&u);
	if (u.failed || out->len > RECORD_SIGNED_VALUE_MAX)
		return ERR_INVALID;
	unpack_raw(&u, out->value, out->len);
	*signed_len = u.pos;
	(void)unpack_lend(&u, sizeof(struct sig));
	return unpack_done(&u) ? ERR_OK : ERR_INVALID;
}

static int
signed_read(struct bytes in, struct network_id net, struct record *out)
{
	struct network_id of;
	struct signed_value v;
	struct sig sig;
	size_t len;
	int err = signed_unpack(in, &of, &v, &len);

	if (err != ERR_OK)
		return err;
	if (memcmp(of.b, net.b, sizeof(of.b)) != 0)
		return ERR_WRONG_NETWORK;
	memcpy(sig.b, in.data + len, sizeof(sig.b));
	if (!crypto_verify(&sig, &v.owner, in.data, len))
		return ERR_AUTH;
	record_set(out, RECORD_SIGNED, in);
	signed_key(&v.owner, v.salt, &out->key);
	out->publisher = v.owner;
	out->sequence = v.sequence;
	return ERR_OK;
}

int
signed_open(const struct record *r, struct signed_value *out)
{
	struct network_id net;
	struct signed_value v = { .len = 0 };
	size_t len;
	int err = r->kind == RECORD_SIGNED
		      ? signed_unpack(bytes_of(r->bytes, r->len), &net, &v, &len)
		      : ERR_INVALID;

	if (err == ERR_OK)
		*out = v;
	return err;
}

/* ---- all kinds ---- */

static int
peer_read(struct bytes in, struct network_id net, struct record *out)
{
	struct peer_record peer;
	int err = peer_record_unpack(in, &net, &peer);

	if (err != ERR_OK)
		return err;
	record_set(out, RECORD_PEER, in);
	id_of_pubkey(&peer.pub, &out->key);
	out->publisher = peer.pub;
	out->sequence = peer.sequence;
	return ERR_OK;
}

int
record_read(struct bytes in, struct network_id net, struct record *out)
{
	if (in.len > RECORD_BYTES_MAX)
		return ERR_TOO_BIG;
	if (has_domain(in, LOCATION_DOMAIN))
		return location_read(in, net, out);
	if (has_domain(in, SIGNED_DOMAIN))
		return signed_read(in, net, out);
	if (has_domain(in, "skerry/peer/"))
		return peer_read(in, net, out);
	return has_domain(in, DOMAIN_COMMON) ? ERR_VERSION : ERR_INVALID;
}
