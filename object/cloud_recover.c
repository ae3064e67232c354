/*
 * A bucket whose anchors are gone: what is left of them, and the DHT, is asked for its newest head;
 * the owner signs an epoch that goes on from there, which gets new anchors, that head's root and
 * records as its first head, and at last its place in the account. Whoever still knows the earlier
 * epoch is told by anchors that are in both, or finds the later one when he looks for it.
 */
#include "object/cloud_recover.h"

#include <stdlib.h>

#include "object/cloud_delegate.h"
#include "object/cloud_private.h"

struct recovery {
	struct cloud *c;
	const char *name;            /* NULL: the account's own … */
	struct bucket_record record; /* … of which only seed and id are known */
	struct register_chain chain; /* of the epoch that is lost */
	struct charter charter;      /* of the next */
	struct salvage salvage;
};

/* Where the register was last: what nobody shows any more is as the account remembers it. */
static SUSPENDS int
find_chain(struct recovery *r)
{
	struct ground *g = r->c->opts.ground;
	const struct charter *known = &r->record.charter;
	int err = g->find(g, &r->record.seed, &known->bucket, &r->chain);

	if (err == ERR_NOT_FOUND || err == ERR_UNREACHABLE)
		r->chain.known = false;
	else if (err != ERR_OK)
		return err;
	if (!r->chain.known && r->name == NULL)
		return ERR_UNREACHABLE;
	if (!r->chain.known || r->chain.charter.epoch < known->epoch) {
		r->chain = (struct register_chain){ .known = true, .charter = *known };
		r->chain.now = known->founding;
	}
	return ERR_OK;
}

static SUSPENDS int
look(struct recovery *r)
{
	struct ground *g = r->c->opts.ground;
	const struct salvage *s = &r->salvage;
	int err = g->salvage(g, &r->record.seed, &r->chain, &r->salvage);

	if (err != ERR_OK)
		return err;
	if (s->moved)
		return ERR_BUSY;
	/* A quorum without a head that should stand on one: a recovery that was broken off. */
	if (s->answered >= s->quorum && (s->found || r->chain.charter.base_seq == 0) &&
	    !(s->found && s->head.epoch < r->chain.charter.epoch))
		return ERR_EXISTS;
	return s->found ? ERR_OK : ERR_UNREACHABLE;
}

static SUSPENDS int
begin_epoch(struct recovery *r, uint64_t *seq)
{
	static const struct constraints anywhere;
	struct cloud *c = r->c;
	struct cloud_store_wish w = { .seed = &r->record.seed, .location = &r->record.location };
	struct identity writer;
	int err = cloud_store_draft_after(
	    c, &w, r->chain.charter.epoch + 1, &r->salvage.head, &r->charter);

	if (err != ERR_OK)
		return err;
	bucket_writer(&c->account, &r->charter.bucket, &writer);
	err = c->opts.ground->refound(c->opts.ground,
	    &(struct ground_open){
		.account = &c->account,
		.seed = &r->record.seed,
		.writer = &writer,
		.charter = &r->charter,
		.constraints = &anywhere,
	    },
	    &r->salvage, seq);
	identity_wipe(&writer);
	return err;
}

/* Unless the name is another bucket's by now, or somebody recovered it later. */
static SUSPENDS int
put_charter(void *arg, struct kv *txn)
{
	const struct recovery *r = arg;
	struct bucket_record there;
	int err = cloud_record_get(r->c, txn, r->name, &there);

	if (err != ERR_OK)
		return err;
	if (!hash_equal(&there.charter.bucket, &r->charter.bucket) ||
	    there.charter.epoch >= r->charter.epoch) {
		err = ERR_BUSY;
	} else {
		there.charter = r->charter;
		err = cloud_record_put(r->c, txn, r->name, &there);
	}
	bucket_record_wipe(&there);
	return err;
}

static SUSPENDS int
recover(struct recovery *r, struct cloud_recovered *out)
{
	struct cloud *c = r->c;
	const struct salvage *s = &r->salvage;
	int err = find_chain(r);

	if (err == ERR_OK)
		err = look(r);
	if (err == ERR_OK)
		err = begin_epoch(r, &out->seq);
	if (err == ERR_OK && r->name != NULL)
		err = cloud_update(c, put_charter, r);
	out->anchors = s->anchors;
	out->answered = s->answered;
	if (err != ERR_OK)
		return err;
	if (r->name != NULL) {
		cloud_open_outdate(c, &r->charter.bucket);
		/* The bucket is back; who misses his key is given another. */
		err = cloud_delegates_readmit(c, &r->charter.bucket);
		if (err != ERR_OK)
			log_warn(c->env,
			    "delegates of the bucket may have lost their right to "
			    "write: %s",
			    err_text(err));
	}
	out->epoch = r->charter.epoch;
	out->recorded = s->recorded;
	out->found_seq = s->head.seq;
	out->safe_seq = salvage_reach(s);
	return ERR_OK;
}

static SUSPENDS int
start(struct cloud *c, const char *name, struct recovery **out)
{
	struct recovery *r = calloc(1, sizeof(*r));
	int err = ERR_OK;

	if (r == NULL)
		return ERR_NOMEM;
	r->c = c;
	r->name = name;
	r->record.seed = c->seed;
	r->record.charter.bucket = c->bucket;
	if (name != NULL)
		err = cloud_record_find(c, name, &r->record);
	if (err != ERR_OK) {
		free(r);
		return err;
	}
	salvage_init(&r->salvage);
	*out = r;
	return ERR_OK;
}

static void
stop(struct recovery *r)
{
	salvage_fini(&r->salvage);
	bucket_record_wipe(&r->record);
	free(r);
}

static SUSPENDS int
recover_named(struct cloud *c, const char *name, struct cloud_recovered *out)
{
	struct recovery *r;
	int err = start(c, name, &r);

	*out = (struct cloud_recovered){ 0 };
	if (err != ERR_OK)
		return err;
	err = recover(r, out);
	stop(r);
	return err;
}

SUSPENDS int
cloud_bucket_recover(struct cloud *c, const char *name, struct cloud_recovered *out)
{
	return recover_named(c, name, out);
}

SUSPENDS int
cloud_recover(struct cloud *c, struct cloud_recovered *out)
{
	return recover_named(c, NULL, out);
}

SUSPENDS int
cloud_bucket_remains(struct cloud *c, const char *name, struct cloud_remains *out)
{
	struct ground *g = c->opts.ground;
	struct recovery *r;
	int err = start(c, name, &r);

	*out = (struct cloud_remains){ 0 };
	if (err != ERR_OK)
		return err;
	err = find_chain(r);
	if (err == ERR_OK)
		err = g->salvage(g, &r->record.seed, &r->chain, &r->salvage);
	if (err == ERR_OK)
		*out = (struct cloud_remains){ r->chain.now, r->chain.charter.epoch,
			r->salvage.answered, r->salvage.found ? r->salvage.head.seq : 0 };
	stop(r);
	return err;
}
