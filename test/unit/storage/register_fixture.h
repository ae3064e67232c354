/*
 * What the tests of the head register share: members with plain keys, and a book of all heads that
 * were ever made, in which a head's mutations are found by walking to its beginning. Nothing is
 * signed here: the rules see messages that were checked before.
 */
#ifndef TEST_UNIT_STORAGE_REGISTER_FIXTURE_H
#define TEST_UNIT_STORAGE_REGISTER_FIXTURE_H

#include "storage/acceptor.h"
#include "storage/proposer.h"

#define FIXTURE_HEADS_MAX 65536

/* One mutation: who, in which life, which operation. 0: none. */
static inline uint32_t
fixture_mark(uint8_t writer, uint8_t life, uint8_t op)
{
	return 1u << 24 | (uint32_t)writer << 16 | (uint32_t)life << 8 | op;
}

struct fixture_head {
	struct hash id;
	uint32_t mark;
	uint32_t before; /* index; 0: the first */
	uint64_t seq;
};
struct fixture_book {
	struct fixture_head at[FIXTURE_HEADS_MAX]; /* [0] is the empty register */
	uint32_t count;
	uint32_t bucket[2 * FIXTURE_HEADS_MAX]; /* index of a head, by its id */
};

void fixture_anchor(uint8_t i, struct anchor *out);
struct pubkey fixture_writer(uint8_t i);
/* Anchors 0 … n−1, and so many writers. */
void fixture_charter(uint8_t anchors, uint8_t writers, struct charter *out);
/* The configuration after c, with anchor `fresh` in the place of `old`. */
void fixture_next(
    const struct configuration *c, uint8_t old, uint8_t fresh, struct configuration *out);

/* The head after base that does one mutation. The same question has the same answer. */
void fixture_make(struct fixture_book *book, const struct charter *c, const struct value *base,
    uint8_t writer, uint32_t mark, struct value *out);
/* A stop on base's head. */
void fixture_stop(const struct charter *c, const struct value *base,
    const struct configuration *next, struct value *out);
uint32_t fixture_find(const struct fixture_book *book, const struct hash *id);
bool fixture_has(const struct fixture_book *book, uint32_t head, uint32_t mark);

#endif
