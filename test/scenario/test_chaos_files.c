/*
 * Random stories of whole networks: files go in and out while nodes die, lose power, rot, lag
 * and lose sight of each other. Never more at once than what must be survivable: for each
 * acknowledged file k intact shards of every chunk are on disks that come back. In the end all
 *comes back, and every acknowledged file must, too. What is checked on the way: no wrong byte comes
 *out, refusals end in time and say nothing but that peers are missing, nothing is left over. Not
 * checked: that a put or get succeeds in the middle of the faults.
 *
 *	SKERRY_SEEDS=1000 SKERRY_SEED=1 test/scenario/test_chaos_files
 *
 * runs that many stories beginning with that seed; a failure prints its seed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "sim/spoil.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

#define SEEDS_USUAL  12 /* what a make check has time for */
#define SEED_SECONDS 60 /* of real time for one: many times what it takes, under sanitizers too */
#define FILES_MAX    10
#define NAME_BYTES   32
#define EVENTS_MAX   4 /* faults that strike during one operation */
/* What may be refused when too many are away; anything else is a lie or a mistake. */
#define REFUSE_TIME  SECONDS(30)
#define SEARCH_TIME  SECONDS(20) /* dead nodes are found dead one by one */

enum event_kind { KILL, SILENCE, POWER, DISK_FAULT, CUT, HEAL, LAG, SKEW, EVENT_KINDS };

struct story;

struct event {
	struct story *story;
	struct timer timer;
};

struct story {
	struct world *w;
	uint64_t seed;
	struct sim_random random;
	struct env *director; /* a machine without a node: its timers strike beside all others */
	struct event events[EVENTS_MAX];
	size_t nodes;
	struct code_params code;
	struct addr ips[WORLD_NODES_MAX];
	bool island[WORLD_NODES_MAX]; /* on the other side of the cut */
	bool one_way;
	uint8_t spoiled, spoils_max;
	size_t files;
	uint64_t bytes[FILES_MAX];
	size_t puts_refused, gets, gets_refused;
	uint64_t longest_refusal;
};

static uint64_t
below(struct story *s, uint64_t bound)
{
	return sim_random_below(&s->random, bound);
}

static bool
chance(struct story *s, unsigned percent)
{
	return below(s, 100) < percent;
}

/* For who looks into one story: SKERRY_LOG set. */
#define SAY(s, ...)                                                                                \
	do {                                                                                       \
		if (getenv("SKERRY_LOG") != NULL) {                                                \
			fprintf(stderr, "%9.3f === ", (double)sim_now(world_sim((s)->w)) / 1e9);   \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
		}                                                                                  \
	} while (0)

/* ---- faults ---- */

static bool
on_island(const struct story *s, const struct addr *a)
{
	for (size_t i = 0; i < s->nodes; i++) {
		if (addr_equal(&s->ips[i], a))
			return s->island[i];
	}
	return false; /* clients */
}

static bool
blocked(void *arg, const struct addr *from, const struct addr *to)
{
	const struct story *s = arg;
	bool there = on_island(s, from);

	return there != on_island(s, to) && (there || !s->one_way);
}

static size_t
alive(struct story *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->nodes; i++)
		count += world_alive(s->w, i);
	return count;
}

static void
lag(struct story *s, size_t i)
{
	struct env *env = world_env(s->w, i);

	switch (below(s, 3)) {
	case 0:
		sim_node_work_time(env, WORK_DISK, MILLISECONDS(1 + below(s, 400)));
		break;
	case 1:
		sim_node_work_time(env, WORK_CPU, MILLISECONDS(1 + below(s, 100)));
		break;
	default:
		sim_node_bandwidth(env, KIB(20 + below(s, 1000)), KIB(20 + below(s, 1000)));
	}
}

static void
disk_fault(struct story *s, size_t i, bool crash)
{
	struct sim_disk *d = world_disk(s->w, i);
	struct sim_disk_fault f = {
		.at = sim_disk_points(d) + 1 + below(s, 60),
		.ops = crash ? SIM_DISK_ANY : SIM_DISK_WRITE | SIM_DISK_SYNC,
		.crash = crash,
		.err = chance(s, 50) ? ERR_IO : ERR_NO_SPACE,
	};

	sim_disk_arm(d, &f);
}

