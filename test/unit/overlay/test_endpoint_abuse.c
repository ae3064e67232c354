/*
 * What strangers may try: floods with and without keys, forged sizes, foreign networks, flipped
 * bits, old datagrams. Each is counted, none gains, and others are served meanwhile.
 */
#include <stdio.h>

#include "test/unit/overlay/net.h"

/* A node that speaks bytes: it knows the format, and keeps no rule. */
struct raw {
	struct env *env;
	struct udp *udp;
	struct identity who;
	struct sealed_keys keys;
	struct addr to;
	size_t received;
	size_t last_len, longest;
	uint8_t last[SEALED_DATAGRAM_MAX];
	struct envelope envelope; /* of the last, when it opened */
	uint8_t plain[SEALED_DATAGRAM_MAX];
};

static void
raw_receive(void *arg, const struct addr *from, struct bytes data)
{
	struct raw *r = arg;
	struct sealed_header h;
	size_t len;

	(void)from;
	ck_assert_uint_le(data.len, sizeof(r->last));
	r->received++;
	r->last_len = data.len;
	r->longest = MAX(r->longest, data.len);
	memcpy(r->last, data.data, data.len);
	if (sealed_peek(data, &test_net, &h) == ERR_OK && h.type != SEALED_CHALLENGE &&
	    sealed_open(data, &h, &r->keys.rx, r->plain, &len) == ERR_OK)
		ck_assert_int_eq(envelope_unpack(bytes_of(r->plain, len), &r->envelope), ERR_OK);
}

static struct raw *
raw_new(struct net *net, uint32_t number, const struct node *to)
{
	struct raw *r = calloc(1, sizeof(*r));
	struct addr bind = sim_addr(number, 5000);

	ck_assert_ptr_nonnull(r);
	r->env = sim_node_add(net->world, &(struct sim_node_opts){ .ip = bind, .region = -1 });
	ck_assert_ptr_nonnull(r->env);
	ck_assert_int_eq(
	    env_udp_open(r->env,
		&(struct udp_opts){ .bind = bind, .receive = raw_receive, .arg = r }, &r->udp),
	    ERR_OK);
	test_identity(number, &r->who);
	ck_assert_int_eq(
	    sealed_keys_derive(&r->who, &to->contact.pub, &test_net, &r->keys), ERR_OK);
	r->to = to->contact.addr;
	return r;
}

static void
raw_free(struct raw *r)
{
	udp_close(r->udp);
	sim_node_remove(r->env);
	free(r);
}

static size_t
raw_seal(struct raw *r, const struct envelope *e, size_t pad_to, const uint8_t *cookie,
    uint8_t wire[SEALED_DATAGRAM_MAX])
{
	struct sealed_header h = { .type = SEALED_PLAIN, .net = test_net, .sender = r->who.pub };
	struct buf plain;
	size_t len;

	if (cookie != NULL) {
		h.type = SEALED_COOKIE;
		memcpy(h.cookie, cookie, sizeof(h.cookie));
	}
	env_random(r->env, h.nonce, sizeof(h.nonce));
	buf_init(&plain, SEALED_BODY_MAX);
	ck_assert_int_eq(envelope_pack(e, pad_to, &plain), ERR_OK);
	ck_assert_int_eq(sealed_pack(&h, &r->keys.tx, buf_bytes(&plain), wire, &len), ERR_OK);
	buf_fini(&plain);
	return len;
}

