/*
 * Datagrams that carry their own proof. Packing and opening are one AEAD call
 * around a fixed header; the header is parsed in one place (sealed_peek) and
 * its length is the length of the associated data.
 *
 * Failures: ERR_INVALID, ERR_VERSION and ERR_WRONG_NETWORK before any
 * cryptography is done, ERR_AUTH after it.
 */
#include "overlay/sealed.h"

#include <assert.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define MAGIC         "SK"
#define SENDER_AT     (2 + 1 + 1 + sizeof(struct network_id))
#define DGRAM_DOMAIN  "skerry/dgram/1"
#define COOKIE_DOMAIN "skerry/cookie/1"

static_assert(SEALED_HEADER_BYTES == 2 + 1 + 1 + sizeof(struct network_id) + sizeof(struct pubkey) +
					 CRYPTO_XNONCE_BYTES,
    "header");
static_assert(SEALED_CHALLENGE_BYTES <= SEALED_OVERHEAD,
    "a challenge is never longer than the shortest datagram that asks for it");

/* ---- keys ---- */

/* HMAC(shared, domain ‖ network ‖ from ‖ to) */
static void
direction_key(const struct key *shared, const struct network_id *net, const struct pubkey *from,
    const struct pubkey *to, struct key *out)
{
	uint8_t text[sizeof(DGRAM_DOMAIN) - 1 + sizeof(*net) + 2 * sizeof(*from)];
	struct packer p = packer_on(text, sizeof(text));
	struct hash h;

	pack_domain(&p, DGRAM_DOMAIN, net);
	pack_raw(&p, from->b, sizeof(from->b));
	pack_raw(&p, to->b, sizeof(to->b));
	must(pack_ok(&p) && p.len == sizeof(text));
	crypto_hmac(&h, shared->b, sizeof(shared->b), text, sizeof(text));
	memcpy(out->b, h.b, sizeof(out->b));
	crypto_wipe(&h, sizeof(h));
}

int
sealed_keys_derive(const struct identity *self, const struct pubkey *peer,
    const struct network_id *net, struct sealed_keys *out)
{
	uint8_t point[32];
	struct key shared;

	if (crypto_pubkey_to_x25519(point, peer) != ERR_OK ||
	    crypto_x25519(&shared, &self->x25519_secret, point) != ERR_OK)
		return ERR_AUTH;
	direction_key(&shared, net, &self->pub, peer, &out->tx);
	direction_key(&shared, net, peer, &self->pub, &out->rx);
	crypto_wipe(&shared, sizeof(shared));
	return ERR_OK;
}

/* ---- datagrams ---- */

static void
header_pack(struct packer *p, const struct sealed_header *h)
{
	pack_str(p, MAGIC);
	pack_u8(p, SEALED_VERSION);
	pack_u8(p, (uint8_t)h->type);
	pack_raw(p, h->net.b, sizeof(h->net.b));
	pack_raw(p, h->sender.b, sizeof(h->sender.b));
	pack_raw(p, h->nonce, sizeof(h->nonce));
	if (h->type != SEALED_PLAIN)
		pack_raw(p, h->cookie, sizeof(h->cookie));
}

/* Everything in clear, by type. */
static size_t
clear_bytes(enum sealed_type type)
{
	return SEALED_HEADER_BYTES + (type == SEALED_PLAIN ? 0 : SEALED_COOKIE_BYTES);
}

int
sealed_pack(const struct sealed_header *h, const struct key *tx, struct bytes body,
    uint8_t out[SEALED_DATAGRAM_MAX], size_t *out_len)
{
	struct packer p = packer_on(out, SEALED_DATAGRAM_MAX);

	must(h->type == SEALED_PLAIN || h->type == SEALED_COOKIE);
	if (body.len > SEALED_BODY_MAX)
		return ERR_TOO_BIG;
	header_pack(&p, h);
	must(pack_ok(&p) && p.len == clear_bytes(h->type));
	crypto_xseal(out + p.len, tx, h->nonce, bytes_of(out, p.len), body.data, body.len);
	*out_len = p.len + body.len + CRYPTO_TAG_BYTES;
	return ERR_OK;
}

void
sealed_challenge(const struct sealed_header *received, const struct pubkey *self,
    const uint8_t cookie[SEALED_COOKIE_BYTES], uint8_t out[SEALED_CHALLENGE_BYTES])
{
	struct packer p = packer_on(out, SEALED_CHALLENGE_BYTES);
	struct sealed_header h = { .type = SEALED_CHALLENGE, .net = received->net };

	h.sender = *self;
	memcpy(h.nonce, received->nonce, sizeof(h.nonce));
	memcpy(h.cookie, cookie, sizeof(h.cookie));
	header_pack(&p, &h);
	must(pack_ok(&p) && p.len == SEALED_CHALLENGE_BYTES);
}

