/*
 * What the chunks of a simulated network go through, seen from outside: how many shards of each are
 * alive, for how long few, which are lost, when repairs begin and end. Looks at every storing
 * member's ledger some hundred times an hour, so it costs the simulated network nothing and
 * decides nothing in it; shorter times are not seen. A chunk is watched from when it was
 * first whole.
 */
#ifndef SIM_RISK_H
#define SIM_RISK_H

#include "sim/fleet.h"
#include "sim/result.h"
#include "sim/workload.h"

struct risk;

/* gives; looks from now on. All lent. */
struct risk *risk_new(struct fleet *f, struct workload *w, struct result *r);
void risk_free(struct risk *risk);                      /* NULL accepted */
void risk_changed(struct risk *risk, struct member *m); /* as fleet_opts */
/*
 * What repairs have moved since the last sample: steady states, and what the formula expects of
 * all that is stored, are summed up by samples.
 */
void risk_sample(struct risk *risk, uint64_t moved, uint64_t own);
/* The span is over: everything into the result, beside what arithmetic expects (chain.h). */
void risk_sum_up(struct risk *risk);

#endif
