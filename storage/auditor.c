/*
 * Whom to audit, when, and what is thought of whom. Which shard is asked for follows from chance
 * weighted by leaves, so that every byte that siblings keep is equally likely to be asked for.
 */
#include "storage/auditor.h"
#include "storage/store_values.h"

#include <stdlib.h>

/* Shards looked at for one challenge; of these one is taken by weight. */
#define DRAWS        8
/* A node that is in doubt is asked so much rather than others. */
#define DOUBT_WEIGHT 8

/* ---- standings ---- */

static SUSPENDS int
keep_standing(struct auditor *a, const struct standing *one)
{
	uint8_t packed[STANDING_BYTES];
	struct hash key = auditor_key(&one->node);

	standing_pack(one, packed);
	return store_set_value(
	    a->k->opts.store, STORE_STANDING, &key, bytes_of(packed, sizeof(packed)));
}

/* The first time that it is out: its chunks are counted anew. */
static void
look_at(struct auditor *a, struct standing *one)
{
	bool out = standing_out(one);

	if (out && !one->known_out) {
		log_warn(a->k->env,
		    "node %02x%02x%02x%02x… failed its audits: its shards count as "
		    "lost",
		    one->node.b[0], one->node.b[1], one->node.b[2], one->node.b[3]);
		keeper_tour_soon(a->k);
	}
	one->known_out = out;
}

/* Who never gave cause for doubt is not written down: nobody's trust starts below full. */
int
auditor_noted(struct auditor *a, const struct pubkey *node)
{
	struct standing *one = standings_find(a->standings, node);

	if (one == NULL || !standing_doubted(one))
		return ERR_OK;
	look_at(a, one);

	struct standing now = *one; /* others may come while it is written */

	return keep_standing(a, &now);
}

/* ---- whom to ask ---- */

struct draw {
	struct chunk_facts facts, chosen; /* looked at, and taken */
	uint8_t index;
	struct contact node;
	uint64_t weight; /* of all that were looked at */
};

/* Our own time between two challenges of one node, a little more than what it allows. */
static bool
due_again(const struct auditor *a, const struct standing *one)
{
	uint64_t hour = keeper_time(a->k, AUDIT_PER_AUDITOR);

	return one == NULL || one->audited_at == 0 ||
	       env_now(a->k->env) - one->audited_at > hour + hour / 10;
}

static void
consider(struct auditor *a, struct draw *d, const struct sibling *s)
{
	const struct neighbour *one = neighbours_find(a->k->neighbours, &s->node);
	const struct standing *standing = standings_find(a->standings, &s->node);
	struct layout l;
	uint64_t weight;

	if (s->index >= d->facts.n || keeper_is_self(a->k, &s->node) || one == NULL ||
	    one->silent_at != 0 || one->contact.addr.family == ADDR_NONE ||
	    !due_again(a, standing) ||
	    layout_make(d->facts.k, d->facts.n, d->facts.chunk_bytes, &l) != ERR_OK)
		return;
	weight = l.rows;
	if (standing != NULL && standing_doubted(standing))
		weight *= DOUBT_WEIGHT;
	d->weight += weight;
	if (env_random_below(a->k->env, d->weight) >= weight)
		return;
	d->chosen = d->facts;
	d->index = s->index;
	d->node = one->contact;
}

/* A few shards at random places, of which one is taken by its leaves. */
static SUSPENDS int
draw(struct auditor *a, struct draw *d)
{
	int err = ERR_OK;

	for (int i = 0; i < DRAWS && err == ERR_OK; i++) {
		struct hash from;

		env_random(a->k->env, from.b, sizeof(from.b));
		err = store_next_facts(a->k->opts.store, &from, &d->facts);
		if (err == ERR_NOT_FOUND) {
			memset(&from, 0, sizeof(from));
			err = store_next_facts(a->k->opts.store, &from, &d->facts);
		}
		if (err == ERR_OK && d->facts.siblings.count > 0)
			consider(a, d,
			    &d->facts.siblings
				 .at[env_random_below(a->k->env, d->facts.siblings.count)]);
	}
	if (err == ERR_OK && d->weight == 0)
		err = ERR_NOT_FOUND;
	return err;
}

static int
audit_task(void *arg)
{
	struct auditor *a = arg;
	struct draw *d = calloc(1, sizeof(*d));
	int err = d == NULL ? ERR_NOMEM : draw(a, d);

	if (err == ERR_OK)
		err = auditor_challenge(a, &d->chosen, d->index, &d->node, 0);
	free(d);
	a->running = false;
	if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_CANCELED)
		log_warn(a->k->env, "an audit came to nothing: %s", err_text(err));
	return err;
}

/* Half of the step to one and a half: nobody shall know when. */
static void
schedule(struct auditor *a)
{
	uint64_t step = keeper_time(a->k, AUDIT_STEP);

	timer_start(&a->timer, step / 2 + env_random_below(a->k->env, step));
}

