/* The simulated disk's faults: crashes at any point, errors, lost syncs, flipped bits. */
#include "overlay/base/buf.h"
#include "test/unit/sim/disk_case.h"

static int
small_program(struct sim_disk *d)
{
	uint8_t byte[512] = { 5 };

	return disk_write_file(sim_disk_base(d), "/config", bytes_of(byte, sizeof(byte)));
}

START_TEST(crash_at_every_point_leaves_old_or_new)
{
	uint64_t points;
	struct sim_disk *d = new_disk(1);

	ck_assert_int_eq(small_program(d), ERR_OK);
	points = sim_disk_points(d);
	ck_assert_uint_ge(points, 4); /* create, write, sync, rename, sync_dir */
	sim_disk_free(d);
	for (uint64_t seed = 0; seed < 20; seed++) {
		for (uint64_t at = 1; at <= points; at++) {
			struct sim_disk_fault fault = { .at = at, .crash = true };
			struct buf got;
			int err;

			d = new_disk(1);
			sim_disk_arm(d, &fault);
			ck_assert_int_eq(small_program(d), ERR_IO);
			ck_assert(sim_disk_crashed(d));
			ck_assert_int_eq(disk_mkdir(sim_disk_base(d), "x"), ERR_IO);
			sim_disk_power_loss(d, seed);
			buf_init(&got, 1000);
			err = disk_read_file(sim_disk_base(d), "/config", &got);
			ck_assert(err == ERR_NOT_FOUND || (err == ERR_OK && got.len == 512));
			buf_fini(&got);
			ck_assert_int_eq(small_program(d), ERR_OK);
			sim_disk_free(d);
		}
	}
}
END_TEST

START_TEST(ignored_syncs_are_found_out)
{
	int lost = 0;

	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim_disk *d = new_disk(1);

		sim_disk_ignore_sync(d, true);
		ck_assert_int_eq(small_program(d), ERR_OK);
		sim_disk_power_loss(d, seed);
		lost += !exists(d, "/config");
		sim_disk_free(d);
	}
	ck_assert_int_gt(lost, 10);
}
END_TEST

START_TEST(errors_strike_once_or_for_ever)
{
	struct sim_disk *d = new_disk(1);
	struct file *f = open_file(d, "a", RW | FILE_CREATE);
	struct sim_disk_fault fault = { .ops = SIM_DISK_WRITE, .err = ERR_NO_SPACE };
	uint8_t data[2048] = { 0 };

	sim_disk_arm(d, &fault);
	ck_assert_int_eq(file_sync(f), ERR_OK);
	ck_assert_int_eq(file_write(f, 0, data, sizeof(data)), ERR_NO_SPACE);
	ck_assert_uint_lt(size_of(f), sizeof(data) + 1);
	ck_assert_int_eq(file_write(f, 0, data, sizeof(data)), ERR_OK);
	fault.forever = true;
	fault.at = sim_disk_points(d) + 2;
	sim_disk_arm(d, &fault);
	ck_assert_int_eq(file_write(f, 0, data, sizeof(data)), ERR_OK);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(file_write(f, 0, data, sizeof(data)), ERR_NO_SPACE);
	sim_disk_arm(d, NULL);
	ck_assert_int_eq(file_write(f, 0, data, sizeof(data)), ERR_OK);

	fault = (struct sim_disk_fault){ .ops = SIM_DISK_READ, .err = ERR_IO };
	sim_disk_arm(d, &fault);
	ck_assert_int_eq(file_read(f, 0, data, 1, &(size_t){ 0 }), ERR_IO);
	ck_assert_int_eq(byte_at(f, 0), 0);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

/* After a failed sync a second one succeeds, and still the data may be gone: as on Linux. */
START_TEST(failed_sync_forgets)
{
	int lost = 0;

	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim_disk *d = new_disk(seed);
		struct sim_disk_fault fault = { .ops = SIM_DISK_SYNC, .err = ERR_IO };
		struct file *f;

		make_durable(d, "a", 1, 512);
		f = open_file(d, "a", RW);
		put(f, 0, 2, 512);
		sim_disk_arm(d, &fault);
		ck_assert_int_eq(file_sync(f), ERR_IO);
		ck_assert_int_eq(file_sync(f), ERR_OK);
		lost += byte_at(f, 0) == 1;
		file_close(f);
		sim_disk_free(d);
	}
	ck_assert_int_gt(lost, 10);
	ck_assert_int_lt(lost, 40);
}
END_TEST

