# The recipe for Parquet in docs/features.md: its blocks are run as they stand,
# and what comes back must be what went out, to the last bit.
#
# Needs pyarrow and duckdb from PyPI: skipped with a line where they cannot be had.
use strict;
use warnings;

use lib 'test/t';
use IPC::Run ();
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $log = '';
foreach my $command (['python3', '-m', 'venv', "$folder/venv"],
	["$folder/venv/bin/pip", '-q', 'install', 'duckdb', 'pyarrow'])
{
	my $done = eval { IPC::Run::run($command, '>', \$log, '2>&1', IPC::Run::timeout(300)) };
	next if $done;
	my ($why) = ($log || $@) =~ /([^\n]+)\s*\z/;
	plan skip_all => "duckdb and pyarrow cannot be installed: $why";
}

my ($section) = slurp_file('docs/features.md') =~ /^## Parquet\n(.*?)(?=^## |\z)/ms;
my @blocks = $section =~ /^```sh\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>=', 3, 'the page has the recipe');

my $node = new_server('main');
$node->safe_psql('postgres', q{
	CREATE TABLE user_vectors (user_id bigint, features real[]);
	INSERT INTO user_vectors
	SELECT u, ARRAY(SELECT (u / (n * 7.0))::real FROM generate_series(1, 5) n) FROM generate_series(1, 1000) u;
	INSERT INTO user_vectors VALUES (9007199254740993, '{0,1.17549435e-38,3.4028235e38,-1e-7,16777217}'),
		(-1, '{}'), (0, NULL);});

local $ENV{PATH} = "$folder/venv/bin:$ENV{PATH}";
local @ENV{qw(PGHOST PGPORT PGDATABASE)} = ($node->host, $node->port, 'postgres');
foreach my $n (0 .. $#blocks)
{
	append_to_file("$folder/recipe.sh", $blocks[$n]);
}
my $ran = IPC::Run::run(['bash', '-euc', 'cd "$1" && . ./recipe.sh', 'recipe', $folder], '>', \$log, '2>&1');
ok($ran, 'the blocks run') or diag $log;

my $same = q{SELECT count(*), count(*) FILTER (WHERE o.features IS NOT DISTINCT FROM b.features)
	FROM user_vectors o FULL JOIN user_vectors_back b USING (user_id)};
is($node->safe_psql('postgres', $same), '1003|1003', 'every row came back unchanged');

# Both libraries wrote the same
my $compare = q{
import duckdb
print(*duckdb.sql("""SELECT count(*), any_value(typeof(features)) FROM (
	(FROM 'user_vectors.parquet' EXCEPT ALL FROM 'user_vectors_too.parquet')
	UNION ALL (FROM 'user_vectors_too.parquet' EXCEPT ALL FROM 'user_vectors.parquet'))""").fetchall()[0])
print(*duckdb.sql("SELECT count(*), any_value(typeof(features)) FROM 'user_vectors_too.parquet'").fetchall()[0])
};
IPC::Run::run(['bash', '-c', 'cd "$1" && python3 -c "$2"', 'compare', $folder, $compare], '>', \$log, '2>&1');
is($log, "0 None\n1003 FLOAT[]\n", 'pyarrow and DuckDB wrote the same floats');

$node->stop;
done_testing();
