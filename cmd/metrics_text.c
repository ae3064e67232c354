/* The families, part by part of a node. What does not exist in a node (a store, the time of a first
 * scrub) has no sample, so that nobody takes a zero for a number. */
#include <stdio.h>

#include "cmd/metrics.h"
#include "cmd/prometheus.h"
#include "config.h"
#include "dht/messages.h"
#include "overlay/reach.h"

#define N(name) "skerry_" name

static void
about_text(struct prom *p, const struct metrics_about *about, struct node *node)
{
	const struct prom_label build[] = { { "version", PACKAGE_VERSION },
		{ "network", about->settings->network } };

	prom_family(p, PROM_GAUGE, N("build_info"), "The program and the network it belongs to.");
	prom_sample(p, build, ARRAY_LEN(build), 1);
	prom_gauge_ms(p, N("start_time_seconds"), "When the process started, Unix seconds.",
	    about->started_ms);
	prom_gauge_ms(p, N("uptime_seconds"), "How long it runs.", about->uptime_ms);
	prom_gauge(p, N("up"), "Whether the node runs: 0 while it starts or stops.", node != NULL);
	prom_family(p, PROM_COUNTER, N("log_messages_total"),
	    "Errors and warnings, also those that are not printed.");
	prom_by(p, "level", "error", log_count(about->log, LOG_ERROR));
	prom_by(p, "level", "warning", log_count(about->log, LOG_WARN));
}

static void
store_text(struct prom *p, const struct store *store)
{
	struct store_status s;

	store_status(store, &s);
	prom_gauge(p, N("store_capacity_bytes"), "Disk space that the node gives.", s.capacity);
	prom_gauge(p, N("store_used_bytes"), "Of the capacity, in use.", s.bytes_used);
	prom_gauge(p, N("store_free_bytes"), "Of the capacity, not in use.",
	    s.capacity - MIN(s.capacity, s.bytes_used));
	prom_gauge(p, N("store_dead_bytes"), "Of the used bytes, what compaction can give back.",
	    s.bytes_dead);
	prom_gauge(p, N("store_live_bytes"), "Of the used bytes, what is kept.",
	    s.bytes_used - MIN(s.bytes_used, s.bytes_dead));
	prom_gauge(p, N("store_disk_free_bytes"), "Free on the disk.", s.disk_free);
	prom_gauge(p, N("store_shards"), "Pieces kept.", s.shards);
	prom_gauge(p, N("store_segments"), "Segment files.", s.segments);
	prom_gauge(p, N("store_writers"), "Pieces being written.", s.writers);
	prom_gauge(p, N("store_refusing"), "Whether it takes nothing: full, or the disk failed.",
	    s.refusing);
	prom_counter(p, N("store_commits_total"), "What was made durable.", s.commits);
	prom_counter(p, N("store_syncs_total"), "Syncs of the disk.", s.syncs);
	prom_counter(p, N("store_sync_failures_total"), "Syncs that failed.", s.sync_failures);
	prom_counter(p, N("store_rot_total"), "Pieces and records found bad.", s.rot);
	prom_counter(p, N("compactions_total"), "Segments compacted.", s.compactions);
	prom_counter(p, N("compaction_freed_bytes_total"), "Space given back by compaction.",
	    s.compacted_bytes);
}

