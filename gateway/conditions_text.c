/* Dates that are none are ignored, as RFC 9110 has it; ranges that make no sense give the whole. */
#include "gateway/conditions_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/times.h"

static struct bytes
header_bytes(const struct request *r, const char *prefix, const char *name)
{
	char full[96];

	(void)snprintf(full, sizeof(full), "%s%s", prefix, name);
	return text_bytes(request_header(r, full));
}

static bool
header_date(const struct request *r, const char *prefix, const char *name, uint64_t *seconds)
{
	struct bytes text = header_bytes(r, prefix, name);
	uint64_t ms;

	if (text.data == NULL || (times_parse_http((const char *)text.data, &ms) != ERR_OK &&
				     times_parse_iso((const char *)text.data, &ms) != ERR_OK))
		return false;
	*seconds = ms / 1000;
	return true;
}

void
conditions_of_headers(const struct request *r, const char *prefix, struct conditions *out)
{
	*out = (struct conditions){ .has_size = false };
	out->if_match = header_bytes(r, prefix, "if-match");
	out->if_none_match = header_bytes(r, prefix, "if-none-match");
	out->has_modified_since =
	    header_date(r, prefix, "if-modified-since", &out->modified_since_s);
	out->has_unmodified_since =
	    header_date(r, prefix, "if-unmodified-since", &out->unmodified_since_s);
}

void
conditions_of_delete(const struct request *r, struct conditions *out)
{
	const char *size = request_header(r, "x-amz-if-match-size");

	*out = (struct conditions){ .has_size = false };
	out->if_match = header_bytes(r, "", "if-match");
	out->has_modified =
	    header_date(r, "", "x-amz-if-match-last-modified-time", &out->modified_s);
	out->has_size = size != NULL && decimal_parse(size, UINT64_MAX, &out->size);
}

/* Digits up to a character that is none; false: there are none. */
static bool
number(const char **text, uint64_t *out)
{
	char digits[24];
	size_t len = strspn(*text, "0123456789");

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, *text, len);
	digits[len] = '\0';
	*text += len;
	return decimal_parse(digits, UINT64_MAX, out);
}

bool
range_applies(const char *if_range, const struct entry *e)
{
	char etag[ETAG_TEXT_MAX];
	uint64_t ms;
	size_t len;

	if (if_range == NULL)
		return true;
	if (times_parse_http(if_range, &ms) == ERR_OK)
		return e->modified_ms / 1000 == ms / 1000;
	len = strlen(if_range);
	if (len >= 2 && if_range[0] == '"' && if_range[len - 1] == '"') {
		if_range++;
		len -= 2;
	}
	etag_text(&e->etag, etag);
	return bytes_equal(bytes_of(if_range, len), bytes_of(etag, strlen(etag)));
}

int
range_parse(const char *text, uint64_t size, uint64_t *from, uint64_t *len, bool *partial)
{
	uint64_t first, last = UINT64_MAX;

	*from = 0;
	*len = size;
	*partial = false;
	if (text == NULL || strncasecmp(text, "bytes=", 6) != 0 || strchr(text, ',') != NULL)
		return ERR_OK; /* none, or several, which S3 gives as a whole */
	text += 6;
	if (*text == '-') { /* the last so many */
		text++;
		if (!number(&text, &last) || *text != '\0')
			return ERR_OK;
		if (last == 0 || size == 0)
			return S3_InvalidRange;
		*len = MIN(last, size);
		*from = size - *len;
		*partial = true;
		return ERR_OK;
	}
	if (!number(&text, &first) || *text != '-')
		return ERR_OK;
	text++;
	if (*text != '\0' && (!number(&text, &last) || *text != '\0' || last < first))
		return ERR_OK;
	if (first >= size)
		return S3_InvalidRange;
	*from = first;
	*len = MIN(last, size - 1) - first + 1;
	*partial = true;
	return ERR_OK;
}

int
range_parse_copy(const char *text, uint64_t size, uint64_t *from, uint64_t *len)
{
	uint64_t last;

	if (strncmp(text, "bytes=", 6) != 0)
		return S3_InvalidArgument;
	text += 6;
	if (!number(&text, from) || *text != '-')
		return S3_InvalidArgument;
	text++;
	if (!number(&text, &last) || *text != '\0' || last < *from)
		return S3_InvalidArgument;
	if (last >= size)
		return S3_InvalidRange;
	*len = last - *from + 1;
	return ERR_OK;
}
