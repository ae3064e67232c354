/*
 * A message is formatted, escaped, put behind the name and given to the
 * writer: one line each. Messages are told apart by the address of their
 * format; each has a window in a small table, and what exceeds the burst is
 * counted until the window ends.
 *
 * Nothing is reported when a line cannot be written: there is nowhere to.
 */
#include "overlay/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "overlay/base/err.h"

#define LOG_NAME_BYTES_MAX    64 /* a world's node or a subcommand, not a sentence */
/* The worst byte becomes four ("\xNN"). */
#define LOG_ESCAPED_BYTES_MAX (4 * LOG_LINE_BYTES_MAX)

struct window {
	const char *fmt; /* NULL: free */
	enum log_level level;
	uint64_t started;
	uint32_t passed;
	uint64_t suppressed;
};

struct log {
	enum log_level level;
	void (*write)(void *arg, enum log_level level, const char *line);
	void *arg;
	bool journal; /* stderr is journald's stream */
	char name[LOG_NAME_BYTES_MAX];
	struct window windows[LOG_FORMATS_MAX];
	uint64_t counts[LOG_DEBUG + 1];
	/* Here and not on the stack, because tasks have small ones. */
	char text[LOG_LINE_BYTES_MAX];
	char line[LOG_NAME_BYTES_MAX + 2 + LOG_ESCAPED_BYTES_MAX + 1];
	char out[LOG_NAME_BYTES_MAX + 2 + LOG_ESCAPED_BYTES_MAX + 64];
};

/* ---- the way to stderr ---- */

/* systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream it gave. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static const char *
level_name(enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	return names[level];
}

static void
write_stderr(void *arg, enum log_level level, const char *line)
{
	static const int priority[] = { 3, 4, 6, 7 }; /* syslog(3) */
	struct log *l = arg;
	int len;

	if (l->journal) {
		len = snprintf(l->out, sizeof(l->out), "<%d>%s\n", priority[level], line);
	} else {
		char when[32];
		time_t now = time(NULL);
		struct tm tm;

		if (gmtime_r(&now, &tm) == NULL ||
		    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
			when[0] = '\0';
		len =
		    snprintf(l->out, sizeof(l->out), "%s %-5s %s\n", when, level_name(level), line);
	}
	must(len > 0 && (size_t)len < sizeof(l->out));

	/* One write per line, so that lines of several processes do not mix. */
	ssize_t n;

	do {
		n = write(STDERR_FILENO, l->out, (size_t)len);
	} while (n < 0 && errno == EINTR);
}

/* ---- text that is safe on a terminal ---- */

/* Length of the well-formed UTF-8 sequence at s (RFC 3629) and its code point; 0 when none. */
static size_t
utf8_at(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (len == 0 || s[0] > 0xf4)
		return 0;
	*code = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) /* also stops at the terminating NUL */
			return 0;
		*code = *code << 6 | (s[i] & 0x3fu);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

/* Control characters, line separators, and marks that reorder what is shown. */
static bool
unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* out has room for four bytes per byte of text, and a NUL. */
static void
escape(char *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		uint32_t code = 0;
		size_t len = utf8_at(s, &code);

		if (len > 0 && !unsafe(code)) {
			memcpy(out, s, len);
			out += len;
			s += len;
			continue;
		}
		for (len = MAX(len, (size_t)1); len > 0; len--)
			out += sprintf(out, "\\x%02x", *s++);
	}
	*out = '\0';
}

/* ---- lines ---- */

static void __attribute__((format(printf, 3, 0)))
emit(struct log *l, enum log_level level, const char *fmt, va_list args)
{
	size_t prefix = 0;
	int len = vsnprintf(l->text, sizeof(l->text), fmt, args);

	if (len < 0) /* a character that the locale cannot print */
		snprintf(l->text, sizeof(l->text), "(unprintable) %s", fmt);
	else if ((size_t)len >= sizeof(l->text))
		memcpy(l->text + sizeof(l->text) - 4, "...", 4);
	if (l->name[0] != '\0')
		prefix = (size_t)snprintf(l->line, sizeof(l->line), "%s: ", l->name);
	escape(l->line + prefix, l->text);
	l->write(l->arg, level, l->line);
}

static void __attribute__((format(printf, 3, 4)))
emitf(struct log *l, enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	emit(l, level, fmt, args);
	va_end(args);
}

static void
close_window(struct log *l, struct window *w)
{
	if (w->fmt != NULL && w->suppressed > 0)
		emitf(l, w->level, "%llu more like: %s", (unsigned long long)w->suppressed, w->fmt);
	*w = (struct window){ 0 };
}

/* The window of a format: the running one, a free one, or the oldest one's place. */
static struct window *
window_of(struct log *l, const char *fmt, uint64_t now)
{
	struct window *found = NULL, *free_one = NULL, *oldest = &l->windows[0];

	for (size_t i = 0; i < LOG_FORMATS_MAX; i++) {
		struct window *w = &l->windows[i];

		if (w->fmt != NULL && now - w->started >= SECONDS(LOG_WINDOW_S))
			close_window(l, w);
		if (w->fmt == NULL)
			free_one = w;
		else if (w->fmt == fmt)
			found = w;
		if (w->started < oldest->started)
			oldest = w;
	}
	if (found != NULL)
		return found;
	if (free_one == NULL) {
		close_window(l, oldest);
		free_one = oldest;
	}
	*free_one = (struct window){ .fmt = fmt, .started = now };
	return free_one;
}

void
log_write(struct log *l, enum log_level level, uint64_t now, const char *fmt, ...)
{
	va_list args;

	if (l == NULL)
		return;
	l->counts[level]++;
	if (level > l->level)
		return;

	struct window *w = window_of(l, fmt, now);

	w->level = level;
	if (w->passed == LOG_BURST) {
		w->suppressed++;
		return;
	}
	w->passed++;
	va_start(args, fmt);
	emit(l, level, fmt, args);
	va_end(args);
}

/* ---- life ---- */

struct log *
log_new(const struct log_opts *opts)
{
	struct log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->level = opts->level;
	l->write = opts->write != NULL ? opts->write : write_stderr;
	l->arg = opts->write != NULL ? opts->arg : l;
	l->journal = opts->write == NULL && stderr_is_journal();
	if (opts->name != NULL)
		snprintf(l->name, sizeof(l->name), "%s", opts->name);
	return l;
}

void
log_free(struct log *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < LOG_FORMATS_MAX; i++)
		close_window(l, &l->windows[i]);
	free(l);
}

void
log_set_level(struct log *l, enum log_level level)
{
	l->level = level;
}

uint64_t
log_count(const struct log *l, enum log_level level)
{
	return l == NULL ? 0 : l->counts[level];
}

int
log_level_parse(const char *text, enum log_level *out)
{
	for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		if (strcmp(text, level_name(level)) == 0) {
			*out = level;
			return ERR_OK;
		}
	}
	return ERR_INVALID;
}
