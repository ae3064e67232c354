/*
 * Contents wait in a queue on the stacks of those who add them. A pack takes from its front what
 * fits, seals it in a worker, is put and leased as any chunk, and tells its members where they lie;
 * then the same task takes the next ones.
 */
#include "object/packs.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/budget.h"
#include "object/content_private.h"

/* Of one pack: their keys and places are small against what they have. */
#define PACK_MEMBERS_MAX 256

struct member { /* on the stack of the task that adds it */
	struct bytes data;
	struct content *out;
	struct placing_told *told;
	struct key key;
	uint32_t at;
	bool taken; /* by a pack: its worker reads data */
	struct wait done;
	struct member *prev, *next;
};

struct packs {
	struct packs_opts opts;
	struct env *env;
	struct member *head, *tail;
	size_t in_flight, waiting_bytes;
	struct task_group tasks;
};

struct pack {
	struct packs *packs;
	struct placing placing;
	struct member *members[PACK_MEMBERS_MAX];
	size_t count, bytes;
	struct budget_share sealed;
};

int
packs_new(const struct packs_opts *opts, struct packs **out)
{
	struct packs *p;

	if (opts->placing.lock_s > 0)
		return ERR_INVALID;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_NOMEM;
	p->opts = *opts;
	p->env = opts->files->env;
	task_group_init(&p->tasks, p->env);
	*out = p;
	return ERR_OK;
}

void
packs_free(struct packs *p)
{
	if (p == NULL)
		return;
	must(p->head == NULL);
	task_group_fini(&p->tasks);
	free(p);
}

static void
unlink_member(struct packs *p, struct member *m)
{
	p->waiting_bytes -= m->data.len;
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		p->head = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	else
		p->tail = m->prev;
}

/* ---- one pack ---- */

static void
gather(struct pack *k)
{
	struct packs *p = k->packs;

	k->count = k->bytes = 0;
	while (p->head != NULL && k->count < PACK_MEMBERS_MAX) {
		struct member *m = p->head;
		size_t bytes = (size_t)block_sealed_bytes(m->data.len);

		if (k->count > 0 && k->bytes + bytes > PACK_BYTES_MAX)
			break;
		unlink_member(p, m);
		m->taken = true;
		m->at = (uint32_t)k->bytes;
		env_random(p->env, m->key.b, sizeof(m->key.b));
		k->members[k->count++] = m;
		k->bytes += bytes;
	}
}

/* In a worker. */
static int
seal_members(void *arg)
{
	const struct pack *k = arg;
	struct aead *a = aead_borrow(&k->packs->opts.files->aeads);
	int err = a == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < k->count; i++) {
		const struct member *m = k->members[i];

		err = block_seal(a, &m->key, m->data.len, 0, block_count(m->data.len), m->data.data,
		    k->sealed.data + m->at);
	}
	aead_return(&k->packs->opts.files->aeads, a);
	return err;
}

static SUSPENDS int
take_memory(struct pack *k)
{
	struct budget_need need = { .kind = BUDGET_LARGE, .data_bytes = k->bytes };
	struct code_params code = placing_code(&k->placing, k->bytes);
	int err = chunk_put_memory(&code, k->bytes, &need.beside);

	return err == ERR_OK ? budget_take(k->packs->opts.memory, &need, &k->sealed) : err;
}

static SUSPENDS int
place(struct pack *k)
{
	size_t slot;
	int err = placing_init(&k->placing, k->packs->opts.files, &k->packs->opts.placing);

	if (err == ERR_OK)
		err = take_memory(k);
	if (err == ERR_OK)
		err = env_offload(k->packs->env, WORK_CPU, seal_members, k, k->bytes);
	if (err == ERR_OK)
		err = placing_put_bytes(&k->placing, bytes_of(k->sealed.data, k->bytes), &slot);
	return err == ERR_OK ? placing_raise(&k->placing, 0) : err;
}

/* Who is alone has a chunk of its own, which needs no count of members. */
static int
tell_alone(const struct pack *k, const struct member *m)
{
	struct manifest_segment s = { .key = m->key, .plain_bytes = m->data.len, .chunks = 1 };
	int err = manifest_add_segment(&m->out->list, &s);

	m->out->kind = CONTENT_CHUNKS;
	m->out->list.plain_bytes = m->data.len;
	crypto_wipe(&s, sizeof(s));
	(void)k;
	return err;
}

static int
tell(const struct pack *k, const struct member *m)
{
	int err = manifest_add_placed(&m->out->list, &k->placing.placed[0]);

	m->out->bytes = m->data.len;
	if (err == ERR_OK && k->count == 1)
		return tell_alone(k, m);
	m->out->kind = CONTENT_PACKED;
	m->out->key = m->key;
	m->out->at = m->at;
	return err;
}

static SUSPENDS void
run_pack(struct pack *k)
{
	int err = place(k);

	for (size_t i = 0; i < k->count; i++) {
		struct member *m = k->members[i];
		int told = err == ERR_OK ? tell(k, m) : err;

		if (m->told != NULL)
			*m->told = k->placing.told;
		wait_wake(&m->done, told); /* and it is gone */
	}
	budget_give(&k->sealed);
	placing_end(&k->placing, err);
}

static int
packs_task(void *arg)
{
	struct packs *p = arg;
	struct pack *k = calloc(1, sizeof(*k));

	while (p->head != NULL) {
		if (k == NULL) {
			struct member *m = p->head;

			unlink_member(p, m);
			m->taken = true;
			wait_wake(&m->done, ERR_NOMEM);
			continue;
		}
		memset(k, 0, sizeof(*k));
		k->packs = p;
		gather(k);
		run_pack(k);
	}
	free(k);
	p->in_flight--;
	return ERR_OK;
}

/* ---- adding ---- */

/* The task outlives who happens to start it: its deadline is not theirs. */
static int
start_task(struct packs *p)
{
	uint64_t old = task_deadline(p->env, UINT64_MAX);
	int err;

	task_deadline_restore(p->env, 0);
	err = task_spawn(&p->tasks, "pack", packs_task, p);
	task_deadline_restore(p->env, old);
	p->in_flight += err == ERR_OK;
	return err;
}

int
packs_add(struct packs *p, struct bytes data, struct content *out, struct placing_told *told)
{
	struct member m = { .data = data, .out = out, .told = told, .prev = p->tail };
	int err = ERR_OK;

	if (data.len == 0 || data.len > CONTENT_PACKED_MAX)
		return ERR_INVALID;
	wait_init(&m.done);
	if (p->tail != NULL)
		p->tail->next = &m;
	else
		p->head = &m;
	p->tail = &m;
	p->waiting_bytes += data.len;
	if (p->in_flight < (p->waiting_bytes < PACK_BYTES_MAX ? PACKS_USUAL : PACKS_IN_FLIGHT))
		err = start_task(p);
	if (err == ERR_OK || p->in_flight > 0)
		err = wait_for(p->env, &m.done, 0);
	if (!m.done.done) {
		/* In a pack already: a worker may read what the caller is about to free. */
		if (m.taken)
			(void)wait_always(p->env, &m.done);
		else
			unlink_member(p, &m);
	}
	crypto_wipe(&m.key, sizeof(m.key));
	return err;
}
