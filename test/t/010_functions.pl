# Every function of the extension, called with NULL and with the edge values of
# each argument's type: an error of the user's kind or an answer, never an
# internal error and never a crash.  Every object has a comment.
#
# Not a regress test: it calls what there is, and reads the server's log.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main', conf => "statement_timeout = '30s'\nrecsys.train_memory = '256MB'\n");
$node->safe_psql(
	'postgres', q{
	CREATE TABLE events AS
		SELECT u AS user_id, (u * 3 + n * n) % 7 AS item_id, 1.0::float8 AS weight, now() AS ts
		FROM generate_series(1, 12) u, generate_series(0, 3) n;
	SELECT recsys.create_model('shop', 'events', 'als', '{"factors": 4}', time_column => 'ts');
	SELECT recsys.train('shop');
	CREATE ROLE keeper LOGIN;
	GRANT INSERT ON recsys.stream TO keeper;
	GRANT INSERT ON events TO keeper;
	SET client_min_messages = error;
	SET ROLE keeper;
	SELECT recsys.create_stream('shop', 'kafka', 'topic', 'events');});

# Edge values of each type that an argument has
my %edge = (
	'text' => [ "'shop'", "''", "'no such model'", "repeat('x', 100000)", "E'quo\\'te\"; \\\\ %s\\n'", "'als'", "'0'" ],
	'name' => [ "'user_id'", "'item_id'", "''", "'no_such_column'", "'a\"b'", "'ts'" ],
	'integer' => [ 1, 0, -1, 10, 2147483647, '(-2147483648)' ],
	'bigint' => [ 1, 0, -1, 9223372036854775807, '(-9223372036854775808)' ],
	'double precision' => [ 1, 0, -1, "'NaN'", "'infinity'", "'-infinity'", '1e308', '1e-320' ],
	'real' => [ 1, 0, "'NaN'", "'infinity'" ],
	'boolean' => [ 'true', 'false' ],
	'uuid' => [ "md5('1')::uuid", "'00000000-0000-0000-0000-000000000000'" ],
	'jsonb' => [ "'{}'", "'[]'", "'null'", "'7'", "'{\"factors\": 8}'", "'{\"a\": {\"b\": []}}'" ],
	'interval' => [ "'30 days'", "'0'", "'-1 year'", "'178000000 years'" ],
	'timestamp with time zone' => [ 'now()', "'infinity'", "'-infinity'", "'4713-01-01 BC'" ],
	'regclass' => [ "'events'", "'pg_class'", "'recsys.models'", '0', '4294967295' ],
	'bytea' => [ "''", "'\\x00'", "'\\xffffffffffffffff'", "recsys.load_model('shop')::bytea" ],
	'recsys.model' => [ "recsys.load_model('shop')" ],
	'recsys.encoder' => [ "(SELECT recsys.fit_encoder(e, '{\"weight\": {}}') FROM events e)" ],
	'recsys.string_indexer_model' => [ "(SELECT recsys.string_indexer(item_id::text) FROM events)" ],
	'record' => [ "ROW(1.5)", "ROW('pppppppp')", "ROW()", "ROW(NULL)", "ROW(1, 2)" ],
	'anyelement' => [ "0", "NULL::date", "NULL::regclass", "NULL::events", "NULL::int4range", "NULL::integer[]" ],
	'cstring' => [ "''", "'AAAA'", "'!'" ],
	'"any"' => [ 1, "'x'::text", "'pppppppp'" ],
	'anycompatiblearray' => [ "ARRAY[1, 2]", "'{}'", "'{a,b}'", "ARRAY[NULL::integer]", "ARRAY[[1]]", "'[5:6]={1,2}'::bigint[]", "ARRAY['1']::json[]" ]);
foreach my $type (qw(text integer bigint uuid real), 'double precision')
{
	my $first = $edge{$type}[0];
	my $last = $edge{$type}[1];
	$edge{"$type\[]"} = [
		"ARRAY[$first]", "'{}'", "ARRAY[NULL]", "ARRAY[$first, NULL, $last]", "ARRAY[ARRAY[$first, $last]]",
		"array_fill(($first)::$type, ARRAY[3000])", "'[5:6]={" . ($type eq 'uuid' ? '00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000001' : '1,2') . "}'"
	];
}

my @functions = split /\n/, $node->safe_psql(
	'postgres', q{
	SELECT p.oid::regprocedure, p.prokind, p.oid::regproc,
		(SELECT string_agg(format_type(t, NULL), ';' ORDER BY o) FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o))
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'recsys'
	WHERE d.refclassid = 'pg_extension'::regclass ORDER BY 1});
cmp_ok(scalar @functions, '>', 60, 'functions: ' . @functions);

