/*
 * What a bucket knows of one version of an object: all that S3 can say of it, and where its bytes
 * are. Layout: doc/disk.md. An unpacked entry lends from the bytes that it was unpacked from.
 */
#ifndef OBJECT_ENTRY_H
#define OBJECT_ENTRY_H

#include "object/pairs.h"
#include "object/sse.h"
#include "object/version.h"

#define OBJECT_KEY_MAX 1024 /* S3's limit, in bytes of UTF-8 */

/* ---- ETags ---- */
struct etag {
	uint8_t md5[16];
	uint16_t parts; /* 0: not put in parts */
};
#define ETAG_TEXT_MAX 39 /* 32 digits, "-10000", NUL; no quotes */
const char *etag_text(const struct etag *e, char out[ETAG_TEXT_MAX]);
/* With quotes or without. ERR_INVALID. */
int etag_parse(struct bytes text, struct etag *out);
bool etag_equal(const struct etag *a, const struct etag *b);

/* ---- checksums ---- */
enum checksum_algorithm {
	CHECKSUM_NONE,
	CHECKSUM_CRC32,
	CHECKSUM_CRC32C,
	CHECKSUM_CRC64NVME,
	CHECKSUM_SHA1,
	CHECKSUM_SHA256,
};
enum checksum_type { CHECKSUM_FULL_OBJECT, CHECKSUM_COMPOSITE };
#define CHECKSUM_BYTES_MAX 32
struct checksum {
	uint8_t algorithm, type;
	uint8_t value[CHECKSUM_BYTES_MAX]; /* checksum_bytes(algorithm) of them, as in the header's
					      base64 */
};
size_t checksum_bytes(uint8_t algorithm); /* 0 for none and for unknown ones */
bool checksum_equal(const struct checksum *a, const struct checksum *b); /* algorithm and value */

/* ---- the entry ---- */
enum lock_mode { LOCK_NONE, LOCK_GOVERNANCE, LOCK_COMPLIANCE };
enum storage_class {
	CLASS_STANDARD,
	CLASS_REDUCED_REDUNDANCY,
	CLASS_STANDARD_IA,
	CLASS_ONEZONE_IA,
	CLASS_INTELLIGENT_TIERING,
	CLASS_GLACIER,
	CLASS_DEEP_ARCHIVE,
	CLASS_GLACIER_IR,
	CLASS_EXPRESS_ONEZONE,
	CLASS_COUNT,
};
const char *storage_class_name(uint8_t c);
int storage_class_parse(struct bytes name, uint8_t *out); /* ERR_INVALID */

/* Headers that are kept as they came and given back with every answer. */
enum entry_text {
	TEXT_CONTENT_TYPE,
	TEXT_CONTENT_ENCODING,
	TEXT_CONTENT_LANGUAGE,
	TEXT_CONTENT_DISPOSITION,
	TEXT_CACHE_CONTROL,
	TEXT_EXPIRES,
	TEXT_REDIRECT, /* x-amz-website-redirect-location */
	TEXT_COUNT,
};

/* So that an entry always fits KV_VALUE_MAX. */
#define ENTRY_TEXTS_BYTES_MAX                                                                      \
	KIB(8) /* together; S3 takes 8 KB of headers, 2 KB of them metadata                        \
		*/
#define ENTRY_META_BYTES_MAX    (META_BYTES_MAX + 4 * PAIRS_COUNT_MAX)
#define ENTRY_CONTENT_BYTES_MAX KIB(24)
#define ENTRY_ACL_BYTES_MAX     KIB(7)                                /* ≥ ACL_BYTES_MAX */
#define ENTRY_OWNER_BYTES_MAX   64                                    /* ACCOUNT_ID_MAX */
#define OBJECT_BYTES_MAX        (GIB(1024) * 48 + GIB(1024) / 10 * 8) /* 48.8 TiB, S3's largest */

struct entry {
	struct version version; /* in the record's key, not in the kept form */
	bool null;              /* the null version: written while versioning was not enabled */
	bool marker;   /* a delete marker: version, null, modified_ms, owner are all it has */
	bool hold;     /* legal hold */
	bool in_parts; /* `parts` names the upload whose part records say where they end */
	uint64_t size, modified_ms;
	struct etag etag;
	struct checksum checksum;
	uint8_t storage_class, lock_mode, sse;
	uint64_t lock_until_ms;       /* with a lock_mode */
	struct sse_customer customer; /* with SSE_CUSTOMER */
	struct version parts;
	struct bytes text[TEXT_COUNT]; /* .len 0: there is none */
	struct bytes meta, tags;       /* object/pairs.h */
	struct bytes acl;              /* object/acl.h; .len 0: private */
	struct bytes owner;            /* account id */
	struct bytes content;          /* object/content.h; .len 0: no bytes */
};

/* Appends. ERR_TOO_BIG, ERR_INVALID for what would not unpack. */
int entry_pack(const struct entry *e, struct buf *out);
/* ERR_VERSION, ERR_CORRUPT. Packs again to the same bytes. Lends from in. */
int entry_unpack(struct bytes in, struct entry *out);
/* The version's deletion is refused until then; UINT64_MAX under a legal hold; 0: free. */
uint64_t entry_locked_until(const struct entry *e);

/* UTF-8 of 1 to OBJECT_KEY_MAX bytes: ERR_OK, REFUSAL_KEY, REFUSAL_KEY_LONG. */
int object_key_check(struct bytes key);

#endif
