/*
 * Streams, datagrams, disks and work under random connects, closes, kills, restarts,
 * partitions, clogs, outages and changes of lines. Judged: bytes of a stream are a prefix of what
 * was sent, nothing crashes or leaks (with the sanitizers), and the same seed gives the same run.
 * Not judged: that bytes arrive at all; test_stream.c does that.
 */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/sim.h"

enum { NODES = 12, SESSIONS = 24, STEPS = 500, PORT = 7000 };

struct node;

/* One end of a stream. Sends the numbers of its bytes, checks those of the other. */
struct session {
	struct node *node;
	struct conn *conn;
	uint64_t sent, got;
	bool pause;
};

struct node {
	struct chaos *chaos;
	struct addr ip;
	struct env *env;
	struct sim_disk *disk;
	struct listener *listener;
	struct udp *udp;
	struct session sessions[SESSIONS];
	size_t works;
};

struct chaos {
	struct sim_world *w;
	struct sim_random random; /* of the test's own decisions */
	struct node nodes[NODES];
	uint32_t cut; /* bit i: node i is cut off */
	uint64_t bytes, datagrams, accepted, works;
};

struct job {
	struct work work;
	struct node *node;
	int err;
};

static void
session_end(struct session *s)
{
	if (s->conn != NULL)
		conn_close(s->conn);
	s->conn = NULL;
}

static void
session_want(struct session *s)
{
	conn_want(s->conn, !s->pause, true);
}

static void
session_ready(void *arg, bool readable, bool writable)
{
	struct session *s = arg;
	struct chaos *c = s->node->chaos;
	uint8_t data[3000];
	uint64_t wrong = 0;
	int64_t n;

	if (readable) {
		n = conn_read(s->conn, data, 1 + sim_random_below(&c->random, sizeof(data)));
		for (int64_t i = 0; i < n; i++)
			wrong += data[i] != (uint8_t)((s->got + (uint64_t)i) % 251);
		ck_assert_uint_eq(wrong, 0);
		if (n < 0) {
			session_end(s);
			return;
		}
		s->got += (uint64_t)n;
		c->bytes += (uint64_t)n;
	}
	if (writable) {
		size_t len = 1 + sim_random_below(&c->random, sizeof(data));

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)((s->sent + i) % 251);
		n = conn_write(s->conn, &(struct bytes){ data, len }, 1);
		if (n < 0) {
			session_end(s);
			return;
		}
		s->sent += (uint64_t)n;
		/* Now and then an owner closes in the middle of a callback. */
		if (sim_random_below(&c->random, 400) == 0) {
			session_end(s);
			return;
		}
	}
	if (sim_random_below(&c->random, 20) == 0)
		s->pause = !s->pause;
	session_want(s);
}

static void
session_begin(struct session *s, struct conn *conn)
{
	s->conn = conn;
	s->sent = 0;
	s->got = 0;
	s->pause = false;
	conn_set_handler(conn, &(struct conn_handler){ session_ready, s });
	session_want(s);
}

static struct session *
session_free(struct node *n)
{
	for (size_t i = 0; i < SESSIONS; i++)
		if (n->sessions[i].conn == NULL)
			return &n->sessions[i];
	return NULL;
}

static void
node_accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct node *n = arg;
	struct session *s = session_free(n);

	ck_assert_uint_ne(from->port, 0);
	n->chaos->accepted++;
	if (s == NULL)
		conn_close(conn);
	else
		session_begin(s, conn);
}

static void
node_receive(void *arg, const struct addr *from, struct bytes data)
{
	struct node *n = arg;

	(void)from;
	n->chaos->datagrams++;
	ck_assert_uint_le(data.len, 1000);
}

