/*
 * An anchor whose disk fails at each of its operations: it crashes there, loses power, gets an
 * error once or for a while. Of three anchors one is away, so each confirmed commit needs the
 * victim; then the third one, which knows everything, goes for good, and the one that was away
 * comes back. What was confirmed must be read from it and the victim.
 */
#include <stdio.h>

#include "overlay/base/crypto_stand_in.h"
#include "storage/acceptor.h"
#include "test/scenario/register_world.h"
#include "test/scenario/world_private.h"
#include "test/unit/suite.h"

#define ANY   SIM_DISK_ANY
/* An error that lasts meets what is tried again, too. */
#define LASTS SECONDS(30)

struct kind {
	const char *name;
	unsigned ops;
	int err; /* ERR_OK: it dies */
	bool forever, power;
};
static const struct kind kinds[] = {
	{ "kill", ANY, ERR_OK, false, false },
	{ "power", ANY, ERR_OK, false, true },
	{ "eio", ANY, ERR_IO, false, false },
	{ "eio-lasting", ANY, ERR_IO, true, false },
	{ "sync", SIM_DISK_SYNC | SIM_DISK_SYNC_DIR, ERR_IO, false, false },
};

struct scene {
	struct world *w;
	struct bucket b;
	size_t victim, away, third;
	uint32_t confirmed[64];
	size_t confirmed_count;
};

static void
append(struct scene *s)
{
	enum proposer_outcome outcome = OUT_UNKNOWN;
	uint32_t mark = ++s->b.writers[0].made;
	int err = bucket_append(&s->b, 0, mark, SECONDS(8), &outcome);

	if (err == ERR_OK && outcome == OUT_COMMITTED)
		s->confirmed[s->confirmed_count++] = mark;
}

static void
come_back(struct scene *s, const struct kind *kind, uint64_t point)
{
	sim_disk_arm(world_disk(s->w, s->victim), NULL);
	if (!sim_disk_crashed(world_disk(s->w, s->victim)))
		return;
	if (kind->power)
		world_power_loss(s->w, s->victim, point * 7 + 1);
	else
		world_restart(s->w, s->victim);
}

static void
check(struct scene *s, const char *what, uint64_t point)
{
	struct bucket_list *list = calloc(1, sizeof(*list));
	struct registers_status status;
	int err;

	must(list != NULL);
	err = bucket_read(&s->b, 0, MINUTES(2), list);
	ck_assert_msg(err == ERR_OK, "%s %ju: not read: %s", what, (uintmax_t)point, err_text(err));
	for (size_t i = 0; i < s->confirmed_count; i++)
		ck_assert_msg(bucket_list_has(list, s->confirmed[i]),
		    "%s %ju: what was confirmed is gone", what, (uintmax_t)point);
	registers_status(node_registers(world_peer(s->w, s->victim)), &status);
	ck_assert_msg(status.loaded && status.damaged == 0 && status.anchored == 1,
	    "%s %ju: damaged", what, (uintmax_t)point);
	free(list);
}

/* ---- stories: what happens while the disk fails, and what is checked then ---- */

struct story {
	const char *name;
	size_t nodes;
	void (*prepare)(struct scene *s);
	void (*act)(struct scene *s);
	void (*end)(struct scene *s);
	uint64_t points_least;
};

static void
commits_prepare(struct scene *s)
{
	s->victim = bucket_anchor(&s->b, 0, 0);
	s->third = bucket_anchor(&s->b, 0, 1);
	s->away = bucket_anchor(&s->b, 0, 2);
	s->b.record_bytes = 15000;
	s->b.fold_at = 3;
	world_kill(s->w, s->away);
	append(s);
}

static void
commits_act(struct scene *s)
{
	for (size_t i = 0; i < 6; i++)
		append(s);
}

static void
commits_end(struct scene *s)
{
	world_restart(s->w, s->away);
	world_kill(s->w, s->third);
}

/* Six changes: each is written once, and synced once. */
static const struct story commits = { "commits", 4, commits_prepare, commits_act, commits_end, 12 };

