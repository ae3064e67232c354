/*
 * S3's additional checksums (AWS: "Checking object integrity"): over a whole object, over one part,
 * or of many parts: composite (a hash of the parts' hashes), or the full object's, which a CRC can
 * be combined to without the bytes. Raw bytes are big-endian, as their base64 is written. Pure.
 */
#ifndef GATEWAY_SUM_H
#define GATEWAY_SUM_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define SUM_BYTES_MAX 32
#define SUM_TEXT_MAX  48 /* base64 of 32 bytes, and "-10000" */

/* Numbers are kept in buckets: append only. */
enum sum_algo { SUM_NONE, SUM_CRC32, SUM_CRC32C, SUM_CRC64NVME, SUM_SHA1, SUM_SHA256, SUM_ALGOS };
enum sum_type { SUM_FULL_OBJECT, SUM_COMPOSITE };

/* "CRC32C"; "" for none. */
const char *sum_name(enum sum_algo algo);
/* "COMPOSITE". */
const char *sum_type_name(enum sum_type type);
/* By name in any case; SUM_NONE: unknown. */
enum sum_algo sum_by_name(const char *name);
/* "x-amz-checksum-crc32c". */
const char *sum_header(enum sum_algo algo);
/* By that, in any case; SUM_NONE: unknown. */
enum sum_algo sum_by_header(const char *name);
/* "x-amz-checksum-sha512": a value is given by an algorithm that is none of ours. */
bool sum_header_unknown(const char *name);
/* "ChecksumCRC32C": its element in XML. */
const char *sum_element(enum sum_algo algo);
size_t sum_bytes(enum sum_algo algo);
/* CRC64NVME has no composite form, SHA no combined one. */
bool sum_can(enum sum_algo algo, enum sum_type type);

struct sum;                              /* streaming */
struct sum *sum_new(enum sum_algo algo); /* NULL: no memory. gives */
void sum_free(struct sum *c);
void sum_update(struct sum *c, const void *data, size_t len);
void sum_final(struct sum *c, uint8_t out[SUM_BYTES_MAX]);

/* a: of bytes; b: of the len bytes behind them; out (may be a): of both. CRCs only. */
void sum_combine(enum sum_algo algo, uint8_t out[SUM_BYTES_MAX], const uint8_t a[SUM_BYTES_MAX],
    const uint8_t b[SUM_BYTES_MAX], uint64_t b_len);

/* base64, and "-N" behind a composite of N parts; 0: none. */
const char *sum_text(
    enum sum_algo algo, const uint8_t raw[SUM_BYTES_MAX], unsigned parts, char out[SUM_TEXT_MAX]);
/* The reverse, "-N" is not part of it. ERR_INVALID. */
int sum_parse(enum sum_algo algo, const char *text, uint8_t out[SUM_BYTES_MAX]);

/* The CRC of a reflected polynomial, one slice of eight tables at a time; for tests, too. */
uint64_t sum_crc64nvme(uint64_t crc, const void *data, size_t len);

#endif
