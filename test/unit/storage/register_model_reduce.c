/* Which states of the model are the same, seen from what can still happen. */
#include <stdlib.h>

#include "test/unit/storage/register_model_private.h"

void
model_soup_put(struct model *m, struct state *s, const struct soup *soup)
{
	s->soup = intern_put(&m->soups, soup, sizeof(*soup), NULL);
}
/* ---- what can do nothing any more ---- */

static void *
views_grow(void *at, uint32_t seen, size_t size)
{
	if ((seen & (seen - 1)) != 0)
		return at;
	at = realloc(at, (seen == 0 ? 1 : 2 * (size_t)seen) * size);
	must(at != NULL);
	return at;
}

static uint64_t
sum_of(const void *data, size_t len)
{
	uint64_t h = 7, w;

	must(len % 8 == 0);
	for (const uint8_t *d = data; len > 0; d += 8, len -= 8) {
		memcpy(&w, d, 8);
		h = model_mix((h ^ w) * UINT64_C(0x9e3779b97f4a7c15));
	}
	return h;
}

static void
view_packet(struct model *m, struct packet *k, struct packet_view *out)
{
	const struct value *v = k->is_answer ? &k->a.value : &k->m.value;

	*out = (struct packet_view){ k->is_answer,
		(uint8_t)(k->is_answer ? (int)k->a.kind : (int)k->m.kind), k->writer, k->node,
		k->is_answer ? k->a.ballot : k->m.ballot, k->is_answer ? k->a.nonce : k->m.nonce,
		value_place(v), k->is_answer ? k->a.configuration : k->m.configuration, value_id(v),
		0 };
	k->node = 0;
	memset(&k->a.cosignature, 0, sizeof(k->a.cosignature));
	out->sum = sum_of(k, sizeof(*k));
	(void)m;
}

static void
view_client(struct model *m, struct client *c, uint8_t w, struct client_view *out)
{
	*out = (struct client_view){ .ballot = c->p.ballot,
		.nonce = c->p.nonce,
		.conf = c->p.conf.number,
		.phase = (uint8_t)c->p.phase,
		.answered = c->p.answered,
		.pending = value_id(&c->p.pending),
		.over = c->doing == 0 && c->op >= strlen(m->b->ops[w]) };
	for (uint8_t i = 0; i < FOUNDERS; i++) {
		memset(&c->p.seen[i].cosignature, 0, sizeof(c->p.seen[i].cosignature));
		out->of[i] = sum_of(&c->p.seen[i], sizeof(c->p.seen[i])) ^
			     ((c->p.answered >> i & 1u) | (c->p.refused >> i & 1u) << 1);
	}
	memset(c->p.seen, 0, sizeof(c->p.seen));
	c->p.answered = c->p.refused = 0;
	out->sum = sum_of(c, sizeof(*c));
}

static void
views_update(struct model *m)
{
	for (uint32_t i; (i = m->packets_seen) < m->packets.count; m->packets_seen++) {
		m->packet_views = views_grow(m->packet_views, i, sizeof(m->packet_views[0]));
		intern_get(&m->packets, i, &m->packet, sizeof(m->packet));
		view_packet(m, &m->packet, &m->packet_views[i]);
	}
	for (uint32_t i; (i = m->clients_seen) < m->clients.count; m->clients_seen++) {
		for (uint8_t w = 0; w < MODEL_WRITERS; w++) {
			m->client_views[w] =
			    views_grow(m->client_views[w], i, sizeof(struct client_view));
			intern_get(&m->clients, i, &m->client, sizeof(m->client));
			view_client(m, &m->client, w, &m->client_views[w][i]);
		}
	}
	for (uint32_t i; (i = m->nodes_seen) < m->nodes.count; m->nodes_seen++) {
		m->node_views = views_grow(m->node_views, i, sizeof(m->node_views[0]));
		intern_get(&m->nodes, i, &m->node, sizeof(m->node));
		m->node_views[i] =
		    (struct node_view){ m->node.there, m->node.a.promised, m->node.a.accepted,
			    value_place(&m->node.a.value), m->node.a.conf.number, 0 };
		memset(&m->node.a.self, 0, sizeof(m->node.a.self));
		m->node_views[i].sum = sum_of(&m->node, sizeof(m->node));
	}
}

/* A vote that counts no more: what it is for was chosen, or cannot be. */
static bool
vote_settled(const struct model *m, const struct packet_view *k, const struct state *s,
    const struct soup *soup)
{
	uint8_t by = 0, may = 0;

	for (uint16_t i = 0; i < soup->count; i++) {
		const struct packet_view *o = &m->packet_views[soup->at[i]];

		if (o->is_answer && o->kind == ANS_ACCEPTED && hash_equal(&o->id, &k->id) &&
		    ballot_compare(&o->ballot, &k->ballot) == 0)
			by |= (uint8_t)(1 << o->node);
	}
	for (uint8_t i = 0; i < NODES; i++)
		may = (uint8_t)(may + ((by >> i & 1) != 0 ||
					  ballot_compare(&m->node_views[s->disk[i]].promised,
					      &k->ballot) <= 0));
	for (uint8_t i = 0; i < NODES; i++)
		if (!m->node_views[s->disk[i]].there && (by >> i & 1) == 0)
			may--;
	return (by & (by - 1)) != 0 || may < m->charter.founding.quorum;
}

