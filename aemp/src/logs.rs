//! The log of the whole network in one place: the log catcher of AnyEvent::MP.
//!
//! Every node that has opted in passes the lines of its log on to the nodes that ask for them. A program opts in with
//! one line, a layer of its `tracing` subscriber (`layer`, feature `logs`). A node asks with
//! [`Node::catch_logs`](crate::Node::catch_logs), with the service [`CATCH`], or with the command `aemp logs`. Perl
//! nodes take part on both sides: a Perl catcher shows the lines of Rust nodes, and the other way round.
//!
//! The handbook's page ([`handbook::logs`](crate::handbook::logs)) has the semantics, the limits, the map of levels,
//! and every target that the crates log under.
//!
//! ```
//! use aemp::{Node, logs::LogLevel};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder().node_id("watcher").secret("s3cret").bind("127.0.0.1:0").start().await?;
//! let mut lines = node.catch_logs(LogLevel::Warn);
//! # let stop = node.clone(); tokio::spawn(async move { stop.stop().await });
//! while let Some(line) = lines.next().await {
//!     println!("{line}");
//! }
//! # Ok(()) }
//! ```
// # Design
//
// - **The layer finds its way to the node by itself.** A node that is asked for lines looks for the layer in the
//   subscriber of its thread (`Dispatch::downcast_ref`). So a program adds the layer and nothing else, there is no global
//   variable, and two tests in one process do not hear each other.
// - **The layer does not send.** It formats the line, guarded, and pushes it into a short queue for each catcher under
//   one lock (`hub`). A task for each catcher sends (`passing`).
// - **No line causes a line without end.** Lines that the sending of a line causes on its own thread are left out by
//   flags of the thread. Lines that came from other nodes, and message traces, have targets of their own, which the layer
//   does not take. If sending causes lines in any other way, the pause of the sending task limits them.
// - **Nothing is lost in silence.** A catcher that is too slow loses its oldest lines, and a line in their place gives
//   their number. The same holds for a reader of a `LogStream`.
// - **The layer costs nothing without a catcher.** Its filter wants no line then, and the callsites of `tracing` cache
//   that. A change of the most detailed level that is wanted rebuilds these caches.
//
// Danger: a subscriber that hides its layers from `downcast_ref`, such as `reload::Layer`, hides this one as
// well. A filter of the whole subscriber filters for catchers, too.
//
// Left out: spans (only events are passed on), and delivery of lines after a lost connection, as in the reference.
// Between nodes of this project a catcher that connects again gets the lines since the loss from the history of the
// layer, if it has one.

mod catch;
#[cfg(feature = "logs")]
mod connect;
mod functions;
#[cfg(feature = "logs")]
mod hub;
#[cfg(feature = "logs")]
mod layer;
mod level;
mod line;
mod service;
mod stream;

#[cfg(feature = "logs")]
pub use self::layer::{layer, layer_with_history, speaker};
pub use self::{
    catch::CatchLogs,
    level::{LogLevel, UnknownLevel},
    line::LogLine,
    stream::LogStream,
};
pub(crate) use self::{
    functions::{built_in, callable},
    line::now,
    service::{Service, init},
};

/// The function by which a node asks another for the lines of its log.
pub const CONNECT: &str = "AnyEvent::MP::LogCatcher::connect";

/// The service that catches the lines of all nodes, and logs them here. Its argument is a level, as number or name.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use aemp::{Node, args, logs};
///
/// let node = Node::builder().service(logs::CATCH, args![7]).start_local()?;
/// # Ok(()) }
/// ```
pub const CATCH: &str = "AnyEvent::MP::LogCatcher::catch";

/// The target of lines that came from other nodes. They are never passed on.
pub const CAUGHT: &str = "aemp::caught";

/// The target of message traces: one line at level TRACE for each packet to and from other nodes. They are never passed
/// on.
pub const TRACE: &str = "aemp::trace";

/// The target of the lines of this module itself.
const OWN: &str = module_path!();
