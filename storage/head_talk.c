/*
 * What a client of a register sends, and what comes back. A message is packed and signed once and
 * sent to each anchor by a task of its own; its answer goes to the proposer at once, whoever waits.
 * Who does not answer is asked again by the proposer's clock, so errors only make an address be
 * looked up anew. What an anchor tells of later handovers than it shows is fetched.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/anchors.h"
#include "storage/head_client_private.h"
#include "storage/registers.h"

/* ---- peers ---- */

static struct head_peer *
peer_of(struct head_client *hc, const struct pubkey *key)
{
	struct head_peer *free_one = NULL;

	for (size_t i = 0; i < HEAD_PEERS_MAX; i++) {
		struct head_peer *p = &hc->peers[i];

		if (p->used && pubkey_equal(&p->key, key))
			return p;
		/* One of now gives way to nobody. */
		if (!p->used || (p->flights == 0 && configuration_anchor(&hc->p.conf, &p->key) < 0))
			free_one = p;
	}
	if (free_one != NULL)
		*free_one = (struct head_peer){ .key = *key, .used = true };
	return free_one;
}

/* ---- one message ---- */

static void send_to(struct head_client *hc, struct register_message *m, uint8_t to);

struct packet {
	struct head_client *hc;
	unsigned users;
	size_t len;
	uint8_t bytes[];
};

static void
packet_drop(struct packet *k)
{
	if (--k->users == 0)
		free(k);
}

struct flight {
	struct packet *packet;
	struct head_peer *peer; /* does not move while it flies */
	struct buf reply;
	struct register_answer answer;
	struct network_id net;
	struct signatures known; /* the client's, for the worker */
};

static SUSPENDS int
reach(struct head_client *hc, struct flight *f)
{
	struct bytes message = bytes_of(f->packet->bytes, f->packet->len);
	struct endpoint *ep = hc->opts.endpoint;
	struct contact at;
	int err = ERR_OK;

	if (hc->opts.registers != NULL && pubkey_equal(&f->peer->key, &endpoint_identity(ep)->pub))
		return registers_answer(hc->opts.registers, message, &f->reply);
	if (!f->peer->known) {
		err = register_resolve(ep, hc->opts.dht, &f->peer->key, &at);
		if (err != ERR_OK)
			return err;
		f->peer->at = at;
		f->peer->known = true;
	}
	at = f->peer->at;
	err = register_ask(ep, &at, message, &f->reply);
	if (err == ERR_CLOSED || err == ERR_TIMEOUT || err == ERR_AUTH || err == ERR_UNREACHABLE)
		f->peer->known = false;
	return err;
}

static int
unpack_work(void *arg)
{
	struct flight *f = arg;

	return register_answer_unpack(buf_bytes(&f->reply), f->net, &f->known, &f->answer);
}

static SUSPENDS int
unpack(struct head_client *hc, struct flight *f)
{
	int err;

	f->known = hc->known;
	f->known.checked = 0;
	err = env_offload(hc->env, WORK_CPU, unpack_work, f, f->reply.len);
	signatures_join(&hc->known, &f->known);
	hc->counters.signatures = hc->known.checked;
	return err;
}

/* Whoever's answer it is: the hash says that the records are that head's. */
static void
take_records(struct head_client *hc, const struct register_answer *a)
{
	if (shelf_put(&hc->shelf, &a->tail, &a->value.head) != ERR_OK)
		return;
	/* The proposal that waits for them goes out at once, not with the next round. */
	if (hash_equal(&hc->wanted, &a->value.head.tail) && hc->p.phase == PH_CONFIRMING &&
	    hc->p.refused == 0) {
		memset(&hc->wanted, 0, sizeof(hc->wanted));
		hc->p.wake = env_now(hc->env);
	}
	head_wake(hc);
}

/* A quorum has it, so the proposer asks no more; but who is behind should not stay so. */
static void
bring_records(struct head_client *hc, uint8_t at, const struct register_answer *a)
{
	if (hc->last.kind != REG_ACCEPT || ballot_compare(&a->ballot, &hc->last.ballot) != 0 ||
	    a->configuration != hc->last.configuration ||
	    hc->last.configuration != hc->p.conf.number)
		return;
	hc->last.tail.extends = a->tail.extends;
	send_to(hc, &hc->last, (uint8_t)(1u << at));
}

