/*
 * Keeping the table true without storms: a contact is pinged when nothing was heard of it for
 * nearly an hour, and again soon when it does not answer, one at a time; a bucket is
 * looked up only when it lacks contacts and nothing else went there for an hour, the own
 * neighbourhood every twenty minutes, mostly by a short lookup that ends at the nearest few.
 * Strangers that call us are asked back before they enter the table. All through timers that start
 * a task or a single request; a failure of any shows in the table, and the next round tries again.
 */
#include <stdlib.h>

#include "dht/dht_private.h"

#define PING_MIN          SECONDS(5) /* between two pings; the pause is drawn from here … */
#define PING_SPREAD       SECONDS(5) /* … and so much more: 360 contacts in that time */
/*
 * Heard so lately, a contact needs no ping. Where sessions last 2 h at the median, 173 min in the
 * mean, a seventh of a table is dead then; lookups are measured with 15 %. Less than the life of
 * the token that a ping brings back.
 */
#define PING_FRESH        MINUTES(55)
#define PING_DOUBTED      SECONDS(30) /* unless it failed then */
#define BUCKET_IDLE       HOURS(1)
#define NEIGHBOURHOOD     MINUTES(20) /* newcomers make themselves known; this is for the rest */
#define NEIGHBOURHOOD_MIN SECONDS(30) /* brought forward no oftener than this */
#define KNOCK_EVERY       MINUTES(10) /* at bootstraps that the table has lost */
#define SAVE_EVERY        MINUTES(10)
/* Bootstraps, while nobody answers: twice as long after each time. A line may be gone for days. */
#define RETRY_FIRST       SECONDS(10)
#define RETRY_MAX         MINUTES(2)
#define REFRESH_EVERY     SECONDS(5)
#define BUCKET_LOOK       MINUTES(5)       /* for idle ones */
#define EXPIRE_EVERY      MINUTES(5)       /* who is asked for an expired record knows that it is */
#define VERIFY_DELAY      MILLISECONDS(50) /* an answer to us would tell in that time */
/* Lookups of own random targets until the size estimate is good enough to place records by. */
#define SAMPLES_FIRST     (SIZE_SAMPLES_MIN + 2)
#define SAMPLE_EVERY      HOURS(2) /* afterwards: the estimate moves twofold a day at most */
/* Of the refreshes of the own neighbourhood so many are short, then a full one. */
#define SHORT_REFRESHES   2

bool
dht_contact_ok(const struct dht *d, const struct contact *c)
{
	return addr_usable(&c->addr, d->loopback_net) && !id_equal(&c->id, &d->self) &&
	       identity_pow_ok(&c->id, endpoint_pow_bits(d->ep));
}

bool
dht_suspect(const struct dht *d, const struct contact *c)
{
	struct peer_standing s;

	return endpoint_standing(d->ep, &c->pub, &s) && s.strikes >= TABLE_STRIKES_SILENT;
}

/* ---- strangers ---- */

static struct verify *
verify_find(const struct dht *d, const struct pubkey *pub)
{
	for (size_t i = 0; d->verifying > 0 && i < DHT_VERIFY_MAX; i++)
		if (d->verify[i].used && pubkey_equal(&d->verify[i].who.pub, pub))
			return &d->verify[i];
	return NULL;
}

static void
verify_end(struct dht *d, struct verify *v)
{
	v->used = false;
	d->verifying--;
}

static void
verify_done(struct ask *a, int err, struct bytes reply)
{
	/* The observer has seen the answer, and with it the table. */
	(void)err;
	(void)reply;
	if (container_of(a, struct verify, ask)->used)
		verify_end(a->arg, container_of(a, struct verify, ask));
}

static void
verify_start(void *arg)
{
	struct dht *d = arg;

	for (size_t i = 0; i < DHT_VERIFY_MAX; i++) {
		struct verify *v = &d->verify[i];

		if (!v->used || ask_pending(&v->ask))
			continue;
		v->ask = (struct ask){ .done = verify_done, .arg = d };
		if (ask_start(&v->ask, &(struct ask_what){ .ep = d->ep,
					   .to = &v->who,
					   .method = DHT_PING,
					   .body = buf_bytes(&d->empty),
					   .once = true }) != ERR_OK)
			verify_end(d, v); /* it may call again */
	}
}

static void
verify_queue(struct dht *d, const struct contact *who, bool proven)
{
	if (d->verify == NULL)
		d->verify = calloc(DHT_VERIFY_MAX, sizeof(*d->verify));
	for (size_t i = 0; d->verify != NULL && i < DHT_VERIFY_MAX; i++)
		if (!d->verify[i].used) {
			d->verify[i] =
			    (struct verify){ .who = *who, .used = true, .proven = proven };
			d->verifying++;
			if (!timer_armed(&d->verifier))
				timer_start(&d->verifier, VERIFY_DELAY);
			return;
		}
}

