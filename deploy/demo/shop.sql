--
-- shop.sql
--		A small believable shop: 3,000 users, 1,200 items, two months of events.
--
-- Drawn by a seeded hash, so every run gives the same shop.  What it has in it
-- for a recommender to find:
--	- each user likes a few categories, by age and by chance, and one price tier;
--	- one of them drifts: at a day of their own, something else takes its place;
--	- items follow each other: who looks at a tent looks at certain sleeping
--	  bags next;
--	- a few items of each category are looked at by everybody.
--
-- The file runs in the current schema of an empty database.
--
CREATE FUNCTION draw(seed integer, a bigint, b bigint DEFAULT 0) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (hashint8extended(a * 1000003 + b, seed) & 9007199254740991) / 9007199254740992.0::double precision;

-- 24 categories.  leads_to: the category that is looked at next; ages: who
-- likes it most.
CREATE TABLE category (
	category_id integer PRIMARY KEY,
	department text NOT NULL,
	name text NOT NULL,
	leads_to integer NOT NULL,
	ages int4range NOT NULL,
	low numeric NOT NULL,
	high numeric NOT NULL,
	kinds text[] NOT NULL,
	things text[] NOT NULL
);
INSERT INTO category VALUES
(0, 'Outdoor', 'Tents', 1, '[20,50)', 79, 549, '{ultralight,family,tunnel,dome,four-season,pop-up,canvas,trekking}',
	'{"tent for two","tent for three","tent for four","tent for one",tarp,"sun shelter","inner tent","tent with porch","roof tent",bivouac}'),
(1, 'Outdoor', 'Sleeping', 2, '[20,50)', 19, 329, '{down,synthetic,summer,winter,mummy,wide,self-inflating,compact}',
	'{"sleeping bag","sleeping mat",quilt,"air bed",hammock,"camping pillow","bag liner","foam mat","double mat","travel blanket"}'),
(2, 'Outdoor', 'Camp kitchen', 0, '[20,60)', 6, 129, '{titanium,gas,enamel,folding,alcohol,insulated,nesting,"wood burning"}',
	'{stove,"pot set",mug,kettle,"frying pan","spoon and fork","water bag",grill,"food jar",windshield}'),
(3, 'Outdoor', 'Hiking shoes', 4, '[25,70)', 59, 259, '{leather,waterproof,trail,alpine,wide,light,vegan,mid-cut}',
	'{boots,"walking shoes","running shoes",sandals,"approach shoes","winter boots",gaiters,insoles,"camp shoes","low shoes"}'),
(4, 'Outdoor', 'Backpacks', 3, '[18,60)', 29, 289, '{"20-litre","35-litre","50-litre","65-litre",roll-top,framed,"with rain cover",women''s}',
	'{backpack,daypack,"trekking pack","hip bag","cycling pack","travel pack","child carrier","dry bag","climbing pack","laptop pack"}'),
(5, 'Bicycles', 'Bikes', 6, '[20,60)', 299, 3290, '{"8-speed","11-speed",single-speed,steel,carbon,aluminium,step-through,belt-drive}',
	'{"city bike","gravel bike","touring bike","road bike","mountain bike","folding bike","cargo bike","children''s bike","e-bike","cyclocross bike"}'),
(6, 'Bicycles', 'Bike parts', 7, '[18,60)', 8, 219, '{wide,tubeless,sealed,stainless,"hollow pin",leather,quick-release,hydraulic}',
	'{chain,"brake pads","tyre pair",saddle,pedals,"handlebar tape",cassette,"bottom bracket","seat post","inner tubes"}'),
(7, 'Bicycles', 'Bike lights and locks', 5, '[18,70)', 12, 149, '{USB,dynamo,folding,hardened,compact,bright,"key and code",magnetic}',
	'{"front light","rear light","U-lock","chain lock","folding lock","light set",bell,mirror,"cable lock",reflectors}'),
(8, 'Kitchen', 'Coffee machines', 9, '[25,65)', 24, 1190, '{"one-group",automatic,stainless,compact,"lever","dual boiler",retro,glass}',
	'{"espresso machine","filter machine","moka pot","French press","hand grinder","electric grinder","milk frother","pour-over set","cold brewer",percolator}'),
(9, 'Kitchen', 'Coffee and tea', 8, '[25,75)', 5, 39, '{organic,"single estate",dark,light,"fair trade",decaffeinated,smoked,"house blend"}',
	'{"espresso beans","filter beans","ground coffee","green tea","black tea","oolong tea","herbal tea","coffee tasting set","matcha powder","chai blend"}'),
(10, 'Kitchen', 'Cookware', 11, '[25,75)', 19, 279, '{"cast iron",copper,"carbon steel",ceramic,non-stick,enamelled,stainless,glass}',
	'{"frying pan",casserole,saucepan,wok,"roasting tin","stock pot","grill pan","crepe pan",steamer,"pan set"}'),
(11, 'Kitchen', 'Knives', 10, '[25,75)', 14, 249, '{Damascus,forged,ceramic,carbon,serrated,"walnut handled",stainless,"olive wood"}',
	'{"chef''s knife","paring knife","bread knife",cleaver,santoku,"steak knives","knife block",whetstone,"boning knife","cutting board"}'),
