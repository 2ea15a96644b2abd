# Streams over SASL and TLS with a real Kafka broker; what is wrong is said, and
# no secret is shown.
use strict;
use warnings;

use Test::More;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use RecsysTest;
use RealKafka;
use StreamTest;

my $why = RealKafka::why_not();
plan skip_all => "no real Kafka broker: $why" if $why;

my $kafka = RealKafka->new;
my $node = stream_server('secure');
my $ca = slurp_file($kafka->{CA});

$kafka->admin('create', 'clicks', 1);
$kafka->produce('clicks', 0, [ map { qq({"n": $_}) } 1 .. 10 ]);

my $wrong = 'not-the-password-4711';
my %secrets;
for my $mechanism ('PLAIN', 'SCRAM-SHA-256')
{
	for my $kind (qw(right wrong))
	{
		$secrets{ lc("$mechanism $kind") =~ s/\W/_/gr } = {
			brokers => $kafka->{SASL},
			roles => ['shop'],
			'security.protocol' => 'SASL_PLAINTEXT',
			'sasl.mechanism' => $mechanism,
			'sasl.username' => $kafka->{SASL_USER},
			'sasl.password' => $kind eq 'right' ? $kafka->{SASL_PASSWORD} : $wrong,
		};
	}
}
$secrets{tls} = { brokers => $kafka->{TLS}, roles => ['shop'], 'security.protocol' => 'SSL', 'ssl.ca.pem' => $ca };
$secrets{tls_no_ca} = { brokers => $kafka->{TLS}, roles => ['shop'], 'security.protocol' => 'SSL' };
$secrets{tls_wrong_name} =
	{ brokers => $kafka->{WRONGNAME}, roles => ['shop'], 'security.protocol' => 'SSL', 'ssl.ca.pem' => $ca };
$secrets{others} = { %{ $secrets{plain_right} }, roles => ['postgres'] };

my $file = $node->data_dir . '/kafka_secrets.json';
append_to_file($file, JSON::PP->new->canonical->pretty->encode(\%secrets));
chmod 0600, $file;
$node->append_conf('postgresql.conf', "recsys.secrets_file = '$file'\n");
$node->reload;

for my $name (sort keys %secrets)
{
	next if $name eq 'others';
	as_shop($node, "CREATE TABLE shop.$name (n bigint)");
	create_stream($node, $name, $secrets{$name}{brokers}, topic => 'clicks', secret => $name);
}

for my $name (qw(plain_right scram_sha_256_right tls))
{
	is(settled_rows($node, "SELECT count(*) FROM shop.$name", 10), 10, "$name: reads");
	ok(caught_up($node, $name), "$name: to the end");
}
ok(says($node, 'plain_wrong', qr/authentication/i), 'PLAIN, wrong password: the status says so');
ok(says($node, 'scram_sha_256_wrong', qr/authentication/i), 'SCRAM, wrong password: the status says so');
ok(says($node, 'tls_no_ca', qr/certificate|handshake/i), 'TLS, authority unknown: the status says so');
ok(says($node, 'tls_wrong_name', qr/certificate|handshake/i), 'TLS, certificate of another name: the status says so');
is(sql($node, "SELECT count(*) FROM (TABLE shop.plain_wrong UNION ALL TABLE shop.scram_sha_256_wrong
	UNION ALL TABLE shop.tls_no_ca UNION ALL TABLE shop.tls_wrong_name) x"), 0, 'none of these reads anything');

# The right password put into the file, without a restart
$secrets{plain_wrong}{'sasl.password'} = $kafka->{SASL_PASSWORD};
unlink $file;
append_to_file($file, JSON::PP->new->canonical->pretty->encode(\%secrets));
chmod 0600, $file;
$node->reload;
is(settled_rows($node, 'SELECT count(*) FROM shop.plain_wrong', 10, 60), 10, 'a password mended in the file is taken');

# Whose secret it is
as_shop($node, 'CREATE TABLE shop.others (n bigint)');
my ($status, $out, $err) = $node->psql('postgres',
	"SELECT recsys.create_stream('others', '$kafka->{SASL}', 'clicks', 'shop.others', options => '{\"secret\": \"others\"}')",
	extra_params => [ '-U', 'shop' ]);
ok($status != 0 || says($node, 'others', qr/secret|permission/i), 'a secret of other roles is not used');
is(sql($node, 'SELECT count(*) FROM shop.others'), 0, 'nor read with');
($status, $out, $err) = $node->psql('postgres',
	"SELECT recsys.create_stream('elsewhere', '127.0.0.1:1', 'clicks', 'shop.others', options => '{\"secret\": \"plain_right\"}')",
	extra_params => [ '-U', 'shop' ]);
ok($status != 0 || says($node, 'elsewhere', qr/secret|broker/i), 'a secret is not sent to other brokers');

my $shown = $err . server_log($node) . as_shop($node, q{SELECT s.*::text FROM recsys.stream_status s; SELECT s.*::text FROM recsys.streams s;
	SELECT s.*::text FROM recsys.stream s; SELECT m.*::text FROM recsys.stream_metrics m; SELECT a.*::text FROM pg_stat_activity a; SHOW ALL});
my ($dump, $said) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($dump, qr/"secret": "plain_right"/, 'a dump names the secret') or diag $said;
$shown .= $dump;
ok(index($shown, $kafka->{SASL_PASSWORD}) < 0, 'the password is in no view, no dump and not in the log');
ok(index($shown, $wrong) < 0, 'nor is the wrong one');
unlike($shown, qr/BEGIN CERTIFICATE/, 'nor a certificate');

$node->stop;
done_testing();
