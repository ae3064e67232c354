/* The published vector on both sides; every damaged byte is found; states and limits. */
#include "test/unit/suite.h"

#include <string.h>

#include "overlay/base/err.h"
#include "overlay/noise.h"
#include "test/unit/overlay/noise_vector.h"

#define MESSAGE_MAX 512

struct side {
	struct noise n;
	struct key s, e;
	uint8_t s_public[NOISE_DH_BYTES];
	struct aead *aead;
};

static size_t
from_hex(uint8_t *out, size_t cap, const char *hex)
{
	size_t len = strlen(hex) / 2;

	ck_assert_uint_le(len, cap);
	ck_assert_int_eq(hex_decode(out, len, hex, strlen(hex)), ERR_OK);
	return len;
}

static void
side_init(struct side *x, bool initiator, const char *s, const char *e, struct bytes prologue)
{
	from_hex(x->s.b, 32, s);
	from_hex(x->e.b, 32, e);
	crypto_x25519_base(x->s_public, &x->s);
	x->aead = aead_new();
	ck_assert_ptr_nonnull(x->aead);
	noise_init(&x->n, &(struct noise_opts){ .initiator = initiator,
			      .static_secret = &x->s,
			      .static_public = x->s_public,
			      .prologue = prologue,
			      .aead = x->aead });
}

static void
side_fini(struct side *x)
{
	noise_wipe(&x->n);
	aead_free(x->aead);
}

/* Both sides with the vector's keys. */
static void
pair_init(struct side x[2], struct bytes prologue)
{
	side_init(&x[0], true, VECTOR_INIT_STATIC, VECTOR_INIT_EPHEMERAL, prologue);
	side_init(&x[1], false, VECTOR_RESP_STATIC, VECTOR_RESP_EPHEMERAL, prologue);
}

static void
pair_fini(struct side x[2])
{
	side_fini(&x[0]);
	side_fini(&x[1]);
}

/* Message i of the handshake, written by its side. */
static size_t
write_step(struct side x[2], unsigned i, struct bytes payload, uint8_t out[MESSAGE_MAX])
{
	size_t len = 0;
	struct side *from = &x[i % 2];

	ck_assert(noise_must_write(&from->n));
	ck_assert_int_eq(
	    noise_write_message(&from->n, i < 2 ? &from->e : NULL, payload, out, MESSAGE_MAX, &len),
	    ERR_OK);
	return len;
}

static void
handshake(struct side x[2], unsigned steps)
{
	uint8_t msg[MESSAGE_MAX], payload[MESSAGE_MAX];
	size_t len;

	for (unsigned i = 0; i < steps; i++) {
		size_t msg_len = write_step(x, i, bytes_of("hello", 5), msg);

		ck_assert_int_eq(noise_read_message(&x[(i + 1) % 2].n, bytes_of(msg, msg_len),
				     payload, sizeof(payload), &len),
		    ERR_OK);
		ck_assert_uint_eq(len, 5);
		ck_assert_mem_eq(payload, "hello", 5);
	}
}

