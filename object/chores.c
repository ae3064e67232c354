/* A pass: uploads swept until nothing is left, then the walk of the lifecycle, key by key. */
#include "object/chores.h"

#include "object/settings.h"
#include "object/upload.h"

struct pass {
	const struct chores_io *io;
	const struct content_refs *refs;
	struct chores_sight *sight;
	struct lifecycle_walk walk;
	struct buf rules, key;
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

static int
do_txn(void *arg, struct kv *kv)
{
	struct pass *p = arg;
	struct bucket_txn t = txn_of(p, kv);
	int err = load_rules(p, kv);

	p->more = false;
	p->walk.expired = p->walk.removed = p->walk.aborted = 0;
	if (err != ERR_OK || p->rules.len == 0)
		return err;
	return lifecycle_do(&p->walk, &t, buf_bytes(&p->rules), buf_bytes(&p->key), &p->more);
}

static int
act(struct pass *p)
{
	int err;

	do {
		err = p->io->update(p->io->arg, do_txn, p);
		if (err != ERR_OK)
			return err;
		p->sight->expired += p->walk.expired;
		p->sight->removed += p->walk.removed;
		p->sight->aborted += p->walk.aborted;
		err = p->io->pause(p->io->arg);
	} while (err == ERR_OK && p->more);
	return err;
}

/* Looks on in a view of its own, so that none is held while others write. */
static int
look(struct pass *p, bool *due)
{
	struct kv *view;
	int err = p->io->view(p->io->arg, &view);

	if (err != ERR_OK)
		return err;
	*due = false;
	err = load_rules(p, view);
	if (err == ERR_OK && p->rules.len == 0)
		err = ERR_END;
	if (err == ERR_OK)
		err = lifecycle_step(
		    &p->walk, view, buf_bytes(&p->rules), p->io->now_ms(p->io->arg), &p->key, due);
	p->io->release(p->io->arg, view);
	return err;
}

static int
live(struct pass *p)
{
	bool due;
	int err;

	while ((err = look(p, &due)) == ERR_OK) {
		err = due ? act(p) : p->io->pause(p->io->arg);
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
	buf_init(&p.key, OBJECT_KEY_MAX);
	err = sweep(&p);
	if (err == ERR_OK)
		err = live(&p);
	/* What the rules have aborted. */
	if (err == ERR_OK)
		err = sweep(&p);
	lifecycle_walk_fini(&p.walk);
	buf_fini(&p.rules);
	buf_fini(&p.key);
	return err;
}
