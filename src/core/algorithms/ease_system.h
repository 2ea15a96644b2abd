/*
 * ease_system.h
 *		The systems of ease_fit.c and what is read from their inverses, for one
 *		precision: included once for each, with REAL and NAME() set, which it
 *		unsets.
 */

/* x'_ui */
static inline REAL
NAME(scaled)(const RsEaseFit *fit, uint32_t user, float weight)
{
	return weight * (REAL) fit->user_scale[user];
}

/* Lower triangle of G + L, rows [begin, end). */
static void
NAME(item_gram)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *users = &fit->problem->by_user;
	const RsRows *items = &fit->problem->by_item;
	size_t n = items->n;
	uint64_t done = 0;
	uint64_t item;

	(void) thread;
	for (item = begin; item < end; item++)
	{
		REAL *row = (REAL *) fit->system + item * n;
		uint64_t u;

		memset(row, 0, n * sizeof(REAL));
		for (u = items->start[item]; u < items->start[item + 1]; u++)
		{
			uint32_t user = items->index[u];
			REAL x = NAME(scaled)(fit, user, items->weight[u]) * (REAL) fit->user_scale[user];
			uint64_t j;

			for (j = users->start[user]; j < users->start[user + 1] && users->index[j] <= item; j++)
				row[users->index[j]] += x * users->weight[j];
			if (rs_loop_worked(&done, users->start[user + 1] - users->start[user]))
				return;
		}
		row[item] += (REAL) fit->penalty[item];
	}
}

/* Lower triangle of 1 + X' L^-1 X'^T, rows [begin, end). */
static void
NAME(user_gram)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *users = &fit->problem->by_user;
	const RsRows *items = &fit->problem->by_item;
	size_t n = users->n;
	uint64_t done = 0;
	uint64_t user;

	(void) thread;
	for (user = begin; user < end; user++)
	{
		REAL *row = (REAL *) fit->system + user * n;
		uint64_t i;

		memset(row, 0, n * sizeof(REAL));
		for (i = users->start[user]; i < users->start[user + 1]; i++)
		{
			uint32_t item = users->index[i];
			REAL x =
				NAME(scaled)(fit, (uint32_t) user, users->weight[i]) / (REAL) fit->penalty[item];
			uint64_t v;

			for (v = items->start[item]; v < items->start[item + 1] && items->index[v] <= user; v++)
				row[items->index[v]] += x * NAME(scaled)(fit, items->index[v], items->weight[v]);
			if (rs_loop_worked(&done, items->start[item + 1] - items->start[item]))
				return;
		}
		row[user] += 1;
	}
}

/* out[n_items] = X'^T y. */
static void
NAME(by_items)(const RsEaseFit *fit, const REAL *y, REAL *out)
{
	const RsRows *users = &fit->problem->by_user;

	memset(out, 0, fit->problem->n_items * sizeof(REAL));
	for (uint32_t u = 0; u < users->n; u++)
	{
		REAL scale = y[u] * (REAL) fit->user_scale[u];

		for (uint64_t i = users->start[u]; scale != 0 && i < users->start[u + 1]; i++)
			out[users->index[i]] += scale * users->weight[i];
	}
}

/* out[n_users] = X' in. */
static void
NAME(by_users)(const RsEaseFit *fit, const REAL *in, REAL *out)
{
	const RsRows *users = &fit->problem->by_user;

	for (uint32_t u = 0; u < users->n; u++)
	{
		REAL sum = 0;

		for (uint64_t i = users->start[u]; i < users->start[u + 1]; i++)
			sum += in[users->index[i]] * users->weight[i];
		out[u] = sum * (REAL) fit->user_scale[u];
	}
}

/*
 * A step of iterative refinement of x, a row of P from the system of users: what
 * is taken away from 1 / L there leaves few digits where regularization is weak.
 * y[n_users] is scratch, as is what lies behind x.
 */
