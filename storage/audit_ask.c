/*
 * One audit, from the challenge to what follows from the answer. Only what the node itself said, or
 * left unsaid however often it was asked, counts against it; that it is busy, that its line is
 * down, or that our own store failed does not.
 */
#include <stdlib.h>

#include "storage/auditor.h"
#include "storage/chunks_private.h"
#include "storage/store_values.h"

/* Nodes of which evidence is kept; of others the newest is in the list. */
#define EVIDENCE_NODES 256
/* So long a node's word about a shard that it gave up may be under way to us. */
#define EXCUSE_WAIT    SECONDS(10)

/* One under way; large, on the heap. */
struct audit {
	struct auditor *a;
	struct keeper *k;
	struct contact to;
	struct layout layout;
	struct evidence evidence;
	enum audit_result result;
	uint64_t took; /* ns, the last try */
	bool garbage;
	uint8_t tries;
	uint64_t ticket;
	uint8_t leaf[LEAF_BYTES];
};

/* ---- one try ---- */

/* What came is not what the node signed for, or is cut off. */
static int
garbage(struct audit *t)
{
	t->garbage = true;
	return ERR_CORRUPT;
}

static SUSPENDS int
receive_proof(struct audit *t, struct stream *st, uint8_t i)
{
	struct audit_proof *p = &t->evidence.proofs.at[i];
	uint32_t row = audit_row(&t->evidence.challenge, i, t->layout.rows);
	uint32_t bytes = layout_leaf_bytes(&t->layout, row);
	int err = stream_read(st, t->leaf, bytes);

	if (err == ERR_OK)
		err = stream_read(st, &p->path.count, 1);
	if (err == ERR_OK && p->path.count > MERKLE_PATH_MAX)
		err = garbage(t);
	if (err == ERR_OK)
		err = stream_read(st, p->path.path, p->path.count * sizeof(p->path.path[0]));
	if (err != ERR_OK)
		return err;
	p->path.leaf = row;
	merkle_leaf(&p->leaf, t->leaf, bytes);
	t->evidence.proofs.count = (uint8_t)(i + 1);
	return ERR_OK;
}

static SUSPENDS int
receive_answer(struct audit *t, struct stream *st)
{
	struct evidence *e = &t->evidence;
	uint8_t packed[AUDIT_ANSWER_BYTES];
	struct hash sum;
	int err = stream_read(st, packed, sizeof(packed));

	if (err != ERR_OK)
		return err;
	err = audit_answer_unpack(bytes_of(packed, sizeof(packed)), t->k->net, &e->answer);
	if (err != ERR_OK || !audit_answers(&e->answer, &e->challenge, t->k->net))
		return garbage(t);
	e->answered = true;
	if (e->answer.verdict == AUDIT_LOST)
		return ERR_OK;
	for (uint8_t i = 0; err == ERR_OK && i < e->challenge.leaves; i++)
		err = receive_proof(t, st, i);
	if (err != ERR_OK)
		return err;
	audit_proofs_sum(&e->proofs, &sum);
	return hash_equal(&sum, &e->answer.proofs) ? ERR_OK : garbage(t);
}

static SUSPENDS int
exchange(struct audit *t)
{
	uint8_t packed[AUDIT_CHALLENGE_BYTES];
	struct bytes head =
	    bytes_of(packed, audit_challenge_pack(&t->evidence.challenge, t->k->net, packed));
	struct stream *st;
	int err = stream_open(t->k->opts.endpoint, &t->to, METHOD_AUDIT, head, &st);

	if (err != ERR_OK)
		return err;
	t->evidence.answered = t->garbage = false;
	t->evidence.proofs.count = 0;
	err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = receive_answer(t, st);
	stream_close(st);
	return err == ERR_END ? garbage(t) : err;
}

/* What the answer shows. */
static enum audit_result
judge_answer(const struct audit *t)
{
	const struct evidence *e = &t->evidence;

	if (e->answer.verdict == AUDIT_LOST)
		return AUDIT_ADMITTED;
	if (audit_proofs_check(&e->proofs, &e->challenge, &t->layout,
		&e->descriptor.roots[e->challenge.index]) != ERR_OK)
		return AUDIT_FORGED;
	return t->took > AUDIT_LATE ? AUDIT_PASSED_LATE : AUDIT_PASSED;
}

