/*
 * Fixed-layout byte strings: what is signed, hashed or kept on disk.
 * Integers are big-endian. Both cursors are sticky: after the first overrun
 * every further call does nothing, and pack_ok()/unpack_done() tells at the end,
 * so callers check once. Not for self-describing messages: those use msg.h.
 */
#ifndef OVERLAY_BASE_PACK_H
#define OVERLAY_BASE_PACK_H

#include "overlay/base/types.h"

struct packer {
	uint8_t *out;
	size_t cap;
	size_t len; /* bytes written so far */
	bool failed;
};

struct unpacker {
	const uint8_t *in;
	size_t len;
	size_t pos;
	bool failed;
};

struct packer packer_on(void *out, size_t cap);
void pack_u8(struct packer *p, uint8_t v);
void pack_u16(struct packer *p, uint16_t v);
void pack_u32(struct packer *p, uint32_t v);
void pack_u64(struct packer *p, uint64_t v);
void pack_raw(struct packer *p, const void *data, size_t len);
void pack_zero(struct packer *p, size_t len);
void pack_str(struct packer *p, const char *s);  /* the letters, no NUL, no length */
void pack_text(struct packer *p, const char *s); /* the length in one byte, then the letters */
bool pack_ok(const struct packer *p);

/*
 * skerry/<type>/<version>, the prefix of everything signed or hashed, then the
 * network id (none when net is NULL: chunk descriptors belong to no network).
 */
void pack_domain(struct packer *p, const char *domain, const struct network_id *net);

struct unpacker unpacker_on(struct bytes in);
uint8_t unpack_u8(struct unpacker *u);
uint16_t unpack_u16(struct unpacker *u);
uint32_t unpack_u32(struct unpacker *u);
uint64_t unpack_u64(struct unpacker *u);
void unpack_raw(struct unpacker *u, void *out, size_t len);
/* Lends len bytes of the input; {NULL, 0} after an overrun. */
struct bytes unpack_lend(struct unpacker *u, size_t len);
/*
 * So many letters and a NUL into out, which has len + 1 bytes. Fails the cursor for a NUL inside,
 * which would be a second form of a shorter text; out is empty then.
 */
void unpack_str(struct unpacker *u, char *out, size_t len);
/* What pack_text() wrote, into a field of cap bytes; fails the cursor, too, where it does not fit.
 */
void unpack_text(struct unpacker *u, char *out, size_t cap);
/* Consumes the literal; fails the cursor when it is not there. */
void unpack_expect(struct unpacker *u, const char *literal);
/*
 * Consumes what pack_domain() wrote. ERR_INVALID: another type (or too short),
 * ERR_VERSION: this type in another version, ERR_WRONG_NETWORK. The cursor has
 * failed then, too.
 */
int unpack_domain(struct unpacker *u, const char *domain, const struct network_id *net);
size_t unpack_left(const struct unpacker *u);
/* True when nothing failed and no byte is left over. */
bool unpack_done(const struct unpacker *u);

#endif
