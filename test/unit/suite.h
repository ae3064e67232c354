/*
 * The main() of a unit test: builds its suite and hands it to suite_main().
 *
 *	int
 *	main(void)
 *	{
 *		Suite *s = suite_create("overlay/base/buf");
 *
 *		suite_add(s, "grow", 0, grow_keeps_bytes, grow_past_limit_fails, NULL);
 *		return suite_main(s);
 *	}
 */
#ifndef TEST_UNIT_SUITE_H
#define TEST_UNIT_SUITE_H

#include <check.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* One test case of several tests, NULL at the end. timeout_s 0: libcheck's default of 4 s. */
static inline void
suite_add(Suite *s, const char *name, int timeout_s, const TTest *first, ...)
{
	TCase *tc = tcase_create(name);
	const TTest *t;
	va_list ap;

	if (timeout_s > 0)
		tcase_set_timeout(tc, timeout_s);
	va_start(ap, first);
	for (t = first; t != NULL; t = va_arg(ap, const TTest *))
		tcase_add_test(tc, t);
	va_end(ap);
	suite_add_tcase(s, tc);
}

/* Runs the suite and frees it; the result is main's. */
static inline int
suite_main(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
