/*
 * veckernels.h
 *		The vector kernels, written once and compiled for each instruction set
 *		(dispatch.h says with what).
 *
 * A sum is four vectors of partial sums, added pairwise, then halved until one
 * number is left, then the tail in order: always the same order for the same n.
 */
#define VEC VEC_NAME(Vec)
#define VEC_INLINE VEC_TARGET __attribute__((always_inline)) static inline

#define VEC_HALF VEC_NAME(Half)
#define VEC_DOUBLES VEC_NAME(Doubles)

typedef float VEC __attribute__((vector_size(VEC_LANES * 4), aligned(4), may_alias));
typedef float VEC_HALF __attribute__((vector_size(VEC_LANES * 2), aligned(4), may_alias));
typedef double VEC_DOUBLES __attribute__((vector_size(VEC_LANES * 4)));

#define VEC_LOAD(p) (*(const VEC *) (p))
#define VEC_STORE(p, v) (*(VEC *) (p) = (v))

VEC_INLINE float
VEC_NAME(sum)(VEC v)
{
#if VEC_LANES == 16
	RsVec8 v8 = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
				__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
	RsVec4 v4 =
		__builtin_shufflevector(v8, v8, 0, 1, 2, 3) + __builtin_shufflevector(v8, v8, 4, 5, 6, 7);
#elif VEC_LANES == 8
	RsVec4 v4 =
		__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
	RsVec4 v4 = v;
#endif

	v4 += __builtin_shufflevector(v4, v4, 2, 3, 0, 1);
	v4 += __builtin_shufflevector(v4, v4, 1, 0, 3, 2);
	return v4[0];
}

VEC_INLINE float
VEC_NAME(dot_inline)(const float *a, const float *b, size_t n)
{
	const size_t step = 4 * VEC_LANES;
	VEC s0 = {0};
	VEC s1 = {0};
	VEC s2 = {0};
	VEC s3 = {0};
	size_t i = 0;
	float total;

	for (; i + step <= n; i += step)
	{
		s0 += VEC_LOAD(a + i) * VEC_LOAD(b + i);
		s1 += VEC_LOAD(a + i + VEC_LANES) * VEC_LOAD(b + i + VEC_LANES);
		s2 += VEC_LOAD(a + i + 2 * VEC_LANES) * VEC_LOAD(b + i + 2 * VEC_LANES);
		s3 += VEC_LOAD(a + i + 3 * VEC_LANES) * VEC_LOAD(b + i + 3 * VEC_LANES);
	}
	for (; i + VEC_LANES <= n; i += VEC_LANES)
		s0 += VEC_LOAD(a + i) * VEC_LOAD(b + i);
	total = VEC_NAME(sum)((s0 + s1) + (s2 + s3));
	for (; i < n; i++)
		total += a[i] * b[i];
	return total;
}

VEC_INLINE void
VEC_NAME(axpy_inline)(float alpha, const float *x, float *y, size_t n)
{
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		VEC_STORE(y + i, VEC_LOAD(y + i) + alpha * VEC_LOAD(x + i));
	for (; i < n; i++)
		y[i] += alpha * x[i];
}

VEC_TARGET static float
VEC_NAME(dot)(const float *a, const float *b, size_t n)
{
	return VEC_NAME(dot_inline)(a, b, n);
}

VEC_TARGET static void
VEC_NAME(dot_rows)(const float *q, const float *rows, size_t rows_n, size_t n, float *out)
{
	if (n == 64)
	{
		for (size_t j = 0; j < rows_n; j++)
			out[j] = VEC_NAME(dot_inline)(q, rows + j * 64, 64);
		return;
	}
	for (size_t j = 0; j < rows_n; j++)
		out[j] = VEC_NAME(dot_inline)(q, rows + j * n, n);
}

/* Two queries with the pack: out[32] each. */
VEC_INLINE void
VEC_NAME(products_of_2)(const float *q0, const float *q1, const float *pack, size_t n, float *out0,
						float *out1)
{
	VEC s0[32 / VEC_LANES] = {{0}};
	VEC s1[32 / VEC_LANES] = {{0}};

	for (size_t d = 0; d < n; d++)
	{
		for (size_t v = 0; v < 32 / VEC_LANES; v++)
		{
			VEC x = VEC_LOAD(pack + d * 32 + v * VEC_LANES);

			s0[v] += q0[d] * x;
			s1[v] += q1[d] * x;
		}
	}
	for (size_t v = 0; v < 32 / VEC_LANES; v++)
	{
		VEC_STORE(out0 + v * VEC_LANES, s0[v]);
		VEC_STORE(out1 + v * VEC_LANES, s1[v]);
	}
}

VEC_TARGET static void
VEC_NAME(products)(const float *const *query, size_t queries, const float *pack, size_t n,
				   float *out)
{
	for (size_t i = 0; i < queries; i += 2)
	{
		size_t other = i + 1 < queries ? i + 1 : i;

		VEC_NAME(products_of_2)(query[i], query[other], pack, n, out + i * 32, out + other * 32);
	}
}

