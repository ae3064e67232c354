/*
 * msgpack in and out; msgpack-c writes. Reading has two steps and needs no heap: scan_value() walks
 * the peer's bytes in bounded stack and refuses whatever no writer of ours produces; after that a
 * value is found by going through the bytes once more, which the scan has shown to be sound.
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

/* ---- reading: the head of one value ---- */

enum kind { KIND_BAD, KIND_UINT, KIND_SINT, KIND_BOOL, KIND_BYTES, KIND_ARRAY, KIND_MAP };

#define WIDE_FIRST 0xc4 /* from this type on a number of one to eight bytes follows */

struct head {
	enum kind kind;
	uint64_t number;   /* value, length or count; of a KIND_SINT the bits, sign extended */
	const uint8_t *in; /* what follows the head */
};

static uint64_t
number_at(const uint8_t *p, unsigned log2_len)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (log2_len) {
	case 0:
		return p[0];
	case 1:
		memcpy(&two, p, sizeof(two));
		return be16toh(two);
	case 2:
		memcpy(&four, p, sizeof(four));
		return be32toh(four);
	default:
		memcpy(&eight, p, sizeof(eight));
		return be64toh(eight);
	}
}

/* Of types beyond 0xc3: the kind, and log2 of the bytes of the number. */
static struct head
head_wide(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t kind, log2_len;
	} types[] = {
		/* from WIDE_FIRST on; what is not named here is KIND_BAD */
		[0xc4 - WIDE_FIRST] = { KIND_BYTES, 0 },
		{ KIND_BYTES, 1 },
		{ KIND_BYTES, 2 },
		[0xcc - WIDE_FIRST] = { KIND_UINT, 0 },
		{ KIND_UINT, 1 },
		{ KIND_UINT, 2 },
		{ KIND_UINT, 3 },
		[0xd0 - WIDE_FIRST] = { KIND_SINT, 0 },
		{ KIND_SINT, 1 },
		{ KIND_SINT, 2 },
		{ KIND_SINT, 3 },
		[0xd9 - WIDE_FIRST] = { KIND_BYTES, 0 },
		{ KIND_BYTES, 1 },
		{ KIND_BYTES, 2 },
		[0xdc - WIDE_FIRST] = { KIND_ARRAY, 1 },
		{ KIND_ARRAY, 2 },
		[0xde - WIDE_FIRST] = { KIND_MAP, 1 },
		{ KIND_MAP, 2 },
	};
	unsigned log2_len;
	struct head h;
	size_t len;

	if (p[0] < WIDE_FIRST || p[0] - WIDE_FIRST >= (int)ARRAY_LEN(types))
		return (struct head){ .kind = KIND_BAD };
	h.kind = (enum kind)types[p[0] - WIDE_FIRST].kind;
	log2_len = types[p[0] - WIDE_FIRST].log2_len;
	len = (size_t)1 << log2_len;
	if (h.kind == KIND_BAD || left <= len)
		return (struct head){ .kind = KIND_BAD };
	h = (struct head){ h.kind, number_at(p + 1, log2_len), p + 1 + len };
	if (h.kind == KIND_SINT && len < 8 && h.number >> (8 * len - 1) != 0)
		h.number |= UINT64_MAX << 8 * len;
	return h;
}

/*
 * https://github.com/msgpack/msgpack/blob/master/spec.md; floats, nil, ext and what ends too early
 * are KIND_BAD.
 */
static struct head
head_at(const uint8_t *p, size_t left)
{
	if (left == 0)
		return (struct head){ .kind = KIND_BAD };
	if (p[0] <= 0x7f)
		return (struct head){ KIND_UINT, p[0], p + 1 };
	if (p[0] >= 0xe0)
		return (struct head){ KIND_SINT, (uint64_t)(int64_t)(int8_t)p[0], p + 1 };
	if (p[0] <= 0x8f)
		return (struct head){ KIND_MAP, p[0] & 0x0fu, p + 1 };
	if (p[0] <= 0x9f)
		return (struct head){ KIND_ARRAY, p[0] & 0x0fu, p + 1 };
	if (p[0] <= 0xbf)
		return (struct head){ KIND_BYTES, p[0] & 0x1fu, p + 1 };
	if (p[0] == 0xc2 || p[0] == 0xc3)
		return (struct head){ KIND_BOOL, p[0] & 1u, p + 1 };
	return head_wide(p, left);
}

