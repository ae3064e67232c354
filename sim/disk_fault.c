/*
 * Faults of the simulated disk: operations are counted as points, the armed
 * fault strikes at one of them, and afterwards the disk comes back as a kill of the
 * process or a loss of power leaves it. Fails only on bad paths.
 */
#include "sim/disk_impl.h"

enum strike
strike(struct sim_disk *d, unsigned op)
{
	unsigned ops = d->fault.ops == 0 ? SIM_DISK_ANY : d->fault.ops;

	if (op != SIM_DISK_READ)
		d->points++;
	if (!d->armed || (ops & op) == 0 || d->points < d->fault.at ||
	    d->matched++ < d->fault.skip) {
		d->struck_err = ERR_IO;
		return (d->rate_ops & op) != 0 && sim_random_chance(&d->random, d->rate_ppm)
			   ? STRIKE_FAIL
			   : STRIKE_NONE;
	}
	d->strikes++;
	d->struck_err = d->fault.err;
	if (d->fault.crash) {
		d->armed = false;
		sim_disk_crash(d);
		return STRIKE_CRASH;
	}
	d->armed = d->fault.forever;
	return STRIKE_FAIL;
}

int
struck(struct sim_disk *d, enum strike s, int err)
{
	if (s == STRIKE_FAIL)
		return d->struck_err;
	return s == STRIKE_CRASH ? ERR_IO : err;
}

void
sim_disk_arm(struct sim_disk *d, const struct sim_disk_fault *f)
{
	d->armed = f != NULL;
	if (f == NULL)
		return;
	must(f->crash || f->err != ERR_OK);
	d->fault = *f;
	d->matched = d->strikes = 0;
}

uint64_t
sim_disk_matched(const struct sim_disk *d)
{
	return d->matched;
}

uint64_t
sim_disk_strikes(const struct sim_disk *d)
{
	return d->strikes;
}

void
sim_disk_error_rate(struct sim_disk *d, unsigned ops, uint32_t ppm)
{
	d->rate_ops = ops;
	d->rate_ppm = ppm;
}

void
sim_disk_slow(struct sim_disk *d, unsigned factor)
{
	d->slow = factor;
}

uint64_t
sim_disk_take_cost(struct sim_disk *d)
{
	uint64_t cost = d->cost * MAX(d->slow, 1u);

	d->cost = 0;
	return cost;
}

uint64_t
sim_disk_points(const struct sim_disk *d)
{
	return d->points;
}

bool
sim_disk_crashed(const struct sim_disk *d)
{
	return d->crashed;
}

void
sim_disk_crash(struct sim_disk *d)
{
	d->crashed = true;
	if (d->on_crash != NULL)
		d->on_crash(d->on_crash_arg);
}

void
sim_disk_on_crash(struct sim_disk *d, void (*crashed)(void *arg), void *arg)
{
	d->on_crash = crashed;
	d->on_crash_arg = arg;
}

void
sim_disk_restart(struct sim_disk *d)
{
	d->generation++;
	d->armed = false;
	d->crashed = false;
	tree_unlock(d);
}

void
sim_disk_power_loss(struct sim_disk *d, uint64_t seed)
{
	struct sim_random r;

	sim_random_init(&r, seed, d->generation);
	tree_power_loss(d, &r);
	sim_disk_restart(d);
}

void
sim_disk_ignore_sync(struct sim_disk *d, bool ignore)
{
	d->ignore_sync = ignore;
}

static int
file_find(struct sim_disk *d, const char *path, struct sim_inode **out)
{
	int err = tree_find(d, path, out);

	return err == ERR_OK && (*out)->is_dir ? ERR_INVALID : err;
}

int
sim_disk_flip(struct sim_disk *d, const char *path, uint64_t offset, unsigned bit)
{
	struct sim_inode *inode;
	int err = file_find(d, path, &inode);

	return err == ERR_OK ? inode_flip(inode, offset, bit) : err;
}

int
sim_disk_rot(struct sim_disk *d, const char *path, uint64_t offset, unsigned bit)
{
	struct sim_inode *inode;
	int err = file_find(d, path, &inode);

	return err == ERR_OK ? inode_rot(inode, offset, bit) : err;
}

int
sim_disk_bad_sector(struct sim_disk *d, const char *path, uint64_t offset)
{
	struct sim_inode *inode;
	int err = tree_find(d, path, &inode);

	if (err != ERR_OK)
		return err;
	inode->bad_sector = offset / SIM_SECTOR_BYTES + 1;
	return ERR_OK;
}

uint64_t
sim_disk_unsynced(struct sim_disk *d)
{
	return tree_unsynced(d);
}

void
sim_disk_set_capacity(struct sim_disk *d, uint64_t bytes)
{
	d->capacity_pages = bytes / SIM_PAGE_BYTES;
}
