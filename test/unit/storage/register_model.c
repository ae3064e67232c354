#include "test/unit/storage/register_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/storage/register_model_private.h"

static const char *const event_text[] = { "", "message to anchor", "answer to writer",
	"start of writer", "timer of writer", "turn of writer", "deadline of writer",
	"restart of writer", "crash of anchor" };

/* ---- small tables ---- */

static uint32_t *
memo_at(struct memo *m, uint64_t key)
{
	uint32_t i;

	if (2 * (m->count + 1) > m->room) {
		struct memo old = *m;

		m->room = old.room == 0 ? 4096 : 2 * old.room;
		m->keys = calloc(m->room, sizeof(m->keys[0]));
		m->values = calloc(m->room, sizeof(m->values[0]));
		m->count = 0;
		must(m->keys != NULL && m->values != NULL);
		for (i = 0; i < old.room; i++)
			if (old.keys[i] != 0)
				*memo_at(m, old.keys[i] - 1) = old.values[i];
		free(old.keys);
		free(old.values);
	}
	i = (uint32_t)model_mix(key) & (m->room - 1);
	while (m->keys[i] != 0 && m->keys[i] != key + 1)
		i = (i + 1) & (m->room - 1);
	if (m->keys[i] == 0) {
		m->keys[i] = key + 1;
		m->count++;
	}
	return &m->values[i]; /* index of an effect + 1 */
}

static struct effect *
effect_new(struct model *m, uint32_t *slot)
{
	struct effect *e;

	if (m->effects_count == m->effects_room) {
		m->effects_room = m->effects_room == 0 ? 1024 : 2 * m->effects_room;
		m->effects = realloc(m->effects, m->effects_room * sizeof(*m->effects));
		must(m->effects != NULL);
	}
	e = &m->effects[m->effects_count++];
	*slot = m->effects_count;
	memset(e, 0, sizeof(*e));
	for (size_t i = 0; i < ARRAY_LEN(e->sent); i++)
		e->sent[i] = NONE;
	return e;
}

static int32_t
packet_put(struct model *m, struct packet *p)
{
	uint32_t n = intern_put(&m->packets, p, sizeof(*p), NULL);

	must(n < UINT16_MAX);
	return (int32_t)n;
}

void
model_wrong(struct model *m, const char *what)
{
	uint32_t at = m->now, length = 0;

	if (m->r->wrong != NULL)
		return;
	m->r->wrong = what;
	printf("%s\n", what);
	for (; at != 0 && length < 100; at = m->came[at].parent, length++) {
		const struct came *c = &m->came[at];

		intern_get(&m->packets, c->packet, &m->packet, sizeof(m->packet));
		printf("  %s %u", event_text[c->event], c->who);
		if (c->event <= EV_ANSWER)
			printf(": packet %u, kind %d, writer %u, node %u, ballot %ju", c->packet,
			    m->packet.is_answer ? (int)m->packet.a.kind : (int)m->packet.m.kind,
			    m->packet.writer, m->packet.node,
			    (uintmax_t)(m->packet.is_answer ? m->packet.a.ballot.counter
							    : m->packet.m.ballot.counter));
		printf("\n");
	}
}

/* ---- anchors ---- */

static void
node_answer(struct model *m, struct effect *e, uint8_t node)
{
	memset(&m->packet.m, 0, sizeof(m->packet.m));
	m->packet.is_answer = true;
	m->packet.node = node;
	if (m->answer.cosigned)
		m->answer.cosignature.anchor = m->node.a.self.key;
	m->packet.a = m->answer;
	e->sent[0] = packet_put(m, &m->packet);
}

/* m->packet is a request; m->node the anchor. */
static void
node_step(struct model *m, struct effect *e, uint8_t node)
{
	struct acceptor_sight sight = { .incarnation = 100u + node };
	enum acceptor_verdict v;
	struct anchor self;

	fixture_anchor(node, &self);
	if (!m->node.there) {
		memset(&m->answer, 0, sizeof(m->answer));
		m->answer.kind = ANS_NO_MEMBER;
		m->answer.bucket = m->charter.bucket;
		m->answer.epoch = m->charter.epoch;
		if (m->packet.m.kind == REG_HANDOVER &&
		    acceptor_join(&m->charter, &m->charter.founding, &m->packet.m, &self,
			&m->node.a) == ERR_OK) {
			m->node.there = true;
			m->answer.kind = ANS_JOINED;
			m->answer.configuration = m->node.a.conf.number;
			e->synced = true;
		}
	} else {
		v = acceptor_step(&m->node.a, &m->packet.m, &sight, &m->node.a, &m->answer);
		e->synced = v == ACC_CHANGED;
		if (v == ACC_IGNORED) {
			e->next = intern_put(&m->nodes, &m->node, sizeof(m->node), NULL);
			return;
		}
	}
	e->next = intern_put(&m->nodes, &m->node, sizeof(m->node), NULL);
	node_answer(m, e, node);
}

