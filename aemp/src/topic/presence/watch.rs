//! A watcher of the members of a topic.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use aemp_codec::{PortId, Value, from_value};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, Sleep, sleep_until};

use super::roster::{Change, Roster};
use crate::{Node, db::Watch};

/// An event of a [`PresenceWatch`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PresenceEvent<M> {
    /// The members that are present: always the first event.
    Here(BTreeMap<PortId, M>),
    /// A member is present now.
    Joined(PortId, M),
    /// A member has other metadata now.
    Changed(PortId, M),
    /// A member is not present any more.
    Left(PortId),
}

/// A stream of a topic's members; see [`Presence::watch`](super::Presence::watch). It ends with its node.
///
/// A member whose metadata are not an `M` is not reported, except that it leaves.
pub struct PresenceWatch<M> {
    node: Node,
    watch: Watch<Value>,
    roster: Roster,
    /// The time at which a member without an entry is gone.
    timer: Option<Pin<Box<Sleep>>>,
    _meta: PhantomData<fn() -> M>,
}

impl<M: DeserializeOwned> PresenceWatch<M> {
    pub(super) fn new(node: &Node, watch: Watch<Value>) -> Self {
        Self {
            node: node.clone(),
            watch,
            roster: Roster::default(),
            timer: None,
            _meta: PhantomData,
        }
    }

    /// The next event; `None` when the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no event.
    pub async fn next(&mut self) -> Option<PresenceEvent<M>> {
        poll_fn(|task| self.poll_event(task)).await
    }

    /// The members as this watch knows them, with the changes that [`next`](Self::next) has not returned yet.
    #[must_use]
    pub fn members(&self) -> BTreeMap<PortId, M> {
        let metas = self
            .roster
            .metas()
            .map(|(port, meta)| (port.clone(), meta.clone()));
        decoded(&self.node, metas)
    }

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Option<PresenceEvent<M>>> {
        loop {
            while let Some(change) = self.roster.next() {
                if let Some(event) = self.event(change) {
                    return Poll::Ready(Some(event));
                }
            }
            let now = Instant::now();
            match Pin::new(&mut self.watch).poll_next(task) {
                Poll::Ready(Some(event)) => self.roster.receive(now, event),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    self.roster.expire(now);
                    if self.roster.is_empty() && self.poll_timer(task).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn poll_timer(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.roster.deadline() else {
            self.timer = None;
            return Poll::Pending;
        };
        // The timer belongs to the node's runtime, because the polling thread may have none.
        let node = &self.node;
        let timer = self.timer.get_or_insert_with(|| {
            let _runtime = node.scheduler().enter();
            Box::pin(sleep_until(at))
        });
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(task)
    }

    fn event(&self, change: Change) -> Option<PresenceEvent<M>> {
        let meta = |meta| {
            let _scope = self.node.decoding();
            from_value(meta).ok()
        };
        Some(match change {
            Change::Here(members) => PresenceEvent::Here(decoded(&self.node, members)),
            Change::Joined(port, value) => PresenceEvent::Joined(port, meta(value)?),
            Change::Changed(port, value) => PresenceEvent::Changed(port, meta(value)?),
            Change::Left(port) => PresenceEvent::Left(port),
        })
    }
}

fn decoded<M: DeserializeOwned>(
    node: &Node,
    members: impl IntoIterator<Item = (PortId, Value)>,
) -> BTreeMap<PortId, M> {
    let _scope = node.decoding();
    let members = members.into_iter();
    let decoded = members.filter_map(|(port, meta)| Some((port, from_value(meta).ok()?)));
    decoded.collect()
}

impl<M: DeserializeOwned> Stream for PresenceWatch<M> {
    type Item = PresenceEvent<M>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<PresenceEvent<M>>> {
        self.get_mut().poll_event(task)
    }
}

impl<M> fmt::Debug for PresenceWatch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").finish_non_exhaustive()
    }
}
