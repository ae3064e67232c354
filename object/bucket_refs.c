/* Kept forms, counted by object/content_refs.h. */
#include "object/bucket_refs.h"

#include "object/content_refs.h"

static int
named(void *arg, struct kv *txn, struct bytes form, uint64_t written_ms, uint64_t now_ms)
{
	struct content c;
	int err;

	(void)arg;
	content_init(&c);
	err = content_unpack(form, &c);
	if (err == ERR_OK)
		err = content_named(txn, &c, written_ms, now_ms);
	content_fini(&c);
	return err;
}

const struct content_refs bucket_refs = {
	.named = named, .ref = content_form_ref, .unref = content_form_unref
};