static struct effect *
deliver(struct model *m, uint32_t node_number, uint8_t node, uint16_t packet)
{
	uint32_t *slot =
	    memo_at(&m->delivered, (uint64_t)node_number << 32 | (uint64_t)packet << 8 | node);
	struct effect *e;

	if (*slot != 0)
		return &m->effects[*slot - 1];
	e = effect_new(m, slot);
	intern_get(&m->nodes, node_number, &m->node, sizeof(m->node));
	intern_get(&m->packets, packet, &m->packet, sizeof(m->packet));
	node_step(m, e, node);
	return e;
}

/* ---- writers ---- */

static void
sent(struct model *m, struct effect *e, uint8_t writer, const struct register_message *message)
{
	size_t i = 0;

	while (e->sent[i] != NONE)
		must(++i < ARRAY_LEN(e->sent));
	memset(&m->packet, 0, sizeof(m->packet));
	m->packet.writer = writer;
	m->packet.m = *message;
	e->sent[i] = packet_put(m, &m->packet);
}

static uint32_t
client_mark(const struct client *c, uint8_t writer)
{
	return fixture_mark(writer, 0, c->op);
}

static bool
client_has_written(const struct model *m, const struct client *c, uint8_t writer)
{
	struct hash id = value_head_id(&c->p.known);

	return c->doing != 'C' &&
	       fixture_has(&m->book, fixture_find(&m->book, &id), client_mark(c, writer));
}

/* The application: looks for its mutation, else adds it to what is committed. */
static void
client_reply(struct model *m, uint8_t writer)
{
	struct client *c = &m->client;
	uint32_t known = 0, mark = client_mark(c, writer);
	struct hash id = value_head_id(&c->p.known);
	struct configuration next;
	struct value v;

	known = fixture_find(&m->book, &id);
	if (c->doing == 'C') {
		if (c->p.conf.number > 0) {
			proposer_reply(&c->p, REPLY_DECLINE, NULL, NOW_WAKE, &m->out);
			return;
		}
		fixture_next(&c->p.conf, 2, 3, &next);
		fixture_stop(&m->charter, &c->p.known, &next, &v);
		proposer_reply(&c->p, REPLY_PROPOSE, &v, NOW_WAKE, &m->out);
	} else if (c->doing == 'E') {
		proposer_tick(&c->p, NOW_DEADLINE, 0, &m->out);
	} else if (fixture_has(&m->book, known, mark)) {
		proposer_reply(&c->p, REPLY_FOUND, NULL, NOW_WAKE, &m->out);
	} else if (c->doing == 'D' && known != 0) {
		proposer_reply(&c->p, REPLY_DECLINE, NULL, NOW_WAKE, &m->out);
	} else {
		fixture_make(&m->book, &m->charter, &c->p.known, writer, mark, &v);
		proposer_reply(&c->p, REPLY_PROPOSE, &v, NOW_WAKE, &m->out);
	}
}

/* After each event of a writer: what it sends, asks and says. False: beyond the bounds. */
static bool
client_after(struct model *m, struct effect *e, uint8_t writer)
{
	struct client *c = &m->client;

	for (;;) {
		struct hash id;

		if (m->out.send_to != 0)
			sent(m, e, writer, &m->out.message);
		if (m->out.handover_to != 0)
			sent(m, e, writer, &m->out.handover);
		if (m->out.done) {
			id = value_head_id(&c->p.known);
			e->done = true;
			e->outcome = m->out.outcome;
			e->head = fixture_find(&m->book, &id);
			e->mark = client_mark(c, writer);
			e->floor = c->floor;
			e->doing = c->doing;
			c->doing = 0;
			c->floor = 0;
		}
		if (!m->out.evaluate)
			break;
		client_reply(m, writer);
	}
	c->p.lost = false;
	if (c->p.wake != 0)
		c->p.wake = NOW_WAKE;
	e->next = intern_put(&m->clients, c, sizeof(*c), NULL);
	return c->p.top <= m->b->counters[writer] && c->p.nonce - c->p.session <= m->b->reads;
}

