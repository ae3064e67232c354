/*
 * Everything that DIR/skerry.conf may say, for node and client alike; `skerry node` takes the same
 * as options, which override the file. The file is generated with every key as a comment, by
 * `init` or at a node's first start.
 */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

#include "cmd/options.h"
#include "cmd/values.h"
#include "overlay/base/log.h"
#include "overlay/peer_record.h"

#define SETTINGS_FILE     "skerry.conf"
#define SETTINGS_PORT     7730 /* not assigned by IANA */
/* Enough to be of use, little enough to be no surprise on the disk of who gives no number. */
#define SETTINGS_CAPACITY GIB(10)
/* A second or two of one core for an identity: nothing to who makes one. */
#define SETTINGS_POW_BITS 16
/* As long as a lease: space that is promised anyway. */
#define SETTINGS_LOCK_MAX LEASE_TERM_S
#define SETTINGS_NETWORK  "skerry"

struct settings {
	char network[NETWORK_NAME_MAX];
	uint8_t pow_bits;
	bool test_network; /* loopback addresses count, upkeep is quick, no router is asked */
	bool real_pace;    /* of its upkeep, too */
	struct contact_names bootstraps;
	struct code_params code; /* of `put`; k = 0: by the size of the network */
	struct addr listen;
	struct addr metrics;                 /* family ADDR_NONE: not told */
	bool metrics_public;                 /* … to whoever reaches that address */
	uint64_t capacity;                   /* 0: stores nothing */
	uint64_t reserve;                    /* of the disk, to leave free */
	uint64_t repair_rate;                /* bytes a second; 0: unlimited */
	uint64_t upload_rate, download_rate; /* the same, of pieces and repair together */
	uint64_t lock_max;                   /* seconds: the longest lock that is granted */
	enum accept_word accept;
	struct owner_list owners;
	char country[2];
	char region[PEER_REGION_MAX + 1];
	char operator_file[PATH_BYTES_MAX];
	bool assume_reachable;
	bool port_mapping;
	char user[USER_NAME_MAX + 1];
	enum log_level log_level;
};

extern const struct option settings_options[];

void settings_default(struct settings *s);

#define SETTINGS_ERROR_MAX (PATH_BYTES_MAX + 1024)
/*
 * Reads DIR/skerry.conf over *s. ERR_NOT_FOUND: there is none, *s is untouched; ERR_INVALID and the
 * rest: error says file, line, what is wrong and what would be right. Blocks, as the next does.
 */
int settings_load(const char *dir, struct settings *s, char error[SETTINGS_ERROR_MAX]);
/* Writes DIR/skerry.conf, replacing it; keys with their default are comments. */
int settings_save(const char *dir, const struct settings *s);

#endif
