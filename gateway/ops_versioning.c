/* Versioning of a bucket; object lock: the bucket's default, a version's retention and legal hold.
 */
#include "gateway/ops.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/gateway_private.h"
#include "gateway/times.h"

/* ---- versioning ---- */

SUSPENDS int
op_get_versioning(struct request *r)
{
	struct buf body;
	struct xml x;
	int err;

	buf_init(&body, KIB(4));
	x = xml_begin(&body, "VersioningConfiguration", S3_XMLNS);
	if (r->settings.versioning != VERSIONING_NEVER)
		xml_put(&x, "Status",
		    r->settings.versioning == VERSIONING_ENABLED ? "Enabled" : "Suspended");
	err = xml_end(&x, "VersioningConfiguration");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

static SUSPENDS int
versioning_txn(void *arg, struct kv *txn)
{
	return settings_set_versioning(txn, *(enum versioning *)arg);
}

SUSPENDS int
op_put_versioning(struct request *r)
{
	struct xml_doc *doc;
	enum versioning v = VERSIONING_NEVER;
	const char *status, *mfa;
	int err = request_xml(r, "VersioningConfiguration", &doc);

	if (err != ERR_OK)
		return err;
	status = xml_text(xml_root(doc), "Status");
	mfa = xml_text(xml_root(doc), "MfaDelete");
	if (mfa != NULL && strcmp(mfa, "Enabled") == 0)
		err = S3_NotImplemented;
	else if (status != NULL && strcmp(status, "Enabled") == 0)
		v = VERSIONING_ENABLED;
	else if (status != NULL && strcmp(status, "Suspended") == 0)
		v = VERSIONING_SUSPENDED;
	else
		err = status == NULL ? S3_IllegalVersioningConfigurationException : S3_MalformedXML;
	xml_free(doc);
	if (err == ERR_OK)
		err = request_update(r, versioning_txn, &v, NULL);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

/* ---- the bucket's lock ---- */

SUSPENDS int
op_get_lock(struct request *r)
{
	const struct settings *s = &r->settings;
	struct buf body;
	struct xml x;
	int err;

	if (!s->lock)
		return S3_ObjectLockConfigurationNotFoundError;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "ObjectLockConfiguration", S3_XMLNS);
	xml_put(&x, "ObjectLockEnabled", "Enabled");
	if (s->default_mode != LOCK_NONE) {
		xml_open(&x, "Rule");
		xml_open(&x, "DefaultRetention");
		xml_put(&x, "Mode", lock_mode_name(s->default_mode));
		xml_put_number(&x, s->default_in_years ? "Years" : "Days", s->default_count);
		xml_close(&x, "DefaultRetention");
		xml_close(&x, "Rule");
	}
	err = xml_end(&x, "ObjectLockConfiguration");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

struct locking {
	uint8_t mode; /* enum lock_mode */
	bool in_years;
	uint32_t count;
};

static int
read_mode(const struct xml_node *parent, uint8_t *out)
{
	const char *text = xml_text(parent, "Mode");

	return text != NULL && lock_mode_parse(text, out) ? ERR_OK : S3_MalformedXML;
}

static int
read_default(struct request *r, const struct xml_node *rule, struct locking *out)
{
	const struct xml_node *d = xml_child(rule, "DefaultRetention");
	const char *days = xml_text(d, "Days"), *years = xml_text(d, "Years");
	uint64_t n;
	int err = read_mode(d, &out->mode);

	if (err == ERR_OK && (days == NULL) == (years == NULL))
		err = S3_MalformedXML;
	if (err != ERR_OK)
		return err;
	out->in_years = years != NULL;
	if (!decimal_parse(out->in_years ? years : days, INT32_MAX, &n) || n == 0) {
		r->message = "Default retention period must be a positive integer value.";
		return S3_InvalidRetentionPeriod;
	}
	out->count = (uint32_t)n;
	return ERR_OK;
}

static SUSPENDS int
lock_txn(void *arg, struct kv *txn)
{
	const struct locking *l = arg;

	return settings_set_lock(txn, l->mode, l->in_years, l->count);
}

SUSPENDS int
op_put_lock(struct request *r)
{
	struct locking l = { .mode = LOCK_NONE };
	const struct xml_node *rule;
	const char *enabled;
	struct xml_doc *doc;
	int err = request_xml(r, "ObjectLockConfiguration", &doc);

	if (err != ERR_OK)
		return err;
	enabled = xml_text(xml_root(doc), "ObjectLockEnabled");
	rule = xml_child(xml_root(doc), "Rule");
	if (enabled == NULL || strcmp(enabled, "Enabled") != 0)
		err = S3_MalformedXML;
	if (err == ERR_OK && rule != NULL)
		err = read_default(r, rule, &l);
	xml_free(doc);
	if (err == ERR_OK && r->settings.versioning != VERSIONING_ENABLED) {
		r->message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock "
			     "configuration";
		err = S3_InvalidBucketState;
	}
	if (err == ERR_OK)
		err = request_update(r, lock_txn, &l, NULL);
	if (err == REFUSAL_ARGUMENT)
		err = S3_InvalidRetentionPeriod;
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

/* ---- of one version ---- */

/* The version that is asked about must be one that has such a thing. */
static SUSPENDS int
find_locked(struct request *r)
{
	int err;

	if (!r->settings.lock) {
		r->message = "Bucket is missing Object Lock Configuration";
		return S3_InvalidRequest;
	}
	err = request_entry(r);
	return err == ERR_OK ? bucket_readable(&r->entry, &r->which) : err;
}

SUSPENDS int
op_get_retention(struct request *r)
{
	struct buf body;
	struct xml x;
	int err = find_locked(r);

	if (err != ERR_OK)
		return err;
	if (r->entry.lock_mode == LOCK_NONE)
		return S3_NoSuchObjectLockConfiguration;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "Retention", S3_XMLNS);
	xml_put(&x, "Mode", lock_mode_name(r->entry.lock_mode));
	xml_put_time(&x, "RetainUntilDate", r->entry.lock_until_ms);
	err = xml_end(&x, "Retention");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

struct retaining {
	struct request *r;
	struct version_ref which;
	uint8_t mode; /* enum lock_mode */
	uint64_t until_ms;
	bool bypass, hold;
};

static SUSPENDS int
retention_txn(void *arg, struct kv *txn)
{
	struct retaining *v = arg;
	struct bucket_txn t = request_txn(v->r, txn);
	struct bucket_done done = { .versioned = false };
	int err = bucket_set_retention(
	    &t, request_key(v->r), &v->which, v->mode, v->until_ms, v->bypass, &done);

	return request_done(v->r, txn, err, &done);
}

static SUSPENDS int
read_retention(struct request *r, struct retaining *v)
{
	const char *bypass = request_header(r, "x-amz-bypass-governance-retention"), *until;
	struct access_question q = { .action = "s3:BypassGovernanceRetention",
		.key = r->target.key };
	struct xml_doc *doc;
	int err = request_xml(r, "Retention", &doc);

	if (err != ERR_OK)
		return err;
	until = xml_text(xml_root(doc), "RetainUntilDate");
	if (xml_root(doc)->child != NULL) {
		err = read_mode(xml_root(doc), &v->mode);
		if (err == ERR_OK &&
		    (until == NULL || times_parse_iso(until, &v->until_ms) != ERR_OK))
			err = S3_MalformedXML;
	}
	xml_free(doc);
	if (err == ERR_OK && bypass != NULL && strcasecmp(bypass, "true") == 0)
		v->bypass = access_ask(r, &q) == ERR_OK;
	return err;
}

SUSPENDS int
op_put_retention(struct request *r)
{
	struct retaining v = { .r = r };
	struct bucket_done done = { .versioned = false };
	int err = find_locked(r);

	v.which = r->which;
	if (err == ERR_OK)
		err = read_retention(r, &v);
	if (err == ERR_OK)
		err = request_update(r, retention_txn, &v, &done);
	if (err == REFUSAL_PAST)
		r->message = "The retain until date must be in the future!";
	if (err == ERR_OK)
		err = reply_done(r, &done);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_get_hold(struct request *r)
{
	struct buf body;
	struct xml x;
	int err = find_locked(r);

	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "LegalHold", S3_XMLNS);
	xml_put(&x, "Status", r->entry.hold ? "ON" : "OFF");
	err = xml_end(&x, "LegalHold");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

static SUSPENDS int
hold_txn(void *arg, struct kv *txn)
{
	struct retaining *v = arg;
	struct bucket_txn t = request_txn(v->r, txn);
	struct bucket_done done = { .versioned = false };
	int err = bucket_set_hold(&t, request_key(v->r), &v->which, v->hold, &done);

	return request_done(v->r, txn, err, &done);
}

SUSPENDS int
op_put_hold(struct request *r)
{
	struct retaining v = { .r = r };
	struct bucket_done done = { .versioned = false };
	struct xml_doc *doc;
	const char *status;
	int err = find_locked(r);

	v.which = r->which;
	if (err == ERR_OK)
		err = request_xml(r, "LegalHold", &doc);
	if (err != ERR_OK)
		return err;
	status = xml_text(xml_root(doc), "Status");
	if (status == NULL || (strcmp(status, "ON") != 0 && strcmp(status, "OFF") != 0))
		err = S3_MalformedXML;
	else
		v.hold = strcmp(status, "ON") == 0;
	xml_free(doc);
	if (err == ERR_OK)
		err = request_update(r, hold_txn, &v, &done);
	if (err == ERR_OK)
		err = reply_done(r, &done);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}
