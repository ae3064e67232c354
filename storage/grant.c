/* Sealing keeps the owner unknown, the signature inside keeps him from being imitated. */
#include "storage/grant.h"

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char grant_domain[] = "skerry/grant/1";
static const char seal_domain[] = "skerry/grant-key/1";

#define SIGNED_BYTES (sizeof(grant_domain) - 1 + 4 + 32 + 32)

static_assert(GRANT_BYTES == 104, "in doc/protocol.md");

static size_t
signed_text(uint8_t out[SIGNED_BYTES], struct network_id net, const struct pubkey *owner,
    const struct pubkey *lease_key)
{
	struct packer p = packer_on(out, SIGNED_BYTES);

	pack_domain(&p, grant_domain, &net);
	pack_raw(&p, owner->b, sizeof(owner->b));
	pack_raw(&p, lease_key->b, sizeof(lease_key->b));
	must(pack_ok(&p));
	return p.len;
}

static void
seal_key(struct key *out, struct network_id net, const struct pubkey *owner)
{
	uint8_t text[sizeof(seal_domain) - 1 + 4];
	struct packer p = packer_on(text, sizeof(text));
	struct hash h;

	pack_domain(&p, seal_domain, &net);
	must(pack_ok(&p));
	crypto_hmac(&h, owner->b, sizeof(owner->b), text, p.len);
	memcpy(out->b, h.b, sizeof(out->b));
}

void
grant_make(struct grant *out, struct network_id net, const struct sign_key *owner_key,
    const struct pubkey *owner, const struct pubkey *lease_key,
    const uint8_t nonce[GRANT_NONCE_BYTES])
{
	uint8_t text[SIGNED_BYTES];
	struct sig sig;
	struct key k;

	crypto_sign_data(&sig, owner_key, text, signed_text(text, net, owner, lease_key));
	seal_key(&k, net, owner);
	memcpy(out->b, nonce, GRANT_NONCE_BYTES);
	crypto_xseal(out->b + GRANT_NONCE_BYTES, &k, nonce,
	    bytes_of(lease_key->b, sizeof(lease_key->b)), sig.b, sizeof(sig.b));
}

bool
grant_opens(const struct grant *g, struct network_id net, const struct pubkey *owner,
    const struct pubkey *lease_key)
{
	uint8_t text[SIGNED_BYTES];
	struct sig sig;
	struct key k;

	seal_key(&k, net, owner);
	if (crypto_xopen(sig.b, &k, g->b, bytes_of(lease_key->b, sizeof(lease_key->b)),
		g->b + GRANT_NONCE_BYTES, GRANT_BYTES - GRANT_NONCE_BYTES) != ERR_OK)
		return false;
	return crypto_verify(&sig, owner, text, signed_text(text, net, owner, lease_key));
}
