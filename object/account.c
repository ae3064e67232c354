/*
 * The account file: fixed layout (doc/disk.md). "skerry/account/1", u8 sealed, then either the
 * seed and the first 8 bytes of its SHA-256, or salt 16, nonce 24 and the seed sealed with
 * XChaCha20-Poly1305 under Argon2id(passphrase, salt). A lost passphrase costs the file, not the
 * account: the phrase brings the seed back.
 */
#include "object/account.h"

#include "overlay/base/buf.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char domain[] = "skerry/account/1";

#define SALT_BYTES     16
#define CHECK_BYTES    8
#define FILE_BYTES_MAX 256
/* Read: a later version may be longer, and shall be told from a broken file. */
#define READ_BYTES_MAX KIB(4)

static_assert(SALT_BYTES + CRYPTO_XNONCE_BYTES == 40, "account_save's random bytes");

static int
seal_seed(
    struct packer *p, const struct key *seed, const char *passphrase, const uint8_t random[40])
{
	struct key k;
	uint8_t sealed[sizeof(seed->b) + CRYPTO_TAG_BYTES];
	int err = crypto_password_key(&k, passphrase, random);

	if (err != ERR_OK)
		return err;
	crypto_xseal(sealed, &k, random + SALT_BYTES, bytes_of(domain, sizeof(domain) - 1), seed->b,
	    sizeof(seed->b));
	crypto_wipe(&k, sizeof(k));
	pack_u8(p, 1);
	pack_raw(p, random, 40);
	pack_raw(p, sealed, sizeof(sealed));
	return ERR_OK;
}

static void
plain_seed(struct packer *p, const struct key *seed)
{
	struct hash check;

	crypto_sha256(&check, seed->b, sizeof(seed->b));
	pack_u8(p, 0);
	pack_raw(p, seed->b, sizeof(seed->b));
	pack_raw(p, check.b, CHECK_BYTES);
}

int
account_save(struct disk *d, const char *path, const struct account *a, const char *passphrase,
    const uint8_t random[40])
{
	uint8_t file[FILE_BYTES_MAX];
	struct packer p = packer_on(file, sizeof(file));
	struct file *there;
	int err = disk_open(d, path, FILE_READ, &there);

	if (err == ERR_OK) {
		file_close(there);
		return ERR_EXISTS;
	}
	if (err != ERR_NOT_FOUND)
		return err;
	err = ERR_OK;
	pack_str(&p, domain);
	if (passphrase != NULL && passphrase[0] != '\0')
		err = seal_seed(&p, &a->seed, passphrase, random);
	else
		plain_seed(&p, &a->seed);
	must(pack_ok(&p));
	if (err == ERR_OK)
		err = disk_write_file(d, path, bytes_of(file, p.len));
	crypto_wipe(file, sizeof(file));
	return err;
}

static int
open_seed(struct unpacker *u, const char *passphrase, struct key *out)
{
	uint8_t salt[SALT_BYTES], nonce[CRYPTO_XNONCE_BYTES];
	uint8_t sealed[sizeof(out->b) + CRYPTO_TAG_BYTES];
	struct key k, seed;
	int err;

	unpack_raw(u, salt, sizeof(salt));
	unpack_raw(u, nonce, sizeof(nonce));
	unpack_raw(u, sealed, sizeof(sealed));
	if (!unpack_done(u))
		return ERR_CORRUPT;
	if (passphrase == NULL || passphrase[0] == '\0')
		return ERR_AUTH;
	err = crypto_password_key(&k, passphrase, salt);
	if (err == ERR_OK)
		err = crypto_xopen(seed.b, &k, nonce, bytes_of(domain, sizeof(domain) - 1), sealed,
		    sizeof(sealed));
	if (err == ERR_OK)
		*out = seed;
	crypto_wipe(&k, sizeof(k));
	crypto_wipe(&seed, sizeof(seed));
	return err;
}

static int
read_seed(struct unpacker *u, struct key *out)
{
	uint8_t check[CHECK_BYTES];
	struct key seed;
	struct hash expected;
	int err = ERR_OK;

	unpack_raw(u, seed.b, sizeof(seed.b));
	unpack_raw(u, check, sizeof(check));
	crypto_sha256(&expected, seed.b, sizeof(seed.b));
	if (!unpack_done(u) || !crypto_equal(check, expected.b, sizeof(check)))
		err = ERR_CORRUPT;
	else
		*out = seed;
	crypto_wipe(&seed, sizeof(seed));
	return err;
}

/* The file and a cursor behind its domain; the caller wipes the buf. */
static int
read_file(struct disk *d, const char *path, struct buf *file, struct unpacker *u)
{
	int err = disk_read_file(d, path, file);

	if (err != ERR_OK)
		return err == ERR_TOO_BIG ? ERR_CORRUPT : err;
	*u = unpacker_on(buf_bytes(file));
	err = unpack_domain(u, domain, NULL);
	return err == ERR_INVALID ? ERR_CORRUPT : err;
}

int
account_load(struct disk *d, const char *path, const char *passphrase, struct account *out)
{
	struct buf file;
	struct unpacker u;
	int err;

	buf_init_secret(&file, READ_BYTES_MAX);
	err = read_file(d, path, &file, &u);
	if (err == ERR_OK) {
		uint8_t sealed = unpack_u8(&u);

		if (u.failed || sealed > 1)
			err = ERR_CORRUPT;
		else
			err = sealed == 1 ? open_seed(&u, passphrase, &out->seed)
					  : read_seed(&u, &out->seed);
	}
	buf_wipe(&file);
	return err;
}

bool
account_needs_passphrase(struct disk *d, const char *path)
{
	struct buf file;
	struct unpacker u;
	bool sealed;

	buf_init_secret(&file, READ_BYTES_MAX);
	sealed = read_file(d, path, &file, &u) == ERR_OK && unpack_u8(&u) == 1;
	buf_wipe(&file);
	return sealed;
}

void
account_wipe(struct account *a)
{
	crypto_wipe(a, sizeof(*a));
}

void
account_lease_key(
    const struct account *a, const uint8_t file_id[32], struct sign_key *key, struct pubkey *pub)
{
	struct key seed;

	crypto_derive(&seed, &a->seed, "lease/file", file_id);
	crypto_sign_key_from_seed(&seed, key, pub);
	crypto_wipe(&seed, sizeof(seed));
}

static void
owner_key(const struct account *a, struct sign_key *key, struct pubkey *pub)
{
	struct key seed;

	crypto_derive(&seed, &a->seed, "owner", NULL);
	crypto_sign_key_from_seed(&seed, key, pub);
	crypto_wipe(&seed, sizeof(seed));
}

void
account_owner(const struct account *a, struct pubkey *out)
{
	struct sign_key key;

	owner_key(a, &key, out);
	crypto_wipe(&key, sizeof(key));
}

void
account_grant(const struct account *a, struct network_id net, const struct pubkey *lease_key,
    const uint8_t nonce[GRANT_NONCE_BYTES], struct grant *out)
{
	struct sign_key key;
	struct pubkey owner;

	owner_key(a, &key, &owner);
	grant_make(out, net, &key, &owner, lease_key, nonce);
	crypto_wipe(&key, sizeof(key));
}
