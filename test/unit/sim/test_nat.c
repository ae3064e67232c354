/* Routers: which port peers see, what comes in; the table against a naive model; in the world. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/sim.h"

#define PORT 4000

/* ---- the table ---- */

START_TEST(cones_keep_the_port_and_filter)
{
	struct nat *any_port = nat_new(SIM_NAT_CONE, 1), *strict = nat_new(SIM_NAT_CONE_PORT, 1);
	struct addr a = sim_addr(1, 10), a_other = sim_addr(1, 11), b = sim_addr(2, 10);

	ck_assert(!nat_in(strict, 0, PORT, &a, PORT));
	ck_assert_uint_eq(nat_out(any_port, 0, PORT, &a), PORT);
	ck_assert_uint_eq(nat_out(strict, 0, PORT, &a), PORT);
	ck_assert(nat_in(any_port, 1, PORT, &a, PORT));
	ck_assert(nat_in(any_port, 1, PORT, &a_other, PORT));
	ck_assert(!nat_in(any_port, 1, PORT, &b, PORT));
	ck_assert(!nat_in(any_port, 1, PORT + 1, &a, PORT + 1));
	ck_assert(nat_in(strict, 1, PORT, &a, PORT));
	ck_assert(!nat_in(strict, 1, PORT, &a_other, PORT));
	ck_assert(!nat_in(strict, 1, PORT, &a, PORT + 1));
	ck_assert(nat_in(strict, SIM_NAT_LIFE - 1, PORT, &a, PORT));
	ck_assert(!nat_in(strict, SIM_NAT_LIFE, PORT, &a, PORT));
	nat_out(strict, SIM_NAT_LIFE, PORT, &a);
	ck_assert(nat_in(strict, 2 * SIM_NAT_LIFE - 1, PORT, &a, PORT));
	nat_free(any_port);
	nat_free(strict);
	nat_free(NULL);
}
END_TEST

START_TEST(symmetric_shows_each_peer_another_port)
{
	struct nat *n = nat_new(SIM_NAT_SYMMETRIC, 1);
	struct addr a = sim_addr(1, 10), b = sim_addr(2, 10);
	uint16_t to_a = nat_out(n, 0, PORT, &a), to_b = nat_out(n, 0, PORT, &b);

	ck_assert_uint_ne(to_a, to_b);
	ck_assert_uint_ne(to_a, PORT);
	ck_assert_uint_ge(to_a, 1024);
	ck_assert_uint_eq(nat_out(n, SECONDS(100), PORT, &a), to_a);
	ck_assert(nat_in(n, SECONDS(130), PORT, &a, to_a));
	ck_assert(!nat_in(n, SECONDS(130), PORT, &a, to_b));
	ck_assert(!nat_in(n, SECONDS(130), PORT, &a, PORT));
	ck_assert(!nat_in(n, SECONDS(130), PORT, &b, to_b)); /* lapsed */
	ck_assert_uint_ne(nat_out(n, SECONDS(130), PORT, &b), to_b);
	ck_assert_uint_ne(nat_stream_port(n, PORT, &a), nat_stream_port(n, PORT, &b));
	nat_free(n);
}
END_TEST

START_TEST(table_follows_the_naive_model)
{
	enum { REMOTES = 300 };
	struct nat *n = nat_new(SIM_NAT_CONE_PORT, 1);
	uint64_t last[REMOTES] = { 0 }, now = 1;
	struct sim_random r;
	unsigned let_in = 0;

	sim_random_init(&r, 5, 5);
	for (int i = 0; i < 20000; i++) {
		uint32_t k = (uint32_t)sim_random_below(&r, REMOTES);
		struct addr remote = sim_addr(k / 3, (uint16_t)(10 + k % 3));
		bool want = last[k] != 0 && now - last[k] < SIM_NAT_LIFE;

		ck_assert_int_eq(nat_in(n, now, PORT, &remote, PORT), want);
		let_in += want;
		if (sim_random_below(&r, 2) == 0) {
			ck_assert_uint_eq(nat_out(n, now, PORT, &remote), PORT);
			last[k] = now;
		}
		now += sim_random_below(&r, SECONDS(1));
	}
	ck_assert_uint_gt(let_in, 2000);
	ck_assert_uint_lt(let_in, 18000);
	nat_free(n);
}
END_TEST

START_TEST(full_table_refuses_until_entries_lapse)
{
	struct nat *n = nat_new(SIM_NAT_SYMMETRIC, 1);
	struct addr a = sim_addr(1, 10);

	for (uint32_t i = 0; i < SIM_NAT_ENTRIES; i++) {
		struct addr to = sim_addr(100 + i, 10);

		ck_assert_uint_ne(nat_out(n, i, PORT, &to), 0);
	}
	ck_assert_uint_eq(nat_out(n, SECONDS(1), PORT, &a), 0);
	ck_assert_uint_eq(nat_out(n, SECONDS(60), PORT, &a), 0);
	ck_assert_uint_ne(nat_out(n, SECONDS(121), PORT, &a), 0);
	nat_free(n);
}
END_TEST

/* ---- in the world ---- */

struct node {
	struct env *env;
	struct udp *udp;
	struct addr addr, seen; /* seen: where its last datagram came from */
	unsigned got;
};

static void
receive(void *arg, const struct addr *from, struct bytes data)
{
	struct node *n = arg;

	(void)data;
	n->seen = *from;
	n->got++;
}

static void
node_start(struct node *n, struct sim_world *w, uint32_t i, enum sim_nat nat)
{
	struct udp_opts udp = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .receive = receive, .arg = n
	};

	*n = (struct node){ .addr = sim_addr(i, PORT) };
	n->env = sim_node_add(
	    w, &(struct sim_node_opts){ .ip = n->addr, .nat = nat, .nat_refuses = i % 2 == 1 });
	ck_assert_int_eq(env_udp_open(n->env, &udp, &n->udp), ERR_OK);
}

