/*
 * How a register comes to a node: the owner founds it with a charter that names the node, or a
 * handover makes it a member of one that runs. Who joins trusts nobody: it fetches charter and
 * handovers from the others and follows them to the configuration before.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/registers_private.h"

static struct anchor
own_anchor(const struct registers *r)
{
	return (struct anchor){ endpoint_identity(r->opts.endpoint)->pub, r->incarnation };
}

/* ---- founding ---- */

/* A new entry, or a copy of what is known with the state of another epoch. */
static int
founded(const struct registers *r, const struct register_entry *known, const struct charter *c,
    const struct grant *grant, struct register_entry *out)
{
	struct anchor self = own_anchor(r);
	int err = known == NULL ? acceptor_found(c, &self, &out->state)
				: acceptor_refound(&known->state, c, &self, &out->state);

	if (err != ERR_OK)
		return err;
	out->bucket = c->bucket;
	out->charter = *c;
	out->granted = grant != NULL;
	if (grant != NULL)
		out->grant = *grant;
	return ERR_OK;
}

static SUSPENDS int
keep_founded(struct registers *r, struct register_entry *known, const struct register_entry *fresh)
{
	const struct tail_part none = { .count = 0 };
	static const struct register_entry nothing;
	int err = keep_charter(r, &fresh->charter, fresh->granted ? &fresh->grant : NULL);

	if (err == ERR_OK)
		err = keep_state(r, known == NULL ? &nothing : known, &fresh->state, &none);
	return err;
}

/* The known one begins again in the later epoch; what was of the earlier is swept at a start. */
static SUSPENDS int
found_again(struct registers *r, struct register_entry *e, const struct register_entry *fresh)
{
	int err = semaphore_acquire(r->env, &e->gate);

	if (err != ERR_OK)
		return err;
	err = e->gone ? ERR_BUSY : keep_founded(r, e, fresh);
	if (err == ERR_OK)
		registers_begin_again(r, e, fresh);
	semaphore_release(&e->gate);
	return err;
}

static SUSPENDS int
found(struct registers *r, const struct charter *c, const struct grant *grant, uint64_t group)
{
	struct register_entry *known = registers_find(r, &c->bucket), *fresh;
	int err = ERR_OK;

	/* Told again. */
	if (known != NULL && hash_equal(&known->charter.id, &c->id))
		return ERR_OK;
	if (known == NULL)
		err = registers_admit(r, &c->owner, grant, group);
	if (err != ERR_OK)
		return err;
	fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL)
		return ERR_NOMEM;
	err = founded(r, known, c, grant, fresh);
	if (err == ERR_OK && known != NULL) {
		known->users++;
		err = found_again(r, known, fresh);
		known->users--;
	} else if (err == ERR_OK) {
		err = keep_founded(r, NULL, fresh);
		if (err == ERR_OK) {
			err = registers_insert(r, fresh);
			fresh = NULL;
		}
	}
	if (err == ERR_OK)
		r->counters.founded++;
	free(fresh);
	return err;
}

int
registers_found(
    struct registers *r, const struct charter *c, const struct grant *grant, uint64_t group)
{
	int err;

	if (!r->loaded)
		return ERR_BUSY;
	err = semaphore_acquire(r->env, &r->taking);
	if (err != ERR_OK)
		return err;
	err = found(r, c, grant, group);
	semaphore_release(&r->taking);
	return err;
}

/* ---- joining ---- */

struct joining {
	struct registers *r;
	const struct register_message *m;
	struct register_chain chain;
	/* What a member shows, when m's head is not there any more. */
	struct register_answer shown;
	struct buf reply;
	struct register_entry *entry; /* as it will be */
	const struct tail_part *part; /* with its records */
};

/* Keeps what leads to the configuration of now. */
static int
followed(void *arg, const struct register_chain *now)
{
	struct joining *j = arg;

	return keep_handover(j->r, &j->m->bucket, now->charter.epoch, &now->last);
}

/* Whether the chain leads to what m tells, or beyond. */
static SUSPENDS bool
follow_from(struct joining *j, const struct pubkey *who)
{
	struct registers *r = j->r;
	struct register_chain *c = &j->chain;
	struct contact at;

	if (pubkey_equal(who, &endpoint_identity(r->opts.endpoint)->pub) ||
	    register_resolve(r->opts.endpoint, r->opts.dht, who, &at) != ERR_OK)
		return false;
	/* Each is asked for all: what another has shown may have ended half way. */
	c->known = false;
	/* What was proven before an error counts. */
	(void)register_ask_chain(r->opts.endpoint, &at, &j->m->bucket, c, followed, j);
	if (!c->known || c->charter.epoch != j->m->epoch)
		return false;
	if (c->now.number + 1 == j->m->handover.stop.next.number &&
	    register_chain_add(c, &j->m->handover) != ERR_OK)
		return false;
	return c->now.number >= j->m->handover.stop.next.number;
}

/* From those who signed, then from those who are members with us. */
static SUSPENDS int
follow(struct joining *j)
{
	const struct handover *l = &j->m->handover;

	for (uint8_t i = 0; i < l->count; i++)
		if (follow_from(j, &l->by[i].anchor))
			return ERR_OK;
	for (uint8_t i = 0; i < l->stop.next.anchors_count; i++)
		if (follow_from(j, &l->stop.next.anchors[i].key))
			return ERR_OK;
	return task_canceled(j->r->env) ? ERR_CANCELED : ERR_REFUSED;
}

