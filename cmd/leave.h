/* skerry node leave, which skerry node hands on to. */
#ifndef CMD_LEAVE_H
#define CMD_LEAVE_H

#include "cmd/command.h"

extern const struct command command_node_leave;

#endif
