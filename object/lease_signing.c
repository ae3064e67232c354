/* Keys are derived, grants are made anew at each use: their nonce is random, so none links two. */
#include "object/lease_signing.h"

static void
vouch(struct lease_signing *s, struct env *env, const struct account *account)
{
	uint8_t nonce[GRANT_NONCE_BYTES];

	env_random(env, nonce, sizeof(nonce));
	account_grant(account, s->net, &s->pub, nonce, &s->grant);
	s->granted = true;
}

void
lease_signing_init(struct lease_signing *s, struct env *env, struct network_id net,
    const struct account *account, const uint8_t file_id[32])
{
	memset(s, 0, sizeof(*s));
	s->net = net;
	account_lease_key(account, file_id, &s->key, &s->pub);
	vouch(s, env, account);
}

void
lease_signing_bucket(struct lease_signing *s, struct env *env, struct network_id net,
    const struct key *secret, const struct account *account, const struct grant *grant)
{
	struct key seed;

	memset(s, 0, sizeof(*s));
	s->net = net;
	crypto_derive(&seed, secret, "lease", NULL);
	crypto_sign_key_from_seed(&seed, &s->key, &s->pub);
	crypto_wipe(&seed, sizeof(seed));
	if (account != NULL) {
		vouch(s, env, account);
	} else if (grant != NULL) {
		s->granted = true;
		s->grant = *grant;
	}
}

static void
sign(void *arg, struct lease *l)
{
	const struct lease_signing *s = arg;

	lease_sign(l, s->net, &s->key, &s->pub);
	l->note = (struct lease_note){ .granted = s->granted };
	if (s->granted)
		l->note.grant = s->grant;
}

struct lease_signer
lease_signing_signer(struct lease_signing *s)
{
	return (struct lease_signer){ sign, s };
}
