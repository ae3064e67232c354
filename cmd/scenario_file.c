/* Items go to scenario_set() one by one; the first that is refused ends the reading. */
#include "cmd/scenario_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/config_ini.h"
#include "cmd/say.h"
#include "overlay/base/err.h"

#define TRACE_BYTES_MAX MIB(16) /* a million sessions */

struct loading {
	struct scenario *scenario;
	char error[SCENARIO_ERROR_MAX];
	unsigned line;
};

static bool
on_item(void *arg, const struct ini_item *item)
{
	struct loading *l = arg;

	l->line = item->line;
	return scenario_set(l->scenario, item->section, item->key, item->value, l->error) == ERR_OK;
}

static int
read_items(const char *command, const char *path, FILE *f, struct scenario *s)
{
	struct loading l = { .scenario = s };
	char why[INI_ERROR_MAX];
	unsigned line = 0;
	int err = ini_read(f, true, on_item, &l, &line, why);

	if (err == ERR_CANCELED) {
		say_error(command, "%s, line %u: %s", path, l.line, l.error);
		return ERR_INVALID;
	}
	if (err == ERR_INVALID)
		say_error(command, "%s, line %u: %s", path, line, why);
	else if (err != ERR_OK)
		say_error(command, "cannot read %s: %s", path, err_text(err));
	return err;
}

/* The text of the file beside the scenario that a lifetime names. gives; NULL: told. */
static char *
read_beside(const char *command, const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash == NULL || name[0] == '/' ? 0 : (size_t)(slash - path) + 1;
	char *full = malloc(dir + strlen(name) + 1), *text = NULL;
	FILE *f = NULL;
	size_t len = 0;

	if (full == NULL)
		return NULL;
	memcpy(full, path, dir);
	strcpy(full + dir, name);
	f = fopen(full, "re");
	if (f == NULL) {
		say_error(command, "cannot open the trace %s: %s", full, strerror(errno));
		goto out;
	}
	text = malloc(TRACE_BYTES_MAX + 1);
	if (text != NULL)
		len = fread(text, 1, TRACE_BYTES_MAX + 1, f);
	if (text == NULL || ferror(f) || len > TRACE_BYTES_MAX) {
		say_error(command, "cannot read the trace %s, or it is over 16 MiB", full);
		free(text);
		text = NULL;
		goto out;
	}
	text[len] = '\0';
out:
	if (f != NULL)
		(void)fclose(f);
	free(full);
	return text;
}

static int
load_trace(const char *command, const char *path, struct lifetime *l)
{
	char error[SCENARIO_ERROR_MAX];
	char *text;
	int err;

	if (l->kind != LIFETIME_TRACE)
		return ERR_OK;
	text = read_beside(command, path, l->trace_name);
	if (text == NULL)
		return ERR_IO;
	err = lifetime_trace_parse(text, l, error);
	if (err != ERR_OK)
		say_error(command, "%s: %s", l->trace_name, error);
	free(text);
	return err;
}

int
scenario_load(const char *command, const char *path, struct scenario *out)
{
	FILE *f = fopen(path, "re");
	int err;

	scenario_init(out);
	if (f == NULL) {
		say_error(command, "cannot open %s: %s", path, strerror(errno));
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	}
	err = read_items(command, path, f, out);
	(void)fclose(f);
	return err;
}

int
scenario_ready(const char *command, const char *path, uint64_t span, struct scenario *s)
{
	char error[SCENARIO_ERROR_MAX];
	int err = scenario_check(s, error);

	if (err == ERR_OK)
		err = scenario_fits(s, span, error);
	if (err != ERR_OK) {
		say_error(command, "%s: %s", path, error);
		return err;
	}
	err = load_trace(command, path, &s->session);
	if (err == ERR_OK)
		err = load_trace(command, path, &s->absence);
	if (err == ERR_OK)
		err = load_trace(command, path, &s->life);
	if (err != ERR_OK)
		scenario_unload(s);
	return err;
}

void
scenario_unload(struct scenario *s)
{
	lifetime_fini(&s->session);
	lifetime_fini(&s->absence);
	lifetime_fini(&s->life);
}
