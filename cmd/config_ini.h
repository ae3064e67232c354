/*
 * Lines "key = value" of a file, by inih; the only file that sees it is config_ini.c. The library
 * reads lines of at most 200 bytes, so lists have one item per line. Comments start with ";" or "#"
 * at the start of a line, or with " ;" behind a value. Settings have no sections, scenarios do.
 */
#ifndef CMD_CONFIG_INI_H
#define CMD_CONFIG_INI_H

#include <stdio.h>

#include "overlay/base/types.h"

#define INI_ERROR_MAX 256
#define INI_LINE_MAX  198 /* of its 200, less newline and NUL */

struct ini_item {
	unsigned line;
	const char *section; /* "" before the first */
	const char *key;
	const char *value;
};

/*
 * Calls each for every item until one returns false. sections: whether there may be any. ERR_OK;
 * ERR_INVALID: a line is no item or too long: *line is its number and error says why; ERR_CANCELED:
 * each has said no; ERR_IO; ERR_NOMEM. Blocks.
 */
int ini_read(FILE *f, bool sections, bool (*each)(void *arg, const struct ini_item *item),
    void *arg, unsigned *line, char error[INI_ERROR_MAX]);

const char *ini_library(void);

#endif
