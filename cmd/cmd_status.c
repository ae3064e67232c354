/*
 * skerry status and skerry peers: what a running node tells of itself over its local socket. The
 * table is made here from the same JSON that --json prints.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/console.h"
#include "cmd/say.h"

struct ask {
	struct console console;
	bool json;
	struct json_value *reply;
};

static const struct option ask_options[] = {
	{ "json", 0, NULL, "Print what the node says, for machines.", RIGHT_SWITCH, set_switch,
	    NULL, offsetof(struct ask, json) },
	{ NULL },
};

static SUSPENDS int
ask_task(void *arg)
{
	struct ask *a = arg;

	return console_call(&a->console, a->console.command, NULL, &a->reply);
}

static const char *
text_of(const struct json_value *o, const char *name)
{
	const char *text = json_text(o, name);

	return text != NULL ? text : "?";
}

static void
print_store(const struct json_value *store)
{
	char used[SAY_SIZE_MAX], capacity[SAY_SIZE_MAX], disk[SAY_SIZE_MAX], live[SAY_SIZE_MAX];

	if (store == NULL) {
		printf("store        none: this node only helps others to find each other\n");
		return;
	}
	printf("store        %" PRIu64 " pieces, %s of %s, %s of it live; %s free on the disk%s\n",
	    json_number(store, "shards"), say_size(json_number(store, "used_bytes"), used),
	    say_size(json_number(store, "capacity_bytes"), capacity),
	    say_size(json_number(store, "live_bytes"), live),
	    say_size(json_number(store, "disk_free_bytes"), disk),
	    json_flag(store, "refusing") ? "; TAKES NOTHING (full, or the disk failed)"
	    : json_number(store, "disk_free_bytes") <= json_number(store, "reserve_bytes")
		? "; TAKES NOTHING (no more than the reserve is free)"
		: "");
	if (json_number(store, "rot") > 0)
		printf("rot          %" PRIu64 " pieces went bad on the disk\n",
		    json_number(store, "rot"));
}

static void
print_spare(const struct json_value *repair)
{
	const struct json_value *list = json_child(repair, "by_spare");

	printf("spare        ");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *o = json_at(list, i);

		printf("%s%" PRIu64 " with %" PRIu64, i == 0 ? "" : ", ", json_number(o, "chunks"),
		    json_number(o, "spare"));
	}
	printf(" live pieces more than needed\n");
}

/* Who alone could make parts unreadable, of one kind. */
static void
print_party(const struct json_value *stoppable, const char *kind, const char *name)
{
	const struct json_value *o = json_child(stoppable, kind);
	const char *worst = json_text(o, "worst");
	char clean[128];

	printf("%s %" PRIu64 " by one %s", strcmp(kind, "one_operator") == 0 ? "" : ",",
	    json_number(o, "chunks"), name);
	if (worst != NULL)
		printf(" (%.16s%s: %" PRIu64 ")", say_clean(worst, clean, sizeof(clean)),
		    strlen(worst) > 20 ? "..." : "", json_number(o, "worst_chunks"));
}

static void
print_stoppable(const struct json_value *r)
{
	const struct json_value *o = json_child(r, "stoppable");

	if (json_number(o, "chunks") == 0)
		return;
	printf("could stop  ");
	print_party(o, "one_operator", "operator");
	print_party(o, "one_network", "network");
	print_party(o, "one_country", "country");
	printf(", of %" PRIu64 " parts; %" PRIu64 " of %" PRIu64
	       " siblings have said who they are\n",
	    json_number(o, "chunks"), json_number(r, "siblings_described"),
	    json_number(r, "siblings"));
}

static void
print_scrub(const struct json_value *r)
{
	uint64_t at = json_number(r, "scrubbed_at_ms") / 1000;
	uint64_t ended = json_number(r, "scrub_ended_ms") / 1000;
	char day[SAY_TIME_MAX];

	printf("scrub        %" PRIu64 " pieces read again since the start, %" PRIu64 " gone bad",
	    json_number(r, "scrubbed"), json_number(r, "scrub_rot"));
	if (at != 0)
		printf("; the last one %s", say_time(at, SAY_MINUTE, day));
	if (ended != 0)
		printf("; all round %s", say_time(ended, SAY_MINUTE, day));
	printf("\n");
}

