/* Grants by header and by XML; groups by their addresses. */
#include "gateway/acl_text.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/encode.h"

#define GROUP "http://acs.amazonaws.com/groups/"
static const char *const group_uris[] = {
	[ACL_ALL_USERS] = GROUP "global/AllUsers",
	[ACL_AUTHENTICATED] = GROUP "global/AuthenticatedUsers",
	[ACL_LOG_DELIVERY] = GROUP "s3/LogDelivery",
};

static const struct {
	const char *header, *name;
	uint8_t permission;
} permissions[] = {
	{ "x-amz-grant-read", "READ", ACL_READ },
	{ "x-amz-grant-write", "WRITE", ACL_WRITE },
	{ "x-amz-grant-read-acp", "READ_ACP", ACL_READ_ACP },
	{ "x-amz-grant-write-acp", "WRITE_ACP", ACL_WRITE_ACP },
	{ "x-amz-grant-full-control", "FULL_CONTROL", ACL_FULL_CONTROL },
};

static int
group_of(const char *uri)
{
	for (int i = ACL_ALL_USERS; i <= ACL_LOG_DELIVERY; i++) {
		if (strcmp(uri, group_uris[i]) == 0)
			return i;
	}
	return -1;
}

static int
grant_group(struct acl *a, const char *uri, uint8_t permission)
{
	int group = group_of(uri);

	if (group < 0)
		return S3_InvalidArgument;
	return acl_grant(a, (enum acl_grantee)group, NULL, permission) == ERR_OK
		   ? ERR_OK
		   : S3_MalformedACLError;
}

/* An id that is somebody's, or "no such": grants to nobody are refused. */
static SUSPENDS int
grant_id(struct request *r, struct acl *a, const char *id, uint8_t permission)
{
	struct realm_account found;
	int err = r->realm->ops->account(r->realm, id, &found);

	if (err == ERR_NOT_FOUND) {
		r->message = "Invalid id";
		return S3_InvalidArgument;
	}
	if (err == ERR_OK && acl_grant(a, ACL_ACCOUNT, found.id.text, permission) != ERR_OK)
		err = S3_MalformedACLError;
	return err;
}

/* Accounts have names, not addresses: it is the account's name, or what stands before its @. */
static SUSPENDS int
grant_address(struct request *r, struct acl *a, const char *address, uint8_t permission)
{
	size_t len = strcspn(address, "@");
	struct realm_account found;
	char name[256];
	int err = r->realm->ops->account_named(r->realm, address, &found);

	if (err == ERR_NOT_FOUND && address[len] == '@' && len < sizeof(name)) {
		memcpy(name, address, len);
		name[len] = '\0';
		err = r->realm->ops->account_named(r->realm, name, &found);
	}

	if (err == ERR_NOT_FOUND)
		return S3_UnresolvableGrantByEmailAddress;
	if (err == ERR_OK && acl_grant(a, ACL_ACCOUNT, found.id.text, permission) != ERR_OK)
		err = S3_MalformedACLError;
	return err;
}

/* One of `id="…"`, `uri="…"`, `emailAddress="…"`, from *text on. */
static SUSPENDS int
grant_item(struct request *r, struct acl *a, const char *text, size_t len, uint8_t permission)
{
	char value[256];
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals == NULL ? 0 : (size_t)(equals - text), value_len;

	if (equals == NULL)
		return S3_InvalidArgument;
	equals++;
	value_len = len - name_len - 1;
	if (value_len >= 2 && equals[0] == '"' && equals[value_len - 1] == '"') {
		equals++;
		value_len -= 2;
	}
	if (value_len >= sizeof(value))
		return S3_InvalidArgument;
	memcpy(value, equals, value_len);
	value[value_len] = '\0';
	if (name_len == 2 && strncasecmp(text, "id", 2) == 0)
		return grant_id(r, a, value, permission);
	if (name_len == 3 && strncasecmp(text, "uri", 3) == 0)
		return grant_group(a, value, permission);
	if (name_len == 12 && strncasecmp(text, "emailAddress", 12) == 0)
		return grant_address(r, a, value, permission);
	return S3_InvalidArgument;
}

static SUSPENDS int
grant_list(struct request *r, struct acl *a, const char *text, uint8_t permission)
{
	int err = ERR_OK;

	while (*text != '\0' && err == ERR_OK) {
		size_t len, end;

		text += strspn(text, " ,");
		len = end = strcspn(text, ",");
		while (end > 0 && text[end - 1] == ' ')
			end--;
		if (end > 0)
			err = grant_item(r, a, text, end, permission);
		text += len;
	}
	return err;
}

SUSPENDS int
acl_of_headers(struct request *r, const struct attribute_source *src,
    const struct account_id *owner, const struct account_id *bucket_owner, struct acl *out,
    bool *given)
{
	const char *canned = src->get(src->arg, "x-amz-acl");
	bool grants = false;
	int err = ERR_OK;

	*given = canned != NULL;
	memset(out, 0, sizeof(*out));
	out->owner = *owner;
	for (size_t i = 0; i < ARRAY_LEN(permissions) && err == ERR_OK; i++) {
		const char *text = src->get(src->arg, permissions[i].header);

		if (text == NULL)
			continue;
		grants = true;
		err = grant_list(r, out, text, permissions[i].permission);
	}
	if (err != ERR_OK)
		return err;
	if (grants && canned != NULL) {
		r->message = "Specifying both Canned ACLs and Header Grants is not allowed";
		return S3_InvalidRequest;
	}
	*given |= grants;
	if (!grants &&
	    acl_canned(out, canned == NULL ? "private" : canned, owner, bucket_owner) != ERR_OK)
		return S3_InvalidArgument;
	return ERR_OK;
}

