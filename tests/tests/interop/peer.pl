#!/usr/bin/perl
# A node of the reference implementation (AnyEvent::MP 2.01) that a test leads by the hand:
#
#    perl peer.pl NODE BIND SECRET [SEED...]
#
# PEER_SECURE=1 makes it a secure node, PEER_GLOBAL=1 a global one; PEER_FORMATS names its wire formats, PEER_CERT is its certificate.
#
# Orders come on standard input, one JSON array a line: a verb and its arguments. What happens goes to standard output in
# the same form. The end of the input is the end of the process.
use strict;
use warnings;

use AnyEvent;
use AnyEvent::MP;
use AnyEvent::MP::Kernel ();
use JSON::XS ();

my $coder = JSON::XS->new->utf8->allow_nonref->convert_blessed->allow_blessed;

sub event { syswrite STDOUT, $coder->encode ([@_]) . "\n" }

$SIG{PIPE} = "IGNORE";

# Init functions: what other nodes spawn here.
package Peer;

use AnyEvent::MP;

sub counter {
   my ($sum) = @_;

   rcv $SELF,
      inc    => sub { $sum += $_[0] },
      get    => sub { snd $_[-1], $sum },
      text   => sub { snd $_[-1], "$sum" },
      divide => sub { my ($by, $to) = @_; die "cannot divide by zero\n" unless $by; snd $to, int $sum / $by },
      end    => sub { kil $SELF, @_ };
}

# Sends its arguments back, but for the last one, which is the destination.
sub echo { rcv $SELF, sub { my $to = pop; snd $to, @_ } }

# Looks at octets, and makes some.
sub octets {
   rcv $SELF,
      look => sub { my ($octets, $to) = @_; snd $to, length $octets, unpack "H*", $octets },
      make => sub { my ($digits, $to) = @_; snd $to, pack "H*", $digits };
}

sub faulty { rcv $SELF, sub { }; die "no way\n" }

package main;

my ($node, $bind, $secret, @seeds) = @ARGV;

AnyEvent::MP::Kernel::mon_nodes (sub {
   my ($other, $is_up, @why) = @_;
   event ($is_up ? "up" : "down", $other, @why);
});

configure
   norc    => 1,
   nodeid  => $node,
   secret  => $secret,
   binds   => [$bind],
   seeds   => \@seeds,
   secure  => $ENV{PEER_SECURE} ? 1 : 0,
   $ENV{PEER_CERT} ? (cert => $ENV{PEER_CERT}) : (),
   $ENV{PEER_FORMATS} ? (framing_format => [split /,/, $ENV{PEER_FORMATS}]) : (),
   services => $ENV{PEER_GLOBAL} ? ["AnyEvent::MP::Global::"] : [];

event ("ready", $NODE, @$AnyEvent::MP::Kernel::BINDS);

my %monitors;

sub watch {
   my ($port) = @_;

   $monitors{$port} = mon $port, sub { delete $monitors{$port}; event ("died", $port, @_) };
}

# A port that tells what it is sent.
sub inbox {
   my ($answers) = @_;

   my $id;
   $id = port { event ("got", $id, @_); kil $SELF if $answers };
}

# What the database's callbacks are told.
my (%guards, %told);

sub family_mon {
   my ($label, $family) = @_;

   $guards{$label} = db_mon $family, sub {
      my ($all, $added, $changed, $deleted) = @_;
      $told{$label} = { %{ $all || {} } };
      event ("family", $label, $told{$label}, $added || [], $changed || [], $deleted || []);
   };
}

my %verbs = (
   snd     => sub { snd @_ },
   kil     => sub { kil shift, @_ },
   mon     => \&watch,
   unmon   => sub { delete $monitors{$_[0]} },
   cal     => sub { cal @_, sub { event ("answer", @_) } },
   calfor  => sub { my $seconds = shift; cal @_, sub { event ("answer", @_) }, $seconds },
   spawn   => sub { event ("spawned", spawn @_) },
   # In one turn, so that the monitor is right behind.
   spawnmon => sub { my $port = spawn @_; event ("spawned", $port); watch ($port) },
   inbox   => sub { event ("inbox", inbox ()) },
   link    => sub { my ($far, $near) = @_; mon $far, $near },
   counter => sub { my ($n) = @_; my $id = port; AnyEvent::MP::peval ($id, sub { Peer::counter ($n) }); event ("inbox", $id) },
   up      => sub { event ("nodes", sort { $a cmp $b } AnyEvent::MP::Kernel::up_nodes) },
   isup    => sub { event ("isup", AnyEvent::MP::Kernel::node_is_up ($_[0]) ? 1 : 0) },
   snd_on  => sub { AnyEvent::MP::Kernel::snd_on (shift, @_) },
   # With the ampersand, because its prototype would count the arguments.
   func    => sub { &AnyEvent::MP::Kernel::snd_to_func },
   eval_on => sub { my ($on, $code) = @_; AnyEvent::MP::Kernel::eval_on ($on, $code, inbox (1), "result") },
   # A request to a node port, answered to a port of ours.
   ask     => sub { my ($on, @request) = @_; snd $on, @request, inbox (1) },
   # A packet as it is.
   raw     => sub { my ($to, $packet) = @_; AnyEvent::MP::Kernel::add_node ($to)->send ($packet) },
   ping    => sub { event ("pong", @_) },
   db_set  => sub { db_set $_[0], $_[1], $_[2] },
   db_del  => sub { db_del shift, @_ },
   db_reg  => sub { db_reg $_[0], $_[1], $_[2] },
   # With a guard, which `drop` drops.
   db_hold => sub { $guards{$_[0]} = db_set $_[1], $_[2], $_[3] },
   db_mon  => \&family_mon,
   told    => sub { event ("told", $told{$_[0]}) },
   drop    => sub { delete $guards{$_[0]} },
   family  => sub { my $f = shift; db_family $f, sub { event ("reply", $f, @_) } },
   keys    => sub { my $f = shift; db_keys $f, sub { event ("reply", $f, [sort @{ $_[0] }]) } },
   values  => sub { my $f = shift; db_values $f, sub { event ("reply", $f, [sort @{ $_[0] }]) } },
   role    => sub { event ("role", $AnyEvent::MP::Kernel::GLOBAL ? 1 : 0, $AnyEvent::MP::Kernel::MASTER) },
   globals => sub { event ("globals", sort keys %AnyEvent::MP::Kernel::GLOBAL_NODE) },
);

my ($input, $ended) = ("", AE::cv);

my $reader = AE::io *STDIN, 0, sub {
   my $count = sysread STDIN, $input, 1 << 16, length $input;
   $ended->send if defined $count && !$count;

   while ($input =~ s/^(.*)\n//) {
      my ($verb, @args) = @{ $coder->decode ($1) };
      eval { ($verbs{$verb} or die "no verb $verb\n")->(@args); 1 } or event ("error", "$@");
   }
};

$ended->recv;
