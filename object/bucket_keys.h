/*
 * The keys of a bucket. Three come from the account's seed and show whose it is: the owner key
 * (charters, reconfigurations), and a writer key for whatever machine holds the seed; one that
 * holds none has its own. The others come from the bucket's secret: who has that can read (pages
 * and log, object/sealing.h), find the anchors, and prolong leases (object/lease_signing.h).
 *
 * The bucket's id is a hash of owner key and salt, so salt and secret are all that the account has
 * to remember of one; of its own bucket both follow from the seed, so that the phrase leads to all.
 * Owner keys of two buckets are unlinkable. Pure.
 */
#ifndef OBJECT_BUCKET_KEYS_H
#define OBJECT_BUCKET_KEYS_H

#include "object/account.h"
#include "overlay/identity.h"

#define BUCKET_SALT_BYTES 16

struct bucket_seed { /* secret */
	uint8_t salt[BUCKET_SALT_BYTES];
	struct key secret;
};

/* Of the bucket in which the account keeps what it knows of all others. */
void bucket_seed_of_account(const struct account *a, struct bucket_seed *out);
/* All of these give a secret, to be wiped by identity_wipe. */
void bucket_owner(const struct account *a, const struct bucket_seed *b, struct identity *out);
void bucket_writer(const struct account *a, const struct hash *bucket, struct identity *out);
void bucket_finder(const struct bucket_seed *b, struct identity *out);

/* 64 hexadecimal digits that stand for the account where others see it (S3's canonical user id);
 * nothing else follows from them. */
#define ACCOUNT_NUMBER_TEXT 65
void account_number(const struct account *a, char out[ACCOUNT_NUMBER_TEXT]);

#endif
