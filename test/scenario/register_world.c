#include "test/scenario/register_world.h"

#include <check.h>
#include <stdlib.h>

#include "test/scenario/world_private.h"

#define RECORD_BYTES 32
#define FOLD_AT      20
#define ROOTS_MAX    4096

/* Lists by root: what a checkpoint would read from chunks. Of the bucket made last. */
static struct {
	struct hash root;
	struct bucket_list list;
} * roots;
static size_t roots_count;

static struct hash
root_of(const struct bucket_list *list)
{
	struct hash root;

	if (roots == NULL)
		roots = calloc(ROOTS_MAX, sizeof(*roots));
	must(roots != NULL);
	crypto_sha256(&root, list->at, list->count * sizeof(list->at[0]));
	for (size_t i = 0; i < roots_count; i++)
		if (hash_equal(&roots[i].root, &root))
			return root;
	must(roots_count < ROOTS_MAX);
	roots[roots_count].root = root;
	roots[roots_count++].list = *list;
	return root;
}

static void
list_from_view(const struct head_view *v, struct bucket_list *list)
{
	bool found = false;

	memset(list, 0, sizeof(*list));
	if (v->head == NULL)
		return;
	for (size_t i = 0; i < roots_count && !found; i++) {
		found = hash_equal(&roots[i].root, &v->head->root);
		if (found)
			*list = roots[i].list;
	}
	must(found);
	for (uint16_t i = 0; i < v->tail->count; i++) {
		must(v->records[i].len >= sizeof(list->at[0]) && list->count < BUCKET_LIST_MAX);
		memcpy(&list->at[list->count++], v->records[i].data, sizeof(list->at[0]));
	}
}

bool
bucket_list_has(const struct bucket_list *list, uint32_t mark)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i] == mark)
			return true;
	return false;
}

/* ---- founding ---- */

struct founding {
	struct bucket *b;
	uint8_t anchors;
	struct env *env;
};

static int
found_task(void *arg)
{
	struct founding *f = arg;
	struct bucket *b = f->b;
	struct node *n = b->w->client;
	int err = anchors_choose(
	    &(struct anchors_wish){
		.chunks = b->w->chunks, .dht = node_dht(n), .count = f->anchors },
	    &b->charter);

	if (err != ERR_OK)
		return err;
	charter_sign(&b->charter, b->w->net, &b->owner.sign, &b->owner.pub);
	err = anchors_found(node_endpoint(n), node_dht(n), &b->charter, NULL, SECONDS(30));
	if (err == ERR_OK)
		err = anchors_publish(node_endpoint(n), node_dht(n), &b->finder, b->charter.salt, 1,
		    &b->charter.founding);
	return err;
}

static void
key_of(uint8_t kind, uint8_t number, struct identity *out)
{
	struct key seed = { { 0xb0, kind, number } };

	identity_from_seed(&seed, out);
}

void
bucket_new(struct bucket *b, struct world *w, uint8_t anchors, size_t writers)
{
	struct founding f = { .b = b, .anchors = anchors };
	struct bucket_list empty = { .count = 0 };
	int err;

	memset(b, 0, sizeof(*b));
	roots_count = 0;
	(void)root_of(&empty);
	b->w = w;
	b->writers_count = writers;
	key_of(1, 0, &b->owner);
	key_of(2, 0, &b->finder);
	b->charter.owner = b->owner.pub;
	b->charter.epoch = 1;
	b->charter.rules.silent_s = SILENT_S_MIN;
	b->charter.founding.writers_count = (uint8_t)writers;
	for (size_t i = 0; i < writers; i++) {
		key_of(3, (uint8_t)i, &b->writers[i].who);
		b->charter.founding.writers[i] = b->writers[i].who.pub;
	}
	err = sim_run_task(w->sim, w->client_env, found_task, &f);
	ck_assert_msg(err == ERR_OK, "founding: %s", err_text(err));
	for (size_t i = 0; i < writers; i++)
		bucket_writer_start(b, i);
}

void
bucket_free(struct bucket *b)
{
	for (size_t i = 0; i < b->writers_count; i++)
		if (b->writers[i].env != NULL)
			bucket_writer_kill(b, i);
}

/* ---- writers ---- */

struct life {
	struct bucket *b;
	struct bucket_writer *x;
};

static int
start_task(void *arg)
{
	struct life *l = arg;
	struct bucket *b = l->b;
	struct register_chain *chain = calloc(1, sizeof(*chain));
	struct endpoint *ep = node_endpoint(l->x->node);
	int err;

	must(chain != NULL);
	for (int i = 0; i < 10; i++) {
		err = anchors_find(ep, node_dht(l->x->node), &b->finder.pub, b->charter.salt,
		    &b->charter.bucket, chain);
		if (err == ERR_OK || err == ERR_CANCELED)
			break;
	}
	if (err == ERR_OK)
		err = head_client_new(
		    &(struct head_client_opts){
			.endpoint = ep,
			.dht = node_dht(l->x->node),
			.charter = &chain->charter,
			.handover = chain->handed ? &chain->last : NULL,
			.writer = &l->x->who,
			.finder = &b->finder,
		    },
		    &l->x->hc);
	free(chain);
	return err;
}

static int
stop_task(void *arg)
{
	struct bucket_writer *x = arg;

	task_group_fini(&x->group);
	head_client_free(x->hc);
	return ERR_OK;
}

