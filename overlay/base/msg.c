/*
 * msgpack in and out; msgpack-c writes. Reading has two steps and needs no heap: scan_value() walks
 * the peer's bytes in bounded stack and refuses whatever no writer of ours produces; after that a
 * value is found by going through the bytes once more, which the scan has shown to be sound, or
 * where the scan has seen it.
 *
 * Failures: ERR_INVALID for bad bytes; writers keep the first error of their buffer.
 */
#include "overlay/base/msg.h"

#include <endian.h>
#include <msgpack.h>
#include <string.h>

#include "overlay/base/err.h"

/* ---- writing ---- */

struct msg_writer
msg_writer_on(struct buf *out)
{
	return (struct msg_writer){ .out = out };
}

/* Nearly all goes into what there is, in pieces of a byte or two. */
static inline int
append(struct msg_writer *w, const void *data, size_t len)
{
	struct buf *b = w->out;

	if (w->err != ERR_OK)
		return -1;
	if (len <= b->cap - b->len && b->data != NULL) {
		memcpy(b->data + b->len, data, len);
		b->len += len;
		return 0;
	}
	w->err = buf_append(b, data, len);
	return w->err == ERR_OK ? 0 : -1;
}

/* msgpack-c's writers as put_*() on ours: what is appended is known where they are inlined. */
#define msgpack_pack_inline_func(name)                static inline int put##name
#define msgpack_pack_inline_func_cint(name)           static inline int put##name
#define msgpack_pack_inline_func_fixint(name)         static inline int put_fix##name
#define msgpack_pack_user                             struct msg_writer *
#define msgpack_pack_append_buffer(writer, data, len) return append(writer, data, len)
#include <msgpack/pack_template.h>

void
msg_put_map(struct msg_writer *w, uint32_t pairs)
{
	must(pairs <= MSG_PAIRS_MAX);
	put_map(w, pairs);
}

void
msg_put_array(struct msg_writer *w, uint32_t items)
{
	put_array(w, items);
}

void
msg_put_u64(struct msg_writer *w, uint64_t v)
{
	put_uint64(w, v);
}

void
msg_put_i64(struct msg_writer *w, int64_t v)
{
	put_int64(w, v);
}

void
msg_put_bool(struct msg_writer *w, bool v)
{
	if (v)
		put_true(w);
	else
		put_false(w);
}

void
msg_put_bin(struct msg_writer *w, struct bytes v)
{
	if (v.len > UINT32_MAX) {
		w->err = w->err != ERR_OK ? w->err : ERR_TOO_BIG;
		return;
	}
	if (put_bin(w, v.len) == 0 && v.len > 0)
		put_bin_body(w, v.data, v.len);
}