static SUSPENDS int
try_once(struct audit *t)
{
	struct env *env = t->k->env;
	uint64_t began = env_now(env), old = task_deadline(env, began + AUDIT_TIMEOUT);
	int err = exchange(t);

	task_deadline_restore(env, old);
	t->took = env_now(env) - began;
	t->tries++;
	if (err == ERR_CANCELED || err == ERR_NOMEM)
		return err;
	if (err == ERR_OK)
		t->result = judge_answer(t);
	else if (t->garbage)
		t->result = AUDIT_BYTES;
	else
		t->result = err == ERR_BUSY ? AUDIT_BUSY : AUDIT_SILENT;
	return ERR_OK;
}

/* A sibling that answers nothing else either is away, which is another matter. */
static bool
is_away(const struct audit *t)
{
	const struct neighbour *one = neighbours_find(t->k->neighbours, &t->to.pub);

	return one == NULL || one->silent_at != 0;
}

static SUSPENDS int
try_patiently(struct audit *t)
{
	int err = try_once(t);

	while (
	    err == ERR_OK && t->result == AUDIT_SILENT && t->tries < AUDIT_TRIES && !is_away(t)) {
		err = task_sleep(t->k->env, keeper_time(t->k, AUDIT_RETRY));
		if (err == ERR_OK)
			err = try_once(t);
	}
	return err;
}

/* ---- what follows ---- */

static void
remember_promise(struct audit *t)
{
	struct auditor *a = t->a;

	if (a->promises == NULL)
		a->promises = malloc(PROMISES_MAX * sizeof(*a->promises));
	if (a->promises == NULL)
		return; /* then a later loss is the node's word against none */
	a->promises[a->promises_next] =
	    (struct promise){ t->evidence.challenge, t->evidence.answer };
	a->promises_next = (a->promises_next + 1) % PROMISES_MAX;
	a->promises_count = MIN(a->promises_count + 1, (size_t)PROMISES_MAX);
}

static void
recall_promise(struct audit *t)
{
	for (size_t i = 0; i < t->a->promises_count; i++) {
		const struct promise *p = &t->a->promises[i];

		if (!audit_same_shard(&p->challenge, &t->evidence.challenge))
			continue;
		t->evidence.answered_before = true;
		t->evidence.challenge_before = p->challenge;
		t->evidence.answer_before = p->answer;
	}
}

/* Somebody else who lives has the same shard: then it was a copy too many, or was handed over. */
static bool
is_elsewhere(const struct audit *t, const struct chunk_facts *f)
{
	const struct audit_challenge *c = &t->evidence.challenge;
	bool elsewhere = facts_has(f, c->index);

	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = neighbours_find(t->k->neighbours, &s->node);

		elsewhere |= s->index == c->index && !pubkey_equal(&s->node, &c->node) &&
			     one != NULL && keeper_counts_on(t->k, one, keeper_short_grace(t->k));
	}
	return elsewhere;
}

static bool
may_be_excused(const struct audit *t)
{
	struct standing *one = standings_get(t->a->standings, &t->to.pub);

	return one != NULL && one->excused++ < AUDIT_EXCUSES_MAX;
}

/*
 * Whether nobody lacks what it has not: the owner had deleted it, which it knew before we did, or
 * the shard is elsewhere, which its siblings are just being told.
 */
static SUSPENDS int
look_for_excuse(struct audit *t)
{
	const struct audit_challenge *c = &t->evidence.challenge;
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : task_sleep(t->k->env, EXCUSE_WAIT);

	if (err == ERR_OK && keeper_fetch_leases(t->k, &c->chunk, &c->node) == ERR_CANCELED)
		err = ERR_CANCELED;
	if (err == ERR_OK)
		err = store_facts(t->k->opts.store, &c->chunk, f);
	if (err == ERR_NOT_FOUND ||
	    (err == ERR_OK && (facts_until(f) <= keeper_now_unix_s(t->k, NULL) ||
				  (is_elsewhere(t, f) && may_be_excused(t))))) {
		t->result = AUDIT_ENDED;
		err = ERR_OK;
	}
	free(f);
	return err;
}

/*
 * Late, or no answer, from a third of all: then it is rather our line, or our own load, than
 * theirs, and nobody is to pay for it.
 */
