/* zstd, one frame at a time. Level 3 is zstd's own default: 0.3 GB/s, and the input is small. */
#include "object/compress.h"

#include <zstd.h>

#include "overlay/base/err.h"

#define LEVEL 3

int
compress_pack(struct bytes in, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in.len);
	int err = buf_reserve(out, bound);

	if (err != ERR_OK)
		return err;

	size_t len = ZSTD_compress(out->data + out->len, bound, in.data, in.len, LEVEL);

	if (ZSTD_isError(len))
		return ERR_NOMEM;
	out->len += len;
	return ERR_OK;
}

int
compress_unpack(struct bytes in, struct buf *out)
{
	unsigned long long len = ZSTD_getFrameContentSize(in.data, in.len);

	if (len == ZSTD_CONTENTSIZE_ERROR || len == ZSTD_CONTENTSIZE_UNKNOWN)
		return ERR_CORRUPT;
	if (len > out->max - out->len)
		return ERR_TOO_BIG;

	int err = buf_reserve(out, (size_t)len);

	if (err != ERR_OK)
		return err;

	size_t got = ZSTD_decompress(out->data + out->len, (size_t)len, in.data, in.len);

	/* Trailing bytes behind the frame, a wrong size inside it, anything else: not ours. */
	if (ZSTD_isError(got) || got != len ||
	    ZSTD_findFrameCompressedSize(in.data, in.len) != in.len)
		return ERR_CORRUPT;
	out->len += got;
	return ERR_OK;
}

const char *
compress_version(void)
{
	return "zstd " ZSTD_VERSION_STRING;
}
