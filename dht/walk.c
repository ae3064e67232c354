/*
 * The task starts what the lookup's state wants asked and sleeps; answers arrive as
 * callbacks on the loop, feed the state, and wake it. Ends when the state is done, somebody
 * stops it, or time runs out; then what is in flight is abandoned. Answers that cannot be read
 * count as failures of that peer.
 */
#include "dht/walk.h"

#include <stdlib.h>

#define WALK_TIMEOUT SECONDS(15) /* five hard failures in a row */

static size_t
slot_of(const struct walk *w, const struct ask *a)
{
	return (size_t)(a - w->asks);
}

static void
learn(struct walk *w, size_t slot, const struct contacts *c)
{
	for (size_t i = 0; i < MIN(c->count, LOOKUP_REPLY_MAX); i++) {
		struct contact told;

		if (lookup_known(&w->state, &c->at[i].pub))
			continue;
		contact_init(&told, &c->at[i].pub, &c->at[i].addr);
		if (dht_contact_ok(w->dht, &told))
			lookup_learn(&w->state, slot, &told, dht_suspect(w->dht, &told));
	}
}

static int
read_reply(struct walk *w, size_t slot, struct bytes reply)
{
	int err;

	if (w->opts.method == DHT_FIND_NODE) {
		err = nodes_reply_unpack(reply, &w->reply.nodes);
		if (err == ERR_OK)
			learn(w, slot, &w->reply.nodes.contacts);
		return err;
	}
	err = get_reply_unpack(reply, &w->reply.get);
	if (err != ERR_OK)
		return err;
	learn(w, slot, &w->reply.get.contacts);
	if (w->reply.get.records.count > 0 &&
	    w->opts.got(w->opts.arg, lookup_contact(&w->state, slot), &w->reply.get))
		w->stopped = true;
	return ERR_OK;
}

static bool start_all(struct walk *w);

/*
 * Goes on from inside the answer; the task need not run for that. It is woken when there is
 * something for it: the end, or somebody new whose silence it has to time.
 */
static void
go_on(struct walk *w)
{
	bool timed = !w->stopped && start_all(w);

	if (timed || w->stopped || lookup_done(&w->state, env_now(w->dht->env)))
		wait_wake(&w->wake, ERR_OK);
}

static void
answered(struct ask *a, int err, struct bytes reply)
{
	struct walk *w = a->arg;
	size_t slot = slot_of(w, a);

	if (err == ERR_OK)
		err = read_reply(w, slot, reply);
	if (err == ERR_OK)
		lookup_answered(&w->state, slot, env_now(w->dht->env));
	else
		lookup_failed(&w->state, slot);
	go_on(w);
}

static void
slow(struct ask *a)
{
	struct walk *w = a->arg;

	lookup_slow(&w->state, slot_of(w, a));
	/* Others have led us on meanwhile, or it is one of those that we are looking for. */
	if (lookup_matters(&w->state, slot_of(w, a)))
		ask_again(a);
	wait_wake(&w->wake, ERR_OK);
}

/* Whether one of those now asked is given little time: see lookup_wakeup(). */
static bool
start_all(struct walk *w)
{
	bool timed = false;
	size_t slot;

	while (lookup_next(&w->state, env_now(w->dht->env), &slot)) {
		struct ask *a = &w->asks[slot];

		timed |= w->state.at[slot].suspect;
		*a = (struct ask){ .done = answered, .slow = slow, .arg = w, .sent = &w->sent };
		if (ask_start(a, &(struct ask_what){ .ep = w->dht->ep,
				     .to = lookup_contact(&w->state, slot),
				     .method = w->opts.method,
				     .body = buf_bytes(&w->body),
				     .once = true }) != ERR_OK)
			lookup_failed(&w->state, slot);
	}
	return timed;
}

static int
wait_more(struct walk *w, uint64_t deadline)
{
	uint64_t now = env_now(w->dht->env), until = lookup_wakeup(&w->state, now);
	int err;

	until = until == 0 ? deadline : MIN(until, deadline);
	if (now >= until)
		return ERR_TIMEOUT;
	err = wait_for(w->dht->env, &w->wake, until - now);
	wait_init(&w->wake);
	return wait_time_came(w->dht->env, err, until) && until < deadline ? ERR_OK : err;
}

static void
seed(struct walk *w)
{
	struct table_view near[2 * DHT_K];
	size_t n = table_near(w->dht->table, &w->opts.target, UINT8_MAX, near, ARRAY_LEN(near));

	for (size_t i = 0; i < n; i++) {
		struct contact c;

		table_contact(&near[i], &c);
		lookup_seed(&w->state, &c, near[i].strikes >= TABLE_STRIKES_SILENT);
	}
}

static int
pack_body(struct walk *w)
{
	struct find_node find = { .target = w->opts.target };
	struct get get = { .key = w->opts.target, .kind = w->opts.kind };

	buf_init(&w->body, RPC_DATAGRAM_BODY_MAX);
	return w->opts.method == DHT_FIND_NODE ? find_node_pack(&find, &w->body)
					       : get_pack(&get, &w->body);
}