static bool
is_rather_us(const struct auditor *a)
{
	const struct standing *one;
	size_t audited = 0, poor = 0;

	for (size_t i = 0; (one = standings_at(a->standings, i)) != NULL; i++) {
		audited += one->audited_at != 0;
		poor += one->audited_at != 0 && one->poor;
	}
	return poor > MAX((size_t)2, audited / 3);
}

static void
note(struct audit *t, bool patient)
{
	struct standing *one = standings_get(t->a->standings, &t->to.pub);
	enum audit_result r = t->result;
	bool right = r == AUDIT_PASSED || r == AUDIT_PASSED_LATE;

	if (one == NULL)
		return;
	one->audited_at = env_now(t->k->env);
	if (r == AUDIT_BUSY) {
		one->busy += patient && one->busy < UINT8_MAX;
		return;
	}
	one->busy = 0;
	one->poor = r == AUDIT_SILENT || r == AUDIT_PASSED_LATE;
	if (r == AUDIT_SILENT) {
		if (patient && !is_away(t) && !is_rather_us(t->a))
			standing_note(one, STANDING_AVAILABILITY, false);
		return;
	}
	standing_note(one, STANDING_AVAILABILITY, true);
	if (r == AUDIT_ENDED)
		return;
	standing_note(one, STANDING_INTEGRITY, right);
	if (right)
		one->excused = 0;
	if (r == AUDIT_PASSED || (r == AUDIT_PASSED_LATE && !is_rather_us(t->a)))
		standing_note(one, STANDING_LATENCY, r == AUDIT_PASSED);
}

/* What no signature of the node shows is said by us. */
static void
give_word(struct audit *t)
{
	static const enum audit_word_kind kinds[] = {
		[AUDIT_PASSED_LATE] = WORD_LATE,
		[AUDIT_BYTES] = WORD_BYTES,
		[AUDIT_BUSY] = WORD_REFUSED,
		[AUDIT_SILENT] = WORD_SILENT,
	};
	struct audit_word w = { .tries = t->tries };

	if ((size_t)t->result >= ARRAY_LEN(kinds) || kinds[t->result] == 0)
		return;
	w.kind = kinds[t->result];
	w.last = keeper_now_unix_s(t->k, NULL);
	w.waited_ms = (uint32_t)(t->took / MILLISECONDS(1));
	t->evidence.described = false;
	t->evidence.proofs.count = 0;
	evidence_give_word(&t->evidence, &w, endpoint_identity(t->k->opts.endpoint));
}

/* The newest of the strongest: a proof is not overwritten by a mere word, nor the proof of a broken
 * promise by that of another shard's loss, for which none is known. */
static SUSPENDS int
keep_evidence(struct audit *t, struct bytes packed)
{
	struct hash key = auditor_key(&t->to.pub);
	struct buf old;
	bool there, better;
	int err;

	if (packed.len > STORE_VALUE_MAX)
		return ERR_OK;
	buf_init(&old, STORE_VALUE_MAX);
	there = keeper_evidence(t->k, &t->to.pub, &old) == ERR_OK;
	better = there && evidence_outweighs(buf_bytes(&old), packed);
	buf_fini(&old);
	if (better || (!there && t->a->evidence_count >= EVIDENCE_NODES))
		return ERR_OK;
	err = store_set_value(t->k->opts.store, STORE_EVIDENCE, &key, packed);
	t->a->evidence_count += err == ERR_OK && !there;
	return err;
}

static void
count(struct keeper_status *s, enum audit_result r)
{
	s->audits++;
	s->audits_passed += r == AUDIT_PASSED || r == AUDIT_PASSED_LATE || r == AUDIT_ENDED;
	s->audits_failed += r == AUDIT_ADMITTED || r == AUDIT_FORGED || r == AUDIT_BYTES;
	s->audits_late += r == AUDIT_PASSED_LATE;
	s->audits_unanswered += r == AUDIT_SILENT || r == AUDIT_BUSY;
}

/* Into the list of the latest, for who looks at it. */
static void
list(const struct audit *t, struct bytes packed)
{
	struct audit_entry e = {
		.ticket = t->ticket,
		.node = t->to,
		.chunk = t->evidence.challenge.chunk,
		.index = t->evidence.challenge.index,
		.leaves = t->evidence.challenge.leaves,
		.result = t->result,
		.took = t->took,
		.at_unix_s = t->evidence.challenge.issued,
	};

	auditor_list(t->a, &e, packed);
}

