/*
 * Putting a file. Of known length: chunks are put some at a time, each reading and sealing its own
 * part of the source inside the workers that also code it. Of unknown length (a pipe): a reader
 * fills one of two buffers while the other one's chunk is put; one byte is read ahead, because the
 * last block of an object is sealed differently. Then the leases are raised, the manifest is stored
 * and raised, and its place is published: only now there is a link.
 */
#include <stdlib.h>

#include "object/block.h"
#include "object/files_private.h"

#define RAISES_IN_FLIGHT 16
/* Seals like a block in the middle: no object is as long. */
#define LENGTH_UNKNOWN   (UINT64_MAX / 4)

/* ---- what one put shares ---- */

int
put_context_init(struct put_context *p, struct files *f, const struct file_put_opts *opts,
    const uint8_t file_id[32], struct file_put_result *result)
{
	struct endpoint *ep = chunks_endpoint(f->opts.chunks);
	struct agreed_time now;

	memset(p, 0, sizeof(*p));
	if (f->opts.account == NULL)
		return ERR_STATE;
	p->f = f;
	p->opts = opts;
	p->result = result;
	account_lease_key(f->opts.account, file_id, &p->lease_key, &p->lease_pub);
	endpoint_agreed_time(ep, &now);
	p->until = now.unix_ms / 1000 + (opts->term_s == 0 ? LEASE_TERM_S : opts->term_s);
	memset(result, 0, sizeof(*result));
	result->placed_min = SHARDS_MAX;
	return opts->code.k != 0 ? ERR_OK : chunks_servers(f->opts.chunks, &p->servers);
}

void
put_context_fini(struct put_context *p)
{
	for (size_t i = 0; i < p->placed_count; i++)
		free(p->placed[i].holders);
	free(p->placed);
	crypto_wipe(p, sizeof(*p));
}

static void
sign_lease(void *arg, struct lease *l)
{
	struct put_context *p = arg;

	lease_sign(l, p->f->opts.net, &p->lease_key, &p->lease_pub);
}

static int
remember(struct put_context *p, const struct chunk_put_result *r, size_t *slot)
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
	p->result->chunks++;
	if (r->placed < p->result->placed_min) {
		p->result->placed_min = r->placed;
		p->result->report = r->report;
	}
	return ERR_OK;
}

/* By the network's size, unless the caller said; small chunks may have another default. */
static struct code_params
code_for(const struct put_context *p, uint64_t bytes)
{
	if (p->opts->code.k != 0)
		return p->opts->code;
	return code_default(p->servers, bytes);
}

int
put_one_chunk(struct put_context *p, uint64_t bytes, const struct chunk_source *source,
    void (*progress)(void *arg, uint64_t bytes), void *arg, size_t *slot)
{
	struct chunks *c = p->f->opts.chunks;
	struct chunk_put_opts opts = {
		.code = code_for(p, bytes),
		.bytes = bytes,
		.source = *source,
		.signer = { sign_lease, p },
		.constraints = p->opts->constraints,
		.progress = progress,
		.arg = arg,
	};
	struct chunk_put_result *r = malloc(sizeof(*r));
	int err = r == NULL ? ERR_NOMEM : ERR_OK;

	if (p->opts->wait_s)
		opts.want = code_success(&opts.code);
	if (err == ERR_OK)
		err = chunk_put(c, &opts, r);
	if (err == ERR_OK && r->placed < opts.code.n && !p->opts->wait_s) {
		int completed = chunk_complete(c, &opts, r);

		/* What is placed is enough to go on; the caller sees how many there are. */
		if (completed == ERR_CANCELED)
			err = completed;
		else if (completed != ERR_OK)
			log_info(p->f->env, "a chunk stays at %u of %u: %s", r->placed, opts.code.n,
			    err_text(completed));
	}
	if (err == ERR_OK)
		err = remember(p, r, slot);
	if (err == ERR_OK)
		p->result->code = opts.code;
	free(r);
	return err;
}

int
manifest_add_placed(struct manifest *m, const struct placed_chunk *c)
{
	return manifest_add_chunk(
	    m, &c->ref.id, &c->ref.code, (uint32_t)c->ref.bytes, c->ref.hints);
}

/* ---- leases ---- */

struct raising {
	struct put_context *put;
	size_t next;
	int err;
};

