# The parallel labels are true: each function that may run in a parallel plan, or in the
# leader beside one, answers there as it does alone.
#
# Not a regress test: it needs parameters in generic plans, for a call with constants
# is over before a plan is made.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;
use Walk;
use Wire;

my $node = new_server('main', bare => 1, conf => "statement_timeout = 30s\nmax_worker_processes = 8\n");
shop($node);
my $wire = Wire->new($node, user => 'keeper');
# Its name until PostgreSQL 15
my ($force) = $node->safe_psql('postgres', q{SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});

sub ask
{
	my ($sql) = @_;
	$wire->query($sql);
	return ($wire->answers(1))[0];
}
ask('SET plan_cache_mode = force_generic_plan; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET enable_hashagg = off');

my %text_of;

sub text_of
{
	my ($expression) = @_;
	return $text_of{$expression} //= ask("SELECT ($expression)::text")->{rows}[0][0];
}

# The call with each value that can be a parameter as one
sub parameters
{
	my ($function, @values) = @_;
	my @parameters;
	foreach my $i (0 .. $#values)
	{
		my $type = $function->{types}[$i];
		next if $type =~ /any|record|cstring/ || ($function->{aggregate} && $values[$i] !~ /^[(]/);
		push @parameters, $values[$i] =~ /^NULL/ ? undef : text_of($values[$i]);
		$values[$i] = '$' . @parameters . "::$type";
	}
	return (call($function, @values), @parameters);
}

# Answers of a call without and with parallel plans, in one transaction: at one time
sub both
{
	my ($sql, @parameters) = @_;
	my @answers;
	$wire->query('BEGIN');
	foreach my $mode ('off', 'on')
	{
		$wire->query("SAVEPOINT s; SET LOCAL $force = $mode");
		$wire->execute($sql, @parameters);
		$wire->query('ROLLBACK TO s');
	}
	$wire->query('ROLLBACK');
	@answers = $wire->answers(8);
	return map { join "\n", $_->{code}, $_->{code} ? $_->{message} : (map { join '|', map { $_ // 'null' } @$_ } @{ $_->{rows} }) } @answers[ 2, 5 ];
}

my (@other, @apart, %answered);
my $calls = 0;
foreach my $function (grep { $_->{parallel} ne 'u' } functions($node))
{
	my @types = @{ $function->{types} };
	my @usual = usual($function);
	my @sets = ([@usual], [ map { null_of($_) } @types ]);
	foreach my $i (0 .. $#types)
	{
		my @some = @{ $edge{ $types[$i] } };
		push @sets, map { [ @usual[ 0 .. $i - 1 ], typed($_, $types[$i]), @usual[ $i + 1 .. $#usual ] ] } @some[ 0 .. ($#some < 2 ? $#some : 2) ];
	}
	foreach my $set (@sets)
	{
		my ($sql, @parameters) = parameters($function, @$set);
		my ($alone, $parallel) = both($sql, @parameters);
		$calls++;
		$answered{ $function->{signature} } ||= $alone =~ /^\n/;
		push @other, "$sql with " . join(', ', map { $_ // 'null' } @parameters) . "\nalone:$alone\nparallel:$parallel" if $alone ne $parallel;
	}
	my ($sql, @parameters) = parameters($function, @usual);
	next if $function->{parallel} ne 's' || $function->{aggregate} || (both($sql, @parameters))[0] !~ /^\n/;
	$wire->query("BEGIN; SET LOCAL $force = on");
	$wire->execute("EXPLAIN $sql", @parameters);
	$wire->query('ROLLBACK');
	my $plan = ($wire->answers(3))[1];
	push @apart, $function->{signature} unless grep { $_->[0] =~ /Gather/ } @{ $plan->{rows} };
}
is(scalar @other, 0, "$calls calls answer alike") or diag join "\n", map { substr $_, 0, 1000 } @other[ 0 .. ($#other < 9 ? $#other : 9) ];
is(join(' ', @apart), '', 'what is parallel safe is run below a Gather');
cmp_ok(scalar(grep { $_ } values %answered), '>', 0.6 * keys %answered, 'most of ' . keys(%answered) . ' functions answer');
unlike(server_log($node), qr/terminated by signal|PANIC|XX000/, 'nothing crashed');
$node->stop;
done_testing();
