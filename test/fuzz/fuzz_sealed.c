/*
 * Sealed datagrams: the input as a datagram (whose header must survive being packed again), and
 * as a body that must come out as it went in.
 */
#include "overlay/base/err.h"
#include "overlay/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

static void
as_datagram(struct bytes in)
{
	const struct key key = { { 7 } };
	uint8_t out[SEALED_DATAGRAM_MAX], body[SEALED_DATAGRAM_MAX];
	struct sealed_header h, again;
	size_t len, body_len;

	if (sealed_peek(in, &net, &h) != ERR_OK)
		return;
	must(in.len <= SEALED_DATAGRAM_MAX);
	/* Nobody knows a body that this key opens. */
	must(sealed_open(in, &h, &key, body, &body_len) == ERR_AUTH || h.type == SEALED_CHALLENGE);
	if (h.type == SEALED_CHALLENGE) {
		sealed_challenge(&h, &h.sender, h.cookie, out);
		must(memcmp(out, in.data, in.len) == 0);
		return;
	}
	must(sealed_pack(&h, &key, bytes_of("body", 4), out, &len) == ERR_OK);
	must(memcmp(out, in.data, SEALED_HEADER_BYTES) == 0);
	must(sealed_peek(bytes_of(out, len), &net, &again) == ERR_OK);
	must(memcmp(again.cookie, h.cookie, sizeof(h.cookie)) == 0);
	must(sealed_open(bytes_of(out, len), &again, &key, body, &body_len) == ERR_OK);
	must(body_len == 4 && memcmp(body, "body", 4) == 0);
}

static void
as_body(struct bytes in)
{
	const struct key key = { { 7 } };
	struct sealed_header h = { .type = in.len % 2 ? SEALED_COOKIE : SEALED_PLAIN, .net = net };
	uint8_t out[SEALED_DATAGRAM_MAX], back[SEALED_DATAGRAM_MAX];
	size_t len, back_len;
	int err = sealed_pack(&h, &key, in, out, &len);

	must((err == ERR_OK) == (in.len <= SEALED_BODY_MAX));
	if (err != ERR_OK)
		return;
	must(sealed_peek(bytes_of(out, len), &net, &h) == ERR_OK);
	must(sealed_open(bytes_of(out, len), &h, &key, back, &back_len) == ERR_OK);
	must(back_len == in.len && (in.len == 0 || memcmp(back, in.data, in.len) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(crypto_init() == ERR_OK);
	as_datagram(bytes_of(data, size));
	as_body(bytes_of(data, size));
	return 0;
}
