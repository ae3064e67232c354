/* Chunks put one by one, or some at once; then all their leases. */
#include "object/placing.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/files_private.h"
#include "storage/renew.h"

#define IN_FLIGHT     16
/* More often than this it is not bad luck: the network has not enough nodes. */
#define PUT_TRIES     2
/* Whoever waits for the error waits so much longer at most. */
#define WITHDRAW_TIME SECONDS(3)

int
placing_init(struct placing *p, struct files *f, const struct placing_opts *opts)
{
	struct agreed_time now;

	memset(p, 0, sizeof(*p));
	p->f = f;
	p->opts = *opts;
	if (p->opts.term_s == 0)
		p->opts.term_s = LEASE_TERM_S;
	p->told.placed_min = SHARDS_MAX;
	if (p->opts.lock_s > p->opts.term_s)
		return ERR_INVALID;
	endpoint_agreed_time(chunks_endpoint(f->opts.chunks), &now);
	p->until = now.unix_ms / 1000 + p->opts.term_s;
	p->lock_until = p->opts.lock_s == 0 ? 0 : now.unix_ms / 1000 + p->opts.lock_s;
	return p->opts.code.k != 0 ? ERR_OK : chunks_servers(f->opts.chunks, &p->servers);
}

static int
remember(struct placing *p, const struct chunk_put_result *r, size_t *slot)
{
	if (p->placed_count == p->placed_cap) {
		size_t cap = p->placed_cap == 0 ? 16 : p->placed_cap * 2;
		struct placed_chunk *more = realloc(p->placed, cap * sizeof(*more));

		if (more == NULL)
			return ERR_NOMEM;
		p->placed = more;
		p->placed_cap = cap;
	}

	struct placed_chunk *c = &p->placed[p->placed_count];

	c->holders = calloc(r->ref.code.n, sizeof(*c->holders));
	if (c->holders == NULL)
		return ERR_NOMEM;
	c->ref = r->ref;
	c->placed = r->placed;
	for (uint8_t i = 0; i < r->ref.code.n; i++) {
		if (r->have[i])
			c->holders[i] = r->holders[i];
	}
	*slot = p->placed_count++;
	p->told.chunks++;
	if (r->placed < p->told.placed_min) {
		p->told.placed_min = r->placed;
		p->told.report = r->report;
	}
	return ERR_OK;
}

int
placing_take(struct placing *p, struct placing *from)
{
	size_t count = p->placed_count + from->placed_count;
	struct placed_chunk *all;

	if (from->placed_count == 0)
		return ERR_OK;
	all = realloc(p->placed, count * sizeof(*all));
	if (all == NULL)
		return ERR_NOMEM;
	memcpy(all + p->placed_count, from->placed, from->placed_count * sizeof(*all));
	p->placed = all;
	p->placed_count = p->placed_cap = count;
	from->placed_count = 0;
	return ERR_OK;
}

struct code_params
placing_code(const struct placing *p, uint64_t bytes)
{
	if (p->opts.code.k != 0)
		return p->opts.code;
	return code_default(p->servers, bytes);
}

/* Sealed under keys or nonces drawn for this write alone: no other one makes the same chunk. */
static SUSPENDS int
withdraw_one(const struct placing *p, const struct chunk_put_result *r)
{
	return chunk_withdraw(p->f->opts.chunks, r, &p->opts.signer);
}

static SUSPENDS void
withdraw(const struct placing *p, const struct chunk_put_result *r)
{
	struct env *env = p->f->env;
	uint64_t old = task_deadline(env, env_now(env) + WITHDRAW_TIME);

	(void)withdraw_one(p, r);
	task_deadline_restore(env, old);
}

int
placing_put(struct placing *p, uint64_t bytes, const struct chunk_source *source,
    void (*progress)(void *arg, uint64_t bytes), void *arg, size_t *slot)
{
	struct chunks *c = p->f->opts.chunks;
	struct chunk_put_opts opts = {
		.code = placing_code(p, bytes),
		.bytes = bytes,
		.source = *source,
		.signer = p->opts.signer,
		.constraints = p->opts.constraints,
		.term_s = p->opts.term_s,
		.lock_s = p->opts.lock_s,
		.progress = progress,
		.arg = arg,
	};
	struct chunk_put_result *r = malloc(sizeof(*r));
	int err = r == NULL ? ERR_NOMEM : ERR_OK;

	if (p->opts.wait_s)
		opts.want = code_success(&opts.code);
	if (err == ERR_OK)
		err = chunk_put(c, &opts, r);
	/* Holders that died on the way have left too few: on with others. */
	for (int tries = 0; tries < PUT_TRIES && (err == ERR_UNREACHABLE || err == ERR_PLACEMENT);
	     tries++) {
		log_info(
		    p->f->env, "a chunk is placed %u times only: %s", r->placed, err_text(err));
		err = chunk_complete(c, &opts, r);
		if (err != ERR_CANCELED && r->placed >= code_success(&opts.code))
			err = ERR_OK;
	}
	if (err == ERR_OK && r->placed < opts.code.n && !p->opts.wait_s) {
		int completed = chunk_complete(c, &opts, r);

		/* What is placed is enough to go on; the caller sees how many there are. */
		if (completed == ERR_CANCELED)
			err = completed;
		else if (completed != ERR_OK)
			log_info(p->f->env, "a chunk stays at %u of %u: %s", r->placed, opts.code.n,
			    err_text(completed));
	}
	if (r != NULL && r->placed < opts.code.n)
		refusals_add(&p->told.refusals, &r->refusals);
	if (err == ERR_OK)
		err = remember(p, r, slot);
	if (err == ERR_OK)
		p->told.code = opts.code;
	else if (r != NULL)
		withdraw(p, r);
	free(r);
	return err;
}

