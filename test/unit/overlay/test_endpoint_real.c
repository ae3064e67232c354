/* The same on real sockets of 127.0.0.1: one port for UDP and TCP, calls on both. */
#include "test/unit/suite.h"

#include "overlay/base/env_real.h"
#include "overlay/base/err.h"
#include "overlay/endpoint.h"

enum { ECHO = 40 };

struct pair {
	struct env *env;
	struct endpoint *ep[2];
	struct contact contact[2];
};

static int
answer_echo(void *arg, const struct rpc_request *req, struct buf *reply)
{
	(void)arg;
	return buf_append(reply, req->body.data, req->body.len);
}

static void
make(struct pair *p, int i, uint16_t port)
{
	struct key seed = { { (uint8_t)(i + 1) } };
	struct identity who;
	struct endpoint_opts opts = { .env = p->env,
		.identity = &who,
		.net = { { 1, 2, 3, 4 } },
		.bind = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 } },
		.loopback_net = true };
	struct addr local;

	opts.bind.port = port;
	identity_from_seed(&seed, &who);
	ck_assert_int_eq(endpoint_new(&opts, &p->ep[i]), ERR_OK);
	endpoint_add_method(
	    p->ep[i], &(struct rpc_method){ .number = ECHO, .answer = answer_echo });
	endpoint_local(p->ep[i], &local);
	ck_assert_uint_ne(local.port, 0);
	contact_init(&p->contact[i], &who.pub, &local);
	identity_wipe(&who);
}

static void
on_down(void *arg)
{
	wait_wake(arg, ERR_OK);
}

static void
unmake(struct pair *p, int i)
{
	struct wait w;

	wait_init(&w);
	endpoint_shutdown(p->ep[i], on_down, &w);
	ck_assert_int_eq(wait_for(p->env, &w, SECONDS(10)), ERR_OK);
	endpoint_free(p->ep[i]);
}

static int
calls_main(void *arg)
{
	struct pair *p = arg;
	struct rpc_opts session = { .transport = RPC_SESSION };
	struct endpoint_opts taken = { .env = p->env, .net = { { 1, 2, 3, 4 } } };
	struct endpoint *third;
	struct buf reply;

	make(p, 0, 0);
	make(p, 1, 0);
	buf_init(&reply, KIB(1));
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(rpc_call(p->ep[i % 2], &p->contact[(i + 1) % 2], ECHO,
				     bytes_of("over UDP", 9), NULL, &reply),
		    ERR_OK);
		ck_assert_str_eq((char *)reply.data, "over UDP");
		ck_assert_int_eq(rpc_call(p->ep[i % 2], &p->contact[(i + 1) % 2], ECHO,
				     bytes_of("over TCP", 9), &session, &reply),
		    ERR_OK);
		ck_assert_str_eq((char *)reply.data, "over TCP");
	}
	taken.identity = endpoint_identity(p->ep[0]);
	taken.bind = p->contact[1].addr;
	ck_assert_int_ne(endpoint_new(&taken, &third), ERR_OK);
	unmake(p, 0);
	/* Its port is free again at once, for both. */
	make(p, 0, p->contact[0].addr.port);
	ck_assert_int_eq(
	    rpc_call(p->ep[1], &p->contact[0], ECHO, bytes_of("again", 6), NULL, &reply), ERR_OK);
	unmake(p, 0);
	unmake(p, 1);
	buf_fini(&reply);
	return ERR_OK;
}

START_TEST(calls_on_real_sockets)
{
	struct pair p;

	ck_assert_int_eq(crypto_init(), ERR_OK);
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &p.env), ERR_OK);
	ck_assert_int_eq(env_real_run(p.env, calls_main, &p), ERR_OK);
	env_real_free(p.env);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/endpoint (real)");

	suite_add(s, "loopback", 20, calls_on_real_sockets, NULL);
	return suite_main(s);
}
