/*
 * Draws are inverse transforms of a uniform number u in (0, 1]: −ln u for the exponential and
 * Weibull, a sum of twelve uniforms for the normal (off by less than 1 % between two sigmas, and
 * never beyond six). Logarithms and powers are bit by bit, in 32.32 fixed point.
 */
#include "sim/lifetime.h"

#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/err.h"
#include "sim/units.h"

#define LEAST      SECONDS(1)
#define LN2        INT64_C(2977044472) /* ln 2 · 2^32 */
#define LOG2_E     INT64_C(6196328019) /* log2 e · 2^32 */
#define LOG2_1_LN2 INT64_C(2271034279) /* log2 (1 / ln 2) · 2^32 */
#define WORDS      8
#define SPACE      " \t\r\n"

/* ---- fixed point ---- */

int64_t
fixed_log2(uint64_t v)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(v);
	int64_t result = (int64_t)top << 32;
	/* The mantissa in [1, 2) with 63 bits behind the point; squared, a bit of the log each
	 * time. */
	uint64_t m = v << (63 - top);

	for (int64_t bit = FIXED_ONE / 2; bit > 0; bit /= 2) {
		unsigned __int128 square = (unsigned __int128)m * m;

		if (square >> 127 != 0) {
			m = (uint64_t)(square >> 64);
			result += bit;
		} else {
			m = (uint64_t)(square >> 63);
		}
	}
	return result;
}

uint64_t
fixed_exp2(int64_t v)
{
	unsigned __int128 m = (unsigned __int128)1 << 62;
	int64_t whole = v >> 32, part = v & (FIXED_ONE - 1), log_left;

	if (whole >= 63)
		return UINT64_MAX;
	if (whole < -1)
		return 0;
	/* e^x by its series, x = part · ln 2 < 0.7: sixteen terms are exact to the last bit. */
	log_left = (int64_t)(((__int128)part * LN2) >> 32);
	for (unsigned __int128 term = m, i = 1; i <= 16; i++) {
		term = term * (unsigned __int128)log_left / (i << 32);
		m += term;
	}
	return whole >= 0 ? (uint64_t)(whole >= 62 ? m << (whole - 62) : m >> (62 - whole))
			  : (uint64_t)(m >> (62 - whole));
}

/* scale · 2^power */
static uint64_t
scaled(uint64_t scale, int64_t power)
{
	return fixed_exp2(fixed_log2(scale) + power);
}

/* −ln u in 32.32, u uniform in (0, 1]. */
static uint64_t
minus_ln(struct sim_random *r)
{
	uint64_t u = (sim_random_u64(r) >> 1) + 1; /* in units of 2^-63 */
	int64_t log2 = fixed_log2(u) - (INT64_C(63) << 32);

	return (uint64_t)(((__int128)-log2 * LN2) >> 32);
}

/* A normal number in 32.32. */
static int64_t
normal(struct sim_random *r)
{
	int64_t sum = 0;

	for (int i = 0; i < 12; i++)
		sum += (int64_t)(sim_random_u64(r) >> 32);
	return sum - 6 * FIXED_ONE;
}

/* ---- draws ---- */

static uint64_t
draw_weibull(const struct lifetime *l, struct sim_random *r)
{
	uint64_t x = MAX(minus_ln(r), UINT64_C(1));
	/* scale · x^(1/shape), x in 32.32 */
	int64_t log2 = fixed_log2(x) - (INT64_C(32) << 32);

	return scaled(l->scale, (int64_t)((__int128)log2 * 1000 / l->shape));
}

static uint64_t
draw_lognormal(const struct lifetime *l, struct sim_random *r)
{
	__int128 power = (__int128)normal(r) * l->shape / 1000;

	return scaled(l->scale, (int64_t)((power * LOG2_E) >> 32));
}

static uint64_t
time_of_day(uint64_t now, int zone_minutes)
{
	return (now + DAYS(1) + (uint64_t)(zone_minutes + 1440) * MINUTES(1)) % DAYS(1);
}

