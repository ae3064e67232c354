/* Deleting: one object or version, or up to a thousand at once, each a transaction of its own (the
 * map gathers what comes at the same time into one commit). */
#include "gateway/ops.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/conditions_text.h"
#include "gateway/gateway_private.h"
#include "gateway/times.h"

#define DELETE_MAX      1000
#define DELETE_TOGETHER 64 /* so many fill a commit; more would only hold stacks */

struct deleting {
	struct request *r;
	struct bytes key;
	const char *version; /* as it was said; NULL */
	struct bucket_delete what;
	struct bucket_done done;
	int err;
};

static SUSPENDS int
delete_txn(void *arg, struct kv *txn)
{
	struct deleting *d = arg;
	struct bucket_txn t = request_txn(d->r, txn);
	struct bucket_done done = { .versioned = false };
	int err = bucket_delete(&t, d->key, &d->what, &done);

	return request_done(d->r, txn, err, &done);
}

/* x-amz-bypass-governance-retention counts for who may. */
static SUSPENDS int
read_bypass(struct request *r, const char *key, bool *out)
{
	const char *text = request_header(r, "x-amz-bypass-governance-retention");
	struct access_question q = { .action = "s3:BypassGovernanceRetention", .key = key };
	int err;

	*out = text != NULL && strcasecmp(text, "true") == 0;
	if (!*out)
		return ERR_OK;
	err = access_ask(r, &q);
	if (err == S3_AccessDenied)
		*out = false;
	return err == S3_AccessDenied ? ERR_OK : err;
}

SUSPENDS int
op_delete_object(struct request *r)
{
	struct deleting d = { .r = r, .key = request_key(r) };
	int err = request_version(r, &d.what.which);

	conditions_of_delete(r, &d.what.conditions);
	if (err == ERR_OK)
		err = read_bypass(r, r->target.key, &d.what.bypass_governance);
	if (err == ERR_OK)
		err = request_update(r, delete_txn, &d, &d.done);
	if (err == ERR_OK)
		err = reply_done(r, &d.done);
	return err == ERR_OK ? reply_empty(r, 204) : err;
}

/* ---- many ---- */

struct deleting_many {
	struct request *r;
	struct deleting *items;
	size_t count, next;
	bool quiet;
};

/* ETag, LastModifiedTime and Size of an Object element: conditions on what is deleted. */
static void
read_conditions(const struct xml_node *node, struct conditions *c)
{
	const char *etag = xml_text(node, "ETag"), *size = xml_text(node, "Size");
	const char *date = xml_text(node, "LastModifiedTime");
	uint64_t ms;

	if (etag != NULL)
		c->if_match = bytes_of(etag, strlen(etag));
	c->has_size = size != NULL && decimal_parse(size, UINT64_MAX, &c->size);
	if (date != NULL &&
	    (times_parse_http(date, &ms) == ERR_OK || times_parse_iso(date, &ms) == ERR_OK)) {
		c->has_modified = true;
		c->modified_s = ms / 1000;
	}
}

static int
read_items(struct deleting_many *m, const struct xml_node *root)
{
	const char *quiet = xml_text(root, "Quiet");

	m->quiet = quiet != NULL && strcmp(quiet, "true") == 0;
	m->items = calloc(DELETE_MAX, sizeof(*m->items));
	if (m->items == NULL)
		return ERR_NOMEM;
	for (const struct xml_node *n = root->child; n != NULL; n = n->next) {
		struct deleting *d = &m->items[m->count];
		const char *key = xml_text(n, "Key"), *version = xml_text(n, "VersionId");

		if (!xml_is(n, "Object"))
			continue;
		if (key == NULL || m->count == DELETE_MAX)
			return S3_MalformedXML;
		d->r = m->r;
		d->key = bytes_of(key, strlen(key));
		d->version = version == NULL || *version == '\0' ? NULL : version;
		read_conditions(n, &d->what.conditions);
		d->err = version_parse(text_bytes(d->version), &d->what.which);
		if (d->err == REFUSAL_BAD_VERSION)
			d->err = S3_NoSuchVersion;
		m->count++;
	}
	return m->count == 0 ? S3_MalformedXML : ERR_OK;
}

/* Who may delete what: asked on one view, before anything is changed. */
static SUSPENDS int
check_items(struct deleting_many *m)
{
	for (size_t i = 0; i < m->count; i++) {
		struct deleting *d = &m->items[i];
		struct access_question q = {
			.action = "s3:DeleteObject",
			.key = (const char *)d->key.data,
			.version = d->version,
			.acl = ACL_WRITE,
		};
		int err;

		if (d->err != ERR_OK)
			continue;
		err = access_ask(m->r, &q);
		if (err == ERR_OK)
			err = read_bypass(m->r, q.key, &d->what.bypass_governance);
		if (err == S3_AccessDenied)
			d->err = err;
		else if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static SUSPENDS int
delete_some(void *arg)
{
	struct deleting_many *m = arg;

	while (m->next < m->count) {
		struct deleting *d = &m->items[m->next++];

		if (d->err == ERR_OK)
			d->err = request_update(m->r, delete_txn, d, &d->done);
	}
	return ERR_OK;
}

static void
put_result(struct xml *x, const struct deleting *d, bool quiet)
{
	char text[VERSION_TEXT_MAX];

	if (d->err != ERR_OK) {
		xml_open(x, "Error");
		xml_put_bytes(x, "Key", d->key);
		if (d->version != NULL)
			xml_put(x, "VersionId", d->version);
		xml_put_error(x, d->err);
		xml_close(x, "Error");
		return;
	}
	if (quiet)
		return;
	xml_open(x, "Deleted");
	xml_put_bytes(x, "Key", d->key);
	if (d->version != NULL)
		xml_put(x, "VersionId", d->version);
	if (d->done.marker) {
		xml_put_bool(x, "DeleteMarker", true);
		xml_put(
		    x, "DeleteMarkerVersionId", version_text(d->done.null, &d->done.version, text));
	}
	xml_close(x, "Deleted");
}

static SUSPENDS int
delete_all(struct deleting_many *m, struct buf *body)
{
	struct xml x;
	int err = check_items(m);

	request_view_drop(m->r);
	if (err == ERR_OK)
		err = task_together(
		    m->r->env, "delete objects", delete_some, m, MIN(m->count, DELETE_TOGETHER));
	if (err != ERR_OK)
		return err;
	x = xml_begin(body, "DeleteResult", S3_XMLNS);
	for (size_t i = 0; i < m->count; i++) {
		/* Unheard-of versions are gone, as S3 sees it. */
		if (m->items[i].err == REFUSAL_NO_SUCH_KEY)
			m->items[i].err = ERR_OK;
		put_result(&x, &m->items[i], m->quiet);
	}
	return xml_end(&x, "DeleteResult");
}

SUSPENDS int
op_delete_objects(struct request *r)
{
	struct deleting_many m = { .r = r };
	struct xml_doc *doc;
	struct buf body;
	int err = access_check_stranger(r);

	if (err == ERR_OK)
		err = request_xml(r, "Delete", &doc);
	if (err != ERR_OK)
		return err;
	buf_init(&body, REPLY_BODY_MAX);
	err = read_items(&m, xml_root(doc));
	if (err == ERR_OK)
		err = delete_all(&m, &body);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	free(m.items);
	xml_free(doc);
	return err;
}
