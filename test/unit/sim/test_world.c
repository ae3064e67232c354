/* Time, nodes and replay: the same seed gives the same run, killed nodes have no effect. */
#include "test/unit/suite.h"

#include <malloc.h>
#include <stdlib.h>

#include "overlay/base/env_real.h"
#include "overlay/base/task.h"
#include "sim/sim.h"

#define PORT 4000

/* A node that pings random others at random times and answers pings. */
struct chatter {
	struct env *env;
	struct udp *udp;
	struct timer timer;
	uint32_t others;
	uint64_t heard;
};

static void
chatter_receive(void *arg, const struct addr *from, struct bytes data)
{
	struct chatter *c = arg;

	c->heard++;
	if (data.len == 8)
		ck_assert_int_eq(udp_send(c->udp, from, bytes_of(data.data, 4)), ERR_OK);
}

static void
chatter_tick(void *arg)
{
	struct chatter *c = arg;
	struct addr to = sim_addr((uint32_t)env_random_below(c->env, c->others), PORT);
	uint8_t text[8];

	env_random(c->env, text, sizeof(text));
	ck_assert_int_eq(udp_send(c->udp, &to, bytes_of(text, sizeof(text))), ERR_OK);
	timer_start(&c->timer, SECONDS(1) + env_random_below(c->env, SECONDS(4)));
}

static void
chatter_start(struct chatter *c, struct sim_world *w, uint32_t i, uint32_t others)
{
	struct udp_opts udp = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .receive = chatter_receive, .arg = c
	};

	c->env = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(i, 0), .region = -1 });
	c->others = others;
	c->heard = 0;
	timer_init(&c->timer, c->env, chatter_tick, c);
	timer_start(&c->timer, env_random_below(c->env, SECONDS(5)));
	ck_assert_int_eq(env_udp_open(c->env, &udp, &c->udp), ERR_OK);
}

static void
chatter_stop(struct chatter *c)
{
	timer_stop(&c->timer);
	udp_close(c->udp);
	sim_node_remove(c->env);
}

static uint64_t
chat(uint64_t seed, uint32_t nodes, uint64_t ns, uint64_t *heard)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = seed,
	    .regions = true,
	    .faults = { .loss_ppm = 10000, .duplicate_ppm = 1000, .reorder_ppm = 1000 } });
	struct chatter *c = calloc(nodes, sizeof(*c));
	uint64_t hash;

	for (uint32_t i = 0; i < nodes; i++)
		chatter_start(&c[i], w, i, nodes);
	sim_run_for(w, ns);
	ck_assert_uint_eq(sim_now(w), ns);
	hash = sim_event_hash(w);
	*heard = 0;
	for (uint32_t i = 0; i < nodes; i++) {
		*heard += c[i].heard;
		chatter_stop(&c[i]);
	}
	free(c);
	sim_free(w);
	return hash;
}

START_TEST(same_seed_same_run)
{
	uint64_t heard_a, heard_b, heard_c;
	uint64_t a = chat(7, 50, MINUTES(5), &heard_a);
	uint64_t b = chat(7, 50, MINUTES(5), &heard_b);
	uint64_t c = chat(8, 50, MINUTES(5), &heard_c);

	ck_assert_uint_eq(a, b);
	ck_assert_uint_eq(heard_a, heard_b);
	ck_assert_uint_ne(a, c);
	/* 50 nodes, a ping each 3 s and its answer, 1 % lost each way. */
	ck_assert_uint_gt(heard_a, 50 * 100 * 2 * 95 / 100);
	ck_assert_uint_lt(heard_a, 50 * 100 * 2 * 105 / 100);
}
END_TEST

START_TEST(two_thousand_nodes_for_a_minute)
{
	uint64_t heard;

	chat(1, 2000, MINUTES(1), &heard);
	ck_assert_uint_gt(heard, 2000 * 30);
}
END_TEST

START_TEST(idle_nodes_are_small)
{
	enum { NODES = 1000 };
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct chatter *c = calloc(NODES, sizeof(*c));
	size_t before = mallinfo2().uordblks, after;

	for (uint32_t i = 0; i < NODES; i++)
		chatter_start(&c[i], w, i, NODES);
	after = mallinfo2().uordblks;
	ck_assert_uint_lt((after - before) / NODES, KIB(20));
	for (uint32_t i = 0; i < NODES; i++)
		chatter_stop(&c[i]);
	free(c);
	sim_free(w);
}
END_TEST

/* ---- time ---- */

