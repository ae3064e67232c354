/*
 * What an account keeps and gives away: access keys, buckets, delegations. Behind a first byte that
 * says which, the input is the kept form; of a bucket's, the charter at its end passes only with a
 * signature, so the input also stands for what is before it.
 */
#include "object/access_key.h"
#include "object/bucket_record.h"
#include "object/delegation.h"
#include "overlay/base/err.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };
static const char domain[] = "skerry/bucket/1";

static void
as_key(struct bytes in)
{
	struct access_key k = { .id = "" }, again = { .id = "" };
	struct buf form;

	if (access_key_unpack(in, &k) != ERR_OK)
		return;
	buf_init(&form, ACCESS_KEY_BYTES_MAX);
	must(access_key_pack(&k, &form) == ERR_OK);
	must(bytes_equal(buf_bytes(&form), in));
	must(access_key_unpack(buf_bytes(&form), &again) == ERR_OK);
	must(memcmp(&k, &again, sizeof(k)) == 0);
	for (uint8_t right = 1; right < ACCESS_ALL; right = (uint8_t)(right * 2))
		(void)access_allows(&k, 1, "bucket", in, right);
	buf_fini(&form);
}

static size_t
signed_charter(const struct bucket_seed *seed, uint8_t out[CHARTER_BYTES_MAX])
{
	static const struct account account = { { { 1 } } };
	struct charter c = { .epoch = 1, .rules.silent_s = SILENT_S_DEFAULT };
	struct identity owner;

	c.founding.anchors_count = 3;
	c.founding.quorum = 2;
	c.founding.writers_count = 1;
	for (uint8_t i = 0; i < 3; i++)
		c.founding.anchors[i].key.b[0] = (uint8_t)(i + 1);
	c.founding.writers[0].b[0] = 9;
	memcpy(c.salt, seed->salt, sizeof(c.salt));
	bucket_owner(&account, seed, &owner);
	charter_sign(&c, net, &owner.sign, &owner.pub);
	return charter_pack(&c, net, out);
}

/* in: state, time, salt, secret, location. */
static void
as_record(struct bytes in)
{
	uint8_t form[BUCKET_RECORD_BYTES_MAX + 512], again[BUCKET_RECORD_BYTES_MAX];
	struct bucket_record r;
	struct bucket_seed seed;
	size_t len = strlen(domain);
	int err;

	(void)bucket_record_unpack(in, net, &r);
	if (in.len < 1 + 8 + BUCKET_SALT_BYTES || in.len > 256)
		return;
	memcpy(form, domain, len);
	memcpy(form + len, in.data, in.len);
	memcpy(seed.salt, in.data + 1 + 8, sizeof(seed.salt));
	len += in.len;
	len += signed_charter(&seed, form + len);
	err = bucket_record_unpack(bytes_of(form, len), net, &r);
	if (err == ERR_OK)
		must(bucket_record_pack(&r, net, again) == len && memcmp(form, again, len) == 0);
}

/* The file of a delegated gateway; it passes only with its owners' signatures. */
static void
as_delegation(struct bytes in)
{
	struct delegation *d = malloc(sizeof(*d));
	struct buf form;

	must(d != NULL);
	buf_init(&form, DELEGATION_BYTES_MAX);
	if (delegation_unpack(in, net, d) == ERR_OK) {
		must(delegation_pack(d, net, &form) == ERR_OK);
		must(bytes_equal(buf_bytes(&form), in));
	}
	buf_fini(&form);
	free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(crypto_init() == ERR_OK);
	if (size == 0)
		return 0;
	if (data[0] == 'd')
		as_delegation(bytes_of(data + 1, size - 1));
	else if (data[0] % 2 == 0)
		as_key(bytes_of(data + 1, size - 1));
	else
		as_record(bytes_of(data + 1, size - 1));
	return 0;
}
