/*
 * Head registers on real (simulated) nodes: what is committed stays, whoever of a minority dies;
 * members change under way; what cannot be known is told.
 */
#include "storage/acceptor.h"
#include "test/scenario/register_world.h"
#include "test/unit/suite.h"

static struct world *
small_world(uint64_t seed, size_t nodes)
{
	return world_new(&(struct world_opts){ .seed = seed, .nodes = nodes, .code = { 2, 3, 4 } });
}

START_TEST(what_is_committed_is_read)
{
	struct world *w = small_world(1, 6);
	struct bucket_list list;
	struct bucket b;
	uint32_t marks[50];

	bucket_new(&b, w, 5, 2);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		marks[i] = bucket_append_ok(&b, i < 25 ? 0 : i % 2);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, ARRAY_LEN(marks));
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		ck_assert_uint_eq(list.at[i], marks[i]);
	bucket_writer_kill(&b, 0);
	bucket_writer_start(&b, 0);
	ck_assert_int_eq(bucket_read(&b, 0, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, ARRAY_LEN(marks));
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* Five anchors show the same: its head and its accept are checked once each. */
START_TEST(what_all_anchors_show_is_checked_once)
{
	struct world *w = small_world(1, 6);
	const struct head_client_counters *reader, *writer;
	struct bucket_list list;
	struct bucket b;
	uint64_t before, answered;

	bucket_new(&b, w, 5, 2);
	writer = head_client_counters(b.writers[0].hc);
	reader = head_client_counters(b.writers[1].hc);
	bucket_append_ok(&b, 0);
	before = writer->signatures;
	for (size_t i = 0; i < 10; i++)
		bucket_append_ok(&b, 0);
	sim_run_for(world_sim(w), SECONDS(1));
	ck_assert_uint_ge(writer->signatures - before, 10 * 2);
	ck_assert_uint_le(writer->signatures - before, 10 * 2 + 4);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	before = reader->signatures;
	answered = reader->answered;
	for (size_t i = 0; i < 10; i++)
		ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_ge(reader->answered - answered, 10 * 3);
	ck_assert_uint_eq(reader->signatures, before);
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(a_long_tail_comes_along)
{
	struct world *w = small_world(2, 5);
	struct bucket_list list;
	struct bucket b;
	size_t dead;

	bucket_new(&b, w, 5, 2);
	b.record_bytes = 25000; /* three pieces each */
	b.fold_at = 9;
	dead = bucket_anchor(&b, 0, 1);
	for (size_t i = 0; i < 4; i++)
		bucket_append_ok(&b, 0);
	/* What it misses is brought in one go, also behind a checkpoint. */
	world_kill(w, dead);
	for (size_t i = 0; i < 3; i++)
		bucket_append_ok(&b, 0);
	world_restart(w, dead);
	for (size_t i = 0; i < 20; i++)
		bucket_append_ok(&b, 0);
	sim_run_for(world_sim(w), SECONDS(20));
	bucket_append_ok(&b, 0);
	sim_run_for(world_sim(w), SECONDS(5));
	ck_assert(hash_equal(&bucket_state(&b, dead)->value.head.id,
	    &bucket_state(&b, bucket_anchor(&b, 0, 0))->value.head.id));
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 28);
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(anchors_that_restart_know_what_they_knew)
{
	struct world *w = small_world(3, 5);
	struct bucket_list list;
	struct registers_status s;
	struct bucket b;

	bucket_new(&b, w, 3, 1);
	b.record_bytes = 15000;
	b.fold_at = 4;
	for (size_t i = 0; i < 11; i++)
		bucket_append_ok(&b, 0);
	for (uint8_t i = 0; i < 3; i++)
		world_power_loss(w, bucket_anchor(&b, 0, i), i);
	ck_assert_int_eq(bucket_read(&b, 0, SECONDS(20), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 11);
	bucket_append_ok(&b, 0);
	for (uint8_t i = 0; i < 3; i++) {
		registers_status(node_registers(world_peer(w, bucket_anchor(&b, 0, i))), &s);
		ck_assert(s.loaded);
		ck_assert_uint_eq(s.anchored, 1);
		ck_assert_uint_eq(s.damaged, 0);
	}
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(without_a_majority_nothing_is_pretended)
{
	struct world *w = small_world(4, 6);
	enum proposer_outcome outcome = 0;
	struct head_view view;
	struct bucket_list list;
	struct bucket b;
	size_t dead[3];

	bucket_new(&b, w, 5, 2);
	bucket_append_ok(&b, 0);
	for (uint8_t i = 0; i < 3; i++) {
		dead[i] = bucket_anchor(&b, 0, i);
		world_kill(w, dead[i]);
	}
	head_client_view(b.writers[0].hc, &view);
	ck_assert(!view.stale);
	ck_assert_int_eq(bucket_read(&b, 0, SECONDS(10), &list), ERR_UNREACHABLE);
	head_client_view(b.writers[0].hc, &view);
	ck_assert(view.stale);
	ck_assert_uint_ne(view.current_at, 0);
	ck_assert_uint_eq(view.head->seq, 1);
	/* It takes the lead when it was so; what it sent may yet be chosen. */
	ck_assert_int_eq(bucket_append(&b, 0, 7, SECONDS(10), &outcome), ERR_OK);
	ck_assert(outcome == OUT_UNKNOWN);
	/* Who never got through a round has sent nothing. */
	ck_assert_int_eq(bucket_append(&b, 1, 8, SECONDS(10), &outcome), ERR_OK);
	ck_assert(outcome == OUT_FAILED);
	for (uint8_t i = 0; i < 3; i++)
		world_restart(w, dead[i]);
	bucket_append_ok(&b, 1);
	ck_assert_int_eq(bucket_append(&b, 0, 7, SECONDS(30), &outcome), ERR_OK);
	ck_assert(outcome == OUT_COMMITTED);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 3);
	ck_assert(!bucket_list_has(&list, 8));
	bucket_free(&b);
	world_free(w);
}
END_TEST

struct reader {
	struct bucket *b;
	uint64_t timeout;
	int err;
	bool ended;
};

static int
reader_task(void *arg)
{
	struct reader *r = arg;

	r->err = head_client_read(r->b->writers[0].hc, r->timeout);
	r->ended = true;
	return r->err;
}

enum { READERS = 10 };

static void
readers_start(struct bucket *b, struct reader readers[READERS], uint64_t timeout, uint64_t step)
{
	for (size_t i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .b = b, .timeout = timeout + i * step };
		must(
		    task_spawn(&b->writers[0].group, "reader", reader_task, &readers[i]) == ERR_OK);
	}
}

START_TEST(readers_share_a_round)
{
	struct world *w = small_world(13, 4);
	struct head_client_counters before;
	const struct head_client_counters *now;
	struct reader readers[READERS];
	struct bucket b;

	bucket_new(&b, w, 3, 1);
	bucket_append_ok(&b, 0);
	now = head_client_counters(b.writers[0].hc);
	before = *now;
	readers_start(&b, readers, SECONDS(10), 0);
	sim_run_for(world_sim(w), SECONDS(1));
	for (size_t i = 0; i < READERS; i++)
		ck_assert(readers[i].ended && readers[i].err == ERR_OK);
	/* The first one's, and one for all who came while that ran. */
	ck_assert_uint_le(now->reads - before.reads, 2);
	ck_assert_uint_ge(now->reads_shared - before.reads_shared, READERS - 2);
	/* Without a quorum each waits for as long as it wants to, whoever leads. */
	for (uint8_t i = 0; i < 2; i++)
		world_kill(w, bucket_anchor(&b, 0, i));
	readers_start(&b, readers, SECONDS(3), SECONDS(2));
	sim_run_for(world_sim(w), SECONDS(12));
	for (size_t i = 0; i < READERS; i++) {
		ck_assert(i == 4 || readers[i].ended == (i < 4));
		ck_assert(!readers[i].ended || readers[i].err == ERR_UNREACHABLE);
	}
	sim_run_for(world_sim(w), SECONDS(40));
	for (size_t i = 0; i < READERS; i++)
		ck_assert(readers[i].ended && readers[i].err == ERR_UNREACHABLE);
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* ---- members change ---- */

static void
members_differ(const struct bucket *b, size_t writer, size_t want)
{
	const struct configuration *c = head_client_configuration(b->writers[writer].hc);
	size_t fresh = 0;

	for (uint8_t i = 0; i < c->anchors_count; i++)
		fresh += configuration_anchor(&b->charter.founding, &c->anchors[i].key) < 0;
	ck_assert_uint_eq(fresh, want);
}

/* So long until an anchor is called silent and replaced, at the world's pace: 3 minutes, and looks.
 */
#define SILENT_AND_REPLACED MINUTES(8)

START_TEST(all_five_are_replaced_one_after_the_other)
{
	struct world *w = small_world(5, 10);
	struct bucket_list list;
	size_t dead[5], writes = 0;
	struct bucket b;

	bucket_new(&b, w, 5, 2);
	for (uint8_t i = 0; i < 5; i++)
		dead[i] = bucket_anchor(&b, 0, i);
	for (uint8_t i = 0; i < 5; i++) {
		uint64_t end = sim_now(world_sim(w)) + SILENT_AND_REPLACED;

		world_kill(w, dead[i]);
		while (sim_now(world_sim(w)) < end) {
			bucket_append_ok(&b, writes++ % 2);
			sim_run_for(world_sim(w), SECONDS(15));
		}
		bucket_append_ok(&b, 0);
		writes++;
		members_differ(&b, 0, i + 1u);
	}
	/* The finder record has followed: nobody of the founders lives. */
	bucket_writer_kill(&b, 1);
	bucket_writer_start(&b, 1);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, writes);
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(seven_replace_one_without_any_writer)
{
	struct world *w = small_world(6, 10);
	struct bucket_list list;
	struct bucket b;

	bucket_new(&b, w, 7, 1);
	bucket_append_ok(&b, 0);
	world_kill(w, bucket_anchor(&b, 0, 3));
	bucket_writer_kill(&b, 0);
	sim_run_for(world_sim(w), SILENT_AND_REPLACED);
	bucket_writer_start(&b, 0);
	ck_assert_int_eq(bucket_read(&b, 0, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 1);
	members_differ(&b, 0, 1);
	bucket_append_ok(&b, 0);
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* An anchor of its own accord wants another one out. */
struct plot {
	struct bucket *b;
	size_t node, spare;
	uint8_t victim;
	enum proposer_outcome outcome;
};

static int
plot_task(void *arg)
{
	struct plot *p = arg;
	struct node *n = world_peer(p->b->w, p->node);
	struct contact to = world_contact(p->b->w, p->spare);
	struct configuration next = p->b->charter.founding;
	struct anchor_offer offer;
	struct head_client *hc;
	int err = anchor_ask_offer(node_endpoint(n), &to, &p->b->charter.owner, NULL, &offer);

	next.number++;
	next.anchors[p->victim] = (struct anchor){ to.pub, offer.incarnation };
	if (err == ERR_OK)
		err = head_client_new(
		    &(struct head_client_opts){
			.endpoint = node_endpoint(n),
			.dht = node_dht(n),
			.registers = node_registers(n),
			.charter = &p->b->charter,
			.writer = endpoint_identity(node_endpoint(n)),
		    },
		    &hc);
	if (err == ERR_OK) {
		err = head_client_replace(hc, &next, SECONDS(30), &p->outcome);
		head_client_free(hc);
	}
	return err;
}

START_TEST(nobody_replaces_one_that_lives)
{
	struct world *w = small_world(14, 6);
	struct bucket b;
	struct plot p = { .b = &b, .victim = 2 };

	bucket_new(&b, w, 5, 1);
	bucket_append_ok(&b, 0);
	p.node = bucket_anchor(&b, 0, 0);
	while (bucket_state(&b, p.spare) != NULL)
		p.spare++;
	ck_assert_int_eq(sim_run_task(world_sim(w), world_env(w, p.node), plot_task, &p), ERR_OK);
	ck_assert(p.outcome == OUT_FAILED);
	/* Nor one that has just died. (The session with the spare one has been quiet meanwhile.) */
	world_kill(w, bucket_anchor(&b, 0, 2));
	ck_assert_int_eq(sim_run_task(world_sim(w), world_env(w, p.node), plot_task, &p), ERR_OK);
	ck_assert(p.outcome == OUT_FAILED);
	bucket_append_ok(&b, 0);
	members_differ(&b, 0, 0);
	/* After the charter's time the same is what all want. */
	sim_run_for(world_sim(w), SILENT_AND_REPLACED);
	bucket_append_ok(&b, 0);
	members_differ(&b, 0, 1);
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(one_that_lost_its_disk_is_no_member)
{
	struct world *w = small_world(7, 8);
	struct bucket b;
	size_t lost;

	bucket_new(&b, w, 5, 1);
	bucket_append_ok(&b, 0);
	lost = bucket_anchor(&b, 0, 2);
	world_lose_disk(w, lost);
	bucket_append_ok(&b, 0);
	ck_assert_ptr_null(bucket_state(&b, lost));
	sim_run_for(world_sim(w), SILENT_AND_REPLACED);
	bucket_append_ok(&b, 0);
	members_differ(&b, 0, bucket_state(&b, lost) == NULL ? 1 : 0);
	bucket_free(&b);
	world_free(w);
}
END_TEST

START_TEST(who_leaves_hands_its_registers_over)
{
	struct world *w = small_world(8, 8);
	uint64_t began = sim_now(world_sim(w));
	struct keeper_status s;
	struct bucket b;
	size_t leaver;

	bucket_new(&b, w, 5, 1);
	bucket_append_ok(&b, 0);
	leaver = bucket_anchor(&b, 0, 0);
	sim_run_for(world_sim(w), MINUTES(2)); /* a tour */
	ck_assert_int_eq(keeper_leave(world_keeper(w, leaver)), ERR_OK);
	s = world_keeper_status(w, leaver);
	ck_assert_uint_eq(s.leave_left, 1);
	while (s.leave_left > 0 && sim_now(world_sim(w)) - began < MINUTES(10)) {
		sim_run_for(world_sim(w), SECONDS(5));
		s = world_keeper_status(w, leaver);
	}
	ck_assert_uint_eq(s.leave_left, 0);
	world_kill(w, leaver);
	bucket_append_ok(&b, 0);
	members_differ(&b, 0, 1);
	bucket_free(&b);
	world_free(w);
}
END_TEST

struct change {
	struct bucket *b;
	struct configuration next;
	enum proposer_outcome outcome;
	const struct identity *owner;
};

static int
change_task(void *arg)
{
	struct change *c = arg;

	return head_client_reconfigure(
	    c->b->writers[0].hc, &c->next, c->owner, SECONDS(30), &c->outcome);
}

/* An anchor that was away while the members changed, and much was written since, catches up. */
START_TEST(the_owner_takes_a_writer_away)
{
	struct world *w = small_world(9, 6);
	enum proposer_outcome outcome = 0;
	struct bucket b;
	struct change c = { .b = &b };
	size_t away;

	bucket_new(&b, w, 5, 2);
	bucket_append_ok(&b, 1);
	bucket_append_ok(&b, 0);
	away = bucket_anchor(&b, 0, 4);
	world_kill(w, away);
	c.next = *head_client_configuration(b.writers[0].hc);
	c.next.writers_count = 1;
	/* Anchors do not take it without the owner's word. */
	ck_assert_int_eq(
	    sim_run_task(world_sim(w), b.writers[0].env, change_task, &c), ERR_INVALID);
	c.owner = &b.owner;
	ck_assert_int_eq(sim_run_task(world_sim(w), b.writers[0].env, change_task, &c), ERR_OK);
	ck_assert(c.outcome == OUT_COMMITTED);
	/* It was in the lead and sends before it hears of the change. */
	ck_assert_int_eq(bucket_append(&b, 1, 77, SECONDS(20), &outcome), ERR_OK);
	ck_assert(outcome == OUT_UNKNOWN);
	ck_assert_int_eq(bucket_append(&b, 1, 77, SECONDS(20), &outcome), ERR_PERMISSION);
	for (size_t i = 0; i < 30; i++)
		bucket_append_ok(&b, 0);
	world_restart(w, away);
	sim_run_for(world_sim(w), MINUTES(2));
	ck_assert_uint_eq(bucket_state(&b, away)->conf.number, 1);
	bucket_append_ok(&b, 0);
	sim_run_for(world_sim(w), SECONDS(5));
	ck_assert_uint_eq(bucket_state(&b, away)->value.head.seq, 33);
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* Puts a node that is no anchor yet in the place of anchor i. */
struct swap {
	struct bucket *b;
	uint8_t i;
	size_t node;
	enum proposer_outcome outcome;
};

static int
swap_task(void *arg)
{
	struct swap *s = arg;
	struct bucket_writer *x = &s->b->writers[0];
	struct configuration next = *head_client_configuration(x->hc);
	struct contact to = world_contact(s->b->w, s->node);
	struct anchor_offer offer;
	int err = anchor_ask_offer(node_endpoint(x->node), &to, &s->b->charter.owner, NULL, &offer);

	if (err != ERR_OK)
		return err;
	ck_assert_int_eq(offer.refusal, ERR_OK);
	next.anchors[s->i] = (struct anchor){ to.pub, offer.incarnation };
	return head_client_reconfigure(x->hc, &next, NULL, SECONDS(30), &s->outcome);
}

static bool
is_anchor(struct bucket *b, size_t node)
{
	uint8_t count = head_client_configuration(b->writers[0].hc)->anchors_count;

	for (uint8_t j = 0; j < count; j++)
		if (bucket_anchor(b, 0, j) == node)
			return true;
	return false;
}

/* The one that went. Whoever was killed is in nobody's place. */
static size_t
swap(struct bucket *b, uint8_t i)
{
	size_t old = bucket_anchor(b, 0, i);
	struct swap s = { .b = b, .i = i };

	while (is_anchor(b, s.node) || !world_alive(b->w, s.node))
		s.node++;
	ck_assert_int_eq(sim_run_task(world_sim(b->w), b->writers[0].env, swap_task, &s), ERR_OK);
	ck_assert(s.outcome == OUT_COMMITTED);
	return old;
}

START_TEST(who_missed_two_changes_catches_up)
{
	struct world *w = small_world(10, 8);
	struct bucket_list list;
	struct bucket b;
	size_t away;

	bucket_new(&b, w, 5, 2);
	bucket_append_ok(&b, 0);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	away = bucket_anchor(&b, 0, 4);
	world_kill(w, away);
	world_kill(w, swap(&b, 0));
	bucket_append_ok(&b, 0);
	world_kill(w, swap(&b, 1));
	bucket_append_ok(&b, 0);
	/* A writer, and an anchor that is one still. */
	bucket_append_ok(&b, 1);
	ck_assert_uint_eq(head_client_configuration(b.writers[1].hc)->number, 2);
	world_restart(w, away);
	sim_run_for(world_sim(w), MINUTES(2));
	ck_assert_uint_eq(bucket_state(&b, away)->conf.number, 2);
	ck_assert_uint_eq(bucket_state(&b, away)->value.head.seq, 4);
	/* With it and two others there is a quorum. */
	world_kill(w, bucket_anchor(&b, 0, 2));
	world_kill(w, bucket_anchor(&b, 0, 3));
	bucket_append_ok(&b, 0);
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* A week, at the world's pace, and the tick after it. */
START_TEST(who_was_left_out_forgets_it)
{
	struct world *w = small_world(11, 4);
	struct registers_status status;
	struct bucket b;
	size_t left;

	bucket_new(&b, w, 3, 1);
	b.record_bytes = 15000;
	for (size_t i = 0; i < 5; i++)
		bucket_append_ok(&b, 0);
	left = swap(&b, 0);
	sim_run_for(world_sim(w), SECONDS(5));
	registers_status(node_registers(world_peer(w, left)), &status);
	ck_assert_uint_eq(status.anchored, 0);
	ck_assert_uint_eq(status.moved, 1);
	bucket_writer_kill(&b, 0);
	sim_run_for(world_sim(w), HOURS(9));
	ck_assert_ptr_null(bucket_state(&b, left));
	world_restart(w, left);
	registers_status(node_registers(world_peer(w, left)), &status);
	ck_assert(status.loaded);
	ck_assert_uint_eq(status.moved + status.swept + status.damaged, 0);
	bucket_writer_start(&b, 0);
	bucket_append_ok(&b, 0);
	bucket_free(&b);
	world_free(w);
}
END_TEST

/* The owner begins anew from what is known, with the same anchors. */
static int
recover_task(void *arg)
{
	struct bucket *b = arg;
	struct bucket_writer *x = &b->writers[1];
	struct endpoint *ep = node_endpoint(x->node);
	struct head_view v;
	int err;

	head_client_view(x->hc, &v);
	b->charter.epoch++;
	b->charter.base_seq = v.head->seq;
	b->charter.base = v.head->id;
	charter_sign(&b->charter, endpoint_net(ep), &b->owner.sign, &b->owner.pub);
	err = anchors_found(ep, node_dht(x->node), &b->charter, NULL, SECONDS(20));
	if (err == ERR_OK) /* told again */
		err = anchors_found(ep, node_dht(x->node), &b->charter, NULL, SECONDS(20));
	return err == ERR_OK ? anchors_publish(ep, node_dht(x->node), &b->finder, b->charter.salt,
				   b->charter.epoch, &b->charter.founding)
			     : err;
}

START_TEST(a_later_epoch_supersedes)
{
	struct world *w = small_world(12, 5);
	enum proposer_outcome outcome = 0;
	struct bucket_list list;
	struct bucket b;

	bucket_new(&b, w, 5, 2);
	for (size_t i = 0; i < 3; i++)
		bucket_append_ok(&b, 0);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_int_eq(sim_run_task(world_sim(w), b.writers[1].env, recover_task, &b), ERR_OK);
	/* Who still writes in the earlier one has sent something when it is told; reads stop, too.
	 */
	ck_assert_int_eq(bucket_append(&b, 0, 99, SECONDS(20), &outcome), ERR_OK);
	ck_assert(outcome == OUT_UNKNOWN);
	ck_assert_int_eq(bucket_append(&b, 0, 99, SECONDS(20), &outcome), ERR_STALE);
	ck_assert_int_eq(bucket_read(&b, 0, SECONDS(20), &list), ERR_STALE);
	bucket_writer_kill(&b, 1);
	bucket_writer_start(&b, 1);
	bucket_append_ok(&b, 1);
	ck_assert_int_eq(bucket_read(&b, 1, SECONDS(10), &list), ERR_OK);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_uint_eq(bucket_state(&b, bucket_anchor(&b, 1, 0))->value.head.seq, 4);
	bucket_free(&b);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/anchors");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "anchors", 300, what_is_committed_is_read,
	    what_all_anchors_show_is_checked_once, a_long_tail_comes_along,
	    anchors_that_restart_know_what_they_knew, without_a_majority_nothing_is_pretended,
	    readers_share_a_round, NULL);
	suite_add(s, "members", 300, all_five_are_replaced_one_after_the_other,
	    seven_replace_one_without_any_writer, nobody_replaces_one_that_lives,
	    one_that_lost_its_disk_is_no_member, who_leaves_hands_its_registers_over,
	    the_owner_takes_a_writer_away, who_missed_two_changes_catches_up,
	    who_was_left_out_forgets_it, a_later_epoch_supersedes, NULL);
	return suite_main(s);
}
