/* Byte streams: order, backpressure, ends of all kinds, readiness that never spins. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/sim.h"

#define PORT 5000

/* Byte number i of what a test sends. */
static uint8_t
pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

/* An end that sends `to_send` bytes of the pattern and checks what it gets. */
struct end {
	struct env *env;
	struct conn *conn;
	uint64_t to_send, sent, got;
	bool close_when_sent;
	bool lazy;                   /* is told and does nothing */
	int64_t read_end, write_end; /* the error that ended it */
	uint64_t told;
	uint64_t connected_at;
};

static void
end_close(struct end *e)
{
	if (e->conn != NULL)
		conn_close(e->conn);
	e->conn = NULL;
}

static void
end_want(struct end *e)
{
	conn_want(e->conn, e->read_end == 0, e->sent < e->to_send && e->write_end == 0);
}

static void
end_read(struct end *e)
{
	uint8_t data[5000];
	int64_t n = conn_read(e->conn, data, sizeof(data));
	uint64_t wrong = 0;

	for (int64_t i = 0; i < n; i++)
		wrong += data[i] != pattern(e->got + (uint64_t)i);
	ck_assert_uint_eq(wrong, 0);
	if (n < 0)
		e->read_end = n;
	else
		e->got += (uint64_t)n;
}

static void
end_write(struct end *e)
{
	uint8_t data[10000];
	size_t len = (size_t)MIN(sizeof(data), e->to_send - e->sent);
	struct bytes parts[3];
	int64_t n;

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(e->sent + i);
	parts[0] = bytes_of(data, len / 3);
	parts[1] = bytes_of(NULL, 0);
	parts[2] = bytes_of(data + len / 3, len - len / 3);
	n = conn_write(e->conn, parts, 3);
	if (n < 0)
		e->write_end = n;
	else
		e->sent += (uint64_t)n;
}

static void
end_ready(void *arg, bool readable, bool writable)
{
	struct end *e = arg;

	e->told++;
	if (e->lazy)
		return;
	if (e->connected_at == 0)
		e->connected_at = env_now(e->env);
	if (readable)
		end_read(e);
	if (writable && e->sent < e->to_send)
		end_write(e);
	if (e->close_when_sent && e->sent == e->to_send)
		end_close(e);
	else
		end_want(e);
}

struct pair {
	struct sim_world *w;
	struct end client, server;
	struct listener *listener;
	int accepted;
};

static void
pair_accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct pair *p = arg;

	p->accepted++;
	ck_assert_uint_ge(from->port, 32768);
	p->server.conn = conn;
	conn_set_handler(conn, &(struct conn_handler){ end_ready, &p->server });
	end_want(&p->server);
}

static void
pair_connect(struct pair *p)
{
	struct addr to = sim_addr(1, PORT);

	ck_assert_int_eq(env_connect(p->client.env, &to, NULL, &p->client.conn), ERR_OK);
	conn_set_handler(p->client.conn, &(struct conn_handler){ end_ready, &p->client });
	end_want(&p->client);
}

static void
pair_start(struct pair *p, const struct sim_opts *opts, uint64_t up_bytes_s)
{
	struct listen_opts listen = {
		.bind = { .family = ADDR_IPV4, .port = PORT }, .accepted = pair_accepted, .arg = p
	};

	memset(p, 0, sizeof(*p));
	p->w = sim_new(opts);
	p->client.env = sim_node_add(
	    p->w, &(struct sim_node_opts){ .ip = sim_addr(0, 0), .up_bytes_s = up_bytes_s });
	p->server.env =
	    sim_node_add(p->w, &(struct sim_node_opts){ .ip = sim_addr(1, 0), .region = 1 });
	ck_assert_int_eq(env_listen(p->server.env, &listen, &p->listener), ERR_OK);
	pair_connect(p);
}

static void
pair_stop(struct pair *p)
{
	end_close(&p->client);
	end_close(&p->server);
	if (p->listener != NULL)
		listener_close(p->listener);
	sim_node_remove(p->client.env);
	if (p->server.env != NULL)
		sim_node_remove(p->server.env);
	sim_free(p->w);
}

START_TEST(bytes_arrive_in_order)
{
	struct sim_opts opts = { .seed = 5, .regions = true, .faults = { .loss_ppm = 20000 } };
	struct pair p;

	pair_start(&p, &opts, 0);
	p.client.to_send = 3000000;
	p.server.to_send = 1000000;
	end_want(&p.client);
	sim_run_for(p.w, MINUTES(2));
	ck_assert_int_eq(p.accepted, 1);
	ck_assert_uint_eq(p.server.got, 3000000);
	ck_assert_uint_eq(p.client.got, 1000000);
	/* A round trip passes before the client may send: 85 ms and two access lines. */
	ck_assert_uint_ge(p.client.connected_at, MILLISECONDS(87));
	ck_assert_uint_le(p.client.connected_at, MILLISECONDS(200));
	pair_stop(&p);
}
END_TEST

