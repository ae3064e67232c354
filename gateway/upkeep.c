/*
 * What buckets need now and then (object/chores.h): the parts of uploads that are gone, lifecycle
 * rules. One task walks over all buckets of the realm, one after the other. Of several gateways the
 * one that wrote last looks after a bucket; now and then the others do as well, should it be gone:
 * two at once only do some work twice.
 */
#include <stdlib.h>

#include "gateway/gateway_private.h"
#include "object/chores.h"

/* Rules speak of days; looked at every hour an object is gone soon after its day is over. */
#define TURNS_A_DAY  24
#define TURN_MIN     MILLISECONDS(200) /* where a day is short */
#define FIRST_TURN   MINUTES(1)        /* what was missed while no gateway ran, but not at once */
#define OTHERS_TURNS 24                /* so rarely for buckets that another one looks after */
#define PAUSE        MILLISECONDS(10)  /* between two transactions: requests come first */
#define NAMES_MAX    MIB(2)            /* of sixteen accounts with a thousand buckets each */

struct looking_after {
	struct gateway *g;
	struct realm_bucket *b;
};

static SUSPENDS int
view(void *arg, struct kv **out)
{
	struct looking_after *l = arg;

	return l->b->ops->view(l->b, REALM_CURRENT, out);
}

static void
release(void *arg, struct kv *kv)
{
	struct looking_after *l = arg;

	l->b->ops->view_release(l->b, kv);
}

static SUSPENDS int
update(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg)
{
	struct looking_after *l = arg;

	return l->b->ops->update(l->b, fn, fn_arg, NULL);
}

static uint64_t
now_ms(void *arg)
{
	struct looking_after *l = arg;

	return env_wall_ms(l->g->opts.env);
}

static void
random8(void *arg, uint8_t out[8])
{
	struct looking_after *l = arg;

	env_random(l->g->opts.env, out, 8);
}

static SUSPENDS int
between(void *arg)
{
	struct looking_after *l = arg;

	return task_sleep(l->g->opts.env, PAUSE);
}

/* ---- one bucket ---- */

/* A view first: who leads is known from it. */
static SUSPENDS int
is_ours(struct realm_bucket *b, bool *ours)
{
	struct kv *kv;
	int err = b->ops->view(b, REALM_CURRENT, &kv);

	if (err != ERR_OK)
		return err;
	b->ops->view_release(b, kv);
	*ours = b->ops->leads == NULL || b->ops->leads(b);
	return ERR_OK;
}

static SUSPENDS int
look_after(struct gateway *g, struct realm_bucket *b, bool others)
{
	uint64_t day_ms = g->opts.lifecycle_day_ms;
	struct looking_after l = { g, b };
	struct chores_io io = { view, release, update, now_ms, random8, between, &l };
	struct chores_sight sight = { .expired = 0 };
	bool ours;
	int err = is_ours(b, &ours);

	if (err != ERR_OK || (!ours && !others))
		return err;
	err = chores_pass(&io, b->refs, day_ms != 0 ? day_ms : LIFECYCLE_DAY_MS, &sight);
	g->sight.expired += sight.expired + sight.removed;
	g->sight.aborted += sight.aborted;
	if (sight.expired + sight.removed + sight.aborted > 0)
		log_info(g->opts.env, "bucket %s: %llu expired, %llu removed, %llu uploads aborted",
		    b->name, (unsigned long long)sight.expired, (unsigned long long)sight.removed,
		    (unsigned long long)sight.aborted);
	return err;
}

/* ---- all of them ---- */

static int
note_name(void *arg, const struct realm_listed *b)
{
	return buf_append(arg, b->name, strlen(b->name) + 1);
}

static SUSPENDS int
turn(struct gateway *g, struct buf *names, bool others)
{
	struct realm *realm = g->opts.realm;
	struct realm_bucket *b;
	int err;

	buf_reset(names);
	err = realm->ops->list(realm, NULL, NULL, note_name, names);
	for (size_t at = 0; err == ERR_OK && at < names->len;) {
		const char *name = (const char *)names->data + at;

		at += strlen(name) + 1;
		err = realm->ops->bucket(realm, name, &b);
		if (err == ERR_OK) {
			err = look_after(g, b, others);
			b->ops->release(b);
		}
		if (err != ERR_OK && err != ERR_CANCELED && err != ERR_NOT_FOUND)
			log_warn(
			    g->opts.env, "bucket %s was not looked after: %s", name, err_text(err));
		if (err != ERR_CANCELED)
			err = ERR_OK; /* the next turn will see to it */
	}
	return err;
}

SUSPENDS int
upkeep_task(void *arg)
{
	struct gateway *g = arg;
	uint64_t day_ms =
	    g->opts.lifecycle_day_ms != 0 ? g->opts.lifecycle_day_ms : LIFECYCLE_DAY_MS;
	uint64_t pause = MAX(MILLISECONDS(day_ms) / TURNS_A_DAY, TURN_MIN);
	struct buf names;
	int err = task_sleep(g->opts.env, MIN(pause, FIRST_TURN));

	buf_init(&names, NAMES_MAX);
	for (uint64_t i = 1; err != ERR_CANCELED; i++) {
		err = turn(g, &names, i % OTHERS_TURNS == 0);
		if (err != ERR_CANCELED && err != ERR_OK)
			log_warn(g->opts.env, "buckets were not looked after: %s", err_text(err));
		if (err != ERR_CANCELED)
			err = task_sleep(g->opts.env, pause);
	}
	buf_fini(&names);
	return ERR_OK;
}
