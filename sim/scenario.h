/*
 * A scenario: what a simulated network is like and what happens to it, as a file says it
 * (sim/scenarios/, doc/simulation.md). Text comes in as items "section, key, value" from whoever
 * reads the file; each is checked by itself, and all together by scenario_check. Plain data. How
 * many nodes, how many hours and which seed are no part of a scenario: every one runs with any.
 *
 * Times of faults may be given as a share of the run ("at = 25%"), so that an hour will do.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "overlay/base/types.h"
#include "sim/lifetime.h"
#include "storage/layout.h"

#define SCENARIO_FAULTS_MAX 32
#define SCENARIO_TEXT_MAX   160
#define SCENARIO_ERROR_MAX  256
#define SCENARIO_SYBILS_MAX 256 /* of all faults; each is ground for, up to minutes of a core */

enum fault_kind {
	FAULT_PARTITION, /* a share of the members on an island */
	FAULT_OUTAGE,    /* members of a place fall silent, and come back */
	FAULT_CLOG,      /* lines hold back what they carry, then let it go */
	FAULT_LOSS,      /* more datagrams are lost, everywhere */
	FAULT_KILL,      /* processes end without farewell; they come back at the end of the span */
	FAULT_POWER,     /* the same, and disks lose what was not synced */
	FAULT_GONE,      /* members leave for ever */
	FAULT_DISK_FULL,
	FAULT_DISK_EIO, /* operations fail at a rate */
	FAULT_DISK_SLOW,
	FAULT_DISK_CRASH, /* the machine dies at some write or sync; as power */
	FAULT_DISK_ROT,   /* bits flip */
	FAULT_CPU_SLOW,
	FAULT_CLOCK,  /* wall clocks jump, and stay */
	FAULT_LIE,    /* members begin to lie */
	FAULT_SYBILS, /* liars with ids ground beside a key */
	FAULT_KINDS,
};

struct fault {
	char name[32];
	enum fault_kind kind;
	uint64_t at, span;         /* ns; or, where … */
	uint32_t at_ppm, span_ppm; /* … not UINT32_MAX, a share of the run */
	uint32_t share_ppm;        /* of the members it may strike */
	uint64_t count;            /* how many instead of a share; 0: the share */
	uint32_t rate_ppm;         /* loss, failing operations */
	int64_t jump_ms;           /* of clocks */
	bool one_way;
	char where[32]; /* "country DE", "region eu", "as 3", "net24"; empty: anywhere */
	unsigned lies;  /* enum liar_kind */
	uint32_t said;  /* keys that a file gave, as bits: not all concern each kind */
};

struct scenario {
	char name[64];
	char about[SCENARIO_TEXT_MAX];

	/* [network] */
	bool regions;
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm;
	uint32_t nat_cone_ppm, nat_symmetric_ppm; /* shares of members behind such routers */
	uint64_t up_bytes_s, down_bytes_s;        /* 0: unlimited */

	/* [nodes] */
	uint64_t storing; /* at most so many of them keep shards; the others only find */
	uint64_t capacity_bytes;
	uint64_t per_net24;      /* members that share a /24, and with it country and provider */
	uint32_t stale_ppm;      /* of the contacts in tables at the beginning that are dead */
	struct code_params code; /* k 0: by the size of the network */
	uint64_t book;           /* entries of a node's peer book; 0: by the number of nodes */
	uint64_t clock_skew_ms;  /* wall clocks are off by up to so much */
	uint32_t clock_drift_ppm;
	uint64_t warmup;         /* before anything is measured */
	uint64_t pace;           /* divides upkeep intervals; 1: as on a real network */
	uint64_t repair_pace;    /* of what keeps chunks alive; 0: as pace */
	uint64_t repair_bytes_s; /* what one repairs a second; 0: as documented */
	uint64_t grace;          /* before repair_pace divides it; 0: by the code */
	uint64_t calm;           /* multiplies upkeep intervals */
	bool announce;           /* where chunks lie is published */
	bool tell_place;         /* peers say in which country and region they stand */
	bool audits;

	/* [churn] */
	bool churn;
	struct lifetime session, absence, life; /* kind LIFETIME_NONE: does not end */
	uint32_t crash_ppm; /* of the ends of sessions that come without farewell */

	/* [workload], per hour and whole network, so that it does not grow with the nodes */
	uint64_t lookups_per_hour, record_puts_per_hour, record_gets_per_hour;
	uint64_t object_puts_per_hour, object_gets_per_hour;
	uint64_t object_least,
	    object_most; /* bytes; sizes are drawn with equal weight per factor 2 */
	uint64_t objects_max;
	bool replace_lost; /* for a lost object a new one is put */
	uint64_t users;    /* clients that put and get objects */
	bool all_paths;    /* lookups take 1, 2 and 4 paths in turn; else 2 */

	/* [liars] from the beginning */
	uint32_t liars_ppm;
	unsigned lies;
	uint32_t lie_rate_ppm;

	struct fault faults[SCENARIO_FAULTS_MAX];
	size_t faults_count;
};

void scenario_init(struct scenario *s); /* the default network, nothing happens */
/*
 * One line of a file: section is "nodes" or "fault NAME". ERR_INVALID: error says what is wrong and
 * what would be right.
 */
int scenario_set(struct scenario *s, const char *section, const char *key, const char *value,
    char error[SCENARIO_ERROR_MAX]);
/* Whether it makes sense as a whole. ERR_INVALID. */
int scenario_check(const struct scenario *s, char error[SCENARIO_ERROR_MAX]);
/* Whether each fault begins within a run of this length. ERR_INVALID. */
int scenario_fits(const struct scenario *s, uint64_t run, char error[SCENARIO_ERROR_MAX]);
/* One value from text "section.key = value", for --set. */
int scenario_set_text(struct scenario *s, const char *text, char error[SCENARIO_ERROR_MAX]);
/* By how much the times of repair and scrub are divided. */
uint64_t scenario_repair_pace(const struct scenario *s);
/* When a fault begins and ends in a run of this length. */
void scenario_fault_span(const struct fault *f, uint64_t run, uint64_t *from, uint64_t *to);
const char *scenario_fault_name(enum fault_kind kind);
/* Whether a key of a fault means anything to its kind. */
bool scenario_fault_heeds(enum fault_kind kind, const char *key);
/* A key that was said of a fault and that its kind does not heed; NULL: there is none. */
const char *scenario_fault_unheeded(const struct fault *f);
/* Every key with its section, meaning and what would be right, for help and the manual. */
size_t scenario_keys(void);
void scenario_key(size_t i, const char **section, const char **key, const char **right);

#endif
