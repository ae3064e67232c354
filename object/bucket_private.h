/* What bucket.c, upload.c and lifecycle share. */
#ifndef OBJECT_BUCKET_PRIVATE_H
#define OBJECT_BUCKET_PRIVATE_H

#include "object/bucket.h"
#include "object/tables.h"

/* A version that was found: the entry lends from the record. */
struct bucket_found {
	bool there;
	struct entry entry;
	struct table_record record;
};
void bucket_found_init(struct bucket_found *f);
void bucket_found_fini(struct bucket_found *f);
/* ERR_OK also when there is none: there is false. */
SUSPENDS int bucket_find(
    struct kv *kv, struct bytes key, const struct version_ref *which, struct bucket_found *f);
/* The first version not below from, of any key; sets key. ERR_NOT_FOUND: the table's end. */
SUSPENDS int bucket_seek(struct kv *kv, const struct table_key *from, struct bucket_found *f,
    uint8_t key[OBJECT_KEY_MAX], size_t *key_len);

/* Takes the version out of its tables, and lets its content and parts go. */
SUSPENDS int bucket_remove(struct bucket_txn *t, struct bytes key, const struct entry *e);
enum bucket_naming {
	BUCKET_NEW,    /* nothing names it yet */
	BUCKET_SHARED, /* something else does, too */
	BUCKET_MOVED,  /* what names it goes in this transaction */
};
int bucket_name(struct bucket_txn *t, struct bytes content, enum bucket_naming how);
/* bucket_put() */
SUSPENDS int bucket_write(struct bucket_txn *t, struct bytes key, const struct conditions *c,
    struct entry *e, enum bucket_naming how, struct bucket_done *done);
/* What bucket_put() refuses of an entry whatever the bucket holds. */
SUSPENDS int bucket_check(struct bucket_txn *t, struct bytes key, struct entry *e);

/* upload.c: the object that was put in these parts is gone. */
SUSPENDS int upload_forget(struct bucket_txn *t, const struct version *id);

#endif
