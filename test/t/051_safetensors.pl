# Models of algorithm mlp in and out: numpy computes an exported network's scores,
# and a network that Keras trained (test/data/keras_mlp.json) comes in and answers
# as Keras did.
#
# Needs numpy and safetensors from PyPI: skipped with a line where they cannot be had.
use strict;
use warnings;

use lib 'test/t';
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $log = '';
foreach my $command (['python3', '-m', 'venv', "$folder/venv"],
	["$folder/venv/bin/pip", '-q', 'install', 'numpy', 'safetensors'])
{
	my $done = eval { IPC::Run::run($command, '>', \$log, '2>&1', IPC::Run::timeout(300)) };
	next if $done;
	my ($why) = ($log || $@) =~ /([^\n]+)\s*\z/;
	plan skip_all => "numpy and safetensors cannot be installed: $why";
}

my $node = new_server('main');

sub python
{
	my ($in, @arguments) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(["$folder/venv/bin/python", 'test/t/safetensors_mlp.py', @arguments], '<', \$in, '>', \$out,
		'2>', \$err) or die "safetensors_mlp.py @arguments: $err";
	return $out;
}

# A model's bytes as a file, by an expression of SQL
sub export
{
	my ($expression, $file) = @_;
	my $hex = $node->safe_psql('postgres', "SELECT encode(($expression)::bytea, 'hex')");
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle pack('H*', $hex);
	close $handle;
	return;
}

# Largest difference between two answers {id: score}, or undef where the ids differ
sub difference
{
	my ($one, $other) = @_;
	return if join(',', sort keys %$one) ne join(',', sort keys %$other);
	my $most = 0;
	foreach my $id (keys %$one)
	{
		my $apart = abs($one->{$id} - $other->{$id});
		$most = $apart if $apart > $most;
	}
	return $most;
}

# --- out: features by an encoder, a history, two layers

$node->safe_psql('postgres', q{
	CREATE TABLE users AS
	SELECT u AS user_id, 18 + u % 50 AS age, CASE u % 3 WHEN 0 THEN 'F' ELSE 'M' END AS gender
	FROM generate_series(1, 200) u;
	ALTER TABLE users ADD PRIMARY KEY (user_id);
	CREATE TABLE events AS
	SELECT u AS user_id, 100 + (u % 4 * 10 + abs(hashint8(u * 100 + n)) % 10) AS item_id
	FROM generate_series(1, 200) u, generate_series(1, 8) n;
	CREATE INDEX ON events (user_id);
	CREATE FUNCTION spec() RETURNS jsonb IMMUTABLE LANGUAGE sql AS
	$$SELECT '{"age": {"scale": "standard"}, "gender": {"encode": "one_hot"}}'::jsonb$$;
	SELECT recsys.create_model('net', 'events', 'mlp',
		'{"hidden": [8, 6], "activation": "tanh", "history": 4, "epochs": 3, "batch_size": 32}',
		users => 'users', features => spec());
	SELECT recsys.train('net');});
export(q{recsys.load_model('net')}, "$folder/net.safetensors");
my $questions = $node->safe_psql('postgres', q{
	SELECT json_build_object('features', recsys.encode(e, u), 'items', items)
	FROM (SELECT recsys.fit_encoder(u, spec()) AS e FROM users u) f, users u,
		(VALUES (1, '{}'), (2, '{100}'), (3, '{111,112,119}'), (4, '{100,110,120,130,101}')) v (user_id, items_text),
		LATERAL (SELECT items_text::bigint[] AS items) i
	WHERE u.user_id = v.user_id ORDER BY u.user_id}) . "\n";
my @theirs = map { decode_json($_) } split /\n/, python($questions, 'score', "$folder/net.safetensors");
my @ours = map { decode_json($_) } split /\n/, $node->safe_psql('postgres', q{
	SELECT (SELECT json_object_agg(item_id, score) FROM recsys.recommend_for_features(
			jsonb_build_object('age', age, 'gender', gender), 1000, 'net', exclude_seen => false,
			items => items_text::text[]))
	FROM users u, (VALUES (1, '{}'), (2, '{100}'), (3, '{111,112,119}'), (4, '{100,110,120,130,101}')) v (user_id, items_text)
	WHERE u.user_id = v.user_id ORDER BY u.user_id});
is(scalar @theirs, 4, 'numpy answered');
foreach my $n (0 .. 3)
{
	is(scalar keys %{ $ours[$n] }, 40, "question $n: a score for each item");
	cmp_ok(difference($ours[$n], $theirs[$n]) // 'other items', '<', 1e-5, "question $n: numpy computes the same scores");
}

# --- in: networks of Keras

my $record = decode_json(slurp_file('test/data/keras_mlp.json'));
foreach my $network (@{ $record->{networks} })
{
	my $name = $network->{name};
	my %options = map { $_ => $network->{options}{$_} } qw(hidden activation);
	my $options = encode_json({ %options, epochs => 1 });
	my $samples = encode_json($network->{features});
	my $targets = encode_json($network->{targets});
	# A model of the same layers and items to start from
	export(qq{SELECT recsys.train_mlp(ARRAY(SELECT v::real FROM jsonb_array_elements_text(f) WITH ORDINALITY e (v, n)
				ORDER BY n), t::bigint, '$options')
		FROM jsonb_array_elements('$samples') WITH ORDINALITY s (f, n)
			JOIN jsonb_array_elements_text('$targets') WITH ORDINALITY i (t, m) ON n = m}, "$folder/template.safetensors");
	open my $handle, '>', "$folder/weights.json" or die $!;
	print $handle encode_json($network->{final});
	close $handle;
	python('', 'put', "$folder/template.safetensors", "$folder/weights.json", "$folder/keras.safetensors");
	my $hex = unpack 'H*', slurp_file("$folder/keras.safetensors");
	my $worst = 0;
	foreach my $n (0 .. $#{ $network->{scores} })
	{
		my $features = join ',', @{ $network->{features}[$n] };
		my $got = decode_json($node->safe_psql('postgres', qq{
			SELECT json_object_agg(item_id, score) FROM recsys.recommend_for_features_with(
				'\\x$hex'::bytea::recsys.model, '{$features}'::real[])}));
		my %expected = map { $_ => $network->{scores}[$n][$_] } 0 .. $network->{n_items} - 1;
		my $apart = difference($got, \%expected) // 1e9;
		$worst = $apart if $apart > $worst;
	}
	cmp_ok($worst, '<', 1e-5, "$name: a network of Keras answers as it did");
}

$node->stop;
done_testing();
