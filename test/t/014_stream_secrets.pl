# recsys.secrets_file and recsys.allowed_brokers: who may use what, what is
# refused, and that no error or log line quotes a secret.
#
# Not a regress test: it writes a file of the server and reads its log.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $node = new_server('main', conf => "log_min_messages = debug1\nlog_statement = 'all'\n");
my $file = $node->data_dir . '/secrets.json';
$node->safe_psql(
	'postgres', q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE stranger LOGIN;
	CREATE ROLE shops;
	GRANT shops TO shop;
	GRANT INSERT ON recsys.stream TO shop, stranger;
	CREATE TABLE events (user_id bigint);
	GRANT INSERT ON events TO shop, stranger;});

# SQLSTATE and message of a stream made with this secret, or ok; it is undone
my %sessions = map { $_ => session($node, $_) } 'shop', 'stranger', 'postgres';
sub attempt
{
	my ($role, $secret, $brokers) = @_;
	my $options = defined $secret ? qq('{"secret": "$secret"}') : "'{}'";
	my $answer = $sessions{$role}->do(
		"SET client_min_messages = error; BEGIN; SELECT recsys.create_stream('s', '$brokers', 'topic', 'events', options => $options); ROLLBACK");
	return $answer =~ /^ERROR:  (.*?)$/m ? $1 : 'ok';
}

# Write the file with this mode
sub write_file
{
	my ($text, $mode) = @_;
	unlink $file;
	append_to_file($file, $text);
	chmod $mode // 0600, $file;
	return;
}

# A setting, once every session has read the file of settings again
sub set
{
	my ($name, $value) = @_;
	my %before = map { $_ => $sessions{$_}->do('SELECT pg_conf_load_time()') } keys %sessions;
	$node->safe_psql('postgres', "LOAD 'recsys'; ALTER SYSTEM SET $name = '$value'; SELECT pg_reload_conf()");
	foreach my $role (keys %sessions)
	{
		wait_until(20, sub { $sessions{$role}->do('SELECT pg_conf_load_time()') ne $before{$role} })
		  or die "$role does not see $name";
	}
	return;
}

like(attempt('shop', 'orders', 'kafka'), qr/^F0000: there is no secrets file/, 'no file set');
set('recsys.secrets_file', 'secrets.json');
like(attempt('shop', 'orders', 'kafka'), qr/^58P01: could not open secrets file: /, 'no such file');
unlike(attempt('shop', 'orders', 'kafka'), qr/secrets\.json/, 'its path is not told');

my $right = q({"orders": {"brokers": "Kafka, other:9093", "roles": ["shop", "stranger"], "sasl.mechanisms": "PLAIN",
	"sasl.username": "u", "sasl.password": "open sesame", "ssl.ca.pem": "-----BEGIN\nsesame"},
	"strangers": {"brokers": "kafka", "roles": ["stranger"], "sasl.password": "open sesame"},
	"of shops": {"brokers": "kafka", "roles": ["nobody", 1, null, "shops"]}, "text": "sesame", "no roles": {"brokers": "kafka", "sasl.password": "sesame"}, "no brokers": {"roles": ["shop"]},
	"one role": {"brokers": "kafka", "roles": "shop"}, "bad brokers": {"brokers": "sesame sesame", "roles": ["shop"]},
	"library": {"brokers": "kafka", "roles": ["shop"], "plugin.library.paths": "sesame"},
	"bad value": {"brokers": "kafka", "roles": ["shop"], "sasl.mechanisms": "sesame"},
	"nested": {"brokers": "kafka", "roles": ["shop"], "sasl.password": {"sesame": "sesame"}}});
write_file($right);
is(attempt('shop', 'orders', 'kafka:9092,OTHER:9093'), 'ok', 'a right entry, brokers compared as they are kept');
is(attempt('stranger', 'orders', 'kafka,other:9093'), 'ok', 'another role of it');
is(attempt('stranger', 'strangers', 'kafka'), 'ok', 'an entry of another role');
is(attempt('shop', 'of shops', 'kafka'), 'ok', 'a member of a role of it');
my $none = qr/^42501: secret "[a-z ]+" does not exist for role "[a-z]+" and brokers "[a-z0-9:,]+"$/;
like(attempt('shop', 'orders', 'kafka'), $none, 'fewer brokers than the entry');
like(attempt('shop', 'orders', 'kafka,other:9093,evil'), $none, 'more brokers than the entry');
like(attempt('shop', 'orders', 'evil,other:9093'), $none, 'another broker');
like(attempt('shop', 'strangers', 'kafka'), $none, 'not a role of it');
like(attempt('stranger', 'of shops', 'kafka'), $none, 'not a member of a role of it');
like(attempt('shop', 'unknown', 'kafka'), $none, 'no such entry');
like(attempt('shop', $_, 'kafka'), $none, "entry $_") foreach 'text', 'no roles', 'no brokers', 'one role';
like(attempt('shop', 'bad brokers', 'kafka'), qr/^22023: brokers must be/, 'brokers that are none');
like(attempt('shop', 'library', 'kafka'), qr/^F0000: secret "library": setting "plugin.library.paths" .*not allowed/, 'a setting that loads code');
like(attempt('shop', 'bad value', 'kafka'), qr/^F0000: secret "bad value": setting "sasl.mechanisms" must be/, 'a value that is none');
like(attempt('shop', 'nested', 'kafka'), qr/^F0000: setting "sasl.password" of secret "nested" must be a string/, 'not a string');

