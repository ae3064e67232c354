/*
 * A file system: the real one (disk_real.c) or one in memory that can lose
 * what was not synced (sim/disk.c). All calls block, so they belong inside
 * WORK_DISK work (or before the loop starts); they are thread-safe, except
 * that one file must not be closed while another thread uses it. Paths are
 * plain; relative ones start at the process's working directory.
 */
#ifndef OVERLAY_BASE_DISK_H
#define OVERLAY_BASE_DISK_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

/* O_DIRECT alignment of buffers, offsets and lengths. */
#define DISK_ALIGN 4096

enum file_flags {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_CREATE = 4,    /* mode 0600 */
	FILE_EXCLUSIVE = 8, /* with FILE_CREATE: ERR_EXISTS */
	FILE_TRUNCATE = 16,
	FILE_DIRECT = 32, /* a wish: ignored where the file system cannot; see file_is_direct */
};

struct disk_ops;
struct disk {
	const struct disk_ops *ops;
};

struct file { /* every implementation's file starts with this */
	const struct disk_ops *ops;
};

struct disk_space {
	uint64_t total_bytes;
	uint64_t free_bytes; /* for this user */
};

int disk_open(struct disk *d, const char *path, unsigned flags, struct file **out);
void file_close(struct file *f);
bool file_is_direct(const struct file *f);
/* Reads until len or the end of file; *got tells. */
int file_read(struct file *f, uint64_t offset, void *dst, size_t len, size_t *got);
/* Writes all or fails; what a failed write leaves is undefined. */
int file_write(struct file *f, uint64_t offset, const void *src, size_t len);
/* fdatasync. After a failure the file's unsynced writes must be taken for lost. */
int file_sync(struct file *f);
int file_size(struct file *f, uint64_t *out);
int file_truncate(struct file *f, uint64_t size);
/* Reserves blocks for [0, size) and grows the size to it, never shrinks; ERR_NO_SPACE. */
int file_allocate(struct file *f, uint64_t size);

int disk_mkdir(struct disk *d, const char *path); /* mode 0700; ERR_EXISTS */
int disk_unlink(struct disk *d, const char *path);
int disk_rename(struct disk *d, const char *from, const char *to);
int disk_sync_dir(
    struct disk *d, const char *path); /* makes creates, renames and unlinks inside durable */
/* Calls each name once, in no order; a non-zero answer stops and is returned. */
int disk_list(
    struct disk *d, const char *path, int (*each)(void *arg, const char *name), void *arg);
int disk_space(struct disk *d, const char *path, struct disk_space *out);
/* Creates and locks a file until file_close; ERR_BUSY when another opening holds it. */
int disk_lock(struct disk *d, const char *path, struct file **out);

struct disk_ops {
	int (*open)(struct disk *d, const char *path, unsigned flags, struct file **out);
	void (*close)(struct file *f);
	bool (*is_direct)(const struct file *f);
	int (*read)(struct file *f, uint64_t offset, void *dst, size_t len, size_t *got);
	int (*write)(struct file *f, uint64_t offset, const void *src, size_t len);
	int (*sync)(struct file *f);
	int (*size)(struct file *f, uint64_t *out);
	int (*truncate)(struct file *f, uint64_t size);
	int (*allocate)(struct file *f, uint64_t size);
	int (*mkdir)(struct disk *d, const char *path);
	int (*unlink)(struct disk *d, const char *path);
	int (*rename)(struct disk *d, const char *from, const char *to);
	int (*sync_dir)(struct disk *d, const char *path);
	int (*list)(
	    struct disk *d, const char *path, int (*each)(void *arg, const char *name), void *arg);
	int (*space)(struct disk *d, const char *path, struct disk_space *out);
	int (*lock)(struct disk *d, const char *path, struct file **out);
};

/* The real file system; a static object, nothing to free. */
struct disk *disk_real(void);

/*
 * Small whole files (keys, tables): write_file is atomic (temporary name, sync,
 * rename, sync of the directory), but has one writer per path at a time; read_file appends,
 * and refuses more than out->max with ERR_TOO_BIG. replace_file does without the syncs, for what
 * may be lost: after a crash of the machine there may be anything.
 */
struct buf;
int disk_write_file(struct disk *d, const char *path, struct bytes data);
int disk_replace_file(struct disk *d, const char *path, struct bytes data);
int disk_read_file(struct disk *d, const char *path, struct buf *out);

#endif
