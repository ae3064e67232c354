/* A ring of slots, each a record and the bytes that it was read from. */
#include "object/record_memory.h"

#include <stdlib.h>

struct record_slot {
	size_t len; /* 0: empty */
	uint8_t form[BUCKET_RECORD_BYTES_MAX];
	struct bucket_record record;
};

static const struct record_slot *
find(const struct record_memory *m, struct bytes in)
{
	if (m->slots == NULL || in.len == 0)
		return NULL;
	for (size_t i = 0; i < RECORD_MEMORY_SLOTS; i++) {
		const struct record_slot *s = &m->slots[i];

		if (s->len == in.len && memcmp(s->form, in.data, in.len) == 0)
			return s;
	}
	return NULL;
}

static void
remember(struct record_memory *m, struct bytes in, const struct bucket_record *r)
{
	struct record_slot *s;

	if (m->slots == NULL)
		m->slots = calloc(RECORD_MEMORY_SLOTS, sizeof(*m->slots));
	if (m->slots == NULL || in.len > sizeof(s->form))
		return;
	s = &m->slots[m->next];
	m->next = (m->next + 1) % RECORD_MEMORY_SLOTS;
	s->len = in.len;
	memcpy(s->form, in.data, in.len);
	s->record = *r;
}

int
record_memory_unpack(
    struct record_memory *m, struct bytes in, struct network_id net, struct bucket_record *out)
{
	const struct record_slot *known = find(m, in);
	int err;

	if (known != NULL) {
		*out = known->record;
		return ERR_OK;
	}
	err = bucket_record_unpack(in, net, out);
	if (err == ERR_OK)
		remember(m, in, out);
	return err;
}

void
record_memory_wipe(struct record_memory *m)
{
	if (m->slots != NULL)
		crypto_wipe(m->slots, RECORD_MEMORY_SLOTS * sizeof(*m->slots));
	free(m->slots);
	*m = (struct record_memory){ NULL };
}
