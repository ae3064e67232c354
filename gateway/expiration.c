/*
 * Rules are looked at where the object is, so that a put needs no view for its answer. What clients
 * are told is in days of the world, also where a debug setting hurries the deed.
 */
#include "gateway/expiration.h"

#include "gateway/times.h"
#include "object/settings.h"

SUSPENDS int
expiration_find(struct request *r, struct kv *kv, const struct entry *e, struct expiration *out)
{
	struct lifecycle_subject s = { .key = request_key(r),
		.tags = e->tags,
		.size = e->size,
		.modified_ms = e->modified_ms,
		.latest = true };
	struct bytes rule;
	struct buf rules;
	int err;

	out->there = false;
	buf_init(&rules, SETTING_BYTES_MAX);
	err = setting_get(kv, LIFECYCLE_DOCUMENT, &rules);
	if (err == ERR_OK)
		out->there =
		    lifecycle_expires(buf_bytes(&rules), &s, LIFECYCLE_DAY_MS, &out->at_ms, &rule);
	if (out->there) {
		memcpy(out->rule, rule.data, rule.len);
		out->rule[rule.len] = '\0';
	}
	buf_fini(&rules);
	return err == REFUSAL_NO_SETTING ? ERR_OK : err;
}

int
expiration_reply(struct request *r, const struct expiration *x)
{
	char date[TIMES_TEXT_MAX];

	if (!x->there)
		return ERR_OK;
	return reply_headerf(r, "x-amz-expiration", "expiry-date=\"%s\", rule-id=\"%s\"",
	    times_http(x->at_ms, date), x->rule);
}
