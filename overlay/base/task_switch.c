/*
 * Every jump between stacks. Nothing here can fail except by a broken promise.
 *
 * glibc's fortified longjmp refuses to jump "up" to a frame that it takes for
 * dead, which is what leaving a coroutine looks like. So fortification is
 * switched off here, whatever the command line says.
 */
#undef _FORTIFY_SOURCE

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "overlay/base/task_switch.h"

#include <ucontext.h>

#include "overlay/base/err.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#endif

/* ---- what the checkers want to know ---- */

/* About to leave for the given stack. fake NULL: the stack that we leave has ended. */
static inline void
checker_leave(void **fake, const void *stack, size_t bytes)
{
#ifdef WITH_ASAN
	__sanitizer_start_switch_fiber(fake, stack, bytes);
#else
	(void)fake;
	(void)stack;
	(void)bytes;
#endif
}

/* Has arrived; tells which stack was left. */
static inline void
checker_arrive(void *fake, const void **stack, size_t *bytes)
{
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(fake, stack, bytes);
#else
	(void)fake;
	(void)stack;
	(void)bytes;
#endif
}

/* A stack's frames may hold the only pointer to a block: LeakSanitizer must look there. */
static void
checker_scan(const struct fiber *f, bool scan)
{
#ifdef WITH_ASAN
	if (scan)
		__lsan_register_root_region(f->stack, f->stack_bytes);
	else
		__lsan_unregister_root_region(f->stack, f->stack_bytes);
#else
	(void)f;
	(void)scan;
#endif
}

static void
checker_forget_frames(const struct fiber *f)
{
#ifdef WITH_ASAN
	__asan_unpoison_memory_region(f->stack, f->stack_bytes);
#else
	(void)f;
#endif
}

/* ---- life of a stack ---- */

void
fiber_init(struct fiber *f, void *stack, size_t stack_bytes)
{
	*f = (struct fiber){ .stack = stack, .stack_bytes = stack_bytes };
#ifdef HAVE_VALGRIND_VALGRIND_H
	f->valgrind_id = VALGRIND_STACK_REGISTER(stack, (char *)stack + stack_bytes);
#endif
}

void
fiber_fini(struct fiber *f)
{
	fiber_reset(f);
#ifdef HAVE_VALGRIND_VALGRIND_H
	VALGRIND_STACK_DEREGISTER(f->valgrind_id);
#endif
}

void
fiber_reset(struct fiber *f)
{
	must(!f->running);
	checker_forget_frames(f);
	f->started = false;
}

/* ---- switching ---- */

/*
 * AddressSanitizer can keep a function's variables on a side stack that ends with the
 * fiber; ours outlive that, and some never return to take their red zones away.
 */
#define ON_THE_REAL_STACK __attribute__((noinline, no_sanitize_address))

/* Jumps back to the resumer; returns when resumed again. */
static ON_THE_REAL_STACK void
leave(struct fiber *f)
{
	void *fake = NULL;

	checker_leave(f->running ? &fake : NULL, f->outside_stack, f->outside_bytes);
	if (sigsetjmp(f->inside, 0) == 0)
		siglongjmp(f->outside, 1);
	checker_arrive(fake, &f->outside_stack, &f->outside_bytes);
}

/* The bottom frame of every stack: it runs one entry after the other. */
static ON_THE_REAL_STACK void
trampoline(unsigned high, unsigned low)
{
	/* makecontext passes ints only */
	struct fiber *f = (struct fiber *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);

	checker_arrive(NULL, &f->outside_stack, &f->outside_bytes);
	for (;;) {
		f->entry(f->arg);
		f->running = false;
		leave(f);
	}
}

/* First entry; a function of its own, so that only it has the large context in its frame. */
static _Noreturn ON_THE_REAL_STACK void
enter_first(struct fiber *f)
{
	ucontext_t context;

	must(getcontext(&context) == 0);
	context.uc_stack.ss_sp = f->stack;
	context.uc_stack.ss_size = f->stack_bytes;
	context.uc_link = NULL;
	makecontext(&context, (void (*)(void))trampoline, 2, (unsigned)((uintptr_t)f >> 16 >> 16),
	    (unsigned)(uintptr_t)f);
	f->started = true;
	setcontext(&context);
	must_failed(__FILE__, __LINE__, "setcontext");
}

ON_THE_REAL_STACK bool
fiber_resume(struct fiber *f)
{
	void *fake = NULL;

	if (!f->running) {
		f->running = true;
		checker_scan(f, true);
	}
	checker_leave(&fake, f->stack, f->stack_bytes);
	if (sigsetjmp(f->outside, 0) == 0) {
		if (f->started)
			siglongjmp(f->inside, 1);
		enter_first(f);
	}
	checker_arrive(fake, NULL, NULL);
	if (f->running)
		return false;
	checker_scan(f, false);
	return true;
}

ON_THE_REAL_STACK void
fiber_suspend(struct fiber *f)
{
	must(f->running);
	leave(f);
}