/* The sizes that a type can have. */
static bool
size_fits(enum sealed_type type, size_t len)
{
	if (type == SEALED_CHALLENGE)
		return len == SEALED_CHALLENGE_BYTES;
	return len >= clear_bytes(type) + CRYPTO_TAG_BYTES &&
	       len <= clear_bytes(type) + SEALED_BODY_MAX + CRYPTO_TAG_BYTES;
}

int
sealed_peek(struct bytes in, const struct network_id *net, struct sealed_header *out)
{
	struct unpacker u = unpacker_on(in);
	struct sealed_header h = { 0 };

	unpack_expect(&u, MAGIC);

	uint8_t version = unpack_u8(&u), type = unpack_u8(&u);

	if (u.failed)
		return ERR_INVALID;
	if (version != SEALED_VERSION)
		return ERR_VERSION;
	if (type < SEALED_PLAIN || type > SEALED_COOKIE || !size_fits(type, in.len))
		return ERR_INVALID;
	h.type = type;
	unpack_raw(&u, h.net.b, sizeof(h.net.b));
	unpack_raw(&u, h.sender.b, sizeof(h.sender.b));
	unpack_raw(&u, h.nonce, sizeof(h.nonce));
	if (type != SEALED_PLAIN)
		unpack_raw(&u, h.cookie, sizeof(h.cookie));
	must(!u.failed); /* size_fits */
	if (memcmp(h.net.b, net->b, sizeof(net->b)) != 0)
		return ERR_WRONG_NETWORK;
	*out = h;
	return ERR_OK;
}

const struct pubkey *
sealed_sender(struct bytes in)
{
	static_assert(_Alignof(struct pubkey) == 1, "anywhere");
	return in.len < SEALED_HEADER_BYTES ? NULL : (const void *)(in.data + SENDER_AT);
}

int
sealed_open(struct bytes in, const struct sealed_header *h, const struct key *rx,
    uint8_t out[SEALED_DATAGRAM_MAX], size_t *out_len)
{
	size_t clear = clear_bytes(h->type);

	if (h->type == SEALED_CHALLENGE || !size_fits(h->type, in.len))
		return ERR_INVALID;

	int err = crypto_xopen(
	    out, rx, h->nonce, bytes_of(in.data, clear), in.data + clear, in.len - clear);

	if (err == ERR_OK)
		*out_len = in.len - clear - CRYPTO_TAG_BYTES;
	return err;
}

/* ---- cookies ---- */

static void
cookie_of(const struct key *secret, uint64_t epoch, const struct addr *addr,
    const struct pubkey *sender, uint8_t out[SEALED_COOKIE_BYTES])
{
	uint8_t text[sizeof(COOKIE_DOMAIN) - 1 + 8 + ADDR_PACKED_BYTES + sizeof(*sender)];
	struct packer p = packer_on(text, sizeof(text));
	struct hash h;

	pack_domain(&p, COOKIE_DOMAIN, NULL); /* the secret is this process's own */
	pack_u64(&p, epoch);
	addr_pack(&p, addr);
	pack_raw(&p, sender->b, sizeof(sender->b));
	must(pack_ok(&p) && p.len == sizeof(text));
	crypto_hmac(&h, secret->b, sizeof(secret->b), text, sizeof(text));
	memcpy(out, h.b, SEALED_COOKIE_BYTES);
}

void
sealed_cookie_make(const struct key *secret, uint64_t now, const struct addr *addr,
    const struct pubkey *sender, uint8_t out[SEALED_COOKIE_BYTES])
{
	cookie_of(secret, now / SEALED_COOKIE_EPOCH, addr, sender, out);
}

bool
sealed_cookie_check(const struct key *secret, uint64_t now, const struct addr *addr,
    const struct pubkey *sender, const uint8_t cookie[SEALED_COOKIE_BYTES])
{
	uint64_t epoch = now / SEALED_COOKIE_EPOCH;
	uint8_t expected[SEALED_COOKIE_BYTES];

	cookie_of(secret, epoch, addr, sender, expected);
	if (crypto_equal(expected, cookie, sizeof(expected)))
		return true;
	if (epoch == 0)
		return false;
	cookie_of(secret, epoch - 1, addr, sender, expected);
	return crypto_equal(expected, cookie, sizeof(expected));
}
