/* A pass: uploads swept until nothing is left, then the walk of the lifecycle, some keys at a time.
 */
#include "object/chores.h"

#include "object/settings.h"
#include "object/upload.h"

/* Keys in one transaction: a commit costs the same for one, and a few deeds each fill its records.
 */
#define DUE_TOGETHER 32

struct due {
	struct buf keys[DUE_TOGETHER];
	size_t count, done; /* those before done are through */
	bool uploads;       /* of these keys, not objects */
};

struct pass {
	const struct chores_io *io;
	const struct content_refs *refs;
	struct chores_sight *sight;
	struct lifecycle_walk walk;
	struct buf rules;
	struct due due;
	size_t now_done; /* as the transaction under way leaves it */
	bool more;
};

static struct bucket_txn
txn_of(const struct pass *p, struct kv *kv)
{
	struct bucket_txn t = { .kv = kv, .refs = p->refs, .now_ms = p->io->now_ms(p->io->arg) };

	p->io->random(p->io->arg, t.random);
	return t;
}

/* ---- sweeping ---- */

static int
sweep_txn(void *arg, struct kv *kv)
{
	struct pass *p = arg;
	struct bucket_txn t = txn_of(p, kv);

	p->more = false;
	return upload_sweep(&t, &p->more);
}

static int
sweep(struct pass *p)
{
	int err;

	do {
		err = p->io->update(p->io->arg, sweep_txn, p);
		if (err == ERR_OK && p->more) {
			p->sight->sweeps++;
			err = p->io->pause(p->io->arg);
		}
	} while (err == ERR_OK && p->more);
	return err;
}

/* ---- lifecycle ---- */

/* As they are in this state: who takes a rule away must not lose anything to it afterwards. */
static int
load_rules(struct pass *p, struct kv *kv)
{
	int err;

	buf_reset(&p->rules);
	err = setting_get(kv, LIFECYCLE_DOCUMENT, &p->rules);
	return err == REFUSAL_NO_SETTING ? ERR_OK : err;
}

/* From the first key that is not through: at most one of them stays so, with more to be done. */
static int
do_txn(void *arg, struct kv *kv)
{
	struct pass *p = arg;
	struct lifecycle_walk *w = &p->walk;
	int err = load_rules(p, kv);
	bool more = false;

	w->expired = w->removed = w->aborted = 0;
	p->now_done = p->due.count;
	if (err != ERR_OK || p->rules.len == 0)
		return err;
	p->now_done = p->due.done;
	while (err == ERR_OK && !more && p->now_done < p->due.count &&
	       w->expired + w->removed + w->aborted < DUE_TOGETHER) {
		struct bucket_txn t = txn_of(p, kv);

		err = lifecycle_do(w, &t, p->due.uploads, buf_bytes(&p->rules),
		    buf_bytes(&p->due.keys[p->now_done]), &more);
		p->now_done += more ? 0 : 1;
	}
	return err;
}

static int
act(struct pass *p)
{
	int err = ERR_OK;

	while (err == ERR_OK && p->due.done < p->due.count) {
		err = p->io->update(p->io->arg, do_txn, p);
		if (err != ERR_OK)
			return err;
		p->due.done = p->now_done;
		p->sight->expired += p->walk.expired;
		p->sight->removed += p->walk.removed;
		p->sight->aborted += p->walk.aborted;
		err = p->io->pause(p->io->arg);
	}
	return err;
}

/* Some that are next to each other, and what they are. */
static int
gather(struct pass *p, struct kv *view)
{
	struct due *d = &p->due;
	uint64_t now_ms = p->io->now_ms(p->io->arg);
	bool one = true;
	int err = ERR_OK;

	d->count = d->done = 0;
	d->uploads = p->walk.uploads;
	while (err == ERR_OK && one && d->count < DUE_TOGETHER) {
		err = lifecycle_step(
		    &p->walk, view, buf_bytes(&p->rules), now_ms, &d->keys[d->count], &one);
		d->count += err == ERR_OK && one ? 1 : 0;
	}
	/* The end comes again, when these are done. */
	return err == ERR_END && d->count > 0 ? ERR_OK : err;
}

/* Looks on in a view of its own, so that none is held while others write. */
static int
look(struct pass *p)
{
	struct kv *view;
	int err = p->io->view(p->io->arg, &view);

	if (err != ERR_OK)
		return err;
	err = load_rules(p, view);
	if (err == ERR_OK && p->rules.len == 0)
		err = ERR_END;
	if (err == ERR_OK)
		err = gather(p, view);
	p->io->release(p->io->arg, view);
	return err;
}

static int
live(struct pass *p)
{
	int err;

	while ((err = look(p)) == ERR_OK) {
		err = p->due.count > 0 ? act(p) : p->io->pause(p->io->arg);
		if (err != ERR_OK)
			return err;
	}
	return err == ERR_END ? ERR_OK : err;
}

int
chores_pass(const struct chores_io *io, const struct content_refs *refs, uint64_t day_ms,
    struct chores_sight *sight)
{
	struct pass p = { .io = io, .refs = refs, .sight = sight };
	int err;

	lifecycle_walk_init(&p.walk, day_ms);
	buf_init(&p.rules, SETTING_BYTES_MAX);
	for (size_t k = 0; k < DUE_TOGETHER; k++)
		buf_init(&p.due.keys[k], OBJECT_KEY_MAX);
	err = sweep(&p);
	if (err == ERR_OK)
		err = live(&p);
	/* What the rules have aborted. */
	if (err == ERR_OK)
		err = sweep(&p);
	lifecycle_walk_fini(&p.walk);
	buf_fini(&p.rules);
	for (size_t k = 0; k < DUE_TOGETHER; k++)
		buf_fini(&p.due.keys[k]);
	return err;
}
