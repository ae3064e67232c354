/*
 * Cross-origin requests: a browser's question before (OPTIONS), and the headers that let it see an
 * answer. The first rule of the bucket's document that fits decides ("Using cross-origin resource
 * sharing").
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/document.h"
#include "gateway/gateway_private.h"
#include "gateway/ops.h"
#include "gateway/policy.h"

#define RULES_MAX 100 /* S3's limit */

int
cors_check(const struct xml_node *root)
{
	static const char *const methods[] = { "GET", "PUT", "HEAD", "POST", "DELETE" };
	size_t rules = 0;

	for (const struct xml_node *rule = root->child; rule != NULL; rule = rule->next) {
		if (!xml_is(rule, "CORSRule") || ++rules > RULES_MAX)
			return S3_MalformedXML;
		if (xml_child(rule, "AllowedOrigin") == NULL ||
		    xml_child(rule, "AllowedMethod") == NULL)
			return S3_MalformedXML;
		for (const struct xml_node *n = rule->child; n != NULL; n = n->next) {
			bool known = !xml_is(n, "AllowedMethod");
			const char *star = strchr(n->text, '*');

			for (size_t i = 0; i < ARRAY_LEN(methods); i++)
				known |= strcmp(n->text, methods[i]) == 0;
			if (!known)
				return S3_InvalidRequest;
			if ((xml_is(n, "AllowedOrigin") || xml_is(n, "AllowedHeader")) &&
			    star != NULL && strchr(star + 1, '*') != NULL)
				return S3_InvalidRequest;
		}
	}
	return rules == 0 ? S3_MalformedXML : ERR_OK;
}

/* Any of the rule's elements of this name fits. */
static bool
fits(const struct xml_node *rule, const char *element, const char *text, size_t len,
    bool ignore_case)
{
	char copy[512];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (const struct xml_node *n = rule->child; n != NULL; n = n->next) {
		if (xml_is(n, element) && policy_matches(n->text, copy, ignore_case))
			return true;
	}
	return false;
}

static bool
headers_fit(const struct xml_node *rule, const char *headers)
{
	while (headers != NULL && *headers != '\0') {
		size_t len, end;

		headers += strspn(headers, " ,");
		len = end = strcspn(headers, ",");
		while (end > 0 && headers[end - 1] == ' ')
			end--;
		if (end > 0 && !fits(rule, "AllowedHeader", headers, end, true))
			return false;
		headers += len;
	}
	return true;
}

static const struct xml_node *
find_rule(const struct xml_node *root, const char *origin, const char *method, const char *headers)
{
	for (const struct xml_node *rule = root->child; rule != NULL; rule = rule->next) {
		if (fits(rule, "AllowedOrigin", origin, strlen(origin), false) &&
		    fits(rule, "AllowedMethod", method, strlen(method), false) &&
		    headers_fit(rule, headers))
			return rule;
	}
	return NULL;
}

/* Texts of all elements of a name, joined. */
static int
put_list(struct request *r, const char *header, const struct xml_node *rule, const char *element)
{
	struct buf out;
	int err = ERR_OK;

	buf_init(&out, KIB(8));
	for (const struct xml_node *n = rule->child; n != NULL && err == ERR_OK; n = n->next) {
		if (xml_is(n, element))
			err = buf_appendf(&out, "%s%s", out.len > 0 ? ", " : "", n->text);
	}
	if (err == ERR_OK && out.len > 0)
		err = reply_header(r, header, buf_str(&out));
	buf_fini(&out);
	return err;
}

static int
put_rule(struct request *r, const struct xml_node *rule, const char *origin)
{
	bool any = false;
	const char *age = xml_text(rule, "MaxAgeSeconds");
	int err;

	for (const struct xml_node *n = rule->child; n != NULL; n = n->next)
		any |= xml_is(n, "AllowedOrigin") && strcmp(n->text, "*") == 0;
	err = reply_header(r, "Access-Control-Allow-Origin", any ? "*" : origin);
	if (err == ERR_OK && !any)
		err = reply_header(r, "Access-Control-Allow-Credentials", "true");
	if (err == ERR_OK)
		err = put_list(r, "Access-Control-Allow-Methods", rule, "AllowedMethod");
	if (err == ERR_OK)
		err = put_list(r, "Access-Control-Expose-Headers", rule, "ExposeHeader");
	if (err == ERR_OK && age != NULL)
		err = reply_header(r, "Access-Control-Max-Age", age);
	return err == ERR_OK
		   ? reply_header(r, "Vary",
			 "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
		   : err;
}

SUSPENDS void
cors_headers(struct request *r)
{
	const char *origin = request_header(r, "origin");
	const char *method = request_header(r, "access-control-request-method");
	const struct xml_node *rule;
	struct xml_doc *doc;

	if (origin == NULL || strcmp(web_method(r->web), "OPTIONS") == 0 ||
	    document_xml(r, "cors", &doc) != ERR_OK)
		return;
	rule = find_rule(xml_root(doc), origin, method != NULL ? method : web_method(r->web), NULL);
	if (rule != NULL)
		(void)put_rule(r, rule, origin);
	xml_free(doc);
}

SUSPENDS int
op_preflight(struct request *r)
{
	const char *origin = request_header(r, "origin");
	const char *method = request_header(r, "access-control-request-method");
	const char *headers = request_header(r, "access-control-request-headers");
	const struct xml_node *rule = NULL;
	struct xml_doc *doc;
	int err;

	if (origin == NULL || method == NULL) {
		r->message = origin == NULL
				 ? "Insufficient information. Origin request header needed."
				 : "Invalid Access-Control-Request-Method: null";
		return S3_BadRequest;
	}
	err = document_xml(r, "cors", &doc);
	if (err == REFUSAL_NO_SETTING) {
		r->message = "CORSResponse: CORS is not enabled for this bucket.";
		return S3_AccessForbidden;
	}
	if (err != ERR_OK)
		return err;
	rule = find_rule(xml_root(doc), origin, method, headers);
	if (rule == NULL) {
		r->message = "CORSResponse: This CORS request is not allowed.";
		err = S3_AccessForbidden;
	} else {
		err = put_rule(r, rule, origin);
		if (err == ERR_OK && headers != NULL)
			err = reply_header(r, "Access-Control-Allow-Headers", headers);
	}
	xml_free(doc);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}
