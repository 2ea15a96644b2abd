# StreamTest.pm
#		What the tests of streams share: a server with a role that may create
#		streams, a stream in one call, and what the views say of it.
package StreamTest;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More ();
use Wire ();

our @EXPORT = qw(stream_server sql as_shop create_stream status states caught_up says settled_rows kill_hard);

# A server whose role shop may create streams and owns schema shop
sub stream_server
{
	my ($name, $conf) = @_;
	my $node = new_server($name, preload => 1, bare => 1, conf => join '',
		"max_worker_processes = 20\nrecsys.databases = 'postgres'\n", $conf // '');
	$node->safe_psql('postgres', q{
		CREATE EXTENSION recsys;
		CREATE ROLE shop LOGIN;
		CREATE SCHEMA shop AUTHORIZATION shop;
		GRANT INSERT ON recsys.stream TO shop;});
	return $node;
}

# What psql would print; dies at an error
sub sql
{
	my ($node, $sql) = @_;
	return ask($node, $sql, 'postgres');
}

sub as_shop
{
	my ($node, $sql) = @_;
	return ask($node, $sql, 'shop');
}

# One statement needs no psql, whose start costs more than most of the questions that
# tests ask again and again until they like the answer
sub ask
{
	my ($node, $sql, $role) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]) if $sql =~ /;/;
	my $wire = Wire->new($node, user => $role, patience => 180) or die "no connection as $role: $sql";
	$wire->query($sql);
	my ($answer) = $wire->answers(1);
	$wire->end;
	die "$answer->{code}: $answer->{message}: $sql" if $answer->{code} ne '';
	return join "\n", map { join '|', map { $_ // '' } @$_ } @{ $answer->{rows} };
}

# As shop: a stream of this name from the topic into shop's table of the same name
sub create_stream
{
	my ($node, $name, $brokers, %options) = @_;
	my $topic = delete $options{topic} // $name;
	my $table = delete $options{table} // "shop.$name";
	my $mapping = delete $options{mapping};
	my $json = JSON::PP->new->canonical->allow_nonref;
	my $text = $json->encode(\%options);
	my $map = defined $mapping ? "'" . $json->encode($mapping) . "'" : 'NULL';
	as_shop($node, "SELECT recsys.create_stream('$name', '$brokers', '$topic', '$table',
		mapping => $map, options => '$text')");
	return;
}

# A row of stream_status a partition, as hashes in the order of partitions
sub status
{
	my ($node, $name) = @_;
	my $rows = sql($node, "SELECT coalesce(json_agg(s ORDER BY partition), '[]')
		FROM recsys.stream_status s WHERE stream = '$name'");
	return @{ JSON::PP::decode_json($rows) };
}

# The states of a stream's partitions, each once
sub states
{
	my %seen = map { $_->{state} => 1 } status(@_);
	return join ' ', sort keys %seen;
}

# Does every partition come to its end while the stream runs?
sub caught_up
{
	my ($node, $name, $seconds) = @_;
	return wait_until($seconds // 30, sub {
		my @s = status($node, $name);
		return @s && !grep { $_->{state} ne 'running' || ($_->{lag} // -1) != 0 } @s;
	}) || (print(STDERR JSON::PP->new->pretty->encode([ status($node, $name) ])), 0);
}

# Does the status come to show an error or a stop like this?
sub says
{
	my ($node, $name, $pattern, $seconds) = @_;
	return wait_until($seconds // 30, sub {
		return grep { ($_->{error} // '') =~ $pattern } status($node, $name);
	}) || (print(STDERR JSON::PP->new->pretty->encode([ status($node, $name) ])), 0);
}

# Does the query come to answer like this?
sub settled_rows
{
	my ($node, $query, $expected, $seconds) = @_;
	my $got;
	wait_until($seconds // 30, sub { ($got = sql($node, $query)) eq $expected })
		or Test::More::note("does not settle: $query");
	return $got;
}

# kill -9 of a process of the server, and the restart of all of it
sub kill_hard
{
	my ($node, $pid) = @_;
	my $mark = -s $node->logfile;
	kill 'KILL', $pid;
	return wait_until(60, sub { substr(server_log($node), $mark) =~ /ready to accept connections/ });
}

1;
