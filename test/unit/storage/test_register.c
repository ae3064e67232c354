/*
 * Formats of the head register with real signatures: round trips, flipped bits; and the acceptor's
 * rules that the models leave out: tails, members, warrants, epochs, lost directories.
 */
#include "storage/acceptor.h"

#include <stdlib.h>

#include "storage/proposer.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } };

enum { ANCHORS = 3, SPARE = 3 };

struct story {
	struct identity owner, writer, stranger, anchors[ANCHORS + 1];
	struct charter charter;
	struct acceptor a[ANCHORS + 1], next;
	struct register_message m, m2;
	struct register_answer answer, answer2;
	struct value head; /* the first */
	uint8_t text[2 * ACCEPTOR_BYTES_MAX], again[2 * ACCEPTOR_BYTES_MAX];
	size_t len;
};

static struct anchor
anchor_of(const struct story *s, uint8_t i)
{
	return (struct anchor){ s->anchors[i].pub, 100u + i };
}

static void
make_head(struct story *s, const struct value *base, uint8_t mark, struct value *out)
{
	struct tail t;

	memset(out, 0, sizeof(*out));
	out->present = true;
	out->head.bucket = s->charter.bucket;
	out->head.epoch = s->charter.epoch;
	out->head.seq = base == NULL ? 1 : base->head.seq + 1;
	out->head.previous = base == NULL ? s->charter.id : base->head.id;
	out->head.root.b[0] = mark;
	tail_begin(&t, &out->head.root);
	out->head.tail = t.empty;
	head_sign(&out->head, net, &s->writer.sign, &s->writer.pub);
}

/* The first head and a stop on it, or on the empty register. */
static struct value
make_stop(const struct story *s, bool present, const struct configuration *next)
{
	struct value v = { .present = false };

	if (present)
		v = s->head;
	v.stops = true;
	v.stop.bucket = s->charter.bucket;
	v.stop.epoch = s->charter.epoch;
	v.stop.head = value_head_id(&v);
	v.stop.next = *next;
	stop_seal(&v.stop, net, NULL);
	return v;
}

static struct story *
story_new(void)
{
	struct story *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	identity_from_seed(&(struct key){ { 1 } }, &s->owner);
	identity_from_seed(&(struct key){ { 2 } }, &s->writer);
	identity_from_seed(&(struct key){ { 3 } }, &s->stranger);
	for (uint8_t i = 0; i <= SPARE; i++)
		identity_from_seed(&(struct key){ { 10, i } }, &s->anchors[i]);
	s->charter.epoch = 1;
	s->charter.rules.silent_s = SILENT_S_DEFAULT;
	s->charter.founding = (struct configuration){ .anchors_count = ANCHORS,
		.quorum = 2,
		.writers_count = 1,
		.writers = { s->writer.pub } };
	for (uint8_t i = 0; i < ANCHORS; i++)
		s->charter.founding.anchors[i] = anchor_of(s, i);
	charter_sign(&s->charter, net, &s->owner.sign, &s->owner.pub);
	for (uint8_t i = 0; i < ANCHORS; i++) {
		struct anchor self = anchor_of(s, i);

		ck_assert_int_eq(acceptor_found(&s->charter, &self, &s->a[i]), ERR_OK);
	}
	make_head(s, NULL, 1, &s->head);
	return s;
}

static void
begin(struct story *s, struct register_message *m, enum register_kind kind)
{
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->bucket = s->charter.bucket;
	m->epoch = s->charter.epoch;
	m->ballot = (struct ballot){ 1, s->writer.pub, 77 };
}

