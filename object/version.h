/*
 * The name of a version of an object. Versions of a key order by it, newest first: eight bytes of
 * time that only grows within a key, turned over, and eight random ones, so that an id never comes
 * again. Clients see 32 hexadecimal digits, or "null" for the null version, and learn nothing
 * from them that the listing does not say.
 */
#ifndef OBJECT_VERSION_H
#define OBJECT_VERSION_H

#include "overlay/base/types.h"

#define VERSION_BYTES    16
#define VERSION_TEXT_MAX 33 /* with NUL */

struct version {
	uint8_t b[VERSION_BYTES];
};

/* The next after newest (NULL: none) of a key; upside down, so smaller. */
struct version version_next(const struct version *newest, uint64_t now_ms, const uint8_t random[8]);
uint64_t version_ms(const struct version *v); /* about when it was made */
bool version_equal(const struct version *a, const struct version *b);

/* Which version a request means. */
enum version_which { VERSION_LATEST, VERSION_NULL, VERSION_ID };
struct version_ref {
	enum version_which which;
	struct version id; /* VERSION_ID */
};
/* of a versionId parameter; text.data NULL: there is none. REFUSAL_BAD_VERSION. */
int version_parse(struct bytes text, struct version_ref *out);
/* "null" or the digits; gives out. */
const char *version_text(bool null, const struct version *v, char out[VERSION_TEXT_MAX]);

#endif
