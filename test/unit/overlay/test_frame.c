/* Frames: every type both ways, every limit from both sides, every length cut short. */
#include "overlay/base/err.h"
#include "overlay/frame.h"
#include "test/unit/suite.h"

static uint8_t payload[FRAME_PAYLOAD_MAX + 1];

static bool
same(const struct frame *a, const struct frame *b)
{
	return a->type == b->type && a->stream == b->stream && a->method == b->method &&
	       a->status == b->status && a->credit == b->credit && a->token == b->token &&
	       a->bytes.len == b->bytes.len &&
	       (a->bytes.len == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0);
}

static const struct frame samples[] = {
	{ .type = FRAME_OPEN, .stream = 1, .method = 0x1234, .bytes = { payload, 3 } },
	{ .type = FRAME_OPEN, .stream = 3, .bytes = { payload, RPC_HEAD_BYTES_MAX } },
	{ .type = FRAME_DATA, .stream = UINT32_MAX, .bytes = { payload, 1 } },
	{ .type = FRAME_DATA, .stream = 2, .bytes = { payload, FRAME_PAYLOAD_MAX } },
	{ .type = FRAME_CREDIT, .stream = 2, .credit = 1 },
	{ .type = FRAME_CREDIT, .stream = 2, .credit = STREAM_CREDIT },
	{ .type = FRAME_END, .stream = 2, .status = 0 },
	{ .type = FRAME_END, .stream = 2, .status = -7, .bytes = { payload, RPC_HEAD_BYTES_MAX } },
	{ .type = FRAME_RESET, .stream = 2, .status = INT32_MIN },
	{ .type = FRAME_PING, .token = UINT64_C(0x0102030405060708) },
	{ .type = FRAME_PONG, .token = UINT64_MAX },
	{ .type = FRAME_GOAWAY },
};

START_TEST(both_ways)
{
	static uint8_t wire[FRAME_PLAIN_MAX];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct frame back;
		size_t len = frame_bytes(&samples[i]);

		ck_assert_uint_le(len, sizeof(wire));
		frame_pack(&samples[i], wire);
		ck_assert_int_eq(frame_unpack(bytes_of(wire, len), &back), ERR_OK);
		ck_assert_msg(same(&samples[i], &back), "sample %zu", i);
	}
}
END_TEST

/* Cut anywhere, or with a byte behind: refused, except where the type carries free bytes. */
START_TEST(lengths)
{
	static uint8_t wire[FRAME_PLAIN_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct frame *f = &samples[i];
		bool open_ended =
		    f->type == FRAME_OPEN || f->type == FRAME_DATA || f->type == FRAME_END;
		size_t len = frame_bytes(f), shortest = len;
		struct frame back;

		frame_pack(f, wire);
		if (open_ended)
			shortest = len - f->bytes.len + (f->type == FRAME_DATA);
		for (size_t cut = 0; cut < shortest; cut++)
			ck_assert_int_eq(frame_unpack(bytes_of(wire, cut), &back), ERR_INVALID);
		ck_assert_int_eq(frame_unpack(bytes_of(wire, shortest), &back), ERR_OK);
		if (!open_ended || f->bytes.len > 3)
			ck_assert_int_eq(frame_unpack(bytes_of(wire, len + 1), &back), ERR_INVALID);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "", 0 }, { "\0\0\0\0\0\1", 6 },       /* type 0 */
		{ "\x9\0\0\0\0\1", 6 },                 /* beyond the last */
		{ "\xff\0\0\0\0\1", 6 },                /* far beyond */
		{ "\2\1\0\0\0\1x", 7 },                 /* a flag */
		{ "\2\0\0\0\0\0x", 7 },                 /* data of no stream */
		{ "\1\0\0\0\0\0\0\1", 8 },              /* opens no stream */
		{ "\6\0\0\0\0\1\0\0\0\0\0\0\0\0", 14 }, /* ping of a stream */
		{ "\x8\0\0\0\0\1", 6 },                 /* goaway of a stream */
		{ "\3\0\0\0\0\1\0\0\0\0", 10 },         /* no credit */
		{ "\3\0\0\0\0\1\0\x8\0\1", 10 },        /* more than a stream has */
		{ "\3\0\0\0\0\1\xff\xff\xff\xff", 10 }, /* far more */
		{ "\4\0\0\0\0\1\0\0\0\1", 10 },         /* a positive status */
		{ "\5\0\0\0\0\1\0\0\0\0", 10 },         /* reset with success */
		{ "\5\0\0\0\0\1\x7f\xff\xff\xff", 10 }, /* reset with nonsense */
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct frame back = { .stream = 77 };

		ck_assert_int_eq(
		    frame_unpack(bytes_of(bad[i].bytes, bad[i].len), &back), ERR_INVALID);
		ck_assert_msg(back.stream == 77, "%zu: touched on failure", i);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/frame");

	suite_add(s, "frame", 0, both_ways, lengths, refused, NULL);
	return suite_main(s);
}
