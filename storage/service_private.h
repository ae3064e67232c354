/*
 * What the files of the service share: service.c (taking shards, assembly), service_give.c (leaves,
 * hashes, what is known of a chunk), service_lease.c (leases, and what is promised).
 */
#ifndef STORAGE_SERVICE_PRIVATE_H
#define STORAGE_SERVICE_PRIVATE_H

#include "storage/admission.h"
#include "storage/announce.h"
#include "storage/keeper.h"
#include "storage/messages.h"
#include "storage/bandwidth.h"
#include "storage/service.h"
#include "storage/transfers.h"

/* Leaves moved per step: 1 MiB keeps the disk busy and a stream's share of memory small. */
#define STEP_LEAVES   16
#define STEP_BYTES    (STEP_LEAVES * LEAF_BYTES)
/* 64 MiB of buffers at most: what a node may use for bulk in flight; beyond, streams wait. */
#define TRANSFERS_MAX 64
/* What must come or go within a stall's time (transfers.h): the slowest honest peer shares a poor
 * line with the lanes of a dozen other nodes, at a few KB/s. */
#define PIECE_BYTES   LEAF_BYTES

struct service {
	struct service_opts opts;
	struct env *env;
	struct network_id net;
	struct transfers *transfers;
	struct announce *announce;
	struct service_counters counters;
};

/* service.c: never longer than the other side shows life */
SUSPENDS int service_give_bytes(struct service *s, struct stream *st, struct bytes data);
SUSPENDS int service_finish(struct service *s, struct stream *st, struct bytes tail);
/* Where the chunk lies is to be published. */
void service_publish(struct service *s, const struct hash *chunk);
/* Something of the chunk came: others are to hear of it. */
void service_changed(struct service *s, const struct hash *chunk);

/* service_give.c: methods; arg: struct service */
SUSPENDS int serve_get(void *arg, struct stream *st, const struct rpc_request *req);
SUSPENDS int serve_hashes(void *arg, struct stream *st, const struct rpc_request *req);
SUSPENDS int serve_have(void *arg, struct stream *st, const struct rpc_request *req);
SUSPENDS int serve_info(void *arg, struct stream *st, const struct rpc_request *req);

/* service_lease.c */
SUSPENDS int serve_lease(void *arg, struct stream *st, const struct rpc_request *req);
/* What is promised now, at most. */
struct lease_terms service_terms(const struct service *s, const struct admitted *to);
SUSPENDS int service_answer_receipt(
    struct service *s, struct stream *st, const struct lease *l, uint8_t index);

#endif
