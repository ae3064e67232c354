/* Bandwidth: fair shares of a line, few events, datagrams between transfers; streams over two
 * lines. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/line.h"

#define PORT 5000
#define RATE 1000000

/* ---- a line by itself ---- */

struct transfer {
	struct sim_world *w;
	struct flow flow;
	uint64_t ended;
};

static void
transfer_done(void *arg)
{
	struct transfer *t = arg;

	ck_assert_ptr_null(t->flow.line);
	t->ended = sim_now(t->w);
}

static void
transfer_start(struct transfer *t, struct sim_world *w, struct line *l, size_t bytes)
{
	*t = (struct transfer){ .w = w, .flow = { .done = transfer_done, .arg = t } };
	line_enter(l, &t->flow, bytes);
}

static void
assert_near(uint64_t got, uint64_t want)
{
	ck_assert_uint_ge(got, want);
	ck_assert_uint_le(got, want + MICROSECONDS(1));
}

START_TEST(transfers_share_equally_at_any_moment)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct line *l = line_new(w, RATE);
	struct transfer a, b, c;
	uint64_t events;

	transfer_start(&a, w, l, 1000000);
	sim_run_for(w, MILLISECONDS(500));
	events = sim_events(w);
	transfer_start(&b, w, l, 250000);
	transfer_start(&c, w, l, 500000);
	sim_run_for(w, SECONDS(10));
	/* From 0.5 s on a third each: b after 0.75 s; then halves, a and c end together. */
	assert_near(b.ended, MILLISECONDS(1250));
	assert_near(a.ended, MILLISECONDS(1750));
	assert_near(c.ended, MILLISECONDS(1750));
	ck_assert_uint_le(sim_events(w) - events, 3);
	line_orphan(l);
	sim_free(w);
}
END_TEST

START_TEST(lines_change_and_go_with_transfers_under_way)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct line *l = line_new(w, RATE);
	struct transfer a, b, c;

	transfer_start(&a, w, l, 1000000);
	sim_run_for(w, MILLISECONDS(500));
	line_set_rate(l, RATE / 2);
	sim_run_for(w, SECONDS(2));
	assert_near(a.ended, MILLISECONDS(1500));
	transfer_start(&a, w, l, 1000000);
	transfer_start(&b, w, l, 1000000);
	sim_run_for(w, SECONDS(1));
	line_leave(&a.flow); /* b alone: a quarter is done */
	line_leave(&a.flow);
	sim_run_for(w, SECONDS(9));
	ck_assert_uint_eq(a.ended, 0);
	assert_near(b.ended, MILLISECONDS(2500 + 1000 + 1500));
	transfer_start(&a, w, l, 1000000);
	transfer_start(&b, w, l, 1);
	transfer_start(&c, w, l, 1000000);
	line_leave(&c.flow);
	line_orphan(l);
	ck_assert_uint_eq(a.ended, 0);
	sim_run_for(w, 0);
	ck_assert_uint_eq(a.ended, sim_now(w));
	ck_assert_uint_eq(b.ended, sim_now(w));
	sim_free(w);
}
END_TEST

START_TEST(datagrams_wait_for_transfers_and_slow_them)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct line *l = line_new(w, RATE);
	struct transfer a, b;

	assert_near(line_datagram(l, sim_now(w), 1000), MILLISECONDS(1));
	assert_near(line_datagram(l, sim_now(w), 1000), MILLISECONDS(2));
	ck_assert(line_full(l, MILLISECONDS(1)));
	ck_assert(!line_full(l, MILLISECONDS(2)));
	sim_run_for(w, SECONDS(1));
	transfer_start(&a, w, l, 500000);
	transfer_start(&b, w, l, 500000);
	/* A frame of each, then a third of the line. */
	assert_near(line_datagram(l, sim_now(w), 1000), SECONDS(1) + MILLISECONDS(6));
	assert_near(line_datagram(l, sim_now(w), 1000), SECONDS(1) + MILLISECONDS(9));
	sim_run_for(w, SECONDS(5));
	assert_near(a.ended, SECONDS(2) + MILLISECONDS(2));
	assert_near(b.ended, SECONDS(2) + MILLISECONDS(2));
	line_orphan(l);
	ck_assert_uint_eq(line_datagram(NULL, 5, 1000), 5);
	sim_free(w);
}
END_TEST

