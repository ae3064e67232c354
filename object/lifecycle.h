/*
 * Lifecycle rules: what is to be done with a version, an upload, at a time; and the walk that does
 * it, key by key, each in a small transaction. Rules are a document of the bucket
 * (setting "lifecycle", packed; the XML is the gateway's).
 * Source: S3 user guide, "Managing the lifecycle of objects", "Lifecycle configuration elements".
 */
#ifndef OBJECT_LIFECYCLE_H
#define OBJECT_LIFECYCLE_H

#include "object/bucket.h"

#define LIFECYCLE_RULES_MAX 1000 /* S3's limit */
#define LIFECYCLE_ID_MAX    255
#define LIFECYCLE_NEWER_MAX 100 /* newer noncurrent versions that may be kept */
#define LIFECYCLE_DAY_MS    UINT64_C(86400000)
#define LIFECYCLE_DOCUMENT  "lifecycle"

struct lifecycle_rule { /* everything lent; 0 or .len 0: not said */
	struct bytes id;
	bool enabled;
	bool bare_prefix; /* the prefix was said beside no filter, S3's first form */
	/* filter: all of these */
	struct bytes prefix, tags; /* object/pairs.h */
	bool has_size_above, has_size_below;
	uint64_t size_above, size_below; /* bytes: > and < */
	/* actions */
	uint32_t expire_days;
	bool has_expire_date;
	uint64_t expire_date_ms;
	bool expire_marker; /* a delete marker that is the only version */
	uint32_t noncurrent_days;
	uint32_t newer_noncurrent; /* so many are kept, whatever their age */
	uint32_t abort_days;
};

int lifecycle_rule_pack(const struct lifecycle_rule *r, struct buf *out); /* appends */
/* Takes the first rule off; ERR_END, ERR_CORRUPT, ERR_VERSION. Lends. */
int lifecycle_rule_next(struct bytes *rest, struct lifecycle_rule *out);

/* What the rules are asked about. */
struct lifecycle_subject {
	struct bytes key, tags;
	uint64_t size, modified_ms;
	bool latest, marker, only; /* only: the key has no other version */
	uint64_t noncurrent_ms;    /* not the latest: when the next newer one came */
	uint32_t newer_noncurrent; /* noncurrent versions that are newer */
};
enum lifecycle_action { LIFECYCLE_KEEP, LIFECYCLE_EXPIRE, LIFECYCLE_REMOVE };

/*
 * EXPIRE: delete as a client would without naming a version. REMOVE: this version goes.
 * A day ends at midnight UTC; another day_ms than LIFECYCLE_DAY_MS (tests) counts from the hour.
 */
enum lifecycle_action lifecycle_judge(
    struct bytes rules, const struct lifecycle_subject *s, uint64_t now_ms, uint64_t day_ms);
/* When the latest version will expire, and by which rule: x-amz-expiration. false: never. */
bool lifecycle_expires(struct bytes rules, const struct lifecycle_subject *s, uint64_t day_ms,
    uint64_t *at_ms, struct bytes *rule_id);
/* Of an upload: when it is aborted, and by which rule: x-amz-abort-date. false: never. */
bool lifecycle_aborts(struct bytes rules, struct bytes key, uint64_t created_ms, uint64_t day_ms,
    uint64_t *at_ms, struct bytes *rule_id);

/* ---- the walk ---- */
struct lifecycle_walk {
	bool uploads;     /* objects are done */
	struct buf after; /* key, for uploads with the id behind; the walk's place: may be kept */
	uint64_t day_ms;
	uint64_t expired, removed, aborted; /* so far */
};
void lifecycle_walk_init(struct lifecycle_walk *w, uint64_t day_ms);
void lifecycle_walk_fini(struct lifecycle_walk *w);
#define LIFECYCLE_STEP_KEYS 1000 /* looked at in one step over a view, before it gives way */
/*
 * Looks on in a view. *due: something is to be done with the key in `key`; then run
 * lifecycle_do() on it in a transaction and go on. ERR_END: through.
 */
SUSPENDS int lifecycle_step(struct lifecycle_walk *w, struct kv *view, struct bytes rules,
    uint64_t now_ms, struct buf *key, bool *due);
/* Looks again, at most a few dozen versions at once (*more), and acts. Locked ones stay. upload:
 * w->uploads as it was before the step that found the key. */
SUSPENDS int lifecycle_do(struct lifecycle_walk *w, struct bucket_txn *t, bool upload,
    struct bytes rules, struct bytes key, bool *more);

#endif
