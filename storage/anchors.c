/*
 * Choosing, founding, finding. Nodes are asked whether they would be anchors only when they have
 * been chosen; who declines is left out and the choice is made again, so that a few unwilling ones
 * cost a question each. What is found in the DHT is a hint: charter and handovers prove themselves,
 * and the newest that anybody shows is taken.
 */
#include "storage/anchors.h"

#include <stdlib.h>

#include "overlay/base/pack.h"

#define FINDER_VERSION   1
#define FINDER_BYTES_MAX (1 + 8 + 4 + 1 + ANCHORS_MAX * 32)
static_assert(FINDER_BYTES_MAX <= RECORD_SIGNED_VALUE_MAX, "the anchors fit a record");

/* Nodes asked outright when no record tells: a small network's all. */
#define ASK_AROUND_MAX 64
#define ASKS_IN_FLIGHT 8

/* Small networks have few who could be dead at once, large ones have enough to choose from. */
#define NODES_FOR_5 5
#define NODES_FOR_7 12

uint8_t
anchors_count_for(uint64_t nodes)
{
	return nodes < NODES_FOR_5 ? 3 : nodes < NODES_FOR_7 ? 5 : 7;
}

/* ---- choosing ---- */

struct constraints
anchors_limits(const struct candidate_rules *rules)
{
	return (struct constraints){ .regions_min = rules->regions_min,
		.per_country_max = rules->per_country_max,
		.per_operator_max = rules->per_operator_max,
		.per_network_max = rules->per_network_max };
}

int
anchors_try(struct endpoint *ep, const struct charter *c, const struct grant *grant,
    const struct constraints *limits, struct candidate *of, size_t *count, struct anchor *out)
{
	struct placement_random random = { env_draw, endpoint_env(ep) };
	struct anchor_offer offer;
	size_t at, found;
	int err = placement_choose(of, *count, limits, TAIL_BYTES_MAX, 1, &random, &at, &found);

	if (err != ERR_OK)
		return err;
	err = anchor_ask_offer(ep, &of[at].contact, &c->owner, grant, &offer);
	if (err == ERR_CANCELED)
		return err;
	if (err != ERR_OK || offer.refusal != ERR_OK || offer.leaving) {
		of[at] = of[--*count];
		return ERR_REFUSED;
	}
	of[at].taken = true;
	*out = (struct anchor){ of[at].contact.pub, offer.incarnation };
	return ERR_OK;
}

struct choosing {
	const struct anchors_wish *wish;
	struct charter *charter;
	struct candidate c[CANDIDATES_MAX];
	size_t count;
	struct anchor chosen[ANCHORS_MAX];
	uint8_t chosen_count;
};

/* The next, if the one that is asked would. */
static SUSPENDS int
choose_one(struct choosing *ch)
{
	struct constraints limits = anchors_limits(&ch->charter->rules);
	int err;

	limits.regions_min = 0; /* looked at when all are chosen */
	err = anchors_try(chunks_endpoint(ch->wish->chunks), ch->charter, ch->wish->grant, &limits,
	    ch->c, &ch->count, &ch->chosen[ch->chosen_count]);
	if (err == ERR_OK)
		ch->chosen_count++;
	return err == ERR_REFUSED ? ERR_OK : err;
}

static bool
regions_enough(const struct choosing *ch)
{
	struct placement_report report;

	placement_report(ch->c, ch->count, &report);
	return report.regions >= ch->charter->rules.regions_min;
}

int
anchors_choose(const struct anchors_wish *wish, struct charter *c)
{
	struct choosing *ch = calloc(1, sizeof(*ch));
	uint8_t count = wish->count;
	uint64_t servers;
	int err = ch == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK && count == 0) {
		err = chunks_servers(wish->chunks, &servers);
		if (err == ERR_OK)
			count = anchors_count_for(servers);
	}
	if (err == ERR_OK && quorum_of(count) == 0)
		err = ERR_INVALID;
	if (err == ERR_OK) {
		ch->wish = wish;
		ch->charter = c;
		err = chunks_candidates(
		    wish->chunks, 2 * (size_t)count, ch->c, CANDIDATES_MAX, &ch->count);
	}
	while (err == ERR_OK && ch->chosen_count < count)
		err = choose_one(ch);
	if (err == ERR_OK && !regions_enough(ch))
		err = ERR_PLACEMENT;
	if (err == ERR_OK) {
		c->founding.number = 0;
		c->founding.anchors_count = count;
		c->founding.quorum = quorum_of(count);
		memset(c->founding.anchors, 0, sizeof(c->founding.anchors));
		memcpy(c->founding.anchors, ch->chosen, count * sizeof(ch->chosen[0]));
	}
	free(ch);
	return err;
}