START_TEST(clocks)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct env *a = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	struct env *b = sim_node_add(
	    w, &(struct sim_node_opts){ .ip = sim_addr(1, 0), .clock_offset_ms = -5000 });

	ck_assert_uint_gt(env_now(a), 0);
	ck_assert_uint_eq(env_wall_ms(a), SIM_EPOCH_MS);
	ck_assert_uint_eq(env_wall_ms(b), SIM_EPOCH_MS - 5000);
	sim_run_for(w, HOURS(2));
	ck_assert_uint_eq(env_now(a), HOURS(2) + 1);
	ck_assert_uint_eq(env_wall_ms(a), SIM_EPOCH_MS + 7200 * 1000);
	sim_node_clock(a, 60000);
	ck_assert_uint_eq(env_wall_ms(a), SIM_EPOCH_MS + 7260 * 1000);
	sim_node_remove(a);
	sim_node_remove(b);
	sim_free(w);
}
END_TEST

struct mark {
	struct timer timer;
	char letter;
	char *text; /* of all marks, appended to */
};

static void
mark_fire(void *arg)
{
	struct mark *m = arg;

	strncat(m->text, &m->letter, 1);
}

START_TEST(timers_fire_in_order)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct env *a = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	char text[16] = "";
	struct mark marks[4];

	for (int i = 0; i < 4; i++) {
		marks[i] = (struct mark){ .letter = (char)('a' + i), .text = text };
		timer_init(&marks[i].timer, a, mark_fire, &marks[i]);
		timer_start(&marks[i].timer, i == 3 ? SECONDS(1) : SECONDS(2));
	}
	timer_start(&marks[0].timer, SECONDS(2)); /* again: now behind b and c */
	timer_stop(&marks[1].timer);
	sim_run_for(w, SECONDS(2) - 1);
	ck_assert_str_eq(text, "d");
	sim_run_for(w, 1);
	ck_assert_str_eq(text, "dca");
	sim_node_remove(a);
	sim_free(w);
}
END_TEST

/* ---- tasks and work ---- */

struct job {
	struct env *env;
	uint64_t slept;
	int runs;
};

static int
count_run(void *arg)
{
	struct job *j = arg;

	j->runs++;
	return ERR_CORRUPT;
}

static int
sleep_and_work(void *arg)
{
	struct job *j = arg;
	uint64_t start = env_now(j->env);
	int err = task_sleep(j->env, SECONDS(3));

	if (err != ERR_OK)
		return err;
	j->slept = env_now(j->env) - start;
	return env_offload(j->env, WORK_DISK, count_run, j, 0);
}

START_TEST(tasks_run_to_their_end)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct job j = { .runs = 0 };

	j.env = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	ck_assert_int_eq(sim_run_task(w, j.env, sleep_and_work, &j), ERR_CORRUPT);
	ck_assert_uint_eq(j.slept, SECONDS(3));
	ck_assert_int_eq(j.runs, 1);
	ck_assert_uint_eq(sim_now(w), SECONDS(3) + SIM_WORK_DISK);
	sim_node_remove(j.env);
	sim_free(w);
}
END_TEST

static int
sleep_for_ever(void *arg)
{
	struct job *j = arg;

	for (;;) {
		int err = task_sleep(j->env, HOURS(30));

		if (err != ERR_OK) {
			j->runs++;
			return err;
		}
	}
}

START_TEST(endless_tasks_are_cancelled)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct job j = { .runs = 0 };

	j.env = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	ck_assert_int_eq(sim_run_task(w, j.env, sleep_for_ever, &j), ERR_TIMEOUT);
	ck_assert_int_eq(j.runs, 1);
	sim_node_remove(j.env);
	sim_free(w);
}
END_TEST

struct burst {
	struct work work;
	struct env *env;
	uint64_t ran_at;
	bool done;
};

static void
burst_run(struct work *w)
{
	struct burst *b = container_of(w, struct burst, work);

	b->ran_at = env_now(b->env);
}

static void
burst_done(struct work *w)
{
	container_of(w, struct burst, work)->done = true;
}

