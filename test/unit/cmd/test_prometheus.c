/* Prometheus' text: escaping, types, seconds, limits; whom the metrics' port turns away. */
#include "cmd/prometheus.h"

#include "cmd/metrics.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

START_TEST(lines)
{
	struct prom_label labels[] = { { "a", "plain" }, { "b", "q\"b\\n\n" } };
	struct buf out;
	struct prom p = { .out = &out };

	buf_init(&out, KIB(4));
	prom_gauge(&p, "x_bytes", "Back\\slash, \"quote\"\nand line.", UINT64_MAX);
	prom_family(&p, PROM_COUNTER, "y_total", "Two.");
	prom_sample(&p, labels, 2, 0);
	prom_by(&p, "a", "", 7);
	prom_gauge_ms(&p, "z_seconds", "Some.", 12034);
	ck_assert_int_eq(p.err, ERR_OK);
	ck_assert_int_eq(buf_append(&out, "", 1), ERR_OK);
	ck_assert_str_eq((const char *)out.data,
	    "# HELP x_bytes Back\\\\slash, \"quote\"\\nand line.\n"
	    "# TYPE x_bytes gauge\n"
	    "x_bytes 18446744073709551615\n"
	    "# HELP y_total Two.\n"
	    "# TYPE y_total counter\n"
	    "y_total{a=\"plain\",b=\"q\\\"b\\\\n\\n\"} 0\n"
	    "y_total{a=\"\"} 7\n"
	    "# HELP z_seconds Some.\n"
	    "# TYPE z_seconds gauge\n"
	    "z_seconds 12.034\n");
	buf_fini(&out);
}
END_TEST

START_TEST(too_much_is_an_error)
{
	struct buf out;
	struct prom p = { .out = &out };

	buf_init(&out, 100);
	for (int i = 0; i < 10; i++)
		prom_gauge(&p, "x", "Something.", 1);
	ck_assert_int_eq(p.err, ERR_TOO_BIG);
	ck_assert_uint_le(out.len, 100);
	buf_fini(&out);
}
END_TEST

/* A counter without its ending, and what is none with it, is our own mistake. */
START_TEST(a_name_breaks_the_convention)
{
	static const struct {
		enum prom_type type;
		const char *name;
	} wrong[] = { { PROM_COUNTER, "x" }, { PROM_GAUGE, "x_total" }, { PROM_COUNTER, "_total" },
		{ PROM_GAUGE, "1x" }, { PROM_GAUGE, "x y" }, { PROM_GAUGE, "" } };
	struct buf out;
	struct prom p = { .out = &out };

	buf_init(&out, 100);
	prom_family(&p, wrong[_i].type, wrong[_i].name, "Wrong.");
}
END_TEST

START_TEST(hosts)
{
	static const char *const known[] = { "", "localhost", "LOCALHOST", "127.0.0.1", "[::1]",
		"10.1.2.3", "::1" };
	static const char *const strange[] = { "evil.example", "localhost.evil.example",
		"127.0.0.1.nip.io", "[]", "[evil]", "localhost.", "0x7f.1" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		ck_assert_msg(metrics_host_known(known[i]), "%s", known[i]);
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		ck_assert_msg(!metrics_host_known(strange[i]), "%s", strange[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/prometheus");
	TCase *wrong = tcase_create("wrong names");

	suite_add(s, "prometheus", 0, lines, too_much_is_an_error, hosts, NULL);
	tcase_add_loop_test_raise_signal(wrong, a_name_breaks_the_convention, 6, 0, 6);
	suite_add_tcase(s, wrong);
	return suite_main(s);
}
