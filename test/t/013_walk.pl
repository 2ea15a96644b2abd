# A walk over all that SQL can reach: each function of the extension, as four roles,
# with arguments that are null, empty, huge or of other types, typed and as untyped
# parameters; each column of its tables set by hand to what it should never hold,
# and then everything that reads it.  An answer or an error of the user's kind:
# never an internal error, a crash or a hang.
#
#	WALK_SECONDS	how long it goes on (60; make torture: 600)
#	SEED			which calls in which order; printed, so that a walk can be had again
#
# Not a regress test: it needs the bare protocol, and a server that may crash.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;
use Time::HiRes qw(time usleep);
use Walk;
use Wire;

my $seconds = $ENV{WALK_SECONDS} || 60;
my $seed = $ENV{SEED} || int(time);
srand $seed;
diag "SEED=$seed WALK_SECONDS=$seconds";

# Faults that are known and not mended: what the case looks like, what comes of it.
# An entry whose fault is gone shows up as "TODO passed".
my @known = (
);

my $node = new_server('main', bare => 1, conf => join '',
	"statement_timeout = 5s\nrestart_after_crash = on\nrecsys.train_memory = '256MB'\nrecsys.threads = 2\n",
	"log_min_messages = error\nlog_min_error_statement = panic\n");
shop($node);
my @anything = map { my $type = $_; map { typed($_, $type) } @{ $edge{$type} } } grep { !/cstring/ } sort keys %edge;

my @functions = functions($node);
cmp_ok(scalar @functions, '>', 60, 'functions: ' . @functions);
# Each option of each algorithm, with what it may not and may just be
my @values = (-1, 0, 1, 3, '1e300', '-1e300', '0.5', 2147483648, '"cg"', '"x"', 'null', '[]', '[4, 4]', '[0]', '{}', 'true');
my @options = map { my $option = $_; map { "'{\"$option\": $_}'" } @values } split /\n/,
	$node->safe_psql('postgres', 'SELECT DISTINCT option FROM recsys.algorithm_options() ORDER BY 1');

my %unknown = map { $_ => 1 } grep { !exists $edge{$_} } map { @{ $_->{types} } } @functions;
is(join(' ', sort keys %unknown), '', 'there are values of every type of argument');

# --- sessions, and what is no answer

my %wires;

sub wire
{
	my ($role) = @_;
	return $wires{$role} if $wires{$role};
	wait_until(120, sub { $wires{$role} = Wire->new($node, user => $role, patience => 20) });
	return $wires{$role};
}

my (%tried, %found, @bad, %codes, %answered);
my $crashes = 0;

sub no_answer
{
	my ($answer, $case) = @_;
	# A training that was told to go on for long: it ended when it had to
	return '' if $answer->{code} eq '57014' && $case =~ /iterations|epochs/;
	return '' if $answer->{code} eq 'XX001' && $answer->{message} =~ /^corrupt model /; # bytes changed by hand
	return $answer->{code} =~ /^(?:lost|hang|XX|57|58|08)/ ? "$answer->{code} $answer->{message}" =~ s/\s+/ /gr : '';
}

# What a case is known for, if it is
sub known_for
{
	my ($case) = @_;
	foreach my $known (@known)
	{
		return $known if $case =~ $known->{case};
	}
	return;
}

# Note what came of a case; true if the session is gone
sub judge
{
	my ($role, $case, @answers) = @_;
	my $known = known_for($case);
	$tried{ $known->{name} }++ if $known;
	$codes{ $_->{code} || 'answer' }++ for @answers;
	my ($broken) = grep { $_ } map { no_answer($_, $case) } @answers;
	return 0 unless $broken;
	if ($known && $broken =~ $known->{comes})
	{
		note "known: $case\n    $broken" if ++$found{ $known->{name} } <= 30;
	}
	else
	{
		push @bad, "as $role: " . substr($case, 0, 700) . "\n    $broken";
	}
	return 0 unless $broken =~ /^(?:lost|hang|57P)/;
	if ($broken =~ /^hang/)
	{
		delete $wires{$role};
		return 1;
	}
	# Sessions that begin before the postmaster knows would end with the others
	$crashes++;
	%wires = ();
	wait_until(120, sub { (() = server_log($node) =~ /ready to accept connections/g) > $crashes });
	return 1;
}

