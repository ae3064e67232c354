/* Up, the story, down; each in one task of the world's. */
#include "test/scenario/machine.h"

#include <stdio.h>

#include "test/unit/suite.h"

const struct account machine_account = { { { 4, 5, 6 } } };

int
machine_up(struct machine *m)
{
	struct env *env = world_client_env(m->w);
	struct dht *dht = node_dht(world_client(m->w));
	struct endpoint *ep = node_endpoint(world_client(m->w));
	struct network_id net = endpoint_net(ep);

	ck_assert_int_eq(
	    chunks_new(&(struct chunks_opts){ .endpoint = ep, .dht = dht }, &m->chunks), ERR_OK);
	ck_assert_int_eq(files_new(
			     &(struct files_opts){
				 .env = env,
				 .chunks = m->chunks,
				 .dht = dht,
				 .net = net,
				 .account = m->given == NULL ? &machine_account : NULL,
			     },
			     &m->files),
	    ERR_OK);
	ck_assert_int_eq(ground_net_new(
			     &(struct ground_net_opts){
				 .env = env,
				 .net = net,
				 .files = m->files,
				 .chunks = m->chunks,
				 .dht = dht,
			     },
			     &m->ground),
	    ERR_OK);
	ck_assert_int_eq(cloud_new(
			     &(struct cloud_opts){
				 .env = env,
				 .net = net,
				 .account = m->given == NULL ? &machine_account : NULL,
				 .delegation = m->given,
				 .ground = ground_net_base(m->ground),
				 .files = m->files,
			     },
			     &m->cloud),
	    ERR_OK);
	return cloud_start(m->cloud, m->how);
}

void
machine_down(struct machine *m)
{
	cloud_free(m->cloud);
	ground_net_free(m->ground);
	files_free(m->files);
	chunks_free(m->chunks);
}

static int
run_story(void *arg)
{
	struct machine *m = arg;
	int err = machine_up(m);

	if (err == ERR_OK)
		err = m->story(m);
	machine_down(m);
	return err;
}

int
machine(struct world *w, enum cloud_start how, int (*story)(struct machine *m))
{
	struct machine m = { .w = w, .how = how, .story = story };

	world_new_client(w);
	return world_run(w, run_story, &m);
}

int
machine_given(struct world *w, const struct delegation *given, int (*story)(struct machine *m))
{
	struct machine m = { .w = w, .how = CLOUD_FIND, .story = story, .given = given };

	world_new_client(w);
	return world_run(w, run_story, &m);
}

/* ---- words ---- */

int
put_v(void *arg, struct kv *txn)
{
	const char *text = arg;

	return kv_put(txn, bytes_of("v", 1), bytes_of(text, strlen(text)));
}

int
write_in(struct machine *m, const char *name, map_fn *fn, const char *text, bool checkpoint)
{
	struct cloud_bucket *b;
	char copy[32] = "";
	int err = cloud_bucket_open(m->cloud, name, &b);

	if (err != ERR_OK)
		return err;
	memcpy(copy, text, strlen(text) + 1);
	err = cloud_bucket_update(b, fn, copy, NULL);
	if (err == ERR_OK && checkpoint)
		err = map_checkpoint(cloud_bucket_map(b));
	cloud_bucket_close(b);
	return err;
}

bool
holds(struct machine *m, const char *name, const char *text)
{
	struct cloud_bucket *b;
	struct map_view *v;
	struct buf value;
	bool same;

	ck_assert_int_eq(cloud_bucket_open(m->cloud, name, &b), ERR_OK);
	ck_assert_int_eq(cloud_bucket_view(b, MAP_CURRENT, &v), ERR_OK);
	buf_init(&value, KV_VALUE_MAX);
	ck_assert_int_eq(kv_get(map_view_kv(v), bytes_of("v", 1), &value), ERR_OK);
	same = bytes_equal(buf_bytes(&value), bytes_of(text, strlen(text)));
	buf_fini(&value);
	map_view_release(v);
	cloud_bucket_close(b);
	return same;
}

/* ---- anchors ---- */

#define BUCKETS_TO_LOSE 16

static const struct configuration *
configuration_of(struct ground_bucket *g)
{
	return head_client_configuration(ground_net_client(g));
}

/* How many of the bucket's first so many anchors keep the account's head, too. */
static unsigned
shared_with_account(struct machine *m, struct cloud_bucket *b, uint8_t first)
{
	const struct configuration *own = configuration_of(m->cloud->own.ground);
	const struct configuration *c = configuration_of(cloud_bucket_ground(b));
	unsigned n = 0;

	for (uint8_t i = 0; i < first; i++)
		n += configuration_anchor(own, &c->anchors[i].key) >= 0;
	return n;
}

struct cloud_bucket *
bucket_to_lose(struct machine *m, uint8_t lost, char name[16])
{
	for (int i = 0; i < BUCKETS_TO_LOSE; i++) {
		struct cloud_bucket *b;

		ck_assert_int_gt(snprintf(name, 16, "photos-%02d", i), 0);
		ck_assert_int_eq(
		    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = name }), ERR_OK);
		ck_assert_int_eq(cloud_bucket_open(m->cloud, name, &b), ERR_OK);
		if (shared_with_account(m, b, lost) <= 2)
			return b;
		cloud_bucket_close(b);
	}
	ck_abort_msg("all buckets lie with the account");
	return NULL;
}

void
lose_anchors(struct machine *m, struct ground_bucket *g, uint8_t count)
{
	const struct configuration *c = configuration_of(g);

	ck_assert_uint_eq(c->anchors_count, 5);
	for (uint8_t i = 0; i < count; i++) {
		size_t at = world_node_of(m->w, &c->anchors[i].key);

		ck_assert_uint_ne(at, SIZE_MAX);
		world_kill(m->w, at);
	}
}
