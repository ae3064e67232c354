/*
 * Fixed layouts inside one msgpack map, as siblings are: chunk prefix 16, mine, yours, flags,
 * lease sum u32. Unknown flags are refused, so that they can get a meaning later.
 */
#include "storage/holds.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"
#include "overlay/base/pack.h"

#define HOLD_BYTES (CHUNK_PREFIX_BYTES + 7)
#define FLAG_TELL  1
#define FLAG_LOST  2

int
holds_pack(const struct holds *h, struct buf *out)
{
	uint8_t text[HOLDS_MAX * HOLD_BYTES];
	struct packer p = packer_on(text, sizeof(text));
	struct msg_writer w = msg_writer_on(out);

	for (size_t i = 0; i < h->count; i++) {
		const struct hold *one = &h->at[i];

		pack_raw(&p, one->chunk, sizeof(one->chunk));
		pack_u8(&p, one->mine);
		pack_u8(&p, one->yours);
		pack_u8(&p, (one->tell ? FLAG_TELL : 0) | (one->lost ? FLAG_LOST : 0));
		pack_u32(&p, one->lease_sum);
	}
	must(pack_ok(&p));
	msg_put_map(&w, 1);
	msg_pair_bin(&w, 1, bytes_of(text, p.len));
	return msg_done(&w);
}

static int
unpack_holds(struct bytes in, struct holds *out)
{
	struct unpacker u = unpacker_on(in);

	if (in.len % HOLD_BYTES != 0)
		return ERR_INVALID;
	out->count = in.len / HOLD_BYTES;
	for (size_t i = 0; i < out->count; i++) {
		struct hold *one = &out->at[i];
		uint8_t flags;

		unpack_raw(&u, one->chunk, sizeof(one->chunk));
		one->mine = unpack_u8(&u);
		one->yours = unpack_u8(&u);
		flags = unpack_u8(&u);
		one->tell = (flags & FLAG_TELL) != 0;
		one->lost = (flags & FLAG_LOST) != 0;
		one->lease_sum = unpack_u32(&u);
		if ((flags & ~(FLAG_TELL | FLAG_LOST)) != 0 ||
		    (one->lost && (!one->tell || one->mine == INDEX_NONE)) ||
		    one->yours == INDEX_NONE)
			return ERR_INVALID;
	}
	return unpack_done(&u) ? ERR_OK : ERR_INVALID;
}

/* The one byte string under key 1, of at most max bytes, handed to read. */
static int
with_bin(struct bytes in, size_t max, int (*read)(struct bytes bin, void *out), void *out)
{
	struct msg *m;
	struct bytes bin;
	int err = msg_parse(in, &m);

	if (err != ERR_OK)
		return err;
	err = msg_get_bin(msg_root(m), 1, max, &bin) == ERR_OK ? read(bin, out) : ERR_INVALID;
	msg_free(m);
	return err;
}

static int
read_holds(struct bytes bin, void *out)
{
	return unpack_holds(bin, out);
}

int
holds_unpack(struct bytes in, struct holds *out)
{
	return with_bin(in, HOLDS_MAX * HOLD_BYTES, read_holds, out);
}

int
holds_reply_pack(const struct holds_reply *r, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 1);
	msg_pair_bin(&w, 1, bytes_of(r->at, r->count));
	return msg_done(&w);
}

static int
read_reply(struct bytes bin, void *out)
{
	struct holds_reply *r = out;

	r->count = bin.len;
	memcpy(r->at, bin.data, bin.len);
	for (size_t i = 0; i < r->count; i++) {
		if ((r->at[i] & ~(HOLD_YES | HOLD_LEASES)) != 0)
			return ERR_INVALID;
	}
	return ERR_OK;
}

int
holds_reply_unpack(struct bytes in, struct holds_reply *out)
{
	return with_bin(in, HOLDS_MAX, read_reply, out);
}
