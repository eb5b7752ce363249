//! The spans of handlers: the calls of a node's tracer (feature `trace`).
//!
//! - A message of a node with a tracer is queued with a *note* (`note`): the time, the way, and the context of its sender.
//!   Only such an envelope is looked at when the port runs. So a node without a tracer pays a few tests for each message.
//! - A span that has begun is *live* (`live`). While its handler runs, it is the *present* of the thread (`now`), and there
//!   alone: a plain handler leaves it there, an async one puts it there for each poll, and a handler that runs beside its
//!   port, or a mailbox, takes it over.
//! - The present is hidden while the thread runs another port, which a caller may run in place. So it belongs to
//!   `current::Scope`.
//! - A span begins within the `Scope` of its port, and ends before the note of a kill is read for the last time. So a tracer
//!   that kills the port is heard.
//! - Packets carry contexts to nodes that have offered it (`wire`). The connection is checked under the peer's lock, because
//!   a packet with a context is none for another node.
//! - Observers see a few whole traces, also of nodes without a tracer (`sample`).
//!
//! Alternatives: a context in each message type would change the messages of all programs. A packet of its own before the
//! message needs a state between two packets, on both sides.
//!
//! Dangers: the thread's present must never be borrowed while a tracer runs. The messages of a tracer are not traced (`now`).
//! Left out: timers and tasks that a handler starts, because a timer that starts itself again would make one trace without
//! an end; `Cx::then` alone keeps the context, and `SpanContext::scope` does for other code.
//!
//! Without the feature everything here is empty (`spans/none.rs`), and the compiler removes it.

#[cfg(feature = "trace")]
mod event;
#[cfg(feature = "trace")]
mod live;
#[cfg(feature = "trace")]
mod note;
#[cfg(feature = "trace")]
mod now;
#[cfg(feature = "trace")]
mod sample;
#[cfg(feature = "trace")]
mod wire;

#[cfg(feature = "trace")]
pub(crate) use self::{
    event::{connected, disconnected, killed, killed_far, monitor_fired, restarted},
    live::{Task, adopt, handle, take_over},
    note::{Noting, arrived, arriving, calling, has_tracer, is_traced, sent},
    now::{Carried, Hidden, Tracing, current},
    wire::{TAKES_CONTEXTS, from_peer, to_send},
};
#[cfg(feature = "trace")]
pub(crate) use crate::span::End as SpanEnd;

#[cfg(not(feature = "trace"))]
mod none;
#[cfg(not(feature = "trace"))]
pub(crate) use self::none::*;
