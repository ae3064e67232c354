/* Round trips, padding to every length, the stated overhead, and what must be refused. */
#include "test/unit/suite.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"
#include "overlay/endpoint.h"
#include "overlay/envelope.h"

static struct envelope
longest(void)
{
	return (struct envelope){ .kind = ENVELOPE_REQUEST,
		.id = UINT64_MAX,
		.method = UINT16_MAX,
		.sent_ms = UINT64_MAX,
		.version = UINT16_MAX,
		.server = true,
		.has_token = true,
		.token = { 1, 2, 3, 4, 5, 6, 7, 8 } };
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->id, b->id);
	ck_assert_uint_eq(a->method, b->method);
	ck_assert_int_eq(a->status, b->status);
	ck_assert_uint_eq(a->sent_ms, b->sent_ms);
	ck_assert_uint_eq(a->version, b->version);
	ck_assert_int_eq(a->server, b->server);
	ck_assert_int_eq(a->has_token, b->has_token);
	ck_assert_mem_eq(a->token, b->token, sizeof(a->token));
	ck_assert_uint_eq(a->body.len, b->body.len);
	if (a->body.len > 0)
		ck_assert_mem_eq(a->body.data, b->body.data, a->body.len);
}

static void
round_trip(const struct envelope *e, size_t pad_to, struct buf *out)
{
	struct envelope got;

	buf_reset(out);
	ck_assert_int_eq(envelope_pack(e, pad_to, out), ERR_OK);
	ck_assert_int_eq(envelope_unpack(buf_bytes(out), &got), ERR_OK);
	check_same(e, &got);
}

START_TEST(all_kinds_come_back)
{
	static const uint8_t body[] = "body";
	struct envelope e = longest();
	struct buf out;

	buf_init(&out, DATAGRAM_BYTES_MAX);
	round_trip(&e, 0, &out);
	e.body = bytes_of(body, sizeof(body));
	round_trip(&e, 0, &out);
	e.has_token = e.server = false;
	memset(e.token, 0, sizeof(e.token));
	round_trip(&e, 0, &out);
	e.kind = ENVELOPE_RESPONSE;
	e.method = 0;
	round_trip(&e, 0, &out);
	e.status = ERR_NOT_FOUND;
	round_trip(&e, 0, &out);
	e = longest();
	e.kind = ENVELOPE_RETRY;
	e.method = 0;
	round_trip(&e, 0, &out);
	buf_fini(&out);
}
END_TEST

START_TEST(overhead_is_as_stated)
{
	static const uint8_t body[RPC_DATAGRAM_BODY_MAX];
	struct envelope e = longest();
	struct buf out;

	e.body = bytes_of(body, sizeof(body));
	buf_init(&out, DATAGRAM_BYTES_MAX);
	round_trip(&e, 0, &out);
	ck_assert_uint_le(out.len - sizeof(body), ENVELOPE_OVERHEAD_MAX);
	e.kind = ENVELOPE_RESPONSE;
	e.method = 0;
	e.status = INT16_MIN;
	round_trip(&e, 0, &out);
	ck_assert_uint_le(out.len - sizeof(body), ENVELOPE_OVERHEAD_MAX);
	buf_fini(&out);
}
END_TEST

START_TEST(padding_reaches_every_length)
{
	static const uint8_t body[64];
	struct envelope e = { .kind = ENVELOPE_REQUEST, .id = 1, .method = 32 };
	struct buf out;
	size_t bare;

	buf_init(&out, DATAGRAM_BYTES_MAX);
	for (size_t body_len = 0; body_len <= sizeof(body); body_len += 16) {
		e.body = bytes_of(body, body_len);
		round_trip(&e, 0, &out);
		bare = out.len;
		for (size_t pad_to = 1; pad_to <= 1119; pad_to++) {
			round_trip(&e, pad_to, &out);
			if (pad_to < bare + 3)
				ck_assert_uint_eq(out.len, bare + 3);
			else
				ck_assert_uint_ge(out.len, pad_to - 1);
			ck_assert_uint_le(out.len, MAX(pad_to, bare + 3));
		}
	}
	buf_fini(&out);
}
END_TEST