(12, 'Garden', 'Garden tools', 13, '[40,85)', 9, 189, '{ash-handled,telescopic,bypass,stainless,cordless,Japanese,"left-handed",light}',
	'{secateurs,spade,"hand fork",rake,"hedge shears",hoe,"pruning saw",wheelbarrow,"lawn edger",loppers}'),
(13, 'Garden', 'Seeds and bulbs', 14, '[40,85)', 2, 29, '{heirloom,organic,dwarf,climbing,early,"bee friendly","slow bolting",scented}',
	'{"tomato seeds","bean seeds","lettuce seeds","tulip bulbs","sunflower seeds","pea seeds","sweet pea seeds","dahlia tubers","chilli seeds","meadow mix"}'),
(14, 'Garden', 'Pots and watering', 12, '[40,85)', 7, 159, '{terracotta,glazed,zinc,hanging,self-watering,recycled,"wall mounted",brass}',
	'{"plant pot","watering can","garden hose",planter,"window box","drip kit","hose reel","water butt","pot saucers",sprinkler}'),
(15, 'Electronics', 'Headphones', 16, '[15,45)', 19, 449, '{wireless,noise-cancelling,studio,in-ear,open-back,sports,"bone conduction",foldable}',
	'{headphones,earbuds,headset,"headphone amp","ear tips","neckband phones","kids'' headphones","gaming headset","headphone stand","monitor phones"}'),
(16, 'Electronics', 'Speakers', 17, '[15,50)', 29, 899, '{portable,bookshelf,waterproof,active,"multi-room",walnut,compact,"floor-standing"}',
	'{speaker,"speaker pair",soundbar,subwoofer,"shower speaker","radio","party speaker","desk speakers","speaker stands","smart speaker"}'),
(17, 'Electronics', 'Turntables', 15, '[25,60)', 14, 1290, '{"belt-drive","direct-drive",automatic,walnut,acrylic,USB,"entry-level",manual}',
	'{turntable,cartridge,"phono stage","record brush",slipmat,"tonearm","dust cover","record crate","stylus","record clamp"}'),
(18, 'Electronics', 'Games', 19, '[12,35)', 12, 89, '{co-op,"open-world",retro,tactical,indie,puzzle,racing,"story"}',
	'{adventure,"space game","farming game","card game","platformer","strategy game","role-playing game","city builder","football game","mystery"}'),
(19, 'Electronics', 'Gaming gear', 18, '[12,35)', 15, 329, '{mechanical,wireless,RGB,ergonomic,low-latency,"hot-swappable",curved,adjustable}',
	'{keyboard,mouse,controller,"mouse mat","racing wheel","capture card","gaming chair",webcam,"desk lamp","stream deck"}'),
(20, 'Children', 'Building toys', 21, '[27,45)', 12, 159, '{wooden,magnetic,marble,space,castle,railway,"first",giant}',
	'{"brick set","marble run","train set","building blocks","crane kit","robot kit","bridge kit","tower set","magnet tiles","gear set"}'),
(21, 'Children', 'Picture books', 22, '[27,45)', 6, 24, '{illustrated,bedtime,rhyming,"lift-the-flap",funny,touch-and-feel,forest,seaside}',
	'{"bear book","moon book","dragon book","owl book","tractor book","whale book","number book","alphabet book","rain book","mouse book"}'),
(22, 'Children', 'Board games', 20, '[25,55)', 9, 69, '{family,cooperative,quick,memory,strategy,travel,"two-player",party}',
	'{"dice game","tile game","word game","quiz game","animal game","treasure game","railway game","building game","deduction game","card game"}'),
(23, 'Home', 'Lamps and candles', 14, '[30,75)', 9, 299, '{paper,brass,oak,"smoked glass",linen,"hand-poured",dimmable,ceramic}',
	'{"table lamp","floor lamp","pendant lamp","scented candle","reading lamp","candle holder","wall lamp","lantern","fairy lights","night light"}');

CREATE TABLE items (
	item_id bigint PRIMARY KEY,
	title text NOT NULL,
	category text NOT NULL,
	price numeric(8,2) NOT NULL
);
-- 50 items a category: each of 10 things in 5 of 8 kinds; their price by tier
CREATE TEMPORARY TABLE item_detail AS
SELECT c.category_id * 50 + j + 1 AS item_id, c.category_id, j AS slot,
	floor(3 * draw(1, c.category_id, j))::integer AS tier,
	draw(2, c.category_id, j) AS fame
FROM category c, generate_series(0, 49) j;

INSERT INTO items
SELECT d.item_id,
	(ARRAY['Norrland','Kestrel','Halden','Ardea','Brookvale','Tamaro','Fjordline','Ostrava','Marlow','Silene','Pinewood','Corvus','Lumen','Atelier 9','Velora','Hearth & Co'])
		[1 + floor(16 * draw(3, d.category_id, d.slot % 10 + 10 * d.tier))::integer]
	|| ' ' || c.kinds[1 + (d.slot / 10 + d.slot % 10) % 8] || ' ' || c.things[1 + d.slot % 10],
	c.name,
	floor(c.low + (c.high - c.low) * power((d.tier + draw(4, d.item_id)) / 3, 2)) + .9