START_TEST(close_delivers_everything_then_the_end)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	p.client.to_send = 100000;
	p.client.close_when_sent = true;
	end_want(&p.client);
	sim_run_for(p.w, SECONDS(1));
	ck_assert_ptr_null(p.client.conn);
	ck_assert_uint_eq(p.server.got, 100000);
	ck_assert_int_eq(p.server.read_end, ERR_CLOSED);
	/* Writing to who has gone is answered with a reset. */
	p.server.to_send = 10;
	end_want(&p.server);
	sim_run_for(p.w, SECONDS(1));
	ck_assert_uint_eq(p.server.sent, 10);
	p.server.to_send = 20;
	end_want(&p.server);
	sim_run_for(p.w, SECONDS(1));
	ck_assert_int_eq(p.server.write_end, ERR_CLOSED);
	pair_stop(&p);
}
END_TEST

/* A client may write and close before the server has even accepted. */
START_TEST(quick_close_still_arrives)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	p.client.to_send = 10;
	p.client.close_when_sent = true;
	end_want(&p.client);
	while (p.client.conn != NULL)
		sim_run_for(p.w, MICROSECONDS(10));
	ck_assert_int_eq(p.accepted, 0);
	sim_run_for(p.w, SECONDS(1));
	ck_assert_uint_eq(p.server.got, 10);
	ck_assert_int_eq(p.server.read_end, ERR_CLOSED);
	pair_stop(&p);
}
END_TEST

START_TEST(unread_bytes_hold_the_sender)
{
	struct pair p;
	uint64_t told;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	p.client.to_send = 2000000;
	p.server.lazy = true;
	end_want(&p.client);
	sim_run_for(p.w, SECONDS(10));
	ck_assert_uint_le(p.client.sent, SIM_STREAM_WINDOW);
	ck_assert_uint_ge(p.client.sent, SIM_STREAM_WINDOW * 3 / 4);
	/* Told again while nobody reads, at intervals, not in a spin. */
	ck_assert_uint_gt(p.server.told, 1000);
	ck_assert_uint_lt(p.server.told, 200000);
	conn_want(p.server.conn, false, false);
	sim_run_for(p.w, SECONDS(1));
	told = p.server.told;
	sim_run_for(p.w, SECONDS(10));
	ck_assert_uint_eq(p.server.told, told);
	p.server.lazy = false;
	end_want(&p.server);
	sim_run_for(p.w, SECONDS(60));
	ck_assert_uint_eq(p.server.got, 2000000);
	pair_stop(&p);
}
END_TEST

START_TEST(bandwidth_is_shared_out)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 1000000);
	p.client.to_send = 20000000;
	end_want(&p.client);
	sim_run_for(p.w, SECONDS(10));
	ck_assert_uint_ge(p.server.got, 9500000);
	ck_assert_uint_le(p.server.got, 10000000);
	pair_stop(&p);
}
END_TEST

START_TEST(nobody_there_times_out_and_no_listener_refuses)
{
	struct addr nowhere = sim_addr(99, PORT), no_port = sim_addr(1, PORT + 1);
	struct end e = { .to_send = 1 };
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	e.env = p.client.env;
	ck_assert_int_eq(env_connect(e.env, &no_port, NULL, &e.conn), ERR_OK);
	conn_set_handler(e.conn, &(struct conn_handler){ end_ready, &e });
	sim_run_for(p.w, MILLISECONDS(5));
	ck_assert_int_eq(e.write_end, ERR_REFUSED);
	end_close(&e);

	e.write_end = 0;
	ck_assert_int_eq(env_connect(e.env, &nowhere, NULL, &e.conn), ERR_OK);
	conn_set_handler(e.conn, &(struct conn_handler){ end_ready, &e });
	sim_run_for(p.w, SIM_STREAM_TIMEOUT - SECONDS(1));
	ck_assert_int_eq(e.write_end, 0);
	sim_run_for(p.w, SECONDS(2));
	ck_assert_int_eq(e.write_end, ERR_TIMEOUT);
	end_close(&e);

	/* Closing in the middle of connecting. */
	ck_assert_int_eq(env_connect(e.env, &nowhere, NULL, &e.conn), ERR_OK);
	end_close(&e);
	ck_assert_int_eq(env_connect(e.env, &no_port, "/run/x", &e.conn), ERR_UNSUPPORTED);
	pair_stop(&p);
}
END_TEST

