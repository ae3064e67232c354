/* The adapter of jansson for documents that are read. */
#include "gateway/js.h"

#include <jansson.h>
#include <stdio.h>

static json_t *
of(const struct js *v)
{
	return (json_t *)(uintptr_t)v;
}

/* Reads brackets as the parser does, up to the first mistake; behind it the parser is not. */
static bool
too_deep(struct bytes text)
{
	bool in_text = false;
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (in_text && c == '\\')
			i++;
		else if (c == '"')
			in_text = !in_text;
		else if (!in_text && (c == '[' || c == '{') && ++depth > JS_DEPTH_MAX)
			return true;
		else if (!in_text && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return false;
}

int
js_parse(struct bytes text, struct js **out)
{
	json_error_t error;
	json_t *v;

	/* jansson itself goes 2048 levels down, each on the stack. */
	if (too_deep(text))
		return ERR_TOO_BIG;
	v = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	if (v == NULL)
		return ERR_INVALID;
	*out = (struct js *)(void *)v;
	return ERR_OK;
}

void
js_free(struct js *root)
{
	if (root != NULL)
		json_decref(of(root));
}

bool
js_is_object(const struct js *v)
{
	return v != NULL && json_is_object(of(v));
}

bool
js_is_array(const struct js *v)
{
	return v != NULL && json_is_array(of(v));
}

const char *
js_text(const struct js *v)
{
	return v == NULL ? NULL : json_string_value(of(v));
}

const char *
js_scalar(const struct js *v, char scratch[32])
{
	const json_t *j = of(v);

	if (v == NULL)
		return NULL;
	if (json_is_boolean(j))
		return json_is_true(j) ? "true" : "false";
	if (json_is_integer(j)) {
		(void)snprintf(scratch, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
		return scratch;
	}
	return json_string_value(j);
}

const struct js *
js_member(const struct js *v, const char *name)
{
	return v == NULL ? NULL : (const struct js *)(void *)json_object_get(of(v), name);
}

size_t
js_count(const struct js *v)
{
	if (v == NULL)
		return 0;
	return json_is_array(of(v)) ? json_array_size(of(v)) : json_object_size(of(v));
}

const struct js *
js_at(const struct js *v, size_t i)
{
	return v == NULL ? NULL : (const struct js *)(void *)json_array_get(of(v), i);
}

const struct js *
js_named(const struct js *v, size_t i, const char **name)
{
	void *at = v == NULL ? NULL : json_object_iter(of(v));

	for (; at != NULL && i > 0; i--)
		at = json_object_iter_next(of(v), at);
	if (at == NULL)
		return NULL;
	*name = json_object_iter_key(at);
	return (const struct js *)(void *)json_object_iter_value(at);
}