/* out[j] = norm of row j, its squares summed in double. */
VEC_TARGET static void
VEC_NAME(norm_rows)(const float *rows, size_t rows_n, size_t n, float *out)
{
	const size_t step = VEC_LANES;

	for (size_t j = 0; j < rows_n; j++)
	{
		const float *row = rows + j * n;
		VEC_DOUBLES s0 = {0};
		VEC_DOUBLES s1 = {0};
		double total = 0;
		size_t i = 0;

		for (; i + step <= n; i += step)
		{
			VEC_DOUBLES a = __builtin_convertvector(*(const VEC_HALF *) (row + i), VEC_DOUBLES);
			VEC_DOUBLES b =
				__builtin_convertvector(*(const VEC_HALF *) (row + i + step / 2), VEC_DOUBLES);

			s0 += a * a;
			s1 += b * b;
		}
		s0 += s1;
		for (size_t l = 0; l < step / 2; l++)
			total += s0[l];
		for (; i < n; i++)
			total += (double) row[i] * row[i];
		out[j] = (float) sqrt(total);
	}
}

/* Two products of a byte within 255 and a number within 64 fit an int16.  With more
 * lanes than AVX2 has it is memory that one waits for. */
VEC_TARGET static uint32_t
VEC_NAME(bytes_reach)(const int8_t *q, const uint8_t *block, size_t n, int32_t least)
{
	uint32_t reach = 0;
#if VEC_LANES >= 8
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i sum[4] = {0};

	for (size_t i = 0; i < n; i += 4)
	{
		int32_t four;
		__m256i number;

		memcpy(&four, q + i, sizeof(four));
		number = _mm256_set1_epi32(four);
		for (int v = 0; v < 4; v++)
		{
			__m256i bytes = _mm256_loadu_si256((const __m256i *) (block + i * 32 + v * 32));
			__m256i pairs = _mm256_maddubs_epi16(bytes, number);

			sum[v] = _mm256_add_epi32(sum[v], _mm256_madd_epi16(pairs, ones));
		}
	}
	for (int v = 0; v < 4; v++)
	{
		__m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(least), sum[v]);

		reach |= (~(uint32_t) _mm256_movemask_ps(_mm256_castsi256_ps(below)) & 0xff) << (8 * v);
	}
#else
	for (size_t j = 0; j < 32; j++)
	{
		int32_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += q[i] * block[(i / 4 * 32 + j) * 4 + i % 4];
		reach |= (uint32_t) (sum >= least) << j;
	}
#endif
	return reach;
}

VEC_TARGET static void
VEC_NAME(axpy)(float alpha, const float *x, float *y, size_t n)
{
	VEC_NAME(axpy_inline)(alpha, x, y, n);
}

/* y[i] -= sum of f[p] * x[p * stride + i] over p < 8. */
VEC_INLINE void
VEC_NAME(subtract8)(const float *f, const float *x, size_t stride, float *y, size_t n)
{
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		VEC v = VEC_LOAD(y + i);

		for (int p = 0; p < 8; p++)
			v -= f[p] * VEC_LOAD(x + p * stride + i);
		VEC_STORE(y + i, v);
	}
	for (; i < n; i++)
	{
		for (int p = 0; p < 8; p++)
			y[i] -= f[p] * x[p * stride + i];
	}
}

/* Turn the upper triangle of a[n,n] into U with A = UᵀU; its diagonal is left
 * inverted.  Right-looking, eight rows at a time. */
VEC_TARGET static bool
VEC_NAME(cholesky)(float *a, size_t n)
{
	for (size_t j = 0; j < n; j += 8)
	{
		size_t end = j + 8 < n ? j + 8 : n;

		if (n >= 512 && rs_loop_canceled())
			return false;
		for (size_t r = j; r < end; r++)
		{
			float *row = a + r * n;
			float pivot = row[r];
			float inverse;

			/* written so that NaN fails too */
			if (!(pivot > 0.0f && pivot <= FLT_MAX))
				return false;
			inverse = 1.0f / sqrtf(pivot);
			for (size_t c = r + 1; c < n; c++)
				row[c] *= inverse;
			row[r] = inverse;
			for (size_t i = r + 1; i < end; i++)
				VEC_NAME(axpy_inline)(-row[i], row + i, a + i * n + i, n - i);
		}
		for (size_t i = end; i < n; i++)
		{
			float f[8];

			for (int p = 0; p < 8; p++)
				f[p] = a[(j + p) * n + i];
			VEC_NAME(subtract8)(f, a + j * n + i, n, a + i * n + i, n - i);
		}
	}
	return true;
}

