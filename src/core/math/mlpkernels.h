/*
 * mlpkernels.h
 *		The vector kernels of the network, written once and compiled for each
 *		instruction set (dispatch.h says with what).
 *
 * A tile is VEC_ROWS x 2 vectors of sums, as many as the registers hold; every
 * element is summed in the order of k, so it does not depend on how a product
 * is cut into tiles or pieces.
 */
#define VEC VEC_NAME(Vec)
#define IVEC VEC_NAME(IntVec)
#define VEC_INLINE VEC_TARGET __attribute__((always_inline)) static inline

typedef float VEC __attribute__((vector_size(VEC_LANES * 4), aligned(4), may_alias));
typedef int32_t IVEC __attribute__((vector_size(VEC_LANES * 4), aligned(4), may_alias));

#define VEC_LOAD(p) (*(const VEC *) (p))
#define VEC_STORE(p, v) (*(VEC *) (p) = (v))
#define VEC_WIDTH (2 * VEC_LANES)
#define VEC_ALL(x) ((x) - (VEC){0}) /* minus: x - 0 is x for -0 too, so nothing is computed */

/* sum[r] += a(r, p) b(p, 0 .. VEC_WIDTH - 1) over p < k. */
VEC_INLINE void
VEC_NAME(tile)(const float *a, size_t row_step, size_t k_step, size_t k, const float *b,
			   size_t b_step, VEC sum[VEC_ROWS][2])
{
	VEC s[VEC_ROWS][2];

#pragma GCC unroll 16
	for (int r = 0; r < VEC_ROWS; r++)
	{
		s[r][0] = sum[r][0];
		s[r][1] = sum[r][1];
	}
	for (size_t p = 0; p < k; p++)
	{
		VEC b0 = VEC_LOAD(b);
		VEC b1 = VEC_LOAD(b + VEC_LANES);

#pragma GCC unroll 16
		for (int r = 0; r < VEC_ROWS; r++)
		{
			float f = a[r * row_step];

			s[r][0] += f * b0;
			s[r][1] += f * b1;
		}
		a += k_step;
		b += b_step;
	}
#pragma GCC unroll 16
	for (int r = 0; r < VEC_ROWS; r++)
	{
		sum[r][0] = s[r][0];
		sum[r][1] = s[r][1];
	}
}

VEC_TARGET static void
VEC_NAME(product)(const RsProduct *job, float *c, size_t c_step, size_t rows, size_t columns)
{
	for (size_t p = 0; p < job->k; p += RS_MLP_DEPTH)
	{
		size_t depth = job->k - p < RS_MLP_DEPTH ? job->k - p : RS_MLP_DEPTH;

		for (size_t j = 0; j < columns; j += VEC_WIDTH)
		{
			for (size_t i = 0; i < rows; i += VEC_ROWS)
			{
				float *to = c + i * c_step + j;
				VEC sum[VEC_ROWS][2] = {{{0}}};

				if (p > 0 || job->add)
				{
#pragma GCC unroll 16
					for (int r = 0; r < VEC_ROWS; r++)
					{
						sum[r][0] = VEC_LOAD(to + r * c_step);
						sum[r][1] = VEC_LOAD(to + r * c_step + VEC_LANES);
					}
				}
				VEC_NAME(tile)
				(job->a + i * job->row_step + p * job->k_step, job->row_step, job->k_step, depth,
				 job->b + p * job->b_step + j, job->b_step, sum);
#pragma GCC unroll 16
				for (int r = 0; r < VEC_ROWS; r++)
				{
					VEC_STORE(to + r * c_step, sum[r][0]);
					VEC_STORE(to + r * c_step + VEC_LANES, sum[r][1]);
				}
			}
		}
	}
}

VEC_TARGET static void
VEC_NAME(dense)(const float *x, size_t x_step, size_t k, const float *panels, const float *bias,
				float *y, size_t y_step, size_t rows, size_t columns)
{
	for (size_t j = 0; j < columns; j += VEC_WIDTH)
	{
		VEC b0 = VEC_LOAD(bias + j);
		VEC b1 = VEC_LOAD(bias + j + VEC_LANES);

		for (size_t i = 0; i < rows; i += VEC_ROWS)
		{
			VEC sum[VEC_ROWS][2];

#pragma GCC unroll 16
			for (int r = 0; r < VEC_ROWS; r++)
			{
				sum[r][0] = b0;
				sum[r][1] = b1;
			}
			VEC_NAME(tile)(x + i * x_step, x_step, 1, k, panels + j * k, VEC_WIDTH, sum);
#pragma GCC unroll 16
			for (int r = 0; r < VEC_ROWS; r++)
			{
				VEC_STORE(y + (i + r) * y_step + j, sum[r][0]);
				VEC_STORE(y + (i + r) * y_step + j + VEC_LANES, sum[r][1]);
			}
		}
	}
}

