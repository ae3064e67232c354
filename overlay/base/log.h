/*
 * Lines on stderr for people and journald ("<6>" priority prefixes when
 * JOURNAL_STREAM is set, else time and level). One logger per process or
 * simulated world; it is state, not a global. No secret, link or key may
 * be passed to it. A message that repeats (same format pointer) more than
 * LOG_BURST times in LOG_WINDOW_S seconds is counted and summed up in one line.
 * What peers send may be passed: control characters, bad UTF-8 and characters
 * that reorder text come out as \xNN, so one message is always one line.
 * Call from the loop thread only.
 */
#ifndef OVERLAY_BASE_LOG_H
#define OVERLAY_BASE_LOG_H

#include <stdarg.h>

#include "overlay/base/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_BURST          10 /* one screenful of the same complaint is enough */
#define LOG_WINDOW_S       60
/* Formats watched at a time: more than are ever noisy together. */
#define LOG_FORMATS_MAX    64
/* Longer messages end in "...": no message of ours is meant to reach it. */
#define LOG_LINE_BYTES_MAX 1024

struct log;

/* write receives finished lines without newline; NULL means stderr. */
struct log_opts {
	enum log_level level;
	void (*write)(void *arg, enum log_level level, const char *line);
	void *arg;
	const char *name; /* put before each message when not NULL; copied */
};

struct log *log_new(const struct log_opts *opts); /* gives; NULL: out of memory */
void log_free(struct log *l);                     /* sums up what is still counted */
void log_set_level(struct log *l, enum log_level level);
/* How many were written at this level, also those that were filtered or summed up. l may be NULL.
 */
uint64_t log_count(const struct log *l, enum log_level level);
int log_level_parse(const char *text, enum log_level *out); /* "error|warn|info|debug" */
/* now: monotonic ns, for the rate limit. l may be NULL (dropped). */
void log_write(struct log *l, enum log_level level, uint64_t now, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
