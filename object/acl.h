/*
 * Access control lists as S3 knows them: who owns, and grants. Pure; layout in doc/disk.md. Who
 * asks and what a policy says is the gateway's.
 */
#ifndef OBJECT_ACL_H
#define OBJECT_ACL_H

#include "overlay/base/buf.h"

#define ACL_GRANTS_MAX 100 /* S3's limit */
#define ACCOUNT_ID_MAX 64  /* canonical user ids are 64 hexadecimal digits */
#define ACL_BYTES_MAX  (3 + ACCOUNT_ID_MAX + ACL_GRANTS_MAX * (3 + ACCOUNT_ID_MAX))

enum acl_grantee { ACL_ACCOUNT, ACL_ALL_USERS, ACL_AUTHENTICATED, ACL_LOG_DELIVERY };
enum acl_permission { ACL_READ = 1, ACL_WRITE = 2, ACL_READ_ACP = 4, ACL_WRITE_ACP = 8 };
#define ACL_FULL_CONTROL (ACL_READ | ACL_WRITE | ACL_READ_ACP | ACL_WRITE_ACP)

struct account_id { /* text without NUL inside; "" means nobody */
	char text[ACCOUNT_ID_MAX + 1];
};

struct acl_grant {
	uint8_t grantee;           /* enum acl_grantee */
	uint8_t permission;        /* one of enum acl_permission, or ACL_FULL_CONTROL */
	struct account_id account; /* ACL_ACCOUNT */
};

struct acl {
	struct account_id owner;
	size_t count;
	struct acl_grant grants[ACL_GRANTS_MAX];
};

/* Appends the kept form. */
int acl_pack(const struct acl *a, struct buf *out);
int acl_unpack(struct bytes in, struct acl *out); /* ERR_VERSION, ERR_CORRUPT */
/* ERR_FULL: more than S3 takes. */
int acl_grant(struct acl *a, enum acl_grantee grantee, const char *account, uint8_t permission);

/*
 * Sets what a canned ACL says ("private", "public-read", "public-read-write",
 * "authenticated-read", "log-delivery-write", "bucket-owner-read", "bucket-owner-full-control",
 * "aws-exec-read"). ERR_INVALID: no such name.
 */
int acl_canned(struct acl *a, const char *name, const struct account_id *owner,
    const struct account_id *bucket_owner);
/* The permissions (enum acl_permission, or'ed) of an account; NULL: nobody has signed. */
uint8_t acl_allows(const struct acl *a, const struct account_id *who);
bool acl_public(const struct acl *a); /* a grant to all, or to all who have an account */

#endif
