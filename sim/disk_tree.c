/*
 * The names of the simulated disk. Each directory has two lists: `now`, what
 * the program sees, and `kept`, what a sync made durable. A change goes into `now` at
 * once and into a journal; sync_dir applies the journal's entries that touch the
 * directory to `kept`; a power loss applies a drawn subset and then makes `now` equal
 * to `kept`. Fails only on bad paths.
 */
#include "sim/disk_impl.h"

#include <stdlib.h>

/* ---- lists of names ---- */

static struct sim_dirent **
entry_find(struct sim_dirent **list, const char *name, size_t len)
{
	while (
	    *list != NULL && (strncmp((*list)->name, name, len) != 0 || (*list)->name[len] != '\0'))
		list = &(*list)->next;
	return list;
}

static void
list_remove(struct sim_dirent **at)
{
	struct sim_dirent *e = *at;

	*at = e->next;
	inode_unref(e->inode);
	free(e);
}

/* Replaces what had the name; new names go to the end, so that listing is in order of making. */
static void
list_set(struct sim_dirent **list, const char *name, struct sim_inode *inode)
{
	struct sim_dirent **at = entry_find(list, name, strlen(name));

	inode->refs++;
	if (*at != NULL) {
		inode_unref((*at)->inode);
	} else {
		size_t bytes = strlen(name) + 1;

		*at = sim_alloc(sizeof(**at) + bytes);
		memcpy((*at)->name, name, bytes);
	}
	(*at)->inode = inode;
}

static void
list_free(struct sim_dirent **list)
{
	while (*list != NULL)
		list_remove(list);
}

struct sim_inode *
tree_lookup(struct sim_dirent *list, const char *name, size_t name_len)
{
	struct sim_dirent *e = *entry_find(&list, name, name_len);

	return e == NULL ? NULL : e->inode;
}

/* ---- inodes ---- */

struct sim_inode *
inode_new(bool is_dir)
{
	struct sim_inode *n = sim_alloc(sizeof(*n));

	n->is_dir = is_dir;
	n->refs = 1;
	return n;
}

void
inode_unref(struct sim_inode *n)
{
	must(n->refs > 0);
	if (--n->refs > 0)
		return;
	list_free(&n->now);
	list_free(&n->kept);
	inode_content_free(n);
	free(n);
}

/* Space comes back with the last name and the last open file, as on Linux. */
static void
name_gone(struct sim_disk *d, struct sim_inode *n)
{
	must(n->names > 0);
	if (--n->names == 0 && n->handles == 0)
		inode_uncharge(d, n);
}

/* ---- paths ---- */

/* The next part of *path, skipping slashes and "."; its length is 0 at the end. */
static int
next_part(const char **path, const char **name, size_t *len)
{
	do {
		while (**path == '/')
			(*path)++;
		*name = *path;
		*len = strcspn(*path, "/");
		*path += *len;
	} while (*len == 1 && **name == '.');
	if (*len > SIM_NAME_MAX)
		return ERR_TOO_BIG;
	return *len == 2 && memcmp(*name, "..", 2) == 0 ? ERR_INVALID : ERR_OK;
}

int
tree_parent(struct sim_disk *d, const char *path, struct sim_inode **dir, const char **name,
    size_t *name_len)
{
	struct sim_inode *at = d->root;
	const char *part, *next;
	size_t len, next_len;
	int err = next_part(&path, &part, &len);

	if (err != ERR_OK)
		return err;
	if (len == 0)
		return ERR_INVALID; /* the root has no parent */
	for (;;) {
		err = next_part(&path, &next, &next_len);
		if (err != ERR_OK)
			return err;
		if (next_len == 0)
			break;
		at = tree_lookup(at->now, part, len);
		if (at == NULL)
			return ERR_NOT_FOUND;
		if (!at->is_dir)
			return ERR_INVALID;
		part = next;
		len = next_len;
	}
	*dir = at;
	*name = part;
	*name_len = len;
	return ERR_OK;
}

int
tree_find(struct sim_disk *d, const char *path, struct sim_inode **out)
{
	struct sim_inode *dir;
	const char *name, *rest = path;
	size_t len;
	int err = next_part(&rest, &name, &len);

	if (err != ERR_OK)
		return err;
	if (len == 0) {
		*out = d->root;
		return ERR_OK;
	}
	err = tree_parent(d, path, &dir, &name, &len);
	if (err != ERR_OK)
		return err;
	dir = tree_lookup(dir->now, name, len);
	if (dir == NULL)
		return ERR_NOT_FOUND;
	*out = dir;
	return ERR_OK;
}

/* ---- the journal ---- */

static char *
copy_name(const char *name)
{
	size_t bytes = strlen(name) + 1;

	return memcpy(sim_alloc(bytes), name, bytes);
}

/* Applied by name and inode: a name that came to mean another file is left alone. */
static void
journal_apply(const struct sim_rename *c)
{
	if (c->from_dir != NULL) {
		struct sim_dirent **at = entry_find(&c->from_dir->kept, c->from, strlen(c->from));

		if (*at != NULL && (*at)->inode == c->inode)
			list_remove(at);
	}
	if (c->to_dir != NULL)
		list_set(&c->to_dir->kept, c->to, c->inode);
}