/* A promise brings the head without its records: they come while others still promise. */
static void
need_records(struct head_client *hc, const struct value *v)
{
	if (hc->p.phase != PH_PREPARING || !v->present || v->head.tail_segments == 0 ||
	    hash_equal(&hc->wanted, &v->head.tail) || shelf_find(&hc->shelf, &v->head.tail) != NULL)
		return;
	hc->wanted = v->head.tail;
	head_ask_tails(hc);
}

/* Who waits for the records of a head that another has gone on from would wait in vain. */
static void
note_overtaken(struct head_client *hc, const struct register_answer *a)
{
	if (hc->p.phase != PH_ASKING || !hc->p.watches || hc->p.replaces || hc->overtaken ||
	    a->epoch != hc->p.epoch || a->configuration != hc->p.conf.number ||
	    ballot_compare(&a->accepted, &hc->p.ballot) <= 0 ||
	    !configuration_writer(&hc->p.conf, &a->accepted.writer))
		return;
	hc->overtaken = true;
	hc->by = a->accepted;
	head_wake(hc);
}

static void
take_answer(struct head_client *hc, const struct flight *f)
{
	int at = configuration_anchor(&hc->p.conf, &f->peer->key);
	const struct register_answer *a = &f->answer;
	uint64_t random;

	hc->counters.answered++;
	if (a->kind == ANS_STATE && a->value.present && hash_equal(&a->bucket, &hc->p.bucket)) {
		take_records(hc, a);
		note_overtaken(hc, a);
	}
	if (at < 0)
		return;
	if (a->kind == ANS_PROMISED)
		need_records(hc, &a->value);
	env_random(hc->env, &random, sizeof(random));
	proposer_answer(&hc->p, (uint8_t)at, a, env_now(hc->env), random, &hc->out);
	if (a->kind == ANS_NEED_TAIL && hc->out.send_to == 0 && hc->out.handover_to == 0)
		bring_records(hc, (uint8_t)at, a);
	head_act(hc);
}

static int
flight_task(void *arg)
{
	struct flight *f = arg;
	struct head_client *hc = f->packet->hc;
	int err = reach(hc, f);

	if (err == ERR_OK)
		err = unpack(hc, f);
	if (err == ERR_OK)
		take_answer(hc, f);
	else if (err != ERR_CANCELED)
		log_debug(hc->env, "an anchor did not answer: %s", err_text(err));
	f->peer->flights--;
	buf_fini(&f->reply);
	packet_drop(f->packet);
	free(f);
	return err;
}

static void
launch(struct head_client *hc, struct packet *k, const struct pubkey *to)
{
	struct head_peer *peer = peer_of(hc, to);
	struct flight *f;

	if (peer == NULL || peer->flights >= HEAD_FLIGHTS_MAX)
		return;
	f = malloc(sizeof(*f));
	if (f == NULL)
		return;
	f->packet = k;
	f->peer = peer;
	f->net = hc->net;
	buf_init(&f->reply, REGISTER_BYTES_MAX);
	if (task_spawn(&hc->group, "ask anchor", flight_task, f) != ERR_OK) {
		free(f);
		return;
	}
	k->users++;
	peer->flights++;
	hc->counters.asked++;
}

/* The records that go with it, as far as they are here. */
static size_t
add_tail(struct head_client *hc, struct register_message *m)
{
	static const struct hash none;
	size_t bytes = 0;

	m->tail.count = 0; /* what was lent before may be gone */
	if (m->kind == REG_READ) {
		if (shelf_find(&hc->shelf, &m->tail.extends) == NULL)
			m->tail.extends = none;
		return 0;
	}
	if (m->kind == REG_PREPARE || !m->value.present)
		return 0;
	if (shelf_part(&hc->shelf, &m->value.head.tail, &m->tail.extends, &m->tail) != ERR_OK)
		return 0;
	for (uint16_t i = 0; i < m->tail.count; i++)
		bytes += m->tail.at[i].records.len + 4;
	return bytes;
}

/* Signed and packed; NULL: no memory, which the proposer takes for a message lost. */
static struct packet *
pack(struct head_client *hc, struct register_message *m)
{
	/* Without the tail, each part at its longest. */
	size_t cap = MIN(KIB(12) + add_tail(hc, m), REGISTER_BYTES_MAX);
	struct packet *k = malloc(sizeof(*k) + cap);

	if (k == NULL)
		return NULL;
	k->hc = hc;
	k->users = 1;
	if (m->kind == REG_PREPARE || m->kind == REG_ACCEPT)
		register_message_sign(m, hc->net, &hc->writer);
	must(register_message_pack(m, hc->net, k->bytes, cap, &k->len) == ERR_OK);
	return k;
}

