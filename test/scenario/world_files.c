/*
 * Files by the product's own code, in tasks of the client. Their bytes follow from a seed, so none
 * are kept: whatever comes back is compared with what the seed gives.
 */
#include <check.h>
#include <stdio.h>

#include "storage/messages.h"
#include "test/scenario/world_private.h"

static uint8_t
byte_at(uint64_t seed, uint64_t offset)
{
	uint64_t z = seed + offset / 8 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint8_t)((z ^ (z >> 31)) >> (offset % 8 * 8));
}

struct source {
	uint64_t seed, bytes, at;
	bool stream, changes;
	uint64_t highest; /* read so far up to here */
};

static int
read_source(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	struct source *s = arg;
	uint64_t from = s->stream ? s->at : offset;
	size_t count = (size_t)MIN(len, s->bytes - MIN(from, s->bytes));

	for (size_t i = 0; i < count; i++)
		dst[i] = byte_at(s->seed, from + i) ^ (s->changes && from + i < s->highest);
	s->highest = MAX(s->highest, from + count);
	s->at = from + count;
	*got = count;
	return ERR_OK;
}

void
world_hurry(struct world *w, uint64_t time)
{
	w->hurry = time;
}

static void
hurry_up(const struct world *w)
{
	if (w->hurry != 0)
		task_deadline(w->client_env, env_now(w->client_env) + w->hurry);
}

struct put_run {
	struct world *w;
	struct file_put_opts opts;
	struct file_put_result *result;
};

static int
put_task(void *arg)
{
	struct put_run *r = arg;

	hurry_up(r->w);
	return file_put(r->w->files, &r->opts, r->result);
}

static void
during_put(void *arg, uint64_t done, uint64_t total)
{
	struct world *w = arg;

	if (w->during != NULL)
		w->during(w->during_arg, done, total);
}

void
world_during_put(
    struct world *w, void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	w->during = progress;
	w->during_arg = arg;
}

int
world_put(struct world *w, const struct world_put_opts *opts, struct file_put_result *out)
{
	struct source source = { .seed = w->opts.seed * 1000 + w->kept_count,
		.bytes = opts->bytes,
		.stream = opts->stream,
		.changes = opts->changes };
	struct put_run run = {
		.w = w,
		.opts = {
			.source = {
				.read = read_source,
				.arg = &source,
				.length_known = !opts->stream,
				.length = opts->bytes,
			},
			.name = opts->name,
			.code = w->opts.code,
			.constraints = opts->constraints,
			.lock_s = opts->lock_s,
			.term_s = opts->term_s,
			.wait_s = opts->wait_s,
			.progress = during_put,
			.arg = w,
		},
		.result = out,
	};
	int err = sim_run_task(w->sim, w->client_env, put_task, &run);

	if (err == ERR_OK) {
		struct world_file *f = &w->kept[w->kept_count++];

		must(w->kept_count <= WORLD_FILES_MAX);
		snprintf(f->name, sizeof(f->name), "%s", opts->name);
		f->bytes = opts->bytes;
		f->seed = source.seed;
		f->link = out->link;
		ck_assert_uint_eq(out->bytes, opts->bytes);
	}
	return err;
}

void
world_put_ok(struct world *w, const char *name, uint64_t bytes)
{
	struct file_put_result r;

	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = name, .bytes = bytes }, &r), ERR_OK);
}

static const struct world_file *
find_file(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->kept_count; i++) {
		if (strcmp(w->kept[i].name, name) == 0)
			return &w->kept[i];
	}
	must(!"no such file in this story");
	return NULL;
}

struct get_run {
	struct world *w;
	const struct world_file *file;
	struct file_range range;
	uint64_t from, expected, written, last;
	bool ordered, wrong;
	struct file_missing *missing;
};

static int
write_target(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	struct get_run *r = arg;

	for (size_t i = 0; i < len; i++)
		r->wrong |= src[i] != byte_at(r->file->seed, r->from + offset + i);
	r->wrong |= r->ordered && offset != r->last;
	r->last = offset + len;
	r->written += len;
	return ERR_OK;
}

static int
get_task(void *arg)
{
	struct get_run *r = arg;
	struct file_get_opts opts = {
		.link = &r->file->link,
		.range = r->expected == r->file->bytes ? NULL : &r->range,
		.target = { .write = write_target, .arg = r, .ordered = r->ordered },
	};

	hurry_up(r->w);
	return file_get(r->w->files, &opts, r->missing);
}

