/* Shared by register*.c and acceptor*.c only: the texts under signatures. */
#ifndef STORAGE_REGISTER_PRIVATE_H
#define STORAGE_REGISTER_PRIVATE_H

#include "storage/register.h"

#define REGISTER_TEXT_MAX 320

/* What every signed text begins with. */
struct place {
	struct network_id net;
	struct hash bucket;
	uint64_t epoch;
	uint32_t configuration;
	struct ballot ballot;
};

size_t prepare_text(
    const struct place *at, const struct hash *next, uint8_t out[REGISTER_TEXT_MAX]);
size_t accept_text(
    const struct place *at, uint64_t place, const struct hash *id, uint8_t out[REGISTER_TEXT_MAX]);
bool claim_good(const struct place *at, const struct hash *next, const struct claim *c);
/* The claims' signatures, and that the highest was proposed by its ballot's writer. */
bool warrant_good(const struct place *at, const struct hash *next, const struct warrant *w);
/* Also used by acceptor_state.c. */
void warrant_pack(struct packer *p, const struct warrant *w);
int warrant_unpack(
    struct unpacker *u, const struct place *at, const struct hash *next, struct warrant *out);

static inline struct place
message_place(const struct register_message *m, struct network_id net)
{
	return (struct place){ net, m->bucket, m->epoch, m->configuration, m->ballot };
}

/* Zeros: nobody is replaced. */
static inline struct hash
next_id(const struct register_message *m)
{
	return m->replaces ? configuration_id(&m->next) : (struct hash){ { 0 } };
}

#endif
