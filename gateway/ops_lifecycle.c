/* Lifecycle rules: XML to the packed form that the walk reads (object/lifecycle.h), and back. */
#include "gateway/ops.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/times.h"
#include "object/lifecycle.h"

#define MIDNIGHT_MS UINT64_C(86400000)

struct reading {
	struct request *r;
	struct buf rules;
	struct buf ids; /* of rules that have none of their own */
	struct buf tags;
	size_t count;
	const char *seen[LIFECYCLE_RULES_MAX];
};

/* ---- XML to rules ---- */

static int
read_days(const struct xml_node *node, const char *name, uint32_t *out)
{
	const char *text = xml_text(node, name);
	uint64_t n;

	if (text == NULL)
		return ERR_OK;
	if (!decimal_parse(text, INT32_MAX, &n) || n == 0)
		return S3_InvalidArgument;
	*out = (uint32_t)n;
	return ERR_OK;
}

static int
read_size(const struct xml_node *node, const char *name, bool *has, uint64_t *out)
{
	const char *text = xml_text(node, name);

	*has = text != NULL;
	return text == NULL || decimal_parse(text, UINT64_MAX, out) ? ERR_OK : S3_InvalidArgument;
}

static int
read_filter(struct reading *d, const struct xml_node *filter, struct lifecycle_rule *out)
{
	const struct xml_node *and = xml_child(filter, "And"), *from = and != NULL ? and : filter;
	const char *prefix = xml_text(from, "Prefix");
	int err = ERR_OK;

	buf_reset(&d->tags);
	if (prefix != NULL)
		out->prefix = text_bytes(prefix);
	for (const struct xml_node *n = from->child; n != NULL && err == ERR_OK; n = n->next) {
		const char *key = xml_text(n, "Key"), *value = xml_text(n, "Value");

		if (!xml_is(n, "Tag"))
			continue;
		if (key == NULL || value == NULL)
			return S3_MalformedXML;
		err = pairs_add(&d->tags, text_bytes(key), text_bytes(value));
	}
	out->tags = buf_bytes(&d->tags);
	if (err == ERR_OK)
		err = read_size(
		    from, "ObjectSizeGreaterThan", &out->has_size_above, &out->size_above);
	if (err == ERR_OK)
		err = read_size(from, "ObjectSizeLessThan", &out->has_size_below, &out->size_below);
	return err;
}

static int
read_expiration(const struct xml_node *e, struct lifecycle_rule *out)
{
	const char *date = xml_text(e, "Date"), *marker = xml_text(e, "ExpiredObjectDeleteMarker");
	int err = read_days(e, "Days", &out->expire_days);

	if (err != ERR_OK)
		return err;
	out->expire_marker = marker != NULL && strcmp(marker, "true") == 0;
	out->has_expire_date = date != NULL;
	if (date != NULL && (times_parse_iso(date, &out->expire_date_ms) != ERR_OK ||
				out->expire_date_ms % MIDNIGHT_MS != 0))
		return S3_InvalidArgument;
	if ((out->expire_days > 0) + out->has_expire_date + (marker != NULL) != 1)
		return S3_MalformedXML;
	return ERR_OK;
}

/* There is one class of storage. Dates that are none are told first, as with any rule. */
static int
refuse_transitions(const struct xml_node *rule)
{
	uint64_t ms;

	for (const struct xml_node *n = rule->child; n != NULL; n = n->next) {
		const char *date = xml_is(n, "Transition") ? xml_text(n, "Date") : NULL;

		if (date != NULL && (times_parse_iso(date, &ms) != ERR_OK || ms % MIDNIGHT_MS != 0))
			return S3_InvalidArgument;
	}
	return S3_NotImplemented;
}

