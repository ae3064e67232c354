/* The sentence of `skerry status`: plain words, and what the owner can do. */
#include <stdio.h>

#include "overlay/reach.h"

static void
add(char out[REACH_TEXT_MAX], const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, REACH_TEXT_MAX - used, "%s", text);
}

static void
add_addr(char out[REACH_TEXT_MAX], const char *before, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return;
	add(out, before);
	add(out, addr_format(a, text));
}

static void
add_confirmers(char out[REACH_TEXT_MAX], const struct reach_status *s)
{
	for (uint32_t i = 0; i < MIN(s->confirmed, REACH_CONFIRMS); i++)
		add_addr(out, i == 0 ? ", confirmed by " : ", ", &s->by[i].addr);
}

static const char *
verdict(const struct reach_status *s)
{
	switch (s->why) {
	case REACH_CLIENT:
		return "client only, as configured";
	case REACH_FIRST:
		return "reachable: the first node of its network";
	case REACH_ASSUMED:
		return "reachable: assumed, as configured";
	case REACH_CONFIRMED:
		return "reachable";
	case REACH_FAILED:
		return "not reachable";
	case REACH_UNANSWERED:
		return "not reachable yet: no peer answered the request to dial back";
	case REACH_UNTRIED:
		break;
	}
	return "not reachable yet: no server is known that could dial back";
}

const char *
reach_text(const struct reach_status *s, char out[REACH_TEXT_MAX])
{
	char port[64];

	out[0] = '\0';
	add(out, verdict(s));
	add_addr(out, " at ", &s->external);
	add_confirmers(out, s);
	if (s->why == REACH_FAILED) {
		add_addr(out, ": ", &s->failed_by.addr);
		add(out, " could not connect (");
		add(out, err_text(s->failed_err));
		add(out, ")");
		if (s->external.port != 0) {
			snprintf(port, sizeof(port), "; forward TCP and UDP port %u",
			    (unsigned)s->external.port);
			add(out, port);
		}
		if (s->mapping.why[0] != '\0') {
			add(out, "; router: ");
			add(out, s->mapping.why);
		}
	}
	return out;
}
