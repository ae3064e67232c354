/* A pass over a bucket whose transactions run more than once, fail, and meet changed rules. */
#include <stdio.h>

#include "object/chores.h"
#include "object/settings.h"
#include "object/upload.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define DAY LIFECYCLE_DAY_MS

struct world {
	struct kv_mem *m;
	uint64_t now_ms;
	uint8_t counter;
	int views, pauses, updates;
	int pause_fails; /* that pause does; 0: none */
	bool rule_goes;  /* between looking and doing */
};

static int
view(void *arg, struct kv **out)
{
	struct world *w = arg;

	w->views++;
	*out = &w->m->kv;
	return ERR_OK;
}

static void
release(void *arg, struct kv *kv)
{
	struct world *w = arg;

	ck_assert_ptr_eq(kv, &w->m->kv);
	w->views--;
}

/* Twice, as after a lost race; only the second run is kept. */
static int
update(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg)
{
	struct world *w = arg;

	ck_assert_int_eq(w->views, 0);
	w->updates++;
	if (w->rule_goes)
		ck_assert_int_eq(setting_del(&w->m->kv, LIFECYCLE_DOCUMENT), ERR_OK);
	kv_mem_begin(w->m);
	(void)fn(fn_arg, &w->m->kv);
	(void)kv_mem_end(w->m, ERR_STALE);
	kv_mem_begin(w->m);
	return kv_mem_end(w->m, fn(fn_arg, &w->m->kv));
}

static uint64_t
now_ms(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static void
random8(void *arg, uint8_t out[8])
{
	memset(out, ++((struct world *)arg)->counter, 8);
}

static int
pause_(void *arg)
{
	struct world *w = arg;

	return ++w->pauses == w->pause_fails ? ERR_CANCELED : ERR_OK;
}

static struct chores_io
io_of(struct world *w)
{
	return (struct chores_io){ .view = view,
		.release = release,
		.update = update,
		.now_ms = now_ms,
		.random = random8,
		.pause = pause_,
		.arg = w };
}

/* 500 objects, ten of them old, an upload of three parts that is old, and rules for both. */
static struct world
start(void)
{
	static const struct lifecycle_rule rule = {
		.enabled = true, .expire_days = 2, .abort_days = 2
	};
	struct world w = { .m = kv_mem_new(), .now_ms = 3 * DAY };
	struct bucket_txn t = { .kv = &w.m->kv, .refs = &w.m->counts.refs };
	struct upload u = { .initiator = { "me" } };
	struct bucket_done done;
	char name[16], content[16];
	struct buf rules;

	buf_init(&rules, KIB(1));
	ck_assert_int_eq(lifecycle_rule_pack(&rule, &rules), ERR_OK);
	ck_assert_int_eq(setting_put(&w.m->kv, LIFECYCLE_DOCUMENT, buf_bytes(&rules)), ERR_OK);
	for (int i = 0; i < 500; i++) {
		struct entry e = { .content = text(content) };

		(void)snprintf(name, sizeof(name), "key%d", i);
		(void)snprintf(content, sizeof(content), "c%d", i);
		e.content = text(content);
		t.now_ms = i % 50 == 7 ? DAY : 2 * DAY;
		ck_assert_int_eq(bucket_put(&t, text(name), NULL, &e, &done), ERR_OK);
	}
	t.now_ms = DAY;
	ck_assert_int_eq(upload_create(&t, text("up"), &u), ERR_OK);
	for (uint16_t n = 1; n < 4; n++) {
		struct part p = { .number = n };

		(void)snprintf(content, sizeof(content), "c%d", 1000 + n);
		p.content = text(content);
		ck_assert_int_eq(upload_put_part(&t, text("up"), &u.id, &p), ERR_OK);
	}
	buf_fini(&rules);
	return w;
}

static int
named(const struct world *w)
{
	int sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(w->m->counts.named); i++)
		sum += w->m->counts.named[i];
	return sum;
}

START_TEST(one_pass_does_all)
{
	struct world w = start();
	struct chores_io io = io_of(&w);
	struct chores_sight sight = { .expired = 0 };

	ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
	ck_assert_uint_eq(sight.expired, 10); /* not twice, though each ran twice */
	ck_assert_uint_eq(sight.aborted, 1);
	ck_assert_int_eq(named(&w), 490);
	ck_assert_int_eq(w.views, 0);
	ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
	ck_assert_uint_eq(sight.expired, 10);
	kv_mem_free(w.m);
}
END_TEST

/* A commit costs the same for one key as for some. */
START_TEST(many_keys_go_together)
{
	struct world w = start();
	struct chores_io io = io_of(&w);
	struct chores_sight sight = { .expired = 0 };

	w.now_ms = 100 * DAY;
	ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
	ck_assert_uint_eq(sight.expired, 500);
	ck_assert_int_eq(named(&w), 0);
	ck_assert_int_lt(w.updates, 25); /* 500 / 32, uploads, sweeps */
	kv_mem_free(w.m);
}
END_TEST

/* What one key has fills a transaction: the next one goes on. */
START_TEST(keys_with_much_to_do)
{
	struct world w = start();
	struct bucket_txn t = { .kv = &w.m->kv, .refs = &w.m->counts.refs, .now_ms = DAY };
	struct chores_io io = io_of(&w);
	struct chores_sight sight = { .expired = 0 };
	struct upload u = { .initiator = { "me" } };

	for (int i = 0; i < 120; i++) {
		t.random[0] = (uint8_t)i;
		ck_assert_int_eq(upload_create(&t,
				     text(i % 3 == 0   ? "a"
					  : i % 3 == 1 ? "b"
						       : "c"),
				     &u),
		    ERR_OK);
	}
	ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
	ck_assert_uint_eq(sight.aborted, 121);
	kv_mem_free(w.m);
}
END_TEST

/* Broken off at any step, the next one does the rest. */
START_TEST(broken_off_anywhere)
{
	for (int at = 1;; at++) {
		struct world w = start();
		struct chores_io io = io_of(&w);
		struct chores_sight sight = { .expired = 0 };
		int err;

		w.pause_fails = at;
		err = chores_pass(&io, &w.m->counts.refs, DAY, &sight);
		ck_assert_int_eq(w.views, 0);
		ck_assert(err == ERR_CANCELED || (err == ERR_OK && w.pauses < at));
		w.pause_fails = 0;
		ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
		ck_assert_uint_eq(sight.expired, 10);
		ck_assert_int_eq(named(&w), 490);
		kv_mem_free(w.m);
		if (err == ERR_OK)
			break;
	}
}
END_TEST

START_TEST(a_rule_that_has_gone_does_nothing)
{
	struct world w = start();
	struct chores_io io = io_of(&w);
	struct chores_sight sight = { .expired = 0 };

	w.rule_goes = true;
	ck_assert_int_eq(chores_pass(&io, &w.m->counts.refs, DAY, &sight), ERR_OK);
	ck_assert_uint_eq(sight.expired + sight.aborted, 0);
	ck_assert_int_eq(named(&w), 503);
	kv_mem_free(w.m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/chores");

	suite_add(s, "chores", 20, one_pass_does_all, many_keys_go_together, keys_with_much_to_do,
	    broken_off_anywhere, a_rule_that_has_gone_does_nothing, NULL);
	return suite_main(s);
}
