/*
 * Packing and strict unpacking of descriptors: what is unpacked packs to the same bytes,
 * so hashing either gives the same chunk id.
 */
#include "storage/descriptor.h"

#include "overlay/base/crypto.h"
#include "overlay/base/pack.h"

static const char domain[] = "skerry/chunk/1";
static_assert(sizeof(domain) - 1 == 14, "DESCRIPTOR_BYTES counts it");

/* All but the roots. */
static void
pack_head(struct packer *p, const struct descriptor *d)
{
	pack_str(p, domain);
	pack_u8(p, DESCRIPTOR_CODE_CAUCHY);
	pack_u8(p, d->k);
	pack_u8(p, d->n);
	pack_u64(p, d->chunk_bytes);
}

size_t
descriptor_pack(const struct descriptor *d, uint8_t *out)
{
	struct packer p = packer_on(out, DESCRIPTOR_BYTES(d->n));

	pack_head(&p, d);
	pack_raw(&p, d->roots, (size_t)d->n * sizeof(d->roots[0]));
	must(pack_ok(&p));
	return p.len;
}

int
descriptor_unpack(struct bytes in, struct descriptor *out)
{
	struct unpacker u = unpacker_on(in);
	struct layout layout;

	int err = unpack_domain(&u, domain, NULL);

	if (err != ERR_OK)
		return err;

	uint8_t code = unpack_u8(&u), k = unpack_u8(&u), n = unpack_u8(&u);
	uint64_t chunk_bytes = unpack_u64(&u);

	if (u.failed)
		return ERR_INVALID;
	if (code != DESCRIPTOR_CODE_CAUCHY)
		return ERR_VERSION;
	if (layout_make(k, n, chunk_bytes, &layout) != ERR_OK ||
	    unpack_left(&u) != (size_t)n * sizeof(out->roots[0]))
		return ERR_INVALID;
	out->k = k;
	out->n = n;
	out->chunk_bytes = chunk_bytes;
	unpack_raw(&u, out->roots, (size_t)n * sizeof(out->roots[0]));
	must(unpack_done(&u));
	return ERR_OK;
}

void
descriptor_id(const struct descriptor *d, struct hash *out)
{
	uint8_t head[DESCRIPTOR_BYTES(0)];
	struct packer p = packer_on(head, sizeof(head));

	/* In two parts: the packed whole would be 8 KiB of a task's stack. */
	pack_head(&p, d);
	must(pack_ok(&p));
	crypto_sha256_parts(out,
	    (struct bytes[]){
		{ head, p.len }, { d->roots[0].b, (size_t)d->n * sizeof(d->roots[0]) } },
	    2);
}
