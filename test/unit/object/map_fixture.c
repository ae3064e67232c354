#include "test/unit/object/map_fixture.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "test/unit/suite.h"

static const struct key secret = { { 7, 7, 7 } };

uint32_t
mem_draw(struct mem_world *w, uint32_t bound)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((w->random >> 33) % bound);
}

struct mem_world *
mem_world_on(struct sim_world *sim, struct env *env, uint64_t seed)
{
	struct mem_world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->sim = sim;
	w->env = env;
	w->lent = true;
	w->random = seed;
	w->head_latency = MILLISECONDS(20);
	w->chunk_latency = MILLISECONDS(200);
	for (size_t i = 0; i < TAIL_SEGMENTS_MAX; i++) {
		buf_init(&w->now.segments[i], TAIL_BYTES_MAX);
		buf_init(&w->floating.segments[i], TAIL_BYTES_MAX);
	}
	return w;
}

struct mem_world *
mem_world_new(uint64_t seed)
{
	struct sim_world *sim;
	struct mem_world *w;

	must(crypto_init() == ERR_OK);
	sim = sim_new(&(struct sim_opts){ .seed = seed });
	w = mem_world_on(sim,
	    sim_node_add(
		sim, &(struct sim_node_opts){ .ip = { .family = ADDR_IPV4, .ip = { 10, 0, 0, 1 } },
			 .region = -1 }),
	    seed);
	w->lent = false;
	return w;
}

static void
free_head(struct mem_head *h)
{
	for (size_t i = 0; i < TAIL_SEGMENTS_MAX; i++)
		buf_fini(&h->segments[i]);
}

void
mem_world_free(struct mem_world *w)
{
	while (w->chunks != NULL) {
		struct mem_chunk *c = w->chunks;

		w->chunks = c->next;
		buf_fini(&c->data);
		free(c);
	}
	free_head(&w->now);
	free_head(&w->floating);
	if (!w->lent) {
		sim_node_remove(w->env);
		sim_free(w->sim);
	}
	free(w);
}

int
mem_run(struct mem_world *w, int (*fn)(void *arg), void *arg)
{
	return sim_run_task(w->sim, w->env, fn, arg);
}

static void
latency(struct mem_world *w, uint64_t max)
{
	if (max > 0)
		(void)task_sleep(w->env, 1 + mem_draw(w, (uint32_t)max));
}

/* ---- the register ---- */

static void
copy_head(struct mem_head *to, const struct mem_head *from)
{
	to->head = from->head;
	for (size_t i = 0; i < TAIL_SEGMENTS_MAX; i++) {
		buf_reset(&to->segments[i]);
		if (i < from->head.segments)
			must(buf_append(&to->segments[i], from->segments[i].data,
				 from->segments[i].len) == ERR_OK);
	}
}

void
mem_settle(struct mem_world *w, bool chosen)
{
	if (chosen && w->floats && w->floating.head.seq == w->now.head.seq + 1) {
		copy_head(&w->now, &w->floating);
		w->committed++;
	}
	w->floats = false;
}

/* Whoever asks a quorum ends what one of that has. */
static void
ask(struct mem_world *w)
{
	if (!w->floats || w->unseen == 0 || mem_draw(w, 1000) >= w->unseen)
		mem_settle(w, mem_draw(w, 2) == 0);
}

static bool
is_dead(struct gateway *g, bool *last)
{
	g->operations++;
	*last = g->dies_at != 0 && g->operations == g->dies_at;
	return g->dies_at != 0 && g->operations > g->dies_at;
}

static int
reg_read(struct map_register *reg)
{
	struct gateway *g = container_of(reg, struct gateway, reg);
	struct mem_world *w = g->w;
	bool last;

	latency(w, w->head_latency);
	if (is_dead(g, &last) || last || mem_draw(w, 1000) < w->unreachable)
		return ERR_UNREACHABLE;
	if (w->superseded)
		return ERR_STALE;
	if (w->forked)
		return ERR_CORRUPT;
	ask(w);
	copy_head(&g->known, &w->now);
	return ERR_OK;
}

static const struct map_head *
reg_head(struct map_register *reg)
{
	return &container_of(reg, struct gateway, reg)->known.head;
}

