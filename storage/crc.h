/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): tells torn and rotten records of the disk
 * from whole ones. Not for anything that an adversary writes: that is what hashes are for.
 * The only file that sees ISA-L's CRC is crc.c.
 */
#ifndef STORAGE_CRC_H
#define STORAGE_CRC_H

#include "overlay/base/types.h"

uint32_t crc32c(const void *data, size_t len);
/* Goes on from an earlier result, as if the parts were one string; 0 begins. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t len);
/* CRC-32 of IEEE 802.3 (zlib's), the same way: one of S3's checksums. */
uint32_t crc32_more(uint32_t crc, const void *data, size_t len);

#endif