void
bucket_writer_start(struct bucket *b, size_t writer)
{
	struct bucket_writer *x = &b->writers[writer];
	struct life l = { b, x };
	int err;

	x->hc = NULL;
	x->node = world_client_start(b->w, (uint8_t)(100 + writer), &x->env);
	task_group_init(&x->group, x->env);
	err = sim_run_task(b->w->sim, x->env, start_task, &l);
	ck_assert_msg(err == ERR_OK, "a writer does not find the register: %s", err_text(err));
}

void
bucket_writer_kill(struct bucket *b, size_t writer)
{
	struct bucket_writer *x = &b->writers[writer];

	sim_node_kill(x->env, SIM_SILENT);
	sim_run_task(b->w->sim, x->env, stop_task, x);
	world_client_stop(b->w, x->env, x->node);
	x->env = NULL;
	x->node = NULL;
	x->hc = NULL;
}

/* ---- operations ---- */

struct append {
	struct bucket *b;
	size_t writer;
	uint32_t mark;
	uint64_t timeout;
	enum proposer_outcome *outcome;
	struct bucket_list *list;
	struct bucket_list seen;
	uint8_t *records;
	int err;
};

static int
decide(void *arg, const struct head_view *now, struct head_proposal *out)
{
	struct append *a = arg;
	size_t bytes = a->b->record_bytes == 0 ? RECORD_BYTES : a->b->record_bytes;
	uint16_t fold = a->b->fold_at == 0 ? FOLD_AT : a->b->fold_at;
	struct bucket_list empty = { .count = 0 };

	list_from_view(now, &a->seen);
	if (bucket_list_has(&a->seen, a->mark)) {
		out->reply = REPLY_FOUND;
		return ERR_OK;
	}
	out->reply = REPLY_PROPOSE;
	if (now->head == NULL)
		out->root = root_of(&empty);
	if (now->head != NULL && now->tail->count >= fold) {
		out->root = root_of(&a->seen);
		out->covered = now->tail->count;
	}
	memset(a->records, (int)a->mark, bytes);
	memcpy(a->records, &a->mark, sizeof(a->mark));
	out->records = bytes_of(a->records, bytes);
	return ERR_OK;
}

int
bucket_append_in(struct bucket *b, size_t writer, uint32_t mark, uint64_t timeout,
    enum proposer_outcome *outcome, struct bucket_list *list)
{
	struct append *a = calloc(1, sizeof(*a));
	struct head_decide d = { decide, a, NULL };
	struct head_view v;
	int err;

	must(a != NULL);
	a->b = b;
	a->mark = mark;
	a->records = malloc(MAX(b->record_bytes, (size_t)RECORD_BYTES));
	must(a->records != NULL);
	err = head_client_commit(b->writers[writer].hc, &d, timeout, outcome);
	if (err == ERR_OK && *outcome == OUT_COMMITTED && list != NULL) {
		head_client_view(b->writers[writer].hc, &v);
		list_from_view(&v, list);
	}
	free(a->records);
	free(a);
	return err;
}

int
bucket_read_in(struct bucket *b, size_t writer, uint64_t timeout, struct bucket_list *list)
{
	struct head_view v;
	int err = head_client_read(b->writers[writer].hc, timeout);

	if (err == ERR_OK && list != NULL) {
		head_client_view(b->writers[writer].hc, &v);
		list_from_view(&v, list);
	}
	return err;
}

static int
append_task(void *arg)
{
	struct append *a = arg;

	return bucket_append_in(a->b, a->writer, a->mark, a->timeout, a->outcome, a->list);
}

int
bucket_append(struct bucket *b, size_t writer, uint32_t mark, uint64_t timeout,
    enum proposer_outcome *outcome)
{
	struct append *a = calloc(1, sizeof(*a));
	int err;

	must(a != NULL);
	a->b = b;
	a->writer = writer;
	a->mark = mark;
	a->timeout = timeout;
	a->outcome = outcome;
	err = sim_run_task(b->w->sim, b->writers[writer].env, append_task, a);
	free(a);
	return err;
}

static int
read_task(void *arg)
{
	struct append *a = arg;

	return bucket_read_in(a->b, a->writer, a->timeout, a->list);
}

int
bucket_read(struct bucket *b, size_t writer, uint64_t timeout, struct bucket_list *list)
{
	struct append *a = calloc(1, sizeof(*a));
	int err;

	must(a != NULL);
	a->b = b;
	a->writer = writer;
	a->timeout = timeout;
	a->list = list;
	err = sim_run_task(b->w->sim, b->writers[writer].env, read_task, a);
	free(a);
	return err;
}

uint32_t
bucket_append_ok(struct bucket *b, size_t writer)
{
	uint32_t mark = (uint32_t)(writer + 1) << 16 | ++b->writers[writer].made;
	enum proposer_outcome outcome = 0;
	int err = bucket_append(b, writer, mark, MINUTES(1), &outcome);

	ck_assert_msg(err == ERR_OK && outcome == OUT_COMMITTED, "append %u: %s, outcome %d",
	    b->writers[writer].made, err_text(err), (int)outcome);
	return mark;
}

size_t
bucket_anchor(const struct bucket *b, size_t writer, uint8_t i)
{
	const struct configuration *c = head_client_configuration(b->writers[writer].hc);

	return world_node_of(b->w, &c->anchors[i].key);
}

const struct acceptor *
bucket_state(const struct bucket *b, size_t node)
{
	const struct acceptor *s;

	if (b->w->nodes[node].node == NULL ||
	    registers_state(node_registers(b->w->nodes[node].node), &b->charter.bucket, &s) !=
		ERR_OK)
		return NULL;
	return s;
}
