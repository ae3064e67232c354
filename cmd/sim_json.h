/*
 * The result of a simulation, for machines and for people. Times are in ms of simulated time, and
 * what was not measured is null. Keys are stable: tools read them; doc/simulation.md explains them.
 */
#ifndef CMD_SIM_JSON_H
#define CMD_SIM_JSON_H

#include "cmd/json.h"
#include "sim/result.h"

struct json_value *sim_json(const struct result *r); /* gives */
void sim_text(const struct result *r);               /* on stdout: sim_text.c */

#endif