/* Over the wire and back: what the anchor sees is what was unpacked. */
static enum acceptor_verdict
step(struct story *s, uint8_t i, struct register_message *m, bool agrees)
{
	struct acceptor_sight sight = { .incarnation = 100u + i, .agrees = agrees };
	enum acceptor_verdict v;
	size_t len, len2;

	ck_assert_int_eq(register_message_pack(m, net, s->text, sizeof(s->text), &len), ERR_OK);
	ck_assert_int_eq(register_message_unpack(bytes_of(s->text, len), net, &s->m2), ERR_OK);
	v = acceptor_step(&s->a[i], &s->m2, &sight, &s->a[i], &s->answer);
	if (v == ACC_IGNORED)
		return v;
	register_answer_sign(&s->answer, &s->m2, net, &s->anchors[i]);
	ck_assert_int_eq(
	    register_answer_pack(&s->answer, net, s->text, sizeof(s->text), &len), ERR_OK);
	ck_assert_int_eq(
	    register_answer_unpack(bytes_of(s->text, len), net, NULL, &s->answer), ERR_OK);
	ck_assert_int_eq(
	    register_answer_pack(&s->answer, net, s->again, sizeof(s->again), &len2), ERR_OK);
	ck_assert_uint_eq(len, len2);
	ck_assert_mem_eq(s->text, s->again, len);
	s->len = len;
	len = acceptor_pack(&s->a[i], net, s->again);
	ck_assert_int_eq(acceptor_unpack(bytes_of(s->again, len), net, &s->next), ERR_OK);
	ck_assert_uint_eq(acceptor_pack(&s->next, net, s->text), len);
	ck_assert_mem_eq(s->text, s->again, len);
	return v;
}

static enum acceptor_verdict
accept_at(struct story *s, uint8_t i, uint64_t counter, const struct value *v)
{
	begin(s, &s->m, REG_ACCEPT);
	s->m.configuration = s->a[i].conf.number;
	s->m.ballot.counter = counter;
	s->m.value = *v;
	register_message_sign(&s->m, net, &s->writer);
	return step(s, i, &s->m, false);
}

START_TEST(charter_round_trip)
{
	struct story *s = story_new();
	uint8_t text[CHARTER_BYTES_MAX], again[CHARTER_BYTES_MAX];
	size_t len = charter_pack(&s->charter, net, text);
	struct charter c;

	ck_assert_int_eq(charter_unpack(bytes_of(text, len), net, &c), ERR_OK);
	ck_assert(hash_equal(&c.id, &s->charter.id) && hash_equal(&c.bucket, &s->charter.bucket));
	ck_assert_uint_eq(charter_pack(&c, net, again), len);
	ck_assert_mem_eq(text, again, len);
	for (size_t i = 0; i < 8 * len; i++) {
		text[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_ne(charter_unpack(bytes_of(text, len), net, &c), ERR_OK);
		text[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_int_ne(charter_unpack(bytes_of(text, len - 1), net, &c), ERR_OK);
	free(s);
}
END_TEST

START_TEST(messages_flipped)
{
	struct story *s = story_new();
	size_t len;

	begin(s, &s->m, REG_ACCEPT);
	s->m.value = s->head;
	register_message_sign(&s->m, net, &s->writer);
	ck_assert_int_eq(register_message_pack(&s->m, net, s->text, sizeof(s->text), &len), ERR_OK);
	for (size_t i = 0; i < 8 * len; i += 3) {
		int err;

		s->text[i / 8] ^= (uint8_t)(1 << i % 8);
		err = register_message_unpack(bytes_of(s->text, len), net, &s->m2);
		/* The number of a question and which tail is extended are nobody's word. */
		if (err == ERR_OK)
			ck_assert(s->m2.nonce != s->m.nonce ||
				  !hash_equal(&s->m2.tail.extends, &s->m.tail.extends));
		s->text[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(s);
}
END_TEST

/* A client that knows the signatures of an answer believes no other one for it. */
START_TEST(answers_flipped)
{
	struct story *s = story_new();
	struct signatures known = { .count = 0 };
	struct bytes answer;

	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_CHANGED);
	begin(s, &s->m, REG_READ);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_ANSWERED);
	ck_assert_int_eq(
	    register_answer_pack(&s->answer, net, s->text, sizeof(s->text), &s->len), ERR_OK);
	answer = bytes_of(s->text, s->len);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(register_answer_unpack(answer, net, &known, &s->answer), ERR_OK);
	ck_assert_uint_eq(known.checked, 2); /* the accept's and the head's */
	for (size_t i = 0; i < 8 * s->len; i++) {
		int err, plain;

		s->text[i / 8] ^= (uint8_t)(1 << i % 8);
		plain = register_answer_unpack(answer, net, NULL, &s->answer);
		err = register_answer_unpack(answer, net, &known, &s->answer);
		ck_assert_int_eq(err, plain);
		s->text[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(s);
}
END_TEST

START_TEST(ballots)
{
	struct story *s = story_new();
	struct value second, other;

	make_head(s, &s->head, 2, &second);
	make_head(s, &s->head, 3, &other);
	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_CHANGED);
	ck_assert_int_eq(s->answer.kind, ANS_ACCEPTED);
	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_ANSWERED); /* again */
	ck_assert_int_eq(accept_at(s, 0, 1, &second), ACC_CHANGED);   /* one round */
	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_IGNORED);  /* late */
	ck_assert_int_eq(accept_at(s, 0, 1, &other), ACC_IGNORED);    /* one ballot, two values */
	begin(s, &s->m, REG_PREPARE);
	s->m.ballot.counter = 5;
	register_message_sign(&s->m, net, &s->writer);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_CHANGED);
	ck_assert_int_eq(s->answer.kind, ANS_PROMISED);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_ANSWERED); /* a replay */
	ck_assert_int_eq(accept_at(s, 0, 4, &other), ACC_ANSWERED);
	ck_assert_int_eq(s->answer.kind, ANS_REFUSED);
	ck_assert_uint_eq(s->answer.promised.counter, 5);
	ck_assert_int_eq(accept_at(s, 0, 5, &other), ACC_CHANGED); /* equal to the promise */
	/* Nobody uses up the counters, and strangers do not count. */
	ck_assert_int_eq(accept_at(s, 0, UINT64_MAX, &s->head), ACC_IGNORED);
	begin(s, &s->m, REG_PREPARE);
	s->m.ballot = (struct ballot){ 9, s->stranger.pub, 1 };
	register_message_sign(&s->m, net, &s->stranger);
	ck_assert_int_eq(step(s, 0, &s->m, true), ACC_IGNORED);
	free(s);
}
END_TEST

