/*
 * Objects of a bucket, put and read whole, for commands: bytes come from and go to workers, as
 * files.h has them.
 */
#ifndef CMD_OBJECTS_H
#define CMD_OBJECTS_H

#include "gateway/realm.h"
#include "object/files.h"
#include "object/listing.h"

struct object_put {
	struct file_source source;
	/* Instead of it: the next bytes, lent until the next call; ERR_END; on the loop. arg as for
	 * progress. */
	SUSPENDS int (*next)(void *arg, struct bytes *lent);
	uint64_t length;          /* with next */
	const struct entry *like; /* what is said beside the bytes; lent; NULL: nothing but: */
	const char *type;         /* of its content; NULL: not known */
	void (*progress)(void *arg, uint64_t bytes); /* so many more; may be NULL */
	void *arg;
};
/* ERR_OK: acknowledged. Refusals and errors as bucket_put(). */
SUSPENDS int object_put(
    struct env *env, struct realm_bucket *b, struct bytes key, const struct object_put *p);

struct object_facts {
	uint64_t bytes, modified_ms;
	struct etag etag;
	bool marker, null;
	struct version version;
	char type[256];
};
struct object_get {
	struct version_ref which;
	struct file_target target;
	/* It is there and readable; its error ends the reading. May be NULL. */
	int (*started)(void *arg, const struct object_facts *facts);
	void (*progress)(void *arg, uint64_t bytes);
	void *arg;
};
SUSPENDS int object_get(
    struct env *env, struct realm_bucket *b, struct bytes key, const struct object_get *g);
SUSPENDS int object_facts(struct realm_bucket *b, struct bytes key, const struct version_ref *which,
    struct object_facts *out);
/* Latest: as S3 deletes, which may leave a marker. What is not there is no error; *existed (may be
 * NULL) tells. */
SUSPENDS int object_delete(struct env *env, struct realm_bucket *b, struct bytes key,
    const struct version_ref *which, bool *existed);
/*
 * The latest as above, if it is still the version that was read. ERR_OK also when it is gone
 * already; REFUSAL_PRECONDITION: there is another one now, and nothing was deleted.
 */
SUSPENDS int object_delete_read(
    struct env *env, struct realm_bucket *b, struct bytes key, const struct object_facts *read);

struct object_copy {
	struct realm_bucket *source, *target;
	struct bytes from, to;
};
/*
 * With all that S3 keeps beside the bytes but locks and ACLs, over what is there. Inside a bucket
 * no byte moves; into another one they are read and written anew. *read: what was copied.
 */
SUSPENDS int object_copy(
    struct env *env, const struct object_copy *what, struct object_facts *read);

/* Everything that the query means, page by page; q->after and max are set here. */
SUSPENDS int objects_list(struct realm_bucket *b, const struct list_query *q,
    int (*each)(void *arg, const struct list_item *item), void *arg);

#endif
