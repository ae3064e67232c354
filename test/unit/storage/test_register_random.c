/*
 * Head registers of 5 and 7 anchors under loss, repetition, delay, kills of anchors and writers,
 * and clocks that run wrong; among seven, two lie: they hide, answer from states of long ago, show
 * what others hold. Each history must be linearizable, and after all has healed everybody must get
 * through. What ended unknown and is not there when its writer declines must never be there.
 * SKERRY_REGISTER_SEEDS=N runs more. Signatures are left out: a liar here shows nothing that was
 * not signed by somebody.
 */
#include <stdio.h>

#include "test/unit/storage/linear.h"
#include "test/unit/storage/register_fixture.h"
#include "test/unit/suite.h"

enum { WRITERS = 3, OPS_EACH = 9, OLD_MAX = 12, FLIGHTS_MAX = 4096, EVENTS_MAX = 200000 };

struct flight { /* a message or answer on its way */
	uint64_t due;
	bool is_answer;
	uint8_t writer, anchor;
	union {
		struct register_message m;
		struct register_answer a;
	} u;
};
struct anchor_life {
	struct acceptor memory, disk;
	uint64_t down_until;
	bool liar;
	struct acceptor old[OLD_MAX];
	uint32_t olds;
};
struct writer_life {
	struct proposer p;
	uint8_t sessions, begun; /* operations */
	char doing;
	uint32_t op;                       /* in the history */
	uint32_t open;                     /* mark of one that ended unknown in this session; 0 */
	uint64_t offset, rate, next_start; /* of its clock, per cent; when it begins another */
};
struct sim {
	uint64_t random, now;
	bool healed;
	uint32_t calm; /* one restart of a writer in so many steps of its operations */
	struct charter charter;
	struct anchor_life anchors[ANCHORS_MAX];
	struct writer_life writers[WRITERS];
	struct fixture_book book;
	struct flight *flights[FLIGHTS_MAX];
	uint32_t flights_count;
	struct linear_op ops[LINEAR_OPS_MAX];
	uint32_t ops_count, failed[LINEAR_OPS_MAX], failed_count;
	uint32_t committed, read, declined, unknown, lies, looks;
	struct register_answer answer;
	struct proposer_out out;
};