static void
raw_send(struct net *net, struct raw *r, const uint8_t *wire, size_t len)
{
	(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
	sim_run_for(net->world, MILLISECONDS(10));
}

static struct envelope
request(uint16_t method)
{
	return (struct envelope){ .kind = ENVELOPE_REQUEST,
		.id = 42,
		.method = method,
		.sent_ms = SIM_EPOCH_MS,
		.version = 1 };
}

/* ---- size ---- */

START_TEST(no_answer_is_longer_than_an_unproven_request)
{
	struct net net = net_new(1, NULL);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	uint16_t methods[] = { FILL, FAIL, ECHO, NOBODYS };
	uint8_t wire[SEALED_DATAGRAM_MAX];

	for (size_t pad = 0; pad <= SEALED_BODY_MAX; pad += 8) {
		struct envelope e = request(methods[pad / 8 % ARRAY_LEN(methods)]);
		size_t len = raw_seal(r, &e, pad, NULL, wire);

		r->longest = 0;
		raw_send(&net, r, wire, len);
		sim_run_for(net.world, MILLISECONDS(50)); /* stays below the rate for strangers */
		ck_assert_uint_le(r->longest, len);
		if (pad > 200)
			ck_assert_uint_gt(r->longest, 0);
	}
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->drop_rate, 0);
	ck_assert_uint_eq(r->envelope.id, 42);
	raw_free(r);
	net_free(&net);
}
END_TEST

START_TEST(token_opens_the_full_size)
{
	struct net net = net_new(1, NULL);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	struct envelope e = request(FILL);
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len = raw_seal(r, &e, 300, NULL, wire);

	raw_send(&net, r, wire, len);
	ck_assert(!net.nodes[0].last_proven);
	ck_assert(r->envelope.has_token && r->last_len <= len);
	e.has_token = true;
	memcpy(e.token, r->envelope.token, sizeof(e.token));
	raw_send(&net, r, wire, raw_seal(r, &e, 0, NULL, wire));
	ck_assert(net.nodes[0].last_proven);
	ck_assert_uint_eq(r->envelope.body.len, RPC_DATAGRAM_BODY_MAX);
	ck_assert_uint_le(r->last_len, DATAGRAM_BYTES_MAX);
	raw_free(r);
	net_free(&net);
}
END_TEST

START_TEST(token_is_for_one_address_and_key_and_time)
{
	struct net net = net_new(1, NULL);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]), *other = raw_new(&net, 10, &net.nodes[0]);
	struct envelope e = request(ECHO);
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len;

	raw_send(&net, r, wire, raw_seal(r, &e, 300, NULL, wire));
	e.has_token = true;
	memcpy(e.token, r->envelope.token, sizeof(e.token));
	/* The same bytes from elsewhere; another key; the right one, much later. */
	len = raw_seal(r, &e, 0, NULL, wire);
	raw_send(&net, other, wire, len);
	ck_assert_uint_le(other->last_len, len);
	len = raw_seal(other, &e, 0, NULL, wire);
	raw_send(&net, other, wire, len);
	ck_assert_int_eq(other->envelope.kind, ENVELOPE_RETRY);
	ck_assert_uint_le(other->last_len, len);
	sim_run_for(net.world, 2 * TOKEN_EPOCH);
	raw_send(&net, r, wire, raw_seal(r, &e, 0, NULL, wire));
	ck_assert_int_eq(r->envelope.kind, ENVELOPE_RETRY);
	ck_assert_uint_eq(net.nodes[0].answered, 1);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->tokens_stale, 3);
	raw_free(r);
	raw_free(other);
	net_free(&net);
}
END_TEST