void
msg_put_str(struct msg_writer *w, const char *v)
{
	size_t len = strlen(v);

	if (len > UINT32_MAX) {
		w->err = w->err != ERR_OK ? w->err : ERR_TOO_BIG;
		return;
	}
	if (put_str(w, len) == 0 && len > 0)
		put_str_body(w, v, len);
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

/* ---- reading: the head of one value ---- */

enum kind { KIND_BAD, KIND_UINT, KIND_SINT, KIND_BOOL, KIND_BYTES, KIND_ARRAY, KIND_MAP };

struct head {
	enum kind kind;
	uint64_t number;   /* value, length or count; of a KIND_SINT the bits, sign extended */
	const uint8_t *in; /* what follows the head */
};

/*
 * What a first byte says (https://github.com/msgpack/msgpack/blob/master/spec.md): a number of so
 * many bytes follows, or is what the mask leaves. Floats, nil and ext are KIND_BAD.
 */
static const struct type {
	uint8_t kind, bytes, mask;
} types[256] = {
	[0x00 ... 0x7f] = { KIND_UINT, .mask = 0x7f },
	[0x80 ... 0x8f] = { KIND_MAP, .mask = 0x0f },
	[0x90 ... 0x9f] = { KIND_ARRAY, .mask = 0x0f },
	[0xa0 ... 0xbf] = { KIND_BYTES, .mask = 0x1f },
	[0xc2 ... 0xc3] = { KIND_BOOL, .mask = 0x01 },
	[0xc4] = { KIND_BYTES, 1 },
	[0xc5] = { KIND_BYTES, 2 },
	[0xc6] = { KIND_BYTES, 4 },
	[0xcc] = { KIND_UINT, 1 },
	[0xcd] = { KIND_UINT, 2 },
	[0xce] = { KIND_UINT, 4 },
	[0xcf] = { KIND_UINT, 8 },
	[0xd0] = { KIND_SINT, 1 },
	[0xd1] = { KIND_SINT, 2 },
	[0xd2] = { KIND_SINT, 4 },
	[0xd3] = { KIND_SINT, 8 },
	[0xd9] = { KIND_BYTES, 1 },
	[0xda] = { KIND_BYTES, 2 },
	[0xdb] = { KIND_BYTES, 4 },
	[0xdc] = { KIND_ARRAY, 2 },
	[0xdd] = { KIND_ARRAY, 4 },
	[0xde] = { KIND_MAP, 2 },
	[0xdf] = { KIND_MAP, 4 },
	[0xe0 ... 0xff] = { KIND_SINT, .mask = 0xff },
};

static uint64_t
number_at(const uint8_t *p, unsigned bytes)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (bytes) {
	case 1:
		return p[0];
	case 2:
		memcpy(&two, p, sizeof(two));
		return be16toh(two);
	case 4:
		memcpy(&four, p, sizeof(four));
		return be32toh(four);
	default:
		memcpy(&eight, p, sizeof(eight));
		return be64toh(eight);
	}
}

/* False: none that anybody writes here, or it ends too early. */
static inline bool
head_at(const uint8_t *p, size_t left, struct head *h)
{
	const struct type *t;
	unsigned bits;

	if (left == 0)
		return false;
	if (p[0] <= 0x7f) { /* keys, and most numbers */
		*h = (struct head){ KIND_UINT, p[0], p + 1 };
		return true;
	}
	t = &types[p[0]];
	if (t->kind == KIND_BAD || left <= t->bytes)
		return false;
	h->kind = (enum kind)t->kind;
	h->number = t->bytes == 0 ? p[0] & t->mask : number_at(p + 1, t->bytes);
	h->in = p + 1 + t->bytes;
	if (h->kind == KIND_SINT) {
		bits = 8 * MAX(t->bytes, 1u);
		if (bits < 64 && h->number >> (bits - 1) != 0)
			h->number |= UINT64_MAX << bits;
	}
	return true;
}

/* ---- reading, first step: the walk over untrusted bytes ---- */

static const struct msg_node *
node_of(const uint8_t *p)
{
	return (const struct msg_node *)p;
}

/* Keys below 64, as all of ours are, leave a bit; others are kept. */
struct keys {
	uint64_t small, large[MSG_PAIRS_MAX];
	size_t large_count;
};

static bool
keys_add(struct keys *k, uint64_t key)
{
	if (key < 64) {
		uint64_t bit = UINT64_C(1) << key;
		bool fresh = (k->small & bit) == 0;

		k->small |= bit;
		return fresh;
	}
	for (size_t i = 0; i < k->large_count; i++) {
		if (k->large[i] == key)
			return false;
	}
	k->large[k->large_count++] = key;
	return true;
}

static const uint8_t *scan_inside(const struct head *h, const uint8_t *end, unsigned depth);

/* Behind the value at p, or NULL. depth: how many containers are open. */
static inline const uint8_t *
scan_value(const uint8_t *p, const uint8_t *end, unsigned depth)
{
	struct head h;

	if (!head_at(p, (size_t)(end - p), &h))
		return NULL;
	if (h.kind == KIND_BYTES)
		return h.number <= (size_t)(end - h.in) ? h.in + h.number : NULL;
	if (h.kind == KIND_ARRAY || h.kind == KIND_MAP)
		return scan_inside(&h, end, depth);
	return h.in;
}

/*
 * Behind a map's pairs, which begin at p; NULL: something is wrong with them. out gets where the
 * values of keys below count are.
 */
