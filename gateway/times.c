/*
 * Days are counted with years that begin in March (Howard Hinnant, "chrono-compatible low-level
 * date algorithms"), so that the leap day is the last of its year.
 */
#include "gateway/times.h"

#include <stdio.h>

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec" };
static const char day_names[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };

struct moment {
	int64_t year;
	unsigned month, day, hour, minute, second, ms;
};

static int64_t
days_of(int64_t y, unsigned m, unsigned d)
{
	int64_t year = m <= 2 ? y - 1 : y;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned of_era = (unsigned)(year - era * 400);
	unsigned of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) -
	       719468;
}

static void
split(uint64_t unix_ms, struct moment *out)
{
	uint64_t seconds = unix_ms / 1000, of_day = seconds % 86400;
	int64_t z = (int64_t)(seconds / 86400) + 719468, era = z / 146097;
	unsigned of_era = (unsigned)(z - era * 146097);
	unsigned yoe = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * of_year + 2) / 153;

	out->day = of_year - (153 * mp + 2) / 5 + 1;
	out->month = mp < 10 ? mp + 3 : mp - 9;
	out->year = (int64_t)yoe + era * 400 + (out->month <= 2);
	out->hour = (unsigned)(of_day / 3600);
	out->minute = (unsigned)(of_day / 60 % 60);
	out->second = (unsigned)(of_day % 60);
	out->ms = (unsigned)(unix_ms % 1000);
}