static void
node_stop(struct node *n)
{
	udp_close(n->udp);
	sim_node_remove(n->env);
}

static bool
passes(struct sim_world *w, struct node *from, struct node *to, const struct addr *at)
{
	unsigned before = to->got;

	ck_assert_int_eq(udp_send(from->udp, at, bytes_of("x", 1)), ERR_OK);
	sim_run_for(w, MILLISECONDS(10));
	return to->got > before;
}

START_TEST(routers_let_in_only_answers)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct node open, other, cone, sym;
	struct addr at;
	size_t count;

	node_start(&open, w, 0, SIM_NAT_NONE);
	node_start(&other, w, 1, SIM_NAT_NONE);
	node_start(&cone, w, 2, SIM_NAT_CONE_PORT);
	node_start(&sym, w, 3, SIM_NAT_SYMMETRIC);
	ck_assert(!passes(w, &open, &cone, &cone.addr));
	ck_assert(passes(w, &cone, &open, &open.addr));
	ck_assert_uint_eq(open.seen.port, PORT);
	ck_assert(passes(w, &open, &cone, &cone.addr));
	ck_assert(!passes(w, &other, &cone, &cone.addr));

	ck_assert(passes(w, &sym, &open, &open.addr));
	at = open.seen;
	ck_assert_uint_ne(at.port, PORT);
	ck_assert(passes(w, &open, &sym, &at));
	ck_assert(!passes(w, &open, &sym, &sym.addr));
	ck_assert(!passes(w, &other, &sym, &at));
	ck_assert(passes(w, &sym, &other, &other.addr));
	ck_assert_uint_ne(other.seen.port, at.port);

	/* Both punch: works between cones, not from a symmetric one to a strict cone. */
	ck_assert(!passes(w, &sym, &cone, &cone.addr));
	ck_assert(!passes(w, &cone, &sym, &sym.addr));
	ck_assert(!passes(w, &sym, &cone, &cone.addr));
	ck_assert(passes(w, &sym, &sym, &sym.addr)); /* its own loopback */

	sim_run_for(w, MINUTES(2));
	ck_assert(!passes(w, &open, &cone, &cone.addr));
	ck_assert_int_eq(env_local_addrs(cone.env, &at, 1, &count), ERR_OK);
	ck_assert_uint_eq(at.ip[0], 192);
	node_stop(&open);
	node_stop(&other);
	node_stop(&cone);
	node_stop(&sym);
	sim_free(w);
}
END_TEST

static void
accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct node *n = arg;

	n->got++;
	n->seen = *from;
	conn_close(conn);
}

static struct listener *
open_listener(struct node *n)
{
	struct listen_opts opts = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .accepted = accepted, .arg = n
	};
	struct listener *l;

	ck_assert_int_eq(env_listen(n->env, &opts, &l), ERR_OK);
	return l;
}

struct attempt {
	struct conn *conn;
	bool over;
	int64_t result;
};

static void
attempt_ready(void *arg, bool readable, bool writable)
{
	struct attempt *a = arg;
	struct bytes x = bytes_of("x", 1);

	(void)readable;
	(void)writable;
	a->over = true;
	a->result = conn_write(a->conn, &x, 1);
	conn_want(a->conn, false, false);
}

static int64_t
try_connect(struct sim_world *w, struct node *from, const struct addr *to, uint64_t ns)
{
	struct attempt a = { .result = 0 };

	ck_assert_int_eq(env_connect(from->env, to, NULL, &a.conn), ERR_OK);
	conn_set_handler(a.conn, &(struct conn_handler){ attempt_ready, &a });
	conn_want(a.conn, false, true);
	sim_run_for(w, ns);
	conn_close(a.conn);
	sim_run_for(w, SECONDS(1));
	return a.result;
}

START_TEST(routers_keep_connections_out)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 1 });
	struct node open, refusing, dropping;
	struct listener *l[3];

	node_start(&open, w, 0, SIM_NAT_NONE);
	node_start(&refusing, w, 1, SIM_NAT_SYMMETRIC);
	node_start(&dropping, w, 2, SIM_NAT_CONE);
	l[0] = open_listener(&open);
	l[1] = open_listener(&refusing);
	l[2] = open_listener(&dropping);
	ck_assert_int_eq(try_connect(w, &open, &refusing.addr, SECONDS(1)), ERR_REFUSED);
	ck_assert_int_eq(try_connect(w, &open, &dropping.addr, SECONDS(29)), 0);
	ck_assert_int_eq(try_connect(w, &open, &dropping.addr, SECONDS(31)), ERR_TIMEOUT);
	ck_assert_uint_eq(refusing.got + dropping.got, 0);
	ck_assert_int_eq(try_connect(w, &dropping, &open.addr, SECONDS(1)), 1);
	ck_assert_uint_ge(open.seen.port, 32768);
	ck_assert_int_eq(try_connect(w, &refusing, &open.addr, SECONDS(1)), 1);
	ck_assert_int_eq(try_connect(w, &dropping, &dropping.addr, SECONDS(1)), 1);
	ck_assert_uint_eq(open.got, 2);
	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		listener_close(l[i]);
	node_stop(&open);
	node_stop(&refusing);
	node_stop(&dropping);
	sim_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/nat");

	suite_add(s, "table", 0, cones_keep_the_port_and_filter,
	    symmetric_shows_each_peer_another_port, table_follows_the_naive_model,
	    full_table_refuses_until_entries_lapse, NULL);
	suite_add(s, "world", 0, routers_let_in_only_answers, routers_keep_connections_out, NULL);
	return suite_main(s);
}