static int
get(struct world *w, struct get_run *r)
{
	int err;

	r->w = w;
	err = sim_run_task(w->sim, w->client_env, get_task, r);
	/* Wrong bytes may never come out, whatever else happens. */
	ck_assert_msg(!r->wrong, "seed %llu: wrong bytes of %s", (unsigned long long)w->opts.seed,
	    r->file->name);
	if (err == ERR_OK)
		ck_assert_uint_ge(r->written, r->expected);
	return err;
}

int
world_get(struct world *w, const char *name, struct file_missing *missing)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = { .file = f, .expected = f->bytes, .missing = missing };

	return get(w, &r);
}

int
world_get_ordered(struct world *w, const char *name)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = { .file = f, .expected = f->bytes, .ordered = true };

	return get(w, &r);
}

int
world_get_range(struct world *w, const char *name, uint64_t from, uint64_t to)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = {
		.file = f,
		.range = { from, to },
		.from = from,
		.expected = from >= f->bytes ? 0 : MIN(to, f->bytes - 1) - from + 1,
	};

	return get(w, &r);
}

struct survey_run {
	struct world *w;
	struct link link;
	struct file_info *info;
	int *least;
	uint64_t chunk;
	uint8_t index;
	struct pubkey holder;
	bool found;
	uint64_t seen;
};

static void
see_chunk(void *arg, const struct file_chunk_state *s)
{
	struct survey_run *r = arg;

	r->seen++;
	if (s->number == r->chunk && s->shards[r->index].live) {
		r->holder = s->shards[r->index].holder.pub;
		r->found = true;
	}
}

static int
survey_task(void *arg)
{
	struct survey_run *r = arg;

	return file_survey(r->w->files, &r->link, r->info, see_chunk, r, r->least, NULL);
}

int
world_survey(struct world *w, const char *name, struct file_info *info, int *least)
{
	struct survey_run r = { .w = w, .info = info, .least = least, .chunk = UINT64_MAX - 1 };
	int err;

	link_to_verify(&find_file(w, name)->link, &r.link);
	err = sim_run_task(w->sim, w->client_env, survey_task, &r);
	must(err != ERR_OK || r.seen == info->chunks);
	return err;
}

int
world_margin(struct world *w, const char *name)
{
	struct file_info info;
	int least = -1;

	ck_assert_int_eq(world_survey(w, name, &info, &least), ERR_OK);
	return least;
}

bool
world_reaches(struct world *w, const char *name, int want, uint64_t time)
{
	uint64_t end = sim_now(w->sim) + time;

	while (sim_now(w->sim) < end) {
		sim_run_for(w->sim, SECONDS(20));
		if (world_margin(w, name) >= want)
			return true;
	}
	return false;
}

size_t
world_holder(struct world *w, const char *name, uint64_t chunk, uint8_t index)
{
	struct file_info info;
	int least;
	struct survey_run r = {
		.w = w, .info = &info, .least = &least, .chunk = chunk, .index = index
	};

	r.link = find_file(w, name)->link;
	ck_assert_int_eq(sim_run_task(w->sim, w->client_env, survey_task, &r), ERR_OK);
	return r.found ? world_node_of(w, &r.holder) : SIZE_MAX;
}

/* ---- leases ---- */

struct lease_run {
	struct world *w;
	const struct link *link;
	uint64_t until, lock_until;
	struct file_lease_result *result;
};

static int
lease_task(void *arg)
{
	struct lease_run *r = arg;

	hurry_up(r->w);
	return file_set_lease(r->w->files,
	    &(struct file_lease_opts){
		.link = r->link, .until = r->until, .lock_until = r->lock_until },
	    r->result, NULL);
}

int
world_keep(struct world *w, const char *name, uint64_t until, uint64_t lock_until,
    struct file_lease_result *out)
{
	struct lease_run r = { w, &find_file(w, name)->link, until, lock_until, out };

	return sim_run_task(w->sim, w->client_env, lease_task, &r);
}

int
world_delete(struct world *w, const char *name)
{
	struct file_lease_result result;

	return world_keep(w, name, 0, 0, &result);
}

int
world_send_lease(struct world *w, size_t node, const struct lease_update *u)
{
	struct endpoint *ep = node_endpoint(w->client);
	struct buf head, tail;
	int err;

	buf_init(&head, RPC_HEAD_BYTES_MAX);
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	must(lease_update_pack(u, endpoint_net(ep), &head) == ERR_OK);
	err = rpc_call(ep, &w->nodes[node].contact, METHOD_LEASE, buf_bytes(&head),
	    &(struct rpc_opts){ .transport = RPC_SESSION }, &tail);
	buf_fini(&head);
	buf_fini(&tail);
	return err;
}