static struct effect *
answer(struct model *m, uint32_t client, uint8_t writer, uint16_t packet)
{
	uint32_t *slot =
	    memo_at(&m->answered, (uint64_t)client << 32 | (uint64_t)packet << 8 | writer);
	struct effect *e;
	struct anchor from;
	int at;

	if (*slot != 0)
		return &m->effects[*slot - 1];
	e = effect_new(m, slot);
	intern_get(&m->clients, client, &m->client, sizeof(m->client));
	intern_get(&m->packets, packet, &m->packet, sizeof(m->packet));
	fixture_anchor(m->packet.node, &from);
	at = configuration_anchor(&m->client.p.conf, &from.key);
	e->next = client;
	if (at < 0)
		return e;
	proposer_answer(&m->client.p, (uint8_t)at, &m->packet.a, 0, 0, &m->out);
	if (!client_after(m, e, writer))
		e->next = UINT32_MAX;
	return e;
}

/* ---- what is on its way ---- */

static void
soup_add(struct model *m, struct state *state, const struct effect *e)
{
	struct soup s;
	bool more = false;

	intern_get(&m->soups, state->soup, &s, sizeof(s));
	for (size_t i = 0; i < ARRAY_LEN(e->sent) && e->sent[i] != NONE; i++) {
		uint16_t p = (uint16_t)e->sent[i], at = 0;

		while (at < s.count && s.at[at] < p)
			at++;
		if (at < s.count && s.at[at] == p)
			continue;
		must(s.count < SOUP_MAX);
		memmove(&s.at[at + 1], &s.at[at], sizeof(s.at[0]) * (size_t)(s.count - at));
		s.at[at] = p;
		s.count++;
		more = true;
	}
	if (!more)
		return;
	model_soup_put(m, state, &s);
	m->top_before = state->top;
	state->top = model_soup_check(m, &s);
}

/* ---- states ---- */

static void
state_add(struct model *m, struct state *s, enum event event, uint8_t who, uint16_t packet)
{
	struct state_key key;
	uint32_t slot;

	model_forget_inert(m, s);
	key = model_key(m, s);
	for (slot = (uint32_t)key.a & (m->slots_count - 1); m->slots[slot] != 0;
	     slot = (slot + 1) & (m->slots_count - 1))
		if (m->keys[m->slots[slot] - 1].a == key.a &&
		    m->keys[m->slots[slot] - 1].b == key.b)
			return;
	if (m->r->states == m->b->states_max) {
		if (m->r->all)
			m->left_out = m->came[m->now].depth;
		m->r->all = false;
		return;
	}
	m->states[m->r->states] = *s;
	m->keys[m->r->states] = key;
	m->came[m->r->states] = (struct came){ m->now, (uint8_t)event, who, packet,
		(uint16_t)(m->r->states == 0 ? 0 : m->came[m->now].depth + 1) };
	m->slots[slot] = ++m->r->states;
}

static uint32_t
failed_bit(uint32_t mark)
{
	return 1u << ((mark >> 16 & 1) * 8 + (mark & 7));
}

static void
check_done(struct model *m, struct state *s, const struct effect *e)
{
	uint32_t top = s->top;
	uint64_t seq = m->book.at[e->head].seq;

	switch (e->outcome) {
	case OUT_READ:
	case OUT_DECLINED:
		if (!model_is_before(&m->book, e->head, top))
			model_wrong(m, "a read saw what is not committed");
		if (seq < e->floor)
			model_wrong(m, "a read went backwards");
		m->r->read += e->outcome == OUT_READ;
		m->r->declined += e->outcome == OUT_DECLINED;
		break;
	case OUT_COMMITTED:
		m->r->committed++;
		if (e->doing != 'C' && !fixture_has(&m->book, top, e->mark))
			model_wrong(m, "a write was confirmed and is not committed");
		if (seq < e->floor)
			model_wrong(m, "a write went backwards");
		break;
	case OUT_FAILED:
		m->r->failed++;
		s->failed |= failed_bit(e->mark);
		break;
	case OUT_UNKNOWN:
		m->r->unknown++;
		return;
	case OUT_FORKED:
		model_wrong(m, "a fork was reported");
		return;
	}
	if (e->outcome != OUT_FAILED)
		s->done = (uint8_t)MAX(s->done, seq);
}

