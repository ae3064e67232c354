/*
 * One frame to bytes and back. Every type has a fixed part and, where the
 * table in frame.h says so, bytes behind it; frame_unpack() refuses everything else,
 * so that a frame which was taken packs to the same bytes again.
 */
#include "overlay/frame.h"

#include <assert.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static_assert(FRAME_SEALED_MAX <= UINT16_MAX, "a Noise message has a length of 16 bits");
static_assert(4 + RPC_HEAD_BYTES_MAX <= FRAME_PAYLOAD_MAX, "head and tail fit one frame");

/* What a type's payload looks like. */
struct shape {
	uint8_t fixed;    /* bytes in front */
	bool of_session;  /* stream is 0 */
	size_t bytes_max; /* of what follows */
	size_t bytes_min;
};

static const struct shape *
shape_of(unsigned type)
{
	static const struct shape shapes[] = {
		[FRAME_OPEN] = { .fixed = 2, .bytes_max = RPC_HEAD_BYTES_MAX },
		[FRAME_DATA] = { .bytes_max = FRAME_PAYLOAD_MAX, .bytes_min = 1 },
		[FRAME_CREDIT] = { .fixed = 4 },
		[FRAME_END] = { .fixed = 4, .bytes_max = RPC_HEAD_BYTES_MAX },
		[FRAME_RESET] = { .fixed = 4 },
		[FRAME_PING] = { .fixed = 8, .of_session = true },
		[FRAME_PONG] = { .fixed = 8, .of_session = true },
		[FRAME_GOAWAY] = { .of_session = true },
	};

	return type >= FRAME_OPEN && type < ARRAY_LEN(shapes) ? &shapes[type] : NULL;
}

/* The rules that a length alone does not tell. */
static bool
frame_valid(const struct frame *f, const struct shape *shape)
{
	if ((f->stream == 0) != shape->of_session)
		return false;
	if (f->bytes.len < shape->bytes_min || f->bytes.len > shape->bytes_max)
		return false;
	switch (f->type) {
	case FRAME_CREDIT:
		return f->credit > 0 && f->credit <= STREAM_CREDIT;
	case FRAME_END:
		return f->status <= 0;
	case FRAME_RESET:
		return f->status < 0;
	default:
		return true;
	}
}

size_t
frame_bytes(const struct frame *f)
{
	return FRAME_HEADER_BYTES + shape_of(f->type)->fixed + f->bytes.len;
}

void
frame_pack(const struct frame *f, uint8_t *out)
{
	struct packer p = packer_on(out, frame_bytes(f));

	must(frame_valid(f, shape_of(f->type)));
	pack_u8(&p, (uint8_t)f->type);
	pack_u8(&p, 0);
	pack_u32(&p, f->stream);
	if (f->type == FRAME_OPEN)
		pack_u16(&p, f->method);
	else if (f->type == FRAME_CREDIT)
		pack_u32(&p, f->credit);
	else if (f->type == FRAME_END || f->type == FRAME_RESET)
		pack_u32(&p, (uint32_t)f->status);
	else if (f->type == FRAME_PING || f->type == FRAME_PONG)
		pack_u64(&p, f->token);
	pack_raw(&p, f->bytes.data, f->bytes.len);
	must(pack_ok(&p));
}

int
frame_unpack(struct bytes in, struct frame *out)
{
	struct unpacker u = unpacker_on(in);
	unsigned type = unpack_u8(&u);
	unsigned flags = unpack_u8(&u);
	const struct shape *shape = shape_of(type);
	struct frame f = { .stream = unpack_u32(&u) };

	if (shape == NULL || flags != 0)
		return ERR_INVALID;
	f.type = (enum frame_type)type;
	if (type == FRAME_OPEN)
		f.method = unpack_u16(&u);
	else if (type == FRAME_CREDIT)
		f.credit = unpack_u32(&u);
	else if (type == FRAME_END || type == FRAME_RESET)
		f.status = (int32_t)unpack_u32(&u);
	else if (type == FRAME_PING || type == FRAME_PONG)
		f.token = unpack_u64(&u);
	f.bytes = unpack_lend(&u, unpack_left(&u));
	if (!unpack_done(&u) || !frame_valid(&f, shape))
		return ERR_INVALID;
	*out = f;
	return ERR_OK;
}
