/*
 * One walk for all listings: from a place in the table on, a seek for each item. What is skipped
 * (versions of a key, everything below a common prefix) is skipped by where the next seek begins.
 */
#include "object/listing.h"

#include <stdlib.h>

#include "object/bucket_private.h"
#include "object/upload.h"

/* Where the walk is. */
struct walk {
	struct kv *kv;
	const struct list_query *q;
	enum table table;
	uint32_t max;
	struct table_key within; /* the prefix */
	struct table_key from;   /* the next seek */
	struct table_record record;
	/* What the last seek found. */
	uint8_t key[OBJECT_KEY_MAX];
	size_t key_len;
	struct version id;
	/* Versions: the key whose latest has gone by. */
	uint8_t seen[OBJECT_KEY_MAX];
	size_t seen_len;
};

void
list_result_init(struct list_result *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->next, OBJECT_KEY_MAX);
}

void
list_result_fini(struct list_result *r)
{
	buf_fini(&r->next);
}

/* The common prefix that a text belongs to: up to the first delimiter behind the prefix. */
static bool
common_prefix(const struct list_query *q, struct bytes text, struct bytes *out)
{
	const uint8_t *at;

	if (q->delimiter.len == 0 || text.len <= q->prefix.len ||
	    (q->prefix.len > 0 && memcmp(text.data, q->prefix.data, q->prefix.len) != 0))
		return false;
	at = memmem(text.data + q->prefix.len, text.len - q->prefix.len, q->delimiter.data,
	    q->delimiter.len);
	if (at == NULL)
		return false;
	*out = bytes_of(text.data, (size_t)(at - text.data) + q->delimiter.len);
	return true;
}

/* Behind `after` and `after_id`. */
static int
start_after(const struct list_query *q, enum table table, struct table_key *out)
{
	struct version_ref ref = { .which = VERSION_LATEST };
	struct bytes rolled;
	int err = ERR_OK;

	if (q->after_id.data != NULL && q->what == LIST_VERSIONS) {
		if (q->after.len == 0)
			return REFUSAL_MARKER_ALONE;
		err = version_parse(q->after_id, &ref);
	} else if (q->after_id.data != NULL && q->after.len > 0) {
		ref.which = VERSION_ID;
		err = upload_id_parse(q->after_id, &ref.id);
		if (err != ERR_OK)
			err = REFUSAL_ARGUMENT;
	}
	if (err != ERR_OK)
		return err;
	if (q->after.len == 0)
		*out = table_start(table);
	else if (common_prefix(q, q->after, &rolled))
		*out = table_past_prefix(table, rolled);
	else if (ref.which == VERSION_ID)
		*out = table_past(table, q->after, &ref.id);
	else
		*out = table_past_key(table, q->after);
	return ERR_OK;
}

/* Behind the null version, whose place only the map knows. Gone: once more from the key's first,
 * as an item that comes twice is better than one that is missing. */
static int
start_after_null(struct kv *kv, const struct list_query *q, struct table_key *out)
{
	struct version_ref null = { .which = VERSION_NULL };
	struct bucket_found f;
	struct bytes rolled;
	int err;

	if (q->what != LIST_VERSIONS || !bytes_equal(q->after_id, bytes_of("null", 4)) ||
	    common_prefix(q, q->after, &rolled))
		return ERR_OK;
	bucket_found_init(&f);
	err = bucket_find(kv, q->after, &null, &f);
	if (err == ERR_OK)
		*out = f.there ? table_past(TABLE_VERSIONS, q->after, &f.entry.version)
			       : table_key(TABLE_VERSIONS, q->after, NULL);
	bucket_found_fini(&f);
	return err;
}

/* A listing that begins among the versions of a key: has its latest gone by? */
static int
start_seen(struct walk *w)
{
	struct table_key first;
	uint8_t key[OBJECT_KEY_MAX];
	struct version id;
	size_t len;
	int err;

	if (w->q->what != LIST_VERSIONS || w->q->after_id.data == NULL ||
	    w->q->after.len > OBJECT_KEY_MAX)
		return ERR_OK;
	first = table_key(TABLE_VERSIONS, w->q->after, NULL);
	err = kv_seek(w->kv, table_key_bytes(&first), &w->record.key, NULL);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	if (kv_compare(buf_bytes(&w->record.key), table_key_bytes(&w->from)) >= 0)
		return ERR_OK; /* what comes first is the latest */
	err = table_split(buf_bytes(&w->record.key), TABLE_VERSIONS, key, &len, &id);
	if (err != ERR_OK || !bytes_equal(bytes_of(key, len), w->q->after))
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	memcpy(w->seen, key, len);
	w->seen_len = len;
	return ERR_OK;
}

