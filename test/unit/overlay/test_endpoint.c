/* Datagram calls between endpoints: answers, errors, time, loss, peers, memory. */
#include <stdio.h>

#include "test/unit/overlay/net.h"

START_TEST(echo_comes_back)
{
	struct net net = net_new(2, NULL);
	const struct endpoint_counters *a, *b;
	struct peer_info info;
	char reply[64] = "";

	ck_assert_int_eq(net_call(&net, 0, 1, ECHO, "hello", reply), ERR_OK);
	ck_assert_str_eq(reply, "hello");
	ck_assert(endpoint_peer(net.nodes[0].ep, &net.nodes[1].contact.pub, &info));
	ck_assert(contact_equal(&info.contact, &net.nodes[1].contact));
	ck_assert(id_equal(&info.contact.id, &net.nodes[1].contact.id));
	ck_assert_uint_gt(info.srtt, MICROSECONDS(900));
	ck_assert_uint_lt(info.srtt, MILLISECONDS(2));
	ck_assert_uint_eq(info.version, PROTOCOL_VERSION);
	ck_assert_uint_gt(info.last_heard, 0);
	ck_assert(!info.server && !info.session && info.strikes == 0);
	a = endpoint_counters(net.nodes[0].ep);
	b = endpoint_counters(net.nodes[1].ep);
	ck_assert_uint_eq(a->calls, 1);
	ck_assert_uint_eq(a->calls_answered, 1);
	ck_assert_uint_eq(b->requests_in, 1);
	ck_assert_uint_eq(info.bytes_out, b->datagram_bytes_in);
	ck_assert_uint_eq(info.bytes_in, a->datagram_bytes_in);
	net_free(&net);
}
END_TEST

START_TEST(errors_come_back)
{
	struct net net = net_new(2, NULL);

	ck_assert_int_eq(net_call(&net, 0, 1, FAIL, "", NULL), ERR_NOT_FOUND);
	ck_assert_int_eq(net_call(&net, 0, 1, NOBODYS, "", NULL), ERR_UNSUPPORTED);
	ck_assert_int_eq(net_call(&net, 0, 1, IN_SESSION, "", NULL), ERR_UNSUPPORTED);
	ck_assert_uint_eq(endpoint_counters(net.nodes[1].ep)->requests_unknown, 2);
	ck_assert_uint_eq(net.nodes[1].answered, 1);
	net_free(&net);
}
END_TEST

static void
never(struct rpc_call *c, int err, struct bytes reply)
{
	(void)c, (void)err, (void)reply;
	ck_abort_msg("done was called");
}

START_TEST(nonsense_is_refused_at_once)
{
	static const uint8_t big[RPC_DATAGRAM_BODY_MAX + 1];
	struct net net = net_new(2, NULL);
	struct endpoint *ep = net.nodes[0].ep;
	struct rpc_call c = { .done = never };
	struct contact to = net.nodes[1].contact;
	struct bytes none = bytes_of(NULL, 0);

	ck_assert_int_eq(rpc_start(ep, &c, &net.nodes[0].contact, ECHO, none, 0), ERR_INVALID);
	to.addr = (struct addr){ .family = ADDR_NONE };
	ck_assert_int_eq(rpc_start(ep, &c, &to, ECHO, none, 0), ERR_INVALID);
	to.addr = (struct addr){ .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = 9 };
	ck_assert_int_eq(rpc_start(ep, &c, &to, ECHO, none, 0), ERR_INVALID);
	to = net.nodes[1].contact;
	ck_assert_int_eq(rpc_start(ep, &c, &to, ECHO, bytes_of(big, sizeof(big)), 0), ERR_TOO_BIG);
	memset(&to.pub, 0, sizeof(to.pub));
	ck_assert_int_eq(rpc_start(ep, &c, &to, ECHO, none, 0), ERR_AUTH);
	rpc_abandon(&c);
	net_free(&net);
}
END_TEST

/* ---- time ---- */

