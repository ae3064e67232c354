/*
 * Candidates live in slots that never move, because requests under way point at them; order
 * lists the slots by distance. A slot is reused only when its candidate was never asked or
 * has failed. All walks are over ≤ LOOKUP_CANDIDATES_MAX entries; nothing can fail.
 */
#include "dht/lookup.h"

#include "dht/distance.h"
#include "overlay/base/err.h"

void
lookup_init(struct lookup_state *s, const struct lookup_plan *plan, uint64_t now)
{
	must(plan->want > 0 && plan->want <= LOOKUP_CANDIDATES_MAX / 2);
	must(plan->paths > 0 && plan->paths <= LOOKUP_PATHS_MAX && plan->alpha > 0);
	s->target = plan->target;
	s->self = plan->self;
	s->want = plan->want;
	s->paths = plan->paths;
	s->alpha = plan->alpha;
	s->first_only = plan->first_only;
	s->hasty = plan->hasty;
	s->ip_limits = plan->ip_limits;
	s->started = now;
	s->asked = s->failed = 0;
	s->count = 0;
	s->seeds = 0;
	memset(s->known, 0, sizeof(s->known));
}

static uint64_t
pub_top(const struct pubkey *pub)
{
	uint64_t top;

	memcpy(&top, pub->b, sizeof(top));
	return top;
}

bool
lookup_known(const struct lookup_state *s, const struct pubkey *pub)
{
	uint64_t top = pub_top(pub);

	if ((s->known[top % LOOKUP_KNOWN_BITS / 64] >> top % 64 & 1) == 0)
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (s->pub_tops[i] == top && pubkey_equal(&s->at[i].contact.pub, pub))
			return true;
	return false;
}

static bool
network_full(const struct lookup_state *s, const struct contact *c)
{
	uint64_t network = addr_group(&c->addr);
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += s->at[i].network == network;
	return n >= LOOKUP_PER_NETWORK;
}

/*
 * A slot for a candidate at distance top: a new one, or that of a farther useless one of
 * its path. Paths have equal shares, so that one full of inventions displaces only its own.
 */
static bool
slot_free(struct lookup_state *s, uint64_t top, unsigned path, size_t *slot)
{
	size_t of_path = 0;

	for (size_t i = 0; i < s->count; i++)
		of_path += s->at[i].path == path;
	if (of_path < LOOKUP_CANDIDATES_MAX / s->paths) {
		*slot = s->count;
		return true;
	}
	for (size_t i = s->count; i-- > 0 && s->at[s->order[i]].top > top;) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->path != path || (c->state != CANDIDATE_NEW && c->state != CANDIDATE_FAILED))
			continue;
		*slot = s->order[i];
		s->count--;
		memmove(&s->order[i], &s->order[i + 1], (s->count - i) * sizeof(*s->order));
		return true;
	}
	return false;
}

static void
insert(struct lookup_state *s, const struct contact *c, unsigned path, bool suspect)
{
	uint64_t top = id_distance_top(&s->target, &c->id);
	size_t slot, i;

	if (id_equal(&c->id, &s->self) || lookup_known(s, &c->pub) ||
	    !slot_free(s, top, path, &slot))
		return;
	s->pub_tops[slot] = pub_top(&c->pub);
	s->known[s->pub_tops[slot] % LOOKUP_KNOWN_BITS / 64] |= UINT64_C(1)
								<< s->pub_tops[slot] % 64;
	s->at[slot] = (struct candidate){ .contact = *c,
		.top = top,
		.network = addr_group(&c->addr),
		.state = CANDIDATE_NEW,
		.path = (uint8_t)path,
		.suspect = suspect };
	for (i = s->count; i > 0; i--) {
		const struct candidate *before = &s->at[s->order[i - 1]];

		if (before->top < top ||
		    (before->top == top &&
			id_compare_distance(&s->target, &before->contact.id, &c->id) < 0))
			break;
		s->order[i] = s->order[i - 1];
	}
	s->order[i] = (uint16_t)slot;
	s->count++;
}

void
lookup_seed(struct lookup_state *s, const struct contact *c, bool suspect)
{
	insert(s, c, s->seeds++ % s->paths, suspect);
}

void
lookup_learn(struct lookup_state *s, size_t from, const struct contact *c, bool suspect)
{
	must(from < LOOKUP_CANDIDATES_MAX);
	if (s->ip_limits && network_full(s, c))
		return;
	insert(s, c, s->at[from].path, suspect);
}

