/*
 * Registers in the store: all are values of one space. First what is named, then what names it:
 * pieces of the tail, handovers and charter before the state; removed in the other direction. So a
 * crash leaves values that no state names, which the next start sweeps, and never a state that
 * names what is not there.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "overlay/base/pack.h"
#include "storage/registers_private.h"

static const char charter_domain[] = "skerry/register-charter/1";
static const char handover_domain[] = "skerry/register-handover/1";
static const char state_begin[] = "skerry/register-state/";

static const struct hash incarnation_key = { "incarnation/1" };

#define INCARNATION_BYTES 8

/* A piece begins with this, so that records of a writer cannot look like a state. */
#define PIECE_MARK     'P'
#define PIECES_OF(n)   (uint16_t)(((n) + TAIL_PIECE_BYTES - 1) / TAIL_PIECE_BYTES)
/* Values written at once: they share a sync. */
#define WRITES_AT_ONCE 16

static_assert(1 + TAIL_PIECE_BYTES <= STORE_VALUE_MAX, "a piece is a value");
static_assert(HANDOVER_BYTES_MAX <= STORE_VALUE_MAX, "a handover is a value");

/* ---- keys ---- */

static struct hash
key_of(const char *domain, size_t domain_len, const struct hash *bucket, uint64_t epoch,
    uint32_t number)
{
	uint8_t numbers[12];
	struct packer p = packer_on(numbers, sizeof(numbers));
	struct bytes parts[] = { bytes_of(domain, domain_len),
		bytes_of(bucket->b, sizeof(bucket->b)), bytes_of(numbers, sizeof(numbers)) };
	struct hash key;

	pack_u64(&p, epoch);
	pack_u32(&p, number);
	crypto_sha256_parts(&key, parts, ARRAY_LEN(parts));
	return key;
}

static struct hash
charter_key(const struct hash *bucket, uint64_t epoch)
{
	return key_of(charter_domain, sizeof(charter_domain) - 1, bucket, epoch, 0);
}

static struct hash
handover_key(const struct hash *bucket, uint64_t epoch, uint32_t number)
{
	return key_of(handover_domain, sizeof(handover_domain) - 1, bucket, epoch, number);
}

static SUSPENDS int
write_value(struct registers *r, const struct hash *key, struct bytes value)
{
	return store_set_value(r->opts.store, STORE_REGISTER, key, value);
}

/* ---- pieces of the tail ---- */

/* Segments that are not in the store yet, as they came. */
struct write {
	struct registers *r;
	const struct hash *bucket;
	const struct tail *tail;
	const struct tail_part *part;
	uint16_t first; /* of the part, in the tail */
	uint16_t segment, piece;
	int err;
};

/* The next piece to write; false: there is none. */
static bool
next_piece(struct write *w, struct hash *key, struct bytes *records)
{
	while (w->segment < w->tail->count) {
		const struct bytes *all = &w->part->at[w->segment - w->first].records;
		size_t at = (size_t)w->piece * TAIL_PIECE_BYTES;

		if (at < all->len) {
			*records =
			    bytes_of(all->data + at, MIN(all->len - at, (size_t)TAIL_PIECE_BYTES));
			tail_piece_key(w->bucket, &w->tail->at[w->segment].hash, w->piece++, key);
			return true;
		}
		w->segment++;
		w->piece = 0;
	}
	return false;
}

static int
write_task(void *arg)
{
	struct write *w = arg;
	uint8_t *value = malloc(1 + TAIL_PIECE_BYTES);
	struct bytes records;
	struct hash key;

	if (value == NULL)
		w->err = ERR_NOMEM;
	while (w->err == ERR_OK && next_piece(w, &key, &records)) {
		int err;

		value[0] = PIECE_MARK;
		memcpy(value + 1, records.data, records.len);
		err = write_value(w->r, &key, bytes_of(value, 1 + records.len));
		if (err != ERR_OK)
			w->err = err;
	}
	free(value);
	return w->err;
}

