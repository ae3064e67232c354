/*
 * From a walk come the nearest that answered and the region's candidates that did not get asked.
 * Then members of different parts of the region, and the nearest outside it, list the region as
 * they know it; when too few answer, others are asked. Who fails to answer only leaves a smaller
 * list.
 */
#include "dht/place.h"

#include <stdlib.h>

static void
place_add(struct place *p, const struct contact *c, bool answered)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (id_equal(&p->nodes[i].id, &c->id)) {
			p->answered[i] |= answered;
			return;
		}
	if (p->count == REGION_NODES_MAX) {
		/* Who answered displaces the farthest who was only named. */
		for (i = p->count; i > 0 && p->answered[i - 1]; i--)
			;
		if (!answered || i == 0)
			return;
		p->count--;
		memmove(&p->nodes[i - 1], &p->nodes[i], (p->count - i + 1) * sizeof(*p->nodes));
		memmove(&p->answered[i - 1], &p->answered[i],
		    (p->count - i + 1) * sizeof(*p->answered));
	}
	for (i = p->count; i > 0; i--) {
		if (id_compare_distance(&p->region.key, &p->nodes[i - 1].id, &c->id) < 0)
			break;
		p->nodes[i] = p->nodes[i - 1];
		p->answered[i] = p->answered[i - 1];
	}
	p->nodes[i] = *c;
	p->answered[i] = answered;
	p->count++;
}

static void
from_walk(struct place *p, const struct walk *w)
{
	const struct lookup_state *s = &w->state;
	size_t live = 0, slow = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state == CANDIDATE_ANSWERED) {
			/* The nearest count wherever they are: the estimate may be too small. */
			if (live++ < p->want || region_holds(&p->region, &c->contact.id))
				place_add(p, &c->contact, true);
		} else if (c->state == CANDIDATE_SLOW && live < p->want) {
			/* It may live; but if not, the next one shall be there in its stead. */
			place_add(p, &c->contact, false);
			slow++;
		} else if (c->state == CANDIDATE_NEW && region_holds(&p->region, &c->contact.id)) {
			place_add(p, &c->contact, false);
		}
	}
	p->want += slow;
}

/* ---- FIND_REGION ---- */

/* One round trip and some; the lists overlap, so a lost one is not missed. */
#define PLACE_TIMEOUT MILLISECONDS(400)
/* Of PLACE_ASKS: the last two may be dead, or far. */
#define PLACE_ENOUGH  (PLACE_ASKS - 2)

struct listing {
	struct place *place;
	const struct walk *walk;
	struct contact asked[PLACE_ASKS];
	struct buf bodies[PLACE_ASKS];
	bool more[PLACE_ASKS];
	size_t count;
	size_t answers, answers_page;
	struct nodes_reply reply;
};

static struct bytes
listing_body(void *arg, size_t i)
{
	struct listing *l = arg;

	return buf_bytes(&l->bodies[i]);
}

static int
listing_ask(struct listing *l, size_t i, const struct id *after)
{
	struct find_region m = { .prefix = l->place->region.key,
		.bits = (uint16_t)l->place->region.bits,
		.has_after = after != NULL };

	if (after != NULL)
		m.after = *after;
	buf_reset(&l->bodies[i]);
	return find_region_pack(&m, &l->bodies[i]);
}

/* Asked in vain by the walk just now: the others' lists are older. */
static bool
in_vain(const struct walk *w, const struct id *id)
{
	for (size_t i = 0; i < w->state.count; i++)
		if (id_equal(&w->state.at[i].contact.id, id))
			return w->state.at[i].state != CANDIDATE_NEW &&
			       w->state.at[i].state != CANDIDATE_ANSWERED;
	return false;
}

static bool
listing_answer(void *arg, size_t i, int err, struct bytes reply)
{
	struct listing *l = arg;
	const struct contacts *c = &l->reply.contacts;
	struct contact told = { .addr.family = ADDR_NONE };

	l->more[i] = false;
	if (err != ERR_OK || nodes_reply_unpack(reply, &l->reply) != ERR_OK)
		return false;
	l->answers++;
	for (size_t j = 0; j < c->count; j++) {
		contact_init(&told, &c->at[j].pub, &c->at[j].addr);
		if (region_holds(&l->place->region, &told.id) &&
		    dht_contact_ok(l->place->dht, &told) && !dht_suspect(l->place->dht, &told) &&
		    !in_vain(l->walk, &told.id))
			place_add(l->place, &told, false);
	}
	/* The next page, if there is one that leads on. */
	if (l->reply.more && c->count > 0 && listing_ask(l, i, &told.id) == ERR_OK)
		l->more[i] = true;
	return ++l->answers_page >= PLACE_ENOUGH;
}

