/*
 * How long something lasts: sessions, absences, lives. Distributions as text and as draws, in
 * integers only, so that a run replays on any machine.
 *
 *	none                                  it does not end
 *	fixed 2h
 *	exponential mean 3h | median 2h       without memory
 *	weibull scale 3h | median 2h shape 0.6   many short, few very long (shape below 1)
 *	lognormal median 2h | mean 4h sigma 1.2
 *	diurnal from 8h for 10h jitter 1h     on by day, by the clock of the place
 *	trace FILE                            a file of lengths in seconds, drawn at random
 *
 * Shapes as in studies of peers' uptimes: Stutzbach and Rejaie, "Understanding churn in
 * peer-to-peer networks", 2006.
 */
#ifndef SIM_LIFETIME_H
#define SIM_LIFETIME_H

#include "sim/random.h"

#define LIFETIME_RIGHT                                                                             \
	"none, fixed 2h, exponential mean 3h (or median 2h), weibull scale 3h (or median 2h) "     \
	"shape 0.6, lognormal median 2h (or mean 4h) sigma 1.2, diurnal from 8h for 10h "          \
	"(and jitter 1h), or trace FILE"
#define LIFETIME_TEXT_MAX  256
#define LIFETIME_TRACE_MAX 1000000

enum lifetime_kind {
	LIFETIME_NONE,
	LIFETIME_FIXED,
	LIFETIME_EXPONENTIAL,
	LIFETIME_WEIBULL,
	LIFETIME_LOGNORMAL,
	LIFETIME_DIURNAL,
	LIFETIME_TRACE,
};

struct lifetime { /* zero: none */
	enum lifetime_kind kind;
	uint64_t scale;        /* ns: fixed, mean, Weibull's scale, median, length of the day */
	uint32_t shape;        /* in thousandths: Weibull's shape, sigma */
	uint64_t from, jitter; /* diurnal: ns since midnight there */
	char trace_name[128];
	uint32_t *trace; /* owned: seconds */
	size_t trace_count;
};

/* ERR_INVALID: error (may be NULL, else LIFETIME_TEXT_MAX) says what would be right. */
int lifetime_parse(const char *text, struct lifetime *out, char *error);
/* The text of the file that trace_name names: whole seconds, digits only, between white space. */
int lifetime_trace_parse(const char *text, struct lifetime *l, char *error);
void lifetime_fini(struct lifetime *l);

/*
 * A draw in ns, at least a second. now_ns: since the beginning of the day in Greenwich on which a
 * run begins; zone_minutes: east of it. Not for LIFETIME_NONE.
 */
uint64_t lifetime_draw(
    const struct lifetime *l, struct sim_random *r, uint64_t now_ns, int zone_minutes);

/*
 * What is left, in ns, of one that is under way at a moment that has nothing to do with it. A long
 * one is met more often than a short one: the rest of an exponential is as long as a whole one, and
 * not half of it. A diurnal one is not met at night: a second is left.
 */
uint64_t lifetime_rest(
    const struct lifetime *l, struct sim_random *r, uint64_t now_ns, int zone_minutes);

/*
 * Whether somebody whose sessions and absences take turns is met in a session, likewise: as likely
 * as sessions take of the time in the mean. By a diurnal one the hour says it. Where either does
 * not end, or there are no absences, everybody is.
 */
bool lifetime_met(const struct lifetime *session, const struct lifetime *absence,
    struct sim_random *r, uint64_t now_ns, int zone_minutes);

/* ---- fixed point, for tests too: 32 bits behind the point ---- */
int64_t fixed_log2(uint64_t v); /* of v as a whole number, v > 0 */
uint64_t fixed_exp2(int64_t v); /* 2^v rounded to a whole number; UINT64_MAX when over */
#define FIXED_ONE (INT64_C(1) << 32)

#endif
