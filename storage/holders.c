/*
 * Who holds which shard of a chunk. Hints from the manifest come first: in a healthy network
 * they are all that is needed. Behind them, in this order: the location records of the DHT,
 * what live holders know of their siblings, and asking the nodes around. Every answer
 * is a hint, too: what a holder sends is checked by who reads it.
 */
#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/chunks_private.h"

#define SEARCH_INTERVAL     SECONDS(1)
/* Nodes asked outright: a small network's all, a large one's region and then some. */
#define ASK_AROUND_MAX      64
#define ASKS_IN_FLIGHT      16
#define INQUIRIES_IN_FLIGHT 4
/*
 * One silent node must not hold a search up, nor one way the next: connecting across the world
 * takes about a second and a half, a lookup among stale contacts two. All ways together leave
 * half of the time in which a reader wants to know.
 */
#define ASK_TIMEOUT         SECONDS(3)
#define STEP_TIMEOUT        SECONDS(4)
#define SEARCH_TIMEOUT      SECONDS(10)

int
holders_new(struct chunks *c, const struct chunk_ref *ref, uint8_t need, struct holders **out)
{
	struct holders *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ERR_NOMEM;
	h->c = c;
	h->ref = ref;
	h->need = need;
	semaphore_init(&h->searching, 1);
	*out = h;
	return ERR_OK;
}

void
holders_free(struct holders *h)
{
	if (h == NULL)
		return;
	free(h->descriptor);
	free(h);
}

static bool
prefix_known(const uint8_t prefix[8])
{
	static const uint8_t none[8];

	return memcmp(prefix, none, sizeof(none)) != 0;
}

/*
 * A word about index: it replaces nobody that answers. One that failed gives way to any other, so
 * that nobody can keep a holder from being asked by claiming its shard.
 */
static void
learn(struct holders *h, uint8_t index, const struct contact *who)
{
	struct holder_slot *slot = &h->at[index];
	bool same = pubkey_equal(&slot->contact.pub, &who->pub);

	if (index >= h->ref->code.n || (slot->state == HOLDER_KNOWN && !slot->failing))
		return;
	if (slot->state == HOLDER_BAD && same)
		return;
	/* Found as it was: what it did counts on. */
	if (!same)
		*slot = (struct holder_slot){ .state = HOLDER_KNOWN };
	slot->state = HOLDER_KNOWN;
	slot->contact = *who;
}

void
holders_failed(struct holders *h, uint8_t index, const struct contact *who)
{
	struct holder_slot *slot = &h->at[index];

	if (slot->state != HOLDER_KNOWN || !pubkey_equal(&slot->contact.pub, &who->pub))
		return;
	slot->state = HOLDER_FAILED;
	slot->failing = true;
}

/* One that failed and was named again as it was is no find: there may be another. */
static uint8_t
known_count(const struct holders *h)
{
	uint8_t known = 0;

	for (uint8_t i = 0; i < h->ref->code.n; i++)
		known += h->at[i].state == HOLDER_KNOWN && !h->at[i].failing;
	return known;
}

/* Until end_step the calling task has so much time; a step that takes longer is given up alone. */
static uint64_t
begin_step(const struct holders *h, uint64_t time)
{
	return task_deadline(h->c->env, env_now(h->c->env) + time);
}

static void
end_step(const struct holders *h, uint64_t old)
{
	task_deadline_restore(h->c->env, old);
}

/* ---- prefixes to contacts ---- */

struct resolve {
	struct holders *h;
	struct holder wanted[SHARDS_MAX];
	size_t count, next;
};

static int
resolve_task(void *arg)
{
	struct resolve *r = arg;

	while (r->next < r->count) {
		const struct holder *w = &r->wanted[r->next++];
		struct contact who;
		int err = dht_resolve(r->h->c->opts.dht, w->prefix, &who);

		if (err == ERR_CANCELED)
			return err;
		if (err == ERR_OK)
			learn(r->h, w->index, &who);
	}
	return ERR_OK;
}

/*
 * Those that the table knows are there at once; a dead one costs a lookup that finds nobody. So
 * this ends as soon as enough are known.
 */
static int
resolve_enough(struct resolve *r)
{
	struct env *env = r->h->c->env;
	struct task_group group;
	uint64_t old = begin_step(r->h, STEP_TIMEOUT);
	int err = ERR_OK;

	task_group_init(&group, env);
	for (size_t i = 0; i < MIN(r->count, ASKS_IN_FLIGHT) && err == ERR_OK; i++)
		err = task_spawn(&group, "resolve", resolve_task, r);
	while (err == ERR_OK && task_group_live(&group) > 0 && known_count(r->h) < r->h->need)
		err = task_group_wait(&group, task_group_live(&group) - 1);
	task_group_fini(&group);
	end_step(r->h, old);
	/* What was not resolved in time stays unknown. */
	return err == ERR_TIMEOUT ? ERR_OK : err;
}

