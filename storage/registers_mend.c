/*
 * What anchors do without anybody's order: each looks at the others of its registers now and then,
 * and when one has not answered as a member for the charter's time, puts another in its place:
 * whose turn it is follows from a hash, the next goes on after a while. The others agree if they
 * have seen the same and find the new one fit; what is proposed is dictated by what they have
 * accepted (register.h: warrant), so nobody needs to be trusted. A node that leaves puts others in
 * its own place.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/anchors.h"
#include "storage/head_client.h"
#include "storage/keeper_times.h"
#include "storage/placement.h"
#include "storage/registers_private.h"

/* How often it is seen what is due. */
#define LOOK_TICK       MINUTES(10)
/* Looks within the time after which an anchor counts as silent. */
#define LOOKS           8
/* Who was left out says so this long to those who ask it: a client that was away for a week asks
 * the finder record. */
#define MOVED_KEPT      DAYS(7)
/* A verdict holds while the proposal is made, with rounds that are repeated. */
#define JUDGED_FOR      MINUTES(2)
/* A member that is alive answers within a few round trips. */
#define PROBE_TIMEOUT   SECONDS(4)
#define REPLACE_TIME    SECONDS(60)
#define CANDIDATE_TRIES 8

/* ---- what was seen ---- */

static uint64_t
silent_time(const struct registers *r, const struct register_entry *e)
{
	uint64_t s = e->charter.rules.silent_s == 0 ? SILENT_S_DEFAULT : e->charter.rules.silent_s;

	return MAX(registers_time(r, SECONDS(s)), GRACE_FLOOR);
}

static bool
leaves(const struct registers *r)
{
	return r->opts.keeper != NULL && keeper_leaves(r->opts.keeper);
}

static bool
is_self(const struct registers *r, const struct pubkey *key)
{
	return pubkey_equal(key, &endpoint_identity(r->opts.endpoint)->pub);
}

void
registers_health_reset(struct registers *r, struct register_entry *e)
{
	const struct configuration *c = &e->state.conf;
	struct anchor_health was[ANCHORS_MAX];

	memcpy(was, e->health, sizeof(was));
	memset(e->health, 0, sizeof(e->health));
	for (uint8_t i = 0; i < c->anchors_count; i++) {
		struct anchor_health *h = &e->health[i];

		h->key = c->anchors[i].key;
		h->incarnation = c->anchors[i].incarnation;
		h->good_at = env_now(r->env);
		for (uint8_t j = 0; j < ANCHORS_MAX; j++)
			if (was[j].good_at != 0 && was[j].incarnation == h->incarnation &&
			    pubkey_equal(&was[j].key, &h->key))
				h->good_at = was[j].good_at;
	}
}

/* How long beyond the charter's time; 0: it is not silent. */
static uint64_t
silent_for(const struct registers *r, const struct register_entry *e, uint8_t i)
{
	uint64_t since = env_now(r->env) - e->health[i].good_at, time = silent_time(r, e);

	return since > time ? since - time : 0;
}

struct probe {
	struct register_message m;
	struct register_answer a;
	struct buf reply;
};

static SUSPENDS int
ask_member(
    struct registers *r, const struct register_entry *e, const struct pubkey *who, struct probe *p)
{
	p->m.bucket = e->bucket;
	p->m.epoch = e->state.epoch;
	p->m.configuration = e->state.conf.number;
	p->m.tail.extends = tail_hash(&e->state.tail);
	return register_ask_state(r->opts.endpoint, r->opts.dht, who, &p->m, &p->reply, &p->a);
}

/* It is behind, or has never heard that it is a member: its own others have what it needs. */
static SUSPENDS void
tell_handover(
    struct registers *r, const struct register_entry *e, const struct pubkey *who, struct probe *p)
{
	size_t cap = KIB(12), len;
	uint8_t *packed = malloc(cap);
	struct contact at;

