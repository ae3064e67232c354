/*
 * Of anchors that differ the highest ballot counts, then the later place, as for a proposer: what
 * was committed is among what they have accepted if any of its quorum is left. Between them and the
 * record that which leads further: the record's tail may be lost, an anchor's comes with it.
 */
#include "storage/salvage.h"

#include <stdlib.h>

#include "overlay/base/pack.h"

#define LAST_HEAD_VERSION 1
#define LAST_HEAD_BYTES   (1 + HEAD_BYTES)
static_assert(LAST_HEAD_BYTES <= RECORD_SIGNED_VALUE_MAX, "a head fits a record");
/* Sequence of the record: what is left for the seq of one epoch; 2^48 commits take 8,900 years at
 * 1,000 a second. */
#define SEQ_BITS 48

/* ---- the record ---- */

/* Another place than the finder record's, under the same key. */
static void
salt_of(const uint8_t salt[16], uint8_t out[16])
{
	static const char label[] = "skerry/last-head/1";
	uint8_t in[sizeof(label) - 1 + 16];
	struct hash h;

	memcpy(in, label, sizeof(label) - 1);
	memcpy(in + sizeof(label) - 1, salt, 16);
	crypto_sha256(&h, in, sizeof(in));
	memcpy(out, h.b, 16);
}

int
last_head_publish(struct endpoint *ep, struct dht *dht, const struct identity *finder,
    const uint8_t salt[16], const struct head *h)
{
	struct signed_value v = { .owner = finder->pub };
	struct packer p = packer_on(v.value, sizeof(v.value));
	struct record *r;
	int err;

	if (h->seq >> SEQ_BITS != 0 || h->epoch >> (64 - SEQ_BITS) != 0)
		return ERR_TOO_BIG;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	v.sequence = h->epoch << SEQ_BITS | h->seq;
	salt_of(salt, v.salt);
	pack_u8(&p, LAST_HEAD_VERSION);
	head_pack(&p, h, endpoint_net(ep));
	must(pack_ok(&p));
	v.len = (uint16_t)p.len;
	err = signed_make(endpoint_net(ep), &finder->sign, &v, r);
	if (err == ERR_OK)
		err = dht_put(dht, r, NULL);
	free(r);
	return err;
}

struct seeking {
	struct network_id net;
	const struct pubkey *finder;
	const struct hash *bucket;
	bool found;
	struct head best;
};

static bool
record_found(void *arg, const struct record *r)
{
	struct seeking *s = arg;
	struct signed_value *v = malloc(sizeof(*v));
	struct head h;

	if (v != NULL && signed_open(r, v) == ERR_OK && pubkey_equal(&v->owner, s->finder)) {
		struct unpacker u = unpacker_on(bytes_of(v->value, v->len));

		if (unpack_u8(&u) == LAST_HEAD_VERSION &&
		    head_unpack(&u, s->net, NULL, &h) == ERR_OK && unpack_done(&u) &&
		    hash_equal(&h.bucket, s->bucket) &&
		    (!s->found || h.epoch > s->best.epoch ||
			(h.epoch == s->best.epoch && h.seq > s->best.seq))) {
			s->found = true;
			s->best = h;
		}
	}
	free(v);
	return false;
}

int
last_head_find(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const uint8_t salt[16], const struct hash *bucket, struct head *out)
{
	struct seeking s = { .net = endpoint_net(ep), .finder = finder, .bucket = bucket };
	uint8_t own[16];
	struct id key;
	int err;

	salt_of(salt, own);
	signed_key(finder, own, &key);
	err = dht_get(dht, &key, RECORD_SIGNED, record_found, &s);
	if (s.found)
		*out = s.best;
	return s.found ? ERR_OK : err == ERR_OK ? ERR_NOT_FOUND : err;
}

/* ---- what is left ---- */

void
salvage_init(struct salvage *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->answer, REGISTER_BYTES_MAX);
}

void
salvage_fini(struct salvage *s)
{
	buf_fini(&s->answer);
}

