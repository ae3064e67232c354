/* ACLs as requests say them: canned, in grant headers, as XML; and as XML back. */
#ifndef GATEWAY_ACL_TEXT_H
#define GATEWAY_ACL_TEXT_H

#include "gateway/attributes.h"

/*
 * What headers say of the ACL of a new object: packed, appended (nothing: private), and its owner.
 * *given: they say something. As the bucket's ownership has it: S3_AccessControlListNotSupported;
 * S3_AccessDenied: public and blocked.
 */
SUSPENDS int acl_for_object(struct request *r, const struct attribute_source *src,
    struct buf *packed, struct bytes *owner, bool *given);
/* x-amz-acl or x-amz-grant-*: *given tells whether there were any. S3_InvalidArgument. May suspend,
 * to look up names. */
SUSPENDS int acl_of_headers(struct request *r, const struct attribute_source *src,
    const struct account_id *owner, const struct account_id *bucket_owner, struct acl *out,
    bool *given);
/* AccessControlPolicy. S3_MalformedACLError, S3_InvalidArgument (nobody of that id). */
SUSPENDS int acl_of_xml(struct request *r, const struct xml_node *root, struct acl *out);
SUSPENDS int acl_to_xml(struct request *r, const struct acl *a, struct buf *out);

#endif
