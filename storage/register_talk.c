/*
 * One stream for each question. What comes back is bounded before it is read, and what proves
 * itself (charter, handovers) is proven before it is passed on; whether a message's answer may be
 * believed is for proposer.h.
 */
#include "storage/register_talk.h"

#include <stdlib.h>

#include "overlay/base/buf.h"
#include "overlay/base/pack.h"

#define TALK_VERSION   1
/* A question for a state, which brings no records and no signature. */
#define READ_BYTES_MAX 256

/* ---- where a node is ---- */

int
register_resolve(
    struct endpoint *ep, struct dht *dht, const struct pubkey *who, struct contact *out)
{
	struct contact found;
	struct peer_info info;
	struct id id;
	int err;

	if (endpoint_peer(ep, who, &info) && info.contact.addr.family != ADDR_NONE && info.server &&
	    info.strikes == 0) {
		*out = info.contact;
		return ERR_OK;
	}
	id_of_pubkey(who, &id);
	err = dht_resolve(dht, id.b, &found);
	if (err == ERR_OK && !pubkey_equal(&found.pub, who))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		*out = found;
	return err;
}

/* ---- a message and its answer ---- */

int
register_write(struct stream *st, struct bytes message)
{
	uint8_t length[4];
	struct packer p = packer_on(length, sizeof(length));
	int err;

	pack_u32(&p, (uint32_t)message.len);
	err = stream_write(st, bytes_of(length, sizeof(length)));
	return err == ERR_OK ? stream_write(st, message) : err;
}

int
register_read_length(struct stream *st, size_t *len)
{
	uint8_t length[4];
	struct unpacker u;
	int err = stream_read(st, length, sizeof(length));

	if (err != ERR_OK)
		return err;
	u = unpacker_on(bytes_of(length, sizeof(length)));
	*len = unpack_u32(&u);
	return *len > REGISTER_BYTES_MAX ? ERR_TOO_BIG : ERR_OK;
}

static SUSPENDS int
ask(struct endpoint *ep, const struct contact *to, struct bytes message, struct buf *reply)
{
	struct stream *st;
	size_t len;
	int err =
	    stream_open(ep, to, METHOD_REGISTER, bytes_of(&(uint8_t){ TALK_VERSION }, 1), &st);

	if (err != ERR_OK)
		return err;
	err = register_write(st, message);
	/* What it has to say against the message comes with its end. */
	if (err == ERR_OK || err == ERR_CLOSED)
		err = register_read_length(st, &len);
	if (err == ERR_OK) {
		buf_reset(reply);
		err = buf_reserve(reply, len);
	}
	if (err == ERR_OK) {
		err = stream_read(st, reply->data, len);
		reply->len = len;
	}
	stream_close(st);
	return err;
}

int
register_ask(struct endpoint *ep, const struct contact *to, struct bytes message, struct buf *reply)
{
	struct env *env = endpoint_env(ep);
	uint64_t old = task_deadline(env, env_now(env) + REGISTER_TIMEOUT);
	int err = ask(ep, to, message, reply);

	task_deadline_restore(env, old);
	return err == ERR_END ? ERR_CLOSED : err;
}

int
register_ask_state(struct endpoint *ep, struct dht *dht, const struct pubkey *who,
    struct register_message *m, struct buf *reply, struct register_answer *a)
{
	uint8_t packed[READ_BYTES_MAX];
	struct contact at;
	size_t len;
	int err = register_resolve(ep, dht, who, &at);

	m->kind = REG_READ;
	env_random(endpoint_env(ep), &m->nonce, sizeof(m->nonce));
	if (err == ERR_OK)
		err = register_message_pack(m, endpoint_net(ep), packed, sizeof(packed), &len);
	if (err == ERR_OK)
		err = register_ask(ep, &at, bytes_of(packed, len), reply);
	if (err == ERR_OK)
		err = register_answer_unpack(buf_bytes(reply), endpoint_net(ep), NULL, a);
	if (err == ERR_OK && (a->nonce != m->nonce || !hash_equal(&a->bucket, &m->bucket)))
		err = ERR_AUTH;
	return err;
}

/* ---- would it be an anchor? ---- */

size_t
offer_ask_pack(const struct pubkey *owner, const struct grant *grant, uint8_t out[OFFER_ASK_BYTES])
{
	struct packer p = packer_on(out, OFFER_ASK_BYTES);

	pack_u8(&p, TALK_VERSION);
	pack_raw(&p, owner->b, sizeof(owner->b));
	pack_u8(&p, grant != NULL);
	if (grant != NULL)
		pack_raw(&p, grant->b, sizeof(grant->b));
	must(pack_ok(&p));
	return p.len;
}