static int
read_actions(const struct xml_node *rule, struct lifecycle_rule *out)
{
	const struct xml_node *e = xml_child(rule, "Expiration");
	const struct xml_node *n = xml_child(rule, "NoncurrentVersionExpiration");
	const struct xml_node *a = xml_child(rule, "AbortIncompleteMultipartUpload");
	int err = e == NULL ? ERR_OK : read_expiration(e, out);

	if (xml_child(rule, "Transition") != NULL ||
	    xml_child(rule, "NoncurrentVersionTransition") != NULL)
		return refuse_transitions(rule);
	if (e == NULL && n == NULL && a == NULL)
		return S3_MalformedXML;
	if (err == ERR_OK && n != NULL) {
		err = read_days(n, "NoncurrentDays", &out->noncurrent_days);
		if (err == ERR_OK)
			err = read_days(n, "NewerNoncurrentVersions", &out->newer_noncurrent);
		if (err == ERR_OK && out->noncurrent_days == 0)
			err = S3_MalformedXML;
	}
	if (err == ERR_OK && a != NULL) {
		err = read_days(a, "DaysAfterInitiation", &out->abort_days);
		if (err == ERR_OK && out->abort_days == 0)
			err = S3_MalformedXML;
	}
	return err;
}

static int
read_id(struct reading *d, const char *id, struct lifecycle_rule *out)
{
	char made[24];
	size_t from = d->ids.len;

	if (id != NULL && strlen(id) > LIFECYCLE_ID_MAX) {
		d->r->message = "ID length should not exceed allowed limit of 255";
		return S3_InvalidArgument;
	}
	if (id == NULL || *id == '\0') {
		uint8_t random[8];

		env_random(d->r->env, random, sizeof(random));
		hex_encode(made, random, sizeof(random));
		if (buf_append(&d->ids, made, strlen(made) + 1) != ERR_OK)
			return ERR_NOMEM;
		id = (const char *)d->ids.data + from; /* reserved: it does not move */
	}
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->seen[i], id) == 0) {
			d->r->message =
			    "Rule ID must be unique. Found same ID for more than one rule.";
			return S3_InvalidArgument;
		}
	}
	d->seen[d->count] = id;
	out->id = text_bytes(id);
	return ERR_OK;
}

static int
read_rule(struct reading *d, const struct xml_node *n)
{
	const char *status = xml_text(n, "Status"), *prefix = xml_text(n, "Prefix");
	const struct xml_node *filter = xml_child(n, "Filter");
	struct lifecycle_rule rule = { .enabled = false };
	int err;

	if (!xml_is(n, "Rule") || status == NULL || d->count == LIFECYCLE_RULES_MAX ||
	    (strcmp(status, "Enabled") != 0 && strcmp(status, "Disabled") != 0) ||
	    (filter == NULL) == (prefix == NULL))
		return S3_MalformedXML;
	rule.enabled = strcmp(status, "Enabled") == 0;
	rule.prefix = text_bytes(prefix);
	rule.bare_prefix = filter == NULL;
	err = read_id(d, xml_text(n, "ID"), &rule);
	if (err == ERR_OK && filter != NULL)
		err = read_filter(d, filter, &rule);
	if (err == ERR_OK)
		err = read_actions(n, &rule);
	if (err == ERR_OK)
		err = lifecycle_rule_pack(&rule, &d->rules);
	d->count++;
	return err;
}

/* ---- the calls ---- */

static SUSPENDS int
rules_txn(void *arg, struct kv *txn)
{
	struct reading *d = arg;

	return d == NULL ? setting_del(txn, LIFECYCLE_DOCUMENT)
			 : setting_put(txn, LIFECYCLE_DOCUMENT, buf_bytes(&d->rules));
}

