/*
 * Leases of all chunks of a thing, after it was written: prolonged, locked, or ended. Some chunks
 * at once, each told to its holders; those of its list behind the others, the top one last: so what
 * was broken off can be done again from the same place.
 */
#ifndef OBJECT_LEASES_H
#define OBJECT_LEASES_H

#include "object/content.h"

struct leases_opts {
	struct files *files;
	struct lease_signer signer;
	uint64_t until;      /* unix seconds; 0: deleted, which is final */
	uint64_t lock_until; /* a lock can only be raised; 0: as it is */
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* loop; may be NULL */
	void *arg;
};
/*
 * above: the chunks of the list, the top one first; NULL or empty: there are none. As
 * file_set_lease() in files.h: ERR_UNREACHABLE when some chunk has no live holder.
 */
SUSPENDS int leases_set(const struct leases_opts *opts, const struct manifest *m,
    const struct manifest *above, struct file_lease_result *out);
/* Of a content; ERR_OK and nothing told of one that has no chunk. A pack's as a whole. */
SUSPENDS int content_set_lease(
    const struct leases_opts *opts, const struct content *c, struct file_lease_result *out);

#endif
