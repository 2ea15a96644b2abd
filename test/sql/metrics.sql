-- ranking metrics against their formulas by hand
SELECT round(recsys.recall_at_k(ARRAY[1, 2, 3, 4]::bigint[], ARRAY[2, 4, 9]::bigint[], 3)::numeric, 6) AS recall,
	round(recsys.precision_at_k(ARRAY[1, 2, 3, 4]::bigint[], ARRAY[2, 4, 9]::bigint[], 3)::numeric, 6) AS precision,
	recsys.hit_rate_at_k(ARRAY[1, 2, 3, 4]::bigint[], ARRAY[2, 4, 9]::bigint[], 1) AS hit_1,
	recsys.hit_rate_at_k(ARRAY[1, 2, 3, 4]::bigint[], ARRAY[2, 4, 9]::bigint[], 2) AS hit_2,
	recsys.reciprocal_rank_at_k(ARRAY[1, 2, 3, 4]::bigint[], ARRAY[4, 9]::bigint[], 4) AS mrr;
SELECT abs(recsys.ndcg_at_k(ARRAY['a', 'b', 'c', 'd'], ARRAY['b', 'd', 'x'], 4)
	- (ln(2) / ln(3) + ln(2) / ln(5)) / (1 + ln(2) / ln(3) + ln(2) / ln(4))) < 1e-12 AS ndcg;
SELECT abs(recsys.average_precision_at_k(ARRAY['a', 'b', 'c', 'd'], ARRAY['b', 'd', 'x'], 4) - (1.0 / 2 + 2.0 / 4) / 3) < 1e-12 AS average_precision;
-- a perfect list, an empty one, nothing relevant, duplicates, uuid
SELECT recsys.ndcg_at_k(ARRAY[3, 2, 1]::bigint[], ARRAY[1, 2, 3]::bigint[]) AS perfect,
	recsys.ndcg_at_k('{}'::bigint[], ARRAY[1]::bigint[]) AS empty,
	recsys.ndcg_at_k(ARRAY[1]::bigint[], '{}'::bigint[]) AS undefined,
	recsys.recall_at_k(ARRAY[1, 1, 1, 2]::bigint[], ARRAY[1, 2, 2]::bigint[], 2) AS duplicates,
	recsys.recall_at_k(ARRAY['00000000-0000-0000-0000-000000000001']::uuid[], ARRAY['00000000-0000-0000-0000-000000000001']::uuid[]) AS uuid;
SELECT recsys.recall_at_k(NULL::bigint[], ARRAY[1]::bigint[]) IS NULL AS null_list;
-- any types that go together, or of which nobody has said any
SELECT recsys.recall_at_k(ARRAY[1, 2], ARRAY[2, 3]::bigint[]) AS integers, recsys.recall_at_k('{a,b}', '{b,c}') AS literals,
	recsys.recall_at_k(ARRAY['a', 'b']::varchar[], ARRAY['b', 'c']) AS varchars, recsys.recall_at_k(ARRAY[1.0, 2], ARRAY[2.00, 3]) AS numerics,
	recsys.recall_at_k(ARRAY['2026-01-31']::date[], ARRAY['2026-01-31']::date[]) AS dates;
\set VERBOSITY sqlstate
SELECT recsys.recall_at_k(ARRAY[1]::bigint[], ARRAY[1]::bigint[], 0);
SELECT recsys.recall_at_k(ARRAY[1, NULL]::bigint[], ARRAY[1]::bigint[], 1);
SELECT recsys.recall_at_k(ARRAY['1']::json[], ARRAY['1']::json[]);
SELECT recsys.recall_at_k(ARRAY[[1]], ARRAY[1]);
