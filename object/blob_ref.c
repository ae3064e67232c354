#include "object/blob_ref.h"

#include <stdlib.h>

#include "overlay/base/err.h"

static int
make(struct blob_ref *r, const struct blob_ref *facts, const uint8_t *hints)
{
	size_t len = (size_t)facts->code.n * 8;
	uint8_t *copy = malloc(len);

	if (copy == NULL)
		return ERR_NOMEM;
	memcpy(copy, hints, len);
	*r = *facts;
	r->hints = copy;
	return ERR_OK;
}

int
blob_ref_init(struct blob_ref *r, const struct chunk_ref *from)
{
	struct blob_ref facts = { from->id, from->code, (uint32_t)from->bytes, NULL };

	return make(r, &facts, from->hints[0]);
}

int
blob_ref_copy(struct blob_ref *r, const struct blob_ref *from)
{
	return make(r, from, from->hints);
}

void
blob_ref_fini(struct blob_ref *r)
{
	free(r->hints);
	r->hints = NULL;
}

void
blob_ref_chunk(const struct blob_ref *r, struct chunk_ref *out)
{
	memset(out, 0, sizeof(*out));
	out->id = r->id;
	out->code = r->code;
	out->bytes = r->bytes;
	memcpy(out->hints, r->hints, (size_t)r->code.n * 8);
}

void
blob_ref_write(struct packer *p, const struct blob_ref *r)
{
	pack_raw(p, r->id.b, sizeof(r->id.b));
	pack_u8(p, r->code.k);
	pack_u8(p, r->code.r);
	pack_u8(p, r->code.n);
	pack_u32(p, r->bytes);
	pack_raw(p, r->hints, (size_t)r->code.n * 8);
}

int
blob_ref_pack(const struct blob_ref *r, struct buf *out)
{
	size_t len = BLOB_REF_BYTES(r->code.n);
	int err = buf_reserve(out, len);

	if (err != ERR_OK)
		return err;

	struct packer p = packer_on(out->data + out->len, len);

	blob_ref_write(&p, r);
	must(pack_ok(&p) && p.len == len);
	out->len += len;
	return ERR_OK;
}

int
blob_ref_read(struct unpacker *u, struct blob_ref *out, struct bytes *hints)
{
	struct layout layout;

	*out = (struct blob_ref){ .hints = NULL };
	unpack_raw(u, out->id.b, sizeof(out->id.b));
	out->code.k = unpack_u8(u);
	out->code.r = unpack_u8(u);
	out->code.n = unpack_u8(u);
	out->bytes = unpack_u32(u);
	*hints = unpack_lend(u, (size_t)out->code.n * 8);
	if (u->failed || !code_valid(&out->code) ||
	    layout_make(out->code.k, out->code.n, out->bytes, &layout) != ERR_OK) {
		u->failed = true;
		return ERR_INVALID;
	}
	return ERR_OK;
}

int
blob_ref_unpack(struct unpacker *u, struct blob_ref *out)
{
	struct blob_ref facts;
	struct bytes hints;
	int err = blob_ref_read(u, &facts, &hints);

	return err != ERR_OK ? err : make(out, &facts, hints.data);
}
