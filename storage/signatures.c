/* A ring of hashes. */
#include "storage/signatures.h"

static bool
is_known(const struct signatures *s, const struct hash *h)
{
	for (uint8_t i = 0; i < s->count; i++) {
		if (hash_equal(&s->known[i], h))
			return true;
	}
	return false;
}

static void
remember(struct signatures *s, const struct hash *h)
{
	s->known[s->next] = *h;
	s->next = (uint8_t)((s->next + 1) % SIGNATURES_KNOWN);
	s->count = (uint8_t)MIN(s->count + 1, SIGNATURES_KNOWN);
}

bool
signatures_good(
    struct signatures *s, const struct sig *sig, const struct pubkey *by, struct bytes text)
{
	/* Only the last has no fixed length, so no two ways of cutting them give one hash. */
	struct bytes parts[] = { bytes_of(by->b, sizeof(by->b)), bytes_of(sig->b, sizeof(sig->b)),
		text };
	struct hash h;

	if (s == NULL)
		return crypto_verify(sig, by, text.data, text.len);
	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	if (is_known(s, &h))
		return true;
	s->checked++;
	if (!crypto_verify(sig, by, text.data, text.len))
		return false;
	remember(s, &h);
	return true;
}

void
signatures_join(struct signatures *s, const struct signatures *from)
{
	s->checked += from->checked;
	/* The oldest first, so that it is the first to be given up again. */
	for (uint8_t i = 0; i < from->count; i++) {
		size_t oldest = from->count < SIGNATURES_KNOWN ? 0 : from->next;
		const struct hash *h = &from->known[(oldest + i) % SIGNATURES_KNOWN];

		if (!is_known(s, h))
			remember(s, h);
	}
}
