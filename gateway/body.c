/*
 * Each piece that web_body_read() lends is worked on in one go, in a worker when it is long enough:
 * taken apart (chunked.h) into a buffer of our own, then hashed in every way that is asked for.
 * While that goes on, the next piece arrives.
 */
#include "gateway/body.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/chunked.h"
#include "gateway/document.h"
#include "gateway/encode.h"

struct body {
	struct request *r;
	struct body_opts opts;
	uint64_t length, seen;
	struct chunked *chunked;
	struct buf plain; /* out of chunks */
	struct bytes piece, payload;
	/* what is computed */
	struct md5 *md5;
	struct sha256 *sha256;
	struct sum *sum;
	enum sum_algo algo;
	/* what was said */
	bool md5_said, hash_said, sum_said;
	uint8_t md5_value[16], sum_value[SUM_BYTES_MAX], sum_wanted[SUM_BYTES_MAX], md5_wanted[16];
	const char *trailer; /* name of the one that is announced */
	bool finished;
};

/* ---- what the headers say ---- */

static int
read_lengths(struct body *b)
{
	const char *decoded = request_header(b->r, "x-amz-decoded-content-length");

	b->length = web_body_length(b->r->web);
	if (b->r->sig.payload >= PAYLOAD_CHUNKED) {
		b->length = UINT64_MAX;
		if (decoded != NULL && !decimal_parse(decoded, UINT64_MAX - 1, &b->length))
			return S3_InvalidArgument;
	}
	/* In HTTP's own chunks a body ends where it says so; in S3's, which are signed, it must
	 * have said before. */
	if (b->length == UINT64_MAX && b->opts.length_needed &&
	    b->r->sig.payload >= PAYLOAD_CHUNKED)
		return S3_MissingContentLength;
	if (b->length == 0 && web_body_length(b->r->web) == 0 && b->opts.length_needed &&
	    request_header(b->r, "content-length") == NULL)
		return S3_MissingContentLength;
	return b->length != UINT64_MAX && b->length > b->opts.bytes_max ? S3_EntityTooLarge
									: ERR_OK;
}

static int
read_md5(struct body *b)
{
	const char *text = request_header(b->r, "content-md5");

	if (text == NULL)
		return ERR_OK;
	b->md5_said = true;
	return decode_base64(b->md5_wanted, 16, text) == ERR_OK ? ERR_OK : S3_InvalidDigest;
}

/* One checksum, in a header or announced as trailer; the algorithm's name alone says only what the
 * object is to have. */
static int
read_sums(struct body *b)
{
	const char *named = request_header(b->r, "x-amz-sdk-checksum-algorithm");
	size_t count;
	const struct web_header *h = web_headers(b->r->web, &count);

	b->trailer = request_header(b->r, "x-amz-trailer");
	for (size_t i = 0; i < count; i++) {
		enum sum_algo algo = sum_by_header(h[i].name);

		if (algo == SUM_NONE || b->opts.no_sums)
			continue;
		if (b->sum_said) {
			b->r->message =
			    "Expecting a single x-amz-checksum- header. Multiple checksum "
			    "Types are not allowed.";
			return S3_InvalidRequest;
		}
		b->sum_said = true;
		b->algo = algo;
		if (sum_parse(algo, h[i].value, b->sum_wanted) != ERR_OK) {
			b->r->message = "Value for x-amz-checksum header is invalid.";
			return S3_BadDigest;
		}
	}
	if (b->trailer != NULL) {
		enum sum_algo algo = sum_by_header(b->trailer);

		if (algo == SUM_NONE || b->sum_said) {
			b->r->message =
			    "The value specified in the x-amz-trailer header is not supported";
			return S3_InvalidRequest;
		}
		b->algo = algo;
	}
	if (named != NULL && *named != '\0') {
		enum sum_algo algo = sum_by_name(named);

		if (algo == SUM_NONE) {
			b->r->message =
			    "Checksum algorithm provided is unsupported. Please try again "
			    "with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
			return S3_InvalidRequest;
		}
		if (b->algo == SUM_NONE && !b->md5_said)
			b->algo = algo;
	}
	if (b->algo == SUM_NONE)
		b->algo = b->opts.sum;
	return ERR_OK;
}