static void
audit_fire(void *arg)
{
	struct auditor *a = arg;
	struct keeper *k = a->k;

	/* Started again by the next tour that finds something. */
	if (ledger_count(k->ledger) == 0)
		return;
	schedule(a);
	if (!a->running && k->booted)
		a->running = task_spawn(&k->group, "audit", audit_task, a) == ERR_OK;
}

/* ---- at somebody's wish ---- */

struct wish {
	struct auditor *a;
	struct contact node;
	uint64_t ticket;
	bool kept;
};

/* The first chunk from a random place on, once all round, of which the node should hold a shard. */
static SUSPENDS int
find_shared(struct auditor *a, const struct pubkey *node, struct chunk_facts *f, uint8_t *index)
{
	struct store *store = a->k->opts.store;
	struct hash start, from;
	bool round = false;
	int err;

	env_random(a->k->env, start.b, sizeof(start.b));
	from = start;
	for (;;) {
		err = store_next_facts(store, &from, f);
		if (err == ERR_OK && round && memcmp(&f->chunk, &start, sizeof(start)) >= 0)
			return ERR_NOT_FOUND;
		for (size_t i = 0; err == ERR_OK && i < f->siblings.count; i++) {
			*index = f->siblings.at[i].index;
			if (pubkey_equal(&f->siblings.at[i].node, node) && *index < f->n)
				return ERR_OK;
		}
		from = f->chunk;
		if (err == ERR_NOT_FOUND || (err == ERR_OK && !store_name_after(&from))) {
			if (round)
				return ERR_NOT_FOUND;
			round = true;
			memset(&from, 0, sizeof(from));
		} else if (err != ERR_OK) {
			return err;
		}
	}
}

static SUSPENDS int
audit_now(const struct wish *w)
{
	struct chunk_facts *f = calloc(1, sizeof(*f));
	uint8_t index;
	int err = f == NULL ? ERR_NOMEM : find_shared(w->a, &w->node.pub, f, &index);

	if (err == ERR_OK)
		err = auditor_challenge(w->a, f, index, &w->node, w->ticket);
	free(f);
	return err;
}

static SUSPENDS int
fetch_kept(const struct wish *w)
{
	struct audit_entry e = { .ticket = w->ticket, .node = w->node };
	struct buf kept;
	int err;

	buf_init(&kept, STORE_VALUE_MAX);
	err = keeper_evidence(w->a->k, &w->node.pub, &kept);
	if (err == ERR_OK)
		auditor_list(w->a, &e, buf_bytes(&kept));
	buf_fini(&kept);
	return err;
}

static int
wish_task(void *arg)
{
	struct wish *w = arg;
	int err = w->kept ? fetch_kept(w) : audit_now(w);
	struct audit_entry e = { .ticket = w->ticket, .node = w->node, .error = err };

	/* Who waits for the ticket is told that nothing comes of it. */
	if (err != ERR_OK && err != ERR_CANCELED)
		auditor_list(w->a, &e, bytes_of(NULL, 0));
	free(w);
	return err;
}

static bool
begins_with(const struct contact *c, struct bytes id)
{
	return memcmp(c->id.b, id.data, id.len) == 0;
}

/* Among those we have to do with, and those that we remember. */
static int
find_by_id(const struct auditor *a, struct bytes id, bool kept, struct contact *out)
{
	const struct neighbour *one;
	const struct standing *known;
	size_t cursor = 0, found = 0;
	struct contact c;

	while ((one = neighbours_next(a->k->neighbours, &cursor)) != NULL) {
		if (!begins_with(&one->contact, id))
			continue;
		*out = one->contact;
		found++;
	}
	for (size_t i = 0; kept && found == 0 && (known = standings_at(a->standings, i)) != NULL;
	     i++) {
		contact_init(&c, &known->node, NULL);
		if (begins_with(&c, id)) {
			*out = c;
			return ERR_OK;
		}
	}
	if (found > 1)
		return ERR_INVALID;
	return found == 1 ? ERR_OK : ERR_NOT_FOUND;
}

int
keeper_audit(struct keeper *k, const struct audit_wish *wish, uint64_t *ticket)
{
	struct wish *w = calloc(1, sizeof(*w));
	int err = w == NULL ? ERR_NOMEM : find_by_id(k->auditor, wish->id, wish->kept, &w->node);

	if (err == ERR_OK && !wish->kept && w->node.addr.family == ADDR_NONE)
		err = ERR_UNREACHABLE;
	if (err == ERR_OK) {
		w->a = k->auditor;
		w->kept = wish->kept;
		w->ticket = *ticket = ++k->auditor->tickets;
		err = task_spawn(&k->group, "audit by hand", wish_task, w);
	}
	if (err != ERR_OK)
		free(w);
	return err;
}

/* ---- what others ask ---- */

