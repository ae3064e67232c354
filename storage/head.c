/* Layouts of ballots, heads and stops. Everything signed begins with its domain and the network. */
#include "storage/head.h"

static const char head_domain[] = "skerry/head/1";
static const char stop_domain[] = "skerry/stop/1";
static const struct hash no_hash;

static_assert(HEAD_BYTES == sizeof(head_domain) - 1 + 4 + 32 + 2 * 8 + 3 * 32 + 4 + 2 + 32 + 64,
    "the layout of a head");

/* ---- ballots ---- */

int
ballot_compare(const struct ballot *a, const struct ballot *b)
{
	int order;

	if (a->counter != b->counter)
		return a->counter < b->counter ? -1 : 1;
	order = memcmp(a->writer.b, b->writer.b, sizeof(a->writer.b));
	if (order != 0)
		return order;
	return a->session == b->session ? 0 : a->session < b->session ? -1 : 1;
}

void
ballot_pack(struct packer *p, const struct ballot *b)
{
	pack_u64(p, b->counter);
	pack_raw(p, b->writer.b, sizeof(b->writer.b));
	pack_u64(p, b->session);
}

int
ballot_unpack(struct unpacker *u, struct ballot *out)
{
	static const struct ballot none;
	struct ballot b = { .counter = unpack_u64(u) };

	unpack_raw(u, b.writer.b, sizeof(b.writer.b));
	b.session = unpack_u64(u);
	if (u->failed || (b.counter == 0 && ballot_compare(&b, &none) != 0))
		return ERR_INVALID;
	*out = b;
	return ERR_OK;
}

/* ---- heads ---- */

static void
pack_head_signed(struct packer *p, const struct head *h, struct network_id net)
{
	pack_domain(p, head_domain, &net);
	pack_raw(p, h->bucket.b, sizeof(h->bucket.b));
	pack_u64(p, h->epoch);
	pack_u64(p, h->seq);
	pack_raw(p, h->previous.b, sizeof(h->previous.b));
	pack_raw(p, h->root.b, sizeof(h->root.b));
	pack_raw(p, h->tail.b, sizeof(h->tail.b));
	pack_u32(p, h->tail_bytes);
	pack_u16(p, h->tail_segments);
	pack_raw(p, h->writer.b, sizeof(h->writer.b));
}

static bool
head_valid(const struct head *h)
{
	/* Every segment has a byte, and no bytes are without a segment. */
	return h->epoch > 0 && h->seq > 0 && h->seq <= HEAD_SEQ_MAX &&
	       h->tail_bytes <= TAIL_BYTES_MAX && h->tail_segments <= TAIL_SEGMENTS_MAX &&
	       h->tail_bytes >= h->tail_segments && (h->tail_bytes == 0) == (h->tail_segments == 0);
}

void
head_sign(
    struct head *h, struct network_id net, const struct sign_key *key, const struct pubkey *pub)
{
	uint8_t text[HEAD_BYTES];
	struct packer p = packer_on(text, sizeof(text));

	h->writer = *pub;
	must(head_valid(h));
	pack_head_signed(&p, h, net);
	must(pack_ok(&p));
	crypto_sign_data(&h->sig, key, text, p.len);
	crypto_sha256(&h->id, text, p.len);
}

void
head_pack(struct packer *p, const struct head *h, struct network_id net)
{
	pack_head_signed(p, h, net);
	pack_raw(p, h->sig.b, sizeof(h->sig.b));
}

int
head_unpack(struct unpacker *u, struct network_id net, struct signatures *known, struct head *out)
{
	struct head h = { .seq = 0 };
	size_t from = u->pos, covered;
	int err = unpack_domain(u, head_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(u, h.bucket.b, sizeof(h.bucket.b));
	h.epoch = unpack_u64(u);
	h.seq = unpack_u64(u);
	unpack_raw(u, h.previous.b, sizeof(h.previous.b));
	unpack_raw(u, h.root.b, sizeof(h.root.b));
	unpack_raw(u, h.tail.b, sizeof(h.tail.b));
	h.tail_bytes = unpack_u32(u);
	h.tail_segments = unpack_u16(u);
	unpack_raw(u, h.writer.b, sizeof(h.writer.b));
	covered = u->pos;
	unpack_raw(u, h.sig.b, sizeof(h.sig.b));
	if (u->failed || !head_valid(&h))
		return ERR_INVALID;
	if (!signatures_good(known, &h.sig, &h.writer, bytes_of(u->in + from, covered - from)))
		return ERR_AUTH;
	crypto_sha256(&h.id, u->in + from, covered - from);
	*out = h;
	return ERR_OK;
}

/* ---- stops ---- */

static void
pack_stop_signed(struct packer *p, const struct stop *s, struct network_id net)
{
	pack_domain(p, stop_domain, &net);
	pack_raw(p, s->bucket.b, sizeof(s->bucket.b));
	pack_u64(p, s->epoch);
	pack_raw(p, s->head.b, sizeof(s->head.b));
	configuration_pack(p, &s->next);
}

void
stop_seal(struct stop *s, struct network_id net, const struct identity *owner)
{
	uint8_t text[STOP_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));

	must(s->epoch > 0 && s->next.number > 0 && configuration_valid(&s->next));
	pack_stop_signed(&p, s, net);
	must(pack_ok(&p));
	crypto_sha256(&s->id, text, p.len);
	s->owned = owner != NULL;
	if (owner == NULL)
		return;
	s->owner = owner->pub;
	crypto_sign_data(&s->owner_sig, &owner->sign, text, p.len);
}

