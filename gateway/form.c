/* What cannot be decided yet waits in one buffer: a part's header, a field, the bytes that may
 * begin the next boundary. */
#define _GNU_SOURCE /* memmem */
#include "gateway/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum form_state { FORM_START, FORM_HEADER, FORM_FIELD, FORM_FILE, FORM_END };

#define HEADER_MAX KIB(8) /* of one part */

struct kept { /* offsets into text */
	size_t name, value;
};

struct form {
	enum form_state state;
	char mark[FORM_BOUNDARY_MAX + 8]; /* "\r\n--boundary" */
	size_t mark_len;
	struct buf hold, text;
	struct kept fields[FORM_FIELDS_MAX];
	size_t count;
	size_t file_name, file_type; /* into text; SIZE_MAX: none */
	size_t given;                /* of hold: lent by the last call, to be dropped by the next */
};

int
form_new(const char *content_type, struct form **out)
{
	static const char type[] = "multipart/form-data";
	const char *b;
	struct form *f;
	size_t len;

	if (content_type == NULL || strncasecmp(content_type, type, sizeof(type) - 1) != 0)
		return ERR_INVALID;
	b = strcasestr(content_type, "boundary=");
	if (b == NULL)
		return ERR_INVALID;
	b += strlen("boundary=");
	if (*b == '"') {
		b++;
		len = strcspn(b, "\"");
	} else {
		len = strcspn(b, "; \t");
	}
	if (len == 0 || len > FORM_BOUNDARY_MAX)
		return ERR_INVALID;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return ERR_NOMEM;
	f->mark_len = (size_t)snprintf(f->mark, sizeof(f->mark), "\r\n--%.*s", (int)len, b);
	f->file_name = f->file_type = SIZE_MAX;
	buf_init(&f->hold, MIB(1)); /* what one call brings, and a boundary */
	buf_init(&f->text, FORM_FIELDS_BYTES + HEADER_MAX);
	*out = f;
	return ERR_OK;
}

void
form_free(struct form *f)
{
	if (f == NULL)
		return;
	buf_fini(&f->hold);
	buf_fini(&f->text);
	free(f);
}

static int
keep(struct form *f, const void *text, size_t len, size_t *offset)
{
	int err;

	if (f->text.len + len + 1 > FORM_FIELDS_BYTES)
		return ERR_TOO_BIG;
	*offset = f->text.len;
	err = buf_append(&f->text, text, len);
	return err == ERR_OK ? buf_append(&f->text, "", 1) : err;
}

/* A parameter of Content-Disposition: name="…". */
static bool
parameter(const char *line, const char *name, const char **value, size_t *len)
{
	size_t name_len = strlen(name);

	for (const char *p = strchr(line, ';'); p != NULL; p = strchr(p, ';')) {
		p++;
		p += strspn(p, " \t");
		if (strncasecmp(p, name, name_len) != 0 || p[name_len] != '=')
			continue;
		p += name_len + 1;
		if (*p == '"') {
			p++;
			*len = strcspn(p, "\"");
		} else {
			*len = strcspn(p, "; \t");
		}
		*value = p;
		return true;
	}
	return false;
}

/* One part's header, NUL-terminated, lines ended by CRLF. */
static int
read_header(struct form *f, char *header)
{
	const char *name = NULL, *file = NULL, *type = NULL, *value;
	size_t name_len = 0, file_len = 0, type_len = 0;
	int err = ERR_OK;

	for (char *line = strtok_r(header, "\r\n", &header); line != NULL;
	     line = strtok_r(NULL, "\r\n", &header)) {
		if (strncasecmp(line, "Content-Disposition:", 20) == 0) {
			(void)parameter(line, "name", &name, &name_len);
			(void)parameter(line, "filename", &file, &file_len);
		} else if (strncasecmp(line, "Content-Type:", 13) == 0) {
			type = line + 13 + strspn(line + 13, " \t");
			type_len = strlen(type);
		}
	}
	if (name == NULL || f->count == FORM_FIELDS_MAX)
		return ERR_INVALID;
	if (name_len == 4 && strncasecmp(name, "file", 4) == 0) {
		f->state = FORM_FILE;
		if (type != NULL)
			err = keep(f, type, type_len, &f->file_type);
		for (value = file; file != NULL && value < file + file_len; value++) {
			if (*value == '/' || *value == '\\') {
				file_len -= (size_t)(value + 1 - file);
				file = value + 1;
			}
		}
		return err == ERR_OK ? keep(f, file == NULL ? "" : file, file_len, &f->file_name)
				     : err;
	}
	f->state = FORM_FIELD;
	return keep(f, name, name_len, &f->fields[f->count].name);
}

