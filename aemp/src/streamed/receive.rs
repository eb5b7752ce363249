//! The receiving half of a stream that comes from a port: another node's, or one that speaks the protocol by itself.
//!
//! The half is a port. It keeps packets as they come, and the consumer decodes them, because the type of the items and
//! the cost of decoding are the consumer's. The port monitors the sender. The monitor fires by a job of the port, and so
//! behind all messages of the sender.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aemp_codec::{DecodeError, KeptPacket, PortId};
use serde::de::DeserializeOwned;

use super::{
    error::{Ending, StreamedError},
    items::Items,
    message::{self, ToConsumer},
    wait::poll_for,
    window::Credit,
};
use crate::{
    Cx, Handle, Monitor, Node, Port, Reason,
    exec::seat,
    guard,
    lock::Lock,
    port::{bound, destination::Destination, monitor::Action},
};

/// Decodes the items of a packet.
type Read<T> = fn(&KeptPacket, &mut Items<T>) -> Result<(), DecodeError>;

fn read<T: DeserializeOwned>(packet: &KeptPacket, items: &mut Items<T>) -> Result<(), DecodeError> {
    let mut reader = packet.reader()?;
    while let Some(item) = reader.arg()? {
        items.push_back(item);
    }
    Ok(())
}

/// A stream that has come in a message, and is not used yet. If it is dropped, the sender is told.
pub(super) struct Unused<T> {
    to: Option<Arc<Destination>>,
    read: Read<T>,
}

impl<T: DeserializeOwned> Unused<T> {
    pub(super) fn new(node: &Node, sender: &PortId) -> Self {
        Self {
            to: Some(Arc::new(node.destination(sender))),
            read: read::<T>,
        }
    }
}

impl<T> Unused<T> {
    /// The ID of the sender, for a message. It is not told that this half is dropped.
    pub(super) fn pass_on(mut self) -> Option<PortId> {
        self.to.take().map(|to| to.id.clone())
    }

    /// Begins to receive, with so much credit for the sender.
    pub(super) fn begin(&mut self, credit: u64) -> Option<Incoming<T>> {
        let to = self.to.take()?;
        Some(Incoming::begin(to, self.read, credit))
    }
}

impl<T> Drop for Unused<T> {
    fn drop(&mut self) {
        // A message can name senders of many nodes. None of them is looked for: a sender that is not told gives up after
        // `WAIT`.
        if let Some(to) = self.to.take()
            && to.is_at_hand()
        {
            message::cancel(&to, None);
        }
    }
}

/// The receiving half in use.
pub(super) struct Incoming<T> {
    flow: Arc<Inflow>,
    port: Handle<ToConsumer>,
    own: PortId,
    to: Arc<Destination>,
    read: Read<T>,
    /// The number of items that have been decoded.
    received: u64,
    /// The size of the items of the last packet, on average.
    item_bytes: usize,
    /// The number of items that had been decoded when the consumer waited last.
    waited: u64,
    _monitor: Monitor,
}

impl<T> Incoming<T> {
    fn begin(to: Arc<Destination>, read: Read<T>, credit: u64) -> Self {
        let flow = Arc::new(Inflow::default());
        let port = to.node.port(Consumer {
            flow: Arc::clone(&flow),
            sender: to.id.clone(),
        });
        let own = port.id();
        let killed = Arc::clone(&flow);
        // A kill of the port, and the end of this node.
        port.monitor(move |reason| killed.lost(reason)).detach();
        let this = Self {
            _monitor: monitor(&to, &port, &flow),
            flow,
            port,
            own,
            to,
            read,
            received: 0,
            item_bytes: 0,
            waited: 0,
        };
        this.grant(credit);
        this
    }

    /// Lets the sender send so many items more.
    pub(super) fn grant(&self, items: u64) {
        self.flow.0.lock().credit.add(items);
        message::credit(&self.to, &self.own, items);
    }