/* One fault; allowed at any moment. */
static void
strike_one(struct story *s)
{
	size_t i = (size_t)below(s, s->nodes);
	enum event_kind kind = (enum event_kind)below(s, EVENT_KINDS);

	SAY(s, "strike %d at node %zu", (int)kind, i);
	if (kind == HEAL) {
		sim_partition(world_sim(s->w), NULL, NULL);
		return;
	}
	if (kind == CUT) {
		for (size_t n = 0; n < s->nodes; n++)
			s->island[n] = chance(s, 30);
		s->one_way = chance(s, 30);
		sim_partition(world_sim(s->w), blocked, s);
		return;
	}
	if (!world_alive(s->w, i))
		return;
	if (kind == KILL && alive(s) > 2)
		sim_node_kill(world_env(s->w, i), SIM_KILLED);
	else if (kind == SILENCE && alive(s) > 2)
		sim_node_kill(world_env(s->w, i), SIM_SILENT);
	else if (kind == POWER || kind == DISK_FAULT)
		disk_fault(s, i, kind == POWER);
	else if (kind == LAG)
		lag(s, i);
	else if (kind == SKEW)
		sim_node_clock(world_env(s->w, i), (int64_t)below(s, 1200000) - 600000);
}

static void
event_fire(void *arg)
{
	struct event *e = arg;

	strike_one(e->story);
}

/* Some faults will strike in the next seconds, whatever goes on then. */
static void
events_start(struct story *s)
{
	uint64_t count = below(s, EVENTS_MAX);

	for (size_t i = 0; i < count; i++)
		timer_start(
		    &s->events[i].timer, MILLISECONDS(1 + below(s, chance(s, 50) ? 200 : 8000)));
}

static void
events_stop(struct story *s)
{
	for (size_t i = 0; i < EVENTS_MAX; i++)
		timer_stop(&s->events[i].timer);
}

/* The dead come back: after a kill, or as a loss of power leaves a disk. */
static void
revive(struct story *s, size_t i)
{
	bool power = chance(s, 50);

	SAY(s, "node %zu comes back%s", i, power ? " after a loss of power" : "");
	if (power)
		world_power_loss(s->w, i, sim_random_u64(&s->random));
	else
		world_restart(s->w, i);
}

/* At most as many as every acknowledged chunk can do without: s − k. */
static void
spoil(struct story *s)
{
	size_t i = (size_t)below(s, s->nodes);

	if (s->spoiled < s->spoils_max && world_alive(s->w, i) &&
	    spoil_shards(world_disk(s->w, i), "/node/store") > 0) {
		SAY(s, "node %zu is spoiled", i);
		s->spoiled++;
	}
}

/* ---- operations ---- */

static const char *
name_of(size_t file, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "file-%zu", file);
	return name;
}

static bool
refusal(int err)
{
	return err == ERR_UNREACHABLE || err == ERR_PLACEMENT || err == ERR_NO_NETWORK;
}

static uint64_t
size_of_file(struct story *s)
{
	switch (below(s, 4)) {
	case 0:
		return below(s, 5000);
	case 1:
		return below(s, KIB(300));
	default:
		return below(s, MIB(2));
	}
}

static void
put(struct story *s)
{
	struct file_put_result r;
	char name[NAME_BYTES];
	uint64_t bytes = size_of_file(s);
	struct world_put_opts opts = {
		.name = name_of(s->files, name),
		.bytes = bytes,
		.stream = chance(s, 50),
		.wait_s = chance(s, 30),
	};
	int err;

	if (s->files == FILES_MAX)
		return;
	err = world_put(s->w, &opts, &r);
	SAY(s, "put of %s, %" PRIu64 " bytes: %s, %u placed", name, bytes, err_text(err),
	    r.placed_min);
	if (err == ERR_OK) {
		ck_assert_uint_ge(r.placed_min, code_success(&s->code));
		s->bytes[s->files++] = bytes;
		return;
	}
	ck_assert_msg(refusal(err), "seed %" PRIu64 ": put says %s", s->seed, err_text(err));
	s->puts_refused++;
}

static int
get_somehow(struct story *s, size_t file)
{
	char name[NAME_BYTES];
	uint64_t bytes = s->bytes[file], from;

	name_of(file, name);
	switch (below(s, 3)) {
	case 0:
		return world_get_ordered(s->w, name);
	case 1:
		if (bytes == 0)
			return world_get(s->w, name, NULL);
		from = below(s, bytes);
		return world_get_range(s->w, name, from, from + below(s, KIB(300)));
	default:
		return world_get(s->w, name, NULL);
	}
}

static void
get(struct story *s)
{
	uint64_t began = sim_now(world_sim(s->w)), took;
	int err;

	if (s->files == 0)
		return;
	err = get_somehow(s, (size_t)below(s, s->files));
	SAY(s, "get: %s", err_text(err));
	s->gets++;
	if (err == ERR_OK)
		return;
	took = sim_now(world_sim(s->w)) - began;
	s->gets_refused++;
	s->longest_refusal = MAX(s->longest_refusal, took);
	ck_assert_msg(
	    err == ERR_UNREACHABLE, "seed %" PRIu64 ": get says %s", s->seed, err_text(err));
}

