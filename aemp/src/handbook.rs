//! The handbook: the guarantees of the crate's parts, and its words, a page each.
//!
//! Further pages are those of the modules: [`supervisor`](crate::supervisor), [`db`](crate::db),
//! [`limits`](crate::limits), [`config`](crate::config).

/// Where handlers run, the effects of blocking, and the means for handlers that take long.
pub mod execution {
    #![doc = include_str!("docs/execution.md")]
}

/// The words of this crate, and those of AnyEvent::MP, Erlang, Akka, actix, ractor and kameo for the same things.
pub mod words {
    #![doc = include_str!("docs/words.md")]
}
