/* One line or some payload at a time; a line may come in pieces, so it is gathered first. */
#include "gateway/chunked.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/encode.h"
#include "gateway/errors.h"

enum chunked_state { AT_SIZE, AT_DATA, AT_DATA_END, AT_TRAILER, AT_END };

struct chunked {
	enum sigv4_payload kind;
	struct sigv4_chain chain;
	struct sha256 *hash, *trailer_hash;
	uint64_t decoded, decoded_max;
	uint64_t left; /* of the chunk */
	enum chunked_state state;
	bool last; /* the chunk under way has no bytes */
	bool trailer_signed;
	bool gap;  /* a line of nothing may follow, which ends no trailers */
	bool bare; /* the line ended in LF alone, as the example of a trailer in AWS's text does */
	char signature[65];
	char line[CHUNKED_LINE_MAX];
	size_t line_len;
	struct chunked_trailer trailers[CHUNKED_TRAILERS_MAX];
	size_t trailers_count;
};

static bool
is_signed(const struct chunked *c)
{
	return c->kind != PAYLOAD_UNSIGNED_TRAILER;
}

static bool
has_trailers(const struct chunked *c)
{
	return c->kind != PAYLOAD_CHUNKED;
}

struct chunked *
chunked_new(enum sigv4_payload kind, const struct sigv4_chain *chain, uint64_t decoded_length)
{
	struct chunked *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->kind = kind;
	c->decoded_max = decoded_length;
	c->hash = sha256_new();
	c->trailer_hash = sha256_new();
	if (c->hash == NULL || c->trailer_hash == NULL) {
		chunked_free(c);
		return NULL;
	}
	if (is_signed(c)) {
		must(chain != NULL);
		c->chain = *chain;
	}
	return c;
}

void
chunked_free(struct chunked *c)
{
	if (c == NULL)
		return;
	sha256_free(c->hash);
	sha256_free(c->trailer_hash);
	sigv4_chain_wipe(&c->chain);
	free(c);
}

/* Gathers a line up to its LF; ERR_END: it is whole, without its end, NUL-terminated. */
static int
gather(struct chunked *c, struct bytes *in)
{
	const uint8_t *lf = memchr(in->data, '\n', in->len);
	size_t n = lf == NULL ? in->len : (size_t)(lf - in->data) + 1;

	if (n > sizeof(c->line) - 1 - c->line_len)
		return S3_InvalidRequest;
	memcpy(c->line + c->line_len, in->data, n);
	c->line_len += n;
	*in = bytes_of(in->data + n, in->len - n);
	if (lf == NULL)
		return ERR_OK;
	c->bare = c->line_len < 2 || c->line[c->line_len - 2] != '\r';
	if ((c->bare && c->state != AT_TRAILER) || memchr(c->line, '\0', c->line_len) != NULL)
		return S3_InvalidRequest;
	c->line[c->line_len - (c->bare ? 1 : 2)] = '\0';
	c->line_len = 0;
	return ERR_END;
}

