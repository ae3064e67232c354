/*
 * One request after another over one connection. A head is signed and sent, the body behind it; the
 * answer's head is read into the buffer, its body follows through the same one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmd/bench_s3.h"
#include "cmd/json.h"
#include "gateway/times.h"

#define ENDPOINT_START "http://127.0.0.1:"
#define SIGNED_HEADERS "host;x-amz-content-sha256;x-amz-date"
#define ANSWER_S       120 /* for one piece: a stuck gateway must not hold us for ever */

/* ---- accounts, bodies ---- */

static bool
copy_text(char *out, size_t cap, const char *text)
{
	return text != NULL && (size_t)snprintf(out, cap, "%s", text) < cap;
}

int
s3_account_read(struct s3_account *a, const struct json_value *told)
{
	const struct json_value *s3 = json_child(told, "s3");
	const struct json_value *first = json_at(json_child(s3, "accounts"), 0);
	const char *endpoint = json_text(s3, "endpoint");
	uint64_t port;

	if (endpoint == NULL || strncmp(endpoint, ENDPOINT_START, strlen(ENDPOINT_START)) != 0 ||
	    !value_count(endpoint + strlen(ENDPOINT_START), 1, UINT16_MAX, &port))
		return ERR_INVALID;
	a->port = (uint16_t)port;
	return copy_text(a->host, sizeof(a->host), endpoint + strlen("http://")) &&
		       copy_text(a->region, sizeof(a->region), json_text(s3, "region")) &&
		       copy_text(a->access, sizeof(a->access), json_text(first, "access_key")) &&
		       copy_text(a->secret, sizeof(a->secret), json_text(first, "secret_key"))
		   ? ERR_OK
		   : ERR_INVALID;
}

/* What lies in one piece from there on, at most so much. */
static struct bytes
body_piece(const struct s3_body *b, uint64_t at, size_t most)
{
	size_t from = (size_t)((b->start + at) % S3_POOL_BYTES);

	return bytes_of(
	    b->pool + from, (size_t)MIN(MIN(most, S3_POOL_BYTES - from), b->bytes - at));
}

int
s3_body_hash(const struct s3_body *body, char hex[65])
{
	struct sha256 *s = sha256_new();
	struct hash h;

	if (s == NULL)
		return ERR_NOMEM;
	for (uint64_t at = 0; at < body->bytes;) {
		struct bytes piece = body_piece(body, at, S3_SOCKET_IO);

		sha256_update(s, piece.data, piece.len);
		at += piece.len;
	}
	sha256_final(s, &h);
	sha256_free(s);
	hex_encode(hex, h.b, sizeof(h.b));
	return ERR_OK;
}

/* ---- the connection ---- */

int
s3_conn_open(struct s3_conn *c, const struct s3_account *a)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(a->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval patience = { .tv_sec = ANSWER_S };
	int on = 1;

	*c = (struct s3_conn){ .account = a, .fd = -1, .io = malloc(S3_SOCKET_IO) };
	if (c->io == NULL)
		return ERR_NOMEM;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
		return err_from_errno(errno);
	return ERR_OK;
}

void
s3_conn_close(struct s3_conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c->io);
}

/* ---- asking ---- */

static int
sign(const struct s3_account *a, const struct s3_request *r, struct sigv4 *s, char signature[65])
{
	struct web_header headers[] = { { "host", a->host },
		{ "x-amz-content-sha256", s->payload_text }, { "x-amz-date", s->amz_date } };
	struct target target;
	struct sigv4_request what = { .method = r->method,
		.target = &target,
		.headers = headers,
		.headers_count = ARRAY_LEN(headers) };
	struct key key;
	int err = target_parse(r->target, a->host, NULL, &target);

	if (err == ERR_OK) {
		sigv4_key(&key, a->secret, s->scope);
		err = sigv4_sign(&what, s, &key, signature);
		crypto_wipe(&key, sizeof(key));
	}
	target_fini(&target);
	return err;
}

