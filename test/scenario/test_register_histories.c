/*
 * Histories of one bucket: three writers append and read at once while anchors are killed, lose
 * what was not synced, are cut off; while messages are lost, doubled and late, clocks jump, writers
 * die. Of seven anchors two lie: they hide, and answer different askers from states that they or
 * others once had. Each history must be linearizable (test/unit/storage/linear.h), and when all has
 * healed everybody gets through.
 *
 * SKERRY_HISTORIES=N runs so many of each kind, from seed SKERRY_HISTORY (default 1) on. Not
 * checked here: changes of members (test_anchors), faults of the disk at each write
 * (test_register_faults).
 */
#include <stdio.h>

#include "overlay/base/buf.h"
#include "overlay/base/crypto_stand_in.h"
#include "storage/acceptor.h"
#include "test/scenario/register_world.h"
#include "test/scenario/world_private.h"
#include "test/unit/storage/linear.h"
#include "test/unit/suite.h"

enum {
	WRITERS = 3,
	OPS_EACH = 9,
	OLD_MAX = 8,
	DEATHS_OF_WRITERS = 2,
	LIARS_MAX = 2,
	NODES_MAX = 9
};

#define HISTORY_TIME MINUTES(20)

struct actor {
	struct history *h;
	size_t writer;
	unsigned begun; /* operations, over all its lives */
	bool runs;
};
struct liar {
	struct history *h;
	size_t node;
	struct endpoint *ep; /* whose method was swapped */
	struct stream_method honest;
};
struct history {
	struct world *w;
	struct bucket b;
	uint64_t random;
	struct sim_faults faults;
	struct actor actors[WRITERS];
	struct linear_op ops[LINEAR_OPS_MAX];
	uint32_t ops_count, failed[LINEAR_OPS_MAX], failed_count;
	uint32_t committed, read, unknown, deaths, lies, kills, changes, changed;
	size_t anchors[NODES_MAX]; /* nodes that are, or may become, anchors */
	uint8_t anchors_count, liars_count;
	bool changing;
	struct liar liars[LIARS_MAX];
	struct acceptor old[OLD_MAX]; /* of all anchors */
	uint32_t olds;
	bool healed;
	uint64_t back_at[NODES_MAX]; /* of a dead one; 0: lives */
};

static uint64_t
below(struct history *h, uint64_t bound)
{
	h->random += UINT64_C(0x9e3779b97f4a7c15);

	uint64_t z = h->random;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

/* ---- writers ---- */

static uint64_t
list_hash(const struct bucket_list *list, size_t count)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < count; i++)
		hash = linear_append(hash, list->at[i]);
	return hash;
}

static void
append_ended(struct history *h, struct linear_op *o, int err, enum proposer_outcome outcome,
    const struct bucket_list *list)
{
	size_t at = 0;

	if (err != ERR_OK || outcome == OUT_UNKNOWN) {
		h->unknown++;
		return;
	}
	ck_assert_msg(outcome == OUT_COMMITTED || outcome == OUT_FAILED, "outcome %d", outcome);
	if (outcome == OUT_FAILED) {
		h->failed[h->failed_count++] = o->mark;
		return;
	}
	while (at < list->count && list->at[at] != o->mark)
		at++;
	ck_assert_msg(at < list->count, "confirmed, and not in the list");
	o->ret = sim_now(world_sim(h->w));
	o->list = list_hash(list, at + 1);
	h->committed++;
}