/* Those of the asked who have a further page come first in the next fan-out. */
static void
listing_keep_more(struct listing *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!l->more[i])
			continue;
		if (n != i) {
			struct buf swap = l->bodies[n];

			l->asked[n] = l->asked[i];
			l->bodies[n] = l->bodies[i];
			l->bodies[i] = swap;
		}
		n++;
	}
	l->count = n;
}

/*
 * Whom to ask: of each part of the region the one that answered, or else was named, and is
 * farthest from the key in this part; with what is left, the farthest that answered at all.
 */
static void
listing_choose(struct listing *l, struct contact *done, size_t *done_count)
{
	struct place *p = l->place;
	const struct walk *w = l->walk;
	uint32_t parts = 0;

	l->count = 0;
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = p->count; i-- > 0 && l->count < PLACE_ASKS;) {
			uint32_t part = 1u << region_part(&p->region, &p->nodes[i].id);
			bool before = false;

			for (size_t j = 0; j < *done_count; j++)
				before |= id_equal(&done[j].id, &p->nodes[i].id);
			if (before || (parts & part) || p->answered[i] != (pass == 0))
				continue;
			parts |= part;
			l->asked[l->count++] = p->nodes[i];
		}
	for (size_t i = w->state.count; i-- > 0 && l->count < PLACE_ASKS && *done_count == 0;) {
		const struct candidate *c = &w->state.at[w->state.order[i]];

		if (c->state == CANDIDATE_ANSWERED && !region_holds(&p->region, &c->contact.id))
			l->asked[l->count++] = c->contact;
	}
	for (size_t i = 0; i < l->count; i++)
		done[(*done_count)++] = l->asked[i];
}

static int
listing_run(struct listing *l)
{
	for (size_t page = 0; page < PLACE_PAGES && l->count > 0; page++) {
		struct fan fan = { .dht = l->place->dht,
			.to = l->asked,
			.count = l->count,
			.method = DHT_FIND_REGION,
			.body_of = listing_body,
			.timeout = PLACE_TIMEOUT,
			.answer = listing_answer,
			.sent = &l->place->sent,
			.arg = l };
		int err;

		l->answers_page = 0;
		memset(l->more, 0, sizeof(l->more));
		err = fan_run(&fan);
		if (err != ERR_OK)
			return err;
		listing_keep_more(l);
	}
	return ERR_OK;
}

static int
enumerate(struct place *p, const struct walk *w)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct contact done[2 * PLACE_ASKS];
	size_t done_count = 0;
	int err = ERR_OK;

	if (l == NULL)
		return ERR_NOMEM;
	l->place = p;
	l->walk = w;
	for (size_t i = 0; i < PLACE_ASKS; i++)
		buf_init(&l->bodies[i], RPC_DATAGRAM_BODY_MAX);
	for (unsigned round = 0; round < 2 && err == ERR_OK; round++) {
		listing_choose(l, done, &done_count);
		for (size_t i = 0; i < l->count && err == ERR_OK; i++)
			err = listing_ask(l, i, NULL);
		if (err == ERR_OK)
			err = listing_run(l);
		if (l->answers >= PLACE_ANSWERS)
			break;
	}
	for (size_t i = 0; i < PLACE_ASKS; i++)
		buf_fini(&l->bodies[i]);
	free(l);
	return err;
}

int
place_gather(struct place *p, struct dht *d, const struct place_opts *opts)
{
	const struct walk *walk = opts->walk;
	struct walk *own = NULL;
	int err = ERR_OK;

	memset(p, 0, sizeof(*p));
	p->dht = d;
	p->want = opts->k;
	if (walk == NULL) {
		err = walk_run(d,
		    &(struct walk_opts){ .target = opts->key,
			.want = DHT_K,
			.method = DHT_FIND_NODE,
			.alpha = DHT_ALPHA, /* who puts is in a hurry, and will ask many more */
			.hasty = true },
		    &own);
		walk = own;
		p->sent = own == NULL ? 0 : own->sent;
	}
	if (err == ERR_OK) {
		struct contact any[DHT_K];

		region_of(&opts->key, dht_size_estimate(d), opts->k, &p->region);
		if (opts->block)
			region_widen(&p->region);
		from_walk(p, walk);
		/* Fewer than asked for: the walk has met everybody there is. */
		if (lookup_closest(&walk->state, any, DHT_K) == DHT_K)
			err = enumerate(p, walk);
	}
	walk_free(own);
	return err;
}

size_t
place_choose(const struct place *p, size_t max, uint16_t *out)
{
	return region_choose(&p->region, p->nodes, p->count, p->want, max, out);
}
