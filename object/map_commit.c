/*
 * Writing: updates wait in a queue; one task takes as many as wait and commits them together.
 *
 *   map_update → queue → committer: gather → register's commit ⟲ decide → outcome → each is told
 *
 * decide runs with the committed head at hand, and again when another writer was faster: it follows
 * the head, leaves out what turns out to be committed already, runs the others one after the other,
 * and proposes their records, and a new root if one waits. What was proposed and not answered may
 * be committed as long as the head has not come to its place: until then, whatever another try
 * says, the update's fate is unknown, and it is told so after a second one.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"
#include "object/map_roots.h"
#include "object/map_space.h"

/* Others that arrive within this time come along; and as long as they do, up to the maximum. */
#define GATHER_STEP   MILLISECONDS(1)
#define GATHER_MAX    MILLISECONDS(20)
/* Updates of one commit: running them is time in which others wait. */
#define BATCH_MAX     1000
/* Of those whose fate is unknown; the register has spent its own patience on each. */
#define UNKNOWN_TRIES 2
/* A commit that finds the tail full waits for new roots; other gateways may fill it meanwhile. */
#define FULL_PATIENCE SECONDS(30)
/* From one look at what others do about it to the next: a part of their turn. */
#define FULL_LOOK     MILLISECONDS(50)
/* Updates that wait; a gateway has fewer requests at a time. */
#define QUEUE_MAX     16384

enum request_state {
	REQUEST_RAN = 1,  /* its writes are in the proposal, or it has none */
	REQUEST_FOUND,    /* committed before */
	REQUEST_REFUSED,  /* its writes are more than a commit can have */
	REQUEST_DEFERRED, /* did not fit the proposal: next time */
};

/* On the stack of its caller, who stays until it is done once a commit has taken it. */
struct map_request {
	map_fn *fn;
	void *arg;
	struct wait done;
	struct map_request *next;
	struct map_txn_id id;
	enum request_state state;
	bool taken;           /* by a commit */
	bool wrote;           /* the last run */
	bool offered;         /* to this commit, which may send it */
	bool unknown;         /* an earlier commit ended so, and it may come yet */
	uint64_t proposed_at; /* seq of the newest proposal with it; 0: none */
	uint64_t since;       /* seq of the state that the first proposed run saw */
	int err;              /* of fn */
	struct buf result;
};

struct batch {
	struct map *m;
	struct map_request *first; /* by next */
	bool found;                /* all are committed, by another who took over the head */
	struct buf records, sealed;
	size_t room;            /* for records: of the tail, and of a commit */
	struct buf writes;      /* of the transaction that runs, as records */
	struct overlay overlay; /* of all, by number of the request from 1 */
};

/* ---- a transaction as its function sees it ---- */

struct txn {
	struct kv kv;
	struct map_view *base;
	struct map_request *request;
	struct batch *b;
	uint64_t number;
	int err; /* a write that failed fails the transaction, whatever its function says */
};

static int
txn_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct txn *t = container_of(kv, struct txn, kv);

	return map_layers_get(t->base, &t->b->overlay, key, value);
}

static int
txn_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct txn *t = container_of(kv, struct txn, kv);

	return map_layers_seek(t->base, &t->b->overlay, from, key, value);
}

static int
txn_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct txn *t = container_of(kv, struct txn, kv);

	if (t->err == ERR_OK)
		t->err = map_log_put(&t->b->writes, key, value);
	if (t->err == ERR_OK)
		t->err = overlay_put(&t->b->overlay, t->number, key, value);
	return t->err;
}

static int
txn_del(struct kv *kv, struct bytes key)
{
	struct txn *t = container_of(kv, struct txn, kv);

	if (t->err == ERR_OK)
		t->err = map_log_del(&t->b->writes, key);
	if (t->err == ERR_OK)
		t->err = overlay_del(&t->b->overlay, t->number, key);
	return t->err;
}