static void
node_start(struct node *n)
{
	struct sim_node_opts opts = { .ip = n->ip, .region = -1, .disk = n->disk };

	if (sim_random_below(&n->chaos->random, 2) == 0)
		opts.up_bytes_s = opts.down_bytes_s = 2000000;
	if (sim_random_below(&n->chaos->random, 4) == 0)
		opts.nat = (enum sim_nat)sim_random_below(&n->chaos->random, 4);
	opts.nat_refuses = sim_random_below(&n->chaos->random, 2) == 0;
	n->env = sim_node_add(n->chaos->w, &opts);
	ck_assert_int_eq(env_listen(n->env,
			     &(struct listen_opts){ .bind = { .family = ADDR_IPV4, .port = PORT },
				 .accepted = node_accepted,
				 .arg = n },
			     &n->listener),
	    ERR_OK);
	ck_assert_int_eq(env_udp_open(n->env,
			     &(struct udp_opts){ .bind = { .family = ADDR_IPV4, .port = PORT },
				 .receive = node_receive,
				 .arg = n },
			     &n->udp),
	    ERR_OK);
}

static bool
no_works(void *arg)
{
	return ((struct node *)arg)->works == 0;
}

static void
node_stop(struct node *n)
{
	for (size_t i = 0; i < SESSIONS; i++)
		session_end(&n->sessions[i]);
	listener_close(n->listener);
	udp_close(n->udp);
	ck_assert(sim_run_until(n->chaos->w, no_works, n, SECONDS(10)));
	sim_node_remove(n->env);
	n->env = NULL;
}

/* ---- what may happen ---- */

static void
do_connect(struct chaos *c, struct node *n)
{
	struct addr to = c->nodes[sim_random_below(&c->random, NODES)].ip;
	struct session *s = session_free(n);
	struct conn *conn;

	to.port = sim_random_below(&c->random, 10) == 0 ? PORT + 1 : PORT;
	if (s == NULL)
		return;
	ck_assert_int_eq(env_connect(n->env, &to, NULL, &conn), ERR_OK);
	session_begin(s, conn);
}

static void
do_datagrams(struct chaos *c, struct node *n)
{
	static const uint8_t data[1000];

	for (int i = 0; i < 20; i++) {
		struct addr to = c->nodes[sim_random_below(&c->random, NODES)].ip;
		int err;

		to.port = PORT;
		err = udp_send(
		    n->udp, &to, bytes_of(data, sim_random_below(&c->random, sizeof(data))));
		ck_assert(err == ERR_OK || err == ERR_BUSY);
	}
}

static void
job_run(struct work *w)
{
	struct job *j = container_of(w, struct job, work);
	uint8_t data[2000] = { 1 };

	j->err = disk_write_file(j->node->env->disk, "/state", bytes_of(data, sizeof(data)));
}

static void
job_done(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	ck_assert(j->err == ERR_OK || (j->err == ERR_IO && sim_node_dead(j->node->env)));
	j->node->works--;
	j->node->chaos->works++;
	free(j);
}

static void
do_work(struct node *n)
{
	struct job *j = calloc(1, sizeof(*j));

	j->node = n;
	j->work.run = job_run;
	j->work.done = job_done;
	ck_assert_int_eq(env_work_submit(n->env, WORK_DISK, &j->work), ERR_OK);
	n->works++;
}

static void
do_kill(struct chaos *c, struct node *n)
{
	bool power = sim_random_below(&c->random, 2) == 1;

	sim_node_kill(n->env, power ? SIM_SILENT : SIM_KILLED);
	sim_run_for(c->w, sim_random_below(&c->random, SECONDS(1)));
	node_stop(n);
	if (power)
		sim_disk_power_loss(n->disk, sim_random_u64(&c->random));
	else
		sim_disk_restart(n->disk);
}

static bool
cut_off(void *arg, const struct addr *from, const struct addr *to)
{
	const struct chaos *c = arg;
	uint32_t a = 0, b = 0;

	for (uint32_t i = 0; i < NODES; i++) {
		a |= (uint32_t)addr_equal(&c->nodes[i].ip, from) << i;
		b |= (uint32_t)addr_equal(&c->nodes[i].ip, to) << i;
	}
	return ((a ^ b) & c->cut) != 0;
}

