//! The handbook: the guarantees of the crate's parts, and its words, a page each.

/// Where handlers run, the effects of blocking, and the means for handlers that take long.
pub mod execution {
    #![doc = include_str!("docs/execution.md")]
}

/// The life of a port and of a node: start, orderly ends, idle ports, and what happens to messages, handlers and calls.
pub mod lifecycle {
    #![doc = include_str!("docs/lifecycle.md")]
}

/// The words of this crate, and those of AnyEvent::MP, Erlang, Akka, actix, ractor and kameo for the same things.
pub mod words {
    #![doc = include_str!("docs/words.md")]
}