static int
make_parts(struct body *b)
{
	enum sigv4_payload kind = b->r->sig.payload;
	struct sigv4_chain chain;

	if (b->opts.etag || b->md5_said)
		b->md5 = md5_new();
	b->hash_said = kind == PAYLOAD_HASH;
	if (b->hash_said)
		b->sha256 = sha256_new();
	if (b->algo != SUM_NONE)
		b->sum = sum_new(b->algo);
	if (kind >= PAYLOAD_CHUNKED) {
		if (kind != PAYLOAD_UNSIGNED_TRAILER && request_anonymous(b->r))
			return S3_AccessDenied; /* signed with whose key? */
		sigv4_chain_init(&chain, &b->r->sig, &b->r->signing_key);
		b->chunked = chunked_new(kind, &chain, b->length);
		sigv4_chain_wipe(&chain);
		if (b->chunked == NULL)
			return ERR_NOMEM;
	}
	if (((b->opts.etag || b->md5_said) && b->md5 == NULL) ||
	    (b->hash_said && b->sha256 == NULL) || (b->algo != SUM_NONE && b->sum == NULL))
		return ERR_NOMEM;
	return ERR_OK;
}

int
body_open(struct request *r, const struct body_opts *opts, struct body **out)
{
	struct body *b = calloc(1, sizeof(*b));
	int err;

	if (b == NULL)
		return ERR_NOMEM;
	b->r = r;
	b->opts = *opts;
	buf_init(&b->plain, WEB_BODY_BUFFER);
	err = read_lengths(b);
	if (err == ERR_OK)
		err = read_md5(b);
	if (err == ERR_OK)
		err = read_sums(b);
	if (err == ERR_OK)
		err = make_parts(b);
	if (err != ERR_OK) {
		body_free(b);
		return err;
	}
	*out = b;
	return ERR_OK;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	chunked_free(b->chunked);
	if (b->md5 != NULL)
		md5_free(b->md5);
	if (b->sha256 != NULL)
		sha256_free(b->sha256);
	sum_free(b->sum);
	buf_fini(&b->plain);
	free(b);
}

uint64_t
body_length(const struct body *b)
{
	return b->length;
}

enum sum_algo
body_sum_algo(const struct body *b)
{
	return b->algo;
}

/* ---- pieces ---- */

/* In a worker: touches only b. */
static int
work(void *arg)
{
	struct body *b = arg;

	b->payload = b->piece;
	if (b->chunked != NULL) {
		buf_reset(&b->plain);
		while (b->piece.len > 0) {
			struct bytes part;
			int err = chunked_take(b->chunked, &b->piece, &part);

			if (err == ERR_OK)
				err = buf_append(&b->plain, part.data, part.len);
			if (err != ERR_OK)
				return err;
		}
		b->payload = buf_bytes(&b->plain);
	}
	if (b->md5 != NULL)
		md5_update(b->md5, b->payload.data, b->payload.len);
	if (b->sha256 != NULL)
		sha256_update(b->sha256, b->payload.data, b->payload.len);
	if (b->sum != NULL)
		sum_update(b->sum, b->payload.data, b->payload.len);
	return ERR_OK;
}

SUSPENDS int
body_next(struct body *b, struct bytes *lent)
{
	int err;

	do {
		err = web_body_read(b->r->web, &b->piece);
		if (err != ERR_OK)
			return err == ERR_TIMEOUT ? S3_RequestTimeout : err;
		err = env_offload(b->r->env, WORK_CPU, work, b, b->piece.len);
		if (err != ERR_OK)
			return err;
	} while (b->payload.len == 0);
	b->seen += b->payload.len;
	if (b->seen > b->opts.bytes_max)
		return S3_EntityTooLarge;
	*lent = b->payload;
	return ERR_OK;
}