/* To the end of the day there, or of the next one when it is over. */
static uint64_t
draw_diurnal(const struct lifetime *l, struct sim_random *r, uint64_t now, int zone_minutes)
{
	uint64_t local = time_of_day(now, zone_minutes);
	uint64_t end = l->from + l->scale, jitter = sim_random_below(r, 2 * l->jitter + 1);

	end = (end + jitter - MIN(l->jitter, end)) % DAYS(1); /* it may be over midnight */
	while (end <= local)
		end += DAYS(1);
	return end - local;
}

uint64_t
lifetime_draw(const struct lifetime *l, struct sim_random *r, uint64_t now_ns, int zone_minutes)
{
	uint64_t v = 0;

	switch (l->kind) {
	case LIFETIME_NONE:
		must(!"what does not end has no length");
		break;
	case LIFETIME_FIXED:
		v = l->scale;
		break;
	case LIFETIME_EXPONENTIAL:
		v = (uint64_t)(((unsigned __int128)l->scale * minus_ln(r)) >> 32);
		break;
	case LIFETIME_WEIBULL:
		v = draw_weibull(l, r);
		break;
	case LIFETIME_LOGNORMAL:
		v = draw_lognormal(l, r);
		break;
	case LIFETIME_DIURNAL:
		v = draw_diurnal(l, r, now_ns, zone_minutes);
		break;
	case LIFETIME_TRACE:
		must(l->trace_count > 0);
		v = SECONDS(l->trace[sim_random_below(r, l->trace_count)]);
		break;
	}
	return MIN(MAX(v, LEAST), DAYS(36500));
}

/* At night nobody is met: it ends at once. */
static uint64_t
rest_diurnal(const struct lifetime *l, struct sim_random *r, uint64_t now, int zone_minutes)
{
	uint64_t drawn = lifetime_draw(l, r, now, zone_minutes);
	uint64_t since = (time_of_day(now, zone_minutes) + DAYS(1) - l->from) % DAYS(1);

	/* Later than any end of this day: the draw is of the next one's. */
	return since >= l->scale || drawn > l->scale - since + l->jitter ? LEAST : drawn;
}

/* Candidates for the one that is met. Among few the long ones would be too rare; see the test. */
#define REST_DRAWS 64

uint64_t
lifetime_rest(const struct lifetime *l, struct sim_random *r, uint64_t now_ns, int zone_minutes)
{
	uint64_t drawn[REST_DRAWS], sum = 0, at;
	size_t i = 0;

	if (l->kind == LIFETIME_DIURNAL)
		return rest_diurnal(l, r, now_ns, zone_minutes);
	if (l->kind == LIFETIME_EXPONENTIAL) /* without memory */
		return lifetime_draw(l, r, now_ns, zone_minutes);
	/* A moment somewhere in all of them: as likely in each as that is long. */
	for (; i < REST_DRAWS; i++)
		sum += drawn[i] = lifetime_draw(l, r, now_ns, zone_minutes);
	at = sim_random_below(r, sum);
	for (i = 0; at >= drawn[i]; i++)
		at -= drawn[i];
	return MAX(drawn[i] - at, LEAST);
}

/* A multiple of the mean, the same for all: by draws where it is not known. */
static uint64_t
share_of_time(const struct lifetime *l, struct sim_random *r)
{
	uint64_t sum = 0;

	if (l->kind == LIFETIME_FIXED || l->kind == LIFETIME_EXPONENTIAL)
		return l->scale * REST_DRAWS;
	for (size_t i = 0; i < REST_DRAWS; i++)
		sum += lifetime_draw(l, r, 0, 0);
	return sum;
}

