/*
 * Options as tables: what the command line, the configuration file, --help and the generated file
 * know about an option is said once. A table is const; it ends with an entry without a name. Values
 * are checked and stored by the setters of values.h.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stddef.h>

#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define OPTIONS_ERROR_MAX 512
/* No command takes more than one operand and its tail. */
#define OPERANDS_MAX      4

struct option {
	const char *name;  /* "dir": --dir, and the key in the file */
	char letter;       /* 'o': -o; 0: none */
	const char *value; /* what stands for it in help, "DIR"; NULL: a switch */
	const char *help;
	const char *right; /* what would be right, for messages: "a size such as 500G or 1T" */
	/*
	 * Stores text into field, or returns false and leaves it. A list's is called with NULL
	 * first, to empty it. A switch gets "yes", or "no" from --no-NAME.
	 */
	bool (*set)(void *field, const char *text);
	/* The text of value i; false at the end. NULL where nobody writes it into a file. */
	bool (*get)(const void *field, size_t i, char *out, size_t cap);
	size_t offset; /* of the field in the target */
	bool list;     /* may be given several times */
	bool hidden;   /* not for people: left out of help and file */
	/*
	 * First words of the line that it goes with, "new or delegate"; one that ends with '/'
	 * stands for what begins so. NULL: with all. With another word it would be passed over: an
	 * error.
	 */
	const char *with;
};

struct option_group { /* a table and where its values go */
	const struct option *options;
	void *target;
};

struct operands {
	size_t count;
	const char *text[OPERANDS_MAX];
};

/*
 * --name VALUE, --name=VALUE, -o VALUE, -oVALUE, --switch, --no-switch; "--" ends options, "-" is
 * an operand. ERR_INVALID: error says what and what would be right. ERR_END: --help or -h was
 * there.
 */
int options_parse(const struct option_group *groups, size_t count, int argc, char *const *argv,
    struct operands *operands, char error[OPTIONS_ERROR_MAX]);

/* The option with this name in a table; NULL: there is none. */
const struct option *options_find(const struct option *table, const char *name);
/* Sets one option from text, as the parser does; first: it is the first value of a list. */
bool options_set(const struct option *o, void *target, const char *text, bool first);

#endif
