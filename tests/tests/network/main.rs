//! Several nodes of one process over loopback, and what strangers send them.

mod again;
mod calls;
mod common;
mod connecting;
mod functions;
mod inspect;
mod limits;
mod logs;
mod malformed;
mod messages;
mod minimal;
mod monitors;
mod negotiation;
mod nodes;
mod overflow;
mod proxy;
mod raw;
mod restart;
mod seeds;
mod spawn;
mod strangers;
mod switched;
mod two_dials;