static const struct kv_ops txn_ops = { txn_get, txn_seek, txn_put, txn_del };

int
map_txn_result(struct kv *txn, struct bytes result)
{
	struct txn *t = container_of(txn, struct txn, kv);

	if (txn->ops != &txn_ops)
		return ERR_STATE;
	if (result.len > MAP_RESULT_MAX)
		return ERR_TOO_BIG;
	buf_reset(&t->request->result);
	return buf_append(&t->request->result, result.data, result.len);
}

/* ---- one proposal ---- */

static int
keep_writes(struct batch *b, struct map_request *r)
{
	struct bytes result = buf_bytes(&r->result);
	int err = map_log_txn(&b->records, &r->id, result);

	return err != ERR_OK ? err : buf_append(&b->records, b->writes.data, b->writes.len);
}

static void
run_one(struct batch *b, struct map_view *base, struct map_request *r, uint64_t number)
{
	struct txn t = { { &txn_ops }, base, r, b, number, ERR_OK };
	size_t before = b->records.len;

	buf_reset(&b->writes);
	buf_reset(&r->result);
	r->wrote = false;
	r->state = REQUEST_RAN;
	r->err = r->fn(r->arg, &t.kv);
	if (r->err == ERR_OK)
		r->err = t.err;
	if (b->writes.len == 0)
		return;
	if (r->err == ERR_OK && before > 0 &&
	    before + MAP_LOG_TXN_BYTES + r->result.len + b->writes.len > b->room)
		r->state = REQUEST_DEFERRED;
	else if (r->err == ERR_OK)
		r->err = keep_writes(b, r);
	if (r->err == ERR_OK && r->state == REQUEST_RAN) {
		r->wrote = true;
		return;
	}
	b->records.len = before;
	overlay_take_back(&b->overlay, number);
}

static int
run_all(struct batch *b, uint64_t *seq)
{
	struct map *m = b->m;
	struct map_space space = map_space_of(m);
	struct map_view *base;
	uint64_t number = 0;
	int err = map_view_new(m, &base);

	if (err != ERR_OK)
		return err;
	base->inside = true;
	*seq = base->seq;
	b->room = map_space_records(&space);
	buf_reset(&b->records);
	overlay_fini(&b->overlay);
	overlay_init(&b->overlay, m->seq ^ m->counts.commits);
	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		number++;
		if (r->state == REQUEST_FOUND || r->state == REQUEST_REFUSED)
			continue;
		m->counts.reruns += r->state != 0;
		run_one(b, base, r, number);
	}
	map_view_release(base);
	return ERR_OK;
}

/* Those that an earlier proposal has brought into the log after all, or can bring there no more. */
static int
find_committed(struct batch *b)
{
	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		uint64_t seq = b->m->seq;
		int err;

		if (r->proposed_at == 0 || r->state == REQUEST_FOUND)
			continue;
		buf_reset(&r->result);
		err = map_find_txn(b->m, &r->id, r->since, &r->result);
		if (err == ERR_OK) {
			r->state = REQUEST_FOUND;
			r->err = ERR_OK;
		} else if (err == ERR_UNKNOWN) {
			r->state = REQUEST_REFUSED;
			r->err = ERR_UNKNOWN;
		} else if (err != ERR_NOT_FOUND) {
			return err;
		}
		/* Before that the proposal is with somebody who was not asked. */
		if (seq >= r->proposed_at)
			r->offered = r->unknown = false;
	}
	return ERR_OK;
}

/* The segment of what was written. ERR_TOO_BIG: refused is the one to blame, run the others again.
 */
