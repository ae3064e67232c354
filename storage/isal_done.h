/*
 * What ISA-L leaves behind: its AVX code returns with the upper halves of vector registers in use.
 * On some processors (AMD's with AVX-512) every SSE instruction of that thread then takes half as
 * long again, until somebody zeroes them. Hashing is such instructions: SHA-256 of a leaf
 * took 0.92 instead of 0.67 core-seconds a GiB after coding.
 *
 * For code.c and crc.c, after each call that ran long.
 */
#ifndef STORAGE_ISAL_DONE_H
#define STORAGE_ISAL_DONE_H

#if defined(__x86_64__)
static inline void
isal_done(void)
{
	/* No compiler of ours has anything there: the calling convention keeps none of it. */
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper");
}
#else
static inline void
isal_done(void)
{
}
#endif

#endif
