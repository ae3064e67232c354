/*
 * Links: text that stands for one stored object.
 *
 *   skerry:r1-<base64url>   read: find, check, decrypt
 *   skerry:v1-<base64url>   verify: find, count live shards, repair; reads nothing
 *
 * The base64url part is fixed-layout: network id 4, manifest chunk id 32, key 32, check 4 (first
 * bytes of SHA-256 over all before it, so that a mistyped link is told from a lost object). The
 * verify key is derived from the read key, never the other way. A link is a secret: it is never
 * logged nor put in argv of our children (get reads it from stdin with "-").
 */
#ifndef OBJECT_LINK_H
#define OBJECT_LINK_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"

#define LINK_TEXT_MAX 128

enum link_kind { LINK_READ, LINK_VERIFY };

struct link {
	enum link_kind kind;
	struct network_id net;
	struct hash manifest; /* chunk id */
	struct key key;       /* read or verify key */
};

void link_print(const struct link *l, char out[LINK_TEXT_MAX]);
/* ERR_INVALID (form, letters, check), ERR_VERSION. Surrounding white space is allowed. */
int link_parse(const char *text, struct link *out);
/* The verify link of a read link (a verify link gives itself). */
void link_to_verify(const struct link *l, struct link *out);
void link_wipe(struct link *l);

#endif
