# KafkaTest.pm
#		For TAP tests of streams: a mock broker, a proxy before a broker, messages.
#		The programs are in test/kafka; what their commands do is said there.
#
#	my $broker = start_broker(topics => ['events:4'], brokers => 1);
#	my $proxy = start_proxy($broker->bootstrap);
#	$broker->command('down 1');
#	produce($broker->bootstrap, 'events', lines => [...], keyed => 1);
#	produce($broker->bootstrap, 'events', count => 1000, partitions => 4);
package KafkaTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Open2 ();
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

our @EXPORT = qw(start_broker start_proxy produce read_topic);

my %programs;

# Built once a test
sub program
{
	my ($name) = @_;
	return $programs{$name} //= do
	{
		my $program = PostgreSQL::Test::Utils::tempdir() . "/$name";
		system_or_bail('gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-Itest/kafka',
			"test/kafka/$name.c",
			$name eq 'reader'
			? ('-Isrc', (map { "src/kafka/$_.c" } qw(api settings configure message lookup consumer)),
				'-ldl', '-lpthread')
			: '-lrdkafka',
			'-o', $program);
		$program;
	};
}

# topics: names, or name:partitions; the default is one of a partition, "events"
sub start_broker
{
	my (%with) = @_;
	my @topics = map { ('--topic', $_) } @{ $with{topics} // ['events:1'] };
	return start('broker', '--brokers', $with{brokers} // 1, @topics);
}

# Before the brokers of a bootstrap list; clients stay behind it
sub start_proxy
{
	my ($brokers) = @_;
	return start('proxy', $brokers);
}

sub start
{
	my ($name, @arguments) = @_;
	my $self = bless { name => $name, read => '' }, __PACKAGE__;
	$self->{pid} =
		IPC::Open2::open2($self->{out}, $self->{in}, program($name), @arguments);
	$self->{in}->autoflush(1);
	my $line = $self->read_line(10);
	die "$name: $line" unless $line =~ /^bootstrap (\S+)/;
	$self->{bootstrap} = $1;
	return $self;
}

sub bootstrap
{
	my ($self) = @_;
	return $self->{bootstrap};
}

sub read_line
{
	my ($self, $seconds) = @_;
	my $end = time + $seconds;
	my $line;
	until (defined($line = $self->take_line))
	{
		my $bits = '';
		vec($bits, fileno $self->{out}, 1) = 1;
		my $left = $end - time;
		die "$self->{name}: no answer in $seconds s"
			if $left <= 0 || !select($bits, undef, undef, $left);
		sysread($self->{out}, $self->{read}, 4096, length $self->{read})
			or die "$self->{name} ended";
	}
	return $line;
}

sub take_line
{
	my ($self) = @_;
	return $self->{read} =~ s/^(.*)\n// ? $1 : undef;
}

# What the program answers behind "ok"; dies at anything else
sub command
{
	my ($self, $command) = @_;
	print { $self->{in} } "$command\n";
	my $answer = $self->read_line(10);
	die "$self->{name}: $command: $answer" unless $answer =~ s/^ok ?//;
	return $answer;
}

sub stop
{
	my ($self) = @_;
	return unless $self->{pid};
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	$self->stop;
	return;
}

# Messages: lines => [...], or what producer.c knows, _ for - (count => 100,
# partitions => 4, bad_every => 10).  keyed and csv are flags; X => {name => value};
# header => [...].  Returns messages, bytes and ms.
sub produce
{
	my ($brokers, $topic, %with) = @_;
	my $in = join '', map { "$_\n" } @{ delete $with{lines} // [] };
	my @arguments;
	for my $name (sort keys %with)
	{
		my $value = $with{$name};
		(my $option = "--$name") =~ tr/_/-/;
		if ($name eq 'X')
		{
			push @arguments, map { ('-X', "$_=$value->{$_}") } sort keys %$value;
		}
		elsif ($name eq 'keyed' || $name eq 'csv')
		{
			push @arguments, $option if $value;
		}
		else
		{
			push @arguments, map { ($option, $_) } ref $value ? @$value : $value;
		}
	}
	my ($out, $err);
	IPC::Run::run(
		[ program('producer'), '--brokers', $brokers, '--topic', $topic, @arguments ],
		'<', \$in, '>', \$out, '2>', \$err)
		or die "producer: $err";
	my %made;
	@made{qw(messages bytes ms)} =
		$out =~ /^produced (\d+) messages, (\d+) bytes, (\d+) ms$/m
		or die "producer: $out$err";
	return %made;
}

# What our consumer reads of a topic, up to its end: the lines of reader.c, and its
# exit status.  with: its options, X => {name => value}
sub read_topic
{
	my ($brokers, $topic, %with) = @_;
	my $settings = delete $with{X} // {};
	my @arguments = ((map { ("--$_", $with{$_}) } sort keys %with),
		(map { ('-X', "$_=$settings->{$_}") } sort keys %$settings));
	my ($out, $err);
	IPC::Run::run([ program('reader'), '--brokers', $brokers, '--topic', $topic, @arguments ],
		'<', \'', '>', \$out, '2>', \$err);
	return wantarray ? ("$out$err", $? >> 8) : "$out$err";
}

1;
