/*
 * Short lists of names and values in one byte string: user metadata and tags as an entry keeps
 * them. Each pair: length of the name (2 bytes), name, length of the value (2 bytes), value.
 */
#ifndef OBJECT_PAIRS_H
#define OBJECT_PAIRS_H

#include "overlay/base/buf.h"

/* S3: names and values of user metadata together; the lengths come on top. */
#define META_BYTES_MAX      KIB(2)
#define TAGS_MAX            10 /* of an object; a bucket has TAGS_BUCKET_MAX */
#define TAGS_BUCKET_MAX     50
#define TAG_NAME_CHARS_MAX  128 /* characters, not bytes */
#define TAG_VALUE_CHARS_MAX 256
#define PAIRS_COUNT_MAX     1024 /* 2 KiB of pairs of one byte each */
/* The longest list that is kept: tags of four-byte characters. */
#define PAIRS_BYTES_MAX     (TAGS_MAX * (4 + 4 * (TAG_NAME_CHARS_MAX + TAG_VALUE_CHARS_MAX)))

struct pair {
	struct bytes name, value;
};

/* Appends; ERR_TOO_BIG. Names may come twice: see pairs_find(), tags_check(). */
int pairs_add(struct buf *list, struct bytes name, struct bytes value);
/* Takes the first pair off; false: none is left (or what is left is malformed). Lends. */
bool pairs_next(struct bytes *rest, struct pair *out);
bool pairs_find(struct bytes list, struct bytes name, struct bytes *value);
size_t pairs_count(struct bytes list);
bool pairs_valid(struct bytes list);

/* ERR_OK, REFUSAL_METADATA; the list must be well-formed. */
int pairs_check_meta(struct bytes list);
/* ERR_OK, REFUSAL_TAG (characters, lengths, a name twice, "aws:"), REFUSAL_TAGS_MANY. */
int pairs_check_tags(struct bytes list, size_t max);
/* By name, as S3 lists a set of tags however it was given. Of a list that pairs_check_tags() takes.
 */
int pairs_sort_tags(struct buf *list);

#endif
