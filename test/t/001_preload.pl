# The library preloaded and not: threads and mappings of the postmaster.
#
# Not a regress test: it needs servers of both kinds and looks into /proc.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

plan skip_all => 'needs /proc' unless -d "/proc/$$/task";

foreach my $preload (1, 0)
{
	my $kind = $preload ? 'preloaded' : 'not preloaded';
	my $node = new_server("main$preload", preload => $preload);
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	is(maps($postmaster) =~ /recsys\.so/ ? 1 : 0, $preload, "$kind: library in the postmaster");
	is(tasks($postmaster), 1, "$kind: postmaster has one thread");
	unlike(maps($postmaster), qr/blas/i, "$kind: no BLAS in the postmaster");

	make_events($node, 'events', 2000, 400, 20);
	my $trainer = session($node);
	my $watcher = session($node);
	like(
		$trainer->do('SELECT length(recsys.train_ease(user_id, item_id)::bytea) FROM events'),
		qr/^\d+$/, "$kind: trains with BLAS");
	is(tasks($trainer->{pid}), 1, "$kind: no thread stays in the backend");
	like(maps($trainer->{pid}), qr/blas/i, "$kind: BLAS was loaded where it trained");
	unlike(maps($watcher->{pid}), qr/blas/i, "$kind: and not in another session");
	unlike(maps($postmaster), qr/blas/i, "$kind: nor in the postmaster");
	is(tasks($postmaster), 1, "$kind: postmaster has one thread afterwards");

	# A running training is seen by another session
	is($watcher->do('SELECT count(*) FROM recsys.training_progress'), 0, "$kind: nobody trains");
	$trainer->send(
		q{SELECT recsys.train_als(user_id, item_id, weight, '{"iterations": 1000, "factors": 128}') FROM events});
	my $seen;
	ok( wait_until(
			20,
			sub {
				$seen = $watcher->do(
					q{SELECT pid, database, role = current_user, algorithm, phase, iteration, iterations,
						rows > 0, seconds > 0
					FROM recsys.training_progress WHERE iteration > 0});
				$seen ne '';
			}),
		"$kind: training seen from another session");
	like($seen, qr/^$trainer->{pid}\|postgres\|t\|als\|[a-z ]+\|\d+\|1000\|[tf]\|t$/, "$kind: $seen");
	my ($first) = $seen =~ /\|(\d+)\|1000\|/;
	ok( wait_until(
			20,
			sub { $watcher->do('SELECT max(iteration) FROM recsys.training_progress') > $first }),
		"$kind: it moves on");
	$watcher->do('CREATE ROLE stranger');
	is( $watcher->do(
			q{SET ROLE stranger; SELECT pid, role, model, algorithm, phase, iteration, iterations, loss, rows, seconds
				FROM recsys.training_progress; RESET ROLE}),
		"$trainer->{pid}|postgres||||||||", "$kind: a stranger sees that somebody trains, and no more");
	$watcher->do("SELECT pg_cancel_backend($trainer->{pid})");
	like($trainer->wait, qr/57014/, "$kind: canceled");
	is($watcher->do('SELECT count(*) FROM recsys.training_progress'), 0, "$kind: and gone from there");
	$_->quit for $trainer, $watcher;
	$node->stop;
}
# Where shared memory's slack is used up, as any role can do, a training is not
# shown, and its session hears of timeouts as before
{
	my $node = new_server('full', preload => 0);
	my $greedy = session($node);
	my $trainer = session($node);

	make_events($node, 'events', 200, 50, 5);
	like(
		$greedy->do('SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 10000000) n'),
		qr/53200/, 'the slack is used up');
	like(
		$greedy->do('SELECT count(pg_advisory_lock(n)) FROM generate_series(20000000, 30000000) n'),
		qr/53200/, 'still');
	$greedy->do('SELECT count(pg_advisory_unlock(n)) FROM generate_series(1, 200) n'); # room for locks alone
	like(
		$trainer->do('SELECT length(recsys.train_popularity(user_id, item_id)::bytea) FROM events'),
		qr/^\d+$/, 'trains unseen');
	is($trainer->do('SELECT count(*) FROM recsys.training_progress'), 0, 'nothing is shown');
	like($trainer->do("SET statement_timeout = '200ms'; SELECT pg_sleep(5)"),
		qr/57014/, 'and hears of statement_timeout');
	$_->quit for $greedy, $trainer;
	$node->stop;
}
done_testing();