static SUSPENDS int
operate(struct actor *a, bool reads, uint64_t timeout)
{
	struct history *h = a->h;
	struct bucket_list *list = calloc(1, sizeof(*list));
	enum proposer_outcome outcome = OUT_UNKNOWN;
	struct linear_op *o = &h->ops[h->ops_count];
	int err;

	must(list != NULL && h->ops_count < LINEAR_OPS_MAX);
	h->ops_count++;
	a->begun++;
	*o = (struct linear_op){ .call = sim_now(world_sim(h->w)),
		.ret = LINEAR_NEVER,
		.mark = reads ? 0 : (uint32_t)(a->writer + 1) << 16 | a->begun };
	if (reads) {
		err = bucket_read_in(&h->b, a->writer, timeout, list);
		ck_assert_msg(err != ERR_CORRUPT, "a fork");
		if (err == ERR_OK) {
			o->ret = sim_now(world_sim(h->w));
			o->list = list_hash(list, list->count);
			h->read++;
		}
	} else {
		err = bucket_append_in(&h->b, a->writer, o->mark, timeout, &outcome, list);
		append_ended(h, o, err, outcome, list);
	}
	free(list);
	return err;
}

static int
actor_task(void *arg)
{
	struct actor *a = arg;
	struct history *h = a->h;
	struct env *env = h->b.writers[a->writer].env;
	int err = ERR_OK;

	while (err != ERR_CANCELED && a->begun < OPS_EACH) {
		err = task_sleep(env, MILLISECONDS(below(h, 2000)));
		if (err != ERR_CANCELED)
			err = operate(a, below(h, 3) == 0, SECONDS(5 + below(h, 20)));
	}
	a->runs = false;
	return err;
}

static void
actor_start(struct actor *a)
{
	a->runs = true;
	must(task_spawn(&a->h->b.writers[a->writer].group, "actor", actor_task, a) == ERR_OK);
}

/* ---- liars ---- */

static void
remember(struct history *h, const struct acceptor *s)
{
	if (s != NULL)
		h->old[h->olds < OLD_MAX ? h->olds++ : below(h, OLD_MAX)] = *s;
}

struct lie {
	uint8_t in[REGISTER_BYTES_MAX];
	uint8_t out[REGISTER_BYTES_MAX];
	struct register_message message;
	struct register_answer answer;
	struct acceptor then, next;
};

/* From a state of some time, its own or another's; nothing of it is remembered. */
static bool
make_lie(struct liar *l, struct lie *x, struct bytes in, size_t *len)
{
	struct history *h = l->h;
	struct node *n = world_peer(h->w, l->node);
	struct acceptor_sight sight;

	if (h->olds == 0 || register_message_unpack(in, h->w->net, &x->message) != ERR_OK)
		return false;
	x->then = h->old[below(h, h->olds)];
	sight = (struct acceptor_sight){ .incarnation = x->then.self.incarnation };
	if (acceptor_step(&x->then, &x->message, &sight, &x->next, &x->answer) == ACC_IGNORED)
		return false;
	register_answer_sign(
	    &x->answer, &x->message, h->w->net, endpoint_identity(node_endpoint(n)));
	h->lies++;
	return register_answer_pack(&x->answer, h->w->net, x->out, sizeof(x->out), len) == ERR_OK;
}

static SUSPENDS int
give(struct stream *st, struct bytes out)
{
	int err = register_write(st, out);

	return err == ERR_OK ? stream_finish(st, ERR_OK, bytes_of(NULL, 0)) : err;
}

static int
serve_lies(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct liar *l = arg;
	struct history *h = l->h;
	struct registers *r = node_registers(world_peer(h->w, l->node));
	struct lie *x = malloc(sizeof(*x));
	uint64_t mood = h->healed ? 100 : below(h, 100);
	struct buf reply;
	size_t len = 0;
	int err;

	(void)req;
	must(x != NULL);
	buf_init(&reply, REGISTER_BYTES_MAX);
	err = register_read_length(st, &len);
	if (err == ERR_OK)
		err = stream_read(st, x->in, len);
	if (err == ERR_OK && mood < 20) {
		err = ERR_BUSY; /* hides */
	} else if (err == ERR_OK && mood < 65 && make_lie(l, x, bytes_of(x->in, len), &len)) {
		err = give(st, bytes_of(x->out, len));
	} else if (err == ERR_OK) {
		err = registers_answer(r, bytes_of(x->in, len), &reply);
		if (err == ERR_OK)
			err = give(st, buf_bytes(&reply));
	}
	buf_fini(&reply);
	free(x);
	return err;
}

