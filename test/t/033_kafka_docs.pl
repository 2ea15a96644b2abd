# The SQL of docs/kafka.md runs as it stands there, with a real broker of the
# test's in the place of the page's: the mock knows no seek to a time.
use strict;
use warnings;

use Test::More;
use PostgreSQL::Test::Utils;
use RecsysTest;
use KafkaTest;
use RealKafka;
use StreamTest;

my $why = RealKafka::why_not();
plan skip_all => "no real Kafka broker: $why" if $why;

my $kafka = RealKafka->new;
$kafka->admin('create', 'user-behavior-topic', 2);
my $node = new_server('docs', preload => 1, bare => 1);
my $at = $kafka->{PLAINTEXT};
produce($at, 'user-behavior-topic', count => 2000, partitions => 2, users => 100, items => 50);
produce($at, 'user-behavior-topic', keyed => 1, lines => ["42\tno JSON"]);

my @blocks = slurp_file('docs/kafka.md') =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>', 5, 'the page has SQL');
for my $block (@blocks)
{
	(my $sql = $block) =~ s/kafka1:9092/$at/g;
	my $role = $sql =~ /CREATE (EXTENSION|ROLE)/ ? 'postgres' : 'shop';
	my ($out, $err);
	my $status = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err,
		on_error_stop => 1, extra_params => [ '-U', $role ]);
	is($status, 0, (split /\n/, $block)[0]) or diag($err);
	if ($sql =~ /create_stream\('shop'/)
	{
		is(settled_rows($node, 'SELECT count(*) FROM shop.events', 2000), 2000, 'the rows are there');
		is(settled_rows($node, 'SELECT count(*) FROM recsys.dead_letters', 1), 1, 'and what is no row');
	}
}
is(settled_rows($node, 'SELECT count(*) FROM shop.events', 2000), 2000, 'replayed, not doubled');

$node->stop;
done_testing();
