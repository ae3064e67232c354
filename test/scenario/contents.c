/* Objects by number: what is read is compared with what the number gives, so none are kept. */
#include "test/scenario/contents.h"

#include <check.h>
#include <stdlib.h>

#include "storage/store_facts.h"

#define PORTION 50000 /* of one write: no border of ours */

uint8_t
content_byte(uint64_t seed, uint64_t offset)
{
	uint64_t z = seed + offset / 8 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint8_t)((z ^ (z >> 27)) >> (offset % 8 * 8));
}

/* ---- a client with a bucket's keys ---- */

struct placing_opts
content_client_placing(struct content_client *c)
{
	return (struct placing_opts){ .code = c->w->opts.code,
		.signer = lease_signing_signer(&c->signing) };
}

struct content_client *
content_client_new(const struct world_opts *opts)
{
	static const struct key secret = { { 5 } };
	struct content_client *c = calloc(1, sizeof(*c));
	struct env *env;
	struct placing_opts placing;

	must(c != NULL);
	c->w = world_new(opts);
	env = world_client_env(c->w);
	budget_init(&c->up, env, 0);
	budget_init(&c->down, env, 0);
	lease_signing_bucket(&c->signing, env, c->w->net, &secret, &c->w->account, NULL);
	placing = content_client_placing(c);
	must(packs_new(
		 &(struct packs_opts){ .files = c->w->files, .memory = &c->up, .placing = placing },
		 &c->packs) == ERR_OK);
	for (size_t i = 0; i < CONTENT_OBJECTS; i++)
		content_init(&c->objects[i]);
	return c;
}

static int
free_packs(void *arg)
{
	struct content_client *c = arg;

	packs_free(c->packs);
	return ERR_OK;
}

void
content_client_free(struct content_client *c)
{
	ck_assert_int_eq(world_run(c->w, free_packs, c), ERR_OK);
	for (size_t i = 0; i < CONTENT_OBJECTS; i++)
		content_fini(&c->objects[i]);
	budget_fini(&c->up);
	budget_fini(&c->down);
	world_free(c->w);
	free(c);
}

/* ---- writing ---- */

static int
write_all(struct content_writing *x, struct content_writer *w)
{
	struct env *env = world_client_env(x->c->w);
	uint8_t *piece = malloc(PORTION);
	int err = ERR_OK;

	must(piece != NULL);
	for (uint64_t at = 0; err == ERR_OK && at < x->bytes;) {
		size_t len = (size_t)MIN(x->bytes - at, PORTION);

		for (size_t i = 0; i < len; i++)
			piece[i] = content_byte(x->object, at + i);
		err = content_write(w, bytes_of(piece, len));
		at += len;
		if (err == ERR_OK && x->pause > 0)
			err = task_sleep(env, x->pause);
		if (x->during != NULL)
			x->during(x->arg, at);
		if (x->abort_at > 0 && at >= x->abort_at)
			err = ERR_CANCELED;
	}
	free(piece);
	return err;
}

int
content_write_task(void *arg)
{
	struct content_writing *x = arg;
	struct content_client *c = x->c;
	struct content_writer *w;
	struct content_write_opts opts = {
		.files = c->w->files,
		.memory = &c->up,
		.packs = x->packed ? c->packs : NULL,
		.may_inline = x->may_inline,
		.customer = x->customer,
		.bytes = x->unknown    ? CONTENT_BYTES_UNKNOWN
			 : x->declared ? x->declared
				       : x->bytes,
		.placing = content_client_placing(c),
	};
	int err;

	opts.placing.term_s = x->term_s;
	opts.placing.lock_s = x->lock_s;
	err = content_writer_new(&opts, &w);

	must(err == ERR_OK);
	err = write_all(x, w);
	if (err == ERR_OK)
		err = content_finish(w, &c->objects[x->object]);
	c->told = *content_writer_told(w);
	content_writer_free(w);
	if (err == ERR_OK) {
		c->bytes[x->object] = x->bytes;
		ck_assert_uint_eq(c->objects[x->object].bytes, x->bytes);
	}
	x->err = err;
	x->ended = true;
	return err;
}

