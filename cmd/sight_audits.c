/* What a node tells of audits: how other nodes have stood up to them, the latest ones, and, to who
 * holds a ticket, what came of the one that he asked for. */
#include <stdlib.h>

#include "cmd/sight.h"
#include "storage/keeper.h"

static const char *
result_text(const struct audit_entry *e)
{
	switch (e->result) {
	case AUDIT_PASSED:
		return "passed";
	case AUDIT_PASSED_LATE:
		return "late";
	case AUDIT_ENDED:
		return "ended";
	case AUDIT_ADMITTED:
		return "lost";
	case AUDIT_FORGED:
		return "forged";
	case AUDIT_BYTES:
		return "wrong bytes";
	case AUDIT_BUSY:
		return "busy";
	case AUDIT_SILENT:
		return "no answer";
	}
	return e->error != ERR_OK ? "not made" : "kept";
}

static struct json_value *
entry_answer(const struct audit_entry *e)
{
	struct json_value *o = json_make_object();

	json_put_hex(o, "node", e->node.id.b, sizeof(e->node.id.b));
	json_put_number(o, "ticket", e->ticket);
	json_put_text(o, "result", result_text(e));
	if (e->error != ERR_OK)
		json_put_text(o, "reason", err_text(e->error));
	if (e->result == 0)
		return o;
	json_put_hex(o, "chunk", e->chunk.b, sizeof(e->chunk.b));
	json_put_number(o, "index", e->index);
	json_put_number(o, "leaves", e->leaves);
	json_put_number(o, "took_ms", e->took / MILLISECONDS(1));
	json_put_number(o, "at_unix_s", e->at_unix_s);
	return o;
}

static struct json_value *
trait_answer(const struct node_standing *s, int trait)
{
	struct json_value *o = json_make_object();

	json_put_number(o, "score", s->score[trait]);
	json_put_number(o, "good", s->good[trait]);
	json_put_number(o, "bad", s->bad[trait]);
	return o;
}

static struct json_value *
standings_answer(const struct keeper *k)
{
	static const char *const traits[] = { "integrity", "availability", "latency" };
	struct json_value *list = json_make_array();
	struct node_standing s;

	for (size_t i = 0; keeper_standing(k, i, &s); i++) {
		struct json_value *o = json_make_object();

		json_put_hex(o, "node", s.node.id.b, sizeof(s.node.id.b));
		json_put_flag(o, "out", s.out);
		for (int t = 0; t < (int)ARRAY_LEN(traits); t++)
			json_put_value(o, traits[t], trait_answer(&s, t));
		json_add_value(list, o);
	}
	return list;
}

struct json_value *
sight_audits(const struct keeper *k)
{
	struct json_value *o = json_make_object(), *list = json_make_array();
	const struct audit_entry *e;

	for (size_t i = 0; (e = keeper_audits(k, i)) != NULL; i++)
		json_add_value(list, entry_answer(e));
	json_put_value(o, "nodes", standings_answer(k));
	json_put_value(o, "latest", list);
	return o;
}

static struct json_value *
ticket_answer(const struct keeper *k, uint64_t ticket)
{
	struct json_value *o;
	const struct audit_entry *e = NULL;
	char *hex;

	for (size_t i = 0; (e = keeper_audits(k, i)) != NULL && e->ticket != ticket; i++)
		;
	if (e == NULL) {
		o = json_make_object();
		json_put_flag(o, "waiting", true);
		return o;
	}
	o = entry_answer(e);
	hex = e->evidence == NULL ? NULL : malloc(2 * e->evidence_bytes + 1);
	if (hex != NULL) {
		hex_encode(hex, e->evidence, e->evidence_bytes);
		json_put_text(o, "evidence", hex);
	}
	free(hex);
	return o;
}

/* {"node": first digits of an id, "kept": …} → {"ticket"} or {"reason"}; {"ticket"} → its result.
 */
struct json_value *
sight_audit(struct keeper *k, const struct json_value *request)
{
	const char *node = json_text(request, "node");
	struct audit_wish wish = { .kept = json_flag(request, "kept") };
	size_t digits = node == NULL ? 0 : strlen(node);
	struct json_value *o;
	struct id id;
	uint64_t ticket;
	int err = ERR_INVALID;

	if (node == NULL)
		return ticket_answer(k, json_number(request, "ticket"));
	o = json_make_object();
	if (digits > 0 && digits % 2 == 0 && digits <= 2 * sizeof(id.b))
		err = hex_decode(id.b, digits / 2, node, digits);
	if (err == ERR_OK) {
		wish.id = bytes_of(id.b, digits / 2);
		err = keeper_audit(k, &wish, &ticket);
		if (err == ERR_OK)
			json_put_number(o, "ticket", ticket);
	}
	if (err == ERR_NOT_FOUND)
		json_put_text(o, "reason", "no node with this id holds parts of what is kept here");
	else if (err == ERR_INVALID)
		json_put_text(o, "reason", "several nodes' ids begin so; give more digits");
	else if (err != ERR_OK)
		json_put_text(o, "reason", err_text(err));
	return o;
}
