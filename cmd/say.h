/*
 * Sentences for people on stderr. One clear sentence each: what was wrong, where, what would be
 * right. What comes from peers or files goes through say_clean() first.
 */
#ifndef CMD_SAY_H
#define CMD_SAY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* "skerry put: text" and a newline; what is empty or NULL leaves out the command's name. */
void say_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same without the program's name: the result of work that went well. */
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copies text with control characters, broken UTF-8 and characters that reorder text as \xNN, so
 * that it cannot write anywhere but where it is printed. Cut at cap. Gives back out.
 */
const char *say_clean(const char *text, char *out, size_t cap);

/* "1.5 GiB", "17 bytes"; gives back out. */
#define SAY_SIZE_MAX 32
const char *say_size(unsigned long long bytes, char out[SAY_SIZE_MAX]);

/* A time in UTC; "unknown": no calendar has it. Gives back out. */
#define SAY_TIME_MAX 32
enum say_form {
	SAY_MINUTE, /* 2026-11-26 10:42 UTC */
	SAY_SECOND, /* 2026-11-26 10:42:58 UTC */
	SAY_STAMP,  /* 2026-11-26T10:42:58Z */
};
const char *say_time(uint64_t unix_s, enum say_form form, char out[SAY_TIME_MAX]);

/* Why nothing can listen somewhere: ERR_UNSUPPORTED. */
#define SAY_NO_ADDRESS "this machine has no such address"

#endif