struct change {
	struct scene *s;
	enum proposer_outcome outcome;
};

/* The victim comes in the place of the one that is away. */
static int
change_task(void *arg)
{
	struct change *c = arg;
	struct bucket_writer *x = &c->s->b.writers[0];
	struct configuration next = *head_client_configuration(x->hc);
	struct contact to = world_contact(c->s->w, c->s->victim);
	struct anchor_offer offer;
	int err =
	    anchor_ask_offer(node_endpoint(x->node), &to, &c->s->b.charter.owner, NULL, &offer);

	if (err != ERR_OK)
		return err;
	next.anchors[2] = (struct anchor){ to.pub, offer.incarnation };
	return head_client_reconfigure(x->hc, &next, NULL, SECONDS(10), &c->outcome);
}

static void
join_prepare(struct scene *s)
{
	commits_prepare(s);
	append(s);
	s->victim = 0;
	while (bucket_state(&s->b, s->victim) != NULL || s->victim == s->away)
		s->victim++;
}

static void
join_act(struct scene *s)
{
	struct change c = { .s = s };

	(void)sim_run_task(s->w->sim, s->b.writers[0].env, change_task, &c);
	append(s);
	append(s);
}

/* It is a member when it is well; then it must be enough with one of the others. */
static void
join_end(struct scene *s)
{
	struct change c = { .s = s };
	const struct acceptor *state = bucket_state(&s->b, s->victim);
	uint64_t end = sim_now(s->w->sim) + MINUTES(10);

	while ((state == NULL || state->conf.number == 0) && sim_now(s->w->sim) < end) {
		(void)sim_run_task(s->w->sim, s->b.writers[0].env, change_task, &c);
		append(s);
		sim_run_for(s->w->sim, SECONDS(20));
		state = bucket_state(&s->b, s->victim);
	}
	ck_assert_msg(state != NULL, "never joined");
	append(s);
	sim_run_for(s->w->sim, SECONDS(5));
	world_kill(s->w, s->third);
}

static const struct story join = { "join", 4, join_prepare, join_act, join_end, 5 };

/* ---- the walk ---- */

static uint64_t
run_point(const struct story *story, const struct kind *kind, uint64_t point)
{
	struct sim_disk_fault fault = { .ops = kind->ops,
		.skip = point,
		.crash = kind->err == ERR_OK,
		.forever = kind->forever,
		.err = kind->err };
	struct scene *s = calloc(1, sizeof(*s));
	uint64_t matched;

	must(s != NULL);
	s->w = world_new(&(struct world_opts){
	    .seed = 3, .nodes = story->nodes, .code = { 1, 1, 1 }, .segment_bytes = MIB(1) });
	bucket_new(&s->b, s->w, 3, 1);
	story->prepare(s);
	sim_disk_arm(world_disk(s->w, s->victim), &fault);
	story->act(s);
	if (kind->forever)
		sim_run_for(world_sim(s->w), LASTS);
	matched = sim_disk_matched(world_disk(s->w, s->victim));
	come_back(s, kind, point);
	story->end(s);
	check(s, kind->name, point);
	bucket_free(&s->b);
	world_free(s->w);
	free(s);
	return matched;
}

static void
walk(const struct story *story)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		uint64_t points = run_point(story, &kinds[k], UINT64_MAX);

		for (uint64_t p = 0; p < points; p++)
			(void)run_point(story, &kinds[k], p);
		printf("%-8s %-12s %4ju points\n", story->name, kinds[k].name, (uintmax_t)points);
		ck_assert_uint_ge(points, kinds[k].ops == ANY ? story->points_least : 1);
	}
}

START_TEST(commits_with_a_fault)
{
	walk(&commits);
}
END_TEST

START_TEST(joining_with_a_fault)
{
	walk(&join);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/register_faults");

	crypto_use_stand_in(); /* it is the disk that is looked at */
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "faults", 120, commits_with_a_fault, joining_with_a_fault, NULL);
	return suite_main(s);
}