static SUSPENDS int
keep_pieces(struct registers *r, const struct hash *bucket, const struct tail *before,
    const struct tail *tail, const struct tail_part *part)
{
	uint16_t shared = tail_shared(before, tail), first;
	struct write w = { .r = r, .bucket = bucket, .tail = tail, .part = part };
	uint32_t pieces = 0;
	int err;

	if (tail->count == shared)
		return ERR_OK;
	must(part->count <= tail->count);
	first = (uint16_t)(tail->count - part->count);
	must(first <= shared);
	w.first = first;
	w.segment = shared;
	for (uint16_t i = shared; i < tail->count; i++)
		pieces += PIECES_OF(tail->at[i].bytes);
	if (pieces == 1)
		return write_task(&w);
	err = task_together(r->env, "pieces", write_task, &w, MIN(pieces, WRITES_AT_ONCE));
	return err == ERR_OK ? w.err : err;
}

int
kept_records(struct registers *r, const struct hash *bucket, const struct tail *t, uint16_t first,
    struct buf *out)
{
	struct buf value;
	int err = ERR_OK;

	buf_init(&value, STORE_VALUE_MAX);
	for (uint16_t i = first; i < t->count && err == ERR_OK; i++) {
		size_t had = out->len;

		for (uint16_t p = 0; p < PIECES_OF(t->at[i].bytes) && err == ERR_OK; p++) {
			struct hash key;

			tail_piece_key(bucket, &t->at[i].hash, p, &key);
			err = store_value(r->opts.store, STORE_REGISTER, &key, &value);
			if (err == ERR_OK && (value.len < 2 || value.data[0] != PIECE_MARK))
				err = ERR_CORRUPT;
			if (err == ERR_OK)
				err = buf_append(out, value.data + 1, value.len - 1);
		}
		if (err == ERR_OK && out->len - had != t->at[i].bytes)
			err = ERR_CORRUPT;
	}
	buf_fini(&value);
	return err;
}

/* ---- removal ---- */

struct trim {
	struct registers *r;
	struct register_entry *e;
	struct tail before;
};

/* Under the gate: a head that lost may be proposed again, and then its pieces are needed. */
static SUSPENDS int
trim_segment(struct trim *t, const struct tail_segment *s)
{
	int err = semaphore_acquire(t->r->env, &t->e->gate);

	if (err != ERR_OK)
		return err;
	if (tail_find(&t->e->state.tail, &s->hash) < 0)
		for (uint16_t p = 0; p < PIECES_OF(s->bytes) && err == ERR_OK; p++) {
			struct hash key;

			tail_piece_key(&t->e->bucket, &s->hash, p, &key);
			err = write_value(t->r, &key, bytes_of(NULL, 0));
		}
	semaphore_release(&t->e->gate);
	return err;
}

static int
trim_task(void *arg)
{
	struct trim *t = arg;
	int err = ERR_OK;

	for (uint16_t i = 0; i < t->before.count && err == ERR_OK; i++)
		err = trim_segment(t, &t->before.at[i]);
	t->e->users--;
	free(t);
	return err;
}

/* What is not removed now, for want of memory or by an error, is swept at the next start. */
void
keep_trim(struct registers *r, struct register_entry *e, const struct tail *before)
{
	uint16_t shared = tail_shared(before, &e->state.tail);
	struct trim *t;

	if (shared == before->count)
		return;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return;
	t->r = r;
	t->e = e;
	t->before.count = (uint16_t)(before->count - shared);
	memcpy(t->before.at, &before->at[shared], t->before.count * sizeof(before->at[0]));
	e->users++;
	if (task_spawn(&r->group, "trim", trim_task, t) != ERR_OK) {
		e->users--;
		free(t);
	}
}

/* ---- state, charter, handovers ---- */

int
keep_state(struct registers *r, const struct register_entry *e, const struct acceptor *next,
    const struct tail_part *part)
{
	uint8_t *packed = malloc(ACCEPTOR_BYTES_MAX);
	int err = packed == NULL ? ERR_NOMEM
				 : keep_pieces(r, &next->bucket, &e->state.tail, &next->tail, part);

	if (err == ERR_OK)
		err = write_value(
		    r, &next->bucket, bytes_of(packed, acceptor_pack(next, r->net, packed)));
	free(packed);
	return err;
}

