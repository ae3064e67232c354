/* A short list, newest first. Nothing can fail. */
#include "overlay/reach_vote.h"

static bool
same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

void
reach_votes_add(struct reach_votes *v, uint64_t voter, const struct addr *seen)
{
	size_t at = 0;

	while (at < v->count && v->votes[at].voter != voter)
		at++;
	if (at == v->count && v->count < REACH_VOTES_MAX)
		v->count++;
	if (at == REACH_VOTES_MAX)
		at--;
	memmove(v->votes + 1, v->votes, at * sizeof(*v->votes));
	v->votes[0].voter = voter;
	v->votes[0].seen = *seen;
	v->votes[0].seen.port = 0;
}

bool
reach_votes_winner(const struct reach_votes *v, struct addr *out)
{
	size_t best = 0, best_count = 0;

	for (size_t i = 0; i < v->count; i++) {
		size_t count = 0;

		for (size_t k = 0; k < v->count; k++)
			count += same_host(&v->votes[i].seen, &v->votes[k].seen);
		if (count > best_count) {
			best = i;
			best_count = count;
		}
	}
	if (best_count == 0 || (best_count == 1 && v->count > 1))
		return false;
	*out = v->votes[best].seen;
	return true;
}
