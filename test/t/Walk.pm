# Walk.pm
#		What SQL can reach, for tests that try all of it: a shop with a model of every
#		algorithm, the functions of the extension as the catalog has them, and values
#		of every type that an argument or a column has.
package Walk;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(%edge shop functions usual call typed null_of $of_extension);

# Rows of pg_depend for what belongs to the extension, behind a SELECT
our $of_extension = q{FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'recsys'
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'};

# Roles keeper (owns models and a stream), stranger (with the documented grants and the
# right to read the events) and nobody; what they work on
sub shop
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION recsys;
		CREATE ROLE keeper LOGIN;
		CREATE ROLE stranger LOGIN;
		CREATE ROLE nobody LOGIN;
		GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO keeper, stranger;
		GRANT INSERT ON recsys.stream TO keeper, stranger;
		CREATE SCHEMA shop AUTHORIZATION keeper;
		ALTER ROLE postgres SET client_min_messages = error;
		ALTER ROLE keeper SET client_min_messages = error;
		SET client_min_messages = error;
		SET ROLE keeper;
		GRANT USAGE ON SCHEMA shop TO stranger;
		CREATE TABLE shop.events AS
			SELECT u::bigint AS user_id, ((u * 3 + n * n) % 7)::bigint AS item_id, 1 + n::float8 AS weight,
				CASE n % 2 WHEN 0 THEN 'view' ELSE 'cart' END AS kind, now() - n * interval '1 day' AS ts
			FROM generate_series(1, 12) u, generate_series(0, 3) n;
		CREATE TABLE shop.users AS SELECT u::bigint AS user_id, 20 + u AS age, 'city ' || u % 3 AS city FROM generate_series(1, 12) u;
		ALTER TABLE shop.users ADD PRIMARY KEY (user_id);
		CREATE TABLE shop.items AS SELECT i::bigint AS item_id, i * 1.5 AS price FROM generate_series(0, 6) i;
		CREATE TABLE shop.uuids AS SELECT user_id, lpad(item_id::text, 32, '0')::uuid AS item_id FROM shop.events;
		CREATE TABLE shop.texts AS SELECT 'user ' || user_id AS user_id, 'item ' || item_id AS item_id, ts FROM shop.events;
		CREATE TABLE shop.impressions (user_id bigint, item_id bigint, rank integer, experiment text, arm integer, shown_at timestamptz DEFAULT now());
		INSERT INTO shop.impressions SELECT u, 1, 1, 'shop', 1 + u % 2, now() - interval '1 day' FROM generate_series(1, 12) u;
		CREATE TABLE shop.landing (user_id bigint, item_id bigint, weight float8);
		GRANT SELECT ON shop.events, shop.users TO stranger;
		SELECT recsys.create_model('shop', 'shop.events', 'als', '{"factors": 4}', weight_column => 'weight', event_column => 'kind',
			event_weights => '{"view": 1, "cart": 3}', time_column => 'ts', half_life => '30 days', items => 'shop.items');
		SELECT recsys.create_model('net', 'shop.events', 'mlp', '{"hidden": [4], "epochs": 2, "history": 3}', users => 'shop.users',
			features => '{"age": {"scale": "standard"}, "city": {"encode": "one_hot"}}');
		SELECT recsys.create_model('next', 'shop.events', 'sequence', time_column => 'ts');
		SELECT recsys.create_model('ease', 'shop.events', 'ease');
		SELECT recsys.create_model('knn', 'shop.uuids', 'item_knn');
		SELECT recsys.create_model('words', 'shop.texts', 'popularity');
		SELECT recsys.train(m) FROM unnest('{shop,net,next,ease,knn,words,shop}'::text[]) m;
		SELECT recsys.save_model('saved', recsys.load_model('ease'));
		SELECT recsys.create_stream('shop', 'kafka', 'topic', 'shop.landing', '{"user_id": "user.id"}', '{"max_rejects": 5}');
		INSERT INTO recsys.stream_offset (stream_id, partition, next_offset) SELECT id, 0, 7 FROM recsys.stream;
		INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, message_time, key, payload, headers, sqlstate, error)
			SELECT id, 0, n, now(), '\x00', convert_to('{"user": {"id": ' || n || '}}', 'UTF8'), '[["a", "b"]]', '22000', 'none' FROM recsys.stream, generate_series(1, 3) n;
		INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason)
			SELECT id, 0, 2, 5, 'earliest', 'retention' FROM recsys.stream;});
	return;
}

