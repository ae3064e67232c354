/*
 * S3's error codes: name, HTTP status, message (AWS: "Error responses", API reference). Below zero
 * like ERR_*, but in a range of their own, so that a function may return either. Pure.
 */
#ifndef GATEWAY_ERRORS_H
#define GATEWAY_ERRORS_H

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

/*    name, status, message */
#define S3_ERROR_LIST(X)                                                                           \
	X(AccessControlListNotSupported, 400, "The bucket does not allow ACLs")                    \
	X(AccessDenied, 403, "Access Denied")                                                      \
	X(AccessForbidden, 403, "CORSResponse: This CORS request is not allowed.")                 \
	X(AuthorizationHeaderMalformed, 400, "The authorization header you provided is invalid.")  \
	X(AuthorizationQueryParametersError, 400,                                                  \
	    "Error parsing the authorization query parameters.")                                   \
	X(BadDigest, 400,                                                                          \
	    "The Content-MD5 or checksum value that you specified did not match what we received") \
	X(BadRequest, 400, "Bad Request")                                                          \
	X(BucketAlreadyExists, 409,                                                                \
	    "The requested bucket name is not available. The bucket namespace is shared by all "   \
	    "users of the system. Please select a different name and try again.")                  \
	X(BucketAlreadyOwnedByYou, 409,                                                            \
	    "Your previous request to create the named bucket succeeded and you already own it.")  \
	X(BucketNotEmpty, 409, "The bucket you tried to delete is not empty")                      \
	X(ConditionalRequestConflict, 409,                                                         \
	    "A conflicting operation occurred. If using PutObject you can retry the request.")     \
	X(EntityTooLarge, 400, "Your proposed upload exceeds the maximum allowed size")            \
	X(EntityTooSmall, 400, "Your proposed upload is smaller than the minimum allowed size")    \
	X(IllegalLocationConstraintException, 400,                                                 \
	    "The specified location-constraint is not valid")                                      \
	X(IllegalVersioningConfigurationException, 400,                                            \
	    "The versioning configuration specified in the request is invalid.")                   \
	X(IncompleteBody, 400,                                                                     \
	    "You did not provide the number of bytes specified by the Content-Length HTTP header") \
	X(InternalError, 500, "We encountered an internal error. Please try again.")               \
	X(InvalidAccessKeyId, 403,                                                                 \
	    "The AWS Access Key Id you provided does not exist in our records.")                   \
	X(InvalidArgument, 400, "Invalid Argument")                                                \
	X(InvalidBucketAclWithObjectOwnership, 400,                                                \
	    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")      \
	X(InvalidBucketName, 400, "The specified bucket is not valid.")                            \
	X(InvalidBucketState, 409,                                                                 \
	    "The request is not valid with the current state of the bucket.")                      \
	X(InvalidDigest, 400, "The Content-MD5 or checksum value you specified is not valid.")     \
	X(InvalidEncryptionAlgorithmError, 400,                                                    \
	    "The encryption request you specified is not valid. The valid value is AES256.")       \
	X(InvalidLocationConstraint, 400, "The specified location constraint is not valid.")       \
	X(InvalidObjectState, 403,                                                                 \
	    "The operation is not valid for the current state of the object.")                     \
	X(InvalidPart, 400,                                                                        \
	    "One or more of the specified parts could not be found.  The part may not have been "  \
	    "uploaded, or the specified entity tag may not match the part's entity tag.")          \
	X(InvalidPartNumber, 416, "The requested partnumber is not satisfiable")                   \
	X(InvalidPartOrder, 400,                                                                   \
	    "The list of parts was not in ascending order. Parts must be ordered by part number.") \
	X(InvalidPolicyDocument, 400,                                                              \
	    "The content of the form does not meet the conditions "                                \
	    "specified in the policy document.")                                                   \
	X(InvalidRange, 416, "The requested range is not satisfiable")                             \
	X(InvalidRedirectLocation, 400,                                                            \
	    "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.") \
	X(InvalidRequest, 400, "Invalid Request")                                                  \
	X(InvalidRetentionPeriod, 400, "The retention period must be a positive integer value.")   \
	X(InvalidStorageClass, 400, "The storage class you specified is not valid")                \
	X(InvalidTag, 400, "The tag provided was not a valid tag.")                                \
	X(InvalidURI, 400, "Couldn't parse the specified URI.")                                    \
	X(KeyTooLongError, 400, "Your key is too long")                                            \
	X(MalformedACLError, 400,                                                                  \
	    "The XML you provided was not well-formed or did not validate against our published "  \
	    "schema")                                                                              \
	X(MalformedPOSTRequest, 400,                                                               \
	    "The body of your POST request is not well-formed multipart/form-data.")               \
	X(MalformedPolicy, 400, "Policies must be valid JSON and the first byte must be '{'")      \
	X(MalformedXML, 400,                                                                       \
	    "The XML you provided was not well-formed or did not validate against our published "  \
	    "schema")                                                                              \
	X(MaxMessageLengthExceeded, 400, "Your request was too big")                               \
	X(MaxPostPreDataLengthExceededError, 400,                                                  \
	    "Your POST request fields preceding the upload file were too large.")                  \
	X(MetadataTooLarge, 400, "Your metadata headers exceed the maximum allowed metadata size") \
	X(MethodNotAllowed, 405, "The specified method is not allowed against this resource.")     \
	X(MissingContentLength, 411, "You must provide the Content-Length HTTP header.")           \
	X(MissingRequestBodyError, 400, "Request body is empty")                                   \
	X(MissingSecurityHeader, 400, "Your request was missing a required header")                \
	X(NoSuchBucket, 404, "The specified bucket does not exist")                                \
	X(NoSuchBucketPolicy, 404, "The bucket policy does not exist")                             \
	X(NoSuchCORSConfiguration, 404, "The CORS configuration does not exist")                   \
	X(NoSuchKey, 404, "The specified key does not exist.")                                     \
	X(NoSuchLifecycleConfiguration, 404, "The lifecycle configuration does not exist")         \
	X(NoSuchObjectLockConfiguration, 404,                                                      \
	    "The specified object does not have a ObjectLock configuration")                       \
	X(NoSuchPublicAccessBlockConfiguration, 404,                                               \
	    "The public access block configuration was not found")                                 \
	X(NoSuchTagSet, 404, "The TagSet does not exist")                                          \
	X(NoSuchUpload, 404,                                                                       \
	    "The specified upload does not exist. The upload ID may be invalid, or the upload "    \
	    "may have been aborted or completed.")                                                 \
	X(NoSuchVersion, 404, "The specified version does not exist.")                             \
	X(NoSuchConfiguration, 404, "The specified configuration does not exist.")                 \
	X(NoSuchWebsiteConfiguration, 404,                                                         \
	    "The specified bucket does not have a website configuration")                          \
	X(NotFound, 404, "Not Found")                                                              \
	X(NotImplemented, 501,                                                                     \
	    "A header or operation you provided implies functionality that is not implemented")    \
	X(NotModified, 304, "Not Modified")                                                        \
	X(ObjectLockConfigurationNotFoundError, 404,                                               \
	    "Object Lock configuration does not exist for this bucket")                            \
	X(OperationAborted, 409,                                                                   \
	    "A conflicting conditional operation is currently in progress against this "           \
	    "resource. Please try again.")                                                         \
	X(OwnershipControlsNotFoundError, 404, "The bucket ownership controls were not found")     \
	X(PreconditionFailed, 412,                                                                 \
	    "At least one of the pre-conditions you specified did not hold")                       \
	X(ReplicationConfigurationNotFoundError, 404, "No replication is configured")              \
	X(RequestTimeTooSkewed, 403,                                                               \
	    "The difference between the request time and the current time is too large.")          \
	X(RequestTimeout, 400,                                                                     \
	    "Your socket connection to the server was not read from or written to within the "     \
	    "timeout period.")                                                                     \
	X(ServerSideEncryptionConfigurationNotFoundError, 404,                                     \
	    "The server side encryption configuration was not found")                              \
	X(ServiceUnavailable, 503, "Please reduce your request rate.")                             \
	X(SignatureDoesNotMatch, 403,                                                              \
	    "The request signature we calculated does not match the signature you provided. "      \
	    "Check your key and signing method.")                                                  \
	X(SlowDown, 503, "Please reduce your request rate.")                                       \
	X(TooManyBuckets, 400, "You have attempted to create more buckets than allowed")           \
	X(UnexpectedContent, 400, "This request contains unsupported content.")                    \
	X(UnresolvableGrantByEmailAddress, 400,                                                    \
	    "The e-mail address you provided does not match any account on record.")               \
	X(UnsupportedSignature, 400,                                                               \
	    "The provided request is signed with an unsupported STS Token version or the "         \
	    "signature version is not supported.")                                                 \
	X(UserKeyMustBeSpecified, 400,                                                             \
	    "The bucket POST must contain the specified field name.  If it is specified, please "  \
	    "check the order of the fields.")                                                      \
	X(XAmzContentSHA256Mismatch, 400,                                                          \
	    "The provided 'x-amz-content-sha256' header does not match what was computed.")

enum s3_error {
	S3_ERROR_FIRST = -10000,
#define X(name, status, message) S3_##name,
	S3_ERROR_LIST(X)
#undef X
	    S3_ERROR_END
};

struct s3_error_info {
	const char *code;
	unsigned status;
	const char *message;
};
/* Of an S3_*, a REFUSAL_* or an ERR_*: no name at S3 is InternalError or ServiceUnavailable. */
const struct s3_error_info *s3_error_info(int err);
bool s3_error_is(int err);

#endif