/* Against a naive model that moves every transfer by its share in small steps. */
START_TEST(shares_follow_the_naive_model)
{
	enum { COUNT = 12, STEP_US = 20 };
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 9 });
	struct line *l = line_new(w, RATE);
	struct transfer t[COUNT] = { 0 };
	uint64_t left[COUNT] = { 0 }, start[COUNT], naive_end[COUNT] = { 0 }, worst = 0;
	struct sim_random r;
	int over = 0;

	sim_random_init(&r, 9, 9);
	for (int i = 0; i < COUNT; i++)
		start[i] = MICROSECONDS(STEP_US) * sim_random_below(&r, 50000);
	for (uint64_t now = 0; over < COUNT; now += MICROSECONDS(STEP_US)) {
		uint64_t running = 0;

		sim_run_for(w, now - sim_now(w));
		for (int i = 0; i < COUNT; i++) {
			if (start[i] == now) {
				size_t bytes = 1000 + sim_random_below(&r, 300000);

				left[i] = (uint64_t)bytes * 1000;
				transfer_start(&t[i], w, l, bytes);
			}
			running += left[i] > 0;
		}
		for (int i = 0; i < COUNT; i++) {
			uint64_t part = running == 0 ? 0 : (uint64_t)STEP_US * 1000 / running;

			if (left[i] == 0)
				continue;
			left[i] -= MIN(left[i], part);
			if (left[i] == 0) {
				naive_end[i] = now;
				over++;
			}
		}
	}
	sim_run_for(w, SECONDS(1));
	for (int i = 0; i < COUNT; i++) {
		ck_assert_uint_gt(t[i].ended, 0);
		worst = MAX(worst, MAX(t[i].ended, naive_end[i]) - MIN(t[i].ended, naive_end[i]));
	}
	ck_assert_uint_le(worst, MILLISECONDS(1));
	line_orphan(l);
	sim_free(w);
}
END_TEST

/* ---- streams over lines ---- */

struct end {
	struct env *env;
	struct conn *conn;
	bool sends;
	uint64_t got;
};

static void
end_ready(void *arg, bool readable, bool writable)
{
	static uint8_t data[65536];
	struct end *e = arg;
	struct bytes part = bytes_of(data, sizeof(data));

	if (readable) {
		int64_t n = conn_read(e->conn, data, sizeof(data));

		if (n < 0)
			conn_want(e->conn, false, false);
		else
			e->got += (uint64_t)n;
	}
	if (writable && e->sends && conn_write(e->conn, &part, 1) < 0)
		conn_want(e->conn, false, false); /* its own node is dead */
}

static void
end_open(struct end *e, struct conn *conn)
{
	e->conn = conn;
	conn_set_handler(conn, &(struct conn_handler){ end_ready, e });
	conn_want(conn, !e->sends, e->sends);
}

/* Node 0 is the one in the middle; streams go to it or come from it. */
struct star {
	struct sim_world *w;
	struct env *middle, *leaves[8];
	struct listener *listener;
	struct end ends[16];
	size_t ends_count;
};

static void
star_accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct star *s = arg;
	struct end *e = &s->ends[s->ends_count++];

	(void)from;
	e->env = s->middle;
	end_open(e, conn);
}

static void
star_start(struct star *s, uint64_t up, uint64_t down)
{
	struct listen_opts listen = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .accepted = star_accepted, .arg = s
	};

	memset(s, 0, sizeof(*s));
	s->w = sim_new(&(struct sim_opts){ .seed = 4 });
	s->middle =
	    sim_node_add(s->w, &(struct sim_node_opts){
				   .ip = sim_addr(0, 0), .up_bytes_s = up, .down_bytes_s = down });
	ck_assert_int_eq(env_listen(s->middle, &listen, &s->listener), ERR_OK);
}

/* A leaf that sends to the middle for ever; gives its receiving end, when it is there. */
static struct end *
star_flow(struct star *s, uint32_t leaf, uint64_t up)
{
	struct addr to = sim_addr(0, PORT);
	struct end *sender = &s->ends[s->ends_count++];
	struct conn *conn;

	if (s->leaves[leaf] == NULL)
		s->leaves[leaf] = sim_node_add(
		    s->w, &(struct sim_node_opts){ .ip = sim_addr(1 + leaf, 0), .up_bytes_s = up });
	sender->env = s->leaves[leaf];
	sender->sends = true;
	ck_assert_int_eq(env_connect(sender->env, &to, NULL, &conn), ERR_OK);
	end_open(sender, conn);
	sim_run_for(s->w, MILLISECONDS(10));
	return &s->ends[s->ends_count - 1];
}

static void
star_stop(struct star *s)
{
	for (size_t i = 0; i < s->ends_count; i++)
		conn_close(s->ends[i].conn);
	listener_close(s->listener);
	for (size_t i = 0; i < ARRAY_LEN(s->leaves); i++) {
		if (s->leaves[i] != NULL)
			sim_node_remove(s->leaves[i]);
	}
	sim_node_remove(s->middle);
	sim_free(s->w);
}

/* Bytes in the next 20 s, in percent of what the rate allows. */
static unsigned
share(struct star *s, const struct end *e, uint64_t rate)
{
	uint64_t before = e->got;

	sim_run_for(s->w, SECONDS(20));
	return (unsigned)((e->got - before) * 100 / (20 * rate));
}

static void
assert_percent(uint64_t got, uint64_t want)
{
	ck_assert_uint_ge(got, want - 3);
	ck_assert_uint_le(got, want + 3);
}

START_TEST(two_senders_get_half_of_a_downlink_each)
{
	struct star s;
	struct end *a, *b;
	uint64_t before;

	star_start(&s, 0, RATE);
	a = star_flow(&s, 0, 0);
	assert_percent(share(&s, a, RATE), 100);
	b = star_flow(&s, 1, 0);
	before = b->got;
	assert_percent(share(&s, a, RATE), 50);
	assert_percent((b->got - before) * 100 / (20 * RATE), 50);
	star_stop(&s);
}
END_TEST

