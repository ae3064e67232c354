/*
 * The walk and the checks. Behind every fault the disk is well again (and the node restarted where
 * it died), the network gets its time, and then:
 *
 *	kept     a fresh client reads every acknowledged file
 *	receipts what the victim has confirmed is there after a loss of power
 *	whole    every shard is alive, every store takes shards, nothing is due
 *	sound    each shard of the victim verifies
 *	bounded  space, segments, tasks and writers are as after a run without faults
 *	serves   one more file is put and read
 */
#include "test/scenario/countdown.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/random.h"
#include "storage/store_walk.h"

#define SEED     7
/* A fault that lasts meets what is tried again later, too. */
#define LASTS    SECONDS(40)
/* Segments of a store beyond what it has without faults: a head, and one that waits for a tick. */
#define SEGMENTS 3
/* Tasks that a node at rest may have by chance: upkeep. */
#define TASKS    8
/* In `make check`, of each walk. */
#define SAMPLE   2

/* ---- kinds of faults ---- */

enum after { AFTER_NOTHING, AFTER_RESTART, AFTER_POWER };

struct kind {
	const char *name;
	unsigned ops;
	int err; /* ERR_OK: the process or the machine dies */
	bool forever;
	enum after after;
};

#define MAKES (SIM_DISK_WRITE | SIM_DISK_ALLOCATE | SIM_DISK_CREATE)
#define SYNCS (SIM_DISK_SYNC | SIM_DISK_SYNC_DIR)

static const struct kind kinds[] = {
	{ "kill", SIM_DISK_ANY, ERR_OK, false, AFTER_RESTART },
	{ "power", SIM_DISK_ANY, ERR_OK, false, AFTER_POWER },
	{ "eio", SIM_DISK_ANY, ERR_IO, false, AFTER_NOTHING },
	{ "eio-lasting", SIM_DISK_ANY, ERR_IO, true, AFTER_NOTHING },
	{ "enospc", MAKES, ERR_NO_SPACE, false, AFTER_NOTHING },
	{ "enospc-lasting", MAKES, ERR_NO_SPACE, true, AFTER_NOTHING },
	{ "sync", SYNCS, ERR_IO, false, AFTER_NOTHING },
	{ "sync-lasting", SYNCS, ERR_IO, true, AFTER_NOTHING },
	{ "read", SIM_DISK_READ, ERR_IO, false, AFTER_NOTHING },
	{ "read-lasting", SIM_DISK_READ, ERR_IO, true, AFTER_NOTHING },
};

/* ---- what a child tells ---- */

struct outcome {
	bool ended;
	uint64_t matched, strikes;
	uint64_t bytes_used[WORLD_NODES_MAX], segments[WORLD_NODES_MAX];
	char wrong[240];
};