/* ---- founding ---- */

struct founding {
	struct endpoint *ep;
	struct dht *dht;
	const struct charter *charter;
	const struct grant *grant;
	uint8_t next;
	int err; /* the first */
};

static int
found_task(void *arg)
{
	struct founding *f = arg;

	while (f->next < f->charter->founding.anchors_count) {
		const struct pubkey *who = &f->charter->founding.anchors[f->next++].key;
		struct contact at;
		int err = register_resolve(f->ep, f->dht, who, &at);

		if (err == ERR_OK)
			err = register_ask_found(f->ep, &at, f->charter, f->grant);
		if (err != ERR_OK && f->err == ERR_OK)
			f->err = err;
	}
	return f->err;
}

int
anchors_found(struct endpoint *ep, struct dht *dht, const struct charter *c,
    const struct grant *grant, uint64_t timeout)
{
	struct env *env = endpoint_env(ep);
	struct founding f = { .ep = ep, .dht = dht, .charter = c, .grant = grant };
	uint64_t old = task_deadline(env, env_now(env) + timeout);
	int err = task_together(env, "found", found_task, &f, c->founding.anchors_count);

	task_deadline_restore(env, old);
	return err == ERR_OK ? f.err : err;
}

/* ---- the finder record ---- */

/* Grows with epoch and configuration, so that who knows less cannot take its place. */
static uint64_t
finder_sequence(uint64_t epoch, uint32_t configuration)
{
	return epoch << 32 | configuration;
}

int
anchors_publish(struct endpoint *ep, struct dht *dht, const struct identity *finder,
    const uint8_t salt[16], uint64_t epoch, const struct configuration *c)
{
	struct signed_value v = { .owner = finder->pub,
		.sequence = finder_sequence(epoch, c->number) };
	struct packer p = packer_on(v.value, sizeof(v.value));
	struct record *r = calloc(1, sizeof(*r));
	int err = r == NULL ? ERR_NOMEM : ERR_OK;

	memcpy(v.salt, salt, sizeof(v.salt));
	pack_u8(&p, FINDER_VERSION);
	pack_u64(&p, epoch);
	pack_u32(&p, c->number);
	pack_u8(&p, c->anchors_count);
	for (uint8_t i = 0; i < c->anchors_count; i++)
		pack_raw(&p, c->anchors[i].key.b, sizeof(c->anchors[i].key.b));
	must(pack_ok(&p));
	v.len = (uint16_t)p.len;
	if (err == ERR_OK)
		err = signed_make(endpoint_net(ep), &finder->sign, &v, r);
	if (err == ERR_OK)
		err = dht_put(dht, r, NULL);
	free(r);
	return err;
}

struct finding {
	struct endpoint *ep;
	struct dht *dht;
	const struct pubkey *finder;
	const struct hash *bucket;
	/* Of the record. */
	uint64_t sequence;
	uint8_t count;
	struct pubkey anchors[ANCHORS_MAX];
	bool listed;
	/* Who is asked: the listed, or whoever is around. */
	struct contact *around; /* NULL: the listed */
	size_t asked_count, next;
	/* Of the anchors. */
	uint8_t answered;
	struct register_chain *best;
};

static void
read_record(struct finding *f, const struct signed_value *v)
{
	struct unpacker u = unpacker_on(bytes_of(v->value, v->len));
	struct pubkey anchors[ANCHORS_MAX];
	uint8_t count;

	if (unpack_u8(&u) != FINDER_VERSION)
		return;
	(void)unpack_u64(&u);
	(void)unpack_u32(&u);
	count = unpack_u8(&u);
	if (u.failed || count == 0 || count > ANCHORS_MAX)
		return;
	for (uint8_t i = 0; i < count; i++)
		unpack_raw(&u, anchors[i].b, sizeof(anchors[i].b));
	if (!unpack_done(&u))
		return;
	f->listed = true;
	f->sequence = v->sequence;
	f->count = count;
	memcpy(f->anchors, anchors, count * sizeof(anchors[0]));
}

