/*
 * Leases of chunks that are here: prolonged, locked or ended by their owners, or handed over by
 * siblings. One look at the store tells whether the chunk is here, who else asks for it, and who
 * its siblings are; then siblings and lease are written, and a receipt says so.
 */
#include <stdlib.h>

#include "storage/service_private.h"
#include "storage/siblings.h"
#include "storage/store_facts.h"

/* More lists at once than a chunk has live siblings that speak at the same moment. */
#define JOIN_TRIES 4

static uint64_t
now_unix_s(const struct service *s)
{
	struct agreed_time t;

	endpoint_agreed_time(s->opts.endpoint, &t);
	return t.unix_ms / 1000;
}

struct lease_terms
service_terms(const struct service *s, const struct admitted *to)
{
	struct agreed_time t;

	endpoint_agreed_time(s->opts.endpoint, &t);
	return (struct lease_terms){ .now_unix_s = t.unix_ms / 1000,
		.trusted = t.trusted,
		.term_max_s = to->term_max_s,
		.lock_max_s = to->lock_max_s };
}

int
service_answer_receipt(struct service *s, struct stream *st, const struct lease *l, uint8_t index)
{
	uint8_t packed[RECEIPT_BYTES];
	struct receipt r = {
		.chunk = l->chunk,
		.index = index,
		.lease_key = l->key,
		.generation = l->generation,
		.until = l->until,
		.issued = now_unix_s(s),
	};

	receipt_sign(&r, s->net, endpoint_identity(s->opts.endpoint));
	return service_finish(s, st, bytes_of(packed, receipt_pack(&r, s->net, packed)));
}

/*
 * Whether a note fits its chunk and could be of now. An index that the chunk has not would spoil
 * every answer about it; a sequence of tomorrow would shut out all true notes until then.
 */
static int
note_acceptable(const struct siblings_note *note, uint8_t n, uint64_t now_unix_s)
{
	if (note->sequence / 1000 > now_unix_s + LEASE_CLOCK_SLACK_S)
		return ERR_REFUSED;
	for (size_t i = 0; i < note->siblings.count; i++) {
		if (note->siblings.at[i].index >= n)
			return ERR_INVALID;
	}
	return ERR_OK;
}

/* What holders have told each other is not forgotten for what an owner knew, and what is known
 * already is not written again. */
static SUSPENDS int
keep_siblings(struct service *s, struct chunk_facts *f, const struct siblings_note *note)
{
	uint64_t sequence = MAX(note->sequence, f->sequence + 1);
	uint8_t *packed;
	int err;

	if (note->sequence == 0)
		return ERR_OK;
	err = note_acceptable(note, f->n, now_unix_s(s));
	if (err != ERR_OK || !siblings_join(&f->siblings, &note->siblings))
		return err;
	packed = malloc(SHARDS_MAX * SIBLING_BYTES);
	if (packed == NULL)
		return ERR_NOMEM;
	err = store_set_siblings(s->opts.store, &f->chunk, sequence,
	    bytes_of(packed, siblings_pack(&f->siblings, packed)));
	free(packed);
	return err;
}

static SUSPENDS int
keep_lease(struct service *s, struct lease_update *m, struct chunk_facts *f, uint64_t group)
{
	struct agreed_time now;
	int err, tries = 0;

	/* Once more where another list came while this one was joined to what had been there. */
	do {
		err = store_held_facts(s->opts.store, &m->lease.chunk, f);
		endpoint_agreed_time(s->opts.endpoint, &now);
		if (err == ERR_OK)
			err = facts_accept(f, s->opts.admission, &m->lease, group, &now);
		/* Siblings first: the lease's sync carries them along. */
		if (err == ERR_OK)
			err = keep_siblings(s, f, &m->note);
	} while (err == ERR_STALE && tries++ < JOIN_TRIES);
	if (err == ERR_OK)
		err = store_lease(s->opts.store, &m->lease);
	return err;
}

int
serve_lease(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct service *s = arg;
	struct lease_update *m = malloc(sizeof(*m));
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = m == NULL || f == NULL ? ERR_NOMEM : lease_update_unpack(req->body, s->net, m);

	if (err == ERR_OK)
		err = keep_lease(s, m, f, addr_group(&stream_peer(st)->addr));
	if (err == ERR_OK) {
		s->counters.leases++;
		service_publish(s, &m->lease.chunk);
		service_changed(s, &m->lease.chunk);
		err = service_answer_receipt(s, st, &m->lease, f->indices[0]);
	} else {
		s->counters.leases_refused++;
	}
	free(f);
	free(m);
	return err;
}