SUSPENDS int
op_put_lifecycle(struct request *r)
{
	struct reading *d = calloc(1, sizeof(*d));
	struct xml_doc *doc = NULL;
	int err = d == NULL ? ERR_NOMEM : request_xml(r, "LifecycleConfiguration", &doc);

	if (err != ERR_OK) {
		free(d);
		return err;
	}
	d->r = r;
	buf_init(&d->rules, SETTING_BYTES_MAX);
	buf_init(&d->ids, LIFECYCLE_RULES_MAX * 24);
	buf_init(&d->tags, KIB(64));
	err = buf_reserve(&d->ids, LIFECYCLE_RULES_MAX * 24);
	for (const struct xml_node *n = xml_root(doc)->child; n != NULL && err == ERR_OK;
	     n = n->next)
		err = read_rule(d, n);
	if (err == ERR_TOO_BIG)
		err = S3_MaxMessageLengthExceeded;
	if (err == ERR_OK && d->count == 0)
		err = S3_MalformedXML;
	if (err == ERR_OK)
		err = request_update(r, rules_txn, d, NULL);
	buf_fini(&d->rules);
	buf_fini(&d->ids);
	buf_fini(&d->tags);
	free(d);
	xml_free(doc);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_delete_lifecycle(struct request *r)
{
	int err = request_update(r, rules_txn, NULL, NULL);

	return err == ERR_OK ? reply_empty(r, 204) : err;
}

/* ---- rules to XML ---- */

static void
put_filter(struct xml *x, const struct lifecycle_rule *rule)
{
	struct bytes tags = rule->tags;
	size_t parts = (rule->prefix.len > 0) + pairs_count(tags) + rule->has_size_above +
		       rule->has_size_below;
	struct pair p;

	xml_open(x, "Filter");
	if (parts > 1)
		xml_open(x, "And");
	if (rule->prefix.len > 0 || parts == 0)
		xml_put_bytes(x, "Prefix", rule->prefix);
	while (pairs_next(&tags, &p)) {
		xml_open(x, "Tag");
		xml_put_bytes(x, "Key", p.name);
		xml_put_bytes(x, "Value", p.value);
		xml_close(x, "Tag");
	}
	if (rule->has_size_above)
		xml_put_number(x, "ObjectSizeGreaterThan", rule->size_above);
	if (rule->has_size_below)
		xml_put_number(x, "ObjectSizeLessThan", rule->size_below);
	if (parts > 1)
		xml_close(x, "And");
	xml_close(x, "Filter");
}

static void
put_expiration(struct xml *x, const struct lifecycle_rule *rule)
{
	if (rule->expire_days == 0 && !rule->has_expire_date && !rule->expire_marker)
		return;
	xml_open(x, "Expiration");
	if (rule->expire_days > 0)
		xml_put_number(x, "Days", rule->expire_days);
	if (rule->has_expire_date)
		xml_put_time(x, "Date", rule->expire_date_ms);
	if (rule->expire_marker)
		xml_put_bool(x, "ExpiredObjectDeleteMarker", true);
	xml_close(x, "Expiration");
}

static void
put_rule(struct xml *x, const struct lifecycle_rule *rule)
{
	xml_open(x, "Rule");
	xml_put_bytes(x, "ID", rule->id);
	if (rule->bare_prefix)
		xml_put_bytes(x, "Prefix", rule->prefix);
	else
		put_filter(x, rule);
	xml_put(x, "Status", rule->enabled ? "Enabled" : "Disabled");
	put_expiration(x, rule);
	if (rule->noncurrent_days > 0) {
		xml_open(x, "NoncurrentVersionExpiration");
		xml_put_number(x, "NoncurrentDays", rule->noncurrent_days);
		if (rule->newer_noncurrent > 0)
			xml_put_number(x, "NewerNoncurrentVersions", rule->newer_noncurrent);
		xml_close(x, "NoncurrentVersionExpiration");
	}
	if (rule->abort_days > 0) {
		xml_open(x, "AbortIncompleteMultipartUpload");
		xml_put_number(x, "DaysAfterInitiation", rule->abort_days);
		xml_close(x, "AbortIncompleteMultipartUpload");
	}
	xml_close(x, "Rule");
}

SUSPENDS int
op_get_lifecycle(struct request *r)
{
	struct lifecycle_rule rule;
	struct buf rules, body;
	struct bytes rest;
	struct xml x;
	int err;

	buf_init(&rules, SETTING_BYTES_MAX);
	buf_init(&body, REPLY_BODY_MAX);
	err = setting_get(r->view, LIFECYCLE_DOCUMENT, &rules);
	if (err == REFUSAL_NO_SETTING)
		err = S3_NoSuchLifecycleConfiguration;
	if (err == ERR_OK) {
		rest = buf_bytes(&rules);
		x = xml_begin(&body, "LifecycleConfiguration", S3_XMLNS);
		while ((err = lifecycle_rule_next(&rest, &rule)) == ERR_OK)
			put_rule(&x, &rule);
		if (err == ERR_END)
			err = xml_end(&x, "LifecycleConfiguration");
	}
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&rules);
	buf_fini(&body);
	return err;
}
