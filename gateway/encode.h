/*
 * Bytes as text, the ways that S3 uses: percent-encoding (RFC 3986, as AWS canonicalises), base64
 * (RFC 4648, padded). Strict: what is not exactly right is ERR_INVALID. Pure.
 */
#ifndef GATEWAY_ENCODE_H
#define GATEWAY_ENCODE_H

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

/* Without its NUL; of NULL: none. */
static inline struct bytes
text_bytes(const char *text)
{
	return text == NULL ? bytes_of(NULL, 0) : bytes_of(text, strlen(text));
}

/* All but unreserved characters, in upper-case hex; '/' stays where keep_slash. */
int encode_percent(struct buf *out, struct bytes text, bool keep_slash);
/* "%XX" to bytes, '+' to ' ' where plus_is_space; NUL bytes come through. ERR_INVALID. */
int decode_percent(struct buf *out, struct bytes text, bool plus_is_space);
/* Of either case; -1: it is none. */
int hex_digit(uint8_t c);
/* With padding. */
int encode_base64(struct buf *out, struct bytes data);
/* Exactly len bytes, padded as it should be. */
int decode_base64(void *out, size_t len, const char *text);
/* Any length up to out's maximum. */
int decode_base64_any(struct buf *out, struct bytes text);
/* Well-formed UTF-8 without surrogates. */
bool utf8_valid(struct bytes text);
/* Decimal digits alone, at most max. */
bool decimal_parse(const char *text, uint64_t max, uint64_t *out);

#endif