static uint64_t
below(struct sim *s, uint64_t bound)
{
	s->random += UINT64_C(0x9e3779b97f4a7c15);

	uint64_t z = s->random;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

static uint64_t
clock_of(const struct sim *s, const struct writer_life *w)
{
	return w->offset + s->now / 100 * w->rate;
}

/* ---- the network ---- */

static void
launch(struct sim *s, const struct flight *f)
{
	uint32_t copies = s->healed ? 1 : below(s, 100) < 12 ? 0 : below(s, 100) < 12 ? 2 : 1;

	for (; copies > 0 && s->flights_count < FLIGHTS_MAX; copies--) {
		struct flight *c = malloc(sizeof(*c));

		must(c != NULL);
		*c = *f;
		c->due = s->now + MILLISECONDS(1 + below(s, 200));
		if (!s->healed && below(s, 100) < 5) /* late by many rounds */
			c->due += SECONDS(below(s, 20));
		s->flights[s->flights_count++] = c;
	}
}

static void
send_to(struct sim *s, uint8_t writer, uint8_t to, const struct register_message *m)
{
	struct flight f;

	memset(&f, 0, sizeof(f));
	f.writer = writer;
	f.u.m = *m;
	for (f.anchor = 0; f.anchor < s->charter.founding.anchors_count; f.anchor++)
		if ((to >> f.anchor & 1) != 0)
			launch(s, &f);
}

/* ---- anchors ---- */

static void
keep_old(struct sim *s, struct anchor_life *a)
{
	a->old[a->olds < OLD_MAX ? a->olds : below(s, OLD_MAX)] = a->memory;
	a->olds = MIN(a->olds + 1, OLD_MAX);
}

static void
deliver(struct sim *s, const struct flight *f)
{
	struct anchor_life *a = &s->anchors[f->anchor];
	struct acceptor_sight sight = { .incarnation = 100u + f->anchor };
	enum acceptor_verdict v;
	struct flight back;
	bool lies = a->liar && below(s, 100) < 70;

	if (a->down_until > s->now || (lies && below(s, 4) == 0))
		return;
	if (lies && a->olds > 0) {
		/* What it, or another, had at some time; and nothing of this is remembered. */
		struct anchor_life *whose =
		    below(s, 2) == 0 ? a : &s->anchors[below(s, s->charter.founding.anchors_count)];
		struct acceptor then =
		    whose->olds == 0 ? a->old[0] : whose->old[below(s, whose->olds)];

		sight.incarnation = then.self.incarnation;
		v = acceptor_step(&then, &f->u.m, &sight, &then, &s->answer);
		s->lies++;
	} else {
		v = acceptor_step(&a->memory, &f->u.m, &sight, &a->memory, &s->answer);
		/* Killed before the sync, or before the answer. */
		if (v == ACC_CHANGED && !s->healed && below(s, 100) < 3) {
			if (below(s, 2) == 0)
				a->disk = a->memory;
			a->memory = a->disk;
			a->down_until = s->now + SECONDS(below(s, 5));
			return;
		}
		if (v == ACC_CHANGED) {
			a->disk = a->memory;
			keep_old(s, a);
		}
	}
	if (v == ACC_IGNORED)
		return;
	memset(&back, 0, sizeof(back));
	back.is_answer = true;
	back.writer = f->writer;
	back.anchor = f->anchor;
	back.u.a = s->answer;
	launch(s, &back);
}

/* ---- writers ---- */

static uint64_t
list_of(const struct fixture_book *book, uint32_t head)
{
	return head == 0 ? 0
			 : linear_append(list_of(book, book->at[head].before), book->at[head].mark);
}

static uint32_t
known_head(const struct sim *s, const struct writer_life *w)
{
	struct hash id = value_head_id(&w->p.known);

	return fixture_find(&s->book, &id);
}

static void
ended(struct sim *s, struct writer_life *w)
{
	struct linear_op *o = &s->ops[w->op];
	uint32_t head = known_head(s, w);

	switch (s->out.outcome) {
	case OUT_COMMITTED:
		while (head != 0 && s->book.at[head].mark != o->mark)
			head = s->book.at[head].before;
		ck_assert_msg(head != 0, "confirmed, and not in the list");
		o->ret = s->now;
		o->list = list_of(&s->book, head);
		s->committed++;
		break;
	case OUT_READ:
		o->ret = s->now;
		o->list = list_of(&s->book, head);
		s->read++;
		break;
	case OUT_DECLINED: /* a read as well */
		ck_assert_int_eq(w->doing, 'N');
		o->ret = s->now;
		o->list = list_of(&s->book, head);
		s->declined++;
		if (!fixture_has(&s->book, head, w->open))
			s->failed[s->failed_count++] = w->open;
		w->open = 0;
		break;
	case OUT_FAILED:
		if (o->mark != 0)
			s->failed[s->failed_count++] = o->mark;
		/* A read that failed says nothing; a write that failed must not be in any list. */
		break;
	case OUT_UNKNOWN:
		s->unknown++;
		if (o->mark != 0)
			w->open = o->mark;
		break;
	case OUT_FORKED:
		ck_abort_msg("a fork");
	}
	w->doing = 0;
	w->next_start = s->now + MILLISECONDS(below(s, 2000));
}

/* Its turn comes at any time. False: it waits. */
static bool
look(struct sim *s, uint8_t writer)
{
	struct writer_life *w = &s->writers[writer];
	uint64_t now = clock_of(s, w);

	if (!w->p.moving && w->doing == 'W' &&
	    fixture_has(&s->book, known_head(s, w), s->ops[w->op].mark))
		proposer_reply(&w->p, REPLY_FOUND, NULL, now, &s->out);
	else if (below(s, 2) == 0)
		proposer_take(&w->p, (uint8_t)below(s, 3), now, &s->out);
	else
		proposer_wait(&w->p, now + MILLISECONDS(below(s, 300)));
	return w->p.phase != PH_BACKING_OFF;
}

static void
after(struct sim *s, uint8_t writer)
{
	struct writer_life *w = &s->writers[writer];
	struct value v;

	for (;;) {
		bool ask = s->out.evaluate;

		if (s->out.send_to != 0)
			send_to(s, writer, s->out.send_to, &s->out.message);
		if (s->out.done)
			ended(s, w);
		if (s->out.look) {
			s->looks++;
			if (look(s, writer))
				continue;
			return;
		}
		if (!ask)
			return;
		if (w->p.watches && below(s, 20) == 0) { /* another one's ballot was met */
			proposer_wait(&w->p, clock_of(s, w) + MILLISECONDS(below(s, 300)));
			return;
		}
		if (!s->healed &&
		    below(s, 50) == 0) { /* its caller gives up, and its ballot leads */
			proposer_tick(&w->p, w->p.deadline, 0, &s->out);
			continue;
		}
		if (w->doing == 'N') {
			proposer_reply(&w->p, REPLY_DECLINE, NULL, clock_of(s, w), &s->out);
			continue;
		}
		if (fixture_has(&s->book, known_head(s, w), s->ops[w->op].mark)) {
			proposer_reply(&w->p, REPLY_FOUND, NULL, clock_of(s, w), &s->out);
			continue;
		}
		fixture_make(&s->book, &s->charter, &w->p.known, writer, s->ops[w->op].mark, &v);
		proposer_reply(&w->p, REPLY_PROPOSE, &v, clock_of(s, w), &s->out);
	}
}

static void
begin(struct sim *s, uint8_t writer, bool read)
{
	struct writer_life *w = &s->writers[writer];
	uint64_t now = clock_of(s, w), until = now + SECONDS(s->healed ? 1000 : 5 + below(s, 20));

	must(s->ops_count < LINEAR_OPS_MAX);
	w->op = s->ops_count++;
	w->begun++;
	/* One whose last write ended unknown finds, half the time, nothing to do. */
	w->doing = w->open != 0 && !s->healed && below(s, 2) == 0 ? 'N' : read ? 'R' : 'W';
	s->ops[w->op] = (struct linear_op){ .call = s->now,
		.ret = LINEAR_NEVER,
		.mark = w->doing == 'W' ? fixture_mark(writer, 0, w->begun) : 0 };
	if (w->doing == 'R')
		proposer_read(&w->p, now, until, &s->out);
	else if (w->p.watches && below(s, 2) == 0)
		proposer_write_later(&w->p, now, until, &s->out);
	else
		proposer_write(&w->p, now, until, &s->out);
	after(s, writer);
}

static void
new_session(struct sim *s, uint8_t writer)
{
	struct writer_life *w = &s->writers[writer];
	struct pubkey key = fixture_writer(writer);

	proposer_init(&w->p, &s->charter, NULL, &key, (uint64_t)writer << 40 | ++w->sessions << 20);
	/* Some look on, others do not. */
	w->p.watches = below(s, 4) != 0;
	w->doing = 0;
	w->open = 0;
}

static void
writer_time(struct sim *s, uint8_t writer)
{
	struct writer_life *w = &s->writers[writer];

	if (w->doing != 0) {
		uint64_t now = clock_of(s, w);

		if (!s->healed && below(s, s->calm) == 0) {
			new_session(s, writer); /* what it did stays unknown */
		} else if (now >= w->p.deadline || (w->p.wake != 0 && now >= w->p.wake)) {
			proposer_tick(&w->p, now, below(s, UINT64_MAX), &s->out);
			after(s, writer);
		}
	} else if (!s->healed && w->begun < OPS_EACH && s->now >= w->next_start) {
		begin(s, writer, below(s, 3) == 0);
	}
}

/* ---- a run ---- */

/* The earliest flight; in steps of 5 ms the clocks of all move. */
static void
step(struct sim *s)
{
	uint32_t n = s->flights_count, at = n;
	struct flight *f;

	for (uint32_t i = 0; i < n; i++)
		if (s->flights[i]->due <= s->now && (at == n || below(s, 2) == 0))
			at = i;
	if (at == n) {
		s->now += MILLISECONDS(5);
		for (uint8_t w = 0; w < WRITERS; w++)
			writer_time(s, w);
		if (!s->healed && below(s, 300) == 0) {
			struct anchor_life *a =
			    &s->anchors[below(s, s->charter.founding.anchors_count)];

			a->memory = a->disk;
			a->down_until = s->now + SECONDS(below(s, 10));
		}
		return;
	}
	f = s->flights[at];
	s->flights[at] = s->flights[--s->flights_count];
	if (!f->is_answer) {
		deliver(s, f);
	} else {
		struct writer_life *w = &s->writers[f->writer];

		proposer_answer(
		    &w->p, f->anchor, &f->u.a, clock_of(s, w), below(s, UINT64_MAX), &s->out);
		after(s, f->writer);
	}
	free(f);
}

static bool
busy(const struct sim *s)
{
	for (uint8_t w = 0; w < WRITERS; w++)
		if (s->writers[w].doing != 0 || (!s->healed && s->writers[w].begun < OPS_EACH))
			return true;
	return false;
}

static void
check_history(struct sim *s, uint64_t seed)
{
	struct linear_op kept[LINEAR_OPS_MAX];
	uint32_t count = 0, head = known_head(s, &s->writers[WRITERS - 1]);

	/* The last read tells which appends of unknown fate took place, and after what. */
	for (uint32_t i = 0; i < s->ops_count; i++) {
		struct linear_op o = s->ops[i];
		uint32_t h = head;

		while (h != 0 && s->book.at[h].mark != o.mark)
			h = s->book.at[h].before;
		if (o.ret == LINEAR_NEVER && (o.mark == 0 || h == 0))
			continue;
		if (o.ret == LINEAR_NEVER)
			o.list = list_of(&s->book, h);
		kept[count++] = o;
	}
	for (uint32_t i = 0; i < s->failed_count; i++) {
		ck_assert_msg(!fixture_has(&s->book, head, s->failed[i]),
		    "seed %ju: said to have failed, and is there", (uintmax_t)seed);
		for (uint32_t j = 0; j < count; j++)
			if (kept[j].mark == s->failed[i])
				kept[j--] = kept[--count];
	}
	ck_assert_msg(linear_check(kept, count), "seed %ju: not linearizable", (uintmax_t)seed);
}

static void
run(struct sim *s, uint8_t anchors, uint32_t calm, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->calm = calm;
	s->random = seed;
	fixture_charter(anchors, WRITERS, &s->charter);
	for (uint8_t i = 0; i < anchors; i++) {
		struct anchor self;

		fixture_anchor(i, &self);
		must(acceptor_found(&s->charter, &self, &s->anchors[i].memory) == ERR_OK);
		s->anchors[i].disk = s->anchors[i].memory;
		s->anchors[i].liar = i < liars_of(anchors);
		keep_old(s, &s->anchors[i]);
	}
	for (uint8_t w = 0; w < WRITERS; w++) {
		s->writers[w].offset = SECONDS(below(s, 7200));
		s->writers[w].rate = 80 + below(s, 40);
		new_session(s, w);
	}
	for (uint32_t i = 0; i < EVENTS_MAX && busy(s); i++)
		step(s);
	ck_assert_msg(!busy(s), "seed %ju: no end", (uintmax_t)seed);
	s->healed = true;
	for (uint8_t w = 0; w < WRITERS; w++) {
		begin(s, w, w != 0);
		for (uint32_t i = 0; i < EVENTS_MAX && busy(s); i++)
			step(s);
		ck_assert_msg(!busy(s), "seed %ju: nobody gets through", (uintmax_t)seed);
		ck_assert_uint_ne(s->ops[s->ops_count - 1].ret, LINEAR_NEVER);
	}
	check_history(s, seed);
	while (s->flights_count > 0)
		free(s->flights[--s->flights_count]);
}

static void
histories(uint8_t anchors, uint32_t calm, uint32_t writes_min)
{
	const char *more = getenv("SKERRY_REGISTER_SEEDS");
	uint64_t seeds = more != NULL ? strtoull(more, NULL, 10) : 600;
	uint32_t committed = 0, read = 0, declined = 0, unknown = 0, lies = 0, looks = 0;
	struct sim *s = malloc(sizeof(*s));

	must(s != NULL);
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		run(s, anchors, calm, seed);
		committed += s->committed;
		read += s->read;
		declined += s->declined;
		unknown += s->unknown;
		lies += s->lies;
		looks += s->looks;
	}
	free(s);
	printf("%u anchors: %ju histories, %u writes, %u reads, %u of unknown fate, %u declined "
	       "then, %u lies, %u looks\n",
	    anchors, (uintmax_t)seeds, committed, read, unknown, declined, lies, looks);
	ck_assert(declined > 0 || calm < 100); /* these forget what was unknown */
	ck_assert_uint_gt(looks, seeds);
	ck_assert_uint_gt(committed, writes_min * seeds);
	ck_assert_uint_gt(read, seeds);
	ck_assert(lies > 0 || liars_of(anchors) == 0);
}