/* Each life of its node anew. */
static void
liar_begin(struct liar *l)
{
	struct stream_method m = { METHOD_REGISTER, serve_lies, l };
	struct endpoint *ep = node_endpoint(world_peer(l->h->w, l->node));

	if (ep == l->ep)
		return;
	endpoint_swap_stream_method(ep, &m);
	l->ep = ep;
	l->honest = m;
}

/* ---- members ---- */

struct change {
	struct history *h;
	size_t writer;
};

/* Some node that is no anchor in the place of some anchor; nobody asks whether that is wise. */
static SUSPENDS int
change(const struct change *c)
{
	struct history *h = c->h;
	struct bucket_writer *x = &h->b.writers[c->writer];
	struct configuration next = *head_client_configuration(x->hc);
	struct contact to = world_contact(h->w, h->anchors[below(h, h->anchors_count)]);
	enum proposer_outcome outcome = OUT_UNKNOWN;
	struct anchor_offer offer;
	int err;

	if (configuration_anchor(&next, &to.pub) >= 0)
		return ERR_OK;
	h->changes++;
	err = anchor_ask_offer(node_endpoint(x->node), &to, &h->b.charter.owner, NULL, &offer);
	if (err != ERR_OK)
		return err;
	next.anchors[below(h, next.anchors_count)] = (struct anchor){ to.pub, offer.incarnation };
	err = head_client_reconfigure(x->hc, &next, NULL, SECONDS(5 + below(h, 20)), &outcome);
	ck_assert_msg(err != ERR_OK || outcome != OUT_FORKED, "a fork");
	h->changed += err == ERR_OK && outcome == OUT_COMMITTED;
	return err;
}

static int
change_task(void *arg)
{
	int err = change(arg);

	free(arg);
	return err;
}

static void
change_begin(struct history *h)
{
	struct change *c = malloc(sizeof(*c));

	must(c != NULL);
	*c = (struct change){ h, below(h, WRITERS) };
	if (task_spawn(&h->b.writers[c->writer].group, "change", change_task, c) != ERR_OK)
		free(c);
}

/* ---- what goes wrong ---- */

static void
bring_back(struct history *h, bool all)
{
	for (uint8_t i = 0; i < h->anchors_count; i++) {
		if (h->back_at[i] == 0 || (!all && h->back_at[i] > sim_now(world_sim(h->w))))
			continue;
		h->back_at[i] = 0;
		world_power_loss(h->w, h->anchors[i], below(h, UINT32_MAX));
		for (uint8_t l = 0; l < h->liars_count; l++)
			if (h->liars[l].node == h->anchors[i])
				liar_begin(&h->liars[l]);
	}
}

static void
kill_anchor(struct history *h)
{
	uint8_t i = (uint8_t)below(h, h->anchors_count);

	if (h->back_at[i] != 0)
		return;
	h->kills++;
	for (uint8_t l = 0; l < h->liars_count; l++)
		if (h->liars[l].node == h->anchors[i])
			h->liars[l].ep = NULL;
	if (below(h, 2) == 0)
		sim_node_kill(world_env(h->w, h->anchors[i]), SIM_SILENT);
	world_kill(h->w, h->anchors[i]);
	h->back_at[i] = sim_now(world_sim(h->w)) + MILLISECONDS(below(h, 10000));
}

