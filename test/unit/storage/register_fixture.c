#include "test/unit/storage/register_fixture.h"

void
fixture_anchor(uint8_t i, struct anchor *out)
{
	memset(out, 0, sizeof(*out));
	out->key.b[0] = 'a';
	out->key.b[1] = i;
	out->incarnation = 100u + i;
}

struct pubkey
fixture_writer(uint8_t i)
{
	return (struct pubkey){ { 'w', i } };
}

void
fixture_charter(uint8_t anchors, uint8_t writers, struct charter *out)
{
	memset(out, 0, sizeof(*out));
	out->owner.b[0] = 'o';
	out->bucket.b[0] = 'b';
	out->id.b[0] = 'c';
	out->epoch = 1;
	out->founding.anchors_count = anchors;
	out->founding.quorum = quorum_of(anchors);
	out->founding.writers_count = writers;
	for (uint8_t i = 0; i < anchors; i++)
		fixture_anchor(i, &out->founding.anchors[i]);
	for (uint8_t i = 0; i < writers; i++)
		out->founding.writers[i] = fixture_writer(i);
	must(configuration_valid(&out->founding));
}

void
fixture_next(const struct configuration *c, uint8_t old, uint8_t fresh, struct configuration *out)
{
	struct anchor gone;
	int at;

	fixture_anchor(old, &gone);
	at = configuration_anchor(c, &gone.key);
	must(at >= 0);
	*out = *c;
	out->number++;
	fixture_anchor(fresh, &out->anchors[at]);
}

static uint32_t *
slot(struct fixture_book *book, const struct hash *id)
{
	uint32_t mask = 2 * FIXTURE_HEADS_MAX - 1, i;

	memcpy(&i, id->b, sizeof(i));
	for (i &= mask; book->bucket[i] != 0; i = (i + 1) & mask)
		if (hash_equal(&book->at[book->bucket[i]].id, id))
			break;
	return &book->bucket[i];
}

uint32_t
fixture_find(const struct fixture_book *book, const struct hash *id)
{
	static const struct hash none;

	return hash_equal(id, &none) ? 0 : *slot((struct fixture_book *)book, id);
}

bool
fixture_has(const struct fixture_book *book, uint32_t head, uint32_t mark)
{
	for (; head != 0; head = book->at[head].before)
		if (book->at[head].mark == mark)
			return true;
	return false;
}

void
fixture_make(struct fixture_book *book, const struct charter *c, const struct value *base,
    uint8_t writer, uint32_t mark, struct value *out)
{
	struct { /* no padding */
		struct hash previous;
		uint32_t mark, writer;
	} text;
	struct tail empty;
	struct head *h = &out->head;
	uint32_t *at;

	memset(&text, 0, sizeof(text));
	memset(out, 0, sizeof(*out));
	out->present = true;
	h->bucket = c->bucket;
	h->epoch = c->epoch;
	h->seq = (base->present ? base->head.seq : c->base_seq) + 1;
	h->previous = base->present ? base->head.id : c->id;
	h->root.b[0] = 'r';
	tail_begin(&empty, &h->root);
	h->tail = empty.empty;
	h->writer = fixture_writer(writer);
	text.previous = h->previous;
	text.mark = mark;
	text.writer = writer;
	crypto_sha256(&h->id, &text, sizeof(text));
	at = slot(book, &h->id);
	if (*at != 0)
		return;
	if (book->count == 0)
		book->count = 1;
	must(book->count < FIXTURE_HEADS_MAX);
	book->at[book->count] = (struct fixture_head){ .id = h->id,
		.mark = mark,
		.before = base->present ? fixture_find(book, &base->head.id) : 0,
		.seq = h->seq };
	*at = book->count++;
}

void
fixture_stop(const struct charter *c, const struct value *base, const struct configuration *next,
    struct value *out)
{
	struct {
		struct hash head, next;
	} text = { value_head_id(base), configuration_id(next) };

	memset(out, 0, sizeof(*out));
	out->present = base->present;
	out->head = base->head;
	out->stops = true;
	out->stop.bucket = c->bucket;
	out->stop.epoch = c->epoch;
	out->stop.head = text.head;
	out->stop.next = *next;
	crypto_sha256(&out->stop.id, &text, sizeof(text));
}
