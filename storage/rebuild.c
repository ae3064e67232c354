/*
 * The flow of a rebuild. Targets open first: without a node that takes a shard nothing is read.
 * Then the sources, then group by group: while one is decoded nothing else happens, while it is
 * written the next is read. Before the commit the rebuilt leaves must lead to the descriptor's
 * roots. If they do not, all is done once more and every leaf that is read is hashed, which finds
 * who lied; if leaves that verify do not lead there either, the uploader has made a malformed chunk
 * and nobody here is to blame.
 */
#include "storage/rebuild.h"

#include <stdlib.h>

#include "storage/rebuild_private.h"

#define STEP_MAX 16 /* 1 MiB of a shard: longer ones gain nothing */

/* ---- set-up and end ---- */

static int
lane_init(const struct rebuilding *w, struct lane *l)
{
	l->leaves = malloc(w->layout.rows * sizeof(*l->leaves));
	for (size_t i = 0; i < SLOTS; i++)
		l->slot[i] = chunks_buffer(w->r->chunks, (size_t)w->step * LEAF_BYTES);
	return l->leaves == NULL || l->slot[0] == NULL || l->slot[1] == NULL ? ERR_NOMEM : ERR_OK;
}

static void
lane_fini(const struct rebuilding *w, struct lane *l)
{
	stream_close(l->stream);
	free(l->leaves);
	for (size_t i = 0; i < SLOTS; i++)
		chunks_buffer_put(w->r->chunks, l->slot[i], (size_t)w->step * LEAF_BYTES);
}

static int
allocate(struct rebuilding *w)
{
	struct rebuild *r = w->r;
	size_t sources = r->copy ? 1 : w->layout.k;
	int err = ERR_OK;

	w->sources = calloc(sources, sizeof(*w->sources));
	w->targets = calloc(r->targets_count, sizeof(*w->targets));
	if (w->sources == NULL || w->targets == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < sources && err == ERR_OK; i++) {
		struct source *s = &w->sources[w->sources_count++];

		s->w = w;
		err = lane_init(w, &s->lane);
	}
	for (size_t i = 0; i < r->targets_count && err == ERR_OK; i++) {
		struct target *t = &w->targets[w->targets_count++];

		t->w = w;
		t->shard = &r->targets[i];
		err = lane_init(w, &t->lane);
	}
	return err;
}

static int
work_init(struct rebuilding *w, struct rebuild *r)
{
	const struct descriptor *d = r->descriptor;
	int err = layout_make(d->k, d->n, d->chunk_bytes, &w->layout);
	size_t lanes;

	w->r = r;
	w->env = r->chunks->env;
	w->constraints = r->lease->constraints;
	if (err == ERR_OK)
		err = chunks_coder(r->chunks, d->k, d->n, &w->coder);
	if (err != ERR_OK)
		return err;
	lanes = d->k + r->targets_count;
	w->step = (uint32_t)(REBUILD_BYTES_MAX / (lanes * SLOTS * LEAF_BYTES));
	w->step = MIN(MIN(MAX(w->step, 1u), (uint32_t)STEP_MAX), w->layout.rows);
	w->groups = (w->layout.rows + w->step - 1) / w->step;
	return allocate(w);
}

static void
work_fini(struct rebuilding *w)
{
	for (size_t i = 0; i < w->sources_count; i++)
		lane_fini(w, &w->sources[i].lane);
	for (size_t i = 0; i < w->targets_count; i++)
		lane_fini(w, &w->targets[i].lane);
	free(w->sources);
	free(w->targets);
	decoder_free(w->decoder);
}

/* ---- together ---- */

static int
spawn_sources(struct rebuilding *w, struct task_group *group, int (*task)(void *arg))
{
	int err = ERR_OK;

	for (size_t i = 0; i < w->sources_count && err == ERR_OK; i++)
		err = task_spawn(group, "rebuild source", task, &w->sources[i]);
	return err;
}

/* Those that are open. */
static int
spawn_targets(struct rebuilding *w, struct task_group *group, int (*task)(void *arg), bool open)
{
	int err = ERR_OK;

	for (size_t i = 0; i < w->targets_count && err == ERR_OK; i++) {
		if (open == (w->targets[i].lane.stream != NULL))
			err = task_spawn(group, "rebuild target", task, &w->targets[i]);
	}
	return err;
}

static SUSPENDS int
together(struct rebuilding *w, int (*of_source)(void *arg), int (*of_target)(void *arg), bool open)
{
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, w->env);
	if (of_source != NULL)
		err = spawn_sources(w, &group, of_source);
	if (err == ERR_OK && of_target != NULL)
		err = spawn_targets(w, &group, of_target, open);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err;
}

static size_t
open_targets_count(const struct rebuilding *w)
{
	size_t count = 0;

	for (size_t i = 0; i < w->targets_count; i++)
		count += w->targets[i].lane.stream != NULL;
	return count;
}

/* Those whose bytes come over the network. */
static size_t
remote_sources(const struct rebuilding *w)
{
	size_t count = 0;

	for (size_t i = 0; i < w->sources_count; i++)
		count += !w->sources[i].shard->own;
	return count;
}

static bool
sources_well(const struct rebuilding *w)
{
	for (size_t i = 0; i < w->sources_count; i++) {
		if (w->sources[i].err != ERR_OK)
			return false;
	}
	return true;
}

static int
make_decoder(struct rebuilding *w)
{
	uint8_t have[SHARDS_MAX], want[SHARDS_MAX];

	for (size_t i = 0; i < w->sources_count; i++)
		have[i] = w->sources[i].shard->index;
	for (size_t i = 0; i < w->targets_count; i++)
		want[i] = w->targets[i].shard->index;
	return decoder_new(w->coder, have, want, w->targets_count, &w->decoder);
}

