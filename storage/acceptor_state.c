/* An anchor's state as one value of the store: everything but the records of the tail. */
#include "storage/acceptor.h"
#include "storage/register_private.h"
#include "storage/store_values.h"

static const char state_domain[] = "skerry/register-state/1";

enum state_part { PART_HANDOVER = 1, PART_WARRANT = 2 };

/* The fixed fields are less than 500 bytes; claims take 184. */
static_assert(500 + CONFIGURATION_BYTES_MAX + VALUE_BYTES_MAX + HANDOVER_BYTES_MAX + 65 +
		      ANCHORS_MAX * 184 + 34 + TAIL_SEGMENTS_MAX * 36 <=
		  ACCEPTOR_BYTES_MAX,
    "a state fits its bytes");
static_assert(ACCEPTOR_BYTES_MAX <= STORE_VALUE_MAX, "a state fits one value of the store");

static void
pack_tail(struct packer *p, const struct tail *t)
{
	pack_raw(p, t->empty.b, sizeof(t->empty.b));
	pack_u16(p, t->count);
	for (uint16_t i = 0; i < t->count; i++) {
		pack_raw(p, t->at[i].hash.b, sizeof(t->at[i].hash.b));
		pack_u32(p, t->at[i].bytes);
	}
}

static int
unpack_tail(struct unpacker *u, const struct value *v, struct tail *t)
{
	unpack_raw(u, t->empty.b, sizeof(t->empty.b));
	t->count = unpack_u16(u);
	if (u->failed || t->count > TAIL_SEGMENTS_MAX)
		return ERR_INVALID;
	for (uint16_t i = 0; i < t->count; i++) {
		unpack_raw(u, t->at[i].hash.b, sizeof(t->at[i].hash.b));
		t->at[i].bytes = unpack_u32(u);
		if (t->at[i].bytes > TAIL_BYTES_MAX)
			return ERR_INVALID;
	}
	if (u->failed)
		return ERR_INVALID;
	if (!v->present)
		return t->count == 0 ? ERR_OK : ERR_INVALID;
	return tail_is_of(t, &v->head) ? ERR_OK : ERR_INVALID;
}

size_t
acceptor_pack(const struct acceptor *s, struct network_id net, uint8_t out[ACCEPTOR_BYTES_MAX])
{
	struct packer p = packer_on(out, ACCEPTOR_BYTES_MAX);

	pack_domain(&p, state_domain, &net);
	pack_u8(&p, (uint8_t)((s->handed ? PART_HANDOVER : 0) | (s->warranted ? PART_WARRANT : 0)));
	pack_raw(&p, s->owner.b, sizeof(s->owner.b));
	pack_raw(&p, s->bucket.b, sizeof(s->bucket.b));
	pack_raw(&p, s->charter.b, sizeof(s->charter.b));
	pack_u64(&p, s->epoch);
	pack_u64(&p, s->base_seq);
	configuration_pack(&p, &s->conf);
	pack_raw(&p, s->self.key.b, sizeof(s->self.key.b));
	pack_u64(&p, s->self.incarnation);
	ballot_pack(&p, &s->promised);
	ballot_pack(&p, &s->accepted);
	pack_raw(&p, s->promised_sig.b, sizeof(s->promised_sig.b));
	pack_raw(&p, s->promised_next.b, sizeof(s->promised_next.b));
	pack_raw(&p, s->accepted_sig.b, sizeof(s->accepted_sig.b));
	value_pack(&p, &s->value, net);
	if (s->warranted)
		warrant_pack(&p, &s->warrant);
	if (s->handed)
		handover_pack(&p, &s->handover, net);
	pack_tail(&p, &s->tail);
	must(pack_ok(&p));
	return p.len;
}

static int
unpack_state(struct unpacker *u, struct network_id net, struct acceptor *s)
{
	int err = unpack_domain(u, state_domain, &net);
	uint8_t parts;

	if (err != ERR_OK)
		return err;
	parts = unpack_u8(u);
	s->handed = (parts & PART_HANDOVER) != 0;
	s->warranted = (parts & PART_WARRANT) != 0;
	unpack_raw(u, s->owner.b, sizeof(s->owner.b));
	unpack_raw(u, s->bucket.b, sizeof(s->bucket.b));
	unpack_raw(u, s->charter.b, sizeof(s->charter.b));
	s->epoch = unpack_u64(u);
	s->base_seq = unpack_u64(u);
	err = configuration_unpack(u, &s->conf);
	unpack_raw(u, s->self.key.b, sizeof(s->self.key.b));
	s->self.incarnation = unpack_u64(u);
	if (err != ERR_OK || u->failed || parts > (PART_HANDOVER | PART_WARRANT) ||
	    ballot_unpack(u, &s->promised) != ERR_OK || ballot_unpack(u, &s->accepted) != ERR_OK)
		return ERR_INVALID;
	unpack_raw(u, s->promised_sig.b, sizeof(s->promised_sig.b));
	unpack_raw(u, s->promised_next.b, sizeof(s->promised_next.b));
	unpack_raw(u, s->accepted_sig.b, sizeof(s->accepted_sig.b));
	err = u->failed ? ERR_INVALID : value_unpack(u, net, NULL, &s->value);
	if (err == ERR_OK && s->warranted) {
		struct place at = { net, s->bucket, s->epoch, s->conf.number, s->accepted };
		struct hash next = configuration_id(&s->value.stop.next);

		err = s->value.stops ? warrant_unpack(u, &at, &next, &s->warrant) : ERR_INVALID;
	}
	if (err == ERR_OK && s->handed)
		err = handover_unpack(u, net, &s->handover);
	return err == ERR_OK ? unpack_tail(u, &s->value, &s->tail) : err;
}

int
acceptor_unpack(struct bytes in, struct network_id net, struct acceptor *out)
{
	struct unpacker u = unpacker_on(in);
	struct acceptor s;
	int err;

	memset(&s, 0, sizeof(s));
	err = unpack_state(&u, net, &s);
	if (err == ERR_OK && (!unpack_done(&u) || ballot_compare(&s.promised, &s.accepted) < 0))
		err = ERR_INVALID;
	if (err == ERR_OK)
		*out = s;
	return err;
}
