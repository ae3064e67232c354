/* What policy.c and policy_condition.c share. Nobody else includes this. */
#ifndef GATEWAY_POLICY_PRIVATE_H
#define GATEWAY_POLICY_PRIVATE_H

#include "gateway/js.h"
#include "gateway/policy.h"

const struct js *policy_item(const struct js *v, size_t i);
/* NULL, or what is wrong with it; a missing one is fine. */
const char *policy_condition_wrong(const struct js *condition);
enum policy_keys policy_condition_keys(const struct js *condition);
bool policy_condition_holds(const struct js *condition, const struct policy_question *q);
/* Whether it restricts who can ask to some that are known: an address range, an account … */
bool policy_condition_narrows(const struct js *condition);

#endif