START_TEST(restarted_peer_costs_a_round_trip_not_a_call)
{
	struct net net = net_new(2, NULL);

	ck_assert_int_eq(net_call(&net, 0, 1, ECHO, "", NULL), ERR_OK);
	node_stop(&net, &net.nodes[1]);
	node_start(&net, &net.nodes[1], 1, (struct endpoint_opts){ .net = { { 0 } } });
	ck_assert_int_eq(net_call(&net, 0, 1, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(endpoint_counters(net.nodes[1].ep)->tokens_stale, 1);
	ck_assert(net.nodes[1].last_proven);
	net_free(&net);
}
END_TEST

/* ---- floods ---- */

/* A header with a key that nobody has, and noise behind it. */
static size_t
noise_datagram(struct raw *r, uint8_t wire[SEALED_DATAGRAM_MAX])
{
	struct envelope e = request(ECHO);
	size_t len = raw_seal(r, &e, 200, NULL, wire);

	env_random(r->env, wire + 8, len - 8);
	return len;
}

static void
count_done(struct rpc_call *c, int err, struct bytes reply)
{
	(void)reply;
	*(int *)c->arg = err;
}

#define NEWCOMERS 8

START_TEST(flood_of_keys_is_challenged_and_others_are_served)
{
	struct net net = net_new(2 + NEWCOMERS, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 99, &net.nodes[0]);
	struct rpc_call calls[1 + NEWCOMERS];
	int errs[1 + NEWCOMERS];
	uint8_t wire[SEALED_DATAGRAM_MAX];

	ck_assert_int_eq(net_call(&net, 1, 0, ECHO, "", NULL), ERR_OK);
	for (int i = 0; i < 6000; i++) {
		size_t len = noise_datagram(r, wire), k = (size_t)(i - 3000) / 20;

		(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
		if (i % 10 == 9)
			sim_run_for(net.world, MILLISECONDS(1));
		/* A known peer and unknown ones, in the midst of it. */
		if (i < 3000 || i % 20 != 0 || k > NEWCOMERS)
			continue;
		errs[k] = 1;
		calls[k] = (struct rpc_call){ .done = count_done, .arg = &errs[k] };
		ck_assert_int_eq(rpc_start(net.nodes[1 + k].ep, &calls[k], &net.nodes[0].contact,
				     ECHO, bytes_of("x", 1), 0),
		    ERR_OK);
	}
	sim_run_for(net.world, MILLISECONDS(10));
	for (size_t k = 0; k <= NEWCOMERS; k++)
		ck_assert_int_eq(errs[k], ERR_OK);
	ck_assert_uint_gt(n->cookies_good, NEWCOMERS / 2);
	ck_assert_uint_gt(n->drop_agreement, 4500);
	ck_assert_uint_le(6000 - n->drop_agreement, AGREEMENTS_PER_S / 2 + AGREEMENTS_PER_S);
	ck_assert_uint_eq(n->cookies_sent, n->drop_agreement);
	ck_assert_uint_le(r->longest, 280);
	raw_free(r);
	net_free(&net);
}
END_TEST

START_TEST(cookie_of_another_is_bad)
{
	struct net net = net_new(1, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]), *other = raw_new(&net, 10, &net.nodes[0]);
	struct envelope e = request(ECHO);
	struct sealed_header h;
	uint8_t wire[SEALED_DATAGRAM_MAX];

	for (int i = 0; i < 400; i++) {
		size_t len = noise_datagram(r, wire);

		(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
	}
	sim_run_for(net.world, MILLISECONDS(1)); /* before another agreement is free */
	raw_send(&net, r, wire, raw_seal(r, &e, 200, NULL, wire));
	ck_assert_int_eq(sealed_peek(bytes_of(r->last, r->last_len), &test_net, &h), ERR_OK);
	ck_assert_int_eq(h.type, SEALED_CHALLENGE);
	raw_send(&net, other, wire, raw_seal(other, &e, 200, h.cookie, wire));
	ck_assert_uint_eq(n->cookies_bad, 1);
	raw_send(&net, r, wire, raw_seal(r, &e, 200, h.cookie, wire));
	ck_assert_uint_eq(n->cookies_bad, 1);
	ck_assert(net.nodes[0].last_proven);
	raw_free(r);
	raw_free(other);
	net_free(&net);
}
END_TEST

START_TEST(flood_of_one_is_refused_and_others_are_served)
{
	struct net net = net_new(3, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	struct envelope e = request(ECHO);
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len;

	/* Not proven: silence. */
	for (int i = 0; i < 1000; i++) {
		len = raw_seal(r, &e, 200, NULL, wire);
		(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
	}
	sim_run_for(net.world, MILLISECONDS(10));
	ck_assert_uint_le(r->received, 2 * REQUESTS_PER_S_UNPROVEN + 1);
	ck_assert_uint_ge(n->drop_rate, 1000 - 2 * REQUESTS_PER_S_UNPROVEN - 1);
	/* Proven: it is told. */
	e.has_token = true;
	memcpy(e.token, r->envelope.token, sizeof(e.token));
	r->received = 0;
	for (int i = 0; i < 3000; i++) {
		len = raw_seal(r, &e, 0, NULL, wire);
		(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
	}
	ck_assert_int_eq(net_call(&net, 1, 0, ECHO, "", NULL), ERR_OK);
	ck_assert_int_eq(net_call(&net, 2, 0, ECHO, "", NULL), ERR_OK);
	ck_assert_uint_eq(r->received, 3000);
	ck_assert_int_eq(r->envelope.status, ERR_BUSY);
	ck_assert_uint_le(
	    net.nodes[0].answered, 2 * REQUESTS_PER_S_NETWORK + 2 * REQUESTS_PER_S_UNPROVEN + 10);
	raw_free(r);
	net_free(&net);
}
END_TEST

/* A token that proves nothing is answered by a retry: that is an answer as well. */
START_TEST(flood_of_false_tokens_is_dropped)
{
	struct net net = net_new(1, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	struct envelope e = request(ECHO);
	uint8_t wire[SEALED_DATAGRAM_MAX];

	e.has_token = true;
	for (int i = 0; i < 1000; i++) {
		size_t len = raw_seal(r, &e, 0, NULL, wire);

		(void)udp_send(r->udp, &r->to, bytes_of(wire, len));
	}
	sim_run_for(net.world, MILLISECONDS(10));
	ck_assert_uint_gt(r->received, 0);
	ck_assert_uint_le(r->received, 2 * REQUESTS_PER_S_UNPROVEN + 1);
	ck_assert_int_eq(r->envelope.kind, ENVELOPE_RETRY);
	ck_assert_uint_eq(n->tokens_stale, r->received);
	ck_assert_uint_eq(n->drop_rate, 1000 - r->received);
	raw_free(r);
	net_free(&net);
}
END_TEST

/* Stream by stream on one session, as fast as they can be opened. */
static int
flood_session(void *arg)
{
	struct net *net = arg;
	struct buf tail;
	size_t busy = 0;

	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	for (int round = 0; round < 20; round++) {
		struct stream *s[200];

		for (size_t i = 0; i < ARRAY_LEN(s); i++)
			ck_assert_int_eq(stream_open(net->nodes[1].ep, &net->nodes[0].contact,
					     i % 10 == 0 ? NOBODYS : ECHO, bytes_of("x", 1), &s[i]),
			    ERR_OK);
		for (size_t i = 0; i < ARRAY_LEN(s); i++) {
			busy += stream_read_tail(s[i], &tail) == ERR_BUSY;
			stream_close(s[i]);
		}
	}
	buf_fini(&tail);
	return (int)busy;
}

START_TEST(flood_by_session_is_refused_and_streams_are_served)
{
	struct net net = net_new(3, NULL);
	struct call_job serve = { .from = &net.nodes[1],
		.to = &net.nodes[0],
		.method = SERVE,
		.body = bytes_of("", 0),
		.opts = { .transport = RPC_SESSION } };
	int busy = sim_run_task(net.world, net.nodes[1].env, flood_session, &net);

	ck_assert_int_gt(busy, 500);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->drop_rate, (uint64_t)busy);
	ck_assert_uint_le(net.nodes[0].answered, 4000 - (uint64_t)busy);
	/* Its streams have limits of their own, and the others have what is theirs. */
	buf_init(&serve.reply, RPC_HEAD_BYTES_MAX);
	ck_assert_int_eq(sim_run_task(net.world, net.nodes[1].env, call_task, &serve), ERR_END);
	buf_fini(&serve.reply);
	ck_assert_int_eq(net_call(&net, 2, 0, ECHO, "", NULL), ERR_OK);
	net_free(&net);
}
END_TEST

/* ---- wrong ---- */

START_TEST(other_networks_and_own_datagrams_are_dropped)
{
	struct net net = net_new(2, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	struct envelope e = request(ECHO);
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len = raw_seal(r, &e, 0, NULL, wire);

	node_stop(&net, &net.nodes[1]);
	node_start(&net, &net.nodes[1], 1, (struct endpoint_opts){ .net = { { 9, 9, 9, 9 } } });
	ck_assert_int_eq(net_call(&net, 1, 0, ECHO, "", NULL), ERR_TIMEOUT);
	ck_assert_uint_eq(n->drop_network, 1);
	wire[2]++;
	raw_send(&net, r, wire, len);
	ck_assert_uint_eq(n->drop_version, 1);
	wire[2]--;
	memcpy(wire + 8, net.nodes[0].contact.pub.b, 32);
	raw_send(&net, r, wire, len);
	ck_assert_uint_eq(n->drop_own, 1);
	raw_send(&net, r, wire, 0);
	raw_send(&net, r, wire, 63);
	ck_assert_uint_eq(n->drop_malformed, 2);
	ck_assert_uint_eq(r->received, 0);
	raw_free(r);
	net_free(&net);
}
END_TEST

START_TEST(no_flipped_bit_passes)
{
	struct net net = net_new(1, NULL);
	const struct endpoint_counters *n = endpoint_counters(net.nodes[0].ep);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]);
	struct envelope e = request(ECHO);
	uint8_t wire[SEALED_DATAGRAM_MAX];
	size_t len = raw_seal(r, &e, 40, NULL, wire);

	for (size_t bit = 0; bit < len * 8; bit++) {
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		raw_send(&net, r, wire, len);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_eq(net.nodes[0].answered, 0);
	ck_assert_uint_eq(
	    n->drop_malformed + n->drop_network + n->drop_version + n->drop_auth, len * 8);
	raw_send(&net, r, wire, len);
	ck_assert_uint_eq(net.nodes[0].answered, 1);
	raw_free(r);
	net_free(&net);
}
END_TEST

START_TEST(replays_teach_nothing)
{
	struct net net = net_new(1, NULL);
	struct raw *r = raw_new(&net, 9, &net.nodes[0]), *thief = raw_new(&net, 10, &net.nodes[0]);
	struct envelope e = request(ECHO);
	struct peer_info before, after;
	uint8_t wire[SEALED_DATAGRAM_MAX], first[SEALED_DATAGRAM_MAX];
	size_t len = raw_seal(r, &e, 200, NULL, first);

	raw_send(&net, r, first, len);
	e.has_token = true;
	memcpy(e.token, r->envelope.token, sizeof(e.token));
	raw_send(&net, r, wire, raw_seal(r, &e, 0, NULL, wire));
	ck_assert(endpoint_peer(net.nodes[0].ep, &r->who.pub, &before));
	ck_assert_uint_gt(before.last_heard, 0);
	sim_run_for(net.world, SECONDS(5));
	for (int i = 0; i < 5; i++)
		raw_send(&net, thief, first, len);
	ck_assert(endpoint_peer(net.nodes[0].ep, &r->who.pub, &after));
	ck_assert(contact_equal(&before.contact, &after.contact));
	ck_assert_uint_eq(before.last_heard, after.last_heard);
	ck_assert_uint_le(thief->longest, len);
	/* Answers that nobody waits for. */
	e = (struct envelope){ .kind = ENVELOPE_RESPONSE, .id = 1, .sent_ms = 1, .version = 1 };
	raw_send(&net, r, wire, raw_seal(r, &e, 0, NULL, wire));
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->drop_replay, 1);
	raw_free(r);
	raw_free(thief);
	net_free(&net);
}
END_TEST

START_TEST(only_the_peer_asked_can_answer)
{
	struct net net = net_new(1, NULL);
	struct raw *peer = raw_new(&net, 9, &net.nodes[0]),
		   *liar = raw_new(&net, 10, &net.nodes[0]);
	struct contact to;
	int err = 1;
	struct rpc_call c = { .done = count_done, .arg = &err };
	struct envelope e;
	uint8_t wire[SEALED_DATAGRAM_MAX], cookie[SEALED_COOKIE_BYTES] = { 7 };
	struct sealed_header h;

	contact_init(&to, &peer->who.pub, &(struct addr){ 0 });
	to.addr = sim_addr(9, 5000);
	ck_assert_int_eq(rpc_start(net.nodes[0].ep, &c, &to, ECHO, bytes_of("x", 1), 0), ERR_OK);
	sim_run_for(net.world, MILLISECONDS(10));
	ck_assert_uint_eq(peer->received, 1);
	/* A challenge that does not know the nonce, then a true one, twice. */
	ck_assert_int_eq(sealed_peek(bytes_of(peer->last, peer->last_len), &test_net, &h), ERR_OK);
	h.nonce[0]++;
	sealed_challenge(&h, &peer->who.pub, cookie, wire);
	raw_send(&net, peer, wire, SEALED_CHALLENGE_BYTES);
	ck_assert_uint_eq(peer->received, 1);
	h.nonce[0]--;
	sealed_challenge(&h, &peer->who.pub, cookie, wire);
	raw_send(&net, peer, wire, SEALED_CHALLENGE_BYTES);
	ck_assert_uint_eq(peer->received, 2);
	raw_send(&net, peer, wire, SEALED_CHALLENGE_BYTES);
	ck_assert_uint_eq(peer->received, 2);
	ck_assert_int_eq(sealed_peek(bytes_of(peer->last, peer->last_len), &test_net, &h), ERR_OK);
	ck_assert_int_eq(h.type, SEALED_COOKIE);
	ck_assert_mem_eq(h.cookie, cookie, sizeof(cookie));
	/* The right id from another key, then a wrong id; then codes that are not a peer's to give.
	 */
	e = (struct envelope){ .kind = ENVELOPE_RESPONSE, .id = peer->envelope.id, .version = 1 };
	raw_send(&net, liar, wire, raw_seal(liar, &e, 0, NULL, wire));
	e.id++;
	raw_send(&net, peer, wire, raw_seal(peer, &e, 0, NULL, wire));
	ck_assert_int_eq(err, 1);
	e.id--;
	e.status = ERR_CANCELED;
	raw_send(&net, peer, wire, raw_seal(peer, &e, 0, NULL, wire));
	ck_assert_int_eq(err, ERR_BUSY);
	ck_assert_uint_eq(endpoint_counters(net.nodes[0].ep)->drop_replay, 2);
	raw_free(peer);
	raw_free(liar);
	net_free(&net);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/endpoint (abuse)");

	suite_add(s, "size", 20, no_answer_is_longer_than_an_unproven_request,
	    token_opens_the_full_size, token_is_for_one_address_and_key_and_time,
	    restarted_peer_costs_a_round_trip_not_a_call, NULL);
	suite_add(s, "floods", 30, flood_of_keys_is_challenged_and_others_are_served,
	    cookie_of_another_is_bad, flood_of_one_is_refused_and_others_are_served,
	    flood_of_false_tokens_is_dropped, flood_by_session_is_refused_and_streams_are_served,
	    NULL);
	suite_add(s, "wrong", 20, other_networks_and_own_datagrams_are_dropped,
	    no_flipped_bit_passes, replays_teach_nothing, only_the_peer_asked_can_answer, NULL);
	return suite_main(s);
}