static struct bytes
reg_segment(struct map_register *reg, uint16_t i)
{
	return buf_bytes(&container_of(reg, struct gateway, reg)->known.segments[i]);
}

/* The head after `from`, as proposed; bounds as the tail's. */
static void
make_next(struct mem_world *w, const struct mem_head *from, const struct map_proposal *p,
    struct mem_head *out)
{
	uint16_t n = 0;

	out->head = from->head;
	out->head.present = true;
	out->head.seq++;
	out->head.root = p->root;
	out->head.tail_bytes = 0;
	ck_assert_uint_le(p->covered, from->head.segments);
	if (hash_equal(&p->root, &from->head.root))
		ck_assert_uint_eq(p->covered, 0);
	for (uint16_t i = p->covered; i < from->head.segments; i++) {
		buf_reset(&out->segments[n]);
		must(buf_append(&out->segments[n], from->segments[i].data, from->segments[i].len) ==
		     ERR_OK);
		out->head.tail_bytes += (uint32_t)out->segments[n++].len;
	}
	if (p->records.len > 0) {
		ck_assert_uint_lt(n, TAIL_SEGMENTS_MAX);
		buf_reset(&out->segments[n]);
		must(buf_append(&out->segments[n], p->records.data, p->records.len) == ERR_OK);
		out->head.tail_bytes += (uint32_t)out->segments[n++].len;
	}
	ck_assert_uint_le(out->head.tail_bytes, TAIL_BYTES_MAX);
	out->head.segments = n;
	for (size_t i = 0; i < 4; i++) {
		uint32_t x = mem_draw(w, UINT32_MAX);

		memcpy(out->head.id.b + 4 * i, &x, 4);
	}
}

static bool
may_happen(struct mem_world *w, unsigned thousandths)
{
	return thousandths > 0 && mem_draw(w, 1000) < thousandths;
}

/* One proposal of a commit. True: it goes on. */
static bool
try_proposal(struct gateway *g, const struct mem_head *next, bool last, bool *sent,
    enum proposer_outcome *outcome)
{
	struct mem_world *w = g->w;
	bool unknown;

	latency(w, w->head_latency);
	if (w->now.head.seq + 1 != next->head.seq)
		return true; /* lost the race */
	unknown = last || mem_draw(w, 1000) < w->unknown;
	if (unknown || may_happen(w, w->refused)) {
		copy_head(&w->floating, next);
		w->floats = *sent = true;
		w->floating_of = g;
		*outcome = OUT_UNKNOWN;
		if (unknown && w->on_unknown != NULL)
			w->on_unknown(w->on_unknown_arg);
		return !unknown;
	}
	w->floats = false;
	copy_head(&w->now, next);
	copy_head(&g->known, next);
	w->committed++;
	*outcome = OUT_COMMITTED;
	return false;
}

/* Nothing to do: what this one has in the air is outranked, or that fails. */
static void
try_decline(struct gateway *g, bool sent, enum proposer_outcome *outcome)
{
	struct mem_world *w = g->w;

	*outcome = OUT_DECLINED;
	if (!w->floats || w->floating_of != g)
		return;
	if (may_happen(w, w->unknown))
		*outcome = sent ? OUT_UNKNOWN : OUT_FAILED;
	else
		w->floats = false;
}

