/*
 * JSON for machines: what --json prints and what goes over a node's local socket. The only file
 * that sees jansson is json.c.
 *
 * Building never fails on the way: a tree that ran out of memory says so when it is printed. Text
 * that is no UTF-8 (names of files) is carried with '?' for each wrong byte.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include "overlay/base/buf.h"
#include "overlay/base/types.h"

struct json_value; /* an object, an array or a plain value */

/* ---- building: every value given to another is taken by it ---- */
struct json_value *json_make_object(void); /* gives */
struct json_value *json_make_array(void);
void json_put_text(struct json_value *o, const char *name, const char *text);
/* A key, an id, or the first bytes of one, as hexadecimal digits. */
void json_put_hex(struct json_value *o, const char *name, const void *data, size_t len);
#define JSON_HEX_MAX 32
void json_put_number(struct json_value *o, const char *name, uint64_t v); /* ≤ 2^53 is exact */
void json_put_signed(struct json_value *o, const char *name, int64_t v);
void json_put_real(struct json_value *o, const char *name, double v);
void json_put_flag(struct json_value *o, const char *name, bool v);
void json_put_null(struct json_value *o, const char *name);
void json_put_value(struct json_value *o, const char *name, struct json_value *v); /* takes */
void json_add_text(struct json_value *array, const char *text);
void json_add_number(struct json_value *array, uint64_t v);
void json_add_value(struct json_value *array, struct json_value *v); /* takes */
void json_free(struct json_value *v);

/* One line without newline, appended. ERR_NOMEM, ERR_TOO_BIG (out->max). */
int json_print(const struct json_value *v, struct buf *out);
/* Prints one line to stdout and flushes it; takes v. ERR_NOMEM, ERR_IO. */
int json_say(struct json_value *v);

/* ---- reading ---- */
/* ERR_INVALID: no JSON object (duplicate names and trailing text are refused). */
int json_parse(const char *text, size_t len, struct json_value **out); /* gives */
/* Lent, as long as o lives; NULL: not there, or of another kind. */
const char *json_text(const struct json_value *o, const char *name);
const struct json_value *json_child(const struct json_value *o, const char *name);
uint64_t json_number(const struct json_value *o, const char *name); /* 0 where there is none */
int64_t json_signed(const struct json_value *o, const char *name);
bool json_flag(const struct json_value *o, const char *name);
size_t json_count(const struct json_value *array); /* 0: no array */
const struct json_value *json_at(const struct json_value *array, size_t i);

const char *json_library(void);

#endif
