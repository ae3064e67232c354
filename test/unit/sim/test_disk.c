/* The simulated disk: a file system like any other, until the power goes. */
#include "overlay/base/buf.h"
#include "sim/random.h"
#include "test/unit/sim/disk_case.h"

/* ---- an ordinary file system ---- */

START_TEST(reads_what_was_written)
{
	struct sim_disk *d = new_disk(1);
	struct file *f = open_file(d, "a", RW | FILE_CREATE);
	uint8_t data[10000], back[10000];
	size_t got;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(file_write(f, 4000, data, sizeof(data)), ERR_OK);
	ck_assert_uint_eq(size_of(f), 14000);
	ck_assert_int_eq(file_read(f, 4000, back, sizeof(back), &got), ERR_OK);
	ck_assert_uint_eq(got, sizeof(back));
	ck_assert_mem_eq(data, back, sizeof(data));
	ck_assert_int_eq(byte_at(f, 3999), 0);
	ck_assert_int_eq(byte_at(f, 14000), -1);
	ck_assert_int_eq(file_read(f, 13990, back, sizeof(back), &got), ERR_OK);
	ck_assert_uint_eq(got, 10);

	ck_assert_int_eq(file_truncate(f, 5000), ERR_OK);
	ck_assert_int_eq(file_truncate(f, 9000), ERR_OK);
	ck_assert_int_eq(byte_at(f, 4999), data[999]);
	ck_assert_int_eq(byte_at(f, 5000), 0);
	ck_assert_int_eq(byte_at(f, 8999), 0);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

static int
count_name(void *arg, const char *name)
{
	char *all = arg;

	strcat(all, name);
	strcat(all, " ");
	return ERR_OK;
}

START_TEST(names_behave)
{
	struct sim_disk *d = new_disk(1);
	struct disk *b = sim_disk_base(d);
	char all[100] = "";
	struct file *f, *g;

	ck_assert_int_eq(disk_mkdir(b, "/x"), ERR_OK);
	ck_assert_int_eq(disk_mkdir(b, "x/"), ERR_EXISTS);
	ck_assert_int_eq(disk_mkdir(b, "/nowhere/y"), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_open(b, "/x/f", RW, &f), ERR_NOT_FOUND);
	file_close(open_file(d, "/x/f", RW | FILE_CREATE | FILE_EXCLUSIVE));
	ck_assert_int_eq(disk_open(b, "./x//f", RW | FILE_CREATE | FILE_EXCLUSIVE, &f), ERR_EXISTS);
	ck_assert_int_eq(disk_open(b, "/x", RW, &f), ERR_INVALID);
	ck_assert_int_eq(disk_open(b, "/x/../x/f", RW, &f), ERR_INVALID);
	file_close(open_file(d, "/x/g", RW | FILE_CREATE));
	ck_assert_int_eq(disk_list(b, "/x", count_name, all), ERR_OK);
	ck_assert_str_eq(all, "f g ");
	ck_assert_int_eq(disk_rename(b, "/x/f", "/x/g"), ERR_OK);
	ck_assert_int_eq(disk_rename(b, "/x/f", "/x/g"), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(b, "/x/g"), ERR_OK);
	ck_assert_int_eq(disk_unlink(b, "/x/g"), ERR_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(b, "/x"), ERR_INVALID);

	ck_assert_int_eq(disk_lock(b, "/x/lock", &f), ERR_OK);
	ck_assert_int_eq(disk_lock(b, "/x/lock", &g), ERR_BUSY);
	file_close(f);
	ck_assert_int_eq(disk_lock(b, "/x/lock", &g), ERR_OK);
	file_close(g);
	sim_disk_free(d);
}
END_TEST

START_TEST(space_is_counted)
{
	struct sim_disk *d =
	    sim_disk_new(&(struct sim_disk_opts){ .seed = 1, .capacity_bytes = MIB(1) });
	struct disk *b = sim_disk_base(d);
	struct file *f = open_file(d, "a", RW | FILE_CREATE);
	struct file *g = open_file(d, "b", RW | FILE_CREATE);
	struct disk_space space;
	uint8_t page[4096] = { 1 };

	ck_assert_int_eq(file_allocate(f, MIB(1)), ERR_OK);
	ck_assert_uint_eq(size_of(f), MIB(1));
	ck_assert_int_eq(file_write(g, 0, page, sizeof(page)), ERR_NO_SPACE);
	put(f, 0, 7, MIB(1)); /* paid for */
	ck_assert_int_eq(disk_space(b, "/", &space), ERR_OK);
	ck_assert_uint_eq(space.free_bytes, 0);
	ck_assert_uint_eq(space.total_bytes, MIB(1));

	/* The space of an unlinked file comes back when it is closed. */
	ck_assert_int_eq(disk_unlink(b, "a"), ERR_OK);
	ck_assert_int_eq(file_write(g, 0, page, sizeof(page)), ERR_NO_SPACE);
	file_close(f);
	ck_assert_int_eq(file_write(g, 0, page, sizeof(page)), ERR_OK);
	ck_assert_int_eq(file_allocate(g, MIB(2)), ERR_NO_SPACE);
	ck_assert_int_eq(file_truncate(g, 0), ERR_OK);
	ck_assert_int_eq(disk_space(b, "/", &space), ERR_OK);
	ck_assert_uint_eq(space.free_bytes, MIB(1));
	file_close(g);
	sim_disk_free(d);
}
END_TEST

START_TEST(direct_io_must_be_aligned)
{
	struct sim_disk *d = new_disk(1);
	struct file *f = open_file(d, "a", RW | FILE_CREATE | FILE_DIRECT);
	uint8_t *data = aligned_alloc(DISK_ALIGN, 2 * DISK_ALIGN);
	size_t got;

	memset(data, 3, 2 * DISK_ALIGN);
	ck_assert(file_is_direct(f));
	ck_assert_int_eq(file_write(f, 0, data, 2 * DISK_ALIGN), ERR_OK);
	ck_assert_int_eq(file_write(f, 512, data, DISK_ALIGN), ERR_INVALID);
	ck_assert_int_eq(file_write(f, 0, data + 1, DISK_ALIGN), ERR_INVALID);
	ck_assert_int_eq(file_read(f, 0, data, 100, &got), ERR_INVALID);
	free(data);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

/* Random writes, cuts and reservations against one flat array. */
enum { FLAT_MAX = 40000, FLAT_PAGE = 4096 };

struct flat {
	uint8_t bytes[FLAT_MAX];
	uint64_t size;
};

static void
flat_step(struct flat *flat, struct file *f, struct sim_random *r, int byte)
{
	uint64_t at = sim_random_below(r, FLAT_MAX);
	uint64_t len = 1 + sim_random_below(r, FLAT_MAX - at);

	switch (sim_random_below(r, 8)) {
	case 0:
		ck_assert_int_eq(file_truncate(f, at), ERR_OK);
		memset(flat->bytes + at, 0, FLAT_MAX - at);
		flat->size = at;
		break;
	case 1:
		ck_assert_int_eq(file_allocate(f, at), ERR_OK);
		flat->size = MAX(flat->size, at);
		break;
	case 2:
		ck_assert_int_eq(file_sync(f), ERR_OK);
		break;
	default:
		/* Some within a page; some of zeros, of which a page keeps only those before
		 * others. */
		if (sim_random_below(r, 2) == 0)
			len = MIN(len, (uint64_t)FLAT_PAGE / 4);
		if (sim_random_below(r, 3) == 0)
			byte = 0;
		put(f, at, byte, len);
		memset(flat->bytes + at, byte, len);
		flat->size = MAX(flat->size, at + len);
	}
}

START_TEST(agrees_with_a_flat_array)
{
	struct sim_disk *d = new_disk(_i);
	struct disk *b = sim_disk_base(d);
	struct file *f = open_file(d, "a", RW | FILE_CREATE);
	struct flat flat = { .size = 0 };
	uint8_t got[FLAT_MAX];
	struct disk_space space;
	struct sim_random r;
	size_t n;

	sim_random_init(&r, (uint64_t)_i, 3);
	for (int step = 0; step < 400; step++) {
		flat_step(&flat, f, &r, step);
		ck_assert_uint_eq(size_of(f), flat.size);
		ck_assert_int_eq(file_read(f, 0, got, FLAT_MAX, &n), ERR_OK);
		ck_assert_uint_eq(n, flat.size);
		ck_assert(memcmp(got, flat.bytes, n) == 0);
		ck_assert_int_eq(disk_space(b, "/", &space), ERR_OK);
		ck_assert_uint_le(
		    space.total_bytes - space.free_bytes, (FLAT_MAX / FLAT_PAGE + 1) * FLAT_PAGE);
	}
	ck_assert_int_eq(disk_unlink(b, "a"), ERR_OK);
	file_close(f);
	ck_assert_int_eq(disk_space(b, "/", &space), ERR_OK);
	ck_assert_uint_eq(space.free_bytes, space.total_bytes);
	sim_disk_free(d);
}
END_TEST

/* ---- power loss ---- */

START_TEST(synced_survives_every_seed)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim_disk *d = new_disk(seed);
		struct file *f;

		make_durable(d, "kept", 1, 5000);
		f = open_file(d, "kept", RW);
		put(f, 5000, 2, 5000);
		ck_assert_int_eq(file_sync(f), ERR_OK);
		put(f, 10240, 3, 5000); /* behind, unsynced */
		ck_assert_uint_gt(sim_disk_unsynced(d), 0);
		sim_disk_power_loss(d, seed);
		ck_assert_uint_eq(sim_disk_unsynced(d), 0);
		ck_assert_int_eq(file_sync(f), ERR_IO); /* of the past */
		file_close(f);

		f = open_file(d, "kept", RW);
		ck_assert_uint_ge(size_of(f), 10000);
		for (uint64_t at = 0; at < 10000; at += 100)
			ck_assert_int_eq(byte_at(f, at), at < 5000 ? 1 : 2);
		file_close(f);
		sim_disk_free(d);
	}
}
END_TEST

