/*
 * What a run of a scenario measured: plain data, filled by the run, read by whoever prints
 * it (JSON, page). Times in ns of simulated time unless a name says otherwise; nothing here
 * decides anything. A result owns nothing but its samples.
 */
#ifndef SIM_RESULT_H
#define SIM_RESULT_H

#include "overlay/base/types.h"
#include "sim/histogram.h"
#include "sim/sim.h"

#define RESULT_SAMPLES                                                                             \
	96              /* moments in a run that are remembered: a point per 8 pixels of a plot    \
			 */
#define RESULT_ALIVE 20 /* chunks by alive − k: < 0, 0, 1 … 17, ≥ 18 */
#define RESULT_NAME  64
#define RESULT_CODES 16 /* the network chooses among a dozen (code_default) */
#define RESULT_MARKS 64 /* faults of the timeline, for the plots */

/* What a node sends, by purpose. */
enum traffic_class {
	TRAFFIC_UPKEEP,  /* pings */
	TRAFFIC_LOOKUP,  /* who is near */
	TRAFFIC_RECORDS, /* records put, asked for, described */
	TRAFFIC_OTHER,   /* other datagrams: addresses, challenges */
	TRAFFIC_STREAMS, /* sessions: shards, leases, hand-shakes */
	TRAFFIC_CLASSES,
};

/* The network at one moment, and what happened since the moment before. */
struct result_sample {
	uint64_t at;
	uint32_t up, offline, gone; /* members; gone: since the beginning */
	uint32_t contacts_mean;     /* in a table */
	uint32_t stale_ppm;         /* of the contacts in tables: not up */
	uint64_t lookups, lookups_failed;
	uint64_t first_p50, first_p95, done_p50, done_p95; /* of these lookups */
	uint32_t recall_ppm;
	uint64_t sent_bytes[TRAFFIC_CLASSES]; /* by all members */
	uint64_t repair_bytes;          /* of the streams: shards read and written by repair */
	uint64_t objects, objects_lost; /* acknowledged so far; of them without k shards anywhere */
	uint64_t chunks[RESULT_ALIVE];  /* by alive − k, alive: on members that are up */
};

struct result_mark { /* a fault of the timeline */
	uint64_t from, to;
	char text[RESULT_NAME];
	const char *kind;
	uint64_t struck; /* members, since it began; of sybils: those placed */
};

/* Lookups made with this many paths while some of the members lie. */
struct result_paths {
	unsigned paths;
	uint64_t lookups, succeeded; /* the closest live honest member was found */
	struct histogram rpcs;
};
#define RESULT_PATHS 3 /* 1, 2 and 4 */

/* How long chunks had few shards alive: ≤ r, ≤ k + 1, ≤ k. */
#define RESULT_RISKS     3
#define RESULT_RISK_BINS 14 /* never, then up to 10 s, three times as long … and longer */
#define RESULT_SPARE     16 /* repairs by alive − k: 0, 1 … */
#define RESULT_TIMES     1000
#define SIM_MONTH_NS     (30.4375 * (double)DAYS(1)) /* a twelfth of a year */