static unsigned
alpha_of(const struct walk_opts *o)
{
	if (o->alpha != 0)
		return o->alpha;
	return o->paths == 1 ? DHT_ALPHA : DHT_ALPHA_EACH;
}

static int
run(struct walk *w)
{
	uint64_t now = env_now(w->dht->env);
	uint64_t deadline = now + (w->opts.timeout == 0 ? WALK_TIMEOUT : w->opts.timeout);
	int err = ERR_OK;

	lookup_init(&w->state,
	    &(struct lookup_plan){ .target = w->opts.target,
		.self = w->dht->self,
		.want = w->opts.want,
		.paths = w->opts.paths == 0 ? DHT_PATHS : w->opts.paths,
		.alpha = alpha_of(&w->opts),
		.first_only = w->opts.first_only,
		.exact = w->opts.exact,
		.hasty = w->opts.hasty,
		.ip_limits = w->dht->ip_limits },
	    now);
	seed(w);
	if (w->state.count == 0)
		return ERR_NO_NETWORK;
	table_touch(w->dht->table, &w->opts.target, now);
	while (err == ERR_OK && !w->stopped) {
		(void)start_all(w);
		if (lookup_done(&w->state, env_now(w->dht->env)))
			break;
		err = wait_more(w, deadline);
	}
	return err;
}

int
walk_run(struct dht *d, const struct walk_opts *opts, struct walk **out)
{
	struct walk *w = malloc(sizeof(*w));
	struct contact any;
	int err;

	if (w == NULL)
		return ERR_NOMEM;
	/* The candidates, their requests and the answer are large, and set before they are read. */
	w->dht = d;
	w->opts = *opts;
	w->state.count = 0;
	w->stopped = false;
	w->sent = 0;
	wait_init(&w->wake);
	d->status.lookups++;
	err = pack_body(w);
	if (err == ERR_OK)
		err = run(w);
	for (size_t i = 0; i < w->state.count; i++)
		if (w->state.at[i].state != CANDIDATE_NEW) /* was never asked */
			ask_abandon(&w->asks[i]);
	/* Out of time with some answers is an answer: the closest of those that did. */
	if (err == ERR_TIMEOUT && !task_canceled(d->env))
		err = ERR_OK;
	if (err == ERR_OK && !w->stopped && lookup_closest(&w->state, &any, 1) == 0)
		err = ERR_UNREACHABLE;
	if (err != ERR_OK)
		d->status.lookups_failed++;
	*out = w;
	return err;
}

void
walk_free(struct walk *w)
{
	if (w == NULL)
		return;
	buf_fini(&w->body);
	free(w);
}

/* ---- fan-out ---- */

struct flight {
	const struct fan *fan;
	size_t next, live;
	bool enough;
	struct wait wake;
	struct ask asks[]; /* one each; those before next have been started */
};

static void fan_start(struct flight *fl);

static void
fan_answered(struct ask *a, int err, struct bytes reply)
{
	struct flight *fl = a->arg;

	fl->live--;
	if (fl->fan->answer(fl->fan->arg, (size_t)(a - fl->asks), err, reply))
		fl->enough = true;
	fan_start(fl);
	if (fl->enough || fl->live == 0)
		wait_wake(&fl->wake, ERR_OK);
}

static void
fan_start(struct flight *fl)
{
	const struct fan *f = fl->fan;

	while (!fl->enough && fl->next < f->count && fl->live < FAN_FLIGHT) {
		size_t i = fl->next++;
		struct ask *a = &fl->asks[i];
		int err;

		*a = (struct ask){ .done = fan_answered, .arg = fl, .sent = f->sent };
		err = ask_start(a,
		    &(struct ask_what){ .ep = f->dht->ep,
			.to = &f->to[i],
			.method = f->method,
			.body = f->body_of == NULL ? f->body : f->body_of(f->arg, i),
			.timeout = f->timeout_of == NULL ? f->timeout : f->timeout_of(f->arg, i) });
		if (err == ERR_OK)
			fl->live++;
		else if (f->answer(f->arg, i, err, (struct bytes){ NULL, 0 }))
			fl->enough = true;
	}
}

int
fan_run(const struct fan *f)
{
	struct flight *fl = malloc(sizeof(*fl) + f->count * sizeof(*fl->asks));
	int err = ERR_OK;

	if (fl == NULL)
		return ERR_NOMEM;
	must(f->count <= FAN_MAX);
	*fl = (struct flight){ .fan = f };
	wait_init(&fl->wake);
	while (err == ERR_OK && !fl->enough) {
		fan_start(fl);
		if (fl->live == 0)
			break;
		err = wait_for(f->dht->env, &fl->wake, 0);
		wait_init(&fl->wake);
	}
	for (size_t i = 0; i < fl->next; i++)
		ask_abandon(&fl->asks[i]);
	free(fl);
	return err;
}