/* Over many seeds every outcome is seen: old, new, torn; never anything else. */
START_TEST(unsynced_overwrite_tears_by_sector)
{
	int olds = 0, news = 0, torn = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim_disk *d = new_disk(0);
		int ones = 0, twos = 0;
		struct file *f;

		make_durable(d, "a", 1, 4096);
		f = open_file(d, "a", RW);
		put(f, 0, 2, 4096);
		sim_disk_power_loss(d, seed);
		file_close(f);
		f = open_file(d, "a", RW);
		ck_assert_uint_eq(size_of(f), 4096);
		for (uint64_t at = 0; at < 4096; at += SIM_SECTOR_BYTES) {
			int first = byte_at(f, at);

			ck_assert_int_eq(byte_at(f, at + SIM_SECTOR_BYTES - 1), first);
			ones += first == 1;
			twos += first == 2;
		}
		ck_assert_int_eq(ones + twos, 8);
		olds += twos == 0;
		news += ones == 0;
		torn += ones != 0 && twos != 0;
		file_close(f);
		sim_disk_free(d);
	}
	ck_assert_int_gt(olds, 20);
	ck_assert_int_gt(news, 20);
	ck_assert_int_gt(torn, 20);
}
END_TEST

START_TEST(truncation_is_whole_or_not_at_all)
{
	int before = 0, after = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim_disk *d = new_disk(0);
		struct file *f;

		make_durable(d, "a", 1, 20000);
		f = open_file(d, "a", RW);
		ck_assert_int_eq(file_truncate(f, 5000), ERR_OK);
		sim_disk_power_loss(d, seed);
		file_close(f);
		f = open_file(d, "a", RW);
		before += size_of(f) == 20000;
		after += size_of(f) == 5000;
		for (uint64_t at = 0; at < size_of(f); at += 500)
			ck_assert_int_eq(byte_at(f, at), 1);
		file_close(f);
		sim_disk_free(d);
	}
	ck_assert_int_eq(before + after, 100);
	ck_assert_int_gt(before, 10);
	ck_assert_int_gt(after, 10);
}
END_TEST

