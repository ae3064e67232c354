/*
 * Slabs of stacks come from mmap and live until the pool is freed; free stacks
 * wait in a list, the last used first. The first TASK_STACKS_WARM keep memory
 * and context; those put back beyond are emptied. Only growth can fail.
 */
#include "overlay/base/task_stack.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "overlay/base/task.h"

#define SLAB_STACKS 16 /* 2 MiB of address space per system call */
#define CANARY      UINT64_C(0x736b657272790a0d)

struct stack {
	struct fiber fiber; /* first: the pool's users see only this */
	struct stack *next_free;
};

struct slab {
	struct slab *next;
	uint8_t *map;
	struct stack stacks[SLAB_STACKS];
};

struct task_stacks {
	bool guard_pages;
	size_t guard_bytes; /* 0 without */
	struct slab *slabs;
	struct stack *warm; /* with a context to jump to */
	struct stack *cold; /* untouched, or emptied */
	size_t warm_count;
	size_t used;
};

struct task_stacks *
task_stacks_new(bool guard_pages)
{
	struct task_stacks *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->guard_pages = guard_pages;
	s->guard_bytes = guard_pages ? (size_t)sysconf(_SC_PAGESIZE) : 0;
	must(s->guard_bytes < TASK_STACK_BYTES);
	return s;
}

static void
slab_free(struct slab *slab)
{
	for (size_t i = 0; i < SLAB_STACKS; i++)
		fiber_fini(&slab->stacks[i].fiber);
	must(munmap(slab->map, SLAB_STACKS * TASK_STACK_BYTES) == 0);
	free(slab);
}

void
task_stacks_free(struct task_stacks *s)
{
	if (s == NULL)
		return;
	must(s->used == 0);
	while (s->slabs != NULL) {
		struct slab *slab = s->slabs;

		s->slabs = slab->next;
		slab_free(slab);
	}
	free(s);
}

/* Maps a slab and, if asked, takes the lowest page of each stack away again. */
static uint8_t *
slab_map(const struct task_stacks *s)
{
	size_t bytes = SLAB_STACKS * TASK_STACK_BYTES;
	uint8_t *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	/*
	 * A huge page would make each touched stack resident in full. Kernels without
	 * huge pages refuse, which is as good.
	 */
	(void)madvise(map, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; s->guard_pages && i < SLAB_STACKS; i++) {
		if (mprotect(map + i * TASK_STACK_BYTES, s->guard_bytes, PROT_NONE) != 0) {
			must(munmap(map, bytes) == 0);
			return NULL;
		}
	}
	return map;
}

static bool
grow(struct task_stacks *s)
{
	struct slab *slab = calloc(1, sizeof(*slab));

	if (slab == NULL)
		return false;
	slab->map = slab_map(s);
	if (slab->map == NULL) {
		free(slab);
		return false;
	}
	for (size_t i = SLAB_STACKS; i-- > 0;) {
		struct stack *stack = &slab->stacks[i];

		fiber_init(&stack->fiber, slab->map + i * TASK_STACK_BYTES + s->guard_bytes,
		    TASK_STACK_BYTES - s->guard_bytes);
		stack->next_free = s->cold;
		s->cold = stack;
	}
	slab->next = s->slabs;
	s->slabs = slab;
	return true;
}

/* The canary is the lowest word of a stack; with guard pages there is none. */
static uint64_t *
canary(const struct fiber *f)
{
	return f->stack;
}

struct fiber *
task_stacks_get(struct task_stacks *s)
{
	struct stack *stack = s->warm;

	if (stack != NULL) {
		s->warm = stack->next_free;
		s->warm_count--;
	} else {
		if (s->cold == NULL && !grow(s))
			return NULL;
		stack = s->cold;
		s->cold = stack->next_free;
		if (!s->guard_pages)
			*canary(&stack->fiber) = CANARY;
	}
	s->used++;
	return &stack->fiber;
}

void
task_stacks_put(struct task_stacks *s, struct fiber *f)
{
	struct stack *stack = container_of(f, struct stack, fiber);

	must(s->used > 0);
	s->used--;
	if (s->warm_count < TASK_STACKS_WARM) {
		stack->next_free = s->warm;
		s->warm = stack;
		s->warm_count++;
		return;
	}
	fiber_reset(f);
	/* Refused only for locked memory, whose owner wants it resident. */
	(void)madvise(f->stack, f->stack_bytes, MADV_DONTNEED);
	stack->next_free = s->cold;
	s->cold = stack;
}

bool
task_stacks_intact(const struct task_stacks *s, const struct fiber *f)
{
	return s->guard_pages || *canary(f) == CANARY;
}