/* Whether a stranger has to call again: its network has a place, or forged senders might have all.
 */
static bool
verify_crowded(const struct dht *d, const struct contact *who, bool proven)
{
	uint64_t group = addr_group(&who->addr);
	size_t forged = 0;

	for (size_t i = 0; d->verifying > 0 && i < DHT_VERIFY_MAX; i++) {
		const struct verify *v = &d->verify[i];

		if (v->used && d->ip_limits && addr_group(&v->who.addr) == group)
			return true;
		forged += v->used && !v->proven;
	}
	return !proven && forged >= DHT_VERIFY_FORGED;
}

static void
ping_after(struct dht *d, uint64_t wait)
{
	wait += dht_paced(d, PING_MIN + env_random_below(d->env, PING_SPREAD));
	d->ping_at = env_now(d->env) + wait;
	timer_start(&d->ping, wait);
}

/* ---- the endpoint's observer ---- */

static void
on_heard(void *arg, const struct contact *from, bool proven)
{
	struct dht *d = arg;

	/* A replay keeps nobody fresh. */
	if (proven ? table_heard(d->table, from, env_now(d->env)) : table_has(d->table, from))
		return;
	if (!dht_contact_ok(d, from) || verify_find(d, &from->pub) != NULL)
		return;
	if (table_wants(d->table, from, TABLE_INBOUND)) {
		if (!verify_crowded(d, from, proven))
			verify_queue(d, from, proven);
	} else if (table_close(d->table, from) && table_wants(d->table, from, TABLE_OUTBOUND))
		d->crowded = true; /* it may still come in when others tell us about it */
}

static void
on_answered(void *arg, const struct contact *to, uint64_t rtt)
{
	struct dht *d = arg;
	struct verify *v = verify_find(d, &to->pub);
	uint64_t now = env_now(d->env);
	struct peer_standing s;

	if (v != NULL && !ask_pending(&v->ask))
		verify_end(d, v); /* it answered a request of ours: no stranger after all */
	if (!dht_contact_ok(d, to) || !endpoint_standing(d->ep, &to->pub, &s) || !s.server) {
		table_answered(d->table, to, rtt, now);
		return;
	}
	table_offer(d->table, to, rtt,
	    v != NULL && ask_pending(&v->ask) ? TABLE_INBOUND : TABLE_OUTBOUND, now);
	/* Nobody did for a while: what waits for the next time can go on. */
	if (d->retries > 0 && timer_armed(&d->refresh))
		timer_start(&d->refresh, dht_paced(d, env_random_below(d->env, REFRESH_EVERY)));
	d->retries = 0;
}

static void
on_failed(void *arg, const struct contact *to, int err)
{
	struct dht *d = arg;

	if (err != ERR_TIMEOUT)
		return;
	table_failed(d->table, to, env_now(d->env));
	/*
	 * The doubted are asked again before the others are due. Only ever earlier: or failures one
	 * after the other would put the next ping off for as long as they last.
	 */
	if (timer_armed(&d->ping) &&
	    d->ping_at > env_now(d->env) + dht_paced(d, PING_DOUBTED + PING_MIN + PING_SPREAD))
		ping_after(d, dht_paced(d, PING_DOUBTED));
}

static void
on_expect(void *arg, uint64_t id_top, unsigned step)
{
	const struct dht *d = arg;

	table_expect(d->table, id_top, step);
}

void
dht_observe(struct dht *d)
{
	endpoint_set_observer(d->ep, &(struct endpoint_observer){ .heard = on_heard,
					 .answered = on_answered,
					 .failed = on_failed,
					 .expect = on_expect,
					 .arg = d });
}

/* ---- pings ---- */

static void
ping_done(struct ask *a, int err, struct bytes reply)
{
	(void)a; /* seen by the observer */
	(void)err;
	(void)reply;
}

static void
ping_start(struct dht *d, const struct contact *to)
{
	d->ping_to = *to;
	d->ping_ask = (struct ask){ .done = ping_done, .arg = d };
	if (ask_start(&d->ping_ask, &(struct ask_what){ .ep = d->ep,
					.to = &d->ping_to,
					.method = DHT_PING,
					.body = buf_bytes(&d->empty),
					.once = true }) != ERR_OK)
		log_debug(d->env, "a ping could not be sent");
}

/* Pings whoever is due, one at a time. How long until the next may be. */
static uint64_t
ping_stalest(struct dht *d)
{
	uint64_t now = env_now(d->env), due, next, fresh = dht_paced(d, PING_FRESH);
	struct contact to;

	if (ask_pending(&d->ping_ask))
		return 0;
	if (!table_stalest(d->table, fresh, dht_paced(d, PING_DOUBTED), &to, &due, &next))
		return fresh;
	if (due > now)
		return MIN(fresh, due - now);
	ping_start(d, &to);
	return next > now ? MIN(fresh, next - now) : 0;
}