static void
service_text(struct prom *p, const struct service *service)
{
	const struct service_counters *c = service_counters(service);

	prom_family(p, PROM_COUNTER, N("puts_total"), "Pieces that others brought.");
	prom_by(p, "result", "kept", c->puts);
	prom_by(p, "result", "refused", c->puts_refused);
	prom_by(p, "result", "failed", c->puts_failed);
	prom_counter(p, N("put_bytes_total"), "Bytes of pieces received.", c->put_bytes);
	prom_family(p, PROM_COUNTER, N("gets_total"), "Reads of pieces that others asked for.");
	prom_by(p, "result", "served", c->gets);
	prom_by(p, "result", "refused", c->gets_refused);
	prom_counter(p, N("get_bytes_total"), "Bytes of pieces sent.", c->get_bytes);
	prom_counter(p, N("proofs_total"), "Requests for the hashes of a piece.", c->proofs);
	prom_family(p, PROM_COUNTER, N("lease_updates_total"), "Leases that others brought.");
	prom_by(p, "result", "kept", c->leases);
	prom_by(p, "result", "refused", c->leases_refused);
	prom_counter(p, N("streams_stalled_total"),
	    "Streams given up because the other side did nothing.", c->stalled);
}

/* ---- what keeps data alive ---- */

static void
margins_text(struct prom *p, const struct keeper_status *s)
{
	char spare[8];

	prom_gauge(p, N("chunks"), "Chunks of which a piece is kept here.", s->chunks);
	prom_family(p, PROM_GAUGE, N("chunks_by_spare"),
	    "Chunks by live pieces beyond those needed; the last one and more.");
	for (size_t i = 0; i < KEEPER_MARGINS; i++) {
		/* The lowest always, for alarms; above, what occurs. */
		if (i > 2 && s->by_margin[i] == 0)
			continue;
		(void)snprintf(spare, sizeof(spare), "%zu", i);
		prom_by(p, "spare", spare, s->by_margin[i]);
	}
	prom_gauge(
	    p, N("chunks_unreadable"), "Chunks with fewer live pieces than needed.", s->unreadable);
	prom_family(p, PROM_GAUGE, N("chunks_stoppable"),
	    "Chunks that one party alone could make unreadable.");
	prom_by(p, "party", "operator", s->parties.stopped[PARTY_OPERATOR]);
	prom_by(p, "party", "network", s->parties.stopped[PARTY_NETWORK]);
	prom_by(p, "party", "country", s->parties.stopped[PARTY_COUNTRY]);
	prom_family(p, PROM_GAUGE, N("chunks_stoppable_by_worst"),
	    "Chunks that the one party that could stop most could.");
	prom_by(p, "party", "operator", s->parties.worst_stops[PARTY_OPERATOR]);
	prom_by(p, "party", "network", s->parties.worst_stops[PARTY_NETWORK]);
	prom_by(p, "party", "country", s->parties.worst_stops[PARTY_COUNTRY]);
	prom_gauge(p, N("leases"), "Leases that run, as of the last tour.", s->leases);
	if (s->earliest_until != 0)
		prom_gauge(p, N("earliest_lease_end_timestamp_seconds"),
		    "When the first chunk's last lease ends, Unix seconds.", s->earliest_until);
}

static void
repair_text(struct prom *p, const struct keeper_status *s)
{
	prom_gauge(p, N("repair_queue_chunks"), "Chunks to be repaired.", s->due);
	prom_gauge(p, N("repair_waiting_chunks"),
	    "Of these, tried and waiting for peers that fit or answer.", s->waiting);
	prom_gauge(p, N("repairs_running"), "Repairs under way here.", s->running);
	prom_gauge(
	    p, N("repair_paused"), "Whether it pauses: many peers vanished at once.", s->paused);
	prom_family(p, PROM_COUNTER, N("repairs_total"), "Repairs that this node tried.");
	prom_by(p, "result", "done", s->repairs);
	prom_by(p, "result", "failed", s->repairs_failed);
	prom_counter(
	    p, N("repair_rebuilt_shards_total"), "Pieces rebuilt here.", s->shards_rebuilt);
	prom_family(
	    p, PROM_COUNTER, N("repair_bytes_total"), "Bytes that repairs and a leave moved.");
	prom_by(p, "direction", "fetched", s->bytes_fetched);
	prom_by(p, "direction", "sent", s->bytes_sent);
	prom_gauge(p, N("draining"), "Whether the node takes no new pieces and may be away.",
	    s->drain_until != 0);
	if (s->drain_until != 0)
		prom_gauge(p, N("drain_end_timestamp_seconds"),
		    "Until when it may be away, Unix seconds.", s->drain_until);
	prom_gauge(p, N("drain_untold_siblings"),
	    "Siblings that have not heard of it, or of its end.", s->drain_untold);
	prom_gauge(p, N("leaving"), "Whether the node gives all to others.", s->leaving);
	prom_gauge(p, N("leave_left_shards"), "Pieces that it still has to give.", s->leave_left);
}

