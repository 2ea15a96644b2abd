# pg_dump and pg_restore: models, versions and answers are the same, ids go on;
# streams keep offsets and dead letters but do not run, and no secret is dumped.
#
# Not a regress test: it runs pg_dump, psql and pg_restore.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

# Succeeds without a word
sub quiet
{
	my ($what, @command) = @_;
	my ($out, $err) = run_command(\@command);
	return is("$out$err", '', $what);
}

my $node = new_server('main', conf => "recsys.secrets_file = 'secrets.json'\n");
my $secrets = $node->data_dir . '/secrets.json';
append_to_file($secrets, '{"orders": {"brokers": "kafka:9092", "roles": ["merchant"], "sasl.password": "open sesame"}}');
chmod 0600, $secrets;
make_events($node, 'events', 3000, 1500, 20);
$node->safe_psql(
	'postgres', q{
	CREATE ROLE merchant LOGIN;
	GRANT SELECT ON events TO merchant;
	GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO merchant;
	SELECT recsys.create_model('als', 'events', 'als', '{"factors": 16}', weight_column => 'weight');
	SELECT recsys.create_model('next', 'events', 'sequence', time_column => 'ts');
	-- 9 MB: more than two chunks
	SELECT recsys.create_model('ease', 'events', 'ease', time_column => 'ts', half_life => '30 days');
	SELECT recsys.create_model('untrained', 'events');
	SELECT recsys.create_model('dropped', 'events');
	SELECT recsys.train('als'), recsys.train('next'), recsys.train('ease'), recsys.train('als');
	SELECT recsys.deploy('als', 1);
	SELECT recsys.save_model('saved', recsys.train_popularity(user_id, 'item ' || item_id)) FROM events;
	SELECT recsys.drop_model('dropped');
	CREATE TABLE encoders AS SELECT recsys.fit_encoder(x, '{"age": {"impute": "mean", "scale": "standard"}, "c": {"encode": "one_hot"}}') AS e,
		recsys.string_indexer(c) AS labels FROM (SELECT i / 3.0 AS age, chr(9) || chr(34) || chr(92) || chr(233) || i % 7 AS c FROM generate_series(1, 100) i) x;
	CREATE TABLE encoded (age float8, vector real[] GENERATED ALWAYS AS (
		recsys.encode('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "age", "log": true}]}'::recsys.encoder, ROW(age))) STORED);
	CREATE INDEX ON encoded (recsys.vector_assembler(age, 1));
	INSERT INTO encoded SELECT i FROM generate_series(0, 5) i;
	SET ROLE merchant;
	SELECT recsys.create_model('merchant''s', 'events', 'item_knn');
	SELECT recsys.train('merchant''s');
	RESET ROLE;
	GRANT INSERT ON recsys.stream TO merchant;
	CREATE TABLE "weird ""target" (user_id bigint);
	GRANT INSERT ON "weird ""target" TO merchant;
	SET client_min_messages = error;
	SET ROLE merchant;
	SELECT recsys.create_stream('gone', 'kafka', 'topic', '"weird ""target"');
	SELECT recsys.create_stream('orders', 'kafka', 'topic', '"weird ""target"', '{"user_id": "user.id"}', '{"secret": "orders"}');
	SELECT recsys.create_stream('quiet', 'kafka', 'topic', '"weird ""target"', options => '{"start": "latest"}');
	SELECT recsys.drop_stream('gone');
	SELECT recsys.seek_stream('orders', '{"0": 17, "1": 0}');
	SELECT recsys.seek_stream('quiet', '2026-01-01 00:00:00+00');
	SELECT recsys.pause_stream('quiet');
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, message_time, key, payload, headers, sqlstate, error)
		SELECT id, 0, 16, '2026-01-01', '\x00ff', '\x7b5c00', '[["h", "v"]]', '22P02', E'not\tJSON' FROM recsys.stream WHERE name = 'orders';
	INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason)
		SELECT id, 1, 0, 7, 'earliest', 'retention' FROM recsys.stream WHERE name = 'orders';
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error)
		SELECT id, 0, 15, '22P02', 'last id' FROM recsys.stream WHERE name = 'orders';
	DELETE FROM recsys.dead_letter WHERE message_offset = 15;});