static int
seal_records(struct batch *b, uint64_t seq)
{
	int err;

	buf_reset(&b->sealed);
	if (b->records.len == 0)
		return ERR_OK;
	err = map_segment_seal_work(b->m, seq, buf_bytes(&b->records), &b->sealed);
	if (err == ERR_OK && b->sealed.len > MAP_SEGMENT_MAX)
		err = ERR_TOO_BIG;
	if (err != ERR_TOO_BIG)
		return err;
	/* Only one that is alone can be so long; what ran behind it has seen what it wrote. */
	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		if (r->wrote) {
			r->wrote = false;
			r->state = REQUEST_REFUSED;
			r->err = ERR_TOO_BIG;
		}
	}
	return ERR_TOO_BIG;
}

static enum proposer_reply
reply_without_records(const struct batch *b)
{
	for (const struct map_request *r = b->first; r != NULL; r = r->next) {
		if (r->state != REQUEST_FOUND)
			return REPLY_DECLINE;
	}
	return b->first == NULL ? REPLY_DECLINE : REPLY_FOUND;
}

/* The pending root must go first, alone, so that a next one can make room. */
static void
defer_all(struct batch *b)
{
	buf_reset(&b->sealed);
	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		if (r->state != REQUEST_RAN)
			continue;
		r->state = REQUEST_DEFERRED;
		r->wrote = false;
	}
}

/* What of the tail a pending root stands for. ERR_FULL: the records do not fit behind the rest. */
static int
propose(struct batch *b, struct map_proposal *out)
{
	struct map *m = b->m;
	struct map_register *reg = m->opts.reg;
	const struct map_head *h = reg->head(reg);
	struct map_space s = map_space_of(m);

	*out = (struct map_proposal){ .reply = REPLY_PROPOSE, .root = h->root };
	if (s.rooted) {
		out->root = m->pending->ref.id;
		out->covered = s.covered;
	} else if (b->sealed.len == 0) {
		out->reply = reply_without_records(b);
		return ERR_OK;
	}
	if (b->sealed.len > 0 &&
	    (s.segments >= s.segments_max || s.bytes + b->sealed.len > s.bytes_max)) {
		if (hash_equal(&out->root, &h->root))
			return ERR_FULL;
		defer_all(b);
	}
	out->records = buf_bytes(&b->sealed);
	return ERR_OK;
}

static int
decide_once(struct batch *b, struct map_proposal *out)
{
	struct map *m = b->m;
	struct map_register *reg = m->opts.reg;
	uint64_t seq = 0;
	int err;

	do {
		err = map_follow(m);
		if (err == ERR_OK)
			err = find_committed(b);
		if (err == ERR_OK)
			err = run_all(b, &seq);
		if (err == ERR_OK)
			err = seal_records(b, seq + 1);
	} while (err == ERR_TOO_BIG || (err == ERR_OK && reg->head(reg)->seq != seq));
	if (err == ERR_OK)
		err = propose(b, out);
	if (err != ERR_OK)
		return err;
	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		if (!r->wrote)
			continue;
		if (r->proposed_at == 0)
			r->since = seq;
		r->proposed_at = seq + 1;
		r->offered = true;
	}
	return ERR_OK;
}

static int
decide(void *arg, struct map_proposal *out)
{
	return decide_once(arg, out);
}

/*
 * Others have their turn: their roots and logs are fetched now, since it would lengthen ours. And
 * who takes over a head from us ends what we had under way: then all is done.
 */
static bool
watch(void *arg)
{
	struct batch *b = arg;

	if (map_follow(b->m) != ERR_OK || find_committed(b) != ERR_OK)
		return false;
	/* A root alone: another one's has come first, or it still waits. */
	if (b->first == NULL && b->m->pending != NULL)
		return false;
	for (const struct map_request *r = b->first; r != NULL; r = r->next) {
		if (r->state != REQUEST_FOUND)
			return false;
	}
	b->found = true;
	return true;
}

/* ---- outcomes ---- */

/* Whether it tells of all that was proposed till then. */
static bool
is_settled(int err, enum proposer_outcome outcome)
{
	return err == ERR_OK && (outcome == OUT_COMMITTED || outcome == OUT_DECLINED);
}

