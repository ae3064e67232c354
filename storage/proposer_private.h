/* Shared by proposer.c and proposer_answer.c only: rounds, and what follows from them. */
#ifndef STORAGE_PROPOSER_PRIVATE_H
#define STORAGE_PROPOSER_PRIVATE_H

#include "storage/proposer.h"

static inline uint8_t
proposer_everyone(const struct proposer *p)
{
	return (uint8_t)((1u << p->conf.anchors_count) - 1);
}

static inline struct hash
proposer_initial(const struct proposer *p)
{
	return p->handed ? p->handover.stop.head : (struct hash){ { 0 } };
}

void proposer_ask(struct proposer *p, uint8_t to, struct proposer_out *out);
void proposer_tell_handover(const struct proposer *p, uint8_t to, struct proposer_out *out);
void proposer_begin(
    struct proposer *p, enum proposer_phase phase, uint64_t now, struct proposer_out *out);
void proposer_propose(struct proposer *p, enum proposer_phase phase, const struct value *v,
    uint64_t now, struct proposer_out *out);
/* Those who were read differ: again, if what they have changes; else only a round can tell. */
void proposer_differ(struct proposer *p, uint64_t now, struct proposer_out *out);
void proposer_back_off(struct proposer *p, uint64_t now, uint64_t random);
void proposer_move(struct proposer *p, const struct handover *l, const struct value *head,
    uint64_t now, struct proposer_out *out);
void proposer_committed(struct proposer *p, const struct value *v, const struct ballot *b,
    uint8_t who, uint64_t now, struct proposer_out *out);
void proposer_finish(struct proposer *p, enum proposer_outcome o, struct proposer_out *out);

#endif
