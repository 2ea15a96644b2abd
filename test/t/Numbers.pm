# Numbers.pm
#		The chaos test's producer (test/kafka/numbers.c), driven line by line.
package Numbers;

use strict;
use warnings;

use IPC::Run ();
use KafkaTest ();

sub start
{
	my ($class, $brokers, $topic, $partitions, $rate, $poison) = @_;
	my $self = bless { in => '', out => '', err => '' }, $class;
	$self->{run} = IPC::Run::start([ KafkaTest::program('numbers'), $brokers, $topic, $partitions, $rate, $poison ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, IPC::Run::timeout(3600));
	return $self;
}

# A command; returns how many events of each partition are delivered
sub say
{
	my ($self, $command) = @_;
	$self->{out} = '';
	$self->{in} .= "$command\n";
	until ($self->{out} =~ /\n/)
	{
		die "numbers: $self->{err}" unless $self->{run}->pumpable;
		$self->{run}->pump;
	}
	return split ' ', $self->{out};
}

sub end
{
	my ($self) = @_;
	eval { $self->{run}->finish };
	return;
}

1;
