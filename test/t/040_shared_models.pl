# One copy of a model for all sessions: who loads, who waits, what stays, what goes.
#
# Not a regress test: it needs a preloaded library, and sessions that wait, are
# cancelled and killed in the middle of a load.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $node = new_server('shared', preload => 1, conf => "recsys.cache_size = '4MB'\n",
	init => { allows_streaming => 1 });
make_events($node, 'events', 3000, 500, 20);

# A model of about mb MB: item vectors of so many items
sub make_wide
{
	my ($name, $mb, $database) = @_;
	my $items = int($mb * 1024 * 1024 / 84);
	$node->safe_psql(
		$database // 'postgres', qq{
		SET client_min_messages = warning;
		CREATE TABLE IF NOT EXISTS ${name}_events AS SELECT n / 4 AS user_id, n AS item_id FROM generate_series(1, $items) n;
		SELECT recsys.create_model('$name', '${name}_events', 'als', '{"iterations": 1, "factors": 16}');
		SELECT recsys.train('$name')});
	return;
}

my $admin = session($node);
sub status
{
	my ($columns, $where) = @_;
	$where = $where ? "WHERE $where" : '';
	return $admin->do("SELECT $columns FROM recsys.cache_status $where ORDER BY database, model, version");
}
sub ask { my ($model) = @_; return "SELECT count(*), sum(score) FROM recsys.recommend_for_items(ARRAY[5::bigint, 9], 10, '$model')" }

# nothing stays in the arena, as after a start
sub restart
{
	$admin->quit;
	$node->restart;
	$admin = session($node);
	return;
}

make_wide('wide', 1);
is(status('database, owner, model, version, state, in_use, calls'),
	'postgres|postgres|wide|1|ready|0|0', 'what a training makes live is there');
my $before = $node->safe_psql('postgres', ask('wide'));
like($before, qr/^10\|/, "ten items: $before");
is(status('calls'), 1, 'and a session answers from it');
restart();
is(status('model'), '', 'empty after a start');
is($node->safe_psql('postgres', ask('wide')), $before, 'loaded by the first call, same answer');
is($node->safe_psql('postgres', ask('wide')), $before, 'another session views it');
is(status('model, version, state, in_use, calls'), 'wide|1|ready|0|1', 'one copy, used twice: once loaded, once viewed');

$admin->quit;
$node->stop;
done_testing();