/* Solve A x = b for the upper triangle of a[n,n], which is destroyed. */
VEC_TARGET static bool
VEC_NAME(solve_spd)(float *a, float *b, size_t n)
{
	if (!VEC_NAME(cholesky)(a, n))
		return false;
	for (size_t j = 0; j < n; j++)
	{
		b[j] *= a[j * n + j];
		VEC_NAME(axpy_inline)(-b[j], a + j * n + j + 1, b + j + 1, n - j - 1);
	}
	for (size_t j = n; j-- > 0;)
		b[j] =
			(b[j] - VEC_NAME(dot_inline)(a + j * n + j + 1, b + j + 1, n - j - 1)) * a[j * n + j];
	return true;
}

/* out = alpha * A v for a symmetric a[n,n], n a multiple of 16. */
VEC_TARGET static void
VEC_NAME(matvec)(float alpha, const float *a, const float *v, size_t n, float *out)
{
	for (size_t i = 0; i < n; i += VEC_LANES * 2)
	{
		VEC s0 = {0};
		VEC s1 = {0};

		if (i + VEC_LANES * 2 > n)
		{
			for (size_t j = 0; j < n; j++)
				s0 += v[j] * VEC_LOAD(a + j * n + i);
			VEC_STORE(out + i, alpha * s0);
			break;
		}
		for (size_t j = 0; j < n; j++)
		{
			s0 += v[j] * VEC_LOAD(a + j * n + i);
			s1 += v[j] * VEC_LOAD(a + j * n + i + VEC_LANES);
		}
		VEC_STORE(out + i, alpha * s0);
		VEC_STORE(out + i + VEC_LANES, alpha * s1);
	}
}

/* a[n,n] += sum of weight[j] * y yᵀ, upper triangle, over rows y of length n;
 * eight at a time. */
VEC_TARGET static void
VEC_NAME(add_outer)(const float *rows, const uint32_t *index, const float *weight, size_t count,
					size_t n, float *a)
{
	for (size_t j = 0; j < count; j += 8)
	{
		const float *y[8];
		float w[8];

		for (size_t p = 0; p < 8; p++)
		{
			size_t row = j + p < count ? j + p : j;

			y[p] = rows + (index != NULL ? index[row] : row) * n;
			w[p] = j + p >= count ? 0.0f : weight != NULL ? weight[row] : 1.0f;
		}
		for (size_t i = 0; i < n; i++)
		{
			float *to = a + i * n;
			float f[8];
			size_t c = i;

			for (int p = 0; p < 8; p++)
				f[p] = w[p] * y[p][i];
			for (; c + VEC_LANES <= n; c += VEC_LANES)
			{
				VEC v = VEC_LOAD(to + c);

				for (int p = 0; p < 8; p++)
					v += f[p] * VEC_LOAD(y[p] + c);
				VEC_STORE(to + c, v);
			}
			for (; c < n; c++)
			{
				for (int p = 0; p < 8; p++)
					to[c] += f[p] * y[p][c];
			}
		}
	}
}

/* The body of apply, for a known n where it pays. */
VEC_INLINE void
VEC_NAME(apply_inline)(const RsApply *job, const float *v, float target, float *out, float *rhs,
					   float *copy, size_t n)
{
	for (size_t j = 0; j < job->count; j++)
	{
		const float *y = job->rows + (job->index != NULL ? job->index[j] : j) * n;
		float w = job->weight[j];
		float up = w > 0.0f ? w : 0.0f;
		float f;

		if (job->index != NULL && j + 6 < job->count)
		{
			const float *ahead = job->rows + (size_t) job->index[j + 6] * n;

			for (size_t i = 0; i < n; i += 16)
				__builtin_prefetch(ahead + i);
		}
		f = fabsf(w) * VEC_NAME(dot_inline)(y, v, n) - target * up;
		for (size_t i = 0; i < n; i += VEC_LANES)
			VEC_STORE(out + i, VEC_LOAD(out + i) + f * VEC_LOAD(y + i));
		if (rhs != NULL)
		{
			for (size_t i = 0; i < n; i += VEC_LANES)
				VEC_STORE(rhs + i, VEC_LOAD(rhs + i) + up * VEC_LOAD(y + i));
		}
		if (copy != NULL)
		{
			for (size_t i = 0; i < n; i += VEC_LANES)
				VEC_STORE(copy + j * n + i, VEC_LOAD(y + i));
		}
	}
}

VEC_TARGET static void
VEC_NAME(apply)(const RsApply *job, const float *v, float target, float *out, float *rhs,
				float *copy, size_t n)
{
	if (n == 64 && rhs == NULL && copy == NULL)
	{
		float sum[64];

		memcpy(sum, out, sizeof(sum));
		VEC_NAME(apply_inline)(job, v, target, sum, NULL, NULL, 64);
		memcpy(out, sum, sizeof(sum));
	}
	else if (n == 64)
		VEC_NAME(apply_inline)(job, v, target, out, rhs, copy, 64);
	else
		VEC_NAME(apply_inline)(job, v, target, out, rhs, copy, n);
}

#undef VEC
#undef VEC_DOUBLES
#undef VEC_HALF
#undef VEC_INLINE
#undef VEC_LOAD
#undef VEC_STORE
