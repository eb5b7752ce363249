//! Several nodes of one process over loopback, and what strangers send them.

mod calls;
mod common;
mod connecting;
mod credit;
mod functions;
mod inspect;
mod life;
mod limits;
mod logs;
mod malformed;
mod messages;
mod minimal;
mod monitors;
mod negotiation;
mod nodes;
mod not_unicode;
mod overflow;
mod proxy;
mod raw;
mod replies;
mod restart;
mod seeds;
mod spawn;
mod strangers;
mod switched;
mod two_dials;
