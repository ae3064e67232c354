/*
 * What puts and gets share: coders, buffers that are used again, and the
 * candidates for placement, gathered from the DHT and asked for their records.
 */
#include "storage/chunks.h"

#include <stdlib.h>

#include "storage/chunks_private.h"

/* Peer records asked for at once: enough to hide round trips, few enough to lose no datagrams. */
#define RECORDS_IN_FLIGHT 32
/*
 * Of so many servers for each shard the records are asked for, and with so many storing nodes among
 * them the choice is wide enough; each put has another sample, CANDIDATES_MAX at most.
 */
#define ASKED_PER_WANTED  6
#define ASKED_MIN         64
#define ENOUGH_PER_WANTED 4
#define ENOUGH_MIN        40
#define STRAGGLERS        8 /* tasks, each waiting for somebody who may be gone */
/* Once there are as many as are needed, whoever is slower than any usual round trip is no better
 * place than they are; one that is dead would cost 1.8 s. */
#define STRAGGLERS_WAIT   MILLISECONDS(500)
#define ASK_AGAIN         MILLISECONDS(200)
#define SETTLED_ASKS      3
/* Below, the table knows everybody and the count is exact ([7]). */
#define SERVERS_COUNTED   60

int
chunks_new(const struct chunks_opts *opts, struct chunks **out)
{
	struct chunks *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	c->env = endpoint_env(opts->endpoint);
	c->net = endpoint_net(opts->endpoint);
	semaphore_init(&c->gathering, 1);
	*out = c;
	return ERR_OK;
}

void
chunks_free(struct chunks *c)
{
	if (c == NULL)
		return;
	while (c->codings != NULL) {
		struct coding *next = c->codings->next;

		coder_free(c->codings->coder);
		free(c->codings);
		c->codings = next;
	}
	for (size_t i = 0; i < c->spares_count; i++)
		free(c->spares[i].data);
	free(c->candidates);
	free(c);
}

struct endpoint *
chunks_endpoint(struct chunks *c)
{
	return c->opts.endpoint;
}

int
chunks_coder(struct chunks *c, uint8_t k, uint8_t n, const struct coder **out)
{
	for (struct coding *g = c->codings; g != NULL; g = g->next) {
		if (g->k == k && g->n == n) {
			*out = g->coder;
			return ERR_OK;
		}
	}

	struct coding *g = calloc(1, sizeof(*g));
	int err = g == NULL ? ERR_NOMEM : coder_new(k, n, &g->coder);

	if (err != ERR_OK) {
		free(g);
		return err;
	}
	g->k = k;
	g->n = n;
	g->next = c->codings;
	c->codings = g;
	*out = g->coder;
	return ERR_OK;
}

uint8_t *
chunks_buffer(struct chunks *c, size_t bytes)
{
	void *data;

	for (size_t i = 0; i < c->spares_count; i++) {
		if (c->spares[i].bytes == bytes) {
			data = c->spares[i].data;
			c->spares[i] = c->spares[--c->spares_count];
			return data;
		}
	}
	return posix_memalign(&data, DISK_ALIGN, bytes) == 0 ? data : NULL;
}

void
chunks_buffer_put(struct chunks *c, uint8_t *data, size_t bytes)
{
	if (data == NULL)
		return;
	/* Full: the oldest length is the least likely one to be asked for again. */
	if (c->spares_count == SPARE_BUFFERS_MAX) {
		free(c->spares[0].data);
		c->spares[0] = c->spares[--c->spares_count];
	}
	c->spares[c->spares_count++] = (struct spare){ data, bytes };
}

uint64_t
chunks_now_ms(const struct chunks *c)
{
	struct agreed_time t;

	endpoint_agreed_time(c->opts.endpoint, &t);
	return t.unix_ms;
}

/* ---- candidates ---- */

struct gather {
	struct chunks *c;
	size_t enough; /* candidates, so that the last need not be waited for */
	struct contact contacts[CANDIDATES_MAX];
	size_t contacts_count, next;
	struct candidate *out;
	size_t count;
};

static void
gather_one(struct gather *g, const struct contact *who, const struct peer_record *r)
{
	struct candidate *to = &g->out[g->count];
	struct peer_info info;

	if ((r->roles & PEER_STORAGE) == 0 || g->count == CANDIDATES_MAX)
		return;
	candidate_init(to, who, r);
	to->free_bytes = r->free_bytes;
	if (endpoint_peer(g->c->opts.endpoint, &who->pub, &info)) {
		to->srtt = info.srtt;
		to->blames = info.blames;
	}
	g->count++;
}