static bool
parse_hex(const char *text, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (len == 0 || len > 12) /* 2^48 is more than any object */
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit((uint8_t)text[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	*out = v;
	return true;
}

static int
at_size(struct chunked *c)
{
	static const char mark[] = ";chunk-signature=";
	size_t len = strcspn(c->line, ";");
	const char *rest = c->line + len;

	if (!parse_hex(c->line, len, &c->left))
		return S3_InvalidRequest;
	if (is_signed(c)) {
		if (strncmp(rest, mark, sizeof(mark) - 1) != 0 ||
		    strlen(rest) != sizeof(mark) - 1 + 64)
			return S3_InvalidRequest;
		memcpy(c->signature, rest + sizeof(mark) - 1, 65);
	} else if (*rest != '\0') {
		return S3_InvalidRequest;
	}
	if (c->left > c->decoded_max - c->decoded)
		return S3_IncompleteBody;
	c->last = c->left == 0;
	c->state = AT_DATA;
	return ERR_OK;
}

/* The chunk's bytes have all been seen. */
static int
chunk_ends(struct chunked *c)
{
	struct hash h;
	int err = ERR_OK;

	if (is_signed(c)) {
		sha256_final(c->hash, &h);
		err = sigv4_chain_chunk(&c->chain, &h, c->signature);
	}
	if (c->last && has_trailers(c))
		c->state = AT_TRAILER; /* no line end after nothing */
	else
		c->state = AT_DATA_END;
	return err;
}

static int
end_of_trailers(struct chunked *c)
{
	if (c->kind == PAYLOAD_CHUNKED_TRAILER && !c->trailer_signed)
		return S3_SignatureDoesNotMatch;
	c->state = AT_END;
	return ERR_OK;
}

static int
at_trailer(struct chunked *c)
{
	char *colon = strchr(c->line, ':'), *value;
	struct chunked_trailer *t = &c->trailers[c->trailers_count];
	struct hash h;
	size_t n;

	if (c->line[0] == '\0' && c->gap) { /* what follows LF belongs to the line before */
		c->gap = false;
		return ERR_OK;
	}
	c->gap = c->bare;
	if (c->line[0] == '\0')
		return end_of_trailers(c);
	if (colon == NULL || c->trailer_signed)
		return S3_InvalidRequest;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " ");
	for (n = strlen(value); n > 0 && value[n - 1] == ' ';)
		value[--n] = '\0';
	if (strcasecmp(c->line, "x-amz-trailer-signature") == 0) {
		c->trailer_signed = true;
		sha256_final(c->trailer_hash, &h);
		return is_signed(c) ? sigv4_chain_trailer(&c->chain, &h, value) : ERR_OK;
	}
	if (c->trailers_count == CHUNKED_TRAILERS_MAX || strlen(c->line) >= sizeof(t->name))
		return S3_InvalidRequest;
	strcpy(t->name, c->line);
	strcpy(t->value, value);
	c->trailers_count++;
	for (char *p = c->line; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	sha256_update(c->trailer_hash, c->line, strlen(c->line));
	sha256_update(c->trailer_hash, ":", 1);
	sha256_update(c->trailer_hash, value, n);
	sha256_update(c->trailer_hash, "\n", 1);
	return ERR_OK;
}

static int
at_line(struct chunked *c, struct bytes *in)
{
	int err = gather(c, in);

	if (err != ERR_END)
		return err;
	switch (c->state) {
	case AT_SIZE:
		err = at_size(c);
		return err == ERR_OK && c->left == 0 ? chunk_ends(c) : err;
	case AT_DATA_END:
		if (c->line[0] != '\0')
			return S3_InvalidRequest;
		c->state = c->last ? AT_END : AT_SIZE;
		return ERR_OK;
	default:
		return at_trailer(c);
	}
}

int
chunked_take(struct chunked *c, struct bytes *in, struct bytes *payload)
{
	size_t n;

	*payload = bytes_of(in->data, 0);
	if (in->len == 0)
		return ERR_OK;
	if (c->state == AT_END)
		return S3_InvalidRequest; /* something behind the end */
	if (c->state != AT_DATA)
		return at_line(c, in);
	n = MIN(in->len, c->left);
	*payload = bytes_of(in->data, n);
	*in = bytes_of(in->data + n, in->len - n);
	c->left -= n;
	c->decoded += n;
	if (is_signed(c))
		sha256_update(c->hash, payload->data, n);
	return c->left == 0 ? chunk_ends(c) : ERR_OK;
}

int
chunked_done(const struct chunked *c)
{
	bool whole = c->decoded_max == UINT64_MAX || c->decoded == c->decoded_max;

	return c->state == AT_END && whole ? ERR_OK : S3_IncompleteBody;
}

const struct chunked_trailer *
chunked_trailers(const struct chunked *c, size_t *count)
{
	*count = c->trailers_count;
	return c->trailers;
}
