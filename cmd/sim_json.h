/* The result of a simulation, for machines and for people. */
#ifndef CMD_SIM_JSON_H
#define CMD_SIM_JSON_H

#include "cmd/json.h"
#include "sim/result.h"

struct json_value *sim_json(const struct result *r); /* gives */
void sim_text(const struct result *r);               /* on stdout */

#endif