static const uint8_t *
scan_map(const uint8_t *p, const uint8_t *end, uint64_t pairs, unsigned depth,
    const struct msg_node **out, size_t count)
{
	struct keys keys;
	struct head key;

	keys.small = keys.large_count = 0;
	if (pairs > MSG_PAIRS_MAX || 2 * pairs > (size_t)(end - p))
		return NULL;
	for (size_t i = 0; i < pairs && p != NULL; i++) {
		if (!head_at(p, (size_t)(end - p), &key) || key.kind != KIND_UINT ||
		    !keys_add(&keys, key.number))
			return NULL;
		if (key.number < count)
			out[key.number] = node_of(key.in);
		p = scan_value(key.in, end, depth);
	}
	return p;
}

/* Behind what an array or a map holds, or NULL; depth ends the recursion. */
static const uint8_t *
scan_inside(const struct head *h, const uint8_t *end, unsigned depth)
{
	const uint8_t *p = h->in;

	if (depth == MSG_DEPTH_MAX || h->number > (size_t)(end - p))
		return NULL;
	if (h->kind == KIND_MAP)
		return scan_map(p, end, h->number, depth + 1, NULL, 0);
	for (uint64_t i = 0; i < h->number && p != NULL; i++)
		p = scan_value(p, end, depth + 1);
	return p;
}

int
msg_parse(struct bytes in, struct msg **out)
{
	if (in.len == 0 || scan_value(in.data, in.data + in.len, 0) != in.data + in.len)
		return ERR_INVALID;
	*out = (struct msg *)(uintptr_t)in.data;
	return ERR_OK;
}

void
msg_free(struct msg *m)
{
	(void)m; /* the input's bytes, which are not ours */
}

int
msg_read(struct bytes in, const struct msg_node **out, size_t count)
{
	const uint8_t *end;
	struct head h;

	for (size_t i = 0; i < count; i++)
		out[i] = NULL;
	if (!head_at(in.data, in.len, &h) || h.kind != KIND_MAP)
		return ERR_INVALID;
	end = in.data + in.len;
	return scan_map(h.in, end, h.number, 1, out, count) == end ? ERR_OK : ERR_INVALID;
}

/* ---- reading, second step: a node is where its value begins ---- */

/*
 * From here on the bytes are known to be whole and sound, so nothing looks for their end again,
 * and no tree is built: a datagram would pay for two, and asks each for a dozen values.
 */
static const uint8_t *
at(const void *node)
{
	return node;
}

static inline struct head
sound_head(const uint8_t *p)
{
	struct head h;

	must(head_at(p, SIZE_MAX, &h)); /* the walk let nothing else through */
	return h;
}

/* Behind the value at p. As deep as the walk, which has been here. */
static const uint8_t *
skip(const uint8_t *p)
{
	struct head h = sound_head(p);

	p = h.in;
	if (h.kind == KIND_BYTES)
		return p + h.number;
	if (h.kind != KIND_ARRAY && h.kind != KIND_MAP)
		return p;
	for (uint64_t n = h.kind == KIND_MAP ? 2 * h.number : h.number; n > 0; n--)
		p = skip(p);
	return p;
}

const struct msg_node *
msg_root(const struct msg *m)
{
	return node_of(at(m));
}

const struct msg_node *
msg_get(const struct msg_node *map, uint32_t key)
{
	struct head h;
	const uint8_t *p;

	if (map == NULL)
		return NULL;
	h = sound_head(at(map));
	if (h.kind != KIND_MAP)
		return NULL;
	p = h.in;
	for (uint64_t i = 0; i < h.number; i++) {
		struct head k = sound_head(p);

		if (k.number == key) /* the walk let only unsigned keys through */
			return node_of(k.in);
		p = skip(k.in);
	}
	return NULL;
}

/* True: an integer that is not negative, however it is written. */
static bool
unsigned_at(const struct msg_node *n, uint64_t *v)
{
	struct head h = sound_head(at(n));

	*v = h.number;
	return h.kind == KIND_UINT || (h.kind == KIND_SINT && h.number <= INT64_MAX);
}

int
msg_node_u64(const struct msg_node *n, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (n == NULL)
		return ERR_NOT_FOUND;
	if (!unsigned_at(n, &v) || v > max)
		return ERR_INVALID;
	*out = v;
	return ERR_OK;
}