static void
keeper_text(struct prom *p, const struct keeper *keeper)
{
	struct keeper_status s;

	keeper_status(keeper, &s);
	margins_text(p, &s);
	repair_text(p, &s);
	prom_family(p, PROM_COUNTER, N("collected_shards_total"), "Pieces let go.");
	prom_by(p, "reason", "deleted", s.collected_deleted);
	prom_by(p, "reason", "expired", s.collected_expired);
	prom_by(p, "reason", "duplicate", s.duplicates_dropped);
	prom_gauge(p, N("siblings"), "Nodes with pieces of the same chunks.", s.neighbours);
	prom_gauge(
	    p, N("siblings_silent"), "Of these, those that left a question unanswered.", s.silent);
	prom_gauge(p, N("siblings_away"), "Of these, those that said they would be.", s.away);
	prom_gauge(p, N("siblings_gone"), "Of these, those taken for gone.", s.gone);
	prom_counter(p, N("siblings_denials_total"),
	    "Pieces that siblings should have and have not.", s.denials);
	prom_counter(
	    p, N("leases_exchanged_total"), "Leases learned from siblings.", s.leases_exchanged);
	prom_counter(p, N("tours_total"), "Looks through all chunks.", s.tours);
	prom_counter(p, N("scrub_shards_total"), "Pieces read again and verified.", s.scrubbed);
	prom_counter(p, N("scrub_bad_shards_total"), "Of these, bad ones.", s.scrub_rot);
	prom_counter(p, N("scrub_tours_total"), "Times all round.", s.scrub_tours);
	prom_counter(p, N("audits_total"), "Audits of other nodes.", s.audits);
	prom_counter(p, N("audits_failed_total"), "Of these, lies and losses.", s.audits_failed);
	prom_counter(p, N("audits_late_total"), "Passed, but late.", s.audits_late);
	prom_counter(
	    p, N("audits_unanswered_total"), "No answer, or no time.", s.audits_unanswered);
	prom_counter(
	    p, N("audits_answered_total"), "Audits by others, answered.", s.audits_answered);
	prom_counter(p, N("audits_busy_total"), "Audits by others, no time.", s.audits_busy);
	prom_gauge(p, N("nodes_out"), "Nodes whose pieces count as lost.", s.nodes_out);
	if (s.scrubbed_at_ms != 0)
		prom_gauge_ms(p, N("scrub_last_timestamp_seconds"),
		    "When the last piece was verified, Unix seconds.", s.scrubbed_at_ms);
	if (s.scrub_ended_ms != 0)
		prom_gauge_ms(p, N("scrub_tour_last_timestamp_seconds"),
		    "When scrub was last all round, Unix seconds.", s.scrub_ended_ms);
}