static void
after_client(struct model *m, struct state *s, const struct effect *e, enum event event,
    uint8_t writer, uint16_t packet)
{
	struct effect now = *e; /* the table may move */

	if (now.next == UINT32_MAX)
		return;
	m->r->transitions++;
	if (s->client[writer] == now.next && event == EV_ANSWER)
		return;
	s->client[writer] = now.next;
	soup_add(m, s, &now);
	if (now.done)
		check_done(m, s, &now);
	state_add(m, s, event, writer, packet);
}

/* Events that depend on more than a client's state: not memoized. */
static void
client_event(struct model *m, const struct state *from, enum event event, uint8_t writer)
{
	struct client *c = &m->client;
	struct effect e;
	struct state s = *from;
	const char *ops = m->b->ops[writer];

	memset(&e, 0, sizeof(e));
	for (size_t i = 0; i < ARRAY_LEN(e.sent); i++)
		e.sent[i] = NONE;
	memset(&m->out, 0, sizeof(m->out));
	intern_get(&m->clients, s.client[writer], c, sizeof(*c));
	if (event == EV_START) {
		if (c->doing != 0 || ops[c->op] == 0)
			return;
		c->doing = ops[c->op++];
		c->floor = s.done;
		if (c->doing == 'R')
			proposer_read(&c->p, 0, NOW_DEADLINE, &m->out);
		else
			proposer_write(&c->p, 0, NOW_DEADLINE, &m->out);
	} else if (event == EV_RESTART) {
		struct pubkey key = fixture_writer(writer);

		if (s.restarts == m->b->restarts || c->op == 0)
			return;
		s.restarts++;
		c->life++;
		c->doing = 0;
		c->floor = 0;
		proposer_init(&c->p, &m->charter, NULL, &key, 1000u * c->life + 100u * writer);
		c->p.watches = m->b->watches;
	} else if (event == EV_TAKE) {
		if (c->p.phase != PH_LOOKING)
			return;
		if (!c->p.moving && client_has_written(m, c, writer))
			proposer_reply(&c->p, REPLY_FOUND, NULL, NOW_WAKE, &m->out);
		else
			proposer_take(&c->p, 0, NOW_WAKE, &m->out);
	} else {
		if (event == EV_TICK && c->p.phase == PH_LOOKING)
			proposer_wait(&c->p, NOW_WAKE);
		if (c->doing == 0 || (event == EV_TICK && c->p.wake == 0) ||
		    (event == EV_GIVE_UP && !m->b->give_up))
			return;
		proposer_tick(&c->p, event == EV_TICK ? NOW_WAKE : NOW_DEADLINE, 0, &m->out);
	}
	if (!client_after(m, &e, writer))
		return;
	after_client(m, &s, &e, event, writer, 0);
}

static void
expand(struct model *m, const struct state *from)
{
	struct soup soup;

	intern_get(&m->soups, from->soup, &soup, sizeof(soup));
	for (uint16_t i = 0; i < soup.count; i++) {
		intern_get(&m->packets, soup.at[i], &m->packet, sizeof(m->packet));
		if (m->packet.is_answer) {
			uint8_t writer = m->packet.writer;
			struct state s = *from;

			after_client(m, &s, answer(m, s.client[writer], writer, soup.at[i]),
			    EV_ANSWER, writer, soup.at[i]);
			continue;
		}
		for (uint8_t n = 0; n < NODES; n++) {
			struct effect e = *deliver(m, from->node[n], n, soup.at[i]);
			struct state s = *from;

			s.node[n] = e.next;
			if (e.synced)
				s.disk[n] = e.next;
			soup_add(m, &s, &e);
			m->r->transitions++;
			if (s.node[n] == from->node[n] && s.soup == from->soup)
				continue;
			state_add(m, &s, EV_DELIVER, n, soup.at[i]);
		}
	}
	for (uint8_t w = 0; w < MODEL_WRITERS; w++)
		for (enum event ev = EV_START; ev <= EV_RESTART; ev++)
			client_event(m, from, ev, w);
	for (uint8_t n = 0; n < NODES; n++)
		if (from->node[n] != from->disk[n]) {
			struct state s = *from;

			s.node[n] = s.disk[n];
			state_add(m, &s, EV_CRASH, n, 0);
		}
	for (uint32_t bit = 0; bit < 16 && from->failed != 0; bit++)
		if ((from->failed & 1u << bit) != 0 &&
		    fixture_has(&m->book, from->top, fixture_mark((uint8_t)(bit / 8), 0, bit & 7)))
			model_wrong(m, "a write was said to have failed and is committed");
}