struct timed {
	struct rpc_call call;
	struct net *net;
	uint64_t start, slow_at, done_at;
	int err;
	unsigned slows, dones;
};

static void
timed_done(struct rpc_call *c, int err, struct bytes reply)
{
	struct timed *t = c->arg;

	(void)reply;
	t->dones++;
	t->done_at = sim_now(t->net->world) - t->start;
	t->err = err;
}

static void
timed_slow(struct rpc_call *c)
{
	struct timed *t = c->arg;

	t->slows++;
	t->slow_at = sim_now(t->net->world) - t->start;
}

static void
timed_start(struct timed *t, struct net *net, size_t from, size_t to, uint64_t timeout)
{
	*t = (struct timed){ .call = { .done = timed_done, .slow = timed_slow, .arg = t },
		.net = net,
		.start = sim_now(net->world) };
	ck_assert_int_eq(rpc_start(net->nodes[from].ep, &t->call, &net->nodes[to].contact, ECHO,
			     bytes_of("x", 1), timeout),
	    ERR_OK);
}

/* One to a peer that does not know our address: what it was, on the wire. */
static uint64_t
asked_bytes(uint16_t answer_max, int want)
{
	struct net net = net_new(2, NULL);
	struct timed t = { .call = { .done = timed_done, .arg = &t, .answer_max = answer_max },
		.net = &net };
	uint64_t asked, answered;

	ck_assert_int_eq(rpc_start(net.nodes[0].ep, &t.call, &net.nodes[1].contact, ECHO,
			     bytes_of("eight by", 8), 0),
	    ERR_OK);
	sim_run_for(net.world, SECONDS(2));
	ck_assert_uint_eq(t.dones, 1);
	ck_assert_int_eq(t.err, want);
	asked = endpoint_counters(net.nodes[0].ep)->datagram_bytes_out;
	answered = endpoint_counters(net.nodes[1].ep)->datagram_bytes_out;
	ck_assert_uint_gt(answered, 0);
	ck_assert_uint_le(answered, asked);
	net_free(&net);
	return asked;
}

START_TEST(who_expects_little_pads_little)
{
	uint64_t least = asked_bytes(8, ERR_OK);

	ck_assert_uint_lt(least, 300);
	/* The padding is for the body that was said, to the byte. */
	ck_assert_uint_eq(asked_bytes(108, ERR_OK), least + 100);
	ck_assert_uint_gt(asked_bytes(0, ERR_OK), SEALED_DATAGRAM_MAX - 2 * SEALED_COOKIE_BYTES);
	ck_assert_uint_eq(asked_bytes(UINT16_MAX, ERR_OK), asked_bytes(0, ERR_OK));
	/* More than was expected is not sent, but that is said. */
	(void)asked_bytes(1, ERR_TOO_BIG);
}
END_TEST

static bool
all_blocked(void *arg, const struct addr *from, const struct addr *to)
{
	(void)arg, (void)from, (void)to;
	return true;
}

START_TEST(silence_is_slow_then_a_strike)
{
	struct net net = net_new(2, NULL);
	struct peer_info info;
	struct timed t;

	sim_partition(net.world, all_blocked, NULL);
	timed_start(&t, &net, 0, 1, 0);
	sim_run_for(net.world, SECONDS(10));
	ck_assert_uint_eq(t.slows, 1);
	ck_assert_uint_eq(t.slow_at, CALL_SLOW_UNKNOWN);
	ck_assert_uint_eq(t.dones, 1);
	ck_assert_uint_eq(t.done_at, RPC_TIMEOUT);
	ck_assert_int_eq(t.err, ERR_TIMEOUT);
	ck_assert(endpoint_peer(net.nodes[0].ep, &net.nodes[1].contact.pub, &info));
	ck_assert_uint_eq(info.strikes, 1);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->calls_timeout, 1);
	/* A time of its own, shorter than slow: no slow. */
	timed_start(&t, &net, 0, 1, MILLISECONDS(200));
	sim_run_for(net.world, SECONDS(10));
	ck_assert(t.slows == 0 && t.dones == 1 && t.done_at == MILLISECONDS(200));
	sim_partition(net.world, NULL, NULL);
	ck_assert_int_eq(net_call(&net, 0, 1, ECHO, "", NULL), ERR_OK);
	ck_assert(endpoint_peer(net.nodes[0].ep, &net.nodes[1].contact.pub, &info));
	ck_assert_uint_eq(info.strikes, 0);
	net_free(&net);
}
END_TEST

