//! The sending half of a stream whose consumer is elsewhere: a port, and a task that takes the items from the stream and
//! sends them as far as the consumer's credit goes.
//!
//! The port takes credit. The first port that gives some is the consumer; it is monitored, and others are told that they
//! are not. The task encodes items, which is foreign code, so neither a connection nor the port waits for it. It sends
//! the items that are there in one packet.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aemp_codec::PortId;
use futures_core::Stream;
use serde::Serialize;
use tokio::time::timeout;

use super::{
    Streamed, WAIT,
    error::{Ending, no_end},
    items::Items,
    message::{self, DATA, ToSender},
    wait::poll_for,
    window::Credit,
};
use crate::{
    Cx, Handle, Monitor, Node, Port, Reason, SendError,
    exec::seat,
    guard::Foreign,
    lock::Lock,
    port::{destination::Destination, monitor::Action},
};

/// The size at which a packet gets no further item, in bytes.
const PIECE: usize = 16 << 10;
/// The greatest number of items in a packet.
const MOST: usize = 256;

/// Makes a port that sends the items of a stream to the first consumer that asks for them. Returns the port's ID.
pub(super) fn start<T: Serialize + Send + 'static>(node: &Node, stream: Streamed<T>) -> PortId {
    let flow = Arc::new(Outflow::default());
    let port = node.port(Sender {
        flow: Arc::clone(&flow),
        _consumer: None,
    });
    let (id, killed) = (port.id(), Arc::clone(&flow));
    // A kill of the port, and the end of this node.
    port.monitor(move |reason| killed.gone(reason)).detach();
    let sending = Foreign::new(run(node.clone(), flow, stream));
    node.scheduler().spawn(async move {
        // A panic ends the stream by the death of the port.
        let ended = sending.await;
        port.kill(ended.err().unwrap_or_default());
    });
    id
}

async fn run<T: Serialize + Send + 'static>(
    node: Node,
    flow: Arc<Outflow>,
    mut stream: Streamed<T>,
) {
    let claimed = timeout(WAIT, poll_fn(|task| flow.poll_claimed(task))).await;
    let consumer = match claimed {
        Ok(Ok(consumer)) => consumer,
        Ok(Err(reason)) => return stream.leave(reason),
        Err(_) => return stream.leave(no_consumer()),
    };
    let mut sending = Sending {
        to: node.destination(&consumer),
        flow,
        stream,
        batch: Items::default(),
        sent: 0,
        ending: None,
    };
    let ended = sending.send_all().await;
    if let Err(reason) = ended {
        sending.stream.leave(reason);
    }
}

fn no_consumer() -> Reason {
    let text = "no consumer has asked for the stream in time";
    Reason::new(vec!["no_consumer".into(), text.into()])
}

struct Sending<T: Send + 'static> {
    to: Destination,
    flow: Arc<Outflow>,
    stream: Streamed<T>,
    /// Items that have been taken from the stream. Without credit there is at most one.
    batch: Items<T>,
    /// The number of items that have been sent.
    sent: u64,
    /// The end of the stream, behind the batch.
    ending: Option<Ending>,
}

impl<T: Serialize + Send + 'static> Sending<T> {
    /// Sends items until the stream ends.
    ///
    /// # Errors
    ///
    /// The reason, if the consumer is gone, or an item cannot be sent.
    async fn send_all(&mut self) -> Result<(), Reason> {
        loop {
            poll_fn(|task| self.poll_batch(task)).await?;
            if !self.batch.is_empty() {
                let credit = poll_fn(|task| self.flow.poll_credit(task)).await?;
                if let Some(peer) = self.to.peer() {
                    peer.room().await;
                }
                // Without credit there was one item. One packet takes those that have come since as well.
                poll_fn(|task| self.poll_batch(task)).await?;
                self.send_batch(self.flow.credit().max(credit))?;
            } else if let Some(ending) = self.ending.take() {
                let reason = match ending {
                    Ending::Whole => Reason::normal(),
                    Ending::Broken(error) => error.into_reason(),
                };
                message::end(&self.to, &reason);
                return Ok(());
            }
        }
    }

    /// Ready when there is an item, or the end. Takes the further items that are there and for which there is credit.
    fn poll_batch(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let Poll::Ready(reason) = self.flow.poll_gone(task) {
            return Poll::Ready(Err(reason));
        }
        let most = usize::try_from(self.flow.credit()).unwrap_or(MOST);
        let most = most.clamp(1, MOST);
        while self.batch.len() < most && self.ending.is_none() {
            match Pin::new(&mut self.stream).poll_next(task) {
                Poll::Ready(Some(Ok(item))) => self.batch.push_back(item),
                Poll::Ready(Some(Err(error))) => self.ending = Some(Ending::Broken(error)),
                Poll::Ready(None) => self.ending = Some(Ending::Whole),
                Poll::Pending => break,
            }
        }
        match self.batch.is_empty() && self.ending.is_none() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    /// Sends a packet with items of the batch.
    fn send_batch(&mut self, credit: u64) -> Result<(), Reason> {
        let mut most = usize::try_from(credit).unwrap_or(MOST);
        loop {
            let (mut written, mut is_whole) = (0, false);
            let sent = self.to.send_with(|out| {
                out.str(DATA)?;
                for item in self.batch.iter().take(most) {
                    out.arg(item)?;
                    written += 1;
                    if out.size() >= PIECE {
                        break;
                    }
                }
                is_whole = true;
                Ok(())
            });
            match sent.check() {
                Ok(()) => {
                    self.flow.spend(written as u64);
                    self.sent += written as u64;
                    (0..written).for_each(|_| self.batch.discard_first());
                    return Ok(());
                }
                // The items before the one that fails are sent without it.
                Err(SendError::Encode(_)) if written > usize::from(is_whole) => {
                    most = written - usize::from(is_whole);
                }
                Err(error) => return self.fail(&error),
            }
        }
    }

    fn fail(&self, error: &SendError) -> Result<(), Reason> {
        let reason = Reason::die(format_args!("item {} {error}", self.sent + 1));
        message::end(&self.to, &reason);
        Err(reason)
    }
}

