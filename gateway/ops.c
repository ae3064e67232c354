/*
 * The table. The first row of the level and method whose subresource is in the query wins; rows
 * without one stand behind. What S3 knows and we do not has a row without a function:
 * NotImplemented, never the plain operation by accident.
 */
#include "gateway/ops.h"

#define READ  ACL_READ
#define WRITE ACL_WRITE
#define RACP  ACL_READ_ACP
#define WACP  ACL_WRITE_ACP
#define B     OP_BUCKET
#define O     OP_OBJECT

static const struct operation operations[] = {
	{ OP_SERVICE, "GET", NULL, "s3:ListAllMyBuckets", 0, op_list_buckets, true },

	/* ---- buckets ---- */
	{ B, "GET", "location", "s3:GetBucketLocation", 0, op_get_location },
	{ B, "GET", "versions", "s3:ListBucketVersions", READ, op_list_versions },
	{ B, "GET", "uploads", "s3:ListBucketMultipartUploads", READ, op_list_uploads },
	{ B, "GET", "versioning", "s3:GetBucketVersioning", 0, op_get_versioning },
	{ B, "PUT", "versioning", "s3:PutBucketVersioning", 0, op_put_versioning },
	{ B, "GET", "object-lock", "s3:GetBucketObjectLockConfiguration", 0, op_get_lock },
	{ B, "PUT", "object-lock", "s3:PutBucketObjectLockConfiguration", 0, op_put_lock },
	{ B, "GET", "tagging", "s3:GetBucketTagging", 0, op_get_tags },
	{ B, "PUT", "tagging", "s3:PutBucketTagging", 0, op_put_tags },
	{ B, "DELETE", "tagging", "s3:PutBucketTagging", 0, op_delete_tags },
	{ B, "GET", "acl", "s3:GetBucketAcl", RACP, op_get_acl },
	{ B, "PUT", "acl", "s3:PutBucketAcl", WACP, op_put_acl },
	{ B, "GET", "ownershipControls", "s3:GetBucketOwnershipControls", 0, op_get_ownership },
	{ B, "PUT", "ownershipControls", "s3:PutBucketOwnershipControls", 0, op_put_ownership },
	{ B, "DELETE", "ownershipControls", "s3:PutBucketOwnershipControls", 0,
	    op_delete_ownership },
	{ B, "GET", "publicAccessBlock", "s3:GetBucketPublicAccessBlock", 0, op_get_public_block },
	{ B, "PUT", "publicAccessBlock", "s3:PutBucketPublicAccessBlock", 0, op_put_public_block },
	{ B, "DELETE", "publicAccessBlock", "s3:PutBucketPublicAccessBlock", 0,
	    op_delete_public_block },
	{ B, "GET", "lifecycle", "s3:GetLifecycleConfiguration", 0, op_get_lifecycle },
	{ B, "PUT", "lifecycle", "s3:PutLifecycleConfiguration", 0, op_put_lifecycle },
	{ B, "DELETE", "lifecycle", "s3:PutLifecycleConfiguration", 0, op_delete_lifecycle },
	{ B, "GET", "cors", "s3:GetBucketCORS", 0, op_get_config },
	{ B, "PUT", "cors", "s3:PutBucketCORS", 0, op_put_config },
	{ B, "DELETE", "cors", "s3:PutBucketCORS", 0, op_delete_config },
	{ B, "GET", "website", "s3:GetBucketWebsite", 0, op_get_config },
	{ B, "PUT", "website", "s3:PutBucketWebsite", 0, op_put_config },
	{ B, "DELETE", "website", "s3:DeleteBucketWebsite", 0, op_delete_config },
	{ B, "GET", "encryption", "s3:GetEncryptionConfiguration", 0, op_get_config },
	{ B, "PUT", "encryption", "s3:PutEncryptionConfiguration", 0, op_put_config },
	{ B, "DELETE", "encryption", "s3:PutEncryptionConfiguration", 0, op_delete_config },
	{ B, "GET", "policy", "s3:GetBucketPolicy", 0, op_get_config },
	{ B, "PUT", "policy", "s3:PutBucketPolicy", 0, op_put_config },
	{ B, "DELETE", "policy", "s3:DeleteBucketPolicy", 0, op_delete_config },
	{ B, "GET", "policyStatus", "s3:GetBucketPolicyStatus", 0, op_get_policy_status },
	{ B, "GET", "requestPayment", "s3:GetBucketRequestPayment", 0, op_get_empty },
	{ B, "GET", "logging", "s3:GetBucketLogging", 0, op_get_empty },
	{ B, "GET", "notification", "s3:GetBucketNotification", 0, op_get_empty },
	{ B, "GET", "accelerate", "s3:GetAccelerateConfiguration", 0, op_get_empty },
	{ B, "GET", "replication", "s3:GetReplicationConfiguration", 0, op_get_replication },
	{ B, "PUT", "requestPayment", "s3:PutBucketRequestPayment", 0, op_put_empty },
	{ B, "PUT", "logging", "s3:PutBucketLogging", 0, op_put_empty },
	{ B, "PUT", "notification", "s3:PutBucketNotification", 0, op_put_empty },
	{ B, "PUT", "accelerate", "s3:PutAccelerateConfiguration", 0, op_put_empty },
	{ B, "*", "requestPayment", NULL, 0, NULL },
	{ B, "*", "logging", NULL, 0, NULL },
	{ B, "*", "notification", NULL, 0, NULL },
	{ B, "*", "accelerate", NULL, 0, NULL },
	{ B, "*", "replication", NULL, 0, NULL },
	{ B, "*", "inventory", NULL, 0, NULL },
	{ B, "*", "analytics", NULL, 0, NULL },
	{ B, "*", "metrics", NULL, 0, NULL },
	{ B, "*", "intelligent-tiering", NULL, 0, NULL },
	{ B, "*", "session", NULL, 0, NULL },
	{ B, "*", "metadataTable", NULL, 0, NULL },
	{ B, "*", "metadataConfiguration", NULL, 0, NULL },
	{ B, "*", "metadataInventoryTable", NULL, 0, NULL },
	{ B, "*", "metadataJournalTable", NULL, 0, NULL },
	{ B, "*", "metadataAnnotationTable", NULL, 0, NULL },
	{ B, "*", "abac", NULL, 0, NULL },
	{ B, "POST", "delete", NULL, 0, op_delete_objects },
	{ B, "GET", NULL, "s3:ListBucket", READ, op_list_objects },
	{ B, "HEAD", NULL, "s3:ListBucket", READ, op_head_bucket },
	{ B, "PUT", NULL, "s3:CreateBucket", 0, op_create_bucket, true },
	{ B, "DELETE", NULL, "s3:DeleteBucket", 0, op_delete_bucket },
	{ B, "POST", NULL, NULL, 0, op_post_object },
	{ B, "OPTIONS", NULL, NULL, 0, op_preflight },

	/* ---- objects ---- */
	{ O, "GET", "uploadId", "s3:ListMultipartUploadParts", 0, op_list_parts },
	{ O, "PUT", "uploadId", "s3:PutObject", 0, op_put_part },
	{ O, "POST", "uploadId", "s3:PutObject", 0, op_complete_upload },
	{ O, "DELETE", "uploadId", "s3:AbortMultipartUpload", 0, op_abort_upload },
	{ O, "POST", "uploads", "s3:PutObject", 0, op_create_upload },
	{ O, "GET", "tagging", "s3:GetObjectTagging", 0, op_get_tags },
	{ O, "PUT", "tagging", "s3:PutObjectTagging", 0, op_put_tags },
	{ O, "DELETE", "tagging", "s3:DeleteObjectTagging", 0, op_delete_tags },
	{ O, "GET", "acl", "s3:GetObjectAcl", RACP, op_get_acl },
	{ O, "PUT", "acl", "s3:PutObjectAcl", WACP, op_put_acl },
	{ O, "GET", "retention", "s3:GetObjectRetention", 0, op_get_retention },
	{ O, "PUT", "retention", "s3:PutObjectRetention", 0, op_put_retention },
	{ O, "GET", "legal-hold", "s3:GetObjectLegalHold", 0, op_get_hold },
	{ O, "PUT", "legal-hold", "s3:PutObjectLegalHold", 0, op_put_hold },
	{ O, "GET", "attributes", "s3:GetObject", READ, op_get_attributes },
	{ O, "GET", "torrent", "s3:GetObject", READ, op_get_torrent },
	{ O, "*", "torrent", NULL, 0, NULL },
	{ O, "*", "restore", NULL, 0, NULL },
	{ O, "*", "select", NULL, 0, NULL },
	{ O, "*", "renameObject", NULL, 0, NULL },
	{ O, "*", "encryption", NULL, 0, NULL },
	{ O, "*", "annotation", NULL, 0, NULL },
	{ O, "GET", NULL, "s3:GetObject", READ, op_get_object },
	{ O, "HEAD", NULL, "s3:GetObject", READ, op_get_object },
	{ O, "PUT", NULL, "s3:PutObject", 0, op_put_object, .decides_late = true },
	{ O, "DELETE", NULL, "s3:DeleteObject", 0, op_delete_object },
	{ O, "OPTIONS", NULL, NULL, 0, op_preflight },
};

const struct operation *
ops_find(const struct target *t, const char *method)
{
	enum op_level level = t->key[0] != '\0'      ? OP_OBJECT
			      : t->bucket[0] != '\0' ? OP_BUCKET
						     : OP_SERVICE;

	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		const struct operation *o = &operations[i];

		if (o->level != level ||
		    (strcmp(o->method, method) != 0 && strcmp(o->method, "*") != 0))
			continue;
		if (o->subresource == NULL || target_has(t, o->subresource))
			return o;
	}
	return NULL;
}
