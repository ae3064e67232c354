/*
 * Noise: the first byte chooses the step. Up to it the handshake runs as it should with the rest
 * of the input as payload; there the input itself takes the place of the message.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 5 /* three messages, transport, and all of it unharmed */

static void
side_init(struct noise *n, bool initiator, struct aead *aead)
{
	const struct key secret = { { initiator ? 1 : 2 } };
	uint8_t point[NOISE_DH_BYTES];

	crypto_x25519_base(point, &secret);
	noise_init(n, &(struct noise_opts){ .initiator = initiator,
			  .static_secret = &secret,
			  .static_public = point,
			  .aead = aead });
}

static size_t
write_next(struct noise *from, struct bytes payload, uint8_t *msg)
{
	const struct key ephemeral = { { from->initiator ? 3 : 4 } };
	size_t len;

	must(noise_write_message(from, from->step < 2 ? &ephemeral : NULL, payload, msg,
		 NOISE_MESSAGE_MAX, &len) == ERR_OK);
	return len;
}

/* One message between the two, as it should be. */
static void
pass(struct noise *from, struct noise *to, struct bytes payload, uint8_t *msg, uint8_t *got)
{
	size_t len = write_next(from, payload, msg), got_len;

	must(
	    noise_read_message(to, bytes_of(msg, len), got, NOISE_MESSAGE_MAX, &got_len) == ERR_OK);
	must(got_len == payload.len && (got_len == 0 || memcmp(got, payload.data, got_len) == 0));
}

static void
transport(struct noise side[2], struct bytes in, bool harmed, uint8_t *msg, uint8_t *got)
{
	struct noise_cipher send, receive, other;

	noise_split(&side[0], &send, &other);
	noise_split(&side[1], &other, &receive);
	if (harmed) {
		must(noise_open(&receive, side[1].aead, got, in.data, in.len) == ERR_AUTH);
		return;
	}
	must(noise_seal(&send, side[0].aead, msg, in.data, in.len) == ERR_OK);
	must(noise_open(&receive, side[1].aead, got, msg, in.len + NOISE_TAG_BYTES) == ERR_OK);
	must(in.len == 0 || memcmp(got, in.data, in.len) == 0);
}

static void
run(struct noise side[2], unsigned step, struct bytes in, uint8_t *msg, uint8_t *got)
{
	for (unsigned i = 0; i < 3; i++) {
		struct noise *reader = &side[(i + 1) % 2];
		size_t len;

		if (i == step) {
			int err = noise_read_message(reader, in, got, NOISE_MESSAGE_MAX, &len);

			/* Only the first message can be made without any key. */
			must(i == 0 || err != ERR_OK);
			must((err == ERR_OK) == noise_must_write(reader));
			must(noise_remote_static(reader) == NULL);
			/* Whatever was taken can be answered. */
			if (err == ERR_OK)
				write_next(reader, in, msg);
			return;
		}
		pass(&side[i % 2], reader, in, msg, got);
	}
	transport(side, in, step == 3, msg, got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct noise side[2];
	struct aead *aead = aead_new();
	uint8_t *msg = malloc(NOISE_MESSAGE_MAX), *got = malloc(NOISE_MESSAGE_MAX);

	must(crypto_init() == ERR_OK && aead != NULL && msg != NULL && got != NULL);
	if (size > 0 && size <= NOISE_MESSAGE_MAX - NOISE_OVERHEAD_2) {
		side_init(&side[0], true, aead);
		side_init(&side[1], false, aead);
		run(side, data[0] % STEPS, bytes_of(data + 1, size - 1), msg, got);
		noise_wipe(&side[0]);
		noise_wipe(&side[1]);
	}
	aead_free(aead);
	free(msg);
	free(got);
	return 0;
}
