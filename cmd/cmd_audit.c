/*
 * skerry audit: how other nodes have stood up to this node's audits; one more audit now; and, with
 * no node and no network at all, what a file of evidence proves. An audit is one request over the
 * local socket, which gives a ticket, and more until it says what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/console.h"
#include "cmd/say.h"
#include "storage/evidence.h"

#define ID_DIGITS   64
#define LOOK_EVERY  MILLISECONDS(100)
/* Longer than a node waits for an answer, and looks for what speaks for the other. */
#define AUDIT_WAITS SECONDS(90)

struct audit {
	struct console console;
	const char *evidence, *check;
	bool json, kept;
	const char *node; /* NULL: all */
	struct json_value *reply;
};

static const struct option audit_options[] = {
	{ "evidence", 0, "FILE", "Write what was found, for others to judge.", "a file's name",
	    set_text, NULL, offsetof(struct audit, evidence) },
	{ "kept", 0, NULL, "Do not audit: take what the node keeps against the other.",
	    RIGHT_SWITCH, set_switch, NULL, offsetof(struct audit, kept) },
	{ "check", 0, "FILE", "Judge a file of evidence; needs no node.", "a file's name", set_text,
	    NULL, offsetof(struct audit, check) },
	{ "json", 0, NULL, "Print one object of JSON.", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct audit, json) },
	{ NULL },
};

/* ---- asking the node ---- */

static SUSPENDS int
wait_for_ticket(struct audit *a, uint64_t ticket)
{
	uint64_t end = env_now(a->console.env) + AUDIT_WAITS;
	int err = ERR_OK;

	do {
		struct json_value *with = json_make_object();

		json_free(a->reply);
		a->reply = NULL;
		json_put_number(with, "ticket", ticket);
		err = console_call(&a->console, "audit", with, &a->reply);
		if (err != ERR_OK || !json_flag(a->reply, "waiting"))
			return err;
		err = task_sleep(a->console.env, LOOK_EVERY);
	} while (err == ERR_OK && env_now(a->console.env) < end);
	return err == ERR_OK ? ERR_TIMEOUT : err;
}

static SUSPENDS int
ask_task(void *arg)
{
	struct audit *a = arg;
	struct json_value *with;
	int err;

	if (a->node == NULL)
		return console_call(&a->console, "audits", NULL, &a->reply);
	with = json_make_object();
	json_put_text(with, "node", a->node);
	json_put_flag(with, "kept", a->kept);
	err = console_call(&a->console, "audit", with, &a->reply);
	if (err == ERR_OK && json_number(a->reply, "ticket") != 0)
		err = wait_for_ticket(a, json_number(a->reply, "ticket"));
	return err;
}

/* What came of it; what went wrong is told. */
static int
ask(struct audit *a)
{
	int err;

	if (console_run(&a->console, ask_task, a, &err) && err != ERR_OK)
		console_tell(&a->console, err, true);
	return err;
}

/* ---- what it says ---- */

static void
print_score(const struct json_value *node, const char *trait)
{
	const struct json_value *t = json_child(node, trait);
	uint64_t seen = json_number(t, "good") + json_number(t, "bad");

	if (seen == 0)
		printf("%13s", "-");
	else
		printf("%5" PRIu64 ".%" PRIu64 " (%4" PRIu64 ")", json_number(t, "score") / 10,
		    json_number(t, "score") % 10, (seen + 500) / 1000);
}

static void
print_all(const struct json_value *o)
{
	const struct json_value *nodes = json_child(o, "nodes"), *latest = json_child(o, "latest");

	if (json_count(nodes) == 0) {
		printf("this node has audited nobody yet\n");
		return;
	}
	printf("NODE                  INTEGRITY      ANSWERS      IN TIME   (%% of so many)\n");
	for (size_t i = 0; i < json_count(nodes); i++) {
		const struct json_value *n = json_at(nodes, i);

		printf("%.16s  ", json_text(n, "node"));
		print_score(n, "integrity");
		print_score(n, "availability");
		print_score(n, "latency");
		printf("%s\n", json_flag(n, "out") ? "   OUT: its pieces count as lost" : "");
	}
	if (json_count(latest) > 0)
		printf("\nLATEST\n");
	for (size_t i = 0; i < json_count(latest); i++) {
		const struct json_value *e = json_at(latest, i);

		printf("%.16s  %-11s  %5" PRIu64 " ms\n", json_text(e, "node"),
		    json_text(e, "result"), json_number(e, "took_ms"));
	}
}

