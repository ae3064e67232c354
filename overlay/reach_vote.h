/*
 * What others say our address is, pure: the last word of each network counts once, so that a
 * crowd in one network has one voice. Ports are not compared: a router may give each
 * connection another.
 */
#ifndef OVERLAY_REACH_VOTE_H
#define OVERLAY_REACH_VOTE_H

#include "overlay/addr.h"

#define REACH_VOTES_MAX 8 /* the latest; a changed address wins after five */

struct reach_votes {
	struct {
		uint64_t voter;
		struct addr seen;
	} votes[REACH_VOTES_MAX]; /* newest first */
	size_t count;
};

/* voter: the group of its address, or another number that names it. */
void reach_votes_add(struct reach_votes *v, uint64_t voter, const struct addr *seen);
/*
 * The address most voters saw, the newest among equals, its port 0. False when nobody spoke, or
 * when two or more did and no two agree.
 */
bool reach_votes_winner(const struct reach_votes *v, struct addr *out);

#endif
