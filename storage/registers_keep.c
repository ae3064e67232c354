/*
 * Registers in the store: all are values of one space. First what is named, then what names it:
 * pieces of the tail, handovers and charter before the state; removed in the other direction. So a
 * crash leaves values that no state names, which the next start sweeps, and never a state that
 * names what is not there. Pieces, state and removals go as one change, by one sync.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "overlay/base/pack.h"
#include "storage/registers_private.h"
#include "storage/store_values.h"
#include "storage/store_walk.h"

static const char charter_domain[] = "skerry/register-charter/1";
static const char handover_domain[] = "skerry/register-handover/1";
static const char state_begin[] = "skerry/register-state/";

static const struct hash incarnation_key = { "incarnation/1" };

#define INCARNATION_BYTES 8

/* A piece begins with this, so that records of a writer cannot look like a state. */
#define PIECE_MARK   'P'
#define PIECES_OF(n) (uint16_t)(((n) + TAIL_PIECE_BYTES - 1) / TAIL_PIECE_BYTES)

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

/* ---- values that change together ---- */

struct change {
	const struct hash *bucket;
	struct store_value *at;
	size_t count;
	uint8_t *bytes; /* of the pieces, each with its mark, and of the state */
	size_t len;
};

/* Segments of t from one on. */
static size_t
pieces_from(const struct tail *t, uint16_t from)
{
	size_t n = 0;

	for (uint16_t i = from; i < t->count; i++)
		n += PIECES_OF(t->at[i].bytes);
	return n;
}

static void
change_fini(struct change *c)
{
	free(c->at);
	free(c->bytes);
}

/* Room for the pieces that next has beyond those that are shared, the state, removals of others. */
static int
change_init(struct change *c, const struct tail *before, const struct tail *next)
{
	uint16_t shared = tail_shared(before, next);
	size_t pieces = pieces_from(next, shared), bytes = ACCEPTOR_BYTES_MAX + pieces;

	for (uint16_t i = shared; i < next->count; i++)
		bytes += next->at[i].bytes;
	*c = (struct change){ .at = malloc((pieces + 1 + pieces_from(before, shared)) *
					   sizeof(struct store_value)),
		.bytes = malloc(bytes) };
	if (c->at != NULL && c->bytes != NULL)
		return ERR_OK;
	change_fini(c);
	return ERR_NOMEM;
}

static void
add_piece(struct change *c, const struct hash *segment, uint16_t piece, struct bytes records)
{
	struct store_value *v = &c->at[c->count++];
	uint8_t *out = c->bytes + c->len;

	out[0] = PIECE_MARK;
	memcpy(out + 1, records.data, records.len);
	v->value = bytes_of(out, 1 + records.len);
	c->len += v->value.len;
	tail_piece_key(c->bucket, segment, piece, &v->key);
}

/* Segments that are not in the store yet, as they came. */
static void
add_pieces(struct change *c, const struct tail *before, const struct tail *next,
    const struct tail_part *part)
{
	uint16_t shared = tail_shared(before, next);
	uint16_t first = (uint16_t)(next->count - part->count); /* of the part */

	if (next->count == shared)
		return;
	must(part->count <= next->count && first <= shared);
	for (uint16_t i = shared; i < next->count; i++) {
		struct bytes left = part->at[i - first].records;

		for (uint16_t p = 0; left.len > 0; p++) {
			size_t len = MIN(left.len, (size_t)TAIL_PIECE_BYTES);

			add_piece(c, &next->at[i].hash, p, bytes_of(left.data, len));
			left = bytes_of(left.data + len, left.len - len);
		}
	}
}

static void
add_removals(struct change *c, const struct tail *before, const struct tail *next)
{
	for (uint16_t i = tail_shared(before, next); i < before->count; i++) {
		/* What both have at different places does not exist: the hash is of all before. */
		for (uint16_t p = 0; p < PIECES_OF(before->at[i].bytes); p++) {
			struct store_value *v = &c->at[c->count++];

			v->value = bytes_of(NULL, 0);
			tail_piece_key(c->bucket, &before->at[i].hash, p, &v->key);
		}
	}
}

int
keep_state(struct registers *r, const struct register_entry *e, const struct acceptor *next,
    const struct tail_part *part)
{
	const struct tail *before = &e->state.tail;
	struct store_value *state;
	struct change c;
	int err = change_init(&c, before, &next->tail);

	if (err != ERR_OK)
		return err;
	c.bucket = &next->bucket;
	add_pieces(&c, before, &next->tail, part);
	state = &c.at[c.count++];
	state->key = next->bucket;
	state->value = bytes_of(c.bytes + c.len, acceptor_pack(next, r->net, c.bytes + c.len));
	add_removals(&c, before, &next->tail);
	err = store_set_values(r->opts.store, STORE_REGISTER, c.at, c.count);
	change_fini(&c);
	return err;
}

/* ---- records ---- */

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

/* ---- charter, handovers ---- */

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