static void
first_state(struct model *m, struct state *s)
{
	struct soup soup;

	memset(s, 0, sizeof(*s));
	memset(&soup, 0, sizeof(soup));
	s->soup = intern_put(&m->soups, &soup, sizeof(soup), NULL);
	for (uint8_t i = 0; i < NODES; i++) {
		struct anchor self;

		memset(&m->node, 0, sizeof(m->node));
		fixture_anchor(i, &self);
		m->node.there = i < FOUNDERS;
		if (m->node.there)
			must(acceptor_found(&m->charter, &self, &m->node.a) == ERR_OK);
		s->node[i] = s->disk[i] = intern_put(&m->nodes, &m->node, sizeof(m->node), NULL);
	}
	for (uint8_t i = 0; i < MODEL_WRITERS; i++) {
		struct pubkey key = fixture_writer(i);

		memset(&m->client, 0, sizeof(m->client));
		proposer_init(&m->client.p, &m->charter, NULL, &key, 100u * i);
		m->client.p.watches = m->b->watches;
		s->client[i] = intern_put(&m->clients, &m->client, sizeof(m->client), NULL);
	}
}

void
model_explore(const struct model_bounds *b, struct model_result *out)
{
	struct model *m = calloc(1, sizeof(*m));
	struct state s;

	must(m != NULL && sizeof(struct packet) % 8 == 0 && sizeof(struct client) % 8 == 0 &&
	     sizeof(struct node) % 8 == 0);
	memset(out, 0, sizeof(*out));
	m->b = b;
	m->r = out;
	out->all = true;
	m->symmetric = true;
	for (uint8_t w = 0; w < MODEL_WRITERS; w++)
		m->symmetric = m->symmetric && strchr(b->ops[w], 'C') == NULL;
	fixture_charter(FOUNDERS, MODEL_WRITERS, &m->charter);
	intern_init(&m->nodes);
	intern_init(&m->clients);
	intern_init(&m->packets);
	intern_init(&m->soups);
	for (m->slots_count = 1024; m->slots_count < 2 * b->states_max;)
		m->slots_count *= 2;
	m->slots = calloc(m->slots_count, sizeof(m->slots[0]));
	m->states = calloc(b->states_max, sizeof(m->states[0]));
	m->keys = calloc(b->states_max, sizeof(m->keys[0]));
	m->came = calloc(b->states_max, sizeof(m->came[0]));
	must(m->slots != NULL && m->states != NULL && m->keys != NULL && m->came != NULL);
	first_state(m, &s);
	state_add(m, &s, EV_START, 0, 0);
	for (m->now = 0; m->now < out->states && out->wrong == NULL; m->now++) {
		s = m->states[m->now];
		expand(m, &s);
	}
	if (m->now > 0)
		out->depth = m->came[m->now - 1].depth;
	if (!out->all)
		out->depth = m->left_out;
	out->anchors = m->nodes.count;
	out->writers = m->clients.count;
	out->messages = m->packets.count;
	intern_fini(&m->nodes);
	intern_fini(&m->clients);
	intern_fini(&m->packets);
	intern_fini(&m->soups);
	free(m->packet_views);
	free(m->node_views);
	for (uint8_t w = 0; w < MODEL_WRITERS; w++)
		free(m->client_views[w]);
	free(m->delivered.keys);
	free(m->delivered.values);
	free(m->answered.keys);
	free(m->answered.values);
	free(m->effects);
	free(m->states);
	free(m->came);
	free(m->keys);
	free(m->slots);
	free(m);
}
