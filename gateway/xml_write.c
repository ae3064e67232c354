/* XML text. What XML 1.0 cannot say (control characters) becomes a character reference all the
 * same, as S3 does it: encoding-type=url is there for clients that need better. */
#include "gateway/xml.h"

#include <inttypes.h>

static void
append(struct xml *x, const char *text, size_t len)
{
	if (x->err == ERR_OK)
		x->err = buf_append(x->out, text, len);
}

static void
append_text(struct xml *x, const char *text)
{
	append(x, text, strlen(text));
}

static void
append_escaped(struct xml *x, struct bytes text)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		const char *escape = c == '&'    ? "&amp;"
				     : c == '<'  ? "&lt;"
				     : c == '>'  ? "&gt;"
				     : c == '"'  ? "&quot;"
				     : c == '\'' ? "&#39;"
						 : NULL;
		char reference[8] = "&#x0;";

		if (escape == NULL && c >= ' ')
			continue;
		if (escape == NULL) {
			static const char hex[] = "0123456789abcdef";

			reference[3] = c < 16 ? hex[c] : '1';
			if (c >= 16) {
				reference[4] = hex[c & 15];
				reference[5] = ';';
				reference[6] = '\0';
			}
			escape = reference;
		}
		append(x, (const char *)text.data + from, i - from);
		append_text(x, escape);
		from = i + 1;
	}
	append(x, (const char *)text.data + from, text.len - from);
}

struct xml
xml_begin(struct buf *out, const char *root, const char *namespace)
{
	struct xml x = { .out = out };

	append_text(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
	append_text(&x, root);
	if (namespace != NULL) {
		append_text(&x, " xmlns=\"");
		append_text(&x, namespace);
		append_text(&x, "\"");
	}
	append_text(&x, ">");
	return x;
}

void
xml_open(struct xml *x, const char *name)
{
	append_text(x, "<");
	append_text(x, name);
	append_text(x, ">");
}

void
xml_close(struct xml *x, const char *name)
{
	size_t len = strcspn(name, " "); /* an open one may have attributes */

	append_text(x, "</");
	append(x, name, len);
	append_text(x, ">");
}

void
xml_put_bytes(struct xml *x, const char *name, struct bytes text)
{
	xml_open(x, name);
	append_escaped(x, text);
	xml_close(x, name);
}

void
xml_put(struct xml *x, const char *name, const char *text)
{
	xml_put_bytes(x, name, bytes_of(text, strlen(text)));
}

void
xml_put_number(struct xml *x, const char *name, uint64_t n)
{
	xml_open(x, name);
	if (x->err == ERR_OK)
		x->err = buf_appendf(x->out, "%" PRIu64, n);
	xml_close(x, name);
}

void
xml_put_bool(struct xml *x, const char *name, bool b)
{
	xml_put(x, name, b ? "true" : "false");
}

void
xml_raw(struct xml *x, const char *text)
{
	append_text(x, text);
}

int
xml_end(struct xml *x, const char *root)
{
	xml_close(x, root);
	return x->err;
}