START_TEST(tails)
{
	struct story *s = story_new();
	static const uint8_t records[3][4] = { "one", "two", "six" };
	struct tail t;
	struct value v;

	make_head(s, NULL, 1, &v);
	tail_begin(&t, &v.head.root);
	for (uint8_t i = 0; i < 3; i++) {
		struct hash sum;

		crypto_sha256(&sum, records[i], 4);
		ck_assert_int_eq(tail_append(&t, &sum, 4), ERR_OK);
	}
	v.head.tail = tail_hash(&t);
	v.head.tail_bytes = 12;
	v.head.tail_segments = 3;
	head_sign(&v.head, net, &s->writer.sign, &s->writer.pub);
	begin(s, &s->m, REG_ACCEPT);
	s->m.value = v;
	s->m.tail.extends = t.at[1].hash; /* it has not got that */
	s->m.tail.count = 1;
	s->m.tail.at[0].records = bytes_of(records[2], 4);
	register_message_sign(&s->m, net, &s->writer);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_ANSWERED);
	ck_assert_int_eq(s->answer.kind, ANS_NEED_TAIL);
	s->m.tail.extends = t.empty;
	s->m.tail.count = 2; /* not enough */
	s->m.tail.at[0].records = bytes_of(records[0], 4);
	s->m.tail.at[1].records = bytes_of(records[1], 4);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_IGNORED);
	s->m.tail.count = 3;
	s->m.tail.at[2].records = bytes_of(records[2], 4);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_CHANGED);
	ck_assert_uint_eq(s->a[0].tail.count, 3);
	ck_assert_int_eq(tail_find(&s->a[0].tail, &t.at[1].hash), 2);
	ck_assert_uint_eq(tail_shared(&s->a[0].tail, &t), 3);
	free(s);
}
END_TEST