START_TEST(kill_keeps_what_was_written)
{
	struct sim_disk *d = new_disk(1);
	struct file *f, *lock;

	ck_assert_int_eq(disk_lock(sim_disk_base(d), "lock", &lock), ERR_OK);
	f = open_file(d, "a", RW | FILE_CREATE);
	put(f, 0, 6, 3000);
	sim_disk_crash(d);
	ck_assert_int_eq(file_write(f, 0, "x", 1), ERR_IO);
	sim_disk_restart(d);
	ck_assert_int_eq(file_write(f, 0, "x", 1), ERR_IO);
	file_close(f);
	file_close(lock);
	f = open_file(d, "a", RW);
	ck_assert_int_eq(byte_at(f, 0), 6);
	ck_assert_uint_eq(size_of(f), 3000);
	file_close(f);
	ck_assert_int_eq(disk_lock(sim_disk_base(d), "lock", &lock), ERR_OK);
	file_close(lock);
	sim_disk_free(d);
}
END_TEST

START_TEST(bits_flip)
{
	struct sim_disk *d = new_disk(1);
	struct file *f;

	make_durable(d, "a", 1, 512);
	ck_assert_int_eq(sim_disk_flip(d, "a", 511, 3), ERR_OK);
	ck_assert_int_eq(sim_disk_flip(d, "a", 512, 3), ERR_INVALID);
	ck_assert_int_eq(sim_disk_flip(d, "b", 0, 3), ERR_NOT_FOUND);
	sim_disk_power_loss(d, 1);
	f = open_file(d, "a", RW);
	ck_assert_int_eq(byte_at(f, 511), 1 ^ 8);
	ck_assert_int_eq(byte_at(f, 510), 1);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

START_TEST(rot_stays_until_rewritten)
{
	struct sim_disk *d = new_disk(1);
	uint8_t sector[SIM_SECTOR_BYTES] = { 0 };
	struct file *f;

	make_durable(d, "a", 1, 5000);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(sim_disk_rot(d, "a", 700, 3), ERR_OK);
	ck_assert_int_eq(sim_disk_rot(d, "a", 4200, 3), ERR_OK);
	ck_assert_int_eq(sim_disk_rot(d, "a", 5000, 3), ERR_INVALID);
	ck_assert_int_eq(sim_disk_rot(d, "b", 0, 3), ERR_NOT_FOUND);
	f = open_file(d, "a", RW);
	ck_assert_int_eq(byte_at(f, 700), 1 ^ 8);
	ck_assert_int_eq(byte_at(f, 4200), 1 ^ 8);
	ck_assert_int_eq(file_write(f, 512, sector, sizeof(sector)), ERR_OK);
	ck_assert_int_eq(byte_at(f, 700), 0);
	ck_assert_int_eq(sim_disk_rot(d, "a", 700, 3), ERR_OK);
	ck_assert_int_eq(sim_disk_rot(d, "a", 700, 3), ERR_OK);
	ck_assert_int_eq(byte_at(f, 700), 8);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

/* What disk_write_file has acknowledged is there after any loss of power, its name too. */
START_TEST(small_files_survive_whole)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct sim_disk *d = new_disk(seed);
		struct buf back;

		ck_assert_int_eq(
		    disk_write_file(sim_disk_base(d), "/key", bytes_of("first", 5)), ERR_OK);
		sim_disk_power_loss(d, seed);
		buf_init(&back, 100);
		ck_assert_int_eq(disk_read_file(sim_disk_base(d), "/key", &back), ERR_OK);
		ck_assert_uint_eq(back.len, 5);
		buf_fini(&back);
		sim_disk_free(d);
	}
}
END_TEST

START_TEST(errors_come_at_their_rate_and_cost_time)
{
	struct sim_disk *d = new_disk(5);
	struct file *f = open_file(d, "/f", FILE_READ | FILE_WRITE | FILE_CREATE);
	unsigned failed = 0;
	uint8_t byte = 0;

	(void)sim_disk_take_cost(d);
	sim_disk_error_rate(d, SIM_DISK_WRITE, 250000);
	for (int i = 0; i < 1000; i++)
		failed += file_write(f, 0, &byte, 1) == ERR_IO;
	ck_assert_uint_gt(failed, 200);
	ck_assert_uint_lt(failed, 300);
	ck_assert_int_eq(file_sync(f), ERR_OK); /* not of the kinds that fail */
	sim_disk_error_rate(d, 0, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(file_write(f, 0, &byte, 1), ERR_OK);
	ck_assert_uint_ge(sim_disk_take_cost(d), SIM_DISK_SYNC_NS);
	ck_assert_uint_eq(sim_disk_take_cost(d), 0);
	sim_disk_slow(d, 10);
	ck_assert_int_eq(file_sync(f), ERR_OK);
	ck_assert_uint_eq(sim_disk_take_cost(d), 10 * SIM_DISK_SYNC_NS);
	file_close(f);
	sim_disk_free(d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/disk faults");

	suite_add(s, "faults", 20, crash_at_every_point_leaves_old_or_new,
	    ignored_syncs_are_found_out, errors_strike_once_or_for_ever, failed_sync_forgets,
	    kill_keeps_what_was_written, bits_flip, rot_stays_until_rewritten,
	    small_files_survive_whole, errors_come_at_their_rate_and_cost_time, NULL);
	return suite_main(s);
}
