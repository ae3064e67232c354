/* Inside of the page: its style, and its plots by what they are about. */
#ifndef SIM_REPORT_PRIVATE_H
#define SIM_REPORT_PRIVATE_H

#include "sim/html.h"
#include "sim/result.h"

extern const char report_style[];

struct report_plots; /* the columns of the samples; lends what it reads from the result */

struct report_plots *report_plots_new(const struct result *r); /* gives; NULL: no memory */
void report_plots_free(struct report_plots *p);

void report_plot_members(struct report_plots *p, struct html *h);
void report_plot_lookups(struct report_plots *p, struct html *h);
void report_plot_data(struct report_plots *p, struct html *h);
void report_plot_traffic(struct report_plots *p, struct html *h);

/* A table in its frame; cls: "" or a class attribute with a space before it. */
void report_table_begin(struct html *h, const char *cls, const char *title, const char *note);
void report_table_end(struct html *h);
/* What there is no plot for: tables of figures. */
void report_table_paths(const struct result *r, struct html *h);
/* What became of the chunks, beside what arithmetic expects; tables. */
void report_keeping(const struct result *r, struct html *h);
void report_tables(const struct result *r, struct html *h);

#endif