static int
fill_from_bytes(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct bytes *bytes = arg;

	memcpy(dst, bytes->data + offset, len);
	return ERR_OK;
}

int
placing_put_bytes(struct placing *p, struct bytes bytes, size_t *slot)
{
	struct chunk_source source = { fill_from_bytes, &bytes };

	return placing_put(p, bytes.len, &source, NULL, NULL, slot);
}

void
placing_tell(struct placing *p, const struct placing_told *more)
{
	struct placing_told *t = &p->told;

	t->chunks += more->chunks;
	if (more->chunks > 0)
		t->code = more->code;
	if (more->chunks > 0 && more->placed_min < t->placed_min) {
		t->placed_min = more->placed_min;
		t->report = more->report;
	}
	refusals_add(&t->refusals, &more->refusals);
}

int
manifest_add_placed(struct manifest *m, const struct placed_chunk *c)
{
	return manifest_add_chunk(
	    m, &c->ref.id, &c->ref.code, (uint32_t)c->ref.bytes, c->ref.hints);
}

/* As the chunk layer was told it when it was put. */
static void
put_result_of(const struct placed_chunk *c, struct chunk_put_result *out)
{
	out->ref = c->ref;
	out->placed = c->placed;
	for (uint8_t i = 0; i < c->ref.code.n; i++) {
		out->holders[i] = c->holders[i];
		out->have[i] = c->holders[i].addr.family != ADDR_NONE;
	}
}

int
placing_publish(struct placing *p, const struct placed_chunk *c)
{
	struct chunk_put_result *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return ERR_NOMEM;
	put_result_of(c, r);
	err = chunk_publish(p->f->opts.chunks, r);
	free(r);
	return err;
}

/* ---- leases ---- */

/* What is said of each chunk to its holders. */
struct saying {
	struct placing *placing;
	int (*say)(const struct placing *p, const struct chunk_put_result *r);
	size_t next;
	int err;
};

static int
say_task(void *arg)
{
	struct saying *s = arg;
	struct placing *p = s->placing;
	struct chunk_put_result *full = calloc(1, sizeof(*full));
	int err = full == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && s->err == ERR_OK && s->next < p->placed_count) {
		put_result_of(&p->placed[s->next++], full);
		err = s->say(p, full);
	}
	if (err != ERR_OK && s->err == ERR_OK)
		s->err = err;
	free(full);
	return err;
}

static SUSPENDS int
say_of_all(struct saying *s, const char *name)
{
	struct placing *p = s->placing;
	size_t tasks = MIN(p->placed_count - MIN(s->next, p->placed_count), IN_FLIGHT);
	int err = task_together(p->f->env, name, say_task, s, tasks);

	return err != ERR_OK ? err : s->err;
}

static SUSPENDS int
raise_one(const struct placing *p, const struct chunk_put_result *r)
{
	return chunk_raise(p->f->opts.chunks, r,
	    &(struct chunk_raise_opts){ .signer = p->opts.signer,
		.constraints = &p->opts.constraints,
		.until = p->until,
		.lock_until = p->lock_until,
		.need = code_success(&r->ref.code) });
}

int
placing_raise(struct placing *p, size_t from)
{
	struct saying s = { .placing = p, .say = raise_one, .next = from };

	return say_of_all(&s, "raise leases");
}

static SUSPENDS void
withdraw_all(struct placing *p)
{
	struct saying s = { .placing = p, .say = withdraw_one };
	struct env *env = p->f->env;
	uint64_t old = task_deadline(env, env_now(env) + WITHDRAW_TIME);

	(void)say_of_all(&s, "withdraw");
	task_deadline_restore(env, old);
}

void
placing_end(struct placing *p, int err)
{
	if (err != ERR_OK && p->placed_count > 0)
		withdraw_all(p);
	for (size_t i = 0; i < p->placed_count; i++)
		free(p->placed[i].holders);
	free(p->placed);
	memset(p, 0, sizeof(*p));
}

/* ---- blocks ---- */

int
placing_seal_block(struct files *f, const struct key *k, uint64_t length, uint64_t block,
    const uint8_t *in, uint8_t *dst)
{
	struct aead *a = aead_borrow(&f->aeads);
	int err = a == NULL ? ERR_NOMEM : block_seal(a, k, length, block, 1, in, dst);

	aead_return(&f->aeads, a);
	return err;
}