static SUSPENDS int
ask_state(struct joining *j, const struct pubkey *who)
{
	struct registers *r = j->r;
	struct register_message *m = calloc(1, sizeof(*m));
	int err;

	if (m == NULL)
		return ERR_NOMEM;
	m->bucket = j->m->bucket;
	m->epoch = j->m->epoch;
	m->configuration = j->chain.now.number;
	err = register_ask_state(r->opts.endpoint, r->opts.dht, who, m, &j->reply, &j->shown);
	if (err == ERR_OK &&
	    (j->shown.kind != ANS_STATE || j->shown.configuration != m->configuration ||
		j->shown.epoch != m->epoch))
		err = ERR_NOT_FOUND;
	free(m);
	return err;
}

/* From what a member shows: the head that all began with, or what it has accepted since. */
static SUSPENDS int
catch_up_from(struct joining *j, const struct pubkey *who, const struct anchor *self)
{
	struct register_chain *c = &j->chain;
	struct register_message *m;
	int err = ask_state(j, who);

	if (err != ERR_OK)
		return err;
	if (j->shown.accepted.counter > 0) {
		err = acceptor_catch_up(
		    &c->charter, &c->before, &c->last, &j->shown, self, &j->entry->state);
	} else {
		m = calloc(1, sizeof(*m));
		if (m == NULL)
			return ERR_NOMEM;
		m->handover = c->last;
		m->value = j->shown.value;
		m->tail = j->shown.tail;
		err = acceptor_join(&c->charter, &c->before, m, self, &j->entry->state);
		free(m);
	}
	if (err == ERR_OK)
		j->part = &j->shown.tail;
	return err;
}

static SUSPENDS int
find_state(struct joining *j)
{
	struct anchor self = own_anchor(j->r);
	struct register_chain *c = &j->chain;
	int err = ERR_INVALID;

	if (!configuration_member(&c->now, &self))
		return ERR_NOT_FOUND;
	if (hash_equal(&c->last.stop.id, &j->m->handover.stop.id)) {
		err = acceptor_join(&c->charter, &c->before, j->m, &self, &j->entry->state);
		if (err == ERR_OK)
			j->part = &j->m->tail;
	}
	for (uint8_t i = 0; i < c->now.anchors_count && err != ERR_OK && err != ERR_CANCELED; i++)
		if (!pubkey_equal(&c->now.anchors[i].key, &self.key))
			err = catch_up_from(j, &c->now.anchors[i].key, &self);
	return err;
}

static SUSPENDS int
keep_joined(struct joining *j, struct register_entry *known)
{
	static const struct register_entry nothing;
	struct registers *r = j->r;
	const struct charter *c = &j->chain.charter;
	int err = keep_charter(r, c, j->chain.granted ? &j->chain.grant : NULL);

	if (err == ERR_OK)
		err = keep_handover(r, &c->bucket, c->epoch, &j->chain.last);
	if (err == ERR_OK)
		err = keep_state(r, known == NULL ? &nothing : known, &j->entry->state, j->part);
	return err;
}

/* What we had is of a configuration that has long ended: the new state takes its place. */
static SUSPENDS int
join_again(struct joining *j, struct register_entry *e)
{
	int err = semaphore_acquire(j->r->env, &e->gate);

	if (err != ERR_OK)
		return err;
	if (e->gone || e->state.epoch > j->m->epoch ||
	    (e->state.epoch == j->m->epoch && e->state.conf.number >= j->chain.now.number))
		err = ERR_STALE;
	if (err == ERR_OK)
		err = keep_joined(j, e);
	if (err == ERR_OK)
		registers_begin_again(j->r, e, j->entry);
	semaphore_release(&e->gate);
	return err;
}

static SUSPENDS int
join(struct joining *j)
{
	struct registers *r = j->r;
	struct register_entry *known, *fresh = j->entry;
	int err = follow(j);

	if (err == ERR_OK && registers_find(r, &j->m->bucket) == NULL)
		err = registers_admit(
		    r, &j->chain.charter.owner, j->chain.granted ? &j->chain.grant : NULL, 0);
	if (err == ERR_OK)
		err = find_state(j);
	if (err != ERR_OK)
		return err;
	fresh->bucket = j->m->bucket;
	fresh->charter = j->chain.charter;
	fresh->granted = j->chain.granted;
	fresh->grant = j->chain.grant;
	known = registers_find(r, &j->m->bucket);
	if (known != NULL) {
		known->users++;
		err = join_again(j, known);
		known->users--;
		return err;
	}
	err = keep_joined(j, NULL);
	if (err != ERR_OK)
		return err;
	j->entry = NULL;
	return registers_insert(r, fresh);
}

int
registers_join(struct registers *r, const struct register_message *m)
{
	struct anchor self = own_anchor(r);
	struct joining *j;
	int err;

	if (configuration_anchor(&m->handover.stop.next, &self.key) < 0)
		return ERR_NOT_FOUND;
	/* Anybody can make up a handover; who waits for those holds nothing. */
	if (!semaphore_try(&r->taking))
		return ERR_BUSY;
	j = calloc(1, sizeof(*j));
	err = j == NULL ? ERR_NOMEM : ERR_OK;
	if (err == ERR_OK) {
		j->r = r;
		j->m = m;
		buf_init(&j->reply, REGISTER_BYTES_MAX);
		j->entry = calloc(1, sizeof(*j->entry));
		err = j->entry == NULL ? ERR_NOMEM : join(j);
		free(j->entry);
		buf_fini(&j->reply);
	}
	free(j);
	semaphore_release(&r->taking);
	if (err == ERR_OK)
		r->counters.joined++;
	else
		log_info(r->env, "a head register was not joined: %s", err_text(err));
	return err;
}
