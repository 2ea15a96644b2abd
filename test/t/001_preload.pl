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
	$watcher->do("SELECT pg_cancel_backend($trainer->{pid})");
	like($trainer->wait, qr/57014/, "$kind: canceled");
	is($watcher->do('SELECT count(*) FROM recsys.training_progress'), 0, "$kind: and gone from there");
	$_->quit for $trainer, $watcher;
	$node->stop;
}
done_testing();
