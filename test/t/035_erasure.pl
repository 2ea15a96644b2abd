# A person who is deleted is gone: what is learnt from people names none of them, so
# that a DELETE in the tables of a shop is all there is to do. Every byte of models,
# of the extension's tables and, after VACUUM FULL, of the database's files is searched.
#
# Not a regress test: it reads the files of the server.
use strict;
use warnings;

use lib 'test/t';
use File::Find;
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $node = new_server('main', conf => "shared_preload_libraries = 'recsys'\n");
# letters that come in no other place, whole and as the middle of compressed text
my $name = 'zqxjkv-Erasmus-Wvqzyx';
$node->safe_psql(
	'postgres', qq{
	SET client_min_messages = error;
	CREATE TABLE people (user_id text PRIMARY KEY, age integer);
	CREATE TABLE events (user_id text, item_id bigint, ts timestamptz DEFAULT now());
	INSERT INTO people SELECT 'user ' || u, u % 60 FROM generate_series(1, 200) u UNION ALL VALUES ('$name', 33);
	INSERT INTO events SELECT user_id, (hashtext(user_id || n) & 31), now() - n * interval '1 hour' FROM people, generate_series(1, 8) n;
	CREATE INDEX ON events (user_id);
	CREATE TABLE shown (user_id text, item_id bigint, rank integer, experiment text, arm integer, shown_at timestamptz DEFAULT now());
	CREATE TABLE lists (user_id text, item_id bigint, rank integer);
	SELECT recsys.create_model(a, 'events', a, time_column => 'ts') FROM unnest('{als,ease,item_knn,popularity,sequence}'::text[]) a;
	SELECT recsys.create_model('mlp', 'events', 'mlp', '{"epochs": 2}', users => 'people', features => '{"age": {"scale": "standard"}}');
	SELECT recsys.train(model) FROM recsys.models;
	SELECT recsys.save_model('value', recsys.train_als(user_id, item_id)) FROM events;});

# What was recommended to them and written down
my $use = qq{
	SELECT count(*) FROM recsys.models m, recsys.recommend_as(NULL::bigint, '$name'::text, 5, m.model) WHERE m.model <> 'value';
	SELECT recsys.record_impressions('shown', '$name', ARRAY['1', '2'], 'home', recsys.bucket('$name'::text, 'home'));
	SELECT recsys.record_impressions('shown', 'user 7', ARRAY['1', '2'], 'home', 1);
	INSERT INTO lists SELECT u, r.item_id, r.rank FROM unnest('{$name,user 7}'::text[]) u, recsys.recommend_as(NULL::bigint, u, 5, 'als') r};
$node->safe_psql('postgres', $use);
is($node->safe_psql('postgres', q{SELECT count(DISTINCT model) FROM recsys.model_versions}), 7, 'models of every algorithm');

# Bytes of models; every column of every table of the extension, as its bytes and as text
my $in_models = qq{SELECT count(*) FILTER (WHERE position('$name'::bytea IN recsys.load_model(model, version)::bytea) > 0), count(*) FROM recsys.model_versions};
is($node->safe_psql('postgres', $in_models), '0|7', 'no byte of a model names them, not even before');
is($node->safe_psql('postgres', q{SELECT position('epochs'::bytea IN recsys.load_model('mlp')::bytea) > 0}), 't', 'bytes can be found');
my $tables = $node->safe_psql('postgres', q{SELECT string_agg(format('SELECT %L, t::text FROM %s t', oid::regclass, oid::regclass), ' UNION ALL ') FROM pg_class
	WHERE relnamespace IN ('recsys'::regnamespace, 'recsys_support'::regnamespace) AND relkind IN ('r', 'm')});
is($node->safe_psql('postgres', "SELECT count(*) FROM ($tables) t(name, row) WHERE row ~* 'erasmus' OR row ~* encode('Erasmus', 'hex')"), 0, 'no row of the extension names them');
is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM ($tables) t(name, row) WHERE row LIKE '%item_knn%'"), 't', 'rows can be found');

# Deleted from the shop's tables: the next answer is that of a stranger
$node->safe_psql('postgres', qq{ANALYZE; DELETE FROM $_ WHERE user_id = '$name'}) foreach 'events', 'people', 'shown', 'lists';
is($node->safe_psql('postgres', qq{SELECT string_agg(DISTINCT r.source, ',') FROM recsys.models m, recsys.recommend_as(NULL::bigint, '$name'::text, 5, m.model) r WHERE m.model NOT IN ('value', 'popularity', 'mlp')}),
	'popularity', 'a stranger');
is($node->safe_psql('postgres', qq{SELECT count(*) FROM recsys.similar_users('user 7'::text, 500, 'als') WHERE user_id = '$name'}), 0, 'like nobody');

# The files: a deleted row stays in its page until it is written over; VACUUM FULL
# writes tables and indexes anew. Statistics keep frequent values until the next
# ANALYZE, which passes over a table without rows: none is empty here.
sub named_in
{
	my @found;
	$node->safe_psql('postgres', 'CHECKPOINT');
	find({ no_chdir => 1, wanted => sub {
		return unless -f $_ && $File::Find::dir =~ m{/base/\d+$};
		push @found, $_ if slurp_file($_) =~ /Erasmus/;
	}}, $node->data_dir . '/base');
	return join ' ', map { m{/base/(\d+)/(\d+)}; $node->safe_psql('postgres', "SELECT coalesce(pg_filenode_relation(0, $2)::text, 'gone $1/$2')") } @found;
}
like(named_in(), qr/events/, 'files name them until they are written anew');
$node->safe_psql('postgres', "VACUUM FULL $_; ANALYZE $_") foreach 'events', 'people', 'shown', 'lists';
$node->safe_psql('postgres', 'VACUUM FULL pg_statistic');
is(named_in(), '', 'after VACUUM FULL no file of the database does');

# Those who are left are served by models that they were made with
is($node->safe_psql('postgres', q{SELECT count(*) FROM recsys.recommend_as(NULL::bigint, 'user 7'::text, 5, 'als')}), 5, 'others are served');
$node->stop;
done_testing();
