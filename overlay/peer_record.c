/*
 * A record is packed as it is signed and verified as it was received. Both
 * directions go through record_valid(), so a node cannot sign what others
 * would refuse, and every value has one form: unpacking and packing again
 * gives the same bytes.
 */
#include "overlay/peer_record.h"

#include <assert.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define RECORD_DOMAIN   "skerry/peer/1"
#define OPERATOR_DOMAIN "skerry/operator/1"

/* Everything at its longest: it must fit in what the DHT keeps. */
#define RECORD_LONGEST                                                                             \
	(sizeof(RECORD_DOMAIN) - 1 + 4 + 32 + 4 + 1 + PEER_RECORD_ADDRS_MAX * ADDR_PACKED_BYTES +  \
	    2 + 1 + PEER_REGION_MAX + 1 + 32 + 64 + 8 + 8 + 2 + 2 + 1 + PEER_SOFTWARE_MAX + 8 +    \
	    8 + 64)
static_assert(RECORD_LONGEST <= PEER_RECORD_BYTES_MAX, "a full record fits");

/* ---- the operator's word ---- */

#define COUNTERSIGNED_BYTES (sizeof(OPERATOR_DOMAIN) - 1 + 4 + 32)

static void
countersigned_text(
    const struct network_id *net, const struct pubkey *node, uint8_t out[COUNTERSIGNED_BYTES])
{
	struct packer p = packer_on(out, COUNTERSIGNED_BYTES);

	pack_domain(&p, OPERATOR_DOMAIN, net);
	pack_raw(&p, node->b, sizeof(node->b));
	must(pack_ok(&p) && p.len == COUNTERSIGNED_BYTES);
}

void
peer_record_countersign(const struct sign_key *operator_key, const struct network_id *net,
    const struct pubkey *node, struct sig *out)
{
	uint8_t text[COUNTERSIGNED_BYTES];

	countersigned_text(net, node, text);
	crypto_sign_data(out, operator_key, text, sizeof(text));
}

static bool
countersigned_ok(const struct peer_record *r, const struct network_id *net)
{
	uint8_t text[COUNTERSIGNED_BYTES];

	countersigned_text(net, &r->pub, text);
	return crypto_verify(&r->operator_sig, &r->operator_key, text, sizeof(text));
}

/* ---- rules ---- */

static bool
printable(const char *text, size_t max, char least)
{
	size_t len = strnlen(text, max + 1);

	for (size_t i = 0; i < len; i++) {
		if (text[i] < least || text[i] > '~')
			return false;
	}
	return len <= max;
}

static bool
country_valid(const char c[2])
{
	return (c[0] == '\0' && c[1] == '\0') ||
	       (c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z');
}

static bool
record_valid(const struct peer_record *r)
{
	if (r->addrs_count > PEER_RECORD_ADDRS_MAX)
		return false;
	for (size_t i = 0; i < r->addrs_count; i++) {
		const struct addr *a = &r->addrs[i];

		if (!addr_valid(a) || a->family == ADDR_NONE || a->port == 0)
			return false;
	}
	/* Two ways to say "my own operator" would be two forms of one record. */
	return r->countersigned != pubkey_equal(&r->operator_key, &r->pub) &&
	       country_valid(r->country) && printable(r->region, PEER_REGION_MAX, '!') &&
	       printable(r->software, PEER_SOFTWARE_MAX, ' ') &&
	       r->free_bytes <= r->capacity_bytes && r->version_min >= 1 &&
	       r->version_min <= r->version_max;
}

/* ---- packing ---- */

int
peer_record_pack(const struct peer_record *r, const struct identity *who,
    const struct network_id *net, uint8_t *out, size_t cap, size_t *out_len)
{
	struct packer p = packer_on(out, MIN(cap, (size_t)PEER_RECORD_BYTES_MAX));
	struct sig sig;

	must(pubkey_equal(&r->pub, &who->pub));
	if (!record_valid(r) || (r->countersigned && !countersigned_ok(r, net)))
		return ERR_INVALID;
	pack_domain(&p, RECORD_DOMAIN, net);
	pack_raw(&p, r->pub.b, sizeof(r->pub.b));
	pack_u32(&p, r->roles);
	pack_u8(&p, r->addrs_count);
	for (size_t i = 0; i < r->addrs_count; i++)
		addr_pack(&p, &r->addrs[i]);
	pack_raw(&p, r->country, sizeof(r->country));
	pack_text(&p, r->region);
	pack_u8(&p, r->countersigned);
	if (r->countersigned) {
		pack_raw(&p, r->operator_key.b, sizeof(r->operator_key.b));
		pack_raw(&p, r->operator_sig.b, sizeof(r->operator_sig.b));
	}
	pack_u64(&p, r->free_bytes);
	pack_u64(&p, r->capacity_bytes);
	pack_u16(&p, r->version_min);
	pack_u16(&p, r->version_max);
	pack_text(&p, r->software);
	pack_u64(&p, r->sequence);
	pack_u64(&p, r->issued_ms);
	if (!pack_ok(&p))
		return ERR_TOO_BIG;
	crypto_sign_data(&sig, &who->sign, out, p.len);
	pack_raw(&p, sig.b, sizeof(sig.b));
	if (!pack_ok(&p))
		return ERR_TOO_BIG;
	*out_len = p.len;
	return ERR_OK;
}

/* ---- unpacking ---- */

/* From behind the domain to before the signature. */
static void
unpack_fields(struct unpacker *u, struct peer_record *r)
{
	unpack_raw(u, r->pub.b, sizeof(r->pub.b));
	r->roles = unpack_u32(u);
	r->addrs_count = unpack_u8(u);
	if (r->addrs_count > PEER_RECORD_ADDRS_MAX) {
		u->failed = true;
		return;
	}
	for (size_t i = 0; i < r->addrs_count; i++)
		addr_unpack(u, &r->addrs[i]);
	unpack_raw(u, r->country, sizeof(r->country));
	unpack_text(u, r->region, sizeof(r->region));

	uint8_t countersigned = unpack_u8(u);

	if (countersigned > 1)
		u->failed = true;
	r->countersigned = countersigned == 1;
	r->operator_key = r->pub;
	if (r->countersigned) {
		unpack_raw(u, r->operator_key.b, sizeof(r->operator_key.b));
		unpack_raw(u, r->operator_sig.b, sizeof(r->operator_sig.b));
	}
	r->free_bytes = unpack_u64(u);
	r->capacity_bytes = unpack_u64(u);
	r->version_min = unpack_u16(u);
	r->version_max = unpack_u16(u);
	unpack_text(u, r->software, sizeof(r->software));
	r->sequence = unpack_u64(u);
	r->issued_ms = unpack_u64(u);
}

int
peer_record_unpack(struct bytes in, const struct network_id *net, struct peer_record *out)
{
	struct unpacker u = unpacker_on(in);
	struct peer_record r = { 0 };
	struct sig sig;

	if (in.len > PEER_RECORD_BYTES_MAX)
		return ERR_TOO_BIG;

	int err = unpack_domain(&u, RECORD_DOMAIN, net);

	if (err != ERR_OK)
		return err;
	unpack_fields(&u, &r);

	size_t signed_len = u.pos;

	unpack_raw(&u, sig.b, sizeof(sig.b));
	if (!unpack_done(&u) || !record_valid(&r))
		return ERR_INVALID;
	if (!crypto_verify(&sig, &r.pub, in.data, signed_len) ||
	    (r.countersigned && !countersigned_ok(&r, net)))
		return ERR_AUTH;
	*out = r;
	return ERR_OK;
}