# A crash costs a restart: where one is known, a few are enough
sub enough_of
{
	my $known = known_for($_[0]);
	return $known && $known->{crash} && ($found{ $known->{name} } // 0) >= 12;
}

# One call, undone
sub try_call
{
	my ($role, $function, $sql, @parameters) = @_;
	my $case = @parameters ? "$sql  -- " . join(', ', map { defined $_ ? "'$_'" : 'null' } @parameters) : $sql;
	return if enough_of($case);
	my $wire = wire($role);
	$wire->query('BEGIN');
	@parameters ? $wire->execute($sql, @parameters) : $wire->query($sql);
	$wire->query('ROLLBACK');
	my @answers = $wire->answers(3);
	$answered{ $function->{name} } = 1 if $answers[1]{code} eq '';
	judge($role, $case, @answers);
	return;
}

# --- functions

my @roles = qw(postgres keeper stranger nobody);
my $started = time;
my $calls = 0;
foreach my $function (@functions)
{
	# A superuser owns no stream
	my $role = $function->{name} =~ /stream|dead_letters/ ? 'keeper' : 'postgres';
	my @usual = usual($function);
	my @types = @{ $function->{types} };
	my @sets = ([@usual], [ map { null_of($_) } @types ]);
	foreach my $i (0 .. $#types)
	{
		foreach my $value ((map { typed($_, $types[$i]) } @{ $edge{ $types[$i] } }), null_of($types[$i]))
		{
			push @sets, [ @usual[ 0 .. $i - 1 ], $value, @usual[ $i + 1 .. $#usual ] ];
		}
	}
	try_call($role, $function, call($function, @$_)) for @sets;
	$calls += @sets;
}
note sprintf '%d calls of %d functions, each argument in turn: %.1f s', $calls, scalar @functions, time - $started;
# This server has no shared memory for models
is(join(' ', grep { !$answered{$_} && !/warm/ } map { $_->{name} } @functions), '', 'each function answers something');

# Anything in any place, as any role, typed and not
my %text_of;

sub text_of
{
	my ($expression) = @_;
	$text_of{$expression} //= do
	{
		my $wire = wire('postgres');
		$wire->query("SELECT ($expression)::text");
		my ($answer) = $wire->answers(1);
		[ $answer->{rows}[0] ? $answer->{rows}[0][0] : undef ];
	};
	return $text_of{$expression}[0];
}

sub pick { return $_[ rand @_ ] }
sub value_of { return pick(@{ $edge{ $_[0] } }, $_[0] eq 'jsonb' ? @options : ()) }

sub random_call
{
	my $function = pick(@functions);
	my $role = pick(@roles);
	my @types = @{ $function->{types} };
	my @values = usual($function);
	foreach my $i (0 .. $#values)
	{
		my $dice = rand;
		next if $dice < 0.55;
		$values[$i] = $dice < 0.7 ? null_of($types[$i]) : $dice < 0.9 ? typed(value_of($types[$i]), $types[$i]) : pick(@anything);
	}
	if (rand() < 0.5)
	{
		return try_call($role, $function, call($function, @values));
	}
	return try_call($role, $function, call($function, map { "\$$_" } 1 .. @values), map { text_of($_) } @values);
}

my $end = $started + 0.45 * $seconds;
for ($calls = 0; time < $end; $calls++)
{
	random_call();
}
note "$calls calls with anything in any place";

# --- rows changed by hand

# Functions of a registered model or a stream, with that name in its place
sub calls_of
{
	my ($kind, $name) = @_;
	my @calls;
	foreach my $function (@functions)
	{
		my ($place) = grep {
			($function->{names}[$_] // '') =~ ($kind eq 'model' ? qr/^model$/ : qr/^stream$|^name$/) && $function->{types}[$_] eq 'text'
		} 0 .. $#{ $function->{types} };
		next if !defined $place || $function->{name} =~ /create_/ || ($kind eq 'stream' && $function->{name} !~ /stream|dead/);
		my @values = usual($function);
		$values[$place] = "'$name'";
		push @calls, call($function, @values);
	}
	return @calls;
}
my @views = map { "SELECT count(v::text) FROM $_ v" } split /\n/, $node->safe_psql('postgres', qq{
	SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND oid IN (SELECT d.objid $of_extension AND d.classid = 'pg_class'::regclass)});
my %columns;
foreach my $line (split /\n/, $node->safe_psql('postgres', qq{
	SELECT c.oid::regclass, a.attname, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND c.oid IN (SELECT d.objid $of_extension AND d.classid = 'pg_class'::regclass)}))
{
	my ($table, $column, $type) = split /\|/, $line;
	push @{ $columns{$table} }, [ $column, $type ];
}
is(join(' ', grep { !exists $edge{$_} } map { $_->[1] } map { @$_ } values %columns), '', 'there are values of every type of column');

my (@models, %of_model, %of_stream);
foreach my $line (split /\n/, $node->safe_psql('postgres', 'SELECT name FROM recsys.model_registry'))
{
	push @models, $line;
	$of_model{$line} = [ calls_of('model', $line) ];
}
my @of_stream = calls_of('stream', 'shop');
cmp_ok(scalar @{ $of_model{shop} }, '>', 10, 'functions of a model: ' . @{ $of_model{shop} });
cmp_ok(scalar @of_stream, '>', 5, 'functions of a stream: ' . @of_stream);

# The checks of the registry refuse most of it; who reads a row is to be safe without
$node->safe_psql('postgres', q{
	DO $$ DECLARE c name; BEGIN
		FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'recsys.model_registry'::regclass AND contype = 'c' LOOP
			EXECUTE format('ALTER TABLE recsys.model_registry DROP CONSTRAINT %I', c);
		END LOOP;
	END $$});

# In one transaction that is undone: the change by its writer, then each call by
# anybody, in a savepoint of its own
sub try_edit
{
	my ($writer, $edit, @calls) = @_;
	return if enough_of($edit);
	my @statements = ("BEGIN; SET LOCAL ROLE $writer", $edit);
	foreach my $call (@calls)
	{
		push @statements, 'RESET ROLE; SAVEPOINT s; SET LOCAL ROLE ' . pick(@roles[ 0, 1, 1, 1, 2 ]), $call, 'ROLLBACK TO s';
	}
	my $wire = wire('postgres');
	$wire->query($_) for @statements, 'ROLLBACK';
	my @answers = $wire->answers(1 + @statements);
	# Where nothing came of the change, nor did anything of the calls
	return if $answers[1]{code} ne '' && !no_answer($answers[1], $edit);
	my ($at) = grep { no_answer($answers[$_], $edit) } 0 .. $#statements;
	return judge($writer, $edit . (defined $at ? ";\n    $statements[$at]" : ''), @answers) ? 'lost' : 'done';
}

sub edit
{
	my ($table, $where, @columns) = @_;
	return "UPDATE $table SET " . join(', ', map {
		my ($column, $type) = @$_;
		my $value = $column eq 'algorithm' ? pick(map { "'$_'" } qw(als ease item_knn popularity sequence mlp), '') : value_of($type);
		"$column = " . (rand() < 0.2 ? 'NULL' : typed($value, $type))
	} @columns) . " WHERE $where";
}

# A few that are known to be dangerous together, then at random
my $id = sub { "(SELECT id FROM recsys.model_registry WHERE name = '$_[0]')" };
my @dangerous = (
	"algorithm = 'sequence', time_column = NULL", "half_life = '1 day', time_column = NULL", "event_weights = '[]'",
	"event_weights = '{\"view\": \"x\"}'", "event_weights = 'null'", "event_column = 'kind', event_weights = NULL",
	"event_column = NULL, event_weights = '{\"view\": 1}'", 'user_column = NULL', 'item_column = NULL', "algorithm = 'mlp'",
	"source = 'shop.events'", 'source = NULL', "features = '{\"age\": {}}', users = NULL", "users = 'shop.users', features = NULL",
	"algorithm = 'no such'", "options = '[]'", "options = '{\"factors\": 1e9}'", 'live_version = 99', 'live_key = 99', 'live_version = NULL',
	"owner = '-'", "source = '-'", "users = '-'", "source = 4294967295::regclass");
my $edits = 0;
foreach my $set (@dangerous)
{
	foreach my $model (@models)
	{
		my $came = try_edit('keeper', "UPDATE recsys.model_registry SET $set WHERE name = '$model'", @{ $of_model{$model} });
		$edits++ if $came;
		last if ($came // '') eq 'lost';
	}
}
note sprintf '%d changes that are known to be dangerous: %.1f s', $edits, time - $started;

$end = $started + $seconds;
for ($edits = 0; time < $end;)
{
	my $table = pick(sort keys %columns);
	my @some = map { pick(@{ $columns{$table} }) } 1 .. pick(1, 1, 1, 2, 3);
	my %once = map { $_->[0] => $_ } @some;
	my $model = pick(@models);
	my $is_model = $table =~ /\.model/;
	my $where = $table =~ /model_registry/ ? "name = '$model'" : $is_model ? 'model_id = ' . $id->($model)
		: $table =~ /(?:offset|letter|loss)/ ? "ctid = '(0,1)'" : 'true';
	my @calls = ($is_model ? @{ $of_model{$model} } : @of_stream, @views);
	$edits++ if try_edit(pick('keeper', 'postgres'), edit($table, $where, map { $once{$_} } sort keys %once), @calls);
}
note "$edits changes of any column";

# --- queries of another's making

if ($seconds >= 300)
{
	my $end = time + $seconds / 5;
	my $rounds = 0;
	my $why = (grep { -x "$_/sqlsmith" } split /:/, $ENV{PATH}) ? '' : 'it is not installed';
	while (!$why && time < $end)
	{
		my ($out, $err);
		my $smith_seed = $seed + $rounds++;
		# Until its time is over, or its session ends
		IPC::Run::run([ 'timeout', int($end - time) + 1, 'sqlsmith', '--target=' . $node->connstr('postgres') . ' user=keeper',
			"--seed=$smith_seed" ], '<', \'', '>', \$out, '2>', \$err);
		$why = $err if $err !~ /Generating indexes/;
		my $ends = () = server_log($node) =~ /terminated by signal/g;
		next if $ends == $crashes;
		push @bad, "sqlsmith --seed=$smith_seed crashed the server";
		$crashes = $ends;
	}
	diag $why ? "sqlsmith: skipped: $why" : "sqlsmith: $rounds rounds";
}

# --- what was found

note 'answers: ', join ', ', map { "$_ $codes{$_}" } sort keys %codes;
cmp_ok($codes{answer}, '>', 1000, 'many calls answer');
is(scalar @bad, 0, "no crash, internal error or hang (SEED=$seed)")
	or diag join "\n", @bad[ 0 .. ($#bad < 30 ? $#bad : 30) ];
foreach my $known (@known)
{
	next unless $tried{ $known->{name} };
	local $TODO = "known: $known->{name}";
	ok(!$found{ $known->{name} }, $known->{name});
}
my $crashed = () = server_log($node) =~ /terminated by signal/g;
is($crashed, $crashes, 'crashes are those that were seen');
is(wire('keeper')->query('SELECT count(*) FROM recsys.models') && (wire('keeper')->answers(1))[0]{rows}[0][0], scalar @models, 'nothing was changed');
$node->stop('immediate');
done_testing();
