/* Datagrams and the latency model: ranges, loss, duplicates, partitions, bandwidth. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/sim.h"

#define PORT 4000

struct node {
	struct env *env;
	struct udp *udp;
	struct addr addr;
	uint64_t last; /* when the last one came */
	uint64_t count;
	uint64_t out_of_order;
	uint32_t highest;
};

static void
receive(void *arg, const struct addr *from, struct bytes data)
{
	struct node *n = arg;
	uint32_t number = 0;

	ck_assert_uint_eq(from->port, PORT);
	n->last = env_now(n->env);
	n->count++;
	memcpy(&number, data.data, MIN(data.len, sizeof(number)));
	n->out_of_order += number < n->highest;
	n->highest = MAX(n->highest, number);
}

static void
node_start(struct node *n, struct sim_world *w, const struct sim_node_opts *opts)
{
	struct udp_opts udp = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .receive = receive, .arg = n
	};

	*n = (struct node){ .env = sim_node_add(w, opts), .addr = opts->ip };
	n->addr.port = PORT;
	ck_assert_int_eq(env_udp_open(n->env, &udp, &n->udp), ERR_OK);
}

static void
node_stop(struct node *n)
{
	udp_close(n->udp);
	sim_node_remove(n->env);
}

static void
send_to(struct node *from, const struct node *to, uint32_t number)
{
	uint8_t data[100] = { 0 };

	memcpy(data, &number, sizeof(number));
	ck_assert_int_eq(udp_send(from->udp, &to->addr, bytes_of(data, sizeof(data))), ERR_OK);
}

START_TEST(model_is_symmetric_and_in_range)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned a = 0; a < SIM_REGIONS; a++) {
		ck_assert_uint_eq(sim_region_rtt(a, a), MILLISECONDS(20));
		ck_assert_ptr_nonnull(sim_region_name(a));
		for (unsigned b = 0; b < SIM_REGIONS; b++) {
			ck_assert_uint_eq(sim_region_rtt(a, b), sim_region_rtt(b, a));
			low = MIN(low, sim_region_rtt(a, b));
			high = MAX(high, sim_region_rtt(a, b));
		}
	}
	ck_assert_uint_eq(low, MILLISECONDS(20));
	ck_assert_uint_eq(high, MILLISECONDS(310));
}
END_TEST

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

START_TEST(access_lines_have_median_7_ms)
{
	static uint64_t draws[20001];
	unsigned regions[SIM_REGIONS] = { 0 };
	struct sim_random r;

	sim_random_init(&r, 1, 1);
	for (size_t i = 0; i < ARRAY_LEN(draws); i++) {
		draws[i] = sim_draw_access(&r);
		regions[sim_draw_region(&r)]++;
	}
	qsort(draws, ARRAY_LEN(draws), sizeof(draws[0]), compare);
	ck_assert_uint_ge(draws[0], MILLISECONDS(1));
	ck_assert_uint_le(draws[20000], MILLISECONDS(45));
	ck_assert_uint_ge(draws[10000], MICROSECONDS(6800));
	ck_assert_uint_le(draws[10000], MICROSECONDS(7200));
	for (unsigned i = 0; i < SIM_REGIONS; i++)
		ck_assert_uint_gt(regions[i], 20000 / 25);
}
END_TEST

START_TEST(trips_take_as_long_as_modelled)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1, .regions = true });
	struct node a, b;

	node_start(&a, w,
	    &(struct sim_node_opts){
		.ip = sim_addr(0, 0), .region = 0, .access_ns = MILLISECONDS(4) });
	node_start(&b, w,
	    &(struct sim_node_opts){
		.ip = sim_addr(1, 0), .region = 4, .access_ns = MILLISECONDS(6) });
	for (int i = 0; i < 200; i++) {
		uint64_t start = env_now(a.env);

		send_to(&a, &b, 1);
		sim_run_for(w, SECONDS(1));
		ck_assert_uint_eq(b.count, i + 1);
		ck_assert_uint_ge(b.last - start, MILLISECONDS(120));
		ck_assert_uint_le(b.last - start, MILLISECONDS(132));
	}
	node_stop(&a);
	node_stop(&b);
	sim_free(w);
}
END_TEST

