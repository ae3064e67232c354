/*
 * The account: the root seed is the 256 bits behind a 24-word recovery phrase
 * (BIP-39 word list and checksum, not its PBKDF2), kept in DIR/account (0600), sealed with
 * Argon2id under a passphrase if one is given. Everything else is derived:
 * child = HMAC-SHA256(parent, label ‖ 0x00 ‖ 32-byte id). Secrets are wiped by account_wipe.
 */
#ifndef OBJECT_ACCOUNT_H
#define OBJECT_ACCOUNT_H

#include "overlay/base/crypto.h"
#include "overlay/base/disk.h"
#include "overlay/base/types.h"
#include "storage/grant.h"

#define PHRASE_WORDS    24
#define PHRASE_TEXT_MAX 256 /* 24 words of ≤ 8 letters and 23 spaces, and the NUL */

struct account {
	struct key seed;
};

/* ---- phrase (object/phrase.c) ---- */
void phrase_from_seed(const struct key *seed, char out[PHRASE_TEXT_MAX]);
/*
 * Words in any case, separated by white space. ERR_INVALID: *bad_word is the 1-based number of the
 * first unknown word, or 0 when the count or the checksum is wrong.
 */
int phrase_to_seed(const char *text, struct key *out, unsigned *bad_word);

/* ---- file ---- */
/* Blocking: inside WORK_DISK work, or before the loop. passphrase NULL or "": not sealed.
 * ERR_EXISTS. */
int account_save(struct disk *d, const char *path, const struct account *a, const char *passphrase,
    const uint8_t random[40]);
/* ERR_NOT_FOUND, ERR_CORRUPT, ERR_VERSION, ERR_AUTH (wrong or no passphrase). */
int account_load(struct disk *d, const char *path, const char *passphrase, struct account *out);
bool account_needs_passphrase(struct disk *d, const char *path);
void account_wipe(struct account *a);

/* The key that signs the leases of one file; id is random, kept in its manifest. */
void account_lease_key(
    const struct account *a, const uint8_t file_id[32], struct sign_key *key, struct pubkey *pub);

/*
 * The owner key: what is given to those whose nodes shall accept this account, and to nobody else
 * (grant.h). It vouches for the account's lease keys.
 */
void account_owner(const struct account *a, struct pubkey *out);
void account_grant(const struct account *a, struct network_id net, const struct pubkey *lease_key,
    const uint8_t nonce[GRANT_NONCE_BYTES], struct grant *out);

#endif
