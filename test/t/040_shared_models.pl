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

my $node = new_server('shared', preload => 1, conf => "recsys.cache_size = '4MB'\nrestart_after_crash = on\n",
	init => { allows_streaming => 1 });
make_events($node, 'events', 3000, 500, 20);

# A model of about mb MB: item vectors of so many items
# of a model of 16 factors, with the coarse copies that many items have
my $bytes_an_item = 101;

sub make_wide
{
	my ($name, $mb, $database) = @_;
	my $items = int($mb * 1024 * 1024 / $bytes_an_item);
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

# Others wait for who loads, and can be cancelled; a loader that is cancelled or ended
# leaves nothing, and who waits loads in its place.  A lock on the table of chunks holds
# the loader up: taken once it has looked at the registry would be too late, so that it
# is a policy that waits.
$admin->do(q{
	CREATE ROLE reader LOGIN;
	GRANT SELECT ON wide_events TO reader;
	CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_lock_shared(1);
		PERFORM pg_advisory_unlock_shared(1);
		RETURN true;
	END $$;
	CREATE POLICY gate ON recsys.model_chunk AS RESTRICTIVE FOR SELECT TO reader USING (gate())});

# Sessions of the role that the gate holds up, one of them in the middle of its load: the
# gate is shut by a session of its own once the look at the chunks is over
sub start_loading
{
	my ($loader, $keeper) = @_;
	# the look passes the gate for each chunk, then the load does: shut it in between
	$keeper->do('SELECT pg_advisory_lock(1)');
	$loader->send(ask('wide'));
	wait_until(60, sub { $admin->do("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = $loader->{pid}") eq '1' });
	for (1 .. 20)
	{
		last if status('state') eq 'loading';
		# let one through and shut again: an exclusive lock queues behind the shared one
		$keeper->send('SELECT pg_advisory_unlock(1), pg_advisory_lock(1)');
		$keeper->wait;
		select(undef, undef, undef, 0.2);
	}
	is(status('state'), 'loading', 'a session loads');
	return;
}
foreach my $how ('pg_cancel_backend', 'pg_terminate_backend')
{
	restart();
	my ($loader, $keeper) = (session($node, 'reader'), session($node));
	my @waiting = map { session($node) } 1 .. 3;
	start_loading($loader, $keeper);
	$_->send(ask('wide')) foreach @waiting;
	$keeper->do("SELECT $how($loader->{pid})");
	like($loader->wait, $how =~ /cancel/ ? qr/57014/ : qr/terminating connection|57P01/, "$how: the loader is told");
	$keeper->do('SELECT pg_advisory_unlock(1)');
	is($_->wait, $before, "$how: who waited has the answer") foreach @waiting;
	is(status('model, state, in_use'), 'wide|ready|0', "$how: one of them has loaded it");
	$_->quit foreach @waiting, $keeper;
	$loader->quit if $how =~ /cancel/;
}

# Who waits can be cancelled
{
	restart();
	my ($loader, $keeper, $waiting) = (session($node, 'reader'), session($node), session($node));
	start_loading($loader, $keeper);
	$waiting->send(ask('wide'));
	ok( wait_until(60, sub { $admin->do("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $waiting->{pid}") eq 'Extension' }),
		'another session waits for it');
	$admin->do("SELECT pg_cancel_backend($waiting->{pid})");
	like($waiting->wait, qr/57014/, 'and can be cancelled');
	# the loader does not move: who waits long enough reads a copy of its own
	is($waiting->do(ask('wide')), $before, 'nobody waits for ever for a loader that stands still');
	$keeper->do('SELECT pg_advisory_unlock(1)');
	is($loader->wait, $before, 'the loader goes on');
	is(status('model, state, in_use'), 'wide|ready|0', 'and has loaded it');
	$_->quit foreach $loader, $keeper, $waiting;
}
$admin->do('DROP POLICY gate ON recsys.model_chunk');

# Pinned for the call alone: an error in it, in a subtransaction or not, and a cursor
# that was left open do not hold it; a call that runs does
{
	my $holder = session($node);
	$admin->do(q{
		CREATE TABLE slow_events AS SELECT * FROM wide_events LIMIT 100;
		CREATE FUNCTION wait_here(user_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN
			IF current_setting('test.fail', true) = 'yes' THEN RAISE division_by_zero; END IF;
			PERFORM pg_advisory_lock_shared(2), pg_advisory_unlock_shared(2);
			RETURN true;
		END $$;
		CREATE VIEW slow AS SELECT user_id, item_id FROM slow_events WHERE wait_here(user_id);
		SELECT recsys.create_model('slow', 'slow', 'als', '{"iterations": 1, "factors": 16}');
		SELECT recsys.train('slow')});
	my $call = q{SELECT count(*) FROM recsys.recommend(3::bigint, 3, 'slow')};
	is($holder->do($call), 3, 'a model over a view');
	like($holder->do("SET test.fail = 'yes'; $call"), qr/22012/, 'an error in the call');
	is(status('in_use', "model = 'slow'"), 0, 'lets go');
	like($holder->do("BEGIN; $call"), qr/22012/, 'in a transaction');
	is(status('in_use', "model = 'slow'"), 0, 'lets go before it ends');
	$holder->do('ROLLBACK');
	like($holder->do("DO \$\$ BEGIN PERFORM * FROM recsys.recommend(3::bigint, 3, 'slow');
		EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'in use: %', (SELECT in_use FROM recsys.cache_status WHERE model = 'slow'); END \$\$"),
		qr/in use: 0/, 'in a subtransaction');
	is($holder->do("SET test.fail = 'no'; BEGIN; DECLARE c CURSOR FOR SELECT item_id IS NOT NULL FROM recsys.recommend(3::bigint, 3, 'slow'); FETCH 1 FROM c"), 't', 'a cursor');
	is(status('in_use', "model = 'slow'"), 0, 'that is open holds nothing');
	$holder->do('ROLLBACK');

	$admin->do('SELECT pg_advisory_lock(2)');
	$holder->send($call);
	ok(wait_until(60, sub { status('in_use', "model = 'slow'") eq '1' }), 'a call that runs holds it');
	$admin->do('SELECT pg_sleep(5.2)');
	make_wide('large', 3.5);
	unlike(status('model'), qr/large/, 'what is held makes no room');
	like(status('model'), qr/slow/, 'and stays');
	my $own = $node->safe_psql('postgres', ask('large'));
	like($own, qr/^10\|/, 'the other one is answered from a copy');
	$admin->do("SELECT pg_terminate_backend($holder->{pid})");
	ok(wait_until(60, sub { status('in_use', "model = 'slow'") eq '0' }), 'the end of the session lets go');
	$admin->do('SELECT pg_advisory_unlock(2)');
	eval { $holder->quit };
	is($node->safe_psql('postgres', ask('large')), $own, 'the same answer');
	is(status('model, state'), 'large|ready', 'from the one copy, for which the others went');
	is($node->safe_psql('postgres', ask('wide')), $before, 'what went is answered as before');
	is(status('model, state'), 'large|ready', 'by a copy: what was loaded just now stays');
}

# Too large for all of it, and what warm says
make_wide('huge', 5);
like($node->safe_psql('postgres', ask('huge')), qr/^10\|/, 'a model larger than the memory is answered from a copy');
unlike(status('model'), qr/huge/, 'of a session');
like($admin->do("SELECT recsys.warm('huge')"), qr/^0\n.*WARNING:  53000: model "huge" finds no room/s, 'warm says so');
restart();
is($admin->do("SELECT recsys.warm('wide'), recsys.warm('slow')"), '1|1', 'warm loads a model');
is(status('model, calls'), "slow|0\nwide|0", 'before anybody asks');
like($admin->do("SET client_min_messages = error; SELECT recsys.warm()"), qr/^2$/, 'or all that find room');

# Who sees what
{
	my $other = session($node, 'reader');
	is($other->do('SELECT database, owner IS NOT NULL, bytes > 0, state, model, version, in_use, calls, loaded_at, last_used FROM recsys.cache_status LIMIT 1'),
		'postgres|t|t|ready||||||', 'of the models of others: that there are some');
	like($other->do(q{SELECT * FROM recsys.recommend_for_items(ARRAY[1::bigint], 1, 'slow')}), qr/42704/,
		'nobody is handed bytes that the registry does not show them');
	$other->quit;
}

# Nothing stale: a model, the extension, the database made anew under the same name; a
# version that was rolled back; bytes changed by hand under the same key
{
	my $old = session($node);
	is($old->do(ask('wide')), $before, 'a session that knows the old one');
	$admin->do(q{SELECT recsys.drop_model('wide'); DELETE FROM wide_events WHERE item_id % 3 = 0;
		SET client_min_messages = error; SELECT recsys.create_model('wide', 'wide_events', 'popularity'), recsys.train('wide')});
	my $anew = $old->do(ask('wide'));
	isnt($anew, $before, 'a model made anew answers');
	$admin->do(q{BEGIN; DELETE FROM wide_events WHERE item_id % 2 = 0; SELECT recsys.train('wide')});
	my $rolled_back = $admin->do(ask('wide'));
	$admin->do('ROLLBACK');
	is($old->do(ask('wide')), $anew, 'a version that was rolled back is nobody\'s');
	isnt($admin->do("SELECT count(*) FROM recsys.recommend_for_items(ARRAY[5::bigint], 100000, 'wide')"), 0, 'nor its own session\'s');

	$admin->do(q{
		CREATE TABLE bytes AS SELECT * FROM recsys.model_chunk;
		BEGIN;
		UPDATE recsys.model_chunk c SET bytes = set_byte(c.bytes, 200, get_byte(c.bytes, 200) # 1), crc = 0
			FROM recsys.model_registry r WHERE r.id = c.model_id AND r.name = 'wide'});
	my $fresh = session($node);
	like($admin->do("SELECT recsys.warm('wide')"), qr/XX001.*wrong checksum/, 'bytes changed by hand are read, not taken for those that are there');
	$admin->do('ROLLBACK');
	is($fresh->do(ask('wide')), $anew, 'nor does anybody else see them');
	$fresh->quit;

	$admin->do(q{DROP EXTENSION recsys CASCADE; CREATE EXTENSION recsys;
		DELETE FROM wide_events WHERE item_id % 5 = 0; SET client_min_messages = error;
		SELECT recsys.create_model('wide', 'wide_events', 'als', '{"iterations": 1, "factors": 16}'), recsys.train('wide')});
	isnt($old->do(ask('wide')), $anew, 'the extension made anew');
	$old->quit;
}
foreach my $round (1, 2)
{
	$node->safe_psql('postgres', 'CREATE DATABASE shop');
	$node->safe_psql('shop', 'CREATE EXTENSION recsys');
	make_wide('wide', 0.2 * $round, 'shop');
	is($node->safe_psql('shop', 'SELECT count(*) FROM recsys.recommend_for_items(ARRAY[5::bigint], 1000000, \'wide\')'),
		int(0.2 * $round * 1024 * 1024 / $bytes_an_item) - 1, 'a database of the same name has its own');
	$node->safe_psql('postgres', 'DROP DATABASE shop');
}
unlike(status('coalesce(database, \'gone\'), state'), qr/loading/, 'nothing is half loaded');

# A standby loads into its own
{
	$node->backup('base');
	my $replica = PostgreSQL::Test::Cluster->new('replica');
	$replica->init_from_backup($node, 'base', has_streaming => 1);
	$replica->start;
	my $answer = $node->safe_psql('postgres', ask('wide'));
	is($replica->safe_psql('postgres', "SELECT recsys.warm('wide')"), 1, 'a standby warms');
	is($replica->safe_psql('postgres', ask('wide')), $answer, 'and answers as its primary');
	is($replica->safe_psql('postgres', 'SELECT model, state, calls FROM recsys.cache_status'), 'wide|ready|1', 'from its own copy');
	$node->safe_psql('postgres', "SET client_min_messages = error; DELETE FROM wide_events WHERE item_id % 7 = 0; SELECT recsys.train('wide')");
	$node->wait_for_catchup($replica);
	is($replica->safe_psql('postgres', ask('wide')), $node->safe_psql('postgres', ask('wide')), 'a new version too');
	$replica->stop;
}

# kill -9 of a session: the server starts again, with nothing in it
{
	my $victim = session($node);
	$victim->do(ask('wide'));
	kill 'KILL', $victim->{pid};
	eval { $victim->quit };
	ok(wait_until(60, sub { eval { $node->safe_psql('postgres', 'SELECT 1') } // '' eq '1' }), 'the server is back');
	eval { $admin->quit };
	$admin = session($node);
	is(status('model'), '', 'empty');
	like($admin->do(ask('wide')), qr/^10\|/, 'and loads again');
}

$admin->quit;
$node->stop;
done_testing();