FROM item_detail d JOIN category c USING (category_id);

CREATE TABLE users (
	user_id bigint PRIMARY KEY,
	age integer NOT NULL,
	city text NOT NULL
);
INSERT INTO users
SELECT u, 16 + floor(60 * power(draw(10, u), 1.3))::integer,
	(ARRAY['Lisbon','Porto','Hamburg','Leipzig','Gdansk','Turin','Bologna','Lyon','Nantes','Ghent','Utrecht','Malmo','Bergen','Tampere','Tartu','Graz'])
		[1 + floor(16 * power(draw(11, u), 1.5))::integer]
FROM generate_series(1, 3000) u;

-- Three favourite categories a user (place 0 the dearest) and what takes the
-- place of the dearest after the drift; those that suit their age come first
CREATE TEMPORARY TABLE taste AS
SELECT user_id, place - 1 AS place, category_id
FROM (SELECT u.user_id, c.category_id,
		row_number() OVER (PARTITION BY u.user_id ORDER BY
			draw(12, u.user_id, c.category_id) * CASE WHEN u.age <@ c.ages THEN 1 ELSE 3 END) AS place
	FROM users u, category c) ranked
WHERE place <= 4;

-- The order in which someone of a tier meets the items of a category
CREATE TEMPORARY TABLE shelf AS
SELECT category_id, t AS tier, item_id,
	row_number() OVER (PARTITION BY category_id, t ORDER BY abs(tier - t) * .35 + fame) - 1 AS place
FROM item_detail, generate_series(0, 2) t;

-- Four items that follow each item: two of the category that it leads to, two
-- of its own
CREATE TEMPORARY TABLE follower AS
SELECT d.item_id, n, s.item_id AS next_id
FROM item_detail d
JOIN category c USING (category_id), generate_series(0, 3) n, shelf s
WHERE s.category_id = CASE WHEN n < 2 THEN c.leads_to ELSE c.category_id END
	AND s.tier = d.tier AND s.place = floor(50 * power(draw(13, d.item_id, n), 1.3));

-- Sessions: a user, a start, how many looks, a category of that day's taste
CREATE TEMPORARY TABLE session AS
WITH visit AS (
	SELECT u.user_id, u.user_id * 1000 + n AS session_id,
		60 * power(draw(20, u.user_id, n), .9) AS day,
		10 + 50 * draw(21, u.user_id) AS drift_day,
		3 + floor(7 * draw(22, u.user_id, n))::integer AS looks,
		floor(3 * draw(23, u.user_id))::integer AS tier
	FROM users u, generate_series(1, 2 + floor(27 * power(draw(24, u.user_id), 2))::integer) n)
SELECT v.session_id, v.user_id, v.looks, v.tier,
	timestamptz '2026-03-01 00:00+00' + v.day * interval '1 day' AS start, t.category_id
FROM visit v
JOIN taste t ON t.user_id = v.user_id AND t.place =
	CASE WHEN draw(25, v.session_id) < .62 THEN CASE WHEN v.day < v.drift_day THEN 0 ELSE 3 END
		WHEN draw(25, v.session_id) < .88 THEN 1 ELSE 2 END;
ANALYZE shelf, follower, session;

CREATE TABLE events (
	user_id bigint NOT NULL,
	item_id bigint NOT NULL,
	event_type text NOT NULL,
	ts timestamptz NOT NULL
);
-- Each look leads to a follower of the item (half of them) or to another item
-- of the session's category
INSERT INTO events
WITH RECURSIVE look AS (
	SELECT s.session_id, s.user_id, s.category_id, s.tier, s.looks, 1 AS step, h.item_id, s.start AS ts
	FROM session s
	JOIN shelf h ON h.category_id = s.category_id AND h.tier = s.tier
		AND h.place = floor(50 * power(draw(30, s.session_id), 1.8))
	UNION ALL
	SELECT l.session_id, l.user_id, l.category_id, l.tier, l.looks, l.step + 1,
		CASE WHEN draw(31, l.session_id, l.step) < .5 THEN f.next_id ELSE h.item_id END,
		l.ts + interval '20 seconds' + draw(32, l.session_id, l.step) * interval '3 minutes'
	FROM look l
	JOIN follower f ON f.item_id = l.item_id AND f.n = floor(4 * draw(33, l.session_id, l.step))
	JOIN shelf h ON h.category_id = l.category_id AND h.tier = l.tier
		AND h.place = floor(50 * power(draw(34, l.session_id, l.step), 1.8))
	WHERE l.step < l.looks)
SELECT user_id, item_id, event_type, l.ts + delay
FROM look l, (VALUES ('view', interval '0', 1), ('cart', interval '8 seconds', .22), ('purchase', interval '15 seconds', .09))
	kind (event_type, delay, share)
WHERE draw(35, session_id, step) < share
ORDER BY l.ts + delay, user_id;

CREATE INDEX ON events (user_id);
DROP FUNCTION draw CASCADE;
VACUUM ANALYZE users, items, events;
