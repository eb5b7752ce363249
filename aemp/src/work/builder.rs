//! The builder of a dispatcher.

use std::time::Duration;

use aemp_codec::PortId;

use super::{
    Dispatcher, DispatcherRef, WhenFull,
    dispatcher::Event,
    machine::{Machine, Policy},
};
use crate::{DbError, Local, Node, db::FamilyEvent, supervisor::Backoff};

/// A dispatcher that has not been started: [`Dispatcher::builder`].
#[derive(Debug, Clone)]
#[must_use = "a dispatcher does nothing until it is started"]
pub struct Builder {
    policy: Policy,
    dead_letters: Option<PortId>,
    family: Option<String>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let policy = Policy {
            capacity: 10_000,
            max_bytes: 256 << 20,
            when_full: WhenFull::default(),
            attempts: 5,
            backoff: Backoff::default(),
            time_limit: None,
        };
        Self {
            policy,
            dead_letters: None,
            family: None,
        }
    }

    /// The number of accepted jobs that may wait for a worker. Default: 10,000. Jobs that return after a failure are kept
    /// even if the queue is full.
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.policy.capacity = jobs.max(1);
        self
    }

    /// The memory of the jobs that wait, in bytes. Default: 256 MiB. An empty queue accepts a job of any size.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.policy.max_bytes = bytes;
        self
    }

    /// The policy when the queue is full. Default: [`WhenFull::Wait`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.policy.when_full = policy;
        self
    }

    /// The number of attempts that a job has. Default: 5. The loss of a worker counts as a failed attempt.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = attempts.max(1);
        self
    }

    /// The pauses before the second and each further attempt. Default: from 50 ms to 10 s. Its `reset` is not used.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// The time that an attempt may take. Default: any time. When it is over, the attempt is cancelled, which counts as
    /// a failure.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.policy.time_limit = Some(limit);
        self
    }

    /// The port for jobs that have failed for good, or were dropped. It gets the message `dead_letter` with a
    /// [`DeadLetter`](super::DeadLetter).
    ///
    /// ```
    /// use aemp::{Node, port, work::{DeadLetter, Dispatcher}};
    ///
    /// struct Undertaker;
    ///
    /// #[port]
    /// impl Undertaker {
    ///     #[rcv]
    ///     fn dead_letter(&mut self, letter: DeadLetter) {
    ///         println!("{} after {} attempts: {}", letter.id, letter.attempts, letter.error);
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let undertaker = node.port(Undertaker);
    /// Dispatcher::builder().dead_letters(&undertaker.id()).start(&node)?;
    /// # Ok(()) }
    /// ```
    pub fn dead_letters(mut self, port: &PortId) -> Self {
        self.dead_letters = Some(port.clone());
        self
    }

    /// The family of the database in which it registers, so that submitters and workers of all nodes find it. Further
    /// dispatchers of the same family are its standbys.
    pub fn register(mut self, family: impl Into<String>) -> Self {
        self.family = Some(family.into());
        self
    }

    /// Makes the dispatcher's port.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the family's name is not allowed.
    pub fn start(self, node: &Node) -> Result<DispatcherRef, DbError> {
        let watch = match &self.family {
            Some(family) => Some(node.family::<u64>(family)?.watch()),
            None => None,
        };
        let mut seed = [0; 8];
        // Without randomness all pauses are those of one seed, which is no harm.
        let _ = node.place().fill_random(&mut seed);
        let machine = Machine::new(self.policy, u64::from_le_bytes(seed));
        let state = Dispatcher::new(node, machine, self.dead_letters, self.family);
        let dispatcher = node.port(state);
        if let Some(mut watch) = watch {
            let me = dispatcher.clone();
            // The family's contents first, so that it comes behind those that are there.
            node.scheduler().spawn(async move {
                if let Some(FamilyEvent::All(all)) = watch.next().await {
                    let rank = super::source::next_rank(all.entries.values());
                    me.event(Local(Event::Register(rank)));
                }
            });
        }
        Ok(dispatcher)
    }
}
