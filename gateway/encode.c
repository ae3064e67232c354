/* Table-free and branchy: what passes here are names and headers, not bodies. */
#include "gateway/encode.h"

static bool
unreserved(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int
encode_percent(struct buf *out, struct bytes text, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	int err = buf_reserve(out, text.len);

	for (size_t i = 0; i < text.len && err == ERR_OK; i++) {
		uint8_t c = text.data[i];
		char three[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (unreserved(c) || (c == '/' && keep_slash))
			err = buf_append(out, &c, 1);
		else
			err = buf_append(out, three, 3);
	}
	return err;
}

int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
decode_percent(struct buf *out, struct bytes text, bool plus_is_space)
{
	int err = buf_reserve(out, text.len);

	for (size_t i = 0; i < text.len && err == ERR_OK; i++) {
		uint8_t c = text.data[i];

		if (c == '%') {
			int high = text.len - i > 2 ? hex_digit(text.data[i + 1]) : -1;
			int low = text.len - i > 2 ? hex_digit(text.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return ERR_INVALID;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		err = buf_append(out, &c, 1);
	}
	return err;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
encode_base64(struct buf *out, struct bytes data)
{
	int err = buf_reserve(out, (data.len + 2) / 3 * 4);

	for (size_t i = 0; i < data.len && err == ERR_OK; i += 3) {
		size_t n = MIN(data.len - i, 3);
		uint32_t v = (uint32_t)data.data[i] << 16;
		char four[4];

		v |= n > 1 ? (uint32_t)data.data[i + 1] << 8 : 0;
		v |= n > 2 ? data.data[i + 2] : 0;
		four[0] = base64_digits[v >> 18];
		four[1] = base64_digits[v >> 12 & 63];
		four[2] = n > 1 ? base64_digits[v >> 6 & 63] : '=';
		four[3] = n > 2 ? base64_digits[v & 63] : '=';
		err = buf_append(out, four, 4);
	}
	return err;
}

static int
base64_digit(uint8_t c)
{
	const char *at = c == '\0' ? NULL : strchr(base64_digits, c);

	return at == NULL ? -1 : (int)(at - base64_digits);
}

/* Four digits; the last group may end in padding. */
static int
base64_group(const uint8_t *in, bool last, uint8_t out[3], size_t *n)
{
	int a = base64_digit(in[0]), b = base64_digit(in[1]);
	int c = base64_digit(in[2]), d = base64_digit(in[3]);

	if (a < 0 || b < 0)
		return ERR_INVALID;
	*n = 3;
	if (in[3] == '=' && last) {
		d = 0;
		*n = 2;
		if (in[2] == '=') {
			c = 0;
			*n = 1;
		}
	}
	if (c < 0 || d < 0)
		return ERR_INVALID;
	out[0] = (uint8_t)(a << 2 | b >> 4);
	out[1] = (uint8_t)(b << 4 | c >> 2);
	out[2] = (uint8_t)(c << 6 | d);
	/* Bits that the padding leaves over must be zero: one text for each value. */
	if ((*n < 3 && out[2] != 0) || (*n < 2 && out[1] != 0))
		return ERR_INVALID;
	return ERR_OK;
}

int
decode_base64_any(struct buf *out, struct bytes text)
{
	int err = text.len % 4 == 0 ? ERR_OK : ERR_INVALID;

	for (size_t i = 0; i < text.len && err == ERR_OK; i += 4) {
		uint8_t three[3];
		size_t n;

		err = base64_group(text.data + i, i + 4 == text.len, three, &n);
		if (err == ERR_OK)
			err = buf_append(out, three, n);
	}
	return err;
}

int
decode_base64(void *out, size_t len, const char *text)
{
	struct buf b;
	int err;

	buf_init(&b, len);
	err = decode_base64_any(&b, bytes_of(text, strlen(text)));
	if (err == ERR_OK && b.len != len)
		err = ERR_INVALID;
	if (err == ERR_OK && len > 0)
		memcpy(out, b.data, len);
	buf_fini(&b);
	return err == ERR_TOO_BIG ? ERR_INVALID : err;
}

/* Length of the character that begins here; 0: none does. */
static size_t
utf8_length(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;

	if (n == 0 && p[0] >= 0xe0 && p[0] < 0xf5)
		n = p[0] < 0xf0 ? 3 : 4;
	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool
utf8_valid(struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_length(text.data + i, text.len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool
decimal_parse(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || v > (max - MIN(digit, max)) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}