/* Commits a stop in which the spare takes the place of anchor 2; the handover is in s->m. */
static void
change_members(struct story *s)
{
	struct configuration next = s->charter.founding;
	struct value stop;
	struct handover l = { .count = 0 };

	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_CHANGED);
	ck_assert_int_eq(accept_at(s, 1, 1, &s->head), ACC_CHANGED);
	next.number = 1;
	next.anchors[2] = anchor_of(s, SPARE);
	stop = make_stop(s, true, &next);
	l.stop = stop.stop;
	for (uint8_t i = 0; i < 2; i++) {
		ck_assert_int_eq(accept_at(s, i, 1, &stop), ACC_CHANGED);
		ck_assert(s->answer.cosigned);
		l.ballot = s->answer.accepted;
		l.by[l.count++] = s->answer.cosignature;
		ck_assert_int_eq(handover_ends(&l, &s->charter.founding, &s->charter.bucket, 1,
				     &s->charter.owner),
		    i == 1);
	}
	begin(s, &s->m, REG_HANDOVER);
	s->m.handover = l;
	s->m.value = s->head;
	memset(&s->m.ballot, 0, sizeof(s->m.ballot));
}

START_TEST(members)
{
	struct story *s = story_new();
	struct anchor spare = anchor_of(s, SPARE);
	struct register_message handover;
	struct value second;

	change_members(s);
	handover = s->m;
	make_head(s, &s->head, 2, &second);
	ck_assert_int_eq(accept_at(s, 0, 1, &second), ACC_IGNORED); /* behind the stop */
	ck_assert_int_eq(
	    acceptor_join(&s->charter, &s->charter.founding, &handover, &spare, &s->a[SPARE]),
	    ERR_OK);
	for (uint8_t i = 0; i < ANCHORS; i++)
		ck_assert_int_eq(step(s, i, &handover, false), ACC_CHANGED);
	ck_assert_int_eq(step(s, 0, &handover, false), ACC_ANSWERED); /* a replay resets nothing */
	/* In the new configuration all begin with the head and without promises. */
	ck_assert_int_eq(accept_at(s, 0, 1, &second), ACC_CHANGED);
	ck_assert_int_eq(accept_at(s, SPARE, 1, &second), ACC_CHANGED);
	ck_assert_int_eq(step(s, 0, &handover, false), ACC_ANSWERED);
	ck_assert_uint_eq(s->a[0].value.head.seq, 2);
	/* Old questions are told of the handover, by those that stayed and by the one that went. */
	begin(s, &s->m, REG_READ);
	for (uint8_t i = 0; i < ANCHORS; i++) {
		ck_assert_int_eq(step(s, i, &s->m, false), ACC_ANSWERED);
		ck_assert_int_eq(s->answer.kind, ANS_MOVED);
		ck_assert(s->answer.handed);
	}
	/* A handover with too few signatures moves nobody. */
	handover.handover.count = 1;
	spare.incarnation++;
	ck_assert_int_eq(
	    acceptor_join(&s->charter, &s->charter.founding, &handover, &spare, &s->next),
	    ERR_AUTH);
	free(s);
}
END_TEST

START_TEST(lost_directory)
{
	struct story *s = story_new();
	struct acceptor_sight sight = { .incarnation = 5 };

	begin(s, &s->m, REG_READ);
	ck_assert_int_eq(
	    acceptor_step(&s->a[0], &s->m, &sight, &s->next, &s->answer), ACC_ANSWERED);
	ck_assert_int_eq(s->answer.kind, ANS_NO_MEMBER);
	free(s);
}
END_TEST

START_TEST(next_epoch)
{
	struct story *s = story_new();
	struct anchor self = anchor_of(s, 0);
	struct charter later = s->charter, foreign = s->charter;

	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_CHANGED);
	ck_assert_int_eq(acceptor_refound(&s->a[0], &s->charter, &self, &s->next), ERR_STALE);
	foreign.epoch = later.epoch = 2;
	charter_sign(&foreign, net, &s->stranger.sign, &s->stranger.pub);
	ck_assert_int_eq(acceptor_refound(&s->a[0], &foreign, &self, &s->next), ERR_AUTH);
	later.base_seq = 1;
	later.base = s->head.head.id;
	charter_sign(&later, net, &s->owner.sign, &s->owner.pub);
	ck_assert_int_eq(acceptor_refound(&s->a[0], &later, &self, &s->a[0]), ERR_OK);
	begin(s, &s->m, REG_READ);
	ck_assert_int_eq(step(s, 0, &s->m, false), ACC_ANSWERED);
	ck_assert_int_eq(s->answer.kind, ANS_SUPERSEDED);
	free(s);
}
END_TEST