static int
start(struct walk *w)
{
	int err = start_after(w->q, w->table, &w->from);

	if (err == ERR_OK)
		err = start_after_null(w->kv, w->q, &w->from);
	if (err == ERR_OK)
		err = start_seen(w);
	w->within = table_prefix(w->table, w->q->prefix);
	if (kv_compare(table_key_bytes(&w->from), table_key_bytes(&w->within)) < 0)
		w->from = w->within;
	return err;
}

/* ERR_NOT_FOUND: the end. */
static int
next(struct walk *w)
{
	int err = table_seek(w->kv, &w->from, &w->within, &w->record);

	if (err == ERR_OK)
		err = table_split(buf_bytes(&w->record.key), w->table, w->key, &w->key_len, &w->id);
	return err;
}

/* What the record says of the item. false: nothing that this listing shows. */
static int
read_item(
    struct walk *w, struct entry *entry, struct upload *upload, struct list_item *item, bool *shown)
{
	struct bytes key = bytes_of(w->key, w->key_len);
	int err;

	*item = (struct list_item){ .kind = LIST_ENTRY, .key = key, .entry = entry };
	*shown = true;
	if (w->q->what == LIST_UPLOADS) {
		err = upload_unpack(buf_bytes(&w->record.value), upload);
		upload->id = w->id;
		item->entry = &upload->entry;
		item->upload = upload;
		return err;
	}
	err = entry_unpack(buf_bytes(&w->record.value), entry);
	entry->version = w->id;
	if (err != ERR_OK)
		return err;
	item->latest = !bytes_equal(key, bytes_of(w->seen, w->seen_len));
	if (w->q->what == LIST_OBJECTS)
		*shown = !entry->marker;
	memcpy(w->seen, w->key, w->key_len);
	w->seen_len = w->key_len;
	return ERR_OK;
}

/* From where the next seek is, behind the item. */
static void
skip(struct walk *w, const struct list_item *item)
{
	if (item->kind == LIST_PREFIX)
		w->from = table_past_prefix(w->table, item->key);
	else if (w->q->what == LIST_OBJECTS)
		w->from = table_past_key(w->table, item->key);
	else
		w->from = table_past(w->table, item->key, &w->id);
}

static int
note_last(struct walk *w, const struct list_item *item, bool null, struct list_result *r)
{
	buf_reset(&r->next);
	r->count++;
	r->next_has_id = item->kind == LIST_ENTRY && w->q->what != LIST_OBJECTS;
	if (r->next_has_id)
		version_text(null, &w->id, r->next_id);
	return buf_append(&r->next, item->key.data, item->key.len);
}

static int
walk(struct walk *w, int (*each)(void *arg, const struct list_item *item), void *arg,
    struct list_result *r)
{
	struct list_item item;
	struct upload upload;
	struct entry entry;
	struct bytes rolled;
	bool shown;
	int err;

	while ((err = next(w)) == ERR_OK) {
		entry.null = false;
		err = read_item(w, &entry, &upload, &item, &shown);
		if (err != ERR_OK)
			return err;
		if (shown && common_prefix(w->q, item.key, &rolled)) {
			item = (struct list_item){ .kind = LIST_PREFIX, .key = rolled };
		}
		if (shown && r->count == w->max) {
			r->truncated = true;
			return ERR_OK;
		}
		if (shown) {
			err = note_last(w, &item, entry.null, r);
			if (err == ERR_OK)
				err = each(arg, &item);
			if (err != ERR_OK)
				return err;
		}
		skip(w, &item);
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
list_run(struct kv *kv, const struct list_query *q,
    int (*each)(void *arg, const struct list_item *item), void *arg, struct list_result *r)
{
	struct walk *w = calloc(1, sizeof(*w));
	int err;

	if (w == NULL)
		return ERR_NOMEM;
	r->truncated = r->next_has_id = false;
	r->count = 0;
	buf_reset(&r->next);
	w->kv = kv;
	w->q = q;
	w->table = q->what == LIST_UPLOADS ? TABLE_UPLOADS : TABLE_VERSIONS;
	w->max = MIN(q->max, LIST_MAX);
	table_record_init(&w->record);
	err = start(w);
	if (err == ERR_OK && w->max > 0)
		err = walk(w, each, arg, r);
	table_record_fini(&w->record);
	free(w);
	return err;
}