    /// Decodes the waiting items into `into`, which must be empty. If there are none, returns the end of the stream. An item
    /// that cannot be decoded ends the stream as well, behind the items before it.
    pub(super) fn poll(&mut self, into: &mut Items<T>, task: &Context<'_>) -> Poll<Option<Ending>> {
        self.flow.poll(task).map(|next| match next {
            Next::Packets(packets) => {
                let broken = packets
                    .iter()
                    .try_for_each(|packet| self.read(packet, into));
                broken.err().map(Ending::Broken)
            }
            Next::End(ending) => Some(ending),
        })
    }

    /// The size of an item, in bytes.
    pub(super) fn item_bytes(&self) -> usize {
        self.item_bytes
    }

    /// The consumer waits. True if the sender waits for credit, as far as can be told; `None` if no items have come since it
    /// was called last.
    pub(super) fn waits_for_credit(&mut self) -> Option<bool> {
        let is_new = mem::replace(&mut self.waited, self.received) < self.received;
        is_new.then(|| self.flow.0.lock().used_up)
    }

    fn read(&mut self, packet: &KeptPacket, into: &mut Items<T>) -> Result<(), StreamedError> {
        let before = into.len();
        let _scope = self.to.node.decoding();
        let read = guard::attempt(|| (self.read)(packet, into));
        let read = read.unwrap_or_else(|panic| Err(DecodeError::mismatch(panic)));
        let items = into.len() - before;
        self.received += items as u64;
        self.item_bytes = packet.size() / items.max(1);
        read.map_err(|error| StreamedError::item(self.received + 1, &error))
    }
}

impl<T> Drop for Incoming<T> {
    fn drop(&mut self) {
        if !self.flow.is_ended() {
            message::cancel(&self.to, Some(&self.own));
        }
        self.port.kill(());
    }
}

/// Tells the flow of the death of the sender, behind all of its messages.
fn monitor(sender: &Destination, port: &Handle<ToConsumer>, flow: &Arc<Inflow>) -> Monitor {
    let (port, flow) = (
        port.to_local().map(|port| Arc::downgrade(&port)),
        Arc::clone(flow),
    );
    let died = move |reason: &Reason| {
        let reason = reason.clone();
        match port.and_then(|port| port.upgrade()) {
            Some(port) => {
                let job = move |_: &mut Cx<'_>| {
                    flow.lost(&reason);
                    Ok(())
                };
                bound::run_in(port, Box::new(job));
            }
            None => flow.lost(&reason),
        }
    };
    sender.monitor(Action::Call(Box::new(died)))
}

/// The state of the port of a consumer.
struct Consumer {
    flow: Arc<Inflow>,
    sender: PortId,
}

impl Port for Consumer {
    type Msg = ToConsumer;
    type Ref = Handle<ToConsumer>;

    fn handle(&mut self, cx: &mut Cx<'_>, message: ToConsumer) -> Result<(), Reason> {
        // Another node could invent items, and the end of a whole stream.
        if !cx.is_from_node_of(&self.sender) {
            message::complain(cx, "data for a stream");
            return Ok(());
        }
        let kept = match message {
            ToConsumer::Data(packet, items) => self.flow.data(packet, items),
            ToConsumer::End(reason) => self.flow.end(Reason::new(reason)),
        };
        // The sender's monitor fires.
        kept.map_err(StreamedError::into_reason)
    }
}

/// The items and the end that have arrived for the consumer.
#[derive(Default)]
struct Inflow(Lock<Arrived>);

#[derive(Default)]
struct Arrived {
    packets: Vec<KeptPacket>,
    /// The number of items that may still arrive.
    credit: Credit,
    /// True if the last items used the credit up that the sender had then, as far as can be told.
    used_up: bool,
    ending: Option<Ending>,
    consumer: Option<Waker>,
}

enum Next {
    Packets(Vec<KeptPacket>),
    End(Ending),
}

