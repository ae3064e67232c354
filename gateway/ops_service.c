/* What stands above buckets: the list of them. */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/gateway_private.h"

struct listing_buckets {
	struct request *r;
	struct xml x;
	const char *prefix, *after, *region;
	uint64_t max, count;
	bool more;
	char last[REALM_BUCKET_MAX];
};

static int
each_bucket(void *arg, const struct realm_listed *b)
{
	struct listing_buckets *l = arg;
	const char *region = *b->region != '\0' ? b->region : l->r->g->opts.region;

	if (!access_sees(&l->r->caller.key, l->r->now_ms, b->name) ||
	    strncmp(b->name, l->prefix, strlen(l->prefix)) != 0 || strcmp(b->name, l->after) <= 0 ||
	    (l->region != NULL && strcmp(region, l->region) != 0))
		return ERR_OK;
	if (l->count == l->max) {
		l->more = true;
		return ERR_OK;
	}
	l->count++;
	(void)strncpy(l->last, b->name, sizeof(l->last) - 1);
	xml_open(&l->x, "Bucket");
	xml_put(&l->x, "Name", b->name);
	xml_put_time(&l->x, "CreationDate", b->created_ms);
	xml_close(&l->x, "Bucket");
	return l->x.err;
}

SUSPENDS int
op_list_buckets(struct request *r)
{
	const char *max = request_query(r, "max-buckets"), *prefix = request_query(r, "prefix");
	const char *token = request_query(r, "continuation-token");
	struct listing_buckets l = { .r = r,
		.prefix = prefix == NULL ? "" : prefix,
		.after = token == NULL ? "" : token,
		.region = request_query(r, "bucket-region"),
		.max = 10000 };
	struct buf body;
	uint64_t stale_ms = 0;
	int err;

	if (max != NULL && (!decimal_parse(max, 10000, &l.max) || l.max == 0))
		return S3_InvalidArgument;
	buf_init(&body, REPLY_BODY_MAX);
	l.x = xml_begin(&body, "ListAllMyBucketsResult", S3_XMLNS);
	xml_put_owner(&l.x, "Owner", &r->caller.account);
	xml_open(&l.x, "Buckets");
	err = request_anonymous(r) ? ERR_OK
				   : r->realm->ops->list(r->realm, &r->caller.account.id,
					 request_recalls(r) ? &stale_ms : NULL, each_bucket, &l);
	xml_close(&l.x, "Buckets");
	if (prefix != NULL)
		xml_put(&l.x, "Prefix", prefix);
	if (l.more)
		xml_put(&l.x, "ContinuationToken", l.last);
	if (err == ERR_OK)
		err = reply_stale(r, stale_ms);
	if (err == ERR_OK)
		err = xml_end(&l.x, "ListAllMyBucketsResult");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}
