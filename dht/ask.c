/*
 * Two calls at most: the second starts when the first is slow, with the time that is left.
 * The end is the first answer of any kind, or the time-out of the last call in flight.
 */
#include "dht/ask.h"

#include "dht/messages.h"
#include "overlay/base/err.h"

static int start(struct ask *a);

static void
finish(struct ask *a, int err, struct bytes reply)
{
	ask_abandon(a);
	a->done(a, err, reply);
}

static void
call_done(struct rpc_call *c, int err, struct bytes reply)
{
	struct ask *a = c->arg;

	a->pending &= c == &a->calls[0] ? ~1u : ~2u;
	if (err == ERR_TIMEOUT && a->pending != 0)
		return;
	if (err == ERR_AUTH && !a->proved) {
		/* The refusal brought a token that proves our address: with it, once more. */
		a->proved = true;
		ask_abandon(a);
		if (start(a) == ERR_OK)
			return;
	}
	finish(a, err, reply);
}

static uint16_t
answer_max(uint16_t method)
{
	return method == DHT_PING || method == DHT_PUT ? DHT_SHORT_ANSWER : 0;
}

static void
note_sent(struct ask *a, unsigned bit)
{
	a->pending |= bit;
	if (a->sent != NULL)
		++*a->sent;
}

void
ask_again(struct ask *a)
{
	uint64_t now = env_now(endpoint_env(a->ep));

	must((a->pending & 2) == 0);
	a->calls[1] =
	    (struct rpc_call){ .done = call_done, .arg = a, .answer_max = answer_max(a->method) };
	/* Not to be sent twice is no failure: the first call is still under way. */
	if (now < a->ends_at &&
	    rpc_start(a->ep, &a->calls[1], a->to, a->method, a->body, a->ends_at - now) == ERR_OK)
		note_sent(a, 2);
}

static void
call_slow(struct rpc_call *c)
{
	struct ask *a = c->arg;

	if (!a->once)
		ask_again(a);
	if (a->slow != NULL)
		a->slow(a);
}

static int
start(struct ask *a)
{
	uint64_t now = env_now(endpoint_env(a->ep));
	int err;

	if (now >= a->ends_at)
		return ERR_TIMEOUT;
	a->calls[0] = (struct rpc_call){ .done = call_done,
		.slow = a->once && a->slow == NULL ? NULL : call_slow,
		.arg = a,
		.answer_max = answer_max(a->method) };
	err = rpc_start(a->ep, &a->calls[0], a->to, a->method, a->body, a->ends_at - now);
	if (err == ERR_OK) {
		a->pending = 0;
		note_sent(a, 1);
	}
	return err;
}

int
ask_start(struct ask *a, const struct ask_what *what)
{
	uint64_t timeout = what->timeout == 0 ? RPC_TIMEOUT : what->timeout;

	must(a->pending == 0 && a->done != NULL);
	a->ep = what->ep;
	a->to = what->to;
	a->method = what->method;
	a->body = what->body;
	a->once = what->once;
	a->proved = false;
	a->ends_at = env_now(endpoint_env(a->ep)) + timeout;
	return start(a);
}

void
ask_abandon(struct ask *a)
{
	for (unsigned i = 0; i < 2; i++)
		if (a->pending & 1u << i)
			rpc_abandon(&a->calls[i]);
	a->pending = 0;
}

bool
ask_pending(const struct ask *a)
{
	return a->pending != 0;
}
