/*
 * Sentences for people: formatted, written to stderr in one call, so that lines of several
 * processes do not mix. Nothing is reported when stderr is gone: there is nowhere to.
 */
#include "cmd/say.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/command.h"

/* Longer than any sentence of ours with two paths in it. */
#define LINE_BYTES_MAX 4096

static void
write_line(char *line, int len)
{
	size_t n = len < 0 ? 0 : (size_t)len;

	if (n > LINE_BYTES_MAX - 2)
		n = LINE_BYTES_MAX - 2;
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}

void
say_error(const char *command, const char *fmt, ...)
{
	char line[LINE_BYTES_MAX];
	bool named = command != NULL && command[0] != '\0';
	int head = snprintf(
	    line, sizeof(line), "%s%s%s: ", PROGRAM_NAME, named ? " " : "", named ? command : "");
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
	va_end(ap);
	write_line(line, len < 0 ? head : head + len);
}

void
say_note(const char *fmt, ...)
{
	char line[LINE_BYTES_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	write_line(line, len);
}

/* Bytes of the UTF-8 character at s; 0 when there is none, *point is what it is. */
static size_t
utf8_at(const unsigned char *s, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t v = len <= 1 ? s[0] : s[0] & (0xffu >> (len + 1));

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	if (len > 1 && (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
		return 0;
	*point = v;
	return len;
}

/* Control characters, and those that change the direction of what stands around them. */
static bool
is_unsafe(uint32_t v)
{
	return v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x061c || v == 0x200e || v == 0x200f ||
	       v == 0x2028 || v == 0x2029 || (v >= 0x202a && v <= 0x202e) ||
	       (v >= 0x2066 && v <= 0x2069) || v == 0xfeff;
}

const char *
say_clean(const char *text, char *out, size_t cap)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = 0;

	while (*s != '\0') {
		uint32_t point = 0;
		size_t len = utf8_at(s, &point);

		if (len > 0 && !is_unsafe(point)) {
			if (n + len + 1 > cap)
				break;
			memcpy(out + n, s, len);
			n += len;
			s += len;
			continue;
		}
		if (n + 5 > cap)
			break;
		n += (size_t)snprintf(out + n, cap - n, "\\x%02x", *s);
		s++;
	}
	out[n] = '\0';
	return out;
}

const char *
say_size(unsigned long long bytes, char out[SAY_SIZE_MAX])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned long long whole = bytes, rest = 0;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(out, SAY_SIZE_MAX, "%llu byte%s", bytes, bytes == 1 ? "" : "s");
		return out;
	}
	do {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	} while (whole >= 1024 && unit < sizeof(units) / sizeof(units[0]));
	(void)snprintf(out, SAY_SIZE_MAX, "%llu.%llu %s", whole, rest * 10 / 1024, units[unit - 1]);
	return out;
}

static size_t
print_time(char out[SAY_TIME_MAX], enum say_form form, const struct tm *tm)
{
	switch (form) {
	case SAY_MINUTE:
		return strftime(out, SAY_TIME_MAX, "%Y-%m-%d %H:%M UTC", tm);
	case SAY_SECOND:
		return strftime(out, SAY_TIME_MAX, "%Y-%m-%d %H:%M:%S UTC", tm);
	case SAY_STAMP:
		return strftime(out, SAY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", tm);
	}
	return 0;
}

const char *
say_time(uint64_t unix_s, enum say_form form, char out[SAY_TIME_MAX])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || print_time(out, form, &tm) == 0)
		(void)snprintf(out, SAY_TIME_MAX, "unknown");
	return out;
}
