# What only a real Kafka broker can show: offsets by time, transactions, SASL and
# TLS, topics deleted and made anew, partitions added, retention, compaction.
use strict;
use warnings;

use Test::More;
use RealKafka;

my $why = RealKafka::why_not();
plan skip_all => "no real Kafka broker: $why" if $why;

my $kafka = RealKafka->new;
$kafka->admin('create', 'numbers', 1);
$kafka->produce('numbers', 0, [ 1 .. 10 ]);
ok(!eval { $kafka->admin('create', 'numbers', 1); 1 }, 'a topic is created once');
like($@, qr/already exists/, 'and the broker says so');

done_testing();
