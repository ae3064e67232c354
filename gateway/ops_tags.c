/* Tags of objects (in their entries) and of buckets (a document), as XML. */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/document.h"

struct tagging {
	struct request *r;
	struct version_ref which;
	struct buf tags; /* object/pairs.h */
};

static bool
of_object(const struct request *r)
{
	return r->target.key[0] != '\0';
}

/* The version that the target names, and that it is one. */
static SUSPENDS int
find(struct request *r)
{
	int err = request_entry(r);

	return err == ERR_OK ? bucket_readable(&r->entry, &r->which) : err;
}

SUSPENDS int
op_get_tags(struct request *r)
{
	struct buf body, document;
	struct bytes tags;
	struct pair p;
	struct xml x;
	int err;

	buf_init(&body, REPLY_BODY_MAX);
	buf_init(&document, SETTING_BYTES_MAX);
	if (of_object(r)) {
		err = find(r);
		if (err == ERR_OK)
			err = reply_version(r);
		tags = r->entry.tags;
	} else {
		err = setting_get(r->view, TAGS_DOCUMENT, &document);
		err = err == REFUSAL_NO_SETTING ? S3_NoSuchTagSet : err;
		tags = buf_bytes(&document);
	}
	if (err == ERR_OK) {
		x = xml_begin(&body, "Tagging", S3_XMLNS);
		xml_open(&x, "TagSet");
		while (pairs_next(&tags, &p)) {
			xml_open(&x, "Tag");
			xml_put_bytes(&x, "Key", p.name);
			xml_put_bytes(&x, "Value", p.value);
			xml_close(&x, "Tag");
		}
		xml_close(&x, "TagSet");
		err = xml_end(&x, "Tagging");
	}
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	buf_fini(&document);
	return err;
}

static SUSPENDS int
tags_txn(void *arg, struct kv *txn)
{
	struct tagging *t = arg;
	struct bucket_txn bt = request_txn(t->r, txn);
	struct bucket_done done = { .versioned = false };
	int err;

	if (!of_object(t->r))
		return t->tags.len == 0 ? setting_del(txn, TAGS_DOCUMENT)
					: setting_put(txn, TAGS_DOCUMENT, buf_bytes(&t->tags));
	err = bucket_set_tags(&bt, request_key(t->r), &t->which, buf_bytes(&t->tags), &done);
	return request_done(t->r, txn, err, &done);
}

static SUSPENDS int
commit(struct tagging *t, unsigned status)
{
	struct request *r = t->r;
	struct bucket_done done = { .versioned = false };
	int err = of_object(r) ? find(r) : ERR_OK;

	t->which = r->which;
	if (err == ERR_OK)
		err = request_update(r, tags_txn, t, &done);
	if (err == ERR_OK)
		err = reply_done(r, &done);
	return err == ERR_OK ? reply_empty(r, status) : err;
}

int
tags_of_xml(const struct xml_node *set, struct buf *out, size_t max)
{
	int err = set == NULL ? S3_MalformedXML : ERR_OK;

	for (const struct xml_node *n = set == NULL ? NULL : set->child; n != NULL && err == ERR_OK;
	     n = n->next) {
		const char *key = xml_text(n, "Key"), *value = xml_text(n, "Value");

		if (!xml_is(n, "Tag") || key == NULL || value == NULL)
			return S3_MalformedXML;
		err = pairs_add(out, bytes_of(key, strlen(key)), bytes_of(value, strlen(value)));
	}
	if (err == ERR_OK)
		err = pairs_check_tags(buf_bytes(out), max);
	if (err == ERR_OK)
		err = pairs_sort_tags(out);
	return err == ERR_TOO_BIG ? REFUSAL_TAGS_MANY : err;
}

SUSPENDS int
op_put_tags(struct request *r)
{
	struct tagging t = { .r = r };
	struct xml_doc *doc;
	int err = request_xml(r, "Tagging", &doc);

	if (err != ERR_OK)
		return err;
	buf_init(&t.tags, of_object(r) ? PAIRS_BYTES_MAX : SETTING_BYTES_MAX);
	err = tags_of_xml(
	    xml_child(xml_root(doc), "TagSet"), &t.tags, of_object(r) ? TAGS_MAX : TAGS_BUCKET_MAX);
	xml_free(doc);
	if (err == ERR_OK)
		err = commit(&t, of_object(r) ? 200 : 204);
	buf_fini(&t.tags);
	return err;
}

SUSPENDS int
op_delete_tags(struct request *r)
{
	struct tagging t = { .r = r };
	int err;

	buf_init(&t.tags, 0);
	err = commit(&t, 204);
	buf_fini(&t.tags);
	return err;
}