# The first of each type is the usual one
our %edge = (
	'text' => [ "'shop'", "''", "'words'", "'net'", "'no such'", "repeat('x', 100000)", "E'quo\\'te\"; \\\\ %s\\n\\t'", "'als'",
		"'0'", "'earliest'", "'{}'", "'item 1'", "'22000'", "U&'\\+01F600'" ],
	'name' => [ "'user_id'", "'item_id'", "''", "'no_such_column'", "'a\"b'", "'ts'", "'weight'", "'kind'", "'ctid'" ],
	'integer' => [ 1, 0, -1, 10, 2147483647, '(-2147483648)' ],
	'smallint' => [ 1, 0, -1, 32767 ],
	'bigint' => [ 1, 0, -1, 7, 9223372036854775807, '(-9223372036854775808)' ],
	'double precision' => [ 1, 0, -1, "'NaN'", "'infinity'", "'-infinity'", '1e308', '1e-320' ],
	'real' => [ 1, 0, "'NaN'", "'infinity'", '3e38' ],
	'boolean' => [ 'true', 'false' ],
	'uuid' => [ "lpad('1', 32, '0')", "'ffffffff-ffff-ffff-ffff-ffffffffffff'" ],
	'jsonb' => [ "'{}'", "'[]'", "'null'", "'7'", "'{\"factors\": 8}'", "'{\"a\": {\"b\": []}}'", "'{\"factors\": 1e300}'",
		"'{\"iterations\": -1}'", "'{\"view\": \"x\", \"cart\": null}'", "'[{\"column\": \"age\"}]'", "'{\"age\": {\"scale\": \"standard\"}}'",
		"'{\"user_id\": \"user.id\"}'", "'{\"workers\": 99999}'", "'\"text\"'", "jsonb_build_object(repeat('k', 9000), repeat('v', 9000))",
		"(repeat('[', 3000) || repeat(']', 3000))" ],
	'interval' => [ "'30 days'", "'0'", "'-1 year'", "'178000000 years'", "'1 microsecond'" ],
	'timestamp with time zone' => [ 'now()', "'infinity'", "'-infinity'", "'4713-01-01 BC'" ],
	'regclass' => [ "'shop.events'", "'shop.users'", "'shop.landing'", "'pg_class'", "'recsys.models'", "'recsys.model_registry'",
		"'recsys.stream_id_seq'", "'shop.users_pkey'", '0', '4294967295' ],
	'regrole' => [ "'keeper'", "'postgres'", "'pg_read_all_stats'", '0', '4294967295' ],
	'recsys_support.role' => [ "'keeper'::regrole", '0::regrole', '4294967295::regrole' ],
	'recsys_support.relation' => [ "'shop.events'::regclass", "'shop.users'::regclass", "'pg_class'::regclass", "'recsys.models'::regclass",
		"'shop.users_pkey'::regclass", '0::regclass', '4294967295::regclass' ],
	'recsys_support.role[]' => [ "ARRAY['keeper'::regrole::recsys_support.role]", "'{}'", 'ARRAY[NULL]', "ARRAY[4294967295::regrole::recsys_support.role]" ],
	'oid' => [ '0', '1', '4294967295' ],
	'bytea' => [ "recsys.load_model('shop')::bytea", "''", "'\\x00'", "'\\xffffffffffffffff'", "substr(recsys.load_model('shop')::bytea, 1, 100)",
		"set_byte(recsys.load_model('shop')::bytea, 40, 255)" ],
	'recsys.model' => [ "recsys.load_model('shop')", "recsys.load_model('net')", "recsys.load_model('words')", "recsys.load_model('knn')" ],
	'recsys.encoder' => [ "(SELECT recsys.fit_encoder(u, '{\"age\": {}}') FROM shop.users u)" ],
	'recsys.string_indexer_model' => [ "(SELECT recsys.string_indexer(city) FROM shop.users)" ],
	'record' => [ 'ROW(1.5)', "ROW('x')", 'ROW()', 'ROW(NULL)', 'ROW(1, 2)', '(SELECT u FROM shop.users u LIMIT 1)' ],
	'anyelement' => [ '0', 'NULL::date', 'NULL::regclass', 'NULL::shop.events', 'NULL::int4range', 'NULL::integer[]', "'x'::text" ],
	'anycompatiblearray' => [ 'ARRAY[1, 2]', "'{}'::text[]", 'ARRAY[ARRAY[1]]', 'ARRAY[NULL]::uuid[]', "ARRAY[1, 'NaN'::float8]", "ARRAY['a']",
		'array_fill(1::bigint, ARRAY[3000])', 'ARRAY[ROW(1)]', 'ARRAY[1, NULL]' ],
	'cstring' => [ "''", "'AAAA'", "'!'" ],
	'"any"' => [ 1, "'x'::text", 'ROW(1)', 'ARRAY[1, NULL]', "'infinity'::timestamptz", 'NULL::void' ]);
