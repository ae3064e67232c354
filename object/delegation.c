/* One fixed layout; the owner key of each bucket signs the hash of all that stands before the
 * words. */
#include "object/delegation.h"

static const char domain[] = "skerry/delegate/1";
static const char word_domain[] = "skerry/delegation/1";

#define WORD_BYTES_MAX (20 + 4 + 32 + 32)

void
delegation_writer(const struct delegated_bucket *b, struct identity *out)
{
	memset(out, 0, sizeof(*out));
	if ((b->rights & ACCESS_WRITE) != 0)
		identity_from_seed(&b->writer, out);
}

/* ---- as a file ---- */

static void
pack_bucket(struct packer *p, const struct delegated_bucket *b, struct network_id net)
{
	uint8_t record[BUCKET_RECORD_BYTES_MAX];
	size_t len = bucket_record_pack(&b->record, net, record);

	pack_text(p, b->name);
	pack_u8(p, b->rights);
	pack_raw(p, b->writer.b, sizeof(b->writer.b));
	pack_raw(p, b->grant.b, sizeof(b->grant.b));
	pack_u16(p, (uint16_t)len);
	pack_raw(p, record, len);
	crypto_wipe(record, sizeof(record));
}

static_assert(BUCKET_RECORD_BYTES_MAX < UINT16_MAX, "its length is 16 bits");
static_assert(
    DELEGATED_BUCKETS_MAX * (BUCKET_RECORD_BYTES_MAX + 512) + ACCESS_KEY_BYTES_MAX + 512 <=
	DELEGATION_BYTES_MAX,
    "everything fits");

static int
pack_body(const struct delegation *d, struct network_id net, struct buf *out)
{
	struct buf key;
	struct packer p;
	int err = buf_reserve(out, DELEGATION_BYTES_MAX);

	buf_init_secret(&key, ACCESS_KEY_BYTES_MAX);
	if (err == ERR_OK)
		err = access_key_pack(&d->key, &key);
	if (err == ERR_OK && (d->count == 0 || d->count > DELEGATED_BUCKETS_MAX))
		err = ERR_INVALID;
	if (err == ERR_OK) {
		p = packer_on(out->data + out->len, DELEGATION_BYTES_MAX);
		pack_domain(&p, domain, &net);
		pack_text(&p, d->number);
		pack_text(&p, d->account);
		pack_u64(&p, d->expires_ms);
		pack_u16(&p, (uint16_t)key.len);
		pack_raw(&p, key.data, key.len);
		pack_u8(&p, (uint8_t)d->count);
		for (size_t i = 0; i < d->count; i++)
			pack_bucket(&p, &d->buckets[i], net);
		must(pack_ok(&p));
		out->len += p.len;
	}
	buf_wipe(&key);
	return err;
}

static size_t
word_text(const struct delegated_bucket *b, struct network_id net, struct bytes body,
    uint8_t out[WORD_BYTES_MAX])
{
	struct packer p = packer_on(out, WORD_BYTES_MAX);
	struct hash all;

	crypto_sha256(&all, body.data, body.len);
	pack_domain(&p, word_domain, &net);
	pack_raw(&p, b->record.charter.bucket.b, sizeof(b->record.charter.bucket.b));
	pack_raw(&p, all.b, sizeof(all.b));
	must(pack_ok(&p));
	return p.len;
}

int
delegation_sign(struct delegation *d, struct network_id net, size_t i, const struct identity *owner)
{
	uint8_t text[WORD_BYTES_MAX];
	struct buf body;
	int err;

	buf_init_secret(&body, DELEGATION_BYTES_MAX);
	err = pack_body(d, net, &body);
	if (err == ERR_OK)
		crypto_sign_data(&d->buckets[i].word, &owner->sign, text,
		    word_text(&d->buckets[i], net, buf_bytes(&body), text));
	buf_wipe(&body);
	return err;
}

int
delegation_pack(const struct delegation *d, struct network_id net, struct buf *out)
{
	int err = pack_body(d, net, out);

	for (size_t i = 0; i < d->count && err == ERR_OK; i++)
		err = buf_append(out, d->buckets[i].word.b, sizeof(d->buckets[i].word.b));
	return err;
}

static int
unpack_bucket(struct unpacker *u, struct network_id net, struct delegated_bucket *b)
{
	struct bytes record;

	unpack_text(u, b->name, sizeof(b->name));
	b->rights = unpack_u8(u);
	unpack_raw(u, b->writer.b, sizeof(b->writer.b));
	unpack_raw(u, b->grant.b, sizeof(b->grant.b));
	record = unpack_lend(u, unpack_u16(u));
	if (u->failed || !bucket_name_valid(b->name, strlen(b->name)) || b->rights == 0 ||
	    (b->rights & ~ACCESS_ALL) != 0)
		return ERR_CORRUPT;
	return bucket_record_unpack(record, net, &b->record);
}

static int
unpack_body(struct unpacker *u, struct network_id net, struct delegation *d)
{
	int err;

	unpack_text(u, d->number, sizeof(d->number));
	unpack_text(u, d->account, sizeof(d->account));
	d->expires_ms = unpack_u64(u);
	err = access_key_unpack(unpack_lend(u, unpack_u16(u)), &d->key);
	if (err != ERR_OK)
		return err;
	d->count = unpack_u8(u);
	if (u->failed || d->expires_ms == 0 || d->count == 0 || d->count > DELEGATED_BUCKETS_MAX)
		return ERR_CORRUPT;
	for (size_t i = 0; i < d->count && err == ERR_OK; i++)
		err = unpack_bucket(u, net, &d->buckets[i]);
	return err;
}

static int
unpack_words(struct unpacker *u, struct network_id net, struct bytes body, struct delegation *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct delegated_bucket *b = &d->buckets[i];
		uint8_t text[WORD_BYTES_MAX];
		size_t len = word_text(b, net, body, text);

		unpack_raw(u, b->word.b, sizeof(b->word.b));
		if (u->failed)
			return ERR_CORRUPT;
		if (!crypto_verify(&b->word, &b->record.charter.owner, text, len))
			return ERR_AUTH;
	}
	return unpack_done(u) ? ERR_OK : ERR_CORRUPT;
}

int
delegation_unpack(struct bytes in, struct network_id net, struct delegation *out)
{
	struct unpacker u = unpacker_on(in);
	int err = unpack_domain(&u, domain, &net);

	if (err != ERR_OK)
		return err == ERR_VERSION || err == ERR_WRONG_NETWORK ? err : ERR_CORRUPT;
	memset(out, 0, sizeof(*out));
	err = unpack_body(&u, net, out);
	if (err == ERR_OK)
		err = unpack_words(&u, net, bytes_of(in.data, in.len - unpack_left(&u)), out);
	if (err != ERR_OK)
		delegation_wipe(out);
	return err;
}

void
delegation_wipe(struct delegation *d)
{
	crypto_wipe(d, sizeof(*d));
}