START_TEST(slow_follows_the_round_trip)
{
	struct net net = net_new(2, NULL);
	struct peer_info info;
	struct timed t;

	ck_assert_int_eq(net_call(&net, 0, 1, ECHO, "", NULL), ERR_OK);
	ck_assert(endpoint_peer(net.nodes[0].ep, &net.nodes[1].contact.pub, &info));
	sim_partition(net.world, all_blocked, NULL);
	timed_start(&t, &net, 0, 1, 0);
	sim_run_for(net.world, SECONDS(1));
	ck_assert_uint_eq(t.slow_at, info.srtt / 5 * 8 + CALL_SLOW_SLACK);
	rpc_abandon(&t.call);
	net_free(&net);
}
END_TEST

/* Node number 9 behind a line that adds so much to each round trip. */
static struct node *
far_node(struct net *net, struct node *n, uint64_t access_ns)
{
	*n = (struct node){ .env = sim_node_add(net->world,
				&(struct sim_node_opts){
				    .ip = sim_addr(9, 0), .region = 0, .access_ns = access_ns }) };
	ck_assert_ptr_nonnull(n->env);
	node_start(net, n, 9, (struct endpoint_opts){ .net = { { 0 } } });
	return n;
}

START_TEST(late_answer_still_counts)
{
	struct net net = net_new(1, NULL);
	struct peer_info info;
	struct node far;
	struct timed t;

	far_node(&net, &far, MILLISECONDS(700));
	t = (struct timed){ .call = { .done = timed_done, .slow = timed_slow, .arg = &t },
		.net = &net,
		.start = sim_now(net.world) };
	ck_assert_int_eq(
	    rpc_start(net.nodes[0].ep, &t.call, &far.contact, ECHO, bytes_of("x", 1), 0), ERR_OK);
	sim_run_for(net.world, SECONDS(5));
	ck_assert_uint_eq(t.slows, 1);
	ck_assert_int_eq(t.err, ERR_OK);
	ck_assert_uint_ge(t.done_at, MILLISECONDS(600));
	ck_assert(endpoint_peer(net.nodes[0].ep, &far.contact.pub, &info));
	ck_assert_uint_ge(info.srtt, MILLISECONDS(600));
	node_stop(&net, &far);
	sim_node_remove(far.env);
	net_free(&net);
}
END_TEST

START_TEST(abandoned_call_is_silent)
{
	struct net net = net_new(2, NULL);
	struct endpoint_load load;
	struct rpc_call c = { .done = never };

	ck_assert_int_eq(
	    rpc_start(net.nodes[0].ep, &c, &net.nodes[1].contact, ECHO, bytes_of("x", 1), 0),
	    ERR_OK);
	endpoint_load(net.nodes[0].ep, &load);
	ck_assert_uint_eq(load.calls, 1);
	rpc_abandon(&c);
	rpc_abandon(&c);
	sim_run_for(net.world, SECONDS(5));
	endpoint_load(net.nodes[0].ep, &load);
	ck_assert_uint_eq(load.calls, 0);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->drop_replay, 1);
	net_free(&net);
}
END_TEST