	if (packed == NULL)
		return;
	memset(&p->m, 0, sizeof(p->m));
	p->m.kind = REG_HANDOVER;
	p->m.bucket = e->bucket;
	p->m.epoch = e->state.epoch;
	p->m.configuration = e->state.conf.number;
	p->m.handover = e->state.handover;
	if (register_message_pack(&p->m, r->net, packed, cap, &len) == ERR_OK &&
	    register_resolve(r->opts.endpoint, r->opts.dht, who, &at) == ERR_OK)
		(void)register_ask(r->opts.endpoint, &at, bytes_of(packed, len), &p->reply);
	free(packed);
}

/* Somebody shows that the configuration has ended: as if we had been told. */
static SUSPENDS void
take_handover(struct registers *r, const struct register_entry *e, struct probe *p)
{
	struct handover l = p->a.handover;

	memset(&p->m, 0, sizeof(p->m));
	p->m.kind = REG_HANDOVER;
	p->m.bucket = e->bucket;
	p->m.epoch = e->state.epoch;
	p->m.configuration = l.stop.next.number;
	p->m.handover = l;
	(void)registers_step(r, &p->m, &p->a);
}

/*
 * What another has accepted and we have not: the accept is its writer's word, whoever brings it, so
 * it is as if it had come now. Else who was away would have to wait for a writer, and readers who
 * cannot write for both.
 */
static SUSPENDS void
take_accept(struct registers *r, struct register_entry *e, struct probe *p)
{
	const struct acceptor *s = &e->state;
	int order = ballot_compare(&p->a.accepted, &s->accepted);

	if (p->a.accepted.counter == 0 || order < 0 ||
	    (order == 0 && value_place(&p->a.value) <= value_place(&s->value)))
		return;
	register_message_shown(&p->a, &p->m);
	p->m.bucket = e->bucket;
	p->m.epoch = s->epoch;
	p->m.configuration = s->conf.number;
	(void)registers_step(r, &p->m, &p->a);
}

/* Whether it answers as a member; helps along who has fallen behind, on either side. */
static SUSPENDS bool
look_at(struct registers *r, struct register_entry *e, const struct pubkey *who)
{
	struct probe *p = calloc(1, sizeof(*p));
	bool good = false;
	uint64_t old;

	if (p == NULL)
		return false;
	buf_init(&p->reply, REGISTER_BYTES_MAX);
	old = task_deadline(r->env, env_now(r->env) + PROBE_TIMEOUT);
	if (ask_member(r, e, who, p) == ERR_OK) {
		task_deadline_restore(r->env, old);
		good = p->a.kind == ANS_STATE && p->a.epoch == e->state.epoch &&
		       p->a.configuration == e->state.conf.number;
		if (good)
			take_accept(r, e, p);
		else if ((p->a.kind == ANS_BEHIND || p->a.kind == ANS_NO_MEMBER) &&
			 p->a.epoch == e->state.epoch && e->state.handed && !entry_sealed(e) &&
			 p->a.configuration < e->state.conf.number)
			tell_handover(r, e, who, p);
		else if (p->a.kind == ANS_MOVED && p->a.handed)
			take_handover(r, e, p);
	} else {
		task_deadline_restore(r->env, old);
	}
	buf_fini(&p->reply);
	free(p);
	return good;
}

/* ---- who may come in another's place ---- */

struct choice {
	struct candidate c[PLACED_MAX];
	size_t count;
};

/* Appends what a node says of itself. False: it does not answer. */
static SUSPENDS bool
add_described(struct registers *r, struct choice *ch, const struct pubkey *who, bool taken)
{
	struct peer_record record;
	struct contact at;

	if (ch->count == PLACED_MAX)
		return false;
	if (is_self(r, who)) {
		const struct peer_record *self = dht_self(r->opts.dht);

		if (self == NULL)
			return false;
		record = *self;
		contact_init(&at, who, record.addrs_count > 0 ? &record.addrs[0] : NULL);
	} else if (register_resolve(r->opts.endpoint, r->opts.dht, who, &at) != ERR_OK ||
		   dht_peer_record(r->opts.dht, &at, &record) != ERR_OK) {
		return false;
	}
	candidate_init(&ch->c[ch->count], &at, &record);
	ch->c[ch->count].free_bytes = record.free_bytes;
	ch->c[ch->count++].taken = taken;
	return true;
}

