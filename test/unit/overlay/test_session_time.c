/*
 * Sessions on simulated time and network: idleness, keep-alive, silent deaths, stale
 * pooled sessions, slow handshakes, and as many sessions as one end may have.
 */
#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/session_private.h"
#include "test/unit/overlay/session_sim.h"
#include "test/unit/suite.h"

static const struct bytes nothing = { NULL, 0 };

/* Handshakes begun within a second or two. */
#define FORGOTTEN 1000

static int
ask_run(void *arg)
{
	struct buf tail;
	int err;

	(void)arg;
	buf_init(&tail, 16);
	err = end_ask(&a, &b.contact, METHOD_ANSWER, bytes_of("x", 1), &tail);
	ck_assert(err != ERR_OK || tail.len == 1);
	buf_fini(&tail);
	return err;
}

/* a asks b something: the whole way. */
static int
ask(void)
{
	return sim_run_task(w, a.env, ask_run, NULL);
}

START_TEST(idle_sessions_end)
{
	ck_assert_int_eq(ask(), ERR_OK);
	sim_run_for(w, SESSION_IDLE_TIMEOUT - SECONDS(2));
	ck_assert_uint_eq(end_load(&a).sessions + end_load(&b).sessions, 2);
	ck_assert_int_eq(ask(), ERR_OK); /* which counts as use */
	ck_assert_uint_eq(a.counters.sessions_opened, 1);
	sim_run_for(w, SESSION_IDLE_TIMEOUT - SECONDS(2));
	ck_assert_uint_eq(end_load(&a).sessions + end_load(&b).sessions, 2);
	sim_run_for(w, SECONDS(4));
	ck_assert_uint_eq(end_load(&a).sessions + end_load(&b).sessions, 0);
	ck_assert_uint_ge(a.counters.sessions_idle_closed + b.counters.sessions_idle_closed, 1);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_int_eq(ask(), ERR_OK);
	ck_assert_uint_eq(a.counters.sessions_opened, 2);
}
END_TEST

static int
long_echo_run(void *arg)
{
	struct stream *s;
	uint8_t byte = 0;

	(void)arg;
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_ECHO, nothing, &s), ERR_OK);
	ck_assert_int_eq(task_sleep(a.env, MINUTES(10)), ERR_OK);
	ck_assert_int_eq(stream_write(s, bytes_of("y", 1)), ERR_OK);
	ck_assert_int_eq(stream_read(s, &byte, 1), ERR_OK);
	stream_close(s);
	return byte == 'y' ? ERR_OK : ERR_CORRUPT;
}

START_TEST(open_streams_keep_alive)
{
	uint64_t before;

	ck_assert_int_eq(sim_run_task(w, a.env, long_echo_run, NULL), ERR_OK);
	/* By pings, about one in 15 s from whoever notices the silence, and no more. */
	before = a.counters.session_bytes_out;
	ck_assert_uint_lt(before, 4000);
	ck_assert_uint_eq(a.counters.sessions_opened, 1);
}
END_TEST

static int
spans_run(void *arg)
{
	uint8_t four[4] = { 0 };
	struct stream *s;
	uint64_t start, old;
	size_t got = 9;

	(void)arg;
	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_ECHO, nothing, &s), ERR_OK);
	start = sim_now(w);
	ck_assert_int_eq(stream_read_for(s, four, 4, SECONDS(3), &got), ERR_OK);
	ck_assert(got == 0 && sim_now(w) - start == SECONDS(3));
	/* What came within the span is there, and the next read goes on behind it. */
	ck_assert_int_eq(stream_write(s, bytes_of("ab", 2)), ERR_OK);
	ck_assert_int_eq(stream_read_for(s, four, 4, SECONDS(3), &got), ERR_OK);
	ck_assert(got == 2 && memcmp(four, "ab", 2) == 0);
	ck_assert_int_eq(stream_write(s, bytes_of("cdefg", 5)), ERR_OK);
	start = sim_now(w);
	ck_assert_int_eq(stream_read_for(s, four, 4, MINUTES(1), &got), ERR_OK);
	ck_assert(got == 4 && memcmp(four, "cdef", 4) == 0 && sim_now(w) - start < SECONDS(1));
	/* The task's own time is no span. */
	old = task_deadline(a.env, sim_now(w) + SECONDS(1));
	ck_assert_int_eq(stream_read_for(s, four, 4, SECONDS(3), &got), ERR_TIMEOUT);
	task_deadline_restore(a.env, old);
	ck_assert_uint_eq(got, 1);
	ck_assert_int_eq(stream_finish(s, ERR_OK, nothing), ERR_OK);
	ck_assert_int_eq(stream_read_for(s, four, 4, SECONDS(3), &got), ERR_END);
	ck_assert_uint_eq(got, 0);
	stream_close(s);
	return ERR_OK;
}

