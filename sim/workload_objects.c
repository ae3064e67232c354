/*
 * Objects: a random user puts one of a random size, then looks up which chunks it has, so that
 * their shards can be counted later; or gets one that was acknowledged. Only acknowledged ones
 * are remembered.
 */
#include <stdlib.h>

#include "sim/workload_private.h"

#define LOOK_TRIES 3

struct object_op {
	struct workload *w;
	struct user *user;
	struct object *object;
	bool measured;
	struct fault_clock began;
};

static void
keep(struct workload *w, struct object *o)
{
	if (w->objects_count == w->objects_cap) {
		w->objects_cap = w->objects_cap == 0 ? 64 : 2 * w->objects_cap;
		w->objects = realloc(w->objects, w->objects_cap * sizeof(struct object *));
		must(w->objects != NULL);
	}
	w->objects[w->objects_count++] = o;
}

static int
put_run(void *arg)
{
	struct object_op *op = arg;
	struct workload *w = op->w;
	struct env *env = user_env(op->user);
	uint64_t start = env_now(env);
	int err = user_put(op->user, op->object, NULL);

	if (!task_canceled(env))
		workload_op_ends(w, OP_OBJECT_PUT, &op->began, err);
	if (op->measured && !task_canceled(env)) {
		w->result->objects_refused += err != ERR_OK;
		if (err == ERR_OK)
			histogram_add(&w->result->object_put, env_now(env) - start);
	}
	if (err == ERR_OK) {
		w->result->objects_put++;
		keep(w, op->object);
		for (int i = 0; i < LOOK_TRIES && op->object->chunks == NULL; i++) {
			if (user_look(op->user, op->object) != ERR_OK &&
			    task_sleep(env, SECONDS(30)) != ERR_OK)
				break;
		}
	} else {
		w->objects_wanted--;
		object_fini(op->object);
		free(op->object);
	}
	w->running--;
	free(op);
	return err;
}

/* least · (most / least)^u with u in [0, 1): the inverse of what grows with the logarithm. */
uint64_t
workload_draw_bytes(const struct scenario *s, struct sim_random *r)
{
	int64_t low = fixed_log2(s->object_least);
	/* Bytes are whole: the last of them reaches up to the next. */
	uint64_t span = (uint64_t)(fixed_log2(s->object_most + 1) - low);
	uint64_t part = (uint64_t)(((unsigned __int128)sim_random_u64(r) * span) >> 64);

	return MIN(MAX(fixed_exp2(low + (int64_t)part), s->object_least), s->object_most);
}

void
workload_object_put(struct workload *w)
{
	struct object_op *op;

	if (w->users_count == 0 || w->objects_wanted >= fleet_scenario(w->fleet)->objects_max)
		return;
	op = calloc(1, sizeof(*op));
	must(op != NULL);
	*op = (struct object_op){ .w = w,
		.user = w->users[sim_random_below(&w->random, w->users_count)],
		.object = calloc(1, sizeof(*op->object)),
		.measured = w->measured };
	must(op->object != NULL);
	op->object->seed = sim_random_u64(&w->random);
	op->object->bytes = workload_draw_bytes(fleet_scenario(w->fleet), &w->random);
	workload_op_begins(w, &op->began);
	if (task_spawn(user_work(op->user), "put", put_run, op) != ERR_OK) {
		free(op->object);
		free(op);
		return;
	}
	w->objects_wanted++;
	w->running++;
}

static int
get_run(void *arg)
{
	struct object_op *op = arg;
	struct workload *w = op->w;
	struct env *env = user_env(op->user);
	uint64_t start = env_now(env);
	bool wrong;
	int err = user_get(op->user, op->object, &wrong);

	w->result->objects_wrong += wrong;
	if (!task_canceled(env))
		workload_op_ends(w, OP_OBJECT_GET, &op->began, err);
	if (op->measured && !task_canceled(env)) {
		w->result->objects_got++;
		w->result->objects_get_failed += err != ERR_OK;
		if (err == ERR_OK)
			histogram_add(&w->result->object_get, env_now(env) - start);
	}
	w->running--;
	free(op);
	return err;
}

void
workload_object_get(struct workload *w)
{
	struct object_op *op;

	if (w->objects_count == 0)
		return;
	op = calloc(1, sizeof(*op));
	must(op != NULL);
	*op = (struct object_op){ .w = w,
		.user = w->users[sim_random_below(&w->random, w->users_count)],
		.object = w->objects[sim_random_below(&w->random, w->objects_count)],
		.measured = w->measured };
	workload_op_begins(w, &op->began);
	if (task_spawn(user_work(op->user), "get", get_run, op) != ERR_OK) {
		free(op);
		return;
	}
	w->running++;
}

size_t
workload_objects(const struct workload *w)
{
	return w->objects_count;
}

struct object *
workload_object(struct workload *w, size_t i)
{
	must(i < w->objects_count);
	return w->objects[i];
}

void
workload_chunk_lost(struct workload *w, const struct hash *chunk)
{
	if (!fleet_scenario(w->fleet)->replace_lost)
		return;
	for (size_t i = 0; i < w->objects_count; i++) {
		struct object *o = w->objects[i];

		for (size_t j = 0; !o->replaced && j < o->chunks_count; j++) {
			if (!hash_equal(&o->chunks[j].id, chunk))
				continue;
			o->replaced = true;
			w->objects_wanted--;
		}
	}
}

void
workload_objects_free(struct workload *w)
{
	for (size_t i = 0; i < w->objects_count; i++) {
		object_fini(w->objects[i]);
		free(w->objects[i]);
	}
	free(w->objects);
}
