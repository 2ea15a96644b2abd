# Numbers.pm
#		The chaos test's producer (test/kafka/numbers.c), driven line by line.
package Numbers;

use strict;
use warnings;

use parent -norequire, 'KafkaTest';
use IPC::Open2 ();
use KafkaTest ();

# How long all that was produced may take to be delivered, brokers being down
my $patience = 120;

sub start
{
	my ($class, @arguments) = @_;
	my $self = bless { name => 'numbers', read => '' }, $class;
	$self->{pid} =
		IPC::Open2::open2($self->{out}, $self->{in}, KafkaTest::program('numbers'), @arguments);
	$self->{in}->autoflush(1);
	return $self;
}

# A command; returns how many events of each partition are delivered
sub say
{
	my ($self, $command) = @_;
	print { $self->{in} } "$command\n";
	return split ' ', $self->read_line($patience);
}

1;
