/*
 * A few endpoints on a simulated network, for the tests of overlay: each node
 * echoes, fails or fills on request. A raw node speaks bytes instead.
 */
#ifndef TEST_UNIT_OVERLAY_NET_H
#define TEST_UNIT_OVERLAY_NET_H

#include "test/unit/suite.h"

#include "overlay/base/err.h"
#include "overlay/endpoint_private.h"
#include "sim/sim.h"

enum { ECHO = 40, FAIL = 41, FILL = 42, IN_SESSION = 43, SERVE = 44, NOBODYS = 45 };

struct node {
	struct env *env;
	struct endpoint *ep;
	struct contact contact;
	size_t answered; /* requests its handlers saw */
	bool last_proven;
	bool down;
};

struct net {
	struct sim_world *world;
	struct node *nodes;
	size_t count;
	struct network_id id;
};

static const struct network_id test_net = { { 1, 2, 3, 4 } };

static void
test_identity(uint32_t n, struct identity *out)
{
	struct key seed = { { 0x5e } };

	memcpy(seed.b + 1, &n, sizeof(n));
	identity_from_seed(&seed, out);
}

static int
on_request(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct node *n = arg;
	int err = ERR_OK;

	n->answered++;
	n->last_proven = req->proven;
	switch (req->method) {
	case ECHO:
	case IN_SESSION:
		return buf_append(reply, req->body.data, req->body.len);
	case FILL:
		while (err == ERR_OK)
			err = buf_append(reply, "x", 1);
		return reply->len > 0 ? ERR_OK : err;
	default:
		return ERR_NOT_FOUND;
	}
}

/* Reads a byte, which is the status to end with; says in the tail how many it was given. */
static int
on_stream(void *arg, struct stream *s, const struct rpc_request *req)
{
	struct node *n = arg;
	uint8_t want = 0;
	int err = stream_read(s, &want, 1);

	n->answered++;
	n->last_proven = req->proven && req->session;
	return err != ERR_OK ? err : -(int)want;
}

static void
node_start(struct net *net, struct node *n, uint32_t number, struct endpoint_opts opts)
{
	struct identity who;

	test_identity(number, &who);
	opts.env = n->env;
	opts.identity = &who;
	opts.net = opts.net.b[0] == 0 ? net->id : opts.net;
	opts.bind = sim_addr(number, 4000);
	opts.peers_max = 256;
	ck_assert_int_eq(endpoint_new(&opts, &n->ep), ERR_OK);
	contact_init(&n->contact, &who.pub, &opts.bind);
	for (uint16_t m = ECHO; m <= IN_SESSION; m++)
		endpoint_add_method(n->ep, &(struct rpc_method){ .number = m,
					       .session_only = m == IN_SESSION,
					       .answer = on_request,
					       .arg = n });
	endpoint_add_stream_method(
	    n->ep, &(struct stream_method){ .number = SERVE, .serve = on_stream, .arg = n });
	identity_wipe(&who);
	n->down = false;
}

static void
on_down(void *arg)
{
	struct node *n = arg;

	n->down = true;
}

static bool
is_down(void *arg)
{
	struct node *n = arg;

	return n->down;
}

static void
node_stop(struct net *net, struct node *n)
{
	endpoint_shutdown(n->ep, on_down, n);
	ck_assert(sim_run_until(net->world, is_down, n, MINUTES(1)));
	endpoint_free(n->ep);
	n->ep = NULL;
}

static struct net
net_new(size_t count, const struct sim_opts *opts)
{
	struct sim_opts o = opts != NULL ? *opts : (struct sim_opts){ .seed = 1 };
	struct net net = { .count = count, .id = test_net };

	ck_assert_int_eq(crypto_init(), ERR_OK);
	net.world = sim_new(&o);
	net.nodes = calloc(count, sizeof(*net.nodes));
	ck_assert(net.world != NULL && net.nodes != NULL);
	for (uint32_t i = 0; i < count; i++) {
		net.nodes[i].env = sim_node_add(
		    net.world, &(struct sim_node_opts){ .ip = sim_addr(i, 0), .region = -1 });
		ck_assert_ptr_nonnull(net.nodes[i].env);
		node_start(&net, &net.nodes[i], i, (struct endpoint_opts){ .net = { { 0 } } });
	}
	return net;
}

static void
net_free(struct net *net)
{
	for (size_t i = 0; i < net->count; i++) {
		if (net->nodes[i].ep != NULL)
			node_stop(net, &net->nodes[i]);
		sim_node_remove(net->nodes[i].env);
	}
	sim_free(net->world);
	free(net->nodes);
}

/* ---- one call, to its end ---- */

struct call_job {
	struct node *from, *to;
	uint16_t method;
	struct bytes body;
	struct rpc_opts opts;
	struct buf reply;
};

static int
call_task(void *arg)
{
	struct call_job *j = arg;

	return rpc_call(j->from->ep, &j->to->contact, j->method, j->body, &j->opts, &j->reply);
}

static int
net_call(struct net *net, size_t from, size_t to, uint16_t method, const char *body, char *reply)
{
	struct call_job j = { .from = &net->nodes[from],
		.to = &net->nodes[to],
		.method = method,
		.body = bytes_of(body, strlen(body)) };
	int err;

	buf_init(&j.reply, RPC_HEAD_BYTES_MAX);
	err = sim_run_task(net->world, j.from->env, call_task, &j);
	if (err == ERR_OK && reply != NULL)
		strcpy(reply, buf_str(&j.reply));
	buf_fini(&j.reply);
	return err;
}

#endif
