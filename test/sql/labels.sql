-- labels of every function: what is there for people, then what supports it
SELECT p.proname, p.provolatile AS vol, p.proparallel AS par, p.proisstrict AS strict, p.prosecdef AS definer,
	count(*) AS overloads
FROM pg_proc p WHERE p.pronamespace = 'recsys'::regnamespace GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4;
SELECT p.proname, p.provolatile AS vol, p.proparallel AS par, p.proisstrict AS strict, p.prosecdef AS definer,
	count(*) AS overloads
FROM pg_proc p WHERE p.pronamespace = 'recsys_support'::regnamespace GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4;
