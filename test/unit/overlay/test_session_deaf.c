/*
 * Many peers at a time that do not fetch what they are told: what may wait for them all together,
 * who is refused or closed for it, and that others are served meanwhile. On simulated time and
 * network, whose windows of SIM_STREAM_WINDOW are full at once.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/session_calls.h"
#include "test/unit/overlay/session_sim.h"
#include "test/unit/suite.h"

/* More than all that may wait, at half of SESSION_OUT_MAX each. */
#define MACHINES 14
#define EACH     SESSIONS_PER_IP

struct machine {
	struct env *env;
	struct end ends[EACH];
	size_t next, done;
};

static struct session *
session_of(struct end *e)
{
	return TAILQ_FIRST(&e->ss->all);
}

/* ---- who does not read ---- */

static void
deaf_ready(void *arg, bool readable, bool writable)
{
	struct session *s = arg;

	(void)readable;
	s->spent = 0;
	if (writable)
		session_pump(s);
	if (s->state == SESSION_LIVE)
		conn_want(s->conn, false, s->wants_write);
}

/* Each end has a session with b. */
static int
meet_run(void *arg)
{
	struct machine *m = arg;
	struct buf tail;

	buf_init(&tail, 16);
	for (size_t i = 0; i < EACH; i++)
		ck_assert_int_eq(
		    end_ask(&m->ends[i], &b.contact, METHOD_ANSWER, bytes_of(NULL, 0), &tail),
		    ERR_OK);
	buf_fini(&tail);
	return ERR_OK;
}

static struct machine *
machine_new(struct addr ip)
{
	struct machine *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->env = node(ip);
	for (size_t i = 0; i < EACH; i++)
		end_start(&m->ends[i], m->env, (uint32_t)(3 + i), NULL);
	ck_assert_int_eq(sim_run_task(w, m->env, meet_run, m), ERR_OK);
	return m;
}

/* Its ends do not read from now on. */
static struct machine *
machine_start(struct addr ip)
{
	struct machine *m = machine_new(ip);

	for (size_t i = 0; i < EACH; i++) {
		struct session *s = session_of(&m->ends[i]);

		conn_set_handler(s->conn, &(struct conn_handler){ .ready = deaf_ready, .arg = s });
		conn_want(s->conn, false, s->wants_write);
	}
	return m;
}

static int
machine_stop_run(void *arg)
{
	struct machine *m = arg;

	for (size_t i = 0; i < EACH; i++)
		end_stop(&m->ends[i]);
	return ERR_OK;
}

static void
machine_stop(struct machine *m)
{
	ck_assert_int_eq(sim_run_task(w, m->env, machine_stop_run, m), ERR_OK);
	sim_node_remove(m->env);
	free(m);
}

/* On each session: count times this frame, under new numbers where it has one. */
static void
machine_say(struct machine *m, struct frame f, size_t count)
{
	for (size_t i = 0; i < EACH; i++) {
		struct session *s = session_of(&m->ends[i]);

		for (size_t n = 0; n < count && s != NULL && s->state == SESSION_LIVE; n++) {
			if (f.stream != 0) {
				f.stream = s->next_id;
				s->next_id += 2;
			}
			session_send(s, &f);
		}
		sim_run_for(w, MILLISECONDS(20));
	}
}

static uint8_t zeros[RPC_HEAD_BYTES_MAX];

static const struct frame ask = {
	.type = FRAME_OPEN, .stream = 1, .method = METHOD_ANSWER, .bytes = { zeros, sizeof(zeros) }
};
static const struct frame ping = { .type = FRAME_PING };

/* ---- who does ---- */

static int
fetch_run(void *arg)
{
	return end_fetch(arg, &b.contact, MIB(1));
}

/* A newcomer at ip gets a stream's bytes and an answer from b. */
static void
is_served(struct addr ip)
{
	struct env *env = node(ip);
	struct end e;

	end_start(&e, env, 100, NULL);
	ck_assert_int_eq(sim_run_task(w, env, fetch_run, &e), ERR_OK);
	ck_assert_uint_eq(e.closed, 0);
	stop(&e);
}

/* What many may hold: their share, and the little that is each one's own. */
static size_t
held_max(size_t share, size_t sessions)
{
	return share + sessions * 2 * SESSION_OUT_FEW;
}

/* Answers to machines of as many networks: they come to an end, and nobody is closed for it. */
START_TEST(answers_of_many_networks)
{
	struct machine *m[MACHINES];

	for (uint32_t i = 0; i < MACHINES; i++) {
		m[i] = machine_start(sim_addr(10 + i, 0));
		machine_say(m[i], ask, 60);
	}
	ck_assert_uint_ge(end_load(&b).bytes_held, SESSIONS_UNSENT_MAX / 4 * 3);
	ck_assert_uint_le(end_load(&b).bytes_held, held_max(SESSIONS_UNSENT_MAX, MACHINES * EACH));
	ck_assert_uint_eq(end_load(&b).sessions, MACHINES * EACH);
	ck_assert_uint_eq(b.counters.sessions_deaf_closed, 0);
	is_served(sim_addr(9, 0));
	is_served(sim_addr_in(10, 2, 0));
	for (uint32_t i = 0; i < MACHINES; i++)
		machine_stop(m[i]);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(b.ss->unsent, 0);
}
END_TEST

/* One network has its half, whatever it provokes; who goes on then is closed, and others are not.
 */
