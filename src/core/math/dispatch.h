/*
 * dispatch.h
 *		Compiles a file of kernels for each instruction set and picks what suits the
 *		CPU when the library is loaded.
 *
 * Before: KERNELS_FILE, the file; Kernels, a struct of pointers to functions;
 * KERNELS(suffix), its initializer from functions whose names end so.  After:
 * the pointer `kernels`.  The file finds VEC_LANES (floats a vector), VEC_ROWS
 * (rows of a tile that the registers hold), VEC_TARGET (the attribute that
 * selects the instructions) and VEC_NAME(x) (x with the suffix).  No guard.
 *
 * Not by target_clones: GCC lowers vector types before it clones, and the
 * resolvers that it makes run too early for the sanitizers.
 */
#if defined(__x86_64__)
#define VEC_LANES 16
#define VEC_ROWS 8
#define VEC_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#define VEC_NAME(x) x##_avx512
#include KERNELS_FILE
#undef VEC_LANES
#undef VEC_ROWS
#undef VEC_TARGET
#undef VEC_NAME

#define VEC_LANES 8
#define VEC_ROWS 4
#define VEC_TARGET __attribute__((target("avx2,fma")))
#define VEC_NAME(x) x##_avx2
#include KERNELS_FILE
#undef VEC_LANES
#undef VEC_ROWS
#undef VEC_TARGET
#undef VEC_NAME
#endif

#define VEC_LANES 4
#define VEC_ROWS 4
#define VEC_TARGET
#define VEC_NAME(x) x##_plain
#include KERNELS_FILE

static const Kernels plain = KERNELS(plain);
static const Kernels *kernels = &plain;

#if defined(__x86_64__)
static const Kernels avx2 = KERNELS(avx2);
static const Kernels avx512 = KERNELS(avx512);

__attribute__((constructor)) static void
choose_kernels(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return;
	kernels = &avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
		kernels = &avx512;
}
#endif
