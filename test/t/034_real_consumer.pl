# The consumer and its lookups beside a real broker, without a server: offsets for
# a time, transactions, what was deleted, a topic made anew, SASL, TLS, a bad network.
use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use KafkaTest;
use RealKafka;

my $why = RealKafka::why_not();
plan skip_all => "no real Kafka broker: $why" if $why;

my $kafka = RealKafka->new;
my $brokers = $kafka->{PLAINTEXT};
my $now = int(time) * 1000;

# A line for each message: partition, offset and payload
sub messages
{
	return join "\n", sort map { /^message (\d+) (\d+) \S+ \S+ (\S+)$/ ? "$1 $2 $3" : () }
		split /\n/, $_[0];
}

# --- transactions: offsets have holes, and the end is past the last message

$kafka->admin('create', 'shop', 2);
$kafka->produce('shop', 0, [ 1 .. 3 ], 'time=' . ($now - 5000), 'commit');
$kafka->produce('shop', 0, [ 4 .. 6 ], 'time=' . ($now - 4000), 'abort');
$kafka->produce('shop', 0, [7], 'time=' . ($now - 3000));
$kafka->produce('shop', 1, [ 8 .. 9 ], 'time=' . ($now - 3500));
$kafka->produce('shop', 1, [10], 'time=' . ($now - 2000), 'abort');
my $said = read_topic($brokers, 'shop');
is(messages($said), "0 0 1\n0 1 2\n0 2 3\n0 8 7\n1 0 8\n1 1 9", 'aborted messages are left out');
like($said, qr/^eof 0 9$/m, 'the end of a partition');
like($said, qr/^eof 1 4$/m, 'and one past a hole, an aborted message and its marker');
is(messages(scalar read_topic($brokers, 'shop', X => { 'isolation.level' => 'read_uncommitted' })),
	"0 0 1\n0 1 2\n0 2 3\n0 4 4\n0 5 5\n0 6 6\n0 8 7\n1 0 8\n1 1 9\n1 2 10", 'unless asked for');

# --- offsets for a time

for my $case ([ 0, 0, 0 ], [ $now - 5000, 0, 0 ], [ $now - 3600, 8, 0 ], [ $now - 3000, 8, 2 ],
	[ $now + 100_000, 9, 4 ])
{
	my ($ms, @expected) = @$case;
	my $starts = join ',', read_topic($brokers, 'shop', time => $ms) =~ /^partition \d+ \S+ \S+ (\d+)$/mg;
	# An offset between messages means the one after it: a batch's marker may be found
	my @starts = split /,/, $starts;
	my $read = messages(scalar read_topic($brokers, 'shop', time => $ms));
	my $wanted = join "\n", grep { my ($p, $o) = split / /; $o >= $expected[$p] } split /\n/,
		messages($said);
	is($read, $wanted, 'from ' . ($ms - $now) . " ms on: offsets $starts");
}

# --- deleted, and made anew

$kafka->admin('truncate', 'shop', 0, 2);
$said = read_topic($brokers, 'shop', from => 0);
like($said, qr/^partition 0 2 9 0$/m, 'the lowest offset after a deletion');
like($said, qr/^lost 0 0$/m, 'an offset deleted is lost, not skipped');
is(messages($said), "1 0 8\n1 1 9", 'and its partition rests');
$said = read_topic($brokers, 'shop', from => 7);
like($said, qr/^lost 1 7$/m, 'so is one past the end, as of a topic made anew');
is(messages(scalar read_topic($brokers, 'shop')), "0 2 3\n0 8 7\n1 0 8\n1 1 9", 'the rest is there');
like(scalar read_topic($brokers, 'none'), qr/topic "none" does not exist/, 'no such topic');

# --- many partitions: a lookup takes a few requests, not some for each

$kafka->admin('create', 'wide', 64);
produce($brokers, 'wide', count => 6400, partitions => 64);
my $started = time;
$said = read_topic($brokers, 'wide');
cmp_ok(time - $started, '<', 4, '64 partitions are looked up and read in seconds');
is(scalar(() = $said =~ /^message /mg), 6400, 'all of them');

# --- SASL and TLS

my %sasl = (
	'security.protocol' => 'sasl_plaintext',
	'sasl.username' => $kafka->{SASL_USER},
	'sasl.password' => $kafka->{SASL_PASSWORD});
for my $mechanism ('PLAIN', 'SCRAM-SHA-256')
{
	my ($text, $status) = read_topic($kafka->{SASL}, 'shop', X => { %sasl, 'sasl.mechanisms' => $mechanism });
	is($status, 0, "SASL $mechanism") or diag $text;
	my $wrong = 'wrong-pass-word';
	($text, $status) = read_topic($kafka->{SASL}, 'shop',
		X => { %sasl, 'sasl.mechanisms' => $mechanism, 'sasl.password' => $wrong });
	isnt($status, 0, "SASL $mechanism with a wrong password");
	like($text, qr/^error _AUTHENTICATION /m, 'is told');
	unlike($text, qr/$wrong/, 'without the password');
}
my %tls = ('security.protocol' => 'ssl', 'ssl.ca.pem' => PostgreSQL::Test::Utils::slurp_file($kafka->{CA}));
is((read_topic($kafka->{TLS}, 'shop', X => \%tls))[1], 0, 'TLS');
for my $case ([ 'TLS', 'security.protocol' => 'ssl' ], [ 'WRONGNAME', %tls ])
{
	my ($listener, %settings) = @$case;
	my ($text, $status) = read_topic($kafka->{$listener}, 'shop', X => \%settings);
	isnt($status, 0, "$listener: a certificate that is not to be trusted");
	like($text, qr/^error _ALL_BROKERS_DOWN .*certificate verify failed/m, 'is told');
}

# --- a network that cuts and corrupts

my $proxy = start_proxy($brokers);
$kafka->admin('create', 'long', 1);
produce($brokers, 'long', count => 50_000);
my $clean = messages(scalar read_topic($proxy->bootstrap, 'long'));
is(scalar(split /\n/, $clean), 50_000, 'through a proxy');
# The byte may lie in the last batch of an answer, which was cut off there and is
# fetched again whole: then nothing was wrong with what was read
foreach my $try (1 .. 10)
{
	$proxy->command('corrupt 1');
	$said = read_topic($proxy->bootstrap, 'long', follow => 3);
	last if $said =~ /^error fatal _BAD_MSG/m;
}
ok($said =~ /^error fatal _BAD_MSG/m, 'a byte changed on the way is noticed');
my @before = split /\n/, messages($said);
cmp_ok(scalar @before, '<', 50_000, 'what is behind it is not read');
is(scalar(grep { (split / /)[1] >= @before } @before), 0, 'what is before it is read without a hole');

done_testing();
