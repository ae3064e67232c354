/*
 * A bucket as a web site ("Hosting a static website"): index and error documents, redirects of all
 * requests, of single objects, and by rules. Answers are for people's browsers: pages, not XML.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/document.h"
#include "gateway/gateway_private.h"
#include "gateway/ops.h"

#define RULES_MAX 50 /* S3's limit */

int
website_check(const struct xml_node *root)
{
	const struct xml_node *all = xml_child(root, "RedirectAllRequestsTo");
	const struct xml_node *rules = xml_child(root, "RoutingRules");
	const char *suffix = xml_text(xml_child(root, "IndexDocument"), "Suffix");
	size_t count = 0;

	if (all != NULL)
		return xml_text(all, "HostName") == NULL || xml_child(root, "IndexDocument") != NULL
			   ? S3_InvalidRequest
			   : ERR_OK;
	if (suffix == NULL || *suffix == '\0' || strchr(suffix, '/') != NULL)
		return S3_InvalidArgument;
	if (xml_child(root, "ErrorDocument") != NULL &&
	    xml_text(xml_child(root, "ErrorDocument"), "Key") == NULL)
		return S3_MalformedXML;
	for (const struct xml_node *n = rules == NULL ? NULL : rules->child; n != NULL;
	     n = n->next) {
		if (!xml_is(n, "RoutingRule") || xml_child(n, "Redirect") == NULL ||
		    ++count > RULES_MAX)
			return S3_MalformedXML;
	}
	return ERR_OK;
}

/* ---- redirects ---- */

static int
redirect(struct request *r, const struct xml_node *to, const char *key)
{
	const char *protocol = xml_text(to, "Protocol"), *host = xml_text(to, "HostName");
	const char *code = xml_text(to, "HttpRedirectCode");
	uint64_t status = 301;
	struct buf url;
	int err;

	if (protocol == NULL)
		protocol = web_encrypted(r->web) ? "https" : "http";
	if (host == NULL)
		host = request_header(r, "host");
	if (code != NULL && (!decimal_parse(code, 399, &status) || status < 300))
		status = 301;
	buf_init(&url, KIB(8));
	err = buf_appendf(&url, "%s://%s/", protocol, host == NULL ? "" : host);
	if (err == ERR_OK)
		err = encode_percent(&url, bytes_of(key, strlen(key)), true);
	if (err == ERR_OK)
		err = reply_header(r, "Location", buf_str(&url));
	if (err == ERR_OK)
		err = reply_empty(r, (unsigned)status);
	buf_fini(&url);
	return err;
}

