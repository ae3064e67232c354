/*
 * JSON from strangers, to be read: policies. By jansson; at most JS_DEPTH_MAX deep, and a name
 * twice in one object is refused. cmd/json.h is for what we write ourselves.
 */
#ifndef GATEWAY_JS_H
#define GATEWAY_JS_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

/* A policy has six; a level takes some hundred bytes of the stack of the task that reads it. */
#define JS_DEPTH_MAX 32

struct js; /* a value; lent by its document */

/* ERR_INVALID; ERR_TOO_BIG: it is deeper. gives */
int js_parse(struct bytes text, struct js **out);
void js_free(struct js *root);

bool js_is_object(const struct js *v);
bool js_is_array(const struct js *v);
/* A string's text; NULL: it is none, or has a NUL. */
const char *js_text(const struct js *v);
/* A string, number or truth value as text, as policies compare them; NULL. */
const char *js_scalar(const struct js *v, char scratch[32]);
/* A member of an object, NULL: none. */
const struct js *js_member(const struct js *v, const char *name);
/* Elements of an array, members of an object. */
size_t js_count(const struct js *v);
const struct js *js_at(const struct js *v, size_t i);
/* Member i of an object, in some order; its name. */
const struct js *js_named(const struct js *v, size_t i, const char **name);

#endif
