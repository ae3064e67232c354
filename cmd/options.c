/*
 * argv in, fields of structs out. Options are looked up in the groups in order; each remembers
 * whether it was seen, so that a list is emptied once and a single value is not given twice without
 * a word. The first thing wrong stops the parsing.
 */
#include "cmd/options.h"

#include <stdio.h>
#include <string.h>

/* Of all tables of one command: the node's settings are the most. */
#define OPTIONS_SEEN_MAX 128

struct parser {
	const struct option_group *groups;
	size_t groups_count;
	bool seen[OPTIONS_SEEN_MAX];
	char *error;
};

const struct option *
options_find(const struct option *table, const char *name)
{
	for (const struct option *o = table; o->name != NULL; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

bool
options_set(const struct option *o, void *target, const char *text, bool first)
{
	void *field = (char *)target + o->offset;

	if (o->list && first)
		(void)o->set(field, NULL);
	return o->set(field, text);
}

/* Finds by name (len letters) or by letter; *slot is its number over all groups. */
static const struct option *
find(const struct parser *p, const char *name, size_t len, char letter, void **target, size_t *slot)
{
	size_t n = 0;

	for (size_t g = 0; g < p->groups_count; g++) {
		for (const struct option *o = p->groups[g].options; o->name != NULL; o++, n++) {
			bool hit = name != NULL
				       ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
				       : o->letter != 0 && o->letter == letter;

			if (!hit)
				continue;
			must(n < OPTIONS_SEEN_MAX);
			*target = p->groups[g].target;
			*slot = n;
			return o;
		}
	}
	return NULL;
}

static int
wrong(struct parser *p, const char *fmt, const char *a, const char *b, const char *c)
{
	/* The formats are this file's own literals. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(p->error, OPTIONS_ERROR_MAX, fmt, a, b, c);
#pragma GCC diagnostic pop
	return ERR_INVALID;
}

static int
store(struct parser *p, const struct option *o, void *target, size_t slot, const char *text)
{
	bool first = !p->seen[slot];

	if (!first && !o->list)
		return wrong(p, "--%s is given twice%s%s", o->name, "", "");
	p->seen[slot] = true;
	if (options_set(o, target, text, first))
		return ERR_OK;
	return wrong(
	    p, "--%s \"%.100s\" is not possible; right would be %s", o->name, text, o->right);
}

/* "--no-NAME" of a switch. */
static const struct option *
find_denied(const struct parser *p, const char *name, size_t len, void **target, size_t *slot)
{
	const struct option *o = NULL;

	if (len > 3 && memcmp(name, "no-", 3) == 0)
		o = find(p, name + 3, len - 3, 0, target, slot);
	return o != NULL && o->value == NULL ? o : NULL;
}

/* arg starts with "--" and a letter. *used counts the words taken. */
static int
parse_long(struct parser *p, const char *arg, const char *next, int *used)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals != NULL ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
	void *target;
	size_t slot;
	const struct option *o = find(p, arg + 2, len, 0, &target, &slot);

	*used = 1;
	if (len == 4 && memcmp(arg + 2, "help", 4) == 0)
		return ERR_END;
	if (o == NULL) {
		o = find_denied(p, arg + 2, len, &target, &slot);
		if (o != NULL && equals == NULL)
			return store(p, o, target, slot, "no");
		return wrong(p, "there is no option %.60s%s%s", arg, "", "");
	}
	if (o->value == NULL) {
		if (equals != NULL)
			return wrong(p, "--%s takes no value%s%s", o->name, "", "");
		return store(p, o, target, slot, "yes");
	}
	if (equals != NULL)
		return store(p, o, target, slot, equals + 1);
	if (next == NULL)
		return wrong(p, "--%s needs a value: %s%s", o->name, o->right, "");
	*used = 2;
	return store(p, o, target, slot, next);
}

static int
parse_short(struct parser *p, const char *arg, const char *next, int *used)
{
	void *target;
	size_t slot;
	const struct option *o = find(p, NULL, 0, arg[1], &target, &slot);

	*used = 1;
	if (arg[1] == 'h' && arg[2] == '\0' && o == NULL)
		return ERR_END;
	if (o == NULL || (o->value == NULL && arg[2] != '\0'))
		return wrong(p, "there is no option %.60s%s%s", arg, "", "");
	if (o->value == NULL)
		return store(p, o, target, slot, "yes");
	if (arg[2] != '\0')
		return store(p, o, target, slot, arg + 2);
	if (next == NULL)
		return wrong(p, "%.2s needs a value: %s%s", arg, o->right, "");
	*used = 2;
	return store(p, o, target, slot, next);
}

/* Whether the first word of a line is one of those in a text. */
static bool
goes_with(const char *words, const char *first)
{
	size_t len;

	for (; *words != '\0'; words += len + strspn(words + len, " ")) {
		len = strcspn(words, " ");
		if (strncmp(first, words, len) == 0 &&
		    (first[len] == '\0' || words[len - 1] == '/'))
			return true;
	}
	return false;
}

/* The word is known only at the end, as options may stand before it. It may be a secret link. */
static int
check_words(struct parser *p, const char *first)
{
	size_t n = 0;

	for (size_t g = 0; g < p->groups_count; g++) {
		for (const struct option *o = p->groups[g].options; o->name != NULL; o++, n++) {
			if (p->seen[n] && o->with != NULL && !goes_with(o->with, first))
				return wrong(p, "--%s goes with %s only%s", o->name, o->with, "");
		}
	}
	return ERR_OK;
}

int
options_parse(const struct option_group *groups, size_t count, int argc, char *const *argv,
    struct operands *operands, char error[OPTIONS_ERROR_MAX])
{
	struct parser p = { .groups = groups, .groups_count = count, .error = error };
	bool ended = false;

	operands->count = 0;
	for (int i = 0; i < argc;) {
		const char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		int used = 1, err = ERR_OK;

		if (!ended && strcmp(arg, "--") == 0) {
			ended = true;
		} else if (!ended && arg[0] == '-' && arg[1] == '-') {
			err = parse_long(&p, arg, next, &used);
		} else if (!ended && arg[0] == '-' && arg[1] != '\0') {
			err = parse_short(&p, arg, next, &used);
		} else if (operands->count == OPERANDS_MAX) {
			err = wrong(&p, "too many words%s%s%s", "", "", "");
		} else {
			operands->text[operands->count++] = arg;
		}
		if (err != ERR_OK)
			return err;
		i += used;
	}
	return check_words(&p, operands->count > 0 ? operands->text[0] : "");
}
