/*
 * Trees of up to LEAVES_MAX leaves, built level by level in one scratch array. A proof names
 * the siblings from the leaf up; where a node is the odd one of its level there is none, and
 * both sides know that from the leaf's number and the count.
 */
#include "storage/merkle.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "overlay/base/pack.h"

void
merkle_leaf(struct hash *out, const void *data, size_t len)
{
	static const uint8_t prefix = 0x00;
	struct bytes parts[] = { { &prefix, 1 }, { data, len } };

	crypto_sha256_parts(out, parts, ARRAY_LEN(parts));
}

static void
node_hash(struct hash *out, const struct hash *left, const struct hash *right)
{
	uint8_t in[1 + 64] = { 0x01 };

	memcpy(in + 1, left->b, 32);
	memcpy(in + 33, right->b, 32);
	crypto_sha256(out, in, sizeof(in));
}

static void
root_hash(struct hash *out, const struct hash *top, uint64_t shard_bytes)
{
	uint8_t in[1 + 8 + 32];
	struct packer p = packer_on(in, sizeof(in));

	pack_u8(&p, 0x02);
	pack_u64(&p, shard_bytes);
	pack_raw(&p, top->b, 32);
	must(pack_ok(&p));
	crypto_sha256(out, in, sizeof(in));
}

/* One level up, in place; returns the count of the new level. */
static uint32_t
level_up(struct hash *level, uint32_t count)
{
	for (uint32_t i = 0; i + 1 < count; i += 2)
		node_hash(&level[i / 2], &level[i], &level[i + 1]);
	if (count % 2 == 1)
		level[count / 2] = level[count - 1];
	return count / 2 + count % 2;
}

static struct hash *
level_copy(const struct hash *leaves, uint32_t count)
{
	must(count >= 1);

	struct hash *level = malloc(count * sizeof(*level));

	if (level != NULL)
		memcpy(level, leaves, count * sizeof(*level));
	return level;
}

int
merkle_root(struct hash *out, const struct hash *leaves, uint32_t count, uint64_t shard_bytes)
{
	struct hash *level = level_copy(leaves, count);

	if (level == NULL)
		return ERR_NOMEM;
	while (count > 1)
		count = level_up(level, count);
	root_hash(out, &level[0], shard_bytes);
	free(level);
	return ERR_OK;
}

int
merkle_check(
    const struct hash *root, const struct hash *leaves, uint32_t count, uint64_t shard_bytes)
{
	struct hash top;
	int err = merkle_root(&top, leaves, count, shard_bytes);

	return err == ERR_OK && !hash_equal(&top, root) ? ERR_CORRUPT : err;
}

int
merkle_prove(struct merkle_proof *out, const struct hash *leaves, uint32_t count, uint32_t leaf)
{
	if (leaf >= count || count > LEAVES_MAX)
		return ERR_INVALID;

	struct hash *level = level_copy(leaves, count);

	if (level == NULL)
		return ERR_NOMEM;
	memset(out, 0, sizeof(*out));
	out->leaf = leaf;
	for (uint32_t at = leaf; count > 1; at /= 2) {
		uint32_t sibling = at ^ 1;

		if (sibling < count)
			out->path[out->count++] = level[sibling];
		count = level_up(level, count);
	}
	free(level);
	return ERR_OK;
}

int
merkle_verify(const struct hash *root, const struct merkle_proof *p, const struct hash *leaf,
    uint32_t count, uint64_t shard_bytes)
{
	struct hash at = *leaf, top;
	uint32_t number = p->leaf, used = 0;

	if (p->leaf >= count || p->count > MERKLE_PATH_MAX)
		return ERR_CORRUPT;
	for (; count > 1; count = count / 2 + count % 2, number /= 2) {
		uint32_t sibling = number ^ 1;

		if (sibling >= count)
			continue;
		if (used == p->count)
			return ERR_CORRUPT;
		if (sibling < number)
			node_hash(&at, &p->path[used], &at);
		else
			node_hash(&at, &at, &p->path[used]);
		used++;
	}
	if (used != p->count)
		return ERR_CORRUPT;
	root_hash(&top, &at, shard_bytes);
	return hash_equal(&top, root) ? ERR_OK : ERR_CORRUPT;
}