static void
NAME(refine)(const RsEaseFit *fit, uint32_t item, REAL *y, REAL *x)
{
	size_t n_users = fit->problem->n_users;
	size_t n_items = fit->problem->n_items;
	REAL *rest = x + n_items;
	REAL *q = rest + n_items;

	/* rest = L^-1 (e_item - (G + L) x) */
	NAME(by_users)(fit, x, y);
	NAME(by_items)(fit, y, rest);
	for (size_t i = 0; i < n_items; i++)
		rest[i] = ((i == item) - rest[i]) / (REAL) fit->penalty[i] - x[i];
	/* x += rest - L^-1 X'^T M X' rest */
	NAME(by_users)(fit, rest, q);
	memset(y, 0, n_users * sizeof(REAL));
	for (size_t u = 0; u < n_users; u++)
		NAME(axpy)(q[u], (REAL *) fit->system + u * n_users, y, n_users);
	for (size_t i = 0; i < n_items; i++)
		x[i] += rest[i];
	NAME(by_items)(fit, y, rest);
	for (size_t i = 0; i < n_items; i++)
		x[i] -= rest[i] / (REAL) fit->penalty[i];
}

/* Row of P from the system of users, in the thread's scratch. */
static REAL *
NAME(row_from_users)(const RsEaseFit *fit, uint32_t item, int thread)
{
	const RsRows *items = &fit->problem->by_item;
	size_t n_users = fit->problem->n_users;
	REAL *y = (REAL *) fit->scratch + (size_t) thread * scratch_reals(fit);
	REAL *out = y + n_users;
	REAL own = (REAL) fit->penalty[item];

	/* y = M X' e_item, out = X'^T y */
	memset(y, 0, n_users * sizeof(REAL));
	for (uint64_t i = items->start[item]; i < items->start[item + 1]; i++)
	{
		uint32_t user = items->index[i];

		NAME(axpy)
		(NAME(scaled)(fit, user, items->weight[i]), (REAL *) fit->system + user * n_users, y,
		 n_users);
	}
	NAME(by_items)(fit, y, out);
	for (uint32_t u = 0; u < items->n; u++)
		out[u] = (u == item ? 1 - out[u] / own : -out[u] / own) / (REAL) fit->penalty[u];
	if (fit->wide)
		NAME(refine)(fit, item, y, out);
	return out;
}

/*
 * Row of P, found good.  Its diagonal is between 1 / (G + L)_jj and 1 / L_jj,
 * whatever the matrix; and the product with the probe gives back v_j.
 */
static const REAL *
NAME(row)(RsEaseFit *fit, uint32_t item, int thread)
{
	size_t n = fit->problem->n_items;
	const REAL *row = fit->by_users ? NAME(row_from_users)(fit, item, thread)
									: (const REAL *) fit->system + item * n;
	double diagonal = row[item];
	double wanted = 1 / sqrt(fit->gram[item]);
	double product = item % 2 == 0 ? -wanted : wanted;

	for (size_t i = 0; fit->wide && i < n; i++)
		product += row[i] * fit->probe[i];
	if (!(diagonal * fit->gram[item] > 1 - TOLERANCE) ||
		!(diagonal * fit->penalty[item] < 1 + TOLERANCE) ||
		(fit->wide && !(fabs(product) < TOLERANCE * wanted)))
		__atomic_store_n(&fit->bad, 1, __ATOMIC_RELAXED);
	fit->diagonal[item] = diagonal;
	return row;
}

/* Rows [begin, end) of P, to be divided, into weights. */
static void
NAME(keep_rows)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	size_t n = fit->problem->n_items;

	for (uint64_t item = begin; item < end; item++)
	{
		const REAL *row = NAME(row)(fit, (uint32_t) item, thread);
		float *out = fit->weights + item * n;

		/* in place where both are one */
		for (size_t j = 0; j < n; j++)
			out[j] = (float) row[j];
	}
}

/* A column of B: a row of P, which is symmetric. */
static void
NAME(target)(RsEaseFit *fit, uint32_t target, float *out, int thread)
{
	const REAL *row = NAME(row)(fit, target, thread);
	REAL diagonal = row[target];

	for (uint32_t i = 0; i < fit->problem->n_items; i++)
		out[i] = (float) (row[i] == 0 ? 0 : -row[i] / diagonal);
	out[target] = 0;
}

#undef REAL
#undef NAME
