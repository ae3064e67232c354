/* Put, raised, published where it must be found by its id alone: only now it may be named. */
#include "object/blob_net.h"

#include "object/files_private.h"

static int
net_put(struct blob_store *s, struct bytes blob, bool publishes, struct chunk_ref *out)
{
	struct blob_net *b = container_of(s, struct blob_net, store);
	struct placing p;
	size_t slot;
	int err = placing_init(&p, b->files, &b->placing);

	if (err == ERR_OK)
		err = placing_put_bytes(&p, blob, &slot);
	if (err == ERR_OK)
		err = placing_raise(&p, 0);
	if (err == ERR_OK && publishes)
		err = placing_publish(&p, &p.placed[slot]);
	if (err == ERR_OK)
		*out = p.placed[slot].ref;
	placing_end(&p, err);
	return err;
}

static int
net_get(struct blob_store *s, const struct chunk_ref *ref, struct buf *out)
{
	struct blob_net *b = container_of(s, struct blob_net, store);

	return files_fetch_chunk(b->files, ref, out, NULL);
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