static int
send_head(const struct s3_conn *c, const struct s3_request *r)
{
	const struct s3_account *a = c->account;
	struct sigv4 s = { .signed_headers = SIGNED_HEADERS,
		.payload_text = r->payload != NULL ? r->payload : "UNSIGNED-PAYLOAD" };
	char date[TIMES_TEXT_MAX], signature[65], head[2048];
	struct timespec t;
	int len, err;

	must(clock_gettime(CLOCK_REALTIME, &t) == 0);
	(void)times_amz((uint64_t)t.tv_sec * 1000, date);
	(void)snprintf(s.amz_date, sizeof(s.amz_date), "%.16s", date);
	(void)snprintf(s.scope, sizeof(s.scope), "%.8s/%s/s3/aws4_request", date, a->region);
	err = sign(a, r, &s, signature);
	if (err != ERR_OK)
		return err;
	len = snprintf(head, sizeof(head),
	    "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %" PRIu64 "\r\n"
	    "x-amz-content-sha256: %s\r\nx-amz-date: %s\r\n"
	    "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=" SIGNED_HEADERS
	    ",Signature=%s\r\n\r\n",
	    r->method, r->target, a->host, r->send != NULL ? r->send->bytes : 0, s.payload_text,
	    s.amz_date, a->access, s.scope, signature);
	if (len < 0 || (size_t)len >= sizeof(head))
		return ERR_TOO_BIG;
	return bench_send(c->fd, head, (size_t)len, r->send != NULL ? MSG_MORE : 0);
}

static int
send_body(const struct s3_conn *c, const struct s3_body *b)
{
	int err = ERR_OK;

	for (uint64_t at = 0; at < b->bytes && err == ERR_OK;) {
		struct bytes piece = body_piece(b, at, S3_SOCKET_IO);

		err = bench_send(c->fd, piece.data, piece.len, 0);
		at += piece.len;
	}
	return err;
}

/* ---- the answer ---- */

/* A head in c->io, with a NUL behind it: status and length of the body. */
static int
parse_head(struct s3_conn *c, uint64_t *length)
{
	const char *head = (const char *)c->io, *field;

	if (sscanf(head, "HTTP/1.1 %3u ", &c->status) != 1)
		return ERR_INVALID;
	field = strcasestr(head, "\r\ncontent-length:");
	if (field == NULL) {
		*length = 0;
		/* 204 has none; of any other its end could not be told. */
		return c->status == 204 ? ERR_OK : ERR_UNSUPPORTED;
	}
	return sscanf(field + 2, "%*[^:]: %" SCNu64, length) == 1 ? ERR_OK : ERR_INVALID;
}

/* *have: bytes in c->io, of which the first *head are the head. */
static int
read_head(struct s3_conn *c, size_t *head, size_t *have, uint64_t *length)
{
	const uint8_t *end = NULL;
	size_t n;
	int err;

	for (*have = 0; end == NULL; end = memmem(c->io, *have, "\r\n\r\n", 4)) {
		if (*have == S3_HEAD_MAX)
			return ERR_TOO_BIG;
		err = bench_receive(c->fd, c->io + *have, S3_HEAD_MAX - *have, &n);
		if (err != ERR_OK)
			return err;
		*have += n;
	}
	*head = (size_t)(end - c->io) + 4;
	c->io[*head - 1] = '\0';
	return parse_head(c, length);
}

static bool
is_piece(const struct s3_body *b, uint64_t at, const uint8_t *data, size_t len)
{
	bool same = at + len <= b->bytes;

	for (size_t done = 0; done < len && same;) {
		struct bytes piece = body_piece(b, at + done, len - done);

		same = memcmp(piece.data, data + done, piece.len) == 0;
		done += piece.len;
	}
	return same;
}

static int
read_answer(struct s3_conn *c, const struct s3_body *expect, uint64_t *length)
{
	size_t head, have, n;
	int err = read_head(c, &head, &have, length);
	bool same = true;

	if (err != ERR_OK)
		return err;
	if (have - head > *length)
		return ERR_INVALID; /* more than it said: not ours to guess */
	if (c->status != 200)
		expect = NULL;
	if (expect != NULL)
		same = *length == expect->bytes && is_piece(expect, 0, c->io + head, have - head);
	for (uint64_t at = have - head; at < *length; at += n) {
		err = bench_receive(c->fd, c->io, (size_t)MIN(*length - at, S3_SOCKET_IO), &n);
		if (err != ERR_OK)
			return err;
		if (expect != NULL && same)
			same = is_piece(expect, at, c->io, n);
	}
	return same ? ERR_OK : ERR_CORRUPT;
}

int
s3_ask(struct s3_conn *c, const struct s3_request *r, uint64_t *got)
{
	uint64_t length = 0;
	int err = send_head(c, r);

	c->status = 0;
	if (err == ERR_OK && r->send != NULL)
		err = send_body(c, r->send);
	if (err == ERR_OK)
		err = read_answer(c, r->expect, &length);
	if (err == ERR_OK && c->status != 200)
		err = ERR_REFUSED;
	if (err == ERR_OK && got != NULL)
		*got = length;
	return err;
}
