/* Names as S3 wants them, keys of buckets, and what the account keeps of one. */
#include "object/bucket_record.h"
#include "object/record_memory.h"

#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } };
static const struct account account = { { { 1, 2, 3 } } };

START_TEST(names)
{
	static const char *const good[] = { "abc", "a-b", "a.b", "1.2.3", "1.2.3.4.5", "a1.2.3.4",
		"0ab", "a--b", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg" };
	static const char *const bad[] = { "", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "ab.",
		"a..b", "a.-b", "a-.b", "1.2.3.4", "192.168.5.4", "a b", "a/b", "xn--abc",
		"sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap",
		"abc--x-s3", "abc--table-s3", "caf\xc3\xa9",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(bucket_name_valid(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!bucket_name_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
	ck_assert(!bucket_name_valid("ab\0c", 4));
}
END_TEST

/* Every key of two accounts' and two buckets' is another one, and the same when derived again. */
START_TEST(keys_differ)
{
	struct account other = { { { 9 } } };
	struct bucket_seed a, b, again, made = { .salt = { 7 } };
	struct identity ids[8], same;
	struct hash bucket = { { 3 } }, bucket2 = { { 4 } };

	bucket_seed_of_account(&account, &a);
	bucket_seed_of_account(&other, &b);
	bucket_seed_of_account(&account, &again);
	ck_assert_mem_eq(&a, &again, sizeof(a));
	ck_assert_mem_ne(a.salt, b.salt, sizeof(a.salt));
	ck_assert_mem_ne(a.secret.b, b.secret.b, sizeof(a.secret.b));
	bucket_owner(&account, &a, &ids[0]);
	bucket_owner(&account, &made, &ids[1]);
	bucket_owner(&other, &made, &ids[2]);
	bucket_writer(&account, &bucket, &ids[3]);
	bucket_writer(&account, &bucket2, &ids[4]);
	bucket_writer(&other, &bucket, &ids[5]);
	bucket_finder(&a, &ids[6]);
	bucket_finder(&b, &ids[7]);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert(!pubkey_equal(&ids[i].pub, &ids[j].pub));
	}
	bucket_writer(&account, &bucket, &same);
	ck_assert(pubkey_equal(&same.pub, &ids[3].pub));
}
END_TEST

START_TEST(numbers_of_accounts)
{
	struct account other = { { { 9 } } };
	char a[ACCOUNT_NUMBER_TEXT], b[ACCOUNT_NUMBER_TEXT];

	account_number(&account, a);
	account_number(&other, b);
	ck_assert_uint_eq(strlen(a), 64);
	ck_assert_str_ne(a, b);
}
END_TEST

static struct bucket_record
made(void)
{
	struct bucket_record r = { .state = BUCKET_LIVE, .created_ms = 1234, .seed.salt = { 5 } };
	struct charter *c = &r.charter;
	struct identity owner;

	memset(r.seed.secret.b, 0x5a, sizeof(r.seed.secret.b));
	ck_assert_int_eq(bucket_location_parse("eu,spread:2", &r.location), ERR_OK);
	bucket_owner(&account, &r.seed, &owner);
	memcpy(c->salt, r.seed.salt, sizeof(c->salt));
	c->epoch = 1;
	c->rules.silent_s = SILENT_S_DEFAULT;
	c->founding.anchors_count = 3;
	c->founding.quorum = quorum_of(3);
	c->founding.writers_count = 1;
	for (uint8_t i = 0; i < 3; i++) {
		c->founding.anchors[i].key.b[0] = (uint8_t)(i + 1);
		c->founding.anchors[i].incarnation = i;
	}
	c->founding.writers[0].b[0] = 9;
	charter_sign(c, net, &owner.sign, &owner.pub);
	return r;
}

START_TEST(kept_form)
{
	struct bucket_record r = made(), back;
	uint8_t form[BUCKET_RECORD_BYTES_MAX + 1] = { 0 };
	size_t len = bucket_record_pack(&r, net, form);

	memset(&back, 0x5a, sizeof(back));
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(bucket_record_unpack(bytes_of(form, cut), net, &back), ERR_OK);
	ck_assert_int_ne(bucket_record_unpack(bytes_of(form, len + 1), net, &back), ERR_OK);
	ck_assert_uint_eq(back.state, 0x5a);
	ck_assert_int_eq(bucket_record_unpack(bytes_of(form, len), net, &back), ERR_OK);
	ck_assert_uint_eq(back.created_ms, 1234);
	ck_assert_str_eq(back.location.text, "eu,spread:2");
	ck_assert_mem_eq(&back.seed, &r.seed, sizeof(r.seed));
	ck_assert(hash_equal(&back.charter.bucket, &r.charter.bucket));
	/* A charter of another bucket does not belong to it. */
	r.seed.salt[0]++;
	len = bucket_record_pack(&r, net, form);
	ck_assert_int_eq(bucket_record_unpack(bytes_of(form, len), net, &back), ERR_CORRUPT);
	form[strlen("skerry/bucket/")] = '2';
	ck_assert_int_eq(bucket_record_unpack(bytes_of(form, len), net, &back), ERR_VERSION);
	bucket_record_wipe(&r);
	ck_assert_uint_eq(r.created_ms, 0);
}
END_TEST

/* What is remembered is what was read, and nothing else passes for it. */
START_TEST(read_before)
{
	struct record_memory m = { NULL };
	struct bucket_record r = made(), back;
	uint8_t form[BUCKET_RECORD_BYTES_MAX];
	size_t len = bucket_record_pack(&r, net, form);

	form[len - 1] ^= 1; /* of the signature */
	ck_assert_int_eq(record_memory_unpack(&m, bytes_of(form, len), net, &back), ERR_AUTH);
	ck_assert_int_eq(record_memory_unpack(&m, bytes_of(form, len), net, &back), ERR_AUTH);
	form[len - 1] ^= 1;
	/* More than there are slots, each twice; the first one again at the end. */
	for (uint64_t i = 0; i <= 2 * RECORD_MEMORY_SLOTS; i++) {
		r.created_ms = 1000 + i % (RECORD_MEMORY_SLOTS + 1);
		len = bucket_record_pack(&r, net, form);
		for (int again = 0; again < 2; again++) {
			memset(&back, 0x5a, sizeof(back));
			ck_assert_int_eq(
			    record_memory_unpack(&m, bytes_of(form, len), net, &back), ERR_OK);
			ck_assert_uint_eq(back.created_ms, r.created_ms);
			ck_assert_str_eq(back.location.text, "eu,spread:2");
			ck_assert_mem_eq(&back.seed, &r.seed, sizeof(r.seed));
			ck_assert(hash_equal(&back.charter.id, &r.charter.id));
		}
		/* Known but for one bit, or one byte. */
		form[len - 1] ^= 1;
		ck_assert_int_eq(
		    record_memory_unpack(&m, bytes_of(form, len), net, &back), ERR_AUTH);
		ck_assert_int_ne(
		    record_memory_unpack(&m, bytes_of(form, len - 1), net, &back), ERR_OK);
	}
	record_memory_wipe(&m);
	ck_assert_ptr_null(m.slots);
	record_memory_wipe(&m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/bucket_record");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "names", 0, names, NULL);
	suite_add(s, "keys", 0, keys_differ, numbers_of_accounts, NULL);
	suite_add(s, "kept", 0, kept_form, read_before, NULL);
	return suite_main(s);
}
