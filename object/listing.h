/*
 * Listings in S3's order (bytes of UTF-8): objects (ListObjects v1 and v2), versions, uploads.
 * Keys below a common prefix are skipped by one seek, however many they are. Pure over a view.
 */
#ifndef OBJECT_LISTING_H
#define OBJECT_LISTING_H

#include "object/bucket.h"

#define LIST_MAX 1000 /* items of one answer; S3's limit */

struct upload;

enum list_what { LIST_OBJECTS, LIST_VERSIONS, LIST_UPLOADS };

struct list_query {
	enum list_what what;
	struct bytes prefix, delimiter; /* .len 0: none */
	/*
	 * Only what comes behind: marker, start-after, continuation token (the `next` of the answer
	 * before), key-marker. A common prefix that is a prefix of it has been listed already.
	 */
	struct bytes after;
	/* Versions: version-id-marker; uploads: upload-id-marker; data NULL: none, and then all of
	 * the key `after` is behind us. Versions: REFUSAL_MARKER_ALONE, REFUSAL_BAD_VERSION. */
	struct bytes after_id;
	uint32_t max; /* ≤ LIST_MAX, more is as much; 0: nothing, and not truncated */
};

enum list_kind { LIST_ENTRY, LIST_PREFIX };

struct list_item { /* lent for the length of the call */
	enum list_kind kind;
	struct bytes key; /* or the common prefix, delimiter included */
	/* of objects and versions; of an upload, what the object will be */
	const struct entry *entry;
	bool latest;                 /* versions */
	const struct upload *upload; /* uploads (object/upload.h) */
};

struct list_result {
	bool truncated;
	uint32_t count;   /* items given */
	struct buf next;  /* if truncated: the last item's key or common prefix; NextMarker */
	bool next_has_id; /* the last was no common prefix */
	char next_id[VERSION_TEXT_MAX]; /* versions, uploads: NextVersionIdMarker,
					   NextUploadIdMarker */
};

void list_result_init(struct list_result *r);
void list_result_fini(struct list_result *r);
/*
 * Gives each item in order (objects and prefixes as they come; S3's XML has the prefixes behind).
 * An error of each ends it. r is init'ed; whatever it held is replaced.
 */
SUSPENDS int list_run(struct kv *kv, const struct list_query *q,
    int (*each)(void *arg, const struct list_item *item), void *arg, struct list_result *r);

#endif
