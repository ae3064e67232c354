/* Slots are taken and filled by single exchanges, so no two threads get one context. */
#include "object/aead_pool.h"

#include <stdlib.h>

void
aead_pool_init(struct aead_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++)
		atomic_init(&p->slots[i], NULL);
}

void
aead_pool_fini(struct aead_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++)
		aead_free(atomic_exchange(&p->slots[i], NULL));
}

struct aead *
aead_borrow(struct aead_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++) {
		struct aead *a = atomic_exchange(&p->slots[i], NULL);

		if (a != NULL)
			return a;
	}
	return aead_new();
}

void
aead_return(struct aead_pool *p, struct aead *a)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS && a != NULL; i++) {
		struct aead *none = NULL;

		if (atomic_compare_exchange_strong(&p->slots[i], &none, a))
			a = NULL;
	}
	aead_free(a);
}

static void
scratch_free(uint8_t *data)
{
	if (data != NULL)
		crypto_wipe(data, SCRATCH_BYTES);
	free(data);
}

void
scratch_pool_init(struct scratch_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++)
		atomic_init(&p->slots[i], NULL);
}

void
scratch_pool_fini(struct scratch_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++)
		scratch_free(atomic_exchange(&p->slots[i], NULL));
}

uint8_t *
scratch_borrow(struct scratch_pool *p)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS; i++) {
		uint8_t *data = atomic_exchange(&p->slots[i], NULL);

		if (data != NULL)
			return data;
	}
	return malloc(SCRATCH_BYTES);
}

void
scratch_return(struct scratch_pool *p, uint8_t *data)
{
	for (size_t i = 0; i < AEAD_POOL_SLOTS && data != NULL; i++) {
		uint8_t *none = NULL;

		if (atomic_compare_exchange_strong(&p->slots[i], &none, data))
			data = NULL;
	}
	scratch_free(data);
}