impl Arrived {
    /// Keeps items, or finds the fault in them.
    fn data(&mut self, packet: KeptPacket, items: u64) -> Result<(), StreamedError> {
        match &self.ending {
            None => {}
            Some(Ending::Whole) => return Err(StreamedError::Rules("an item came after the end")),
            Some(Ending::Broken(_)) => return Ok(()),
        }
        if !self.credit.spend(items) {
            return Err(StreamedError::Rules("more items came than were asked for"));
        }
        // A packet without items costs no credit, so a peer could make any number of them wait.
        if items > 0 {
            self.used_up = self.credit.is_used_up();
            self.packets.push(packet);
        }
        Ok(())
    }

    fn end(&mut self, reason: Reason) {
        self.ending.get_or_insert_with(|| match reason.is_normal() {
            true => Ending::Whole,
            false => Ending::Broken(StreamedError::Failed(reason)),
        });
    }
}

impl Inflow {
    /// Changes the state, and wakes the consumer.
    fn change<R>(&self, change: impl FnOnce(&mut Arrived) -> R) -> R {
        let mut arrived = self.0.lock();
        let result = change(&mut arrived);
        let consumer = arrived.consumer.take();
        drop(arrived);
        consumer.into_iter().for_each(seat::wake);
        result
    }

    fn data(&self, packet: KeptPacket, items: u64) -> Result<(), StreamedError> {
        self.change(|arrived| {
            let kept = arrived.data(packet, items);
            if let Err(error) = &kept {
                arrived.ending = Some(Ending::Broken(error.clone()));
            }
            kept
        })
    }

    fn end(&self, reason: Reason) -> Result<(), StreamedError> {
        self.change(|arrived| arrived.end(reason));
        Ok(())
    }

    fn lost(&self, reason: &Reason) {
        self.change(|arrived| {
            let lost = || Ending::Broken(StreamedError::Lost(reason.clone()));
            arrived.ending.get_or_insert_with(lost);
        });
    }

    fn is_ended(&self) -> bool {
        self.0.lock().ending.is_some()
    }

    fn poll(&self, task: &Context<'_>) -> Poll<Next> {
        let next = |arrived: &mut Arrived| match arrived.packets.is_empty() {
            true => arrived.ending.clone().map(Next::End),
            false => Some(Next::Packets(mem::take(&mut arrived.packets))),
        };
        poll_for(&self.0, task, next, |arrived| &mut arrived.consumer)
    }
}

#[cfg(all(test, feature = "sim", feature = "json"))]
mod tests {
    use aemp_codec::{PacketReader, Value};

    use super::*;
    use crate::{Node, sim::Sim};

    fn packet(items: &[i64]) -> KeptPacket {
        let values = items.iter().copied().map(Value::from).collect();
        let mut reader = PacketReader::values(values);
        reader.keep(Default::default()).expect("values are kept")
    }

    #[test]
    fn packets_without_items_are_not_kept() {
        let mut arrived = Arrived::default();
        arrived.credit.add(1);
        for _ in 0..1000 {
            assert_eq!(arrived.data(packet(&[]), 0), Ok(()));
        }
        assert_eq!(arrived.data(packet(&[1]), 1), Ok(()));
        assert_eq!(arrived.packets.len(), 1);
    }

    /// A message can have many of them.
    #[test]
    fn an_unused_stream_of_an_unknown_node_causes_no_search_for_the_node() {
        let mut sim = Sim::new(1);
        let builder = Node::builder().node_id("a").secret("sim").bind("*:4040");
        let node = sim.start(builder).expect("it starts");
        let sender = PortId::parse("far#sender").expect("a port");
        sim.block_on(async move {
            drop(Unused::<u32>::new(&node, &sender));
            let far = node.peers().get("far");
            assert!(far.is_none_or(|far| far.state().is_idle()));
        });
    }
}
