/*
 * Who comes and goes: sessions, absences and lifetimes of a scenario, played on a fleet. A member
 * that is absent comes back with its disk; one whose life is over is replaced by somebody new, at
 * once, so that the network keeps its size.
 */
#ifndef SIM_CHURN_H
#define SIM_CHURN_H

#include "sim/fleet.h"

struct churn;

struct churn *churn_new(struct fleet *f); /* gives; takes hold of all, up or away */
void churn_free(struct churn *c);         /* NULL accepted */
/* To be called from the fleet's `changed`. */
void churn_changed(struct churn *c, struct member *m);
/* Nobody goes any more, and who is away comes back now. */
void churn_end(struct churn *c);

#endif