START_TEST(faults_come_at_their_rates)
{
	struct sim_world *w = sim_new(&(struct sim_opts){
	    .seed = 3, .faults = { .loss_ppm = 50000, .duplicate_ppm = 20000 } });
	struct sim_faults reorder = { .reorder_ppm = 100000 };
	struct sim_traffic traffic;
	struct node a, b;

	node_start(&a, w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	node_start(&b, w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
	for (uint32_t i = 1; i <= 20000; i++) {
		send_to(&a, &b, i);
		sim_run_for(w, MILLISECONDS(1));
	}
	sim_run_for(w, SECONDS(1));
	/* 20000 · 0.95 · 1.02, give or take 1 % */
	ck_assert_uint_ge(b.count, 19380 - 190);
	ck_assert_uint_le(b.count, 19380 + 190);
	ck_assert_uint_eq(b.out_of_order, 0);
	sim_traffic(w, &traffic);
	ck_assert_uint_eq(traffic.datagrams_sent, 20000);
	ck_assert_uint_eq(traffic.datagrams_received, b.count);
	ck_assert_uint_eq(traffic.datagram_bytes_sent, 2000000);

	sim_set_faults(w, &reorder);
	b.count = 0;
	for (uint32_t i = 1; i <= 10000; i++) {
		send_to(&a, &b, 20000 + i);
		sim_run_for(w, MILLISECONDS(10));
	}
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(b.count, 10000);
	ck_assert_uint_ge(b.out_of_order, 500);
	node_stop(&a);
	node_stop(&b);
	sim_free(w);
}
END_TEST

static bool
block_one_way(void *arg, const struct addr *from, const struct addr *to)
{
	const struct node *n = arg;

	(void)to;
	return memcmp(from->ip, n->addr.ip, sizeof(from->ip)) == 0;
}

START_TEST(partitions_and_dead_addresses)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 3 });
	struct node a, b, nobody = { .addr = sim_addr(99, PORT) };

	node_start(&a, w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	node_start(&b, w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
	send_to(&a, &nobody, 1);
	sim_partition(w, block_one_way, &a);
	send_to(&a, &b, 1);
	send_to(&b, &a, 1);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(a.count, 1);
	ck_assert_uint_eq(b.count, 0);
	sim_partition(w, NULL, NULL);
	send_to(&a, &b, 1);
	send_to(&a, &a, 1);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(a.count, 2);
	ck_assert_uint_eq(b.count, 1);
	node_stop(&a);
	node_stop(&b);
	sim_free(w);
}
END_TEST

START_TEST(sockets_refuse_what_kernels_refuse)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 3 });
	struct udp_opts opts = { .bind = sim_addr(5, PORT) };
	struct addr v6 = { .family = ADDR_IPV6, .port = 1 }, at;
	uint8_t big[66000] = { 0 };
	struct udp *u;
	struct node a;

	node_start(&a, w, &(struct sim_node_opts){ .ip = sim_addr(0, 0) });
	ck_assert_int_eq(env_udp_open(a.env, &opts, &u), ERR_UNSUPPORTED);
	opts.bind = a.addr;
	ck_assert_int_eq(env_udp_open(a.env, &opts, &u), ERR_EXISTS);
	opts.bind.port = 0;
	ck_assert_int_eq(env_udp_open(a.env, &opts, &u), ERR_OK);
	udp_local(u, &at);
	ck_assert_uint_ne(at.port, 0);
	ck_assert_int_eq(udp_send(u, &v6, bytes_of("", 0)), ERR_UNREACHABLE);
	ck_assert_int_eq(udp_send(u, &a.addr, bytes_of(big, sizeof(big))), ERR_TOO_BIG);
	at = a.addr;
	at.port = 0;
	ck_assert_int_eq(udp_send(u, &at, bytes_of("", 0)), ERR_INVALID);
	udp_close(u);
	node_stop(&a);
	sim_free(w);
}
END_TEST

START_TEST(bandwidth_limits_both_ways)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 3 });
	struct node a, b, c;
	uint8_t data[972] = { 0 }; /* 1000 on the wire */
	int sent = 0;

	node_start(&a, w, &(struct sim_node_opts){ .ip = sim_addr(0, 0), .up_bytes_s = 100000 });
	node_start(&b, w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
	node_start(&c, w, &(struct sim_node_opts){ .ip = sim_addr(2, 0), .down_bytes_s = 10000 });
	/* Half a second is queued, the rest refused. */
	while (udp_send(a.udp, &b.addr, bytes_of(data, sizeof(data))) == ERR_OK)
		sent++;
	ck_assert_int_eq(sent, 51);
	ck_assert_int_eq(udp_send(a.udp, &b.addr, bytes_of(data, 1)), ERR_BUSY);
	sim_run_for(w, MILLISECONDS(252));
	ck_assert_uint_ge(b.count, 24);
	ck_assert_uint_le(b.count, 26);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(b.count, 51);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(udp_send(b.udp, &c.addr, bytes_of(data, sizeof(data))), ERR_OK);
	sim_run_for(w, MILLISECONDS(502));
	ck_assert_uint_ge(c.count, 4);
	ck_assert_uint_le(c.count, 5);
	sim_run_for(w, SECONDS(1));
	ck_assert_uint_eq(c.count, 10);
	node_stop(&a);
	node_stop(&b);
	node_stop(&c);
	sim_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/udp");

	suite_add(s, "model", 0, model_is_symmetric_and_in_range, access_lines_have_median_7_ms,
	    trips_take_as_long_as_modelled, NULL);
	suite_add(s, "faults", 0, faults_come_at_their_rates, partitions_and_dead_addresses,
	    sockets_refuse_what_kernels_refuse, bandwidth_limits_both_ways, NULL);
	return suite_main(s);
}
