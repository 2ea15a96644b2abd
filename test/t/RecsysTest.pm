# RecsysTest.pm
#		What the TAP tests share: servers with recsys, sessions that stay open,
#		a shop's events, and a look at a process of the server.
package RecsysTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(new_server make_events session tasks memory_kb maps wait_until server_log);

# A started server with the extension in database postgres.
sub new_server
{
	my ($name, %with) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%{ $with{init} // {} });
	$node->append_conf('postgresql.conf', "max_connections = 40\nfsync = off\n");
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'recsys'\n") if $with{preload};
	$node->append_conf('postgresql.conf', $with{conf}) if $with{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION recsys') unless $with{bare};
	return $node;
}

# Events with structure: a user's items come mostly from the user's own groups.
# The same rows at every run.
sub make_events
{
	my ($node, $table, $users, $items, $each) = @_;
	$node->safe_psql(
		'postgres', qq{
		CREATE TABLE $table AS
		SELECT u AS user_id,
			CASE WHEN h % 10 < 8
				THEN (u % 20) + 20 * ((h / 10) % ($items / 20) * ((h / 100000) % 97) / 97)
				ELSE (h / 10) % $items END AS item_id,
			(1 + h % 3)::float8 AS weight,
			'2024-01-01'::timestamptz + n * interval '1 hour' + u * interval '1 second' AS ts
		FROM generate_series(1, $users) u, generate_series(1, $each) n,
			LATERAL (SELECT abs(hashint8extended(u * 100000::bigint + n, 7) % 1000000007) AS h) x;
		CREATE INDEX ON $table (user_id);
		ANALYZE $table;});
	return;
}

# A psql that stays open.  ->do(SQL) waits for its end and returns what it
# printed, errors as ERROR:  SQLSTATE: text; ->send(SQL) does not wait.
sub session
{
	my ($node, $user) = @_;
	my $self = { in => '', out => '', err => '', n => 0 };
	$self->{run} = IPC::Run::start(
		[
			'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', '-',
			($user ? ('-U', $user) : ())
		],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout(180));
	bless $self, 'RecsysTest::Session';
	$self->{pid} = $self->do('SELECT pg_backend_pid()');
	return $self;
}

sub RecsysTest::Session::send
{
	my ($self, $sql) = @_;
	$self->{mark} = 'end of ' . ++$self->{n};
	$self->{out} = $self->{err} = '';
	$self->{in} .= "$sql;\n\\echo $self->{mark}\n\\warn $self->{mark}\n";
	$self->{run}->pump_nb;
	return;
}

# The two streams come through pipes of their own, in pieces: each has its mark.
sub RecsysTest::Session::wait
{
	my ($self) = @_;
	my $mark = qr/^\Q$self->{mark}\E\n/m;
	while ($self->{out} !~ $mark || $self->{err} !~ $mark)
	{
		last if !$self->{run}->pumpable;
		$self->{run}->pump;
	}
	my $answer = join '', map { s/$mark//r } $self->{out}, $self->{err};
	$answer =~ s/^psql:<stdin>:\d+: //mg;
	chomp $answer;
	return $answer;
}

sub RecsysTest::Session::do
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->wait;
}

sub RecsysTest::Session::quit
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	return;
}

# Number of threads of a process
sub tasks
{
	my ($pid) = @_;
	my @tasks = glob "/proc/$pid/task/*";
	return scalar @tasks;
}

# Resident memory of a process that is its own
sub memory_kb
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
}

sub maps
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/maps");
}

# True as soon as the condition is, false after so many seconds; where nobody looks
# at the answer, waiting in vain ends the test
sub wait_until
{
	my ($seconds, $condition) = @_;
	my $end = time + $seconds;
	my $pause = 5_000;
	until ($condition->())
	{
		if (time > $end)
		{
			return 0 if defined wantarray;
			my (undef, $file, $line) = caller;
			die "waited $seconds s in vain at $file line $line\n";
		}
		usleep($pause);
		$pause *= 1.2 if $pause < 40_000;
	}
	return 1;
}

sub server_log
{
	my ($node) = @_;
	return slurp_file($node->logfile);
}

1;