START_TEST(calls_are_bounded_and_end_with_the_endpoint)
{
	struct net net = net_new(2, NULL);
	struct timed *t = calloc(CALLS_MAX, sizeof(*t));
	struct rpc_call one_more = { .done = never };

	sim_partition(net.world, all_blocked, NULL);
	for (size_t i = 0; i < CALLS_MAX; i++)
		timed_start(&t[i], &net, 0, 1, 0);
	ck_assert_int_eq(
	    rpc_start(net.nodes[0].ep, &one_more, &net.nodes[1].contact, ECHO, bytes_of("x", 1), 0),
	    ERR_BUSY);
	/* A place that is free again is used. */
	rpc_abandon(&t[17].call);
	timed_start(&t[17], &net, 0, 1, 0);
	node_stop(&net, &net.nodes[0]);
	for (size_t i = 0; i < CALLS_MAX; i++)
		ck_assert(t[i].dones == 1 && t[i].err == ERR_CANCELED);
	free(t);
	net_free(&net);
}
END_TEST

START_TEST(lossy_network_needs_only_retries)
{
	struct net net = net_new(2,
	    &(struct sim_opts){ .seed = 3,
		.faults = { .loss_ppm = 200000, .duplicate_ppm = 50000, .reorder_ppm = 50000 } });
	unsigned tries = 0;

	for (int i = 0; i < 100; i++) {
		char reply[64] = "", body[16];
		int err = ERR_TIMEOUT;

		snprintf(body, sizeof(body), "%d", i);
		for (int k = 0; k < 20 && err == ERR_TIMEOUT; k++, tries++)
			err = net_call(&net, 0, 1, ECHO, body, reply);
		ck_assert_int_eq(err, ERR_OK);
		ck_assert_str_eq(reply, body);
	}
	ck_assert_uint_gt(tries, 120); /* 1 / 0.64 each */
	ck_assert_uint_lt(tries, 240);
	net_free(&net);
}
END_TEST

/* ---- peers ---- */

struct witness {
	unsigned heard, answered, failed;
	bool proven;
	struct contact last;
};

static void
saw_heard(void *arg, const struct contact *from, bool proven)
{
	struct witness *w = arg;

	w->heard++;
	w->proven = proven;
	w->last = *from;
}

static void
saw_answered(void *arg, const struct contact *to, uint64_t rtt)
{
	struct witness *w = arg;

	ck_assert_uint_gt(rtt, 0);
	w->answered++;
	w->last = *to;
}

static void
saw_failed(void *arg, const struct contact *to, int err)
{
	struct witness *w = arg;

	ck_assert_int_eq(err, ERR_TIMEOUT);
	w->failed++;
	w->last = *to;
}

