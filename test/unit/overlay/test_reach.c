/* Who becomes a server and why; what is answered to others; the vote on the address. */
#include "test/unit/overlay/net.h"

#include "overlay/base/msg.h"
#include "overlay/reach.h"
#include "overlay/reach_vote.h"

/* ---- the vote ---- */

START_TEST(vote_needs_two_that_agree)
{
	struct reach_votes v = { 0 };
	struct addr a = sim_addr(1, 5), b = sim_addr(2, 5), got;

	ck_assert(!reach_votes_winner(&v, &got));
	reach_votes_add(&v, 1, &a);
	ck_assert(reach_votes_winner(&v, &got));
	ck_assert(got.port == 0 && memcmp(got.ip, a.ip, sizeof(a.ip)) == 0);
	reach_votes_add(&v, 2, &b);
	ck_assert(!reach_votes_winner(&v, &got));
	a.port = 77; /* ports do not matter */
	reach_votes_add(&v, 3, &a);
	ck_assert(reach_votes_winner(&v, &got) && memcmp(got.ip, a.ip, sizeof(a.ip)) == 0);
	/* A crowd in one network is one voice. */
	for (int i = 0; i < 5; i++)
		reach_votes_add(&v, 2, &b);
	ck_assert(reach_votes_winner(&v, &got) && memcmp(got.ip, a.ip, sizeof(a.ip)) == 0);
	/* Among equals the newest. */
	reach_votes_add(&v, 4, &b);
	ck_assert(reach_votes_winner(&v, &got) && memcmp(got.ip, b.ip, sizeof(b.ip)) == 0);
}
END_TEST

START_TEST(changed_address_wins_in_time)
{
	struct reach_votes v = { 0 };
	struct addr old = sim_addr(1, 0), new = sim_addr(2, 0), got;

	for (uint64_t i = 0; i < 20; i++)
		reach_votes_add(&v, i, &old);
	ck_assert_uint_eq(v.count, REACH_VOTES_MAX);
	for (uint64_t i = 0; i < 5; i++)
		reach_votes_add(&v, 100 + i, &new);
	ck_assert_uint_eq(v.count, REACH_VOTES_MAX);
	ck_assert(reach_votes_winner(&v, &got) && memcmp(got.ip, new.ip, sizeof(new.ip)) == 0);
}
END_TEST

/* ---- the world ---- */

#define NODES 6

struct city {
	struct net net;
	struct reach *reach[NODES];
};

static void
enter(struct city *c, size_t i, struct reach_opts opts)
{
	opts.endpoint = c->net.nodes[i].ep;
	ck_assert_int_eq(reach_new(&opts, &c->reach[i]), ERR_OK);
}

static struct city *
city_new(void)
{
	struct city *c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	c->net = net_new(NODES, NULL);
	enter(c, 0, (struct reach_opts){ .first_node = true });
	return c;
}

static void
on_done(void *arg)
{
	*(bool *)arg = true;
}

static bool
flag(void *arg)
{
	return *(bool *)arg;
}

static void
city_free(struct city *c)
{
	for (size_t i = 0; i < NODES; i++) {
		bool done = false;

		if (c->reach[i] == NULL)
			continue;
		reach_shutdown(c->reach[i], on_done, &done);
		ck_assert(sim_run_until(c->net.world, flag, &done, MINUTES(1)));
	}
	net_free(&c->net);
	for (size_t i = 0; i < NODES; i++)
		reach_free(c->reach[i]);
	free(c);
}

static struct reach_status
status_of(const struct city *c, size_t i)
{
	struct reach_status s;

	reach_status(c->reach[i], &s);
	return s;
}