static int
reg_commit(struct map_register *reg, const struct map_decide *d, enum proposer_outcome *outcome)
{
	struct gateway *g = container_of(reg, struct gateway, reg);
	struct mem_world *w = g->w;
	struct map_proposal p;
	struct mem_head *next;
	bool last, sent = false, goes_on = true;
	int err = ERR_OK;

	if (w->superseded)
		return ERR_STALE;
	next = calloc(1, sizeof(*next));
	for (size_t i = 0; i < TAIL_SEGMENTS_MAX; i++)
		buf_init(&next->segments[i], TAIL_BYTES_MAX);
	while (goes_on) {
		latency(w, w->head_latency);
		*outcome = sent ? OUT_UNKNOWN : OUT_FAILED;
		if (is_dead(g, &last) || mem_draw(w, 1000) < w->fail)
			break;
		*outcome = OUT_FORKED;
		if (w->forked)
			break;
		ask(w);
		/* Another head at its place: it will never be chosen. */
		sent = sent && w->now.head.seq < next->head.seq;
		*outcome = sent ? OUT_UNKNOWN : OUT_FAILED;
		copy_head(&g->known, &w->now);
		err = d->decide(d->arg, &p);
		if (err != ERR_OK || may_happen(w, w->fail_late))
			break;
		goes_on = p.reply == REPLY_PROPOSE;
		if (p.reply == REPLY_FOUND) {
			*outcome = OUT_COMMITTED;
		} else if (p.reply == REPLY_DECLINE) {
			try_decline(g, sent, outcome);
		} else {
			make_next(w, &g->known, &p, next);
			goes_on = try_proposal(g, next, last, &sent, outcome);
		}
	}
	free_head(next);
	free(next);
	return sent && err != ERR_CANCELED ? ERR_OK : err;
}

/* ---- chunks ---- */

struct mem_chunk *
mem_chunk_find(struct mem_world *w, const struct hash *id)
{
	for (struct mem_chunk *c = w->chunks; c != NULL; c = c->next) {
		if (hash_equal(&c->ref.id, id))
			return c;
	}
	return NULL;
}

static int
blob_put(struct blob_store *s, struct bytes blob, bool publish, struct chunk_ref *out)
{
	struct gateway *g = container_of(s, struct gateway, blobs);
	struct mem_world *w = g->w;
	struct mem_chunk *c;
	bool last;

	latency(w, w->chunk_latency);
	if (is_dead(g, &last) || mem_draw(w, 1000) < w->put_fails)
		return ERR_UNREACHABLE;
	c = calloc(1, sizeof(*c));
	buf_init(&c->data, CHUNK_BYTES_MAX);
	must(buf_append(&c->data, blob.data, blob.len) == ERR_OK);
	crypto_sha256(&c->ref.id, blob.data, blob.len);
	c->ref.code = (struct code_params){ 2, 3, 4 };
	c->ref.bytes = blob.len;
	memcpy(c->ref.hints, c->ref.id.b, 32);
	c->published = publish;
	c->next = w->chunks;
	w->chunks = c;
	w->chunks_count++;
	w->chunk_bytes += blob.len;
	*out = c->ref;
	return last ? ERR_UNREACHABLE : ERR_OK;
}

static int
blob_get(struct blob_store *s, const struct chunk_ref *ref, struct buf *out)
{
	struct gateway *g = container_of(s, struct gateway, blobs);
	struct mem_world *w = g->w;
	struct mem_chunk *c;
	bool last;

	latency(w, w->chunk_latency);
	c = mem_chunk_find(w, &ref->id);
	if (is_dead(g, &last) || last || c == NULL)
		return ERR_UNREACHABLE;
	ck_assert(!w->strict || !c->discarded);
	ck_assert_uint_eq(c->ref.bytes, ref->bytes);
	ck_assert_mem_eq(c->ref.hints, ref->hints, 32);
	return buf_append(out, c->data.data, c->data.len);
}

static int
blob_find(struct blob_store *s, const struct hash *id, struct chunk_ref *out)
{
	struct gateway *g = container_of(s, struct gateway, blobs);
	struct mem_chunk *c;
	bool last;

	latency(g->w, g->w->chunk_latency);
	c = mem_chunk_find(g->w, id);
	if (is_dead(g, &last) || last || c == NULL)
		return ERR_UNREACHABLE;
	ck_assert(c->published);
	*out = c->ref;
	return ERR_OK;
}

/* ---- gateways ---- */

static int
open_task(void *arg)
{
	struct gateway *g = arg;

	return map_open(&g->opts, &g->map);
}

static int
close_task(void *arg)
{
	struct gateway *g = arg;

	map_close(g->map);
	return ERR_OK;
}

struct gateway *
gateway_attach(struct mem_world *w)
{
	struct gateway *g = calloc(1, sizeof(*g));

	ck_assert_ptr_nonnull(g);
	g->w = w;
	for (size_t i = 0; i < TAIL_SEGMENTS_MAX; i++)
		buf_init(&g->known.segments[i], TAIL_BYTES_MAX);
	g->reg = (struct map_register){ reg_read, reg_head, reg_segment, reg_commit };
	g->blobs = (struct blob_store){ blob_put, blob_get, blob_find };
	return g;
}

