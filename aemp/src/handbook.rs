//! The handbook: the guarantees of the crate's parts, and its words, a page each.
//!
//! Further pages are those of the modules: [`supervisor`](crate::supervisor), [`db`](crate::db),
//! [`limits`](crate::limits), [`config`](crate::config), [`stream`](crate::stream).

/// Where handlers run, the effects of blocking, and the means for handlers that take long.
pub mod execution {
    #![doc = include_str!("docs/execution.md")]
}

/// The life of a port and of a node: start, orderly ends, idle ports, and what happens to messages, handlers and calls.
pub mod lifecycle {
    #![doc = include_str!("docs/lifecycle.md")]
}

/// Ports whose body is one async function with a mailbox: selective receive, deaths as messages, limits.
pub mod processes {
    #![doc = include_str!("docs/processes.md")]
}

/// The lines that the crates log, the log of the whole network in one place, and message traces.
pub mod logs {
    #![doc = include_str!("docs/logs.md")]
}

/// The words of this crate, and those of AnyEvent::MP, Erlang, Akka, actix, ractor and kameo for the same things.
pub mod words {
    #![doc = include_str!("docs/words.md")]
}