/* ---- one group ---- */

/* All of them, if they are to be looked at: each round that ends here costs a round. */
static bool
leaves_wrong(struct rebuilding *w, uint32_t row, size_t slot, uint32_t len)
{
	uint32_t first = w->writing * w->step;
	bool wrong = false;

	for (size_t i = 0; i < w->sources_count && (w->r->careful || w->r->copy); i++) {
		struct source *s = &w->sources[i];
		struct hash leaf;

		merkle_leaf(&leaf, s->lane.slot[slot] + (size_t)row * LEAF_BYTES, len);
		if (!hash_equal(&leaf, &s->lane.leaves[first + row])) {
			s->err = ERR_CORRUPT;
			s->shard->failed = s->shard->lied = true;
			wrong = true;
		}
	}
	return wrong;
}

/* In a worker: the leaves read give the missing ones. */
static int
decode_group(void *arg)
{
	struct rebuilding *w = arg;
	const uint8_t *in[SHARDS_MAX];
	uint8_t *out[SHARDS_MAX];
	uint32_t first = w->writing * w->step;
	size_t slot = w->writing % SLOTS;

	for (uint32_t row = 0; row < work_rows(w, w->writing); row++) {
		uint32_t len = layout_leaf_bytes(&w->layout, first + row);

		if (leaves_wrong(w, row, slot, len))
			return ERR_CORRUPT;
		for (size_t i = 0; i < w->sources_count; i++)
			in[i] = w->sources[i].lane.slot[slot] + (size_t)row * LEAF_BYTES;
		for (size_t i = 0; i < w->targets_count; i++)
			out[i] = w->targets[i].lane.slot[slot] + (size_t)row * LEAF_BYTES;
		if (w->r->copy)
			memcpy(out[0], in[0], len);
		else
			decoder_run(w->decoder, len, in, out);
		for (size_t i = 0; i < w->targets_count; i++)
			merkle_leaf(&w->targets[i].lane.leaves[first + row], out[i], len);
	}
	return ERR_OK;
}

static void
blame_sources(const struct rebuilding *w)
{
	for (size_t i = 0; i < w->sources_count; i++) {
		if (w->sources[i].err == ERR_CORRUPT && !w->sources[i].shard->own)
			endpoint_blame(w->r->chunks->opts.endpoint, &w->sources[i].shard->holder,
			    "wrong bytes of a shard");
	}
}

static SUSPENDS int
move_groups(struct rebuilding *w)
{
	int err = together(w, source_read_task, NULL, true);

	for (w->writing = 0; err == ERR_OK && w->writing < w->groups; w->writing++) {
		size_t bytes = work_bytes(w, w->writing);
		bool last = w->writing + 1 == w->groups;

		if (!sources_well(w))
			return ERR_UNREACHABLE;
		err = env_offload(w->env, WORK_CPU, decode_group, w,
		    bytes * (w->sources_count + w->targets_count));
		if (err == ERR_CORRUPT) {
			blame_sources(w);
			return ERR_UNREACHABLE;
		}
		if (err == ERR_OK && w->r->pace != NULL)
			err = w->r->pace(
			    w->r->arg, bytes * open_targets_count(w), bytes * remote_sources(w));
		if (err != ERR_OK)
			return err;
		if (open_targets_count(w) == 0)
			return ERR_PLACEMENT;
		w->reading = w->writing + 1;
		err = together(w, last ? NULL : source_read_task, target_write_task, true);
	}
	return err;
}

/* ---- the end ---- */

static int
check_roots(void *arg)
{
	struct rebuilding *w = arg;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < w->targets_count; i++) {
		const struct target *t = &w->targets[i];

		err = merkle_check(&w->r->descriptor->roots[t->shard->index], t->lane.leaves,
		    w->layout.rows, w->layout.shard_bytes);
	}
	return err;
}

static SUSPENDS int
commit_targets(struct rebuilding *w)
{
	int err = env_offload(w->env, WORK_CPU, check_roots, w,
	    w->targets_count * w->layout.rows * sizeof(struct hash));

	/* Somebody gave wrong bytes: the next run finds out who. */
	if (err == ERR_CORRUPT && !w->r->careful && !w->r->copy) {
		w->r->careful = true;
		return ERR_UNREACHABLE;
	}
	if (err == ERR_CORRUPT)
		w->r->malformed = true;
	for (size_t i = 0; (err == ERR_OK || w->r->malformed) && i < w->sources_count; i++)
		w->sources[i].shard->gave = true;
	if (err == ERR_OK)
		err = together(w, NULL, target_commit_task, true);
	if (err == ERR_OK && w->r->placed == 0)
		err = ERR_PLACEMENT;
	return err;
}

static SUSPENDS int
run(struct rebuilding *w)
{
	int err = together(w, NULL, target_open_task, false);

	if (err == ERR_OK && open_targets_count(w) == 0)
		err = ERR_PLACEMENT;
	if (err == ERR_OK)
		err = together(w, source_open_task, NULL, true);
	if (err == ERR_OK && !sources_well(w))
		err = ERR_UNREACHABLE;
	if (err == ERR_OK && !w->r->copy)
		err = make_decoder(w);
	if (err == ERR_OK)
		err = move_groups(w);
	return err == ERR_OK ? commit_targets(w) : err;
}

int
rebuild_run(struct rebuild *r)
{
	struct rebuilding *w = calloc(1, sizeof(*w));
	int err;

	if (w == NULL)
		return ERR_NOMEM;
	must(r->targets_count > 0);
	err = work_init(w, r);
	if (err == ERR_OK)
		err = run(w);
	if (w->layout.k != 0 && w->r != NULL)
		work_fini(w);
	free(w);
	return err;
}
