/* The heap against a flat list that is searched: random arming, moving, stopping and firing. */
#include <check.h>
#include <stdlib.h>

#include "overlay/base/timer_heap.h"
#include "test/unit/overlay/base/timer_model.h"
#include "test/unit/suite.h"

#define TIMERS 200
#define STEPS  40000

static uint32_t
draw(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

START_TEST(behaves_as_the_model)
{
	static struct timer timers[TIMERS];
	static struct timer_model model[TIMERS];
	struct timer_heap h;
	uint32_t seed = (uint32_t)_i + 1;
	uint64_t now = 0, order = 0;
	size_t armed = 0;

	memset(model, 0, sizeof(model));
	timer_heap_init(&h);
	for (size_t i = 0; i < TIMERS; i++)
		timer_init(&timers[i], NULL, NULL, NULL);
	for (size_t step = 0; step < STEPS; step++) {
		size_t i = draw(&seed) % TIMERS, first = timer_model_first(model, TIMERS);

		switch (draw(&seed) % 4) {
		case 0:
		case 1:
			armed += model[i].armed ? 0 : 1;
			model[i] = (struct timer_model){ true, now + draw(&seed) % 50, order++ };
			ck_assert_int_eq(timer_heap_add(&h, &timers[i], model[i].due), ERR_OK);
			break;
		case 2:
			armed -= model[i].armed ? 1 : 0;
			model[i].armed = false;
			timer_heap_remove(&h, &timers[i]);
			break;
		default:
			now += draw(&seed) % 10;
			if (first == TIMERS || model[first].due > now) {
				ck_assert_ptr_null(timer_heap_pop(&h, now));
				break;
			}
			ck_assert_ptr_eq(timer_heap_pop(&h, now), &timers[first]);
			model[first].armed = false;
			armed--;
		}
		first = timer_model_first(model, TIMERS);
		ck_assert_ptr_eq(timer_heap_first(&h), first == TIMERS ? NULL : &timers[first]);
		ck_assert_uint_eq(timer_heap_count(&h), armed);
		ck_assert_int_eq(timer_armed(&timers[i]), model[i].armed);
	}
	timer_heap_fini(&h);
	for (size_t i = 0; i < TIMERS; i++)
		ck_assert(!timer_armed(&timers[i]));
}
END_TEST

START_TEST(equal_times_fire_in_the_order_of_arming)
{
	struct timer t[3];
	struct timer_heap h;

	timer_heap_init(&h);
	for (size_t i = 0; i < 3; i++) {
		timer_init(&t[i], NULL, NULL, NULL);
		ck_assert_int_eq(timer_heap_add(&h, &t[i], 7), ERR_OK);
	}
	ck_assert_int_eq(timer_heap_add(&h, &t[0], 7), ERR_OK); /* armed again: to the end */
	ck_assert_ptr_null(timer_heap_pop(&h, 6));
	ck_assert_ptr_eq(timer_heap_pop(&h, 7), &t[1]);
	ck_assert_ptr_eq(timer_heap_pop(&h, 7), &t[2]);
	ck_assert_ptr_eq(timer_heap_pop(&h, 7), &t[0]);
	ck_assert_ptr_null(timer_heap_pop(&h, UINT64_MAX));
	timer_heap_fini(&h);
}
END_TEST

START_TEST(reserve_makes_room)
{
	static struct timer t[1000];
	struct timer_heap h;
	struct timer_heap_entry *entries;

	timer_heap_init(&h);
	ck_assert_int_eq(timer_heap_reserve(&h, 1000), ERR_OK);
	ck_assert_int_eq(timer_heap_reserve(&h, SIZE_MAX / 8), ERR_NOMEM);
	entries = h.entries;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		timer_init(&t[i], NULL, NULL, NULL);
		ck_assert_int_eq(timer_heap_add(&h, &t[i], 1000 - i), ERR_OK);
	}
	ck_assert_ptr_eq(h.entries, entries);
	ck_assert_ptr_eq(timer_heap_first(&h), &t[999]);
	timer_heap_fini(&h);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/timer_heap");
	TCase *tc = tcase_create("heap");

	tcase_add_loop_test(tc, behaves_as_the_model, 0, 4);
	tcase_add_test(tc, equal_times_fire_in_the_order_of_arming);
	tcase_add_test(tc, reserve_makes_room);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
