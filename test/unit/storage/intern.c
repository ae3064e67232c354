#include "test/unit/storage/intern.h"

#include <stdlib.h>
#include <string.h>

#include "overlay/base/err.h"

#define RUN_MAX 65535

void
intern_init(struct intern *n)
{
	memset(n, 0, sizeof(*n));
	n->slots_count = 1024;
	n->slots = calloc(n->slots_count, sizeof(n->slots[0]));
	must(n->slots != NULL);
}

void
intern_fini(struct intern *n)
{
	for (uint32_t i = 0; i < n->count; i++)
		free(n->at[i].data);
	free(n->at);
	free(n->slots);
}

/* Pairs of (zeros, others), each a u16, and the others. At most 2 · len + 8 bytes. */
static uint32_t
squeeze(const uint8_t *in, size_t len, uint8_t *out)
{
	uint32_t used = 0;
	size_t i = 0;

	while (i < len) {
		size_t from = i, zeros, others;
		uint16_t pair[2];

		while (i < len && in[i] == 0 && i - from < RUN_MAX)
			i++;
		zeros = i - from;
		from = i;
		/* A short gap is cheaper as it is. */
		while (i < len && i - from < RUN_MAX &&
		       (in[i] != 0 || (i + 4 < len && memcmp(in + i, "\0\0\0\0", 4) != 0)))
			i++;
		others = i - from;
		pair[0] = (uint16_t)zeros;
		pair[1] = (uint16_t)others;
		memcpy(out + used, pair, sizeof(pair));
		memcpy(out + used + sizeof(pair), in + from, others);
		used += (uint32_t)(sizeof(pair) + others);
	}
	return used;
}

static uint64_t
hash_of(const uint8_t *data, size_t len)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ len, w;

	for (; len >= 8; data += 8, len -= 8) {
		memcpy(&w, data, 8);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	for (; len > 0; data++, len--)
		h = (h ^ *data) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 29;
}

static void
grow(struct intern *n)
{
	n->room = n->room == 0 ? 512 : 2 * n->room;
	n->at = realloc(n->at, n->room * sizeof(n->at[0]));
	free(n->slots);
	n->slots_count = 2 * n->room;
	n->slots = calloc(n->slots_count, sizeof(n->slots[0]));
	must(n->at != NULL && n->slots != NULL);
	for (uint32_t i = 0; i < n->count; i++) {
		uint32_t s = (uint32_t)n->at[i].hash & (n->slots_count - 1);

		while (n->slots[s] != 0)
			s = (s + 1) & (n->slots_count - 1);
		n->slots[s] = i + 1;
	}
}

uint32_t
intern_put(struct intern *n, const void *data, size_t len, int *is_new)
{
	uint8_t *text = malloc(2 * len + 8);
	uint32_t used, s;
	uint64_t h;

	must(text != NULL);
	used = squeeze(data, len, text);
	h = hash_of(text, used);
	if (n->count == n->room)
		grow(n);
	for (s = (uint32_t)h & (n->slots_count - 1); n->slots[s] != 0;
	     s = (s + 1) & (n->slots_count - 1)) {
		const struct intern_item *i = &n->at[n->slots[s] - 1];

		if (i->hash == h && i->len == used && memcmp(i->data, text, used) == 0) {
			free(text);
			if (is_new != NULL)
				*is_new = 0;
			return n->slots[s] - 1;
		}
	}
	n->at[n->count].data = malloc(used > 0 ? used : 1);
	must(n->at[n->count].data != NULL);
	memcpy(n->at[n->count].data, text, used);
	free(text);
	n->at[n->count].len = used;
	n->at[n->count].hash = h;
	n->bytes += used;
	n->slots[s] = ++n->count;
	if (is_new != NULL)
		*is_new = 1;
	return n->count - 1;
}

void
intern_get(const struct intern *n, uint32_t number, void *out, size_t len)
{
	const struct intern_item *item = &n->at[number];
	uint8_t *to = out;
	size_t done = 0;

	must(number < n->count);
	memset(out, 0, len);
	for (uint32_t i = 0; i < item->len;) {
		uint16_t pair[2];

		memcpy(pair, item->data + i, sizeof(pair));
		must(done + pair[0] + pair[1] <= len);
		memcpy(to + done + pair[0], item->data + i + sizeof(pair), pair[1]);
		done += (size_t)pair[0] + pair[1];
		i += (uint32_t)(sizeof(pair) + pair[1]);
	}
	must(done == len);
}