my %called;
my (@calls, @unknown);
foreach my $line (@functions)
{
	my ($signature, $kind, $name, $types) = split /\|/, $line;
	my @types = split /;/, $types // '';
	next if grep { $_ eq 'internal' } @types;    # not callable from SQL
	$called{$signature} = 1;
	push @unknown, grep { !exists $edge{$_} } @types;
	next if @unknown;
	my $from = $kind eq 'a' ? 'FROM generate_series(1, 3) HAVING true' : '';
	my @usual = map { "$edge{$_}[0]::$_" =~ s/::"any"$//r } @types;
	@usual[ 0, 4 ] = ("'new'::text", 'NULL::jsonb') if $name eq 'recsys.create_stream';
	my @sets = ([@usual], [ map { /any/ ? 'NULL::integer' : "NULL::$_" } @types ]);
	foreach my $i (0 .. $#types)
	{
		foreach my $value (@{ $edge{ $types[$i] } }, $types[$i] =~ /any/ ? 'NULL::integer' : 'NULL')
		{
			my @arguments = @usual;
			$arguments[$i] = $types[$i] =~ /any/ ? $value : "$value\::$types[$i]";
			push @sets, [@arguments];
		}
	}
	my $as = $name =~ /_stream$/ ? 'SET LOCAL ROLE keeper; ' : '';    # a superuser owns none
	push @calls, map { "${as}SELECT $name(" . join(', ', @$_) . ") $from" } @sets;
}
is("@unknown", '', 'edge values are known for every type of argument');
cmp_ok(scalar keys %called, '>', 40, 'functions called: ' . keys %called);

# Each call is undone, so that every one finds the same state
$node->safe_psql(
	'postgres', q{
	CREATE TABLE calls (n serial, call text, code text, message text, ms numeric);
	CREATE PROCEDURE run_calls(first integer, last integer) LANGUAGE plpgsql AS $$
	DECLARE
		c record;
		got text;
		said text;
		started timestamptz;
	BEGIN
		FOR c IN SELECT * FROM calls WHERE n BETWEEN first AND last ORDER BY n LOOP
			started := clock_timestamp();
			BEGIN
				EXECUTE c.call;
				RAISE EXCEPTION USING ERRCODE = 'OK000';
			EXCEPTION WHEN OTHERS THEN
				got := sqlstate;
				said := sqlerrm;
			END;
			UPDATE calls t SET code = got, message = said,
				ms = 1000 * extract(epoch FROM clock_timestamp() - started) WHERE t.n = c.n;
		END LOOP;
	END $$});
my $session = session($node);
$session->do('INSERT INTO calls (call) VALUES ' . join(', ', map { "(\$call\$$_\$call\$)" } @calls));
my $total = $session->do('SELECT count(*) FROM calls');
is($total, scalar @calls, "calls: $total");
my $broken = '';
for (my $n = 1; $n <= @calls && $broken !~ /server closed|FATAL/; $n += 200)
{
	$broken .= $session->do("SET client_min_messages = error; CALL run_calls($n, $n + 199)");
}
is($broken, '', 'the session lives through all calls');
my %codes = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT code, count(*) FROM calls WHERE code IS NOT NULL GROUP BY 1');
$codes{answer} = delete $codes{OK000};
my @bad = split /\n/, $node->safe_psql('postgres', q{
	SELECT left(call, 300), code, left(message, 200), ms FROM calls
	WHERE code IS NULL OR code ~ '^(XX|57|01|08|58|53)' OR ms > 10000});
is(scalar @bad, 0, 'no internal error in ' . @calls . ' calls') or diag join "\n", map { substr $_, 0, 600 } @bad[ 0 .. ($#bad < 9 ? $#bad : 9) ];
note 'answers: ', join ', ', map { "$_ $codes{$_}" } sort keys %codes;
cmp_ok($codes{answer} // 0, '>', 100, 'many calls answer');
cmp_ok($codes{22023} // 0, '>', 10, 'many are refused');
is($session->do('SELECT version FROM recsys.models'), 1, 'nothing was changed');
is($session->do('SELECT stream, generation FROM recsys.streams JOIN recsys.stream ON stream = name'), 'shop|1', 'nor any stream');
cmp_ok($session->do(q(SELECT count(*) FROM calls WHERE call ~ 'create_stream' AND code = 'OK000')), '>', 5, 'streams were made');
$session->quit;

# Comments
is( $node->safe_psql(
		'postgres', q{
		SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'recsys'
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
			AND CASE d.classid
				WHEN 'pg_type'::regclass THEN (SELECT typrelid = 0 AND typelem = 0 FROM pg_type WHERE oid = d.objid)
				WHEN 'pg_class'::regclass THEN (SELECT relkind IN ('r', 'v', 'm') FROM pg_class WHERE oid = d.objid)
				ELSE true END
			AND obj_description(d.objid, d.classid::regclass::name) IS NULL
		ORDER BY 1}),
	'',
	'every object has a comment');
is( $node->safe_psql(
		'postgres', q{
		SELECT name FROM pg_settings WHERE name LIKE 'recsys.%' AND coalesce(short_desc, '') = ''}),
	'',
	'every setting has a description');
unlike(server_log($node), qr/terminated by signal|PANIC|XX000/, 'nothing crashed');
$node->stop;
done_testing();
