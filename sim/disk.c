/*
 * The operations of the simulated disk (struct disk_ops). Each call first
 * passes strike() (disk_fault.c), which counts the point and says whether the armed
 * fault hits; then it changes names (disk_tree.c) or bytes (disk_content.c). After a crash
 * everything answers ERR_IO until sim_disk_power_loss.
 */
#include "sim/disk_impl.h"

#include <stdlib.h>

struct sim_file {
	struct file base;
	struct sim_disk *disk;
	struct sim_inode *inode;
	uint64_t generation;
	unsigned flags;
	bool direct;
	bool holds_lock;
};

static const struct disk_ops sim_disk_ops;

static struct sim_disk *
disk_of(struct disk *base)
{
	must(base->ops == &sim_disk_ops);
	return container_of(base, struct sim_disk, base);
}

static struct sim_file *
file_of(struct file *f)
{
	must(f->ops == &sim_disk_ops);
	return container_of(f, struct sim_file, base);
}

/* ---- files ---- */

static int
file_check(const struct sim_file *f, unsigned flag)
{
	if (f->disk->crashed || f->generation != f->disk->generation)
		return ERR_IO;
	return flag == 0 || (f->flags & flag) != 0 ? ERR_OK : ERR_INVALID;
}

/* O_DIRECT refuses what is not aligned, so that a slip shows in simulation too. */
static bool
aligned(const struct sim_file *f, uint64_t offset, const void *buffer, size_t len)
{
	return !f->direct || (offset % DISK_ALIGN == 0 && len % DISK_ALIGN == 0 &&
				 (uintptr_t)buffer % DISK_ALIGN == 0);
}

static struct file *
file_new(struct sim_disk *d, struct sim_inode *inode, unsigned flags)
{
	struct sim_file *f = sim_alloc(sizeof(*f));

	f->base.ops = &sim_disk_ops;
	f->disk = d;
	f->inode = inode;
	f->generation = d->generation;
	f->flags = flags;
	f->direct = (flags & FILE_DIRECT) != 0 && !d->no_direct;
	inode->refs++;
	inode->handles++;
	d->handles++;
	return &f->base;
}

/* Makes the file `path` in dir. */
static int
create(struct sim_disk *d, struct sim_inode *dir, const char *name, struct sim_inode **out)
{
	enum strike s = strike(d, SIM_DISK_CREATE);
	struct sim_inode *inode;
	int err;

	if (s == STRIKE_FAIL)
		return struck(d, s, ERR_OK);
	inode = inode_new(false);
	tree_change(d, inode, NULL, NULL, dir, name);
	inode_unref(inode); /* its name holds it */
	err = struck(d, s, ERR_OK);
	if (err == ERR_OK)
		*out = inode;
	return err;
}

/* The last part of a path as a string of its own; paths end in it unless slashes follow. */
static void
name_copy(char out[SIM_NAME_MAX + 1], const char *name, size_t len)
{
	must(len <= SIM_NAME_MAX);
	memcpy(out, name, len);
	out[len] = '\0';
}

static int
sim_open(struct disk *base, const char *path, unsigned flags, struct file **out)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *dir, *inode;
	const char *last;
	char name[SIM_NAME_MAX + 1];
	size_t len;
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_parent(d, path, &dir, &last, &len);
	if (err != ERR_OK)
		return err;
	name_copy(name, last, len);
	inode = tree_lookup(dir->now, name, len);
	if (inode != NULL && inode->is_dir)
		return ERR_INVALID;
	if (inode != NULL && (flags & FILE_CREATE) != 0 && (flags & FILE_EXCLUSIVE) != 0)
		return ERR_EXISTS;
	if (inode == NULL) {
		if ((flags & FILE_CREATE) == 0)
			return ERR_NOT_FOUND;
		err = create(d, dir, name, &inode);
		if (err != ERR_OK)
			return err;
	} else if ((flags & FILE_TRUNCATE) != 0 && inode->size > 0) {
		enum strike s = strike(d, SIM_DISK_TRUNCATE);

		if (s != STRIKE_FAIL)
			inode_resize(d, inode, 0); /* shrinking cannot fail */
		err = struck(d, s, ERR_OK);
		if (err != ERR_OK)
			return err;
	}
	*out = file_new(d, inode, flags);
	return ERR_OK;
}

static void
sim_close(struct file *base)
{
	struct sim_file *f = file_of(base);
	struct sim_inode *n = f->inode;

	if (f->holds_lock && f->generation == f->disk->generation)
		n->locked = false;
	must(n->handles > 0 && f->disk->handles > 0);
	f->disk->handles--;
	if (--n->handles == 0 && n->names == 0)
		inode_uncharge(f->disk, n);
	inode_unref(n);
	free(f);
}

static bool
sim_is_direct(const struct file *base)
{
	return container_of(base, const struct sim_file, base)->direct;
}