START_TEST(first_node_is_a_server_and_vouches_for_the_second)
{
	struct city *c = city_new();
	struct reach_status s = status_of(c, 0);
	char text[REACH_TEXT_MAX];

	ck_assert(s.reachable && s.why == REACH_FIRST && endpoint_is_server(c->net.nodes[0].ep));
	enter(c, 1, (struct reach_opts){ 0 });
	sim_run_for(c->net.world, SECONDS(10));
	s = status_of(c, 1);
	ck_assert(
	    !s.reachable && s.why == REACH_UNTRIED && !endpoint_is_server(c->net.nodes[1].ep));
	ck_assert_int_eq(net_call(&c->net, 1, 0, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, SECONDS(10));
	s = status_of(c, 1);
	ck_assert(
	    s.reachable && s.why == REACH_CONFIRMED && endpoint_is_server(c->net.nodes[1].ep));
	ck_assert(s.wanted == 1 && s.confirmed == 1);
	ck_assert(contact_equal(&s.by[0], &c->net.nodes[0].contact));
	ck_assert(addr_equal(&s.external, &c->net.nodes[1].contact.addr));
	reach_text(&s, text);
	ck_assert_ptr_nonnull(strstr(text, "reachable at "));
	ck_assert_ptr_nonnull(strstr(text, "confirmed by "));
	city_free(c);
}
END_TEST

START_TEST(three_confirm_when_there_are_more)
{
	struct city *c = city_new();
	struct reach_status s;

	for (size_t i = 1; i < NODES; i++) {
		enter(c, i, (struct reach_opts){ 0 });
		for (size_t k = 0; k < i; k++)
			ck_assert_int_eq(net_call(&c->net, i, k, ECHO, "", NULL), ERR_OK);
		sim_run_for(c->net.world, SECONDS(10));
		s = status_of(c, i);
		ck_assert_int_eq(s.why, REACH_CONFIRMED);
		ck_assert_uint_eq(s.wanted, MIN(i, REACH_CONFIRMS));
		ck_assert_uint_eq(s.confirmed, s.wanted);
		for (size_t a = 0; a < s.confirmed; a++)
			for (size_t b = 0; b < a; b++)
				ck_assert(!contact_equal(&s.by[a], &s.by[b]));
	}
	city_free(c);
}
END_TEST

/* A router that maps to a port where nobody listens, and later to the right one. */
static uint16_t router_port;

static void
fake_map(uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	(void)port, (void)outside_port;
	out->method = PORTMAP_NATPMP;
	out->external = sim_addr(1, router_port);
}

static void
fake_unmap(uint16_t port, const struct portmap_result *mapped)
{
	(void)port, (void)mapped;
}

START_TEST(closed_port_is_found_out_and_said)
{
	static const struct portmap_ops ops = { .map = fake_map, .unmap = fake_unmap };
	struct city *c = city_new();
	struct reach_status s;
	char text[REACH_TEXT_MAX];

	router_port = 9999;
	enter(c, 1, (struct reach_opts){ .portmap = true, .ops = &ops });
	ck_assert_int_eq(net_call(&c->net, 1, 0, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, SECONDS(30));
	s = status_of(c, 1);
	ck_assert(!s.reachable && s.why == REACH_FAILED && !endpoint_is_server(c->net.nodes[1].ep));
	ck_assert(contact_equal(&s.failed_by, &c->net.nodes[0].contact) && s.failed_err != ERR_OK);
	ck_assert_uint_eq(s.external.port, 9999);
	reach_text(&s, text);
	ck_assert_ptr_nonnull(strstr(text, "not reachable"));
	ck_assert_ptr_nonnull(strstr(text, "could not connect"));
	ck_assert_ptr_nonnull(strstr(text, "port 9999"));
	/* The next renewal brings the right one, and that a check. */
	router_port = 4000;
	sim_run_for(c->net.world, PORTMAP_RENEW + SECONDS(30));
	s = status_of(c, 1);
	ck_assert(s.reachable && s.why == REACH_CONFIRMED && s.external.port == 4000);
	city_free(c);
}
END_TEST

/* Behind some routers nobody ever is reachable: it is not asked every two minutes. */
static int
cannot_connect(void *arg, struct stream *s, const struct rpc_request *req)
{
	uint8_t packed[ADDR_PACKED_BYTES];
	struct packer p = packer_on(packed, sizeof(packed));
	struct msg_writer w;
	struct buf tail;
	int err;

	++*(unsigned *)arg;
	addr_pack(&p, &req->from.addr);
	buf_init(&tail, 64);
	w = msg_writer_on(&tail);
	msg_put_map(&w, 2);
	msg_pair_i64(&w, 1, ERR_TIMEOUT);
	msg_pair_bin(&w, 2, bytes_of(packed, sizeof(packed)));
	err = msg_done(&w);
	if (err == ERR_OK)
		err = stream_finish(s, ERR_OK, buf_bytes(&tail));
	buf_fini(&tail);
	return err;
}

START_TEST(out_of_reach_asks_ever_rarer)
{
	struct city *c = calloc(1, sizeof(*c));
	unsigned asked = 0, first;

	ck_assert_ptr_nonnull(c);
	c->net = net_new(NODES, NULL);
	for (size_t i = 1; i < NODES; i++) {
		endpoint_set_server(c->net.nodes[i].ep, true);
		endpoint_add_stream_method(c->net.nodes[i].ep,
		    &(struct stream_method){
			.number = METHOD_DIALBACK, .serve = cannot_connect, .arg = &asked });
	}
	enter(c, 0, (struct reach_opts){ 0 });
	for (size_t i = 1; i < NODES; i++)
		ck_assert_int_eq(net_call(&c->net, 0, i, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, SECONDS(30));
	first = asked;
	ck_assert_uint_eq(first, NODES - 1); /* all that there are */
	ck_assert_int_eq(status_of(c, 0).why, REACH_FAILED);
	/* After 2, 4, 8, 16 minutes, then each half an hour: eleven times, three are asked. */
	sim_run_for(c->net.world, HOURS(4));
	ck_assert_uint_eq(asked - first, 11 * REACH_CONFIRMS);
	/* Whoever says that something has changed has it looked at at once, and soon again. */
	reach_check_soon(c->reach[0]);
	sim_run_for(c->net.world, REACH_RETRY + SECONDS(30));
	ck_assert_uint_eq(asked - first, 13 * REACH_CONFIRMS);
	city_free(c);
}
END_TEST

START_TEST(who_knows_nobody_looks_ever_rarer)
{
	struct city *c = calloc(1, sizeof(*c));
	uint64_t before[SIM_EVENT_KINDS], after[SIM_EVENT_KINDS];

	ck_assert_ptr_nonnull(c);
	c->net = net_new(NODES, NULL);
	enter(c, 0, (struct reach_opts){ 0 });
	sim_run_for(c->net.world, MINUTES(5));
	sim_events_by_kind(c->net.world, before);
	sim_run_for(c->net.world, HOURS(1));
	sim_events_by_kind(c->net.world, after);
	/* Once a minute, and what that leads to. */
	ck_assert_uint_le(after[SIM_EVENT_TIMER] - before[SIM_EVENT_TIMER], 120);
	city_free(c);
}
END_TEST

/* Many start together, after an outage or an update: their later checks spread. */
START_TEST(later_checks_do_not_keep_step)
{
	struct city *c = city_new();
	uint64_t first[NODES], again[NODES] = { 0 };
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 1; i < NODES; i++) {
		enter(c, i, (struct reach_opts){ .assume_reachable = i < REACH_CONFIRMS });
		for (size_t k = 0; k < i; k++)
			ck_assert_int_eq(net_call(&c->net, i, k, ECHO, "", NULL), ERR_OK);
		sim_run_for(c->net.world, SECONDS(10));
		first[i] = status_of(c, i).checked_at;
	}
	for (int tick = 0; tick < 155; tick++) {
		sim_run_for(c->net.world, MINUTES(1));
		for (size_t i = REACH_CONFIRMS; i < NODES; i++)
			if (again[i] == 0 && status_of(c, i).checked_at != first[i])
				again[i] = status_of(c, i).checked_at - first[i];
	}
	for (size_t i = REACH_CONFIRMS; i < NODES; i++) {
		ck_assert_uint_ge(again[i], REACH_AGAIN - MINUTES(30));
		ck_assert_uint_le(again[i], REACH_AGAIN + MINUTES(31));
		least = MIN(least, again[i]);
		most = MAX(most, again[i]);
	}
	ck_assert_uint_gt(most - least, MINUTES(2));
	city_free(c);
}
END_TEST

/* In a simulated network that is years old nobody has just started. */
START_TEST(seeded_ones_are_between_two_checks)
{
	struct city *c = city_new();

	enter(c, 1, (struct reach_opts){ .assume_reachable = true, .seeded = true });
	ck_assert_int_eq(net_call(&c->net, 1, 0, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, MINUTES(3));
	ck_assert_uint_eq(status_of(c, 1).checked_at, 0);
	sim_run_for(c->net.world, REACH_AGAIN);
	ck_assert_uint_gt(status_of(c, 1).checked_at, 0);
	city_free(c);
}
END_TEST

START_TEST(silence_is_no_evidence)
{
	struct city *c = city_new();
	struct reach_status s;

	enter(c, 1, (struct reach_opts){ 0 });
	enter(c, 2, (struct reach_opts){ 0 });
	ck_assert_int_eq(net_call(&c->net, 1, 0, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, SECONDS(10));
	ck_assert_int_eq(net_call(&c->net, 2, 0, ECHO, "", NULL), ERR_OK);
	sim_node_kill(c->net.nodes[0].env, SIM_SILENT);
	sim_run_for(c->net.world, MINUTES(10));
	/* Who was a server stays one; who was none does not become one. */
	s = status_of(c, 1);
	ck_assert(s.reachable && s.why == REACH_CONFIRMED);
	s = status_of(c, 2);
	ck_assert(!s.reachable && s.why == REACH_UNANSWERED);
	city_free(c);
}
END_TEST

START_TEST(wishes_of_the_owner)
{
	struct city *c = city_new();
	struct reach_status s;

	enter(c, 1, (struct reach_opts){ .assume_reachable = true });
	s = status_of(c, 1);
	ck_assert(s.reachable && s.why == REACH_ASSUMED && endpoint_is_server(c->net.nodes[1].ep));
	node_stop(&c->net, &c->net.nodes[2]);
	node_start(&c->net, &c->net.nodes[2], 2, (struct endpoint_opts){ .client_only = true });
	enter(c, 2, (struct reach_opts){ .assume_reachable = true });
	ck_assert_int_eq(net_call(&c->net, 2, 0, ECHO, "", NULL), ERR_OK);
	sim_run_for(c->net.world, SECONDS(30));
	s = status_of(c, 2);
	ck_assert(!s.reachable && s.why == REACH_CLIENT);
	city_free(c);
}
END_TEST

/* ---- for others ---- */

struct ping_job {
	struct node *from, *to;
	struct addr seen;
};

static int
ping_task(void *arg)
{
	struct ping_job *j = arg;

	return reach_ping(j->from->ep, &j->to->contact, &j->seen);
}

START_TEST(ping_tells_the_address)
{
	struct city *c = city_new();
	struct ping_job j = { .from = &c->net.nodes[3], .to = &c->net.nodes[0] };

	ck_assert_int_eq(sim_run_task(c->net.world, j.from->env, ping_task, &j), ERR_OK);
	ck_assert(addr_equal(&j.seen, &j.from->contact.addr));
	city_free(c);
}
END_TEST

static int
dialback(struct city *c, size_t from, const char *head, size_t len)
{
	struct call_job j = { .from = &c->net.nodes[from],
		.to = &c->net.nodes[0],
		.method = METHOD_DIALBACK,
		.body = bytes_of(head, len),
		.opts = { .transport = RPC_SESSION } };
	int err;

	buf_init(&j.reply, 64);
	err = sim_run_task(c->net.world, j.from->env, call_task, &j);
	buf_fini(&j.reply);
	return err;
}

START_TEST(dialbacks_are_bounded)
{
	struct city *c = city_new();

	ck_assert_int_eq(dialback(c, 1, "", 0), ERR_INVALID);
	ck_assert_int_eq(dialback(c, 1, "\x81\x01\x00", 3), ERR_INVALID);
	ck_assert_int_eq(dialback(c, 1, "\x81\x01\xce\x00\x01\x00\x00", 7), ERR_INVALID);
	ck_assert_int_eq(dialback(c, 1, "\x81\x02\x07", 3), ERR_INVALID);
	for (int i = 0; i < REACH_DIAL_BURST; i++)
		ck_assert_int_eq(dialback(c, 1, "\x81\x01\x07", 3), ERR_OK);
	ck_assert_int_eq(dialback(c, 1, "\x81\x01\x07", 3), ERR_BUSY);
	ck_assert_int_eq(dialback(c, 2, "\x81\x01\x07", 3), ERR_OK);
	sim_run_for(c->net.world, REACH_DIAL_INTERVAL);
	ck_assert_int_eq(dialback(c, 1, "\x81\x01\x07", 3), ERR_OK);
	city_free(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/reach");

	suite_add(s, "vote", 0, vote_needs_two_that_agree, changed_address_wins_in_time, NULL);
	suite_add(s, "check", 20, first_node_is_a_server_and_vouches_for_the_second,
	    three_confirm_when_there_are_more, closed_port_is_found_out_and_said,
	    out_of_reach_asks_ever_rarer, who_knows_nobody_looks_ever_rarer,
	    later_checks_do_not_keep_step, seeded_ones_are_between_two_checks,
	    silence_is_no_evidence, wishes_of_the_owner, NULL);
	suite_add(s, "others", 0, ping_tells_the_address, dialbacks_are_bounded, NULL);
	return suite_main(s);
}