/* ---- reading, first step: the walk over untrusted bytes ---- */

/* Takes a head off what is left. */
static bool
scan_head(struct bytes *left, struct head *h)
{
	*h = head_at(left->data, left->len);
	if (h->kind == KIND_BAD)
		return false;
	*left = bytes_of(h->in, left->len - (size_t)(h->in - left->data));
	return true;
}

static bool scan_value(struct bytes *left, unsigned depth);

static bool
scan_map(struct bytes *left, uint64_t pairs, unsigned depth)
{
	uint64_t large[MSG_PAIRS_MAX],
	    small = 0; /* a bit for each key below 64, as all of ours are */
	size_t large_count = 0;
	struct head h;

	if (pairs > MSG_PAIRS_MAX || 2 * pairs > left->len)
		return false;
	for (size_t i = 0; i < pairs; i++) {
		if (!scan_head(left, &h) || h.kind != KIND_UINT)
			return false;
		if (h.number < 64) {
			if ((small >> h.number & 1) != 0)
				return false;
			small |= UINT64_C(1) << h.number;
		} else {
			for (size_t j = 0; j < large_count; j++) {
				if (large[j] == h.number)
					return false;
			}
			large[large_count++] = h.number;
		}
		if (!scan_value(left, depth))
			return false;
	}
	return true;
}

/* depth: how many containers are open. Recursion ends at MSG_DEPTH_MAX. */
static bool
scan_value(struct bytes *left, unsigned depth)
{
	struct head h;

	if (!scan_head(left, &h))
		return false;
	switch (h.kind) {
	case KIND_BYTES:
		if (h.number > left->len)
			return false;
		*left = bytes_of(left->data + h.number, left->len - (size_t)h.number);
		return true;
	case KIND_ARRAY:
		if (depth == MSG_DEPTH_MAX || h.number > left->len)
			return false;
		for (uint64_t i = 0; i < h.number; i++) {
			if (!scan_value(left, depth + 1))
				return false;
		}
		return true;
	case KIND_MAP:
		return depth < MSG_DEPTH_MAX && scan_map(left, h.number, depth + 1);
	default:
		return true;
	}
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

static struct head
sound_head(const uint8_t *p)
{
	struct head h = head_at(p, SIZE_MAX);

	must(h.kind != KIND_BAD); /* the walk let nothing else through */
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

int
msg_parse(struct bytes in, struct msg **out)
{
	struct bytes left = in;

	if (!scan_value(&left, 0) || left.len > 0)
		return ERR_INVALID;
	*out = (struct msg *)(uintptr_t)in.data;
	return ERR_OK;
}

void
msg_free(struct msg *m)
{
	(void)m; /* the input's bytes, which are not ours */
}

static const struct msg_node *
node_of(const uint8_t *p)
{
	return (const struct msg_node *)p;
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

void
msg_values(const struct msg_node *map, const struct msg_node **out, size_t count)
{
	const uint8_t *p;
	struct head h;

	for (size_t i = 0; i < count; i++)
		out[i] = NULL;
	if (map == NULL)
		return;
	h = sound_head(at(map));
	if (h.kind != KIND_MAP)
		return;
	p = h.in;
	for (uint64_t i = 0; i < h.number; i++) {
		struct head k = sound_head(p);

		if (k.number < count)
			out[k.number] = node_of(k.in);
		/* Nobody needs what lies behind the last one. */
		if (i + 1 < h.number)
			p = skip(k.in);
	}
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
