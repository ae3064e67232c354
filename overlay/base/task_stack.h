/*
 * A pool of task stacks, cut from slabs. One per scheduler, or one shared by
 * all schedulers of a thread (a simulated world of many nodes). Memory is
 * touched lazily; address space stays at its peak, resident memory above
 * TASK_STACKS_WARM free stacks goes back to the system. For task.c only.
 */
#ifndef OVERLAY_BASE_TASK_STACK_H
#define OVERLAY_BASE_TASK_STACK_H

#include "overlay/base/task_switch.h"

/* Free stacks that keep their memory: bursts find them warm, 32 MiB at the very most. */
#define TASK_STACKS_WARM 256

struct task_stacks;

/* guard_pages: an overflow traps (two mappings a stack); else a canary is checked. */
struct task_stacks *task_stacks_new(bool guard_pages); /* gives; NULL: no memory */
void task_stacks_free(struct task_stacks *s);          /* all are back */

struct fiber *task_stacks_get(struct task_stacks *s); /* NULL: no memory */
void task_stacks_put(struct task_stacks *s, struct fiber *f);

/* False when the stack of f has run over its end. */
bool task_stacks_intact(const struct task_stacks *s, const struct fiber *f);

#endif