void
auditor_list(struct auditor *a, const struct audit_entry *e, struct bytes evidence)
{
	struct audit_entry *to;

	if (a->list == NULL)
		a->list = calloc(AUDITS_LISTED, sizeof(*a->list));
	if (a->list == NULL)
		return;
	to = &a->list[a->list_next];
	a->list_next = (a->list_next + 1) % AUDITS_LISTED;
	free(to->evidence);
	*to = *e;
	to->evidence = evidence.len == 0 ? NULL : malloc(evidence.len);
	if (to->evidence == NULL)
		return;
	memcpy(to->evidence, evidence.data, evidence.len);
	to->evidence_bytes = evidence.len;
}

const struct audit_entry *
keeper_audits(const struct keeper *k, size_t i)
{
	const struct auditor *a = k->auditor;
	const struct audit_entry *e;

	if (a->list == NULL || i >= AUDITS_LISTED)
		return NULL;
	e = &a->list[(a->list_next + AUDITS_LISTED - 1 - i) % AUDITS_LISTED];
	return e->at_unix_s == 0 && e->ticket == 0 ? NULL : e;
}

bool
keeper_standing(const struct keeper *k, size_t i, struct node_standing *out)
{
	const struct standing *one = standings_at(k->auditor->standings, i);

	if (one == NULL)
		return false;
	contact_init(&out->node, &one->node, NULL);
	out->out = standing_out(one);
	for (int t = 0; t < STANDING_TRAITS; t++) {
		out->score[t] = standing_score(one, t);
		out->good[t] = one->of[t].good;
		out->bad[t] = one->of[t].bad;
	}
	return true;
}

int
keeper_evidence(struct keeper *k, const struct pubkey *node, struct buf *out)
{
	struct hash key = auditor_key(node);

	return store_value(k->opts.store, STORE_EVIDENCE, &key, out);
}

bool
auditor_out(const struct auditor *a, const struct pubkey *node)
{
	const struct standing *one = standings_find(a->standings, node);

	return one != NULL && standing_out(one);
}

int
auditor_note_read(struct auditor *a, const struct pubkey *node, bool good)
{
	struct standing *one = standings_get(a->standings, node);

	if (one == NULL)
		return ERR_NOMEM;
	standing_note(one, STANDING_INTEGRITY, good);
	return auditor_noted(a, node);
}

void
auditor_sum_up(const struct auditor *a, struct keeper_status *out)
{
	const struct standing *one;

	for (size_t i = 0; (one = standings_at(a->standings, i)) != NULL; i++) {
		out->nodes_doubted += standing_doubted(one);
		out->nodes_out += standing_out(one);
	}
}

/* ---- life ---- */

static SUSPENDS int
load_one(struct auditor *a, const struct hash *key)
{
	struct standing read = { .busy = 0 }, *one;
	struct buf value;
	int err;

	buf_init(&value, STORE_VALUE_MAX);
	err = store_value(a->k->opts.store, STORE_STANDING, key, &value);
	if (err == ERR_OK)
		err = standing_unpack(buf_bytes(&value), &read);
	buf_fini(&value);
	memcpy(read.node.b, key->b, sizeof(read.node.b));
	one = err == ERR_OK ? standings_get(a->standings, &read.node) : NULL;
	if (one != NULL) {
		memcpy(one->of, read.of, sizeof(one->of));
		one->known_out = standing_out(one);
	}
	/* One that cannot be read is one that is not known. */
	return err == ERR_CANCELED ? err : ERR_OK;
}

int
auditor_load(struct auditor *a)
{
	struct hash from = { { 0 } }, key;
	int err;

	while ((err = store_next_value(a->k->opts.store, STORE_STANDING, &from, &key)) == ERR_OK) {
		err = load_one(a, &key);
		from = key;
		if (err != ERR_OK || !store_name_after(&from))
			break;
	}
	memset(&from, 0, sizeof(from));
	while (err != ERR_CANCELED &&
	       (err = store_next_value(a->k->opts.store, STORE_EVIDENCE, &from, &key)) == ERR_OK) {
		a->evidence_count++;
		from = key;
		if (!store_name_after(&from))
			break;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void
auditor_wake(struct auditor *a)
{
	if (!timer_armed(&a->timer))
		schedule(a);
}

int
auditor_new(struct keeper *k, struct auditor **out)
{
	struct auditor *a = calloc(1, sizeof(*a));
	int err = a == NULL ? ERR_NOMEM : ERR_OK;

	if (err != ERR_OK)
		return err;
	a->k = k;
	timer_init(&a->timer, k->env, audit_fire, a);
	a->standings = standings_new();
	if (a->standings == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		err = audit_desk_new(k, &a->desk);
	if (err != ERR_OK) {
		auditor_free(a);
		return err;
	}
	*out = a;
	return ERR_OK;
}

void
auditor_stop(struct auditor *a)
{
	timer_stop(&a->timer);
}

void
auditor_free(struct auditor *a)
{
	if (a == NULL)
		return;
	timer_stop(&a->timer);
	standings_free(a->standings);
	audit_desk_free(a->desk);
	for (size_t i = 0; a->list != NULL && i < AUDITS_LISTED; i++)
		free(a->list[i].evidence);
	free(a->list);
	free(a->promises);
	free(a);
}
