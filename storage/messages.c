/*
 * Packing and unpacking of the storage protocol. Maps with small integer keys where a later version
 * may add fields; fixed layouts for what is signed or long.
 */
#include "storage/messages.h"

#include <stdlib.h>

#include "overlay/base/pack.h"

/* Every message here is a map of a few keys; a parse that worked is freed on all ways out. */
static int
parse(struct bytes in, struct msg **m, const struct msg_node **root)
{
	int err = msg_parse(in, m);

	if (err == ERR_OK)
		*root = msg_root(*m);
	return err;
}

/* ---- chunk_query ---- */

int
chunk_query_pack(const struct chunk_query *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 1);
	msg_pair_bin(&w, 1, bytes_of(m->chunk.b, sizeof(m->chunk.b)));
	return msg_done(&w);
}

int
chunk_query_unpack(struct bytes in, struct chunk_query *out)
{
	struct msg *m;
	const struct msg_node *root;
	struct chunk_query q;
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	err = msg_get_fixed(root, 1, q.chunk.b, sizeof(q.chunk.b));
	msg_free(m);
	if (err == ERR_OK)
		*out = q;
	return err == ERR_OK ? ERR_OK : ERR_INVALID;
}

/* ---- chunk_have ---- */

int
chunk_have_pack(const struct chunk_have *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 6);
	msg_pair_u64(&w, 1, m->k);
	msg_pair_u64(&w, 2, m->r);
	msg_pair_u64(&w, 3, m->n);
	msg_pair_u64(&w, 4, m->chunk_bytes);
	msg_pair_u64(&w, 5, m->lease_until);
	msg_pair_bin(&w, 6, bytes_of(m->indices, m->count));
	return msg_done(&w);
}

/* Indices below n, ascending: so none twice. */
static bool
indices_ascend(const uint8_t *indices, size_t count, uint8_t n)
{
	for (size_t i = 0; i < count; i++) {
		if (indices[i] >= n || (i > 0 && indices[i] <= indices[i - 1]))
			return false;
	}
	return true;
}

int
chunk_have_unpack(struct bytes in, struct chunk_have *out)
{
	struct msg *m;
	const struct msg_node *root;
	struct bytes indices;
	struct layout layout;
	uint64_t k, r, n, bytes, until;
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	if (msg_get_u64(root, 1, SHARDS_MAX, &k) != ERR_OK ||
	    msg_get_u64(root, 2, SHARDS_MAX, &r) != ERR_OK ||
	    msg_get_u64(root, 3, SHARDS_MAX, &n) != ERR_OK ||
	    msg_get_u64(root, 4, CHUNK_BYTES_MAX, &bytes) != ERR_OK ||
	    msg_get_u64(root, 5, UINT64_MAX, &until) != ERR_OK ||
	    msg_get_bin(root, 6, SHARDS_MAX, &indices) != ERR_OK ||
	    layout_make((uint8_t)k, (uint8_t)n, bytes, &layout) != ERR_OK || r < k || r > n ||
	    !indices_ascend(indices.data, indices.len, (uint8_t)n)) {
		msg_free(m);
		return ERR_INVALID;
	}
	*out = (struct chunk_have){
		.k = (uint8_t)k,
		.r = (uint8_t)r,
		.n = (uint8_t)n,
		.chunk_bytes = bytes,
		.lease_until = until,
		.count = (uint8_t)indices.len,
	};
	memcpy(out->indices, indices.data, indices.len);
	msg_free(m);
	return ERR_OK;
}

/* ---- shard_put ---- */

int
shard_put_pack(const struct shard_put *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, m->granted ? 6 : 5);
	msg_pair_u64(&w, 1, m->k);
	msg_pair_u64(&w, 2, m->n);
	msg_pair_u64(&w, 3, m->index);
	msg_pair_u64(&w, 4, m->chunk_bytes);
	msg_pair_bin(&w, 5, bytes_of(m->lease_key.b, sizeof(m->lease_key.b)));
	if (m->granted)
		msg_pair_bin(&w, 6, bytes_of(m->grant.b, sizeof(m->grant.b)));
	return msg_done(&w);
}

/* A grant that may be missing. */
static int
get_grant(const struct msg_node *root, uint32_t key, bool *granted, struct grant *out)
{
	*granted = msg_get(root, key) != NULL;
	return *granted ? msg_get_fixed(root, key, out->b, sizeof(out->b)) : ERR_OK;
}

int
shard_put_unpack(struct bytes in, struct shard_put *out)
{
	struct msg *m;
	const struct msg_node *root;
	struct layout layout;
	uint64_t k, n, index, bytes;
	struct shard_put p = { 0 };
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	if (msg_get_u64(root, 1, SHARDS_MAX, &k) != ERR_OK ||
	    msg_get_u64(root, 2, SHARDS_MAX, &n) != ERR_OK ||
	    msg_get_u64(root, 3, SHARDS_MAX, &index) != ERR_OK ||
	    msg_get_u64(root, 4, CHUNK_BYTES_MAX, &bytes) != ERR_OK ||
	    layout_make((uint8_t)k, (uint8_t)n, bytes, &layout) != ERR_OK || index >= n ||
	    msg_get_fixed(root, 5, p.lease_key.b, sizeof(p.lease_key.b)) != ERR_OK ||
	    get_grant(root, 6, &p.granted, &p.grant) != ERR_OK) {
		err = ERR_INVALID;
	} else {
		p.k = (uint8_t)k;
		p.n = (uint8_t)n;
		p.index = (uint8_t)index;
		p.chunk_bytes = bytes;
		*out = p;
	}
	msg_free(m);
	return err;
}

