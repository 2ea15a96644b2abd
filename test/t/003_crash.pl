# A crash right after a training was committed: the version is there, answers
# are the same.
#
# Not a regress test: it stops the server without a checkpoint.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main', conf => "fsync = on\n");
make_events($node, 'events', 3000, 500, 20);
my %models = (als => 'als', ease => 'ease', knn => 'item_knn', popular => 'popularity', next => 'sequence');
my $answers = q{
	SELECT model, version, md5(recsys.load_model(model, version)::bytea),
		(SELECT md5(string_agg(u || ' ' || (r.item_id, r.score, r.rank, r.source)::text, ',' ORDER BY u, r.rank))
			FROM generate_series(1, 40) u, recsys.recommend(u::bigint, 10, model) r)
	FROM recsys.model_versions ORDER BY 1, 2};

foreach my $name (sort keys %models)
{
	$node->safe_psql('postgres',
		"SELECT recsys.create_model('$name', 'events', '$models{$name}', time_column => 'ts')");
	is($node->safe_psql('postgres', "SELECT recsys.train('$name')"), 1, "$name: trained");
}
my $before = $node->safe_psql('postgres', $answers);
is(scalar(() = $before =~ /^\w+\|1\|[0-9a-f]{32}\|[0-9a-f]{32}$/mg), 5, 'five models answer');

# a second version in the instant before the crash, and one that is not committed
my $open = session($node);
$open->do('BEGIN');
$open->do(q{SELECT recsys.train('knn')});
my $last = session($node);
like($last->do(q{SELECT recsys.train('als')}), qr/^2$/m, 'als: second version committed');
$node->stop('immediate');
$_->quit for $open, $last;
$node->start;

my $after = $node->safe_psql('postgres', $answers);
# als has one version more, and it is the one that answers; same data, same bytes
my ($als) = $before =~ /^als\|1\|(\S+)$/m;
is($after, $before =~ s/^(als\|1\|\S+)$/$1\nals|2|$als/mr, 'versions and answers are the same after recovery');
is( $node->safe_psql('postgres', q{SELECT model, version FROM recsys.models ORDER BY model}),
	"als|2\nease|1\nknn|1\nnext|1\npopular|1",
	'the committed version is live, the other one is not there');
is($node->safe_psql('postgres', q{SELECT recsys.train('knn')}), 2, 'training goes on');
$node->stop;
done_testing();