uint64_t
salvage_reach(const struct salvage *s)
{
	uint64_t lost = s->whole ? 0 : s->head.tail_segments;

	/* Each segment is a commit behind what the root stands for. */
	return s->head.seq > lost ? s->head.seq - lost : 0;
}

struct looking {
	struct endpoint *ep;
	struct dht *dht;
	const struct register_chain *chain;
	struct salvage *s;
	uint8_t next;
};

struct question {
	struct register_message m;
	struct register_answer a;
	struct buf answer;
};

/* Written by somebody who might. */
static bool
is_ours(const struct register_chain *c, const struct head *h)
{
	return hash_equal(&h->bucket, &c->charter.bucket) && h->epoch <= c->charter.epoch &&
	       (configuration_writer(&c->now, &h->writer) ||
		   configuration_writer(&c->charter.founding, &h->writer));
}

static void
take(struct looking *l, struct question *q)
{
	const struct head *h = &q->a.value.head;
	struct salvage *s = l->s;
	struct buf other = s->answer;
	struct tail from, made;
	int order = ballot_compare(&q->a.accepted, &s->ballot);

	if (!q->a.value.present || h->epoch != l->chain->charter.epoch || !is_ours(l->chain, h))
		return;
	if (s->found && (order < 0 || (order == 0 && h->seq <= s->head.seq)))
		return;
	s->found = true;
	s->head = *h;
	s->ballot = q->a.accepted;
	tail_begin(&from, &h->root);
	s->whole = tail_extend(&from, &q->a.tail, h, &made) == ERR_OK;
	s->tail = q->a.tail;
	s->answer = q->answer;
	q->answer = other;
}

static SUSPENDS int
ask(struct looking *l, const struct anchor *who, struct question *q)
{
	int err;

	memset(&q->m, 0, sizeof(q->m));
	q->m.bucket = l->chain->charter.bucket;
	q->m.epoch = l->chain->charter.epoch;
	q->m.configuration = l->chain->now.number;
	err = register_ask_state(l->ep, l->dht, &who->key, &q->m, &q->answer, &q->a);
	if (err != ERR_OK)
		return err;
	l->s->moved |= q->a.kind == ANS_MOVED || q->a.kind == ANS_SUPERSEDED;
	if (q->a.kind == ANS_STATE) {
		l->s->answered++;
		take(l, q);
	}
	return ERR_OK;
}

static int
look_task(void *arg)
{
	struct looking *l = arg;
	struct question *q = calloc(1, sizeof(*q));
	int err = q == NULL ? ERR_NOMEM : ERR_OK;

	if (q == NULL)
		return err;
	buf_init(&q->answer, REGISTER_BYTES_MAX);
	while (err != ERR_CANCELED && l->next < l->chain->now.anchors_count)
		err = ask(l, &l->chain->now.anchors[l->next++], q);
	buf_fini(&q->answer);
	free(q);
	return err == ERR_CANCELED ? err : ERR_OK;
}

int
salvage_look(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const struct register_chain *chain, struct salvage *s)
{
	struct looking l = { .ep = ep, .dht = dht, .chain = chain, .s = s };
	struct head h;
	int err;

	s->anchors = chain->now.anchors_count;
	s->quorum = chain->now.quorum;
	err = task_together(endpoint_env(ep), "salvage", look_task, &l, s->anchors);
	if (err != ERR_OK)
		return err;
	err = last_head_find(ep, dht, finder, chain->charter.salt, &chain->charter.bucket, &h);
	if (err == ERR_CANCELED)
		return err;
	if (err == ERR_OK && is_ours(chain, &h)) {
		struct salvage by = { .head = h };

		if (!s->found ||
		    (h.epoch >= s->head.epoch && salvage_reach(&by) > salvage_reach(s))) {
			s->found = s->recorded = true;
			s->whole = h.tail_segments == 0;
			s->head = h;
			s->tail.count = 0;
		}
	}
	return ERR_OK;
}