START_TEST(a_read_for_a_span_tells_how_far_it_came)
{
	ck_assert_int_eq(sim_run_task(w, a.env, spans_run, NULL), ERR_OK);
}
END_TEST

struct hang {
	int err;
	uint64_t took;
};

static int
hang_run(void *arg)
{
	struct hang *h = arg;
	struct stream *s;
	uint64_t start;
	uint8_t byte;

	ck_assert_int_eq(sessions_open(a.ss, &b.contact, METHOD_HANG, nothing, &s), ERR_OK);
	ck_assert_int_eq(task_sleep(a.env, SECONDS(1)), ERR_OK);
	sim_node_kill(b.env, SIM_SILENT);
	start = env_now(a.env);
	h->err = stream_read(s, &byte, 1);
	h->took = env_now(a.env) - start;
	stream_close(s);
	return ERR_OK;
}

START_TEST(silent_death)
{
	struct hang h = { 0, 0 };

	ck_assert_int_eq(sim_run_task(w, a.env, hang_run, &h), ERR_OK);
	ck_assert_msg(h.err == ERR_TIMEOUT, "%s", err_name(h.err));
	ck_assert_uint_le(h.took, SESSION_DEAD_AFTER + SECONDS(1));
	ck_assert_uint_ge(h.took, SESSION_DEAD_AFTER - SECONDS(2));
	ck_assert_uint_eq(end_load(&a).sessions, 0);
}
END_TEST

/* b's machine loses power and comes back; a still holds the old session. */
START_TEST(stale_session_is_replaced)
{
	ck_assert_int_eq(ask(), ERR_OK);
	sim_node_kill(b.env, SIM_SILENT);
	stop(&b);
	listen_at(&b, 2, 2, 4000);
	sim_run_for(w, SECONDS(20));
	ck_assert_uint_eq(end_load(&a).sessions, 1);
	ck_assert_int_eq(ask(), ERR_OK);
	ck_assert_uint_eq(a.counters.sessions_opened, 2);
	ck_assert_uint_eq(a.failed, 0);
}
END_TEST

static bool
all_blocked(void *arg, const struct addr *from, const struct addr *to)
{
	(void)arg;
	(void)from;
	(void)to;
	return true;
}

/* The net is cut: a notices in the time of a proof and a dial, and later finds b again. */
START_TEST(cut_and_healed)
{
	uint64_t start;
	int err;

	ck_assert_int_eq(ask(), ERR_OK);
	sim_run_for(w, SECONDS(20));
	sim_partition(w, all_blocked, NULL);
	start = sim_now(w);
	err = ask();
	ck_assert_msg(err == ERR_TIMEOUT, "%s", err_name(err));
	ck_assert_uint_le(
	    sim_now(w) - start, SESSION_PROOF_TIMEOUT + HANDSHAKE_TIMEOUT + SECONDS(1));
	ck_assert_uint_eq(a.failed, 1);
	ck_assert_int_eq(a.last_failed, ERR_TIMEOUT);
	sim_partition(w, NULL, NULL);
	sim_run_for(w, SECONDS(1));
	ck_assert_int_eq(ask(), ERR_OK);
}
END_TEST

static int
short_deadline_run(void *arg)
{
	uint64_t old = task_deadline(a.env, env_now(a.env) + MICROSECONDS(1));
	int err = ask_run(arg);

	task_deadline_restore(a.env, old);
	return err;
}

/* Somebody in a hurry does not end the session that others use. */
START_TEST(own_deadline_ends_no_session)
{
	ck_assert_int_eq(ask(), ERR_OK);
	sim_run_for(w, SECONDS(20));
	ck_assert_int_eq(sim_run_task(w, a.env, short_deadline_run, NULL), ERR_TIMEOUT);
	ck_assert_uint_eq(end_load(&a).sessions, 1);
	ck_assert_int_eq(ask(), ERR_OK);
	ck_assert_uint_eq(a.counters.sessions_opened, 1);
}
END_TEST

