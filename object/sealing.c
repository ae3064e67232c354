/* Associated data is the type with its version, the network, the bucket and the position. */
#include "object/sealing.h"

#include "object/compress.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define VERSION 1

static const char *const names[SEALING_KINDS] = {
	[SEALING_RECORDS] = "map/records",
	[SEALING_LOG] = "map/log",
	[SEALING_PAGE] = "map/page",
	[SEALING_LIST] = "map/list",
	[SEALING_IDS] = "map/ids",
	[SEALING_ROOT] = "map/root",
	[SEALING_KEPT] = "map/kept",
};
static const char *const domains[SEALING_KINDS] = {
	[SEALING_RECORDS] = "skerry/map-records/1",
	[SEALING_LOG] = "skerry/map-log/1",
	[SEALING_PAGE] = "skerry/map-page/1",
	[SEALING_LIST] = "skerry/map-list/1",
	[SEALING_IDS] = "skerry/map-ids/1",
	[SEALING_ROOT] = "skerry/map-root/1",
	[SEALING_KEPT] = "skerry/map-kept/1",
};
#define AD_BYTES_MAX (20 + 4 + 32 + 8)

void
sealing_init(
    struct sealing *s, struct network_id net, const struct hash *bucket, const struct key *secret)
{
	s->net = net;
	s->bucket = *bucket;
	for (size_t i = 0; i < SEALING_KINDS; i++)
		crypto_derive(&s->keys[i], secret, names[i], bucket->b);
}

void
sealing_wipe(struct sealing *s)
{
	crypto_wipe(s, sizeof(*s));
}

static size_t
associated(const struct sealing *s, const struct sealing_text *text, uint8_t out[AD_BYTES_MAX])
{
	struct packer p = packer_on(out, AD_BYTES_MAX);

	pack_domain(&p, domains[text->kind], &s->net);
	pack_raw(&p, s->bucket.b, sizeof(s->bucket.b));
	pack_u64(&p, text->position);
	must(pack_ok(&p));
	return p.len;
}

int
sealing_seal(const struct sealing *s, const struct sealing_text *text,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out)
{
	uint8_t ad[AD_BYTES_MAX], version = VERSION;
	size_t ad_len = associated(s, text, ad);
	struct buf packed;
	int err;

	/* zstd's own bound lies below. */
	buf_init(&packed, text->in.len + text->in.len / 128 + KIB(1));
	err = compress_pack(text->in, &packed);
	if (err == ERR_OK)
		err = buf_reserve(out, SEALING_OVERHEAD + packed.len);
	if (err == ERR_OK) {
		must(buf_append(out, &version, 1) == ERR_OK);
		must(buf_append(out, nonce, CRYPTO_XNONCE_BYTES) == ERR_OK);
		crypto_xseal(out->data + out->len, &s->keys[text->kind], nonce,
		    bytes_of(ad, ad_len), packed.data, packed.len);
		out->len += packed.len + CRYPTO_TAG_BYTES;
	}
	buf_wipe(&packed);
	return err;
}

int
sealing_open(const struct sealing *s, const struct sealing_text *sealed, struct buf *out)
{
	const uint8_t *in = sealed->in.data;
	size_t len = sealed->in.len, ad_len;
	uint8_t ad[AD_BYTES_MAX];
	struct buf packed;
	int err;

	if (len < SEALING_OVERHEAD)
		return ERR_INVALID;
	if (in[0] != VERSION)
		return ERR_VERSION;
	ad_len = associated(s, sealed, ad);
	in += 1 + CRYPTO_XNONCE_BYTES;
	len -= 1 + CRYPTO_XNONCE_BYTES;
	buf_init_secret(&packed, len);
	err = buf_reserve(&packed, len);
	if (err == ERR_OK)
		err = crypto_xopen(packed.data, &s->keys[sealed->kind], sealed->in.data + 1,
		    bytes_of(ad, ad_len), in, len);
	if (err == ERR_OK) {
		packed.len = len - CRYPTO_TAG_BYTES;
		err = compress_unpack(buf_bytes(&packed), out);
	}
	buf_wipe(&packed);
	return err;
}
