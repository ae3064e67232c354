/*
 * The formats of a bucket's state. Sealed, nearly no input opens; so the input is also taken for
 * what is inside: records, a log chunk, a page, a root, a list, ids. What is read packs to the same
 * bytes, and keeps its order and bounds.
 */
#include <stdlib.h>

#include "object/map_ids.h"
#include "object/map_log.h"
#include "object/map_page.h"
#include "object/map_root.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(struct buf *out, struct bytes in)
{
	must(bytes_equal(buf_bytes(out), in));
	buf_fini(out);
}

static int
again_txn(void *arg, const struct map_txn_id *id, struct bytes result)
{
	return map_log_txn(arg, id, result);
}

static int
again_write(void *arg, struct bytes key, struct bytes value, bool deleted)
{
	must(key.len > 0 && key.len <= KV_KEY_MAX && value.len <= KV_VALUE_MAX);
	return deleted ? map_log_del(arg, key) : map_log_put(arg, key, value);
}

static void
as_records(struct bytes in)
{
	struct buf out;
	struct map_log_visitor v = { again_txn, again_write, &out };

	buf_init(&out, MIB(16));
	if (map_log_each(in, &v) == ERR_OK)
		same(&out, in);
	else
		must(out.len == 0);
	buf_fini(&out);
}

static int
again_segment(void *arg, uint64_t seq, struct bytes segment)
{
	must(seq > 0);
	return map_log_chunk_add(arg, segment);
}

static void
as_log_chunk(struct bytes in)
{
	struct buf out;

	buf_init(&out, MIB(16));
	if (map_log_chunk_each(in, again_segment, &out) == ERR_OK)
		same(&out, in);
	else
		must(out.len == 0);
	buf_fini(&out);
}

static void
as_page(struct bytes in)
{
	struct map_page p;
	struct buf plain, out;

	buf_init(&plain, MIB(16));
	buf_init(&out, MIB(16));
	must(buf_append(&plain, in.data, in.len) == ERR_OK);
	if (map_page_parse(&plain, &p) == ERR_OK) {
		for (uint32_t i = 0; i < p.count; i++) {
			must(
			    i == 0 || kv_compare(map_page_key(&p, i - 1), map_page_key(&p, i)) < 0);
			must(map_page_seek(&p, map_page_key(&p, i)) == i);
			must(map_page_append(&out, map_page_key(&p, i), map_page_value(&p, i)) ==
			     ERR_OK);
		}
		must(map_page_count(in) == p.count);
		same(&out, in);
		map_page_fini(&p);
	}
	buf_fini(&plain);
	buf_fini(&out);
}

static void
as_root(struct bytes in)
{
	struct map_root r;
	struct buf out;

	buf_init(&out, MIB(16));
	if (map_root_unpack(in, &r) == ERR_OK) {
		must(map_root_pack(&r, &out) == ERR_OK);
		same(&out, in);
		map_root_fini(&r);
	}
	buf_fini(&out);
}

static void
as_list(struct bytes in)
{
	struct map_list l;
	struct buf out;

	buf_init(&out, MIB(16));
	if (map_list_unpack(in, &l) == ERR_OK) {
		for (size_t i = 0; i < l.pages_count; i++)
			must(map_list_find(&l, map_list_from(&l, i)) == i);
		must(map_list_pack(&l, &out) == ERR_OK);
		same(&out, in);
		map_list_fini(&l);
	}
	buf_fini(&out);
}

static void
as_sealed(struct bytes in)
{
	static const struct key secret = { { 1 } };
	static const struct hash bucket = { { 2 } };
	struct sealing s;
	struct buf out;

	sealing_init(&s, (struct network_id){ { 3 } }, &bucket, &secret);
	buf_init(&out, MIB(1));
	for (int kind = 0; kind < SEALING_KINDS; kind++)
		must(sealing_open(&s, &(struct sealing_text){ kind, 0, in }, &out) != ERR_OK);
	must(map_segment_open(&s, in, &out) != ERR_OK);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), result;
	struct map_txn_id id = { { 0 } };

	must(crypto_init() == ERR_OK);
	as_records(in);
	as_log_chunk(in);
	as_page(in);
	as_root(in);
	as_list(in);
	as_sealed(in);
	if (map_ids_look(in, &id, &result) == ERR_OK)
		must(result.len <= MAP_RESULT_MAX);
	return 0;
}