START_TEST(work_queues_and_takes_time)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct env *a = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	struct burst *b = calloc(WORK_QUEUE_MAX + 1, sizeof(*b));

	sim_node_work_time(a, WORK_DISK, MILLISECONDS(4));
	for (size_t i = 0; i <= WORK_QUEUE_MAX; i++) {
		b[i] = (struct burst){ .work = { burst_run, burst_done, NULL, NULL }, .env = a };
		ck_assert_int_eq(env_work_submit(a, WORK_DISK, &b[i].work),
		    i < WORK_QUEUE_MAX ? ERR_OK : ERR_BUSY);
	}
	/* Four threads: one starts each millisecond, and is through after four. */
	sim_run_for(w, MILLISECONDS(4));
	ck_assert(b[0].done && !b[1].done);
	ck_assert_uint_eq(b[0].ran_at, MILLISECONDS(4) + 1);
	ck_assert_int_eq(env_work_submit(a, WORK_DISK, &b[WORK_QUEUE_MAX].work), ERR_OK);
	sim_run_for(w, MILLISECONDS(WORK_QUEUE_MAX));
	ck_assert(b[WORK_QUEUE_MAX].done);
	ck_assert_uint_eq(b[WORK_QUEUE_MAX].ran_at, MILLISECONDS(WORK_QUEUE_MAX + 4) + 1);
	free(b);
	sim_node_remove(a);
	sim_free(w);
}
END_TEST

