/* Lists are short (n, and a duplicate now and then): searched from the front. */
#include "storage/siblings.h"

static size_t
find(const struct siblings *s, uint8_t index, const struct pubkey *node)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->at[i].index == index && pubkey_equal(&s->at[i].node, node))
			return i;
	}
	return s->count;
}

bool
siblings_edit(struct siblings *s, uint8_t index, const struct pubkey *node, bool holds)
{
	size_t at = find(s, index, node);

	if (holds == (at < s->count))
		return false;
	if (!holds) {
		s->at[at] = s->at[--s->count];
		return true;
	}
	if (s->count == SHARDS_MAX)
		return false;
	s->at[s->count++] = (struct sibling){ index, *node };
	return true;
}

bool
siblings_join(struct siblings *to, const struct siblings *more)
{
	bool news = false;

	for (size_t i = 0; i < more->count; i++)
		news |= siblings_edit(to, more->at[i].index, &more->at[i].node, true);
	return news;
}

void
holder_rank(const struct hash *chunk, const struct pubkey *node, struct hash *out)
{
	struct bytes parts[] = { { chunk->b, sizeof(chunk->b) }, { node->b, sizeof(node->b) } };

	crypto_sha256_parts(out, parts, ARRAY_LEN(parts));
}

bool
holder_before(const struct hash *chunk, const struct pubkey *node, const struct hash *rank)
{
	struct hash theirs;

	holder_rank(chunk, node, &theirs);
	return memcmp(theirs.b, rank->b, sizeof(theirs.b)) < 0;
}
