/*
 * A network that is years old, at once: every node that is up gets the table which such a network
 * would have given it. For each bucket the members (and the dead ones that a real table still
 * names) whose id has just that prefix: all, where a bucket holds them, else a choice
 * that prefers the near ones as the table does, since old contacts stay while they answer.
 */
#include <stdlib.h>

#include "dht/table.h"
#include "sim/fleet_private.h"
#include "sim/user.h"

#define PPM       1000000
/* As many are offered as a bucket and its spares hold. */
#define OFFERED   (TABLE_BUCKET + TABLE_SPARES)
/* A place in a bucket went to the better of so many that came along in years. */
#define CHOSEN_OF 2

struct seeding {
	struct fleet *f;
	struct oracle
	    all; /* members that are up, and ghosts: member numbers from `ghosts_from` on */
	uint32_t ghosts_from;
	struct contact *ghosts;
	struct sim_place *ghost_places;
	struct sim_random random;
};

/* Contacts of peers that are dead for good and still in tables. */
static void
make_ghosts(struct seeding *s, size_t count)
{
	struct fleet *f = s->f;

	s->ghosts = calloc(MAX(count, (size_t)1), sizeof(*s->ghosts));
	s->ghost_places = calloc(MAX(count, (size_t)1), sizeof(*s->ghost_places));
	must(s->ghosts != NULL && s->ghost_places != NULL);
	for (size_t i = 0; i < count; i++) {
		struct addr addr =
		    sim_addr((uint32_t)(f->opts.members + FLEET_SYBILS_MAX + 1 + i), FLEET_PORT);
		struct identity who;

		fleet_identity(f, UINT32_MAX / 2 + (uint32_t)i, 0, &who);
		contact_init(&s->ghosts[i], &who.pub, &addr);
		identity_wipe(&who);
		s->ghost_places[i].region = (uint8_t)sim_draw_region(&s->random);
		s->ghost_places[i].access_ns = sim_draw_access(&s->random);
	}
}

/* Who is away and was a server: others may still name it. */
static bool
is_missed(const struct member *m)
{
	return m->state != MEMBER_UP && m->nat == SIM_NAT_NONE;
}

/* At most cap of the absent, any of them; how many. */
static size_t
add_missed(struct seeding *s, struct oracle_entry *out, size_t cap)
{
	struct fleet *f = s->f;
	size_t left = 0, count = 0;

	for (size_t i = 0; i < f->count; i++)
		left += is_missed(&f->members[i]);
	for (size_t i = 0; i < f->count && count < cap; i++) {
		const struct member *m = &f->members[i];

		if (is_missed(m) && sim_random_below(&s->random, left--) < cap - count)
			out[count++] =
			    (struct oracle_entry){ .id = m->contact.id, .member = m->index };
	}
	return count;
}

static void
gather(struct seeding *s)
{
	struct fleet *f = s->f;
	uint64_t stale = f->scenario->stale_ppm;
	size_t up = f->oracle.count, dead = (size_t)(up * stale / (PPM - stale)), missed;
	struct oracle_entry *list = calloc(up + dead, sizeof(*list));

	must(list != NULL);
	memcpy(list, f->oracle.at, up * sizeof(*list));
	missed = add_missed(s, list + up, dead);
	make_ghosts(s, dead - missed);
	s->ghosts_from = (uint32_t)f->count;
	for (size_t i = 0; i < dead - missed; i++)
		list[up + missed + i] = (struct oracle_entry){ .id = s->ghosts[i].id,
			.member = s->ghosts_from + (uint32_t)i };
	oracle_fill(&s->all, list, up + dead);
	free(list);
}

static const struct contact *
contact_of(const struct seeding *s, size_t at)
{
	uint32_t n = s->all.at[at].member;

	return n >= s->ghosts_from ? &s->ghosts[n - s->ghosts_from] : &s->f->members[n].contact;
}

static uint64_t
rtt_of(const struct seeding *s, const struct member *m, size_t at)
{
	uint32_t n = s->all.at[at].member;
	const struct sim_place *there =
	    n >= s->ghosts_from ? &s->ghost_places[n - s->ghosts_from] : &s->f->members[n].place;

	return 2 * sim_one_way(s->f->scenario->regions, &m->place, there);
}