/* Bytes or letters: bin from 0xc4 on, str above and in one byte with its length. */
static bool
bytes_at(const struct msg_node *n, bool letters, struct bytes *out)
{
	struct head h = sound_head(at(n));
	uint8_t type = at(n)[0];

	*out = bytes_of(h.in, (size_t)h.number);
	return h.kind == KIND_BYTES && letters == (type <= 0xbf || type >= 0xd9);
}

int
msg_node_bin(const struct msg_node *n, size_t max, struct bytes *out)
{
	struct bytes b;

	if (n == NULL)
		return ERR_NOT_FOUND;
	if (!bytes_at(n, false, &b) || b.len > max)
		return ERR_INVALID;
	*out = b;
	return ERR_OK;
}

int
msg_get_u64(const struct msg_node *map, uint32_t key, uint64_t max, uint64_t *out)
{
	return msg_node_u64(msg_get(map, key), max, out);
}

int
msg_node_i64(const struct msg_node *n, int64_t *out)
{
	struct head h;

	if (n == NULL)
		return ERR_NOT_FOUND;
	h = sound_head(at(n));
	if (h.kind != KIND_SINT && (h.kind != KIND_UINT || h.number > INT64_MAX))
		return ERR_INVALID;
	*out = (int64_t)h.number;
	return ERR_OK;
}

int
msg_get_i64(const struct msg_node *map, uint32_t key, int64_t *out)
{
	return msg_node_i64(msg_get(map, key), out);
}

int
msg_node_bool(const struct msg_node *n, bool *out)
{
	struct head h;

	if (n == NULL)
		return ERR_NOT_FOUND;
	h = sound_head(at(n));
	if (h.kind != KIND_BOOL)
		return ERR_INVALID;
	*out = h.number != 0;
	return ERR_OK;
}

int
msg_get_bool(const struct msg_node *map, uint32_t key, bool *out)
{
	return msg_node_bool(msg_get(map, key), out);
}

int
msg_get_bin(const struct msg_node *map, uint32_t key, size_t max, struct bytes *out)
{
	return msg_node_bin(msg_get(map, key), max, out);
}

int
msg_node_fixed(const struct msg_node *n, void *out, size_t len)
{
	struct bytes b;
	int err = msg_node_bin(n, len, &b);

	if (err != ERR_OK)
		return err;
	if (b.len != len)
		return ERR_INVALID;
	if (len > 0)
		memcpy(out, b.data, len);
	return ERR_OK;
}

int
msg_get_fixed(const struct msg_node *map, uint32_t key, void *out, size_t len)
{
	return msg_node_fixed(msg_get(map, key), out, len);
}

int
msg_get_str(const struct msg_node *map, uint32_t key, char *out, size_t cap)
{
	const struct msg_node *n = msg_get(map, key);
	struct bytes b;

	if (n == NULL)
		return ERR_NOT_FOUND;
	if (!bytes_at(n, true, &b) || b.len >= cap ||
	    (b.len > 0 && memchr(b.data, '\0', b.len) != NULL))
		return ERR_INVALID;
	if (b.len > 0)
		memcpy(out, b.data, b.len);
	out[b.len] = '\0';
	return ERR_OK;
}

int
msg_get_array(const struct msg_node *map, uint32_t key, size_t max, const struct msg_node **out,
    size_t *count)
{
	const struct msg_node *n = msg_get(map, key);
	struct head h;

	if (n == NULL)
		return ERR_NOT_FOUND;
	h = sound_head(at(n));
	if (h.kind != KIND_ARRAY || h.number > max)
		return ERR_INVALID;
	*out = n;
	*count = (size_t)h.number;
	return ERR_OK;
}

const struct msg_node *
msg_item(const struct msg_node *array, size_t index)
{
	struct head h;

	if (array == NULL)
		return NULL;
	h = sound_head(at(array));
	if (h.kind != KIND_ARRAY || index >= h.number)
		return NULL;
	for (; index > 0; index--)
		h.in = skip(h.in);
	return node_of(h.in);
}