void
shard_go_pack(const struct shard_go *m, uint8_t out[SHARD_GO_BYTES])
{
	struct packer p = packer_on(out, SHARD_GO_BYTES);

	pack_u8(&p, 1);
	pack_u64(&p, m->term_max_s);
	pack_u64(&p, m->lock_max_s);
	must(pack_ok(&p) && p.len == SHARD_GO_BYTES);
}

int
shard_go_unpack(const uint8_t in[SHARD_GO_BYTES], struct shard_go *out)
{
	struct unpacker u = unpacker_on(bytes_of(in, SHARD_GO_BYTES));
	uint8_t go = unpack_u8(&u);

	*out = (struct shard_go){ .term_max_s = unpack_u64(&u) };
	out->lock_max_s = unpack_u64(&u);
	return unpack_done(&u) && go == 1 ? ERR_OK : ERR_INVALID;
}

/* ---- commit ---- */

int
shard_commit_pack(
    const struct descriptor *d, const struct lease *l, struct network_id net, struct buf *out)
{
	int err = buf_reserve(out, SHARD_COMMIT_BYTES_MAX);

	if (err != ERR_OK)
		return err;

	uint8_t *at = out->data + out->len;
	size_t descriptor = descriptor_pack(d, at + 2);
	size_t lease = lease_pack(l, net, at + 2 + descriptor + 2);
	struct packer lens = packer_on(at, 2);

	pack_u16(&lens, (uint16_t)descriptor);
	lens = packer_on(at + 2 + descriptor, 2);
	pack_u16(&lens, (uint16_t)lease);
	out->len += 4 + descriptor + lease;
	return ERR_OK;
}

int
shard_commit_unpack(struct bytes in, struct network_id net, struct descriptor *d, struct lease *l)
{
	struct unpacker u = unpacker_on(in);
	struct bytes descriptor = unpack_lend(&u, unpack_u16(&u));
	struct bytes lease = unpack_lend(&u, unpack_u16(&u));
	struct lease theirs;

	if (!unpack_done(&u))
		return ERR_INVALID;

	int err = lease_unpack(lease, net, &theirs);

	if (err == ERR_OK)
		err = descriptor_unpack(descriptor, d);
	if (err == ERR_OK)
		*l = theirs;
	return err;
}

/* ---- shard_range ---- */

int
shard_range_pack(const struct shard_range *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 4);
	msg_pair_bin(&w, 1, bytes_of(m->chunk.b, sizeof(m->chunk.b)));
	msg_pair_u64(&w, 2, m->index);
	msg_pair_u64(&w, 3, m->first);
	msg_pair_u64(&w, 4, m->count);
	return msg_done(&w);
}

int
shard_range_unpack(struct bytes in, struct shard_range *out)
{
	struct msg *m;
	const struct msg_node *root;
	struct shard_range r;
	uint64_t index, first, count;
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	if (msg_get_fixed(root, 1, r.chunk.b, sizeof(r.chunk.b)) != ERR_OK ||
	    msg_get_u64(root, 2, SHARDS_MAX - 1, &index) != ERR_OK ||
	    msg_get_u64(root, 3, LEAVES_MAX - 1, &first) != ERR_OK ||
	    msg_get_u64(root, 4, LEAVES_MAX, &count) != ERR_OK || count == 0) {
		err = ERR_INVALID;
	} else {
		r.index = (uint8_t)index;
		r.first = (uint32_t)first;
		r.count = (uint32_t)count;
		*out = r;
	}
	msg_free(m);
	return err;
}

/* ---- siblings ---- */

size_t
siblings_pack(const struct siblings *s, uint8_t *out)
{
	struct packer p = packer_on(out, (size_t)s->count * SIBLING_BYTES);

	for (size_t i = 0; i < s->count; i++) {
		pack_u8(&p, s->at[i].index);
		pack_raw(&p, s->at[i].node.b, sizeof(s->at[i].node.b));
	}
	must(pack_ok(&p));
	return p.len;
}

/* Looked at before anything is written: a pair of index and node stands once. */
static bool
siblings_valid(struct bytes in, uint8_t n)
{
	size_t count = in.len / SIBLING_BYTES;

	if (in.len % SIBLING_BYTES != 0 || count > SHARDS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *one = in.data + i * SIBLING_BYTES;

		if (one[0] >= n)
			return false;
		for (size_t j = 0; j < i; j++) {
			if (memcmp(one, in.data + j * SIBLING_BYTES, SIBLING_BYTES) == 0)
				return false;
		}
	}
	return true;
}