START_TEST(published_vector)
{
	struct side x[2];
	struct noise_cipher send[2], receive[2];
	uint8_t prologue[16], payload[64], expected[MESSAGE_MAX], msg[MESSAGE_MAX],
	    got[MESSAGE_MAX];
	size_t len;

	pair_init(x, bytes_of(prologue, from_hex(prologue, sizeof(prologue), VECTOR_PROLOGUE)));
	for (unsigned i = 0; i < ARRAY_LEN(vector_messages); i++) {
		struct side *from = &x[i % 2], *to = &x[(i + 1) % 2];
		size_t payload_len = from_hex(payload, sizeof(payload), vector_messages[i].payload);
		size_t expected_len =
		    from_hex(expected, sizeof(expected), vector_messages[i].ciphertext);

		if (i < 3) {
			len = write_step(x, i, bytes_of(payload, payload_len), msg);
			ck_assert_uint_eq(len, expected_len);
			ck_assert_mem_eq(msg, expected, len);
			ck_assert_int_eq(
			    noise_read_message(&to->n, bytes_of(msg, len), got, sizeof(got), &len),
			    ERR_OK);
			ck_assert_uint_eq(len, payload_len);
		} else {
			ck_assert_int_eq(
			    noise_seal(&send[i % 2], from->aead, msg, payload, payload_len),
			    ERR_OK);
			ck_assert_uint_eq(payload_len + NOISE_TAG_BYTES, expected_len);
			ck_assert_mem_eq(msg, expected, expected_len);
			ck_assert_int_eq(
			    noise_open(&receive[(i + 1) % 2], to->aead, got, msg, expected_len),
			    ERR_OK);
		}
		ck_assert_mem_eq(got, payload, payload_len);
		if (i == 2) {
			from_hex(expected, sizeof(expected), VECTOR_HANDSHAKE_HASH);
			for (unsigned s = 0; s < 2; s++) {
				ck_assert(noise_done(&x[s].n));
				ck_assert_mem_eq(noise_handshake_hash(&x[s].n)->b, expected, 32);
				ck_assert_mem_eq(
				    noise_remote_static(&x[s].n), x[1 - s].s_public, 32);
				noise_split(&x[s].n, &send[s], &receive[s]);
			}
		}
	}
	pair_fini(x);
}
END_TEST

/* Flip each byte of each message in turn: the handshake must not complete with it. */
START_TEST(no_byte_can_be_changed)
{
	for (unsigned step = 0; step < 3; step++) {
		size_t len = 0;

		for (size_t at = 0; at == 0 || at < len; at++) {
			struct side x[2];
			uint8_t msg[MESSAGE_MAX], got[MESSAGE_MAX];
			size_t n;
			int err;

			pair_init(x, bytes_of("p", 1));
			handshake(x, step);
			len = write_step(x, step, bytes_of("hello", 5), msg);
			msg[at] ^= 0x01;
			err = noise_read_message(
			    &x[(step + 1) % 2].n, bytes_of(msg, len), got, sizeof(got), &n);
			if (step == 0) {
				/* In clear and unauthenticated: found out with the next message. */
				ck_assert_int_eq(err, ERR_OK);
				len = write_step(x, 1, bytes_of("hello", 5), msg);
				err = noise_read_message(
				    &x[0].n, bytes_of(msg, len), got, sizeof(got), &n);
				len = NOISE_OVERHEAD_1 + 5;
			}
			ck_assert_int_eq(err, ERR_AUTH);
			ck_assert(!noise_done(&x[0].n) || !noise_done(&x[1].n));
			pair_fini(x);
		}
	}
}
END_TEST

START_TEST(another_prologue_is_another_network)
{
	const struct network_id nets[] = { { { 1, 2, 3, 4 } }, { { 1, 2, 3, 5 } } };
	uint8_t prologue[2][NOISE_PROLOGUE_BYTES], msg[MESSAGE_MAX], got[MESSAGE_MAX];
	struct side x[2];
	size_t len, n;

	noise_prologue(&nets[0], prologue[0]);
	noise_prologue(&nets[1], prologue[1]);
	ck_assert_mem_eq(prologue[0], "skerry/session/1\1\2\3\4", NOISE_PROLOGUE_BYTES);
	side_init(&x[0], true, VECTOR_INIT_STATIC, VECTOR_INIT_EPHEMERAL,
	    bytes_of(prologue[0], NOISE_PROLOGUE_BYTES));
	side_init(&x[1], false, VECTOR_RESP_STATIC, VECTOR_RESP_EPHEMERAL,
	    bytes_of(prologue[1], NOISE_PROLOGUE_BYTES));
	handshake(x, 1);
	len = write_step(x, 1, bytes_of(NULL, 0), msg);
	ck_assert_int_eq(
	    noise_read_message(&x[0].n, bytes_of(msg, len), got, sizeof(got), &n), ERR_AUTH);
	pair_fini(x);
}
END_TEST

