/* The account file on a simulated disk: both forms, wrong files, and power lost at every point. */
#include "object/account.h"

#include "overlay/base/buf.h"
#include "overlay/base/err.h"
#include "sim/disk.h"
#include "test/unit/suite.h"

#define PATH       "account"
#define PLAIN_LEN  57  /* 16 + 1 + 32 + 8 */
#define SEALED_LEN 105 /* 16 + 1 + 16 + 24 + 32 + 16 */

static const struct account account = { { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } } };
static const uint8_t random40[40] = { 11, 12, 13 };

/* The seed is random bytes in practice; here two accounts differ in all of them. */
static struct account
other_account(void)
{
	struct account a;

	memset(a.seed.b, 0xee, sizeof(a.seed.b));
	return a;
}

static struct sim_disk *
new_disk(void)
{
	struct sim_disk *d = sim_disk_new(&(struct sim_disk_opts){ .seed = 4 });

	ck_assert_ptr_nonnull(d);
	return d;
}

static int
save(struct sim_disk *d, const struct account *a, const char *passphrase)
{
	return account_save(sim_disk_base(d), PATH, a, passphrase, random40);
}

/* The error; an account that does not load is left untouched. */
static int
load(struct sim_disk *d, const char *passphrase)
{
	struct account back = other_account(), before = back;
	int err = account_load(sim_disk_base(d), PATH, passphrase, &back);

	if (err == ERR_OK)
		ck_assert_mem_eq(back.seed.b, account.seed.b, 32);
	else
		ck_assert_mem_eq(back.seed.b, before.seed.b, 32);
	return err;
}

static void
read_all(struct sim_disk *d, struct buf *out)
{
	buf_init(out, 4096);
	ck_assert_int_eq(disk_read_file(sim_disk_base(d), PATH, out), ERR_OK);
}

static void
write_all(struct sim_disk *d, const void *data, size_t len)
{
	ck_assert_int_eq(disk_write_file(sim_disk_base(d), PATH, bytes_of(data, len)), ERR_OK);
}

START_TEST(plain_round_trip)
{
	struct sim_disk *d = new_disk();
	struct account other = other_account();
	struct buf file;

	ck_assert_int_eq(load(d, NULL), ERR_NOT_FOUND);
	ck_assert(!account_needs_passphrase(sim_disk_base(d), PATH));
	ck_assert_int_eq(save(d, &account, NULL), ERR_OK);
	ck_assert(!account_needs_passphrase(sim_disk_base(d), PATH));
	ck_assert_int_eq(load(d, NULL), ERR_OK);
	ck_assert_int_eq(load(d, "not needed"), ERR_OK);
	read_all(d, &file);
	ck_assert_uint_eq(file.len, PLAIN_LEN);
	ck_assert_mem_eq(file.data, "skerry/account/1\0", 17);
	/* Another account is not written over the first, sealed or not. */
	ck_assert_int_eq(save(d, &other, NULL), ERR_EXISTS);
	ck_assert_int_eq(save(d, &account, "pass"), ERR_EXISTS);
	ck_assert_int_eq(load(d, NULL), ERR_OK);
	buf_wipe(&file);
	sim_disk_free(d);
}
END_TEST

START_TEST(sealed_round_trip)
{
	struct sim_disk *d = new_disk();
	struct buf file;

	ck_assert_int_eq(save(d, &account, "correct horse"), ERR_OK);
	ck_assert(account_needs_passphrase(sim_disk_base(d), PATH));
	read_all(d, &file);
	ck_assert_uint_eq(file.len, SEALED_LEN);
	for (size_t i = 0; i + 9 <= file.len; i++)
		ck_assert_mem_ne(file.data + i, account.seed.b, 9);
	ck_assert_int_eq(load(d, NULL), ERR_AUTH);
	ck_assert_int_eq(load(d, ""), ERR_AUTH);
	ck_assert_int_eq(load(d, "correct Horse"), ERR_AUTH);
	ck_assert_int_eq(load(d, "correct horse"), ERR_OK);
	buf_wipe(&file);
	sim_disk_free(d);
}
END_TEST

START_TEST(an_empty_passphrase_is_none)
{
	struct sim_disk *d = new_disk();

	ck_assert_int_eq(save(d, &account, ""), ERR_OK);
	ck_assert(!account_needs_passphrase(sim_disk_base(d), PATH));
	ck_assert_int_eq(load(d, NULL), ERR_OK);
	sim_disk_free(d);
}
END_TEST

START_TEST(plain_wrong_bytes)
{
	struct sim_disk *d = new_disk();
	struct buf file;

	ck_assert_int_eq(save(d, &account, NULL), ERR_OK);
	read_all(d, &file);
	for (size_t cut = 0; cut < file.len; cut++) {
		write_all(d, file.data, cut);
		/* What ends before the digit of the version could be of any. */
		ck_assert_int_eq(load(d, NULL), cut == 15 ? ERR_VERSION : ERR_CORRUPT);
	}
	ck_assert_int_eq(buf_append(&file, "x", 1), ERR_OK);
	write_all(d, file.data, file.len);
	ck_assert_int_eq(load(d, NULL), ERR_CORRUPT);
	file.len--;
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		int err;

		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		write_all(d, file.data, file.len);
		err = load(d, NULL);
		ck_assert_int_eq(err, bit / 8 == 15 ? ERR_VERSION : ERR_CORRUPT);
		ck_assert(!account_needs_passphrase(sim_disk_base(d), PATH) || bit == 16 * 8);
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_wipe(&file);
	sim_disk_free(d);
}
END_TEST

