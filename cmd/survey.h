/*
 * What stat and verify know of a file: its facts, every chunk's live pieces, and the peers that
 * hold them with what they say of themselves.
 */
#ifndef CMD_SURVEY_H
#define CMD_SURVEY_H

#include "cmd/client.h"
#include "overlay/peer_record.h"

/* More distinct holders than any sensible file has; further ones are counted, not listed. */
#define SURVEY_PEERS_MAX 4096
#define SURVEY_NOBODY    UINT32_MAX

struct survey_peer {
	struct contact contact;
	uint32_t pieces, live; /* of all chunks */
	bool known;            /* record is there */
	struct peer_record record;
};
struct survey_piece {
	uint32_t peer; /* index; SURVEY_NOBODY: unknown */
	bool live;
};
struct survey_chunk {
	uint64_t number; /* UINT64_MAX: the manifest */
	uint64_t lease_until;
	struct code_params code;
	uint8_t live;
	struct survey_piece *pieces; /* code.n of them */
};
struct survey {
	struct client *c;
	struct file_info info;
	struct survey_chunk *chunks;
	size_t chunks_count, chunks_cap;
	struct survey_peer *peers;
	size_t peers_count, peers_cap;
	bool lost_memory;
	int least; /* smallest live − k */
};

void survey_init(struct survey *s, struct client *c);
void survey_fini(struct survey *s);
/* Surveys all chunks; with peers: asks the live holders what they say of themselves. */
SUSPENDS int survey_run(
    struct survey *s, const struct link *link, bool peers, struct file_missing *missing);
/* Of the chunk that one country, else one operator, holds most of. */
void survey_report(const struct survey *s, struct placement_report *out);
/* How many chunks have fewer than n, or fewer than k, live pieces. */
void survey_count(const struct survey *s, size_t *not_whole, size_t *lost);
/* Earliest end of any live piece's lease, Unix seconds; 0: unknown. */
uint64_t survey_until(const struct survey *s);

#endif