void
scene_wrong(struct scene *s, const char *fmt, ...)
{
	va_list ap;

	if (s->wrong[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(s->wrong, sizeof(s->wrong), fmt, ap);
	va_end(ap);
}

/* ---- checks ---- */

struct verify {
	struct store *store;
	uint64_t verified;
	int err;
};

static int
verify_task(void *arg)
{
	struct verify *v = arg;
	struct shard_walk walk = { .ended = false };
	struct shard_name names[SHARDS_MAX];
	size_t count;

	do {
		v->err = store_list(v->store, &walk, names, ARRAY_LEN(names), &count);
		for (size_t i = 0; v->err == ERR_OK && i < count; i++) {
			v->err = store_verify(v->store, &names[i].chunk, names[i].index);
			v->verified += v->err == ERR_OK;
			/* Found by recovery, and never confirmed. */
			if (names[i].unproven && v->err == ERR_NOT_FOUND)
				v->err = ERR_OK;
		}
	} while (v->err == ERR_OK && count > 0);
	return ERR_OK;
}

static struct verify
verify(struct scene *s)
{
	struct verify v = { .store = node_store(world_peer(s->w, s->victim)) };

	sim_run_task(world_sim(s->w), world_env(s->w, s->victim), verify_task, &v);
	return v;
}

bool
scene_sound(struct scene *s)
{
	return verify(s).err == ERR_OK;
}

static bool
serving(struct scene *s, size_t node)
{
	struct keeper_status kept;
	struct store_status stored;

	if (!world_alive(s->w, node))
		return node == s->dead;
	stored = world_store_status(s->w, node);
	kept = world_keeper_status(s->w, node);
	return !stored.refusing && kept.due == 0 && kept.tours > 0 &&
	       (!s->leaves || node != s->victim || stored.shards == 0);
}

static bool
whole(struct scene *s, const struct story *story)
{
	if (story->done != NULL && !story->done(s))
		return false;
	if (s->shards_expected != 0 && world_shards_of_all(s->w) != s->shards_expected)
		return false;
	for (size_t i = 0; i < s->nodes; i++) {
		if (!serving(s, i))
			return false;
	}
	for (size_t i = 0; s->kept[i] != NULL; i++) {
		struct file_info info;
		int least = -1;

		if (world_survey(s->w, s->kept[i], &info, &least) != ERR_OK ||
		    least < info.code.n - info.code.k)
			return false;
	}
	return true;
}

static void
tell_how(struct scene *s)
{
	char text[160];
	size_t len = 0;

	for (size_t i = 0; i < s->nodes && len < sizeof(text); i++) {
		if (world_alive(s->w, i))
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %llu%s",
			    (unsigned long long)world_shards(s->w, i), serving(s, i) ? "" : "!");
	}
	scene_wrong(s, "not whole again: shards%s, victim %zu, all %llu", text, s->victim,
	    (unsigned long long)s->shards_expected);
}

static void
heal(struct scene *s, const struct story *story)
{
	uint64_t end = sim_now(world_sim(s->w)) + COUNTDOWN_HEAL;

	while (!whole(s, story)) {
		if (sim_now(world_sim(s->w)) > end) {
			tell_how(s);
			return;
		}
		sim_run_for(world_sim(s->w), SECONDS(10));
	}
}

/* After a loss of power everything that it has said is there. */
static void
check_sound(struct scene *s, uint64_t least)
{
	struct verify v;

	world_power_loss(s->w, s->victim, SEED);
	v = verify(s);
	if (v.err != ERR_OK)
		scene_wrong(s, "a shard does not verify: %s", err_text(v.err));
	if (v.verified < least)
		scene_wrong(s, "%llu shards were confirmed, %llu are there",
		    (unsigned long long)least, (unsigned long long)v.verified);
}

static void
check_bounded(struct scene *s, const struct outcome *usual)
{
	for (size_t i = 0; i < s->nodes; i++) {
		struct store_status now;
		size_t tasks = SIZE_MAX;

		if (!world_alive(s->w, i))
			continue;
		for (int look = 0; look < 10; look++) {
			sim_run_for(world_sim(s->w), SECONDS(1));
			tasks = MIN(tasks, tasks_live(world_env(s->w, i)->tasks));
		}
		now = world_store_status(s->w, i);
		if (tasks > TASKS || now.writers > 0)
			scene_wrong(s, "node %zu has %zu tasks, %llu writers", i, tasks,
			    (unsigned long long)now.writers);
		if (usual == NULL)
			continue;
		if (now.bytes_used > usual->bytes_used[i] + SEGMENTS * MIB(1) ||
		    now.segments > usual->segments[i] + SEGMENTS)
			scene_wrong(s,
			    "node %zu has %llu bytes in %llu segments, %llu in %llu "
			    "without faults",
			    i, (unsigned long long)now.bytes_used, (unsigned long long)now.segments,
			    (unsigned long long)usual->bytes_used[i],
			    (unsigned long long)usual->segments[i]);
	}
}

static void
check_files(struct scene *s)
{
	struct file_put_result result;
	int err;

	world_new_client(s->w);
	for (size_t i = 0; s->kept[i] != NULL; i++) {
		err = world_get(s->w, s->kept[i], NULL);
		if (err != ERR_OK)
			scene_wrong(s, "%s is lost: %s", s->kept[i], err_text(err));
	}
	err = world_put(s->w, &(struct world_put_opts){ .name = "last", .bytes = 40000 }, &result);
	if (err == ERR_OK)
		err = world_get(s->w, "last", NULL);
	if (err != ERR_OK)
		scene_wrong(s, "nothing new is stored: %s", err_text(err));
}

/* ---- one run ---- */

/* What it says to have; a dead one's counters still stand. */
static void
note_receipts(struct scene *s, const struct story *story)
{
	struct node *peer = world_peer(s->w, s->victim);

	if (story->puts)
		s->receipts += service_counters(node_service(peer))->puts;
	else if (world_alive(s->w, s->victim))
		s->receipts = world_shards(s->w, s->victim);
}

static void
come_back(struct scene *s, const struct kind *kind, uint64_t point)
{
	sim_disk_arm(world_disk(s->w, s->victim), NULL);
	if (!sim_disk_crashed(world_disk(s->w, s->victim)))
		return;
	if (kind->after == AFTER_POWER)
		world_power_loss(s->w, s->victim, point * 7 + 1);
	else
		world_restart(s->w, s->victim);
}

static void
run_point(struct scene *s, const struct story *story, const struct kind *kind, uint64_t point,
    const struct outcome *usual, struct outcome *out)
{
	struct sim_disk *disk = world_disk(s->w, s->victim);
	struct sim_disk_fault fault = { .ops = kind->ops,
		.skip = point,
		.crash = kind->err == ERR_OK,
		.forever = kind->forever,
		.err = kind->err };

	sim_disk_arm(disk, &fault);
	story->act(s);
	if (kind->forever)
		sim_run_for(world_sim(s->w), LASTS);
	out->matched = sim_disk_matched(disk);
	out->strikes = sim_disk_strikes(disk);
	note_receipts(s, story);
	come_back(s, kind, point);
	if (s->receipts > 0 && !s->leaves && !s->spoilt)
		check_sound(s, s->receipts);
	heal(s, story);
	check_bounded(s, usual);
	for (size_t i = 0; i < s->nodes; i++) {
		if (world_alive(s->w, i)) {
			out->bytes_used[i] = world_store_status(s->w, i).bytes_used;
			out->segments[i] = world_store_status(s->w, i).segments;
		}
	}
	check_sound(s, s->leaves ? 0 : world_shards(s->w, s->victim));
	check_files(s);
	snprintf(out->wrong, sizeof(out->wrong), "%s", s->wrong);
	out->ended = true;
}

/* The same in a child; what becomes of it is in *out, which both share. */
static void
fork_point(struct scene *s, const struct story *story, const struct kind *kind, uint64_t point,
    const struct outcome *usual, struct outcome *out)
{
	int status = 0;
	pid_t pid;

	memset(out, 0, sizeof(*out));
	fflush(stdout);
	fflush(stderr);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		run_point(s, story, kind, point, usual, out);
		world_free(s->w);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (out->wrong[0] == '\0' && (!out->ended || status != 0))
		snprintf(out->wrong, sizeof(out->wrong), "ended with status %x", (unsigned)status);
}

/* ---- the walk ---- */

struct walk {
	const struct story *story;
	struct scene *scene;
	struct outcome *usual, *out;
	uint64_t broken;
};

static bool
all_points(void)
{
	const char *text = getenv("SKERRY_FAULTS");

	return text != NULL && strcmp(text, "all") == 0;
}

static void
walk_kind(struct walk *w, const struct kind *kind)
{
	unsigned least = w->story->points_least[kind->ops == SIM_DISK_READ];
	uint64_t points, runs = 0, struck = 0, stride, point;
	struct sim_random r;

	fork_point(w->scene, w->story, kind, UINT64_MAX, NULL, w->usual);
	ck_assert_msg(
	    w->usual->wrong[0] == '\0', "%s without faults: %s", w->story->name, w->usual->wrong);
	points = w->usual->matched;
	stride = all_points() ? 1 : MAX(points / SAMPLE, (uint64_t)1);
	sim_random_init(&r, SEED + (uint64_t)(kind - kinds), points);
	/* The last ones of a sample may lie behind the end, because the fault moves it. */
	for (point = sim_random_below(&r, stride); point < points; point += stride) {
		fork_point(w->scene, w->story, kind, point, w->usual, w->out);
		runs++;
		struck += w->out->strikes > 0;
		if (w->out->wrong[0] != '\0') {
			w->broken++;
			printf("%s:%s:%llu: %s\n", w->story->name, kind->name,
			    (unsigned long long)point, w->out->wrong);
		}
	}
	printf("%-12s %-15s %4llu points, %4llu faults run, %4llu struck\n", w->story->name,
	    kind->name, (unsigned long long)points, (unsigned long long)runs,
	    (unsigned long long)struck);
	fflush(stdout);
	if (kind->ops == SIM_DISK_ANY || kind->ops == SIM_DISK_READ)
		ck_assert_msg(points >= least, "%s: only %llu points of kind %s", w->story->name,
		    (unsigned long long)points, kind->name);
	/* A countdown that never fires proves nothing. */
	ck_assert_msg(struck * 2 >= runs && (runs > 0 || points == 0),
	    "%s: %llu of %llu faults of kind %s struck", w->story->name, (unsigned long long)struck,
	    (unsigned long long)runs, kind->name);
}

static bool
alone(struct walk *w)
{
	const char *text = getenv("SKERRY_FAULTS");
	char story[32], name[32];
	unsigned long long point;

	if (text == NULL || sscanf(text, "%31[^:]:%31[^:]:%llu", story, name, &point) != 3)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds) && strcmp(story, w->story->name) == 0; i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		fork_point(w->scene, w->story, &kinds[i], UINT64_MAX, NULL, w->usual);
		run_point(w->scene, w->story, &kinds[i], point, w->usual, w->out);
		ck_assert_str_eq(w->out->wrong, "");
	}
	return true;
}

void
countdown_walk(const struct story *story)
{
	struct scene s = { .nodes = story->nodes, .dead = SIZE_MAX };
	struct walk w = { .story = story, .scene = &s };
	struct outcome *shared = mmap(
	    NULL, 2 * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(shared != MAP_FAILED);
	w.usual = &shared[0];
	w.out = &shared[1];
	s.w = world_new(&(struct world_opts){
	    .seed = SEED, .nodes = story->nodes, .code = { 2, 3, 4 }, .segment_bytes = MIB(1) });
	story->prepare(&s);
	ck_assert_str_eq(s.wrong, "");
	if (!alone(&w)) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			walk_kind(&w, &kinds[i]);
	}
	world_free(s.w);
	ck_assert_msg(w.broken == 0, "%s: %llu faults broke a promise, see above", story->name,
	    (unsigned long long)w.broken);
	munmap(shared, 2 * sizeof(*shared));
}
