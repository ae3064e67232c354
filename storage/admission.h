/*
 * Whose data this node takes, and how much of it: pure but for its counts. By default that of
 * owners who are listed, each up to a quota; an owner shows a grant (grant.h) for the lease key.
 * Strangers are taken where the operator says so, all together up to a share of the capacity, each
 * network up to a share of that, for a month, without locks: what nobody answers for may be let go.
 *
 * Counted is what the tours find (count_begin … count_end) and what has come since; so it is right
 * after a tour whatever was forgotten in between.
 */
#ifndef STORAGE_ADMISSION_H
#define STORAGE_ADMISSION_H

#include "storage/lease.h"

enum accept {
	ACCEPT_ALL,    /* test networks and simulations: no limits at all */
	ACCEPT_ANYONE, /* listed owners, and strangers within their share */
	ACCEPT_OWNERS,
	ACCEPT_NONE, /* keeps what is there */
};

/* Keys to be tried on each grant: a microsecond each. */
#define OWNERS_MAX            64
#define STRANGERS_PERCENT     20
#define STRANGERS_TERM_S      ((uint64_t)30 * 24 * 3600)
/* Of the strangers' share, for one /24 or /64: several have room, none needs many addresses. */
#define STRANGERS_NETWORK_DIV 8
/* Networks that are told apart; more share what the last one has. */
#define NETWORKS_MAX          1024

struct owner_quota {
	struct pubkey owner;
	uint64_t bytes; /* 0: as much as there is */
};

struct admission_opts {
	enum accept accept;
	struct network_id net;
	const struct owner_quota *owners; /* copied */
	size_t owners_count;
	uint64_t capacity;
	uint64_t lock_max_s;
};
struct admission;
int admission_new(const struct admission_opts *opts, struct admission **out); /* gives */
void admission_free(struct admission *a);

/* Who asks for so many bytes more; 0: they are here. */
struct admission_ask {
	const struct pubkey *lease_key;
	const struct lease_note *note; /* the grant; of what is known here also owner and group */
	uint64_t group;                /* addr_group() of who asks; 0: a sibling told */
	uint64_t bytes;
};
struct admitted {
	struct lease_note note; /* as it is to be kept */
	uint64_t term_max_s, lock_max_s;
};
/*
 * ERR_STRANGER: nobody who is accepted vouches; ERR_QUOTA: the share of owner, network or strangers
 * is used up; ERR_BUSY: not counted yet; ERR_REFUSED: nothing is taken.
 */
int admission_admit(
    const struct admission *a, const struct admission_ask *ask, struct admitted *out);

/* ---- counting ---- */
void admission_count_begin(struct admission *a);
/* A shard that is here, under the leases of its chunk. */
void admission_count(
    struct admission *a, const struct lease *leases, size_t count, uint64_t now_s, uint64_t bytes);
void admission_count_end(struct admission *a); /* what was counted holds from now on */
/* One has come. */
void admission_added(struct admission *a, const struct lease_note *note, uint64_t bytes);

/* ---- sight ---- */
struct admission_status {
	enum accept accept;
	size_t owners;
	uint64_t strangers_bytes, strangers_max;
};
void admission_status(const struct admission *a, struct admission_status *out);
/* Used by the owner at this place of the list. */
uint64_t admission_used(const struct admission *a, size_t owner);

#endif
