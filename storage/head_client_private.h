/* Shared by head_client.c (operations) and head_talk.c (what goes out and comes in). */
#ifndef STORAGE_HEAD_CLIENT_PRIVATE_H
#define STORAGE_HEAD_CLIENT_PRIVATE_H

#include "storage/head_client.h"
#include "storage/salvage.h"
#include "storage/shelf.h"
#include "storage/turns.h"

/* Members of now and of before, to whom something is on its way. */
#define HEAD_PEERS_MAX   (3 * ANCHORS_MAX)
/* Questions on their way to one anchor; who is dead gathers no more. */
#define HEAD_FLIGHTS_MAX 4
/* From one question for a committed head's records to the next: as a proposer's round. */
#define TAIL_WAIT        PROPOSER_ROUND_NS
/* The record of the newest head: when the root has moved, but a busy writer moves it each second.
 */
#define KEEP_EVERY       MINUTES(1)

struct head_peer {
	struct pubkey key;
	bool used, known;
	struct contact at;
	unsigned flights;
};

struct head_reader {
	struct wait wait;
	struct head_reader *next;
};

struct head_client {
	struct head_client_opts opts; /* only what is lent */
	struct env *env;
	struct network_id net;
	struct charter charter;
	struct identity writer, finder;
	bool writes, finds;
	struct proposer p;
	struct proposer_out out;
	struct configuration conf; /* p's, at the last look */
	/* The last accept: who is behind is sent its records, also when a quorum has it long. */
	struct register_message last;
	struct hash wanted; /* the tail of another's proposal, which is being asked for */
	struct shelf shelf;
	struct signatures known; /* of what anchors have shown */
	struct head_peer peers[HEAD_PEERS_MAX];
	struct task_group group;
	struct semaphore op; /* one operation at a time */
	struct wait *event;  /* of the task that drives it, and */
	uint64_t sleeps_until;
	struct turns turns; /* beside other writers */
	bool leads_before;  /* when the last operation ended */
	struct ballot by;   /* overtaken: whose */
	bool overtaken;     /* an anchor shows what another has committed over the own ballot */
	bool evaluate, look, done, superseded, following, publishing, keeping;
	enum proposer_outcome outcome;
	/* Readers that wait for a round which has not begun; somebody leads it. */
	bool gathering;
	struct head_reader *readers, *led; /* for the next round; of the one that runs */
	struct value shown;
	uint64_t current_at;
	struct publication *published; /* finds: of the finder's records; shared, or */
	struct publication by_itself;
	bool stale;
	struct head_client_counters counters;
};

enum op_kind { OP_READ, OP_COMMIT, OP_STOP, OP_REPLACE };
struct head_op {
	enum op_kind kind;
	const struct head_decide *decide;
	const struct configuration *next;
	const struct identity *owner;
	uint64_t deadline;
	bool lost; /* the head that it stood on is gone: begin again */
};

/* head_decide.c */
void head_show(struct head_client *hc); /* what is known becomes the view */
void head_view_of(struct head_client *hc, struct head_view *out);
/* Until something happens or the time; ERR_TIMEOUT only for the task's own deadline. */
SUSPENDS int head_wait_until(struct head_client *hc, uint64_t at);
/* The records of the committed head are here. ERR_NOT_FOUND: nobody has them, it has moved on. */
SUSPENDS int head_have_tail(struct head_client *hc, uint64_t deadline);
/* What the caller decides. Any other error than ERR_OK ends the operation. */
SUSPENDS int head_evaluate(struct head_client *hc, struct head_op *op);
/* Another writer has the ballot: whether to take it now. */
SUSPENDS int head_look(struct head_client *hc, const struct head_op *op);

/* head_talk.c */
/* Carries out hc->out; never suspends. */
void head_act(struct head_client *hc);
void head_wake(struct head_client *hc);
/* Asks all for their states with their tails, beside what the proposer asks. */
void head_ask_tails(struct head_client *hc);
/* The finder record, and that of the newest head; in the background, if it is time. */
void head_publish(struct head_client *hc);

#endif
