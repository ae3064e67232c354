/* What may stand behind --until of skerry node drain. */
#include "cmd/drain.h"

#include <stdlib.h>
#include <time.h>

#include "test/unit/suite.h"

START_TEST(durations)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} right[] = { { "1s", 1 }, { "90m", 5400 }, { "4h", 14400 }, { "1d", 86400 },
		{ "24h", 86400 } };
	static const char *const wrong[] = { "", "h", "4", "4 h", "-4h", "+4h", "4.5h", "4hh", "0h",
		"4w", "99999999999h", "9999999999999999999999h", "4294967296s", "0x4h" };
	struct drain_time t;

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		ck_assert_msg(drain_time_parse(right[i].text, &t), "%s", right[i].text);
		ck_assert(t.given && t.relative);
		ck_assert_uint_eq(t.value, right[i].seconds);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!drain_time_parse(wrong[i], &t), "%s", wrong[i]);
}
END_TEST

START_TEST(moments)
{
	static const char *const wrong[] = { "2026-11-27", "2026-11-27 06:30", "2026-11-27T25:30Z",
		"2026-13-27T06:30Z", "2026-11-27T06:30z", "2026-11-27T06:30Zx", "06:30",
		"1960-01-01T00:00Z" };
	struct drain_time t;

	ck_assert(drain_time_parse("2026-11-27T06:30Z", &t));
	ck_assert(t.given && !t.relative);
	ck_assert_uint_eq(t.value, 1795761000);
	ck_assert(drain_time_parse("2026-11-27T06:30:05Z", &t));
	ck_assert_uint_eq(t.value, 1795761005);
	/* Here, where an hour is added. */
	ck_assert_int_eq(setenv("TZ", "XYZ-1", 1), 0);
	tzset();
	ck_assert(drain_time_parse("2026-11-27T06:30", &t));
	ck_assert_uint_eq(t.value, 1795761000 - 3600);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(!drain_time_parse(wrong[i], &t), "%s", wrong[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/drain");

	suite_add(s, "drain", 0, durations, moments, NULL);
	return suite_main(s);
}
