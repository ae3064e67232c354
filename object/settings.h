/*
 * What is set for a whole bucket. The few things that decide in this folder are one small record;
 * all else are documents by name, as the gateway wrote them, which nobody here reads.
 */
#ifndef OBJECT_SETTINGS_H
#define OBJECT_SETTINGS_H

#include "object/bucket.h"

enum versioning { VERSIONING_NEVER, VERSIONING_ENABLED, VERSIONING_SUSPENDED };
/* S3's object ownership: who owns what another account writes, and whether ACLs count. */
enum ownership { OWNERSHIP_ENFORCED, OWNERSHIP_PREFERRED, OWNERSHIP_WRITER };
enum public_block {
	BLOCK_PUBLIC_ACLS = 1,
	IGNORE_PUBLIC_ACLS = 2,
	BLOCK_PUBLIC_POLICY = 4,
	RESTRICT_PUBLIC_BUCKETS = 8,
};

struct settings {
	uint8_t versioning, ownership, public_block;
	bool ownership_set, public_block_set; /* else who asks is told that there is none */
	bool lock;              /* object lock: for good, and versioning stays enabled */
	uint8_t default_mode;   /* enum lock_mode; LOCK_NONE: no default retention */
	bool default_in_years;  /* as it was said */
	uint32_t default_count; /* days or years */
	uint64_t created_ms;
	struct account_id owner;
	struct bytes region; /* LocationConstraint as it was said; ≤ SETTINGS_REGION_MAX; lent */
};
#define SETTINGS_REGION_MAX 64
#define SETTINGS_BYTES_MAX  256

/* Of a bucket that has none: versioning never, no lock, ownership enforced, all public access
 * blocked (S3's defaults since April 2023). value holds what is lent. */
SUSPENDS int settings_get(struct kv *kv, struct buf *value, struct settings *out);
/* Only checks that it can be read again. */
int settings_put(struct kv *txn, const struct settings *s);

/* S3's rules: REFUSAL_STATE for suspending a bucket with lock. */
SUSPENDS int settings_set_versioning(struct kv *txn, enum versioning v);
/* The default retention (and lock itself: may be switched on later, never off).
 * REFUSAL_STATE without versioning; REFUSAL_ARGUMENT for a count of 0 or beyond 100 years. */
SUSPENDS int settings_set_lock(struct kv *txn, enum lock_mode mode, bool in_years, uint32_t count);
/* Until when a new object is locked: now and the default period. */
uint64_t settings_default_until_ms(const struct settings *s, uint64_t now_ms);

/* ---- documents by name ([a-z-], ≤ SETTING_NAME_MAX) ---- */
#define SETTING_NAME_MAX  32
/* A thousand lifecycle rules of a common length; one transaction takes 1 MiB (object/map.h). */
#define SETTING_BYTES_MAX KIB(768)
/* Appends to out; REFUSAL_NO_SETTING. */
SUSPENDS int setting_get(struct kv *kv, const char *name, struct buf *out);
SUSPENDS int setting_put(struct kv *txn, const char *name, struct bytes document);
SUSPENDS int setting_del(struct kv *txn, const char *name); /* ERR_OK also when there is none */

#endif