static void
do_network(struct chaos *c, struct node *n)
{
	const struct addr *other = &c->nodes[sim_random_below(&c->random, NODES)].ip;
	struct sim_scope scope = { .kind = SIM_SCOPE_NET, .net = *other };
	uint64_t ns = sim_random_below(&c->random, SECONDS(40));

	switch (sim_random_below(&c->random, 6)) {
	case 0:
		sim_clog(c->w, &n->ip, other, ns);
		break;
	case 1:
		sim_clog(c->w, &n->ip, NULL, ns / 4);
		break;
	case 2:
		sim_unclog_all(c->w);
		break;
	case 3:
		scope.kind = sim_random_below(&c->random, 4) == 0 ? SIM_SCOPE_REGION : scope.kind;
		sim_outage(c->w, &scope, ns / 4);
		break;
	case 4:
		sim_node_bandwidth(n->env, 2000 * sim_random_below(&c->random, 200),
		    2000 * sim_random_below(&c->random, 200));
		break;
	case 5:
		sim_node_loss(
		    n->env, &(struct sim_line_loss){ .in_ppm = 50000,
				.burst_start_ppm = (uint32_t)sim_random_below(&c->random, 1000),
				.burst_end_ppm = 1000,
				.burst_loss_ppm = 500000 });
		break;
	}
}

static void
step(struct chaos *c)
{
	struct node *n = &c->nodes[sim_random_below(&c->random, NODES)];
	uint64_t dice = sim_random_below(&c->random, 100);

	if (n->env == NULL)
		node_start(n);
	else if (dice < 30)
		do_connect(c, n);
	else if (dice < 50)
		do_datagrams(c, n);
	else if (dice < 65)
		do_work(n);
	else if (dice < 80)
		session_end(&n->sessions[sim_random_below(&c->random, SESSIONS)]);
	else if (dice < 84)
		do_kill(c, n);
	else if (dice < 86)
		node_stop(n);
	else if (dice < 92)
		do_network(c, n);
	else if (dice < 95)
		c->cut = (uint32_t)sim_random_below(&c->random, 1u << NODES);
	else
		c->cut = 0;
	sim_run_for(c->w, sim_random_below(&c->random, MILLISECONDS(dice == 99 ? 40000 : 200)));
}

static uint64_t
run(uint64_t seed)
{
	struct chaos *c = calloc(1, sizeof(*c));
	uint64_t hash;

	c->w = sim_new(&(struct sim_opts){ .seed = seed,
	    .regions = true,
	    .faults = { .loss_ppm = 5000, .duplicate_ppm = 5000, .reorder_ppm = 5000 } });
	sim_partition(c->w, cut_off, c);
	sim_random_init(&c->random, seed, 77);
	for (uint32_t i = 0; i < NODES; i++) {
		c->nodes[i].chaos = c;
		c->nodes[i].ip = sim_addr(i, 0);
		c->nodes[i].disk = sim_disk_new(&(struct sim_disk_opts){ .seed = seed });
		for (size_t j = 0; j < SESSIONS; j++)
			c->nodes[i].sessions[j].node = &c->nodes[i];
	}
	for (int i = 0; i < STEPS; i++)
		step(c);
	hash = sim_mix(sim_event_hash(c->w), c->bytes);
	ck_assert_uint_gt(c->bytes, 100000);
	ck_assert_uint_gt(c->datagrams, 300);
	ck_assert_uint_gt(c->accepted, 30);
	ck_assert_uint_gt(c->works, 30);
	for (uint32_t i = 0; i < NODES; i++) {
		if (c->nodes[i].env != NULL)
			node_stop(&c->nodes[i]);
		sim_disk_free(c->nodes[i].disk);
	}
	sim_free(c->w);
	free(c);
	return hash;
}

START_TEST(chaos_replays)
{
	uint64_t seed = (uint64_t)_i + 1;

	ck_assert_uint_eq(run(seed), run(seed));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/chaos");
	TCase *tc = tcase_create("chaos");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, chaos_replays, 0, 3);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
