/* The form of a delegation: what is packed comes back, and whatever is altered or cut is refused.
 */
#include <stdlib.h>

#include "object/delegation.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } };
static const struct account account = { { { 7 } } };

static void
fill(struct delegated_bucket *b, const char *name, uint8_t rights)
{
	struct bucket_record *r = &b->record;
	struct charter *c = &r->charter;
	struct identity owner;

	strcpy(b->name, name);
	b->rights = rights;
	memset(b->writer.b, name[0], sizeof(b->writer.b));
	memset(b->grant.b, 3, sizeof(b->grant.b));
	r->state = BUCKET_LIVE;
	r->seed.salt[0] = (uint8_t)name[0];
	memset(r->seed.secret.b, 0x5a, sizeof(r->seed.secret.b));
	bucket_owner(&account, &r->seed, &owner);
	memcpy(c->salt, r->seed.salt, sizeof(c->salt));
	c->epoch = 1;
	c->rules.silent_s = SILENT_S_DEFAULT;
	c->founding.anchors_count = 3;
	c->founding.quorum = quorum_of(3);
	c->founding.writers_count = 1;
	for (uint8_t i = 0; i < 3; i++)
		c->founding.anchors[i].key.b[0] = (uint8_t)(i + 1);
	c->founding.writers[0].b[0] = 9;
	charter_sign(c, net, &owner.sign, &owner.pub);
}

static struct delegation *
made(struct buf *form)
{
	struct delegation *d = calloc(1, sizeof(*d));
	uint8_t random[ACCESS_RANDOM] = { 5 };

	strcpy(d->number, "0123");
	strcpy(d->account, "alice");
	d->expires_ms = 1000;
	access_key_draw(&d->key, random);
	d->key.grants_count = 1;
	ck_assert_int_eq(access_grant_parse("abc", ACCESS_READ, &d->key.grants[0]), ERR_OK);
	d->count = 2;
	fill(&d->buckets[0], "abc", ACCESS_READ);
	fill(&d->buckets[1], "xyz", ACCESS_READ | ACCESS_WRITE);
	for (size_t i = 0; i < d->count; i++) {
		struct identity owner;

		bucket_owner(&account, &d->buckets[i].record.seed, &owner);
		ck_assert_int_eq(delegation_sign(d, net, i, &owner), ERR_OK);
	}
	ck_assert_int_eq(delegation_pack(d, net, form), ERR_OK);
	return d;
}

START_TEST(there_and_back)
{
	struct delegation *d, *back = calloc(1, sizeof(*back));
	struct identity reader, writer;
	struct buf form;

	buf_init(&form, DELEGATION_BYTES_MAX);
	d = made(&form);
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), net, back), ERR_OK);
	ck_assert_str_eq(back->account, "alice");
	ck_assert_str_eq(back->number, "0123");
	ck_assert_uint_eq(back->expires_ms, 1000);
	ck_assert_str_eq(back->key.id, d->key.id);
	ck_assert_uint_eq(back->count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_str_eq(back->buckets[i].name, d->buckets[i].name);
		ck_assert_uint_eq(back->buckets[i].rights, d->buckets[i].rights);
		ck_assert_mem_eq(&back->buckets[i].record.seed, &d->buckets[i].record.seed,
		    sizeof(struct bucket_seed));
	}
	/* Who only reads has no key to write with. */
	delegation_writer(&back->buckets[0], &reader);
	delegation_writer(&back->buckets[1], &writer);
	for (size_t i = 0; i < sizeof(reader.pub.b); i++)
		ck_assert_uint_eq(reader.pub.b[i], 0);
	ck_assert_uint_ne(writer.pub.b[0] | writer.pub.b[1] | writer.pub.b[2], 0);
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), (struct network_id){ { 9 } }, back),
	    ERR_WRONG_NETWORK);
	delegation_wipe(d);
	ck_assert_uint_eq(d->count, 0);
	buf_fini(&form);
	free(d);
	free(back);
}
END_TEST

START_TEST(nothing_altered_is_taken)
{
	struct delegation *d, *back = calloc(1, sizeof(*back));
	struct buf form;

	buf_init(&form, DELEGATION_BYTES_MAX + 1);
	d = made(&form);
	for (size_t cut = 0; cut < form.len; cut++)
		ck_assert_int_ne(delegation_unpack(bytes_of(form.data, cut), net, back), ERR_OK);
	for (size_t at = 0; at < form.len; at++) {
		form.data[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_msg(
		    delegation_unpack(buf_bytes(&form), net, back) != ERR_OK, "byte %zu", at);
		ck_assert_uint_eq(back->count, 0);
		form.data[at] ^= (uint8_t)(1 << at % 8);
	}
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), net, back), ERR_OK);
	ck_assert_int_eq(buf_append(&form, "", 1), ERR_OK);
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), net, back), ERR_CORRUPT);
	buf_fini(&form);
	free(d);
	free(back);
}
END_TEST

START_TEST(only_the_owners_word_counts)
{
	struct delegation *d, *back = calloc(1, sizeof(*back));
	struct identity other;
	struct buf form;

	buf_init(&form, DELEGATION_BYTES_MAX);
	d = made(&form);
	buf_reset(&form);
	bucket_owner(&account, &d->buckets[1].record.seed, &other);
	ck_assert_int_eq(delegation_sign(d, net, 0, &other), ERR_OK);
	ck_assert_int_eq(delegation_pack(d, net, &form), ERR_OK);
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), net, back), ERR_AUTH);
	/* A longer time than was signed. */
	buf_reset(&form);
	free(d);
	d = made(&form);
	buf_reset(&form);
	d->expires_ms++;
	ck_assert_int_eq(delegation_pack(d, net, &form), ERR_OK);
	ck_assert_int_eq(delegation_unpack(buf_bytes(&form), net, back), ERR_AUTH);
	buf_reset(&form);
	d->count = 0;
	ck_assert_int_eq(delegation_pack(d, net, &form), ERR_INVALID);
	buf_fini(&form);
	free(d);
	free(back);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/delegation");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "form", 20, there_and_back, nothing_altered_is_taken,
	    only_the_owners_word_counts, NULL);
	return suite_main(s);
}
