/*
 * The seed of an identity on disk (identity.h). The file holds the seed alone,
 * everything else is computed from it again.
 *
 * Failures: what the disk says; a file that is not one of ours.
 */
#include "overlay/identity.h"

#include <limits.h>
#include <stdio.h>

#include "overlay/base/buf.h"
#include "overlay/base/disk.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

/* domain, seed 32, SHA-256 of both 32 */
#define FILE_DOMAIN    "skerry/nodekey/1"
#define FILE_BYTES     (sizeof(FILE_DOMAIN) - 1 + 32 + 32)
/* A newer version may be longer; it is still read, to be told apart from rubbish. */
#define FILE_BYTES_MAX 4096

static int
file_path(const char *dir, char out[PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s/%s", dir, IDENTITY_FILE);

	return len > 0 && len < PATH_MAX ? ERR_OK : ERR_TOO_BIG;
}

/* ERR_OK: nothing is there. */
static int
file_absent(struct disk *d, const char *path)
{
	struct file *f;
	int err = disk_open(d, path, FILE_READ, &f);

	if (err == ERR_OK) {
		file_close(f);
		return ERR_EXISTS;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
identity_create(struct disk *d, const char *dir, const struct identity *who)
{
	char path[PATH_MAX];
	uint8_t bytes[FILE_BYTES];
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct hash h;
	int err = file_path(dir, path);

	if (err == ERR_OK)
		err = file_absent(d, path);
	if (err != ERR_OK)
		return err;
	pack_domain(&p, FILE_DOMAIN, NULL);
	pack_raw(&p, who->sign.seed, sizeof(who->sign.seed));
	crypto_sha256(&h, bytes, p.len);
	pack_raw(&p, h.b, sizeof(h.b));
	must(pack_ok(&p) && p.len == sizeof(bytes));
	err = disk_write_file(d, path, bytes_of(bytes, sizeof(bytes)));
	crypto_wipe(bytes, sizeof(bytes));
	return err;
}

static int
file_unpack(struct bytes in, struct key *seed)
{
	struct unpacker u = unpacker_on(in);
	struct hash expected, found;
	int err = unpack_domain(&u, FILE_DOMAIN, NULL);

	if (err != ERR_OK)
		return err == ERR_VERSION ? ERR_VERSION : ERR_CORRUPT;
	unpack_raw(&u, seed->b, sizeof(seed->b));
	crypto_sha256(&expected, in.data, u.pos);
	unpack_raw(&u, found.b, sizeof(found.b));
	return unpack_done(&u) && hash_equal(&expected, &found) ? ERR_OK : ERR_CORRUPT;
}

int
identity_load(struct disk *d, const char *dir, struct identity *out)
{
	char path[PATH_MAX];
	struct buf b;
	struct key seed;
	int err = file_path(dir, path);

	if (err != ERR_OK)
		return err;
	buf_init_secret(&b, FILE_BYTES_MAX);
	err = disk_read_file(d, path, &b);
	if (err == ERR_TOO_BIG)
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = file_unpack(buf_bytes(&b), &seed);
	if (err == ERR_OK)
		identity_from_seed(&seed, out);
	crypto_wipe(&seed, sizeof(seed));
	buf_wipe(&b);
	return err;
}
