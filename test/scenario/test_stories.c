/*
 * Some random stories (sim/story.h) that end well, first those that once did not. `skerry sim fuzz`
 * runs others for as long as one likes.
 *
 *	SKERRY_SEED=1000 SKERRY_SEEDS=50 test/scenario/test_stories
 *
 * runs that many, beginning with that seed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "sim/story.h"
#include "test/unit/suite.h"

#define STORY_SECONDS 60 /* of real time for one: many times what it takes */

/* Seeds whose stories failed, each with what was wrong then. */
static const uint64_t found[] = {
	1014,   /* after a long cut both sides had forgotten each other for ever */
	1017,   /* a store that had refused once, its disk being full, never took a shard again */
	100082, /* in a lopsided tree a bucket of twenty hid some of the nearest twenty */
	101196, /* an acknowledged object could not be read: its records had gone astray */
	300561, /* the simulator's own: rot came to a disk that had crashed */
	802918, /* siblings told each other so much that a failing store was begun anew for ever */
	202342, /* the simulator's own: a disk that crashed while its node started */
	95003587, /* cut off, a node forgot all but two who were gone, and asked those alone ever
		     after */
	90002399, /* a store whose headers could not be read began anew, and was two stores later */
	90000210, /* the plan's own: nearly all clocks had jumped, so that no median was right */
};

static void
play(uint64_t seed)
{
	struct story *s = calloc(1, sizeof(*s));
	struct story_outcome *out = calloc(1, sizeof(*out));

	ck_assert(s != NULL && out != NULL);
	story_plan(seed, s);
	story_run(s, NULL, out);
	ck_assert_msg(!out->failed,
	    "%s: %s\nreplay: skerry sim fuzz --seed %" PRIu64 " --stories 1 --crypto stand-in",
	    out->checker, out->text, seed);
	ck_assert_uint_gt(out->looked, 0);
	free(s);
	free(out);
}

START_TEST(what_was_found_stays_mended)
{
	play(found[_i]);
}
END_TEST

START_TEST(random_stories_end_well)
{
	const char *seed = getenv("SKERRY_SEED"), *count = getenv("SKERRY_SEEDS");
	uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 3;
	uint64_t seeds = count != NULL ? strtoull(count, NULL, 10) : 2;

	for (uint64_t i = 0; i < seeds; i++)
		play(first + i);
}
END_TEST

START_TEST(a_story_replays)
{
	struct story *s = calloc(1, sizeof(*s));
	struct story_outcome *out = calloc(2, sizeof(*out));

	ck_assert(s != NULL && out != NULL);
	story_plan(5, s);
	s->span = MINUTES(2);
	story_run(s, NULL, &out[0]);
	story_run(s, NULL, &out[1]);
	ck_assert_uint_eq(out[0].event_hash, out[1].event_hash);
	ck_assert_uint_eq(out[0].events, out[1].events);
	free(s);
	free(out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stories");
	TCase *tc = tcase_create("found");

	crypto_use_stand_in();
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	tcase_set_timeout(tc, STORY_SECONDS);
	tcase_add_loop_test(tc, what_was_found_stays_mended, 0, (int)ARRAY_LEN(found));
	suite_add_tcase(s, tc);
	suite_add(s, "random", STORY_SECONDS * 4, random_stories_end_well, a_story_replays, NULL);
	return suite_main(s);
}