int
siblings_unpack(struct bytes in, uint8_t n, struct siblings *out)
{
	size_t count = in.len / SIBLING_BYTES;
	struct unpacker u = unpacker_on(in);

	if (!siblings_valid(in, n))
		return ERR_INVALID;
	for (size_t i = 0; i < count; i++) {
		out->at[i].index = unpack_u8(&u);
		unpack_raw(&u, out->at[i].node.b, sizeof(out->at[i].node.b));
	}
	must(unpack_done(&u));
	out->count = (uint8_t)count;
	return ERR_OK;
}

/* The siblings' bytes under key; too long (8 KiB) for a task's stack. */
static void
put_siblings(struct msg_writer *w, uint32_t key, const struct siblings *s)
{
	uint8_t *packed = malloc(s->count == 0 ? 1 : (size_t)s->count * SIBLING_BYTES);

	if (packed == NULL) {
		w->err = w->err != ERR_OK ? w->err : ERR_NOMEM;
		return;
	}
	msg_pair_bin(w, key, bytes_of(packed, siblings_pack(s, packed)));
	free(packed);
}

static int
get_siblings_note(const struct msg_node *root, uint8_t n, struct siblings_note *out)
{
	struct bytes packed;
	uint64_t sequence;

	if (msg_get_u64(root, 1, UINT64_MAX, &sequence) != ERR_OK ||
	    msg_get_bin(root, 2, SHARDS_MAX * SIBLING_BYTES, &packed) != ERR_OK ||
	    siblings_unpack(packed, n, &out->siblings) != ERR_OK)
		return ERR_INVALID;
	out->sequence = sequence;
	return ERR_OK;
}

int
siblings_note_pack(const struct siblings_note *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 2);
	msg_pair_u64(&w, 1, m->sequence);
	put_siblings(&w, 2, &m->siblings);
	return msg_done(&w);
}

int
siblings_note_unpack(struct bytes in, uint8_t n, struct siblings_note *out)
{
	struct msg *m;
	const struct msg_node *root;
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	err = get_siblings_note(root, n, out);
	msg_free(m);
	return err;
}

/* ---- lease_update ---- */

int
lease_update_pack(const struct lease_update *m, struct network_id net, struct buf *out)
{
	uint8_t lease[LEASE_BYTES_MAX];
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, m->lease.note.granted ? 4 : 3);
	msg_pair_u64(&w, 1, m->note.sequence);
	put_siblings(&w, 2, &m->note.siblings);
	msg_pair_bin(&w, 3, bytes_of(lease, lease_pack(&m->lease, net, lease)));
	if (m->lease.note.granted)
		msg_pair_bin(&w, 4, bytes_of(m->lease.note.grant.b, sizeof(m->lease.note.grant.b)));
	return msg_done(&w);
}

int
lease_update_unpack(struct bytes in, struct network_id net, struct lease_update *out)
{
	struct msg *m;
	const struct msg_node *root;
	struct bytes packed;
	struct lease lease;
	int err = parse(in, &m, &root);

	if (err != ERR_OK)
		return err;
	if (msg_get_bin(root, 3, LEASE_BYTES_MAX, &packed) != ERR_OK)
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = lease_unpack(packed, net, &lease);
	if (err == ERR_OK && get_grant(root, 4, &lease.note.granted, &lease.note.grant) != ERR_OK)
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = get_siblings_note(root, SHARDS_MAX, &out->note);
	if (err == ERR_OK)
		out->lease = lease;
	msg_free(m);
	return err;
}

/* ---- leases ---- */

int
leases_pack(const struct lease *leases, size_t count, struct network_id net, struct buf *out)
{
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		const struct lease_note *note = &leases[i].note;
		uint8_t text[2 + LEASE_BYTES_MAX + 2];
		size_t len = lease_pack(&leases[i], net, text + 2);
		size_t grant = note->granted ? sizeof(note->grant.b) : 0;
		struct packer p = packer_on(text, 2), behind = packer_on(text + 2 + len, 2);

		pack_u16(&p, (uint16_t)len);
		pack_u16(&behind, (uint16_t)grant);
		err = buf_append(out, text, 2 + len + 2);
		if (err == ERR_OK && grant > 0)
			err = buf_append(out, note->grant.b, grant);
	}
	return err;
}

int
leases_unpack(struct bytes in, struct network_id net, struct lease *out, size_t cap, size_t *count)
{
	struct unpacker u = unpacker_on(in);
	size_t n = 0;

	while (u.pos < in.len) {
		struct bytes packed = unpack_lend(&u, unpack_u16(&u));
		struct bytes grant = unpack_lend(&u, unpack_u16(&u));
		int err;

		if (u.failed || (grant.len != 0 && grant.len != GRANT_BYTES))
			return ERR_INVALID;
		if (n == cap)
			return ERR_TOO_BIG;
		err = lease_unpack(packed, net, &out[n]);
		if (err != ERR_OK)
			return err;
		if (grant.len > 0) {
			out[n].note.granted = true;
			memcpy(out[n].note.grant.b, grant.data, grant.len);
		}
		n++;
	}
	*count = n;
	return ERR_OK;
}