void
stop_pack(struct packer *p, const struct stop *s, struct network_id net)
{
	pack_stop_signed(p, s, net);
	pack_u8(p, s->owned);
	if (!s->owned)
		return;
	pack_raw(p, s->owner.b, sizeof(s->owner.b));
	pack_raw(p, s->owner_sig.b, sizeof(s->owner_sig.b));
}

int
stop_unpack(struct unpacker *u, struct network_id net, struct stop *out)
{
	struct stop s = { .epoch = 0 };
	size_t from = u->pos, covered;
	uint8_t owned;
	int err = unpack_domain(u, stop_domain, &net);

	if (err != ERR_OK)
		return err;
	unpack_raw(u, s.bucket.b, sizeof(s.bucket.b));
	s.epoch = unpack_u64(u);
	unpack_raw(u, s.head.b, sizeof(s.head.b));
	err = configuration_unpack(u, &s.next);
	covered = u->pos;
	owned = unpack_u8(u);
	s.owned = owned == 1;
	if (s.owned) {
		unpack_raw(u, s.owner.b, sizeof(s.owner.b));
		unpack_raw(u, s.owner_sig.b, sizeof(s.owner_sig.b));
	}
	if (err != ERR_OK || u->failed || owned > 1 || s.epoch == 0 || s.next.number == 0)
		return ERR_INVALID;
	if (s.owned && !crypto_verify(&s.owner_sig, &s.owner, u->in + from, covered - from))
		return ERR_AUTH;
	crypto_sha256(&s.id, u->in + from, covered - from);
	*out = s;
	return ERR_OK;
}

bool
stop_may_end(const struct stop *s, const struct configuration *c, const struct hash *bucket,
    uint64_t epoch, const struct pubkey *owner)
{
	return hash_equal(&s->bucket, bucket) && s->epoch == epoch &&
	       s->next.number == c->number + 1 &&
	       (configuration_same_writers(c, &s->next) ||
		   (s->owned && pubkey_equal(&s->owner, owner)));
}

/* ---- values ---- */

struct hash
value_head_id(const struct value *v)
{
	return v->present ? v->head.id : no_hash;
}

struct hash
value_id(const struct value *v)
{
	return v->stops ? v->stop.id : value_head_id(v);
}

uint64_t
value_seq(const struct value *v)
{
	return v->present ? v->head.seq : 0;
}

uint64_t
value_place(const struct value *v)
{
	return 2 * value_seq(v) + (v->stops ? 1 : 0);
}

bool
value_valid(const struct value *v)
{
	struct hash head = value_head_id(v);

	if (!v->stops)
		return true;
	return hash_equal(&v->stop.head, &head) &&
	       (!v->present || (hash_equal(&v->stop.bucket, &v->head.bucket) &&
				   v->stop.epoch == v->head.epoch));
}

enum value_part { VALUE_HEAD = 1, VALUE_STOP = 2 };

void
value_pack(struct packer *p, const struct value *v, struct network_id net)
{
	pack_u8(p, (uint8_t)((v->present ? VALUE_HEAD : 0) | (v->stops ? VALUE_STOP : 0)));
	if (v->present)
		head_pack(p, &v->head, net);
	if (v->stops)
		stop_pack(p, &v->stop, net);
}

int
value_unpack(struct unpacker *u, struct network_id net, struct signatures *known, struct value *out)
{
	struct value v = { .present = false };
	uint8_t parts = unpack_u8(u);
	int err = u->failed || parts > (VALUE_HEAD | VALUE_STOP) ? ERR_INVALID : ERR_OK;

	v.present = (parts & VALUE_HEAD) != 0;
	v.stops = (parts & VALUE_STOP) != 0;
	if (err == ERR_OK && v.present)
		err = head_unpack(u, net, known, &v.head);
	if (err == ERR_OK && v.stops)
		err = stop_unpack(u, net, &v.stop);
	if (err == ERR_OK && !value_valid(&v))
		err = ERR_INVALID;
	if (err == ERR_OK)
		*out = v;
	return err;
}
