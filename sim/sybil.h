/*
 * Identities ground beside a key: seeds are tried until an id shares enough leading bits with the
 * target. A bit costs twice the tries (25 µs each with the real cryptography).
 */
#ifndef SIM_SYBIL_H
#define SIM_SYBIL_H

#include "overlay/identity.h"

/* ERR_NOT_FOUND after so many tries. The same arguments give the same identity. */
int sybil_grind(
    uint64_t seed, const struct id *target, unsigned bits, uint64_t tries, struct identity *out);

#endif
