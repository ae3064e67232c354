/*
 * Inside of the simulated disk, shared by disk.c (operations),
 * disk_fault.c, disk_tree.c (names) and disk_content.c (bytes). Nobody else includes it.
 */
#ifndef SIM_DISK_IMPL_H
#define SIM_DISK_IMPL_H

#include "sim/disk.h"
#include "sim/random.h"

#define SIM_PAGE_BYTES   4096 /* small, so that ten thousand nodes' key files take little */
#define SIM_PAGE_SECTORS (SIM_PAGE_BYTES / SIM_SECTOR_BYTES)
#define SIM_NAME_MAX     255 /* as on Linux */

/* What a page holds up to its last sector that is not all zeros: most records fill only one. */
struct sim_page {
	uint16_t len;   /* whole sectors */
	uint8_t rotten; /* a bit per sector */
	uint8_t bytes[];
};

/* Sectors of one page as they were before a change; old NULL: zeros. */
struct sim_part {
	uint64_t page;
	unsigned first; /* sector inside the page */
	unsigned count;
	uint8_t *old;
};

/* One unsynced change and how to take it back. */
struct sim_undo {
	struct sim_undo *older, *newer;
	bool resized;      /* the size changed too, from old_size */
	bool cut;          /* a truncation: lost or kept as one */
	uint64_t old_size; /* before the change */
	uint64_t new_size;
	uint64_t bytes;
	size_t parts_count;
	struct sim_part parts[];
};

struct sim_dirent {
	struct sim_dirent *next;
	struct sim_inode *inode;
	char name[];
};

/* Refs: one per name in `now`, name in `kept`, journal entry and open file. */
struct sim_inode {
	unsigned refs;
	unsigned names; /* in `now` lists */
	unsigned handles;
	bool is_dir;
	bool locked;
	/* file */
	uint64_t size;
	uint64_t reserved_pages; /* allocated ahead: [0, reserved_pages) is paid for */
	uint64_t charged_pages;
	struct sim_page **pages; /* NULL entries read as zeros */
	size_t pages_cap;
	struct sim_undo *newest, *oldest;
	uint64_t unsynced_bytes;
	uint64_t bad_sector; /* its number and one; 0: none */
	/* directory */
	struct sim_dirent *now;  /* as the program sees it */
	struct sim_dirent *kept; /* as a power loss would leave it at worst */
};

/* A change of names: takes inode out of from_dir and puts it into to_dir; either may be NULL. */
struct sim_rename {
	struct sim_rename *next;
	struct sim_inode *inode;
	struct sim_inode *from_dir, *to_dir;
	char *from, *to;
	bool durable; /* while choosing what survives */
};

struct sim_disk {
	struct disk base;
	struct sim_random random;
	uint64_t capacity_pages;
	uint64_t used_pages;
	bool no_direct;
	bool ignore_sync;
	bool crashed;
	void (*on_crash)(void *arg);
	void *on_crash_arg;
	uint64_t points;
	uint64_t handles;
	uint64_t generation; /* files of an older one answer ERR_IO */
	struct sim_disk_fault fault;
	bool armed;
	uint64_t matched, strikes; /* of the armed fault */
	int struck_err;
	unsigned rate_ops; /* of enum sim_disk_op: fail by chance */
	uint32_t rate_ppm;
	unsigned slow;
	uint64_t cost; /* ns of device time since it was last asked for */
	struct sim_inode *root;
	struct sim_rename *journal; /* oldest first */
	size_t journal_len;
};

/* ---- disk_fault.c ---- */
enum strike { STRIKE_NONE, STRIKE_CRASH, STRIKE_FAIL };
enum strike strike(struct sim_disk *d, unsigned op);
/* The answer: a crash lets changes happen unsynced, a failure is answered with its error. */
int struck(struct sim_disk *d, enum strike s, int err);

/* ---- disk_content.c: bytes of one file ---- */
void *sim_alloc(size_t bytes); /* zeroed; aborts when out of memory */
void inode_read(const struct sim_inode *n, uint64_t offset, void *dst, size_t len, size_t *got);
int inode_write(
    struct sim_disk *d, struct sim_inode *n, uint64_t offset, const void *src, size_t len);
int inode_resize(struct sim_disk *d, struct sim_inode *n, uint64_t size);
int inode_allocate(struct sim_disk *d, struct sim_inode *n, uint64_t size);
void inode_sync(struct sim_inode *n);
/* Keeps a drawn subset of what was not synced and makes that durable. */
void inode_scatter(struct sim_disk *d, struct sim_inode *n, struct sim_random *r);
int inode_flip(struct sim_inode *n, uint64_t offset, unsigned bit);
int inode_rot(struct sim_inode *n, uint64_t offset, unsigned bit);
void inode_uncharge(struct sim_disk *d, struct sim_inode *n);
void inode_charge(struct sim_disk *d, struct sim_inode *n); /* from what it holds */
void inode_content_free(struct sim_inode *n);

/* ---- disk_tree.c: names ---- */
struct sim_inode *inode_new(bool is_dir);
void inode_unref(struct sim_inode *n);
/* The directory that holds the last part of path, and that part (lent from path). */
int tree_parent(struct sim_disk *d, const char *path, struct sim_inode **dir, const char **name,
    size_t *name_len);
int tree_find(struct sim_disk *d, const char *path, struct sim_inode **out);
struct sim_inode *tree_lookup(struct sim_dirent *list, const char *name, size_t name_len);
/* What a process sees changes at once; the journal remembers that it is not durable. */
void tree_change(struct sim_disk *d, struct sim_inode *inode, struct sim_inode *from_dir,
    const char *from, struct sim_inode *to_dir, const char *to);
void tree_sync_dir(struct sim_disk *d, struct sim_inode *dir);
void tree_power_loss(struct sim_disk *d, struct sim_random *r);
void tree_unlock(struct sim_disk *d);
uint64_t tree_unsynced(struct sim_disk *d);
void tree_free(struct sim_disk *d);

#endif