START_TEST(addresses_of_a_node)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct addr ip = sim_addr(300, 0), got;
	struct env *a = sim_node_add(w, &(struct sim_node_opts){ .ip = ip });
	size_t count;

	ck_assert_int_eq(env_local_addrs(a, &got, 1, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert(addr_equal(&got, &ip));
	got = sim_node_ip(a);
	ck_assert(addr_equal(&got, &ip));
	ck_assert_int_eq(env_resolve(a, "16.1.44.1", 80, &got, 1, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_mem_eq(got.ip, ip.ip, sizeof(ip.ip));
	ck_assert_uint_eq(got.port, 80);
	ck_assert_int_eq(env_resolve(a, "example.org", 80, &got, 1, &count), ERR_NOT_FOUND);
	sim_node_remove(a);
	sim_free(w);
}
END_TEST

/* ---- death ---- */

static void
count_datagram(void *arg, const struct addr *from, struct bytes data)
{
	(void)from;
	(void)data;
	++*(int *)arg;
}

START_TEST(killed_nodes_have_no_effect)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct sim_disk *disk = sim_disk_new(&(struct sim_disk_opts){ .seed = 1 });
	struct sim_node_opts with_disk = { .ip = sim_addr(0, 0), .disk = disk };
	struct env *a = sim_node_add(w, &with_disk);
	struct env *b = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
	struct addr to_a = sim_addr(0, PORT), to_b = sim_addr(1, PORT);
	int got_a = 0, got_b = 0;
	struct udp *ua, *ub;
	uint8_t random_a, random_b;

	ck_assert_int_eq(
	    env_udp_open(a, &(struct udp_opts){ to_a, count_datagram, &got_a }, &ua), ERR_OK);
	ck_assert_int_eq(
	    env_udp_open(b, &(struct udp_opts){ to_b, count_datagram, &got_b }, &ub), ERR_OK);
	ck_assert_int_eq(disk_mkdir(a->disk, "/d"), ERR_OK);
	ck_assert_int_eq(udp_send(ub, &to_a, bytes_of("x", 1)), ERR_OK);
	sim_node_kill(a, SIM_SILENT);
	ck_assert(sim_node_dead(a) && !sim_node_dead(b));
	ck_assert_int_eq(udp_send(ua, &to_b, bytes_of("x", 1)), ERR_OK);
	ck_assert_int_eq(disk_mkdir(a->disk, "/e"), ERR_IO);
	sim_run_for(w, SECONDS(1));
	ck_assert_int_eq(got_a + got_b, 0);
	env_random(a, &random_a, 1);
	udp_close(ua);
	sim_node_remove(a);

	/* The same machine again: its disk is back, its random stream is another. */
	sim_disk_restart(disk);
	a = sim_node_add(w, &with_disk);
	ck_assert_int_eq(disk_mkdir(a->disk, "/d"), ERR_EXISTS);
	ck_assert_int_eq(
	    env_udp_open(a, &(struct udp_opts){ to_a, count_datagram, &got_a }, &ua), ERR_OK);
	ck_assert_int_eq(udp_send(ub, &to_a, bytes_of("x", 1)), ERR_OK);
	sim_run_for(w, SECONDS(1));
	ck_assert_int_eq(got_a, 1);
	env_random(a, &random_b, 1);
	ck_assert_uint_ne(random_a, random_b);
	udp_close(ua);
	udp_close(ub);
	sim_node_remove(a);
	sim_node_remove(b);
	sim_free(w);
	sim_disk_free(disk);
}
END_TEST

struct writer {
	struct env *env;
	struct udp *udp;
	struct addr to;
	int err;
};

static int
write_and_tell(void *arg)
{
	struct writer *wr = arg;

	wr->err = disk_write_file(wr->env->disk, "/f", bytes_of("text", 4));
	return udp_send(wr->udp, &wr->to, bytes_of("done", 4));
}

static struct udp *
count_at(struct env *env, struct addr at, int *count)
{
	struct udp_opts opts = { .bind = at, .receive = count_datagram, .arg = count };
	struct udp *u;

	ck_assert_int_eq(env_udp_open(env, &opts, &u), ERR_OK);
	return u;
}

/* Who writes and then tells others must not be able to tell once its machine has stopped. */
START_TEST(disk_crash_stops_the_machine)
{
	const uint64_t points = 5; /* create, write, sync, rename, sync_dir */

	for (uint64_t at = 1; at <= points + 1; at++) {
		struct sim_world *w = sim_new(&(struct sim_opts){ .seed = at });
		struct env *b = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
		struct writer wr = { .to = sim_addr(1, PORT) };
		struct sim_disk_fault fault = { .at = at, .crash = true };
		bool crashes = at <= points;
		int got = 0, got_a = 0;
		struct udp *ub = count_at(b, wr.to, &got);

		wr.env = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
		wr.udp = count_at(wr.env, sim_addr(0, PORT), &got_a);
		sim_disk_arm(sim_node_disk(wr.env), &fault);
		ck_assert_int_eq(sim_run_task(w, wr.env, write_and_tell, &wr), ERR_OK);
		sim_run_for(w, SECONDS(1));
		ck_assert_int_eq(wr.err, crashes ? ERR_IO : ERR_OK);
		ck_assert(sim_node_dead(wr.env) == crashes);
		ck_assert_int_eq(got, crashes ? 0 : 1);
		udp_close(ub);
		udp_close(wr.udp);
		sim_node_remove(b);
		sim_node_remove(wr.env);
		sim_free(w);
	}
}
END_TEST

struct pending {
	struct job job;
	struct task_group group;
	int result;
};

static int
pending_main(void *arg)
{
	struct pending *p = arg;

	p->result = sleep_and_work(&p->job);
	return p->result;
}

static bool
pending_over(void *arg)
{
	return task_group_live(&((struct pending *)arg)->group) == 0;
}

static void
on_empty(void *arg)
{
	++*(int *)arg;
}

START_TEST(tasks_of_the_dead_unwind)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct pending p = { .result = 1 };
	int empty = 0;

	p.job.env = sim_node_add(w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	task_group_init(&p.group, p.job.env);
	ck_assert_int_eq(task_spawn(&p.group, "pending", pending_main, &p), ERR_OK);
	sim_run_for(w, SECONDS(1));
	sim_node_kill(p.job.env, SIM_KILLED);
	task_group_shutdown(&p.group, on_empty, &empty);
	ck_assert(sim_run_until(w, pending_over, &p, SECONDS(1)));
	sim_run_for(w, 0);
	ck_assert_int_eq(p.result, ERR_CANCELED);
	ck_assert_int_eq(empty, 1);
	sim_node_remove(p.job.env);
	sim_free(w);
}
END_TEST

START_TEST(clocks_drift_and_monotonic_time_does_not)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct env *fast = sim_node_add(w,
	    &(struct sim_node_opts){ .ip = sim_addr(1, 0), .region = 0, .clock_drift_ppm = 100 });
	struct env *slow = sim_node_add(w,
	    &(struct sim_node_opts){ .ip = sim_addr(2, 0), .region = 0, .clock_drift_ppm = -100 });

	sim_run_for(w, SECONDS(10000));
	ck_assert_uint_eq(env_wall_ms(fast), SIM_EPOCH_MS + 10001000);
	ck_assert_uint_eq(env_wall_ms(slow), SIM_EPOCH_MS + 9999000);
	ck_assert_uint_eq(env_now(fast), env_now(slow));
	sim_node_remove(fast);
	sim_node_remove(slow);
	sim_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/world");

	suite_add(s, "replay", 60, same_seed_same_run, two_thousand_nodes_for_a_minute,
	    idle_nodes_are_small, clocks_drift_and_monotonic_time_does_not, NULL);
	suite_add(s, "time", 0, clocks, timers_fire_in_order, NULL);
	suite_add(s, "tasks", 0, tasks_run_to_their_end, endless_tasks_are_cancelled,
	    work_queues_and_takes_time, addresses_of_a_node, NULL);
	suite_add(s, "death", 0, killed_nodes_have_no_effect, disk_crash_stops_the_machine,
	    tasks_of_the_dead_unwind, NULL);
	return suite_main(s);
}
