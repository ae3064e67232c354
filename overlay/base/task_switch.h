/*
 * Switching stacks, and nothing else: a fiber is a stack with a function on it
 * that can be left and entered again. For task.c only; everybody else uses
 * task.h. A fiber is resumed by the thread that made it.
 *
 * makecontext builds a stack once; every later switch is sigsetjmp(…, 0) and
 * siglongjmp (23 ns), as QEMU's block layer does it, where swapcontext costs
 * two system calls. Both sanitizers that care and valgrind are told.
 */
#ifndef OVERLAY_BASE_TASK_SWITCH_H
#define OVERLAY_BASE_TASK_SWITCH_H

#include <setjmp.h>

#include "overlay/base/types.h"

struct fiber {
	void *stack; /* lowest usable byte */
	size_t stack_bytes;
	void (*entry)(void *arg); /* set before each first resume */
	void *arg;
	/* private from here */
	bool started; /* the stack holds a context to jump to */
	bool running; /* between entry's call and its return */
	sigjmp_buf inside;
	sigjmp_buf outside;
	const void *outside_stack; /* where the resumer runs; kept for AddressSanitizer */
	size_t outside_bytes;
	unsigned valgrind_id;
};

/* stack is lent until fiber_fini. */
void fiber_init(struct fiber *f, void *stack, size_t stack_bytes);
void fiber_fini(struct fiber *f); /* entry has returned, or never ran */

/* Forgets the context, so that the stack's memory may be given back to the system. */
void fiber_reset(struct fiber *f);

/* Runs f until it suspends or its entry returns; true when it has returned. */
bool fiber_resume(struct fiber *f);

/* Back to who resumed f; called on f's own stack. Returns at the next resume. */
void fiber_suspend(struct fiber *f);

#endif
