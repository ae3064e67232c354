/*
 * An access key of S3: a name that anybody may see, a secret that signs requests, and what may be
 * done with it. Random, nothing follows from it; kept in the account's own bucket, sealed as all
 * there is, until it is revoked. Pure; layout: doc/disk.md.
 */
#ifndef OBJECT_ACCESS_KEY_H
#define OBJECT_ACCESS_KEY_H

#include "overlay/base/buf.h"
#include "overlay/base/crypto.h"

#define ACCESS_ID_TEXT     21 /* "SK" and 18 of A-Z 2-7: 90 random bits, as long as Amazon's */
#define ACCESS_SECRET_TEXT 41 /* 40 of base64url: 240 random bits */
#define ACCESS_RANDOM      (12 + 30)
#define ACCESS_LABEL_MAX   64
/* A key for a tool needs one or two; the whole must stay small beside what is asked with it. */
#define ACCESS_GRANTS_MAX  8
#define ACCESS_PREFIX_MAX  255

enum access_right {
	ACCESS_READ = 1,  /* objects: get, head, list */
	ACCESS_WRITE = 2, /* objects: put, delete, their tags and locks */
	ACCESS_ADMIN = 4, /* the bucket: make, delete, settings */
};
#define ACCESS_ALL (ACCESS_READ | ACCESS_WRITE | ACCESS_ADMIN)

struct access_grant {
	char bucket[64];                    /* "": every one, also those to come */
	char prefix[ACCESS_PREFIX_MAX + 1]; /* "": all keys; ACCESS_ADMIN only with "" */
	uint8_t rights;                     /* of enum access_right */
};

struct access_key { /* 2.7 KB, with a secret: access_key_wipe */
	char id[ACCESS_ID_TEXT];
	char secret[ACCESS_SECRET_TEXT];
	char label[ACCESS_LABEL_MAX + 1]; /* for people */
	uint64_t created_ms, expires_ms;  /* Unix time; 0: never */
	size_t grants_count;
	struct access_grant grants[ACCESS_GRANTS_MAX];
};

/* Sets id and secret. */
void access_key_draw(struct access_key *k, const uint8_t random[ACCESS_RANDOM]);
bool access_id_valid(const char *text, size_t len);
/* "READ,WRITE,ADMIN" in any case and order, "all". ERR_INVALID. */
int access_rights_parse(const char *text, uint8_t *out);
const char *access_rights_text(uint8_t rights);
/* "BUCKET", "BUCKET/PREFIX", "*". ERR_INVALID. rights as above. */
int access_grant_parse(const char *where, uint8_t rights, struct access_grant *out);

/*
 * Whether the key may do that now. bucket NULL: to something that names none, such as the list of
 * buckets: any right does. key: of the object, or what a listing begins with; data NULL: of the
 * bucket as a whole.
 */
bool access_allows(const struct access_key *k, uint64_t now_ms, const char *bucket,
    struct bytes key, enum access_right right);
/* Whether anything in this bucket is open to it: then a list of buckets shows it. */
bool access_sees(const struct access_key *k, uint64_t now_ms, const char *bucket);

#define ACCESS_KEY_BYTES_MAX KIB(4)
int access_key_pack(const struct access_key *k, struct buf *out); /* appends; ERR_INVALID */
int access_key_unpack(struct bytes in, struct access_key *out);   /* ERR_VERSION, ERR_CORRUPT */
void access_key_wipe(struct access_key *k);

#endif
