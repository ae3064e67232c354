/* ETags, checksums and storage classes, as they are written in requests. */
#include "object/entry.h"

#include <stdio.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"

#define ETAG_PARTS_MAX 10000 /* S3's limit of parts */

const char *
etag_text(const struct etag *e, char out[ETAG_TEXT_MAX])
{
	hex_encode(out, e->md5, sizeof(e->md5));
	if (e->parts > 0)
		(void)snprintf(out + 32, ETAG_TEXT_MAX - 32, "-%u", (unsigned int)e->parts);
	return out;
}

/* The digits behind the dash: no sign, no leading zero. */
static int
parse_parts(struct bytes text, uint16_t *out)
{
	uint32_t n = 0;

	if (text.len == 0 || text.len > 5 || text.data[0] == '0')
		return ERR_INVALID;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return ERR_INVALID;
		n = n * 10 + (uint32_t)(text.data[i] - '0');
	}
	if (n > ETAG_PARTS_MAX)
		return ERR_INVALID;
	*out = (uint16_t)n;
	return ERR_OK;
}

int
etag_parse(struct bytes text, struct etag *out)
{
	struct etag e = { .parts = 0 };

	if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		text = bytes_of(text.data + 1, text.len - 2);
	if (text.len < 32 ||
	    hex_decode(e.md5, sizeof(e.md5), (const char *)text.data, 32) != ERR_OK)
		return ERR_INVALID;
	if (text.len > 32 &&
	    (text.data[32] != '-' ||
		parse_parts(bytes_of(text.data + 33, text.len - 33), &e.parts) != ERR_OK))
		return ERR_INVALID;
	*out = e;
	return ERR_OK;
}

bool
etag_equal(const struct etag *a, const struct etag *b)
{
	return memcmp(a->md5, b->md5, sizeof(a->md5)) == 0 && a->parts == b->parts;
}

size_t
checksum_bytes(uint8_t algorithm)
{
	static const uint8_t bytes[] = { [CHECKSUM_CRC32] = 4,
		[CHECKSUM_CRC32C] = 4,
		[CHECKSUM_CRC64NVME] = 8,
		[CHECKSUM_SHA1] = 20,
		[CHECKSUM_SHA256] = 32 };

	return algorithm < ARRAY_LEN(bytes) ? bytes[algorithm] : 0;
}

bool
checksum_equal(const struct checksum *a, const struct checksum *b)
{
	return a->algorithm == b->algorithm &&
	       memcmp(a->value, b->value, checksum_bytes(a->algorithm)) == 0;
}

static const char *const classes[CLASS_COUNT] = {
	[CLASS_STANDARD] = "STANDARD",
	[CLASS_REDUCED_REDUNDANCY] = "REDUCED_REDUNDANCY",
	[CLASS_STANDARD_IA] = "STANDARD_IA",
	[CLASS_ONEZONE_IA] = "ONEZONE_IA",
	[CLASS_INTELLIGENT_TIERING] = "INTELLIGENT_TIERING",
	[CLASS_GLACIER] = "GLACIER",
	[CLASS_DEEP_ARCHIVE] = "DEEP_ARCHIVE",
	[CLASS_GLACIER_IR] = "GLACIER_IR",
	[CLASS_EXPRESS_ONEZONE] = "EXPRESS_ONEZONE",
};

const char *
storage_class_name(uint8_t c)
{
	must(c < CLASS_COUNT);
	return classes[c];
}

int
storage_class_parse(struct bytes name, uint8_t *out)
{
	for (uint8_t i = 0; i < CLASS_COUNT; i++) {
		if (!bytes_equal(name, bytes_of(classes[i], strlen(classes[i]))))
			continue;
		*out = i;
		return ERR_OK;
	}
	return ERR_INVALID;
}
