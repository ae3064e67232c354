#include "storage/turns.h"

static uint64_t
between(uint64_t least, uint64_t x, uint64_t most)
{
	return MIN(MAX(x, least), most);
}

static uint64_t
takeover(const struct turns *t)
{
	return t->takeover == 0 ? TURNS_TAKEOVER_NS : t->takeover;
}

static uint64_t
turn(const struct turns *t)
{
	return between(TURNS_MIN_NS, TURNS_WORTH * takeover(t), TURNS_MAX_NS);
}

/* The less, the more of them there were: whose takeovers are slow would else never be next. */
static uint64_t
others_turn(const struct turns *t)
{
	return MAX(turn(t) * 2 / (1 + MAX(t->waited, (uint32_t)1)), TURNS_MIN_NS);
}

static uint64_t
patience(const struct turns *t)
{
	return between(TURNS_MIN_NS, TURNS_WORTH * takeover(t), TURNS_PATIENCE_MAX_NS);
}

static uint64_t
look_after(const struct turns *t)
{
	return between(TURNS_LOOK_MIN_NS, turn(t) / 4, TURNS_LOOK_MAX_NS);
}

void
turns_begin(struct turns *t, uint64_t now)
{
	if (t->began == 0)
		t->began = MAX(now, (uint64_t)1);
}

void
turns_end(struct turns *t, bool committed, uint64_t now)
{
	uint64_t took = MIN(now - t->began, TURNS_TAKEOVER_MAX_NS);

	if (committed) {
		t->waited = 0;
		memset(
		    &t->rival, 0, sizeof(t->rival)); /* whoever comes next has a turn of its own */
	}
	if (committed && t->began != 0)
		t->takeover = t->takeover == 0 ? took : (3 * t->takeover + took) / 4;
	t->began = 0;
}

/* Somebody else's ballot is the highest. */
static void
meet(struct turns *t, const struct ballot *b, uint64_t now, uint64_t random)
{
	uint64_t step = takeover(t);
	bool same = pubkey_equal(&b->writer, &t->rival.writer) && b->session == t->rival.session;

	if (ballot_compare(b, &t->rival) <= 0)
		return;
	t->rival = *b;
	/* One that has taken another ballot for itself is no later rival. */
	if (same && now - t->seen < TURNS_FORGET_NS)
		return;
	t->met = now;
	t->commits = 0;
	/* The longer it waits, the earlier; takeovers apart, or one would end another's. */
	if (t->waited == 0)
		t->share = 2 * step + random % (step + 1);
	else if (t->waited == 1)
		t->share = step / 2 + random % (step / 2 + 1);
	else
		t->share = random % (step / 4 + 1);
	t->waited++;
}

uint64_t
turns_lost(struct turns *t, const struct ballot *by, uint64_t now, uint64_t random)
{
	/* Too slow by what is known of it so far: others must be given as long. */
	if (t->began != 0)
		t->takeover = MAX(takeover(t), MIN(now - t->began, TURNS_TAKEOVER_MAX_NS));
	t->began = 0;
	t->lost = MAX(now, (uint64_t)1);
	meet(t, by, now, random);
	t->seen = now;
	return now; /* what the next look is compared with */
}

uint64_t
turns_look(struct turns *t, const struct turns_sight *s, uint64_t now, uint64_t random)
{
	const struct ballot *top =
	    ballot_compare(&s->promised, &s->accepted) > 0 ? &s->promised : &s->accepted;
	uint64_t until;

	if (s->own)
		return 0;
	meet(t, top, now, random);
	t->seen = now;
	if (s->place != t->place) {
		t->place = s->place;
		t->moved = now;
	}
	if (t->commits == 0 && ballot_compare(&s->accepted, &t->rival) >= 0)
		t->commits = MAX(now, (uint64_t)1);
	if (t->commits == 0)
		until = t->met + patience(t) + t->share;
	else if (now - t->moved >= look_after(t))
		until = now; /* it rests */
	else
		until = t->commits + others_turn(t) + t->share;
	return now >= until ? 0 : MIN(until, now + look_after(t));
}

uint8_t
turns_rank(const struct turns *t)
{
	return (uint8_t)MIN(t->waited, (uint32_t)TURNS_RANK_MAX);
}

bool
turns_crowded(const struct turns *t, uint64_t now)
{
	return t->lost != 0 && now - t->lost < TURNS_FORGET_NS;
}