static void
on_ping_expect(void *arg, unsigned step)
{
	const struct dht *d = arg;

	table_expect_stalest(d->table, step);
}

static void
on_ping(void *arg)
{
	ping_after(arg, ping_stalest(arg));
}

/* ---- refreshes ---- */

/* One lookup at a time: upkeep yields to everything else. */
static int
refresh_run(void *arg)
{
	struct dht *d = arg;
	int err = d->refresh_what == REFRESH_RETRY
		      ? dht_rejoin(d)
		      : dht_refresh(d, &d->refresh_target, d->refresh_what);

	d->refreshing = false;
	if (err == ERR_OK)
		dht_joined(d);
	return err;
}

static void
refresh_start(struct dht *d, enum refresh what, const struct id *target)
{
	d->refresh_what = what;
	d->refresh_target = *target;
	d->refreshing = task_spawn(&d->group, "dht refresh", refresh_run, d) == ERR_OK;
}

static uint64_t
since(const struct dht *d, uint64_t then)
{
	return then == 0 ? UINT64_MAX : env_now(d->env) - then;
}

static uint64_t
left(const struct dht *d, uint64_t then, uint64_t every)
{
	uint64_t passed = since(d, then), whole = dht_paced(d, every);

	return passed >= whole ? 0 : whole - passed;
}

/* When to look again: for what is due next, at most a minute, since buckets fall idle unseen. */
static void
refresh_plan(struct dht *d)
{
	uint64_t jitter = dht_paced(d, REFRESH_EVERY / 2 + env_random_below(d->env, REFRESH_EVERY));
	uint64_t wait = MIN(left(d, d->neighbourhood_at, NEIGHBOURHOOD), dht_paced(d, BUCKET_LOOK));

	if (d->refreshing || table_count(d->table) == 0 || d->size.taken < SAMPLES_FIRST)
		wait = 0;
	else if (d->crowded)
		wait = MIN(wait, left(d, d->neighbourhood_at, NEIGHBOURHOOD_MIN));
	wait = MIN(wait, left(d, d->sampled_at, SAMPLE_EVERY));
	if (d->retries > 0 && !d->refreshing)
		wait = left(d, d->retried_at, d->retry_after);
	timer_start(&d->refresh, wait + jitter);
}

/*
 * A bootstrap that the table has lost is asked now and then: after a long cut both sides have
 * forgotten each other, and nobody else would ever tell one of the other.
 */
static void
knock_again(struct dht *d)
{
	const struct contact *c;

	if (d->bootstraps_count == 0 || since(d, d->knocked_at) < dht_paced(d, KNOCK_EVERY))
		return;
	d->knocked_at = env_now(d->env);
	c = &d->bootstraps[env_random_below(d->env, d->bootstraps_count)];
	if (!table_has(d->table, c) && dht_contact_ok(d, c) && verify_find(d, &c->pub) == NULL)
		verify_queue(d, c, true);
}

static void refresh_choose(struct dht *d);

static void
on_refresh(void *arg)
{
	struct dht *d = arg;

	if (!d->refreshing)
		refresh_choose(d);
	knock_again(d);
	refresh_plan(d);
}

static void
refresh_choose(struct dht *d)
{
	uint64_t now = env_now(d->env);
	struct id random, target;
	bool sample, idle;

	env_random(d->env, random.b, sizeof(random.b));
	if (!table_answers(d->table)) {
		if (since(d, d->retried_at) < dht_paced(d, d->retry_after))
			return;
		d->retried_at = now;
		d->retry_after = env_backoff(d->env, RETRY_FIRST, RETRY_MAX, d->retries);
		d->retries = (uint8_t)MIN(d->retries + 1, UINT8_MAX);
		refresh_start(d, REFRESH_RETRY, &random);
		return;
	}
	if (since(d, d->neighbourhood_at) >= dht_paced(d, NEIGHBOURHOOD) ||
	    (d->crowded && since(d, d->neighbourhood_at) >= dht_paced(d, NEIGHBOURHOOD_MIN))) {
		bool whole = d->crowded || d->short_refreshes >= SHORT_REFRESHES;

		d->neighbourhood_at = now;
		d->short_refreshes = whole ? 0 : (uint8_t)(d->short_refreshes + 1);
		d->crowded = false;
		refresh_start(d, whole ? REFRESH_OWN : REFRESH_NEAREST, &d->self);
		return;
	}
	sample =
	    d->size.taken < SAMPLES_FIRST || since(d, d->sampled_at) >= dht_paced(d, SAMPLE_EVERY);
	/* Any target that we draw ourselves samples; best one that a bucket is due for. */
	idle =
	    table_idle_bucket(d->table, dht_paced(d, BUCKET_IDLE), !sample, now, &random, &target);
	if (!idle && !sample)
		return;
	d->sampled_at = now;
	refresh_start(d, REFRESH_SAMPLE, idle ? &target : &random);
}