static void
print_one(const struct json_value *o)
{
	const char *result = json_text(o, "result");

	printf("node      %s\nresult    %s", json_text(o, "node"), result);
	if (strcmp(result, "passed") == 0 || strcmp(result, "late") == 0)
		printf(": it showed %" PRIu64 " leaves of a piece in %" PRIu64 " ms",
		    json_number(o, "leaves"), json_number(o, "took_ms"));
	else if (strcmp(result, "busy") == 0)
		printf(": it answers one auditor once an hour, and so many leaves a day");
	else if (json_text(o, "reason") != NULL)
		printf(": %s", json_text(o, "reason"));
	printf("\n");
}

static int
write_evidence(const struct audit *a, const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *data = malloc(len + 1);
	bool written = false;
	int fd = -1;

	if (data == NULL || hex_decode(data, len, hex, 2 * len) != ERR_OK) {
		say_error("audit", "the node gave no evidence that can be written");
		free(data);
		return EXIT_FAILED;
	}
	fd = open(a->evidence, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		say_error("audit", "cannot write %s: %s", a->evidence, strerror(errno));
		free(data);
		return EXIT_FAILED;
	}
	written = write(fd, data, len) == (ssize_t)len && fsync(fd) == 0;
	if (close(fd) != 0 || !written) {
		say_error("audit", "cannot write %s: %s", a->evidence, strerror(errno));
		(void)unlink(a->evidence);
		written = false;
	}
	free(data);
	return written ? EXIT_OK : EXIT_FAILED;
}

/* An audit that could not be made has failed; one that found something has not. */
static int
tell(struct audit *a)
{
	const char *reason = json_text(a->reply, "reason");
	const char *hex = json_text(a->reply, "evidence");
	int code = EXIT_OK;

	if (a->node != NULL && reason != NULL) {
		say_error("audit", "%.16s was not audited: %s", a->node, reason);
		return EXIT_FAILED;
	}
	if (a->evidence != NULL && hex != NULL)
		code = write_evidence(a, hex);
	else if (a->evidence != NULL) {
		say_error("audit", "there is no evidence about %.16s", a->node);
		code = EXIT_FAILED;
	}
	if (a->json) {
		int err = json_say(a->reply);

		a->reply = NULL;
		return err == ERR_OK ? code : EXIT_FAILED;
	}
	if (a->node == NULL)
		print_all(a->reply);
	else
		print_one(a->reply);
	return code;
}

/* ---- judging a file ---- */

static int
read_evidence(const char *path, struct evidence *e)
{
	uint8_t *data = malloc(EVIDENCE_BYTES_MAX + 1);
	FILE *f = data == NULL ? NULL : fopen(path, "re");
	int err = ERR_NOMEM;

	if (f == NULL) {
		if (data != NULL)
			say_error("audit", "cannot read %s: %s", path, strerror(errno));
		free(data);
		return ERR_IO;
	}

	size_t len = fread(data, 1, EVIDENCE_BYTES_MAX + 1, f);

	err = ferror(f) != 0 ? ERR_IO : evidence_unpack(bytes_of(data, len), e);
	(void)fclose(f);
	free(data);
	if (err == ERR_VERSION)
		say_error("audit", "%s was written by a newer version", path);
	else if (err == ERR_AUTH)
		say_error("audit", "%s proves nothing: a signature in it does not hold", path);
	else if (err == ERR_INVALID)
		say_error("audit",
		    "%s proves nothing: it is no evidence, or its parts do not "
		    "belong together",
		    path);
	else if (err != ERR_OK)
		say_error("audit", "cannot read %s: %s", path, err_text(err));
	return err;
}

static struct json_value *
finding_json(const struct evidence *e, enum evidence_finding f)
{
	static const char *const names[] = { [FOUND_HELD] = "held",
		[FOUND_LOST] = "lost",
		[FOUND_FORGED] = "forged",
		[FOUND_BROKEN] = "broken",
		[FOUND_DISPUTED] = "disputed",
		[FOUND_WORD] = "word" };
	struct json_value *o = json_make_object();

	json_put_text(o, "finding", names[f]);
	json_put_text(o, "says", evidence_finding_text(f));
	if (e->worded)
		json_put_text(o, "word", audit_word_text(e->word.kind));
	json_put_hex(o, "node_key", e->challenge.node.b, sizeof(e->challenge.node.b));
	json_put_hex(o, "auditor_key", e->challenge.auditor.b, sizeof(e->challenge.auditor.b));
	json_put_hex(o, "chunk", e->challenge.chunk.b, sizeof(e->challenge.chunk.b));
	json_put_number(o, "index", e->challenge.index);
	json_put_number(o, "asked_at_unix_s", e->challenge.issued);
	if (e->answered)
		json_put_number(o, "answered_at_unix_s", e->answer.issued);
	return o;
}

