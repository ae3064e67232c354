/* Put, raised, published where it must be found by its id alone: only now it may be named. */
#include "object/blob_net.h"

#include "object/files_private.h"

static int
fill(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct bytes *blob = arg;

	memcpy(dst, blob->data + offset, len);
	return ERR_OK;
}

static int
net_put(struct blob_store *s, struct bytes blob, bool publishes, struct chunk_ref *out)
{
	struct blob_net *b = container_of(s, struct blob_net, store);
	struct chunk_source source = { fill, &blob };
	struct placing p;
	size_t slot;
	int err = placing_init(&p, b->files, &b->placing);

	if (err == ERR_OK)
		err = placing_put(&p, blob.len, &source, NULL, NULL, &slot);
	if (err == ERR_OK)
		err = placing_raise(&p, 0);
	if (err == ERR_OK && publishes)
		err = placing_publish(&p, &p.placed[slot]);
	if (err == ERR_OK)
		*out = p.placed[slot].ref;
	placing_fini(&p);
	return err;
}

static int
take(void *arg, uint64_t offset, const struct bytes *pieces, size_t count)
{
	uint8_t *to = (uint8_t *)arg + offset;

	for (size_t i = 0; i < count; i++) {
		memcpy(to, pieces[i].data, pieces[i].len);
		to += pieces[i].len;
	}
	return ERR_OK;
}

static int
net_get(struct blob_store *s, const struct chunk_ref *ref, struct buf *out)
{
	struct blob_net *b = container_of(s, struct blob_net, store);
	struct chunk_sink sink = { .take = take, .verify = true };
	int err = buf_reserve(out, (size_t)ref->bytes);

	if (err != ERR_OK)
		return err;
	sink.arg = out->data + out->len;
	err = chunk_get(b->files->opts.chunks, ref, 0, ref->bytes, &sink, NULL);
	if (err == ERR_OK)
		out->len += (size_t)ref->bytes;
	return err;
}

static int
net_find(struct blob_store *s, const struct hash *id, struct chunk_ref *out)
{
	struct blob_net *b = container_of(s, struct blob_net, store);

	return chunk_discover(b->files->opts.chunks, id, out, NULL);
}

void
blob_net_init(struct blob_net *b, struct files *files, const struct placing_opts *placing)
{
	b->store = (struct blob_store){ net_put, net_get, net_find };
	b->files = files;
	b->placing = *placing;
}
