# Wire.pm
#		A session over the protocol alone: parameters without a type, errors by their
#		SQLSTATE, a connection that is lost or hangs told from one that answers, and
#		no process of its own.
#
#	my $wire = Wire->new($node, user => 'shop', dbname => 'postgres');
#	my ($answer) = $wire->answers($wire->query('SELECT 1'));
#	$wire->query('BEGIN'), $wire->execute('SELECT $1', 'x'), $wire->query('ROLLBACK');
#	my @three = $wire->answers(3);			# all were under way at once
#
# An answer is {code, message, rows}: code is empty, an SQLSTATE, "lost" or "hang";
# rows of text, undef for null.  Each query or execute is answered once.
package Wire;

use strict;
use warnings;

use IO::Socket::UNIX ();
use Time::HiRes qw(time);

# Undef where the server does not answer
sub new
{
	my ($class, $node, %with) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port) or return;
	my $self = bless { socket => $socket, in => '', patience => $with{patience} // 30 }, $class;
	my $body = pack 'N(Z*)*x', 196608, user => $with{user} // 'postgres', database => $with{dbname} // 'postgres',
		application_name => $0;
	$self->put(pack('N', 4 + length $body) . $body);
	my ($started) = $self->answers(1);
	return if $started->{code} ne '';
	return $self;
}

sub put
{
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes)
	{
		my $n = syswrite $self->{socket}, $bytes;
		last unless defined $n; # lost: the answer says so
		substr($bytes, 0, $n) = '';
	}
	return;
}

sub message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1] }

# Say goodbye, and wait until the server's process has gone: others may count it
sub end
{
	my ($self) = @_;
	$self->put(message('X', ''));
	my $rest;
	1 while sysread $self->{socket}, $rest, 4096;
	close $self->{socket};
	return;
}

# Any number of statements, in one transaction unless they say otherwise
sub query
{
	my ($self, $sql) = @_;
	utf8::encode($sql) if utf8::is_utf8($sql);
	$self->put(message('Q', "$sql\0"));
	return 1;
}

# One statement with parameters in text form, whose types the server works out
sub execute
{
	my ($self, $sql, @values) = @_;
	my $bind = pack('xxnn', 0, scalar @values)
		. join('', map { defined $_ ? pack('N/a*', $_) : pack('N', 0xffffffff) } @values) . pack('n', 0);
	$self->put(message('P', "\0$sql\0" . pack('n', 0)) . message('B', $bind) . message('E', pack('xN', 0))
			. message('S', ''));
	return 1;
}

# The next $n answers
sub answers
{
	my ($self, $n) = @_;
	my @answers;
	while (@answers < $n)
	{
		my $answer = { code => '', message => '', rows => [] };
		while (1)
		{
			my ($type, $body) = $self->next_message;
			if ($type eq 'lost' || $type eq 'hang')
			{
				$answer->{code} = $type;
				$answer->{message} ||= $self->{said} // ''; # last words
				return @answers, map { $answer } @answers .. $n - 1;
			}
			last if $type eq 'Z';
			if ($type eq 'D')
			{
				my ($columns, $at) = (unpack('n', $body), 2);
				my @row;
				for (1 .. $columns)
				{
					my $length = unpack 'l>', substr $body, $at, 4;
					push @row, $length < 0 ? undef : substr $body, $at + 4, $length;
					$at += 4 + ($length < 0 ? 0 : $length);
				}
				push @{ $answer->{rows} }, \@row;
			}
			elsif ($type eq 'E')
			{
				my %field = map { substr($_, 0, 1) => substr($_, 1) } split /\0/, $body;
				$self->{said} = $field{M} if $field{S} =~ /FATAL|PANIC/;
				@$answer{qw(code message)} = @field{qw(C M)} if $answer->{code} eq '';
			}
		}
		push @answers, $answer;
	}
	return @answers;
}

sub next_message
{
	my ($self) = @_;
	my $end = time + $self->{patience};
	until (length $self->{in} >= 5 && length $self->{in} > unpack 'xN', $self->{in})
	{
		my $bits = '';
		vec($bits, fileno $self->{socket}, 1) = 1;
		my $left = $end - time;
		return 'hang' if $left <= 0 || !select $bits, undef, undef, $left;
		sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or return 'lost';
	}
	my ($type, $length) = unpack 'aN', $self->{in};
	my $body = substr $self->{in}, 5, $length - 4;
	substr($self->{in}, 0, 1 + $length) = '';
	return ($type, $body);
}

1;
