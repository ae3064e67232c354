/* All derived as account.h says; labels are listed in doc/disk.md. */
#include "object/bucket_keys.h"

void
bucket_seed_of_account(const struct account *a, struct bucket_seed *out)
{
	struct key salt;

	crypto_derive(&salt, &a->seed, "bucket/account/salt", NULL);
	memcpy(out->salt, salt.b, sizeof(out->salt));
	crypto_derive(&out->secret, &a->seed, "bucket/account/secret", NULL);
	crypto_wipe(&salt, sizeof(salt));
}

static void
derive_identity(
    const struct key *parent, const char *label, const uint8_t id[32], struct identity *out)
{
	struct key seed;

	crypto_derive(&seed, parent, label, id);
	identity_from_seed(&seed, out);
	crypto_wipe(&seed, sizeof(seed));
}

void
bucket_owner(const struct account *a, const struct bucket_seed *b, struct identity *out)
{
	uint8_t id[32] = { 0 };

	memcpy(id, b->salt, sizeof(b->salt));
	derive_identity(&a->seed, "bucket/owner", id, out);
}

void
bucket_writer(const struct account *a, const struct hash *bucket, struct identity *out)
{
	derive_identity(&a->seed, "bucket/writer", bucket->b, out);
}

void
bucket_finder(const struct bucket_seed *b, struct identity *out)
{
	derive_identity(&b->secret, "bucket/finder", NULL, out);
}

void
account_number(const struct account *a, char out[ACCOUNT_NUMBER_TEXT])
{
	struct key number;

	crypto_derive(&number, &a->seed, "account/number", NULL);
	hex_encode(out, number.b, sizeof(number.b));
	crypto_wipe(&number, sizeof(number));
}