int
keep_charter(struct registers *r, const struct charter *c, const struct grant *grant)
{
	uint8_t packed[FOUND_BYTES_MAX];
	struct hash key = charter_key(&c->bucket, c->epoch);

	return write_value(r, &key, bytes_of(packed, found_pack(c, grant, r->net, packed)));
}

int
keep_handover(
    struct registers *r, const struct hash *bucket, uint64_t epoch, const struct handover *l)
{
	uint8_t packed[HANDOVER_BYTES_MAX];
	struct packer p = packer_on(packed, sizeof(packed));
	struct hash key = handover_key(bucket, epoch, l->stop.next.number);

	handover_pack(&p, l, r->net);
	must(pack_ok(&p));
	return write_value(r, &key, bytes_of(packed, p.len));
}

int
kept_handover(struct registers *r, const struct hash *bucket, uint64_t epoch, uint32_t number,
    struct buf *out)
{
	struct hash key = handover_key(bucket, epoch, number);

	return store_value(r->opts.store, STORE_REGISTER, &key, out);
}

/* The state first: what it named is swept if the rest fails. */
int
keep_forget(struct registers *r, struct register_entry *e)
{
	const struct acceptor *s = &e->state;
	uint32_t last = s->handed ? s->handover.stop.next.number : 0;
	int err = write_value(r, &e->bucket, bytes_of(NULL, 0));
	struct hash key = charter_key(&e->bucket, s->epoch);

	if (err == ERR_OK)
		err = write_value(r, &key, bytes_of(NULL, 0));
	for (uint32_t n = 1; n <= last && err == ERR_OK; n++) {
		key = handover_key(&e->bucket, s->epoch, n);
		err = write_value(r, &key, bytes_of(NULL, 0));
	}
	for (uint16_t i = 0; i < s->tail.count; i++)
		for (uint16_t p = 0; p < PIECES_OF(s->tail.at[i].bytes) && err == ERR_OK; p++) {
			tail_piece_key(&e->bucket, &s->tail.at[i].hash, p, &key);
			err = write_value(r, &key, bytes_of(NULL, 0));
		}
	return err;
}

/* ---- at the start ---- */

/* Keys that are named by some state. */
struct named {
	struct hash *at;
	size_t count, room;
};

static int
name_key(struct named *n, const struct hash *key)
{
	if (n->count == n->room) {
		size_t room = n->room == 0 ? 64 : 2 * n->room;
		struct hash *at = realloc(n->at, room * sizeof(*at));

		if (at == NULL)
			return ERR_NOMEM;
		n->at = at;
		n->room = room;
	}
	n->at[n->count++] = *key;
	return ERR_OK;
}