static bool
gathered(const struct gather *g, const struct contact *who)
{
	for (size_t i = 0; i < g->count; i++) {
		if (pubkey_equal(&g->out[i].contact.pub, &who->pub))
			return true;
	}
	return false;
}

static int
gather_task(void *arg)
{
	struct gather *g = arg;

	while (g->next < g->contacts_count && g->count < g->enough) {
		const struct contact *who = &g->contacts[g->next++];
		struct peer_record r;
		int err;

		if (gathered(g, who))
			continue;
		err = dht_peer_record(g->c->opts.dht, who, &r);
		if (err == ERR_CANCELED)
			return err;
		/* Who does not answer is no candidate now. */
		if (err == ERR_OK)
			gather_one(g, who, &r);
	}
	return ERR_OK;
}

/* All that are still asked; at_least: with so many candidates only as long as they may be of use.
 */
static SUSPENDS int
wait_stragglers(struct gather *g, struct task_group *group, size_t at_least)
{
	struct env *env = g->c->env;
	uint64_t old = task_deadline(env, env_now(env) + STRAGGLERS_WAIT);
	int err = task_group_wait(group, 0);

	task_deadline_restore(env, old);
	/* The time that is set here, not the task's own. */
	if (err == ERR_TIMEOUT && (old == 0 || env_now(env) < old))
		err = g->count >= at_least ? ERR_OK : task_group_wait(group, 0);
	return err;
}

static int
gather(struct chunks *c, struct gather *g, size_t want, size_t at_least)
{
	struct task_group group;
	/* Mostly whom the table knows anyway: lookups for more would cost a second each. */
	size_t most = MIN(MAX(ASKED_PER_WANTED * want, ASKED_MIN), CANDIDATES_MAX);
	int err = dht_sample(c->opts.dht, g->contacts, most, &g->contacts_count);

	if (err != ERR_OK)
		return err;
	g->enough = MIN(MAX(ENOUGH_PER_WANTED * want, ENOUGH_MIN), most);
	task_group_init(&group, c->env);
	for (size_t i = 0; i < MIN(g->contacts_count, RECORDS_IN_FLIGHT) && err == ERR_OK; i++)
		err = task_spawn(&group, "peer records", gather_task, g);
	if (err == ERR_OK)
		err = task_group_wait(&group, STRAGGLERS);
	if (err == ERR_OK && g->count < g->enough)
		err = wait_stragglers(g, &group, at_least);
	task_group_fini(&group);
	return err;
}

/* more: beside those that are known. Where few nodes store, one sample has hardly any. */
static int
refresh_candidates(struct chunks *c, size_t want, size_t at_least, bool more)
{
	struct gather *g = calloc(1, sizeof(*g));
	int err = ERR_NOMEM;

	if (g == NULL)
		return ERR_NOMEM;
	g->c = c;
	g->out = calloc(CANDIDATES_MAX, sizeof(*g->out));
	if (g->out != NULL && more) {
		memcpy(g->out, c->candidates, c->candidates_count * sizeof(*g->out));
		g->count = c->candidates_count;
	}
	if (g->out != NULL)
		err = gather(c, g, want, at_least);
	if (err == ERR_OK) {
		free(c->candidates);
		c->candidates = g->out;
		c->candidates_count = g->count;
		c->candidates_at = env_now(c->env);
		g->out = NULL;
	}
	free(g->out);
	free(g);
	return err;
}

/*
 * Gathers, for want shards, until at_least are known, the count has settled, or CANDIDATES_PATIENCE
 * is over. A network that is smaller than wanted costs one short wait.
 */
static int
gather_enough(struct chunks *c, size_t want, size_t at_least)
{
	uint64_t give_up = env_now(c->env) + CANDIDATES_PATIENCE;
	size_t before = 0;
	unsigned same = 0;
	int err = refresh_candidates(c, want, at_least, false);

	while (err == ERR_OK && c->candidates_count < at_least && same < SETTLED_ASKS &&
	       env_now(c->env) < give_up) {
		before = c->candidates_count;
		err = task_sleep(c->env, ASK_AGAIN);
		if (err == ERR_OK)
			err = refresh_candidates(c, want, at_least, true);
		same = c->candidates_count == before ? same + 1 : 0;
	}
	return err;
}

