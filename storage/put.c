/*
 * Putting a chunk. Lanes open first (each a node that has reserved room), then groups of rows flow:
 *
 *	worker: fill k leaves per row → code → hash   →  ring  →  lanes: stream_write
 *
 * When all is coded the roots make the descriptor, its hash the chunk's name, and each lane commits
 *and brings a receipt. A lane that holds the ring up is dropped once enough others live; its shard
 *is completed later (chunk_complete), which runs the same flow with lanes only for what is missing.
 */
#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/put_private.h"

#define OPEN_TIMEOUT SECONDS(6) /* a handshake's 5 s and a round trip */
#define SLOW_LANE    SECONDS(5) /* holding up the others for so long costs a lane its place */
#define TICK         SECONDS(1)

void
put_wake(struct put *p)
{
	if (p->main.waiting)
		wait_wake(&p->main.wait, ERR_OK);
	for (size_t i = 0; i < CODERS; i++) {
		if (p->coding[i].waiter.waiting)
			wait_wake(&p->coding[i].waiter.wait, ERR_OK);
	}
	for (size_t i = 0; i < p->lanes_count; i++) {
		if (p->lanes[i].waiter.waiting)
			wait_wake(&p->lanes[i].waiter.wait, ERR_OK);
	}
}

int
put_wait(struct put *p, struct waiter *w, uint64_t timeout)
{
	wait_init(&w->wait);
	w->waiting = true;

	int err = wait_for(p->env, &w->wait, timeout);

	w->waiting = false;
	return err;
}

int
put_wait_tick(struct put *p, struct waiter *w, uint64_t timeout)
{
	uint64_t end = env_now(p->env) + timeout;
	int err = put_wait(p, w, timeout);

	return wait_time_came(p->env, err, end) ? ERR_OK : err;
}

int
put_choose(struct put *p, size_t *candidate)
{
	return chunks_choose(
	    p->c, p->candidates, p->candidates_count, &p->constraints, &p->layout, candidate);
}

/* ---- coding ---- */

static uint32_t
rows_of_group(const struct put *p, uint32_t g)
{
	return MIN(p->group_rows, p->layout.rows - g * p->group_rows);
}

static uint8_t *
leaf_at(const struct put *p, uint32_t g, uint8_t index, uint32_t row_in_group)
{
	return p->ring[g % RING_GROUPS] +
	       ((size_t)index * p->group_rows + row_in_group) * LEAF_BYTES;
}

struct bytes
put_leaves(const struct put *p, uint32_t g, uint8_t index)
{
	uint32_t rows = rows_of_group(p, g);
	uint32_t last = layout_leaf_bytes(&p->layout, g * p->group_rows + rows - 1);

	return bytes_of(leaf_at(p, g, index, 0), (size_t)(rows - 1) * LEAF_BYTES + last);
}

/* The chunk's last row: its bytes are cut into k short leaves, the rest is zeros. */
static int
fill_last_row(const struct put *p, uint32_t row, uint8_t *const *data)
{
	uint32_t leaf = p->layout.last_leaf;
	size_t bytes = (size_t)layout_row_bytes(&p->layout, row);
	uint8_t *flat = calloc(p->layout.k, leaf);
	int err;

	if (flat == NULL)
		return ERR_NOMEM;
	err = p->opts->source.fill(
	    p->opts->source.arg, (uint64_t)row * p->layout.k * LEAF_BYTES, flat, bytes);
	for (size_t i = 0; err == ERR_OK && i < p->layout.k; i++)
		memcpy(data[i], flat + i * leaf, leaf);
	free(flat);
	return err;
}

static int
fill_row(const struct put *p, uint32_t row, uint8_t *const *data)
{
	uint64_t offset = (uint64_t)row * p->layout.k * LEAF_BYTES;
	int err = ERR_OK;

	if (layout_row_bytes(&p->layout, row) < (uint64_t)p->layout.k * LEAF_BYTES)
		return fill_last_row(p, row, data);
	for (size_t i = 0; err == ERR_OK && i < p->layout.k; i++)
		err = p->opts->source.fill(
		    p->opts->source.arg, offset + i * LEAF_BYTES, data[i], LEAF_BYTES);
	return err;
}