static void
print_audits(const struct json_value *r)
{
	uint64_t at = json_number(r, "audited_at_s"), out = json_number(r, "nodes_out");
	char day[SAY_TIME_MAX];

	printf("audits       %" PRIu64 " made since the start, %" PRIu64 " failed, %" PRIu64
	       " unanswered; %" PRIu64 " answered",
	    json_number(r, "audits"), json_number(r, "audits_failed"),
	    json_number(r, "audits_unanswered"), json_number(r, "audits_answered"));
	if (at != 0)
		printf("; the last one %s", say_time(at, SAY_MINUTE, day));
	if (out > 0)
		printf("; %" PRIu64 " nodes are OUT: see skerry audit", out);
	printf("\n");
}

static void
print_repair(const struct json_value *r)
{
	uint64_t until = json_number(r, "earliest_lease_end");
	char day[SAY_TIME_MAX], rate[SAY_SIZE_MAX];

	if (r == NULL)
		return;
	printf("siblings     %" PRIu64 " nodes share parts with this one; %" PRIu64
	       " silent, %" PRIu64 " of those said so, %" PRIu64 " given up\n",
	    json_number(r, "siblings"), json_number(r, "siblings_silent"),
	    json_number(r, "siblings_away"), json_number(r, "siblings_gone"));
	if (json_flag(r, "draining"))
		printf("draining     takes no new pieces, may be away until %s; %" PRIu64
		       " siblings do not know yet\n",
		    say_time(json_number(r, "drain_until"), SAY_MINUTE, day),
		    json_number(r, "drain_untold"));
	if (json_flag(r, "leaving"))
		printf("leaving      %" PRIu64 " of %" PRIu64
		       " pieces and buckets' registers are still here%s\n",
		    json_number(r, "leave_left"), json_number(r, "leave_total"),
		    json_number(r, "leave_left") == 0 ? ": the node can be stopped" : "");
	printf("parts        %" PRIu64 " kept here\n", json_number(r, "chunks"));
	if (json_number(r, "chunks") > 0)
		print_spare(r);
	if (json_number(r, "unreadable") > 0)
		printf("endangered   %" PRIu64 " parts have too few live pieces to be read now\n",
		    json_number(r, "unreadable"));
	print_stoppable(r);
	printf("leases       %" PRIu64 " run%s%s; %" PRIu64 " pieces deleted, %" PRIu64
	       " run out since the start\n",
	    json_number(r, "leases"), until != 0 ? ", the first until " : "",
	    until != 0 ? say_time(until, SAY_MINUTE, day) : "", json_number(r, "deleted"),
	    json_number(r, "expired"));
	printf("repair       %" PRIu64 " parts due, %" PRIu64 " running, %" PRIu64
	       " wait for peers, %s/s; %" PRIu64 " pieces rebuilt%s\n",
	    json_number(r, "due"), json_number(r, "running"), json_number(r, "waiting"),
	    say_size(json_number(r, "bytes_per_second"), rate), json_number(r, "shards_rebuilt"),
	    json_flag(r, "paused") ? "; PAUSED: many peers vanished at once" : "");
	print_scrub(r);
	print_audits(r);
}

static void
print_registers(const struct json_value *r)
{
	if (r == NULL)
		return;
	if (!json_flag(r, "loaded")) {
		printf("registers    NOT READ yet: the store does not give them\n");
		return;
	}
	printf("registers    anchor of %" PRIu64 " buckets; %" PRIu64 " have moved on; %" PRIu64
	       " other anchors silent",
	    json_number(r, "anchored"), json_number(r, "moved"), json_number(r, "silent"));
	if (json_number(r, "damaged") > 0)
		printf("; %" PRIu64 " DAMAGED and not served", json_number(r, "damaged"));
	printf("\n");
}

