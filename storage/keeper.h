/*
 * What keeps data alive on one node, without keys and without anybody's order ([8], [10] of the
 * design): it knows what it holds (ledger.h), watches the nodes that hold the rest of the same
 * chunks (neighbours.h), lets go what no lease asks for any more (collect.c), and rebuilds what was
 * lost (repair.h).
 *
 *	tour   store → facts of each chunk → alive, due, lease over? → questions to siblings
 *	ask    HOLDS datagram → lives / silent, has its shard / lost it, other leases
 *	intake what came in (shards, leases, siblings' words) → facts anew
 *
 * Who repairs needs no agreement: the live holder with the lowest H(chunk, node) begins at once,
 * the second after a claim's time without a sign of progress, and so on; two at once cost traffic,
 * never data.
 */
#ifndef STORAGE_KEEPER_H
#define STORAGE_KEEPER_H

#include "dht/dht.h"
#include "storage/admission.h"
#include "storage/chunks.h"
#include "storage/bandwidth.h"
#include "storage/parties.h"
#include "storage/store.h"

struct keeper;

/* What repair may move a second (read and sent together), so that users do not notice it. */
#define REPAIR_BYTES_S MIB(25)

struct keeper_opts {
	struct endpoint *endpoint; /* lent, as the others */
	struct dht *dht;
	struct store *store;
	uint64_t pace;           /* divides all its times on test networks; 0 or 1: as documented */
	uint64_t repair_bytes_s; /* what repair may move a second; 0: REPAIR_BYTES_S */
	struct admission *admission; /* counted on each tour */
	struct bandwidth *bandwidth;
	uint64_t grace; /* a sibling may be silent so long, divided by pace; 0: by the code */
	bool unaudited; /* simulation: audits nobody */
	size_t neighbours_max;     /* 0: NEIGHBOURS_MAX; fewer in tests */
	void (*turned)(void *arg); /* it takes shards from now on, or none any more; may be NULL */
	void *arg;
};
/* Serves HOLDS, LEASES and CLAIM on the endpoint from here on. gives */
int keeper_new(const struct keeper_opts *opts, struct keeper **out);
/* Before it is of use: what was said before the last start holds on, or a warning says why not. */
SUSPENDS void keeper_load(struct keeper *k);
/* told: on the loop, whenever the list of a chunk's siblings has changed. */
void keeper_on_siblings(
    struct keeper *k, void (*told)(void *arg, const struct hash *chunk), void *arg);
void keeper_shutdown(struct keeper *k, void (*done)(void *arg), void *arg);
/* After the endpoint's shutdown, whose methods point here. NULL accepted. */
void keeper_free(struct keeper *k);

/* A shard, lease or sibling of the chunk came: it is looked at soon. */
void keeper_changed(struct keeper *k, const struct hash *chunk);

/* Gives all shards to others and takes none any more; goes on after restarts. See the status. */
int keeper_leave(struct keeper *k);

/*
 * The node may be away until then (agreed unix seconds): no new shards meanwhile, siblings wait
 * with repair (drain.h). Goes on after restarts. ERR_INVALID: over already, or longer than
 * DRAIN_MAX_S.
 */
int keeper_drain(struct keeper *k, uint64_t until_s);
int keeper_drain_cancel(struct keeper *k); /* ERR_OK as well when there is none */
bool keeper_drains(const struct keeper *k);
bool keeper_leaves(const struct keeper *k);
/* What else is here that must go before a leave is done; NULL: nothing. */
void keeper_on_leave(struct keeper *k, size_t (*left)(void *arg), void *arg);
bool keeper_takes_shards(const struct keeper *k); /* neither drains nor leaves */

