/*
 * What a loss means decides how soon it must be known. Who is silent is asked again after
 * as long as it has been so: a dozen questions find a restart within minutes and cost little of a
 * dead node.
 */
#include "storage/patience.h"

uint64_t
patience_between(uint8_t alive, uint8_t r, uint8_t n, uint64_t grace)
{
	uint64_t every = MAX(TOUR_LAZY, grace / QUESTIONS_IN_GRACE);

	if (r + 1 >= n)
		return TOUR_EAGER;
	for (unsigned spare = 1; spare + r < alive && every < TOUR_MOST; spare++)
		every *= 2;
	return MIN(every, MAX(TOUR_MOST, grace / QUESTIONS_IN_GRACE));
}

uint64_t
patience_again(uint64_t silent_for)
{
	return MIN(MAX(silent_for, TOUR_EAGER), AGAIN_MOST);
}

uint8_t
patience_repairs(uint64_t bytes_s, uint64_t claim)
{
	uint64_t least =
	    REPAIR_MOVES / MAX(claim / SECONDS(1), (uint64_t)1); /* for one at a time */

	if (bytes_s == 0 || bytes_s / REPAIRS_AT_ONCE >= least)
		return REPAIRS_AT_ONCE;
	return (uint8_t)MAX(bytes_s / least, (uint64_t)1);
}

bool
patience_seek(uint64_t silent_for, uint64_t since)
{
	return since >= (since == silent_for ? SEEK_AFTER : MAX(SEEK_EVERY, silent_for / 2));
}
