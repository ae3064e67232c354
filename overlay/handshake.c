/*
 * In the order of the messages: each end writes its hello when Noise first
 * seals for it (responder in message 2, initiator in 3) and checks the other's in the
 * same breath as it is read, so that nothing further is said to a peer which is
 * not the expected one.
 *
 * A peer can fail it at every byte; the caller gets one error and closes. The
 * signature is not needed to know the X25519 key (Noise proves it) but to leave no doubt
 * which Ed25519 key stands behind it: two of them map to one X25519 key.
 */
#include "overlay/handshake.h"

#include <assert.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define FLAG_SERVER 1

/* "skerry/session-key/1", network, role, X25519 key, transcript */
#define SIGNED_BYTES (20 + 4 + 1 + 32 + 32)

static_assert(
    NOISE_OVERHEAD_2 + HANDSHAKE_HELLO_BYTES <= HANDSHAKE_MESSAGE_MAX, "message 2 fits its limit");

void
handshake_init(struct handshake *h, const struct handshake_opts *opts)
{
	uint8_t prologue[NOISE_PROLOGUE_BYTES];

	*h = (struct handshake){
		.identity = opts->identity,
		.net = opts->net,
		.initiator = opts->initiator,
	};
	if (opts->initiator)
		h->peer = *opts->expect;
	noise_prologue(&opts->net, prologue);
	noise_init(&h->noise, &(struct noise_opts){
				  .initiator = opts->initiator,
				  .static_secret = &opts->identity->x25519_secret,
				  .static_public = opts->identity->x25519_public,
				  .prologue = bytes_of(prologue, sizeof(prologue)),
				  .aead = opts->aead,
			      });
}

void
handshake_wipe(struct handshake *h)
{
	noise_wipe(&h->noise);
}

bool
handshake_must_write(const struct handshake *h)
{
	return noise_must_write(&h->noise);
}

bool
handshake_done(const struct handshake *h)
{
	return noise_done(&h->noise);
}

static void
transcript_add(struct handshake *h, struct bytes message)
{
	struct bytes parts[] = { { h->transcript.b, sizeof(h->transcript.b) }, message };
	struct hash next;

	crypto_sha256_parts(&next, parts, ARRAY_LEN(parts));
	h->transcript = next;
}

/* What the signature of one end covers at this point of the handshake. */
static void
signed_bytes(
    const struct handshake *h, bool initiator, const uint8_t x25519[32], uint8_t out[SIGNED_BYTES])
{
	struct packer p = packer_on(out, SIGNED_BYTES);

	pack_domain(&p, "skerry/session-key/1", &h->net);
	pack_u8(&p, initiator ? 0 : 1);
	pack_raw(&p, x25519, 32);
	pack_raw(&p, h->transcript.b, sizeof(h->transcript.b));
	must(pack_ok(&p) && p.len == SIGNED_BYTES);
}

static void
hello_pack(
    const struct handshake *h, const struct session_hello *self, uint8_t out[HANDSHAKE_HELLO_BYTES])
{
	struct packer p = packer_on(out, HANDSHAKE_HELLO_BYTES);
	uint8_t covered[SIGNED_BYTES];
	struct sig sig;

	signed_bytes(h, h->initiator, h->identity->x25519_public, covered);
	crypto_sign_data(&sig, &h->identity->sign, covered, sizeof(covered));
	pack_u16(&p, SESSION_VERSION_MIN);
	pack_u16(&p, SESSION_VERSION_MAX);
	pack_u8(&p, self->server ? FLAG_SERVER : 0);
	pack_u64(&p, self->wall_ms);
	pack_u16(&p, self->listen_port);
	pack_raw(&p, h->identity->pub.b, sizeof(h->identity->pub.b));
	pack_raw(&p, sig.b, sizeof(sig.b));
	must(pack_ok(&p) && p.len == HANDSHAKE_HELLO_BYTES);
}

/* The peer's Ed25519 key is the one whose conversion Noise has proven, and signs this handshake. */
static int
key_check(const struct handshake *h, const struct pubkey *pub, const struct sig *sig)
{
	const uint8_t *remote = noise_remote_static(&h->noise);
	uint8_t converted[32], covered[SIGNED_BYTES];
	int err = crypto_pubkey_to_x25519(converted, pub);

	if (err != ERR_OK)
		return err;
	must(remote != NULL);
	if (!crypto_equal(converted, remote, sizeof(converted)))
		return ERR_AUTH;
	if (h->initiator && !pubkey_equal(pub, &h->peer))
		return ERR_AUTH;
	signed_bytes(h, !h->initiator, remote, covered);
	return crypto_verify(sig, pub, covered, sizeof(covered)) ? ERR_OK : ERR_AUTH;
}

static int
hello_read(struct handshake *h, struct bytes payload)
{
	struct unpacker u = unpacker_on(payload);
	uint16_t lowest = unpack_u16(&u), highest = unpack_u16(&u);
	struct session_hello hello = { .version = MIN(highest, SESSION_VERSION_MAX) };
	struct pubkey pub;
	struct sig sig;
	int err;

	hello.server = (unpack_u8(&u) & FLAG_SERVER) != 0;
	hello.wall_ms = unpack_u64(&u);
	hello.listen_port = unpack_u16(&u);
	unpack_raw(&u, pub.b, sizeof(pub.b));
	unpack_raw(&u, sig.b, sizeof(sig.b));
	if (u.failed || lowest > highest)
		return ERR_INVALID;
	if (lowest > SESSION_VERSION_MAX || highest < SESSION_VERSION_MIN)
		return ERR_VERSION;
	err = key_check(h, &pub, &sig);
	if (err != ERR_OK)
		return err;
	h->peer = pub;
	h->hello = hello;
	return ERR_OK;
}

int
handshake_write(struct handshake *h, const struct session_hello *self, const struct key *ephemeral,
    uint8_t *out, size_t *out_len)
{
	bool first = h->initiator && noise_remote_static(&h->noise) == NULL;
	bool second_of_initiator = h->initiator && !first;
	uint8_t hello[HANDSHAKE_HELLO_BYTES];
	struct bytes payload = { NULL, 0 };
	int err;

	if (!first) {
		hello_pack(h, self, hello);
		payload = bytes_of(hello, sizeof(hello));
	}
	err = noise_write_message(&h->noise, second_of_initiator ? NULL : ephemeral, payload, out,
	    HANDSHAKE_MESSAGE_MAX, out_len);
	if (err == ERR_OK)
		transcript_add(h, bytes_of(out, *out_len));
	return err;
}

int
handshake_read(struct handshake *h, struct bytes message)
{
	uint8_t payload[HANDSHAKE_MESSAGE_MAX];
	size_t len = 0;
	int err;

	if (message.len > HANDSHAKE_MESSAGE_MAX)
		return ERR_TOO_BIG;
	err = noise_read_message(&h->noise, message, payload, sizeof(payload), &len);
	if (err != ERR_OK)
		return err;
	/* All messages but the first carry a hello; the first shows no static key. */
	if (noise_remote_static(&h->noise) != NULL)
		err = hello_read(h, bytes_of(payload, len));
	transcript_add(h, message);
	return err;
}

void
handshake_finish(struct handshake *h, struct noise_cipher *send, struct noise_cipher *receive)
{
	must(handshake_done(h));
	noise_split(&h->noise, send, receive);
	handshake_wipe(h);
}