START_TEST(too_big_for_the_buffer_fails)
{
	static const uint8_t body[RPC_DATAGRAM_BODY_MAX];
	struct envelope e = longest();
	struct buf out;

	e.body = bytes_of(body, sizeof(body));
	buf_init(&out, sizeof(body));
	ck_assert_int_eq(envelope_pack(&e, 0, &out), ERR_TOO_BIG);
	buf_fini(&out);
}
END_TEST

START_TEST(cut_short_is_refused)
{
	static const uint8_t body[300];
	struct envelope e = longest(), got;
	struct buf out;

	e.body = bytes_of(body, sizeof(body));
	buf_init(&out, DATAGRAM_BYTES_MAX);
	ck_assert_int_eq(envelope_pack(&e, 600, &out), ERR_OK);
	for (size_t len = 0; len < out.len; len++) {
		uint8_t *exact = malloc(len + 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, out.data, len);
		ck_assert_int_eq(envelope_unpack(bytes_of(exact, len), &got), ERR_INVALID);
		free(exact);
	}
	ck_assert_int_eq(buf_append(&out, "", 1), ERR_OK);
	ck_assert_int_eq(envelope_unpack(buf_bytes(&out), &got), ERR_INVALID);
	buf_fini(&out);
}
END_TEST

/* key 0: leave the field out; else give it that value. */
struct fields {
	uint64_t kind, method;
	int64_t status;
	bool no_id, no_version, short_token, text_body, foreign;
};

static int
unpack_fields(const struct fields *f)
{
	struct envelope got = { .id = 77 };
	struct msg_writer w;
	struct buf out;
	int err;

	buf_init(&out, DATAGRAM_BYTES_MAX);
	w = msg_writer_on(&out);
	msg_put_map(&w, 2u + !f->no_id + !f->no_version + (f->method > 0) + (f->status != 0) +
			    f->short_token + f->text_body + f->foreign);
	msg_pair_u64(&w, 0, f->kind);
	if (!f->no_id)
		msg_pair_u64(&w, 1, 5);
	if (f->method > 0)
		msg_pair_u64(&w, 2, f->method);
	if (f->status != 0)
		msg_pair_i64(&w, 3, f->status);
	msg_pair_u64(&w, 4, 1);
	if (!f->no_version)
		msg_pair_u64(&w, 5, 1);
	if (f->short_token)
		msg_pair_bin(&w, 7, bytes_of("123456789012345", 15));
	if (f->text_body)
		msg_pair_str(&w, 8, "text");
	if (f->foreign)
		msg_pair_u64(&w, 4000, 1);
	ck_assert_int_eq(msg_done(&w), ERR_OK);
	err = envelope_unpack(buf_bytes(&out), &got);
	ck_assert_uint_eq(got.id, err == ERR_OK ? 5 : 77);
	buf_fini(&out);
	return err;
}

START_TEST(wrong_fields_are_refused)
{
	static const struct fields good[] = {
		{ .kind = 0, .method = 1 },
		{ .kind = 1 },
		{ .kind = 1, .status = -7 },
		{ .kind = 1, .foreign = true },
	};
	static const struct fields bad[] = {
		{ .kind = 0 },              /* a request without method */
		{ .kind = 1, .method = 3 }, /* an answer with one */
		{ .kind = 3, .method = 1 }, /* no such kind */
		{ .kind = 2 },              /* a retry without token */
		{ .kind = 1, .status = 7 }, /* errors are negative */
		{ .kind = 1, .status = INT16_MIN - 1 },
		{ .kind = 0, .method = 1, .status = -7 }, /* requests have no status */
		{ .kind = 0, .method = 70000 },
		{ .kind = 1, .no_id = true },
		{ .kind = 1, .no_version = true },
		{ .kind = 1, .short_token = true },
		{ .kind = 1, .text_body = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_int_eq(unpack_fields(&good[i]), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(unpack_fields(&bad[i]) == ERR_INVALID, "bad[%zu]", i);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/envelope");

	suite_add(s, "pack", 0, all_kinds_come_back, overhead_is_as_stated,
	    padding_reaches_every_length, too_big_for_the_buffer_fails, NULL);
	suite_add(s, "unpack", 0, cut_short_is_refused, wrong_fields_are_refused, NULL);
	return suite_main(s);
}
