/*
 * A thin coat over jansson. A failed allocation leaves a NULL behind, which every function
 * accepts, and a mark in the object that lost something; json_print refuses such a tree.
 */
#include "cmd/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"

/* A name that no value of ours has. */
#define LOST "\x01lost"

static json_t *
tree(const struct json_value *v)
{
	return (json_t *)(void *)(uintptr_t)v;
}

static struct json_value *
value(json_t *v)
{
	return (struct json_value *)(void *)v;
}

struct json_value *
json_make_object(void)
{
	return value(json_object());
}

struct json_value *
json_make_array(void)
{
	return value(json_array());
}

void
json_put_value(struct json_value *o, const char *name, struct json_value *v)
{
	if (json_object_set_new(tree(o), name, tree(v)) != 0 && o != NULL)
		(void)json_object_set_new(tree(o), LOST, json_null());
}

/* Text as it is, or with '?' where it is no UTF-8. */
static json_t *
make_text(const char *text)
{
	json_t *v = json_string(text);
	char *copy;

	if (v != NULL)
		return v;
	copy = strdup(text);
	if (copy == NULL)
		return NULL;
	for (char *c = copy; *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	v = json_string(copy);
	free(copy);
	return v;
}

void
json_put_text(struct json_value *o, const char *name, const char *text)
{
	json_put_value(o, name, value(make_text(text)));
}

void
json_put_hex(struct json_value *o, const char *name, const void *data, size_t len)
{
	char text[2 * JSON_HEX_MAX + 1];

	must(len <= JSON_HEX_MAX);
	hex_encode(text, data, len);
	json_put_text(o, name, text);
}

/* JSON has no 64-bit numbers without sign; what is larger stands for "without end". */
static json_t *
make_number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

void
json_put_number(struct json_value *o, const char *name, uint64_t v)
{
	json_put_value(o, name, value(make_number(v)));
}

void
json_put_signed(struct json_value *o, const char *name, int64_t v)
{
	json_put_value(o, name, value(json_integer(v)));
}

void
json_put_real(struct json_value *o, const char *name, double v)
{
	json_put_value(o, name, value(json_real(v)));
}

void
json_put_flag(struct json_value *o, const char *name, bool v)
{
	json_put_value(o, name, value(json_boolean(v)));
}

void
json_put_null(struct json_value *o, const char *name)
{
	json_put_value(o, name, value(json_null()));
}

/* An array that lost an item gets a null, which no array of ours holds. */
void
json_add_value(struct json_value *array, struct json_value *v)
{
	if (json_array_append_new(tree(array), tree(v)) != 0 && array != NULL)
		(void)json_array_append_new(tree(array), json_null());
}

void
json_add_text(struct json_value *array, const char *text)
{
	json_add_value(array, value(make_text(text)));
}

void
json_add_number(struct json_value *array, uint64_t v)
{
	json_add_value(array, value(make_number(v)));
}

void
json_free(struct json_value *v)
{
	json_decref(tree(v));
}

/* Whether nothing was lost on the way. */
static bool
whole(json_t *v)
{
	const char *name;
	json_t *child;
	size_t i;

	if (v == NULL)
		return false;
	if (json_is_object(v) && json_object_get(v, LOST) != NULL)
		return false;
	json_object_foreach(v, name, child)
	{
		if ((json_is_object(child) || json_is_array(child)) && !whole(child))
			return false;
	}
	json_array_foreach(v, i, child)
	{
		if (json_is_null(child) || !whole(child))
			return false;
	}
	return true;
}

static int
append(const char *text, size_t len, void *arg)
{
	return buf_append(arg, text, len) == ERR_OK ? 0 : -1;
}

int
json_print(const struct json_value *v, struct buf *out)
{
	if (!whole(tree(v)))
		return ERR_NOMEM;
	if (json_dump_callback(tree(v), append, out, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0)
		return ERR_TOO_BIG;
	return ERR_OK;
}

int
json_say(struct json_value *v)
{
	int err = ERR_OK;

	if (!whole(tree(v)))
		err = ERR_NOMEM;
	else if (json_dumpf(tree(v), stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0 ||
		 putchar('\n') == EOF || fflush(stdout) != 0)
		err = ERR_IO;
	json_free(v);
	return err;
}

int
json_parse(const char *text, size_t len, struct json_value **out)
{
	json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(v)) {
		json_decref(v);
		return ERR_INVALID;
	}
	*out = value(v);
	return ERR_OK;
}

const char *
json_text(const struct json_value *o, const char *name)
{
	return json_string_value(json_object_get(tree(o), name));
}

const struct json_value *
json_child(const struct json_value *o, const char *name)
{
	return value(json_object_get(tree(o), name));
}

int64_t
json_signed(const struct json_value *o, const char *name)
{
	return json_integer_value(json_object_get(tree(o), name));
}

uint64_t
json_number(const struct json_value *o, const char *name)
{
	int64_t v = json_signed(o, name);

	return v < 0 ? 0 : (uint64_t)v;
}

bool
json_flag(const struct json_value *o, const char *name)
{
	return json_is_true(json_object_get(tree(o), name));
}

size_t
json_count(const struct json_value *array)
{
	return json_array_size(tree(array));
}

const struct json_value *
json_at(const struct json_value *array, size_t i)
{
	return value(json_array_get(tree(array), i));
}

const char *
json_library(void)
{
	return "jansson " JANSSON_VERSION;
}
