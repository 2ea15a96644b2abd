/*
 * cpu.h
 *		Which of the vector kernels this processor can run; for their constructors.
 */
#ifndef RS_CPU_H
#define RS_CPU_H

typedef enum RsCpu
{
	RS_CPU_PLAIN,
	RS_CPU_AVX2,
	RS_CPU_AVX512
} RsCpu;

static inline RsCpu
rs_cpu(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return RS_CPU_PLAIN;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
		return RS_CPU_AVX512;
	return RS_CPU_AVX2;
#else
	return RS_CPU_PLAIN;
#endif
}

#endif
