/*
 * Writers that all write to one bucket all the time, for a minute: together they commit a good part
 * of what one alone would, each gets through again and again, and nobody is refused. In one room,
 * and over distances of a planet, where a takeover costs ten times as much.
 *
 * Not checked here: that what is committed is right (test_register_histories,
 * test_bucket_histories).
 */
#include <stdio.h>

#include "overlay/base/crypto_stand_in.h"
#include "test/scenario/register_world.h"
#include "test/scenario/world_private.h"
#include "test/unit/suite.h"

/* From so many segments on a commit makes room, as a map's roll does. */
#define FOLD_AT 40

struct rival {
	struct bucket *b;
	size_t writer;
	unsigned commits, others;    /* others: ended otherwise */
	uint64_t longest, last, gap; /* of a commit; between two */
	bool stop;
};
struct minute {
	unsigned together, least; /* commits; of the one with the fewest */
	uint64_t longest, gap;
};

static int
decide(void *arg, const struct head_view *now, struct head_proposal *out)
{
	static const uint8_t record[64];
	struct rival *r = arg;

	out->reply = REPLY_PROPOSE;
	if (now->head == NULL || now->tail->count >= FOLD_AT) {
		crypto_sha256(&out->root, &r->commits, sizeof(r->commits));
		out->covered = now->head == NULL ? 0 : now->tail->count;
	}
	out->records = bytes_of(record, sizeof(record));
	return ERR_OK;
}

static int
write_task(void *arg)
{
	struct rival *r = arg;
	struct bucket_writer *x = &r->b->writers[r->writer];
	struct head_decide d = { decide, r, NULL };

	r->last = env_now(x->env);
	while (!r->stop) {
		enum proposer_outcome outcome = 0;
		uint64_t began = env_now(x->env), now;
		int err = head_client_commit(x->hc, &d, SECONDS(15), &outcome);

		if (err == ERR_CANCELED)
			return err;
		now = env_now(x->env);
		if (err != ERR_OK || outcome != OUT_COMMITTED) {
			r->others++;
			continue;
		}
		r->commits++;
		r->longest = MAX(r->longest, now - began);
		r->gap = MAX(r->gap, now - r->last);
		r->last = now;
	}
	return ERR_OK;
}

static struct minute
write_for_a_minute(size_t writers, bool regions, uint64_t seed)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = seed, .nodes = 6, .code = { 2, 3, 4 }, .regions = regions });
	struct rival r[BUCKET_WRITERS_MAX];
	struct minute m = { .least = UINT32_MAX };
	struct bucket b;

	bucket_new(&b, w, 5, writers);
	for (size_t i = 0; i < writers; i++) {
		r[i] = (struct rival){ .b = &b, .writer = i };
		ck_assert_int_eq(
		    task_spawn(&b.writers[i].group, "write", write_task, &r[i]), ERR_OK);
	}
	sim_run_for(world_sim(w), MINUTES(1));
	for (size_t i = 0; i < writers; i++) {
		printf("%zu of %zu%s: %u commits, longest %u ms, gap %u ms\n", i + 1, writers,
		    regions ? ", far" : "", r[i].commits, (unsigned)(r[i].longest / 1000000),
		    (unsigned)(r[i].gap / 1000000));
		ck_assert_uint_eq(r[i].others, 0);
		m.together += r[i].commits;
		m.least = MIN(m.least, r[i].commits);
		m.longest = MAX(m.longest, r[i].longest);
		m.gap = MAX(m.gap, r[i].gap);
		r[i].stop = true;
	}
	sim_run_for(world_sim(w), SECONDS(20));
	bucket_free(&b);
	world_free(w);
	return m;
}

static void
compare(bool regions)
{
	struct minute alone = write_for_a_minute(1, regions, 1);

	for (size_t writers = 2; writers <= 3; writers++) {
		struct minute m = write_for_a_minute(writers, regions, writers);

		ck_assert_uint_ge(m.together, alone.together / 3);
		/* Time is shared, and who lives near the anchors does more in the same. */
		ck_assert_uint_ge(m.least, m.together / ((regions ? 4 : 2) * writers));
		ck_assert_uint_le(m.longest, writers * (regions ? SECONDS(3) : MILLISECONDS(500)));
	}
}

START_TEST(in_one_room)
{
	compare(false);
}
END_TEST

START_TEST(around_the_planet)
{
	compare(true);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/rivals");

	crypto_use_stand_in();
	must(crypto_init() == ERR_OK);
	suite_add(s, "writers", 300, in_one_room, around_the_planet, NULL);
	return suite_main(s);
}