/* The members that stay, as far as they answer. */
static SUSPENDS void
add_members(struct registers *r, const struct register_entry *e, uint8_t without, struct choice *ch)
{
	struct configuration c = e->state.conf;

	for (uint8_t i = 0; i < c.anchors_count; i++)
		if (i != without)
			(void)add_described(r, ch, &c.anchors[i].key, true);
}

static int
candidates(struct registers *r, const struct configuration *c, struct choice *ch)
{
	struct candidate *all = calloc(CANDIDATES_MAX, sizeof(*all));
	size_t count = 0;
	int err = all == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK && r->chunks == NULL)
		err = chunks_new(
		    &(struct chunks_opts){ .endpoint = r->opts.endpoint, .dht = r->opts.dht },
		    &r->chunks);
	if (err == ERR_OK)
		err = chunks_candidates(r->chunks, 2 * ANCHORS_MAX, all, CANDIDATES_MAX, &count);
	for (size_t i = 0; err == ERR_OK && i < count && ch->count < PLACED_MAX; i++)
		if (configuration_anchor(c, &all[i].contact.pub) < 0 &&
		    !configuration_writer(c, &all[i].contact.pub) &&
		    !is_self(r, &all[i].contact.pub))
			ch->c[ch->count++] = all[i];
	free(all);
	return err;
}

/* One that fits and would. */
static SUSPENDS int
find_new(struct registers *r, const struct register_entry *e, uint8_t old, struct anchor *out)
{
	struct choice *ch = calloc(1, sizeof(*ch));
	struct constraints limits = anchors_limits(&e->charter.rules);
	struct configuration c = e->state.conf;
	bool found = false;
	int err = ch == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK)
		add_members(r, e, old, ch);
	if (err == ERR_OK)
		err = candidates(r, &c, ch);
	for (int i = 0; err == ERR_OK && !found && i < CANDIDATE_TRIES; i++) {
		err = anchors_try(r->opts.endpoint, &e->charter, e->granted ? &e->grant : NULL,
		    &limits, ch->c, &ch->count, out);
		found = err == ERR_OK;
		if (err == ERR_REFUSED)
			err = ERR_OK;
	}
	free(ch);
	return err == ERR_OK && !found ? ERR_PLACEMENT : err;
}

/* ---- replacing ---- */

static SUSPENDS int
replace(struct registers *r, struct register_entry *e, uint8_t old)
{
	struct configuration next = e->state.conf;
	enum proposer_outcome outcome = OUT_FAILED;
	struct head_client *hc;
	struct head_client_opts opts = { .endpoint = r->opts.endpoint,
		.dht = r->opts.dht,
		.registers = r,
		.charter = &e->charter,
		.handover = e->state.handed ? &e->state.handover : NULL,
		.writer = endpoint_identity(r->opts.endpoint) };
	int err = find_new(r, e, old, &next.anchors[old]);

	if (err != ERR_OK)
		return err;
	/* While others were asked it may have moved on. */
	if (!entry_member(r, e) || e->state.conf.number != next.number)
		return ERR_STALE;
	next.number++;
	opts.handover = e->state.handed ? &e->state.handover : NULL;
	e->judged = configuration_id(&next);
	e->judged_at = env_now(r->env);
	e->judged_good = true;
	err = head_client_new(&opts, &hc);
	if (err != ERR_OK)
		return err;
	err = head_client_replace(hc, &next, REPLACE_TIME, &outcome);
	head_client_free(hc);
	if (err == ERR_OK && outcome != OUT_COMMITTED)
		err = ERR_UNREACHABLE;
	if (err == ERR_OK)
		r->counters.replaced++;
	return err;
}

