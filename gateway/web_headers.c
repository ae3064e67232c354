/*
 * Headers: copied, because a task may outlive its connection, and checked for what would let two
 * servers read one request differently.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "gateway/web_private.h"

/* Twice in one request they would let two readers disagree on what it says. */
static const char *const single[] = { "content-length", "host", "transfer-encoding",
	"authorization", "expect", "content-type", "content-md5", "x-amz-date",
	"x-amz-content-sha256", "x-amz-decoded-content-length", "date" };

bool
web_header_name_valid(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] == 127 ||
		    strchr("()<>@,;:\\\"/[]?={}", name[i]) != NULL)
			return false;
	}
	return len > 0;
}

/* RFC 9110 §5.5 has no other control characters than the tab in what a header says. */
static bool
is_field_value(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 127)
			return false;
	}
	return true;
}

struct copying {
	struct web_request *r;
	size_t used;
};

static const char *
keep(struct copying *c, const char *text, size_t len)
{
	char *at = c->r->arena + c->used;

	if (len >= WEB_HEADERS_MAX - c->used) {
		c->r->problem = "The headers are larger than 32 KiB together.";
		return NULL;
	}
	memcpy(at, text, len);
	at[len] = '\0';
	c->used += len + 1;
	return at;
}

static enum MHD_Result
copy_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct copying *c = arg;
	struct web_request *r = c->r;
	struct web_header h;

	(void)kind;
	if (r->headers_count == WEB_HEADERS_COUNT_MAX)
		r->problem = "There are too many headers.";
	else if (!web_header_name_valid(name, name_len))
		r->problem = "The name of a header is no token.";
	else if (!is_field_value(value, value_len))
		r->problem = "A header has a control character.";
	if (r->problem != NULL)
		return MHD_NO;
	for (size_t i = 0; i < ARRAY_LEN(single); i++) {
		if (strcasecmp(name, single[i]) == 0 && web_header(r, name) != NULL)
			r->problem = "A header that may be there once is there twice.";
	}
	h.name = keep(c, name, name_len);
	h.value = h.name == NULL ? NULL : keep(c, value == NULL ? "" : value, value_len);
	if (h.value == NULL)
		return MHD_NO;
	r->headers[r->headers_count++] = h;
	return MHD_YES;
}

static void
read_lengths(struct web_request *r)
{
	const char *length = web_header(r, "content-length");
	const char *coding = web_header(r, "transfer-encoding");
	char *end;

	if (coding != NULL && length != NULL)
		r->problem = "Both Content-Length and Transfer-Encoding are there.";
	else if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		r->problem = "The Transfer-Encoding is not chunked.";
	if (coding != NULL)
		r->body_length = UINT64_MAX;
	if (length == NULL)
		return;
	errno = 0;
	r->body_length = strtoull(length, &end, 10);
	if (errno != 0 || length[0] < '0' || length[0] > '9' || *end != '\0' ||
	    r->body_length == UINT64_MAX)
		r->problem = "The Content-Length is no number.";
}

static void
read_peer(struct web_request *r)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info == NULL ? NULL : info->client_addr;

	if (sa != NULL && sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		r->peer.family = ADDR_IPV4;
		memcpy(r->peer.ip, &in->sin_addr, 4);
		r->peer.port = ntohs(in->sin_port);
	} else if (sa != NULL && sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)sa;

		r->peer.family = ADDR_IPV6;
		memcpy(r->peer.ip, &in->sin6_addr, 16);
		r->peer.port = ntohs(in->sin6_port);
	}
}

void
web_headers_read(struct web_request *r, const char *method)
{
	struct copying c = { .r = r, .used = strlen(r->target) + 1 };
	const char *expect;

	r->method = keep(&c, method, strlen(method));
	if (r->method == NULL)
		r->method = "";
	else
		(void)MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, copy_header, &c);
	read_lengths(r);
	read_peer(r);
	expect = web_header(r, "expect");
	r->expects = expect != NULL && strcasecmp(expect, "100-continue") == 0;
	r->head_only = strcmp(r->method, "HEAD") == 0;
}