static int
raise_task(void *arg)
{
	struct raising *r = arg;
	struct put_context *p = r->put;
	struct chunk_put_result *full = calloc(1, sizeof(*full));
	int err = full == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && r->err == ERR_OK && r->next < p->placed_count) {
		const struct placed_chunk *c = &p->placed[r->next++];

		full->ref = c->ref;
		full->placed = c->placed;
		for (uint8_t i = 0; i < c->ref.code.n; i++) {
			full->holders[i] = c->holders[i];
			full->have[i] = c->holders[i].addr.family != ADDR_NONE;
		}
		err = chunk_raise(p->f->opts.chunks, full, &(struct lease_signer){ sign_lease, p },
		    &p->opts->constraints, p->until, code_success(&c->ref.code));
	}
	if (err != ERR_OK && r->err == ERR_OK)
		r->err = err;
	free(full);
	return err;
}

int
put_raise_all(struct put_context *p, size_t from)
{
	struct raising r = { .put = p, .next = from };
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, p->f->env);
	for (size_t i = from; i < p->placed_count && i < from + RAISES_IN_FLIGHT && err == ERR_OK;
	     i++)
		err = task_spawn(&group, "raise leases", raise_task, &r);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err != ERR_OK ? err : r.err;
}

/* ---- a source of known length ---- */

struct known_put {
	struct put_context *p;
	struct key key;
	uint64_t length;
	uint64_t chunk_blocks; /* of a full chunk */
	uint64_t chunks, next;
	size_t *slots;  /* by chunk number */
	uint64_t *done; /* by chunk number: sealed bytes that went out */
	int err;
};

struct known_chunk {
	struct known_put *put;
	uint64_t number;
};

static int
seal_into(struct files *f, const struct key *k, uint64_t length, uint64_t block, size_t sealed,
    uint8_t *dst)
{
	struct aead *a = aead_borrow(&f->aeads);
	int err = a == NULL ? ERR_NOMEM : block_seal(a, k, length, block, 1, dst, dst);

	must(err != ERR_OK || sealed <= BLOCK_SEALED);
	aead_return(&f->aeads, a);
	return err;
}