/* One of [from, to), the nearest of some. */
static size_t
choose(struct seeding *s, const struct member *m, size_t from, size_t to)
{
	size_t best = from + (size_t)sim_random_below(&s->random, to - from);

	for (int i = 1; i < CHOSEN_OF; i++) {
		size_t other = from + (size_t)sim_random_below(&s->random, to - from);

		if (rtt_of(s, m, other) < rtt_of(s, m, best))
			best = other;
	}
	return best;
}

static void
offer(struct seeding *s, struct member *m, size_t at)
{
	uint32_t n = s->all.at[at].member;
	bool dead = n >= s->ghosts_from || s->f->members[n].state != MEMBER_UP;

	dht_seed_contact(node_dht(m->node), contact_of(s, at), rtt_of(s, m, at), dead);
}

static void
seed_bucket(struct seeding *s, struct member *m, size_t from, size_t to)
{
	if (to - from <= OFFERED) {
		/* From a random one on: where only some fit, they are not those with the smallest
		 * ids. */
		size_t first = to > from ? (size_t)sim_random_below(&s->random, to - from) : 0;

		for (size_t i = 0; i < to - from; i++)
			offer(s, m, from + (first + i) % (to - from));
		return;
	}
	for (size_t i = 0; i < OFFERED; i++)
		offer(s, m, choose(s, m, from, to));
}

static void
seed_member(struct seeding *s, struct member *m)
{
	/* The own entry is the only one that shares all bits. */
	for (unsigned bits = 0; bits < TABLE_BUCKETS_MAX; bits++) {
		size_t from, to;

		oracle_range(&s->all, &m->contact.id, bits, &from, &to);
		seed_bucket(s, m, from, to);
	}
	dht_seed_done(node_dht(m->node), s->f->oracle.count);
}

void
fleet_seed_tables(struct fleet *f)
{
	struct seeding s = { .f = f };

	sim_random_init(&s.random, f->opts.seed, 0x5eed);
	gather(&s);
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];

		if (m->state == MEMBER_UP)
			seed_member(&s, m);
	}
	oracle_fini(&s.all);
	free(s.ghosts);
	free(s.ghost_places);
}

/* ---- who is there ---- */

/* Tasks' stacks are kept for others: as many as are ever needed at once. */
#define START_AT_ONCE 512

struct starting {
	struct fleet *f;
	bool *away; /* by slot */
	uint32_t there;
};

static void
draw_away(struct starting *s)
{
	const struct scenario *sc = s->f->scenario;
	struct sim_random r;

	sim_random_init(&r, s->f->opts.seed, 0xa3a1);
	for (size_t i = 0; i < s->f->count && sc->churn; i++) {
		struct member *m = &s->f->members[i];
		/* Churn begins after the warm-up, and finds them so. */
		uint64_t then = sim_now(s->f->world) + sc->warmup;

		s->away[i] =
		    !lifetime_met(&sc->session, &sc->absence, &r, then, sim_place_zone(&m->place));
		if (s->away[i])
			m->place.access_ns = sim_draw_access(&r); /* until it has its own */
	}
}

/* So many of the first slots that can be reached are there after all. */
static void
need(struct starting *s, size_t slots, size_t count)
{
	size_t there = 0;

	for (size_t i = 0; i < slots; i++)
		there += s->f->members[i].nat == SIM_NAT_NONE && !s->away[i];
	for (size_t i = 0; i < slots && there < count; i++) {
		if (s->f->members[i].nat != SIM_NAT_NONE || !s->away[i])
			continue;
		s->away[i] = false;
		there++;
	}
}

static bool
all_there(void *arg)
{
	const struct starting *s = arg;

	return s->f->up == s->there;
}

void
fleet_start_all(struct fleet *f)
{
	const struct scenario *sc = f->scenario;
	struct starting s = { .f = f, .away = calloc(f->count, sizeof(bool)) };
	struct code_params code =
	    sc->code.n > 0 ? sc->code : code_default(f->count, USER_CHUNK_BYTES);

	must(s.away != NULL);
	draw_away(&s);
	need(&s, MIN(f->count, (size_t)sc->storing), code.n);
	need(&s, f->count, 1);
	f->seeding = true;
	for (size_t i = 0; i < f->count; i++) {
		if (s.away[i])
			continue;
		s.there++;
		fleet_start(&f->members[i]);
		if (s.there % START_AT_ONCE == 0)
			must(sim_run_until(f->world, all_there, &s, MINUTES(5)));
	}
	must(sim_run_until(f->world, all_there, &s, MINUTES(5)));
	f->seeding = false;
	free(s.away);
	fleet_seed_tables(f);
}
