/*
 * The page of a run: one self-contained HTML document with plots (SVG), nothing loaded from
 * anywhere. The same result gives the same bytes. All text that is not ours is escaped.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "overlay/base/buf.h"
#include "sim/result.h"

/* Appends. ERR_TOO_BIG (out->max), ERR_NOMEM. */
int report_html(const struct result *r, struct buf *out);

#endif
