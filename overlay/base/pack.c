/*
 * Cursors over fixed-layout byte strings. Every access goes through take()
 * or room(), the only places that compare a length with what is left; after
 * the first overrun the cursor stays failed and moves no more.
 */
#include "overlay/base/pack.h"

#include "overlay/base/err.h"

/* ---- writing ---- */

struct packer
packer_on(void *out, size_t cap)
{
	return (struct packer){ .out = out, .cap = cap };
}

/* Where the next len bytes go; NULL when they do not fit. */
static uint8_t *
room(struct packer *p, size_t len)
{
	if (p->failed || len > p->cap - p->len) {
		p->failed = true;
		return NULL;
	}
	uint8_t *at = p->out + p->len;

	p->len += len;
	return at;
}

static void
pack_be(struct packer *p, uint64_t v, size_t len)
{
	uint8_t *at = room(p, len);

	if (at == NULL)
		return;
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
}

void
pack_u8(struct packer *p, uint8_t v)
{
	pack_be(p, v, 1);
}

void
pack_u16(struct packer *p, uint16_t v)
{
	pack_be(p, v, 2);
}

void
pack_u32(struct packer *p, uint32_t v)
{
	pack_be(p, v, 4);
}

void
pack_u64(struct packer *p, uint64_t v)
{
	pack_be(p, v, 8);
}

void
pack_raw(struct packer *p, const void *data, size_t len)
{
	if (len == 0) /* data may be NULL then */
		return;

	uint8_t *at = room(p, len);

	if (at != NULL)
		memcpy(at, data, len);
}

void
pack_zero(struct packer *p, size_t len)
{
	if (len == 0) /* an empty packer may stand on NULL */
		return;

	uint8_t *at = room(p, len);

	if (at != NULL)
		memset(at, 0, len);
}

void
pack_str(struct packer *p, const char *s)
{
	pack_raw(p, s, strlen(s));
}

void
pack_text(struct packer *p, const char *s)
{
	size_t len = strlen(s);

	if (len > UINT8_MAX)
		p->failed = true;
	pack_u8(p, (uint8_t)len);
	pack_raw(p, s, len);
}

bool
pack_ok(const struct packer *p)
{
	return !p->failed;
}

void
pack_domain(struct packer *p, const char *domain, const struct network_id *net)
{
	pack_str(p, domain);
	if (net != NULL)
		pack_raw(p, net->b, sizeof(net->b));
}

/* ---- reading ---- */

struct unpacker
unpacker_on(struct bytes in)
{
	return (struct unpacker){ .in = in.data, .len = in.len };
}

/* The next len bytes; NULL when there are fewer. */
static const uint8_t *
take(struct unpacker *u, size_t len)
{
	if (u->failed || len > u->len - u->pos) {
		u->failed = true;
		return NULL;
	}
	const uint8_t *at = u->in + u->pos;

	u->pos += len;
	return at;
}

static uint64_t
unpack_be(struct unpacker *u, size_t len)
{
	const uint8_t *at = take(u, len);
	uint64_t v = 0;

	if (at == NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t
unpack_u8(struct unpacker *u)
{
	return (uint8_t)unpack_be(u, 1);
}

uint16_t
unpack_u16(struct unpacker *u)
{
	return (uint16_t)unpack_be(u, 2);
}

uint32_t
unpack_u32(struct unpacker *u)
{
	return (uint32_t)unpack_be(u, 4);
}

uint64_t
unpack_u64(struct unpacker *u)
{
	return unpack_be(u, 8);
}

void
unpack_raw(struct unpacker *u, void *out, size_t len)
{
	if (len == 0)
		return;

	const uint8_t *at = take(u, len);

	if (at != NULL)
		memcpy(out, at, len);
	else
		memset(out, 0, len); /* callers check once, at the end: never leave it unset */
}

struct bytes
unpack_lend(struct unpacker *u, size_t len)
{
	if (len == 0 && u->in == NULL) /* no arithmetic on NULL */
		return bytes_of(NULL, 0);

	const uint8_t *at = take(u, len);

	return at != NULL ? bytes_of(at, len) : bytes_of(NULL, 0);
}

void
unpack_str(struct unpacker *u, char *out, size_t len)
{
	unpack_raw(u, out, len);
	out[len] = '\0';
	if (u->failed || strlen(out) != len) {
		u->failed = true;
		out[0] = '\0';
	}
}

void
unpack_text(struct unpacker *u, char *out, size_t cap)
{
	size_t len = unpack_u8(u);

	if (len < cap) {
		unpack_str(u, out, len);
		return;
	}
	u->failed = true;
	out[0] = '\0';
}

void
unpack_expect(struct unpacker *u, const char *literal)
{
	size_t len = strlen(literal);

	if (len == 0)
		return;

	const uint8_t *at = take(u, len);

	if (at != NULL && memcmp(at, literal, len) != 0)
		u->failed = true;
}

int
unpack_domain(struct unpacker *u, const char *domain, const struct network_id *net)
{
	const char *slash = strrchr(domain, '/');

	must(slash != NULL);

	size_t type_len = (size_t)(slash - domain) + 1;
	const uint8_t *type = take(u, type_len);

	if (type == NULL || memcmp(type, domain, type_len) != 0) {
		u->failed = true;
		return ERR_INVALID;
	}
	unpack_expect(u, domain + type_len);
	if (u->failed)
		return ERR_VERSION;
	if (net == NULL)
		return ERR_OK;

	const uint8_t *at = take(u, sizeof(net->b));

	if (at == NULL)
		return ERR_INVALID;
	if (memcmp(at, net->b, sizeof(net->b)) != 0) {
		u->failed = true;
		return ERR_WRONG_NETWORK;
	}
	return ERR_OK;
}

size_t
unpack_left(const struct unpacker *u)
{
	return u->failed ? 0 : u->len - u->pos;
}

bool
unpack_done(const struct unpacker *u)
{
	return !u->failed && u->pos == u->len;
}