/* How many of those that answer come before us for this register. */
static uint64_t
own_rank(const struct registers *r, const struct register_entry *e)
{
	const struct pubkey *self = &endpoint_identity(r->opts.endpoint)->pub;
	struct hash own, other;
	uint64_t rank = 0;
	struct bytes parts[2] = { bytes_of(e->bucket.b, sizeof(e->bucket.b)),
		bytes_of(self->b, sizeof(self->b)) };

	crypto_sha256_parts(&own, parts, 2);
	for (uint8_t i = 0; i < e->state.conf.anchors_count; i++) {
		parts[1] = bytes_of(e->health[i].key.b, sizeof(e->health[i].key.b));
		crypto_sha256_parts(&other, parts, 2);
		if (silent_for(r, e, i) == 0 && memcmp(&other, &own, sizeof(own)) < 0)
			rank++;
	}
	return rank;
}

static SUSPENDS void
mend(struct registers *r, struct register_entry *e)
{
	const struct pubkey *self = &endpoint_identity(r->opts.endpoint)->pub;
	uint64_t claim = MAX(registers_time(r, CLAIM_TIME), CLAIM_FLOOR), most = 0;
	int old = -1, err;

	if (leaves(r)) {
		old = configuration_anchor(&e->state.conf, self);
	} else {
		for (uint8_t i = 0; i < e->state.conf.anchors_count; i++)
			if (!is_self(r, &e->health[i].key) && silent_for(r, e, i) > most) {
				most = silent_for(r, e, i);
				old = i;
			}
		if (old >= 0 && most < claim * own_rank(r, e))
			return;
	}
	if (old < 0)
		return;
	err = replace(r, e, (uint8_t)old);
	if (err != ERR_OK && err != ERR_CANCELED)
		log_info(r->env, "an anchor was not replaced: %s", err_text(err));
	else if (err == ERR_OK)
		log_info(r->env, "an anchor of a head register was replaced");
}

/* ---- agreeing ---- */

/* Indices of who goes (in c) and who comes (in next). */
static void
who_changes(
    const struct configuration *c, const struct configuration *next, uint8_t *old, uint8_t *fresh)
{
	for (uint8_t i = 0; i < c->anchors_count; i++) {
		if (!configuration_member(next, &c->anchors[i]))
			*old = i;
		if (!configuration_member(c, &next->anchors[i]))
			*fresh = i;
	}
}

static SUSPENDS bool
old_may_go(struct registers *r, struct register_entry *e, const struct anchor *old, uint8_t at)
{
	struct anchor_offer offer;
	struct contact to;

	if (is_self(r, &old->key))
		return leaves(r);
	if (silent_for(r, e, at) > 0)
		return !look_at(r, e, &old->key);
	return register_resolve(r->opts.endpoint, r->opts.dht, &old->key, &to) == ERR_OK &&
	       anchor_ask_offer(r->opts.endpoint, &to, &e->charter.owner, NULL, &offer) == ERR_OK &&
	       offer.leaving;
}

static SUSPENDS bool
new_may_come(
    struct registers *r, const struct register_entry *e, const struct anchor *fresh, uint8_t old)
{
	struct choice *ch = calloc(1, sizeof(*ch));
	struct constraints limits = anchors_limits(&e->charter.rules);
	struct anchor_offer offer;
	bool good = false;

	if (ch == NULL)
		return false;
	add_members(r, e, old, ch);
	/* Regions were looked at by who proposes: an unknown member must not block it. */
	limits.regions_min = 0;
	if (add_described(r, ch, &fresh->key, false) &&
	    placement_allows(ch->c, ch->count, ch->count - 1, &limits, NULL) &&
	    anchor_ask_offer(r->opts.endpoint, &ch->c[ch->count - 1].contact, &e->charter.owner,
		e->granted ? &e->grant : NULL, &offer) == ERR_OK)
		good = offer.refusal == ERR_OK && !offer.leaving &&
		       offer.incarnation == fresh->incarnation;
	free(ch);
	return good;
}

int
registers_agree(
    struct registers *r, struct register_entry *e, const struct register_message *m, bool *agrees)
{
	struct hash id = configuration_id(&m->next);
	struct configuration c = e->state.conf;
	uint8_t old = 0, fresh = 0;