static bool
answer_inert(const struct model *m, const struct packet_view *k, const struct client_view *c,
    const struct state *s, const struct soup *soup)
{
	bool other = ballot_compare(&k->ballot, &c->ballot) != 0;

	if (k->kind == ANS_ACCEPTED)
		return m->symmetric &&
		       (c->over || other || !hash_equal(&k->id, &c->pending) ||
			   (c->phase != PH_CONFIRMING && c->phase != PH_ACCEPTING)) &&
		       vote_settled(m, k, s, soup);
	if (c->over)
		return true;
	switch (k->kind) {
	case ANS_PROMISED:
		return other || c->phase != PH_PREPARING ||
		       (c->conf == 0 && (c->answered & 1 << k->node) != 0);
	case ANS_REFUSED:
		return other;
	case ANS_STATE:
		return k->nonce != c->nonce || c->phase != PH_READING ||
		       (c->conf == 0 && (c->answered & 1 << k->node) != 0);
	default:
		return false;
	}
}

/* A request that no anchor would take, of whose refusal its writer would not want to hear. */
static bool
request_inert(const struct model *m, const struct packet_view *k, const struct client_view *c,
    const struct state *s)
{
	if (k->kind == REG_READ)
		return k->nonce != c->nonce || c->phase != PH_READING;
	if (k->kind == REG_HANDOVER || (!c->over && ballot_compare(&k->ballot, &c->ballot) == 0))
		return false;
	for (uint8_t i = 0; i < NODES; i++) {
		const struct node_view *n = &m->node_views[s->node[i]];
		int order = ballot_compare(&k->ballot, &n->promised);

		if (s->node[i] != s->disk[i])
			return false;
		if (!n->there || n->conf > k->conf || order < 0 ||
		    (order == 0 && k->kind == REG_PREPARE) ||
		    (ballot_compare(&k->ballot, &n->accepted) == 0 && k->place <= n->place))
			continue;
		return false;
	}
	return true;
}

void
model_forget_inert(struct model *m, struct state *s)
{
	struct soup soup, had;
	uint16_t kept = 0;

	views_update(m);
	intern_get(&m->soups, s->soup, &had, sizeof(had));
	soup = had;
	for (uint16_t i = 0; i < had.count; i++) {
		const struct packet_view *k = &m->packet_views[soup.at[i]];
		const struct client_view *c = &m->client_views[k->writer][s->client[k->writer]];

		if (!(k->is_answer ? answer_inert(m, k, c, s, &had) : request_inert(m, k, c, s)))
			soup.at[kept++] = soup.at[i];
	}
	if (kept == had.count)
		return;
	memset(&soup.at[kept], 0, sizeof(soup.at[0]) * (size_t)(had.count - kept));
	soup.count = kept;
	model_soup_put(m, s, &soup);
}

struct state_key
model_key(struct model *m, const struct state *s)
{
	uint64_t of[NODES], rest = model_mix(s->failed + ((uint64_t)s->top << 32)), sum;
	struct soup soup;
	struct state_key key;

	intern_get(&m->soups, s->soup, &soup, sizeof(soup));
	for (uint8_t i = 0; i < NODES; i++) {
		of[i] =
		    model_mix(m->node_views[s->node[i]].sum + 3 * m->node_views[s->disk[i]].sum);
		for (uint8_t w = 0; w < MODEL_WRITERS; w++)
			of[i] =
			    model_mix(of[i] + (w + 1u) * m->client_views[w][s->client[w]].of[i]);
	}
	for (uint16_t i = 0; i < soup.count; i++) {
		const struct packet_view *k = &m->packet_views[soup.at[i]];

		if (k->is_answer)
			of[k->node] += model_mix(k->sum); /* a sum: in whatever sequence */
		else
			rest += model_mix(k->sum);
	}
	for (uint8_t i = 0; i < FOUNDERS && m->symmetric; i++)
		for (uint8_t j = 0; j < i; j++)
			if (of[j] > of[i]) {
				sum = of[i];
				of[i] = of[j];
				of[j] = sum;
			}
	for (uint8_t w = 0; w < MODEL_WRITERS; w++)
		rest = model_mix(rest + (w + 1u) * m->client_views[w][s->client[w]].sum);
	rest = model_mix(rest + s->restarts * 256u + s->done);
	key.a = sum_of((uint64_t[]){ of[0], of[1], of[2], of[3], rest }, 40);
	key.b = sum_of((uint64_t[]){ rest, of[3], of[2], of[1], of[0], key.a }, 48);
	return key;
}