static int
unpack_grant(struct unpacker *u, bool *granted, struct grant *grant)
{
	uint8_t has = unpack_u8(u);

	if (has == 1)
		unpack_raw(u, grant->b, sizeof(grant->b));
	*granted = has == 1;
	return u->failed || has > 1 ? ERR_INVALID : ERR_OK;
}

int
offer_ask_unpack(struct bytes in, struct pubkey *owner, bool *granted, struct grant *grant)
{
	struct unpacker u = unpacker_on(in);
	int err;

	if (unpack_u8(&u) != TALK_VERSION)
		return u.failed ? ERR_INVALID : ERR_VERSION;
	unpack_raw(&u, owner->b, sizeof(owner->b));
	err = unpack_grant(&u, granted, grant);
	return err == ERR_OK && !unpack_done(&u) ? ERR_INVALID : err;
}

void
offer_pack(const struct anchor_offer *o, uint8_t out[OFFER_BYTES])
{
	struct packer p = packer_on(out, OFFER_BYTES);

	must(o->refusal <= 0 && o->refusal > -UINT8_MAX);
	pack_u8(&p, TALK_VERSION);
	pack_u64(&p, o->incarnation);
	pack_u8(&p, o->leaving);
	pack_u8(&p, (uint8_t)-o->refusal);
	must(pack_ok(&p));
}

int
offer_unpack(struct bytes in, struct anchor_offer *out)
{
	struct unpacker u = unpacker_on(in);
	struct anchor_offer o;
	uint8_t leaving;

	if (unpack_u8(&u) != TALK_VERSION)
		return u.failed ? ERR_INVALID : ERR_VERSION;
	o.incarnation = unpack_u64(&u);
	leaving = unpack_u8(&u);
	o.leaving = leaving == 1;
	o.refusal = -(int)unpack_u8(&u);
	if (!unpack_done(&u) || leaving > 1)
		return ERR_INVALID;
	*out = o;
	return ERR_OK;
}

int
anchor_ask_offer(struct endpoint *ep, const struct contact *to, const struct pubkey *owner,
    const struct grant *grant, struct anchor_offer *out)
{
	uint8_t head[OFFER_ASK_BYTES];
	struct buf reply;
	int err;

	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	err = rpc_call(ep, to, METHOD_ANCHOR_OFFER,
	    bytes_of(head, offer_ask_pack(owner, grant, head)),
	    &(struct rpc_opts){ .transport = RPC_SESSION }, &reply);
	if (err == ERR_OK)
		err = offer_unpack(buf_bytes(&reply), out);
	buf_fini(&reply);
	return err;
}

/* ---- founding ---- */

size_t
found_pack(const struct charter *c, const struct grant *grant, struct network_id net,
    uint8_t out[FOUND_BYTES_MAX])
{
	uint8_t charter[CHARTER_BYTES_MAX];
	struct packer p = packer_on(out, FOUND_BYTES_MAX);

	pack_u8(&p, TALK_VERSION);
	pack_u8(&p, grant != NULL);
	if (grant != NULL)
		pack_raw(&p, grant->b, sizeof(grant->b));
	pack_raw(&p, charter, charter_pack(c, net, charter));
	must(pack_ok(&p));
	return p.len;
}

int
found_unpack(
    struct bytes in, struct network_id net, struct charter *c, bool *granted, struct grant *grant)
{
	struct unpacker u = unpacker_on(in);
	int err;

	if (unpack_u8(&u) != TALK_VERSION)
		return u.failed ? ERR_INVALID : ERR_VERSION;
	err = unpack_grant(&u, granted, grant);
	return err != ERR_OK ? err : charter_unpack(unpack_lend(&u, unpack_left(&u)), net, c);
}

int
register_ask_found(struct endpoint *ep, const struct contact *to, const struct charter *c,
    const struct grant *grant)
{
	uint8_t head[FOUND_BYTES_MAX];
	size_t len = found_pack(c, grant, endpoint_net(ep), head);
	struct buf reply;
	int err;

	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	err = rpc_call(ep, to, METHOD_REGISTER_FOUND, bytes_of(head, len),
	    &(struct rpc_opts){ .transport = RPC_SESSION }, &reply);
	buf_fini(&reply);
	return err;
}

/* ---- the charter, and the handovers since ---- */

size_t
chain_ask_pack(
    const struct hash *bucket, const struct register_chain *known, uint8_t out[CHAIN_ASK_BYTES])
{
	struct packer p = packer_on(out, CHAIN_ASK_BYTES);

	pack_u8(&p, TALK_VERSION);
	pack_raw(&p, bucket->b, sizeof(bucket->b));
	pack_u64(&p, known->known ? known->charter.epoch : 0);
	pack_u32(&p, known->known ? known->now.number : 0);
	must(pack_ok(&p));
	return p.len;
}

