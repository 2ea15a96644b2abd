# ChaosBroker.pm
#		The broker of the chaos test, real or mock, and what may happen to it.
#
# Either is read through a proxy, so that connections can be cut and stalled and
# answers damaged; the producer goes past it.  The mock can refuse requests and
# move leaders, too.
package ChaosBroker;

use strict;
use warnings;

use KafkaTest;
use RealKafka;
use Time::HiRes qw(usleep);

sub new
{
	my ($class) = @_;
	my $want = $ENV{CHAOS_BROKER} // ($ENV{ROUNDS} ? 'any' : 'mock');
	my $why = RealKafka::why_not();
	die "no real Kafka broker: $why" if $want eq 'real' && $why;
	my $real = $want ne 'mock' && !$why;
	return $real ? ChaosBroker::Real->new : ChaosBroker::Mock->new;
}

sub bit { usleep(1000 * (100 + int rand($_[0] // 1500))); return }

# What both have: $self->{proxy}

sub at { return $_[0]{proxy}->bootstrap }

sub network
{
	my ($self) = @_;
	my $proxy = $self->{proxy};
	my $for_a_bit = sub {
		my ($command, $ms) = @_;
		$proxy->command($command);
		bit($ms);
		$proxy->command('resume');
	};
	return (
		'connections cut' => sub { $proxy->command('cut') },
		'connections cut five times' => sub { $proxy->command('cut'), bit(200) for 1 .. 5 },
		'connections stalled' => sub { $for_a_bit->('stall', 3000) },
		'connections refused' => sub { $for_a_bit->('down', 2000) },
		'slow network' => sub { $for_a_bit->('slow 20000', 2000) },
		'network with delay' => sub { $for_a_bit->('delay 200', 2000) },
		'damaged answers' => sub { $proxy->command('corrupt ' . (1 + int rand 3)) });
}

package ChaosBroker::Real;

use parent -norequire, 'ChaosBroker';

sub new
{
	my ($class) = @_;
	my $kafka = RealKafka->new;
	return bless { kafka => $kafka, proxy => KafkaTest::start_proxy($kafka->{PLAINTEXT}) }, $class;
}

sub kind { return 'real' }
sub direct { return $_[0]{kafka}{PLAINTEXT} }

sub create
{
	my ($self, $topic, $partitions) = @_;
	$self->{kafka}->admin('create', $topic, $partitions);
	return;
}

# Back to how it should be, after anything
sub well
{
	my ($self) = @_;
	$self->{kafka}->start unless $self->{kafka}{pid};
	$self->{proxy}->command('resume');
	return;
}

sub happens
{
	my ($self) = @_;
	my $kafka = $self->{kafka};
	my $restart = sub {
		$kafka->stop($_[0]);
		ChaosBroker::bit();
		$kafka->start;
	};
	return (
		$self->network,
		'broker stopped and started' => sub { $restart->('TERM') },
		'broker killed and started' => sub { $restart->('KILL') });
}

package ChaosBroker::Mock;

use parent -norequire, 'ChaosBroker';

sub new
{
	my ($class) = @_;
	my $kafka = KafkaTest::start_broker(brokers => 2);
	return bless { kafka => $kafka, proxy => KafkaTest::start_proxy($kafka->bootstrap) }, $class;
}

sub kind { return 'mock' }
sub direct { return $_[0]{kafka}->bootstrap }

sub create
{
	my ($self, $topic, $partitions) = @_;
	$self->{topic} = $topic;
	$self->{partitions} = $partitions;
	$self->{kafka}->command("topic $topic $partitions");
	return;
}

sub well
{
	my ($self) = @_;
	$self->{kafka}->command('up');
	$self->{kafka}->command("clear $_") for qw(Fetch Metadata ListOffsets);
	$self->{proxy}->command('resume');
	return;
}

sub happens
{
	my ($self) = @_;
	my $kafka = $self->{kafka};
	my @errors = qw(NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT _TRANSPORT UNKNOWN);
	return (
		$self->network,
		'brokers down and up' => sub {
			$kafka->command('down');
			ChaosBroker::bit();
			$kafka->command('up');
		},
		'one broker down and up' => sub {
			$kafka->command('down 1');
			ChaosBroker::bit();
			$kafka->command('up 1');
		},
		'leaders moved' => sub {
			$kafka->command("leader $self->{topic} $_ " . (1 + int rand 2)) for 0 .. $self->{partitions} - 1;
		},
		'fetches refused' => sub { $kafka->command("error Fetch $errors[rand @errors] 5") },
		'metadata refused' => sub { $kafka->command("error Metadata $errors[rand @errors] 3") });
}

1;