/* ---- handshakes ---- */

static int
slow_run(void *arg)
{
	uint64_t *took = arg, start;
	struct raw r;

	ck_assert_int_eq(raw_connect(&r, a.env, &b.contact.addr), ERR_OK);
	start = env_now(a.env);
	ck_assert_int_eq(raw_write(&r, "\0\x20", 2), ERR_OK);
	for (int i = 0; i < 20 && raw_write(&r, "z", 1) == ERR_OK; i++)
		ck_assert_int_eq(task_sleep(a.env, MILLISECONDS(500)), ERR_OK);
	ck_assert(raw_ended(&r));
	*took = env_now(a.env) - start;
	raw_close(&r);
	return ERR_OK;
}

START_TEST(slow_handshake)
{
	uint64_t took = 0;

	ck_assert_int_eq(sim_run_task(w, a.env, slow_run, &took), ERR_OK);
	ck_assert_uint_eq(b.counters.handshakes_timeout, 1);
	ck_assert_uint_ge(took, HANDSHAKE_TIMEOUT - SECONDS(1));
	ck_assert_uint_le(took, HANDSHAKE_TIMEOUT + SECONDS(1));
	ck_assert_uint_eq(end_load(&b).handshakes, 0);
}
END_TEST

static int
probe_run(void *arg)
{
	return sessions_probe(a.ss, &b.contact, *(uint64_t *)arg);
}

START_TEST(dial_of_the_silent)
{
	uint64_t brief = SECONDS(1), start;

	sim_partition(w, all_blocked, NULL);
	start = sim_now(w);
	ck_assert_int_eq(ask(), ERR_TIMEOUT);
	ck_assert_uint_le(sim_now(w) - start, HANDSHAKE_TIMEOUT + SECONDS(1));
	start = sim_now(w);
	ck_assert_int_eq(sim_run_task(w, a.env, probe_run, &brief), ERR_TIMEOUT);
	ck_assert_uint_le(sim_now(w) - start, brief + MILLISECONDS(10));
	ck_assert_uint_eq(end_load(&a).dials, 0);
	ck_assert_uint_eq(a.failed, 1);
}
END_TEST

/* Begins handshakes and forgets them, at the price of one packet each. */
static int
forgetful_run(void *arg)
{
	static const uint8_t first[34] = { 0, 32, 9 };
	struct env *env = *(struct env **)arg;

	for (size_t i = 0; i < FORGOTTEN; i++) {
		struct raw r;

		ck_assert_int_eq(raw_connect(&r, env, &b.contact.addr), ERR_OK);
		(void)raw_write(&r, first, sizeof(first));
		raw_close(&r);
	}
	return ERR_OK;
}

START_TEST(handshakes_of_one_network)
{
	struct env *env = node(sim_addr(10, 0));
	uint64_t start = sim_now(w);
	size_t allowed;

	ck_assert_int_eq(sim_run_task(w, env, forgetful_run, &env), ERR_OK);
	sim_run_for(w, SECONDS(1));
	allowed = HANDSHAKES_MAX + (sim_now(w) - start) * HANDSHAKES_PER_S_NETWORK / SECONDS(1);
	ck_assert_uint_le(allowed, FORGOTTEN / 2);
	ck_assert_uint_le(b.counters.handshakes_failed, allowed);
	ck_assert_uint_ge(b.counters.handshakes_failed, HANDSHAKES_MAX);
	ck_assert_uint_eq(b.counters.sessions_refused_ip, FORGOTTEN - b.counters.handshakes_failed);
	ck_assert_int_eq(ask(), ERR_OK);
	sim_node_remove(env);
}
END_TEST

/* ---- many ---- */

#define CROWD_PER_NODE SESSIONS_PER_IP
#define CROWD_NODES    (SESSIONS_INCOMING_MAX / CROWD_PER_NODE + 1)

struct crowd {
	struct env *env;
	struct end ends[CROWD_PER_NODE];
	int errs[CROWD_PER_NODE];
	size_t next;
};

static int
crowd_ask(struct crowd *c, size_t i)
{
	struct buf tail;
	int err;

	buf_init(&tail, 16);
	err = end_ask(&c->ends[i], &b.contact, METHOD_ANSWER, nothing, &tail);
	buf_fini(&tail);
	return err;
}

static int
crowd_run(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < CROWD_PER_NODE; i++)
		c->errs[i] = crowd_ask(c, i);
	return ERR_OK;
}

