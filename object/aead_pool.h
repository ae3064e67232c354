/*
 * AEAD contexts for workers: making one costs more than sealing a block. A worker borrows one for
 * the length of a call. The only thing of this layer that several threads share; lock-free slots.
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

#endif