static void
journal_remove(struct sim_disk *d, struct sim_rename **at)
{
	struct sim_rename *c = *at;

	*at = c->next;
	d->journal_len--;
	inode_unref(c->inode);
	if (c->from_dir != NULL)
		inode_unref(c->from_dir);
	if (c->to_dir != NULL)
		inode_unref(c->to_dir);
	free(c->from);
	free(c->to);
	free(c);
}

static void
journal_append(struct sim_disk *d, struct sim_rename *c)
{
	struct sim_rename **end = &d->journal;

	c->inode->refs++;
	if (c->from_dir != NULL)
		c->from_dir->refs++;
	if (c->to_dir != NULL)
		c->to_dir->refs++;
	while (*end != NULL)
		end = &(*end)->next;
	*end = c;
	if (++d->journal_len > SIM_JOURNAL_MAX) {
		journal_apply(d->journal);
		journal_remove(d, &d->journal);
	}
}

void
tree_change(struct sim_disk *d, struct sim_inode *inode, struct sim_inode *from_dir,
    const char *from, struct sim_inode *to_dir, const char *to)
{
	struct sim_rename *c = sim_alloc(sizeof(*c));

	c->inode = inode;
	c->from_dir = from_dir;
	c->to_dir = to_dir;
	c->from = from == NULL ? NULL : copy_name(from);
	c->to = to == NULL ? NULL : copy_name(to);
	journal_append(d, c); /* holds the inode meanwhile */
	if (to_dir != NULL) {
		struct sim_inode *old = tree_lookup(to_dir->now, to, strlen(to));

		if (old != NULL)
			name_gone(d, old);
		inode->names++;
		list_set(&to_dir->now, to, inode);
	}
	if (from_dir != NULL) {
		name_gone(d, inode);
		list_remove(entry_find(&from_dir->now, from, strlen(from)));
	}
}

/*
 * Applies what is marked durable and forgets it. The changes of one file happen in
 * order, as on a journaling file system: with one, all earlier ones of that file survive.
 */
static void
journal_settle(struct sim_disk *d)
{
	for (struct sim_rename *c = d->journal; c != NULL; c = c->next)
		for (struct sim_rename *later = c->next; !c->durable && later != NULL;
		     later = later->next)
			c->durable = later->durable && later->inode == c->inode;
	for (struct sim_rename **at = &d->journal; *at != NULL;) {
		if ((*at)->durable) {
			journal_apply(*at);
			journal_remove(d, at);
		} else {
			at = &(*at)->next;
		}
	}
}

void
tree_sync_dir(struct sim_disk *d, struct sim_inode *dir)
{
	for (struct sim_rename *c = d->journal; c != NULL; c = c->next)
		c->durable = c->from_dir == dir || c->to_dir == dir;
	journal_settle(d);
}

/* ---- power loss ---- */

/* Calls fn on each inode reachable through the names of one kind, directories before contents. */
static void
walk(struct sim_disk *d, struct sim_inode *dir, bool kept, void *arg,
    void (*fn)(struct sim_disk *d, struct sim_inode *n, void *arg))
{
	fn(d, dir, arg);
	for (struct sim_dirent *e = kept ? dir->kept : dir->now; e != NULL; e = e->next) {
		if (e->inode->is_dir)
			walk(d, e->inode, kept, arg, fn);
		else
			fn(d, e->inode, arg);
	}
}

static void
forget_names(struct sim_disk *d, struct sim_inode *n, void *arg)
{
	(void)arg;
	for (struct sim_dirent *e = n->now; e != NULL; e = e->next)
		name_gone(d, e->inode);
}

static void
survive(struct sim_disk *d, struct sim_inode *n, void *arg)
{
	struct sim_random *r = arg;

	if (!n->is_dir) {
		inode_scatter(d, n, r);
		inode_charge(d, n);
		return;
	}
	list_free(&n->now);
	for (struct sim_dirent *e = n->kept; e != NULL; e = e->next) {
		list_set(&n->now, e->name, e->inode);
		e->inode->names++;
	}
}

void
tree_power_loss(struct sim_disk *d, struct sim_random *r)
{
	uint64_t mode = sim_random_below(r, 4); /* none, all, or each by its own coin */

	walk(d, d->root, false, NULL, forget_names);
	for (struct sim_rename *c = d->journal; c != NULL; c = c->next) {
		bool coin = sim_random_below(r, 2) == 1;

		c->durable = mode == 1 || (mode > 1 && coin);
	}
	journal_settle(d);
	while (d->journal != NULL)
		journal_remove(d, &d->journal);
	walk(d, d->root, true, r, survive);
}

static void
unlock(struct sim_disk *d, struct sim_inode *n, void *arg)
{
	(void)d;
	(void)arg;
	n->locked = false;
}

void
tree_unlock(struct sim_disk *d)
{
	walk(d, d->root, false, NULL, unlock);
}

static void
count_unsynced(struct sim_disk *d, struct sim_inode *n, void *arg)
{
	uint64_t *sum = arg;

	(void)d;
	*sum += n->unsynced_bytes;
}

uint64_t
tree_unsynced(struct sim_disk *d)
{
	uint64_t sum = 0;

	walk(d, d->root, false, &sum, count_unsynced);
	return sum;
}

void
tree_free(struct sim_disk *d)
{
	while (d->journal != NULL)
		journal_remove(d, &d->journal);
	inode_unref(d->root);
}