bool
lifetime_met(const struct lifetime *session, const struct lifetime *absence, struct sim_random *r,
    uint64_t now_ns, int zone_minutes)
{
	uint64_t up;

	if (session->kind == LIFETIME_NONE || absence->kind == LIFETIME_NONE)
		return true;
	if (session->kind == LIFETIME_DIURNAL)
		return lifetime_rest(session, r, now_ns, zone_minutes) > LEAST;
	if (absence->kind == LIFETIME_DIURNAL) { /* all came when the last of these ended */
		uint64_t end = (absence->from + absence->scale) % DAYS(1);
		uint64_t since = (time_of_day(now_ns, zone_minutes) + DAYS(1) - end) % DAYS(1);

		return lifetime_draw(session, r, now_ns, zone_minutes) > since;
	}
	up = share_of_time(session, r);
	return sim_random_below(r, up + share_of_time(absence, r)) < up;
}

/* ---- text ---- */

static int
wrong(char *error)
{
	if (error != NULL)
		(void)snprintf(error, LIFETIME_TEXT_MAX, "right would be " LIFETIME_RIGHT);
	return ERR_INVALID;
}

/* "0.6" in thousandths: a percentage of a percent less. */
static bool
thousandths(const char *text, uint32_t *out)
{
	char percent[24];
	uint32_t ppm;
	char *dot = strchr(text, '.');
	unsigned long whole = strtoul(text, NULL, 10);

	if (whole > 50 || strlen(text) > 16 || text[0] < '0' || text[0] > '9')
		return false;
	ppm = 0;
	if (text[strspn(text, "0123456789.")] != '\0')
		return false;
	if (dot != NULL) {
		(void)snprintf(percent, sizeof(percent), "0%s%%", dot);
		if (!units_percent(percent, &ppm))
			return false;
	}
	*out = (uint32_t)whole * 1000 + ppm / 10; /* 0.6 % is 6000 ppm */
	return *out > 0;
}

/* The words that a value follows, as bits. */
enum word {
	MEAN = 1,
	MEDIAN = 2,
	SCALE = 4,
	FOR = 8,
	SHAPE = 16,
	SIGMA = 32,
	FROM = 64,
	JITTER = 128,
};

static const struct {
	unsigned length; /* exactly one of them */
	unsigned needed, may;
} words_of[] = {
	[LIFETIME_EXPONENTIAL] = { MEAN | MEDIAN, 0, 0 },
	[LIFETIME_WEIBULL] = { SCALE | MEDIAN, SHAPE, 0 }, /* its mean takes a gamma function */
	[LIFETIME_LOGNORMAL] = { MEDIAN | MEAN, SIGMA, 0 },
	[LIFETIME_DIURNAL] = { FOR, FROM, JITTER },
};

static unsigned
word_of(const char *text)
{
	static const char *const names[] = { "mean", "median", "scale", "for", "shape", "sigma",
		"from", "jitter" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0)
			return 1U << i;
	}
	return 0;
}

static bool
set_word(struct lifetime *l, unsigned word, const char *value)
{
	switch (word) {
	case SHAPE:
	case SIGMA:
		return thousandths(value, &l->shape);
	case FROM:
		return units_duration(value, &l->from) && l->from < DAYS(1);
	case JITTER:
		return units_duration(value, &l->jitter) && l->jitter < HOURS(12);
	case FOR:
		return units_duration(value, &l->scale) && l->scale <= DAYS(1);
	default:
		return units_duration(value, &l->scale);
	}
}

/* From what was said of the length to what draws are made of. */
static uint64_t
scale_of(const struct lifetime *l, unsigned word)
{
	int64_t shape = l->shape;

	if (l->kind == LIFETIME_EXPONENTIAL && word == MEDIAN) /* ln 2 of its mean */
		return (uint64_t)(((unsigned __int128)l->scale << 32) / LN2);
	if (l->kind == LIFETIME_WEIBULL && word == MEDIAN) /* scale · (ln 2)^(1/shape) */
		return scaled(l->scale, (int64_t)((__int128)LOG2_1_LN2 * 1000 / shape));
	if (l->kind == LIFETIME_LOGNORMAL && word == MEAN) /* median · e^(sigma²/2) */
		return scaled(l->scale, -(int64_t)((__int128)shape * shape * LOG2_E / 2000000));
	return l->scale;
}