/* In a worker: what is coded again must be what was coded before. */
static int
check_row(const struct put *p, uint32_t row)
{
	struct bytes parts[SHARDS_MAX];
	struct hash sum, *before = &p->result->rows[row];

	for (uint8_t i = 0; i < p->layout.k; i++)
		parts[i] =
		    bytes_of(p->hashes[(size_t)i * p->layout.rows + row].b, sizeof(p->hashes->b));
	crypto_sha256_parts(&sum, parts, p->layout.k);
	if (!hash_equal(before, &(struct hash){ { 0 } }) && !hash_equal(before, &sum))
		return ERR_INVALID;
	*before = sum;
	return ERR_OK;
}

struct code_job {
	const struct put *put;
	uint32_t group;
};

/* In a worker: one group from the source to hashed leaves in its ring buffer. */
static int
code_group(void *arg)
{
	const struct code_job *job = arg;
	const struct put *p = job->put;
	uint8_t *leaves[SHARDS_MAX];

	for (uint32_t r = 0; r < rows_of_group(p, job->group); r++) {
		uint32_t row = job->group * p->group_rows + r;
		uint32_t bytes = layout_leaf_bytes(&p->layout, row);

		for (uint8_t i = 0; i < p->layout.n; i++)
			leaves[i] = leaf_at(p, job->group, i, r);

		int err = fill_row(p, row, leaves);

		if (err != ERR_OK)
			return err;
		coder_encode(p->coder, bytes, (const uint8_t *const *)leaves, leaves + p->layout.k);
		for (uint8_t i = 0; i < p->layout.n; i++)
			merkle_leaf(&p->hashes[(size_t)i * p->layout.rows + row], leaves[i], bytes);
		err = check_row(p, row);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* The ring slot of group g is free once every live lane is past the group that lies in it. */
static bool
slot_free(const struct put *p, uint32_t g)
{
	if (g < RING_GROUPS)
		return true;
	/* And once it is coded at all: with no lane left nobody else holds it. */
	if (g - RING_GROUPS >= p->coded)
		return false;
	for (size_t i = 0; i < p->lanes_count; i++) {
		if (p->lanes[i].state == LANE_OPEN && p->lanes[i].groups_sent <= g - RING_GROUPS)
			return false;
	}
	return true;
}

/* A lane that had nothing to send was not slow: its time starts with what there is now. */
static void
restart_clocks(struct put *p, uint32_t coded)
{
	for (size_t i = 0; i < p->lanes_count; i++) {
		if (p->lanes[i].state == LANE_OPEN && p->lanes[i].groups_sent >= coded)
			p->lanes[i].moved_at = env_now(p->env);
	}
}

static int
coding_task(void *arg)
{
	struct coding_task *t = arg;
	struct put *p = t->put;
	int err = ERR_OK;

	while (err == ERR_OK && p->err == ERR_OK && p->next_group < p->groups) {
		struct code_job job = { p, p->next_group++ };

		while (err == ERR_OK && !slot_free(p, job.group))
			err = put_wait(p, &t->waiter, 0);
		if (err == ERR_OK)
			err = env_offload(p->env, WORK_CPU, code_group, &job, p->group_bytes);
		if (err != ERR_OK) {
			p->err = err;
			break;
		}
		restart_clocks(p, p->coded);
		p->ready[job.group % RING_GROUPS] = true;
		/* Groups may finish out of order; lanes see them in order. */
		while (p->coded < p->groups && p->ready[p->coded % RING_GROUPS]) {
			p->ready[p->coded % RING_GROUPS] = false;
			p->coded++;
		}
		put_wake(p);
	}
	put_wake(p);
	return err;
}

/* ---- naming ---- */

static int
make_roots(void *arg)
{
	struct put *p = arg;
	struct descriptor *d = &p->result->descriptor;

	for (uint8_t i = 0; i < p->layout.n; i++) {
		struct hash root;
		int err = merkle_root(&root, &p->hashes[(size_t)i * p->layout.rows], p->layout.rows,
		    p->layout.shard_bytes);

		if (err != ERR_OK)
			return err;
		must(!p->result->named || hash_equal(&root, &d->roots[i])); /* each row was */
		d->roots[i] = root;
	}
	return ERR_OK;
}

static int
make_commit(struct put *p)
{
	struct chunk_put_result *r = p->result;
	int err =
	    env_offload(p->env, WORK_CPU, make_roots, p, (size_t)p->layout.rows * p->layout.n * 64);

	if (err != ERR_OK)
		return err;
	descriptor_id(&r->descriptor, &r->ref.id);
	r->named = true;
	p->lease = (struct lease){
		.chunk = r->ref.id,
		.generation = 1,
		.until = chunks_now_ms(p->c) / 1000 + LEASE_UPLOAD_S,
		.constraints = p->constraints,
	};
	p->opts->signer.sign(p->opts->signer.arg, &p->lease);
	err = shard_commit_message(&r->descriptor, &p->lease, p->c->net, &p->commit);
	p->commit_ready = err == ERR_OK;
	return err;
}

/* ---- the flow ---- */

static size_t
lanes_in(const struct put *p, enum lane_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < p->lanes_count; i++)
		count += p->lanes[i].state == state;
	return count;
}

/* Waits until every lane is open or has given up, or OPEN_TIMEOUT. */
static int
open_lanes(struct put *p)
{
	uint64_t deadline = env_now(p->env) + OPEN_TIMEOUT;
	int err = ERR_OK;

	for (size_t i = 0; i < p->lanes_count && err == ERR_OK; i++)
		err = task_spawn(&p->lanes[i].group, "put lane", put_lane_task, &p->lanes[i]);
	while (err == ERR_OK && lanes_in(p, LANE_OPENING) > 0 && env_now(p->env) < deadline) {
		err = put_wait_tick(p, &p->main, deadline - env_now(p->env));
	}
	p->closed = true;
	for (size_t i = 0; i < p->lanes_count; i++) {
		if (p->lanes[i].state == LANE_OPENING)
			task_group_cancel(&p->lanes[i].group);
	}
	return err;
}

/* Drops a lane that keeps the ring full while enough others could go on. */
static void
drop_slow_lane(struct put *p, size_t needed)
{
	uint64_t now = env_now(p->env);
	struct lane *slowest = NULL;

	if (p->coded == p->groups || lanes_in(p, LANE_OPEN) <= needed)
		return;
	for (size_t i = 0; i < p->lanes_count; i++) {
		struct lane *l = &p->lanes[i];

		if (l->state == LANE_OPEN && l->groups_sent < p->coded &&
		    (slowest == NULL || l->groups_sent < slowest->groups_sent))
			slowest = l;
	}
	if (slowest != NULL && now - slowest->moved_at > SLOW_LANE) {
		log_info(
		    p->env, "shard %u is dropped for now: its node is too slow", slowest->index);
		task_group_cancel(&slowest->group);
		slowest->moved_at = now;
	}
}

static void
report_progress(const struct put *p)
{
	uint32_t least = p->groups;
	uint64_t row_bytes = (uint64_t)p->layout.k * LEAF_BYTES * p->group_rows;

	if (p->opts->progress == NULL)
		return;
	for (size_t i = 0; i < p->lanes_count; i++) {
		if (p->lanes[i].state == LANE_OPEN)
			least = MIN(least, p->lanes[i].groups_sent);
	}
	p->opts->progress(p->opts->arg, MIN(least * row_bytes, p->layout.chunk_bytes));
}

/* From open lanes to receipts: until want are placed, all lanes ended, or nothing moves any more.
 */
static int
run_lanes(struct put *p, size_t want, size_t needed)
{
	uint64_t moved_at = env_now(p->env), sent = p->sent;

	while (lanes_in(p, LANE_OPEN) + lanes_in(p, LANE_OPENING) > 0 && p->result->placed < want) {
		int err = p->err;

		if (err == ERR_OK && p->coded == p->groups && !p->commit_ready) {
			err = make_commit(p);
			put_wake(p);
		} else if (err == ERR_OK) {
			err = put_wait_tick(p, &p->main, TICK);
		}
		if (err != ERR_OK)
			return err;
		report_progress(p);
		if (p->sent != sent) {
			sent = p->sent;
			moved_at = env_now(p->env);
		} else if (env_now(p->env) - moved_at > PUT_STALL_TIMEOUT) {
			break;
		}
		drop_slow_lane(p, needed);
	}
	return ERR_OK;
}

/* ---- set-up and end ---- */

/* How the rows go through the ring. */
struct grouping {
	uint32_t rows, groups; /* rows of a group; groups of the chunk */
	size_t bytes;          /* of a buffer */
};

static struct grouping
group_rows(const struct layout *l)
{
	struct grouping g;

	g.rows = (uint32_t)MAX(GROUP_DATA_BYTES / (l->k * LEAF_BYTES), 1);
	g.rows = MIN(g.rows, l->rows);
	g.groups = (l->rows + g.rows - 1) / g.rows;
	g.bytes = (size_t)l->n * g.rows * LEAF_BYTES;
	return g;
}

int
chunk_put_memory(const struct code_params *code, uint64_t bytes, uint64_t *memory)
{
	struct layout l;
	struct grouping g;
	int err = layout_make(code->k, code->n, bytes, &l);

	if (err != ERR_OK)
		return err;
	g = group_rows(&l);
	*memory = MIN(RING_GROUPS, g.groups) * (uint64_t)g.bytes;
	return ERR_OK;
}

static int
put_init(struct put *p, struct chunks *c, const struct chunk_put_opts *opts,
    struct chunk_put_result *result)
{
	int err = layout_make(opts->code.k, opts->code.n, opts->bytes, &p->layout);
	struct grouping g;

	p->c = c;
	p->env = c->env;
	p->opts = opts;
	p->result = result;
	p->constraints = opts->constraints;
	p->constraints.repair_at = opts->code.r;
	/* Signed now only to tell whose it is. */
	p->lease = (struct lease){ .constraints = { .repair_at = 1 } };
	opts->signer.sign(opts->signer.arg, &p->lease);
	buf_init(&p->commit, SHARD_COMMIT_BYTES_MAX + 4);
	if (err == ERR_OK && (!code_valid(&opts->code) || !constraints_valid(&p->constraints)))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = chunks_coder(c, opts->code.k, opts->code.n, &p->coder);
	if (err != ERR_OK)
		return err;
	g = group_rows(&p->layout);
	p->group_rows = g.rows;
	p->groups = g.groups;
	p->group_bytes = g.bytes;
	p->hashes = calloc((size_t)p->layout.n * p->layout.rows, sizeof(*p->hashes));
	p->candidates = calloc(CANDIDATES_MAX, sizeof(*p->candidates));
	p->lanes = calloc(p->layout.n, sizeof(*p->lanes));
	if (p->hashes == NULL || p->candidates == NULL || p->lanes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < MIN(RING_GROUPS, p->groups); i++) {
		p->ring[i] = chunks_buffer(c, p->group_bytes);
		if (p->ring[i] == NULL)
			return ERR_NOMEM;
	}
	return chunks_candidates(
	    c, p->layout.n, p->candidates, CANDIDATES_MAX, &p->candidates_count);
}

/* All at once; a receipt may still come in while the others end, and counts. */
static void
end_lanes(struct put *p)
{
	for (size_t i = 0; i < p->lanes_count; i++)
		task_group_cancel(&p->lanes[i].group);
	for (size_t i = 0; i < p->lanes_count; i++)
		task_group_fini(&p->lanes[i].group);
	p->lanes_count = 0;
}

static void
put_fini(struct put *p)
{
	for (size_t i = 0; i < RING_GROUPS; i++)
		chunks_buffer_put(p->c, p->ring[i], p->group_bytes);
	buf_fini(&p->commit);
	free(p->hashes);
	free(p->candidates);
	free(p->lanes);
}

static void
add_lanes(struct put *p)
{
	for (uint8_t i = 0; i < p->layout.n; i++) {
		if (p->result->have[i])
			continue;

		struct lane *l = &p->lanes[p->lanes_count++];

		l->put = p;
		l->index = i;
		task_group_init(&l->group, p->env);
	}
}

/* Nodes that hold a shard already count for the rules and are not asked again. */
static void
mark_holders(struct put *p)
{
	for (uint8_t i = 0; i < p->layout.n; i++) {
		for (size_t j = 0; p->result->have[i] && j < p->candidates_count; j++) {
			if (pubkey_equal(&p->candidates[j].contact.pub, &p->result->holders[i].pub))
				p->candidates[j].taken = true;
		}
	}
}

static int
put_flow(struct put *p, size_t want, size_t needed)
{
	struct task_group coding;
	int err = open_lanes(p);

	if (err != ERR_OK)
		return err;
	if (lanes_in(p, LANE_OPEN) + p->result->placed < needed) {
		chunks_candidates_stale(p->c);
		return p->candidates_count == 0 ? ERR_NO_NETWORK : ERR_PLACEMENT;
	}
	task_group_init(&coding, p->env);
	for (size_t i = 0; i < CODERS && err == ERR_OK; i++) {
		p->coding[i].put = p;
		err = task_spawn(&coding, "put coding", coding_task, &p->coding[i]);
	}
	if (err == ERR_OK)
		err = run_lanes(p, want, needed);
	task_group_fini(&coding);
	return err;
}

static void
fill_result(struct put *p)
{
	struct chunk_put_result *r = p->result;

	for (uint8_t i = 0; i < p->layout.n; i++) {
		if (r->have[i])
			memcpy(r->ref.hints[i], r->holders[i].id.b, sizeof(r->ref.hints[i]));
	}
	placement_report(p->candidates, p->candidates_count, &r->report);
}

int
chunk_put(struct chunks *c, const struct chunk_put_opts *opts, struct chunk_put_result *out)
{
	struct put *p = calloc(1, sizeof(*p));
	int err;

	memset(out, 0, sizeof(*out)); /* read by callers after any error */
	if (p == NULL)
		return ERR_NOMEM;
	out->ref.code = opts->code;
	out->ref.bytes = opts->bytes;
	out->descriptor.k = opts->code.k;
	out->descriptor.n = opts->code.n;
	out->descriptor.chunk_bytes = opts->bytes;
	err = put_init(p, c, opts, out);
	if (err == ERR_OK) {
		uint8_t needed = code_success(&opts->code);

		add_lanes(p);
		err = put_flow(p, opts->want == 0 ? opts->code.n : opts->want, needed);
		end_lanes(p);
		fill_result(p);
		if (err == ERR_OK && out->placed < needed)
			err = ERR_UNREACHABLE;
	}
	put_fini(p);
	free(p);
	return err;
}

int
chunk_complete(struct chunks *c, const struct chunk_put_opts *opts, struct chunk_put_result *io)
{
	struct put *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return ERR_NOMEM;
	chunks_candidates_stale(c);
	err = put_init(p, c, opts, io);
	if (err == ERR_OK) {
		uint8_t want = opts->want == 0 ? opts->code.n : opts->want;

		add_lanes(p);
		mark_holders(p);
		/* Behind s one more is worth the work already. */
		err = put_flow(p, want, MAX(io->placed + 1u, code_success(&opts->code)));
		end_lanes(p);
		fill_result(p);
		if (err == ERR_OK && io->placed < want)
			err = ERR_UNREACHABLE;
	}
	put_fini(p);
	free(p);
	return err;
}