static void
registers_text(struct prom *p, const struct registers *registers)
{
	struct registers_status s;

	registers_status(registers, &s);
	prom_gauge(p, N("registers"), "Buckets that it is an anchor of.", s.anchored);
	prom_gauge(p, N("registers_moved"), "Buckets that have moved to other anchors.", s.moved);
	prom_gauge(
	    p, N("registers_unread"), "Whether the store has not given them yet.", !s.loaded);
	prom_gauge(
	    p, N("registers_damaged"), "Buckets that do not read and are not served.", s.damaged);
	prom_gauge(p, N("register_anchors_silent"),
	    "Other anchors of these buckets that were silent at the last look.", s.silent);
	prom_gauge(p, N("register_tail_bytes"), "Log records kept for buckets.", s.tail_bytes);
	prom_family(
	    p, PROM_COUNTER, N("register_messages_total"), "Messages to buckets' registers.");
	prom_by(p, "result", "answered", s.answered);
	prom_by(p, "result", "refused", s.refused);
	prom_counter(p, N("register_changes_total"), "Of these, that had to be synced.", s.changed);
	prom_counter(p, N("registers_founded_total"), "Buckets founded here.", s.founded);
	prom_counter(p, N("registers_joined_total"), "Buckets taken over from others.", s.joined);
	prom_counter(p, N("register_replacements_total"),
	    "Anchors that this node put others in the place of.", s.replaced);
}

/* ---- the network ---- */

static void
dht_text(struct prom *p, const struct dht *dht)
{
	struct dht_status s;

	dht_status(dht, &s);
	prom_gauge(p, N("table_contacts"), "Servers in the routing table.", s.contacts);
	prom_gauge(p, N("table_replacements"), "Those that wait for a place.", s.replacements);
	prom_gauge(p, N("network_size"), "Servers in the network, estimated.", s.size_estimate);
	prom_gauge(p, N("records"), "Records kept for others.", s.records);
	prom_gauge(p, N("records_bytes"), "Memory of these.", s.records_bytes);
	prom_counter(p, N("lookups_total"), "Lookups in the DHT.", s.lookups);
	prom_counter(
	    p, N("lookups_failed_total"), "Of these, those that failed.", s.lookups_failed);
	prom_counter(p, N("record_puts_total"), "Records published.", s.puts);
	prom_counter(p, N("record_gets_total"), "Records looked for.", s.gets);
}

/* Bytes of datagrams sent, by what they are for. */
static void
classes_text(struct prom *p, const struct endpoint_counters *c)
{
	uint64_t ping = 0, lookup = 0, records = 0, other = 0;

	for (uint16_t i = 0; i < ENDPOINT_METHODS_COUNTED; i++) {
		uint64_t bytes = c->sent_by_method[i];

		if (i == METHOD_PING || i == DHT_PING)
			ping += bytes;
		else if (i == DHT_FIND_NODE || i == DHT_FIND_REGION)
			lookup += bytes;
		else if (i == DHT_PUT || i == DHT_GET || i == DHT_SELF)
			records += bytes;
		else
			other += bytes;
	}
	prom_family(p, PROM_COUNTER, N("datagram_sent_bytes_by_class_total"),
	    "Bytes of requests and answers sent, by what they are for.");
	prom_by(p, "class", "ping", ping);
	prom_by(p, "class", "lookup", lookup);
	prom_by(p, "class", "records", records);
	prom_by(p, "class", "other", other);
}

static void
traffic_text(struct prom *p, const struct endpoint_counters *c)
{
	prom_family(p, PROM_COUNTER, N("datagrams_total"), "Datagrams.");
	prom_by(p, "direction", "in", c->datagrams_in);
	prom_by(p, "direction", "out", c->datagrams_out);
	prom_family(p, PROM_COUNTER, N("datagram_bytes_total"), "Bytes of datagrams.");
	prom_by(p, "direction", "in", c->datagram_bytes_in);
	prom_by(p, "direction", "out", c->datagram_bytes_out);
	classes_text(p, c);
	prom_family(p, PROM_COUNTER, N("session_bytes_total"), "Bytes of sessions and streams.");
	prom_by(p, "direction", "in", c->session_bytes_in);
	prom_by(p, "direction", "out", c->session_bytes_out);
	prom_family(p, PROM_COUNTER, N("sessions_total"), "Sessions begun.");
	prom_by(p, "by", "us", c->sessions_opened);
	prom_by(p, "by", "others", c->sessions_accepted);
	prom_family(p, PROM_COUNTER, N("sessions_refused_total"), "Sessions not begun.");
	prom_by(p, "reason", "network", c->sessions_refused_ip);
	prom_by(p, "reason", "full", c->sessions_refused_full);
	prom_by(p, "reason", "handshake", c->handshakes_failed);
	prom_by(p, "reason", "timeout", c->handshakes_timeout);
	prom_counter(p, N("sessions_deaf_closed_total"),
	    "Sessions closed because their peers did not fetch what waited.",
	    c->sessions_deaf_closed);
	prom_counter(p, N("calls_total"), "Requests to others.", c->calls);
	prom_counter(p, N("calls_answered_total"), "Of these, answered.", c->calls_answered);
	prom_counter(p, N("calls_timeout_total"), "Of these, not answered.", c->calls_timeout);
	prom_counter(p, N("requests_total"), "Requests of others.", c->requests_in);
	prom_counter(p, N("blames_total"), "Lies and broken promises of others.", c->blames);
}

