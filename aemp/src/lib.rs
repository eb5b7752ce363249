//! Typed actors for Rust, and a full member of AnyEvent::MP networks.
//!
//! A **node** (a process, or a part of one) holds **ports**: actors with tagged messages, which are addressed by a
//! printable port ID, `node#name`. Ports are monitored across nodes and killed with a reason; init functions are
//! spawned on other nodes by their fully-qualified name. The other nodes may be Rust, or Perl programs that use
//! AnyEvent::MP 2.x ("AEMP").
//!
//! # A port
//!
//! ```
//! use aemp::{Node, port};
//!
//! #[derive(Default)]
//! struct Counter { n: i64 }
//!
//! #[port]
//! impl Counter {
//!     #[rcv] fn inc(&mut self, by: i64) { self.n += by }
//!     #[rcv] fn get(&self) -> i64 { self.n }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counter = Node::local()?.port(Counter::default());
//! counter.inc(5);
//! assert_eq!(counter.get().await?, 5);
//! # Ok(()) }
//! ```
//!
//! [`#[port]`](macro@port) makes a message enum (`CounterMsg`) and a handle (`CounterRef`) with a method for each
//! handler. A handler without a return value is *sent* to: its method does not wait. A handler with a return value is
//! *called*: its method returns a [`Call`], a future. A `Result` is an answer as well; under
//! [`#[rcv(try)]`](macro@port#errors) its error kills the port instead. `async fn` handlers may await; a port still
//! handles one message at a time.
//!
//! # A network
//!
//! ```
//! use aemp::{Node, port, spawnable};
//!
//! struct Greeter { greeting: String }
//!
//! #[port]
//! impl Greeter {
//!     #[rcv] fn greet(&self, name: String) -> String { format!("{}, {name}!", self.greeting) }
//! }
//!
//! #[spawnable(name = "My::Greeter::start")]
//! fn start(greeting: String) -> Greeter { Greeter { greeting } }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let there = Node::builder().node_id("there").secret("s3cret").bind("127.0.0.1:0").start().await?;
//! let seed = there.listeners().remove(0);
//! let here = Node::builder().node_id("here").secret("s3cret").seed(seed).start().await?;
//!
//! let far = start::on(&here, "there", "hello".into()); // usable at once
//! let _guard = far.monitor(|reason| println!("it died: {reason}"));
//! assert_eq!(far.greet("you".into()).await?, "hello, you!");
//! # here.stop().await; there.stop().await;
//! # Ok(()) }
//! ```
//!
//! # Where to find it
//!
//! The guide, in `docs/guide` of the repository, is a tutorial, step by step. The [`handbook`] has a page for each large
//! subject; [`handbook::words`] translates the words of AEMP, Erlang, Akka and actix.
//!
//! ## Ports and handlers
//!
//! | you want | use |
//! | --- | --- |
//! | an actor of a struct | [`#[port]`](macro@port), [`Node::port`] |
//! | to answer later, or from elsewhere | a last parameter [`Reply<T>`](Reply) |
//! | to answer with an error, or to die of one | a return type `Result<T, E>`, without or with [`#[rcv(try)]`](macro@port#errors) |
//! | to know the port itself, its node, the sender's node | a parameter [`&mut Cx<'_>`](Cx) |
//! | untyped messages | [`snd!`], [`cal!`], [`msg!`], [`Node::snd`], [`Node::cal`], [`Node::untyped`] |
//! | a body that waits for certain messages, in the order of its work: selective receive | [`Node::process`], [`Inbox`], [`receive!`], [`handbook::processes`] |
//! | many jobs at once in one port | [`#[rcv(concurrent = 8)]`](macro@port#many-at-once) on an `async fn` |
//! | messages that are handled before others | [`#[rcv(urgent)]`](macro@port#urgent-messages), [`handbook::urgency`] |
//! | backpressure | [`Handle::bound`] with [`Handle::send`] or [`Handle::try_send`] |
//! | arguments and answers without `serde`, in this process alone | [`#[port(local)]`](macro@port#local-ports), or [`Local`] for a single argument |
//! | a handler that takes or returns a stream of items | [`streamed`]: [`Streamed<T>`](streamed::Streamed), [`Cx::streamed`], [`Node::streamed`] |
//!
//! ## Calls, timers and work beside handlers
//!
//! | you want | use |
//! | --- | --- |
//! | time limits of calls, for one call or for all of a node | [`Call::timeout`], [`NodeBuilder::call_timeout`], [`handbook::calls`] |
//! | to see how long a caller still waits, or that it has left | [`Cx::deadline`], [`Cx::cancelled`]; [`Reply::deadline`], [`Reply::closed`] |
//! | calls that are not handled without a waiting caller | [`#[rcv(wanted)]`](macro@port#calls-without-a-waiting-caller), [`handbook::calls`] |
//! | to wait for an answer outside of async code | [`Call::wait`], [`ValueCall::wait`] |
//! | to go on while a call runs; a stream of one's own | [`Cx::then`], [`Cx::stream`] |
//! | to run code in a port, and have its value | [`Handle::peval`] |
//! | timers, closures, tasks that die with the port | [`Cx::after`], [`Cx::every`], [`Cx::psub`], [`Cx::spawn`] |
//! | the same, with the port's state | [`Cx::after_with`], [`Cx::every_with`], [`Cx::timer`] |
//! | handlers that block, or compute for long | [`#[port(blocking)]`](macro@port), [`handbook::execution`] |
//! | a computation, or blocking code, while the port goes on | [`Cx::blocking`] |
//!
//! ## Life, monitors and supervision
//!
//! | you want | use |
//! | --- | --- |
//! | to hear of a death | [`Handle::monitor`], [`Handle::monitor_send`] |
//! | ports that die together | [`Handle::link`], [`Cx::link`] |
//! | to load at the start, to save at the end | [`#[start]`, `#[stop]`](macro@port#the-life-of-a-port), [`handbook::lifecycle`] |
//! | an end after the queued messages; to wait for an end | [`Handle::stop`], [`Handle::stop_within`], [`Handle::closed`] |
//! | ports that end when they are idle | [`Cx::idle_after`] |
//! | ports that end with their handles | [`Owned`], [`#[port(owned)]`](macro@port#options), [`WeakHandle`] |
//! | ports that are started again when they end, trees of them, also over nodes | [`supervisor`]: [`Supervisor`](supervisor::Supervisor), [`Child`](supervisor::Child) |
//! | a handle that follows a port through its restarts, or a name from port to port | [`Follow`](supervisor::Follow) |
//!
//! ## Nodes and networks
//!
//! | you want | use |
//! | --- | --- |
//! | to be spawned by name | [`#[spawnable]`](macro@spawnable), or [`NodeBuilder::init`] for closures |
//! | a typed handle of a service in Perl | [`#[protocol]`](macro@protocol), [`Node::handle`] |
//! | a configuration file with profiles | [`config`], [`NodeBuilder::profile`] |
//! | the outcome of joining the network | [`Node::joined`] |
//! | seeds from a command, a cluster, a service of yours | [`config::Seed`], [`NodeBuilder::seed_source`] |
//! | seeds from SRV records (`srv:NAME`) | feature `srv`, [`config::Seed`] |
//! | nodes behind NAT, and clients that do not listen, to reach each other | [`handbook::relays`], [`NodeBuilder::relay`] |
//! | to send files, or other bulk, between nodes | [`stream`]: [`Node::open_stream`], [`ByteStream`](stream::ByteStream) in a message |
//! | to stop a node in phases, by SIGTERM too; readiness probes | [`Node::stop_within`], [`Node::stop_on_signal`], [`Node::readiness`] |
//! | to know that a node has ended, and how | [`Node::ended`] |
//!
//! ## Names, data and jobs for all nodes
//!
//! | you want | use |
//! | --- | --- |
//! | to find a port of this node by a name | [`Node::register`], [`Node::whereis`], [`handbook::names`] |
//! | a name that one port of the network has; to find that port from any node | [`names`]: [`Node::claim`], [`Node::wait_for`], [`Node::follow`] |
//! | one instance of a port in the network, made elsewhere when its node is lost | [`Node::singleton`] |
//! | to share names and values with all nodes | [`db`]: [`Node::db_set`], [`Node::family`], [`Node::pool`] |
//! | publish and subscribe, over all nodes; presence | [`topic`]: [`Node::topic`], [`Node::presence`], [`handbook::topics`] |
//! | jobs that are not lost, for workers on any node: queue, retries, progress, dead letters | [`work`]: [`Dispatcher`](work::Dispatcher), [`Worker`](work::Worker), [`Jobs`](work::Jobs), [`handbook::work`] |
//!
//! ## Security and limits
//!
//! | you want | use |
//! | --- | --- |
//! | connections in TLS: by the secret, or by certificates of a private CA | [`NodeBuilder::encrypt`], [`NodeBuilder::cert`], [`NodeBuilder::ca`]; feature `tls`, on by default; `aemp::handbook::encryption` |
//! | a key exchange that resists quantum computers as well | feature `aws-lc-rs`: TLS by AWS-LC instead of ring. If both are enabled, AWS-LC is used |
//! | to limit the costs and the rights of strangers and other nodes | [`limits`], [`NodeBuilder::allow`] |
//! | to log or print text of other nodes | [`Shown`] |
//!
//! ## Watching and measuring
//!
//! | you want | use |
//! | --- | --- |
//! | to watch a network in the browser | `aemp observe` of the crate `aemp-cli`; `Observer` of `aemp-web` |
//! | to inspect a node, here or elsewhere | [`Node::inspect`] |
//! | the log lines, and their rates | [`handbook::logs`] |
//! | the log of the whole network in one place | [`Node::catch_logs`], [`logs`]; feature `logs`: `aemp::logs::layer` |
//! | to see the messages of a port or of a node | [`Node::tap`], [`mod@tap`]; the target [`aemp::trace`](logs::TRACE) of `tracing` |
//! | to count and measure: Prometheus, probes, recorders of the crate `metrics` | feature `metrics`: `aemp::metrics`, `aemp::handbook::metrics` |
//! | to follow a request over ports and nodes: spans, OpenTelemetry | feature `trace`: `aemp::span`, `aemp::handbook::traces`; the crate `aemp-otel` |
//!
//! ## Tests
//!
//! | you want | use |
//! | --- | --- |
//! | to test one's own actors: probes, mocks, virtual time, faults in a line | feature `test`: `aemp::test`, `aemp::handbook::testing` |
//! | to test actors under partitions and crashes | feature `sim`: `aemp::sim::Sim` |
//!
//! ## Formats and builds
//!
//! | you want | use |
//! | --- | --- |
//! | CBOR on the wire, which the reference prefers | feature `cbor`, [`NodeBuilder::framing_format`] |
//! | the fastest format between Rust nodes | feature `postcard` |
//! | byte strings without a detour | [`Octets`], or `serde_bytes` |
//! | a wire format of your own | [`Codec`], [`NodeBuilder::codec`] |
//! | fewer crates, for programs with local ports only | no default features, and `json`: without the feature `net` there are no sockets |
//! | the wire protocol, also for implementers | [`aemp_proto::protocol`] |
//!
//! # Guarantees
//!
#![doc = include_str!("docs/guarantees.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(feature = "cbor", feature = "json", feature = "postcard")))]
compile_error!(
    "enable a wire format of `aemp`: the feature `json` is the one that every node understands, \
     `cbor` the one that the reference prefers, `postcard` the fastest between nodes of this crate"
);