static bool
parse_pairs(struct lifetime *l, char *const *w, size_t count)
{
	unsigned length = words_of[l->kind].length, needed = words_of[l->kind].needed;
	unsigned left = length | needed | words_of[l->kind].may, seen = 0;

	for (size_t i = 1; i + 1 < count; i += 2) {
		unsigned word = word_of(w[i]);

		if ((left & word) == 0 || !set_word(l, word, w[i + 1]))
			return false;
		left &= ~((length & word) != 0 ? length : word);
		seen |= word;
	}
	if (count % 2 == 0 || (seen & length) == 0 || (seen & needed) != needed || l->scale < LEAST)
		return false;
	l->scale = scale_of(l, seen & length);
	return l->scale >= LEAST;
}

int
lifetime_parse(const char *text, struct lifetime *out, char *error)
{
	static const char *const kinds[] = { "none", "fixed", "exponential", "weibull", "lognormal",
		"diurnal", "trace" };
	char copy[LIFETIME_TEXT_MAX], *words[WORDS], *save = NULL;
	struct lifetime l = { .kind = LIFETIME_NONE };
	size_t count = 0, kind = 0;

	if (strlen(text) >= sizeof(copy))
		return wrong(error);
	strcpy(copy, text);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (count == WORDS)
			return wrong(error);
		words[count++] = w;
	}
	while (count > 0 && kind < ARRAY_LEN(kinds) && strcmp(words[0], kinds[kind]) != 0)
		kind++;
	if (count == 0 || kind == ARRAY_LEN(kinds))
		return wrong(error);
	l.kind = (enum lifetime_kind)kind;
	if (l.kind == LIFETIME_NONE && count > 1)
		return wrong(error);
	if (l.kind == LIFETIME_FIXED && (count != 2 || !units_duration(words[1], &l.scale)))
		return wrong(error);
	if (l.kind == LIFETIME_TRACE) {
		if (count != 2 || strlen(words[1]) >= sizeof(l.trace_name))
			return wrong(error);
		strcpy(l.trace_name, words[1]);
	} else if (l.kind > LIFETIME_FIXED && !parse_pairs(&l, words, count)) {
		return wrong(error);
	}
	*out = l;
	return ERR_OK;
}

/* Digits, then space or the end. */
static bool
trace_number(const char **at, uint32_t *out)
{
	const char *text = *at;
	uint64_t v = 0;

	for (; *text >= '0' && *text <= '9' && v <= UINT32_MAX; text++)
		v = v * 10 + (uint64_t)(*text - '0');
	if (text == *at || v > UINT32_MAX || strchr(SPACE, *text) == NULL)
		return false;
	*at = text;
	*out = (uint32_t)v;
	return true;
}

int
lifetime_trace_parse(const char *text, struct lifetime *l, char *error)
{
	size_t cap = 0;

	for (text += strspn(text, SPACE); *text != '\0'; text += strspn(text, SPACE)) {
		uint32_t v;

		if (l->trace_count == LIFETIME_TRACE_MAX || !trace_number(&text, &v)) {
			(void)snprintf(error, LIFETIME_TEXT_MAX,
			    "number %zu of the trace is no count of seconds, or there are over a "
			    "million",
			    l->trace_count + 1);
			lifetime_fini(l);
			return ERR_INVALID;
		}
		if (l->trace_count == cap) {
			cap = cap == 0 ? 256 : 2 * cap;
			l->trace = realloc(l->trace, cap * sizeof(*l->trace));
			must(l->trace != NULL);
		}
		l->trace[l->trace_count++] = v;
	}
	if (l->trace_count > 0)
		return ERR_OK;
	(void)snprintf(error, LIFETIME_TEXT_MAX, "the trace is empty");
	return ERR_INVALID;
}

void
lifetime_fini(struct lifetime *l)
{
	free(l->trace);
	l->trace = NULL;
	l->trace_count = 0;
}