static bool
touches_bad(const struct sim_inode *n, uint64_t offset, size_t len)
{
	uint64_t at = (n->bad_sector - 1) * SIM_SECTOR_BYTES;

	return n->bad_sector != 0 && offset < at + SIM_SECTOR_BYTES && at < offset + len;
}

static int
sim_read(struct file *base, uint64_t offset, void *dst, size_t len, size_t *got)
{
	struct sim_file *f = file_of(base);
	int err = file_check(f, FILE_READ);

	if (err != ERR_OK)
		return err;
	if (!aligned(f, offset, dst, len))
		return ERR_INVALID;
	if (touches_bad(f->inode, offset, len))
		return ERR_IO;
	if (strike(f->disk, SIM_DISK_READ) != STRIKE_NONE)
		return struck(f->disk, f->disk->crashed ? STRIKE_CRASH : STRIKE_FAIL, ERR_OK);
	f->disk->cost += (uint64_t)len * SIM_DISK_BYTE_PS / 1000;
	inode_read(f->inode, offset, dst, len, got);
	return ERR_OK;
}

static int
sim_write(struct file *base, uint64_t offset, const void *src, size_t len)
{
	struct sim_file *f = file_of(base);
	struct sim_disk *d = f->disk;
	enum strike s;
	int err = file_check(f, FILE_WRITE);

	if (err != ERR_OK)
		return err;
	if (!aligned(f, offset, src, len))
		return ERR_INVALID;
	s = strike(d, SIM_DISK_WRITE);
	if (s == STRIKE_FAIL) {
		/* A part may have gone through before the error; its own error adds nothing. */
		len = (size_t)sim_random_below(&d->random, (uint64_t)len + 1);
		len -= len % SIM_SECTOR_BYTES;
		(void)inode_write(d, f->inode, offset, src, len);
		return struck(d, s, ERR_OK);
	}
	d->cost += (uint64_t)len * SIM_DISK_BYTE_PS / 1000;
	return struck(d, s, inode_write(d, f->inode, offset, src, len));
}

static int
sim_sync(struct file *base)
{
	struct sim_file *f = file_of(base);
	struct sim_disk *d = f->disk;
	enum strike s;
	int err = file_check(f, 0);

	if (err != ERR_OK)
		return err;
	d->cost += SIM_DISK_SYNC_NS;
	s = strike(d, SIM_DISK_SYNC);
	if (s == STRIKE_FAIL)
		inode_scatter(d, f->inode, &d->random);
	if (s != STRIKE_NONE)
		return struck(d, s, ERR_OK);
	if (!d->ignore_sync)
		inode_sync(f->inode);
	return ERR_OK;
}

static int
sim_size(struct file *base, uint64_t *out)
{
	struct sim_file *f = file_of(base);
	int err = file_check(f, 0);

	if (err == ERR_OK)
		*out = f->inode->size;
	return err;
}

static int
sim_truncate(struct file *base, uint64_t size)
{
	struct sim_file *f = file_of(base);
	enum strike s;
	int err = file_check(f, FILE_WRITE);

	if (err != ERR_OK)
		return err;
	s = strike(f->disk, SIM_DISK_TRUNCATE);
	if (s != STRIKE_FAIL)
		err = inode_resize(f->disk, f->inode, size);
	return struck(f->disk, s, err);
}

static int
sim_allocate(struct file *base, uint64_t size)
{
	struct sim_file *f = file_of(base);
	enum strike s;
	int err = file_check(f, FILE_WRITE);

	if (err != ERR_OK)
		return err;
	s = strike(f->disk, SIM_DISK_ALLOCATE);
	if (s != STRIKE_FAIL)
		err = inode_allocate(f->disk, f->inode, size);
	return struck(f->disk, s, err);
}

/* ---- names ---- */

static int
sim_mkdir(struct disk *base, const char *path)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *dir, *inode;
	const char *last;
	char name[SIM_NAME_MAX + 1];
	size_t len;
	enum strike s;
	int err;

	if (d->crashed)
		return ERR_IO;
	if (tree_find(d, path, &inode) == ERR_OK)
		return ERR_EXISTS;
	err = tree_parent(d, path, &dir, &last, &len);
	if (err != ERR_OK)
		return err;
	name_copy(name, last, len);
	s = strike(d, SIM_DISK_MKDIR);
	if (s != STRIKE_FAIL) {
		inode = inode_new(true);
		tree_change(d, inode, NULL, NULL, dir, name);
		inode_unref(inode);
	}
	return struck(d, s, ERR_OK);
}

static int
sim_unlink(struct disk *base, const char *path)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *dir, *inode;
	const char *last;
	char name[SIM_NAME_MAX + 1];
	size_t len;
	enum strike s;
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_parent(d, path, &dir, &last, &len);
	if (err != ERR_OK)
		return err;
	name_copy(name, last, len);
	inode = tree_lookup(dir->now, name, len);
	if (inode == NULL)
		return ERR_NOT_FOUND;
	if (inode->is_dir)
		return ERR_INVALID;
	s = strike(d, SIM_DISK_UNLINK);
	if (s != STRIKE_FAIL)
		tree_change(d, inode, dir, name, NULL, NULL);
	return struck(d, s, ERR_OK);
}