foreach my $type (qw(text integer smallint bigint uuid real), 'double precision')
{
	my ($first, $last) = @{ $edge{$type} }[ 0, 1 ];
	my $cast = "$type\[]";
	$edge{$cast} = [
		"ARRAY[$first]", "'{}'", 'ARRAY[NULL]', "ARRAY[$first, NULL, $last]", "ARRAY[ARRAY[$first, $last]]",
		"array_fill(($first)::$type, ARRAY[3000])", "('[5:6]=' || ARRAY[$first, $last]::$cast\::text)"
	];
}
# An expression of its type; "any" and its kin have one already
sub typed { return $_[1] =~ /any|record|cstring/ ? $_[0] : "($_[0])::$_[1]" }
sub null_of { return $_[0] =~ /any|record/ ? 'NULL::integer' : "NULL::$_[0]" }

# Functions that SQL may call: {signature, name, aggregate, parallel, types, names}
sub functions
{
	my ($node) = @_;
	my @functions;
	foreach my $line (split /\n/, $node->safe_psql('postgres', qq{
		SELECT p.oid::regprocedure, p.prokind, p.proparallel, p.oid::regproc, coalesce(array_to_string(proargnames, ';'), ''),
			(SELECT string_agg(format_type(t, NULL), ';' ORDER BY o) FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o))
		FROM pg_proc p WHERE oid IN (SELECT d.objid $of_extension AND d.classid = 'pg_proc'::regclass)
			AND 'internal'::regtype <> ALL (proargtypes)
			AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) ORDER BY 1}))
	{
		my ($signature, $kind, $parallel, $name, $names, $types) = split /\|/, $line, 6;
		push @functions, {
			signature => $signature, name => $name, aggregate => $kind eq 'a', parallel => $parallel,
			types => [ split /;/, $types ], names => [ split /;/, $names ]
		};
	}
	return @functions;
}

# Arguments that it answers to
sub usual
{
	my ($function) = @_;
	my %of_events = ('"any"' => 'user_id', bigint => 'item_id', text => 'kind', 'double precision' => 'weight',
		'timestamp with time zone' => 'ts', record => 'e', uuid => "lpad(item_id::text, 32, '0')::uuid",
		'real[]' => 'ARRAY[weight, user_id % 2]::real[]');
	my @values = map { $function->{aggregate} && $of_events{$_} || typed($edge{$_}[0], $_) } @{ $function->{types} };
	# what every function of recommendations may be asked, by the arguments' names
	my %asked = (filter => "'price >= 0'", filter_values => 'NULL', exclude_events => "'{view}'", exclude_for => "'30 days'",
		diversity => '0.5', diversity_method => "'dpp'", max_per_group => '\'{"price": 5}\'', skip => '0', explore => '0.2',
		seed => '1', version => 'NULL');
	foreach my $i (0 .. $#values)
	{
		my $asked = $asked{ $function->{names}[$i] // '' };
		$values[$i] = "($asked)::$function->{types}[$i]" if defined $asked && $function->{name} =~ /^recsys\.(recommend|similar_items)/;
	}
	my $special = {
		'recsys.create_stream' => [ 0, "'new'", 4, 'NULL' ],
		'recsys.alter_stream' => [ 3, "'shop.landing'", 4, 'NULL' ],
		'recsys.alter_model' => [ map { $_ => 'NULL' } 1 .. @values - 1 ],
		'recsys.create_model' => [ 0, "'new'", 2, "'als'", map { $_ => 'NULL' } 6 .. @values - 1 ],
		'recsys.record_impressions' => [ 0, "'shop.impressions'" ],
		'recsys.experiment_report' => [ 1, "'shop.impressions'", 3, "'{\"cart\": [\"cart\"]}'", 6, '0.95', 7, '0.1', 11, "'item_id'", 12, "'kind'", 13, "'ts'" ],
		'recsys_support.experiment_statement' => [ 0, "'shop.impressions'", 2, "'{\"cart\": [\"cart\"]}'", 6, "'item_id'", 7, "'kind'", 8, "'ts'" ],
	}->{ $function->{name} };
	my %special = @{ $special // [] };
	$values[$_] = $special{$_} for keys %special;
	return @values;
}

# A statement that calls it; of an aggregate, over the events
sub call
{
	my ($function, @values) = @_;
	my $call = "$function->{name}(" . join(', ', @values) . ')';
	return $function->{aggregate} ? "SELECT $call FROM shop.events e HAVING true" : "SELECT * FROM $call";
}

1;