static void
step(struct story *s)
{
	size_t i = (size_t)below(s, s->nodes);
	uint64_t what = below(s, 100);

	events_start(s);
	if (what < 30)
		put(s);
	else if (what < 65)
		get(s);
	else if (what < 75)
		revive(s, i);
	else if (what < 80)
		spoil(s);
	else if (what < 85 && alive(s) > 0) {
		/* A client that finds nobody does not start: it is born on the mainland. */
		events_stop(s);
		sim_partition(world_sim(s->w), NULL, NULL);
		world_new_client(s->w);
	} else {
		sim_run_for(world_sim(s->w), MILLISECONDS(below(s, 20000)));
	}
	events_stop(s);
}

/* ---- the whole ---- */

static void
begin(struct story *s, uint64_t seed)
{
	static const struct code_params codes[] = { { 2, 3, 4 }, { 3, 5, 6 }, { 4, 6, 8 } };
	struct sim_random *r = &s->random;

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	sim_random_init(r, seed, 0x57035);
	s->nodes = (size_t)(6 + below(s, 9));
	s->code = codes[below(s, ARRAY_LEN(codes))];
	s->spoils_max = (uint8_t)(code_success(&s->code) - s->code.k);
	s->w = world_new(&(struct world_opts){
	    .seed = seed,
	    .nodes = s->nodes,
	    .code = s->code,
	    .chunk_bytes = KIB(64) * (1 + below(s, 4)),
	    .regions = chance(s, 50),
	});
	for (size_t i = 0; i < s->nodes; i++)
		s->ips[i] = sim_node_ip(world_env(s->w, i));
	sim_set_faults(world_sim(s->w), &(struct sim_faults){ (uint32_t)below(s, 30000),
					    (uint32_t)below(s, 30000), (uint32_t)below(s, 30000) });
	s->director = sim_node_add(
	    world_sim(s->w), &(struct sim_node_opts){ .ip = sim_addr(3000, 0), .region = 0 });
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		s->events[i].story = s;
		timer_init(&s->events[i].timer, s->director, event_fire, &s->events[i]);
	}
}

/* Everything comes back, and the network has a minute to see it. */
static void
heal(struct story *s)
{
	sim_partition(world_sim(s->w), NULL, NULL);
	sim_set_faults(world_sim(s->w), &(struct sim_faults){ 0 });
	for (size_t i = 0; i < s->nodes; i++)
		sim_disk_arm(world_disk(s->w, i), NULL);
	for (size_t i = 0; i < s->nodes; i++)
		revive(s, i);
	sim_run_for(world_sim(s->w), SECONDS(60));
	world_new_client(s->w);
}

static void
check(struct story *s)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < s->files; i++) {
		int err = world_get_ordered(s->w, name_of(i, name));

		ck_assert_msg(err == ERR_OK, "seed %" PRIu64 ": %s does not come back: %s", s->seed,
		    name, err_text(err));
		ck_assert_int_eq(world_get(s->w, name, NULL), ERR_OK);
	}
	for (size_t i = 0; i < s->nodes; i++) {
		ck_assert_msg(world_store_status(s->w, i).writers == 0,
		    "seed %" PRIu64 ": node %zu has open writers", s->seed, i);
	}
	ck_assert_msg(s->longest_refusal <= REFUSE_TIME + SEARCH_TIME,
	    "seed %" PRIu64 ": a get was refused after %" PRIu64 " ms", s->seed,
	    s->longest_refusal / 1000000);
}

static void
tell(uint64_t seed)
{
	struct story s;
	size_t steps;

	fprintf(stderr, "seed %" PRIu64 ": ", seed);
	begin(&s, seed);
	steps = (size_t)(10 + below(&s, 20));
	for (size_t i = 0; i < steps; i++)
		step(&s);
	heal(&s);
	check(&s);
	fprintf(stderr,
	    "%zu nodes, %u/%u, %zu files (%zu refused), %zu gets (%zu refused, ≤ %" PRIu64
	    " ms), %016" PRIx64 "\n",
	    s.nodes, s.code.k, s.code.n, s.files, s.puts_refused, s.gets, s.gets_refused,
	    s.longest_refusal / 1000000, sim_event_hash(world_sim(s.w)));
	sim_node_remove(s.director);
	world_free(s.w);
}

static uint64_t
number_of(const char *variable, uint64_t usual)
{
	const char *text = getenv(variable);

	return text == NULL ? usual : strtoull(text, NULL, 10);
}

START_TEST(every_acknowledged_file_comes_back)
{
	uint64_t first = number_of("SKERRY_SEED", 1),
		 count = number_of("SKERRY_SEEDS", SEEDS_USUAL);

	for (uint64_t seed = first; seed < first + count; seed++)
		tell(seed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/chaos_files");

	suite_add(s, "chaos", (int)(number_of("SKERRY_SEEDS", SEEDS_USUAL) * SEED_SECONDS),
	    every_acknowledged_file_comes_back, NULL);
	return suite_main(s);
}
