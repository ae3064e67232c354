/*
 * One shard's way to a node and back, the parts that putting and repairing share: the opening, in
 * which the node reserves the room, the end, in which it commits and gives its receipt; and asking
 * for leaves or their hashes.
 */
#include "overlay/base/pack.h"
#include "storage/chunks_private.h"

int
shard_stream_open(struct chunks *c, const struct contact *to, const struct shard_put *m,
    struct shard_go *go, struct stream **out)
{
	uint8_t packed[SHARD_GO_BYTES];
	struct stream *st;
	struct buf head;
	int err;

	buf_init(&head, KIB(1));
	err = shard_put_pack(m, &head);
	if (err == ERR_OK)
		err = stream_open(c->opts.endpoint, to, METHOD_SHARD_PUT, buf_bytes(&head), &st);
	buf_fini(&head);
	if (err != ERR_OK)
		return err;
	/* The node says that it has reserved the room: only then the shard counts on it. */
	err = stream_read(st, packed, sizeof(packed));
	if (err == ERR_OK)
		err = shard_go_unpack(packed, go);
	if (err != ERR_OK) {
		stream_close(st);
		return err;
	}
	*out = st;
	return ERR_OK;
}

int
shard_range_open(struct chunks *c, const struct contact *from, uint16_t method,
    const struct shard_range *range, struct stream **out)
{
	struct stream *st;
	struct buf head;
	int err;

	buf_init(&head, KIB(1));
	err = shard_range_pack(range, &head);
	if (err == ERR_OK)
		err = stream_open(c->opts.endpoint, from, method, buf_bytes(&head), &st);
	buf_fini(&head);
	if (err != ERR_OK)
		return err;
	err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	if (err != ERR_OK) {
		stream_close(st);
		return err;
	}
	*out = st;
	return ERR_OK;
}

int
shard_hashes(struct chunks *c, const struct contact *from, const struct hash *chunk, uint8_t index,
    uint32_t rows, struct hash *out)
{
	struct shard_range range = { .chunk = *chunk, .index = index, .count = rows };
	struct stream *st;
	int err = shard_range_open(c, from, METHOD_SHARD_HASHES, &range, &st);

	if (err != ERR_OK)
		return err;
	err = stream_read(st, out, rows * sizeof(*out));
	stream_close(st);
	return err;
}

int
shard_commit_message(
    const struct descriptor *d, const struct lease *l, struct network_id net, struct buf *out)
{
	static const uint8_t room[4];
	int err;

	buf_reset(out);
	err = buf_append(out, room, sizeof(room));
	if (err == ERR_OK)
		err = shard_commit_pack(d, l, net, out);
	if (err == ERR_OK) {
		struct packer lead = packer_on(out->data, sizeof(room));

		pack_u32(&lead, (uint32_t)(out->len - sizeof(room)));
	}
	return err;
}

static bool
receipt_fits(
    const struct receipt *r, const struct lease *l, uint8_t index, const struct pubkey *node)
{
	return hash_equal(&r->chunk, &l->chunk) && r->index == index &&
	       pubkey_equal(&r->lease_key, &l->key) && r->generation == l->generation &&
	       r->until == l->until && pubkey_equal(&r->node, node);
}

int
shard_stream_commit(struct chunks *c, struct stream *st, struct bytes message,
    const struct lease *lease, uint8_t index)
{
	struct receipt r;
	struct buf tail;
	int err = stream_write(st, message);

	if (err == ERR_OK)
		err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	if (err != ERR_OK)
		return err;
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	err = stream_read_tail(st, &tail);
	if (err == ERR_OK) {
		err = receipt_unpack(buf_bytes(&tail), c->net, &r);
		if (err == ERR_OK && !receipt_fits(&r, lease, index, &stream_peer(st)->pub))
			err = ERR_AUTH;
		if (err != ERR_OK)
			endpoint_blame(c->opts.endpoint, stream_peer(st), "forged receipt");
	}
	buf_fini(&tail);
	return err;
}
