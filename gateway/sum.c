/*
 * CRC32 and CRC32C by ISA-L (storage/crc.h). CRC-64/NVME (NVM Express, NVM command
 * set 1.0c, 5.2.1.3.4: polynomial 0xad93d23594c93659, reflected, inverted before and after) by
 * eight tables made once a context; combining as in zlib's crc32_combine(), by x^(8 len) modulo the
 * polynomial.
 */
#include "gateway/sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/encode.h"
#include "overlay/base/crypto.h"
#include "storage/crc.h"

#define POLY_CRC32     UINT64_C(0xedb88320)
#define POLY_CRC32C    UINT64_C(0x82f63b78)
#define POLY_CRC64NVME UINT64_C(0x9a6c9329ac4bc9b5)

static const struct {
	const char *name, *header, *element;
	size_t bytes;
} algos[SUM_ALGOS] = {
	[SUM_NONE] = { "", "", "", 0 },
	[SUM_CRC32] = { "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4 },
	[SUM_CRC32C] = { "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4 },
	[SUM_CRC64NVME] = { "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8 },
	[SUM_SHA1] = { "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20 },
	[SUM_SHA256] = { "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32 },
};

struct sum {
	enum sum_algo algo;
	uint64_t crc;
	struct sha1 *sha1;
	struct sha256 *sha256;
	uint64_t table[8][256]; /* CRC64NVME */
};

const char *
sum_name(enum sum_algo algo)
{
	return algos[algo].name;
}

const char *
sum_type_name(enum sum_type type)
{
	return type == SUM_COMPOSITE ? "COMPOSITE" : "FULL_OBJECT";
}

const char *
sum_header(enum sum_algo algo)
{
	return algos[algo].header;
}

static enum sum_algo
sum_by(const char *(*text_of)(enum sum_algo), const char *text)
{
	for (enum sum_algo i = SUM_CRC32; i < SUM_ALGOS; i++) {
		if (strcasecmp(text_of(i), text) == 0)
			return i;
	}
	return SUM_NONE;
}

enum sum_algo
sum_by_name(const char *name)
{
	return sum_by(sum_name, name);
}

enum sum_algo
sum_by_header(const char *name)
{
	return sum_by(sum_header, name);
}

bool
sum_header_unknown(const char *name)
{
	static const char prefix[] = "x-amz-checksum-";
	const char *rest = name + sizeof(prefix) - 1;

	return strncasecmp(name, prefix, sizeof(prefix) - 1) == 0 &&
	       sum_by_header(name) == SUM_NONE && strcasecmp(rest, "algorithm") != 0 &&
	       strcasecmp(rest, "type") != 0 && strcasecmp(rest, "mode") != 0;
}

const char *
sum_element(enum sum_algo algo)
{
	return algos[algo].element;
}

size_t
sum_bytes(enum sum_algo algo)
{
	return algos[algo].bytes;
}

static bool
is_crc(enum sum_algo algo)
{
	return algo >= SUM_CRC32 && algo <= SUM_CRC64NVME;
}

bool
sum_can(enum sum_algo algo, enum sum_type type)
{
	return type == SUM_FULL_OBJECT ? is_crc(algo) : algo != SUM_CRC64NVME;
}

/* ---- CRC-64 ---- */

static void
tables_make(uint64_t table[8][256])
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ POLY_CRC64NVME : v >> 1;
		table[0][i] = v;
	}
	for (unsigned i = 0; i < 256; i++) {
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
	}
}

/* Eight bytes at a time; the machine is little-endian (configure sees to it). */
static uint64_t
crc64_tables(const uint64_t table[8][256], uint64_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		v ^= crc;
		crc = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
		      table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^ table[2][v >> 40 & 255] ^
		      table[1][v >> 48 & 255] ^ table[0][v >> 56];
	}
	for (; len > 0; len--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
	return ~crc;
}

/* Bit by bit: slow and plain. */
uint64_t
sum_crc64nvme(uint64_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLY_CRC64NVME : crc >> 1;
	}
	return ~crc;
}

/* ---- streaming ---- */

struct sum *
sum_new(enum sum_algo algo)
{
	struct sum *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	must(algo != SUM_NONE);
	c->algo = algo;
	if (algo == SUM_SHA1)
		c->sha1 = sha1_new();
	if (algo == SUM_SHA256)
		c->sha256 = sha256_new();
	if (algo == SUM_CRC64NVME)
		tables_make(c->table);
	if ((algo == SUM_SHA1 && c->sha1 == NULL) || (algo == SUM_SHA256 && c->sha256 == NULL)) {
		sum_free(c);
		return NULL;
	}
	return c;
}

void
sum_free(struct sum *c)
{
	if (c == NULL)
		return;
	if (c->sha1 != NULL)
		sha1_free(c->sha1);
	if (c->sha256 != NULL)
		sha256_free(c->sha256);
	free(c);
}

void
sum_update(struct sum *c, const void *data, size_t len)
{
	switch (c->algo) {
	case SUM_CRC32:
		c->crc = crc32_more((uint32_t)c->crc, data, len);
		break;
	case SUM_CRC32C:
		c->crc = crc32c_more((uint32_t)c->crc, data, len);
		break;
	case SUM_CRC64NVME:
		c->crc = crc64_tables((const uint64_t(*)[256])c->table, c->crc, data, len);
		break;
	case SUM_SHA1:
		sha1_update(c->sha1, data, len);
		break;
	default:
		sha256_update(c->sha256, data, len);
		break;
	}
}

static void
put_crc(enum sum_algo algo, uint64_t crc, uint8_t *out)
{
	size_t n = algos[algo].bytes;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(crc >> 8 * (n - 1 - i));
}

static uint64_t
get_crc(enum sum_algo algo, const uint8_t *in)
{
	uint64_t crc = 0;

	for (size_t i = 0; i < algos[algo].bytes; i++)
		crc = crc << 8 | in[i];
	return crc;
}

void
sum_final(struct sum *c, uint8_t out[SUM_BYTES_MAX])
{
	struct hash h;

	memset(out, 0, SUM_BYTES_MAX);
	if (is_crc(c->algo)) {
		put_crc(c->algo, c->crc, out);
		c->crc = 0;
	} else if (c->algo == SUM_SHA1) {
		sha1_final(c->sha1, out);
	} else {
		sha256_final(c->sha256, &h);
		memcpy(out, h.b, sizeof(h.b));
	}
}

/* ---- combining ---- */

/* a · b modulo the polynomial; the highest of width bits is x^0. */
static uint64_t
multiply(uint64_t a, uint64_t b, uint64_t poly, unsigned width)
{
	uint64_t product = 0;

	for (uint64_t bit = UINT64_C(1) << (width - 1); bit != 0; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? b >> 1 ^ poly : b >> 1;
	}
	return product;
}

/* x^(8 len). */
static uint64_t
shift(uint64_t len, uint64_t poly, unsigned width)
{
	uint64_t power = UINT64_C(1) << (width - 1 - 8), result = UINT64_C(1) << (width - 1);

	for (; len > 0; len >>= 1) {
		if (len & 1)
			result = multiply(result, power, poly, width);
		power = multiply(power, power, poly, width);
	}
	return result;
}

void
sum_combine(enum sum_algo algo, uint8_t out[SUM_BYTES_MAX], const uint8_t a[SUM_BYTES_MAX],
    const uint8_t b[SUM_BYTES_MAX], uint64_t b_len)
{
	unsigned width = (unsigned)algos[algo].bytes * 8;
	uint64_t poly = algo == SUM_CRC32    ? POLY_CRC32
			: algo == SUM_CRC32C ? POLY_CRC32C
					     : POLY_CRC64NVME;
	uint64_t crc;

	must(is_crc(algo));
	crc = multiply(shift(b_len, poly, width), get_crc(algo, a), poly, width) ^ get_crc(algo, b);
	put_crc(algo, crc, out);
}

/* ---- text ---- */

const char *
sum_text(
    enum sum_algo algo, const uint8_t raw[SUM_BYTES_MAX], unsigned parts, char out[SUM_TEXT_MAX])
{
	struct buf b;

	out[0] = '\0';
	buf_init(&b, SUM_TEXT_MAX);
	if (encode_base64(&b, bytes_of(raw, algos[algo].bytes)) == ERR_OK) {
		if (parts > 0)
			(void)snprintf(out, SUM_TEXT_MAX, "%s-%u", buf_str(&b), parts);
		else
			(void)snprintf(out, SUM_TEXT_MAX, "%s", buf_str(&b));
	}
	buf_fini(&b);
	return out;
}

int
sum_parse(enum sum_algo algo, const char *text, uint8_t out[SUM_BYTES_MAX])
{
	memset(out, 0, SUM_BYTES_MAX);
	return decode_base64(out, algos[algo].bytes, text);
}
