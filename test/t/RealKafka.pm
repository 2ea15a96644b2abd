# RealKafka.pm
#		A real Kafka broker for TAP tests: started, stopped and administered.
#		Its scripts are in test/kafka/real.
package RealKafka;

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

my $folder = 'test/kafka/real';
my $tool;

# Why there is no real broker here; empty if there is
sub why_not
{
	my $why = `$folder/real_broker.sh available 2>&1`;
	chomp $why;
	return $why;
}

# A broker that answers.  ->{PLAINTEXT} and the other names of real_broker.sh
sub new
{
	my ($class, %with) = @_;
	my $self = bless { dir => PostgreSQL::Test::Utils::tempdir() . '/broker' }, $class;
	$tool //= build_tool();
	# A broker binds them seconds later and again after a restart: no other test may
	# have got them meanwhile
	my @ports = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 5;
	system_or_bail("$folder/real_broker.sh", 'prepare', $self->{dir}, @ports);
	for (split /\n/, slurp_file("$self->{dir}/env"))
	{
		my ($name, $value) = split /=/, $_, 2;
		$self->{$name} = $value;
	}
	append_to_file("$self->{dir}/server.properties", $with{conf}) if $with{conf};
	$self->start;
	return $self;
}

sub build_tool
{
	my $program = PostgreSQL::Test::Utils::tempdir() . '/real';
	system_or_bail('gcc', '-std=gnu11', '-O1', "$folder/real.c", '-lrdkafka', '-o', $program);
	return $program;
}

# It dies with the test, whatever becomes of it
sub start
{
	my ($self) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		exec('setpriv', '--pdeathsig', 'KILL', "$folder/real_broker.sh", 'run', $self->{dir})
			or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	usleep(10_000) until -f "$self->{dir}/pid";
	system_or_bail("$folder/real_broker.sh", 'wait', $self->{dir});
	return;
}

sub stop
{
	my ($self, $signal) = @_;
	return unless $self->{pid};
	kill $signal // 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	unlink "$self->{dir}/pid", "$self->{dir}/broker.log";
	return;
}

# One of real.c's commands: create, delete, partitions, truncate
sub admin
{
	my ($self, @command) = @_;
	my ($out, $err);
	IPC::Run::run([ $tool, $self->{PLAINTEXT}, @command ], '<', \'', '>', \$out, '2>', \$err)
		or die "@command: $err";
	return;
}

# Messages, a line each; then what real.c's produce knows: keyed, time=MS, commit, abort
sub produce
{
	my ($self, $topic, $partition, $lines, @with) = @_;
	my $in = join '', map { "$_\n" } @$lines;
	my ($out, $err);
	IPC::Run::run([ $tool, $self->{PLAINTEXT}, 'produce', $topic, $partition, @with ],
		'<', \$in, '>', \$out, '2>', \$err)
		or die "produce: $err";
	die "produce: $out of " . @$lines unless $out == @$lines;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	$self->stop('KILL');
	return;
}

1;
