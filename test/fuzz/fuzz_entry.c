/*
 * What a bucket keeps: entries, uploads, parts, grants, lifecycle rules, pairs. The first byte says
 * which. What unpacks must pack to the same bytes; what is made of it must bear whatever it says.
 */
#include <stdlib.h>

#include "object/acl.h"
#include "object/conditions.h"
#include "object/lifecycle.h"
#include "object/refusal.h"
#include "object/tables.h"
#include "object/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(struct bytes in, struct buf *packed)
{
	must(bytes_equal(in, buf_bytes(packed)));
}

static void
as_entry(struct bytes in, struct buf *packed)
{
	struct entry e;

	if (entry_unpack(in, &e) != ERR_OK)
		return;
	must(entry_pack(&e, packed) == ERR_OK);
	same(in, packed);
	(void)entry_locked_until(&e);
	(void)conditions_read(&(struct conditions){ .if_match = e.content }, &e);
	(void)pairs_check_meta(e.meta);
	(void)pairs_check_tags(e.tags, TAGS_MAX);
}

static void
as_upload(struct bytes in, struct buf *packed)
{
	struct upload u;

	if (upload_unpack(in, &u) != ERR_OK)
		return;
	must(upload_pack(&u, packed) == ERR_OK);
	same(in, packed);
}

static void
as_part(struct bytes in, struct buf *packed)
{
	struct part p;

	if (part_unpack(in, &p) != ERR_OK)
		return;
	must(part_pack(&p, packed) == ERR_OK);
	same(in, packed);
}

static void
as_acl(struct bytes in, struct buf *packed)
{
	struct acl *a = calloc(1, sizeof(*a));

	must(a != NULL);
	if (acl_unpack(in, a) == ERR_OK) {
		must(acl_pack(a, packed) == ERR_OK);
		same(in, packed);
		(void)acl_allows(a, &a->owner);
	}
	free(a);
}

static void
as_rules(struct bytes in, struct buf *packed)
{
	struct lifecycle_subject s = { .latest = true, .key = in };
	struct bytes rest = in, id;
	struct lifecycle_rule r;
	uint64_t at;

	while (lifecycle_rule_next(&rest, &r) == ERR_OK)
		must(lifecycle_rule_pack(&r, packed) == ERR_OK);
	same(bytes_of(in.data, in.len - rest.len), packed);
	(void)lifecycle_judge(in, &s, UINT64_MAX, LIFECYCLE_DAY_MS);
	(void)lifecycle_aborts(in, in, UINT64_MAX, LIFECYCLE_DAY_MS, &at, &id);
}

/* Words of a request, and keys of the map. */
static void
as_words(struct bytes in, struct buf *packed)
{
	uint8_t key[OBJECT_KEY_MAX];
	struct version_ref ref;
	struct version id;
	struct table_key k;
	struct etag e;
	char word[ETAG_TEXT_MAX];
	size_t len;

	(void)packed;
	if (etag_parse(in, &e) == ERR_OK) {
		etag_text(&e, word);
		must(etag_parse(bytes_of(word, strlen(word)), &e) == ERR_OK);
	}
	(void)conditions_names(in, &(struct etag){ .parts = 0 });
	(void)version_parse(in, &ref);
	if (object_key_check(in) == ERR_OK) {
		k = table_key(TABLE_VERSIONS, in, &(struct version){ { 1 } });
		must(table_split(table_key_bytes(&k), TABLE_VERSIONS, key, &len, &id) == ERR_OK);
		must(bytes_equal(bytes_of(key, len), in));
	}
	(void)table_split(in, TABLE_UPLOADS, key, &len, &id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const as[])(struct bytes in, struct buf * packed) = { as_entry, as_upload,
		as_part, as_acl, as_rules, as_words };
	struct buf packed;

	if (size < 1 || size > KV_VALUE_MAX)
		return 0;
	buf_init(&packed, 2 * KV_VALUE_MAX);
	as[data[0] % ARRAY_LEN(as)](bytes_of(data + 1, size - 1), &packed);
	buf_fini(&packed);
	return 0;
}
