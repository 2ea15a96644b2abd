# Rows of the tables of streams, changed by hand to what they should never hold, while
# workers read them: no crash, no internal error, and a stream put right goes on.
#
#	WALK_SECONDS	how long it goes on, a third of it (60; make torture: 600)
#	SEED			which changes in which order; printed
#
# Not a regress test: it needs a broker and workers.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;
use Time::HiRes qw(time usleep);
use Walk;

my $seconds = ($ENV{WALK_SECONDS} || 60) / 3;
my $seed = $ENV{SEED} || int(time);
srand $seed;
diag "SEED=$seed, $seconds s";

my $broker = start_broker(topics => ['landing:2']);
my $node = stream_server('main', "restart_after_crash = on\nrecsys.worker_timeout = 2s\nlog_error_verbosity = verbose\nlog_statement = none\n");
as_shop($node, 'CREATE TABLE shop.landing (user_id bigint, item_id bigint, partition_no integer, seq bigint); CREATE TABLE shop.other (t text)');
my $sent = 0;

sub send_events
{
	produce($broker->bootstrap, 'landing', count => 20, partitions => 2, first => 1 + $sent / 2);
	$sent += 20;
	return;
}
send_events();
create_stream($node, 'landing', $broker->bootstrap, max_rejects => 5);
# Mappings written by hand may leave them out
my $all = 'SELECT count(DISTINCT (partition_no, seq)) FROM shop.landing WHERE partition_no IS NOT NULL AND seq IS NOT NULL';
is(settled_rows($node, $all, $sent), $sent, 'it runs');
sql($node, q{
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 1, -1, '22000', 'none' FROM recsys.stream;
	INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason) SELECT id, 1, 0, 0, 'earliest', 'none' FROM recsys.stream});
my @tables = qw(stream stream_offset dead_letter stream_loss);
sql($node, "CREATE TABLE public.kept_$_ AS TABLE recsys.$_") foreach @tables;

# Everything as it was, from the beginning of the topic
sub put_right
{
	sql($node, join ';', 'BEGIN',
		(map { "DELETE FROM recsys.$_" } @tables), (map { "INSERT INTO recsys.$_ OVERRIDING SYSTEM VALUE TABLE public.kept_$_" } @tables), 'COMMIT');
	return;
}

my %columns;
foreach my $table (@tables)
{
	$columns{$table} = [ map { [ split /\|/ ] } split /\n/, sql($node, "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = 'recsys.$table'::regclass AND attnum > 0 AND NOT attisdropped") ];
}
sub pick { return $_[ rand @_ ] }

my %special = (
	topic => [ "'none'", "''", "repeat('t', 300)", "'../x'" ],
	brokers => [ "''", "','", "'127.0.0.1:1'", "'a b'", "repeat('b,', 3000)", "'[::1'" ],
	target => [ "'shop.other'", "'pg_class'", "'recsys.stream'", "'shop.landing'::regclass::oid + 1", '0' ],
	options => [ map { "'{$_}'" } '"workers": 0', '"workers": -1', '"workers": 3', '"batch_rows": 0', '"batch_rows": 1e9', '"batch_ms": -1',
		'"start": []', '"format": "csv"', '"transform": "shop.none"', '"transform": "pg_catalog.now"', '"key": ["none"]', '"secret": "none"', '"nosuch": 1' ],
	mapping => [ map { "'$_'" } '{}', '[]', '{"none": "x"}', '{"user_id": []}', '{"user_id": {"from": "payload"}}', '{"user_id": {"from": "none"}}',
		'{"user_id": {"from": "partition"}}', '{"user_id": "a.b.c.d"}', '{"user_id": ""}' ]);
my ($edits, $written, @bad) = (0, 0);
my $mark = -s $node->logfile;
my $end = time + $seconds;
while (time < $end)
{
	my $table = pick(@tables, ('stream') x 3, 'stream_offset');
	my @some = map { pick(@{ $columns{$table} }) } 1 .. pick(1, 1, 2);
	my %once = map { $_->[0] => $_ } @some;
	my $set = join ', ', map {
		my ($column, $type) = @{ $once{$_} };
		my $value = pick(@{ $special{$column} // $edge{$type} // [ 'NULL' ] }, 'NULL');
		"$column = " . typed($value, $type)
	} sort keys %once;
	# A new generation, so that the worker looks again; not every change is taken
	my $edit = "UPDATE recsys.$table SET $set" . ($table eq 'stream' && !$once{generation} ? ', generation = generation + 1' : '');
	next unless eval { sql($node, $edit); 1 };
	$edits++;
	$node->psql('postgres', q{SELECT recsys.resume_stream('landing')}, extra_params => [ '-U', 'shop' ]) if rand() < 0.5;
	sql($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'recsys stream%'}) if rand() < 0.5;
	send_events() if rand() < 0.2;
	usleep(1000 * (100 + int rand 400));
	foreach my $view (qw(stream_status streams stream_metrics dead_letters stream_losses))
	{
		next if rand() < 0.5 || eval { sql($node, "SELECT count(v::text) FROM recsys.$view v"); 1 };
		push @bad, "$edit: $view: $@" unless $@ =~ /^22/; # sums of numbers that are out of all range
	}
	my $said = substr(server_log($node), $mark);
	$mark += length $said;
	if (my ($what) = $said =~ /^(.*(?:terminated by signal [^T]|PANIC|TRAP|: {2}XX000).*)$/m)
	{
		push @bad, "$edit: $what";
		wait_until(60, sub { eval { sql($node, 'SELECT 1'); 1 } });
	}
	put_right();
}
cmp_ok($edits, '>', 5, "$edits changes");
is(scalar @bad, 0, "no crash and no internal error (SEED=$seed)") or diag join "\n", map { substr $_, 0, 600 } @bad[ 0 .. ($#bad < 20 ? $#bad : 20) ];

# Where other offsets or another cluster were written by hand, rows may have come twice:
# none may be missing
send_events();
as_shop($node, q{SELECT recsys.pause_stream('landing')});
as_shop($node, q{SELECT recsys.resume_stream('landing')});
is(settled_rows($node, $all, $sent, 60), $sent, 'put right, the stream goes on') or diag sql($node, 'SELECT s::text FROM recsys.stream_status s');
$node->stop;
done_testing();
