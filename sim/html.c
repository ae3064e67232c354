/* What is written goes to the buffer at once; the first failure ends all writing. */
#include "sim/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- text ---- */

void
html_put(struct html *h, const char *fmt, ...)
{
	char text[1024]; /* a tag of ours with its numbers; nothing from outside is in it */
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	must(len >= 0 && (size_t)len < sizeof(text));
	if (h->err == ERR_OK)
		h->err = buf_append(h->out, text, (size_t)len);
}

void
html_raw(struct html *h, const char *markup)
{
	if (h->err == ERR_OK)
		h->err = buf_append(h->out, markup, strlen(markup));
}

/* Bytes of the character at s, 0 where it is none that may stand in a page. */
static size_t
character(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	if (s[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the end of the text, too */
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* Controls; and characters that would reorder the page round them. */
	if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0))
		return 0;
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? 0 : len;
}

static const char *
entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
html_text(struct html *h, const char *text)
{
	while (*text != '\0' && h->err == ERR_OK) {
		size_t len = character((const unsigned char *)text);

		if (len == 0)
			html_raw(h, "\xef\xbf\xbd");
		else if (entity(*text) != NULL)
			html_raw(h, entity(*text));
		else
			h->err = buf_append(h->out, text, len);
		text += MAX(len, (size_t)1);
	}
}

/* ---- numbers ---- */

const char *
html_count(uint64_t v, char out[HTML_NUMBER_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	size_t n = 0;

	must(len > 0);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[n++] = ',';
		out[n++] = digits[i];
	}
	out[n] = '\0';
	return out;
}

const char *
html_time(uint64_t ns, char out[HTML_NUMBER_MAX])
{
	double ms = (double)ns / 1e6;

	if (ms < 9.95)
		(void)snprintf(out, HTML_NUMBER_MAX, "%.1f ms", ms);
	else if (ms < 999.5)
		(void)snprintf(out, HTML_NUMBER_MAX, "%.0f ms", ms);
	else
		(void)snprintf(out, HTML_NUMBER_MAX, "%.*f s", ms < 99995 ? 2 : 0, ms / 1e3);
	return out;
}

const char *
html_span(uint64_t ns, char out[HTML_NUMBER_MAX])
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { DAYS(1), "d" }, { HOURS(1), "h" }, { MINUTES(1), "min" },
		{ SECONDS(1), "s" } };
	size_t i = 0;
	double v;

	while (i + 1 < ARRAY_LEN(units) && ns < 2 * units[i].ns)
		i++;
	v = (double)ns / (double)units[i].ns;
	(void)snprintf(
	    out, HTML_NUMBER_MAX, "%.*f %s", v < 100 && v != floor(v) ? 1 : 0, v, units[i].name);
	return out;
}

const char *
html_ms(uint64_t ns, char out[HTML_NUMBER_MAX])
{
	if (ns >= MILLISECONDS(100))
		return html_count(
		    ns / MILLISECONDS(1) + (ns % MILLISECONDS(1) >= MICROSECONDS(500)), out);
	(void)snprintf(out, HTML_NUMBER_MAX, "%.1f", (double)ns / 1e6);
	return out;
}

const char *
html_hours(uint64_t ns, char out[HTML_NUMBER_MAX])
{
	const struct {
		uint64_t ns;
		const char *unit;
	} units[] = { { HOURS(1), "" }, { MINUTES(1), "m" }, { SECONDS(1), "s" } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (ns % units[i].ns != 0)
			continue;
		(void)snprintf(
		    out, HTML_NUMBER_MAX, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
		return out;
	}
	(void)snprintf(out, HTML_NUMBER_MAX, "%" PRIu64 "ms", ns / MILLISECONDS(1));
	return out;
}

const char *
html_share(uint64_t part, uint64_t whole, char out[HTML_NUMBER_MAX])
{
	double percent = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;

	if (whole == 0)
		(void)snprintf(out, HTML_NUMBER_MAX, "\xe2\x80\x93");
	else if (part == 0 || part == whole)
		(void)snprintf(out, HTML_NUMBER_MAX, "%.0f %%", percent);
	else if (percent < 0.01)
		(void)snprintf(out, HTML_NUMBER_MAX, "&lt; 0.01 %%");
	else if (percent > 99.99 && part < whole)
		(void)snprintf(out, HTML_NUMBER_MAX, "&gt; 99.99 %%");
	else
		(void)snprintf(out, HTML_NUMBER_MAX, "%.2f %%", percent);
	return out;
}

const char *
html_bytes(double bytes, char out[HTML_NUMBER_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t u = 0;

	for (; bytes >= 1023.95 && u + 1 < ARRAY_LEN(units); u++)
		bytes /= 1024;
	(void)snprintf(out, HTML_NUMBER_MAX, "%.*f %s", u == 0 ? 0 : 1, bytes, units[u]);
	return out;
}
