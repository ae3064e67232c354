/* What stories about the simulated disk are written with. Included once by a test program. */
#ifndef TEST_UNIT_SIM_DISK_CASE_H
#define TEST_UNIT_SIM_DISK_CASE_H

#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/disk.h"

#define RW (FILE_READ | FILE_WRITE)

static inline struct sim_disk *
new_disk(uint64_t seed)
{
	return sim_disk_new(&(struct sim_disk_opts){ .seed = seed });
}

static inline struct file *
open_file(struct sim_disk *d, const char *path, unsigned flags)
{
	struct file *f;

	ck_assert_int_eq(disk_open(sim_disk_base(d), path, flags, &f), ERR_OK);
	return f;
}

static inline void
put(struct file *f, uint64_t offset, int byte, size_t len)
{
	uint8_t *data = malloc(len);

	memset(data, byte, len);
	ck_assert_int_eq(file_write(f, offset, data, len), ERR_OK);
	free(data);
}

static inline int
byte_at(struct file *f, uint64_t offset)
{
	uint8_t b;
	size_t got;

	ck_assert_int_eq(file_read(f, offset, &b, 1, &got), ERR_OK);
	return got == 1 ? b : -1;
}

static inline uint64_t
size_of(struct file *f)
{
	uint64_t size;

	ck_assert_int_eq(file_size(f, &size), ERR_OK);
	return size;
}

static inline bool
exists(struct sim_disk *d, const char *path)
{
	struct file *f;
	int err = disk_open(sim_disk_base(d), path, FILE_READ, &f);

	if (err == ERR_OK)
		file_close(f);
	else
		ck_assert_int_eq(err, ERR_NOT_FOUND);
	return err == ERR_OK;
}

static inline void
make_durable(struct sim_disk *d, const char *path, int byte, size_t len)
{
	struct file *f = open_file(d, path, RW | FILE_CREATE);

	put(f, 0, byte, len);
	ck_assert_int_eq(file_sync(f), ERR_OK);
	file_close(f);
	ck_assert_int_eq(disk_sync_dir(sim_disk_base(d), "/"), ERR_OK);
}

#endif
