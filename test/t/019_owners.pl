# Owners and sources that are gone: a dump restores whole where a role is missing,
# carries no number that means something else elsewhere, and an owner is not dropped
# from under a model or stream.
#
# Not a regress test: it runs pg_dump and pg_restore between two clusters.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $node = new_server('main');
my $other = new_server('other', bare => 1);
make_events($node, 'events', 300, 150, 20);
$node->safe_psql(
	'postgres', q{
	SET client_min_messages = error;
	CREATE ROLE merchant LOGIN;
	CREATE ROLE "Odd ""one" LOGIN;
	CREATE ROLE team;
	CREATE ROLE member LOGIN IN ROLE team;
	CREATE ROLE dba LOGIN;
	CREATE TABLE events2 AS TABLE events;
	CREATE TABLE landing (user_id bigint);
	GRANT SELECT ON events, events2 TO PUBLIC;
	GRANT INSERT ON landing TO PUBLIC;
	GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO merchant, "Odd ""one", team;
	GRANT INSERT ON recsys.stream TO merchant;
	SELECT recsys.create_model('mine', 'events', 'popularity');
	SET ROLE merchant;
	SELECT recsys.create_model('merchant''s', 'events', 'item_knn');
	SELECT recsys.train('merchant''s');
	SELECT recsys.create_stream('merchant''s', 'kafka', 'topic', 'landing');
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, 1, '22P02', 'x' FROM recsys.stream;
	SET ROLE "Odd ""one";
	SELECT recsys.create_model('odd', 'events2', 'popularity');
	SELECT recsys.train('odd');
	RESET ROLE;
	SET ROLE member;
	SELECT recsys.create_model('member''s', 'events', 'popularity');
	RESET ROLE;
	SELECT recsys.train('mine');
	SELECT recsys.grant_model('mine', 'Odd "one'), recsys.grant_model('mine', 'team'), recsys.grant_model('mine', 'public');});