/* Rows of weights to panels: panels[j / width][k][width], as dense reads them. */
VEC_TARGET static void
VEC_NAME(pack)(const float *rows, size_t k, size_t begin, size_t end, float *panels)
{
	for (size_t j = begin; j < end; j += VEC_WIDTH)
	{
		const float *from = rows + j * k;
		float *to = panels + j * k;

		for (size_t p = 0; p < k; p++)
			for (size_t l = 0; l < VEC_WIDTH; l++)
				to[p * VEC_WIDTH + l] = from[l * k + p];
	}
}

/* Where a > b, a, else b. */
VEC_INLINE VEC
VEC_NAME(larger)(VEC a, VEC b)
{
	IVEC mask = a > b;

	return (VEC) (((IVEC) a & mask) | ((IVEC) b & ~mask));
}

/*
 * e^x, within 2 units in the last place for -87 <= x <= 88, which it is brought
 * into: 2^n by the exponent's bits, the rest by the polynomial of Cephes' expf.
 */
VEC_INLINE VEC
VEC_NAME(exp)(VEC x)
{
	VEC shifted;
	VEC n;
	VEC r;
	VEC p;

	x = VEC_NAME(larger)(VEC_ALL(-87.0f), x); /* in this order NaN stays NaN */
	x = -VEC_NAME(larger)(VEC_ALL(-88.0f), -x);
	shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: its low bits are n */
	n = shifted - 12582912.0f;
	r = x - n * 0.693359375f;
	r = r - n * -2.12194440e-4f;
	p = VEC_ALL(1.9875691500e-4f);
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * (r * r) + r + 1.0f;
	return (VEC) ((IVEC) p + ((IVEC) shifted << 23));
}

VEC_TARGET static float
VEC_NAME(max)(const float *x, size_t n)
{
	VEC most = VEC_ALL(x[0]);
	float max = x[0];
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		most = VEC_NAME(larger)(VEC_LOAD(x + i), most);
	for (int l = 0; l < VEC_LANES; l++)
		max = most[l] > max ? most[l] : max;
	for (; i < n; i++)
		max = x[i] > max ? x[i] : max;
	return max;
}

/* x[i] = e^(x[i] - max); their sum.  x has room for whole vectors. */
VEC_TARGET static float
VEC_NAME(exp_sum)(float *x, size_t n, float max)
{
	VEC sum = {0};
	float total = 0;
	size_t i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		VEC e = VEC_NAME(exp)(VEC_LOAD(x + i) - max);

		VEC_STORE(x + i, e);
		sum += e;
	}
	if (i < n)
	{
		VEC e = VEC_NAME(exp)(VEC_LOAD(x + i) - max);

		for (int l = 0; i < n; i++, l++)
		{
			x[i] = e[l];
			total += e[l];
		}
	}
	for (int l = 0; l < VEC_LANES; l++)
		total += sum[l];
	return total;
}

VEC_TARGET static void
VEC_NAME(scale)(float *x, size_t n, float factor)
{
	for (size_t i = 0; i < n; i++)
		x[i] *= factor;
}

/* n a multiple of VEC_WIDTH. */
VEC_TARGET static void
VEC_NAME(activate)(RsActivation activation, float *x, size_t n)
{
	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		VEC v = VEC_LOAD(x + i);

		if (activation == RS_RELU)
			v = VEC_NAME(larger)(v, VEC_ALL(0.0f));
		else if (activation == RS_SIGMOID)
			v = 1.0f / (1.0f + VEC_NAME(exp)(-v));
		else
			v = 1.0f - 2.0f / (1.0f + VEC_NAME(exp)(2.0f * v));
		VEC_STORE(x + i, v);
	}
}

/* delta[i] *= the activation's derivative where its value is y[i]. */
VEC_TARGET static void
VEC_NAME(derive)(RsActivation activation, const float *y, float *delta, size_t n)
{
	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		VEC v = VEC_LOAD(y + i);
		VEC d = VEC_LOAD(delta + i);

		if (activation == RS_RELU)
			d = (VEC) ((IVEC) d & (IVEC) (v > 0.0f));
		else if (activation == RS_SIGMOID)
			d *= v * (1.0f - v);
		else
			d *= 1.0f - v * v;
		VEC_STORE(delta + i, d);
	}
}

VEC_TARGET static void
VEC_NAME(adam)(const RsAdam *adam, float decay, float *restrict w, float *restrict m,
			   float *restrict v, const float *restrict gradient, size_t n)
{
	float keep = 1.0f - decay;

	for (size_t i = 0; i < n; i++)
	{
		float g = gradient[i];

		m[i] += (g - m[i]) * adam->first;
		v[i] += (g * g - v[i]) * adam->second;
		w[i] = w[i] * keep - adam->rate * m[i] / (sqrtf(v[i]) + adam->epsilon);
	}
}

#undef VEC
#undef IVEC
#undef VEC_INLINE
#undef VEC_LOAD
#undef VEC_STORE
#undef VEC_WIDTH
#undef VEC_ALL
