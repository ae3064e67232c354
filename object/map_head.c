/* What the client shows only changes inside its own calls, so it is read anew each time. */
#include "object/map_head.h"

static int
head_read(struct map_register *reg)
{
	struct map_head_register *r = container_of(reg, struct map_head_register, reg);

	return head_client_read(r->client, MAP_READ_TIMEOUT);
}

static const struct map_head *
head_now(struct map_register *reg)
{
	struct map_head_register *r = container_of(reg, struct map_head_register, reg);
	const struct charter *c = head_client_charter(r->client);
	struct head_view v;

	head_client_view(r->client, &v);
	/* An epoch begins with no head, and behind the one that it goes on from. */
	r->head = (struct map_head){ .epoch = c->epoch, .seq = c->base_seq };
	if (v.head != NULL)
		r->head = (struct map_head){ true, v.head->epoch, v.head->seq, v.head->id,
			v.head->root, v.head->tail_segments, v.head->tail_bytes };
	return &r->head;
}

static struct bytes
head_segment(struct map_register *reg, uint16_t i)
{
	struct map_head_register *r = container_of(reg, struct map_head_register, reg);
	struct head_view v;

	head_client_view(r->client, &v);
	must(v.head != NULL && i < v.head->tail_segments);
	return v.records[i];
}

static int
decide(void *arg, const struct head_view *now, struct head_proposal *out)
{
	struct map_head_register *r = arg;
	struct map_proposal p;
	int err = r->decide->decide(r->decide->arg, &p);

	(void)now; /* is what the client shows */
	if (err == ERR_OK)
		*out = (struct head_proposal){ p.reply, p.root, p.covered, p.records, NULL };
	return err;
}

static void
watch(void *arg, const struct head_view *now, bool *found)
{
	struct map_head_register *r = arg;

	(void)now;
	*found = r->decide->watch(r->decide->arg);
}

/* One at a time: a map has one committer. */
static int
head_commit(struct map_register *reg, const struct map_decide *d, enum proposer_outcome *outcome)
{
	struct map_head_register *r = container_of(reg, struct map_head_register, reg);

	r->decide = d;
	return head_client_commit(r->client,
	    &(struct head_decide){ decide, r, d->watch == NULL ? NULL : watch }, MAP_COMMIT_TIMEOUT,
	    outcome);
}

void
map_head_init(struct map_head_register *r, struct head_client *client, bool writes)
{
	*r = (struct map_head_register){ .client = client };
	r->reg =
	    (struct map_register){ head_read, head_now, head_segment, writes ? head_commit : NULL };
}
