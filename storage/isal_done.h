/*
 * What ISA-L leaves behind: its AVX code returns with the upper halves of vector registers in use.
 * On some processors (seen on one of AMD's with AVX-512) the SHA instructions of that thread then
 * take half as long again, until somebody zeroes them: SHA-256 of a leaf took 0.92 instead of 0.67
 * core-seconds a GiB after coding.
 *
 * For code.c and crc.c, after each call.
 */
#ifndef STORAGE_ISAL_DONE_H
#define STORAGE_ISAL_DONE_H

#if defined(__x86_64__)
static inline void
isal_done(void)
{
	/* The list is for builds that use AVX themselves: it names the whole registers. */
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper" ::
				     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
				 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
				 "xmm14", "xmm15");
}
#else
static inline void
isal_done(void)
{
}
#endif

#endif
