/*
 * CRC-32C and CRC-32 by ISA-L (50 GB/s where the processor has the instructions). The library
 * wants lengths as int and a pointer to what it does not change.
 */
#include "storage/crc.h"

#include <isa-l/crc.h>

#include "storage/isal_done.h"

#define CRC_STEP_MAX MIB(256) /* fits an int */

uint32_t
crc32c_more(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t step = MIN(len, CRC_STEP_MAX);

		crc = ~crc32_iscsi((unsigned char *)p, (int)step, ~crc);
		p += step;
		len -= step;
	}
	isal_done();
	return crc;
}

uint32_t
crc32c(const void *data, size_t len)
{
	return crc32c_more(0, data, len);
}

uint32_t
crc32_more(uint32_t crc, const void *data, size_t len)
{
	crc = crc32_gzip_refl(crc, data, len);
	isal_done();
	return crc;
}
