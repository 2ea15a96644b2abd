# What drivers send: parameters without a type (psycopg 3, node-postgres), typed by
# the driver (JDBC), lists of their own.
#
# Not a regress test: it needs the drivers.  Those that a registry or Debian has are
# fetched; a leg that cannot be says so.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $node = new_server('main', conf => "listen_addresses = '127.0.0.1'\n");
my $role = getpwuid $<;
$node->safe_psql('postgres', q{
	SET client_min_messages = warning;
	CREATE TABLE events (user_id uuid, item_id bigint, ts timestamptz);
	CREATE TABLE items AS SELECT i AS item_id, i % 100 AS price FROM generate_series(0, 30) i;
	INSERT INTO events SELECT lpad((u % 40)::text, 32, '0')::uuid, (u * 7 + u / 40 * 3) % 30, now() FROM generate_series(1, 400) u;
	CREATE INDEX ON events (user_id);
	SELECT recsys.create_model('shop', 'events', 'item_knn', items => 'items');
	SELECT recsys.train('shop');
});
my $folder = PostgreSQL::Test::Utils::tempdir();
my ($host, $port) = ($node->host, $node->port);
my $user = '00000000-0000-0000-0000-000000000005';
# one line an answer, the same whoever asks
my @expected = split /\n/, $node->safe_psql('postgres', qq{
	SELECT string_agg(item_id, ' ' ORDER BY rank) FROM recsys.recommend('$user', 5, 'shop');
	SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM recsys.recommend_as(NULL::bigint, '$user', 5);
	SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM recsys.recommend_as(NULL::bigint, '$user', 5, filter => 'price < \$1', filter_values => '{20}');
	SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM recsys.recommend_for_items('{1,2,3}'::bigint[], 5, 'shop');
	SELECT string_agg(item_id, ' ' ORDER BY rank) FROM recsys.similar_items('7', 5)});

sub leg
{
	my ($name, $why_not, @command) = @_;
  SKIP:
	{
		if ($why_not)
		{
			diag("skipped: $name: $why_not");
			skip "$name: $why_not", 1;
		}
		my ($out, $err) = run_command(\@command);
		is_deeply([ split /\n/, $out ], \@expected, "$name gets what psql gets") or diag($err);
	}
}

# A driver that a registry has, into the test's folder; false if it cannot be had.
sub fetched
{
	my @command = @_;
	my ($out, $err) = run_command([ 'timeout', '120', @command ]);
	return $? == 0;
}

sub write_file
{
	my ($name, $text) = @_;
	append_to_file("$folder/$name", $text);
	return "$folder/$name";
}

my $python = write_file('ask.py', qq{
import psycopg
calls = [
    ("recsys.recommend(%s, %s, %s)", ('$user', 5, 'shop')),
    ("recsys.recommend_as(NULL::bigint, %s, %s)", ('$user', 5)),
    ("recsys.recommend_as(NULL::bigint, %s, %s, filter => %s, filter_values => %s)", ('$user', 5, 'price < \$1', ['20'])),
    ("recsys.recommend_for_items(%s, %s, %s)", ([1, 2, 3], 5, 'shop')),
    ("recsys.similar_items(%s, %s)", ('7', 5)),
]
with psycopg.connect("host=$host port=$port dbname=postgres user=$role") as connection:
    for call, values in calls:
        for prepare in (False, True):  # the second time as a prepared statement
            rows = connection.execute("SELECT item_id FROM " + call + " ORDER BY rank", values, prepare=prepare).fetchall()
        print(*[row[0] for row in rows])
});
my $venv = fetched('python3', '-m', 'venv', "$folder/venv") && fetched("$folder/venv/bin/pip", '-q', 'install', 'psycopg[binary]');
leg('psycopg 3', $venv ? '' : 'it could not be installed', "$folder/venv/bin/python", $python);

my $node_js = write_file('ask.js', qq{
const { Client } = require('pg');
(async () => {
	const client = new Client({ host: '$host', port: $port, database: 'postgres', user: '$role' });
	await client.connect();
	for (const [call, values] of [
		['recsys.recommend(\$1, \$2, \$3)', ['$user', 5, 'shop']],
		['recsys.recommend_as(NULL::bigint, \$1, \$2)', ['$user', 5]],
		['recsys.recommend_as(NULL::bigint, \$1, \$2, filter => \$3, filter_values => \$4)', ['$user', 5, 'price < \$1', ['20']]],
		['recsys.recommend_for_items(\$1, \$2, \$3)', [[1, 2, 3], 5, 'shop']],
		['recsys.similar_items(\$1, \$2)', ['7', 5]],
	]) {
		const { rows } = await client.query({ text: 'SELECT item_id FROM ' + call + ' ORDER BY rank', values });
		console.log(rows.map(r => r.item_id).join(' '));
	}
	await client.end();
})().catch(e => { console.error(e); process.exit(1); });
});
my $npm = fetched('npm', 'install', '--prefix', $folder, '--cache', "$folder/cache", '--no-audit', '--no-fund', 'pg');
leg('node-postgres', $npm ? '' : 'it could not be installed', 'node', $node_js);

my ($jar) = grep { -f } '/usr/share/java/postgresql.jar';
if (!$jar
	&& fetched('mvn', '-q', '-B', "-Dmaven.repo.local=$folder/maven", 'dependency:copy',
		'-Dartifact=org.postgresql:postgresql:42.7.4', "-DoutputDirectory=$folder"))
{
	($jar) = glob("$folder/postgresql-*.jar");
}
my $java = write_file('Ask.java', qq{
import java.sql.*;
public class Ask {
	public static void main(String[] arguments) throws Exception {
		Class.forName("org.postgresql.Driver");
		try (Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + arguments[0] + "/postgres?user=$role")) {
			String[] calls = { "recsys.recommend(?, ?, 'shop')", "recsys.recommend_as(NULL::bigint, ?, ?)",
				"recsys.recommend_as(NULL::bigint, ?, ?, filter => 'price < \$1', filter_values => '{20}')", "recsys.recommend_for_items(?, ?, 'shop')",
				"recsys.similar_items(?, ?)" };
			for (int i = 0; i < calls.length; i++) {
				PreparedStatement s = c.prepareStatement("SELECT item_id FROM " + calls[i] + " ORDER BY rank");
				if (i == 3) s.setArray(1, c.createArrayOf("bigint", new Long[] { 1L, 2L, 3L }));
				else s.setString(1, i == 4 ? "7" : "$user");
				s.setInt(2, 5);
				ResultSet r = s.executeQuery();
				StringBuilder line = new StringBuilder();
				while (r.next()) line.append(line.length() > 0 ? " " : "").append(r.getString(1));
				System.out.println(line);
			}
		}
	}
}
});
my $no_jdbc = !$jar ? 'neither libpostgresql-jdbc-java nor Maven has it' : !fetched('javac', '-version') ? 'no Java compiler' : '';
leg('JDBC', $no_jdbc, 'java', '-cp', $jar // '', $java, $port);
leg('pgx', 'building it takes minutes; it asks the server for types as node-postgres does');
done_testing();