START_TEST(observer_sees_servers_answers_failures)
{
	struct net net = net_new(3, NULL);
	struct witness w = { 0 };

	endpoint_set_observer(net.nodes[0].ep,
	    &(struct endpoint_observer){
		.heard = saw_heard, .answered = saw_answered, .failed = saw_failed, .arg = &w });
	ck_assert_int_eq(net_call(&net, 1, 0, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(w.heard, 0); /* a client */
	endpoint_set_server(net.nodes[1].ep, true);
	ck_assert(endpoint_is_server(net.nodes[1].ep));
	ck_assert_int_eq(net_call(&net, 1, 0, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(w.heard, 1);
	ck_assert(w.proven); /* with the token of the first answer */
	ck_assert(contact_equal(&w.last, &net.nodes[1].contact));
	endpoint_set_server(net.nodes[2].ep, true);
	ck_assert_int_eq(net_call(&net, 2, 0, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(w.heard, 2);
	ck_assert(!w.proven);
	endpoint_set_server(net.nodes[2].ep, false);
	ck_assert_int_eq(net_call(&net, 0, 2, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(w.answered, 1);
	ck_assert(contact_equal(&w.last, &net.nodes[2].contact));
	sim_partition(net.world, all_blocked, NULL);
	ck_assert_int_eq(net_call(&net, 0, 2, ECHO, "", NULL), ERR_TIMEOUT);
	ck_assert_uint_eq(w.failed, 1);
	net_free(&net);
}
END_TEST

START_TEST(peers_are_listed_newest_first)
{
	struct net net = net_new(4, NULL);
	struct peer_info infos[8];

	for (size_t i = 1; i < 4; i++) {
		ck_assert_int_eq(net_call(&net, 0, i, ECHO, "", NULL), ERR_OK);
		sim_run_for(net.world, SECONDS(1));
	}
	endpoint_blame(net.nodes[0].ep, &net.nodes[2].contact, "gave wrong bytes");
	ck_assert_uint_eq(endpoint_peers(net.nodes[0].ep, infos, 8), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert(contact_equal(&infos[i].contact, &net.nodes[3 - i].contact));
	ck_assert(infos[1].blames == 1 && infos[0].blames == 0);
	ck_assert_uint_eq(endpoint_peers(net.nodes[0].ep, infos, 2), 2);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->blames, 1);
	net_free(&net);
}
END_TEST

/* ---- sessions ---- */

static int
call_in_session(struct net *net, size_t from, const struct node *to, uint16_t method,
    struct bytes body, size_t *reply_len)
{
	struct node copy = *to;
	struct call_job j = { .from = &net->nodes[from],
		.to = &copy,
		.method = method,
		.body = body,
		.opts = { .transport = RPC_SESSION } };
	int err;

	buf_init(&j.reply, RPC_HEAD_BYTES_MAX);
	err = sim_run_task(net->world, j.from->env, call_task, &j);
	if (reply_len != NULL)
		*reply_len = j.reply.len;
	buf_fini(&j.reply);
	return err;
}

START_TEST(session_carries_calls)
{
	static const uint8_t big[10000] = { 1 };
	struct net net = net_new(2, NULL);
	struct node *to = &net.nodes[1];
	struct peer_info info;
	struct node liar = *to;
	size_t len = 0;

	ck_assert_int_eq(
	    call_in_session(&net, 0, to, IN_SESSION, bytes_of(big, sizeof(big)), &len), ERR_OK);
	ck_assert_uint_eq(len, sizeof(big));
	ck_assert(to->last_proven);
	ck_assert_int_eq(call_in_session(&net, 0, to, ECHO, bytes_of("x", 1), &len), ERR_OK);
	ck_assert_uint_eq(len, 1);
	ck_assert_int_eq(call_in_session(&net, 0, to, FAIL, bytes_of("", 0), NULL), ERR_NOT_FOUND);
	ck_assert_int_eq(
	    call_in_session(&net, 0, to, NOBODYS, bytes_of("", 0), NULL), ERR_UNSUPPORTED);
	ck_assert(endpoint_peer(net.nodes[0].ep, &to->contact.pub, &info));
	ck_assert(info.session && info.srtt > 0 && info.bytes_out > sizeof(big));
	ck_assert(endpoint_peer(to->ep, &net.nodes[0].contact.pub, &info));
	ck_assert(info.session && contact_equal(&info.contact, &net.nodes[0].contact));
	/* The key that was asked for must be the one that answers. */
	liar.contact.pub = net.nodes[0].contact.pub;
	liar.contact.pub.b[0] ^= 1;
	ck_assert_int_ne(call_in_session(&net, 0, &liar, ECHO, bytes_of("", 0), NULL), ERR_OK);
	net_free(&net);
}
END_TEST

struct stream_job {
	struct node *from, *to;
	uint8_t status;
};

static int
stream_task(void *arg)
{
	struct stream_job *j = arg;
	struct stream *s;
	struct buf tail;
	int err = stream_open(j->from->ep, &j->to->contact, SERVE, bytes_of("head", 4), &s);

	if (err != ERR_OK)
		return err;
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	err = stream_write(s, bytes_of(&j->status, 1));
	if (err == ERR_OK)
		err = stream_finish(s, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = stream_read_tail(s, &tail);
	stream_close(s);
	buf_fini(&tail);
	return err;
}

START_TEST(stream_methods_run_as_tasks)
{
	struct net net = net_new(2, NULL);
	struct stream_job j = { .from = &net.nodes[0], .to = &net.nodes[1] };

	ck_assert_int_eq(sim_run_task(net.world, j.from->env, stream_task, &j), ERR_OK);
	ck_assert(net.nodes[1].last_proven);
	j.status = (uint8_t)-ERR_STALE;
	ck_assert_int_eq(sim_run_task(net.world, j.from->env, stream_task, &j), ERR_STALE);
	ck_assert_uint_eq(net.nodes[1].answered, 2);
	net_free(&net);
}
END_TEST

/* ---- time of all ---- */

START_TEST(clocks_of_peers_make_agreed_time)
{
	struct net net = net_new(1, NULL);
	static const int64_t off[6] = { 100, -200, 300, 400, 100000000, 200 };
	struct node others[6];
	struct agreed_time t;
	struct buf reply;

	endpoint_agreed_time(net.nodes[0].ep, &t);
	ck_assert(!t.trusted);
	for (uint32_t i = 0; i < 6; i++) {
		others[i] = (struct node){ .env = sim_node_add(net.world,
					       &(struct sim_node_opts){ .ip = sim_addr(20 + i, 0),
						   .region = 0,
						   .clock_offset_ms = off[i] }) };
		node_start(&net, &others[i], 20 + i, (struct endpoint_opts){ .net = { { 0 } } });
	}
	buf_init(&reply, 64);
	for (size_t i = 0; i < 6; i++) {
		struct call_job j = { .from = &net.nodes[0], .to = &others[i], .method = ECHO };

		buf_init(&j.reply, 64);
		ck_assert_int_eq(sim_run_task(net.world, j.from->env, call_task, &j), ERR_OK);
		buf_fini(&j.reply);
	}
	endpoint_agreed_time(net.nodes[0].ep, &t);
	ck_assert(t.trusted);
	ck_assert_uint_eq(t.peers, 6);
	/* Of −200, 0, 100, 200, 300, 400 and a liar. */
	ck_assert_int_le(llabs((long long)(t.unix_ms - env_wall_ms(net.nodes[0].env)) - 200), 2);
	endpoint_agreed_time_restore(net.nodes[0].ep, t.unix_ms + 7200000);
	endpoint_agreed_time(net.nodes[0].ep, &t);
	ck_assert(!t.trusted);
	for (size_t i = 0; i < 6; i++) {
		node_stop(&net, &others[i]);
		sim_node_remove(others[i].env);
	}
	net_free(&net);
}
END_TEST

/* ---- many ---- */

#define MANY               1000
#define ENDPOINT_BYTES_MAX KIB(16)

START_TEST(a_thousand_endpoints_are_cheap)
{
	struct net net = net_new(MANY, NULL);
	struct endpoint_load load;
	size_t idle;

	endpoint_load(net.nodes[0].ep, &load);
	idle = load.bytes;
	ck_assert_uint_lt(idle, ENDPOINT_BYTES_MAX / 2);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_int_eq(net_call(&net, i, (i * 7 + 1) % MANY, ECHO, "hi", NULL), ERR_OK);
	for (size_t i = 0; i < MANY; i++) {
		endpoint_load(net.nodes[i].ep, &load);
		ck_assert_uint_lt(load.bytes, ENDPOINT_BYTES_MAX);
		ck_assert_uint_le(load.peers, 2);
	}
	net_free(&net);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/endpoint");

	suite_add(s, "call", 0, echo_comes_back, errors_come_back, nonsense_is_refused_at_once,
	    abandoned_call_is_silent, calls_are_bounded_and_end_with_the_endpoint,
	    lossy_network_needs_only_retries, NULL);
	suite_add(s, "time", 0, who_expects_little_pads_little, silence_is_slow_then_a_strike,
	    slow_follows_the_round_trip, late_answer_still_counts, clocks_of_peers_make_agreed_time,
	    NULL);
	suite_add(s, "peers", 0, observer_sees_servers_answers_failures,
	    peers_are_listed_newest_first, NULL);
	suite_add(s, "sessions", 0, session_carries_calls, stream_methods_run_as_tasks, NULL);
	suite_add(s, "many", 60, a_thousand_endpoints_are_cheap, NULL);
	return suite_main(s);
}
