//! Several nodes of one process over loopback, and what strangers send them.

mod again;
mod blocking;
mod calls;
mod common;
mod connecting;
mod credit;
mod deputies;
mod functions;
mod inspect;
mod joining;
mod life;
mod limits;
mod logs;
mod malformed;
mod messages;
mod minimal;
mod monitors;
#[path = "../../../examples/plug_in_codec/msgpack.rs"]
mod msgpack;
mod negotiation;
mod nodes;
mod not_unicode;
mod overflow;
mod plugged;
mod proxy;
mod raw;
mod replies;
mod restart;
mod seed_names;
mod seeds;
mod spawn;
mod strangers;
mod streams;
mod supervisor;
mod switched;
mod two_dials;
