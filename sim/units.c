/* A decimal number in millionths, then a unit from a table. Nothing can fail but the text. */
#include "sim/units.h"

#define MILLION    UINT64_C(1000000)
/* Beyond it no unit could be applied without overflow being looked at anyway. */
#define DIGITS_MAX UINT64_C(1000000000000)

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits, maybe a point and up to six more; *end is what follows. */
static bool
number(const char *text, uint64_t *millionths, const char **end)
{
	uint64_t whole = 0, part = 0, scale = MILLION;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		whole = whole * 10 + (uint64_t)(*text - '0');
		if (whole > DIGITS_MAX)
			return false;
	}
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++) {
			scale /= 10;
			if (scale == 0)
				return false;
			part += (uint64_t)(*text - '0') * scale;
		}
		if (scale == MILLION)
			return false; /* nothing behind the point */
	}
	*millionths = whole * MILLION + part;
	*end = text;
	return true;
}

static bool
with_unit(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
	uint64_t millionths;
	unsigned __int128 v;
	const char *end;

	if (!number(text, &millionths, &end))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		v = (unsigned __int128)millionths * units[i].factor / MILLION;
		if (v > UINT64_MAX)
			return false;
		*out = (uint64_t)v;
		return true;
	}
	if (*end == '\0' && millionths == 0) {
		*out = 0; /* nothing of anything */
		return true;
	}
	return false;
}

bool
units_duration(const char *text, uint64_t *ns)
{
	static const struct unit units[] = { { "ms", MILLISECONDS(1) }, { "s", SECONDS(1) },
		{ "m", MINUTES(1) }, { "h", HOURS(1) }, { "d", DAYS(1) } };

	return with_unit(text, units, ARRAY_LEN(units), ns);
}

bool
units_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = { { "", 1 }, { "K", KIB(1) }, { "M", MIB(1) },
		{ "G", GIB(1) }, { "T", GIB(1024) } };

	return with_unit(text, units, ARRAY_LEN(units), bytes);
}

bool
units_percent(const char *text, uint32_t *ppm)
{
	static const struct unit units[] = { { "%", 10000 }, { "ppm", 1 } };
	uint64_t v;

	if (!with_unit(text, units, ARRAY_LEN(units), &v) || v > MILLION)
		return false;
	*ppm = (uint32_t)v;
	return true;
}