void
gateway_detach(struct gateway *g)
{
	free_head(&g->known);
	free(g);
}

struct gateway *
gateway_open(struct mem_world *w, const struct map_opts *opts)
{
	struct gateway *g = gateway_attach(w);

	if (opts != NULL)
		g->opts = *opts;
	else
		g->opts = (struct map_opts){ .page_bytes = 2000, .checkpoint_after = UINT64_MAX };
	g->opts.env = w->env;
	g->opts.reg = &g->reg;
	g->opts.blobs = &g->blobs;
	g->opts.secret = &secret;
	g->opts.bucket.b[0] = 9;
	ck_assert_int_eq(mem_run(w, open_task, g), ERR_OK);
	return g;
}

void
gateway_close(struct gateway *g)
{
	if (g == NULL)
		return;
	ck_assert_int_eq(mem_run(g->w, close_task, g), ERR_OK);
	gateway_detach(g);
}

/* ---- the model ---- */

void
model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

void
model_fini(struct model *m)
{
	for (size_t i = 0; i < m->count; i++) {
		buf_fini(&m->at[i].key);
		buf_fini(&m->at[i].value);
	}
	free(m->at);
	model_init(m);
}

size_t
model_seek(const struct model *m, struct bytes from)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (kv_compare(buf_bytes(&m->at[mid].key), from) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct model_entry *
model_get(const struct model *m, struct bytes key)
{
	size_t i = model_seek(m, key);

	if (i == m->count || kv_compare(buf_bytes(&m->at[i].key), key) != 0)
		return NULL;
	return &m->at[i];
}

static void
set(struct buf *b, struct bytes to)
{
	buf_reset(b);
	if (to.len > 0)
		must(buf_append(b, to.data, to.len) == ERR_OK);
}

void
model_put(struct model *m, struct bytes key, struct bytes value)
{
	struct model_entry *e = model_get(m, key);
	size_t i = model_seek(m, key);

	if (e == NULL) {
		if (m->count == m->cap) {
			m->cap = m->cap == 0 ? 64 : m->cap * 2;
			m->at = realloc(m->at, m->cap * sizeof(*m->at));
		}
		memmove(&m->at[i + 1], &m->at[i], (m->count - i) * sizeof(*m->at));
		m->count++;
		e = &m->at[i];
		buf_init(&e->key, KV_KEY_MAX);
		buf_init(&e->value, KV_VALUE_MAX);
		set(&e->key, key);
	}
	set(&e->value, value);
}

void
model_del(struct model *m, struct bytes key)
{
	struct model_entry *e = model_get(m, key);

	if (e == NULL)
		return;
	buf_fini(&e->key);
	buf_fini(&e->value);
	memmove(e, e + 1, (size_t)(&m->at[m->count] - (e + 1)) * sizeof(*e));
	m->count--;
}

void
model_copy(struct model *to, const struct model *from)
{
	model_init(to);
	for (size_t i = 0; i < from->count; i++)
		model_put(to, buf_bytes(&from->at[i].key), buf_bytes(&from->at[i].value));
}

void
model_check(const struct model *m, struct kv *kv)
{
	struct buf key, value;
	size_t i = 0;
	int err;

	buf_init(&key, KV_KEY_MAX + 1);
	buf_init(&value, KV_VALUE_MAX);
	err = kv_seek(kv, bytes_of(NULL, 0), &key, &value);
	while (err == ERR_OK) {
		ck_assert_uint_lt(i, m->count);
		ck_assert(bytes_equal(buf_bytes(&key), buf_bytes(&m->at[i].key)));
		ck_assert(bytes_equal(buf_bytes(&value), buf_bytes(&m->at[i].value)));
		i++;
		err = kv_next(kv, &key, &value);
	}
	ck_assert_int_eq(err, ERR_NOT_FOUND);
	ck_assert_uint_eq(i, m->count);
	buf_fini(&key);
	buf_fini(&value);
}
