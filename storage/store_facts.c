/*
 * One read transaction per chunk: shards, leases and siblings together, so that a tour over a
 * hundred thousand chunks costs one wake-up of a worker for each. Signatures of leases were
 * checked when they came and are not checked again.
 */
#include "storage/store_facts.h"

#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/store_impl.h"

enum facts_of { FACTS_NEXT_SHARD, FACTS_NEXT_LEASED, FACTS_EXACTLY };

struct facts_query {
	struct store *store;
	enum facts_of which;
	const struct hash *from;
	struct chunk_facts *out;
	size_t bad; /* leases that have rotted */
};

static int
read_shards(struct index_txn *txn, struct chunk_facts *f)
{
	struct shard_entry e;
	unsigned index = 0;
	int err;

	while ((err = catalog_next_shard(txn, &f->chunk, index, &e)) == ERR_OK) {
		f->k = e.k;
		f->n = e.n;
		f->chunk_bytes = e.chunk_bytes;
		f->stored_unix_s = MAX(f->stored_unix_s, e.stored_unix_s);
		f->unproven |= e.state == SHARD_UNPROVEN;
		f->indices[f->count++] = e.index;
		index = e.index + 1u;
		if (index >= SHARDS_MAX)
			return ERR_OK;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
read_leases(struct index_txn *txn, struct facts_query *q)
{
	struct chunk_facts *f = q->out;
	struct lease_entry e;
	struct pubkey after;
	bool first = true;
	int err;

	while ((err = catalog_next_lease(txn, &f->chunk, first ? NULL : &after, &e)) == ERR_OK) {
		first = false;
		after = e.key;
		if (e.packed.len == 0)
			continue; /* forgotten */
		if (f->leases_count == LEASES_KNOWN_MAX) {
			f->leases_more = true;
			return ERR_OK;
		}
		if (lease_read(e.packed, q->store->net, &f->leases[f->leases_count]) == ERR_OK)
			f->leases_count++;
		else
			q->bad++;
	}
	/* What cannot be read might say that the chunk is to be kept. */
	f->leases_more |= q->bad > 0;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
read_siblings(struct index_txn *txn, struct chunk_facts *f)
{
	struct bytes value;
	int err = catalog_siblings(txn, &f->chunk, &f->sequence, &value);

	if (err != ERR_OK || siblings_unpack(value, SHARDS_MAX, &f->siblings) != ERR_OK) {
		f->sequence = 0;
		f->siblings.count = 0;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
read_facts(void *arg, struct index_txn *txn)
{
	struct facts_query *q = arg;
	struct chunk_facts *f = q->out;
	int err = ERR_OK;

	memset(f, 0, sizeof(*f));
	q->bad = 0;
	f->chunk = *q->from;
	if (q->which == FACTS_NEXT_SHARD)
		err = catalog_next_chunk(txn, q->from, &f->chunk);
	else if (q->which == FACTS_NEXT_LEASED)
		err = catalog_next_leased(txn, q->from, &f->chunk);
	if (err == ERR_OK)
		err = read_shards(txn, f);
	if (err == ERR_OK)
		err = read_leases(txn, q);
	if (err == ERR_OK)
		err = read_siblings(txn, f);
	if (err == ERR_OK && f->count == 0 && f->leases_count == 0)
		err = ERR_NOT_FOUND;
	return err;
}

static int
facts_run(void *arg)
{
	struct facts_query *q = arg;
	int err = index_read(q->store->index, read_facts, q);

	return err == ERR_CORRUPT ? ERR_IO : err;
}

/* Siblings that wait for the next sync are newer than those in the index. */
static void
take_lazy(struct store *s, struct chunk_facts *f)
{
	const struct record *waiting = store_lazy(s, RECORD_SIBLINGS, &f->chunk);

	if (waiting == NULL || waiting->generation <= f->sequence)
		return;
	if (siblings_unpack(waiting->value, SHARDS_MAX, &f->siblings) == ERR_OK)
		f->sequence = waiting->generation;
}

static SUSPENDS int
ask(struct store *s, enum facts_of which, const struct hash *from, struct chunk_facts *out)
{
	struct hash name = *from; /* may lie in out */
	struct facts_query q = { .store = s, .which = which, .from = &name, .out = out };
	int err = env_offload(s->env, WORK_DISK, facts_run, &q, 0);

	if (err != ERR_OK)
		return err;
	if (q.bad > 0) {
		s->status.rot += q.bad;
		log_error(s->env, "store %s: %zu leases of a chunk are damaged", s->dir, q.bad);
	}
	take_lazy(s, out);
	return ERR_OK;
}

int
store_next_facts(struct store *s, const struct hash *from, struct chunk_facts *out)
{
	return ask(s, FACTS_NEXT_SHARD, from, out);
}

int
store_next_leased_facts(struct store *s, const struct hash *from, struct chunk_facts *out)
{
	return ask(s, FACTS_NEXT_LEASED, from, out);
}

int
store_facts(struct store *s, const struct hash *chunk, struct chunk_facts *out)
{
	return ask(s, FACTS_EXACTLY, chunk, out);
}

int
store_held_facts(struct store *s, const struct hash *chunk, struct chunk_facts *out)
{
	uint8_t indices[SHARDS_MAX];
	size_t count;
	int err = ask(s, FACTS_EXACTLY, chunk, out);

	/* A look for them reads what nobody has read yet. */
	if (err == ERR_OK && out->unproven) {
		err = store_find(s, chunk, indices, SHARDS_MAX, &count);
		if (err == ERR_OK)
			err = ask(s, FACTS_EXACTLY, chunk, out);
	}
	return err == ERR_OK && out->count == 0 ? ERR_NOT_FOUND : err;
}

static int
lease_room(const struct chunk_facts *f, const struct lease *l)
{
	for (size_t i = 0; i < f->leases_count; i++) {
		if (pubkey_equal(&f->leases[i].key, &l->key))
			return ERR_OK;
	}
	if (l->until == 0)
		return ERR_NOT_FOUND;
	return f->leases_count >= LEASES_KNOWN_MAX ? ERR_FULL : ERR_OK;
}

/* A deletion asks for nothing: whoever may sign it, may. */
static int
admit(const struct chunk_facts *f, const struct admission *a, const struct lease *l, uint64_t group,
    struct admitted *out)
{
	struct lease_note note = l->note;

	for (size_t i = 0; i < f->leases_count; i++) {
		if (pubkey_equal(&f->leases[i].key, &l->key))
			lease_note_join(&note, &f->leases[i].note);
	}
	if (l->until == 0) {
		*out = (struct admitted){ .note = note };
		return ERR_OK;
	}
	return admission_admit(
	    a, &(struct admission_ask){ .lease_key = &l->key, .note = &note, .group = group }, out);
}

int
facts_accept(const struct chunk_facts *f, const struct admission *a, struct lease *l,
    uint64_t group, const struct agreed_time *now)
{
	struct admitted to;
	int err = admit(f, a, l, group, &to);

	if (err == ERR_OK) {
		l->note = to.note;
		err = lease_acceptable(l, &(struct lease_terms){ .now_unix_s = now->unix_ms / 1000,
					      .trusted = now->trusted,
					      .term_max_s = to.term_max_s,
					      .lock_max_s = to.lock_max_s });
	}
	return err == ERR_OK ? lease_room(f, l) : err;
}

int
store_lease_room(struct store *s, const struct lease *l)
{
	struct chunk_facts *f = calloc(1, sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : store_facts(s, &l->chunk, f);

	if (err == ERR_OK || err == ERR_NOT_FOUND)
		err = lease_room(f, l); /* empty, where nothing is here */
	free(f);
	return err;
}

bool
store_name_after(struct hash *h)
{
	return catalog_hash_next(h);
}

/* ---- what they say ---- */

uint32_t
facts_lease_sum(const struct chunk_facts *f)
{
	uint8_t text[LEASES_KNOWN_MAX * 40];
	struct packer p = packer_on(text, sizeof(text));
	struct hash sum;

	if (f->leases_count == 0)
		return 0;
	for (size_t i = 0; i < f->leases_count; i++) {
		pack_raw(&p, f->leases[i].key.b, sizeof(f->leases[i].key.b));
		pack_u64(&p, f->leases[i].generation);
	}
	must(pack_ok(&p));
	crypto_sha256(&sum, text, p.len);
	return (uint32_t)sum.b[0] << 24 | (uint32_t)sum.b[1] << 16 | (uint32_t)sum.b[2] << 8 |
	       (sum.b[3] | 1u);
}

const struct lease *
facts_lease(const struct chunk_facts *f)
{
	const struct lease *best = NULL;

	for (size_t i = 0; i < f->leases_count; i++) {
		if (f->leases[i].until > 0 && (best == NULL || f->leases[i].until > best->until))
			best = &f->leases[i];
	}
	return best;
}

uint64_t
facts_until(const struct chunk_facts *f)
{
	const struct lease *best = facts_lease(f);

	return best == NULL ? 0 : best->until;
}
