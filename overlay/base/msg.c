/*
 * msgpack in and out. Reading has two steps: scan_value() walks the peer's
 * bytes in bounded stack and no heap, and refuses whatever no writer of ours
 * produces; only then does msgpack-c build the tree (whose allocation is
 * bounded by the length of the input, since every element costs a byte).
 *
 * Failures: ERR_INVALID for bad bytes, ERR_NOMEM; writers keep the first
 * error of their buffer.
 */
#include "overlay/base/msg.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

/* ---- writing ---- */

struct msg_writer
msg_writer_on(struct buf *out)
{
	return (struct msg_writer){ .out = out };
}

static int
write_some(void *arg, const char *data, size_t len)
{
	struct msg_writer *w = arg;

	if (w->err == ERR_OK)
		w->err = buf_append(w->out, data, len);
	return w->err == ERR_OK ? 0 : -1;
}

static msgpack_packer
packer_of(struct msg_writer *w)
{
	return (msgpack_packer){ .data = w, .callback = write_some };
}

void
msg_put_map(struct msg_writer *w, uint32_t pairs)
{
	msgpack_packer p = packer_of(w);

	must(pairs <= MSG_PAIRS_MAX);
	msgpack_pack_map(&p, pairs);
}

void
msg_put_array(struct msg_writer *w, uint32_t items)
{
	msgpack_packer p = packer_of(w);

	msgpack_pack_array(&p, items);
}

void
msg_put_u64(struct msg_writer *w, uint64_t v)
{
	msgpack_packer p = packer_of(w);

	msgpack_pack_uint64(&p, v);
}

void
msg_put_i64(struct msg_writer *w, int64_t v)
{
	msgpack_packer p = packer_of(w);

	msgpack_pack_int64(&p, v);
}

void
msg_put_bool(struct msg_writer *w, bool v)
{
	msgpack_packer p = packer_of(w);

	if (v)
		msgpack_pack_true(&p);
	else
		msgpack_pack_false(&p);
}

void
msg_put_bin(struct msg_writer *w, struct bytes v)
{
	msgpack_packer p = packer_of(w);

	if (v.len > UINT32_MAX) {
		w->err = w->err != ERR_OK ? w->err : ERR_TOO_BIG;
		return;
	}
	if (msgpack_pack_bin(&p, v.len) == 0 && v.len > 0)
		msgpack_pack_bin_body(&p, v.data, v.len);
}

void
msg_put_str(struct msg_writer *w, const char *v)
{
	msgpack_packer p = packer_of(w);
	size_t len = strlen(v);

	if (len > UINT32_MAX) {
		w->err = w->err != ERR_OK ? w->err : ERR_TOO_BIG;
		return;
	}
	if (msgpack_pack_str(&p, len) == 0 && len > 0)
		msgpack_pack_str_body(&p, v, len);
}

void
msg_key(struct msg_writer *w, uint32_t key)
{
	msg_put_u64(w, key);
}

void
msg_pair_u64(struct msg_writer *w, uint32_t key, uint64_t v)
{
	msg_key(w, key);
	msg_put_u64(w, v);
}

void
msg_pair_i64(struct msg_writer *w, uint32_t key, int64_t v)
{
	msg_key(w, key);
	msg_put_i64(w, v);
}

void
msg_pair_bool(struct msg_writer *w, uint32_t key, bool v)
{
	msg_key(w, key);
	msg_put_bool(w, v);
}

void
msg_pair_bin(struct msg_writer *w, uint32_t key, struct bytes v)
{
	msg_key(w, key);
	msg_put_bin(w, v);
}

void
msg_pair_str(struct msg_writer *w, uint32_t key, const char *v)
{
	msg_key(w, key);
	msg_put_str(w, v);
}

int
msg_done(const struct msg_writer *w)
{
	return w->err;
}

/* ---- reading, first step: the walk over untrusted bytes ---- */

/* The head of one value: its kind, and its number (value, length or count). */
enum kind { KIND_UINT, KIND_SINT, KIND_BOOL, KIND_BYTES, KIND_ARRAY, KIND_MAP, KIND_BAD };

static uint64_t
read_be(struct unpacker *u, unsigned log2_len)
{
	switch (log2_len) {
	case 0:
		return unpack_u8(u);
	case 1:
		return unpack_u16(u);
	case 2:
		return unpack_u32(u);
	default:
		return unpack_u64(u);
	}
}