static bool
leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int
join(const struct moment *m, int64_t offset_minutes, uint64_t *out)
{
	static const uint8_t lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t seconds;

	if (m->year < 1 || m->year > 9999 || m->month < 1 || m->month > 12 || m->day < 1 ||
	    m->day > lengths[m->month - 1] + (unsigned)(m->month == 2 && leap(m->year)) ||
	    m->hour > 23 || m->minute > 59 || m->second > 60)
		return ERR_INVALID;
	seconds = days_of(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 +
		  m->second - offset_minutes * 60;
	if (seconds < 0)
		return ERR_INVALID; /* before 1970 there was nothing */
	*out = (uint64_t)seconds * 1000 + m->ms;
	return ERR_OK;
}

/* Later than any date that has a text: the last one that has. */
static void
split_clamped(uint64_t unix_ms, struct moment *out)
{
	split(MIN(unix_ms, UINT64_C(253402300799999)), out);
}

const char *
times_iso(uint64_t unix_ms, char out[TIMES_TEXT_MAX])
{
	struct moment m;

	split_clamped(unix_ms, &m);
	(void)snprintf(out, TIMES_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", (int)m.year,
	    m.month, m.day, m.hour, m.minute, m.second, m.ms);
	return out;
}

const char *
times_amz(uint64_t unix_ms, char out[TIMES_TEXT_MAX])
{
	struct moment m;

	split_clamped(unix_ms, &m);
	(void)snprintf(out, TIMES_TEXT_MAX, "%04d%02u%02uT%02u%02u%02uZ", (int)m.year, m.month,
	    m.day, m.hour, m.minute, m.second);
	return out;
}

const char *
times_http(uint64_t unix_ms, char out[TIMES_TEXT_MAX])
{
	struct moment m;

	split_clamped(unix_ms, &m);
	(void)snprintf(out, TIMES_TEXT_MAX, "%s, %02u %s %04d %02u:%02u:%02u GMT",
	    day_names[unix_ms / 86400000 % 7], m.day, month_names[m.month - 1], (int)m.year, m.hour,
	    m.minute, m.second);
	return out;
}

/* ---- parsing: a cursor over text that fails once and for all ---- */

struct scan {
	const char *at;
	bool failed;
};

static unsigned
number(struct scan *s, unsigned digits)
{
	unsigned v = 0;

	for (unsigned i = 0; i < digits && !s->failed; i++) {
		if (*s->at < '0' || *s->at > '9')
			s->failed = true;
		else
			v = v * 10 + (unsigned)(*s->at++ - '0');
	}
	return v;
}

static bool
literal(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if (s->failed || strncmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

static void
expect(struct scan *s, const char *text)
{
	if (!literal(s, text))
		s->failed = true;
}

static unsigned
month(struct scan *s)
{
	for (unsigned i = 0; i < 12; i++) {
		if (literal(s, month_names[i]))
			return i + 1;
	}
	s->failed = true;
	return 0;
}

static void
clock_time(struct scan *s, struct moment *m)
{
	m->hour = number(s, 2);
	expect(s, ":");
	m->minute = number(s, 2);
	expect(s, ":");
	m->second = number(s, 2);
}

static int
end(const struct scan *s, const struct moment *m, int64_t offset, uint64_t *out)
{
	return s->failed || *s->at != '\0' ? ERR_INVALID : join(m, offset, out);
}

int
times_parse_amz(const char *text, uint64_t *unix_ms)
{
	struct scan s = { .at = text };
	struct moment m = { 0 };

	m.year = number(&s, 4);
	m.month = number(&s, 2);
	m.day = number(&s, 2);
	expect(&s, "T");
	m.hour = number(&s, 2);
	m.minute = number(&s, 2);
	m.second = number(&s, 2);
	expect(&s, "Z");
	return end(&s, &m, 0, unix_ms);
}

/* Of a second: three digits count, more are dropped. */
static unsigned
fraction(struct scan *s)
{
	unsigned ms = 0, digits = 0;

	for (; *s->at >= '0' && *s->at <= '9'; s->at++, digits++) {
		if (digits < 3)
			ms = ms * 10 + (unsigned)(*s->at - '0');
	}
	s->failed |= digits == 0 || digits > 9;
	for (; digits < 3; digits++)
		ms *= 10;
	return ms;
}

int
times_parse_iso(const char *text, uint64_t *unix_ms)
{
	struct scan s = { .at = text };
	struct moment m = { 0 };
	int64_t offset = 0, sign = 1;

	m.year = number(&s, 4);
	expect(&s, "-");
	m.month = number(&s, 2);
	expect(&s, "-");
	m.day = number(&s, 2);
	if (!s.failed && *s.at == '\0')
		return end(&s, &m, 0, unix_ms);
	expect(&s, "T");
	clock_time(&s, &m);
	if (literal(&s, "."))
		m.ms = fraction(&s);
	if (!literal(&s, "Z") && !s.failed && *s.at != '\0') {
		sign = *s.at == '-' ? -1 : 1;
		s.failed |= *s.at != '-' && *s.at != '+';
		s.at++;
		offset = number(&s, 2) * 60;
		(void)literal(&s, ":");
		offset = sign * (offset + number(&s, 2));
	}
	return end(&s, &m, offset, unix_ms);
}

int
times_parse_http(const char *text, uint64_t *unix_ms)
{
	const char *comma = strchr(text, ',');
	struct scan s = { .at = comma == NULL ? text : comma + 1 };
	struct moment m = { 0 };

	if (comma == NULL) { /* "Sun Nov  6 08:49:37 1994" */
		s.failed = strlen(text) < 4;
		s.at += s.failed ? 0 : 4;
		m.month = month(&s);
		expect(&s, " ");
		m.day = literal(&s, " ") ? number(&s, 1) : number(&s, 2);
		expect(&s, " ");
		clock_time(&s, &m);
		expect(&s, " ");
		m.year = number(&s, 4);
		return end(&s, &m, 0, unix_ms);
	}
	expect(&s, " ");
	m.day = number(&s, 2);
	if (literal(&s, "-")) { /* "Sunday, 06-Nov-94 08:49:37 GMT" */
		m.month = month(&s);
		expect(&s, "-");
		m.year = number(&s, 2);
		m.year += m.year < 70 ? 2000 : 1900;
	} else {
		expect(&s, " ");
		m.month = month(&s);
		expect(&s, " ");
		m.year = number(&s, 4);
	}
	expect(&s, " ");
	clock_time(&s, &m);
	/* What mail says for the same: some clients take their dates from there. */
	if (!literal(&s, " GMT") && !literal(&s, " -0000") && !literal(&s, " +0000"))
		expect(&s, " UTC");
	return end(&s, &m, 0, unix_ms);
}