void
dht_neighbourhood_seen(struct dht *d)
{
	d->neighbourhood_at = env_now(d->env);
	d->short_refreshes = 0;
	d->crowded = false;
}

/* ---- once a minute ---- */

static int
save_run(void *arg)
{
	return dht_table_save(arg);
}

static void
on_minute(void *arg)
{
	struct dht *d = arg;
	uint64_t now = env_now(d->env);

	timer_start(&d->minute, EXPIRE_EVERY);
	records_expire(d->records, now);
	if (d->table_path != NULL && since(d, d->table_saved_at) >= SAVE_EVERY) {
		d->table_saved_at = now;
		if (task_spawn(&d->group, "dht save", save_run, d) != ERR_OK)
			log_debug(d->env, "the contacts are saved next time: no task");
	}
}

void
dht_upkeep_init(struct dht *d)
{
	timer_init(&d->ping, d->env, on_ping, d);
	timer_init(&d->refresh, d->env, on_refresh, d);
	timer_init(&d->minute, d->env, on_minute, d);
	timer_init(&d->verifier, d->env, verify_start, d);
	dht_announce_init(d);
}

void
dht_upkeep_start(struct dht *d)
{
	d->table_saved_at = env_now(d->env);
	timer_expect(&d->ping, on_ping_expect);
	ping_after(d, 0);
	timer_start(&d->refresh, dht_paced(d, env_random_below(d->env, REFRESH_EVERY)));
	timer_start(&d->minute, EXPIRE_EVERY);
	dht_announce_start(d);
}

void
dht_upkeep_stop(struct dht *d)
{
	timer_expect(&d->ping, NULL);
	timer_stop(&d->ping);
	timer_stop(&d->refresh);
	timer_stop(&d->minute);
	timer_stop(&d->verifier);
	dht_announce_stop(d);
	ask_abandon(&d->ping_ask);
	for (size_t i = 0; d->verify != NULL && i < DHT_VERIFY_MAX; i++)
		ask_abandon(&d->verify[i].ask);
}

/* ---- for simulations ---- */

/* A time in the interval that ends now; none before the clock's beginning. */
static uint64_t
some_time(struct dht *d, uint64_t interval)
{
	uint64_t now = env_now(d->env), ago = env_random_below(d->env, dht_paced(d, interval));

	return now - MIN(ago, now);
}

void
dht_seed_contact(struct dht *d, const struct contact *c, uint64_t rtt, bool dead)
{
	uint64_t heard = some_time(d, PING_FRESH);

	if (dead) /* the chance to have died since grows with time, so the density of ages does */
		heard = MIN(heard, some_time(d, PING_FRESH));
	d->joined = true;
	table_offer(d->table, c, rtt, TABLE_OUTBOUND, heard);
}

/* As if each bucket had been looked into at some time since which it is not idle. */
static void
seed_buckets(struct dht *d)
{
	uint64_t idle = dht_paced(d, BUCKET_IDLE);
	struct id random, target;

	for (int i = 0; i < TABLE_BUCKETS_MAX; i++) {
		env_random(d->env, random.b, sizeof(random.b));
		if (!table_idle_bucket(d->table, idle, false, env_now(d->env), &random, &target))
			return;
		table_touch(d->table, &target, some_time(d, BUCKET_IDLE));
	}
}

void
dht_seed_done(struct dht *d, uint64_t size)
{
	uint64_t now = env_now(d->env);
	/* Where the k-th of so many ids lies on average, in units of id_distance_top(). */
	uint64_t kth = size <= DHT_K ? UINT64_MAX : UINT64_MAX / size * DHT_K;

	for (unsigned i = 0; size > DHT_K && i < SAMPLES_FIRST; i++)
		size_sample(&d->size, DHT_K, DHT_K, kth, now);
	seed_buckets(d);
	dht_upkeep_start(d);
	/* Somewhere in the middle of each interval; a time before the beginning wraps, as ages do.
	 */
	d->short_refreshes = (uint8_t)env_random_below(d->env, SHORT_REFRESHES + 1);
	d->neighbourhood_at = now - 1 - env_random_below(d->env, dht_paced(d, NEIGHBOURHOOD));
	d->sampled_at = now - 1 - env_random_below(d->env, dht_paced(d, SAMPLE_EVERY));
	d->knocked_at = now - 1 - env_random_below(d->env, dht_paced(d, KNOCK_EVERY));
	dht_announce_spread(d);
}