/* Two anchors replace the third by themselves; what the writer left is carried over. */
START_TEST(replaced_without_a_writer)
{
	struct story *s = story_new();
	struct proposer *p = calloc(1, sizeof(*p));
	struct proposer_out *out = calloc(1, sizeof(*out));
	struct configuration next = s->charter.founding;
	struct value stop;

	ck_assert(p != NULL && out != NULL);
	ck_assert_int_eq(accept_at(s, 0, 1, &s->head), ACC_CHANGED);
	next.number = 1;
	next.anchors[2] = anchor_of(s, SPARE);
	proposer_init(p, &s->charter, NULL, &s->anchors[1].pub, 5);
	p->top = 7; /* so it outranks the writer whose counter was 1 */
	proposer_replace(p, &next, 0, SECONDS(100), out);
	register_message_sign(&out->message, net, &s->anchors[1]);
	ck_assert_int_eq(step(s, 0, &out->message, false), ACC_IGNORED); /* it does not agree */
	for (uint8_t i = 0; i < 2; i++) {
		struct register_message m = out->message;

		ck_assert_int_eq(step(s, i, &m, true), ACC_CHANGED);
		ck_assert(s->answer.claimed);
		proposer_answer(p, i, &s->answer, 0, 0, out);
		if (i == 0)
			out->message = m;
	}
	ck_assert(out->evaluate);
	stop = make_stop(s, true, &next);
	proposer_reply(p, REPLY_PROPOSE, &stop, 0, out);
	s->m = out->message;
	register_message_sign(&s->m, net, &s->anchors[1]);
	/* Another head than that of the highest claim is not covered. */
	s->m2 = s->m;
	s->m2.value.present = false;
	memset(&s->m2.value.stop.head, 0, sizeof(s->m2.value.stop.head));
	ck_assert_int_eq(acceptor_step(&s->a[0], &s->m2, &(struct acceptor_sight){ 100, true },
			     &s->next, &s->answer),
	    ACC_IGNORED);
	for (uint8_t i = 0; i < 2; i++) {
		ck_assert_int_eq(step(s, i, &s->m, true), ACC_CHANGED);
		ck_assert_int_eq(s->answer.kind, ANS_ACCEPTED);
		proposer_answer(p, i, &s->answer, 0, 0, out);
	}
	ck_assert(out->moved && p->phase == PH_HANDING_OVER && p->conf.number == 1);
	for (uint8_t i = 0; i < 2; i++) {
		struct register_message m = i == 0 ? out->handover : s->m;

		s->m = m;
		ck_assert_int_eq(step(s, i, &s->m, false), ACC_CHANGED);
		ck_assert_int_eq(s->answer.kind, ANS_JOINED);
		proposer_answer(p, i, &s->answer, 0, 0, out);
	}
	ck_assert(out->done && out->outcome == OUT_COMMITTED);
	free(p);
	free(out);
	free(s);
}
END_TEST

/* A stop of another bucket or epoch on an empty register is not one that an anchor may hold. */
START_TEST(foreign_stops)
{
	struct story *s = story_new();
	struct proposer *p = calloc(1, sizeof(*p));
	struct proposer_out *out = calloc(1, sizeof(*out));
	struct configuration next = s->charter.founding;
	struct value stop, foreign[2];

	ck_assert(p != NULL && out != NULL);
	next.number = 1;
	stop = foreign[0] = foreign[1] = make_stop(s, false, &next);
	foreign[0].stop.bucket.b[0] ^= 1;
	foreign[1].stop.epoch++;
	for (uint8_t i = 0; i < 2; i++) {
		stop_seal(&foreign[i].stop, net, NULL);
		ck_assert_int_eq(accept_at(s, 0, 1, &foreign[i]), ACC_IGNORED);
	}
	proposer_init(p, &s->charter, NULL, &s->writer.pub, 5);
	p->top = 1;
	proposer_write(p, 0, SECONDS(100), out);
	s->answer2 = (struct register_answer){ .kind = ANS_PROMISED,
		.bucket = s->charter.bucket,
		.epoch = 1,
		.ballot = p->ballot,
		.promised = p->ballot,
		.accepted = { 1, s->writer.pub, 77 } };
	for (uint8_t i = 0; i < 2; i++) {
		s->answer2.value = foreign[i];
		proposer_answer(p, 0, &s->answer2, 0, 0, out);
		ck_assert_uint_eq(p->answered, 0);
	}
	s->answer2.value = stop;
	proposer_answer(p, 0, &s->answer2, 0, 0, out);
	ck_assert_uint_eq(p->answered, 1);
	free(p);
	free(out);
	free(s);
}
END_TEST

