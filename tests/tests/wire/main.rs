//! Recorded traffic of Perl AnyEvent::MP 2.01, replayed against the sans-IO machines: once as the one end of each
//! connection and once as the other.

mod auth;
mod complete;
mod documents;
mod handshakes;
mod negotiation;
mod nodes;
mod packets;
mod ports;
mod replay;
mod tls;