static void
print_status(const struct json_value *o)
{
	const struct json_value *dht = json_child(o, "dht"), *load = json_child(o, "load");
	const struct json_value *clock = json_child(o, "time"), *service = json_child(o, "service");

	printf("state        %s the network \"%s\", process %" PRId64 ", version %s\n",
	    text_of(o, "state"), text_of(o, "network"), json_signed(o, "pid"),
	    text_of(o, "version"));
	if (dht == NULL)
		return;
	printf("contact      %s\n", text_of(o, "contact"));
	printf("reachable    %s\n", text_of(o, "reachability"));
	printf("network      about %" PRIu64 " nodes; %" PRIu64 " in the table, %" PRIu64
	       " records kept for others\n",
	    json_number(dht, "network_size"), json_number(dht, "contacts"),
	    json_number(dht, "records"));
	printf("sessions     %" PRIu64 " open, %" PRIu64 " streams, %" PRIu64 " peers known\n",
	    json_number(load, "sessions"), json_number(load, "streams"),
	    json_number(load, "peers"));
	printf("time         %s, agreed with %" PRIu64 " peers\n",
	    json_flag(clock, "trusted") ? "trusted" : "NOT TRUSTED: nothing expires meanwhile",
	    json_number(clock, "peers"));
	print_store(json_child(o, "store"));
	print_repair(json_child(o, "repair"));
	print_registers(json_child(o, "registers"));
	if (service != NULL)
		printf("served       %" PRIu64 " pieces taken, %" PRIu64 " refused, %" PRIu64
		       " reads\n",
		    json_number(service, "puts"), json_number(service, "puts_refused"),
		    json_number(service, "gets"));
}

static void
print_peers(const struct json_value *o)
{
	const struct json_value *list = json_child(o, "peers");

	printf(
	    "PEER              ADDRESS                KIND    SESSION  VERSION     RTT  BLAMES\n");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *p = json_at(list, i);
		uint64_t rtt = json_number(p, "rtt_us");

		printf("%.16s  %-21s  %-6s  %-7s  %7" PRIu64 "  %3" PRIu64 ".%" PRIu64
		       " ms  %" PRIu64 "\n",
		    text_of(p, "id"), text_of(p, "address"),
		    json_flag(p, "server") ? "server" : "client",
		    json_flag(p, "session") ? "open" : "-", json_number(p, "version"), rtt / 1000,
		    rtt % 1000 / 100, json_number(p, "blames"));
	}
}

static int
tell(struct ask *a, int err)
{
	if (err != ERR_OK) {
		console_tell(&a->console, err, true);
		return EXIT_FAILED;
	}
	if (a->json) {
		err = json_say(a->reply);
		a->reply = NULL;
		return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
	}
	if (strcmp(a->console.command, "status") == 0)
		print_status(a->reply);
	else
		print_peers(a->reply);
	return EXIT_OK;
}

static int
ask_run(const struct command *self, int argc, char **argv)
{
	struct ask *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED, err;

	if (a == NULL)
		return EXIT_FAILED;
	a->console.command = self->name;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { console_options, &a->console }, { ask_options, a } }, 2,
		&operands, &code)) {
		code = EXIT_FAILED;
		if (console_run(&a->console, ask_task, a, &err))
			code = tell(a, err);
	}
	json_free(a->reply);
	free(a);
	return code;
}

const struct command command_status = {
	.name = "status",
	.synopsis = "[--dir DIR] [--json]",
	.brief = "tell how a running node fares",
	.about =
	    "Asks the node that runs in the directory: whether it is reachable and why not, what\n"
	    "it stores, whom it knows, whether its time is trusted.",
	.options = (const struct option *const[]){ console_options, ask_options, NULL },
	.run = ask_run,
};

const struct command command_peers = {
	.name = "peers",
	.synopsis = "[--dir DIR] [--json]",
	.brief = "list whom a running node knows",
	.about =
	    "Asks the node that runs in the directory for the peers it has dealt with, the last\n"
	    "ones first.",
	.options = (const struct option *const[]){ console_options, ask_options, NULL },
	.run = ask_run,
};
