/*
 * What workers borrow for the length of a call: AEAD contexts, because making one costs more than
 * sealing a block, and scratch memory, because the first use of fresh pages costs more than
 * filling them. The only things of this layer that several threads share; lock-free slots.
 */
#ifndef OBJECT_AEAD_POOL_H
#define OBJECT_AEAD_POOL_H

#include <stdatomic.h>

#include "overlay/base/crypto.h"

/* More than CPU workers on most machines; beyond, contexts are made and freed. */
#define AEAD_POOL_SLOTS 16

struct aead_pool {
	_Atomic(struct aead *) slots[AEAD_POOL_SLOTS];
};

void aead_pool_init(struct aead_pool *p);
void aead_pool_fini(struct aead_pool *p);      /* none is borrowed */
struct aead *aead_borrow(struct aead_pool *p); /* NULL: no memory */
void aead_return(struct aead_pool *p, struct aead *a);

/* Room for what a sink is given at once, opened. Holds plaintext: wiped when it is freed. */
#define SCRATCH_BYTES MIB(1)
struct scratch_pool {
	_Atomic(uint8_t *) slots[AEAD_POOL_SLOTS];
};

void scratch_pool_init(struct scratch_pool *p);
void scratch_pool_fini(struct scratch_pool *p);
uint8_t *scratch_borrow(struct scratch_pool *p); /* SCRATCH_BYTES; NULL: no memory */
void scratch_return(struct scratch_pool *p, uint8_t *data);

#endif
