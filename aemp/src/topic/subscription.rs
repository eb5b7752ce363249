//! Subscriptions: streams of a topic's events.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{TopicEvent, hub::Command, mailbox::Mailbox};
use crate::{
    Handle, Message, Node,
    guard::{self, Held},
};

/// The number of messages that are handed to a port before the next question for its progress.
const WINDOW: usize = 64;

/// A stream of a topic's events, made by [`Topic::subscribe`](super::Topic::subscribe). Dropping it ends the
/// subscription.
///
/// It ends when the node ends, and by the policy [`Slow::disconnect`](super::Slow::disconnect).
pub struct Subscription<T> {
    pub(super) id: u64,
    pub(super) node: Node,
    pub(super) mailbox: Arc<Mailbox<T>>,
    pub(super) commands: UnboundedSender<Command<T>>,
}

impl<T> Subscription<T> {
    /// The next event; `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no event.
    pub async fn next(&mut self) -> Option<TopicEvent<T>> {
        poll_fn(|task| self.mailbox.poll(task)).await
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<TopicEvent<T>> {
        match self
            .mailbox
            .poll(&mut Context::from_waker(std::task::Waker::noop()))
        {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }
}

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Delivers the events to a port of this node, as the messages that `make` makes of them. The subscription ends with
    /// the port. Returns `false`, and ends the subscription, if the port belongs to another node.
    ///
    /// At most 64 messages of it wait in the port's queue. The others wait in the subscription, whose policy counts. A
    /// port that can make the subscription itself may use [`Cx::stream`](crate::Cx::stream) instead.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// struct Screen;
    ///
    /// #[port]
    /// impl Screen {
    ///     #[rcv]
    ///     fn show(&mut self, line: String) { println!("{line}") }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let screen = node.port(Screen);
    /// let news = node.topic::<String>("news")?;
    /// news.subscribe().forward(&screen, |event| ScreenMsg::Show(format!("{event:?}")));
    /// news.publish("it works".into())?;
    /// # Ok(()) }
    /// ```
    pub fn forward<M: Message>(
        mut self,
        to: &Handle<M>,
        make: impl FnMut(TopicEvent<T>) -> M + Send + 'static,
    ) -> bool {
        let mut make = Held::new(make);
        if !to.is_local() {
            return false;
        }
        let (tell, mut died) = oneshot::channel();
        let monitor = to.monitor(move |_| {
            let _ = tell.send(());
        });
        let port = to.clone();
        let node = self.node.clone();
        node.scheduler().spawn(async move {
            let mut handed = 0;
            loop {
                let event = tokio::select! {
                    biased;
                    _ = &mut died => break,
                    event = self.next() => event,
                };
                let Some(event) = event else { break };
                let Some(make) = make.get_mut() else { break };
                match guard::attempt(|| make(event)) {
                    Ok(message) => drop(port.post(message)),
                    Err(text) => {
                        crate::log::error!("a subscription that delivers to a port: {text}");
                        break;
                    }
                }
                handed += 1;
                if handed % WINDOW == 0 && port.peval(|_| ()).await.is_err() {
                    break;
                }
            }
            drop(monitor);
        });
        true
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.mailbox.end();
        let _ = self.commands.send(Command::Unsubscribe(self.id));
    }
}

impl<T> Stream for Subscription<T> {
    type Item = TopicEvent<T>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<TopicEvent<T>>> {
        self.mailbox.poll(task)
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