	*agrees = false;
	if (!configuration_replaces_one(&c, &m->next) ||
	    configuration_anchor(&c, &m->ballot.writer) < 0)
		return ERR_OK;
	if (e->judged_at != 0 && hash_equal(&e->judged, &id) &&
	    env_now(r->env) - e->judged_at < JUDGED_FOR) {
		*agrees = e->judged_good;
		return ERR_OK;
	}
	if (e->judging)
		return ERR_BUSY;
	e->judging = true;
	who_changes(&c, &m->next, &old, &fresh);
	*agrees = old_may_go(r, e, &c.anchors[old], old) &&
		  new_may_come(r, e, &m->next.anchors[fresh], old);
	e->judging = false;
	e->judged = id;
	e->judged_at = env_now(r->env);
	e->judged_good = *agrees;
	return ERR_OK;
}

/* ---- looks ---- */

static SUSPENDS void
look(struct registers *r, struct register_entry *e)
{
	struct configuration c = e->state.conf;
	uint64_t step = silent_time(r, e) / LOOKS;

	e->look_at = env_now(r->env) + step / 2 + env_random_below(r->env, step);
	for (uint8_t i = 0; i < c.anchors_count && !task_canceled(r->env); i++) {
		const struct pubkey *who = &c.anchors[i].key;

		if (e->state.conf.number != c.number || !entry_member(r, e))
			return; /* it has moved on meanwhile */
		if (is_self(r, who) || (look_at(r, e, who) && e->state.conf.number == c.number))
			e->health[i].good_at = env_now(r->env);
	}
	if (!task_canceled(r->env) && entry_member(r, e))
		mend(r, e);
}

/* Long enough nobody was sent from here to the members of now. */
static SUSPENDS void
forget(struct registers *r, struct register_entry *e)
{
	if (semaphore_acquire(r->env, &e->gate) != ERR_OK)
		return;
	e->gone = entry_sealed(e) || e->moved_at != 0;
	semaphore_release(&e->gate);
	if (e->gone && keep_forget(r, e) == ERR_OK && e->users == 1) {
		e->users = 0;
		registers_remove(r, e);
		return;
	}
	/* Somebody is inside, or the store fails: at the next tick. */
	e->users--;
}

static bool
due(const struct registers *r, const struct register_entry *e)
{
	return entry_member(r, e) && (leaves(r) || env_now(r->env) >= e->look_at);
}

static int
look_task(void *arg)
{
	struct registers *r = arg;
	struct hash at = { { 0 } };
	struct register_entry *e = r->count > 0 ? r->at[0] : NULL;
	size_t silent = 0;

	while (e != NULL && !task_canceled(r->env)) {
		at = e->bucket;
		e->users++;
		if (e->moved_at != 0 &&
		    env_now(r->env) - e->moved_at > registers_time(r, MOVED_KEPT)) {
			forget(r, e);
		} else {
			if (due(r, e))
				look(r, e);
			for (uint8_t i = 0; i < e->state.conf.anchors_count; i++)
				silent += entry_member(r, e) && silent_for(r, e, i) > 0;
			e->users--;
		}
		e = registers_after(r, &at);
	}
	r->silent = silent;
	r->looking = false;
	return ERR_OK;
}

static void
tick(void *arg)
{
	struct registers *r = arg;

	r->soon = false;
	if (!r->looking)
		r->looking = task_spawn(&r->group, "look", look_task, r) == ERR_OK;
	if (r->count > 0)
		timer_start(&r->timer, registers_time(r, LOOK_TICK));
}

void
registers_mend_init(struct registers *r)
{
	timer_init(&r->timer, r->env, tick, r);
}

void
registers_mend_wake(struct registers *r)
{
	if (!r->stopped && !timer_armed(&r->timer))
		timer_start(&r->timer, registers_time(r, LOOK_TICK));
}

void
registers_mend_soon(struct registers *r)
{
	if (r->stopped || r->soon || r->looking)
		return;
	r->soon = true;
	timer_start(&r->timer, TIME_FLOOR);
}

void
registers_mend_stop(struct registers *r)
{
	timer_stop(&r->timer);
}
