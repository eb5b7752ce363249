use common::sense;
use AnyEvent;
use AnyEvent::MP;

# ANCHOR: shelf
package Guide::Shelf;

use AnyEvent::MP;

sub start {
   my %content;

   rcv $SELF,
      put => sub { my ($key, $value) = @_; $content{$key} = $value },
      get => sub { my ($key, $reply) = @_; snd $reply, $content{$key} };
}
# ANCHOR_END: shelf

package main;

# ANCHOR: main
configure
   norc   => 1,
   nodeid => "perl",
   secret => "between friends",
   seeds  => [shift];

my $converter = spawn "rust", "Guide::converter";

cal $converter, fahrenheit => 20, sub {
   say "20 C are $_[0] F";
};

AnyEvent->condvar->recv;
# ANCHOR_END: main