/* https://github.com/msgpack/msgpack/blob/master/spec.md; floats, nil and ext are KIND_BAD. */
static enum kind
read_head(struct unpacker *u, uint64_t *number)
{
	uint8_t b = unpack_u8(u);

	*number = 0;
	if (u->failed)
		return KIND_BAD;
	if (b <= 0x7f) {
		*number = b;
		return KIND_UINT;
	}
	if (b >= 0xe0)
		return KIND_SINT;
	if (b <= 0x8f) {
		*number = b & 0x0f;
		return KIND_MAP;
	}
	if (b <= 0x9f) {
		*number = b & 0x0f;
		return KIND_ARRAY;
	}
	if (b <= 0xbf) {
		*number = b & 0x1f;
		return KIND_BYTES;
	}
	switch (b) {
	case 0xc2:
	case 0xc3:
		return KIND_BOOL;
	case 0xc4: /* bin 8, 16, 32 */
	case 0xc5:
	case 0xc6:
		*number = read_be(u, b - 0xc4u);
		return KIND_BYTES;
	case 0xcc: /* uint 8, 16, 32, 64 */
	case 0xcd:
	case 0xce:
	case 0xcf:
		*number = read_be(u, b - 0xccu);
		return KIND_UINT;
	case 0xd0: /* int 8, 16, 32, 64 */
	case 0xd1:
	case 0xd2:
	case 0xd3:
		*number = read_be(u, b - 0xd0u);
		return KIND_SINT;
	case 0xd9: /* str 8, 16, 32 */
	case 0xda:
	case 0xdb:
		*number = read_be(u, b - 0xd9u);
		return KIND_BYTES;
	case 0xdc: /* array 16, 32 */
	case 0xdd:
		*number = read_be(u, b - 0xdcu + 1);
		return KIND_ARRAY;
	case 0xde: /* map 16, 32 */
	case 0xdf:
		*number = read_be(u, b - 0xdeu + 1);
		return KIND_MAP;
	default:
		return KIND_BAD;
	}
}

static bool scan_value(struct unpacker *u, unsigned depth);

static bool
scan_map(struct unpacker *u, uint64_t pairs, unsigned depth)
{
	uint64_t keys[MSG_PAIRS_MAX];

	if (pairs > MSG_PAIRS_MAX || 2 * pairs > unpack_left(u))
		return false;
	for (size_t i = 0; i < pairs; i++) {
		if (read_head(u, &keys[i]) != KIND_UINT || u->failed)
			return false;
		for (size_t j = 0; j < i; j++) {
			if (keys[j] == keys[i])
				return false;
		}
		if (!scan_value(u, depth))
			return false;
	}
	return true;
}

/* depth: how many containers are open. Recursion ends at MSG_DEPTH_MAX. */
static bool
scan_value(struct unpacker *u, unsigned depth)
{
	uint64_t number;
	enum kind kind = read_head(u, &number);

	if (u->failed)
		return false;
	switch (kind) {
	case KIND_UINT:
	case KIND_SINT:
	case KIND_BOOL:
		return true;
	case KIND_BYTES:
		if (number > unpack_left(u))
			return false;
		(void)unpack_lend(u, (size_t)number);
		return !u->failed;
	case KIND_ARRAY:
		if (depth == MSG_DEPTH_MAX || number > unpack_left(u))
			return false;
		for (uint64_t i = 0; i < number; i++) {
			if (!scan_value(u, depth + 1))
				return false;
		}
		return true;
	case KIND_MAP:
		return depth < MSG_DEPTH_MAX && scan_map(u, number, depth + 1);
	default:
		return false;
	}
}

/* ---- reading, second step: the tree ---- */

struct msg {
	msgpack_unpacked tree;
};

int
msg_parse(struct bytes in, struct msg **out)
{
	struct unpacker u = unpacker_on(in);
	size_t pos = 0;

	if (!scan_value(&u, 0) || !unpack_done(&u))
		return ERR_INVALID;

	struct msg *m = malloc(sizeof(*m));

	if (m == NULL)
		return ERR_NOMEM;
	msgpack_unpacked_init(&m->tree);

	msgpack_unpack_return got =
	    msgpack_unpack_next(&m->tree, (const char *)in.data, in.len, &pos);

	if (got != MSGPACK_UNPACK_SUCCESS || pos != in.len) {
		msg_free(m);
		return got == MSGPACK_UNPACK_NOMEM_ERROR ? ERR_NOMEM : ERR_INVALID;
	}
	*out = m;
	return ERR_OK;
}

