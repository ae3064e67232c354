/*
 * Writing HTML and SVG: text is escaped, numbers get the same bytes everywhere. Errors stick, so
 * a page is written straight on and asked once in the end. Not for input: nothing is parsed.
 */
#ifndef SIM_HTML_H
#define SIM_HTML_H

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

struct html {
	struct buf *out; /* lent */
	int err;         /* the first: ERR_TOO_BIG (out->max), ERR_NOMEM; later writes do nothing */
};

/* As is: markup of our own. The format must not be given text from outside. */
void html_put(struct html *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void html_raw(struct html *h, const char *markup); /* of any length */
/* Escaped; control characters and what is no UTF-8 become U+FFFD. For text and attributes. */
void html_text(struct html *h, const char *text);

/* Numbers for people. Each gives back out. */
#define HTML_NUMBER_MAX 48
const char *html_count(uint64_t v, char out[HTML_NUMBER_MAX]); /* "12,345" */
const char *html_time(uint64_t ns, char out[HTML_NUMBER_MAX]); /* "8.3 ms", "212 ms", "2.42 s" */
const char *html_span(
    uint64_t ns, char out[HTML_NUMBER_MAX]); /* "30 s", "13.5 min", "2.3 h", "4 d" */
const char *html_ms(uint64_t ns, char out[HTML_NUMBER_MAX]); /* "8.3", "2,416" */
/* As an option takes it, exact: "24", "90m", "5400s", "1500ms". */
const char *html_hours(uint64_t ns, char out[HTML_NUMBER_MAX]);
/* "99.85 %"; never rounded to 0 or 100 % unless it is; "–" of none. */
const char *html_share(uint64_t part, uint64_t whole, char out[HTML_NUMBER_MAX]);
const char *html_bytes(double bytes, char out[HTML_NUMBER_MAX]); /* "31.2 KiB" */

#endif