/* alive − k of 0 … KEEPER_MARGINS−2, and all above in the last; [0] also what is below. */
#define KEEPER_MARGINS 34
struct keeper_status {
	uint64_t chunks;                    /* with a shard here */
	uint64_t by_margin[KEEPER_MARGINS]; /* chunks by alive − k */
	uint64_t unreadable;                /* of those, fewer than k are alive */
	uint64_t due, waiting;              /* to be repaired; of those, for nodes that fit */
	uint64_t running;                   /* repairs under way here */
	uint64_t neighbours, silent, gone;
	uint64_t described;         /* neighbours whose record was seen */
	struct parties_sum parties; /* who alone could stop what; of the last tour */
	uint64_t leases;            /* that run, of the chunks here; of the last tour */
	uint64_t earliest_until;    /* first lease to end, unix seconds; 0: none */
	uint64_t tours, toured_at;  /* env_now scale */
	uint64_t away;              /* of the silent, those who said so */
	uint64_t drain_until;       /* agreed unix seconds; 0: it does not drain */
	uint64_t drain_untold;      /* neighbours that have not heard of it, or of its end */
	bool leaving;
	uint64_t leave_left, leave_total; /* shards that are still here, and were */
	bool paused;                      /* too many vanished at once */
	/* Counters. */
	uint64_t repairs, repairs_failed, shards_rebuilt;
	uint64_t bytes_fetched, bytes_sent; /* by repairs and a leave, those under way too */
	uint64_t repair_rate; /* bytes a second that crossed the network, over the last minute */
	uint64_t
	    bytes_own; /* read by repairs from the own store: the coordinator's shard is one of k */
	uint64_t collected_deleted, collected_expired, duplicates_dropped, denials;
	uint64_t leases_exchanged;
	uint64_t words;                            /* of others, that were looked at */
	uint64_t scrubbed, scrub_rot, scrub_tours; /* shards verified, bad ones, times all round */
	uint64_t scrubbed_at_ms; /* the last shard verified, unix; 0: none since the start */
	uint64_t scrub_shards;   /* of a tour */
	uint64_t scrub_ended_ms; /* the last whole tour, unix; 0: none since the start */
	/* Audits that we made, and those that we answered or had no time for. */
	uint64_t audits, audits_passed, audits_late, audits_failed, audits_unanswered;
	uint64_t audits_answered, audits_busy;
	uint64_t audited_at_s;             /* our last one, unix; 0: none since the start */
	uint64_t nodes_doubted, nodes_out; /* not counters */
};
void keeper_status(const struct keeper *k, struct keeper_status *out);

/* ---- audits ([10]) ---- */
enum audit_result {
	AUDIT_PASSED = 1,
	AUDIT_PASSED_LATE, /* the shard is there, the answer took longer than it needs */
	AUDIT_ENDED,    /* it has the shard no more: the owner had deleted it, or it is elsewhere */
	AUDIT_ADMITTED, /* it says itself that it has not what it should have */
	AUDIT_FORGED,   /* it signed for leaves that are not the shard's */
	AUDIT_BYTES,    /* what came is not what it signed for */
	AUDIT_BUSY,     /* no failure */
	AUDIT_SILENT,
};
#define AUDITS_LISTED 16
struct audit_entry {
	uint64_t ticket; /* of keeper_audit(); 0: on the node's own account */
	int error;       /* the audit could not be made; then only the node is filled in */
	struct contact node;
	struct hash chunk;
	uint8_t index, leaves;
	enum audit_result result; /* 0: kept evidence was fetched */
	uint64_t took;            /* ns */
	uint64_t at_unix_s;
	uint8_t *evidence; /* packed (evidence.h); NULL: none */
	size_t evidence_bytes;
};
/* The newest is 0. NULL: no more. Lent until something else runs. */
const struct audit_entry *keeper_audits(const struct keeper *k, size_t i);
/*
 * Audits a sibling node, whose id begins with those bytes, now; or only fetches the evidence that
 * is kept against whatever node. What comes of it is listed under the ticket. ERR_NOT_FOUND: no
 * such sibling; ERR_INVALID: several; ERR_UNREACHABLE: nobody knows where it is.
 */
struct audit_wish {
	struct bytes id; /* 1 … 32 bytes */
	bool kept;
};
int keeper_audit(struct keeper *k, const struct audit_wish *wish, uint64_t *ticket);
struct node_standing {
	struct contact node;                /* without an address */
	bool out;                           /* its shards count as lost */
	uint32_t score[3], good[3], bad[3]; /* integrity, availability, latency; thousandths */
};
bool keeper_standing(const struct keeper *k, size_t i, struct node_standing *out);
/* What is kept against a node, packed (evidence.h). ERR_NOT_FOUND. */
SUSPENDS int keeper_evidence(struct keeper *k, const struct pubkey *node, struct buf *out);

#endif