int
content_put(struct content_client *c, struct content_writing x)
{
	x.c = c;
	return world_run(c->w, content_write_task, &x);
}

/* Many at once. */
struct crowd {
	struct content_writing *each;
	size_t count;
	struct env *env;
};

static int
crowd_task(void *arg)
{
	struct crowd *x = arg;
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, x->env);
	for (size_t i = 0; err == ERR_OK && i < x->count; i++)
		err = task_spawn(&group, "upload", content_write_task, &x->each[i]);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err;
}

void
content_put_together(struct content_client *c, struct content_writing *each, size_t count)
{
	struct crowd x = { each, count, world_client_env(c->w) };

	for (size_t i = 0; i < count; i++)
		each[i].c = c;
	ck_assert_int_eq(world_run(c->w, crowd_task, &x), ERR_OK);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(each[i].err, ERR_OK);
}

/* ---- reading ---- */

static int
read_all(struct content_reading *x, struct content_reader *r)
{
	struct env *env = world_client_env(x->c->w);
	uint64_t at = x->from, begun = env_now(env), wrong = 0;
	struct bytes piece;
	int err;

	while ((err = content_read(r, &piece)) == ERR_OK) {
		if (at == x->from)
			x->first_after = env_now(env) - begun;
		ck_assert_uint_gt(piece.len, 0);
		for (size_t i = 0; i < piece.len; i++, at++)
			wrong += piece.data[i] != content_byte(x->object, at);
		if (x->pause > 0)
			(void)task_sleep(env, x->pause);
	}
	ck_assert_msg(
	    wrong == 0, "object %zu: %llu wrong bytes", x->object, (unsigned long long)wrong);
	if (err == ERR_END)
		ck_assert_uint_eq(at, x->from + x->len);
	else
		x->missing = *content_reader_missing(r);
	return err == ERR_END ? ERR_OK : err;
}

int
content_read_task(void *arg)
{
	struct content_reading *x = arg;
	struct content_reader *r;
	struct content_read_opts opts = {
		.files = x->c->w->files,
		.memory = &x->c->down,
		.content = &x->c->objects[x->object],
		.customer = x->customer,
		.from = x->from,
		.len = x->len,
	};
	int err = content_reader_new(&opts, &r);

	if (err == ERR_OK) {
		err = read_all(x, r);
		content_reader_free(r);
	}
	x->err = err;
	return err;
}

int
content_get_range(struct content_client *c, size_t object, uint64_t from, uint64_t len)
{
	struct content_reading x = { .c = c, .object = object, .from = from, .len = len };

	return world_run(c->w, content_read_task, &x);
}

int
content_get(struct content_client *c, size_t object)
{
	return content_get_range(c, object, 0, c->bytes[object]);
}

/* ---- leases ---- */

struct looking {
	struct store *store;
	uint64_t longest; /* until, of any lease there */
};

static int
look_task(void *arg)
{
	struct looking *l = arg;
	struct chunk_facts *f = calloc(1, sizeof(*f));
	struct hash from = { { 0 } };
	int err;

	must(f != NULL);
	while ((err = store_next_facts(l->store, &from, f)) == ERR_OK) {
		for (size_t i = 0; i < f->leases_count; i++)
			l->longest = MAX(l->longest, f->leases[i].until);
		from = f->chunk;
		if (!store_name_after(&from))
			break;
	}
	free(f);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

uint64_t
content_longest_lease(struct content_client *c)
{
	uint64_t longest = 0, now = world_unix_s(world_client(c->w));

	for (size_t i = 0; i < c->w->opts.nodes; i++) {
		struct looking l = { .store = node_store(world_peer(c->w, i)) };

		ck_assert_int_eq(
		    sim_run_task(c->w->sim, world_env(c->w, i), look_task, &l), ERR_OK);
		longest = MAX(longest, l.longest);
	}
	return longest > now ? longest - now : 0;
}