/* The proposer's question to so many anchors, until it has got further. */
static void
ask_all(struct story *s, struct proposer *p, struct proposer_out *out, uint8_t first, uint8_t count)
{
	struct register_message m = out->message;

	if (m.kind != REG_READ)
		register_message_sign(&m, net, &s->writer);
	for (uint8_t i = first; i < first + count && !out->evaluate && !out->done; i++) {
		ck_assert_int_ne(step(s, i, &m, false), ACC_IGNORED);
		proposer_answer(p, i, &s->answer, 0, 0, out);
	}
}

/* Anchor 0 is away, but for a proposal that it does not answer: who declines then outranks it. */
START_TEST(declined_after_unknown)
{
	struct story *s = story_new();
	struct proposer *p = calloc(1, sizeof(*p));
	struct proposer_out *out = calloc(1, sizeof(*out));
	struct value second;

	ck_assert(p != NULL && out != NULL);
	proposer_init(p, &s->charter, NULL, &s->writer.pub, 77);
	proposer_write(p, 0, SECONDS(20), out);
	ask_all(s, p, out, 1, 2);
	ck_assert(out->evaluate);
	proposer_reply(p, REPLY_PROPOSE, &s->head, 0, out);
	ask_all(s, p, out, 1, 2);
	ck_assert(out->done && out->outcome == OUT_COMMITTED);
	make_head(s, &s->head, 2, &second);
	proposer_write(p, 0, SECONDS(20), out);
	ck_assert(out->evaluate);
	proposer_reply(p, REPLY_PROPOSE, &second, 0, out);
	ask_all(s, p, out, 0, 1);
	ck_assert_uint_eq(s->a[0].value.head.seq, 2);
	proposer_tick(p, SECONDS(20), 0, out);
	ck_assert(out->done && out->outcome == OUT_UNKNOWN);
	/* A read between them changes nothing. */
	proposer_read(p, 0, SECONDS(20), out);
	ask_all(s, p, out, 1, 2);
	ck_assert(out->done && out->outcome == OUT_READ);
	proposer_write(p, 0, SECONDS(20), out);
	ask_all(s, p, out, 1, 2);
	ck_assert(out->evaluate);
	ck_assert_uint_eq(value_seq(&p->known), 1);
	proposer_reply(p, REPLY_DECLINE, NULL, 0, out);
	ck_assert(!out->done);
	ck_assert_int_eq(out->message.kind, REG_ACCEPT);
	ask_all(s, p, out, 1, 2);
	ck_assert(out->done && out->outcome == OUT_DECLINED);
	/* Whoever finds it now finds what is committed ranking higher. */
	proposer_init(p, &s->charter, NULL, &s->writer.pub, 78);
	p->top = 9;
	proposer_write(p, 0, SECONDS(20), out);
	ask_all(s, p, out, 0, 2);
	ck_assert(!out->evaluate && !out->done);
	ask_all(s, p, out, 0, ANCHORS);
	ck_assert(out->evaluate);
	ck_assert_uint_eq(value_seq(&p->known), 1);
	free(p);
	free(out);
	free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/register");

	must(crypto_init() == ERR_OK);
	suite_add(s, "formats", 60, charter_round_trip, messages_flipped, answers_flipped, NULL);
	suite_add(s, "acceptor", 60, ballots, tails, members, lost_directory, next_epoch,
	    replaced_without_a_writer, foreign_stops, NULL);
	suite_add(s, "proposer", 60, declined_after_unknown, NULL);
	return suite_main(s);
}
