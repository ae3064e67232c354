/* One try after the other; only what is found is expanded into an identity. */
#include "sim/sybil.h"

#include "dht/distance.h"
#include "overlay/base/err.h"
#include "sim/random.h"

int
sybil_grind(
    uint64_t seed, const struct id *target, unsigned bits, uint64_t tries, struct identity *out)
{
	struct sim_random random;
	struct sign_key sign;
	struct pubkey pub;
	struct key secret;
	struct id id;

	sim_random_init(&random, seed, 0x5b11);
	for (uint64_t i = 0; i < tries; i++) {
		sim_random_bytes(&random, secret.b, sizeof(secret.b));
		crypto_sign_key_from_seed(&secret, &sign, &pub);
		id_of_pubkey(&pub, &id);
		if (top_shared_bits(id_top(&id), id_top(target)) < bits)
			continue;
		identity_from_seed(&secret, out);
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}