static void
note_fates(struct batch *b, int err, enum proposer_outcome outcome)
{
	bool settled = is_settled(err, outcome);
	/* Errors of a commit say that nothing was written, but for being told to stop. */
	bool nothing = err == ERR_OK ? outcome == OUT_FAILED : err != ERR_CANCELED;

	for (struct map_request *r = b->first; r != NULL; r = r->next) {
		r->unknown = !settled && (r->unknown || (r->offered && !nothing));
		r->offered = false;
	}
}

static int
request_error(const struct map_request *r, int err, enum proposer_outcome outcome)
{
	if (r->state == REQUEST_FOUND)
		return r->err;
	if (r->unknown)
		return ERR_UNKNOWN;
	if (r->state == REQUEST_REFUSED || is_settled(err, outcome))
		return r->err;
	if (err != ERR_OK)
		return err == ERR_FULL ? ERR_BUSY : err;
	return outcome == OUT_FORKED ? ERR_CORRUPT : ERR_UNREACHABLE;
}

static void
finish(struct map *m, struct map_request *r, int err)
{
	m->counts.transactions += err == ERR_OK && r->wrote;
	m->counts.unknown += err == ERR_UNKNOWN;
	wait_wake(&r->done, err);
}

static void
finish_all(struct batch *b, int err, enum proposer_outcome outcome)
{
	struct map *m = b->m;
	struct map_request *deferred = NULL, **end = &deferred;

	while (b->first != NULL) {
		struct map_request *r = b->first;

		b->first = r->next;
		if (r->state == REQUEST_DEFERRED && err == ERR_OK && outcome == OUT_COMMITTED) {
			r->taken = false;
			*end = r;
			end = &r->next;
			m->queue_count++;
			continue;
		}
		finish(m, r, request_error(r, err, outcome));
	}
	if (deferred == NULL)
		return;
	*end = m->queue;
	if (m->queue == NULL)
		m->queue_end = end;
	m->queue = deferred;
}

/* Until the tail has room: a new root that stands for its beginning must come first. */
static int
make_room(struct map *m)
{
	int err;

	if (m->pending == NULL)
		map_start(m, MAP_WORK_ROLL);
	if (!map_beside_others(m))
		return map_wait_root(m, MAP_WORK_ROLL);
	/* Another one's root may come first, and it is not told here. */
	err = task_sleep(m->env, FULL_LOOK);
	if (err == ERR_OK && m->pending == NULL)
		err = m->opts.reg->read(m->opts.reg);
	return err == ERR_UNREACHABLE ? ERR_OK : err;
}

static void
commit_batch(struct batch *b)
{
	struct map *m = b->m;
	enum proposer_outcome outcome = OUT_FAILED;
	uint64_t began = env_now(m->env), began_ms = 0;
	unsigned unknown = 0;
	int err;

	for (;;) {
		outcome = OUT_FAILED;
		began_ms = env_wall_ms(m->env);
		err = m->opts.reg->commit(
		    m->opts.reg, &(struct map_decide){ decide, watch, b }, &outcome);
		note_fates(b, err, outcome);
		if (err == ERR_FULL && env_now(m->env) - began < FULL_PATIENCE &&
		    make_room(m) == ERR_OK)
			continue;
		if (err != ERR_OK || outcome != OUT_UNKNOWN || ++unknown == UNKNOWN_TRIES)
			break;
	}
	m->forked |= err == ERR_OK && outcome == OUT_FORKED;
	if (is_settled(err, outcome)) {
		m->stale = m->away = false;
		if (outcome == OUT_COMMITTED && !b->found) {
			m->counts.commits++;
			m->counts.written_records += b->sealed.len;
			m->own_head_id = m->opts.reg->head(m->opts.reg)->id;
		}
		/* What is committed stays so; where following fails, the next call does it. */
		if (map_follow(m) == ERR_OK)
			map_was_current(m, began, began_ms);
		else
			log_debug(m->env, "a commit is not applied yet");
	}
	finish_all(b, err, outcome);
}

