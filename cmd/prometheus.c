/* One line at a time; after the first error nothing is written any more. */
#include "cmd/prometheus.h"

#include <inttypes.h>
#include <string.h>

#include "overlay/base/err.h"

#define TOTAL "_total"

static bool
valid_name(const char *name)
{
	size_t letters =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:");

	return letters > 0 && name[letters] == '\0' && (name[0] < '0' || name[0] > '9');
}

static bool
is_total(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(TOTAL) && strcmp(name + len - strlen(TOTAL), TOTAL) == 0;
}

static void
put(struct prom *p, const char *text, size_t len)
{
	if (p->err == ERR_OK)
		p->err = buf_append(p->out, text, len);
}

/* Backslash and newline, and in labels the quote, have a second form each. */
static void
put_escaped(struct prom *p, const char *text, bool quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			put(p, "\\\\", 2);
		else if (*text == '\n')
			put(p, "\\n", 2);
		else if (*text == '"' && quote)
			put(p, "\\\"", 2);
		else
			put(p, text, 1);
	}
}

static void
put_text(struct prom *p, const char *text)
{
	put(p, text, strlen(text));
}

void
prom_family(struct prom *p, enum prom_type type, const char *name, const char *help)
{
	must(valid_name(name) && is_total(name) == (type == PROM_COUNTER));
	p->name = name;
	put_text(p, "# HELP ");
	put_text(p, name);
	put_text(p, " ");
	put_escaped(p, help, false);
	put_text(p, "\n# TYPE ");
	put_text(p, name);
	put_text(p, type == PROM_COUNTER ? " counter\n" : " gauge\n");
}

static void
put_head(struct prom *p, const struct prom_label *labels, size_t count)
{
	put_text(p, p->name);
	for (size_t i = 0; i < count; i++) {
		put_text(p, i == 0 ? "{" : ",");
		put_text(p, labels[i].name);
		put_text(p, "=\"");
		put_escaped(p, labels[i].value, true);
		put_text(p, "\"");
	}
	if (count > 0)
		put_text(p, "}");
}

void
prom_sample(struct prom *p, const struct prom_label *labels, size_t count, uint64_t value)
{
	put_head(p, labels, count);
	if (p->err == ERR_OK)
		p->err = buf_appendf(p->out, " %" PRIu64 "\n", value);
}

void
prom_by(struct prom *p, const char *label, const char *label_value, uint64_t value)
{
	prom_sample(p, &(struct prom_label){ label, label_value }, 1, value);
}

void
prom_gauge(struct prom *p, const char *name, const char *help, uint64_t value)
{
	prom_family(p, PROM_GAUGE, name, help);
	prom_sample(p, NULL, 0, value);
}

void
prom_gauge_ms(struct prom *p, const char *name, const char *help, uint64_t value_ms)
{
	prom_family(p, PROM_GAUGE, name, help);
	put_head(p, NULL, 0);
	if (p->err == ERR_OK)
		p->err = buf_appendf(
		    p->out, " %" PRIu64 ".%03" PRIu64 "\n", value_ms / 1000, value_ms % 1000);
}

void
prom_counter(struct prom *p, const char *name, const char *help, uint64_t value)
{
	prom_family(p, PROM_COUNTER, name, help);
	prom_sample(p, NULL, 0, value);
}
