/*
 * The agenda against a flat list that is searched: random arming, moving, stopping and firing, over
 * delays that end in the open slot, in the lists and beyond them.
 */
#include "test/unit/suite.h"

#include "sim/agenda.h"
#include "test/unit/overlay/base/timer_model.h"

#define TIMERS 300
#define STEPS  60000
#define SLOT   (UINT64_C(1) << AGENDA_SLOT_BITS)

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* None, within a slot, some slots, all lists, twice as far, days. */
static uint64_t
draw_delay(uint64_t *state)
{
	static const uint64_t spans[] = { 1, SLOT / 2, 4 * SLOT, AGENDA_SLOTS * SLOT,
		2 * AGENDA_SLOTS * SLOT, DAYS(3) };

	if (draw(state) % 8 == 0) /* together, far away */
		return DAYS(1 + draw(state) % 3) + draw(state) % 3;
	return draw(state) % spans[draw(state) % ARRAY_LEN(spans)];
}

START_TEST(behaves_as_the_model)
{
	static struct timer timers[TIMERS];
	static struct timer_model model[TIMERS];
	struct agenda a;
	uint64_t seed = (uint64_t)_i + 1, now = 0, order = 0;
	size_t armed = 0;

	memset(model, 0, sizeof(model));
	agenda_init(&a);
	for (size_t i = 0; i < TIMERS; i++)
		timer_init(&timers[i], NULL, NULL, NULL);
	for (size_t step = 0; step < STEPS; step++) {
		size_t i = draw(&seed) % TIMERS, first = timer_model_first(model, TIMERS);
		struct timer *t;

		switch (draw(&seed) % 5) {
		case 0:
		case 1:
			armed += model[i].armed ? 0 : 1;
			model[i] = (struct timer_model){ true, now + draw_delay(&seed), order++ };
			agenda_add(&a, &timers[i], model[i].due);
			break;
		case 2:
			armed -= model[i].armed ? 1 : 0;
			model[i].armed = false;
			agenda_remove(&a, &timers[i]);
			break;
		default:
			/* As a world does: to the end of a span, or to the next event. */
			if (draw(&seed) % 4 == 0)
				now += draw_delay(&seed) % SECONDS(1);
			else if (first < TIMERS)
				now = MAX(now, model[first].due);
			if (first < TIMERS && model[first].due < now)
				now = model[first].due;
			t = agenda_pop(&a, now);
			if (first == TIMERS || model[first].due > now) {
				ck_assert_ptr_null(t);
				break;
			}
			ck_assert_ptr_eq(t, &timers[first]);
			ck_assert(!timer_armed(t));
			model[first].armed = false;
			armed--;
		}
		ck_assert_uint_eq(agenda_count(&a), armed);
		ck_assert(timer_armed(&timers[i]) == model[i].armed);
	}
	while (agenda_pop(&a, UINT64_MAX) != NULL)
		armed--;
	ck_assert_uint_eq(armed, 0);
	agenda_fini(&a);
}
END_TEST

/* More than are sorted by insertion, in two slots, armed from the last to the first. */
START_TEST(what_comes_is_known_before)
{
	static struct timer timers[TIMERS];
	struct agenda a;

	agenda_init(&a);
	ck_assert_ptr_null(agenda_ahead(&a, 0));
	for (size_t i = TIMERS; i-- > 0;) {
		timer_init(&timers[i], NULL, NULL, NULL);
		agenda_add(&a, &timers[i], SLOT * 2 - TIMERS / 2 + i);
	}
	ck_assert_ptr_null(agenda_pop(&a, SLOT));
	for (size_t i = 0; i < TIMERS; i++) {
		ck_assert_ptr_eq(agenda_pop(&a, UINT64_MAX), &timers[i]);
		for (size_t n = 0; n < AGENDA_AHEAD && i + 1 + n < TIMERS; n++)
			ck_assert_ptr_eq(agenda_ahead(&a, n), &timers[i + 1 + n]);
	}
	ck_assert_ptr_null(agenda_ahead(&a, 0));
	agenda_fini(&a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/agenda");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, behaves_as_the_model, 0, 6);
	suite_add_tcase(s, tc);
	suite_add(s, "ahead", 0, what_comes_is_known_before, NULL);
	return suite_main(s);
}
