//! The handbook: what the parts of the crate promise, a page each.

/// Where handlers run, what blocks what, and what to do about handlers that take long.
pub mod execution {
    #![doc = include_str!("docs/execution.md")]
}

/// The words of this crate, and those of AnyEvent::MP, Erlang, Akka, actix, ractor and kameo for the same things.
pub mod words {
    #![doc = include_str!("docs/words.md")]
}