SUSPENDS int
acl_for_object(struct request *r, const struct attribute_source *src, struct buf *packed,
    struct bytes *owner, bool *given)
{
	const struct account_id *writer = &r->caller.account.id,
				*bucket_owner = &r->bucket->owner.id;
	const char *canned = src->get(src->arg, "x-amz-acl");
	bool full = canned != NULL && strcmp(canned, "bucket-owner-full-control") == 0;
	const struct account_id *who = writer;
	struct acl *acl;
	int err;

	/* What nobody has signed belongs to the bucket's owner, who let it in. */
	if (request_anonymous(r) || r->settings.ownership == OWNERSHIP_ENFORCED ||
	    (r->settings.ownership == OWNERSHIP_PREFERRED && full))
		who = bucket_owner;
	*owner = bytes_of(who->text, strlen(who->text));
	acl = malloc(sizeof(*acl));
	if (acl == NULL)
		return ERR_NOMEM;
	err = acl_of_headers(r, src, who, bucket_owner, acl, given);
	if (err == ERR_OK && *given && r->settings.ownership == OWNERSHIP_ENFORCED && !full)
		err = S3_AccessControlListNotSupported;
	if (err == ERR_OK && (r->settings.public_block & BLOCK_PUBLIC_ACLS) && acl_public(acl))
		err = S3_AccessDenied;
	if (err == ERR_OK && *given && r->settings.ownership != OWNERSHIP_ENFORCED)
		err = acl_pack(acl, packed);
	free(acl);
	return err;
}

/* ---- XML ---- */

static SUSPENDS int
grant_of_xml(struct request *r, const struct xml_node *grant, struct acl *out)
{
	const struct xml_node *who = xml_child(grant, "Grantee");
	const char *name = xml_text(grant, "Permission"), *id = xml_text(who, "ID");
	const char *uri = xml_text(who, "URI"), *address = xml_text(who, "EmailAddress");
	uint8_t permission = 0;

	for (size_t i = 0; i < ARRAY_LEN(permissions) && name != NULL; i++) {
		if (strcmp(permissions[i].name, name) == 0)
			permission = permissions[i].permission;
	}
	if (permission == 0 || who == NULL)
		return S3_MalformedACLError;
	if (id != NULL)
		return grant_id(r, out, id, permission);
	if (uri != NULL)
		return grant_group(out, uri, permission);
	return address != NULL ? grant_address(r, out, address, permission) : S3_MalformedACLError;
}

SUSPENDS int
acl_of_xml(struct request *r, const struct xml_node *root, struct acl *out)
{
	const char *owner = xml_text(xml_child(root, "Owner"), "ID");
	const struct xml_node *list = xml_child(root, "AccessControlList");
	int err = ERR_OK;

	memset(out, 0, sizeof(*out));
	if (list == NULL)
		return S3_MalformedACLError;
	if (owner == NULL || strlen(owner) > ACCOUNT_ID_MAX)
		return S3_MalformedACLError;
	strcpy(out->owner.text, owner);
	for (const struct xml_node *g = list->child; g != NULL && err == ERR_OK; g = g->next)
		err = xml_is(g, "Grant") ? grant_of_xml(r, g, out) : S3_MalformedACLError;
	return err;
}

static const char *
permission_name(uint8_t permission)
{
	for (size_t i = 0; i < ARRAY_LEN(permissions); i++) {
		if (permissions[i].permission == permission)
			return permissions[i].name;
	}
	return "FULL_CONTROL";
}

#define GRANTEE "Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type="

static SUSPENDS int
grant_to_xml(struct request *r, const struct acl_grant *g, struct xml *x)
{
	struct realm_account who;
	int err;

	xml_open(x, "Grant");
	if (g->grantee == ACL_ACCOUNT) {
		err = request_account(r, g->account.text, &who);
		if (err != ERR_OK)
			return err;
		xml_open(x, GRANTEE "\"CanonicalUser\"");
		xml_put(x, "ID", who.id.text);
		xml_put(x, "DisplayName", who.name);
	} else {
		xml_open(x, GRANTEE "\"Group\"");
		xml_put(x, "URI", group_uris[g->grantee]);
	}
	xml_close(x, "Grantee");
	xml_put(x, "Permission", permission_name(g->permission));
	xml_close(x, "Grant");
	return ERR_OK;
}

/* Groups before accounts, however they were put: so canned ACLs are, and clients look there. */
SUSPENDS int
acl_to_xml(struct request *r, const struct acl *a, struct buf *out)
{
	struct realm_account who;
	struct xml x = xml_begin(out, "AccessControlPolicy", S3_XMLNS);
	int err = request_account(r, a->owner.text, &who);

	if (err != ERR_OK)
		return err;
	xml_put_owner(&x, "Owner", &who);
	xml_open(&x, "AccessControlList");
	for (int accounts = 0; accounts <= 1; accounts++) {
		for (size_t i = 0; i < a->count && err == ERR_OK; i++)
			if ((a->grants[i].grantee == ACL_ACCOUNT) == (accounts == 1))
				err = grant_to_xml(r, &a->grants[i], &x);
	}
	if (err != ERR_OK)
		return err;
	xml_close(&x, "AccessControlList");
	return xml_end(&x, "AccessControlPolicy");
}
