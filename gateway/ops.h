/*
 * S3's operations: a table that says, for each method and subresource, which function does it and
 * which right it needs, and the functions, by responsibility in ops_*.c.
 */
#ifndef GATEWAY_OPS_H
#define GATEWAY_OPS_H

#include "gateway/request.h"

enum op_level { OP_SERVICE, OP_BUCKET, OP_OBJECT };

struct operation {
	enum op_level level;
	const char *method;
	const char *subresource; /* a name in the query; NULL: none of those of the table */
	const char *action;      /* "s3:GetObject": what policies name; NULL: decided inside */
	uint8_t acl; /* enum acl_permission that allows it, too, on bucket or object; 0: none */
	SUSPENDS int (*run)(struct request *r); /* NULL: known to S3, not to us */
	bool no_bucket;                         /* the bucket need not exist */
	/* It decides in its transaction who may, and by which settings: what is known will do for
	 * its beginning, and no anchor is asked before there is something to write. */
	bool decides_late;
};

/* The operation of a target; NULL: MethodNotAllowed. */
const struct operation *ops_find(const struct target *t, const char *method);

/* ops_service.c, ops_bucket.c */
SUSPENDS int op_list_buckets(struct request *r);
SUSPENDS int op_create_bucket(struct request *r);
SUSPENDS int op_head_bucket(struct request *r);
SUSPENDS int op_delete_bucket(struct request *r);
SUSPENDS int op_get_location(struct request *r);
/* ops_list.c */
SUSPENDS int op_list_objects(struct request *r);
SUSPENDS int op_list_versions(struct request *r);
SUSPENDS int op_list_uploads(struct request *r);
/* ops_get.c */
SUSPENDS int op_get_object(struct request *r);  /* and HEAD */
SUSPENDS int op_get_torrent(struct request *r); /* there is none */
SUSPENDS int op_get_attributes(struct request *r);
/* ops_put.c */
SUSPENDS int op_put_object(struct request *r); /* and copy, by header */
/* ops_copy.c */
SUSPENDS int op_copy_object(struct request *r);
SUSPENDS int op_copy_part(struct request *r);
/* ops_delete.c */
SUSPENDS int op_delete_object(struct request *r);
SUSPENDS int op_delete_objects(struct request *r);
/* ops_upload.c, ops_complete.c */
SUSPENDS int op_create_upload(struct request *r);
SUSPENDS int op_put_part(struct request *r); /* and copy, by header */
SUSPENDS int op_complete_upload(struct request *r);
SUSPENDS int op_abort_upload(struct request *r);
SUSPENDS int op_list_parts(struct request *r);
/* ops_versioning.c: and object lock, retention, legal hold */
SUSPENDS int op_get_versioning(struct request *r);
SUSPENDS int op_put_versioning(struct request *r);
SUSPENDS int op_get_lock(struct request *r);
SUSPENDS int op_put_lock(struct request *r);
SUSPENDS int op_get_retention(struct request *r);
SUSPENDS int op_put_retention(struct request *r);
SUSPENDS int op_get_hold(struct request *r);
SUSPENDS int op_put_hold(struct request *r);
/* ops_tags.c */
SUSPENDS int op_get_tags(struct request *r); /* of bucket or object */
SUSPENDS int op_put_tags(struct request *r);
SUSPENDS int op_delete_tags(struct request *r);
/* ops_acl.c: and ownership, public access */
SUSPENDS int op_get_acl(struct request *r);
SUSPENDS int op_put_acl(struct request *r);
SUSPENDS int op_get_ownership(struct request *r);
SUSPENDS int op_put_ownership(struct request *r);
SUSPENDS int op_delete_ownership(struct request *r);
SUSPENDS int op_get_public_block(struct request *r);
SUSPENDS int op_put_public_block(struct request *r);
SUSPENDS int op_delete_public_block(struct request *r);
/* ops_config.c: documents */
SUSPENDS int op_get_config(struct request *r);
SUSPENDS int op_put_config(struct request *r);
SUSPENDS int op_delete_config(struct request *r);
SUSPENDS int op_get_policy_status(struct request *r);
SUSPENDS int op_get_empty(struct request *r);       /* what is never set here, truthfully */
SUSPENDS int op_put_empty(struct request *r);       /* to what it is; else NotImplemented */
SUSPENDS int op_get_replication(struct request *r); /* likewise */
/* ops_lifecycle.c */
SUSPENDS int op_get_lifecycle(struct request *r);
SUSPENDS int op_put_lifecycle(struct request *r);
SUSPENDS int op_delete_lifecycle(struct request *r);
/* ops_post.c: a browser's form */
SUSPENDS int op_post_object(struct request *r);
/* cors.c */
SUSPENDS int op_preflight(struct request *r);

#endif