START_TEST(low_order_ephemerals_are_refused)
{
	/* Order 1, 2, 4, 8 and 8, and two that are not reduced. */
	static const char *const low[] = {
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	for (size_t i = 0; i < ARRAY_LEN(low); i++) {
		struct side x[2];
		uint8_t msg[MESSAGE_MAX], got[MESSAGE_MAX], point[32];
		size_t n;

		from_hex(point, sizeof(point), low[i]);
		/* Both see it when they read, so that nobody fails when it answers. */
		pair_init(x, bytes_of(NULL, 0));
		ck_assert_int_eq(
		    noise_read_message(&x[1].n, bytes_of(point, 32), got, sizeof(got), &n),
		    ERR_AUTH);
		ck_assert(!noise_must_write(&x[1].n));
		ck_assert_int_eq(
		    noise_write_message(&x[1].n, &x[1].e, bytes_of(NULL, 0), msg, sizeof(msg), &n),
		    ERR_STATE);
		write_step(x, 0, bytes_of(NULL, 0), msg);
		memset(msg, 0, sizeof(msg));
		memcpy(msg, point, 32);
		ck_assert_int_eq(noise_read_message(&x[0].n, bytes_of(msg, NOISE_OVERHEAD_2), got,
				     sizeof(got), &n),
		    ERR_AUTH);
		ck_assert_ptr_null(noise_remote_static(&x[0].n));
		pair_fini(x);
	}
}
END_TEST

START_TEST(turns_and_sizes)
{
	struct side x[2];
	uint8_t msg[MESSAGE_MAX], got[MESSAGE_MAX];
	size_t n = 77, len;

	pair_init(x, bytes_of(NULL, 0));
	ck_assert(noise_must_write(&x[0].n) && !noise_must_read(&x[0].n));
	ck_assert(noise_must_read(&x[1].n) && !noise_must_write(&x[1].n));
	ck_assert_int_eq(
	    noise_read_message(&x[0].n, bytes_of(msg, 32), got, sizeof(got), &n), ERR_STATE);
	ck_assert_int_eq(
	    noise_write_message(&x[1].n, &x[1].e, bytes_of(NULL, 0), msg, sizeof(msg), &n),
	    ERR_STATE);
	/* Too little room leaves the writer as it was. */
	ck_assert_int_eq(
	    noise_write_message(&x[0].n, &x[0].e, bytes_of("ab", 2), msg, 33, &n), ERR_TOO_BIG);
	ck_assert_int_eq(noise_write_message(&x[0].n, &x[0].e,
			     bytes_of(NULL, NOISE_MESSAGE_MAX - 31), msg, SIZE_MAX, &n),
	    ERR_TOO_BIG);
	ck_assert_uint_eq(n, 77);
	len = write_step(x, 0, bytes_of("ab", 2), msg);
	ck_assert_uint_eq(len, 34);
	ck_assert_int_eq(noise_read_message(&x[1].n, bytes_of(msg, len), got, 1, &n), ERR_TOO_BIG);
	ck_assert_int_eq(noise_read_message(&x[1].n, bytes_of(msg, len), got, 2, &n), ERR_STATE);
	pair_fini(x);

	/* A byte too short in each step. */
	for (unsigned step = 0; step < 3; step++) {
		static const size_t least[] = { NOISE_OVERHEAD_1, NOISE_OVERHEAD_2,
			NOISE_OVERHEAD_3 };

		pair_init(x, bytes_of(NULL, 0));
		handshake(x, step);
		len = write_step(x, step, bytes_of(NULL, 0), msg);
		ck_assert_uint_eq(len, least[step]);
		ck_assert_int_eq(noise_read_message(&x[(step + 1) % 2].n, bytes_of(msg, len - 1),
				     got, sizeof(got), &n),
		    ERR_INVALID);
		pair_fini(x);
	}
}
END_TEST

START_TEST(transport_limits)
{
	struct side x[2];
	struct noise_cipher send, receive, scratch;
	uint8_t *big = malloc(NOISE_MESSAGE_MAX), *sealed = malloc(NOISE_MESSAGE_MAX + 1);
	uint8_t nonce[CRYPTO_NONCE_BYTES];
	size_t most = NOISE_MESSAGE_MAX - NOISE_TAG_BYTES;

	ck_assert(big != NULL && sealed != NULL);
	memset(big, 0x5a, NOISE_MESSAGE_MAX);
	pair_init(x, bytes_of(NULL, 0));
	handshake(x, 3);
	noise_split(&x[0].n, &send, &scratch);
	noise_split(&x[1].n, &scratch, &receive);

	ck_assert_int_eq(noise_seal(&send, x[0].aead, sealed, big, most + 1), ERR_TOO_BIG);
	ck_assert_int_eq(noise_seal(&send, x[0].aead, sealed, big, most), ERR_OK);
	ck_assert_int_eq(
	    noise_open(&receive, x[1].aead, sealed, sealed, NOISE_MESSAGE_MAX + 1), ERR_TOO_BIG);
	ck_assert_int_eq(
	    noise_open(&receive, x[1].aead, sealed, sealed, NOISE_MESSAGE_MAX), ERR_OK);
	ck_assert_mem_eq(sealed, big, most);

	/* A forgery does not move the counter, the true message still opens; a replay does not. */
	ck_assert_int_eq(noise_seal(&send, x[0].aead, sealed, big, 10), ERR_OK);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, big, sealed, 25), ERR_AUTH);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, big, sealed, 15), ERR_AUTH);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, big, sealed, 26), ERR_OK);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, big, sealed, 26), ERR_AUTH);

	/* Sealing elsewhere with a taken nonce is the same thing. */
	ck_assert_int_eq(noise_cipher_next(&send, nonce), ERR_OK);
	ck_assert_mem_eq(nonce, "\0\0\0\0\2\0\0\0\0\0\0\0", sizeof(nonce));
	ck_assert_int_eq(
	    aead_seal(x[0].aead, sealed, &send.k, nonce, bytes_of(NULL, 0), big, 10), ERR_OK);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, sealed, sealed, 26), ERR_OK);

	/* The last nonce is never used. */
	send.n = receive.n = UINT64_MAX - 1;
	ck_assert_int_eq(noise_seal(&send, x[0].aead, sealed, big, 10), ERR_OK);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, sealed, sealed, 26), ERR_OK);
	ck_assert_int_eq(noise_seal(&send, x[0].aead, sealed, big, 10), ERR_STATE);
	ck_assert_int_eq(noise_open(&receive, x[1].aead, sealed, sealed, 26), ERR_STATE);
	ck_assert_int_eq(noise_cipher_next(&send, nonce), ERR_STATE);
	noise_cipher_wipe(&send);
	noise_cipher_wipe(&receive);
	noise_cipher_wipe(&scratch);
	pair_fini(x);
	free(big);
	free(sealed);
}
END_TEST

START_TEST(wiped_states_do_nothing)
{
	struct side x[2];
	uint8_t msg[MESSAGE_MAX];
	size_t n;

	pair_init(x, bytes_of(NULL, 0));
	handshake(x, 3);
	noise_wipe(&x[0].n);
	ck_assert(!noise_done(&x[0].n) && !noise_must_write(&x[0].n) && !noise_must_read(&x[0].n));
	ck_assert_ptr_null(noise_remote_static(&x[0].n));
	ck_assert_int_eq(
	    noise_write_message(&x[0].n, &x[0].e, bytes_of(NULL, 0), msg, sizeof(msg), &n),
	    ERR_STATE);
	pair_fini(x);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/noise");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "handshake", 60, published_vector, no_byte_can_be_changed,
	    another_prologue_is_another_network, low_order_ephemerals_are_refused, turns_and_sizes,
	    wiped_states_do_nothing, NULL);
	suite_add(s, "transport", 0, transport_limits, NULL);
	return suite_main(s);
}
