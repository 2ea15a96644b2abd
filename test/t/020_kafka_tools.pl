# The mock broker, the producer and the proxy that the tests of streams rely on:
# does a cut cut, a stall stall, and does no client get past the proxy?
use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use KafkaTest;

my $broker = start_broker(topics => [ 'events:4', 'other' ], brokers => 2);
my $proxy = start_proxy($broker->bootstrap);
my %quick = (X => { 'message.timeout.ms' => 3000 });

my %made = produce($proxy->bootstrap, 'events', count => 1000, partitions => 4, header => [ 'a=1', 'b' ]);
is($made{messages}, 1000, 'numbered events');
%made = produce($proxy->bootstrap, 'events', lines => [ "k\tvalue", 'gone' ], keyed => 1, partition => 2);
is($made{messages}, 2, 'a keyed message and a tombstone');
is($made{bytes}, 10, 'and no more bytes than they have');

my ($connections, $bytes) = split / /, $proxy->command('stats');
cmp_ok($connections, '>=', 2, 'clients came to the proxy');
for my $brokers ($broker, $proxy)
{
	my $addresses = $brokers->bootstrap;
	my $told = `kcat -b $addresses -L` =~ s/\s+/ /gr;
	for my $address (split /,/, $addresses)
	{
		like($told, qr/ at \Q$address\E /, "$brokers->{name} tells $address");
	}
}

ok(!eval { produce($proxy->bootstrap, 'events', count => 1, X => { foo => 1 }); 1 }, 'a setting that is none');
for my $bad ([ $broker, 'leader events 0 99' ], [ $broker, 'error Fetch WRONG' ], [ $proxy, 'dance' ])
{
	my ($program, $command) = @$bad;
	ok(!eval { $program->command($command); 1 }, "refused: $command");
}

for my $end ([ $broker, 'down', 'up' ], [ $proxy, 'down', 'resume' ], [ $proxy, 'stall', 'resume' ],
	[ $broker, 'error Produce TOPIC_AUTHORIZATION_FAILED 100', 'clear Produce' ])
{
	my ($program, $bad, $good) = @$end;
	$program->command($bad);
	ok(!eval { produce($proxy->bootstrap, 'other', lines => [1], %quick); 1 }, "$bad: nothing comes through");
	$program->command($good);
	ok(eval { produce($proxy->bootstrap, 'other', lines => [1], %quick); 1 }, "$good: it does again") or diag $@;
}

# 200 kB of answers at 100 kB a second, less the first burst
my $payload = 'x' x 1000;
produce($broker->bootstrap, 'events', lines => [ ($payload) x 200 ], partition => 3);
$proxy->command('slow 100000');
my $started = time;
my $read = `kcat -b @{[ $proxy->bootstrap ]} -C -t events -p 3 -o -200 -e -q | wc -c`;
cmp_ok(time - $started, '>', 1.5, 'slow is slow');
is($read + 0, 200 * 1001, 'and loses nothing');
$proxy->command('resume');

done_testing();
