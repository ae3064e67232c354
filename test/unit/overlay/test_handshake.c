/*
 * The handshake as a pure exchange of messages: what both ends learn, and what each
 * refuses. Changes of single bytes on a real connection: test_session_hostile.c.
 */
#include "overlay/base/err.h"
#include "overlay/handshake.h"
#include "test/unit/suite.h"

static struct identity ida, idb;
static struct aead *aead;
static struct handshake a, b;
static uint8_t message[HANDSHAKE_MESSAGE_MAX];
static size_t len;

static const struct network_id net = { { 1, 2, 3, 4 } };
static const struct key ephemeral_a = { { 11 } }, ephemeral_b = { { 12 } };
static const struct session_hello hello_a = { .wall_ms = 1111, .listen_port = 99 };
static const struct session_hello hello_b = { .wall_ms = 2222, .server = true };

static void
setup(void)
{
	struct key seed = { { 1 } };

	ck_assert_int_eq(crypto_init(), ERR_OK);
	aead = aead_new();
	ck_assert_ptr_nonnull(aead);
	identity_from_seed(&seed, &ida);
	seed.b[0] = 2;
	identity_from_seed(&seed, &idb);
}

static void
teardown(void)
{
	handshake_wipe(&a);
	handshake_wipe(&b);
	aead_free(aead);
}

static void
begin(const struct identity *who_a, const struct identity *who_b, const struct pubkey *expect)
{
	handshake_init(&a,
	    &(struct handshake_opts){
		.initiator = true, .identity = who_a, .net = net, .aead = aead, .expect = expect });
	handshake_init(&b, &(struct handshake_opts){ .identity = who_b, .net = net, .aead = aead });
}

static int
a_to_b(void)
{
	ck_assert(handshake_must_write(&a) && !handshake_must_write(&b));
	ck_assert_int_eq(handshake_write(&a, &hello_a, &ephemeral_a, message, &len), ERR_OK);
	return handshake_read(&b, bytes_of(message, len));
}

static int
b_to_a(void)
{
	ck_assert(handshake_must_write(&b) && !handshake_must_write(&a));
	ck_assert_int_eq(handshake_write(&b, &hello_b, &ephemeral_b, message, &len), ERR_OK);
	return handshake_read(&a, bytes_of(message, len));
}

START_TEST(both_learn_who_it_is)
{
	struct noise_cipher a_send, a_receive, b_send, b_receive;
	uint8_t text[4 + CRYPTO_TAG_BYTES] = "ping";

	begin(&ida, &idb, &idb.pub);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_uint_eq(len, NOISE_OVERHEAD_1);
	ck_assert_int_eq(b_to_a(), ERR_OK);
	ck_assert_uint_eq(len, NOISE_OVERHEAD_2 + HANDSHAKE_HELLO_BYTES);
	ck_assert(a.hello.server && a.hello.wall_ms == 2222 && a.hello.listen_port == 0);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_uint_eq(len, NOISE_OVERHEAD_3 + HANDSHAKE_HELLO_BYTES);
	ck_assert(!b.hello.server && b.hello.wall_ms == 1111 && b.hello.listen_port == 99);
	ck_assert(handshake_done(&a) && handshake_done(&b));
	ck_assert(pubkey_equal(&b.peer, &ida.pub) && pubkey_equal(&a.peer, &idb.pub));
	ck_assert_uint_eq(b.hello.version, SESSION_VERSION_MAX);
	handshake_finish(&a, &a_send, &a_receive);
	handshake_finish(&b, &b_send, &b_receive);
	ck_assert_int_eq(noise_seal(&a_send, aead, text, text, 4), ERR_OK);
	ck_assert_int_eq(noise_open(&b_receive, aead, text, text, sizeof(text)), ERR_OK);
	ck_assert_mem_eq(text, "ping", 4);
	ck_assert_int_eq(noise_seal(&b_send, aead, text, text, 4), ERR_OK);
	ck_assert_int_eq(noise_open(&a_receive, aead, text, text, sizeof(text)), ERR_OK);
}
END_TEST

START_TEST(somebody_else_answers)
{
	begin(&ida, &idb, &ida.pub);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_int_eq(b_to_a(), ERR_AUTH);
}
END_TEST

/* The X25519 key is proven, but the Ed25519 key beside it is somebody else's. */
START_TEST(borrowed_identity)
{
	struct identity liar = idb;

	liar.pub = ida.pub;
	begin(&ida, &liar, &ida.pub);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_int_eq(b_to_a(), ERR_AUTH);
}
END_TEST

/* The keys belong together, but the signature is by another: sign bit and all, no doubt is left. */
START_TEST(signature_by_another)
{
	struct identity liar = ida;

	liar.sign = idb.sign;
	begin(&liar, &idb, &idb.pub);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_int_eq(b_to_a(), ERR_OK);
	ck_assert_int_eq(a_to_b(), ERR_AUTH);
}
END_TEST

START_TEST(message_limits)
{
	uint8_t big[HANDSHAKE_MESSAGE_MAX + 1] = { 0 };

	begin(&ida, &idb, &idb.pub);
	ck_assert_int_eq(handshake_read(&b, bytes_of(big, sizeof(big))), ERR_TOO_BIG);
	ck_assert_int_eq(handshake_read(&b, bytes_of(big, NOISE_OVERHEAD_1 - 1)), ERR_INVALID);
}
END_TEST

/* A hello as another version would write it, sealed by Noise itself. */
static int
foreign_hello(uint16_t lowest, uint16_t highest, size_t cut, size_t more)
{
	uint8_t payload[HANDSHAKE_HELLO_BYTES + 64] = { (uint8_t)(lowest >> 8), (uint8_t)lowest,
		(uint8_t)(highest >> 8), (uint8_t)highest };

	begin(&ida, &idb, &idb.pub);
	ck_assert_int_eq(a_to_b(), ERR_OK);
	ck_assert_int_eq(noise_write_message(&b.noise, &ephemeral_b,
			     bytes_of(payload, HANDSHAKE_HELLO_BYTES - cut + more), message,
			     sizeof(message), &len),
	    ERR_OK);
	return handshake_read(&a, bytes_of(message, len));
}

START_TEST(versions)
{
	ck_assert_int_eq(foreign_hello(2, 9, 0, 0), ERR_VERSION);
	ck_assert_int_eq(foreign_hello(0, 0, 0, 0), ERR_VERSION);
	ck_assert_int_eq(foreign_hello(2, 1, 0, 0), ERR_INVALID);
	ck_assert_int_eq(foreign_hello(1, 1, 1, 0), ERR_INVALID); /* cut short */
	/* In range it comes to the keys, which here are zeros; longer hellos are looked at. */
	ck_assert_int_eq(foreign_hello(1, 9, 0, 0), ERR_AUTH);
	ck_assert_int_eq(foreign_hello(0, 9, 0, 64), ERR_AUTH);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/handshake");
	TCase *tc = tcase_create("handshake");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, both_learn_who_it_is);
	tcase_add_test(tc, somebody_else_answers);
	tcase_add_test(tc, borrowed_identity);
	tcase_add_test(tc, signature_by_another);
	tcase_add_test(tc, message_limits);
	tcase_add_test(tc, versions);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