static void
kill_server(struct pair *p, enum sim_death how)
{
	sim_node_kill(p->server.env, how);
	end_close(&p->server);
	listener_close(p->listener);
	p->listener = NULL;
}

START_TEST(killed_process_resets)
{
	struct pair p;
	struct end again = { .to_send = 1 };
	struct addr to = sim_addr(1, PORT);

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	sim_run_for(p.w, SECONDS(1));
	kill_server(&p, SIM_KILLED);
	sim_run_for(p.w, MILLISECONDS(10));
	ck_assert_int_eq(p.client.read_end, ERR_CLOSED);
	again.env = p.client.env;
	ck_assert_int_eq(env_connect(again.env, &to, NULL, &again.conn), ERR_OK);
	conn_set_handler(again.conn, &(struct conn_handler){ end_ready, &again });
	sim_run_for(p.w, SECONDS(1));
	ck_assert_int_eq(again.write_end, ERR_REFUSED);
	end_close(&again);
	pair_stop(&p);
}
END_TEST

START_TEST(silent_machine_is_found_by_timeout)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	sim_run_for(p.w, SECONDS(1));
	kill_server(&p, SIM_SILENT);
	sim_run_for(p.w, MINUTES(10));
	ck_assert_int_eq(p.client.read_end, 0); /* who only listens never learns */
	p.client.to_send = 1;
	end_want(&p.client);
	sim_run_for(p.w, SIM_STREAM_TIMEOUT - SECONDS(1));
	ck_assert_int_eq(p.client.read_end, 0);
	sim_run_for(p.w, SECONDS(10));
	ck_assert_int_eq(p.client.read_end, ERR_TIMEOUT);
	pair_stop(&p);
}
END_TEST

START_TEST(restarted_machine_resets_old_streams)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	sim_run_for(p.w, SECONDS(1));
	kill_server(&p, SIM_SILENT);
	sim_node_remove(p.server.env);
	p.server.env = sim_node_add(p.w, &(struct sim_node_opts){ .ip = sim_addr(1, 0) });
	p.client.to_send = 1;
	end_want(&p.client);
	sim_run_for(p.w, MILLISECONDS(10));
	ck_assert_int_eq(p.client.read_end, ERR_CLOSED);
	pair_stop(&p);
}
END_TEST

static bool
block_all(void *arg, const struct addr *from, const struct addr *to)
{
	(void)arg;
	(void)from;
	(void)to;
	return true;
}

START_TEST(short_partitions_delay_and_long_ones_break)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5 }, 0);
	sim_run_for(p.w, SECONDS(1));
	sim_partition(p.w, block_all, NULL);
	p.client.to_send = 300000;
	end_want(&p.client);
	sim_run_for(p.w, SECONDS(20));
	ck_assert_uint_eq(p.server.got, 0);
	sim_partition(p.w, NULL, NULL);
	sim_run_for(p.w, SECONDS(10));
	ck_assert_uint_eq(p.server.got, 300000);
	sim_partition(p.w, block_all, NULL);
	p.client.to_send = 300001;
	end_want(&p.client);
	sim_run_for(p.w, SECONDS(40));
	ck_assert_int_eq(p.client.read_end, ERR_TIMEOUT);
	ck_assert_int_eq(p.server.read_end, 0);
	pair_stop(&p);
}
END_TEST

START_TEST(world_ends_with_bytes_under_way)
{
	struct pair p;

	pair_start(&p, &(struct sim_opts){ .seed = 5, .regions = true }, 0);
	p.client.to_send = 1000000;
	end_want(&p.client);
	sim_run_for(p.w, MILLISECONDS(300));
	while (p.client.sent == p.server.got)
		sim_run_for(p.w, MILLISECONDS(1));
	ck_assert_uint_lt(p.client.sent, 1000000);
	pair_stop(&p); /* the leak checker judges */

	pair_start(&p, &(struct sim_opts){ .seed = 5, .regions = true }, 0);
	p.client.to_send = 10;
	p.client.close_when_sent = true;
	end_want(&p.client);
	while (p.client.conn != NULL)
		sim_run_for(p.w, MILLISECONDS(1));
	pair_stop(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/stream");

	suite_add(s, "bytes", 20, bytes_arrive_in_order, close_delivers_everything_then_the_end,
	    quick_close_still_arrives, unread_bytes_hold_the_sender, bandwidth_is_shared_out,
	    world_ends_with_bytes_under_way, NULL);
	suite_add(s, "trouble", 20, nobody_there_times_out_and_no_listener_refuses,
	    killed_process_resets, silent_machine_is_found_by_timeout,
	    restarted_machine_resets_old_streams, short_partitions_delay_and_long_ones_break, NULL);
	return suite_main(s);
}
