/* Names and secrets from random bytes; rights as a list of places, any of which suffices. */
#include "object/access_key.h"

#include <strings.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

static const char domain[] = "skerry/access/1";

#define ID_RANDOM     12 /* of which 90 bits are used */
#define ID_LETTERS    18
#define SECRET_RANDOM 30

static_assert(ID_RANDOM + SECRET_RANDOM == ACCESS_RANDOM, "what access_key_draw is given");
static_assert(SECRET_RANDOM / 3 * 4 == ACCESS_SECRET_TEXT - 1, "base64 without a rest");
static_assert(2 + ID_LETTERS == ACCESS_ID_TEXT - 1, "the letters of an id");

void
access_key_draw(struct access_key *k, const uint8_t random[ACCESS_RANDOM])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, held = 0;

	k->id[0] = 'S';
	k->id[1] = 'K';
	for (size_t i = 0, at = 0; i < ID_LETTERS; i++) {
		if (held < 5) {
			bits = bits << 8 | random[at++];
			held += 8;
		}
		held -= 5;
		k->id[2 + i] = letters[bits >> held & 31];
		bits &= (1U << held) - 1;
	}
	k->id[2 + ID_LETTERS] = '\0';
	must(base64url_encode(k->secret, sizeof(k->secret), random + ID_RANDOM, SECRET_RANDOM) ==
	     ERR_OK);
}

bool
access_id_valid(const char *text, size_t len)
{
	if (len != ACCESS_ID_TEXT - 1 || text[0] != 'S' || text[1] != 'K')
		return false;
	for (size_t i = 2; i < len; i++) {
		if (!(text[i] >= 'A' && text[i] <= 'Z') && !(text[i] >= '2' && text[i] <= '7'))
			return false;
	}
	return true;
}

/* ---- rights ---- */

static const struct {
	const char *name;
	uint8_t rights;
} words[] = {
	{ "read", ACCESS_READ },
	{ "write", ACCESS_WRITE },
	{ "admin", ACCESS_ADMIN },
	{ "all", ACCESS_ALL },
};

static bool
word_rights(const char *word, size_t len, uint8_t *rights)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strlen(words[i].name) == len && strncasecmp(words[i].name, word, len) == 0) {
			*rights |= words[i].rights;
			return true;
		}
	}
	return false;
}

int
access_rights_parse(const char *text, uint8_t *out)
{
	uint8_t rights = 0;

	for (;;) {
		size_t len = strcspn(text, ",");

		if (!word_rights(text, len, &rights))
			return ERR_INVALID;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*out = rights;
	return ERR_OK;
}

const char *
access_rights_text(uint8_t rights)
{
	static const char *const texts[] = { "none", "read", "write", "read,write", "admin",
		"read,admin", "write,admin", "all" };

	return texts[rights & ACCESS_ALL];
}

int
access_grant_parse(const char *where, uint8_t rights, struct access_grant *out)
{
	struct access_grant g = { .rights = rights };
	size_t len = strcspn(where, "/");
	const char *prefix = where[len] == '/' ? where + len + 1 : "";

	if (len == 0 || len >= sizeof(g.bucket) || strlen(prefix) >= sizeof(g.prefix) ||
	    rights == 0 || (rights & ~ACCESS_ALL) != 0 ||
	    ((rights & ACCESS_ADMIN) != 0 && prefix[0] != '\0'))
		return ERR_INVALID;
	if (len != 1 || where[0] != '*')
		memcpy(g.bucket, where, len);
	memcpy(g.prefix, prefix, strlen(prefix));
	*out = g;
	return ERR_OK;
}

static bool
grant_covers(const struct access_grant *g, const char *bucket, struct bytes key)
{
	size_t prefix = strlen(g->prefix);

	if (g->bucket[0] != '\0' && strcmp(g->bucket, bucket) != 0)
		return false;
	return prefix == 0 ||
	       (key.data != NULL && key.len >= prefix && memcmp(key.data, g->prefix, prefix) == 0);
}

static bool
alive(const struct access_key *k, uint64_t now_ms)
{
	return k->expires_ms == 0 || now_ms < k->expires_ms;
}

bool
access_allows(const struct access_key *k, uint64_t now_ms, const char *bucket, struct bytes key,
    enum access_right right)
{
	if (!alive(k, now_ms))
		return false;
	for (size_t i = 0; i < k->grants_count; i++) {
		const struct access_grant *g = &k->grants[i];

		if ((g->rights & right) != 0 && (bucket == NULL || grant_covers(g, bucket, key)))
			return true;
	}
	return false;
}

bool
access_sees(const struct access_key *k, uint64_t now_ms, const char *bucket)
{
	if (!alive(k, now_ms))
		return false;
	for (size_t i = 0; i < k->grants_count; i++) {
		const struct access_grant *g = &k->grants[i];

		if (g->bucket[0] == '\0' || strcmp(g->bucket, bucket) == 0)
			return true;
	}
	return false;
}

/* ---- as it is kept ---- */

int
access_key_pack(const struct access_key *k, struct buf *out)
{
	uint8_t *form;
	struct packer p;
	int err = buf_reserve(out, ACCESS_KEY_BYTES_MAX);

	if (err != ERR_OK)
		return err;
	if (!access_id_valid(k->id, strlen(k->id)) || k->grants_count > ACCESS_GRANTS_MAX)
		return ERR_INVALID;
	form = out->data + out->len;
	p = packer_on(form, ACCESS_KEY_BYTES_MAX);
	pack_domain(&p, domain, NULL);
	pack_str(&p, k->id);
	pack_str(&p, k->secret);
	pack_u64(&p, k->created_ms);
	pack_u64(&p, k->expires_ms);
	pack_text(&p, k->label);
	pack_u8(&p, (uint8_t)k->grants_count);
	for (size_t i = 0; i < k->grants_count; i++) {
		pack_u8(&p, k->grants[i].rights);
		pack_text(&p, k->grants[i].bucket);
		pack_text(&p, k->grants[i].prefix);
	}
	must(pack_ok(&p));
	out->len += p.len;
	return ERR_OK;
}

static void
unpack_grant(struct unpacker *u, struct access_grant *g)
{
	g->rights = unpack_u8(u);
	unpack_text(u, g->bucket, sizeof(g->bucket));
	unpack_text(u, g->prefix, sizeof(g->prefix));
	if (g->rights == 0 || (g->rights & ~ACCESS_ALL) != 0)
		u->failed = true;
}

int
access_key_unpack(struct bytes in, struct access_key *out)
{
	struct unpacker u = unpacker_on(in);
	struct access_key k = { .id = "" };
	int err = unpack_domain(&u, domain, NULL);

	if (err != ERR_OK)
		return err == ERR_VERSION ? err : ERR_CORRUPT;
	unpack_str(&u, k.id, sizeof(k.id) - 1);
	unpack_str(&u, k.secret, sizeof(k.secret) - 1);
	k.created_ms = unpack_u64(&u);
	k.expires_ms = unpack_u64(&u);
	unpack_text(&u, k.label, sizeof(k.label));
	k.grants_count = unpack_u8(&u);
	if (k.grants_count > ACCESS_GRANTS_MAX)
		u.failed = true;
	for (size_t i = 0; !u.failed && i < k.grants_count; i++)
		unpack_grant(&u, &k.grants[i]);
	if (unpack_done(&u) && access_id_valid(k.id, strlen(k.id)))
		*out = k;
	else
		err = ERR_CORRUPT;
	crypto_wipe(k.secret, sizeof(k.secret));
	return err;
}

void
access_key_wipe(struct access_key *k)
{
	crypto_wipe(k, sizeof(*k));
}