static int
crowd_stop(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < CROWD_PER_NODE; i++)
		end_stop(&c->ends[i]);
	return ERR_OK;
}

static void
crowd_start(struct crowd *c, struct addr ip)
{
	c->env = node(ip);
	for (size_t i = 0; i < CROWD_PER_NODE; i++)
		end_start(&c->ends[i], c->env, (uint32_t)(3 + i), NULL);
	ck_assert_int_eq(sim_run_task(w, c->env, crowd_run, c), ERR_OK);
}

static int
bulk_run(void *arg)
{
	return end_send(&a, &b.contact, METHOD_SINK, *(uint64_t *)arg);
}

/* As many as strangers may have at one end, all idle; they cost little and slow nobody. */
START_TEST(crowd_of_idle_sessions)
{
	struct crowd *crowds = calloc(CROWD_NODES, sizeof(*crowds));
	uint64_t len = MIB(1);
	size_t refused = 0;

	ck_assert_ptr_nonnull(crowds);
	ck_assert_int_eq(ask(), ERR_OK);
	for (uint32_t i = 0; i < CROWD_NODES; i++)
		crowd_start(&crowds[i], sim_addr(10 + i, 0));
	for (size_t i = 0; i < CROWD_NODES * CROWD_PER_NODE; i++)
		refused += crowds[i / CROWD_PER_NODE].errs[i % CROWD_PER_NODE] != ERR_OK;
	/* As many as each of them has are left for networks that have none. */
	ck_assert_uint_le(end_load(&b).sessions, SESSIONS_INCOMING_MAX);
	ck_assert_uint_ge(end_load(&b).sessions, SESSIONS_INCOMING_MAX - 2 * CROWD_PER_NODE);
	ck_assert_uint_eq(refused, CROWD_NODES * CROWD_PER_NODE + 1 - end_load(&b).sessions);
	ck_assert_uint_eq(b.counters.sessions_refused_full, refused);
	ck_assert_uint_eq(b.counters.sessions_refused_ip, 0);
	ck_assert_uint_eq(end_load(&b).bytes_held, 0);
	ck_assert_uint_le(sizeof(struct session), KIB(2));
	ck_assert_int_eq(sim_run_task(w, a.env, bulk_run, &len), ERR_OK);
	for (uint32_t i = 0; i < CROWD_NODES; i++) {
		ck_assert_int_eq(sim_run_task(w, crowds[i].env, crowd_stop, &crowds[i]), ERR_OK);
		sim_node_remove(crowds[i].env);
	}
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_le(end_load(&b).sessions, 1);
	free(crowds);
}
END_TEST

/* However many machines it has, with as many sessions as each may have. */
START_TEST(one_network_leaves_room_for_others)
{
	struct crowd *crowds = calloc(CROWD_NODES, sizeof(*crowds));

	ck_assert_ptr_nonnull(crowds);
	for (uint8_t i = 0; i < CROWD_NODES; i++) {
		crowd_start(&crowds[i], sim_addr_in(10, (uint8_t)(1 + i), 0));
		sim_run_for(w, SECONDS(CROWD_PER_NODE) / HANDSHAKES_PER_S_NETWORK);
	}
	ck_assert_uint_eq(end_load(&b).sessions, SESSIONS_INCOMING_MAX / 2);
	ck_assert_int_eq(ask(), ERR_OK);
	/* Whoever goes makes room for its own network. */
	for (size_t round = 0; round < 2; round++) {
		ck_assert_int_eq(sim_run_task(w, crowds[0].env, crowd_stop, &crowds[0]), ERR_OK);
		sim_node_remove(crowds[0].env);
		sim_run_for(w, SECONDS(1));
		ck_assert_uint_lt(end_load(&b).sessions, SESSIONS_INCOMING_MAX / 2);
		crowd_start(&crowds[0], sim_addr_in(10, 200, 0));
		ck_assert_uint_ge(end_load(&b).sessions, SESSIONS_INCOMING_MAX / 2);
	}
	for (size_t i = 0; i < CROWD_NODES; i++) {
		ck_assert_int_eq(sim_run_task(w, crowds[i].env, crowd_stop, &crowds[i]), ERR_OK);
		sim_node_remove(crowds[i].env);
	}
	free(crowds);
}
END_TEST

#define SERVERS_NODES (SESSIONS_MAX / CROWD_PER_NODE + 1)