START_TEST(sealed_wrong_bytes)
{
	static const size_t flips[] = { 17, 33, 57, 88, 89, 104 };
	struct sim_disk *d = new_disk();
	struct buf file;

	ck_assert_int_eq(save(d, &account, "p"), ERR_OK);
	read_all(d, &file);
	for (size_t cut = 17; cut < file.len; cut++) {
		write_all(d, file.data, cut);
		ck_assert_int_eq(load(d, "p"), ERR_CORRUPT);
	}
	/* Salt, nonce, both ends of the seed and of the tag: each try costs an Argon2id. */
	for (size_t i = 0; i < ARRAY_LEN(flips); i++) {
		file.data[flips[i]] ^= 1;
		write_all(d, file.data, file.len);
		ck_assert_int_eq(load(d, "p"), ERR_AUTH);
		file.data[flips[i]] ^= 1;
	}
	/* Neither form: flags that a later version may define. */
	file.data[16] = 2;
	write_all(d, file.data, file.len);
	ck_assert_int_eq(load(d, "p"), ERR_CORRUPT);
	ck_assert(!account_needs_passphrase(sim_disk_base(d), PATH));
	buf_wipe(&file);
	sim_disk_free(d);
}
END_TEST

START_TEST(later_versions_and_other_files)
{
	struct sim_disk *d = new_disk();
	char big[5000] = "skerry/account/2";

	write_all(d, "skerry/account/2", 16);
	ck_assert_int_eq(load(d, NULL), ERR_VERSION);
	write_all(d, big, 3000);
	ck_assert_int_eq(load(d, NULL), ERR_VERSION);
	write_all(d, big, sizeof(big));
	ck_assert_int_eq(load(d, NULL), ERR_CORRUPT);
	write_all(d, "skerry/nodekey/1 and so on", 26);
	ck_assert_int_eq(load(d, NULL), ERR_CORRUPT);
	write_all(d, "", 0);
	ck_assert_int_eq(load(d, NULL), ERR_CORRUPT);
	ck_assert_int_eq(save(d, &account, NULL), ERR_EXISTS);
	sim_disk_free(d);
}
END_TEST

/* Every operation of a save once as the last before the power goes: all or nothing, never half. */
START_TEST(power_loss_at_each_point)
{
	uint64_t points = 1;
	unsigned kept = 0, lost = 0;

	for (uint64_t at = 1; at <= points; at++) {
		for (uint64_t seed = 0; seed < 20; seed++) {
			struct sim_disk *d = new_disk();
			int err;

			sim_disk_arm(d, &(struct sim_disk_fault){ .at = at, .crash = true });
			ck_assert_int_eq(save(d, &account, NULL), ERR_IO);
			sim_disk_power_loss(d, seed);
			err = load(d, NULL);
			ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
			kept += err == ERR_OK;
			lost += err != ERR_OK;
			if (err == ERR_NOT_FOUND) {
				/* What lies about does not stand in the way of the next try. */
				ck_assert_int_eq(save(d, &account, NULL), ERR_OK);
				ck_assert_int_eq(load(d, NULL), ERR_OK);
			}
			sim_disk_free(d);
		}
		if (at == 1) {
			struct sim_disk *d = new_disk();

			ck_assert_int_eq(save(d, &account, NULL), ERR_OK);
			points = sim_disk_points(d);
			/* Acknowledged is durable. */
			sim_disk_power_loss(d, 3);
			ck_assert_int_eq(load(d, NULL), ERR_OK);
			sim_disk_free(d);
		}
	}
	ck_assert_uint_ge(points, 4);
	ck_assert_uint_gt(kept, 0);
	ck_assert_uint_gt(lost, 0);
}
END_TEST

START_TEST(a_full_or_broken_disk_is_told)
{
	struct sim_disk *d = new_disk();
	uint64_t points;

	ck_assert_int_eq(save(d, &account, NULL), ERR_OK);
	points = sim_disk_points(d);
	sim_disk_free(d);
	for (uint64_t at = 1; at <= points; at++) {
		d = new_disk();
		sim_disk_arm(d, &(struct sim_disk_fault){ .at = at, .err = ERR_NO_SPACE });
		/* Tidying up is no part of the promise; all else is. */
		ck_assert_int_eq(save(d, &account, NULL), ERR_NO_SPACE);
		sim_disk_free(d);
	}
}
END_TEST

START_TEST(lease_keys_are_apart)
{
	struct account other = other_account();
	uint8_t file[3][32] = { { 0 }, { 1 }, { 0 } };
	struct sign_key k[4];
	struct pubkey pub[4];
	struct key derived;
	struct sig sig;

	file[2][31] = 1;
	for (size_t i = 0; i < 3; i++)
		account_lease_key(&account, file[i], &k[i], &pub[i]);
	account_lease_key(&other, file[0], &k[3], &pub[3]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert(!pubkey_equal(&pub[i], &pub[j]));
		crypto_sign_data(&sig, &k[i], "x", 1);
		ck_assert(crypto_verify(&sig, &pub[i], "x", 1));
	}
	/* doc/disk.md: the seed of the key is HMAC(root seed, "lease/file" ‖ 0 ‖ file id). */
	crypto_derive(&derived, &account.seed, "lease/file", file[1]);
	ck_assert_mem_eq(k[1].seed, derived.b, 32);
	account_wipe(&other);
	ck_assert_mem_eq(&other, &(struct account){ 0 }, sizeof(other));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/account");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(
	    s, "file", 60, plain_round_trip, sealed_round_trip, an_empty_passphrase_is_none, NULL);
	suite_add(s, "wrong", 120, plain_wrong_bytes, sealed_wrong_bytes,
	    later_versions_and_other_files, NULL);
	suite_add(s, "faults", 60, power_loss_at_each_point, a_full_or_broken_disk_is_told, NULL);
	suite_add(s, "keys", 0, lease_keys_are_apart, NULL);
	return suite_main(s);
}
