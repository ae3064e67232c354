/* skerry node drain, which skerry node hands on to; and what may stand behind --until. */
#ifndef CMD_DRAIN_H
#define CMD_DRAIN_H

#include "cmd/command.h"

extern const struct command command_node_drain;

struct drain_time {
	bool given;
	bool relative; /* value: seconds from now; else unix seconds */
	uint64_t value;
};
/*
 * "90m", "4h", "1d" (also s); "2026-11-27T06:30Z" in UTC, without the Z in this machine's zone.
 * False: neither. Pure but for the zone.
 */
bool drain_time_parse(const char *text, struct drain_time *out);

#endif