static int
ask_all_run(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < CROWD_PER_NODE; i++) {
		struct buf tail;

		buf_init(&tail, 16);
		c->errs[i] = end_ask(&a, &c->ends[i].contact, METHOD_ANSWER, nothing, &tail);
		buf_fini(&tail);
	}
	return ERR_OK;
}

/* Who has all sessions that there may be gives up the idlest for a new one. */
START_TEST(idlest_makes_way)
{
	struct crowd *servers = calloc(SERVERS_NODES, sizeof(*servers));

	ck_assert_ptr_nonnull(servers);
	for (uint32_t n = 0; n < SERVERS_NODES; n++) {
		struct crowd *c = &servers[n];
		struct addr at = sim_addr(10 + n, 0);

		c->env = node(sim_addr(10 + n, 0));
		for (size_t i = 0; i < CROWD_PER_NODE; i++)
			end_start(&c->ends[i], c->env, 3 + n * CROWD_PER_NODE + (uint32_t)i, &at);
		ck_assert_int_eq(sim_run_task(w, a.env, ask_all_run, c), ERR_OK);
		for (size_t i = 0; i < CROWD_PER_NODE; i++)
			ck_assert_int_eq(c->errs[i], ERR_OK);
	}
	ck_assert_uint_eq(end_load(&a).sessions, SESSIONS_MAX);
	ck_assert_uint_eq(a.closed, SERVERS_NODES * CROWD_PER_NODE - SESSIONS_MAX);
	for (uint32_t n = 0; n < SERVERS_NODES; n++) {
		ck_assert_int_eq(sim_run_task(w, servers[n].env, crowd_stop, &servers[n]), ERR_OK);
		sim_node_remove(servers[n].env);
	}
	free(servers);
}
END_TEST

/* ---- shutdown ---- */

static bool
a_heard(void *arg)
{
	(void)arg;
	return a.heard > 0;
}

static void
on_a_down(void *arg)
{
	*(bool *)arg = true;
}

static bool
is_true(void *arg)
{
	return *(bool *)arg;
}

static int
open_run(void *arg)
{
	struct stream *s;
	int err = sessions_open(a.ss, &b.contact, METHOD_ECHO, nothing, &s);

	if (err == ERR_OK)
		stream_close(s);
	*(int *)arg = err;
	return err;
}

/* Whoever waits for a dial is woken, and shutdown comes before it runs: it dials no more. */
START_TEST(shutdown_as_a_dial_ends)
{
	struct env *env = a.env;
	struct task_group group;
	bool down = false;
	int err = ERR_OK;

	task_group_init(&group, env);
	ck_assert_int_eq(task_spawn(&group, "open", open_run, &err), ERR_OK);
	ck_assert(sim_run_until(w, a_heard, NULL, SECONDS(10)));
	sessions_shutdown(a.ss, on_a_down, &down);
	if (_i == 1)
		task_group_cancel(&group);
	ck_assert(sim_run_until(w, is_true, &down, MINUTES(1)));
	ck_assert_int_eq(err, ERR_CANCELED);
	ck_assert_uint_eq(end_load(&a).sessions + end_load(&a).dials, 0);
	task_group_fini(&group);
	sessions_free(a.ss);
	identity_wipe(&a.identity);
	sim_node_remove(env);
	stop(&b);
	sim_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/session_time");
	TCase *tc = tcase_create("time");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, idle_sessions_end);
	tcase_add_test(tc, open_streams_keep_alive);
	tcase_add_test(tc, a_read_for_a_span_tells_how_far_it_came);
	tcase_add_test(tc, silent_death);
	tcase_add_test(tc, stale_session_is_replaced);
	tcase_add_test(tc, cut_and_healed);
	tcase_add_test(tc, own_deadline_ends_no_session);
	tcase_add_test(tc, slow_handshake);
	tcase_add_test(tc, dial_of_the_silent);
	tcase_add_test(tc, handshakes_of_one_network);
	/* 8,000 handshakes: seconds, but a quarter of an hour under valgrind (see test/module.am).
	 */
	if (getenv("TEST_WRAP") == NULL) {
		tcase_add_test(tc, crowd_of_idle_sessions);
		tcase_add_test(tc, one_network_leaves_room_for_others);
		tcase_add_test(tc, idlest_makes_way);
	}
	suite_add_tcase(s, tc);
	tc = tcase_create("shutdown");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, shutdown_as_a_dial_ends, 0, 2);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
