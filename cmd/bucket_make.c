/* As the gateway makes one for a client that asks for nothing: S3's defaults. */
#include "cmd/bucket_make.h"

#include "object/settings.h"

SUSPENDS int
bucket_make(void *arg, struct kv *txn)
{
	const struct bucket_make *m = arg;
	struct settings s = {
		.versioning = m->versioning || m->lock ? VERSIONING_ENABLED : VERSIONING_NEVER,
		.ownership = OWNERSHIP_ENFORCED,
		.public_block = BLOCK_PUBLIC_ACLS | IGNORE_PUBLIC_ACLS | BLOCK_PUBLIC_POLICY |
				RESTRICT_PUBLIC_BUCKETS,
		.lock = m->lock,
		.created_ms = m->now_ms,
		.owner = m->owner,
		.region = bytes_of(m->location, strlen(m->location)),
	};

	return settings_put(txn, &s);
}

SUSPENDS int
bucket_words(struct kv *view, struct bucket_words *out)
{
	static const char *const names[] = { "never", "enabled", "suspended" };
	struct settings s;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(view, &value, &s);
	if (err == ERR_OK) {
		out->versioning = s.versioning < ARRAY_LEN(names) ? names[s.versioning] : "?";
		out->lock = s.lock;
	}
	buf_fini(&value);
	return err;
}
