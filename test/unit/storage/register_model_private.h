/* What register_model.c explores, shared with register_model_reduce.c, which finds states equal. */
#ifndef TEST_UNIT_STORAGE_REGISTER_MODEL_PRIVATE_H
#define TEST_UNIT_STORAGE_REGISTER_MODEL_PRIVATE_H

#include "test/unit/storage/intern.h"
#include "test/unit/storage/register_fixture.h"
#include "test/unit/storage/register_model.h"

enum { NODES = 4, FOUNDERS = 3, SOUP_MAX = 120, NOW_WAKE = 1, NOW_DEADLINE = 2, NONE = -1 };

/* ---- what is interned ---- */

struct node { /* an anchor's disk or memory */
	bool there;
	struct acceptor a;
};
struct client {
	struct proposer p;
	uint8_t life, op; /* op: how many it has begun in all lives */
	char doing;       /* a letter, 0: idle */
	uint8_t floor;    /* the seq that was known to be committed when it began */
};
struct packet {
	bool is_answer;
	uint8_t writer, node; /* node: of an answer */
	struct register_message m;
	struct register_answer a;
};
struct soup {
	uint16_t count;
	uint16_t at[SOUP_MAX];
};

struct state {
	uint32_t node[NODES], disk[NODES], client[MODEL_WRITERS], soup;
	uint32_t top;    /* the highest head that was ever chosen */
	uint32_t failed; /* bit: mark number of an operation that was said to have failed */
	uint8_t restarts, done, zero[2];
};
struct state_key {
	uint64_t a, b;
};
struct came { /* how */
	uint32_t parent;
	uint8_t event, who;
	uint16_t packet, depth;
};
enum event {
	EV_DELIVER = 1,
	EV_ANSWER,
	EV_START,
	EV_TICK,
	EV_TAKE,
	EV_GIVE_UP,
	EV_RESTART,
	EV_CRASH
};

/* What of the interned things decides whether a packet can still do anything. */
struct packet_view {
	bool is_answer;
	uint8_t kind, writer, node;
	struct ballot ballot;
	uint64_t nonce, place;
	uint32_t conf;
	struct hash id;
	uint64_t sum; /* of all but which anchor it is from */
};
struct client_view {
	struct ballot ballot;
	uint64_t nonce;
	uint32_t conf;
	uint8_t phase, answered;
	struct hash pending;
	bool over;          /* it will not begin another operation in this life */
	uint64_t sum;       /* of all but what it knows of single anchors */
	uint64_t of[NODES]; /* and that */
};
struct node_view {
	bool there;
	struct ballot promised, accepted;
	uint64_t place;
	uint32_t conf;
	uint64_t sum; /* of all but which anchor it is */
};

/* What a step led to, kept so that each is computed once. */
struct effect {
	uint32_t next; /* node or client */
	bool synced;
	int32_t sent[4]; /* packets */
	bool done;
	enum proposer_outcome outcome;
	uint32_t head; /* known at the end */
	uint32_t mark;
	uint8_t floor;
	char doing;
};

struct memo {
	uint64_t *keys; /* + 1 */
	uint32_t *values;
	uint32_t room, count;
};

struct model {
	const struct model_bounds *b;
	struct model_result *r;
	struct charter charter;
	struct fixture_book book;
	struct intern nodes, clients, packets, soups;
	struct packet_view *packet_views; /* for each, once it has been looked at */
	struct client_view *client_views[MODEL_WRITERS];
	struct node_view *node_views;
	uint32_t packets_seen, clients_seen, nodes_seen;
	struct memo delivered, answered;
	struct effect *effects;
	uint32_t effects_count, effects_room;
	uint32_t top_before;
	uint16_t left_out; /* the depth from which on states were */
	struct state *states;
	struct state_key *keys;
	struct came *came;
	bool symmetric;
	uint32_t *slots, slots_count, now;
	struct node node;
	struct client client;
	struct packet packet;
	struct register_answer answer;
	struct proposer_out out;
};

static inline uint64_t
model_mix(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
	return x ^ x >> 27;
}

/* An invariant does not hold: the first one is kept, and how it came to that is printed. */
void model_wrong(struct model *m, const char *what);
bool model_is_before(const struct fixture_book *book, uint32_t head, uint32_t of); /* or the same */
/* The invariants. The result: the highest chosen head. */
uint32_t model_soup_check(struct model *m, const struct soup *s);
void model_soup_put(struct model *m, struct state *s, const struct soup *soup);
/*
 * Takes out of the state what can do nothing any more, so that states which differ only in that
 * are one.
 */
void model_forget_inert(struct model *m, struct state *s);
/*
 * Which anchor is which makes no difference as long as none is to be replaced: states that are the
 * same but for that have one key. 128 bits: two different states with one key are not to be
 * expected.
 */
struct state_key model_key(struct model *m, const struct state *s);

#endif
