/* Links to and from text; strict: what parses prints to the same text. */
#include "object/link.h"

#include <stdio.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char scheme[] = "skerry:";

#define CHECK_BYTES  4
#define BODY_BYTES   (4 + 32 + 32)
#define LINK_VERSION '1'

/* The check covers the kind as well: a verify link retyped as a read link is found. */
static void
make_check(enum link_kind kind, const uint8_t body[BODY_BYTES], uint8_t out[CHECK_BYTES])
{
	static const char domain[] = "skerry/link/1";
	uint8_t letter = kind == LINK_READ ? 'r' : 'v';
	struct bytes parts[] = {
		{ (const uint8_t *)domain, sizeof(domain) - 1 },
		{ &letter, 1 },
		{ body, BODY_BYTES },
	};
	struct hash h;

	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	memcpy(out, h.b, CHECK_BYTES);
}

void
link_print(const struct link *l, char out[LINK_TEXT_MAX])
{
	uint8_t raw[BODY_BYTES + CHECK_BYTES];
	struct packer p = packer_on(raw, sizeof(raw));
	int len;

	pack_raw(&p, l->net.b, sizeof(l->net.b));
	pack_raw(&p, l->manifest.b, sizeof(l->manifest.b));
	pack_raw(&p, l->key.b, sizeof(l->key.b));
	make_check(l->kind, raw, raw + BODY_BYTES);
	len = snprintf(
	    out, LINK_TEXT_MAX, "%s%c%c-", scheme, l->kind == LINK_READ ? 'r' : 'v', LINK_VERSION);
	must(base64url_encode(out + len, LINK_TEXT_MAX - (size_t)len, raw, sizeof(raw)) == ERR_OK);
	crypto_wipe(raw, sizeof(raw));
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Kind and version: ERR_VERSION for a link of our scheme that a later program made. */
static int
parse_head(const char **text, enum link_kind *kind)
{
	const char *p = *text;

	while (is_space(*p))
		p++;
	if (strncmp(p, scheme, sizeof(scheme) - 1) != 0)
		return ERR_INVALID;
	p += sizeof(scheme) - 1;
	if ((p[0] != 'r' && p[0] != 'v') || p[1] < '0' || p[1] > '9' || p[2] != '-')
		return ERR_INVALID;
	if (p[1] != LINK_VERSION)
		return ERR_VERSION;
	*kind = p[0] == 'r' ? LINK_READ : LINK_VERIFY;
	*text = p + 3;
	return ERR_OK;
}

/* The letters behind the head: one spelling for one link. */
static int
parse_body(const char *text, uint8_t raw[BODY_BYTES + CHECK_BYTES], struct link *l)
{
	uint8_t check[CHECK_BYTES];
	size_t len = strlen(text), raw_len;

	while (len > 0 && is_space(text[len - 1]))
		len--;
	if (len >= LINK_TEXT_MAX ||
	    base64url_decode(raw, BODY_BYTES + CHECK_BYTES, &raw_len, text, len) != ERR_OK ||
	    raw_len != BODY_BYTES + CHECK_BYTES)
		return ERR_INVALID;
	make_check(l->kind, raw, check);
	if (!crypto_equal(check, raw + BODY_BYTES, sizeof(check)))
		return ERR_INVALID;

	struct unpacker u = unpacker_on(bytes_of(raw, BODY_BYTES));

	unpack_raw(&u, l->net.b, sizeof(l->net.b));
	unpack_raw(&u, l->manifest.b, sizeof(l->manifest.b));
	unpack_raw(&u, l->key.b, sizeof(l->key.b));
	must(unpack_done(&u));
	return ERR_OK;
}

int
link_parse(const char *text, struct link *out)
{
	uint8_t raw[BODY_BYTES + CHECK_BYTES];
	struct link l;
	int err = parse_head(&text, &l.kind);

	if (err == ERR_OK)
		err = parse_body(text, raw, &l);
	if (err == ERR_OK)
		*out = l;
	crypto_wipe(raw, sizeof(raw));
	link_wipe(&l);
	return err;
}

void
link_to_verify(const struct link *l, struct link *out)
{
	struct link v = *l;

	if (l->kind == LINK_READ) {
		v.kind = LINK_VERIFY;
		crypto_derive(&v.key, &l->key, "verify", NULL);
	}
	*out = v;
	link_wipe(&v);
}

void
link_wipe(struct link *l)
{
	crypto_wipe(l, sizeof(*l));
}