/* Still expected to answer: others behind it need not be asked in its stead. */
static bool
holds_place(const struct candidate *c)
{
	return c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED ||
	       c->state == CANDIDATE_ANSWERED;
}

static bool
settled(const struct lookup_state *s)
{
	size_t answered = 0;

	for (size_t i = 0; i < s->count && answered < LOOKUP_SETTLED; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED)
			return false;
		answered += c->state == CANDIDATE_ANSWERED;
	}
	return answered == LOOKUP_SETTLED;
}

bool
lookup_matters(const struct lookup_state *s, size_t slot)
{
	size_t nearer = 0;

	for (size_t i = 0; i < s->count && s->order[i] != slot && nearer < s->want; i++)
		nearer += s->at[s->order[i]].state != CANDIDATE_FAILED;
	return nearer < s->want;
}

/* Few at a time as long as each answer leads on; all that are wanted when they no longer do. */
static bool
path_next(const struct lookup_state *s, unsigned path, size_t most, size_t *slot)
{
	size_t rank = 0, path_rank = 0, asked = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (!holds_place(c))
			continue;
		rank++;
		if (c->path != path)
			continue;
		path_rank++;
		/*
		 * Beyond the wanted nearest of all nobody is asked, except at the very top of a
		 * path: it must go on although another one lists nearer inventions.
		 */
		if (path_rank > s->want || (rank > s->want && path_rank > s->alpha))
			return false;
		if (c->state == CANDIDATE_ASKED && ++asked == most)
			return false;
		if (c->state == CANDIDATE_NEW) {
			*slot = s->order[i];
			return true;
		}
	}
	return false;
}

bool
lookup_next(struct lookup_state *s, uint64_t now, size_t *slot)
{
	size_t most = settled(s) ? s->want : s->alpha;

	for (unsigned path = 0; path < s->paths; path++) {
		struct candidate *c;

		if (!path_next(s, path, most, slot))
			continue;
		c = &s->at[*slot];
		c->state = c->suspect ? CANDIDATE_SLOW : CANDIDATE_ASKED;
		c->asked_at = now;
		s->asked++;
		return true;
	}
	return false;
}

void
lookup_slow(struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	if (s->at[slot].state == CANDIDATE_ASKED)
		s->at[slot].state = CANDIDATE_SLOW;
}

void
lookup_answered(struct lookup_state *s, size_t slot, uint64_t now)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	s->at[slot].state = CANDIDATE_ANSWERED;
	s->at[slot].answered_at = now;
}

void
lookup_failed(struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	if (s->at[slot].state == CANDIDATE_ANSWERED)
		return;
	s->at[slot].state = CANDIDATE_FAILED;
	s->failed++;
}

static uint64_t
presumed_dead_at(const struct candidate *c)
{
	return c->asked_at + (c->suspect ? LOOKUP_SUSPECT_DEAD : LOOKUP_PRESUMED_DEAD);
}

bool
lookup_done(const struct lookup_state *s, uint64_t now)
{
	size_t answered = 0, want = s->first_only ? 1 : s->want;

	for (size_t i = 0; i < s->count && answered < want; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state == CANDIDATE_ANSWERED)
			answered++;
		else if (c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED)
			return false;
		else if (c->state == CANDIDATE_SLOW && now < presumed_dead_at(c) &&
			 !s->first_only && !s->hasty)
			return false;
	}
	if (answered >= want || answered == 0)
		/* With nobody yet, slow ones are all there is: wait for them to fail. */
		return answered > 0 || lookup_wakeup(s, 0) == 0;
	return true;
}

uint64_t
lookup_wakeup(const struct lookup_state *s, uint64_t now)
{
	uint64_t first = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->at[i];
		uint64_t at = presumed_dead_at(c);

		if (c->state == CANDIDATE_SLOW && at > now && (first == 0 || at < first))
			first = at;
	}
	return first;
}

size_t
lookup_closest(const struct lookup_state *s, struct contact *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count && n < cap; i++)
		if (s->at[s->order[i]].state == CANDIDATE_ANSWERED)
			out[n++] = s->at[s->order[i]].contact;
	return n;
}

uint64_t
lookup_first_after(const struct lookup_state *s)
{
	uint64_t first = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->count && n < s->want; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state != CANDIDATE_ANSWERED)
			continue;
		n++;
		if (first == 0 || c->answered_at < first)
			first = c->answered_at;
	}
	return first == 0 ? 0 : first - s->started;
}

const struct contact *
lookup_contact(const struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	return &s->at[slot].contact;
}
