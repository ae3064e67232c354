/* Identities: ids, proof of work, the search, and the key file on a real directory. */
#include "test/unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay/base/buf.h"
#include "overlay/base/disk.h"
#include "overlay/base/err.h"
#include "overlay/identity.h"

/* Seeds 0, 1, 2 …: a search that replays. */
static void
count_up(void *arg, void *out, size_t len)
{
	uint64_t *n = arg;

	memset(out, 0, len);
	memcpy(out, n, sizeof(*n));
	(*n)++;
}

START_TEST(everything_follows_from_the_seed)
{
	/* RFC 8032 §7.1, test 1 */
	struct identity who, again;
	struct key seed;
	struct hash h;
	struct id id;
	uint8_t point[32], pub[32];

	ck_assert_int_eq(hex_decode(seed.b, 32,
			     "9d61b19deffd5a60ba844af492ec2cc4"
			     "4449c5697b326919703bac031cae7f60",
			     64),
	    ERR_OK);
	ck_assert_int_eq(
	    hex_decode(
		pub, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", 64),
	    ERR_OK);
	identity_from_seed(&seed, &who);
	ck_assert_mem_eq(who.pub.b, pub, 32);
	crypto_sha256(&h, pub, 32);
	ck_assert_mem_eq(who.id.b, h.b, 32);
	id_of_pubkey(&who.pub, &id);
	ck_assert(id_equal(&id, &who.id));
	ck_assert_int_eq(crypto_pubkey_to_x25519(point, &who.pub), ERR_OK);
	ck_assert_mem_eq(point, who.x25519_public, 32);
	identity_from_seed(&seed, &again);
	ck_assert_mem_eq(&who, &again, sizeof(who));
	identity_wipe(&who);
	memset(&again, 0, sizeof(again));
	ck_assert_mem_eq(&who, &again, sizeof(who));
}
END_TEST

START_TEST(networks_have_names)
{
	struct network_id a, b;
	struct hash h;

	network_id_of_name("testnet", &a);
	crypto_sha256(&h, "skerry/network/1testnet", 23);
	ck_assert_mem_eq(a.b, h.b, sizeof(a.b));
	network_id_of_name("testnet2", &b);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
	network_id_of_name("", &b);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
}
END_TEST

/* Leading zero bits, counted one by one. */
static unsigned
work_of(const struct id *id)
{
	struct hash h;
	unsigned bits = 0;

	crypto_sha256(&h, id->b, sizeof(id->b));
	while (bits < 256 && (h.b[bits / 8] >> (7 - bits % 8) & 1) == 0)
		bits++;
	return bits;
}

START_TEST(proof_of_work_against_counting)
{
	uint64_t n = 0;
	unsigned most = 0;

	for (int i = 0; i < 5000; i++) {
		struct id id = { { 0 } };
		unsigned work;

		memcpy(id.b, &i, sizeof(i));
		work = work_of(&id);
		most = MAX(most, work);
		for (unsigned bits = 0; bits <= 20; bits++)
			ck_assert(identity_pow_ok(&id, (uint8_t)bits) == (work >= bits));
		ck_assert(!identity_pow_ok(&id, 255));
	}
	ck_assert_uint_gt(most, 8); /* so a whole byte of zeros was among them */

	const struct identity_random random = { .fill = count_up, .arg = &n };
	struct identity found, untouched = { .pub = { { 7 } } };

	ck_assert_int_eq(identity_search(&random, 6, 10000, &found), ERR_OK);
	ck_assert_uint_ge(work_of(&found.id), 6);
	/* Every seed before it was looked at and had too little. */
	for (uint64_t i = 0; i + 1 < n; i++) {
		struct identity other;
		struct key seed = { { 0 } };

		memcpy(seed.b, &i, sizeof(i));
		identity_from_seed(&seed, &other);
		ck_assert_uint_lt(work_of(&other.id), 6);
	}
	ck_assert_int_eq(identity_search(&random, 32, 3, &untouched), ERR_NOT_FOUND);
	ck_assert_int_eq(identity_search(&random, 0, 0, &untouched), ERR_NOT_FOUND);
	ck_assert_uint_eq(untouched.pub.b[0], 7);
	ck_assert_int_eq(identity_search(&random, 0, 1, &untouched), ERR_OK);
}
END_TEST

/* ---- the file ---- */

struct place {
	struct disk *disk;
	char dir[64];
	char file[96];
	struct identity who;
};

static void
place_init(struct place *p)
{
	struct key seed = { { 1, 2, 3 } };

	p->disk = disk_real();
	snprintf(p->dir, sizeof(p->dir), "/tmp/skerry-identity-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	snprintf(p->file, sizeof(p->file), "%s/%s", p->dir, IDENTITY_FILE);
	identity_from_seed(&seed, &p->who);
}

static void
place_fini(struct place *p)
{
	ck_assert_int_eq(unlink(p->file), 0);
	ck_assert_int_eq(rmdir(p->dir), 0); /* nothing else was left behind */
}

START_TEST(the_file_is_kept_and_never_overwritten)
{
	struct place p;
	struct identity back, other;
	struct key seed = { { 9 } };
	struct stat st;

	place_init(&p);
	ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_NOT_FOUND);
	ck_assert_int_eq(identity_create(p.disk, p.dir, &p.who), ERR_OK);
	ck_assert_int_eq(stat(p.file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_OK);
	ck_assert_mem_eq(&back, &p.who, sizeof(back));

	identity_from_seed(&seed, &other);
	ck_assert_int_eq(identity_create(p.disk, p.dir, &other), ERR_EXISTS);
	ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_OK);
	ck_assert_mem_eq(&back, &p.who, sizeof(back));
	ck_assert_int_ne(identity_create(p.disk, "/nonexistent/place", &other), ERR_OK);
	place_fini(&p);
}
END_TEST

START_TEST(a_damaged_file_is_refused)
{
	struct place p;
	struct buf b, big;
	struct identity back = { .pub = { { 7 } } };

	place_init(&p);
	buf_init(&b, 4096);
	ck_assert_int_eq(identity_create(p.disk, p.dir, &p.who), ERR_OK);
	ck_assert_int_eq(disk_read_file(p.disk, p.file, &b), ERR_OK);
	ck_assert_uint_eq(b.len, 80);
	for (size_t at = 0; at < b.len; at++) {
		b.data[at] ^= 0x01;
		ck_assert_int_eq(disk_write_file(p.disk, p.file, buf_bytes(&b)), ERR_OK);
		ck_assert_int_eq(
		    identity_load(p.disk, p.dir, &back), at == 15 ? ERR_VERSION : ERR_CORRUPT);
		b.data[at] ^= 0x01;
	}
	for (size_t len = 0; len < b.len; len += 13) {
		ck_assert_int_eq(disk_write_file(p.disk, p.file, bytes_of(b.data, len)), ERR_OK);
		ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_CORRUPT);
	}
	ck_assert_int_eq(buf_append(&b, "x", 1), ERR_OK);
	ck_assert_int_eq(disk_write_file(p.disk, p.file, buf_bytes(&b)), ERR_OK);
	ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_CORRUPT);
	buf_init(&big, 5000);
	ck_assert_int_eq(buf_reserve(&big, 5000), ERR_OK);
	memset(big.data, 'x', 5000);
	big.len = 5000;
	ck_assert_int_eq(disk_write_file(p.disk, p.file, buf_bytes(&big)), ERR_OK);
	ck_assert_int_eq(identity_load(p.disk, p.dir, &back), ERR_CORRUPT);
	ck_assert_uint_eq(back.pub.b[0], 7);
	buf_fini(&big);
	buf_fini(&b);
	place_fini(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/identity");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "identity", 60, everything_follows_from_the_seed, networks_have_names,
	    proof_of_work_against_counting, NULL);
	suite_add(
	    s, "file", 60, the_file_is_kept_and_never_overwritten, a_damaged_file_is_refused, NULL);
	return suite_main(s);
}