/* The first rule whose condition fits; err: of the object, ERR_OK before it was looked at. */
static const struct xml_node *
find_rule(const struct xml_node *root, const char *key, int err)
{
	const struct xml_node *rules = xml_child(root, "RoutingRules");

	for (const struct xml_node *n = rules == NULL ? NULL : rules->child; n != NULL;
	     n = n->next) {
		const struct xml_node *c = xml_child(n, "Condition");
		const char *prefix = xml_text(c, "KeyPrefixEquals");
		const char *code = xml_text(c, "HttpErrorCodeReturnedEquals");
		uint64_t status = 0;

		if (prefix != NULL && strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		if (code != NULL && (err == ERR_OK || !decimal_parse(code, 599, &status) ||
					s3_error_info(err)->status != status))
			continue;
		if (code == NULL && err != ERR_OK)
			continue; /* asked before */
		return n;
	}
	return NULL;
}

static int
follow(struct request *r, const struct xml_node *rule, const char *key)
{
	const struct xml_node *to = xml_child(rule, "Redirect");
	const char *prefix = xml_text(xml_child(rule, "Condition"), "KeyPrefixEquals");
	const char *whole = xml_text(to, "ReplaceKeyWith");
	const char *with = xml_text(to, "ReplaceKeyPrefixWith");
	struct buf new_key;
	int err = ERR_OK;

	buf_init(&new_key, KIB(4));
	if (whole != NULL)
		err = buf_appendf(&new_key, "%s", whole);
	else if (with != NULL)
		err = buf_appendf(
		    &new_key, "%s%s", with, key + (prefix == NULL ? 0 : strlen(prefix)));
	else
		err = buf_appendf(&new_key, "%s", key);
	if (err == ERR_OK)
		err = redirect(r, to, buf_str(&new_key));
	buf_fini(&new_key);
	return err;
}

/* ---- objects ---- */

/* The request goes on as one for this key. */
static int
look_at(struct request *r, const char *key, const char *suffix)
{
	int err = target_set_key(&r->target, key, suffix);

	r->entry_looked = false;
	return err;
}

static SUSPENDS int
serve_key(struct request *r)
{
	struct operation get = { .level = OP_OBJECT,
		.method = "GET",
		.action = "s3:GetObject",
		.acl = ACL_READ,
		.run = op_get_object };
	int err;

	r->op = &get;
	err = request_view(r);
	if (err == ERR_OK)
		err = access_check(r);
	if (err == ERR_OK && r->entry.text[TEXT_REDIRECT].len > 0) {
		err = reply_header_bytes(r, "Location", r->entry.text[TEXT_REDIRECT]);
		return err == ERR_OK ? reply_empty(r, 301) : err;
	}
	return err == ERR_OK ? op_get_object(r) : err;
}

static SUSPENDS int
serve_error(struct request *r, const struct xml_node *root, int err)
{
	const struct s3_error_info *info = s3_error_info(err);
	const char *key = xml_text(xml_child(root, "ErrorDocument"), "Key");
	const struct version_ref latest = { .which = VERSION_LATEST };
	struct realm_reader *reader;
	struct bytes piece;
	struct buf page;
	int got = key == NULL ? ERR_NOT_FOUND : request_view(r);

	buf_init(&page, MIB(1)); /* a page for people */
	if (got == ERR_OK)
		got = bucket_get(
		    r->view, bytes_of(key, strlen(key)), &latest, &r->entry_value, &r->entry);
	if (got == ERR_OK)
		got = bucket_readable(&r->entry, &latest);
	if (got == ERR_OK && r->entry.size > 0)
		got = r->bucket->ops->reader_new(
		    r->bucket, r->entry.content, 0, r->entry.size, NULL, &reader);
	if (got == ERR_OK && r->entry.size > 0) {
		while ((got = r->bucket->ops->read(reader, &piece)) == ERR_OK) {
			got = buf_append(&page, piece.data, piece.len);
			if (got != ERR_OK)
				break;
		}
		r->bucket->ops->reader_free(reader);
	}
	if (got != ERR_OK && got != ERR_END) {
		buf_reset(&page);
		(void)buf_appendf(&page,
		    "<html><head><title>%u %s</title></head><body><h1>%u "
		    "%s</h1><p>%s</p></body></html>\n",
		    info->status, info->code, info->status, info->code, info->message);
	}
	got = reply_body(r, info->status, "text/html; charset=utf-8", buf_bytes(&page));
	buf_fini(&page);
	return got;
}

static SUSPENDS int
serve_site(struct request *r, const struct xml_node *root)
{
	const char *suffix = xml_text(xml_child(root, "IndexDocument"), "Suffix");
	const char *asked = r->target.key;
	size_t len = strlen(asked);
	const struct xml_node *all = xml_child(root, "RedirectAllRequestsTo");
	const struct xml_node *rule = find_rule(root, asked, ERR_OK);
	int err = ERR_OK;

	if (all != NULL)
		return redirect(r, all, asked);
	if (rule != NULL)
		return follow(r, rule, asked);
	if (len == 0 || asked[len - 1] == '/')
		err = look_at(r, asked, suffix == NULL ? "index.html" : suffix);
	if (err == ERR_OK)
		err = serve_key(r);
	if (err == ERR_OK)
		return ERR_OK;
	rule = find_rule(root, asked, err);
	return rule != NULL ? follow(r, rule, asked) : serve_error(r, root, err);
}

SUSPENDS int
website_serve(struct request *r)
{
	struct xml_doc *doc;
	int err;

	if (strcmp(web_method(r->web), "GET") != 0 && strcmp(web_method(r->web), "HEAD") != 0)
		return S3_MethodNotAllowed;
	err = document_xml(r, "website", &doc);
	if (err == REFUSAL_NO_SETTING)
		return S3_NoSuchWebsiteConfiguration;
	if (err != ERR_OK)
		return err;
	err = serve_site(r, xml_root(doc));
	xml_free(doc);
	return err;
}