void
chunks_refused(struct chunks *c, const struct pubkey *node)
{
	struct refused *r = &c->refused[c->refused_next];

	*r = (struct refused){ *node, env_now(c->env) + REFUSED_FOR };
	c->refused_next = (c->refused_next + 1) % ARRAY_LEN(c->refused);
}

/* Whoever has refused lately is there, and has no room for us. */
static void
leave_out_refused(const struct chunks *c, struct candidate *of, size_t count)
{
	uint64_t now = env_now(c->env);

	for (size_t i = 0; i < ARRAY_LEN(c->refused); i++) {
		for (size_t j = 0; now < c->refused[i].until && j < count; j++) {
			if (pubkey_equal(&of[j].contact.pub, &c->refused[i].node))
				of[j].free_bytes = 0;
		}
	}
}

int
chunks_candidates(struct chunks *c, size_t want, struct candidate *out, size_t cap, size_t *count)
{
	int err = semaphore_acquire(c->env, &c->gathering);

	if (err != ERR_OK)
		return err;
	if (c->candidates_at == 0 || env_now(c->env) - c->candidates_at > CANDIDATES_FRESH)
		err = gather_enough(c, want, want);
	if (err == ERR_OK) {
		*count = MIN(cap, c->candidates_count);
		if (*count > 0)
			memcpy(out, c->candidates, *count * sizeof(*out));
		leave_out_refused(c, out, *count);
	}
	semaphore_release(&c->gathering);
	return err;
}

int
chunks_servers(struct chunks *c, uint64_t *servers)
{
	uint64_t estimate;
	int err = semaphore_acquire(c->env, &c->gathering);

	if (err != ERR_OK)
		return err;
	/* All the patience there is: a code too small for the network would stay with the file. */
	if (c->candidates_at == 0 || env_now(c->env) - c->candidates_at > CANDIDATES_FRESH)
		err = gather_enough(c, SERVERS_COUNTED / ENOUGH_PER_WANTED, SERVERS_COUNTED);
	estimate = dht_size_estimate(c->opts.dht);
	if (err == ERR_OK)
		*servers = c->candidates_count < SERVERS_COUNTED ? c->candidates_count
								 : MAX(estimate, SERVERS_COUNTED);
	semaphore_release(&c->gathering);
	return err;
}

/* Those that are still to come may bring the regions that are missing: only a choice for all of
 * them can tell. */
static size_t
still_wanted(const struct candidate *of, size_t count, uint8_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++)
		taken += of[i].taken;
	return n > taken ? n - taken : 1;
}

int
chunks_choose(struct chunks *c, struct candidate *of, size_t count, const struct constraints *rules,
    const struct layout *layout, size_t *chosen)
{
	struct placement_random random = { env_draw, c->env };
	size_t all[SHARDS_MAX], found;
	size_t want = rules->regions_min > 1 ? still_wanted(of, count, layout->n) : 1;
	int err =
	    placement_choose(of, count, rules, layout->shard_bytes, want, &random, all, &found);

	if (err == ERR_OK) {
		*chosen = all[0];
		of[*chosen].taken = true;
	}
	return err;
}

void
chunks_candidates_stale(struct chunks *c)
{
	c->candidates_at = 0;
}

/* ---- asking one node ---- */

int
storage_ask(struct chunks *c, const struct contact *to, uint16_t method, struct bytes head,
    struct buf *reply)
{
	return rpc_call(c->opts.endpoint, to, method, head,
	    &(struct rpc_opts){ .transport = RPC_SESSION }, reply);
}

int
storage_ask_have(
    struct chunks *c, const struct contact *to, const struct hash *chunk, struct chunk_have *out)
{
	struct buf head, reply;
	int err;

	buf_init(&head, KIB(1));
	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	err = chunk_query_pack(&(struct chunk_query){ *chunk }, &head);
	if (err == ERR_OK)
		err = storage_ask(c, to, METHOD_CHUNK_HAVE, buf_bytes(&head), &reply);
	if (err == ERR_OK)
		err = chunk_have_unpack(buf_bytes(&reply), out);
	buf_fini(&head);
	buf_fini(&reply);
	return err;
}
