//! Supervisors: ports that start other ports, watch them, and start them again when they end.
//!
//! A supervisor has *children*. Each has a [specification](Child): the way to make it, the ends after which it is made
//! again, its back-off, the time that it has for its end. A child is any port: an actor, another supervisor (which makes
//! a *tree*), a port on another node. Each life of a child is an *incarnation*, with a port ID of its own. A [`Follow`] is
//! a handle that goes from one incarnation to the next.
//!
//! ```
//! use std::time::Duration;
//! use aemp::{Node, port, supervisor::{Child, Restart, Strategy, Supervisor, SupervisorRef}};
//!
//! #[derive(Default)]
//! struct Till { cents: i64 }
//!
//! #[port]
//! impl Till {
//!     #[rcv(try)]
//!     fn pay(&mut self, cents: i64) -> Result<i64, String> {
//!         self.cents = self.cents.checked_add(cents).ok_or("too much money")?;
//!         Ok(self.cents)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::local()?;
//! let shop = Supervisor::builder()
//!     .strategy(Strategy::OneForOne)
//!     .intensity(5, Duration::from_secs(10))
//!     .child("till", Restart::Permanent, |node| node.port(Till::default()))
//!     .child("guests", Restart::Permanent, |node| Supervisor::builder().start(node))
//!     .start(&node);
//! shop.ready().await?;
//!
//! let till = shop.follow::<TillRef>("till").await?;
//! let first = till.wait().await?;
//! assert_eq!(first.pay(5).await?, 5);
//! assert!(first.pay(i64::MAX).await.is_err(), "it dies of that");
//! assert_eq!(till.call(|till| till.pay(7)).retry(3).await?, 7);
//!
//! // Thousands of children may come and go. The node, the closure and the kind are all that is needed.
//! let guests: SupervisorRef = shop.follow("guests").await?.wait().await?;
//! let guest = Child::new("", |node| node.port(Till::default())).restart(Restart::Temporary);
//! guests.start_child(guest).await??;
//! assert_eq!(guests.children().await?.len(), 1);
//! shop.shutdown().await?;
//! # Ok(()) }
//! ```
//!
//! # Semantics
//!
//! *Start.* The children of the builder start in order, each when the one before has been made. A child whose closure
//! fails, or panics, has ended: it is tried again after its back-off, and counts. [`SupervisorRef::ready`] waits for all of
//! them.
//!
//! *Restart.* [`Restart`] says after which ends a child is made again, and [`Strategy`] which others end and start with it.
//! **A new incarnation starts only after the monitor of the old one has fired.** On the same node, the old one has then
//! handled its last message, and its state has been dropped. For a child that is a supervisor of the same node, the same
//! holds for all of its own children, also if it was killed. A pause comes before each restart ([`Backoff`]): it
//! doubles from 50 ms to 10 s, is random between half of it and all of it, and begins anew after the child has lived for
//! 10 s.
//!
//! *Limit.* If there are more restarts than the [intensity](Builder::intensity) allows (5 in 10 s), the supervisor
//! ends its children and dies with `restart_limit, TEXT`. Its own supervisor restarts it, or gives up in the same way.
//! So a child is never silently left dead: either it comes back, or the monitor of the topmost supervisor fires, or
//! [`children`](SupervisorRef::children) shows the thing that it waits for.
//!
//! *End.* [`shutdown`](SupervisorRef::shutdown) ends dynamic children all at once, and then the children of the builder one by
//! one, the last first. A child is killed with the reason `shutdown, TEXT`, in order with its messages. If it still lives
//! after its [time](Child::shutdown), it is ended at once, and no longer waited for. A supervisor as a child is shut down
//! in the same way, and has as much time as its children need. The end of a [significant](Child::significant) child that
//! is not restarted shuts the supervisor down. A supervisor that is *killed*, or whose node stops, kills its children, the
//! last first, and does not wait for them. Its own monitors may fire before theirs.
//!
//! *Dynamic children* ([`SupervisorRef::start_child`]) restart alone, and with the children of the builder when those
//! restart together. Temporary ones leave no trace. The cost of each operation is logarithmic in their number.
//!
//! # Children on other nodes
//!
//! [`Child::on`] names a node, a [`spawnable`](macro@crate::spawnable) function of that node, and its arguments. The
//! function may also return a [`Builder`], which makes a supervisor there. The supervisor monitors the child, and the
//! other node monitors the supervisor. The child ends when the supervisor ends or its node is lost. When the child's
//! node is lost, [`OnLoss`] is the policy: the supervisor waits for that node, goes on to another, or gives the child
//! up. Such restarts do not count for the intensity.
//!
//! *Two incarnations.* Two nodes never notice at the same moment that their connection is lost. The old incarnation lives
//! until its own node has noticed, which takes at most **that node's**
//! [`monitor_timeout`](crate::NodeBuilder::monitor_timeout), counted from the last packet that it has received. The
//! supervisor starts another one, elsewhere, when its own monitor has fired and the back-off is over. So two incarnations
//! can live together for at most the other node's `monitor_timeout`, plus the time that a packet may be under way, minus
//! the pause. With a [`grace`](Child::grace) that is longer than both, there never are two. With [`OnLoss::Wait`] there
//! never are two either: the new one arrives over a new connection, which exists only after the monitors of the old one
//! have fired. The same bound holds when the supervisor's node crashes, and a new supervisor starts the same children
//! elsewhere. All this assumes that the other node runs. A process that is suspended notices when it goes on.
//!
//! # Limits
//!
//! - A child is not asked before its end. Messages behind the kill vanish, and an async handler is cancelled at its next wait.
//! - A handler that never returns cannot be ended. Its supervisor waits for its monitor, and does not start a second
//!   incarnation beside it. It does not hold up the end of the supervisor.
//! - A supervisor on another node that is a child is killed, and so its children end all at once. Its new incarnation
//!   does not wait for them.
//! - A node that is stopped in order ends its ports normally. So a transient child there counts as done.
//! - A closure may return a port of another node. Only [`Child::on`] makes it end when the supervisor's node is lost, and lets every
//!   [`Follow`] find it at once.
//! - Children on Perl nodes cannot be supervised, because those nodes do not watch the supervisor.
//! - Nothing is stored. A new supervisor does not know the children of its predecessor, which end by themselves.
//! - At most 16,384 callers may wait for news of one child. Further ones ask again after a moment.
//! - `children` answers with all children at once. More than some ten thousands do not fit into a packet.

mod alarm;
mod builder;
mod follow;
mod info;
mod machine;
mod order;
mod port;
pub(crate) mod remote;
mod spec;

pub(crate) use alarm::Alarm;
pub use builder::Builder;
pub(crate) use follow::Shows;
pub use follow::{Follow, FollowCall};
pub use info::{ChildError, ChildInfo, ChildState, Incarnation};
pub(crate) use machine::Chance;
pub use order::Order;
pub(crate) use port::keep;
pub use port::{Supervisor, SupervisorMsg, SupervisorRef};
pub use spec::{Backoff, Child, Held, IntoChild, OnLoss, Restart, Strategy};

/// The kind of the reason with which a supervisor ends a child. It counts as a normal end.
const SHUTDOWN: &str = "shutdown";