START_TEST(names_need_sync_dir)
{
	int lost = 0, kept = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim_disk *d = new_disk(0);
		struct file *f = open_file(d, "new", RW | FILE_CREATE);

		put(f, 0, 1, 100);
		ck_assert_int_eq(file_sync(f), ERR_OK); /* the bytes, not the name */
		file_close(f);
		sim_disk_power_loss(d, seed);
		if (exists(d, "new")) {
			kept++;
			f = open_file(d, "new", FILE_READ);
			ck_assert_int_eq(byte_at(f, 99), 1);
			file_close(f);
		} else {
			lost++;
		}
		sim_disk_free(d);
	}
	ck_assert_int_gt(lost, 20);
	ck_assert_int_gt(kept, 20);
}
END_TEST

START_TEST(rename_is_atomic)
{
	int olds = 0, news = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim_disk *d = new_disk(0);
		struct disk *b = sim_disk_base(d);
		struct file *f;
		int got;

		make_durable(d, "table", 1, 600);
		f = open_file(d, "table.tmp", RW | FILE_CREATE);
		put(f, 0, 2, 600);
		ck_assert_int_eq(file_sync(f), ERR_OK);
		file_close(f);
		ck_assert_int_eq(disk_rename(b, "table.tmp", "table"), ERR_OK);
		if (seed % 2 == 0)
			ck_assert_int_eq(disk_sync_dir(b, "."), ERR_OK);
		sim_disk_power_loss(d, seed);
		f = open_file(d, "table", FILE_READ);
		got = byte_at(f, 599);
		file_close(f);
		ck_assert(got == 2 || (got == 1 && seed % 2 == 1));
		olds += got == 1;
		news += got == 2;
		if (got == 2)
			ck_assert(!exists(d, "table.tmp"));
		sim_disk_free(d);
	}
	ck_assert_int_gt(olds, 10);
	ck_assert_int_gt(news, 60);
}
END_TEST