/* ---- steps: ERR_END when more bytes are needed ---- */

static int
at_start(struct form *f)
{
	/* The first boundary has no line end before it. */
	if (f->hold.len < f->mark_len)
		return ERR_END;
	if (memcmp(f->hold.data, f->mark + 2, f->mark_len - 2) != 0)
		return ERR_INVALID;
	buf_drop_front(&f->hold, f->mark_len - 2);
	f->state = FORM_HEADER;
	return ERR_OK;
}

static int
at_header(struct form *f)
{
	char header[2048];
	uint8_t *end;
	size_t len;

	if (f->hold.len < 2)
		return ERR_END;
	if (memcmp(f->hold.data, "--", 2) == 0) {
		f->state = FORM_END;
		return ERR_OK;
	}
	end = memmem(f->hold.data, f->hold.len, "\r\n\r\n", 4);
	if (end == NULL)
		return f->hold.len > HEADER_MAX ? ERR_INVALID : ERR_END;
	len = (size_t)(end - f->hold.data);
	if (len >= sizeof(header) || memchr(f->hold.data, '\0', len) != NULL)
		return ERR_INVALID;
	memcpy(header, f->hold.data, len);
	header[len] = '\0';
	buf_drop_front(&f->hold, len + 4);
	return read_header(f, header);
}

static int
at_field(struct form *f)
{
	uint8_t *end =
	    f->hold.len == 0 ? NULL : memmem(f->hold.data, f->hold.len, f->mark, f->mark_len);
	size_t len = end == NULL ? 0 : (size_t)(end - f->hold.data);
	int err;

	if (end == NULL)
		return f->hold.len > FORM_FIELDS_BYTES ? ERR_TOO_BIG : ERR_END;
	if (memchr(f->hold.data, '\0', len) != NULL)
		return ERR_INVALID;
	err = keep(f, f->hold.data, len, &f->fields[f->count].value);
	if (err != ERR_OK)
		return err;
	f->count++;
	buf_drop_front(&f->hold, len + f->mark_len);
	f->state = FORM_HEADER;
	return ERR_OK;
}

static int
at_file(struct form *f, struct bytes *file)
{
	uint8_t *end =
	    f->hold.len == 0 ? NULL : memmem(f->hold.data, f->hold.len, f->mark, f->mark_len);
	size_t len = end != NULL ? (size_t)(end - f->hold.data)
				 : f->hold.len - MIN(f->hold.len, f->mark_len - 1);

	*file = bytes_of(f->hold.data, len);
	f->given = len;
	if (end != NULL)
		f->state = FORM_END;
	return ERR_END;
}

int
form_take(struct form *f, struct bytes in, struct bytes *file)
{
	int err;

	*file = bytes_of(NULL, 0);
	if (f->given > 0)
		buf_drop_front(&f->hold, f->given);
	f->given = 0;
	if (f->state == FORM_END)
		return ERR_OK;
	err = buf_append(&f->hold, in.data, in.len);
	while (err == ERR_OK) {
		switch (f->state) {
		case FORM_START:
			err = at_start(f);
			break;
		case FORM_HEADER:
			err = at_header(f);
			break;
		case FORM_FIELD:
			err = at_field(f);
			break;
		case FORM_FILE:
			err = at_file(f, file);
			break;
		default:
			err = ERR_END;
			break;
		}
	}
	return err == ERR_END ? ERR_OK : err;
}

bool
form_at_file(const struct form *f)
{
	return f->file_name != SIZE_MAX;
}

bool
form_ended(const struct form *f)
{
	return f->state == FORM_END;
}

size_t
form_count(const struct form *f)
{
	return f->count;
}

static const char *
text_at(const struct form *f, size_t offset)
{
	return (const char *)f->text.data + offset;
}

struct form_field
form_at(const struct form *f, size_t i)
{
	return (struct form_field){ text_at(f, f->fields[i].name), text_at(f, f->fields[i].value) };
}

const char *
form_value(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcasecmp(text_at(f, f->fields[i].name), name) == 0)
			return text_at(f, f->fields[i].value);
	}
	return NULL;
}

const char *
form_file_name(const struct form *f)
{
	return f->file_name == SIZE_MAX ? "" : text_at(f, f->file_name);
}

const char *
form_file_type(const struct form *f)
{
	return f->file_type == SIZE_MAX ? NULL : text_at(f, f->file_type);
}
