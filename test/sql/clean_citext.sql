-- what is equal, the unique index says: letter case of citext, which is in another
-- schema than the search path of clean() (a server without citext: clean_citext_1.out)
CREATE SCHEMA clean_citext;
SET search_path = clean_citext;
\set VERBOSITY terse
CREATE EXTENSION citext SCHEMA clean_citext;
CREATE TABLE unequal (LIKE recsys.reject);
CREATE TABLE named (name citext UNIQUE);
INSERT INTO named VALUES ('ann');
CREATE TABLE names (name text);
INSERT INTO names VALUES ('Ann'), ('bob'), ('BOB');
SELECT * FROM recsys.clean('names', 'named', '{}', 'unequal');
SELECT * FROM named ORDER BY 1;
-- and what is among the values allowed, or in a range, the type says
SELECT * FROM recsys.clean('names', 'named', '{"name": {"allowed": ["ANN", "Carl"]}}', 'unequal');
SELECT * FROM recsys.clean('names', 'named', '{"name": {"min": "ANO", "max": "BOA"}}', 'unequal');
SELECT value, reason FROM unequal ORDER BY row_number, reason;
SET client_min_messages = warning;
DROP SCHEMA clean_citext CASCADE;