int
holders_resolve(struct holders *h)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NOMEM;
	r->h = h;
	for (uint8_t i = 0; i < h->ref->code.n; i++) {
		if (!prefix_known(h->ref->hints[i]))
			continue;
		r->wanted[r->count].index = i;
		memcpy(r->wanted[r->count++].prefix, h->ref->hints[i], 8);
	}

	int err = resolve_enough(r);

	free(r);
	return err;
}

/* ---- location records ---- */

static bool
location_found(void *arg, const struct record *record)
{
	struct resolve *r = arg;
	struct location *l = malloc(sizeof(*l));

	if (l == NULL)
		return true;
	if (location_open(record, l) == ERR_OK) {
		for (size_t i = 0; i < l->count && r->count < SHARDS_MAX; i++)
			r->wanted[r->count++] = l->holders[i];
	}
	free(l);
	/* The first word will do at first; were it wrong, the next search hears everybody. */
	return r->h->searches == 0 && r->count >= r->h->need;
}

static int
search_records(struct holders *h)
{
	struct resolve *r = calloc(1, sizeof(*r));
	struct id key;

	if (r == NULL)
		return ERR_NOMEM;
	r->h = h;
	location_key(h->c->net, &h->ref->id, &key);

	uint64_t old = begin_step(h, STEP_TIMEOUT);
	int err = dht_get(h->c->opts.dht, &key, RECORD_LOCATION, location_found, r);

	end_step(h, old);
	/* What was found in time counts. */
	if (err == ERR_OK || err == ERR_TIMEOUT)
		err = resolve_enough(r);
	free(r);
	return err;
}

/* ---- what holders know: descriptor and siblings ---- */

struct info {
	struct descriptor descriptor;
	struct siblings_note note;
	uint8_t packed[DESCRIPTOR_BYTES_MAX];
};

static int
read_info(struct stream *st, const struct hash *chunk, struct info *info)
{
	uint8_t lead[2];
	struct buf tail;
	struct hash id;
	int err = stream_read(st, lead, sizeof(lead));
	size_t len = (size_t)lead[0] << 8 | lead[1];

	if (err != ERR_OK)
		return err;
	if (len > sizeof(info->packed))
		return ERR_TOO_BIG;
	err = stream_read(st, info->packed, len);
	if (err == ERR_OK)
		err = descriptor_unpack(bytes_of(info->packed, len), &info->descriptor);
	if (err != ERR_OK)
		return err;
	descriptor_id(&info->descriptor, &id);
	if (!hash_equal(&id, chunk))
		return ERR_CORRUPT;
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	err = stream_read_tail(st, &tail);
	if (err == ERR_OK)
		err = siblings_note_unpack(buf_bytes(&tail), info->descriptor.n, &info->note);
	buf_fini(&tail);
	return err;
}

static int
ask_info(struct holders *h, const struct contact *who, struct info *info)
{
	struct endpoint *ep = h->c->opts.endpoint;
	struct stream *st;
	struct buf head;
	int err;

	buf_init(&head, KIB(1));
	err = chunk_query_pack(&(struct chunk_query){ h->ref->id }, &head);
	if (err == ERR_OK)
		err = stream_open(ep, who, METHOD_CHUNK_INFO, buf_bytes(&head), &st);
	buf_fini(&head);
	if (err != ERR_OK)
		return err;
	err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	if (err == ERR_OK)
		err = read_info(st, &h->ref->id, info);
	stream_close(st);
	if (err == ERR_CORRUPT || err == ERR_INVALID)
		endpoint_blame(ep, who, "descriptor does not match its chunk");
	return err;
}

/* Several holders are asked at once, because some may be dead; the first answer ends it. */
struct inquiry {
	struct holders *h;
	uint8_t next; /* index to ask */
	struct info *found;
};

static int
inquiry_task(void *arg)
{
	struct inquiry *q = arg;
	struct holders *h = q->h;
	struct info *info = malloc(sizeof(*info));

	while (info != NULL && q->found == NULL && q->next < h->ref->code.n) {
		uint8_t i = q->next++;

		if (h->at[i].state != HOLDER_KNOWN)
			continue;
		struct contact who = h->at[i].contact; /* the slot may change while we ask */
		uint64_t old = begin_step(h, ASK_TIMEOUT);
		int err = ask_info(h, &who, info);

		end_step(h, old);
		if (err == ERR_CANCELED)
			break;
		if (err == ERR_OK && q->found == NULL) {
			q->found = info;
			return ERR_OK;
		}
	}
	free(info);
	return ERR_NOT_FOUND;
}

static int
inquire(struct holders *h, struct info **out)
{
	struct inquiry q = { .h = h };
	struct task_group group;
	uint64_t old = begin_step(h, STEP_TIMEOUT);
	int err = ERR_OK;

	task_group_init(&group, h->c->env);
	for (size_t i = 0; i < INQUIRIES_IN_FLIGHT && err == ERR_OK; i++)
		err = task_spawn(&group, "ask siblings", inquiry_task, &q);
	while (err == ERR_OK && q.found == NULL && task_group_live(&group) > 0)
		err = task_group_wait(&group, task_group_live(&group) - 1);
	task_group_fini(&group);
	end_step(h, old);
	if (q.found == NULL)
		return err == ERR_OK || err == ERR_TIMEOUT ? ERR_NOT_FOUND : err;
	*out = q.found;
	return ERR_OK;
}