static void
send_to(struct head_client *hc, struct register_message *m, uint8_t to)
{
	struct packet *k = pack(hc, m);

	if (k == NULL)
		return;
	for (uint8_t i = 0; i < hc->p.conf.anchors_count; i++)
		if ((to >> i & 1) != 0)
			launch(hc, k, &hc->p.conf.anchors[i].key);
	packet_drop(k);
}

void
head_ask_tails(struct head_client *hc)
{
	struct register_message *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return;
	m->kind = REG_READ;
	m->bucket = hc->p.bucket;
	m->epoch = hc->p.epoch;
	m->configuration = hc->p.conf.number;
	/* The proposer's own count up from the session's number. */
	env_random(hc->env, &m->nonce, sizeof(m->nonce));
	send_to(hc, m, (uint8_t)((1u << hc->p.conf.anchors_count) - 1));
	free(m);
}

/* ---- where the members have gone ---- */

static int
follow_step(void *arg, const struct register_chain *now)
{
	struct head_client *hc = arg;
	struct register_answer *a;

	if (hc->p.phase == PH_IDLE || now->charter.epoch != hc->p.epoch)
		return ERR_END;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return ERR_NOMEM;
	/* As if a member had shown it: it proves itself. */
	a->kind = ANS_MOVED;
	a->bucket = hc->p.bucket;
	a->epoch = hc->p.epoch;
	a->configuration = now->now.number;
	a->handed = true;
	a->handover = now->last;
	proposer_answer(&hc->p, 0, a, env_now(hc->env), 0, &hc->out);
	free(a);
	head_act(hc);
	return ERR_OK;
}

static SUSPENDS int
follow_at(struct head_client *hc, const struct pubkey *who, struct register_chain *chain)
{
	struct contact at;
	int err;

	if (pubkey_equal(who, &endpoint_identity(hc->opts.endpoint)->pub))
		return ERR_NOT_FOUND;
	*chain = (struct register_chain){ .known = true,
		.charter = hc->charter,
		.now = hc->p.conf,
		.handed = hc->p.handed,
		.last = hc->p.handover };
	err = register_resolve(hc->opts.endpoint, hc->opts.dht, who, &at);
	if (err == ERR_OK)
		err = register_ask_chain(
		    hc->opts.endpoint, &at, &hc->p.bucket, chain, follow_step, hc);
	if (chain->charter.epoch > hc->p.epoch) {
		hc->superseded = true;
		head_wake(hc);
	}
	return err;
}

static int
follow_task(void *arg)
{
	struct head_client *hc = arg;
	struct register_chain *chain = malloc(sizeof(*chain));
	struct configuration from = hc->p.conf;
	int err = chain == NULL ? ERR_NOMEM : ERR_OK;

	for (uint8_t i = 0; i < from.anchors_count && chain != NULL && err != ERR_CANCELED; i++)
		err = follow_at(hc, &from.anchors[i].key, chain);
	free(chain);
	hc->following = false;
	return err;
}

static void
moved(struct head_client *hc)
{
	struct configuration before = hc->conf;

	hc->conf = hc->p.conf;
	hc->counters.moves++;
	head_publish(hc);
	/* Who is left out would go on without knowing. */
	if (hc->out.handover_to != 0) {
		struct packet *k = pack(hc, &hc->out.handover);

		for (uint8_t i = 0; k != NULL && i < before.anchors_count; i++)
			if (configuration_anchor(&hc->conf, &before.anchors[i].key) < 0)
				launch(hc, k, &before.anchors[i].key);
		if (k != NULL)
			packet_drop(k);
	}
}

/* ---- records: of the newest head, of the members ---- */

static bool
keep_due(const struct head_client *hc)
{
	static const struct hash zero;

	return hc->shown.present && !hash_equal(&hc->shown.head.root, &zero) &&
	       publication_head_due(hc->published, &hc->shown.head, env_now(hc->env));
}

