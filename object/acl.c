/* Grants: kept form, canned ones, and what they allow. */
#include "object/acl.h"

#include <stdio.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define ACL_VERSION 1

static void
pack_account(struct packer *p, const struct account_id *a)
{
	size_t len = strlen(a->text);

	pack_u8(p, (uint8_t)len);
	pack_raw(p, a->text, len);
}

static int
unpack_account(struct unpacker *u, struct account_id *out)
{
	struct bytes b = unpack_lend(u, unpack_u8(u));

	if (u->failed || b.len > ACCOUNT_ID_MAX || (b.len > 0 && memchr(b.data, 0, b.len) != NULL))
		return ERR_CORRUPT;
	memset(out->text, 0, sizeof(out->text));
	if (b.len > 0)
		memcpy(out->text, b.data, b.len);
	return ERR_OK;
}

static bool
grant_valid(const struct acl_grant *g)
{
	bool one = g->permission == ACL_READ || g->permission == ACL_WRITE ||
		   g->permission == ACL_READ_ACP || g->permission == ACL_WRITE_ACP ||
		   g->permission == ACL_FULL_CONTROL;

	return one && g->grantee <= ACL_LOG_DELIVERY &&
	       (g->grantee == ACL_ACCOUNT) == (g->account.text[0] != 0);
}

int
acl_pack(const struct acl *a, struct buf *out)
{
	struct packer p;
	int err = buf_reserve(out, ACL_BYTES_MAX);

	if (err != ERR_OK)
		return err;
	must(a->count <= ACL_GRANTS_MAX);
	p = packer_on(out->data + out->len, ACL_BYTES_MAX);
	pack_u8(&p, ACL_VERSION);
	pack_account(&p, &a->owner);
	pack_u8(&p, (uint8_t)a->count);
	for (size_t i = 0; i < a->count; i++) {
		if (!grant_valid(&a->grants[i]))
			return ERR_INVALID;
		pack_u8(&p, a->grants[i].grantee);
		pack_u8(&p, a->grants[i].permission);
		pack_account(&p, &a->grants[i].account);
	}
	must(pack_ok(&p));
	out->len += p.len;
	return ERR_OK;
}

int
acl_unpack(struct bytes in, struct acl *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), count;
	int err;

	if (u.failed)
		return ERR_CORRUPT;
	if (version != ACL_VERSION)
		return ERR_VERSION;
	out->count = 0;
	err = unpack_account(&u, &out->owner);
	count = unpack_u8(&u);
	if (count > ACL_GRANTS_MAX)
		return ERR_CORRUPT;
	for (uint8_t i = 0; i < count && err == ERR_OK; i++) {
		out->grants[i].grantee = unpack_u8(&u);
		out->grants[i].permission = unpack_u8(&u);
		err = unpack_account(&u, &out->grants[i].account);
		if (err == ERR_OK && !grant_valid(&out->grants[i]))
			err = ERR_CORRUPT;
	}
	if (err != ERR_OK || !unpack_done(&u))
		return ERR_CORRUPT;
	out->count = count;
	return ERR_OK;
}

int
acl_grant(struct acl *a, enum acl_grantee grantee, const char *account, uint8_t permission)
{
	struct acl_grant g = { .grantee = (uint8_t)grantee, .permission = permission };

	if (account != NULL) {
		if (strlen(account) > ACCOUNT_ID_MAX)
			return ERR_INVALID;
		memcpy(g.account.text, account, strlen(account));
	}
	if (!grant_valid(&g))
		return ERR_INVALID;
	if (a->count == ACL_GRANTS_MAX)
		return ERR_FULL;
	a->grants[a->count++] = g;
	return ERR_OK;
}

int
acl_canned(struct acl *a, const char *name, const struct account_id *owner,
    const struct account_id *bucket_owner)
{
	static const struct {
		const char *name;
		enum acl_grantee grantee;
		uint8_t permission, more;
	} canned[] = {
		{ "private", ACL_ALL_USERS, 0, 0 },
		{ "public-read", ACL_ALL_USERS, ACL_READ, 0 },
		{ "public-read-write", ACL_ALL_USERS, ACL_READ, ACL_WRITE },
		{ "authenticated-read", ACL_AUTHENTICATED, ACL_READ, 0 },
		{ "log-delivery-write", ACL_LOG_DELIVERY, ACL_WRITE, ACL_READ_ACP },
		{ "bucket-owner-read", ACL_ACCOUNT, ACL_READ, 0 },
		{ "bucket-owner-full-control", ACL_ACCOUNT, ACL_FULL_CONTROL, 0 },
		/* Grants Amazon's machines a read; there are none here. */
		{ "aws-exec-read", ACL_ALL_USERS, 0, 0 },
	};
	size_t i = 0;
	const char *other;
	bool same;

	while (i < ARRAY_LEN(canned) && strcmp(canned[i].name, name) != 0)
		i++;
	if (i == ARRAY_LEN(canned) || owner->text[0] == 0 || bucket_owner->text[0] == 0)
		return ERR_INVALID;
	a->owner = *owner;
	a->count = 0;
	other = canned[i].grantee == ACL_ACCOUNT ? bucket_owner->text : NULL;
	same = other != NULL && strcmp(other, owner->text) == 0; /* has everything */
	if (canned[i].permission != 0 && !same)
		must(acl_grant(a, canned[i].grantee, other, canned[i].permission) == ERR_OK);
	if (canned[i].more != 0 && !same)
		must(acl_grant(a, canned[i].grantee, other, canned[i].more) == ERR_OK);
	/* The owner comes last: clients that print or compare ACLs have learnt to expect it. */
	must(acl_grant(a, ACL_ACCOUNT, owner->text, ACL_FULL_CONTROL) == ERR_OK);
	return ERR_OK;
}

uint8_t
acl_allows(const struct acl *a, const struct account_id *who)
{
	uint8_t allowed = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct acl_grant *g = &a->grants[i];

		if (g->grantee == ACL_ALL_USERS ||
		    (g->grantee == ACL_AUTHENTICATED && who != NULL) ||
		    (g->grantee == ACL_ACCOUNT && who != NULL &&
			strcmp(g->account.text, who->text) == 0))
			allowed |= g->permission;
	}
	/* An owner can always read and change who else may. */
	if (who != NULL && a->owner.text[0] != 0 && strcmp(a->owner.text, who->text) == 0)
		allowed |= ACL_READ_ACP | ACL_WRITE_ACP;
	return allowed;
}

bool
acl_public(const struct acl *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->grants[i].grantee == ACL_ALL_USERS ||
		    a->grants[i].grantee == ACL_AUTHENTICATED)
			return true;
	return false;
}