/* In a worker: reads the plaintext of each block to where it belongs and seals it in place. */
static int
fill_known(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct known_chunk *c = arg;
	const struct known_put *k = c->put;
	const struct file_source *source = &k->p->opts->source;
	uint64_t block = c->number * k->chunk_blocks + offset / BLOCK_SEALED;

	for (size_t at = 0; at < len; at += BLOCK_SEALED, block++) {
		size_t sealed = MIN(len - at, (size_t)BLOCK_SEALED), got;
		size_t plain = sealed - CRYPTO_TAG_BYTES;
		int err = source->read(source->arg, block * BLOCK_PLAIN, dst + at, plain, &got);

		/* Shorter than it was when we began: what we would name is not what was asked. */
		if (err == ERR_OK && got != plain)
			err = ERR_INVALID;
		if (err == ERR_OK)
			err = seal_into(k->p->f, &k->key, k->length, block, sealed, dst + at);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static void
known_progress(void *arg, uint64_t bytes)
{
	struct known_chunk *c = arg;
	struct known_put *k = c->put;
	uint64_t sum = 0;

	k->done[c->number] = bytes;
	for (uint64_t i = 0; i < k->chunks; i++)
		sum += k->done[i];
	if (k->p->opts->progress != NULL)
		k->p->opts->progress(k->p->opts->arg, MIN(sum, k->length), k->length);
}

static int
known_task(void *arg)
{
	struct known_put *k = arg;
	uint64_t sealed = block_sealed_bytes(k->length);
	uint64_t full = k->chunk_blocks * BLOCK_SEALED;
	int err = ERR_OK;

	while (err == ERR_OK && k->err == ERR_OK && k->next < k->chunks) {
		struct known_chunk c = { k, k->next++ };
		struct chunk_source source = { fill_known, &c };
		uint64_t bytes = MIN(full, sealed - c.number * full);

		err = put_one_chunk(k->p, bytes, &source, known_progress, &c, &k->slots[c.number]);
		if (err == ERR_OK)
			known_progress(&c, bytes);
	}
	if (err != ERR_OK && k->err == ERR_OK)
		k->err = err;
	return err;
}

static int
known_run(struct known_put *k)
{
	struct task_group group;
	size_t tasks = (size_t)MIN(k->chunks, CHUNKS_IN_FLIGHT);
	int err = ERR_OK;

	task_group_init(&group, k->p->f->env);
	for (size_t i = 0; i < tasks && err == ERR_OK; i++)
		err = task_spawn(&group, "put chunks", known_task, k);
	for (size_t left = tasks; left-- > 0 && err == ERR_OK && k->err == ERR_OK;)
		err = task_group_wait(&group, left);
	task_group_fini(&group);
	return err != ERR_OK ? err : k->err;
}

static int
put_known(struct put_context *p, struct manifest *m)
{
	struct known_put k = { .p = p, .length = p->opts->source.length };
	struct manifest_segment s = { .plain_bytes = k.length };
	int err = ERR_OK;

	k.chunk_blocks = p->f->chunk_bytes / BLOCK_SEALED;
	k.chunks = (block_count(k.length) + k.chunk_blocks - 1) / k.chunk_blocks;
	if (k.chunks > MANIFEST_CHUNKS_MAX)
		return ERR_TOO_BIG;
	env_random(p->f->env, k.key.b, sizeof(k.key.b));
	k.slots = calloc((size_t)k.chunks, sizeof(*k.slots));
	k.done = calloc((size_t)k.chunks, sizeof(*k.done));
	if (k.slots == NULL || k.done == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		err = known_run(&k);
	for (uint64_t i = 0; err == ERR_OK && i < k.chunks; i++)
		err = manifest_add_placed(m, &p->placed[k.slots[i]]);
	if (err == ERR_OK) {
		s.key = k.key;
		s.chunks = (uint32_t)k.chunks;
		m->plain_bytes = k.length;
		err = manifest_add_segment(m, &s);
	}
	free(k.slots);
	free(k.done);
	crypto_wipe(&k, sizeof(k));
	crypto_wipe(&s, sizeof(s));
	return err;
}

/* ---- a source of unknown length ---- */

struct stream_buffer {
	uint8_t *data; /* STREAM_PLAIN and one byte of the next */
	size_t len;    /* without that byte */
	bool full, last;
};

struct stream_put {
	struct put_context *p;
	struct key key;
	size_t plain_max;
	struct stream_buffer buffers[2];
	uint64_t total; /* known with the last buffer */
	struct read_job *job;
};

struct read_job {
	const struct file_source *source;
	struct stream_buffer *into;
	size_t plain_max;
	size_t have; /* carried over from the buffer before: 0 or 1 */
	int err;
	struct wait wait;
};

/* In a worker: fills the buffer and one byte more, which tells whether it is the last. */
static int
read_ahead(void *arg)
{
	struct read_job *j = arg;
	size_t len = j->have, want = j->plain_max + 1;

	while (len < want) {
		size_t got;
		int err = j->source->read(j->source->arg, 0, j->into->data + len, want - len, &got);

		if (err != ERR_OK)
			return err;
		if (got == 0)
			break;
		len += got;
	}
	j->into->last = len < want;
	j->into->len = MIN(len, j->plain_max);
	return ERR_OK;
}

static int
read_task(void *arg)
{
	struct stream_put *s = arg;

	s->job->err = env_offload(s->p->f->env, WORK_DISK, read_ahead, s->job, WORK_INLINE_MAX);
	wait_wake(&s->job->wait, s->job->err);
	return s->job->err;
}

struct stream_chunk {
	struct stream_put *put;
	const struct stream_buffer *from;
	uint64_t first_block, length;
};

static int
fill_stream(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct stream_chunk *c = arg;
	uint64_t block = offset / BLOCK_SEALED;

	for (size_t at = 0; at < len; at += BLOCK_SEALED, block++) {
		size_t sealed = MIN(len - at, (size_t)BLOCK_SEALED);

		memcpy(dst + at, c->from->data + block * BLOCK_PLAIN, sealed - CRYPTO_TAG_BYTES);

		int err = seal_into(c->put->p->f, &c->put->key, c->length, c->first_block + block,
		    sealed, dst + at);

		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* Puts what lies in one buffer while the next one fills. */
static int
put_buffer(struct stream_put *s, const struct stream_buffer *b, uint64_t before, struct manifest *m)
{
	struct stream_chunk c = { s, b, before / BLOCK_PLAIN, LENGTH_UNKNOWN };
	struct chunk_source source = { fill_stream, &c };
	size_t slot;
	int err;

	if (b->last)
		c.length = before + b->len;
	err = put_one_chunk(s->p, block_sealed_bytes(b->len), &source, NULL, NULL, &slot);
	if (err == ERR_OK)
		err = manifest_add_placed(m, &s->p->placed[slot]);
	if (err == ERR_OK && s->p->opts->progress != NULL)
		s->p->opts->progress(s->p->opts->arg, before + b->len, 0);
	return err;
}

static int
stream_chunks(
    struct stream_put *s, struct task_group *group, struct read_job *job, struct manifest *m)
{
	struct env *env = s->p->f->env;
	int err = ERR_OK;

	for (size_t turn = 0; err == ERR_OK; turn++) {
		struct stream_buffer *b = &s->buffers[turn % 2],
				     *next = &s->buffers[(turn + 1) % 2];

		if (turn == 0) {
			job->into = b;
			err = env_offload(env, WORK_DISK, read_ahead, job, WORK_INLINE_MAX);
		} else {
			err = wait_for(env, &job->wait, 0);
		}
		if (err != ERR_OK)
			break;
		if (turn == 0 && b->last && b->len <= MANIFEST_INLINE_MAX) {
			m->plain_bytes = b->len;
			return buf_append(&m->inline_data, b->data, b->len);
		}
		if (!b->last) {
			next->data[0] = b->data[s->plain_max];
			job->into = next;
			job->have = 1;
			wait_init(&job->wait);
			err = task_spawn(group, "read ahead", read_task, s);
		}
		if (err == ERR_OK)
			err = put_buffer(s, b, s->total, m);
		s->total += b->len;
		if (b->last)
			break;
	}
	return err;
}

static int
put_stream(struct put_context *p, struct manifest *m)
{
	uint64_t sealed = MIN(p->f->chunk_bytes, STREAM_CHUNK_BYTES);
	struct stream_put s = { .p = p, .plain_max = sealed / BLOCK_SEALED * BLOCK_PLAIN };
	struct read_job job = { .source = &p->opts->source, .plain_max = s.plain_max };
	struct manifest_segment segment = { 0 };
	struct task_group group;
	int err = ERR_OK;

	s.job = &job;
	env_random(p->f->env, s.key.b, sizeof(s.key.b));
	for (size_t i = 0; i < ARRAY_LEN(s.buffers); i++) {
		s.buffers[i].data = malloc(s.plain_max + 1);
		if (s.buffers[i].data == NULL)
			err = ERR_NOMEM;
	}
	task_group_init(&group, p->f->env);
	if (err == ERR_OK)
		err = stream_chunks(&s, &group, &job, m);
	task_group_fini(&group);
	if (err == ERR_OK && m->chunks_count > 0) {
		segment.key = s.key;
		segment.plain_bytes = m->plain_bytes = s.total;
		segment.chunks = (uint32_t)m->chunks_count;
		err = manifest_add_segment(m, &segment);
	}
	for (size_t i = 0; i < ARRAY_LEN(s.buffers); i++)
		free(s.buffers[i].data);
	crypto_wipe(&s, sizeof(s));
	crypto_wipe(&segment, sizeof(segment));
	return err;
}

/* ---- the whole ---- */

static int
read_inline(void *arg)
{
	struct put_context *p = arg;
	const struct file_source *source = &p->opts->source;
	size_t got, want = (size_t)source->length;
	int err = source->read(source->arg, 0, p->inline_bytes, want, &got);

	return err == ERR_OK && got != want ? ERR_INVALID : err;
}

static int
put_inline(struct put_context *p, struct manifest *m)
{
	size_t len = (size_t)p->opts->source.length;
	int err =
	    len == 0 ? ERR_OK : env_offload(p->f->env, WORK_DISK, read_inline, p, WORK_INLINE_MAX);

	m->plain_bytes = len;
	return err != ERR_OK ? err : buf_append(&m->inline_data, p->inline_bytes, len);
}

static void
set_name(struct manifest *m, const char *name)
{
	size_t len = name == NULL ? 0 : strlen(name);

	if (len > MANIFEST_NAME_MAX)
		len = MANIFEST_NAME_MAX;
	if (len > 0)
		memcpy(m->name, name, len);
	m->name[len] = '\0';
}

int
file_put(struct files *f, const struct file_put_opts *opts, struct file_put_result *out)
{
	struct put_context *p = malloc(sizeof(*p));
	struct manifest *m = malloc(sizeof(*m));
	int err = ERR_NOMEM;

	if (p == NULL || m == NULL)
		goto out;
	manifest_init(m);
	env_random(f->env, m->file_id, sizeof(m->file_id));
	m->created_ms = env_wall_ms(f->env);
	set_name(m, opts->name);
	err = put_context_init(p, f, opts, m->file_id, out);
	if (err == ERR_OK) {
		if (!opts->source.length_known)
			err = put_stream(p, m);
		else if (opts->source.length <= MANIFEST_INLINE_MAX)
			err = put_inline(p, m);
		else
			err = put_known(p, m);
		if (err == ERR_OK)
			err = put_raise_all(p, 0);
		if (err == ERR_OK)
			err = put_manifest(p, m);
		if (err == ERR_OK)
			out->bytes = m->plain_bytes;
	}
	put_context_fini(p);
	manifest_fini(m);
out:
	free(p);
	free(m);
	return err;
}