/* What was refused, each under its reason: the counters that say so in their names. */
static void
refused_text(struct prom *p, const struct endpoint_counters *c)
{
	prom_family(p, PROM_COUNTER, N("refused_total"),
	    "Datagrams, requests, frames and streams refused, by reason.");
#define X(name)                                                                                    \
	if (strncmp(#name, "drop_", 5) == 0 || strcmp(#name, "requests_unknown") == 0 ||           \
	    strcmp(#name, "requests_busy") == 0 || strcmp(#name, "requests_invalid") == 0 ||       \
	    strcmp(#name, "cookies_bad") == 0 || strcmp(#name, "tokens_stale") == 0 ||             \
	    strcmp(#name, "frames_bad") == 0 || strcmp(#name, "streams_refused") == 0)             \
		prom_by(p, "reason", #name, c->name);
	ENDPOINT_COUNTERS(X)
#undef X
}

static void
endpoint_text(struct prom *p, struct endpoint *ep)
{
	struct endpoint_load l;
	struct agreed_time t;

	endpoint_load(ep, &l);
	endpoint_agreed_time(ep, &t);
	prom_gauge(p, N("reachable"), "Whether the node is a server that others reach.",
	    endpoint_is_server(ep));
	prom_gauge(
	    p, N("time_trusted"), "Whether its time is agreed; else nothing expires.", t.trusted);
	prom_gauge(p, N("time_peers"), "Peers that the time is agreed with.", t.peers);
	prom_gauge(p, N("peers"), "Peers known.", l.peers);
	prom_gauge(p, N("sessions"), "Sessions open.", l.sessions);
	prom_gauge(p, N("handshakes"), "Sessions half open.", l.handshakes);
	prom_gauge(p, N("streams"), "Streams open.", l.streams);
	prom_gauge(p, N("calls"), "Requests under way.", l.calls);
	prom_gauge(p, N("tasks"), "Tasks under way for others.", l.tasks);
	prom_gauge(p, N("endpoint_bytes"), "Memory of sessions and peers, roughly.", l.bytes);
	traffic_text(p, endpoint_counters(ep));
	refused_text(p, endpoint_counters(ep));
}

int
metrics_text(const struct metrics_about *about, struct node *node, struct buf *out)
{
	struct prom p = { .out = out };

	about_text(&p, about, node);
	if (node == NULL)
		return p.err;
	prom_gauge(&p, N("joined"), "Whether it has found the network.", node_joined(node));
	if (node_store(node) != NULL)
		store_text(&p, node_store(node));
	if (node_service(node) != NULL)
		service_text(&p, node_service(node));
	if (node_keeper(node) != NULL)
		keeper_text(&p, node_keeper(node));
	if (node_registers(node) != NULL)
		registers_text(&p, node_registers(node));
	dht_text(&p, node_dht(node));
	endpoint_text(&p, node_endpoint(node));
	return p.err;
}