/// The state of the port of a sender.
struct Sender {
    flow: Arc<Outflow>,
    /// The monitor of the consumer.
    _consumer: Option<Monitor>,
}

impl Port for Sender {
    type Msg = ToSender;
    type Ref = Handle<ToSender>;

    fn handle(&mut self, cx: &mut Cx<'_>, message: ToSender) -> Result<(), Reason> {
        match message {
            // A refusal would go to any port that another node names.
            ToSender::Credit(consumer, _) | ToSender::Cancel(Some(consumer))
                if !consumer.is_node_port() && !cx.is_from_node_of(&consumer) =>
            {
                message::complain(cx, "credit for a stream");
                Ok(())
            }
            ToSender::Credit(consumer, items) => self.credit(cx.node(), &consumer, items),
            ToSender::Cancel(consumer) => {
                self.flow.cancel(consumer.as_ref());
                Ok(())
            }
        }
    }
}

impl Sender {
    fn credit(&mut self, node: &Node, consumer: &PortId, items: u64) -> Result<(), Reason> {
        let to = node.destination(consumer);
        if to.is_node_port() {
            return Err(Reason::die(
                "a node port cannot be the consumer of a stream",
            ));
        }
        match self.flow.granted(consumer, items) {
            Granted::First => {
                let flow = Arc::clone(&self.flow);
                let gone = move |reason: &Reason| flow.gone(reason);
                self._consumer = Some(to.monitor(Action::Call(Box::new(gone))));
            }
            Granted::More => {}
            Granted::Refused => message::end(&to, &no_end("the stream has another consumer")),
        }
        Ok(())
    }
}

/// The consumer of a sender's items, as the sender's port knows it.
#[derive(Default)]
struct Outflow(Lock<Asked>);

#[derive(Default)]
struct Asked {
    by: By,
    /// The task that sends.
    sender: Option<Waker>,
}

#[derive(Default)]
enum By {
    #[default]
    Unclaimed,
    Consumer(PortId, Credit),
    Gone(Reason),
}

enum Granted {
    /// The port is the consumer from now on.
    First,
    More,
    /// Another port is the consumer.
    Refused,
}

impl Outflow {
    fn granted(&self, by: &PortId, items: u64) -> Granted {
        let mut asked = self.0.lock();
        let granted = match &mut asked.by {
            By::Unclaimed => {
                let mut credit = Credit::default();
                credit.add(items);
                asked.by = By::Consumer(by.clone(), credit);
                Granted::First
            }
            By::Consumer(consumer, credit) if consumer == by => {
                credit.add(items);
                Granted::More
            }
            By::Consumer(..) | By::Gone(_) => return Granted::Refused,
        };
        let sender = asked.sender.take();
        drop(asked);
        sender.into_iter().for_each(seat::wake);
        granted
    }

    fn cancel(&self, by: Option<&PortId>) {
        let is_consumer = match &self.0.lock().by {
            By::Unclaimed => by.is_none(),
            By::Consumer(consumer, _) => by == Some(consumer),
            By::Gone(_) => false,
        };
        if is_consumer {
            self.gone(&Reason::normal());
        }
    }

    fn gone(&self, reason: &Reason) {
        let mut asked = self.0.lock();
        if !matches!(asked.by, By::Gone(_)) {
            asked.by = By::Gone(reason.clone());
        }
        let sender = asked.sender.take();
        drop(asked);
        sender.into_iter().for_each(seat::wake);
    }

    fn spend(&self, items: u64) {
        if let By::Consumer(_, credit) = &mut self.0.lock().by {
            // The task that sends is the only one that spends.
            let _ = credit.spend(items);
        }
    }

    fn credit(&self) -> u64 {
        match &self.0.lock().by {
            By::Consumer(_, credit) => credit.left(),
            By::Unclaimed | By::Gone(_) => 0,
        }
    }

    /// Ready with the result of `find`, or if the consumer is gone.
    fn poll<R>(
        &self,
        task: &Context<'_>,
        find: impl Fn(&PortId, &Credit) -> Option<R>,
    ) -> Poll<Result<R, Reason>> {
        let find = |asked: &mut Asked| match &asked.by {
            By::Unclaimed => None,
            By::Consumer(consumer, credit) => find(consumer, credit).map(Ok),
            By::Gone(reason) => Some(Err(reason.clone())),
        };
        poll_for(&self.0, task, find, |asked| &mut asked.sender)
    }

    fn poll_claimed(&self, task: &Context<'_>) -> Poll<Result<PortId, Reason>> {
        self.poll(task, |consumer, _| Some(consumer.clone()))
    }

    fn poll_credit(&self, task: &Context<'_>) -> Poll<Result<u64, Reason>> {
        self.poll(task, |_, credit| {
            Some(credit.left()).filter(|left| *left > 0)
        })
    }

    fn poll_gone(&self, task: &Context<'_>) -> Poll<Reason> {
        self.poll(task, |_, _| None::<Reason>)
            .map(|gone| gone.unwrap_or_else(|reason| reason))
    }
}
