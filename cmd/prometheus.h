/*
 * Numbers in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats):
 * families with HELP and TYPE, samples under them. Names follow its conventions: base units in the
 * name, `_total` for counters and for nothing else. Pure.
 */
#ifndef CMD_PROMETHEUS_H
#define CMD_PROMETHEUS_H

#include "overlay/base/buf.h"
#include "overlay/base/types.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_GAUGE, PROM_COUNTER };

struct prom {
	struct buf *out;  /* lent */
	int err;          /* the first one: ERR_NOMEM, ERR_TOO_BIG; the rest is left out */
	const char *name; /* of the family under way, a literal */
};
struct prom_label {
	const char *name, *value;
};

/* Begins a family; its samples follow. name and help are literals, name is a valid one. */
void prom_family(struct prom *p, enum prom_type type, const char *name, const char *help);
void prom_sample(struct prom *p, const struct prom_label *labels, size_t count, uint64_t value);
/* A sample with one label. */
void prom_by(struct prom *p, const char *label, const char *label_value, uint64_t value);
/* Families of one sample without labels. */
void prom_gauge(struct prom *p, const char *name, const char *help, uint64_t value);
/* Milliseconds, told as seconds. */
void prom_gauge_ms(struct prom *p, const char *name, const char *help, uint64_t value_ms);
void prom_counter(struct prom *p, const char *name, const char *help, uint64_t value);

#endif
