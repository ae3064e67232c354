/*
 * What an endpoint knows: of peers, of time, of its own work. The third part of
 * endpoint.h, which includes it; include that.
 */
#ifndef OVERLAY_SIGHT_H
#define OVERLAY_SIGHT_H

#include "overlay/endpoint.h"

/* ---- peers: what is known of others ---- */

struct peer_info {
	struct contact contact;
	uint64_t srtt;       /* ns; 0: unknown */
	uint32_t strikes;    /* hard failures since the last answer */
	uint64_t last_heard; /* env_now scale; 0: never */
	uint64_t bytes_in, bytes_out;
	int64_t clock_offset_ms; /* its wall clock minus ours */
	uint32_t blames;         /* wrong bytes and broken promises */
	uint16_t version;        /* protocol version it speaks; 0: unknown */
	bool server, session;
};
bool endpoint_peer(const struct endpoint *ep, const struct pubkey *pub, struct peer_info *out);
/* The little that is asked about each contact of an answer; false: not known. */
struct peer_standing {
	uint32_t strikes;
	bool server;
};
bool endpoint_standing(
    const struct endpoint *ep, const struct pubkey *pub, struct peer_standing *out);
/* At most cap, newest heard first; returns how many. */
size_t endpoint_peers(const struct endpoint *ep, struct peer_info *out, size_t cap);
/* Evidence of a lie (wrong bytes, forged receipt): logged, counted, weighs in choosing. reason is a
 * literal. */
void endpoint_blame(struct endpoint *ep, const struct contact *who, const char *reason);

/* ---- agreed time ([5] Agreed time) ---- */
void endpoint_agreed_time(struct endpoint *ep, struct agreed_time *out);
/* What was saved before a restart (once trusted, any value): guards against going back. */
void endpoint_agreed_time_restore(struct endpoint *ep, uint64_t unix_ms);

/* ---- counters: every refusal is counted under its reason ---- */
/* clang-format off */
#define ENDPOINT_COUNTERS(X)                                                                       \
	X(datagrams_in) X(datagrams_out) X(datagram_bytes_in) X(datagram_bytes_out)                \
	X(requests_in) X(calls) X(calls_answered)                                                  \
	X(drop_malformed) X(drop_network) X(drop_version) X(drop_auth) X(drop_own) X(drop_replay)  \
	X(drop_rate) X(drop_agreement) X(cookies_sent) X(cookies_good) X(cookies_bad)              \
	X(tokens_stale) X(requests_unknown) X(requests_busy)                        \
	X(requests_invalid)                                                                        \
	X(calls_timeout)                                                                           \
	X(sessions_opened) X(sessions_accepted) X(sessions_refused_ip) X(sessions_refused_full)    \
	X(handshakes_failed) X(handshakes_timeout) X(frames_bad) X(streams_refused)                \
	X(session_bytes_in) X(session_bytes_out) X(sessions_idle_closed) X(sessions_deaf_closed)    \
	X(blames)
/* clang-format on */
/* Datagram methods that are told apart below: those of the overlay and the DHT (doc/protocol.md).
 */
#define ENDPOINT_METHODS_COUNTED 40
struct endpoint_counters {
	/* Bytes of requests and answers by method; 0: of other methods, and what has none. */
	uint64_t sent_by_method[ENDPOINT_METHODS_COUNTED];
#define X(name) uint64_t name;
	ENDPOINT_COUNTERS(X)
#undef X
};
const struct endpoint_counters *endpoint_counters(const struct endpoint *ep); /* lends */
/* For status and tests: what is held right now. */
struct endpoint_load {
	size_t sessions, handshakes, streams, calls, peers, tasks;
	size_t bytes; /* of memory, roughly */
};
void endpoint_load(const struct endpoint *ep, struct endpoint_load *out);

#endif
