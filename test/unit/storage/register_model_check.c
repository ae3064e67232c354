/* What must hold of all that was ever accepted, whatever happens next. */
#include "test/unit/storage/register_model_private.h"

struct vote {
	struct ballot ballot;
	uint32_t conf, head;
	bool stops;
	uint8_t by, quorum;
};

static uint32_t
votes_in(struct model *m, const struct soup *s, struct vote votes[SOUP_MAX])
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < s->count; i++) {
		struct hash id;
		struct vote v;
		uint32_t j;

		intern_get(&m->packets, s->at[i], &m->packet, sizeof(m->packet));
		if (!m->packet.is_answer || m->packet.a.kind != ANS_ACCEPTED)
			continue;
		id = value_head_id(&m->packet.a.value);
		v = (struct vote){ m->packet.a.accepted, m->packet.a.configuration,
			fixture_find(&m->book, &id), m->packet.a.value.stops, 0,
			m->charter.founding.quorum };
		for (j = 0; j < n; j++)
			if (ballot_compare(&votes[j].ballot, &v.ballot) == 0 &&
			    votes[j].conf == v.conf && votes[j].head == v.head &&
			    votes[j].stops == v.stops)
				break;
		if (j == n)
			votes[n++] = v;
		votes[j].by |= (uint8_t)(1 << m->packet.node);
	}
	return n;
}

static bool
chosen(const struct vote *v)
{
	return mask_count(v->by) >= v->quorum;
}

bool
model_is_before(const struct fixture_book *book, uint32_t head, uint32_t of)
{
	while (of != head && of != 0)
		of = book->at[of].before;
	return of == head;
}

uint32_t
model_soup_check(struct model *m, const struct soup *s)
{
	struct vote votes[SOUP_MAX];
	uint32_t n = votes_in(m, s, votes), top = 0, end = m->top_before;

	for (uint32_t i = 0; i < n; i++)
		if (chosen(&votes[i]) && m->book.at[votes[i].head].seq > m->book.at[top].seq)
			top = votes[i].head;
	for (uint32_t i = 0; i < n; i++) {
		if (!chosen(&votes[i]))
			continue;
		if (!model_is_before(&m->book, votes[i].head, top))
			model_wrong(m, "a committed head was lost, or two are at one seq");
		for (uint32_t j = 0; j < n && votes[i].stops; j++)
			if (chosen(&votes[j]) && votes[j].conf == votes[i].conf &&
			    m->book.at[votes[j].head].seq > m->book.at[votes[i].head].seq)
				model_wrong(
				    m, "a head was committed in a configuration that had ended");
	}
	if (!model_is_before(&m->book, top, end) && !model_is_before(&m->book, end, top))
		model_wrong(m, "a committed head was lost, or two are at one seq");
	/* What is below the end was looked at when that was chosen. */
	for (uint32_t h = top; h != 0 && h != end && !model_is_before(&m->book, h, end);
	     h = m->book.at[h].before) {
		bool was = false;

		for (uint32_t i = 0; i < n; i++)
			was = was || (votes[i].head == h && chosen(&votes[i]));
		if (!was)
			model_wrong(m, "a head was committed on one that was not");
		if (fixture_has(&m->book, m->book.at[h].before, m->book.at[h].mark))
			model_wrong(m, "a mutation was committed twice");
	}
	m->r->heads_chosen = (uint32_t)MAX(m->r->heads_chosen, m->book.at[top].seq);
	return m->book.at[top].seq > m->book.at[end].seq ? top : end;
}
