/*
 * What is inside a sealed datagram: a msgpack map that carries one request or answer.
 * Pure packing; who may send what to whom is decided in dgram.c. Field table in
 * doc/protocol.md.
 *
 * A request whose address the receiver cannot know to be true carries padding, because no
 * answer to an unproven address is larger than its request. Answers give a token, which
 * later requests show instead.
 */
#ifndef OVERLAY_ENVELOPE_H
#define OVERLAY_ENVELOPE_H

#include "overlay/base/buf.h"
#include "overlay/base/types.h"

/* The protocol that this node speaks; unknown map keys are ignored, so it seldom changes. */
#define PROTOCOL_VERSION 1

#define ENVELOPE_TOKEN_BYTES  16 /* a cookie of sealed.h */
/* Everything but body and padding, at its longest. */
#define ENVELOPE_OVERHEAD_MAX 61
#define ENVELOPE_PADDING_MAX  2048 /* more than any datagram */
/* Padding cannot have every length: so much may be missing. */
#define ENVELOPE_PAD_SHORT    1
/* Methods 1–127 (endpoint.h); one byte would do, two leave room. */
#define ENVELOPE_METHOD_MAX   UINT16_MAX

enum envelope_kind {
	ENVELOPE_REQUEST = 0,
	ENVELOPE_RESPONSE = 1,
	/* "Ask again with this token": the one shown proves nothing any more. */
	ENVELOPE_RETRY = 2,
};

struct envelope {
	enum envelope_kind kind;
	uint64_t id;      /* of the request; repeated in the answer */
	uint16_t method;  /* requests */
	int status;       /* responses: ERR_OK or an error */
	uint64_t sent_ms; /* sender's wall clock */
	uint16_t version; /* newest protocol version the sender speaks */
	bool server;      /* the sender calls itself a server */
	bool has_token;
	uint8_t token[ENVELOPE_TOKEN_BYTES];
	struct bytes body; /* may be empty; unpacked: lent from the input */
};

/*
 * Appends. pad_to > 0: padded up to that many bytes in all (one less where no encoding has
 * that length; up to three more when it was that long without). ERR_TOO_BIG beyond out->max.
 */
int envelope_pack(const struct envelope *e, size_t pad_to, struct buf *out);
/* ERR_INVALID for anything malformed, ERR_NOMEM. */
int envelope_unpack(struct bytes in, struct envelope *out);

#endif