/* ---- the queue ---- */

static void
gather(struct map *m)
{
	size_t before;
	uint64_t time = 0;

	do {
		before = m->queue_count;
		if (task_sleep(m->env, GATHER_STEP) != ERR_OK)
			return;
		time += GATHER_STEP;
	} while (m->queue_count > before && m->queue_count < BATCH_MAX && time < GATHER_MAX);
}

static void
take_batch(struct map *m, struct batch *b)
{
	struct map_request **at = &b->first;

	for (size_t i = 0; i < BATCH_MAX && m->queue != NULL; i++) {
		struct map_request *r = m->queue;

		m->queue = r->next;
		m->queue_count--;
		r->taken = true;
		r->next = NULL;
		r->state = 0;
		*at = r;
		at = &r->next;
	}
	if (m->queue == NULL)
		m->queue_end = &m->queue;
}

static void
commit_once(struct map *m)
{
	struct batch b = { .m = m };
	int err = map_wait_memory(m);

	overlay_init(&b.overlay, 1);
	buf_init(&b.records, 2 * MAP_RECORDS_MAX);
	buf_init(&b.writes, MAP_TXN_BYTES_MAX);
	buf_init(&b.sealed, 2 * MAP_RECORDS_MAX);
	take_batch(m, &b);
	if (err == ERR_OK && m->forked)
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		commit_batch(&b);
	} else {
		finish_all(&b, err, OUT_FAILED);
	}
	overlay_fini(&b.overlay);
	buf_fini(&b.records);
	buf_fini(&b.writes);
	buf_fini(&b.sealed);
}

int
map_committer(void *arg)
{
	struct map *m = arg;
	bool busy = false;

	while ((m->queue != NULL || m->kicked) && !task_canceled(m->env)) {
		m->kicked = false;
		/* Who comes to one that is at rest is alone, as far as anybody can tell. Behind a
		 * commit there is company to come: those who were in it are told now, and return.
		 * A root that waits would else go alone, and they would wait for it. */
		if (busy && (m->queue != NULL || m->pending != NULL))
			gather(m);
		if (m->queue != NULL || m->pending != NULL)
			commit_once(m);
		busy = true;
	}
	m->working[MAP_WORK_COMMIT] = false;
	return ERR_OK;
}

void
map_kick(struct map *m)
{
	m->kicked = true;
	map_start(m, MAP_WORK_COMMIT);
}

static void
leave_queue(struct map *m, struct map_request *r)
{
	struct map_request **at = &m->queue;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (*at == NULL)
		m->queue_end = at;
	m->queue_count--;
}

int
map_update_result(struct map *m, map_fn *fn, void *arg, struct buf *result)
{
	struct map_request r = { .fn = fn, .arg = arg };
	int err;

	if (m->opts.reg->commit == NULL)
		return ERR_STATE;
	if (m->forked)
		return ERR_CORRUPT;
	if (m->queue_count >= QUEUE_MAX)
		return ERR_BUSY;
	env_random(m->env, r.id.b, sizeof(r.id.b));
	buf_init(&r.result, MAP_RESULT_MAX);
	wait_init(&r.done);
	*m->queue_end = &r;
	m->queue_end = &r.next;
	m->queue_count++;
	map_start(m, MAP_WORK_COMMIT);
	err = wait_for(m->env, &r.done, 0);
	if (!r.done.done && !r.taken)
		leave_queue(m, &r);
	else if (!r.done.done)
		err = wait_always(m->env, &r.done); /* its function may be running */
	if (err == ERR_OK && result != NULL) {
		buf_reset(result);
		err = buf_append(result, r.result.data, r.result.len);
	}
	buf_fini(&r.result);
	return err;
}

int
map_update(struct map *m, map_fn *fn, void *arg)
{
	return map_update_result(m, fn, arg, NULL);
}
