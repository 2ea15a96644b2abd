# Memory: the bound of recsys.train_memory, and a server that gets no more.
#
# Not a regress test: it starts a server under ulimit, and looks into /proc.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs /proc' unless -d "/proc/$$/task";

my $node = new_server('main');
make_events($node, 'events', 20000, 4000, 20);
my $session = session($node);
my %call = (
	als => q{recsys.train_als(user_id, item_id, weight, '{"factors": 256, "iterations": 1}')},
	ease => 'recsys.train_ease(user_id, item_id)',
	item_knn => q{recsys.train_item_knn(user_id, item_id, 1, '{"neighbors": 0}')},
	popularity => 'recsys.train_popularity(user_id, item_id)',
	sequence => q{recsys.train_sequence(user_id, item_id, ts, 1, '{"neighbors": 0}')});

# A bound under the need: refused before the memory is taken
foreach my $algorithm (sort keys %call)
{
	my $sql = "SELECT length($call{$algorithm}::bytea) FROM events";
	foreach my $bound ('64kB', '2MB', '12MB')
	{
		$session->do("SET recsys.train_memory = '$bound'");
		my $before = memory_kb($session->{pid});
		my $answer = $session->do($sql);
		next if $algorithm eq 'popularity' && $bound eq '12MB' && $answer =~ /^\d+$/;
		like($answer, qr/^ERROR:  53200/, "$algorithm under $bound: refused");
		like($answer, qr/^HINT:  .*recsys\.train_memory/m, "$algorithm under $bound: the hint names the setting");
		cmp_ok(memory_kb($session->{pid}) - $before, '<', 24 * 1024, "$algorithm under $bound: nothing stays");
	}
}
# 4000 items want 61 MB of weights: refused at once, and the peak shows that it
# was not tried
$session->do("SET recsys.train_memory = '40MB'");
my $peak = sub { slurp_file("/proc/$session->{pid}/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : 0 };
my $before = $peak->();
my $answer = $session->do("SELECT length($call{ease}::bytea) FROM events");
like($answer, qr/^ERROR:  53200/, 'ease: a dense matrix beyond the bound is refused');
cmp_ok($peak->() - $before, '<', 60 * 1024, 'ease: before the allocation');
note $answer;

# A bound that suffices gives the same model as no bound
$session->do('RESET recsys.train_memory');
my $free = $session->do("SELECT md5($call{ease}::bytea) FROM events");
$session->do("SET recsys.train_memory = '400MB'");
is($session->do("SELECT md5($call{ease}::bytea) FROM events"), $free, 'the bound does not change the model');
like($free, qr/^[0-9a-f]{32}$/, 'which there is');
like($session->do("SET recsys.train_memory = '1kB'"), qr/^ERROR:  22023/, 'a bound that makes no sense is refused');

# recsys.train(): the same, and the version before it stays
is($session->do(q{SELECT recsys.create_model('shop', 'events', 'ease')}), '', 'create_model');
like($session->do(q{SELECT recsys.train('shop')}), qr/^1$/m, 'trained');
$session->do("SET recsys.train_memory = '12MB'");
like($session->do(q{SELECT recsys.train('shop')}), qr/^ERROR:  53200/, 'recsys.train() is refused');
is($session->do(q{SELECT version FROM recsys.models}), 1, 'version 1 stays');
is($session->do(q{SELECT count(*) FROM recsys.recommend(1::bigint, 10)}), 10, 'and answers');
$session->quit;
$node->stop;

# A server whose processes may have little address space: an error, no hang and
# no crash, wherever the memory runs out
foreach my $megabytes (230, 300, 600)
{
	my $log = $node->basedir . "/ulimit_$megabytes.log";
	my $data = $node->data_dir;
	my $rc = system('bash', '-c', "ulimit -v \$(($megabytes * 1024)); exec pg_ctl -D '$data' -l '$log' -o '-c shared_buffers=16MB' -w -s start");
	if ($rc != 0)
	{
		note "no server with $megabytes MB";
		next;
	}
	foreach my $algorithm (sort keys %call)
	{
		my $s = session($node);
		my $started = time;
		my $answer = $s->do("SET statement_timeout = '60s'; SELECT length($call{$algorithm}::bytea) FROM events");
		like($answer, qr/^(\d+|ERROR:  (53200|58P01|53000)[^\n]*(\n.*)?)$/s, "$megabytes MB, $algorithm: a model or an error");
		note "$megabytes MB, $algorithm: ", (split /\n/, $answer)[0] // '', sprintf(' (%.1f s)', time - $started);
		is($s->do('SELECT 1'), 1, "$megabytes MB, $algorithm: the session goes on");
		is(tasks($s->{pid}), 1, "$megabytes MB, $algorithm: no thread stays");
		$s->quit;
	}
	unlike(slurp_file($log), qr/terminated by signal|PANIC/, "$megabytes MB: no crash");
	system_or_bail('pg_ctl', '-D', $data, '-m', 'fast', '-w', '-s', 'stop');
}
done_testing();
