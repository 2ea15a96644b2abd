--
-- books.sql
--		A bookshop whose customers' age, gender and occupation tell what they
--		read, and the file of its customers as such files are: dirty.
--
-- 5,000 customers, 500 books, some 75,000 purchases, drawn by a seeded hash: every
-- run gives the same shop.  The file runs in the current schema of an empty
-- database.  In the end there are books, events and the view dirty_users, whose
-- rows make the CSV file; the clean customers are gone.
--
CREATE FUNCTION draw(seed integer, a bigint, b bigint DEFAULT 0) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (hashint8extended(a * 1000003 + b, seed) & 9007199254740991) / 9007199254740992.0::double precision;

-- Who reads a genre most: around which age, how wide, women more than men
-- (lean 1 to -1), one occupation above all
CREATE TABLE genre (
	genre_id integer PRIMARY KEY,
	name text NOT NULL,
	age double precision NOT NULL,
	spread double precision NOT NULL,
	lean double precision NOT NULL,
	occupation text,
	nouns text[] NOT NULL
);
INSERT INTO genre VALUES
(0, 'Comics', 17, 9, -0.4, 'student', '{Cape,Robot,Rooftop,Sidekick,Mutant}'),
(1, 'Fantasy', 22, 12, 0.0, 'student', '{Dragon,Rune,Oath,Wanderer,Citadel}'),
(2, 'Romance', 30, 18, 0.8, NULL, '{Summer,Letter,Harbour,Promise,Kiss}'),
(3, 'Crime', 48, 20, 0.1, NULL, '{Witness,Alibi,Canal,Inspector,Silence}'),
(4, 'Science fiction', 32, 14, -0.4, 'programmer', '{Orbit,Colony,Signal,Engine,Horizon}'),
(5, 'Programming', 31, 10, -0.5, 'programmer', '{Compiler,Database,Kernel,Pattern,Network}'),
(6, 'Gardening', 60, 14, 0.4, NULL, '{Rose,Hedge,Orchard,Soil,Pond}'),
(7, 'Cooking', 42, 20, 0.3, NULL, '{Bread,Broth,Spice,Table,Oven}'),
(8, 'Travel', 36, 20, 0.0, NULL, '{Coast,Train,Island,Pass,Desert}'),
(9, 'History', 56, 18, -0.4, 'teacher', '{Empire,Siege,Treaty,Crown,Archive}'),
(10, 'Parenting', 34, 6, 0.5, NULL, '{Cradle,Bedtime,Tantrum,Family,Nursery}'),
(11, 'School', 40, 14, 0.2, 'teacher', '{Lesson,Classroom,Blackboard,Reading,Homework}'),
(12, 'Nursing', 38, 14, 0.5, 'nurse', '{Ward,Shift,Pulse,Bedside,Recovery}'),
(13, 'Anatomy', 28, 9, 0.2, 'nurse', '{Heart,Bone,Nerve,Atlas,Body}'),
(14, 'Football', 24, 12, -0.8, NULL, '{Goal,Derby,Transfer,Pitch,Season}'),
(15, 'Business', 40, 10, -0.2, 'manager', '{Merger,Strategy,Budget,Leader,Market}'),
(16, 'Philosophy', 46, 20, -0.1, 'teacher', '{Doubt,Reason,Virtue,Being,Dialogue}'),
(17, 'Health', 66, 12, 0.3, 'retired', '{Walk,Sleep,Joint,Balance,Diet}'),
(18, 'Woodwork', 54, 14, -0.7, 'carpenter', '{Dovetail,Bench,Plane,Veneer,Joinery}'),
(19, 'Poetry', 26, 16, 0.3, 'student', '{Elegy,Verse,Moon,Silence,Ode}');

CREATE TABLE books (
	item_id bigint PRIMARY KEY,
	title text NOT NULL,
	genre text NOT NULL
);
INSERT INTO books
SELECT 1 + g.genre_id * 25 + n, format('The %s %s',
		('{Last,Hidden,Little,Northern,Golden}'::text[])[1 + n % 5], nouns[1 + (n / 5) % 5]), g.name
FROM genre g, generate_series(0, 24) n;

CREATE TABLE people AS
SELECT user_id, age, gender, CASE
		WHEN age < 23 AND draw(4, user_id) < 0.8 THEN 'student'
		WHEN age > 64 AND draw(4, user_id) < 0.8 THEN 'retired'
		ELSE ('{programmer,teacher,nurse,manager,carpenter,"clerk, office","clerk, bank",cook}'::text[])
			[1 + floor(8 * draw(5, user_id))::integer] END AS occupation
FROM (SELECT user_id, 14 + floor(62 * draw(1, user_id))::integer AS age,
		CASE WHEN draw(2, user_id) < 0.55 THEN 'F' WHEN draw(2, user_id) < 0.98 THEN 'M' ELSE 'X' END AS gender
	FROM generate_series(1, 5000) user_id) drawn;

-- Each purchase: a genre by the person, a book of it by its place in the shelf
CREATE TABLE events (
	user_id bigint NOT NULL,
	item_id bigint NOT NULL,
	ts timestamptz NOT NULL
);
INSERT INTO events
SELECT user_id, 1 + width_bucket(draw(6, user_id, n) * total, sums) * 25 + floor(25 * draw(7, user_id, n) ^ 2.5)::integer,
	timestamptz '2026-01-01 00:00+00' + draw(8, user_id, n) * interval '90 days'
FROM (SELECT user_id, max(upto) AS total, (array_agg(upto ORDER BY genre_id))[:19] AS sums
	FROM (SELECT user_id, genre_id, sum(0.015 + exp(-(((p.age - g.age) / spread) ^ 2))
				* (1 + lean * CASE gender WHEN 'F' THEN 1 WHEN 'M' THEN -1 ELSE 0 END)
				* CASE WHEN g.occupation IS NULL THEN 1 WHEN g.occupation = p.occupation THEN 4 ELSE 0.3 END)
			OVER (PARTITION BY user_id ORDER BY genre_id) AS upto
		FROM people p, genre g) weight
	GROUP BY user_id) reader,
	generate_series(1, 5 + floor(20 * draw(9, user_id))::integer) n;
CREATE INDEX ON events (user_id);
VACUUM ANALYZE events;

-- The file.  One row in eight has a fault: an age that is empty, a word or out of
-- range, a gender of another spelling or none, blanks around a value; a few rows
-- come twice or without an id.
CREATE VIEW dirty_users AS
SELECT CASE WHEN fault = 12 AND user_id % 4 = 0 THEN NULL ELSE user_id::text END AS user_id,
	CASE fault WHEN 1 THEN NULL WHEN 2 THEN 'unknown' WHEN 3 THEN '-' || age WHEN 4 THEN (1900 + age)::text
		WHEN 5 THEN ' ' || age || ' ' WHEN 6 THEN 'thirty' ELSE age::text END AS age,
	CASE fault WHEN 7 THEN '' WHEN 8 THEN lower(gender) WHEN 9 THEN '?'
		WHEN 10 THEN CASE gender WHEN 'F' THEN 'female' WHEN 'M' THEN 'male' ELSE 'N/A' END
		ELSE gender END AS gender,
	CASE fault WHEN 11 THEN '  ' || occupation WHEN 13 THEN '' ELSE occupation END AS occupation
FROM (SELECT *, floor(104 * draw(10, user_id))::integer AS fault FROM people) p,
	generate_series(1, CASE WHEN fault = 14 AND user_id % 3 = 0 THEN 2 ELSE 1 END)
ORDER BY p.user_id;
