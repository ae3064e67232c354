/*
 * A file system in memory that loses what was not synced. What a program sees
 * and what survives a power loss are kept apart:
 *
 *	file_sync	makes the file's bytes and size survive
 *	disk_sync_dir	makes names created, renamed and unlinked inside survive
 *
 * Of everything else a power loss keeps a subset chosen by seed: of each write any
 * of its 512-byte sectors, of metadata any operations; a rename is atomic. Works
 * with or without a world, in one thread only. Short of memory it aborts: a
 * simulation that fails for the host's reasons would not replay.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "overlay/base/disk.h"

/* Roomy: only written pages take memory. */
#define SIM_DISK_CAPACITY GIB(16)
/* What a device writes as one; smaller pieces never tear. */
#define SIM_SECTOR_BYTES  512
/* Largest file: its table of pages then takes 128 MiB when written at the very end. */
#define SIM_FILE_MAX      GIB(64)
/* A kernel writes back by itself: older changes than these survive without a sync. */
#define SIM_UNSYNCED_MAX  MIB(64) /* bytes per file */
#define SIM_JOURNAL_MAX   1024    /* name changes per disk */

struct sim_disk;

struct sim_disk_opts {
	uint64_t seed;           /* of what torn and failed operations leave */
	uint64_t capacity_bytes; /* 0: SIM_DISK_CAPACITY */
	bool no_direct;          /* FILE_DIRECT is ignored, as on a file system without it */
};

struct sim_disk *sim_disk_new(const struct sim_disk_opts *opts); /* gives */
void sim_disk_free(struct sim_disk *d);                          /* every file is closed */
struct disk *sim_disk_base(struct sim_disk *d);                  /* what the product code uses */
/* NULL when disk is not a simulated one. */
struct sim_disk *sim_disk_of(struct disk *disk);

/* ---- faults: every operation that changes something is a numbered point ---- */
enum sim_disk_op {
	SIM_DISK_WRITE = 1,
	SIM_DISK_SYNC = 2,
	SIM_DISK_TRUNCATE = 4,
	SIM_DISK_ALLOCATE = 8,
	SIM_DISK_CREATE = 16, /* an open or lock that makes a file */
	SIM_DISK_UNLINK = 32,
	SIM_DISK_RENAME = 64,
	SIM_DISK_MKDIR = 128,
	SIM_DISK_SYNC_DIR = 256,
	SIM_DISK_READ = 512, /* is no point; can fail all the same */
};
#define SIM_DISK_ANY 511 /* every point */

/*
 * Strikes at the first operation of the given kinds whose point is at least `at`.
 * crash: that operation takes place unsynced (a sync does not), answers ERR_IO and
 * so does everything from then on, until sim_disk_power_loss or sim_disk_restart. Else it fails
 * with err, once or for ever: a write may leave a part, a sync keeps only some sectors and forgets
 * the rest, other operations leave no trace.
 */
struct sim_disk_fault {
	uint64_t at;   /* points count from 1 */
	uint64_t skip; /* of the operations that it would strike the first so many pass */
	unsigned ops;  /* enum sim_disk_op; 0: SIM_DISK_ANY */
	bool crash;
	bool forever;
	int err; /* ERR_IO or ERR_NO_SPACE */
};

void sim_disk_arm(struct sim_disk *d, const struct sim_disk_fault *f); /* copied; NULL: none */
/* Since it was armed: operations that it was asked about, and those that it struck. */
uint64_t sim_disk_matched(const struct sim_disk *d);
uint64_t sim_disk_strikes(const struct sim_disk *d);
/* Besides an armed fault: each operation of these kinds fails with ERR_IO by chance. 0: none. */
void sim_disk_error_rate(struct sim_disk *d, unsigned ops, uint32_t ppm);
/*
 * What operations cost a common solid-state disk, in device time: a sync SIM_DISK_SYNC_NS, bytes
 * SIM_DISK_BYTE_PS picoseconds each. A slow disk takes a multiple. The world charges it.
 */
#define SIM_DISK_SYNC_NS MICROSECONDS(500)
#define SIM_DISK_BYTE_PS 2000 /* 500 MB/s */
void sim_disk_slow(struct sim_disk *d, unsigned factor);
uint64_t sim_disk_take_cost(struct sim_disk *d);    /* ns since the last call */
uint64_t sim_disk_points(const struct sim_disk *d); /* so far */
bool sim_disk_crashed(const struct sim_disk *d);
/* As if the process died now: everything answers ERR_IO until one of the next two. */
void sim_disk_crash(struct sim_disk *d);
/* Called at a crash, armed or not, from inside the operation; a world's node dies by it. */
void sim_disk_on_crash(struct sim_disk *d, void (*crashed)(void *arg), void *arg);
/*
 * Turns the disk into what survived, chosen by seed, disarms the fault and makes it
 * usable again. Files still open belong to the past: they answer ERR_IO and wait to be
 * closed; locks are gone.
 */
void sim_disk_power_loss(struct sim_disk *d, uint64_t seed);
/* The same after a mere kill of the process: what was written is there, synced or not. */
void sim_disk_restart(struct sim_disk *d);
/* Syncs succeed and do nothing: a test of the test must then find a loss. */
void sim_disk_ignore_sync(struct sim_disk *d, bool ignore);
/* Flips one bit, durably; twice: back. ERR_NOT_FOUND, ERR_INVALID beyond the end. */
int sim_disk_flip(struct sim_disk *d, const char *path, uint64_t offset, unsigned bit);
/* Rot, which never heals: the same, but a sector that has rotted stays as it is until rewritten. */
int sim_disk_rot(struct sim_disk *d, const char *path, uint64_t offset, unsigned bit);
/* From now on every read that touches the sector at offset fails with ERR_IO; one for each file. */
int sim_disk_bad_sector(struct sim_disk *d, const char *path, uint64_t offset);
/* Bytes written and not synced yet, over all files. */
uint64_t sim_disk_unsynced(struct sim_disk *d);
void sim_disk_set_capacity(struct sim_disk *d, uint64_t bytes);

#endif