START_TEST(pings_of_one_network)
{
	struct machine *m[MACHINES / 2];
	size_t most = held_max(SESSIONS_UNSENT_MAX / 2, ARRAY_LEN(m) * EACH);

	for (uint8_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = machine_start(sim_addr_in(10, (uint8_t)(1 + i), 0));
		machine_say(m[i], ask, 60);
		ck_assert_uint_le(end_load(&b).bytes_held, most);
	}
	ck_assert_uint_eq(b.counters.sessions_deaf_closed, 0);
	for (size_t round = 0; b.counters.sessions_deaf_closed == 0; round++) {
		ck_assert_uint_lt(round, 10);
		for (size_t i = 0; i < ARRAY_LEN(m); i++)
			machine_say(m[i], ping, 1000);
		ck_assert_uint_le(end_load(&b).bytes_held, most);
	}
	/* By one that provokes, not by all that wait. */
	ck_assert_uint_ge(end_load(&b).sessions, ARRAY_LEN(m) * EACH / 4);
	ck_assert_uint_ge(b.ss->unsent, SESSIONS_UNSENT_MAX / 4);
	is_served(sim_addr(9, 0));
	is_served(sim_addr_in(10, 100, 0));
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		machine_stop(m[i]);
	ck_assert_uint_eq(b.counters.frames_bad + b.blamed, 0);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(b.ss->unsent, 0);
}
END_TEST

/* ---- a slow line ---- */

static int
slow_one_run(void *arg)
{
	struct machine *m = arg;
	struct end *e = &m->ends[m->next++];

	ck_assert_int_eq(end_fetch(e, &b.contact, MIB(1)), ERR_OK);
	ck_assert_uint_eq(e->closed, 0);
	m->done++;
	return ERR_OK;
}

static int
slow_run(void *arg)
{
	struct machine *m = arg;

	return task_together(m->env, "slow", slow_one_run, m, EACH);
}

/* Honest readers behind a narrow line, more than there is room for: each gets all of its bytes. */
START_TEST(slow_readers_are_served)
{
	struct machine *m[MACHINES];
	struct task_group groups[MACHINES];
	size_t most = 0, done = 0;

	for (uint32_t i = 0; i < MACHINES; i++)
		m[i] = machine_new(sim_addr(10 + i, 0));
	sim_node_bandwidth(b.env, MIB(40), 0);
	for (uint32_t i = 0; i < MACHINES; i++) {
		task_group_init(&groups[i], m[i]->env);
		ck_assert_int_eq(task_spawn(&groups[i], "slow", slow_run, m[i]), ERR_OK);
	}
	for (unsigned tick = 0; done < MACHINES * EACH; tick++) {
		ck_assert_uint_lt(tick, 600);
		sim_run_for(w, MILLISECONDS(100));
		most = MAX(most, b.ss->unsent);
		done = 0;
		for (size_t i = 0; i < MACHINES; i++)
			done += m[i]->done;
	}
	ck_assert_uint_ge(most, SESSIONS_UNSENT_MAX / 2);
	ck_assert_uint_le(most, held_max(SESSIONS_UNSENT_MAX, MACHINES * EACH));
	ck_assert_uint_eq(b.counters.sessions_deaf_closed + b.counters.streams_refused, 0);
	for (uint32_t i = 0; i < MACHINES; i++)
		machine_stop(m[i]);
}
END_TEST

/* ---- a slow line beside those who do not read ---- */

struct slow_one {
	struct end *e;
	int err;
};

static int
slow_fetch_run(void *arg)
{
	struct slow_one *o = arg;

	o->err = end_fetch(o->e, &b.contact, MIB(1));
	return o->err;
}

static bool
share_left(const struct session *s)
{
	return limits_share(b.ss->unsent_of[s->group], b.ss->unsent, SESSIONS_UNSENT_MAX);
}

/* All but the first machine's are told more than they fetch, until nothing is left for them. */
static void
take_share(void)
{
	struct session *s;
	size_t i = 0;

	TAILQ_FOREACH(s, &b.ss->all, link)
	{
		while (i >= EACH && share_left(s) && s->out.len < SESSION_OUT_MAX / 2)
			session_send(s, &ping);
		i++;
	}
}

/* What waits for it was put there while there was room: it is not closed for the others' sake. */
START_TEST(a_slow_reader_beside_deaf_ones)
{
	struct machine *m[MACHINES / 2], *slow = machine_new(sim_addr_in(10, 200, 0));
	struct slow_one one = { &slow->ends[0], ERR_STATE };
	struct session *s = session_of(&b);
	struct task_group tasks;

	for (uint8_t i = 0; i < ARRAY_LEN(m); i++)
		m[i] = machine_start(sim_addr_in(10, (uint8_t)(1 + i), 0));
	sim_node_bandwidth(slow->env, 0, KIB(16));
	task_group_init(&tasks, slow->env);
	ck_assert_int_eq(task_spawn(&tasks, "fetch", slow_fetch_run, &one), ERR_OK);
	sim_run_for(w, MILLISECONDS(200));
	ck_assert_uint_ge(s->out.len, 3 * SESSION_OUT_FEW);
	take_share();
	ck_assert(!share_left(s));
	session_send(s, &ping); /* as any word on that session: a credit, an answer, a refusal */
	ck_assert(s->state == SESSION_LIVE);
	sim_node_bandwidth(slow->env, 0, 0);
	sim_run_for(w, SECONDS(5));
	ck_assert_int_eq(one.err, ERR_OK);
	ck_assert_uint_eq(one.e->closed, 0);
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		machine_stop(m[i]);
	machine_stop(slow);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(b.ss->unsent, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/session_deaf");
	TCase *tc = tcase_create("deaf");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, answers_of_many_networks);
	tcase_add_test(tc, pings_of_one_network);
	tcase_add_test(tc, slow_readers_are_served);
	tcase_add_test(tc, a_slow_reader_beside_deaf_ones);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