START_TEST(moved_file_keeps_one_name)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim_disk *d = new_disk(0);
		struct disk *b = sim_disk_base(d);

		make_durable(d, "a", 1, 10);
		ck_assert_int_eq(disk_rename(b, "a", "b"), ERR_OK);
		ck_assert_int_eq(disk_rename(b, "b", "c"), ERR_OK);
		sim_disk_power_loss(d, seed);
		ck_assert_int_eq(exists(d, "a") + exists(d, "b") + exists(d, "c"), 1);
		sim_disk_free(d);
	}
}
END_TEST

/* A random program against the one promise: what was synced is there, or its later version. */
START_TEST(random_programs_lose_nothing_synced)
{
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct sim_disk *d = new_disk(seed);
		struct sim_random r;
		int synced[64] = { 0 }, last[64] = { 0 };
		bool written[64][256] = { { false } };
		struct file *f;

		sim_random_init(&r, seed, 9);
		f = open_file(d, "a", RW | FILE_CREATE);
		put(f, 0, 0, 64 * 512);
		ck_assert_int_eq(file_sync(f), ERR_OK);
		ck_assert_int_eq(disk_sync_dir(sim_disk_base(d), "/"), ERR_OK);
		for (int step = 1; step < 200; step++) {
			size_t first = sim_random_below(&r, 64);
			size_t count = 1 + sim_random_below(&r, 64 - first);

			if (sim_random_below(&r, 10) == 0) {
				ck_assert_int_eq(file_sync(f), ERR_OK);
				memcpy(synced, last, sizeof(synced));
				memset(written, 0, sizeof(written));
				continue;
			}
			put(f, first * 512, step, count * 512);
			for (size_t i = first; i < first + count; i++) {
				last[i] = step;
				written[i][step] = true;
			}
		}
		sim_disk_power_loss(d, seed);
		file_close(f);
		f = open_file(d, "a", FILE_READ);
		for (size_t i = 0; i < 64; i++) {
			int got = byte_at(f, i * 512 + seed % 512);

			ck_assert(got >= 0);
			ck_assert(got == synced[i] || written[i][got]);
		}
		file_close(f);
		sim_disk_free(d);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/disk");
	TCase *flat = tcase_create("flat");

	suite_add(s, "ordinary", 0, reads_what_was_written, names_behave, space_is_counted,
	    direct_io_must_be_aligned, NULL);
	tcase_add_loop_test(flat, agrees_with_a_flat_array, 0, 20);
	suite_add_tcase(s, flat);
	suite_add(s, "power loss", 20, synced_survives_every_seed,
	    unsynced_overwrite_tears_by_sector, truncation_is_whole_or_not_at_all,
	    names_need_sync_dir, rename_is_atomic, moved_file_keeps_one_name,
	    random_programs_lose_nothing_synced, NULL);
	return suite_main(s);
}