static bool
record_found(void *arg, const struct record *r)
{
	struct finding *f = arg;
	struct signed_value *v = malloc(sizeof(*v));

	if (v != NULL && signed_open(r, v) == ERR_OK && pubkey_equal(&v->owner, f->finder) &&
	    (!f->listed || v->sequence > f->sequence))
		read_record(f, v);
	free(v);
	return false;
}

static bool
newer(const struct register_chain *a, const struct register_chain *than)
{
	if (!than->known || a->charter.epoch != than->charter.epoch)
		return !than->known || a->charter.epoch > than->charter.epoch;
	return a->now.number > than->now.number;
}

static SUSPENDS int
find_at(struct finding *f, size_t i, struct register_chain *chain)
{
	struct contact at;
	int err = ERR_OK;

	chain->known = false;
	if (f->around != NULL)
		at = f->around[i];
	else
		err = register_resolve(f->ep, f->dht, &f->anchors[i], &at);
	if (err == ERR_OK)
		err = register_ask_chain(f->ep, &at, f->bucket, chain, NULL, NULL);
	/* Also what it had shown until an error. */
	f->answered += chain->known;
	if (chain->known && newer(chain, f->best))
		*f->best = *chain;
	return err;
}

static int
find_task(void *arg)
{
	struct finding *f = arg;
	struct register_chain *chain = malloc(sizeof(*chain));
	int err = chain == NULL ? ERR_NOMEM : ERR_OK;

	while (err != ERR_CANCELED && chain != NULL && f->next < f->asked_count)
		err = find_at(f, f->next++, chain);
	free(chain);
	return err;
}

/* Until so many have answered. */
static SUSPENDS int
ask_them(struct finding *f, size_t count, uint8_t enough)
{
	struct env *env = endpoint_env(f->ep);
	struct task_group group;
	int err = ERR_OK;

	f->asked_count = count;
	f->next = 0;
	task_group_init(&group, env);
	for (size_t i = 0; i < MIN(count, (size_t)ASKS_IN_FLIGHT) && err == ERR_OK; i++)
		err = task_spawn(&group, "find anchors", find_task, f);
	while (err == ERR_OK && task_group_live(&group) > 0 && f->answered < enough)
		err = task_group_wait(&group, task_group_live(&group) - 1);
	task_group_fini(&group);
	return err;
}

/*
 * Without a record that leads anywhere: in a small network everybody can be asked. Records lie in
 * memory, so a network that was restarted as a whole has none.
 */
static SUSPENDS int
ask_around(struct finding *f)
{
	size_t count;
	int err;

	f->around = calloc(ASK_AROUND_MAX, sizeof(*f->around));
	if (f->around == NULL)
		return ERR_NOMEM;
	count = MIN(dht_contacts(f->dht, f->around, ASK_AROUND_MAX), (size_t)ASK_AROUND_MAX);
	err = ask_them(f, count, 2);
	free(f->around);
	f->around = NULL;
	return err;
}

int
anchors_find(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const uint8_t salt[16], const struct hash *bucket, struct register_chain *out)
{
	struct finding f = { .ep = ep, .dht = dht, .finder = finder, .bucket = bucket };
	struct id key;
	int err;

	signed_key(finder, salt, &key);
	f.best = calloc(1, sizeof(*f.best));
	if (f.best == NULL)
		return ERR_NOMEM;
	err = dht_get(dht, &key, RECORD_SIGNED, record_found, &f);
	/* Of a quorum one is among more than half. */
	if (err == ERR_OK && f.listed)
		err = ask_them(&f, f.count, (uint8_t)(f.count / 2 + 1));
	if (err != ERR_CANCELED && !f.best->known)
		err = ask_around(&f);
	if (err == ERR_OK && !f.best->known)
		err = f.listed ? ERR_UNREACHABLE : ERR_NOT_FOUND;
	if (err == ERR_OK)
		*out = *f.best;
	free(f.best);
	return err;
}