# A source that is gone, and a target
$node->safe_psql('postgres', 'DROP TABLE events2 CASCADE; DROP TABLE landing');
my $dump = $node->backup_dir . '.dump';
my $server = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres user=';
my ($out, $err) = run_command([ 'pg_dump', '-f', $dump, '-d', $server . 'postgres' ]);
is("$out$err", '', 'dump');
my $dumped = slurp_file($dump);
ok($dumped =~ /^\d+\todd\t"Odd ""one"\t-\tpopularity\t/m, 'a source that is gone has no number');
ok($dumped =~ /^\d+\tmerchant's\tmerchant\tkafka:9092\ttopic\t-\t/m, 'nor has a target');

# Into a cluster that has none of these roles
my $restore = sub { return run_command([ 'psql', '-Xq', '-o', '/dev/null', '-d', 'host=' . $other->host . ' port=' . $other->port . " dbname=$_[0] user=postgres", '-f', $dump ]) };
$other->safe_psql('postgres', 'CREATE DATABASE bare');
($out, $err) = $restore->('bare');
like($err, qr/WARNING:  role "merchant" does not exist/, 'a role that is missing is told');
my $state = q{SELECT name, owner, source FROM recsys.model_registry ORDER BY 1;
	SELECT model, version, trained_by FROM recsys.model_versions ORDER BY 1;
	SELECT name, owner, target FROM recsys.stream;
	SELECT count(*) FROM recsys.dead_letter};
is($other->safe_psql('bare', $state), join("\n",
	'member\'s|postgres|public.events', 'merchant\'s|postgres|public.events', 'mine|postgres|public.events', 'odd|postgres|-',
	'merchant\'s|1|-', 'mine|1|postgres', 'odd|1|-', 'merchant\'s|postgres|-', '1') =~ s/public\.//gr, 'every model, version and stream is there, those of missing roles with the restoring one');
is($other->safe_psql('bare', q{SELECT count(*) > 0 FROM recsys.recommend(1::bigint, 3, 'merchant''s')}), 't', 'a model of a missing role answers');
like(($other->psql('bare', q{SELECT recsys.train('odd')}))[2], qr/source of model "odd" does not exist any more/, 'a source that is gone is told');

my $readers = q{SELECT readers FROM recsys.model_registry WHERE name = 'mine'};
is($other->safe_psql('bare', $readers), '{NULL}', 'of those who were granted a model everybody is there');

# With numbers that mean something else there, and the roles, they mean what they did
$other->safe_psql('postgres', q{CREATE DATABASE roles; CREATE ROLE "Odd ""one"; CREATE ROLE merchant});
$restore->('roles');
like($other->safe_psql('roles', $state), qr/^merchant's\|merchant\|events\nmine\|postgres\|events\nodd\|"Odd ""one"\|-$/m, 'owners by name');

is($other->safe_psql('roles', $readers), q({"\"Odd \"\"one\"",NULL}), 'readers by name');
like(($other->psql('postgres', 'DROP ROLE "Odd ""one"'))[2], qr/cannot be dropped/, 'and noted');

# An owner cannot be dropped, by whatever means it got its rights, or when it has none any more
$node->safe_psql('postgres', 'REVOKE ALL ON recsys.model_registry, recsys.model_version, recsys.model_chunk, recsys.stream FROM merchant, "Odd ""one"');
foreach my $role ('merchant', 'member', '"Odd ""one"')
{
	like(($node->psql('postgres', "DROP ROLE $role"))[2], qr/cannot be dropped because some objects depend on it/, "$role is not dropped");
	like(($node->psql('postgres', "DROP OWNED BY $role"))[2], qr/owns model/, "nor is what $role owns");
}
$node->safe_psql(
	'postgres', q{
	REASSIGN OWNED BY member TO dba;
	SELECT recsys.alter_model(name, owner => 'dba') FROM recsys.model_registry WHERE owner = 'member'::regrole;
	DROP OWNED BY member;
	DROP ROLE member;
	SELECT recsys.drop_model('merchant''s'), recsys.drop_model('odd');});
like(($node->psql('postgres', 'DROP OWNED BY merchant'))[2], qr/owns stream "merchant's"/, 'nor a stream');
$node->safe_psql(
	'postgres', q{
	SELECT recsys.drop_stream('merchant''s');
	DROP ROLE merchant;});
like(($node->psql('postgres', 'DROP ROLE "Odd ""one"'))[2], qr/privileges for column readers of table recsys.model_registry/, 'nor who was granted a model');
$node->safe_psql('postgres', 'DROP OWNED BY "Odd ""one"; DROP ROLE "Odd ""one"');
is($node->safe_psql('postgres', $readers), '{team,NULL}', 'until DROP OWNED');
is($node->safe_psql('postgres', 'SELECT model, owner FROM recsys.models ORDER BY 1'), "member's|dba\nmine|postgres", 'what is left');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_shdepend d WHERE classid = 'pg_class'::regclass AND objid = 'recsys.model_registry'::regclass
	AND refobjid NOT IN (SELECT oid FROM pg_roles)}), 0, 'no note of a role that is gone');

# A database owner who is no superuser dumps what they see, or with BYPASSRLS all
$node->safe_psql('postgres', q{ALTER DATABASE postgres OWNER TO dba; ALTER TABLE events OWNER TO dba});
($out, $err) = run_command([ 'pg_dump', '-f', $dump, '--enable-row-security', '-d', $server . 'dba' ]);
is("$out$err", '', 'a database owner dumps');
ok(slurp_file($dump) =~ /^\d+\tmember's\tdba\tpublic\.events/m, 'what they see');
$node->safe_psql('postgres', 'ALTER ROLE dba BYPASSRLS');
($out, $err) = run_command([ 'pg_dump', '-f', $dump, '-d', $server . 'dba' ]);
is("$out$err", '', 'a database owner with BYPASSRLS dumps');
ok(slurp_file($dump) =~ /^\d+\tmine\tpostgres\tpublic\.events/m, 'everything');

# Dropped with the extension
$node->safe_psql('postgres', 'DROP EXTENSION recsys CASCADE');
$node->safe_psql('postgres', 'CREATE EXTENSION recsys; DROP OWNED BY dba');
$_->stop foreach $node, $other;
done_testing();