# the file itself
foreach my $mode (0640, 0604, 0660, 0704, 0620)
{
	write_file($right, $mode);
	like(attempt('shop', 'orders', 'kafka,other:9093'), qr/^F0000: secrets file can be read by others/, sprintf 'mode %04o', $mode);
}
write_file($right, 0400);
is(attempt('shop', 'orders', 'kafka,other:9093'), 'ok', 'mode 0400');
my %texts = (
	'' => 'is not JSON',
	'{"orders": {"sasl.password": "sesame}' => 'is not JSON',
	'{"orders": {"sasl.password": "sesame", }}' => 'is not JSON',
	'{"orders": {"sasl.password": "sesame\\u0000"}}' => 'is not JSON',
	'{"orders": {"sasl.password": "sesame\\ud800"}}' => 'is not JSON',
	'{"orders": ' . '[' x 100000 => 'is not JSON|stack depth',
	'["sesame"]' => 'is not a JSON object',
	"{\"orders\": \"sesame\xff\"}" => 'is not text in the database\'s encoding',
	"{\"orders\": \"sesame\"}\0" => 'is not text in the database\'s encoding',
	'{"sesame": "' . 'x' x (1024 * 1024) . '"}' => 'is longer than 1 MB');
foreach my $text (sort keys %texts)
{
	write_file($text);
	like(attempt('shop', 'orders', 'kafka,other:9093'), qr/^\w{5}: .*($texts{$text})/, 'file ' . substr($text, 0, 40) =~ s/[^ -~]/?/gr);
}
unlink $file;
mkdir $file;
like(attempt('shop', 'orders', 'kafka,other:9093'), qr/^F0000: secrets file is not a regular file/, 'a directory');
rmdir $file;

# what a stream made with a secret shows
write_file($right);
$sessions{shop}->do(q(SELECT recsys.create_stream('orders', 'kafka,other:9093', 'topic', 'events', options => '{"secret": "orders"}')));
unlike(
	$sessions{shop}->do('SELECT s::text FROM recsys.stream s; SELECT s::text FROM recsys.streams s; SELECT s::text FROM recsys.stream_status s; SELECT s::text FROM recsys.stream_metrics s'),
	qr/sesame/,
	'no view shows it');
like($sessions{shop}->do('SHOW recsys.secrets_file'), qr/^ERROR:  42501/, 'the path is not shown');
like($sessions{shop}->do("SET recsys.secrets_file = '/etc/passwd'"), qr/^ERROR:  55P02/, 'nor set');
unlike(server_log($node), qr/sesame/, 'no log line quotes a secret');
like(server_log($node), qr/The file is ".*secrets\.json"/, 'the log has the path');

# recsys.allowed_brokers
set('recsys.allowed_brokers', 'kafka, Internal.example:9094,[::1]');
is(attempt('shop', undef, 'kafka'), 'ok', 'an allowed host');
is(attempt('shop', undef, 'kafka:1234,[::1]:5,internal.EXAMPLE:9094'), 'ok', 'allowed hosts with ports');
like(attempt('shop', undef, 'internal.example'), qr/^42501: broker "internal.example:9092" is not allowed/, 'another port');
like(attempt('shop', undef, 'kafka,evil'), qr/^42501: broker "evil:9092" is not allowed/, 'one of two');
like(attempt('shop', undef, 'kafka.evil'), qr/^42501: broker "kafka.evil:9092" is not allowed/, 'a longer name');
like(attempt('shop', undef, 'kafk'), qr/^42501: broker "kafk:9092" is not allowed/, 'a shorter name');
like($sessions{shop}->do(q(SELECT recsys.alter_stream('orders', brokers => 'evil'))), qr/^ERROR:  42501: broker "evil:9092"/m, 'alter_stream');
like($sessions{shop}->do(q(SELECT recsys.resume_stream('orders'))), qr/^ERROR:  42501: broker "other:9093"/m, 'resume_stream, of one made before');
my ($ret, $out, $err) = $node->psql('postgres', q(LOAD 'recsys'; ALTER SYSTEM SET recsys.allowed_brokers = 'a b'));
like($err, qr/invalid value for parameter "recsys.allowed_brokers"/, 'a list that is none');
my $fresh = session($node, 'shop');
like(
	$fresh->do(q(SET recsys.allowed_brokers = 'evil'; SELECT recsys.create_stream('s', 'evil', 'topic', 'events'))),
	qr/ERROR:  42501: broker "evil:9092" is not allowed/,
	'a setting made before the library is loaded does not count');
$fresh->quit;
$_->quit foreach values %sessions;
$node->stop;
done_testing();
