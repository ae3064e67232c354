/*
 * The head register's rules, exhaustively in small: see register_model.h. SKERRY_MODEL=deep goes
 * further (minutes, gigabytes).
 */
#include <stdio.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/storage/register_model.h"
#include "test/unit/suite.h"

static bool
deep(void)
{
	const char *how = getenv("SKERRY_MODEL");

	return how != NULL && strcmp(how, "deep") == 0;
}

/* Explores, prints the figures and fails when an invariant did not hold. */
static struct model_result
explored(const char *name, struct model_bounds b)
{
	struct model_result r;

	if (deep())
		b.states_max = 6000000;
	model_explore(&b, &r);
	printf("%s: %u states, %u transitions, depth %u%s; %u states of anchors, %u of writers, "
	       "%u messages; ends: %u committed, %u read, %u declined, %u failed, %u unknown\n",
	    name, r.states, r.transitions, r.depth, r.all ? ", all" : "", r.anchors, r.writers,
	    r.messages, r.committed, r.read, r.declined, r.failed, r.unknown);
	ck_assert_msg(r.wrong == NULL, "%s: %s", name, r.wrong);
	return r;
}

START_TEST(reader_beside_writer)
{
	struct model_result r = explored(
	    "write beside a read, a restart, deadlines", (struct model_bounds){ .ops = { "W", "R" },
							     .counters = { 1, 1 },
							     .reads = 1,
							     .restarts = 1,
							     .give_up = true,
							     .states_max = 200000 });

	ck_assert(r.all);
	ck_assert_uint_gt(r.committed, 0);
	ck_assert_uint_gt(r.read, 0);
	ck_assert_uint_gt(r.unknown, 0);
	ck_assert_uint_gt(r.failed, 0);
}
END_TEST

START_TEST(two_writers)
{
	struct model_result r = explored(
	    "two writers", (struct model_bounds){
			       .ops = { "W", "W" }, .counters = { 1, 1 }, .states_max = 60000 });

	ck_assert_uint_gt(r.committed, 0);
	ck_assert_uint_ge(r.depth, 12);
}
END_TEST

START_TEST(takeover)
{
	/* Whoever is refused comes again with a higher ballot, and may have to find its own. */
	struct model_result r = explored("two that only write into an empty register",
	    (struct model_bounds){
		.ops = { "D", "D" }, .counters = { 2, 1 }, .states_max = 50000 });

	ck_assert_uint_gt(r.committed, 0);
}
END_TEST

START_TEST(one_round_commits)
{
	struct model_result r = explored("two writes under one ballot beside a read",
	    (struct model_bounds){
		.ops = { "WW", "R" }, .counters = { 1, 1 }, .reads = 1, .states_max = 50000 });

	ck_assert_uint_gt(r.committed, 0);
}
END_TEST

START_TEST(writers_that_look_on)
{
	struct model_result r = explored("two writers that look on, and find what others finished",
	    (struct model_bounds){ .ops = { "WW", "W" },
		.counters = { 2, 1 },
		.reads = 2,
		.watches = true,
		.states_max = 60000 });

	ck_assert_uint_gt(r.committed, 0);
	ck_assert_uint_ge(r.depth, 10);
}
END_TEST

START_TEST(a_caller_that_gives_up)
{
	struct model_result r = explored("a write under the ballot of one that ended when asked",
	    (struct model_bounds){
		.ops = { "EW", "W" }, .counters = { 2, 1 }, .states_max = 60000 });

	ck_assert_uint_gt(r.committed, 0);
	ck_assert_uint_gt(r.failed, 0);
}
END_TEST

START_TEST(readers_that_read_again)
{
	struct model_result r = explored(
	    "a write beside a reader that reads again", (struct model_bounds){ .ops = { "W", "R" },
							    .counters = { 1, 1 },
							    .reads = 3,
							    .watches = true,
							    .states_max = 60000 });

	ck_assert_uint_gt(r.read, 0);
}
END_TEST

START_TEST(members_change)
{
	struct model_result r = explored("a change of members beside a write",
	    (struct model_bounds){
		.ops = { "C", "W" }, .counters = { 1, 1 }, .states_max = 50000 });

	ck_assert_uint_ge(r.depth, 10);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/register_model");

	must(crypto_init() == ERR_OK);
	suite_add(s, "explored", deep() ? 36000 : 300, reader_beside_writer, two_writers, takeover,
	    one_round_commits, writers_that_look_on, a_caller_that_gives_up,
	    readers_that_read_again, members_change, NULL);
	return suite_main(s);
}
