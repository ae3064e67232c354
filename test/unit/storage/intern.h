/*
 * Every different string of bytes gets a number, in order of first sight. For exploring states:
 * what is equal is one number, and a state is a few of them. Long runs of zeros cost nothing.
 */
#ifndef TEST_UNIT_STORAGE_INTERN_H
#define TEST_UNIT_STORAGE_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern {
	struct intern_item {
		uint8_t *data;
		uint32_t len;
		uint64_t hash;
	} * at;
	uint32_t count, room;
	uint32_t *slots; /* number + 1; a power of two, at least twice the room */
	uint32_t slots_count;
	size_t bytes;
};

void intern_init(struct intern *n);
void intern_fini(struct intern *n);
/* is_new may be NULL. */
uint32_t intern_put(struct intern *n, const void *data, size_t len, int *is_new);
/* Writes len bytes, as many as were put. */
void intern_get(const struct intern *n, uint32_t number, void *out, size_t len);

#endif