int
chain_ask_unpack(struct bytes in, struct hash *bucket, uint64_t *epoch, uint32_t *number)
{
	struct unpacker u = unpacker_on(in);

	if (unpack_u8(&u) != TALK_VERSION)
		return u.failed ? ERR_INVALID : ERR_VERSION;
	unpack_raw(&u, bucket->b, sizeof(bucket->b));
	*epoch = unpack_u64(&u);
	*number = unpack_u32(&u);
	return unpack_done(&u) ? ERR_OK : ERR_INVALID;
}

/* A part of the answer stands behind its length, a u16. ERR_END: there is none. */
static SUSPENDS int
read_part(struct stream *st, uint8_t *out, size_t cap, size_t *len)
{
	uint8_t length[2];
	int err = stream_read(st, length, sizeof(length));

	if (err != ERR_OK)
		return err;
	*len = (size_t)length[0] << 8 | length[1];
	if (*len > cap)
		return ERR_TOO_BIG;
	err = stream_read(st, out, *len);
	return err == ERR_END ? ERR_INVALID : err;
}

/* The charter: the one that is known, or of a later epoch. */
static int
take_charter(
    struct register_chain *io, struct bytes in, struct network_id net, const struct hash *bucket)
{
	struct charter c;
	struct grant grant;
	bool granted;
	int err = found_unpack(in, net, &c, &granted, &grant);

	if (err != ERR_OK)
		return err;
	if (!hash_equal(&c.bucket, bucket) ||
	    (io->known && !pubkey_equal(&c.owner, &io->charter.owner)))
		return ERR_AUTH;
	if (io->known && c.epoch <= io->charter.epoch)
		return hash_equal(&c.id, &io->charter.id) ? ERR_OK : ERR_STALE;
	io->known = true;
	io->charter = c;
	io->granted = granted;
	io->grant = granted ? grant : (struct grant){ { 0 } };
	io->now = c.founding;
	io->handed = false;
	return ERR_OK;
}

int
register_chain_add(struct register_chain *io, const struct handover *l)
{
	if (!handover_ends(l, &io->now, &io->charter.bucket, io->charter.epoch, &io->charter.owner))
		return ERR_AUTH;
	io->before = io->now;
	io->last = *l;
	io->now = l->stop.next;
	io->handed = true;
	return ERR_OK;
}

static int
take_handover(struct register_chain *io, struct bytes in, struct network_id net)
{
	struct unpacker u = unpacker_on(in);
	struct handover l;
	int err = handover_unpack(&u, net, &l);

	if (err != ERR_OK)
		return err;
	return unpack_done(&u) ? register_chain_add(io, &l) : ERR_INVALID;
}

static SUSPENDS int
read_chain(struct stream *st, struct network_id net, const struct hash *bucket,
    struct register_chain *io, int (*each)(void *arg, const struct register_chain *now), void *arg)
{
	uint8_t *part = malloc(HANDOVER_BYTES_MAX);
	size_t len;
	int err;

	static_assert(HANDOVER_BYTES_MAX >= FOUND_BYTES_MAX, "either fits");
	if (part == NULL)
		return ERR_NOMEM;
	err = read_part(st, part, HANDOVER_BYTES_MAX, &len);
	if (err == ERR_OK)
		err = take_charter(io, bytes_of(part, len), net, bucket);
	for (unsigned i = 0; err == ERR_OK; i++) {
		err = read_part(st, part, HANDOVER_BYTES_MAX, &len);
		if (err == ERR_OK && i == CHAIN_MAX)
			err = ERR_TOO_BIG;
		if (err == ERR_OK)
			err = take_handover(io, bytes_of(part, len), net);
		if (err == ERR_OK && each != NULL)
			err = each(arg, io);
	}
	free(part);
	return err == ERR_END ? ERR_OK : err;
}

int
register_ask_chain(struct endpoint *ep, const struct contact *to, const struct hash *bucket,
    struct register_chain *io, int (*each)(void *arg, const struct register_chain *now), void *arg)
{
	struct env *env = endpoint_env(ep);
	uint64_t old = task_deadline(env, env_now(env) + REGISTER_TIMEOUT);
	uint8_t head[CHAIN_ASK_BYTES];
	size_t len = chain_ask_pack(bucket, io, head);
	struct stream *st;
	int err = stream_open(ep, to, METHOD_REGISTER_CHARTER, bytes_of(head, len), &st);

	if (err == ERR_OK) {
		err = read_chain(st, endpoint_net(ep), bucket, io, each, arg);
		stream_close(st);
	}
	task_deadline_restore(env, old);
	return err;
}
