/* The shelf of tails against lists of records, and an anchor that comes late (acceptor_catch_up).
 */
#include "storage/shelf.h"
#include "test/unit/storage/register_fixture.h"
#include "test/unit/suite.h"

enum { TAILS = 200, BYTES_MAX = 900 };

/* What a tail should be. */
struct model {
	struct head head;
	uint16_t count;
	struct {
		uint8_t data[BYTES_MAX];
		size_t len;
	} at[TAIL_SEGMENTS_MAX];
};

static uint64_t random_state = 5;

static uint64_t
below(uint64_t bound)
{
	random_state += UINT64_C(0x9e3779b97f4a7c15);

	uint64_t z = random_state;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

static void
segment_draw(struct model *m)
{
	size_t len = 1 + below(BYTES_MAX);

	for (size_t i = 0; i < len; i++)
		m->at[m->count].data[i] = (uint8_t)below(256);
	m->at[m->count++].len = len;
}

/* The part behind `from` segments, and the head of the whole. */
static void
part_of(struct model *m, uint16_t from, struct tail_part *part)
{
	struct tail t;

	memset(part, 0, sizeof(*part));
	tail_begin(&t, &m->head.root);
	m->head.tail_bytes = 0;
	m->head.tail_segments = m->count;
	part->extends = t.empty;
	for (uint16_t i = 0; i < m->count; i++) {
		struct hash sum;

		crypto_sha256(&sum, m->at[i].data, m->at[i].len);
		must(tail_append(&t, &sum, (uint32_t)m->at[i].len) == ERR_OK);
		m->head.tail_bytes += (uint32_t)m->at[i].len;
		if (i + 1 == from)
			part->extends = tail_hash(&t);
		if (i >= from) {
			part->at[part->count].sum = sum;
			part->at[part->count++].records = bytes_of(m->at[i].data, m->at[i].len);
		}
	}
	m->head.tail = tail_hash(&t);
}

static void
check_tail(struct shelf *s, const struct model *m)
{
	const struct shelf_tail *t = shelf_find(s, &m->head.tail);

	ck_assert_ptr_nonnull(t);
	ck_assert(tail_is_of(&t->tail, &m->head));
	for (uint16_t i = 0; i < m->count; i++)
		ck_assert(bytes_equal(t->records[i], bytes_of(m->at[i].data, m->at[i].len)));
}

START_TEST(a_shelf_has_what_was_put)
{
	struct model *last = calloc(1, sizeof(*last)), *pinned = calloc(1, sizeof(*pinned));
	struct tail_part *part = malloc(sizeof(*part));
	struct shelf s;

	must(last != NULL && pinned != NULL && part != NULL);
	shelf_init(&s);
	for (unsigned i = 0; i < TAILS; i++) {
		uint16_t from = last->count, more = (uint16_t)(1 + below(3));

		if (from + more > 60 || below(12) == 0) { /* a checkpoint keeps some */
			uint16_t kept = (uint16_t)below(MIN(from, 4) + 1);

			for (uint16_t j = 0; j < kept; j++)
				last->at[j] = last->at[from - kept + j];
			last->count = kept;
			last->head.root.b[0]++;
			last->head.root.b[1] = (uint8_t)i;
			from = 0;
		}
		for (uint16_t j = 0; j < more; j++)
			segment_draw(last);
		/* Sometimes more than is new comes along. */
		part_of(last, from > 0 && below(3) == 0 ? (uint16_t)below(from) : from, part);
		ck_assert_int_eq(shelf_put(&s, part, &last->head), ERR_OK);
		ck_assert_int_eq(shelf_put(&s, part, &last->head), ERR_OK);
		check_tail(&s, last);
		if (i % 40 == 0) {
			*pinned = *last;
			s.pinned[0] = last->head.tail;
		}
		check_tail(&s, pinned);
	}
	shelf_fini(&s);
	free(part);
	free(pinned);
	free(last);
}
END_TEST

START_TEST(a_shelf_takes_nothing_false)
{
	struct model *m = calloc(1, sizeof(*m));
	struct tail_part *part = malloc(sizeof(*part)), *out = malloc(sizeof(*out));
	struct hash first;
	struct shelf s;

	must(m != NULL && part != NULL && out != NULL);
	shelf_init(&s);
	segment_draw(m);
	part_of(m, 0, part);
	first = m->head.tail;
	ck_assert_int_eq(shelf_put(&s, part, &m->head), ERR_OK);
	segment_draw(m);
	segment_draw(m);
	part_of(m, 2, part);
	ck_assert_int_eq(shelf_put(&s, part, &m->head), ERR_NOT_FOUND);
	part_of(m, 1, part);
	part->at[0].sum.b[0] ^= 1;
	ck_assert_int_eq(shelf_put(&s, part, &m->head), ERR_INVALID);
	part->count = 1;
	part->at[0].sum.b[0] ^= 1;
	ck_assert_int_eq(shelf_put(&s, part, &m->head), ERR_INVALID);
	ck_assert_ptr_null(shelf_find(&s, &m->head.tail));
	ck_assert_int_eq(shelf_part(&s, &m->head.tail, &first, out), ERR_NOT_FOUND);
	part_of(m, 1, part);
	ck_assert_int_eq(shelf_put(&s, part, &m->head), ERR_OK);
	ck_assert_int_eq(shelf_part(&s, &m->head.tail, &first, out), ERR_OK);
	ck_assert_uint_eq(out->count, 2);
	ck_assert(hash_equal(&out->extends, &first));
	first.b[0] ^= 1; /* what the asker has is none of its beginnings: all of it */
	ck_assert_int_eq(shelf_part(&s, &m->head.tail, &first, out), ERR_OK);
	ck_assert_uint_eq(out->count, 3);
	shelf_fini(&s);
	free(out);
	free(part);
	free(m);
}
END_TEST

/* ---- who comes late ---- */

struct late {
	struct charter charter;
	struct fixture_book book;
	struct handover handover;
	struct value first, second;
	struct register_message m;
	struct register_answer a;
	struct acceptor joined, late;
	struct anchor self;
};

/* The second of a new configuration is accepted by one that joined in time. */
static struct late *
late_new(void)
{
	struct late *l = calloc(1, sizeof(*l));
	struct acceptor_sight sight = { 0 };
	struct configuration next;
	struct value stop;

	must(l != NULL);
	fixture_charter(3, 1, &l->charter);
	fixture_next(&l->charter.founding, 2, 3, &next);
	fixture_anchor(3, &l->self);
	sight.incarnation = l->self.incarnation;
	fixture_make(&l->book, &l->charter, &(struct value){ .present = false }, 0, 1, &l->first);
	fixture_make(&l->book, &l->charter, &l->first, 0, 2, &l->second);
	fixture_stop(&l->charter, &l->first, &next, &stop);
	l->handover.ballot = (struct ballot){ 1, fixture_writer(0), 1 };
	l->handover.stop = stop.stop;
	for (uint8_t i = 0; i < 2; i++)
		l->handover.by[l->handover.count++].anchor = l->charter.founding.anchors[i].key;
	l->m.handover = l->handover;
	l->m.value = l->first;
	ck_assert_int_eq(
	    acceptor_join(&l->charter, &l->charter.founding, &l->m, &l->self, &l->joined), ERR_OK);
	memset(&l->m, 0, sizeof(l->m));
	l->m.kind = REG_ACCEPT;
	l->m.bucket = l->charter.bucket;
	l->m.epoch = 1;
	l->m.configuration = 1;
	l->m.ballot = (struct ballot){ 7, fixture_writer(0), 1 };
	l->m.value = l->second;
	l->m.sig.b[5] = 5;
	ck_assert_int_eq(acceptor_step(&l->joined, &l->m, &sight, &l->joined, &l->a), ACC_CHANGED);
	l->m.kind = REG_READ;
	ck_assert_int_eq(acceptor_step(&l->joined, &l->m, &sight, &l->late, &l->a), ACC_ANSWERED);
	return l;
}

static int
catch_up(struct late *l)
{
	return acceptor_catch_up(
	    &l->charter, &l->charter.founding, &l->handover, &l->a, &l->self, &l->late);
}

START_TEST(coming_late_is_as_coming_in_time)
{
	static uint8_t in_time[ACCEPTOR_BYTES_MAX], late[ACCEPTOR_BYTES_MAX];
	const struct network_id net = { { 1 } };
	struct late *l = late_new();
	size_t len;

	ck_assert_int_eq(catch_up(l), ERR_OK);
	len = acceptor_pack(&l->joined, net, in_time);
	ck_assert_uint_eq(acceptor_pack(&l->late, net, late), len);
	ck_assert_mem_eq(in_time, late, len);
	free(l);
}
END_TEST

START_TEST(nobody_catches_up_by_false_words)
{
	struct late *l = late_new();
	struct register_answer good = l->a;
	struct anchor self = l->self;

	l->a.accepted = (struct ballot){ 0 };
	ck_assert_int_eq(catch_up(l), ERR_INVALID);
	l->a = good;
	l->a.accepted.writer.b[7] = 1; /* nobody of them */
	ck_assert_int_eq(catch_up(l), ERR_INVALID);
	l->a = good;
	l->a.value.head.epoch = 2;
	ck_assert_int_eq(catch_up(l), ERR_INVALID);
	l->a = good;
	l->a.value.head.tail.b[0] ^= 1; /* and the records are not these */
	ck_assert_int_eq(catch_up(l), ERR_INVALID);
	l->a = good;
	l->handover.count = 1;
	ck_assert_int_eq(catch_up(l), ERR_AUTH);
	l->handover.count = 2;
	l->self.incarnation++;
	ck_assert_int_eq(catch_up(l), ERR_NOT_FOUND);
	l->self = self;
	ck_assert_int_eq(catch_up(l), ERR_OK);
	free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/shelf");

	must(crypto_init() == ERR_OK);
	suite_add(s, "shelf", 0, a_shelf_has_what_was_put, a_shelf_takes_nothing_false, NULL);
	suite_add(
	    s, "late", 0, coming_late_is_as_coming_in_time, nobody_catches_up_by_false_words, NULL);
	return suite_main(s);
}
