/*
 * A client node with the object layer on it. What is read for a put is made up on the way, what
 * comes in for a get is compared on the way; nothing is kept. Short of memory it aborts.
 */
#include "sim/user.h"

#include <stdlib.h>

#include "sim/fleet_private.h"

#define USER_JOIN_TRIES 10
#define MARK_EVERY      4096

struct user {
	struct fleet *fleet;
	struct env *env;
	struct node *node;
	struct chunks *chunks;
	struct files *files;
	struct account account;
	struct task_group work;
};

uint8_t
object_byte(uint64_t seed, uint64_t offset)
{
	size_t in_mark = (size_t)(offset % MARK_EVERY);

	if (in_mark < sizeof(USER_MARK) - 1)
		return (uint8_t)USER_MARK[in_mark];
	return (uint8_t)(sim_mix(seed, offset / 8) >> (offset % 8 * 8));
}

void
object_fini(struct object *o)
{
	free(o->chunks);
	o->chunks = NULL;
	o->chunks_count = 0;
	link_wipe(&o->link);
}

/* ---- life ---- */

struct join {
	struct user *user;
	struct contact doors[8];
	size_t doors_count;
	uint32_t number;
	struct addr addr;
};

static int
join_run(void *arg)
{
	struct join *j = arg;
	struct user *u = j->user;
	struct identity who;
	struct key seed = { { 0 } };
	int err;

	env_random(u->env, seed.b, sizeof(seed.b));
	identity_from_seed(&seed, &who);
	err = node_start(&(struct node_opts){ .env = u->env,
			     .identity = &who,
			     .net = fleet_net(u->fleet),
			     .bind = j->addr,
			     .client = true,
			     .bootstraps = j->doors,
			     .bootstraps_count = j->doors_count,
			     .pace = fleet_scenario(u->fleet)->pace,
			     .software = "skerry sim" },
	    &u->node);
	identity_wipe(&who);
	return err;
}

struct user *
user_new(struct fleet *f, uint32_t number)
{
	struct user *u = calloc(1, sizeof(*u));
	struct join j = {
		.user = u, .number = number, .addr = sim_addr(FLEET_ADDR_USERS + number, FLEET_PORT)
	};
	int err = ERR_NO_NETWORK;

	must(u != NULL);
	u->fleet = f;
	u->env =
	    sim_node_add(fleet_world(f), &(struct sim_node_opts){ .ip = j.addr, .region = -1 });
	task_group_init(&u->work, u->env);
	env_random(u->env, u->account.seed.b, sizeof(u->account.seed.b));
	for (int i = 0; i < USER_JOIN_TRIES && err != ERR_OK; i++) {
		j.doors_count = fleet_doors(f, NULL, j.doors, ARRAY_LEN(j.doors));
		err = sim_run_task(fleet_world(f), u->env, join_run, &j);
	}
	must(err == ERR_OK); /* the caller sees to it that somebody is up */
	must(chunks_new(&(struct chunks_opts){ .endpoint = node_endpoint(u->node),
			    .dht = node_dht(u->node) },
		 &u->chunks) == ERR_OK);
	must(files_new(&(struct files_opts){ .env = u->env,
			   .chunks = u->chunks,
			   .dht = node_dht(u->node),
			   .net = fleet_net(f),
			   .account = &u->account,
			   .chunk_bytes = USER_CHUNK_BYTES },
		 &u->files) == ERR_OK);
	return u;
}

static int
leave_run(void *arg)
{
	struct user *u = arg;

	task_group_fini(&u->work);
	files_free(u->files);
	chunks_free(u->chunks);
	node_stop(u->node);
	return ERR_OK;
}

void
user_free(struct user *u)
{
	if (u == NULL)
		return;
	(void)sim_run_task(fleet_world(u->fleet), u->env, leave_run, u);
	sim_node_remove(u->env);
	crypto_wipe(&u->account, sizeof(u->account));
	free(u);
}

struct env *
user_env(struct user *u)
{
	return u->env;
}

struct task_group *
user_work(struct user *u)
{
	return &u->work;
}

struct node *
user_node(struct user *u)
{
	return u->node;
}

const struct account *
user_account(const struct user *u)
{
	return &u->account;
}

/* ---- objects ---- */

static int
read_bytes(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	const struct object *o = arg;
	size_t count = (size_t)MIN(len, o->bytes - MIN(offset, o->bytes));

	for (size_t i = 0; i < count; i++)
		dst[i] = object_byte(o->seed, offset + i);
	*got = count;
	return ERR_OK;
}

int
user_put(struct user *u, struct object *o, struct file_put_result *result)
{
	struct file_put_result own;
	struct file_put_opts opts = { .source = { .read = read_bytes,
					  .arg = o,
					  .length_known = true,
					  .length = o->bytes },
		.name = "object",
		.code = fleet_scenario(u->fleet)->code };
	int err;

	result = result == NULL ? &own : result;
	err = file_put(u->files, &opts, result);
	if (err == ERR_OK) {
		o->link = result->link;
		o->code = result->code;
	}
	return err;
}

struct reading {
	const struct object *object;
	uint64_t bytes;
	bool wrong;
};

static int
compare_bytes(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	struct reading *r = arg;

	r->wrong |= offset > r->object->bytes || len > r->object->bytes - offset;
	for (size_t i = 0; i < len && !r->wrong; i++)
		r->wrong = src[i] != object_byte(r->object->seed, offset + i);
	r->bytes += len;
	return ERR_OK;
}

int
user_get(struct user *u, const struct object *o, bool *wrong)
{
	struct reading r = { .object = o };
	struct file_missing missing;
	int err = file_get(u->files,
	    &(struct file_get_opts){ .link = &o->link,
		.target = { .write = compare_bytes, .arg = &r, .ordered = true } },
	    &missing);

	*wrong = r.wrong || (err == ERR_OK && r.bytes != o->bytes);
	return err;
}

struct looking {
	struct object *object;
	size_t cap;
};

static void
see_chunk(void *arg, const struct file_chunk_state *s)
{
	struct looking *l = arg;
	struct object *o = l->object;

	if (o->chunks_count == l->cap) {
		l->cap = l->cap == 0 ? 4 : 2 * l->cap;
		o->chunks = realloc(o->chunks, l->cap * sizeof(*o->chunks));
		must(o->chunks != NULL);
	}
	o->chunks[o->chunks_count++] = (struct object_chunk){ .id = s->ref->id,
		.k = s->ref->code.k,
		.r = o->code.r, /* who finds a manifest by its id can only guess it */
		.n = s->ref->code.n,
		.bytes = s->ref->bytes };
}

int
user_look(struct user *u, struct object *o)
{
	struct looking l = { .object = o };
	struct file_info *info = calloc(1, sizeof(*info));
	struct file_missing missing;
	int err, least;

	must(info != NULL);
	err = file_survey(u->files, &o->link, info, see_chunk, &l, &least, &missing);
	free(info);
	if (err != ERR_OK) {
		free(o->chunks);
		o->chunks = NULL;
		o->chunks_count = 0;
	}
	return err;
}
