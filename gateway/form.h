/*
 * A browser's form, "multipart/form-data" (RFC 7578), as it arrives: fields are kept, the part
 * named "file" comes out as it comes in. What stands behind the file is ignored, as S3 has it.
 * Pure.
 */
#ifndef GATEWAY_FORM_H
#define GATEWAY_FORM_H

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

#define FORM_FIELDS_MAX   100     /* S3's own are some thirty */
#define FORM_FIELDS_BYTES KIB(20) /* S3's limit of all that stands before the file */
#define FORM_BOUNDARY_MAX 70      /* RFC 2046 */

struct form_field {
	const char *name, *value;
};
struct form;

/* By the request's Content-Type. ERR_INVALID: no such form. gives */
int form_new(const char *content_type, struct form **out);
void form_free(struct form *f);
/*
 * Takes all of `in`. ERR_INVALID: malformed; ERR_TOO_BIG: the fields are. *file is lent until the
 * next call: bytes of the file, where it has begun.
 */
int form_take(struct form *f, struct bytes in, struct bytes *file);
bool form_at_file(const struct form *f); /* all fields that count are there */
bool form_ended(const struct form *f);   /* the file's end was seen */
/* Fields in order; value of the first with this name in any case, NULL: none. */
size_t form_count(const struct form *f);
struct form_field form_at(const struct form *f, size_t i);
const char *form_value(const struct form *f, const char *name);
/* The file's own name without its path, "" if none was said, and its type, NULL. */
const char *form_file_name(const struct form *f);
const char *form_file_type(const struct form *f);

#endif