static void
cut(struct history *h)
{
	struct sim_world *sim = world_sim(h->w);

	sim_heal(sim);
	if (below(h, 2) == 0)
		return;
	for (uint8_t i = 0; i < h->anchors_count; i++)
		if (world_alive(h->w, h->anchors[i]))
			sim_node_island(world_env(h->w, h->anchors[i]), (unsigned)below(h, 4) / 3);
	for (size_t i = 0; i < WRITERS; i++)
		sim_node_island(h->b.writers[i].env, (unsigned)below(h, 5) / 4);
	if (below(h, 3) == 0)
		sim_cut(sim, (unsigned)below(h, 2), 1); /* one way, or the small side from itself */
	else
		sim_cut_off(sim, 1);
}

static void
kill_writer(struct history *h)
{
	const struct sim_faults none = { 0 };
	size_t i = below(h, WRITERS);

	if (h->deaths == DEATHS_OF_WRITERS || !h->actors[i].runs)
		return;
	h->deaths++;
	bucket_writer_kill(&h->b, i);
	/* Whoever starts needs to join and to find the register: that is another story. */
	sim_heal(world_sim(h->w));
	sim_set_faults(world_sim(h->w), &none);
	bring_back(h, true);
	sim_run_for(world_sim(h->w), SECONDS(1));
	bucket_writer_start(&h->b, i);
	sim_set_faults(world_sim(h->w), &h->faults);
	actor_start(&h->actors[i]);
}

static void
something(struct history *h)
{
	uint64_t dice = below(h, 100);

	for (uint8_t i = 0; i < h->anchors_count; i++)
		if (h->back_at[i] == 0)
			remember(h, bucket_state(&h->b, h->anchors[i]));
	bring_back(h, false);
	if (dice < 10)
		kill_anchor(h);
	else if (dice < 16)
		cut(h);
	else if (dice < 18)
		kill_writer(h);
	else if (dice < 22)
		sim_node_clock(
		    h->b.writers[below(h, WRITERS)].env, (int64_t)below(h, 600000) - 300000);
	else if (dice < 27 && h->changing)
		change_begin(h);
}

/* ---- one history ---- */

static bool
busy(const struct history *h)
{
	for (size_t i = 0; i < WRITERS; i++)
		if (h->actors[i].runs)
			return true;
	return false;
}

static void
begin(struct history *h, uint8_t anchors, bool changing, uint64_t seed)
{
	uint8_t nodes = (uint8_t)(anchors + (changing ? 3 : 0));

	memset(h, 0, sizeof(*h));
	h->random = seed * 77 + nodes;
	h->changing = changing;
	h->w = world_new(&(struct world_opts){
	    .seed = seed, .nodes = nodes, .code = { 1, 1, 1 }, .regions = seed % 2 == 0 });
	bucket_new(&h->b, h->w, anchors, WRITERS);
	h->b.fold_at = (uint16_t)(3 + below(h, 6));
	h->b.record_bytes = below(h, 4) == 0 ? 12000 : 40;
	h->anchors_count = nodes;
	h->liars_count = liars_of(anchors);
	for (uint8_t i = 0; i < nodes; i++) {
		h->anchors[i] = changing ? i : bucket_anchor(&h->b, 0, i);
		sim_node_clock(
		    world_env(h->w, h->anchors[i]), (int64_t)below(h, 7200000) - 3600000);
	}
	for (uint8_t i = 0; i < h->liars_count; i++) {
		h->liars[i] = (struct liar){ .h = h, .node = h->anchors[i] };
		liar_begin(&h->liars[i]);
	}
	h->faults = (struct sim_faults){ .loss_ppm = (uint32_t)below(h, 60000),
		.duplicate_ppm = (uint32_t)below(h, 60000),
		.reorder_ppm = (uint32_t)below(h, 60000) };
	sim_set_faults(world_sim(h->w), &h->faults);
	for (size_t i = 0; i < WRITERS; i++) {
		h->actors[i] = (struct actor){ .h = h, .writer = i };
		actor_start(&h->actors[i]);
	}
}

