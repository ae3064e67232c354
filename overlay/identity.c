/*
 * From a seed to a node: keys, id, proof of work. Pure, and fails only by not
 * finding a key with enough work. The seed's file is in identity_file.c.
 */
#include "overlay/identity.h"

#include "overlay/base/err.h"

#define NETWORK_DOMAIN "skerry/network/1"

void
network_id_of_name(const char *name, struct network_id *out)
{
	struct bytes parts[] = {
		bytes_of(NETWORK_DOMAIN, sizeof(NETWORK_DOMAIN) - 1),
		bytes_of(name, strlen(name)),
	};
	struct hash h;

	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	memcpy(out->b, h.b, sizeof(out->b));
}

void
id_of_pubkey(const struct pubkey *pub, struct id *out)
{
	struct hash h;

	crypto_sha256(&h, pub->b, sizeof(pub->b));
	memcpy(out->b, h.b, sizeof(out->b));
}

void
identity_from_seed(const struct key *seed, struct identity *out)
{
	crypto_sign_key_from_seed(seed, &out->sign, &out->pub);
	id_of_pubkey(&out->pub, &out->id);
	crypto_sign_key_to_x25519(&out->x25519_secret, &out->sign);
	crypto_x25519_base(out->x25519_public, &out->x25519_secret);
}

void
identity_wipe(struct identity *who)
{
	crypto_wipe(who, sizeof(*who));
}

/* ---- proof of work ---- */

bool
identity_pow_ok(const struct id *id, uint8_t pow_bits)
{
	struct hash h;
	unsigned whole = pow_bits / 8, rest = pow_bits % 8;

	if (pow_bits == 0)
		return true;
	if (whole >= sizeof(h.b))
		return false;
	crypto_sha256(&h, id->b, sizeof(id->b));
	for (unsigned i = 0; i < whole; i++) {
		if (h.b[i] != 0)
			return false;
	}
	return rest == 0 || h.b[whole] >> (8 - rest) == 0;
}

int
identity_search(const struct identity_random *random, uint8_t pow_bits, uint64_t tries_max,
    struct identity *out)
{
	struct key seed;
	struct sign_key sign;
	int err = ERR_NOT_FOUND;

	for (uint64_t i = 0; i < tries_max && err != ERR_OK; i++) {
		struct pubkey pub;
		struct id id;

		random->fill(random->arg, seed.b, sizeof(seed.b));
		crypto_sign_key_from_seed(&seed, &sign, &pub);
		id_of_pubkey(&pub, &id);
		if (identity_pow_ok(&id, pow_bits)) {
			identity_from_seed(&seed, out);
			err = ERR_OK;
		}
	}
	crypto_wipe(&seed, sizeof(seed));
	crypto_wipe(&sign, sizeof(sign));
	return err;
}