/* What became of the chunks (risk.h), and what arithmetic expects (chain.h). */
struct result_keeping {
	uint64_t pace;         /* times of keeping are so many times shorter than documented */
	uint64_t chunks, lost; /* watched; of them below k on all disks */
	uint64_t watched_ms;   /* all chunks together, until each was lost */
	uint64_t stored_bytes; /* of those that are not lost */
	uint64_t at_risk[RESULT_RISKS][RESULT_RISK_BINS];
	uint64_t repairs, begun; /* from r alive to more; begun by anybody, for anything */
	uint64_t overtakes;      /* begun while one with less to spare waited for the same node */
	uint64_t times[RESULT_TIMES]; /* ns that repairs took, grace included, ascending */
	size_t times_count;
	struct {
		uint64_t begun, waited_ms;
	} by_spare[RESULT_SPARE];
	/* Bytes of shards: over the network, and read by coordinators from their own disks. */
	uint64_t moved_bytes, own_bytes;
	/* Of the samples in which all chunks were old enough for the formula. */
	uint64_t steady_ns, steady_bytes, steady_own_bytes;
	double steady_byte_ns; /* stored */
	/* By arithmetic; 0: lives are not exponential. */
	double rate, rate_slow; /* bytes a ns and byte: B, and with the time that repairs took */
	double cycle_ns, loss_time_ns;
	double course_bytes; /* of the whole run, from whole chunks on */
	double lost_expected;
	double lost_low, lost_high; /* 95 % of the measured count, by its … */
	double lost_dispersion;     /* … variance over Poisson's; 1: nothing to measure it by */
};
/* Bin of a time, and where it ends, ns; UINT64_MAX: the last one does not. */
size_t result_risk_bin(uint64_t ns);
uint64_t result_risk_end(size_t bin);

struct result {
	char scenario[RESULT_NAME];
	uint64_t seed, nodes, span; /* span: simulated ns */
	uint64_t ran;               /* of the span; less of it: interrupted */
	bool interrupted;           /* maybe after the span, while it healed or read back */
	bool stand_in;              /* cryptography of equal size instead of the real one */
	uint32_t liars_ppm;

	uint64_t wall_ms, cpu_ms; /* of the host: from the first event to the last */
	uint64_t setup_cpu_ms;    /* before that */
	uint64_t events, event_hash, events_by_kind[SIM_EVENT_KINDS];
	uint64_t node_ms; /* node-hours, in ms: members that were up, summed over time */
	uint64_t resident_peak_bytes;

	uint64_t lookups, lookups_failed;
	struct histogram lookup_first, lookup_done, lookup_rpcs;
	struct result_paths paths[RESULT_PATHS];
	uint64_t recall_found, recall_true; /* of the true k closest: found, in all */
	uint64_t record_puts, record_puts_failed, record_gets, record_gets_failed;
	/* Of records whose key Sybils surround, while they do; part of no other figure. */
	uint64_t attacked_puts, attacked_puts_failed, attacked_gets, attacked_gets_failed;
	struct histogram put, put_rpcs; /* records into a region: all live closest answered */
	struct histogram record_get;
	uint64_t rpcs_total;

	uint64_t objects_put, objects_refused, objects_got, objects_get_failed;
	uint64_t objects_lost; /* fewer than k shards of a chunk exist anywhere */
	/* In the end: those whose chunks never could be looked up; of the others those that are not
	 * lost; those of them that were read back; … */
	uint64_t objects_unseen, objects_kept, objects_read;
	uint64_t objects_unread; /* … of these: k exist, all members back, still not to be had */
	uint64_t objects_wrong;  /* gets that gave a byte which had not been put: never */
	struct histogram object_put, object_get;

	uint64_t joins, leaves, deaths;
	uint64_t datagrams_sent, datagram_bytes, stream_bytes;
	uint8_t k, r, n; /* n 0: no chunks, or of several codes */
	struct result_code {
		uint8_t k, r, n;
		uint64_t chunks;
	} codes[RESULT_CODES]; /* that chunks really have; more are not told */
	size_t codes_count;
	/* Of the whole span: what keeping.moved_bytes would be by the formula, so without what
	 * coordinators read from own disks; 0: nothing repairs. */
	uint64_t repair_expected_bytes;
	struct result_keeping keeping;

	struct result_sample *samples;
	size_t samples_count;
	struct result_mark marks[RESULT_MARKS];
	size_t marks_count;
};

void result_init(struct result *r);
void result_fini(struct result *r);

/* Over what the samples cover, so that both may be divided: bytes of a class sent by all … */
uint64_t result_sent_bytes(const struct result *r, enum traffic_class class);
/* … and node-hours, in ms: without warm-up and healing, which node_ms may have. */
uint64_t result_sampled_node_ms(const struct result *r);

#endif
