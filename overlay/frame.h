/*
 * Frames: what travels inside a session, one in each Noise message. Pure: from
 * fields to bytes and back; who may send which frame when is session.c's matter.
 *
 * On the wire: u16 length of the Noise message, then the message. Its plain
 * text: u8 type, u8 flags (0), u32 stream, payload. Integers are big-endian.
 *
 *	OPEN    u16 method, head (≤ RPC_HEAD_BYTES_MAX)   begins a stream
 *	DATA    1 to FRAME_PAYLOAD_MAX bytes
 *	CREDIT  u32: so many more bytes may be sent
 *	END     i32 status ≤ 0, tail (≤ RPC_HEAD_BYTES_MAX)  no more from this side
 *	RESET   i32 status < 0                              neither side says more
 *	PING    u64, PONG the same u64                      stream 0
 *	GOAWAY  nothing                                     stream 0: open no more streams
 */
#ifndef OVERLAY_FRAME_H
#define OVERLAY_FRAME_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"
#include "overlay/endpoint.h"

enum frame_type {
	FRAME_OPEN = 1,
	FRAME_DATA,
	FRAME_CREDIT,
	FRAME_END,
	FRAME_RESET,
	FRAME_PING,
	FRAME_PONG,
	FRAME_GOAWAY
};

#define FRAME_HEADER_BYTES 6
#define FRAME_PLAIN_MAX    (FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX)
#define FRAME_LENGTH_BYTES 2
/* A Noise message that holds a frame: at least a header, at most a full payload. */
#define FRAME_SEALED_MIN   (FRAME_HEADER_BYTES + CRYPTO_TAG_BYTES)
#define FRAME_SEALED_MAX   (FRAME_PLAIN_MAX + CRYPTO_TAG_BYTES)
#define FRAME_WIRE_MAX     (FRAME_LENGTH_BYTES + FRAME_SEALED_MAX)

struct frame {
	enum frame_type type;
	uint32_t stream;    /* 0 for PING, PONG and GOAWAY, else not 0 */
	uint16_t method;    /* OPEN */
	int32_t status;     /* END, RESET */
	uint32_t credit;    /* CREDIT: 1 to STREAM_CREDIT */
	uint64_t token;     /* PING, PONG */
	struct bytes bytes; /* head, data or tail */
};

/* Bytes that frame_pack() writes. */
size_t frame_bytes(const struct frame *f);
/* Writes the plain text into out, which has frame_bytes(f). f is within the limits above. */
void frame_pack(const struct frame *f, uint8_t *out);
/* out->bytes lends from in. ERR_INVALID for all that the table above does not allow. */
int frame_unpack(struct bytes in, struct frame *out);

#endif
