/*
 * What S3 says no with, where a bucket's state decides: an int beside ERR_* and below all of them,
 * so that it comes back through a transaction like any error. The name is S3's own error code;
 * its HTTP status and words are the gateway's. Never kept or sent as a number.
 */
#ifndef OBJECT_REFUSAL_H
#define OBJECT_REFUSAL_H

#include <stdbool.h>

/*    code, name, S3's error code */
#define REFUSAL_LIST(X)                                                                            \
	X(-1001, NO_SUCH_KEY, "NoSuchKey")                                                         \
	X(-1002, NO_SUCH_VERSION, "NoSuchVersion")                                                 \
	X(-1003, NO_SUCH_UPLOAD, "NoSuchUpload")                                                   \
	X(-1004, MARKER, "MethodNotAllowed") /* the version asked for is a delete marker */        \
	X(-1005, PRECONDITION, "PreconditionFailed")                                               \
	X(-1006, NOT_MODIFIED, "NotModified")                                                      \
	X(-1007, LOCKED, "AccessDenied") /* retention or legal hold */                             \
	X(-1008, NOT_EMPTY, "BucketNotEmpty")                                                      \
	X(-1009, PART_ORDER, "InvalidPartOrder")                                                   \
	X(-1010, PART, "InvalidPart")                                                              \
	X(-1011, PART_SMALL, "EntityTooSmall")                                                     \
	X(-1012, PART_CHECKSUM,                                                                    \
	    "InvalidRequest") /* a checksum of a part is missing, or another kind */               \
	X(-1013, BAD_VERSION, "InvalidArgument") /* no version id of ours */                       \
	X(-1014, NO_LOCK, "InvalidRequest")      /* the bucket has no object lock */               \
	X(-1015, PAST, "InvalidArgument")        /* a retention that ends in the past */           \
	X(-1016, STATE, "InvalidBucketState")    /* a lock needs versioning, for good */           \
	X(-1017, TAG, "InvalidTag")                                                                \
	X(-1018, TAGS_MANY, "BadRequest")                                                          \
	X(-1019, METADATA, "MetadataTooLarge")                                                     \
	X(-1020, KEY_LONG, "KeyTooLongError")                                                      \
	X(-1021, KEY, "InvalidURI") /* no UTF-8 */                                                 \
	X(-1022, NO_SETTING,                                                                       \
	    "NoSuchConfiguration") /* the gateway knows each setting's own name */                 \
	X(-1023, TOO_LARGE, "EntityTooLarge")                                                      \
	X(-1024, NO_RETENTION, "NoSuchObjectLockConfiguration")                                    \
	X(-1025, PART_NUMBER, "InvalidPartNumber") /* the object has no such part */               \
	X(-1026, MARKER_ALONE, "InvalidArgument")  /* a version id marker without a key marker */  \
	X(-1027, ARGUMENT, "InvalidArgument")                                                      \
	X(-1028, SSE_MISSING,                                                                      \
	    "InvalidRequest")               /* the object needs its customer key, or has none */   \
	X(-1029, SSE_WRONG, "AccessDenied") /* another customer key */

enum refusal {
#define X(code, name, text) REFUSAL_##name = (code),
	REFUSAL_LIST(X)
#undef X
};

bool refusal_is(int err);
/* S3's error code; NULL for what is no refusal. */
const char *refusal_code(int err);

#endif