static int
name_entry(struct named *n, const struct register_entry *e)
{
	const struct acceptor *s = &e->state;
	uint32_t last = s->handed ? s->handover.stop.next.number : 0;
	struct hash key = charter_key(&e->bucket, s->epoch);
	int err = name_key(n, &e->bucket);

	if (err == ERR_OK)
		err = name_key(n, &key);
	for (uint32_t i = 1; i <= last && err == ERR_OK; i++) {
		key = handover_key(&e->bucket, s->epoch, i);
		err = name_key(n, &key);
	}
	for (uint16_t i = 0; i < s->tail.count; i++)
		for (uint16_t p = 0; p < PIECES_OF(s->tail.at[i].bytes) && err == ERR_OK; p++) {
			tail_piece_key(&e->bucket, &s->tail.at[i].hash, p, &key);
			err = name_key(n, &key);
		}
	return err;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

/* A register whose charter is not there, or of which something does not read, is not served: its
 * values stay as they are, and so does everything else that may be its. */
static SUSPENDS int
read_entry(struct registers *r, const struct hash *key, struct bytes state)
{
	struct register_entry *e = calloc(1, sizeof(*e));
	struct charter *c;
	struct buf value;
	struct hash at;
	int err;

	if (e == NULL)
		return ERR_NOMEM;
	c = &e->charter;
	buf_init(&value, STORE_VALUE_MAX);
	err = acceptor_unpack(state, r->net, &e->state);
	if (err == ERR_OK && !hash_equal(&e->state.bucket, key))
		err = ERR_INVALID;
	if (err == ERR_OK) {
		at = charter_key(key, e->state.epoch);
		err = store_value(r->opts.store, STORE_REGISTER, &at, &value);
	}
	if (err == ERR_OK)
		err = found_unpack(buf_bytes(&value), r->net, c, &e->granted, &e->grant);
	if (err == ERR_OK && !hash_equal(&c->id, &e->state.charter))
		err = ERR_INVALID;
	buf_fini(&value);
	if (err == ERR_OK) {
		e->bucket = *key;
		return registers_insert(r, e);
	}
	free(e);
	if (err == ERR_IO || err == ERR_NOMEM || err == ERR_CANCELED || err == ERR_BUSY)
		return err;
	log_error(r->env, "a head register does not read and is not served: %s", err_text(err));
	r->counters.damaged++;
	r->sweeping_off = true;
	return ERR_OK;
}

static SUSPENDS int
read_states(struct registers *r)
{
	struct hash key = { { 0 } };
	struct buf value;
	int err;

	buf_init(&value, STORE_VALUE_MAX);
	for (;;) {
		err = store_next_value(r->opts.store, STORE_REGISTER, &key, &key);
		if (err == ERR_OK)
			err = store_value(r->opts.store, STORE_REGISTER, &key, &value);
		if (err == ERR_OK && value.len >= sizeof(state_begin) - 1 &&
		    memcmp(value.data, state_begin, sizeof(state_begin) - 1) == 0)
			err = read_entry(r, &key, buf_bytes(&value));
		if (err == ERR_OK && !store_name_after(&key))
			err = ERR_NOT_FOUND;
		if (err != ERR_OK)
			break;
	}
	buf_fini(&value);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static SUSPENDS int
sweep(struct registers *r)
{
	struct named n = { 0 };
	struct hash key = { { 0 } };
	int err = ERR_OK;

	for (size_t i = 0; i < r->count && err == ERR_OK; i++)
		err = name_entry(&n, r->at[i]);
	if (n.count > 0)
		qsort(n.at, n.count, sizeof(n.at[0]), compare_keys);
	while (err == ERR_OK) {
		err = store_next_value(r->opts.store, STORE_REGISTER, &key, &key);
		if (err == ERR_OK && (n.count == 0 || bsearch(&key, n.at, n.count, sizeof(n.at[0]),
							  compare_keys) == NULL)) {
			err = write_value(r, &key, bytes_of(NULL, 0));
			r->counters.swept += err == ERR_OK;
		}
		if (err == ERR_OK && !store_name_after(&key))
			err = ERR_NOT_FOUND;
	}
	free(n.at);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static SUSPENDS int
read_incarnation(struct registers *r)
{
	struct buf value;
	int err;

	buf_init(&value, STORE_VALUE_MAX);
	err = store_value(r->opts.store, STORE_NODE, &incarnation_key, &value);
	if (err == ERR_OK && value.len == INCARNATION_BYTES) {
		struct unpacker u = unpacker_on(buf_bytes(&value));

		r->incarnation = unpack_u64(&u);
	}
	buf_fini(&value);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
registers_incarnate(struct registers *r)
{
	uint8_t packed[INCARNATION_BYTES];
	struct packer p = packer_on(packed, sizeof(packed));
	uint64_t made;
	int err;

	if (!r->loaded || r->incarnation != 0)
		return r->loaded ? ERR_OK : ERR_BUSY;
	err = semaphore_acquire(r->env, &r->taking);
	if (err != ERR_OK)
		return err;
	if (r->incarnation == 0) {
		env_random(r->env, &made, sizeof(made));
		made |= 1; /* 0 stands for none */
		pack_u64(&p, made);
		err = store_set_value(
		    r->opts.store, STORE_NODE, &incarnation_key, bytes_of(packed, sizeof(packed)));
		if (err == ERR_OK)
			r->incarnation = made;
	}
	semaphore_release(&r->taking);
	return err;
}

int
registers_read_all(struct registers *r)
{
	int err = read_incarnation(r);

	if (err == ERR_OK)
		err = read_states(r);
	if (err == ERR_OK && !r->sweeping_off)
		err = sweep(r);
	return err;
}
