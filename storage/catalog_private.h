/*
 * Keys of the catalog, shared by catalog.c and catalog_records.c. A key is a letter and fixed
 * fields, so entries of one chunk lie together:
 *
 *	M                          about the whole
 *	G segment                  sums
 *	U segment                  where to walk again: the disk refused something
 *	S chunk index              shard or tombstone
 *	L chunk lease key          lease
 *	B chunk                    siblings
 *	V space key                value
 */
#ifndef STORAGE_CATALOG_PRIVATE_H
#define STORAGE_CATALOG_PRIVATE_H

#include "overlay/base/pack.h"
#include "storage/catalog.h"

struct key_text {
	uint8_t text[INDEX_KEY_MAX];
	struct packer p;
};

static inline void
key_begin(struct key_text *k, char kind)
{
	k->p = packer_on(k->text, sizeof(k->text));
	pack_u8(&k->p, (uint8_t)kind);
}

static inline void
key_chunk(struct key_text *k, char kind, const struct hash *chunk)
{
	key_begin(k, kind);
	pack_raw(&k->p, chunk->b, sizeof(chunk->b));
}

static inline void
key_shard(struct key_text *k, const struct hash *chunk, uint8_t index)
{
	key_chunk(k, 'S', chunk);
	pack_u8(&k->p, index);
}

static inline void
key_lease(struct key_text *k, const struct hash *chunk, const struct pubkey *key)
{
	key_chunk(k, 'L', chunk);
	pack_raw(&k->p, key->b, sizeof(key->b));
}

static inline void
key_value(struct key_text *k, uint8_t space, const struct hash *key)
{
	key_begin(k, 'V');
	pack_u8(&k->p, space);
	pack_raw(&k->p, key->b, sizeof(key->b));
}

static inline struct bytes
key_bytes(const struct key_text *k)
{
	must(pack_ok(&k->p));
	return bytes_of(k->text, k->p.len);
}

/* catalog.c: as it is, without any rule. */
int catalog_put_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e);

#endif