START_TEST(two_streams_get_half_of_an_uplink_each)
{
	struct star s;
	struct end *a, *b;

	star_start(&s, 0, 0);
	a = star_flow(&s, 0, RATE);
	b = star_flow(&s, 0, RATE);
	assert_percent(share(&s, a, RATE), 50);
	assert_percent(share(&s, b, RATE), 50);
	star_stop(&s);
}
END_TEST

/* A sender with a tenth of the line takes no more; the others share what it leaves. */
START_TEST(the_narrower_line_decides_and_the_rest_is_used)
{
	struct star s;
	struct end *slow, *a, *b;

	star_start(&s, 0, RATE);
	slow = star_flow(&s, 0, RATE / 10);
	a = star_flow(&s, 1, 0);
	b = star_flow(&s, 2, 0);
	assert_percent(share(&s, slow, RATE), 10);
	assert_percent(share(&s, a, RATE), 45);
	assert_percent(share(&s, b, RATE), 45);
	star_stop(&s);
}
END_TEST

START_TEST(bulk_costs_few_events_and_replays)
{
	uint64_t hash[2];

	for (int i = 0; i < 2; i++) {
		struct star s;
		struct end *e;
		uint64_t events, got;

		star_start(&s, 0, RATE);
		e = star_flow(&s, 0, 2 * RATE);
		events = sim_events(s.w);
		got = e->got;
		sim_run_for(s.w, SECONDS(30));
		events = sim_events(s.w) - events;
		got = e->got - got;
		ck_assert_uint_ge(got, 28 * RATE);
		/* Per MiB 16 times: up, along, down, acknowledged, told at both ends. */
		ck_assert_uint_le(events * KIB(1024) / got, 90);
		hash[i] = sim_event_hash(s.w);
		star_stop(&s);
	}
	ck_assert_uint_eq(hash[0], hash[1]);
}
END_TEST

START_TEST(nodes_leave_with_bytes_in_their_lines)
{
	struct star s;
	struct end *e;

	star_start(&s, RATE, RATE);
	star_flow(&s, 0, RATE);
	star_flow(&s, 1, RATE);
	e = star_flow(&s, 2, RATE);
	sim_run_for(s.w, SECONDS(1));
	sim_node_kill(s.leaves[0], SIM_SILENT);
	sim_node_kill(s.leaves[1], SIM_KILLED);
	sim_node_bandwidth(s.leaves[2], 0, 0);
	sim_run_for(s.w, MILLISECONDS(100));
	assert_percent(share(&s, e, RATE), 100);
	star_stop(&s); /* the leak checker judges */
}
END_TEST

/* What waits for a line passes it together, however small the writes were. */
START_TEST(small_writes_are_no_more_events)
{
	static const uint8_t data[500];
	struct bytes part = bytes_of(data, sizeof(data));
	struct star s;
	struct end *e;
	uint64_t events, before;

	star_start(&s, 0, RATE);
	e = star_flow(&s, 0, RATE / 10);
	s.ends[0].sends = false;
	sim_run_for(s.w, SECONDS(10));
	conn_want(s.ends[0].conn, false, false);
	before = e->got;
	events = sim_events(s.w);
	for (int i = 0; i < 400; i++)
		ck_assert_int_eq(conn_write(s.ends[0].conn, &part, 1), sizeof(data));
	sim_run_for(s.w, SECONDS(10));
	ck_assert_uint_eq(e->got - before, 400 * sizeof(data));
	ck_assert_uint_le(sim_events(s.w) - events, 60);
	star_stop(&s);
}
END_TEST

/* A dead machine takes along what its line had not sent; a killed process leaves it to its kernel.
 */
START_TEST(what_waits_for_a_line_dies_with_the_machine)
{
	for (int how = SIM_KILLED; how <= SIM_SILENT; how++) {
		struct star s;
		struct end *e;
		uint64_t before;

		star_start(&s, 0, 0);
		e = star_flow(&s, 0, RATE / 10);
		sim_run_for(s.w, SECONDS(5));
		sim_node_kill(s.leaves[0], (enum sim_death)how);
		sim_run_for(s.w, MILLISECONDS(10));
		before = e->got;
		sim_run_for(s.w, SECONDS(5));
		if (how == SIM_SILENT)
			ck_assert_uint_eq(e->got, before);
		else
			ck_assert_uint_gt(e->got, before + KIB(64));
		star_stop(&s);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/line");

	suite_add(s, "line", 0, transfers_share_equally_at_any_moment,
	    lines_change_and_go_with_transfers_under_way,
	    datagrams_wait_for_transfers_and_slow_them, shares_follow_the_naive_model, NULL);
	suite_add(s, "streams", 0, two_senders_get_half_of_a_downlink_each,
	    two_streams_get_half_of_an_uplink_each, the_narrower_line_decides_and_the_rest_is_used,
	    bulk_costs_few_events_and_replays, nodes_leave_with_bytes_in_their_lines,
	    small_writes_are_no_more_events, what_waits_for_a_line_dies_with_the_machine, NULL);
	return suite_main(s);
}