static void
check(struct history *h, const struct bucket_list *last, uint64_t seed)
{
	struct linear_op kept[LINEAR_OPS_MAX];
	uint32_t count = 0;

	/* The last read tells which appends of unknown fate took place, and after what. */
	for (uint32_t i = 0; i < h->ops_count; i++) {
		struct linear_op o = h->ops[i];
		size_t at = 0;
		bool failed = false;

		while (at < last->count && last->at[at] != o.mark)
			at++;
		for (uint32_t j = 0; j < h->failed_count; j++)
			failed |= o.mark != 0 && h->failed[j] == o.mark;
		ck_assert_msg(!failed || at == last->count,
		    "seed %ju: said to have failed, and is there", (uintmax_t)seed);
		if (o.ret == LINEAR_NEVER && (o.mark == 0 || at == last->count))
			continue;
		if (o.ret == LINEAR_NEVER)
			o.list = list_hash(last, at + 1);
		kept[count++] = o;
	}
	ck_assert_msg(linear_check(kept, count), "seed %ju: not linearizable", (uintmax_t)seed);
}

static void
run(struct history *h, uint8_t anchors, bool changing, uint64_t seed)
{
	struct bucket_list *last = calloc(1, sizeof(*last));
	const struct sim_faults none = { 0 };
	uint64_t end;

	must(last != NULL);
	begin(h, anchors, changing, seed);
	end = sim_now(world_sim(h->w)) + HISTORY_TIME;
	while (busy(h) && sim_now(world_sim(h->w)) < end) {
		sim_run_for(world_sim(h->w), MILLISECONDS(20 + below(h, 400)));
		something(h);
	}
	ck_assert_msg(!busy(h), "seed %ju: no end", (uintmax_t)seed);
	h->healed = true;
	sim_heal(world_sim(h->w));
	sim_set_faults(world_sim(h->w), &none);
	bring_back(h, true);
	for (size_t i = 0; i < WRITERS; i++) {
		int err = bucket_read(&h->b, i, MINUTES(2), last);

		ck_assert_msg(err == ERR_OK, "seed %ju: writer %zu does not get through: %s",
		    (uintmax_t)seed, i, err_text(err));
	}
	check(h, last, seed);
	free(last);
	bucket_free(&h->b);
	world_free(h->w);
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void
histories(uint8_t anchors, bool changing, uint64_t otherwise)
{
	uint64_t count = setting("SKERRY_HISTORIES", otherwise),
		 from = setting("SKERRY_HISTORY", 1);
	uint32_t committed = 0, read = 0, unknown = 0, lies = 0, kills = 0, deaths = 0, changed = 0;
	struct history *h = malloc(sizeof(*h));

	must(h != NULL);
	for (uint64_t seed = from; seed < from + count; seed++) {
		run(h, anchors, changing, seed);
		committed += h->committed;
		read += h->read;
		unknown += h->unknown;
		lies += h->lies;
		kills += h->kills;
		deaths += h->deaths;
		changed += h->changed;
	}
	free(h);
	printf("%u anchors: %ju histories, %u writes, %u reads, %u of unknown fate, %u anchors and "
	       "%u writers killed, %u lies, %u changes\n",
	    anchors, (uintmax_t)count, committed, read, unknown, kills, deaths, lies, changed);
	ck_assert_uint_gt(committed, 4 * count);
	ck_assert_uint_gt(read, count);
	ck_assert(lies > 0 || liars_of(anchors) == 0);
	ck_assert(changed > 0 || !changing);
}

START_TEST(five_anchors)
{
	histories(5, false, 10);
}
END_TEST

START_TEST(seven_anchors_two_lie)
{
	histories(7, false, 8);
}
END_TEST

START_TEST(anchors_that_change)
{
	histories(5, true, 8);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/register_histories");

	crypto_use_stand_in(); /* liars have no keys but their own */
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "histories", getenv("SKERRY_HISTORIES") != NULL ? 36000 : 120, five_anchors,
	    seven_anchors_two_lie, anchors_that_change, NULL);
	return suite_main(s);
}
