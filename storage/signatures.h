/*
 * Signatures that were good before. All anchors of a register show the same head under the same
 * signatures, with every read and every commit; what was found good once, of the same bytes by the
 * same key, is so again. Known by a hash of all three, so nothing else passes for it; what was bad
 * is not remembered. Pure; a worker has a copy of its own, which is joined on the loop thread.
 */
#ifndef STORAGE_SIGNATURES_H
#define STORAGE_SIGNATURES_H

#include "overlay/base/crypto.h"

/* A head and its accept, of the last few writes of writers that take turns; 256 bytes. */
#define SIGNATURES_KNOWN 8

struct signatures { /* all zero: empty */
	struct hash known[SIGNATURES_KNOWN];
	uint8_t count, next; /* next: to be given up */
	uint64_t checked;    /* so many were worked out */
};
/* As crypto_verify(); s NULL: each is worked out. */
bool signatures_good(
    struct signatures *s, const struct sig *sig, const struct pubkey *by, struct bytes text);
/* Back from a worker: what is known there, and what it has checked since its copy was made. */
void signatures_join(struct signatures *s, const struct signatures *from);

#endif
