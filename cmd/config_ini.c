/*
 * inih hands over keys and values, but neither where they stood nor whether a line was cut; so it
 * reads through a function of ours that counts lines and measures them.
 */
#include "cmd/config_ini.h"

#include <ini.h>
#include <string.h>

#include "overlay/base/err.h"

struct reading {
	FILE *file;
	bool (*each)(void *arg, const struct ini_item *item);
	void *arg;
	unsigned line;
	bool too_long, refused, section;
	bool sections; /* are welcome */
};

static char *
read_line(char *out, int cap, void *stream)
{
	struct reading *r = stream;
	size_t len;

	if (r->too_long || r->refused || r->section || fgets(out, cap, r->file) == NULL)
		return NULL;
	r->line++;
	/* Sections would be skipped without a word, and with them nothing of ours is meant. */
	r->section = !r->sections && out[strspn(out, " \t")] == '[';
	if (r->section)
		return NULL;
	len = strlen(out);
	if (len == (size_t)cap - 1 && out[len - 1] != '\n') {
		int next = fgetc(r->file);

		if (next != EOF) {
			r->too_long = true;
			return NULL;
		}
	}
	return out;
}

static int
on_item(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	struct ini_item item = { r->line, section, key, value };

	if (r->refused)
		return 0;
	r->refused = !r->each(r->arg, &item);
	return !r->refused;
}

int
ini_read(FILE *f, bool sections, bool (*each)(void *arg, const struct ini_item *item), void *arg,
    unsigned *line, char error[INI_ERROR_MAX])
{
	struct reading r = { .file = f, .each = each, .arg = arg, .sections = sections };
	int result = ini_parse_stream(read_line, &r, on_item, &r);

	*line = r.line;
	if (r.refused)
		return ERR_CANCELED;
	if (r.too_long) {
		(void)snprintf(error, INI_ERROR_MAX,
		    "the line is longer than %d characters; a list has one item per line",
		    INI_LINE_MAX);
		return ERR_INVALID;
	}
	if (r.section) {
		(void)snprintf(error, INI_ERROR_MAX,
		    "there is a section; right would be a file without sections");
		return ERR_INVALID;
	}
	if (result > 0) {
		*line = (unsigned)result;
		(void)snprintf(error, INI_ERROR_MAX,
		    "neither \"key = value\" nor a comment (comments start with ; or #)");
		return ERR_INVALID;
	}
	/* Reading that failed looks like the end: a directory would be an empty file. */
	if (ferror(f))
		return ERR_IO;
	return result == 0 ? ERR_OK : ERR_NOMEM;
}

const char *
ini_library(void)
{
	return "inih";
}