#[cfg(all(feature = "tls", not(any(feature = "ring", feature = "aws-lc-rs"))))]
compile_error!(
    "the feature `tls` of `aemp` needs a library of cryptography: `ring`, the default, or `aws-lc-rs`, \
     whose key exchange also holds against quantum computers"
);

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod bounded;
pub mod config;
pub mod db;
mod error;
mod exec;
mod guard;
pub mod handbook;
pub mod limits;
mod lock;
mod log;
pub mod logs;
mod macros;
mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod names;
mod net;
mod node;
mod passing;
mod port;
mod process;
mod reason;
mod shown;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "trace")]
pub mod span;
mod spelling;
#[cfg(feature = "net")]
pub mod stream;
pub mod streamed;
pub mod supervisor;
pub mod tap;
#[cfg(feature = "test")]
pub mod test;
#[cfg(feature = "tls")]
mod tls;
pub mod topic;
pub mod work;

pub use aemp_codec::{
    self as codec, Codec, DecodeError, EncodeError, Format, IdError, Limits, Map, NodeId, Octets,
    PortId, Value,
};
pub use aemp_macros::{port, protocol, rcv, spawnable};
/// The protocol's state machines. A simulated [`World`](sim::World) uses their types (feature `sim`).
#[cfg(feature = "sim")]
#[doc(no_inline)]
pub use aemp_proto as proto;

pub use db::DbError;
pub use error::{
    CallError, CertError, FunctionKind, HandleError, JoinError, RcvError, RegistryError, SendError,
    Sent, ServiceError, SettingError, StartError, TrySendError,
};
pub use message::{
    Args, Decoding, Encoding, Local, Message, Origin, Outcome, Port, PortRef, Undecoded,
};
pub use net::{NodesMonitor, SeedSource};
pub(crate) use node::WeakNode;
pub use node::{
    Ended, Node, NodeBuilder, Readiness, inspect,
    registry::{InitFn, InitFunction},
    spawn::{InitOutcome, Spawning},
};
pub use port::{
    Blocking, Call, Closed, Cx, Handle, Handlers, Monitor, Owned, Peval, Psub, Reply, Timer,
    Untyped, UntypedMsg, ValueCall, WeakHandle,
};
pub use process::{Feed, Inbox, Verdict};
pub use reason::Reason;
pub use shown::Shown;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