/* ---- the end ---- */

static int
check_trailer(struct body *b)
{
	size_t count;
	const struct chunked_trailer *t = chunked_trailers(b->chunked, &count);

	for (size_t i = 0; i < count; i++) {
		if (b->trailer == NULL || strcasecmp(t[i].name, b->trailer) != 0)
			continue;
		if (sum_parse(b->algo, t[i].value, b->sum_wanted) != ERR_OK)
			return S3_BadDigest;
		b->sum_said = true;
	}
	return b->trailer != NULL && !b->sum_said ? S3_MalformedXML : ERR_OK;
}

int
body_finish(struct body *b)
{
	struct hash h;
	int err = ERR_OK;

	must(!b->finished);
	b->finished = true;
	if (b->length != UINT64_MAX && b->seen != b->length)
		return S3_IncompleteBody;
	if (b->chunked != NULL) {
		err = chunked_done(b->chunked);
		if (err == ERR_OK)
			err = check_trailer(b);
	}
	if (err != ERR_OK)
		return err == S3_MalformedXML ? S3_InvalidRequest : err;
	if (b->md5 != NULL)
		md5_final(b->md5, b->md5_value);
	if (b->md5_said && memcmp(b->md5_value, b->md5_wanted, 16) != 0)
		return S3_BadDigest;
	if (b->sha256 != NULL) {
		sha256_final(b->sha256, &h);
		if (!hash_equal(&h, &b->r->sig.payload_hash))
			return S3_XAmzContentSHA256Mismatch;
	}
	if (b->sum != NULL)
		sum_final(b->sum, b->sum_value);
	if (b->sum_said && memcmp(b->sum_value, b->sum_wanted, SUM_BYTES_MAX) != 0)
		return S3_BadDigest;
	return ERR_OK;
}

const uint8_t *
body_md5(const struct body *b)
{
	return b->md5_value;
}

const uint8_t *
body_sum(const struct body *b)
{
	return b->sum_value;
}

uint64_t
body_seen(const struct body *b)
{
	return b->seen;
}

/* ---- short bodies, whole ---- */

SUSPENDS int
request_body(struct request *r, size_t max, struct buf *out)
{
	/* The list of parts that completes an upload comes with the checksum of the object. */
	struct body_opts opts = { .bytes_max = max, .no_sums = target_has(&r->target, "uploadId") };
	struct body *b;
	struct bytes piece;
	int err = body_open(r, &opts, &b);

	if (err != ERR_OK)
		return err;
	while ((err = body_next(b, &piece)) == ERR_OK) {
		err = request_hold(r, piece.len);
		if (err == ERR_OK)
			err = buf_append(out, piece.data, piece.len);
		if (err != ERR_OK)
			break;
	}
	if (err == ERR_END)
		err = body_finish(b);
	body_free(b);
	return err == S3_EntityTooLarge || err == ERR_TOO_BIG ? S3_MaxMessageLengthExceeded : err;
}

SUSPENDS int
request_xml(struct request *r, const char *root, struct xml_doc **out)
{
	struct xml_doc *doc;
	struct buf text;
	int err;

	buf_init(&text, XML_BYTES_MAX);
	err = request_body(r, XML_BYTES_MAX, &text);
	if (err == ERR_OK && text.len == 0)
		err = S3_MissingRequestBodyError;
	if (err == ERR_OK)
		err = document_parse(r, buf_bytes(&text), &doc);
	buf_fini(&text);
	if (err != ERR_OK)
		return err;
	err = xml_is(xml_root(doc), root) ? request_hold(r, xml_bytes(doc)) : S3_MalformedXML;
	if (err != ERR_OK)
		xml_free(doc);
	else
		*out = doc;
	return err;
}