static void
print_finding(const struct evidence *e, enum evidence_finding f)
{
	char hex[ID_DIGITS + 1], date[SAY_TIME_MAX];

	printf("finding   %s", evidence_finding_text(f));
	if (e->worded)
		printf(": %s, asked %u times", audit_word_text(e->word.kind), e->word.tries);
	hex_encode(hex, e->challenge.node.b, sizeof(e->challenge.node.b));
	printf("\nnode      key %s\n", hex);
	hex_encode(hex, e->challenge.auditor.b, sizeof(e->challenge.auditor.b));
	printf("auditor   key %s\n", hex);
	hex_encode(hex, e->challenge.chunk.b, sizeof(e->challenge.chunk.b));
	printf("piece     %u of part %s\n", e->challenge.index, hex);
	printf("asked     %s\n", say_time(e->challenge.issued, SAY_STAMP, date));
	if (e->answered)
		printf("answered  %s\n", say_time(e->answer.issued, SAY_STAMP, date));
	if (e->receipted)
		printf("promised  until %s, by receipt\n",
		    say_time(e->receipt.until, SAY_STAMP, date));
	if (e->answered_before)
		printf("promised  until %s, in an earlier audit\n",
		    say_time(e->answer_before.until, SAY_STAMP, date));
}

static int
check(const struct audit *a)
{
	struct evidence *e = malloc(sizeof(*e));
	enum evidence_finding f;
	int code = EXIT_FAILED;

	if (e != NULL && read_evidence(a->check, e) == ERR_OK) {
		if (evidence_judge(e, &f) != ERR_OK) {
			say_error("audit", "%s proves nothing: parts are missing", a->check);
		} else if (a->json) {
			code = json_say(finding_json(e, f)) == ERR_OK ? EXIT_OK : EXIT_FAILED;
		} else {
			print_finding(e, f);
			code = EXIT_OK;
		}
	}
	free(e);
	return code;
}

/* ---- the command ---- */

static bool
fits(const struct audit *a, int *code)
{
	*code = EXIT_USAGE;
	if (a->check != NULL && (a->node != NULL || a->evidence != NULL || a->kept)) {
		say_error("audit", "--check stands alone: it judges a file and asks nobody");
		return false;
	}
	if (a->node == NULL && (a->evidence != NULL || a->kept)) {
		say_error("audit", "--evidence and --kept need a node: the first digits of its id");
		return false;
	}
	if (a->node != NULL &&
	    (strlen(a->node) < 4 || strlen(a->node) > ID_DIGITS || strlen(a->node) % 2 != 0 ||
		strspn(a->node, "0123456789abcdef") != strlen(a->node))) {
		say_error("audit",
		    "\"%.80s\" is no node's id; right would be 4 to 64 (an even "
		    "number) of its hexadecimal digits, as peers prints them",
		    a->node);
		return false;
	}
	return true;
}

static int
audit_run(const struct command *self, int argc, char **argv)
{
	struct audit *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->console.command = self->name;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { console_options, &a->console }, { audit_options, a } },
		2, &operands, &code)) {
		a->node = operands.count > 0 ? operands.text[0] : NULL;
		if (fits(a, &code)) {
			if (a->check != NULL)
				code = check(a);
			else
				code = ask(a) == ERR_OK ? tell(a) : EXIT_FAILED;
		}
	}
	json_free(a->reply);
	free(a);
	return code;
}

const struct command command_audit = {
	.name = "audit",
	.synopsis = "[--dir DIR] [--json] [NODE [--kept] [--evidence FILE]] | --check FILE",
	.brief = "ask another node to show what it keeps, or judge evidence",
	.about =
	    "Without a node: how others have stood up to the audits of the node that runs in the\n"
	    "directory. With one, the first digits of its id: it is asked now to show some leaves\n"
	    "of a piece that both keep parts of. Evidence can be judged by anybody, anywhere.\n"
	    "\n"
	    "  skerry audit 3f9a0c1d --evidence 3f9a.evidence\n"
	    "  skerry audit --check 3f9a.evidence",
	.operands_most = 1,
	.options = (const struct option *const[]){ console_options, audit_options, NULL },
	.run = audit_run,
};