START_TEST(five_anchors)
{
	histories(5, 4000, 8);
}
END_TEST

START_TEST(seven_anchors_two_lie)
{
	histories(7, 4000, 4);
}
END_TEST

/* Most operations end with their writer, which then knows nothing of its ballots. */
START_TEST(writers_that_forget)
{
	histories(3, 40, 1);
}
END_TEST

/* ---- the checker itself ---- */

START_TEST(checker_takes_good_ones)
{
	uint64_t a = linear_append(0, 1), ab = linear_append(a, 2);
	/* Two appends at once and reads; one append of unknown fate that is seen, one that is not.
	 */
	struct linear_op good[] = { { 0, 10, 1, a }, { 5, 20, 2, ab }, { 8, 9, 0, 0 },
		{ 21, 22, 0, ab }, { 21, LINEAR_NEVER, 3, 0 }, { 23, 30, 0, linear_append(ab, 3) },
		{ 24, LINEAR_NEVER, 4, 0 } };

	ck_assert(linear_check(good, ARRAY_LEN(good)));
	ck_assert(linear_check(NULL, 0));
}
END_TEST

START_TEST(checker_finds_bad_ones)
{
	uint64_t a = linear_append(0, 1), b = linear_append(0, 2), ab = linear_append(a, 2);
	struct linear_op stale[] = { { 0, 10, 1, a }, { 11, 12, 0, 0 } };
	struct linear_op back[] = { { 0, 50, 1, a }, { 5, 10, 0, a }, { 11, 12, 0, 0 } };
	struct linear_op lost[] = { { 0, 10, 1, a }, { 11, 20, 2, b } };
	struct linear_op two_first[] = { { 0, 10, 1, a }, { 0, 10, 2, b } };
	struct linear_op early[] = { { 0, 5, 0, a }, { 6, 10, 1, a } };
	struct linear_op twice[] = { { 0, 10, 1, a }, { 11, 20, 0, linear_append(a, 1) } };
	struct linear_op unknown_gone[] = { { 0, LINEAR_NEVER, 1, 0 }, { 5, 6, 0, a },
		{ 7, 8, 2, b } };
	struct linear_op swapped[] = { { 0, 10, 1, a }, { 11, 20, 2, ab },
		{ 21, 22, 0, linear_append(b, 1) } };

	ck_assert(!linear_check(stale, ARRAY_LEN(stale)));
	ck_assert(!linear_check(back, ARRAY_LEN(back)));
	ck_assert(!linear_check(lost, ARRAY_LEN(lost)));
	ck_assert(!linear_check(two_first, ARRAY_LEN(two_first)));
	ck_assert(!linear_check(early, ARRAY_LEN(early)));
	ck_assert(!linear_check(twice, ARRAY_LEN(twice)));
	ck_assert(!linear_check(unknown_gone, ARRAY_LEN(unknown_gone)));
	ck_assert(!linear_check(swapped, ARRAY_LEN(swapped)));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/register_random");

	must(crypto_init() == ERR_OK);
	suite_add(s, "checker", 0, checker_takes_good_ones, checker_finds_bad_ones, NULL);
	suite_add(
	    s, "histories", 300, five_anchors, seven_anchors_two_lie, writers_that_forget, NULL);
	return suite_main(s);
}
