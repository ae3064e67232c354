/*
 * What crypto.c asks of libcrypto; the rest of libcrypto's side (struct aead,
 * struct sha256, struct md5) is declared in crypto.h. Only crypto.c includes this.
 */
#ifndef OVERLAY_BASE_CRYPTO_BULK_H
#define OVERLAY_BASE_CRYPTO_BULK_H

#include "overlay/base/crypto.h"

/* One-shot SHA-256; false when libcrypto has no memory for a context. */
bool crypto_bulk_sha256(struct hash *out, const struct bytes *parts, size_t count);

/* "OpenSSL 3.0.x …"; static. */
const char *crypto_bulk_version(void);

#endif
