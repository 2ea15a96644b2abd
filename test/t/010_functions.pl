# Every object has a comment, every setting a description.
#
# Not a regress test: it asks what there is.  That each function answers is walked
# through in 013_walk.pl.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main');
is( $node->safe_psql(
		'postgres', q{
		SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'recsys'
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
			AND CASE d.classid
				WHEN 'pg_type'::regclass THEN (SELECT typrelid = 0 AND typelem = 0 FROM pg_type WHERE oid = d.objid)
				WHEN 'pg_class'::regclass THEN (SELECT relkind IN ('r', 'v', 'm') FROM pg_class WHERE oid = d.objid)
				ELSE true END
			AND obj_description(d.objid, d.classid::regclass::name) IS NULL
		ORDER BY 1}),
	'',
	'every object has a comment');
is( $node->safe_psql(
		'postgres', q{
		SELECT name FROM pg_settings WHERE name LIKE 'recsys.%' AND coalesce(short_desc, '') = ''}),
	'',
	'every setting has a description');
$node->stop;
done_testing();
