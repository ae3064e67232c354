/*
 * Every kind of liar lies, and honest peers get what they want all the same: lookups find the
 * closest, objects come back byte for byte. A quarter of the network lies, at every second request.
 */
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "sim/sybil.h"
#include "sim/workload.h"
#include "test/unit/suite.h"

#define MEMBERS 24
#define LIARS   6

static struct fleet *fleet;

static void
a_network(struct scenario *s, unsigned lies)
{
	scenario_init(s);
	s->storing = MEMBERS;
	s->capacity_bytes = MIB(64);
	s->code = (struct code_params){ .k = 2, .r = 6, .n = 10 };
	s->stale_ppm = 0;
	s->pace = 20;
	s->lookups_per_hour = 1200;
	s->record_puts_per_hour = 600;
	s->record_gets_per_hour = 600;
	s->object_puts_per_hour = 120;
	s->object_gets_per_hour = 600;
	s->object_most = KIB(64);
	s->lie_rate_ppm = 500000;
	s->lies = lies;
}

static uint64_t
lies_told(void)
{
	uint64_t told = 0;

	for (size_t i = 0; i < LIARS; i++)
		told += liar_lies(fleet_member(fleet, i)->liar);
	return told;
}

START_TEST(liars_lie_and_are_worked_around)
{
	struct result *r = calloc(1, sizeof(*r));
	struct scenario s;
	struct workload *w;
	char name[64];

	ck_assert_ptr_nonnull(r);
	result_init(r);
	a_network(&s, 1u << _i);
	liar_kinds_text(s.lies, name, sizeof(name));
	fleet = fleet_new(
	    &(struct fleet_opts){ .seed = 70 + (uint64_t)_i, .members = MEMBERS, .scenario = &s });
	fleet_start_all(fleet);
	w = workload_new(fleet, r);
	for (size_t i = 0; i < LIARS; i++)
		fleet_make_liar(fleet_member(fleet, i), s.lies);
	workload_start(w, true);
	sim_run_for(fleet_world(fleet), MINUTES(6));
	workload_stop(w);
	sim_run_for(fleet_world(fleet), MINUTES(3));
	ck_assert_msg(lies_told() > 0, "%s: nobody lied", name);
	ck_assert_msg(r->lookups_failed * 20 <= r->lookups, "%s: %llu of %llu lookups failed", name,
	    (unsigned long long)r->lookups_failed, (unsigned long long)r->lookups);
	ck_assert_uint_gt(r->objects_got, 20);
	ck_assert_uint_eq(r->objects_wrong, 0);
	ck_assert_msg(r->objects_get_failed * 5 <= r->objects_got, "%s: %llu of %llu gets failed",
	    name, (unsigned long long)r->objects_get_failed, (unsigned long long)r->objects_got);
	workload_free(w);
	fleet_free(fleet);
	result_fini(r);
	free(r);
}
END_TEST

START_TEST(sybils_are_ground_near_their_key)
{
	struct identity a, b;
	struct id target;

	memset(target.b, 0xa5, sizeof(target.b));
	ck_assert_int_eq(sybil_grind(1, &target, 10, 100000, &a), ERR_OK);
	ck_assert_uint_eq(a.id.b[0], 0xa5);
	ck_assert_uint_eq(a.id.b[1] & 0xc0, 0xa5 & 0xc0);
	ck_assert_int_eq(sybil_grind(1, &target, 10, 100000, &b), ERR_OK);
	ck_assert(id_equal(&a.id, &b.id));
	ck_assert_int_eq(sybil_grind(1, &target, 60, 1000, &a), ERR_NOT_FOUND);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("liars");
	TCase *tc = tcase_create("kinds");

	crypto_use_stand_in();
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, liars_lie_and_are_worked_around, 0, LIAR_KINDS);
	suite_add_tcase(s, tc);
	suite_add(s, "sybils", 10, sybils_are_ground_near_their_key, NULL);
	return suite_main(s);
}