void
msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	msgpack_unpacked_destroy(&m->tree);
	free(m);
}

/* A msg_node is a msgpack_object by another name. */
static const struct msg_node *
node_of(const msgpack_object *o)
{
	return (const struct msg_node *)o;
}

static const msgpack_object *
object_of(const struct msg_node *n)
{
	return (const msgpack_object *)n;
}

const struct msg_node *
msg_root(const struct msg *m)
{
	return node_of(&m->tree.data);
}

const struct msg_node *
msg_get(const struct msg_node *map, uint32_t key)
{
	const msgpack_object *o = object_of(map);

	if (o == NULL || o->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < o->via.map.size; i++) {
		const msgpack_object_kv *kv = &o->via.map.ptr[i];

		if (kv->key.via.u64 == key) /* the scan let only unsigned keys through */
			return node_of(&kv->val);
	}
	return NULL;
}

int
msg_node_u64(const struct msg_node *n, uint64_t max, uint64_t *out)
{
	const msgpack_object *o = object_of(n);

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max)
		return ERR_INVALID;
	*out = o->via.u64;
	return ERR_OK;
}

int
msg_node_bin(const struct msg_node *n, size_t max, struct bytes *out)
{
	const msgpack_object *o = object_of(n);

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type != MSGPACK_OBJECT_BIN || o->via.bin.size > max)
		return ERR_INVALID;
	*out = bytes_of(o->via.bin.ptr, o->via.bin.size);
	return ERR_OK;
}

int
msg_get_u64(const struct msg_node *map, uint32_t key, uint64_t max, uint64_t *out)
{
	return msg_node_u64(msg_get(map, key), max, out);
}

int
msg_get_i64(const struct msg_node *map, uint32_t key, int64_t *out)
{
	const msgpack_object *o = object_of(msg_get(map, key));

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*out = o->via.i64;
	else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
		*out = (int64_t)o->via.u64;
	else
		return ERR_INVALID;
	return ERR_OK;
}

int
msg_get_bool(const struct msg_node *map, uint32_t key, bool *out)
{
	const msgpack_object *o = object_of(msg_get(map, key));

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type != MSGPACK_OBJECT_BOOLEAN)
		return ERR_INVALID;
	*out = o->via.boolean;
	return ERR_OK;
}

int
msg_get_bin(const struct msg_node *map, uint32_t key, size_t max, struct bytes *out)
{
	return msg_node_bin(msg_get(map, key), max, out);
}

int
msg_get_fixed(const struct msg_node *map, uint32_t key, void *out, size_t len)
{
	struct bytes b;
	int err = msg_node_bin(msg_get(map, key), len, &b);

	if (err != ERR_OK)
		return err;
	if (b.len != len)
		return ERR_INVALID;
	if (len > 0)
		memcpy(out, b.data, len);
	return ERR_OK;
}

int
msg_get_str(const struct msg_node *map, uint32_t key, char *out, size_t cap)
{
	const msgpack_object *o = object_of(msg_get(map, key));

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type != MSGPACK_OBJECT_STR || o->via.str.size >= cap ||
	    (o->via.str.size > 0 && memchr(o->via.str.ptr, '\0', o->via.str.size) != NULL))
		return ERR_INVALID;
	if (o->via.str.size > 0)
		memcpy(out, o->via.str.ptr, o->via.str.size);
	out[o->via.str.size] = '\0';
	return ERR_OK;
}

int
msg_get_array(const struct msg_node *map, uint32_t key, size_t max, const struct msg_node **out,
    size_t *count)
{
	const struct msg_node *n = msg_get(map, key);
	const msgpack_object *o = object_of(n);

	if (o == NULL)
		return ERR_NOT_FOUND;
	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > max)
		return ERR_INVALID;
	*out = n;
	*count = o->via.array.size;
	return ERR_OK;
}

const struct msg_node *
msg_item(const struct msg_node *array, size_t index)
{
	const msgpack_object *o = object_of(array);

	if (o == NULL || o->type != MSGPACK_OBJECT_ARRAY || index >= o->via.array.size)
		return NULL;
	return node_of(&o->via.array.ptr[index]);
}