static int
sim_rename(struct disk *base, const char *from, const char *to)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *from_dir, *to_dir, *inode, *old;
	const char *last;
	char from_name[SIM_NAME_MAX + 1], to_name[SIM_NAME_MAX + 1];
	size_t len;
	enum strike s;
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_parent(d, from, &from_dir, &last, &len);
	if (err != ERR_OK)
		return err;
	name_copy(from_name, last, len);
	err = tree_parent(d, to, &to_dir, &last, &len);
	if (err != ERR_OK)
		return err;
	name_copy(to_name, last, len);
	inode = tree_lookup(from_dir->now, from_name, strlen(from_name));
	if (inode == NULL)
		return ERR_NOT_FOUND;
	if (inode->is_dir)
		return ERR_UNSUPPORTED; /* nothing of ours moves directories */
	old = tree_lookup(to_dir->now, to_name, strlen(to_name));
	if (old != NULL && old->is_dir)
		return ERR_INVALID;
	s = strike(d, SIM_DISK_RENAME);
	if (s != STRIKE_FAIL && old != inode)
		tree_change(d, inode, from_dir, from_name, to_dir, to_name);
	return struck(d, s, ERR_OK);
}

static int
sim_sync_dir(struct disk *base, const char *path)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *dir;
	enum strike s;
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_find(d, path, &dir);
	if (err != ERR_OK)
		return err;
	if (!dir->is_dir)
		return ERR_INVALID;
	s = strike(d, SIM_DISK_SYNC_DIR);
	if (s == STRIKE_NONE && !d->ignore_sync)
		tree_sync_dir(d, dir);
	return struck(d, s, ERR_OK);
}

static int
sim_list(struct disk *base, const char *path, int (*each)(void *arg, const char *name), void *arg)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *dir;
	struct sim_dirent *next;
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_find(d, path, &dir);
	if (err != ERR_OK)
		return err;
	if (!dir->is_dir)
		return ERR_INVALID;
	for (struct sim_dirent *e = dir->now; err == ERR_OK && e != NULL; e = next) {
		next = e->next; /* each may unlink what it was given */
		err = each(arg, e->name);
	}
	return err;
}

static int
sim_space(struct disk *base, const char *path, struct disk_space *out)
{
	struct sim_disk *d = disk_of(base);
	struct sim_inode *inode;
	uint64_t used = MIN(d->used_pages, d->capacity_pages);
	int err;

	if (d->crashed)
		return ERR_IO;
	err = tree_find(d, path, &inode);
	if (err != ERR_OK)
		return err;
	out->total_bytes = d->capacity_pages * SIM_PAGE_BYTES;
	out->free_bytes = (d->capacity_pages - used) * SIM_PAGE_BYTES;
	return ERR_OK;
}

static int
sim_lock(struct disk *base, const char *path, struct file **out)
{
	struct file *file;
	struct sim_file *f;
	int err = sim_open(base, path, FILE_READ | FILE_WRITE | FILE_CREATE, &file);

	if (err != ERR_OK)
		return err;
	f = file_of(file);
	if (f->inode->locked) {
		sim_close(file);
		return ERR_BUSY;
	}
	f->inode->locked = true;
	f->holds_lock = true;
	*out = file;
	return ERR_OK;
}

static const struct disk_ops sim_disk_ops = {
	.open = sim_open,
	.close = sim_close,
	.is_direct = sim_is_direct,
	.read = sim_read,
	.write = sim_write,
	.sync = sim_sync,
	.size = sim_size,
	.truncate = sim_truncate,
	.allocate = sim_allocate,
	.mkdir = sim_mkdir,
	.unlink = sim_unlink,
	.rename = sim_rename,
	.sync_dir = sim_sync_dir,
	.list = sim_list,
	.space = sim_space,
	.lock = sim_lock,
};

/* ---- for tests and scenarios ---- */

struct sim_disk *
sim_disk_new(const struct sim_disk_opts *opts)
{
	struct sim_disk *d = sim_alloc(sizeof(*d));

	d->base.ops = &sim_disk_ops;
	sim_random_init(&d->random, opts->seed, 0);
	sim_disk_set_capacity(
	    d, opts->capacity_bytes == 0 ? SIM_DISK_CAPACITY : opts->capacity_bytes);
	d->no_direct = opts->no_direct;
	d->root = inode_new(true);
	return d;
}

void
sim_disk_free(struct sim_disk *d)
{
	if (d == NULL)
		return;
	must(d->handles == 0);
	tree_free(d);
	free(d);
}

struct disk *
sim_disk_base(struct sim_disk *d)
{
	return &d->base;
}

struct sim_disk *
sim_disk_of(struct disk *disk)
{
	return disk != NULL && disk->ops == &sim_disk_ops ? disk_of(disk) : NULL;
}