my $state = q{
	SELECT m.*, v.* FROM recsys.models m LEFT JOIN recsys.model_versions v USING (model)
		ORDER BY m.model, v.version;
	SELECT r.*, s.last_value FROM recsys.model_registry r, recsys.model_registry_id_seq s ORDER BY id;
	SELECT model, version, md5(recsys.load_model(model, version)::bytea) FROM recsys.model_versions ORDER BY 1, 2;
	SELECT model_id, version, seq, crc, length(bytes), md5(bytes) FROM recsys.model_chunk ORDER BY 1, 2, 3;
	SELECT m, u, r.* FROM unnest(ARRAY['als', 'next', 'merchant''s']) m, generate_series(1, 40) u,
		recsys.recommend(u::bigint, 10, m) r ORDER BY m, u, r.rank;
	SELECT * FROM recsys.recommend_for_items(ARRAY['item 3'], 5, 'saved');
	SELECT e, labels, recsys.encode(e, '{"age": 1, "c": "\t\"\u005cé3"}'::jsonb) FROM encoders;
	SELECT * FROM encoded ORDER BY age;};
my $stream_state = q{
	SELECT s.*, q.last_value FROM recsys.stream s, recsys.stream_id_seq q ORDER BY id;
	SELECT * FROM recsys.stream_offset ORDER BY 1, 2;
	SELECT d.*, q.last_value FROM recsys.dead_letter d, recsys.dead_letter_id_seq q ORDER BY id;
	SELECT * FROM recsys.stream_loss ORDER BY 1, 2, 3;};
my $before = $node->safe_psql('postgres', $state);
my $streams_before = $node->safe_psql('postgres', $stream_state);
like($streams_before, qr/^\d+\|0\|17\|/m, 'offsets are compared');
like($streams_before, qr/x7b5c00/, 'dead letters are compared');
is( $node->safe_psql('postgres', 'SELECT stream, state FROM recsys.streams ORDER BY 1'),
	"orders|not running\nquiet|paused",
	'states before');
like($before, qr/^\d+\|1\|2\|\d+\|\d+\|[0-9a-f]{32}$/m, 'a model has more than two chunks');
like($before, qr/^als\|1\|\d+\|[-0-9.e]+\|1\|model\|1$/m, 'recommendations are compared');

my $dir = $node->backup_dir;
mkdir $dir;
foreach my $format ('plain', 'custom', 'directory')
{
	my $file = "$dir/$format";
	my $db = "restored_$format";
	quiet("$format: dump", 'pg_dump', '-F', $format, '-f', $file, $node->connstr('postgres'));
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	if ($format eq 'plain')
	{
		quiet("$format: restore", 'psql', '-Xqo', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', $file);
	}
	else
	{
		quiet("$format: restore", 'pg_restore', '-e', '-j', '2', '-d', $node->connstr($db), $file);
	}
	is($node->safe_psql($db, $state), $before, "$format: everything is the same");
	is($node->safe_psql($db, $stream_state), $streams_before, "$format: streams, offsets and dead letters are the same");
	is( $node->safe_psql($db, 'SELECT stream, state FROM recsys.streams ORDER BY 1'),
		"orders|cloned\nquiet|cloned",
		"$format: restored streams do not run");
	if ($format eq 'plain')
	{
		like(slurp_file($file), qr/"secret": "orders"/, 'the name of a secret is dumped');
		unlike(slurp_file($file), qr/sesame|sasl/, 'a secret is not');
	}
	is( $node->safe_psql($db, q{
			SET client_min_messages = error;
			SET ROLE merchant;
			SELECT recsys.resume_stream('orders');
			SELECT recsys.create_stream('new', 'kafka', 'topic', '"weird ""target"');
			SELECT count(*), count(DISTINCT id) FROM recsys.stream;
			SELECT stream, state FROM recsys.streams ORDER BY 1}),
		"\n\n3|3\nnew|not running\norders|not running\nquiet|cloned",
		"$format: a restored stream can be resumed, ids go on");
	is($node->safe_psql($db, q{SELECT recsys.train('als')}), 3, "$format: versions go on");
	is( $node->safe_psql($db, q{
			SELECT recsys.create_model('new', 'events', 'popularity');
			SELECT recsys.train('new');
			SELECT count(*), count(DISTINCT id) FROM recsys.model_registry}),
		"\n1\n7|7",
		"$format: ids go on");
	is( $node->safe_psql($db, q{
			SET ROLE merchant;
			SELECT recsys.train('merchant''s');}),
		2,
		"$format: the owner keeps the right to train");
}
$node->stop;
done_testing();