/* Until the root rests. */
static int
keep_task(void *arg)
{
	struct head_client *hc = arg;
	int err = ERR_OK;

	while (err == ERR_OK && keep_due(hc)) {
		struct head h = hc->shown.head;

		err = last_head_publish(
		    hc->opts.endpoint, hc->opts.dht, &hc->finder, hc->charter.salt, &h);
		if (err == ERR_OK) {
			publication_head_put(hc->published, &h, env_now(hc->env));
			err = task_sleep(hc->env, KEEP_EVERY);
		} else if (err != ERR_CANCELED) {
			log_info(hc->env, "a head's record was not put: %s", err_text(err));
		}
	}
	hc->keeping = false;
	return err;
}

static int
publish_task(void *arg)
{
	struct head_client *hc = arg;
	struct configuration c = hc->p.conf; /* they may move meanwhile */
	uint64_t epoch = hc->p.epoch;
	int err = anchors_publish(
	    hc->opts.endpoint, hc->opts.dht, &hc->finder, hc->charter.salt, epoch, &c);

	hc->publishing = false;
	if (err == ERR_OK)
		publication_anchors_put(hc->published, epoch, c.number, env_now(hc->env));
	else if (err != ERR_CANCELED)
		log_info(hc->env, "a finder record was not renewed: %s", err_text(err));
	return err;
}

void
head_publish(struct head_client *hc)
{
	if (hc->finds && !hc->keeping && keep_due(hc))
		hc->keeping = task_spawn(&hc->group, "keep head", keep_task, hc) == ERR_OK;
	if (!hc->finds || hc->publishing ||
	    !publication_anchors_due(
		hc->published, hc->p.epoch, hc->p.conf.number, env_now(hc->env)))
		return;
	hc->publishing = task_spawn(&hc->group, "finder", publish_task, hc) == ERR_OK;
}

/* ---- carrying out ---- */

void
head_wake(struct head_client *hc)
{
	if (hc->event != NULL)
		wait_wake(hc->event, ERR_OK);
}

/* What another has proposed goes out again, but its records may be with it or few anchors only. */
static void
want_records(struct head_client *hc, const struct register_message *m)
{
	const struct value *v = &m->value;

	hc->last = *m;
	if (!v->present || v->head.tail_segments == 0 ||
	    shelf_find(&hc->shelf, &v->head.tail) != NULL)
		return;
	hc->wanted = v->head.tail;
	head_ask_tails(hc);
}

/* When this writer has to give way to others, and how long it takes to be the one again. */
static void
note_turns(struct head_client *hc)
{
	const struct proposer_out *o = &hc->out;
	uint64_t now = env_now(hc->env), random;
	bool read_away;

	if (o->send_to != 0 && o->message.kind == REG_PREPARE)
		turns_begin(&hc->turns, now);
	if (hc->p.lost && hc->p.phase == PH_BACKING_OFF) {
		env_random(hc->env, &random, sizeof(random));
		proposer_wait(&hc->p, turns_lost(&hc->turns, &hc->p.met, now, random));
	}
	hc->p.lost = false;
	if (!o->done)
		return;
	read_away = hc->leads_before && !hc->p.leads && o->outcome == OUT_READ;
	hc->leads_before = hc->p.leads;
	turns_end(&hc->turns, o->outcome == OUT_COMMITTED, now);
	if (read_away) {
		env_random(hc->env, &random, sizeof(random));
		(void)turns_lost(&hc->turns, &hc->p.known_ballot, now, random);
	}
}

void
head_act(struct head_client *hc)
{
	struct proposer_out *o = &hc->out;

	note_turns(hc);

	if (o->moved)
		moved(hc);
	if (o->send_to != 0) {
		if (o->message.kind == REG_ACCEPT)
			want_records(hc, &o->message);
		send_to(hc, &o->message, o->send_to);
	}
	if (o->handover_to != 0)
		send_to(hc, &o->handover, o->handover_to);
	if (o->missing && !hc->following)
		hc->following = task_spawn(&hc->group, "follow", follow_task, hc) == ERR_OK;
	if (o->evaluate)
		hc->evaluate = true;
	if (o->look)
		hc->look = true;
	if (o->done) {
		hc->done = true;
		hc->outcome = o->outcome;
	}
	/* What wakes the proposer may be earlier now than who drives it knows. */
	if (o->evaluate || o->look || o->done || o->moved ||
	    (hc->p.wake != 0 && hc->p.wake < hc->sleeps_until))
		head_wake(hc);
}
