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

/* Keys 2 and 3 are there together, or neither is. */
static void
put_all(struct msg_writer *w, struct bytes text, const struct drain *drain)
{
	bool says = drain->issued_ms != 0;

	msg_put_map(w, says ? 3 : 1);
	msg_pair_bin(w, 1, text);
	if (says) {
		msg_pair_u64(w, 2, drain->issued_ms);
		msg_pair_u64(w, 3, drain->until_s);
	}
}

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
	put_all(&w, bytes_of(text, p.len), &h->drain);
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

static int
get_drain(const struct msg_node *root, struct drain *out)
{
	struct drain d = { 0 };
	int issued = msg_get_u64(root, 2, UINT64_MAX, &d.issued_ms);
	int until = msg_get_u64(root, 3, UINT64_MAX, &d.until_s);

	if (issued != until || (issued != ERR_OK && issued != ERR_NOT_FOUND) ||
	    (issued == ERR_OK && d.issued_ms == 0))
		return ERR_INVALID;
	*out = d;
	return ERR_OK;
}

/* The byte string under key 1, of at most max bytes, handed to read; and what is said beside it. */
static int
unpack_all(struct bytes in, size_t max, int (*read)(struct bytes bin, void *out), void *out,
    struct drain *drain)
{
	struct msg *m;
	struct bytes bin;
	int err = msg_parse(in, &m);

	if (err != ERR_OK)
		return err;
	err = msg_get_bin(msg_root(m), 1, max, &bin) == ERR_OK ? read(bin, out) : ERR_INVALID;
	if (err == ERR_OK)
		err = get_drain(msg_root(m), drain);
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
	return unpack_all(in, HOLDS_MAX * HOLD_BYTES, read_holds, out, &out->drain);
}

int
holds_reply_pack(const struct holds_reply *r, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	put_all(&w, bytes_of(r->at, r->count), &r->drain);
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
	return unpack_all(in, HOLDS_MAX, read_reply, out, &out->drain);
}