/* The shard counts as gone, as if the node had said so to its siblings. */
static void
tell_keeper(struct audit *t)
{
	struct intake what = { .kind = INTAKE_DENIED,
		.chunk = t->evidence.challenge.chunk,
		.index = t->evidence.challenge.index,
		.node = t->to.pub };

	if (t->result == AUDIT_ADMITTED || t->result == AUDIT_ENDED || t->result == AUDIT_FORGED ||
	    t->result == AUDIT_BYTES) {
		keeper_intake(t->k, &what);
		if (t->result == AUDIT_FORGED || t->result == AUDIT_BYTES)
			endpoint_blame(t->k->opts.endpoint, &t->to, "wrong bytes in an audit");
	}
}

/* It never has time for us: what a reader gets of it shows as much, though nothing to others. */
static SUSPENDS int
read_instead(struct audit *t, const struct chunk_facts *f)
{
	const struct standing *one = standings_find(t->a->standings, &t->to.pub);
	int err;

	if (one == NULL || one->busy + 1 < AUDIT_BUSY_MAX)
		return ERR_OK;
	err = auditor_probe(t->k, f, t->evidence.challenge.index, &t->to);
	if (err == ERR_OK)
		t->result = AUDIT_PASSED;
	else if (err == ERR_CORRUPT || err == ERR_NOT_FOUND)
		t->result = AUDIT_BYTES;
	else if (err == ERR_CANCELED || err == ERR_NOMEM)
		return err;
	else
		t->result = AUDIT_SILENT;
	return ERR_OK;
}

static SUSPENDS int
follow(struct audit *t, bool patient)
{
	struct buf packed;
	int err = t->result == AUDIT_ADMITTED ? look_for_excuse(t) : ERR_OK;

	if (err != ERR_OK)
		return err;
	if (t->result == AUDIT_ADMITTED)
		recall_promise(t);
	if (t->evidence.answered && t->evidence.answer.verdict == AUDIT_HELD &&
	    (t->result == AUDIT_PASSED || t->result == AUDIT_PASSED_LATE))
		remember_promise(t);
	note(t, patient);
	give_word(t);
	count(&t->k->status, t->result);
	t->k->status.audited_at_s = t->evidence.challenge.issued;
	tell_keeper(t);
	buf_init(&packed, EVIDENCE_BYTES_MAX);
	err = evidence_pack(&t->evidence, &packed);
	if (err == ERR_OK) {
		list(t, buf_bytes(&packed));
		if (t->result != AUDIT_PASSED && t->result != AUDIT_ENDED &&
		    (t->result != AUDIT_BUSY || patient))
			err = keep_evidence(t, buf_bytes(&packed));
	}
	buf_fini(&packed);
	return err == ERR_OK ? auditor_noted(t->a, &t->to.pub) : err;
}

int
auditor_challenge(struct auditor *a, const struct chunk_facts *f, uint8_t index,
    const struct contact *node, uint64_t ticket)
{
	bool patient = ticket == 0;
	struct audit *t = calloc(1, sizeof(*t));
	struct audit_challenge *c;
	int err;

	if (t == NULL)
		return ERR_NOMEM;
	t->a = a;
	t->k = a->k;
	t->to = *node;
	t->ticket = ticket;
	t->evidence.net = a->k->net;
	t->evidence.described = true;
	c = &t->evidence.challenge;
	*c = (struct audit_challenge){
		.node = node->pub, .chunk = f->chunk, .index = index, .leaves = AUDIT_LEAVES
	};
	err = layout_make(f->k, f->n, f->chunk_bytes, &t->layout);
	if (err == ERR_OK)
		err = store_descriptor(a->k->opts.store, &f->chunk, &t->evidence.descriptor);
	if (err == ERR_OK) {
		c->leaves = (uint8_t)MIN(t->layout.rows, (uint32_t)AUDIT_LEAVES);
		c->issued = keeper_now_unix_s(a->k, NULL);
		env_random(a->k->env, c->nonce.b, sizeof(c->nonce.b));
		audit_challenge_sign(c, a->k->net, endpoint_identity(a->k->opts.endpoint));
		err = patient ? try_patiently(t) : try_once(t);
	}
	if (err == ERR_OK && patient && t->result == AUDIT_BUSY)
		err = read_instead(t, f);
	if (err == ERR_OK)
		err = follow(t, patient);
	free(t);
	return err;
}
