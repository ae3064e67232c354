/*
 * Rot: one bit of a node's segment files turns, at a place chosen by seed, while the node runs or
 * before it starts again. A run for each place, as a child of one prepared network (countdown.h has
 * the reason). Behind each: every file that a fresh client reads is right, what was deleted stays
 * deleted, all shards are alive again, and every one of the node verifies.
 *
 * Said at the end: how many were found by whom. Every flip of a byte that counts in a live shard
 * must have been found; one in the zeros that fill a block, or in what is dead, harms nobody.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay/base/crypto_stand_in.h"
#include "storage/store_walk.h"
#include "test/scenario/countdown.h"
#include "test/scenario/ground.h"
#include "test/unit/suite.h"

#define NODES      4
#define VICTIM     2
#define FLIPS_ALL  1000
#define FLIPS_SOME 50
#define STORE_DIR  "/node/store"

enum finder { F_NOBODY, F_READ, F_SCRUB, F_START, FINDERS };

static const char *const region_names[] = { "segment header", "header", "payload", "trailer",
	"records", "filling" };
static const char *const finder_names[] = { "nobody", "a read", "scrub", "start" };

struct result {
	bool ended, live;
	enum region region;
	enum finder finder;
	char wrong[400];
};

struct listing {
	struct ground *ground;
	struct store *store;
};

static int
list_live(void *arg)
{
	struct listing *l = arg;
	struct ground *g = l->ground;
	struct shard_walk walk = { .ended = false };
	struct shard_name names[SHARDS_MAX];
	size_t count;

	while (
	    store_list(l->store, &walk, names, ARRAY_LEN(names), &count) == ERR_OK && count > 0) {
		for (size_t i = 0; i < count && g->live_count < LIVE_MAX; i++) {
			if (g->live_count == 0 ||
			    !hash_equal(&names[i].chunk, &g->live[g->live_count - 1]))
				g->live[g->live_count++] = names[i].chunk;
		}
	}
	return ERR_OK;
}

/* ---- one flip ---- */

/* Every file, by somebody who knows nothing; wrong bytes end the test inside. */
static bool
read_all(struct scene *s)
{
	world_new_client(s->w);
	for (size_t i = 0; s->kept[i] != NULL; i++) {
		int err = world_get(s->w, s->kept[i], NULL);

		if (err != ERR_OK)
			scene_wrong(s, "%s: %s", s->kept[i], err_text(err));
	}
	return world_blames(s->w, VICTIM) > 0;
}

/* Until all has been read by the scrub (it may have been half-way round), and whatever it found has
 * been repaired. */
static uint64_t
scrub_all(struct scene *s)
{
	struct keeper_status status;
	uint64_t end = sim_now(world_sim(s->w)) + HOURS(12), tours;

	status = world_keeper_status(s->w, VICTIM);
	tours = status.scrub_tours + 2;
	do {
		sim_run_for(world_sim(s->w), MINUTES(5));
		status = world_keeper_status(s->w, VICTIM);
	} while (status.scrub_tours < tours && sim_now(world_sim(s->w)) < end);
	while (world_shards_of_all(s->w) != s->shards_expected && sim_now(world_sim(s->w)) < end)
		sim_run_for(world_sim(s->w), MINUTES(1));
	if (status.scrub_tours < tours)
		scene_wrong(s, "the scrub did not come round");
	if (world_shards_of_all(s->w) != s->shards_expected)
		scene_wrong(s, "%llu shards, %llu expected",
		    (unsigned long long)world_shards_of_all(s->w),
		    (unsigned long long)s->shards_expected);
	return status.scrub_rot;
}

static void
run_flip(struct scene *s, struct ground *g, uint64_t number, struct result *out)
{
	struct sim_random r;
	const struct stretch *at;
	uint64_t offset;
	bool restart, by_read;

	sim_random_init(&r, number, 1);
	at = ground_choose(g, &r, number);
	offset = at->from + sim_random_below(&r, at->bytes);
	restart = sim_random_chance(&r, 500000);
	out->region = at->region;
	out->live = at->live;
	must(sim_disk_flip(g->disk, at->path, offset, (unsigned)sim_random_below(&r, 8)) == ERR_OK);
	if (restart)
		world_restart(s->w, VICTIM);
	/* What the start has not taken over is not there, or waits for its proof. */
	if (world_shards(s->w, VICTIM) < s->receipts)
		out->finder = F_START;
	by_read =
	    read_all(s) || (out->finder == F_NOBODY && world_shards(s->w, VICTIM) < s->receipts);
	if (scrub_all(s) > 0)
		out->finder = F_SCRUB;
	if (by_read)
		out->finder = F_READ;
	if (!scene_sound(s))
		scene_wrong(s, "a shard is still bad");
	(void)read_all(s);
	if (s->wrong[0] != '\0')
		snprintf(out->wrong, sizeof(out->wrong), "%s+%llu (%s, %s): %.150s", at->path,
		    (unsigned long long)offset, region_names[at->region],
		    restart ? "restarted" : "running", s->wrong);
	out->ended = true;
}