/* From the first holder that tells both: what is learned goes into h. */
static int
search_siblings(struct holders *h)
{
	struct info *info;
	struct resolve *r;
	int err = inquire(h, &info);

	if (err != ERR_OK)
		return err;
	/* Set once: a worker may be reading it. */
	if (h->descriptor == NULL) {
		h->descriptor = malloc(sizeof(*h->descriptor));
		if (h->descriptor != NULL)
			*h->descriptor = info->descriptor;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		err = ERR_NOMEM;
	for (size_t i = 0; err == ERR_OK && i < info->note.siblings.count; i++) {
		const struct sibling *s = &info->note.siblings.at[i];
		struct id id;

		id_of_pubkey(&s->node, &id);
		r->wanted[r->count].index = s->index;
		memcpy(r->wanted[r->count++].prefix, id.b, 8);
	}
	if (err == ERR_OK) {
		r->h = h;
		err = resolve_enough(r);
	}
	free(r);
	free(info);
	return err;
}

int
holders_descriptor(struct holders *h, const struct descriptor **out)
{
	int err = h->descriptor != NULL ? ERR_OK : search_siblings(h);

	if (err == ERR_OK && h->descriptor == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		*out = h->descriptor;
	return err == ERR_NOT_FOUND ? ERR_UNREACHABLE : err;
}

/* ---- asking around ---- */

struct around {
	struct holders *h;
	struct contact contacts[ASK_AROUND_MAX];
	size_t count, next;
};

static int
around_task(void *arg)
{
	struct around *a = arg;
	struct chunk_have *have = malloc(sizeof(*have));

	if (have == NULL)
		return ERR_NOMEM;
	while (a->next < a->count) {
		const struct contact *who = &a->contacts[a->next++];
		uint64_t old = begin_step(a->h, ASK_TIMEOUT);
		int err = storage_ask_have(a->h->c, who, &a->h->ref->id, have);

		end_step(a->h, old);
		if (err == ERR_CANCELED)
			break;
		for (size_t i = 0; err == ERR_OK && i < have->count; i++)
			learn(a->h, have->indices[i], who);
	}
	free(have);
	return ERR_OK;
}

static int
search_around(struct holders *h)
{
	struct around *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->h = h;

	uint64_t old = begin_step(h, STEP_TIMEOUT);
	int err = dht_sample(h->c->opts.dht, a->contacts, ASK_AROUND_MAX, &a->count);

	if (err == ERR_OK)
		err = task_together(
		    h->c->env, "ask around", around_task, a, MIN(a->count, ASKS_IN_FLIGHT));
	end_step(h, old);
	free(a);
	return err;
}

/* Each way only while the ones before left too few. */
static int
search_all(struct holders *h)
{
	int (*const ways[])(struct holders *) = { search_records, search_siblings, search_around };
	int err = ERR_OK;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		err = ways[i](h);
		if (err == ERR_CANCELED || known_count(h) >= h->ref->code.n)
			break;
		/* Enough to read is enough, unless only the last way is left to find more. */
		if (known_count(h) >= h->need && i > 0)
			break;
	}
	return err == ERR_CANCELED ? err : ERR_OK;
}

static int
search_now(struct holders *h)
{
	uint64_t since = env_now(h->c->env) - h->searched_at;
	int err = ERR_OK;

	if (h->searches > 0 && since < SEARCH_INTERVAL)
		err = task_sleep(h->c->env, SEARCH_INTERVAL - since);
	if (err == ERR_OK) {
		uint64_t old = begin_step(h, SEARCH_TIMEOUT);

		err = search_all(h);
		end_step(h, old);
	}
	if (err != ERR_OK)
		return err;
	h->searches++;
	h->searched_at = env_now(h->c->env);
	/* The failed ones may be back by now. */
	for (uint8_t i = 0; i < h->ref->code.n; i++) {
		if (h->at[i].state == HOLDER_FAILED)
			h->at[i].state = HOLDER_KNOWN;
	}
	return ERR_OK;
}

int
holders_search(struct holders *h)
{
	uint32_t before = h->searches;
	int err = semaphore_acquire(h->c->env, &h->searching);

	if (err != ERR_OK)
		return err;
	/* Somebody else searched while we waited for our turn: that was for us, too. Counted, not
	 * told by the clock: it stands still within a turn of the loop. */
	if (h->searches == before)
		err = search_now(h);
	semaphore_release(&h->searching);
	return err;
}

uint8_t
holders_answered(const struct holders *h)
{
	uint8_t answered = 0;

	for (uint8_t i = 0; i < h->ref->code.n; i++)
		answered += h->at[i].answered > 0 && h->at[i].state == HOLDER_KNOWN;
	return answered;
}