static void
fork_flip(struct scene *s, struct ground *g, uint64_t number, struct result *out)
{
	int status = 0;
	pid_t pid;

	memset(out, 0, sizeof(*out));
	fflush(stdout);
	fflush(stderr);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		run_flip(s, g, number, out);
		world_free(s->w);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (out->wrong[0] == '\0' && (!out->ended || status != 0))
		snprintf(out->wrong, sizeof(out->wrong), "ended with status %x", (unsigned)status);
}

/* ---- the whole ---- */

static void
prepare(struct scene *s)
{
	s->nodes = NODES;
	s->victim = VICTIM;
	s->w = world_new(&(struct world_opts){
	    .seed = 11, .nodes = NODES, .code = { 2, 3, 4 }, .segment_bytes = MIB(1) });
	world_put_ok(s->w, "large", 500000);
	world_put_ok(s->w, "goes", 400000);
	world_put_ok(s->w, "small", 7000);
	s->kept[0] = "large";
	s->kept[1] = "small";
	sim_run_for(world_sim(s->w), SECONDS(10));
	ck_assert_int_eq(world_delete(s->w, "goes"), ERR_OK);
	sim_run_for(world_sim(s->w), SECONDS(60));
	s->shards_expected = world_shards_of_all(s->w);
	s->receipts = world_shards(s->w, VICTIM);
	ck_assert_uint_eq(s->shards_expected, NODES * s->receipts);
}

static void
find_ground(struct scene *s, struct ground *g)
{
	struct listing l = { g, node_store(world_peer(s->w, VICTIM)) };

	g->disk = world_disk(s->w, VICTIM);
	sim_run_task(world_sim(s->w), world_env(s->w, VICTIM), list_live, &l);
	ck_assert_uint_eq(g->live_count, s->receipts);
	ground_survey(g, STORE_DIR);
}

static void
print_table(uint64_t table[REGIONS][FINDERS])
{
	printf("%-16s", "one bit in");
	for (size_t f = 0; f < FINDERS; f++)
		printf(" %10s", finder_names[f]);
	printf("\n");
	for (size_t i = 0; i < REGIONS; i++) {
		printf("%-16s", region_names[i]);
		for (size_t f = 0; f < FINDERS; f++)
			printf(" %10llu", (unsigned long long)table[i][f]);
		printf("\n");
	}
}

START_TEST(every_flipped_bit_is_found)
{
	const char *text = getenv("SKERRY_FAULTS");
	uint64_t flips = text != NULL && strcmp(text, "all") == 0 ? FLIPS_ALL : FLIPS_SOME;
	uint64_t table[REGIONS][FINDERS] = { { 0 } }, broken = 0, number = 0;
	struct scene s = { .dead = SIZE_MAX };
	struct ground *g = calloc(1, sizeof(*g));
	struct result *r =
	    mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(g != NULL && r != MAP_FAILED);
	prepare(&s);
	find_ground(&s, g);
	/* One alone, for a debugger. */
	if (text != NULL && sscanf(text, "flip:%llu", (unsigned long long *)&number) == 1) {
		run_flip(&s, g, number, r);
		ck_assert_str_eq(r->wrong, "");
		flips = 0;
	}
	for (uint64_t i = 0; i < flips; i++) {
		fork_flip(&s, g, i, r);
		table[r->region][r->finder]++;
		if (r->wrong[0] == '\0' && r->live && r->region != R_FILL && r->finder == F_NOBODY)
			snprintf(r->wrong, sizeof(r->wrong), "nobody found it in a live shard");
		if (r->wrong[0] != '\0') {
			broken++;
			printf("flip:%llu: %s\n", (unsigned long long)i, r->wrong);
		}
	}
	print_table(table);
	fflush(stdout);
	world_free(s.w);
	free(g);
	munmap(r, sizeof(*r));
	ck_assert_uint_eq(broken, 0);
}
END_TEST

/* What the disk refuses for good is lost like what has rotted; the scrub does not stop before it.
 */
START_TEST(an_unreadable_sector_is_repaired)
{
	struct scene s = { .dead = SIZE_MAX };
	struct ground *g = calloc(1, sizeof(*g));
	const struct stretch *at = NULL;

	must(g != NULL);
	prepare(&s);
	find_ground(&s, g);
	for (size_t i = 0; i < g->count; i++) {
		if (g->at[i].live && g->at[i].region == R_PAYLOAD)
			at = &g->at[i];
	}
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sim_disk_bad_sector(g->disk, at->path, at->from + at->bytes / 2), ERR_OK);
	ck_assert_uint_gt(scrub_all(&s), 0);
	ck_assert(scene_sound(&s));
	(void)read_all(&s);
	ck_assert_str_eq(s.wrong, "");
	world_free(s.w);
	free(g);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/bit_flips");

	crypto_use_stand_in(); /* it is the disk that is looked at */

	suite_add(s, "flips", getenv("SKERRY_FAULTS") != NULL ? 3600 : 120,
	    every_flipped_bit_is_found, an_unreadable_sector_is_repaired, NULL);
	return suite_main(s);
}
